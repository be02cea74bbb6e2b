//! What comes out of received bytes.
//!
//! The rule: where the versions agree on what is delivered, so do we; where they differ we are like at least one of them (14
//! delivers whole frames at once, 9 and 12 report bad JSON and go on). Where a version died of a frame and we are like none
//! that lived, we report a protocol error and go on.

use ipc_proto::{Code, Decoder, Delimiter, Event, Rules};
use serde_json::Value;

use super::reading::{by_question, bytes, is_data, vectors, version};

/// What the codec made of a frame, and after which chunk.
struct Outcome {
    after_chunk: usize,
    result: Result<Delivered, Refused>,
}

struct Delivered {
    name: String,
    data_json: Option<String>,
}

struct Refused {
    code: Code,
    frame: String,
}

/// How many questions were answered in which way.
#[derive(Debug, Default, PartialEq)]
struct Answers {
    /// Like all versions, or those that lived.
    agreed: usize,
    /// Like at least one version, while others differ in what they deliver or when.
    like_some: usize,
    /// With a protocol error where versions died, or delivered something without a name.
    refused: usize,
    /// Not asked, because the delimiter is refused at construction.
    no_delimiter: usize,
}

fn decode(chunks: &[Vec<u8>], delimiter: Delimiter, limit: usize, rules: &Rules) -> Vec<Outcome> {
    let mut decoder = Decoder::new(delimiter, limit);
    let mut outcomes = Vec::new();
    for (after_chunk, chunk) in chunks.iter().enumerate() {
        let mut input = &chunk[..];
        loop {
            let result = match decoder.next_frame(&mut input) {
                Ok(None) => break,
                Ok(Some(frame)) => match Event::parse(frame, rules) {
                    Ok(event) => {
                        Ok(Delivered { name: event.name().to_owned(), data_json: event.data_json().map(str::to_owned) })
                    }
                    Err(malformed) => {
                        Err(Refused { code: malformed.error().code(), frame: malformed.frame().to_owned() })
                    }
                },
                Err(error) => Err(Refused { code: error.code(), frame: String::new() }),
            };
            let fatal = result.as_ref().is_err_and(|refused| refused.code == Code::FrameTooLarge);
            outcomes.push(Outcome { after_chunk, result });
            if fatal {
                return outcomes;
            }
        }
    }
    outcomes
}

impl Outcome {
    /// Whether a published event says the same.
    fn is(&self, seen: &Value) -> bool {
        let data = &seen["args"][0];
        match &self.result {
            Ok(Delivered { name, data_json }) => seen["type"] == **name && is_data(data_json.as_deref(), data),
            Err(Refused { code, frame }) if data["message"] == "Invalid JSON response format" => {
                // 9.2.1 and 12.0.0 report the frame `null` too in this way.
                let text = data["response"].as_str().unwrap_or("null");
                matches!(code, Code::InvalidJson | Code::InvalidMessage) && frame == text
            }
            Err(Refused { code, .. }) => seen["type"] == "error" && data["code"] == code.as_str(),
        }
    }
}

/// Whether these outcomes are what a version published. 14 closes at the first error; only 14 delivers in time.
fn are_seen(outcomes: &[Outcome], version: &str, observed: &Value) -> bool {
    let closes = observed.get("subject_closed_connection_after_chunk").is_some();
    let lifecycle = ["socket.disconnected", "close", "disconnect", "destroy"];
    let events = observed["events"].as_array().expect("events").iter();
    let seen: Vec<&Value> =
        events.filter(|event| !closes || lifecycle.iter().all(|name| event["type"] != *name)).collect();
    let until_closed = outcomes.iter().position(|outcome| outcome.result.is_err()).filter(|_| closes);
    let ours = &outcomes[..until_closed.map_or(outcomes.len(), |last| last + 1)];
    if let Some(count) = observed.get("event_count") {
        // Of many events the first and the last are shown.
        return *count == ours.len() && ours[0].is(seen[0]) && ours[ours.len() - 1].is(seen[seen.len() - 1]);
    }
    let in_time =
        |outcome: &Outcome, event: &Value| !version.starts_with("14") || event["after_chunk"] == outcome.after_chunk;
    ours.len() == seen.len()
        && ours.iter().zip(seen).all(|(outcome, event)| outcome.is(event) && in_time(outcome, event))
}

fn ask(theme: &str) -> Answers {
    let mut answers = Answers::default();
    for group in by_question(vectors(theme), &["/config", "/input/chunks"]) {
        let name = &group[0]["input"]["name"];
        let delimiter = match group[0]["config"]["delimiter"].as_str() {
            None => Delimiter::default(),
            Some(text) => match Delimiter::new(text) {
                Ok(delimiter) => delimiter,
                Err(_) => {
                    assert!(["", "}", "\""].contains(&text), "{text:?}");
                    answers.no_delimiter += 1;
                    continue;
                }
            },
        };
        let chunks: Vec<_> = group[0]["input"]["chunks"].as_array().expect("chunks").iter().map(bytes).collect();
        let outcomes = decode(&chunks, delimiter, usize::MAX, &Rules::default());
        let (dead, alive): (Vec<_>, Vec<_>) =
            group.iter().partition(|vector| vector["observed"].get("process_exited_by_exception").is_some());
        let agreeing = alive.iter().filter(|vector| are_seen(&outcomes, version(vector), &vector["observed"])).count();
        if agreeing == alive.len() && agreeing > 0 {
            answers.agreed += 1;
        } else if agreeing > 0 {
            answers.like_some += 1;
        } else {
            assert!(!dead.is_empty(), "{theme}: {name}: like no version");
            let refusals = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
            let codes: Vec<_> = refusals.map(|refused| refused.code).collect();
            assert!(
                !codes.is_empty() && codes.iter().all(|code| matches!(code, Code::InvalidMessage | Code::InvalidEvent)),
                "{theme}: {name}: {codes:?}"
            );
            answers.refused += 1;
        }
    }
    answers
}

