//! Text of peers made safe for terminals and for one line: nothing in it can drive a terminal, begin a line or turn text around.
//!
//! What is JSON stays the same JSON: only escapes are added inside its strings, and white space between its tokens goes.

use std::fmt::Write;

/// Whether a character is shown as an escape. Those are the controls (C0, DEL, and C1, which some terminals obey in UTF-8),
/// line separators, and what changes the direction of text.
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The same text with active characters as `\u{…}`.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_active(character) {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same JSON on one line: without white space between tokens, and with active characters inside strings as `\uXXXX`.
///
/// Numbers, duplicate keys, escapes and depth stay as they are: nothing is parsed. `json` must be valid JSON.
pub(crate) fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if !in_string {
            in_string = character == '"';
            if !character.is_ascii_whitespace() {
                line.push(character);
            }
            continue;
        }
        match character {
            '"' if !escaped => in_string = false,
            '\\' if !escaped => {
                escaped = true;
                line.push(character);
                continue;
            }
            _ => {}
        }
        escaped = false;
        if is_active(character) {
            // All of them are in the basic plane.
            let _never_fails = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line
}

/// A text as a JSON string on one line.
pub(crate) fn quoted(text: &str) -> String {
    one_line(&serde_json::Value::from(text).to_string())
}

/// The name of an event for people: bare if it is plain, else quoted, so that it cannot pass for more than a name.
/// `name_json` is a JSON string.
pub(crate) fn name_for_people(name_json: &str) -> String {
    let line = one_line(name_json);
    let bare = line.trim_matches('"');
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/' | b'$' | b'*');
    if !bare.is_empty() && bare.bytes().all(plain) { bare.to_owned() } else { line }
}

/// At most `limit` characters of a text, and how much was cut.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}… ({} bytes in all)", &text[..cut], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_json_on_one_line_without_active_characters() {
        let hostile =
            "{ \"a\\\"\u{9b}31m\" :\n [1.0e5, \"\u{202e}x \u{7f}\\u001b[2J\\\\\", \"tab\\t\"] , \"é日😀\": null }";
        let line = one_line(hostile);
        assert_eq!(line, "{\"a\\\"\\u009b31m\":[1.0e5,\"\\u202ex \\u007f\\u001b[2J\\\\\",\"tab\\t\"],\"é日😀\":null}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(hostile), value(&line));
    }

    #[test]
    fn a_payload_as_deep_as_a_frame_is_long_is_no_problem() {
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(one_line(&deep), deep);
    }

    #[test]
    fn text_cannot_drive_a_terminal() {
        assert_eq!(printable("a\u{1b}[31m\r\nb\u{9b}\u{202e}é"), "a\\u{1b}[31m\\r\\nb\\u{9b}\\u{202e}é");
        assert_eq!(quoted("a\u{1b}\"\u{85}"), "\"a\\u001b\\\"\\u0085\"");
    }

    #[test]
    fn a_name_with_anything_unusual_is_quoted() {
        assert_eq!(name_for_people("\"app.message\""), "app.message");
        assert_eq!(name_for_people("\"two words\""), "\"two words\"");
        assert_eq!(name_for_people("\"\""), "\"\"");
        assert_eq!(name_for_people("\"\\ud800\""), "\"\\ud800\"");
    }

    #[test]
    fn what_is_cut_says_how_long_it_was() {
        assert_eq!(shortened("éé", 2), "éé");
        assert_eq!(shortened("ééé", 2), "éé… (6 bytes in all)");
    }
}
