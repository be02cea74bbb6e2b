//! The list of behaviours is complete: one that nobody runs would prove nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_behaviour_is_in_the_list_that_makes_tests_of_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/behaviour");
    let list = fs::read_to_string(folder.join("list.rs")).expect("the list");
    let listed: BTreeSet<_> = list.split_whitespace().collect();
    let mut behaviours = 0;
    for entry in fs::read_dir(&folder).expect("the suite") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("a source file");
        let functions = text.split("\npub async fn ").skip(1);
        // Helpers of the suite take no stage.
        for function in
            functions.filter(|function| function.split('{').next().is_some_and(|head| head.contains("Stage<")))
        {
            let name = function.split(['<', '(']).next().expect("a name");
            assert!(listed.contains(name), "{name} of {} is not in list.rs", path.display());
            behaviours += 1;
        }
    }
    assert!(behaviours > 100, "{behaviours} behaviours were found");
}
