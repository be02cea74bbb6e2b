//! Whether two answers are the same, as far as a fair observer can tell.
//!
//! Lists are compared in order, except that what happened to different connections of a server at the same time has none.
//! Times are not compared, except that what came clearly before a step of the script must not come after it, and that
//! the intervals between attempts must be alike. How often an attempt fails before a connection is the time that a server took to
//! start; a retry cycle more or less is also forgiven where the observation was cut off. Before the end of a client
//! nothing is: how often it tries is exact.

use crate::answer::{Answer, Item, same_state};
use std::collections::{BTreeMap, BTreeSet};

/// What comes at least so much before a step of the script comes clearly before it, in milliseconds.
const CLEARLY: f64 = 40.0;
/// What happened within so many milliseconds happened at the same time.
const TOGETHER: f64 = 50.0;
/// How much an interval may differ: this share of it, or this many milliseconds.
const SHARE: f64 = 0.25;
const NOISE: f64 = 60.0;
/// The longest cycle of retries, in events.
const LONGEST_CYCLE: usize = 4;

/// How often the number of cycles may differ in one list.
const DETOURS: u32 = 6;

/// How two answers are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    /// The script retries so quickly that the number of cycles is chance.
    pub(crate) quick: bool,
    /// What happens to different connections at the same time has the recorded order too.
    pub(crate) strict: bool,
}

/// Where two answers part, by list.
pub(crate) type Differences = BTreeMap<String, String>;

impl Comparison {
    /// Where `given` parts from `expected`; empty if it does not.
    pub(crate) fn of(self, expected: &Answer, given: &Answer) -> Differences {
        let mut differences = Differences::new();
        let names: BTreeSet<&String> = expected.lists.keys().chain(given.lists.keys()).collect();
        for name in names {
            if self.may_be_missing(expected, given, name) {
                continue;
            }
            let given_items = given.lists.get(name).map_or(&[][..], Vec::as_slice);
            let expected_items = Seen::of(expected, name).items;
            let in_order =
                if self.strict { given_items.to_vec() } else { in_recorded_order(expected_items, given_items) };
            let lists = Lists {
                comparison: self,
                name,
                expected: Seen::of(expected, name),
                given: Seen { items: &in_order, end: given.end },
            };
            let parted = lists.part().or_else(|| lists.step_on_the_other_side(expected, given));
            if let Some(difference) = parted {
                differences.insert(name.clone(), difference);
            }
        }
        for (name, gaps) in &given.gaps {
            let Some(recorded) = expected.gaps.get(name).filter(|_| !differences.contains_key(name)) else { continue };
            let (expected, given) = (median(recorded), median(gaps));
            if (expected - given).abs() > NOISE.max(expected * SHARE) {
                differences.insert(name.clone(), format!("retry after {given:.0} ms instead of {expected:.0} ms"));
            }
        }
        differences
    }

    /// Whether a connection is one of the last of a client that reconnects for ever.
    fn may_be_missing(self, expected: &Answer, given: &Answer, name: &str) -> bool {
        let Some((who, number)) = name.split_once("/conn ") else { return false };
        let prefix = format!("{who}/conn ");
        let count = |answer: &Answer| answer.lists.keys().filter(|name| name.starts_with(&prefix)).count();
        let (one, two) = (count(expected), count(given));
        let (fewer, more) = (one.min(two), one.max(two));
        let number: usize = number.parse().expect("a number");
        fewer > 2 && number + 1 >= fewer && (self.quick || more - fewer <= more.div_ceil(4))
    }
}

/// The two lists of one name.
struct Lists<'a> {
    comparison: Comparison,
    name: &'a str,
    expected: Seen<'a>,
    given: Seen<'a>,
}

/// A list, and until when it was observed.
#[derive(Clone, Copy)]
struct Seen<'a> {
    items: &'a [Item],
    end: f64,
}

impl<'a> Seen<'a> {
    fn of(answer: &'a Answer, name: &str) -> Self {
        Self { items: answer.lists.get(name).map_or(&[], Vec::as_slice), end: answer.end }
    }
}

