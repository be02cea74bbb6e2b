//! Payloads as the command line gives them: JSON, `@file`, `-` for stdin, or plain text with `--text`.

use crate::exit::{Failure, Outcome};
use ipc_tokio::{EncodeError, Message};
use std::io::Read;

/// The most that is read of a file or of stdin as one payload; the largest message has 2³¹ − 1 bytes.
const LARGEST: u64 = 1 << 31;

/// Reads a payload as JSON text. `None` is no payload.
pub(crate) fn read(given: Option<&str>, text: bool) -> Outcome<Option<String>> {
    read_as(given, text, "the data", true)
}

/// The same where there is no `--text`.
pub(crate) fn read_json(given: &str, what: &str) -> Outcome<Option<String>> {
    read_as(Some(given), false, what, false)
}

fn read_as(given: Option<&str>, text: bool, what: &str, offers_text: bool) -> Outcome<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let (at, content) = match given {
        "-" => ("stdin".to_owned(), all_of("stdin", std::io::stdin().lock())?),
        _ if given.starts_with('@') => {
            let path = &given[1..];
            let file = std::fs::File::open(path).map_err(|error| {
                Failure::usage(format!("cannot read the file {path}: {error}")).help(
                    "@file is replaced by what the file holds; a text that begins with @ goes in quotes: '\"@me\"'",
                )
            })?;
            (format!("the file {path}"), all_of(path, file)?)
        }
        _ => (what.to_owned(), given.to_owned()),
    };
    if text {
        return Ok(Some(serde_json::Value::from(content).to_string()));
    }
    let content = content.trim().to_owned();
    match Message::from_json("x", Some(&content)) {
        Ok(_) => Ok(Some(content)),
        Err(error) => {
            let error = match error {
                EncodeError::InvalidJson { offset, expected } => format!("expected {expected} at byte {offset}"),
                other => other.to_string(),
            };
            let quoted = serde_json::Value::from(crate::escape::shortened(&content, 60)).to_string();
            let or = if offers_text { ", or use --text" } else { "" };
            Err(Failure::usage(format!("{at} is no JSON: {error}"))
                .help(format!("to send it as a text, put it in quotes, as '{quoted}'{or}")))
        }
    }
}

fn all_of(at: &str, reader: impl Read) -> Outcome<String> {
    let mut content = String::new();
    let read = reader.take(LARGEST).read_to_string(&mut content);
    read.map_err(|error| Failure::usage(format!("cannot read {at}: {error}")))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_kept_and_text_is_quoted() {
        assert_eq!(read(None, false).expect("nothing"), None);
        assert_eq!(read(Some(" {\"a\": 1.0} "), false).expect("JSON").as_deref(), Some("{\"a\": 1.0}"));
        assert_eq!(read(Some("a \"b\""), true).expect("text").as_deref(), Some("\"a \\\"b\\\"\""));
    }

    #[test]
    fn a_text_without_quotes_is_told_how_to_be_one() {
        let error = read(Some("hello"), false).expect_err("no JSON").show();
        assert!(error.contains("'\"hello\"'") && error.contains("--text"), "{error}");
        let error = read(Some("@/nowhere"), false).expect_err("no file").show();
        assert!(error.contains("/nowhere"), "{error}");
    }
}
