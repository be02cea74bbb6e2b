//! Text for the log in which a peer or a handler may have had a say: on one line, and nothing that drives a terminal.

use std::fmt::{self, Display, Write};

/// Shows `T` with control characters, line separators and what turns text around as escapes (`\n`, `\u{1b}`).
pub(crate) struct Printable<T>(pub(crate) T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_raw) {
            let raw = piece.chars().next_back().filter(|last| is_raw(*last));
            self.0.write_str(&piece[..piece.len() - raw.map_or(0, char::len_utf8)])?;
            if let Some(raw) = raw {
                Display::fmt(&raw.escape_debug(), self.0)?;
            }
        }
        Ok(())
    }
}

fn is_raw(character: char) -> bool {
    let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_line_or_a_command_of_its_own_is_escaped_and_nothing_else() {
        let shown = |text: &str| Printable(text).to_string();
        assert_eq!(shown("cannot do \"é\\\" 日本"), "cannot do \"é\\\" 日本");
        assert_eq!(shown("a\r\nb\u{1b}[31m\0"), "a\\r\\nb\\u{1b}[31m\\0");
        assert_eq!(shown("\u{7f}\u{9b}\u{2028}\u{202e}"), "\\u{7f}\\u{9b}\\u{2028}\\u{202e}");
    }
}