impl<'a> Lists<'a> {
    /// Where the lists part.
    fn part(&self) -> Option<String> {
        if self.alike(0, 0, DETOURS) {
            return None;
        }
        let pairs = self.expected.items.iter().zip(self.given.items);
        let at = pairs.take_while(|(one, two)| same(one, two)).count();
        let show = |seen: &Seen<'_>| seen.items.get(at).map_or_else(|| "nothing".to_owned(), show);
        Some(format!("item {at} is {} instead of {}", show(&self.given), show(&self.expected)))
    }

    /// Whether the lists are alike from there on. `detours` are the differences in cycles that may still be tried.
    fn alike(&self, mut at: usize, mut given_at: usize, detours: u32) -> bool {
        let from = (at, given_at);
        let (expected, given) = (self.expected.items, self.given.items);
        while at < expected.len() && given_at < given.len() && same(&expected[at], &given[given_at]) {
            at += 1;
            given_at += 1;
        }
        if at == expected.len() && given_at == given.len() {
            return true;
        }
        // Two detours at one place would be one that is too long.
        let moved = at > from.0 && given_at > from.1;
        detours > 0
            && (moved || detours == DETOURS)
            && (1..=LONGEST_CYCLE).any(|length| {
                let Some((cycle, times)) =
                    cycle_before(&expected[..at], length).or_else(|| cycle_before(&given[..given_at], length))
                else {
                    return false;
                };
                let forgiven = if self.comparison.quick { usize::MAX / length } else { times.div_ceil(4) };
                let cut_off = (at == expected.len()
                    && self.cut_off(self.expected, self.given, given_at, cycle, forgiven))
                    || (given_at == given.len() && self.cut_off(self.given, self.expected, at, cycle, forgiven));
                // Only how often an attempt failed depends on when a server appeared.
                let waits = self.comparison.quick || cycle.iter().any(fails);
                cut_off
                    || (waits
                        && (self.more(expected, at, cycle, forgiven).any(|at| self.alike(at, given_at, detours - 1))
                            || self.more(given, given_at, cycle, forgiven).any(|it| self.alike(at, it, detours - 1))))
            })
    }

    /// Whether `long` goes on from `at` only because `short` was not observed any longer.
    fn cut_off(&self, short: Seen<'_>, long: Seen<'_>, at: usize, cycle: &[Item], forgiven: usize) -> bool {
        let mut rest = &long.items[at..];
        if self.comparison.quick && rest.last().is_some_and(|item| item.last) {
            rest = &rest[..rest.len() - 1];
        }
        let goes_on = rest.iter().zip(cycle.iter().cycle()).all(|(item, one)| item.cycle == one.cycle);
        if !goes_on || rest.len() > forgiven.saturating_mul(cycle.len()) {
            return false;
        }
        let (Some(first), Some(before), Some(last)) = (rest.first(), at.checked_sub(1), short.items.last()) else {
            return self.comparison.quick;
        };
        let watched = short.end - last.t;
        self.comparison.quick || first.t - long.items[before].t > watched - NOISE.max(watched * SHARE)
    }

    /// The places of a list after one more cycle, two more…, unless the end of the client follows. Any number of them may
    /// come before a connection.
    fn more<'l>(
        &self,
        list: &'l [Item],
        at: usize,
        cycle: &'l [Item],
        forgiven: usize,
    ) -> impl Iterator<Item = usize> + 'l {
        let quick = self.comparison.quick;
        let chunks = list[at..].chunks_exact(cycle.len());
        let goes_on = chunks.take_while(|chunk| chunk.iter().zip(cycle).all(|(item, one)| item.cycle == one.cycle));
        let places = (1..=goes_on.count()).map(move |cycles| (cycles, at + cycles * cycle.len()));
        let fair = places.filter(move |(cycles, place)| {
            list.get(*place).is_some_and(|next| connects(next) || (*cycles <= forgiven && (quick || !next.last)))
        });
        fair.map(|(_, place)| place)
    }

    /// An item that stands clearly on the other side of a step of the script than it was recorded.
    fn step_on_the_other_side(&self, expected: &Answer, given: &Answer) -> Option<String> {
        let (who, what) = self.name.split_once('/')?;
        let commands = format!("{who}/commands");
        let (one, two) = (Seen::of(expected, &commands).items, Seen::of(given, &commands).items);
        let paired = one.len() == two.len() && self.expected.items.len() == self.given.items.len();
        if paired && (what == "server" || what.starts_with("client ")) {
            for (command, same_command) in one.iter().zip(two) {
                for (item, other) in self.expected.items.iter().zip(self.given.items) {
                    let (recorded, now) = (item.t - command.t, other.t - same_command.t);
                    if (recorded > 0.0 && now < -CLEARLY) || (recorded < -CLEARLY && now > 0.0) {
                        let side = if now > 0.0 { "after" } else { "before" };
                        return Some(format!("{} comes {side} {}", show(item), command.text));
                    }
                }
            }
        }
        let (one, two) = (deeds(expected, self.name), deeds(given, self.name));
        if one.len() != two.len() {
            return None;
        }
        // Half of what is clear: the sockets of both ends are ours to look at.
        let clearly = CLEARLY / 2.0;
        one.iter().zip(two).enumerate().find_map(|(number, (deed, same_deed))| {
            let (recorded, now) = (bytes_before(self.expected, *deed), bytes_before(self.given, *same_deed));
            let surely_recorded = bytes_before(self.expected, deed - clearly);
            let surely_now = bytes_before(self.given, same_deed - clearly);
            let apart = surely_recorded > now || surely_now > recorded;
            apart.then(|| format!("{now} bytes instead of {recorded} came before deed {number}"))
        })
    }
}

