//! Patterns over event names: `*` for any characters, `?` for one; everything else is itself.

use crate::output::Output;

/// A pattern. A name without `*` and `?` is a pattern that matches only itself.
#[derive(Clone, Debug)]
pub(crate) struct Glob(Vec<char>);

impl std::str::FromStr for Glob {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.chars().collect()))
    }
}

impl Glob {
    /// The pattern, if it has what is special elsewhere.
    fn looks_like_another_kind(&self) -> Option<String> {
        self.0.iter().any(|letter| "[]{}()|^$\\+".contains(*letter)).then(|| self.0.iter().collect())
    }

    /// Whether the whole of `name` is as the pattern says. Takes time linear in name times pattern.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut in_pattern) = (0, 0);
        // Where the last star stands, and up to where it has eaten the name.
        let mut star: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.0.get(in_pattern) {
                Some('*') => {
                    star = Some((in_pattern, at));
                    in_pattern += 1;
                }
                Some(&expected) if expected == '?' || expected == name[at] => {
                    at += 1;
                    in_pattern += 1;
                }
                _ => match &mut star {
                    Some((stood, eaten)) => {
                        *eaten += 1;
                        (at, in_pattern) = (*eaten, *stood + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0[in_pattern..].iter().all(|&rest| rest == '*')
    }
}

/// Warns of patterns that are probably meant in the manner of a shell or of regular expressions, which have more that is special.
pub(crate) fn warn_of_other_patterns(output: &Output, filters: &[Glob]) {
    for pattern in filters.iter().filter_map(Glob::looks_like_another_kind) {
        output.warn(format_args!("--filter {pattern}: only * and ? are special, everything else stands for itself"));
    }
}

/// Whether a name is asked for: by one of the patterns, or because there are none.
pub(crate) fn wanted(filters: &[Glob], name: &str) -> bool {
    filters.is_empty() || filters.iter().any(|filter| filter.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let Ok(glob) = pattern.parse::<Glob>();
        glob.matches(name)
    }

    #[test]
    fn stars_and_question_marks_match_and_nothing_else_is_special() {
        for (pattern, name) in [
            ("message", "message"),
            ("", ""),
            ("*", ""),
            ("*", "anything at all"),
            ("app.*", "app.message"),
            ("*.done", "job.42.done"),
            ("a*b*c", "a-b-b-c"),
            ("?é?", "1é2"),
            ("[a]", "[a]"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("message", "messages"), ("", "x"), ("a?", "a"), ("a*b", "a-c"), ("[a]", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_special_elsewhere_is_found() {
        let found = |pattern: &str| pattern.parse().ok().and_then(|glob: Glob| glob.looks_like_another_kind());
        for pattern in ["[ab]", "{a,b}", "(a|b)", "^a", "a$", r"\w", "a+"] {
            assert_eq!(found(pattern).as_deref(), Some(pattern));
        }
        for pattern in ["", "*", "job.*", "a-b_c?", "ü:/1"] {
            assert_eq!(found(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_exponential_time() {
        assert!(!matches(&"a*".repeat(1000), &"a".repeat(999)));
    }

    #[test]
    fn without_a_filter_every_name_is_wanted() {
        assert!(wanted(&[], "x"));
        let Ok(filter) = "y*".parse();
        assert!(!wanted(&[filter], "x"));
    }
}
