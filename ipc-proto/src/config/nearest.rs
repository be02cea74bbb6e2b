//! Which known name a misspelt one was probably meant to be.
//!
//! Letter case, `_` and `-` do not count, so that `max_connections` finds `maxConnections`.

/// The name nearest to `typed`, if one is near: up to a third of its letters wrong.
pub(super) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // No option's name is longer than this: a huge key must not cost quadratic time.
    const LONGEST: usize = 40;
    let typed = letters(typed);
    if typed.len() > LONGEST {
        return None;
    }
    names
        .map(|name| (distance(&typed, &letters(name)), name))
        .filter(|&(wrong, name)| wrong <= name.len().div_ceil(3))
        .min_by_key(|&(wrong, _)| wrong)
        .map(|(_, name)| name)
}

fn letters(name: &str) -> Vec<char> {
    let counted = |letter: &char| !matches!(letter, '_' | '-' | ' ');
    name.chars().filter(counted).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["retry", "maxRetries", "maxConnections", "id"];

    fn found(typed: &str) -> Option<&'static str> {
        nearest(typed, NAMES.into_iter())
    }

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(found("rerty"), Some("retry"));
        assert_eq!(found("max_connections"), Some("maxConnections"));
        assert_eq!(found("maxConections"), Some("maxConnections"));
        assert_eq!(found("maxretry"), Some("maxRetries"));
        assert_eq!(found("ID"), Some("id"));
    }

    #[test]
    fn says_nothing_when_nothing_is_near() {
        assert_eq!(found("colour"), None);
        assert_eq!(found(""), None);
        assert_eq!(found(&"r".repeat(100_000)), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_mistake() {
        assert_eq!(distance(&letters("ab"), &letters("ba")), 1);
        assert_eq!(distance(&letters("kitten"), &letters("sitting")), 3);
    }
}
