//! One line of JSON, written field by field in the order of the calls.
//!
//! Payloads go in as the text that they are: nothing is parsed, so that nothing is too deep, rounded or put in another order.

use crate::escape::{one_line, quoted};
use std::fmt::Display;

/// An object under construction.
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
    }

    /// A string.
    #[must_use]
    pub(crate) fn text(mut self, key: &str, text: &str) -> Self {
        self.key(key);
        self.0.push_str(&quoted(text));
        self
    }

    /// A number, `true` or `false`.
    #[must_use]
    pub(crate) fn plain(mut self, key: &str, value: impl Display) -> Self {
        self.key(key);
        self.0.push_str(&value.to_string());
        self
    }

    /// JSON text.
    #[must_use]
    pub(crate) fn json(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.0.push_str(&one_line(json));
        self
    }

    /// A string, if there is one.
    #[must_use]
    pub(crate) fn optional_text(self, key: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// A number, if there is one.
    #[must_use]
    pub(crate) fn optional(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.plain(key, value),
            None => self,
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_with_its_fields_in_order() {
        let line = Line::new()
            .text("text", "a\"\u{1b}\n")
            .plain("n", 5)
            .json("data", "[ 1.50,\n {\"x\":\"\u{9b}\"} ]")
            .optional_text("absent", None)
            .optional("present", Some(true))
            .finish();
        let expected = r#"{"text":"a\"\u001b\n","n":5,"data":[1.50,{"x":"\u009b"}],"present":true}"#;
        assert_eq!(line, expected);
    }
}
