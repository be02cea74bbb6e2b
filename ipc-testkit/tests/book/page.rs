//! A page of Markdown, as far as the tests read it: links, anchors, code. Not a parser of all that Markdown can be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) struct Page {
    /// From the top of the repository.
    pub(crate) path: PathBuf,
    text: String,
}

impl Page {
    pub(crate) fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_owned() }
    }

    /// The lines outside fenced blocks.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut fenced = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fence && !fenced
        })
    }

    /// Where `[text](here)` points.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for line in self.prose() {
            let line = without_code(line);
            for (at, _) in line.match_indices("](") {
                let rest = &line[at + 2..];
                if let Some(end) = rest.find(')') {
                    links.push(rest[..end].to_owned());
                }
            }
        }
        links
    }

    /// What a link may say behind `#`: headings in GitHub's way, which is mdBook's too, and `<a id="…">`.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.prose() {
            if let Some((_, rest)) = line.split_once("<a id=\"") {
                anchors.extend(rest.split('"').next().map(str::to_owned));
            }
            let heading = line.trim_start_matches('#');
            if heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            let slug: String = kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
            let times = seen.entry(slug.clone()).or_insert(0);
            anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
            *times += 1;
        }
        anchors
    }

    /// What stands between single backticks.
    pub(crate) fn inline_code(&self) -> Vec<String> {
        self.prose().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
    }

    /// Blocks below `<!-- from: FILE -->`, with the name of the file.
    pub(crate) fn taken_from_files(&self) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        for part in self.text.split("\n<!-- from: ").skip(1) {
            let (file, rest) =
                part.split_once(" -->\n```").unwrap_or_else(|| panic!("a block after <!-- from: {part}"));
            let block = rest.split_once('\n').and_then(|(_language, rest)| rest.split_once("```\n"));
            let (text, _) = block.unwrap_or_else(|| panic!("the block from {file} does not end"));
            taken.push((file.to_owned(), text.to_owned()));
        }
        taken
    }
}

/// A line without what stands between backticks, where brackets are no links.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}
