//! The programs of the pages need no other features of Tokio than those in the README, and no other crates than their page names. The
//! workspace has more features and crates than a reader has, so a page that compiles here may not compile there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What pages use of Tokio, and the feature that has it.
const OF_TOKIO: [(&str, &str); 8] = [
    ("main", "macros"),
    ("pin", "macros"),
    ("select", "macros"),
    ("runtime", "rt-multi-thread"),
    ("spawn", "rt-multi-thread"),
    ("signal", "signal"),
    ("sync", "sync"),
    ("time", "time"),
];

/// What tells that a program needs something else, and what its page then says.
const BESIDE: [(&str, &str); 8] = [
    ("serde::", "serde = {"),
    ("serde_json::", "cargo add serde_json"),
    ("rcgen::", "cargo add rcgen"),
    ("ipc_proto::", "ipc-proto = {"),
    ("typescript::", "features = [\"typescript\"]"),
    ("derive(Contract", "features = [\"derive\"]"),
    ("derive(Request", "features = [\"derive\"]"),
    ("record_metrics", "features = [\"metrics\"]"),
];

/// Pages for readers of this repository's own code.
const WITHIN: &str = "writing-an-adapter.md";

struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// The README, and the pages of the book.
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let entries = fs::read_dir(root.join("docs")).expect("pages").flatten().map(|entry| entry.path());
        let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
        paths.retain(|path| path.file_name().is_some_and(|name| name != WITHIN));
        paths.push(root.join("README.md"));
        let read = |path: PathBuf| Self { text: fs::read_to_string(&path).expect("a page"), path };
        paths.into_iter().map(read).collect()
    }

    /// The blocks of code of a language, one after the other.
    fn code(&self, language: &str) -> String {
        let mut within = false;
        let mut code = String::new();
        for line in self.text.lines() {
            match line.strip_prefix("```") {
                Some(after) => within = !within && after.split(',').next() == Some(language),
                None if within => code.extend([line, "\n"]),
                None => {}
            }
        }
        code
    }
}

/// What follows `tokio::`, where that is not the end of another name.
fn used_of_tokio(code: &str) -> BTreeSet<&str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let found = code.match_indices("tokio::").filter(|(at, _)| !code[..*at].ends_with(is_word));
    found
        .map(|(at, name)| code[at + name.len()..].split(|letter| !is_word(letter)).next().unwrap_or_default())
        .collect()
}

/// The lines of `Cargo.toml` that name Tokio.
fn lines_of_tokio(page: &Page) -> Vec<String> {
    page.code("toml").lines().filter(|line| line.starts_with("tokio = ")).map(str::to_owned).collect()
}

#[test]
fn every_page_has_the_features_of_tokio_that_the_readme_has_and_needs_no_more() {
    let pages = Page::all();
    let readme = pages.last().map(lines_of_tokio).expect("the README");
    let [line] = readme.as_slice() else { panic!("the README names Tokio once: {readme:?}") };
    let mut looked_at = 0;
    for page in &pages {
        for shown in lines_of_tokio(page) {
            assert_eq!(shown, *line, "{}", page.path.display());
        }
        for name in used_of_tokio(&page.code("rust")) {
            let feature = OF_TOKIO.iter().find(|(known, _)| *known == name).map(|(_, feature)| *feature);
            let feature =
                feature.unwrap_or_else(|| panic!("{}: which feature has tokio::{name}?", page.path.display()));
            assert!(line.contains(&format!("\"{feature}\"")), "{}: tokio::{name}: {feature}", page.path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}

#[test]
fn a_page_names_the_crates_and_features_that_its_programs_need() {
    let mut looked_at = 0;
    for page in Page::all() {
        let code = page.code("rust");
        for (sign, named) in BESIDE.iter().filter(|(sign, _)| code.contains(sign)) {
            let is_named = page.text.contains(named);
            assert!(is_named, "{} uses {sign} and does not say {named:?}", page.path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 5, "{looked_at}");
}

#[test]
fn what_is_used_of_tokio_is_found() {
    let code = "#[tokio::main]\nuse ipc_tokio::Client;\ntokio::select! {}\nlet x = tokio::sync::mpsc::channel(1);";
    assert_eq!(used_of_tokio(code).into_iter().collect::<Vec<_>>(), ["main", "select", "sync"]);
}
