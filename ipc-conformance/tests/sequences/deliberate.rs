//! `differences.json`, the list of recorded questions that are answered unlike every version on purpose, and the page that
//! gives the reasons, `docs/compatibility.md`.

use crate::recorded::all_ids;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// One entry.
#[derive(Debug)]
pub(crate) struct Entry {
    /// On the id of a question, with `*` and `?`.
    pub(crate) pattern: String,
    pub(crate) why: String,
    /// An assertion on the answer.
    expect: Option<String>,
}

/// All entries.
pub(crate) fn entries() -> Vec<Entry> {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("differences.json")).expect("differences");
    let list: Vec<Value> = serde_json::from_slice(&text).expect("a JSON list");
    let field = |entry: &Value, key: &str| entry[key].as_str().map(str::to_owned);
    let entry = |entry: &Value| {
        let known =
            entry.as_object().expect("an object").keys().all(|key| matches!(key.as_str(), "match" | "why" | "expect"));
        assert!(known, "{entry}");
        Entry {
            pattern: field(entry, "match").expect("a pattern"),
            why: field(entry, "why").expect("a reason"),
            expect: field(entry, "expect"),
        }
    };
    list.iter().map(entry).collect()
}

impl Entry {
    /// Whether it is about this question.
    pub(crate) fn covers(&self, id: &str) -> bool {
        matches(self.pattern.as_bytes(), id.as_bytes())
    }

    /// Whether an answer is what the entry says it is.
    pub(crate) fn holds(&self, answer: &Value) -> bool {
        self.expect.as_ref().is_none_or(|expect| assertion(expect, answer))
    }

    /// Whether it is about the order of what different connections do, which is a matter of chance.
    pub(crate) fn is_about_chance(&self) -> bool {
        self.row() == Some("D39")
    }

    /// The row of the page that it names.
    fn row(&self) -> Option<&str> {
        self.why.strip_prefix('[')?.split_once("] ").map(|(row, _)| row)
    }
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        (Some((b'?', pattern)), Some((_, text))) => matches(pattern, text),
        (Some((one, pattern)), Some((other, text))) => one == other && matches(pattern, text),
        _ => false,
    }
}

/// `path op value`; the path goes through the answer, `$` is all of it as text.
fn assertion(expect: &str, answer: &Value) -> bool {
    let mut words = expect.splitn(3, ' ');
    let (path, op, value) = (words.next().unwrap_or("$"), words.next().unwrap_or_default(), words.next());
    let whole = Value::String(answer.to_string());
    let found = if path == "$" {
        Some(&whole)
    } else {
        path.split('.').try_fold(answer, |value, key| match value {
            Value::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get(at)),
            other => other.get(key),
        })
    };
    let value = value.unwrap_or_default();
    let wanted = || serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    let contains = |found: &Value| found.as_str().map_or_else(|| found.to_string(), str::to_owned).contains(value);
    match op {
        "==" => found == Some(&wanted()),
        "!=" => found != Some(&wanted()),
        "contains" => found.is_some_and(contains),
        "exists" => found.is_some(),
        "absent" => found.is_none(),
        other => panic!("{other} in {expect}"),
    }
}

/// The rows of the page, and those among them that recorded questions show.
fn rows() -> (BTreeSet<String>, BTreeSet<String>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let text = std::fs::read_to_string(page).expect("the page");
    let mut rows = BTreeSet::new();
    let mut measured = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| D")) {
        let cell = line[2..].split(" |").next().expect("a cell");
        let id = cell.trim_end_matches('*');
        let number = id.strip_prefix('D').unwrap_or_default();
        assert!(number.len() == 2 && number.bytes().all(|c| c.is_ascii_digit()), "not the id of a row: {cell}");
        assert_eq!(line.matches(" | ").count(), 3, "not four cells: {line}");
        assert!(rows.insert(id.to_owned()), "{id} stands for two things");
        if cell != id {
            measured.insert(id.to_owned());
        }
    }
    (rows, measured)
}

#[test]
fn every_difference_has_a_row_on_the_page_and_every_measured_row_a_difference() {
    let (rows, measured) = rows();
    let named: BTreeSet<String> = entries()
        .iter()
        .map(|entry| entry.row().unwrap_or_else(|| panic!("no [row] before the reason: {entry:?}")).to_owned())
        .collect();
    let unknown: Vec<&String> = named.difference(&rows).collect();
    assert!(unknown.is_empty(), "no such rows in docs/compatibility.md: {unknown:?}");
    let unmarked: Vec<&String> = named.difference(&measured).collect();
    assert!(unmarked.is_empty(), "recorded questions show these rows, they want a star: {unmarked:?}");
    let unused: Vec<&String> = measured.difference(&named).collect();
    assert!(unused.is_empty(), "no recorded question shows these rows, they want no star: {unused:?}");
}

#[test]
fn every_difference_is_about_a_recorded_question() {
    let ids = all_ids();
    for entry in entries() {
        assert!(ids.iter().any(|id| entry.covers(id)), "{entry:?} matches nothing");
    }
}

#[test]
fn patterns_and_assertions_mean_what_they_say() {
    let covers = |pattern: &str, id: &str| matches(pattern.as_bytes(), id.as_bytes());
    assert!(covers("*bound-d/6-*", "inbound-d/6-x-1") && covers("a?c", "abc") && covers("abc", "abc"));
    assert!(!covers("a*d", "abc") && !covers("a?", "a") && !covers("a", "ab"));
    let answer = serde_json::json!({"B/server": ["one", "two"]});
    for expect in ["B/server.1 == two", "B/server.0 != two", "$ contains two", "B/server.1 exists", "C absent"] {
        assert!(assertion(expect, &answer), "{expect}");
    }
    for expect in ["B/server.0 == two", "B/server.1 != two", "$ contains three", "B/server.2 exists", "B/server absent"]
    {
        assert!(!assertion(expect, &answer), "{expect}");
    }
}
