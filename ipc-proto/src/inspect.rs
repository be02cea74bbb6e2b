//! Values for a person to read: what `util.inspect` does for the log of node-ipc.
//!
//! One line, cut where it would be too deep or too long, with nothing raw in it that could drive a terminal.

use serde::Serialize;
use serde_json::Value;
use std::fmt::{self, Write};

/// Members of a list or an object that are shown.
const MEMBERS: usize = 100;
/// Characters of a text that are shown.
const CHARACTERS: usize = 10_000;

/// How values are shown: the options `logDepth` and `logInColor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspect {
    /// How many lists and objects within each other are shown, not counting the outermost; `None` for all.
    pub depth: Option<u32>,
    /// Whether kinds of values have colours, as terminals take them.
    pub color: bool,
}

impl Inspect {
    /// Everything, without colours.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows so many lists and objects within each other.
    #[must_use]
    pub fn depth(mut self, depth: impl Into<Option<u32>>) -> Self {
        self.depth = depth.into();
        self
    }

    /// Shows kinds of values in colours.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// A value as text.
    ///
    /// ```
    /// use ipc_proto::Inspect;
    ///
    /// let deep = serde_json::json!({"name": "a\u{1b}[2J", "list": [1, [2, [3]]]});
    /// assert_eq!(Inspect::new().depth(2).value(&deep), r#"{ list: [ 1, [ 2, [Array] ] ], name: "a\u{1b}[2J" }"#);
    /// ```
    #[must_use]
    pub fn value<T: Serialize + ?Sized>(&self, value: &T) -> String {
        match serde_json::to_value(value) {
            Ok(value) => self.show(&value),
            Err(error) => format!("[no JSON: {error}]"),
        }
    }

    /// JSON text as text for a person.
    #[must_use]
    pub fn json(&self, text: &str) -> String {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => self.show(&value),
            Err(_) => format!("[{} bytes of JSON that is too deep]", text.len()),
        }
    }

    fn show(&self, value: &Value) -> String {
        let mut shown = String::new();
        // Writing to a text cannot fail.
        let _never = self.write(&mut shown, value, 0);
        shown
    }

    fn write(&self, out: &mut String, value: &Value, level: u32) -> fmt::Result {
        const BOLD: u8 = 1;
        const GREEN: u8 = 32;
        const YELLOW: u8 = 33;
        const CYAN: u8 = 36;
        let too_deep = self.depth.is_some_and(|depth| level > depth);
        match value {
            Value::Null => self.paint(out, BOLD, |out| out.write_str("null")),
            Value::Bool(value) => self.paint(out, YELLOW, |out| write!(out, "{value}")),
            Value::Number(value) => self.paint(out, YELLOW, |out| write!(out, "{value}")),
            Value::String(text) => self.paint(out, GREEN, |out| quoted(out, text)),
            Value::Array(items) if too_deep && !items.is_empty() => {
                self.paint(out, CYAN, |out| out.write_str("[Array]"))
            }
            Value::Object(members) if too_deep && !members.is_empty() => {
                self.paint(out, CYAN, |out| out.write_str("[Object]"))
            }
            Value::Array(items) => {
                let write = |out: &mut String, item: &Value| self.write(out, item, level + 1);
                members(out, ["[", "]"], items.len(), items.iter(), write)
            }
            Value::Object(parts) => {
                let write = |out: &mut String, (name, value): (&String, &Value)| {
                    if is_plain(name) {
                        out.write_str(name)?;
                    } else {
                        quoted(out, name)?;
                    }
                    out.write_str(": ")?;
                    self.write(out, value, level + 1)
                };
                members(out, ["{", "}"], parts.len(), parts.iter(), write)
            }
        }
    }

    fn paint(&self, out: &mut String, style: u8, write: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
        if !self.color {
            return write(out);
        }
        write!(out, "\u{1b}[{style}m")?;
        write(out)?;
        out.write_str("\u{1b}[0m")
    }
}

