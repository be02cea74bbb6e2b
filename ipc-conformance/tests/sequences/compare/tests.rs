//! What the comparison forgives, and what it does not.

use super::*;
use crate::all;
use serde_json::{Value, json};

/// A client's answer, from the names and times of its events.
fn client(events: &[(&str, f64)], end: f64) -> Answer {
    let line = |(name, t): &(&str, f64)| json!({"who": "A", "id": "srv", "event": name, "args": [], "t": t});
    let lines: Vec<Value> = events.iter().map(line).collect();
    Answer::of(&lines, end)
}

/// Attempts that fail every 100 ms, and an end.
fn failures(count: u32, end: &str) -> Vec<(&str, f64)> {
    let mut events = Vec::new();
    for number in 0..count {
        let t = f64::from(number) * 100.0;
        events.extend([("error", t), ("disconnect", t)]);
    }
    if !end.is_empty() {
        events.push((end, f64::from(count) * 100.0));
    }
    events
}

fn differ(one: &[(&str, f64)], two: &[(&str, f64)]) -> bool {
    let last = |events: &[(&str, f64)]| events.last().map_or(0.0, |event| event.1);
    let end = last(one).max(last(two)) + 10.0;
    !Comparison { quick: false, strict: false }.of(&client(one, end), &client(two, end)).is_empty()
}

#[test]
fn more_failed_attempts_are_forgiven_before_a_connection_and_never_before_the_end() {
    assert!(!differ(&failures(3, "connect"), &failures(4, "connect")));
    assert!(!differ(&failures(6, "connect"), &failures(2, "connect")));
    assert!(!differ(&failures(3, "message"), &failures(4, "message")));
    assert!(differ(&failures(3, "message"), &failures(5, "message")));
    assert!(differ(&failures(3, "destroy"), &failures(4, "destroy")));
    assert!(differ(&failures(3, "connect"), &failures(3, "destroy")));
}

#[test]
fn an_observation_that_was_cut_off_is_forgiven_one_that_stopped_is_not() {
    let (three, four) = (failures(3, ""), failures(4, ""));
    let compare = |one: (&[(&str, f64)], f64), two: (&[(&str, f64)], f64)| {
        Comparison { quick: false, strict: false }.of(&client(one.0, one.1), &client(two.0, two.1)).is_empty()
    };
    assert!(compare((&three, 290.0), (&four, 310.0)));
    assert!(compare((&four, 310.0), (&three, 290.0)));
    assert!(!compare((&three, 600.0), (&four, 310.0)), "it stopped trying");
}

#[test]
fn intervals_events_and_order_count() {
    let every = |ms: f64| failures(4, "").into_iter().map(|(name, t)| (name, t / 100.0 * ms)).collect::<Vec<_>>();
    assert!(!differ(&every(200.0), &every(240.0)));
    assert!(differ(&every(200.0), &every(300.0)));
    let swapped = [("disconnect", 0.0), ("error", 1.0), ("destroy", 2.0)];
    let right = [("error", 0.0), ("disconnect", 1.0), ("destroy", 2.0)];
    assert!(differ(&right, &swapped));
    assert!(differ(&right, &right[..2]));
    assert!(differ(&[("message", 0.0)], &[("message", 0.0), ("message", 1.0)]));
}

#[test]
fn only_different_connections_at_the_same_time_have_no_order() {
    let answer = |events: [(&str, u32, f64); 4]| {
        let line = |(name, socket, t): (&str, u32, f64)| {
            let socket = json!({"$t": "socket", "n": socket});
            json!({"who": "B", "on": "server", "event": name, "args": [socket], "t": t})
        };
        Answer::of(&events.map(line), 500.0)
    };
    let differ = |one: &Answer, two: &Answer| !Comparison { quick: false, strict: false }.of(one, two).is_empty();
    let recorded = answer([("connect", 0, 1.0), ("connect", 1, 2.0), ("message", 0, 3.0), ("message", 1, 4.0)]);
    assert!(!differ(
        &recorded,
        &answer([("connect", 0, 1.0), ("message", 0, 2.0), ("connect", 1, 3.0), ("message", 1, 4.0)])
    ));
    assert!(differ(
        &recorded,
        &answer([("connect", 0, 1.0), ("connect", 1, 2.0), ("message", 0, 3.0), ("close", 1, 4.0)])
    ));
    let late = answer([("connect", 0, 1.0), ("message", 0, 2.0), ("connect", 1, 90.0), ("message", 1, 91.0)]);
    assert!(differ(&recorded, &late) && differ(&late, &recorded));
    let same = answer([("connect", 0, 1.0), ("connect", 1, 2.0), ("message", 1, 3.0), ("message", 1, 4.0)]);
    assert!(differ(&recorded, &same));
}

#[test]
fn what_came_before_a_step_must_not_come_after_it() {
    let answer = |event: f64, command: f64| {
        let event = json!({"who": "A", "id": "srv", "event": "connect", "args": [], "t": event});
        let command = json!({"who": "A", "did": {"cmd": "disconnect"}, "t": command});
        Answer::of(&[event, command], 500.0)
    };
    let differ = |one: Answer, two: Answer| !Comparison { quick: false, strict: false }.of(&one, &two).is_empty();
    assert!(!differ(answer(10.0, 20.0), answer(25.0, 20.0)));
    assert!(differ(answer(10.0, 200.0), answer(205.0, 200.0)));
}

/// Every recording agrees with itself, and no longer does when one thing in it is changed, left out or said twice.
#[test]
fn a_falsified_answer_is_noticed() {
    let (mut tried, mut missed) = (0, Vec::new());
    for question in all() {
        let comparison = Comparison { quick: false, strict: false };
        for recorded in &question.answers {
            let answer = || Answer::recorded(&recorded.timeline, &question.script);
            let honest = answer();
            assert!(comparison.of(&honest, &answer()).is_empty(), "{}", question.id);
            for (name, list) in &honest.lists {
                for (at, item) in list.iter().enumerate() {
                    // What a cycle of retries forgives has tests of its own; so have the last connections.
                    if name.contains("/conn ") || (item.cycle.is_some() && !item.last) {
                        continue;
                    }
                    let mut falsified = [answer(), answer(), answer()];
                    falsified[0].lists.get_mut(name).expect("it is there")[at].text.push('!');
                    falsified[1].lists.get_mut(name).expect("it is there").remove(at);
                    falsified[2].lists.get_mut(name).expect("it is there").insert(at, item.clone());
                    for (how, falsified) in falsified.iter().enumerate() {
                        tried += 1;
                        if comparison.of(&honest, falsified).is_empty() {
                            missed.push(format!("{} {name} {at} {how}", question.id));
                        }
                    }
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(tried > 1_000, "only {tried}");
}