#[test]
fn frames_are_found_as_node_ipc_finds_them() {
    assert_eq!(ask("inbound-framing"), Answers { agreed: 23, like_some: 1, ..Answers::default() });
}

#[test]
fn json_is_judged_as_node_judges_it() {
    assert_eq!(ask("inbound-json"), Answers { agreed: 53, refused: 15, ..Answers::default() });
}

#[test]
fn every_string_may_be_an_event_name() {
    assert_eq!(ask("inbound-types"), Answers { agreed: 22, ..Answers::default() });
}

#[test]
fn invalid_utf8_is_replaced_as_node_replaces_it() {
    assert_eq!(ask("inbound-utf8"), Answers { agreed: 26, like_some: 1, ..Answers::default() });
}

#[test]
fn delimiters_are_found_as_node_ipc_finds_them() {
    assert_eq!(
        ask("inbound-delimiters"),
        Answers { agreed: 32, like_some: 29, no_delimiter: 17, ..Answers::default() }
    );
}

#[test]
fn large_messages_arrive_whole() {
    assert_eq!(ask("inbound-size"), Answers { agreed: 6, ..Answers::default() });
}

#[test]
fn a_stream_cut_anywhere_gives_what_14_gives_as_early_as_14_gives_it() {
    let mut positions = 0;
    for vector in vectors("inbound-split-sweep") {
        let stream = bytes(&vector["input"]["stream"]);
        for outcome in vector["observed"]["outcomes"].as_array().expect("outcomes") {
            for position in outcome["split_positions"].as_array().expect("positions") {
                let (head, tail) = stream.split_at(position.as_u64().expect("a position") as usize);
                let chunks = [head.to_vec(), tail.to_vec()];
                let outcomes = decode(&chunks, Delimiter::default(), usize::MAX, &Rules::default());
                assert!(are_seen(&outcomes, version(&vector), outcome), "{} at {position}", vector["id"]);
                positions += 1;
            }
        }
    }
    assert_eq!(positions, 858);
}

#[test]
fn guarded_and_assured_rules_refuse_with_the_codes_of_14() {
    let (mut checked, mut timed) = (0, 0);
    for vector in vectors("inbound-v14-guarded").into_iter().chain(vectors("inbound-v14-assured")) {
        if vector["input"]["name"] == "unfinished times out" {
            // Time is not the codec's business.
            timed += 1;
            continue;
        }
        let config = &vector["config"];
        let allowed = config["allowedEvents"].as_array().map(|names| {
            names
                .iter()
                .map(|name| name.as_str().expect("a name").to_owned())
                .collect::<std::collections::BTreeSet<_>>()
                .into()
        });
        let rules = Rules {
            max_event_name: Some(config["maxEventNameLength"].as_u64().unwrap_or(256) as usize),
            refuse_reserved: true,
            refuse_unsafe: true,
            allowed,
        };
        let limit = config["maxMessageSize"].as_u64().unwrap_or(1024 * 1024) as usize;
        let chunks: Vec<_> = vector["input"]["chunks"].as_array().expect("chunks").iter().map(bytes).collect();
        let outcomes = decode(&chunks, Delimiter::default(), limit, &rules);
        assert!(are_seen(&outcomes, version(&vector), &vector["observed"]), "{}", vector["id"]);
        checked += 1;
    }
    assert_eq!((checked, timed), (18, 2));
}

#[test]
fn the_senders_id_is_what_javascript_takes_for_true() {
    let mut ids = (0, 0);
    for vector in vectors("inbound-data-id").into_iter().chain(vectors("inbound-data-id-identifyPeer")) {
        let chunks: Vec<_> = vector["input"]["chunks"].as_array().expect("chunks").iter().map(bytes).collect();
        if chunks.len() > 1 || version(&vector).starts_with("14") && vector["config"]["identifyPeer"] != true {
            continue;
        }
        let events = vector["observed"]["events"].as_array().expect("events");
        for (frame, event) in chunks[0].split(|&byte| byte == 0x0C).zip(events) {
            let parsed = Event::parse(frame, &Rules::default()).expect("an event");
            let id = event["args"][1].get("id");
            match parsed.sender_id() {
                Some(ours) => {
                    assert!(id.is_some_and(|id| is_data(Some(ours), id)), "{}: {ours} {id:?}", vector["id"]);
                    ids.0 += 1;
                }
                None => {
                    assert_eq!(id, None, "{}", vector["id"]);
                    ids.1 += 1;
                }
            }
        }
    }
    assert_eq!(ids, (24, 12));
}