fn members<T>(
    out: &mut String,
    [open, close]: [&str; 2],
    count: usize,
    members: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> fmt::Result,
) -> fmt::Result {
    out.write_str(open)?;
    for (number, member) in members.take(MEMBERS).enumerate() {
        out.write_str(if number == 0 { " " } else { ", " })?;
        write(out, member)?;
    }
    if count > MEMBERS {
        write!(out, ", and {} more", count - MEMBERS)?;
    }
    out.write_str(if count == 0 { close } else { " " })?;
    if count > 0 { out.write_str(close) } else { Ok(()) }
}

/// A text in quotes, cut if it is long, with everything escaped that is not a plain letter.
fn quoted(out: &mut String, text: &str) -> fmt::Result {
    match text.char_indices().nth(CHARACTERS) {
        None => write!(out, "{}", Quoted(text)),
        Some((end, _)) => write!(out, "{} and {} bytes more", Quoted(&text[..end]), text.len() - end),
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '\'' => f.write_char('\'')?,
                // What turns text around is escaped as well: it cannot be printed.
                _ => write!(f, "{}", character.escape_debug())?,
            }
        }
        f.write_char('"')
    }
}

/// Whether the name of a member needs no quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_shown_on_one_line() {
        let shown = |value: Value| Inspect::new().value(&value);
        assert_eq!(shown(json!(null)), "null");
        assert_eq!(shown(json!({"a": 1.5, "b c": [true, "it's"], "d": {}, "e": []})), {
            r#"{ a: 1.5, "b c": [ true, "it's" ], d: {}, e: [] }"#
        });
        assert_eq!(shown(json!({"": 1, "a-b": 2, "a_b": 3})), r#"{ "": 1, "a-b": 2, a_b: 3 }"#);
        assert_eq!(shown(json!({"a".repeat(100): 1})), format!("{{ {}: 1 }}", "a".repeat(100)));
        assert_eq!(shown(json!({"a".repeat(101): 1})), format!("{{ {:?}: 1 }}", "a".repeat(101)));
        for turns in "\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars()
        {
            assert_eq!(shown(json!(turns)), format!("\"{}\"", turns.escape_unicode()));
        }
        assert_eq!(shown(json!("\r\n\u{7f}\u{202e}é日本\"")), r#""\r\n\u{7f}\u{202e}é日本\"""#);
    }

    #[test]
    fn what_is_deeper_or_longer_than_allowed_is_cut() {
        let inspect = Inspect::new().depth(0);
        assert_eq!(inspect.value(&json!({"a": {"b": 1}, "c": [], "d": [1]})), "{ a: [Object], c: [], d: [Array] }");
        let long = Inspect::new().value(&json!(vec![0; 150]));
        assert!(long.ends_with(", 0, and 50 more ]") && long.len() < 400, "{long}");
        let just = Inspect::new().value(&json!(vec![0; 100]));
        assert!(just.ends_with(", 0 ]"), "{just}");
        let nested = json!([[[[1]]]]);
        assert_eq!(Inspect::new().depth(2).value(&nested), "[ [ [ [Array] ] ] ]");
        assert_eq!(Inspect::new().depth(3).value(&nested), "[ [ [ [ 1 ] ] ] ]");
        let text = Inspect::new().value(&"é".repeat(10_001));
        assert!(text.ends_with("é\" and 2 bytes more"));
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert_eq!(Inspect::new().json(&deep), "[2000 bytes of JSON that is too deep]");
    }

    #[test]
    fn colours_are_of_the_kind_and_never_of_the_value() {
        let shown = Inspect::new().color(true).value(&json!(["\u{1b}[31m", 5]));
        assert_eq!(shown, "[ \u{1b}[32m\"\\u{1b}[31m\"\u{1b}[0m, \u{1b}[33m5\u{1b}[0m ]");
    }
}
