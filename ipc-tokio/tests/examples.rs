//! No example is forgotten: each is in the table of the page, and run by the script that runs everything. And one program, the
//! example `portable`, is the same for every adapter but for two lines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Ends only when it is stopped, and is checked by the programs that measure it.
const ENDLESS: &str = "load_server";

#[test]
fn every_example_is_on_the_page_and_in_the_script() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(crate_folder.join("..").join(path)).unwrap();
    let (page, script) = (read("docs/examples.md"), read(".ci/run"));
    // What stands between `for example in` and `; do`, in each such loop.
    let run: BTreeSet<&str> = script
        .lines()
        .filter_map(|line| line.trim().strip_prefix("for example in ")?.strip_suffix("; do"))
        .flat_map(str::split_whitespace)
        .collect();
    let mut found = 0;
    for entry in fs::read_dir(crate_folder.join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let link = if name.ends_with(".rs") { name.clone() } else { format!("{name}/main.rs") };
        if !crate_folder.join("examples").join(&link).exists() {
            continue;
        }
        found += 1;
        assert!(page.contains(&format!("ipc-tokio/examples/{link}")), "docs/examples.md does not have {name}");
        let name = name.trim_end_matches(".rs");
        assert!(run.contains(name) || name == ENDLESS, ".ci/run does not run {name}");
    }
    assert!(found > 10);
    for script in fs::read_dir(crate_folder.join("examples/node")).unwrap() {
        let name = script.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("ipc-tokio/examples/node/{name}")), "docs/examples.md does not have {name}");
    }
}

fn lines_of(adapter: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(adapter).join("examples/portable.rs");
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_example_portable_differs_in_the_use_line_and_in_the_attribute_of_main() {
    let tokio = lines_of("ipc-tokio");
    assert!(tokio.len() > 50);
    for (adapter, module, start) in [
        ("ipc-smol", "ipc_smol", "macro_rules_attribute::apply(smol_macros::main!)"),
        ("ipc-async-std", "ipc_async_std", "async_std::main"),
    ] {
        let other = lines_of(adapter);
        assert_eq!(other.len(), tokio.len(), "{adapter}");
        let differing: Vec<_> = tokio.iter().zip(&other).filter(|(one, two)| one != two).collect();
        let [(use_tokio, use_other), (start_tokio, start_other)] = differing.as_slice() else {
            panic!("{adapter} differs in {} lines: {differing:#?}", differing.len());
        };
        assert!(use_tokio.ends_with("// differs") && start_tokio.ends_with("// differs"));
        assert_eq!(use_tokio.replace("ipc_tokio", module), **use_other);
        assert_eq!(start_tokio.replace("tokio::main", start), **start_other);
    }
}
