//! JSON text made of choices: values of every kind in every spelling, and sometimes text that is none.

use std::fmt::Write;

use crate::input::{DELIMITERS, Input};

/// A text that is JSON, unless the input says otherwise; then it may be anything.
pub(crate) fn any(input: &mut Input<'_>) -> String {
    match input.byte() {
        255 => input.text(),
        254 => {
            // Nested deeper than anything recursive would stand.
            let levels = usize::from(input.byte()) * 8;
            let (open, close) = if input.flag() { ("[", "]") } else { ("{\"k\":", "}") };
            [&open.repeat(levels), "null", &close.repeat(levels)].concat()
        }
        _ => value(input),
    }
}

/// A text that is JSON.
pub(crate) fn value(input: &mut Input<'_>) -> String {
    let mut text = String::new();
    let spaced = input.below(4) == 3;
    push_value(input, spaced, 6, &mut text);
    text
}

fn push_value(input: &mut Input<'_>, spaced: bool, levels: usize, text: &mut String) {
    push_space(input, spaced, text);
    match input.below(if levels == 0 { 6 } else { 10 }) {
        0 => text.push_str(input.choose(&["null", "true", "false", "{}", "[]"])),
        1 => text.push_str(input.choose(&NUMBERS)),
        2 => {
            let number = i64::from(i32::from_le_bytes([input.byte(), input.byte(), input.byte(), input.byte()]));
            let _ = write!(text, "{number}");
        }
        3..=5 => push_string(input, text),
        6 | 7 => {
            text.push('[');
            let count = input.below(5);
            for index in 0..count {
                text.push_str(if index == 0 { "" } else { "," });
                push_value(input, spaced, levels - 1, text);
            }
            text.push(']');
        }
        _ => {
            text.push('{');
            let count = input.below(5);
            for index in 0..count {
                text.push_str(if index == 0 { "" } else { "," });
                push_space(input, spaced, text);
                push_string(input, text);
                push_space(input, spaced, text);
                text.push(':');
                push_value(input, spaced, levels - 1, text);
            }
            text.push('}');
        }
    }
    push_space(input, spaced, text);
}

const NUMBERS: [&str; 12] = [
    "0",
    "-0",
    "-0.0",
    "1.5e+10",
    "1E400",
    "1e-400",
    "123456789012345678901234567890",
    "9007199254740993",
    "0.1",
    "-1",
    "18446744073709551616",
    "5e-324",
];

fn push_space(input: &mut Input<'_>, spaced: bool, text: &mut String) {
    if spaced {
        text.push_str(input.choose(&["", " ", "\n", "\r\n", "\t", "  \t\r\n"]));
    }
}

/// A string with its quotes, of runs of characters and escapes.
fn push_string(input: &mut Input<'_>, text: &mut String) {
    text.push('"');
    let count = input.below(6);
    for _ in 0..count {
        match input.below(8) {
            0 => text.push_str(input.choose(&["id", "type", "data", "a", "message"])),
            // As much of a delimiter as a string may have as it is.
            1 | 2 => {
                let delimiter = input.choose(&DELIMITERS);
                text.extend(delimiter.chars().filter(|char| !matches!(char, '"' | '\\' | '\0'..='\x1f')));
            }
            3 => text.push_str(input.choose(&ESCAPES)),
            4 => {
                let unit = input.word();
                let _ = write!(text, "\\u{unit:04x}");
            }
            5 => text.push_str(input.choose(&["é", "€", "😀", "\u{7f}", "\u{2028}", "\u{FFFD}", "}", "]", ",", "'"])),
            6 => {
                let any = input.text();
                text.extend(any.chars().filter(|char| !matches!(char, '"' | '\\' | '\0'..='\x1f')));
            }
            _ => {
                let count = input.size();
                text.extend(std::iter::repeat_n('a', count));
            }
        }
    }
    text.push('"');
}

const ESCAPES: [&str; 14] = [
    "\\\"",
    "\\\\",
    "\\/",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\u000c",
    "\\u0078",
];
