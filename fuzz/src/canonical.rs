//! JSON text in a form that two texts share exactly when they mean the same to a careful reader: no white space, every string as
//! UTF-16 units, numbers as they are written, members in their order.

/// The tokens of a JSON text that is known to be valid.
pub(crate) fn canonical(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                let mut units = Vec::new();
                let mut buffer = [0; 2];
                loop {
                    match chars.next().expect("a closing quote") {
                        '"' => break,
                        '\\' => units.push(match chars.next().expect("an escape") {
                            'b' => 8,
                            'f' => 12,
                            'n' => 10,
                            'r' => 13,
                            't' => 9,
                            'u' => {
                                let digits: String = chars.by_ref().take(4).collect();
                                u16::from_str_radix(&digits, 16).expect("four digits")
                            }
                            itself => u16::try_from(u32::from(itself)).expect("an escape of one character"),
                        }),
                        char => units.extend_from_slice(char.encode_utf16(&mut buffer)),
                    }
                }
                tokens.push(Token::String(units));
            }
            '{' | '}' | '[' | ']' | ':' | ',' => tokens.push(Token::Mark(char)),
            _ => {
                let mut word = String::from(char);
                while let Some(char) = chars.next_if(|char| char.is_ascii_alphanumeric() || "+-.".contains(*char)) {
                    word.push(char);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Mark(char),
    String(Vec<u16>),
    /// A number, `true`, `false` or `null`.
    Word(String),
}

/// How deep the containers of a valid JSON text are nested.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for token in canonical(text) {
        match token {
            Token::Mark('{' | '[') => depth += 1,
            Token::Mark('}' | ']') => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Whether a string of a valid JSON text has a surrogate without its other half.
pub(crate) fn has_lone_surrogate(text: &str) -> bool {
    canonical(text).iter().any(|token| matches!(token, Token::String(units) if String::from_utf16(units).is_err()))
}

/// Whether a number of a valid JSON text is beyond every double.
pub(crate) fn has_huge_number(text: &str) -> bool {
    canonical(text).iter().any(|token| match token {
        Token::Word(word) => word.parse::<f64>().is_ok_and(f64::is_infinite),
        _ => false,
    })
}