/// `given`, with what happened to different connections at the same time in the order in which it was recorded.
fn in_recorded_order(expected: &[Item], given: &[Item]) -> Vec<Item> {
    let mut ordered = given.to_vec();
    for at in 0..ordered.len().min(expected.len()) {
        let Some(from) = ordered[at..].iter().position(|item| same(&expected[at], item)).map(|steps| at + steps) else {
            continue;
        };
        let item = &ordered[from];
        let together = |one: &Item, other: &Item| (one.t - other.t).abs() < TOGETHER;
        let may_come_later = |overtaken: &Item| {
            let apart = overtaken.socket.is_some() && item.socket.is_some() && overtaken.socket != item.socket;
            let recorded = expected[at..].iter().find(|one| same(one, overtaken));
            apart && together(overtaken, item) && recorded.is_some_and(|recorded| together(recorded, &expected[at]))
        };
        if ordered[at..from].iter().all(may_come_later) {
            ordered[at..=from].rotate_right(1);
        }
    }
    ordered
}

fn deeds<'a>(answer: &'a Answer, name: &str) -> &'a [f64] {
    answer.deeds.get(name).map_or(&[], Vec::as_slice)
}

fn bytes_before(list: Seen<'_>, t: f64) -> usize {
    let pieces = list.items.iter().flat_map(|item| &item.bytes);
    pieces.filter(|(at, _)| *at < t).map(|(_, hex)| hex.len() / 2).sum()
}

fn same(one: &Item, two: &Item) -> bool {
    let states = match (&one.state, &two.state) {
        (Some(one), Some(two)) => same_state(one, two),
        _ => true,
    };
    one.text == two.text && states
}

fn fails(item: &Item) -> bool {
    item.cycle.as_ref().is_some_and(|text| text.starts_with(r#"event ["error""#))
}

fn connects(item: &Item) -> bool {
    item.cycle.as_ref().is_some_and(|text| text.starts_with(r#"event ["connect""#))
}

/// The cycle of this length that a list ends in, if it can be one, and how often it is repeated.
fn cycle_before(list: &[Item], length: usize) -> Option<(&[Item], usize)> {
    let cycle = &list[list.len().checked_sub(length)?..];
    // A cycle that is a shorter one twice would forgive twice as much.
    let twice = (1..length).any(|shorter| {
        length % shorter == 0 && (shorter..length).all(|at| cycle[at].cycle == cycle[at - shorter].cycle)
    });
    if twice || cycle.iter().any(|item| item.cycle.is_none() || item.last) {
        return None;
    }
    let chunks = list.rchunks_exact(length);
    let times = chunks.take_while(|chunk| chunk.iter().zip(cycle).all(|(item, one)| item.cycle == one.cycle)).count();
    Some((cycle, times))
}

fn show(item: &Item) -> String {
    match &item.state {
        Some(state) => format!("`{}` {state}", item.text),
        None => format!("`{}`", item.text),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests;
