//! The pages of the repository hold together: the book has all of them, what they link to is there, files they name exist, and
//! programs they show are those that the tests run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod page;

use page::{Page, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Pages and folders that are written elsewhere and on their way: they may be missing, and links to them are no errors.
const ON_THE_WAY: [&str; 0] = [];

/// All pages: those at the top, those of the book, and the README of each package.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    for folder in ["", "docs"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| Path::new(folder).join(name));
        paths.extend(names.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
        if folder.is_empty() {
            let folders = fs::read_dir(root()).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name()));
            paths.extend(folders.map(|name| name.join("README.md")).filter(|path| root().join(path).is_file()));
        }
    }
    paths.retain(|path| !path.starts_with("target"));
    let mut paths: Vec<_> = paths.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    paths.sort();
    paths.into_iter().map(Page::read).collect()
}

/// `a/../b` as `b`, without a look at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn is_on_the_way(path: &Path) -> bool {
    ON_THE_WAY.iter().any(|coming| path.starts_with(coming)) && !root().join(path).exists()
}

#[test]
fn every_page_is_in_the_book_once_and_every_entry_is_a_page() {
    let summary = Page::read("docs/SUMMARY.md");
    let mut entries = BTreeMap::new();
    for link in summary.links() {
        *entries.entry(link).or_insert(0) += 1;
    }
    for (entry, times) in &entries {
        assert_eq!(*times, 1, "docs/SUMMARY.md has {entry} more than once");
        let path = Path::new("docs").join(entry);
        assert!(
            root().join(&path).is_file() || is_on_the_way(&path),
            "docs/SUMMARY.md has {entry}, which is not there"
        );
    }
    for page in pages() {
        let Ok(name) = page.path.strip_prefix("docs") else { continue };
        let name = name.to_str().unwrap();
        assert!(name == "SUMMARY.md" || entries.contains_key(name), "docs/SUMMARY.md does not have {name}");
    }
    assert!(entries.len() > 20);
}

#[test]
fn both_front_pages_lead_to_every_page_of_the_book() {
    let summary = Page::read("docs/SUMMARY.md");
    let mut missing = Vec::new();
    for (front, folder) in [("README.md", "docs/"), ("docs/README.md", "")] {
        let links = Page::read(front).links();
        for entry in summary.links().into_iter().filter(|entry| entry != "README.md") {
            let page = format!("{folder}{entry}");
            if !links.iter().any(|link| link.split('#').next() == Some(page.as_str())) {
                missing.push(format!("{front}: {page}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_relative_link_and_its_anchor_are_there() {
    let pages = pages();
    let anchors: BTreeMap<_, _> = pages.iter().map(|page| (page.path.clone(), page.anchors())).collect();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for page in &pages {
        for link in page.links() {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            looked_at += 1;
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = match path {
                "" => page.path.clone(),
                path => normal(&page.path.parent().unwrap().join(path)),
            };
            if is_on_the_way(&target) {
                continue;
            }
            let there = root().join(&target).exists();
            let anchored = anchor.is_none_or(|anchor| anchors.get(&target).is_some_and(|all| all.contains(anchor)));
            if !there || !anchored {
                wrong.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(looked_at > 100, "{looked_at}");
}

#[test]
fn every_file_of_the_repository_that_is_named_in_backticks_exists() {
    let folders: BTreeSet<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !["target", ".git"].contains(&name.as_str()))
        .collect();
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for page in pages() {
        for code in page.inline_code() {
            // `fuzz/run --minutes 30` names fuzz/run.
            let path = code.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
            let in_a_folder = path.split_once('/').is_some_and(|(first, _)| folders.contains(first));
            let is_a_pattern = path.contains(['*', '<', '{', '…', ':']);
            // Made by running something.
            let is_made = path.starts_with("ipc-testkit/node/installed");
            if !in_a_folder || is_a_pattern || is_made {
                continue;
            }
            looked_at += 1;
            if !root().join(path).exists() && !is_on_the_way(Path::new(path)) {
                wrong.push(format!("{}: `{code}`", page.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(looked_at > 20, "{looked_at}");
}

#[test]
fn a_program_that_a_page_takes_from_a_file_is_there_word_for_word() {
    let mut shown = 0;
    for page in pages() {
        for (file, text) in page.taken_from_files() {
            let source = fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(source.contains(&text), "{} shows this, which {file} does not have:\n{text}", page.path.display());
            shown += 1;
        }
    }
    assert!(shown > 15, "{shown}");
}

#[test]
fn a_link_to_nothing_and_a_wrong_anchor_are_found() {
    let page =
        Page::of("docs/x.md", "# A `b` c, d\n\n[one](y.md#z) `ipc-tokio/nothing.rs`\n\n```text\n[no](link)\n```\n");
    assert_eq!(page.links(), ["y.md#z"]);
    assert_eq!(page.anchors().into_iter().collect::<Vec<_>>(), ["a-b-c-d"]);
    assert_eq!(page.inline_code(), ["b", "ipc-tokio/nothing.rs"]);
}
