//! `JSON.parse(text)` without a reviver. It does not know the tagged notation.

use super::{Js, JsError, JsObject, JsString};

/// A container whose end has not been read.
enum Open {
    Array(Vec<Js>),
    Object(JsObject, Option<JsString>),
}

/// The value of a JSON text, as `JSON.parse` gives it: doubles (too large ones become infinite), `-0` kept, the last of duplicate
/// keys at the place of the first, lone surrogates kept.
///
/// # Errors
///
/// A `SyntaxError` with the byte offset for anything that is not exactly one JSON value.
pub fn parse(text: &str) -> Result<Js, JsError> {
    Reader { text, bytes: text.as_bytes(), at: 0 }.document()
}

/// The same for bytes, read as Node reads UTF-8: each invalid sequence is replaced by U+FFFD.
///
/// # Errors
///
/// As for [`parse`].
pub fn parse_bytes(bytes: &[u8]) -> Result<Js, JsError> {
    parse(&String::from_utf8_lossy(bytes))
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn document(mut self) -> Result<Js, JsError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.space();
            // A container's first element or key, or any value.
            let mut done = match self.peek() {
                Some(b'[') => {
                    self.at += 1;
                    self.space();
                    if self.eat(b']') {
                        Js::from(Vec::new())
                    } else {
                        open.push(Open::Array(Vec::new()));
                        continue;
                    }
                }
                Some(b'{') => {
                    self.at += 1;
                    self.space();
                    if self.eat(b'}') {
                        Js::Object(JsObject::new())
                    } else {
                        let key = self.key()?;
                        open.push(Open::Object(JsObject::new(), Some(key)));
                        continue;
                    }
                }
                _ => self.leaf()?,
            };
            // A finished value goes into its container, which may be finished by it.
            loop {
                self.space();
                match open.pop() {
                    None if self.at == self.bytes.len() => return Ok(done),
                    None => return Err(self.unexpected()),
                    Some(Open::Array(mut items)) => {
                        items.push(done);
                        if self.eat(b',') {
                            open.push(Open::Array(items));
                            break;
                        }
                        self.expect(b']')?;
                        done = items.into();
                    }
                    Some(Open::Object(mut object, key)) => {
                        if let Some(key) = key {
                            object.set(key, done);
                        }
                        if self.eat(b',') {
                            self.space();
                            let key = self.key()?;
                            open.push(Open::Object(object, Some(key)));
                            break;
                        }
                        self.expect(b'}')?;
                        done = Js::Object(object);
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsError> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> JsError {
        let message = if self.at >= self.bytes.len() {
            "Unexpected end of JSON input".to_owned()
        } else {
            format!("Unexpected token in JSON at position {}", self.at)
        };
        JsError::new("SyntaxError", message)
    }

    fn key(&mut self) -> Result<JsString, JsError> {
        let key = self.string()?;
        self.space();
        self.expect(b':')?;
        Ok(key)
    }

    fn leaf(&mut self) -> Result<Js, JsError> {
        match self.peek() {
            Some(b'"') => Ok(Js::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let rest = &self.bytes[self.at..];
                for (word, value) in [("null", Js::Null), ("true", Js::Bool(true)), ("false", Js::Bool(false))] {
                    if rest.starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.unexpected())
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Js, JsError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        // Rust reads the same grammar to the nearest double, too large ones to infinity.
        self.text[start..self.at].parse().map(Js::Number).map_err(|_| self.unexpected())
    }

    fn string(&mut self) -> Result<JsString, JsError> {
        self.expect(b'"')?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            units.extend(self.text[start..self.at].encode_utf16());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(JsString::from_units(units));
                }
                Some(b'\\') => {
                    self.at += 1;
                    units.push(self.escape()?);
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self) -> Result<u16, JsError> {
        let unit = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => u16::from(byte),
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => 10,
            Some(b'r') => 13,
            Some(b't') => 9,
            Some(b'u') => {
                let mut unit: u16 = 0;
                for _ in 0..4 {
                    self.at += 1;
                    let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
                    let Some(digit) = digit else {
                        return Err(self.unexpected());
                    };
                    unit = unit << 4 | digit as u16;
                }
                unit
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(unit)
    }
}
