//! The scenarios, chapter by chapter. Each is a name, a line that says what must be so, the transports on which it means something,
//! and a function that drives the peers and judges.

mod bytes;
mod clients;
mod datagrams;
mod framing;
mod identity;
mod leaving;
mod lifecycle;
mod malformed;
mod order;
mod raw;
mod retry;
mod serving;
mod sizes;
mod sync;
mod text;
mod tls;
mod values;
mod wire;

use super::scenario::Scenario;

/// The chapters, in the order of reports.
const CHAPTERS: &[(&str, &[Scenario])] = &[
    ("connections", lifecycle::ALL),
    ("values", values::ALL),
    ("text", text::ALL),
    ("sizes", sizes::ALL),
    ("order", order::ALL),
    ("clients", clients::ALL),
    ("identity", identity::ALL),
    ("leaving", leaving::ALL),
    ("retry", retry::ALL),
    ("serving", serving::ALL),
    ("sync", sync::ALL),
    ("framing", framing::ALL),
    ("bytes", bytes::ALL),
    ("malformed", malformed::ALL),
    ("raw", raw::ALL),
    ("tls", tls::ALL),
    ("datagrams", datagrams::ALL),
];

/// All scenarios.
pub fn all() -> Vec<Scenario> {
    CHAPTERS.iter().flat_map(|(group, scenarios)| scenarios.iter().map(|scenario| scenario.within(group))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_in_kebab_case() {
        let mut seen = HashSet::new();
        for scenario in super::all() {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(scenario.name.chars().all(good), "{}", scenario.name);
            assert!(seen.insert(scenario.name), "{} is there twice", scenario.name);
            assert!(
                !scenario.transports.is_empty() && !scenario.about.is_empty() && !scenario.group.is_empty(),
                "{}",
                scenario.name
            );
        }
    }
}
