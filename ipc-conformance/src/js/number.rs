//! Numbers as text, both ways, the way JavaScript writes and reads them. No JSON grammar here.

use super::JsString;

/// `String(number)`: the shortest digits that read back as the same double, laid out as JavaScript does (`1e+21`, `1e-7`,
/// `0` for minus zero).
pub fn number_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let (digits, exponent) = shortest(number.abs());
    let sign = if number < 0.0 { "-" } else { "" };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The decimal point stands after this many digits.
    let point = exponent + 1;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match point {
        22.. | ..=-6 => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let plus = if exponent < 0 { "-" } else { "+" };
            format!("{sign}{first}{dot}{rest}e{plus}{}", exponent.abs())
        }
        _ if point <= 0 => format!("{sign}0.{}{digits}", zeros(-point)),
        _ if point >= count => format!("{sign}{digits}{}", zeros(point - count)),
        _ => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
            format!("{sign}{whole}.{fraction}")
        }
    }
}

/// The shortest digits that read back as the same double, and the exponent of the first. Rust finds them; only where two
/// candidates are equally near does JavaScript choose differently: the even one.
fn shortest(number: f64) -> (String, i32) {
    let (digits, exponent) = scientific(&format!("{number:e}"));
    let longer = format!("{number:.*e}", digits.len());
    if !scientific(&longer).0.ends_with('5') {
        return (digits, exponent);
    }
    /// No double has more significant digits than this.
    const ALL: usize = 800;
    let (exact, _) = scientific(&format!("{number:.ALL$e}"));
    let (kept, rest) = exact.split_at(digits.len());
    if rest.trim_end_matches('0') != "5" {
        return (digits, exponent);
    }
    let Ok(below) = kept.parse::<u64>() else {
        return (digits, exponent);
    };
    let even = (below + below % 2).to_string();
    let place = exponent - i32::try_from(even.len()).unwrap_or(0) + 1;
    if even.len() == digits.len() && format!("{even}e{place}").parse() == Ok(number) {
        (even, exponent)
    } else {
        (digits, exponent)
    }
}

/// Digits and exponent of a text like `1.5e-7`.
fn scientific(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa.chars().filter(|c| *c != '.').collect(), exponent.parse().unwrap_or(0))
}

/// `Number(text)`: surrounding white space, `0x`/`0o`/`0b`, `Infinity` and the empty text as in JavaScript; NaN otherwise.
pub(super) fn text_number(text: &JsString) -> f64 {
    let text = text.to_text();
    let text = text.trim_matches(is_space);
    if text.is_empty() {
        return 0.0;
    }
    if let Some((radix, digits)) = radix_literal(text) {
        return radix_number(digits, radix);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "Infinity" {
        return if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // Rust also reads "inf" and "nan"; JavaScript wants digits.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return f64::NAN;
    }
    text.parse().unwrap_or(f64::NAN)
}

fn is_space(c: char) -> bool {
    // White space and line ends of ECMAScript; Rust's set has U+0085 in addition and lacks U+FEFF.
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

fn radix_literal(text: &str) -> Option<(u32, &str)> {
    let digits = text.strip_prefix('0')?;
    let mut rest = digits.chars();
    let radix = match rest.next()? {
        'x' | 'X' => 16,
        'o' | 'O' => 8,
        'b' | 'B' => 2,
        _ => return None,
    };
    Some((radix, rest.as_str()))
}

fn radix_number(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() {
        return f64::NAN;
    }
    // Correct rounding beyond 2^53 needs the bits below the last kept one as a sticky bit.
    let bits = radix.trailing_zeros();
    let (mut kept, mut dropped, mut sticky): (u64, i32, bool) = (0, 0, false);
    for c in digits.chars() {
        let Some(digit) = c.to_digit(radix) else {
            return f64::NAN;
        };
        for bit in (0..bits).rev() {
            let bit = u64::from(digit >> bit & 1);
            if kept < 1 << 62 {
                kept = kept << 1 | bit;
            } else {
                dropped = dropped.saturating_add(1);
                sticky |= bit == 1;
            }
        }
    }
    let value = (kept << 1 | u64::from(sticky)) as f64;
    value * 2f64.powi(dropped.saturating_sub(1))
}
