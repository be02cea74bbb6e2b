//! A strict scanner for JSON text (RFC 8259): it finds where values end and what is wrong, and keeps nothing.
//!
//! It never recurses. Depth is bounded by the size of the text alone: each open container costs one bit.
//! Strings may have lone surrogate escapes, which JSON allows and JavaScript produces.

use std::ops::Range;

use super::containers::{Container, Containers};
use super::swar::{digits_end, plain_end};

/// What is wrong with a text that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Where, in bytes from the start of the text.
    pub(crate) offset: usize,
    /// What should have been there.
    pub(crate) expected: &'static str,
}

/// Walks over a text from token to token.
///
/// It is `Copy`, and what is not inlined takes it by value, so that in the loops the position stays in a register.
#[derive(Clone, Copy)]
pub(crate) struct Scanner<'a> {
    /// UTF-8, taken as bytes because JSON's syntax is ASCII.
    text: &'a [u8],
    at: usize,
}

/// Checks that `text` is one JSON value with nothing but white space around it.
pub(crate) fn validate(text: &str) -> Result<(), Invalid> {
    let mut scanner = Scanner::new(text);
    scanner.value()?;
    scanner.end()
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0 }
    }

    /// How many bytes have been passed.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Passes `token` if it is next, without white space in between.
    #[inline(always)]
    pub(crate) fn take(&mut self, token: &[u8]) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Passes a string if a valid one is next, without white space in between. Says whether it has escapes.
    #[inline(always)]
    pub(crate) fn take_string(&mut self) -> Option<bool> {
        if self.peek() == b'"' { self.string().ok() } else { None }
    }

    /// Passes white space and looks at the byte after it; at the end of the text that is NUL, which no token starts with.
    #[inline(always)]
    pub(crate) fn token(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.peek()
    }

    /// Passes white space, which must reach to the end of the text.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<(), Invalid> {
        self.token();
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// Passes white space and `byte`.
    #[inline(always)]
    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Invalid> {
        if self.token() != byte {
            return Err(self.expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Passes white space and an object, and tells `visit` of each member: what is between the key's quotes, whether that has
    /// escapes, and where the value is.
    pub(crate) fn members(&mut self, mut visit: impl FnMut(Range<usize>, bool, Range<usize>)) -> Result<(), Invalid> {
        self.expect(b'{', "an object")?;
        if self.token() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.token() != b'"' {
                return Err(self.expected("a string as key"));
            }
            let key_start = self.at + 1;
            let escaped = self.string()?;
            let key = key_start..self.at - 1;
            self.expect(b':', "a colon")?;
            self.token();
            let value_start = self.at;
            self.value()?;
            visit(key, escaped, value_start..self.at);
            match self.token() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.expected(Container::Object.expected())),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Passes the key of an object's member and the colon after it.
    #[inline(always)]
    fn key(&mut self) -> Result<(), Invalid> {
        if self.token() != b'"' {
            return Err(self.expected("a string as key"));
        }
        self.string()?;
        self.expect(b':', "a colon")
    }

    /// Passes a string, at whose opening quote the scanner stands. Says whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Invalid> {
        self.at = plain_end(self.text, self.at + 1);
        if self.peek() == b'"' {
            self.at += 1;
            return Ok(false);
        }
        self.at = self.end_of_string()?;
        Ok(true)
    }

    /// Where the string ends, from its first byte that does not stand for itself.
    #[inline(never)]
    fn end_of_string(mut self) -> Result<usize, Invalid> {
        loop {
            match self.peek() {
                b'"' => return Ok(self.at + 1),
                b'\\' => self.escape()?,
                _ if self.at == self.text.len() => return Err(self.expected("a closing quote")),
                _ => return Err(self.expected("an escape instead of a control character")),
            }
            self.at = plain_end(self.text, self.at);
        }
    }

    /// Passes an escape, at whose backslash the scanner stands.
    #[inline]
    fn escape(&mut self) -> Result<(), Invalid> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                let digits = self.rest().iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
                self.at += digits;
                if digits < 4 {
                    return Err(self.expected("four hexadecimal digits"));
                }
            }
            _ => return Err(self.expected("one of \"\\/bfnrtu after a backslash")),
        }
        Ok(())
    }

    /// Passes a number without sign.
    #[inline(always)]
    fn number(&mut self) -> Result<(), Invalid> {
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        // Most numbers are integers: what follows is rarely a dot or an exponent.
        if matches!(self.peek(), b'.' | b'e' | b'E') {
            self.at = self.end_of_fraction_and_exponent()?;
        }
        Ok(())
    }

    #[inline(never)]
    fn end_of_fraction_and_exponent(mut self) -> Result<usize, Invalid> {
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.at)
    }

    /// Passes one decimal digit or more.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), Invalid> {
        let start = self.at;
        self.at = digits_end(self.text, start);
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// Passes white space and one value of any kind, with all that is in it.
    #[inline(always)]
    pub(crate) fn value(&mut self) -> Result<(), Invalid> {
        // Most payloads are strings, or objects whose members are.
        if self.peek() == b'"' {
            self.string()?;
            return Ok(());
        }
        self.at = self.end_of_value()?;
        Ok(())
    }

    fn end_of_value(mut self) -> Result<usize, Invalid> {
        let mut open = Containers::default();
        loop {
            match self.token() {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.at += 1;
                    open.push(Container::Object);
                    if self.token() != b'}' {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    open.push(Container::Array);
                    if self.token() != b']' {
                        continue;
                    }
                }
                b'0'..=b'9' => self.number()?,
                b'-' => {
                    self.at += 1;
                    self.number()?;
                }
                _ => self.literal()?,
            }
            // A value is complete: close the containers that end with it, up to the next value.
            loop {
                let Some(container) = open.innermost() else {
                    return Ok(self.at);
                };
                let token = self.token();
                if token == b',' {
                    self.at += 1;
                    if container == Container::Object {
                        self.key()?;
                    }
                    break;
                }
                if token != container.end() {
                    return Err(self.expected(container.expected()));
                }
                self.at += 1;
                open.pop();
            }
        }
    }

    /// Passes `true`, `false` or `null`, the only values not told by their first byte.
    #[inline(always)]
    fn literal(&mut self) -> Result<(), Invalid> {
        if self.take(b"true") || self.take(b"false") || self.take(b"null") {
            return Ok(());
        }
        Err(self.expected("a value"))
    }

    #[inline(always)]
    fn peek(self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn rest(self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[cold]
    fn expected(self, expected: &'static str) -> Invalid {
        Invalid { offset: self.at.min(self.text.len()), expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(text: &str) -> (usize, &'static str) {
        let Invalid { offset, expected } = validate(text).expect_err(text);
        (offset, expected)
    }

    #[test]
    fn values_of_every_kind_are_accepted() {
        for text in [
            "null",
            " true ",
            "false\n",
            "0",
            "-0",
            "-0.0",
            "1.5e+10",
            "1E400",
            "1e-400",
            "123456789012345678901234567890",
            r#""""#,
            r#""a\"\\\/\b\f\n\r\t\u00e9\uD800""#,
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[[],{},[[1]]]",
            r#"{"a":{"b":[1,{"c":null}]},"":0}"#,
            "\t[ 1 ,\r\n2 ] ",
            "\"\u{7f}\u{85}\u{2028}😀\u{ffff}\"",
        ] {
            assert_eq!(validate(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn errors_say_where_and_what_was_expected() {
        for (text, offset, expected) in [
            ("", 0, "a value"),
            ("   ", 3, "a value"),
            ("nul", 0, "a value"),
            ("NaN", 0, "a value"),
            ("\u{feff}1", 0, "a value"),
            ("\u{a0}1", 0, "a value"),
            ("\x0c1", 0, "a value"),
            ("truefalse", 4, "the end"),
            ("01", 1, "the end"),
            ("1\0", 1, "the end"),
            ("-", 1, "a digit"),
            ("+1", 0, "a value"),
            ("1.", 2, "a digit"),
            ("1e+", 3, "a digit"),
            (".5", 0, "a value"),
            ("[1,]", 3, "a value"),
            ("[1 2]", 3, "a comma or ]"),
            ("[1}", 2, "a comma or ]"),
            ("[", 1, "a value"),
            ("]", 0, "a value"),
            (r#"{"a":1,}"#, 7, "a string as key"),
            (r#"{"a" 1}"#, 5, "a colon"),
            (r#"{"a":1]"#, 6, "a comma or }"),
            (r#"{'a':1}"#, 1, "a string as key"),
            (r#"{"a":1/*c*/}"#, 6, "a comma or }"),
            (r#"""#, 1, "a closing quote"),
            (r#""abc"#, 4, "a closing quote"),
            ("\"a\nb\"", 2, "an escape instead of a control character"),
            ("\"a\0\"", 2, "an escape instead of a control character"),
            (r#""\x""#, 2, "one of \"\\/bfnrtu after a backslash"),
            (r#""\"#, 2, "one of \"\\/bfnrtu after a backslash"),
            (r#""\u12""#, 5, "four hexadecimal digits"),
            (r#""\u12g4""#, 5, "four hexadecimal digits"),
        ] {
            assert_eq!(invalid(text), (offset, expected), "{text:?}");
        }
    }

    #[test]
    fn depth_is_bounded_by_the_size_of_the_text_alone() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1000, 100_000] {
            let arrays = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(validate(&arrays), Ok(()), "{depth}");
            let objects = r#"{"k":"#.repeat(depth) + "1" + &"}".repeat(depth);
            assert_eq!(validate(&objects), Ok(()), "{depth}");
            let mixed = r#"[{"k":"#.repeat(depth) + "1" + &"}]".repeat(depth);
            assert_eq!(validate(&mixed), Ok(()), "{depth}");
            assert!(validate(&arrays[..2 * depth - 1]).is_err(), "{depth}");
            assert!(validate(&mixed.replacen('}', "]", 1)).is_err(), "{depth}");
            assert!(validate(&(arrays + "]")).is_err(), "{depth}");
        }
    }
}
