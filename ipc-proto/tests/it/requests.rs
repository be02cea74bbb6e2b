//! Requests: the table of those that wait, in virtual time, and how requests and replies are written and read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
#![allow(clippy::disallowed_methods, reason = "a test needs an instant to begin with")]

use ipc_proto::{
    Event, Failure, IncomingRequest, JsonText, MAX_TOKEN, Message, REPLY_EVENT, Reply, ReplyBody, ReplyError,
    RequestBody, RequestCounters, RequestEnd, Requests, Rules, TooManyRequests,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn event<T>(name: &str, data_json: &str, look: impl FnOnce(&Event<'_>) -> T) -> T {
    let frame = format!("{{\"type\":{name:?},\"data\":{data_json}}}");
    let event = Event::parse(frame.as_bytes(), &Rules::default()).unwrap();
    look(&event)
}

fn reply(data_json: &str) -> Option<Reply> {
    event("$reply", data_json, Reply::parse)
}

#[test]
fn a_reply_finds_its_request_once() {
    let now = Instant::now();
    let mut requests = Requests::new(1, 10);
    let first = requests.begin(Some(now + SECOND), 'a').unwrap();
    let second = requests.begin(None, 'b').unwrap();
    assert_eq!(requests.handle_reply(&second.to_string()), Some('b'));
    assert_eq!(requests.handle_reply(&second.to_string()), None);
    assert_eq!(requests.handle_reply(&first.to_string()), Some('a'));
    assert_eq!(requests.poll_timeout(), None);
    requests.handle_timeout(now + SECOND * 2);
    assert_eq!(requests.poll_ended(), None);
    let counters = requests.counters();
    assert_eq!((counters.begun, counters.answered, counters.late), (2, 2, 1));
}

#[test]
fn tokens_of_other_tables_and_made_up_ones_find_nothing() {
    let mut ours = Requests::new(7, 10);
    let mut others = Requests::new(8, 10);
    let id = ours.begin(None, ()).unwrap();
    let other = others.begin(None, ()).unwrap();
    assert_ne!(id.to_string(), other.to_string());
    let made_up = ["", "-", "8-0", "+7-0", "0000000000000007-+0", "0000000000000007", "é-1", "0-1-2", "7-0-0"];
    for token in made_up.into_iter().chain([&*other.to_string()]) {
        assert_eq!(ours.handle_reply(token), None, "{token}");
    }
    assert_eq!(ours.handle_reply(&id.to_string()), Some(()));
}

#[test]
fn deadlines_end_requests_in_the_order_of_time() {
    let now = Instant::now();
    let mut requests = Requests::new(1, 10);
    requests.begin(Some(now + SECOND * 3), 3).unwrap();
    requests.begin(Some(now + SECOND), 1).unwrap();
    let late = requests.begin(Some(now + SECOND * 2), 2).unwrap();
    assert_eq!(requests.poll_timeout(), Some(now + SECOND));
    requests.handle_timeout(now + SECOND / 2);
    assert_eq!(requests.poll_ended(), None);
    requests.handle_timeout(now + SECOND * 2);
    assert_eq!(requests.poll_ended(), Some((1, RequestEnd::TimedOut)));
    assert_eq!(requests.poll_ended(), Some((2, RequestEnd::TimedOut)));
    assert_eq!(requests.poll_ended(), None);
    assert_eq!(requests.poll_timeout(), Some(now + SECOND * 3));
    assert_eq!(requests.handle_reply(&late.to_string()), None);
    assert_eq!((requests.len(), requests.counters().late, requests.counters().timed_out), (1, 1, 2));
}

#[test]
fn the_end_of_the_connection_ends_all_and_the_next_one_begins_afresh() {
    let mut requests = Requests::new(1, 2);
    let old = requests.begin(None, 'a').unwrap();
    requests.begin(Some(Instant::now() + SECOND), 'b').unwrap();
    assert_eq!(requests.begin(None, 'c'), Err(TooManyRequests { limit: 2 }));
    requests.handle_disconnected();
    assert_eq!(requests.poll_timeout(), None);
    assert_eq!(requests.poll_ended(), Some(('a', RequestEnd::Disconnected)));
    assert_eq!(requests.poll_ended(), Some(('b', RequestEnd::Disconnected)));
    let new = requests.begin(None, 'd').unwrap();
    assert_ne!(old, new);
    assert_eq!(requests.cancel(old), None);
    assert_eq!(requests.cancel(new), Some('d'));
    assert!(requests.is_empty());
    let counters = requests.counters();
    assert_eq!((counters.disconnected, counters.cancelled, counters.refused), (2, 1, 1));
}

#[test]
fn a_request_is_written_as_documented_and_read_again() {
    let id = Requests::new(0xab, 1).begin(None, ()).unwrap();
    let message = Message::new("sum", &RequestBody::new(id, &[1, 2])).unwrap();
    assert_eq!(message.data_json(), Some(r#"{"$request":"00000000000000ab-0","params":[1,2]}"#));
    // node-ipc 9 takes a truthy `data.id` for the name of the sender.
    assert_eq!(message.sender_id(), None);
    event("sum", message.data_json().unwrap(), |event| {
        let request = IncomingRequest::parse(event).unwrap();
        assert_eq!((request.name(), request.token()), ("sum", "00000000000000ab-0"));
        assert_eq!(request.params::<Vec<u8>>().unwrap(), [1, 2]);
        let error = request.params::<String>().unwrap_err();
        assert!(!error.to_string().contains('['), "{error}");
        let failure = Failure::invalid_params(request.name(), &error);
        let text = "the params of request \"sum\" do not fit: expected a string, found an array";
        assert_eq!(failure.message(), text);
    });
}

#[test]
fn what_is_no_request_is_none() {
    let long = format!("{{\"$request\":{:?}}}", "x".repeat(MAX_TOKEN + 1));
    for data in
        ["1", "null", "\"$request\"", "[\"$request\"]", "{}", "{\"$request\":1}", "{\"a\":{\"$request\":\"t\"}}", &long]
    {
        assert!(event("sum", data, |event| IncomingRequest::parse(event).is_none()), "{data}");
        let message = Message::from_json("sum", Some(data)).unwrap();
        assert!(IncomingRequest::from_message(&message).is_none(), "{data}");
    }
    let usual = ["{\"$request\":\"t\"}", " { \"params\" : 1 , \"\\u0024request\" : \"t\" }"];
    for (data, params) in usual.into_iter().zip([None, Some("1")]) {
        event("sum", data, |event| {
            let request = IncomingRequest::parse(event).unwrap();
            assert_eq!((request.token(), request.params_json()), ("t", params));
        });
    }
    let absent: Option<u8> =
        event("sum", "{\"$request\":\"t\"}", |event| IncomingRequest::parse(event).unwrap().params()).unwrap();
    assert_eq!(absent, None);
}

#[test]
fn replies_bring_a_result_or_a_failure_as_documented() {
    let message = Message::new("$reply", &ReplyBody::result("t", &3)).unwrap();
    assert_eq!(message.data_json(), Some(r#"{"$reply":"t","result":3}"#));
    assert_eq!(reply(message.data_json().unwrap()).unwrap().into_result::<u8>("sum").unwrap(), 3);

    let message = Message::new("$reply", &ReplyBody::result("t", &())).unwrap();
    assert_eq!(message.data_json(), Some(r#"{"$reply":"t","result":null}"#));

    let failure = Failure::new("ERR_X", "no").with_data(&[1]).unwrap();
    let message = Message::new("$reply", &ReplyBody::error("t", &failure)).unwrap();
    assert_eq!(message.data_json(), Some(r#"{"$reply":"t","error":{"code":"ERR_X","message":"no","data":[1]}}"#));
    let ReplyError::Failure(read) = reply(message.data_json().unwrap()).unwrap().into_result::<u8>("sum").unwrap_err()
    else {
        panic!("a result")
    };
    assert_eq!(read, failure);
    assert!(!format!("{read:?}").contains("[1]"));
}

#[test]
fn peers_that_write_replies_in_their_own_way_are_understood() {
    let result = |data: &str| reply(data).unwrap().into_result::<Option<String>>("sum");
    // `undefined` in JavaScript.
    assert_eq!(result("{\"$reply\":\"t\"}").unwrap(), None);
    assert_eq!(result("{\"error\":null,\"result\":\"\\ud800\",\"$reply\":\"t\"}").unwrap().unwrap(), "\u{fffd}");
    let failure = |data: &str| match result(data) {
        Err(ReplyError::Failure(failure)) => (failure.code().to_owned(), failure.message().to_owned()),
        other => panic!("{other:?}"),
    };
    let said = |code: &str, message: &str| (code.to_owned(), message.to_owned());
    assert_eq!(failure("{\"$reply\":\"t\",\"error\":\"no\\n\"}"), said("", "no\n"));
    assert_eq!(failure("{\"$reply\":\"t\",\"error\":{\"code\":-32601}}"), said("-32601", "the peer gives no message"));
    assert_eq!(failure("{\"$reply\":\"t\",\"error\":[1],\"result\":\"x\"}"), said("", "[1]"));
    assert!(matches!(result("{\"$reply\":\"t\",\"result\":1}"), Err(ReplyError::Data(_))));
    for data in ["1", "{\"result\":1}", "{\"$reply\":1}", "{\"$reply\":null,\"result\":1}"] {
        assert!(reply(data).is_none(), "{data}");
    }
    assert!(event("reply", "{\"$reply\":\"t\"}", |event| Reply::parse(event).is_none()), "another name");
}

#[test]
fn what_was_kept_is_understood_as_what_has_just_come() {
    let data = r#"{"$request":"t","params":[1.50, "x"]}"#;
    let message = Message::from_json("sum", Some(data)).unwrap();
    let request = IncomingRequest::from_message(&message).unwrap();
    assert_eq!((request.name(), request.token(), request.params_json()), ("sum", "t", Some("[1.50, \"x\"]")));

    // Numbers and white space stay as they were written.
    let result = JsonText::from_json("[1.50, 2]").unwrap();
    let message = Message::new(REPLY_EVENT, &ReplyBody::result(request.token(), &result)).unwrap();
    let reply = Reply::from_message(&message).unwrap();
    assert_eq!((reply.token(), reply.result_json().unwrap()), ("t", Some("[1.50, 2]")));
    assert!(JsonText::from_json("[1.50, 2").is_err());

    let reply = |data: &str| Reply::from_message(&Message::from_json(REPLY_EVENT, Some(data)).unwrap());
    assert_eq!(reply("{\"$reply\":\"t\"}").unwrap().result_json().unwrap(), None);
    let failed = reply("{\"$reply\":\"t\",\"error\":{\"code\":\"E\",\"message\":\"no\"}}").unwrap();
    assert_eq!(failed.result_json().unwrap_err().to_string(), "no (E)");
    assert!(Reply::from_message(&Message::from_json("sum", Some("{\"$reply\":\"t\"}")).unwrap()).is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Begin(Option<u64>),
    Reply(usize),
    Cancel(usize),
    Wait(u64),
    Disconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::option::of(0_u64..50).prop_map(Step::Begin),
        3 => (0_usize..30).prop_map(Step::Reply),
        1 => (0_usize..30).prop_map(Step::Cancel),
        3 => (0_u64..20).prop_map(Step::Wait),
        1 => Just(Step::Disconnect),
    ]
}

proptest! {
    /// Against a plain list of who waits until when.
    #[test]
    fn every_request_ends_exactly_once_and_in_time(steps in proptest::collection::vec(step(), 0..200)) {
        const LIMIT: usize = 8;
        let start = Instant::now();
        let mut now = 0;
        let mut requests = Requests::new(3, LIMIT);
        let mut ids = Vec::new();
        let mut waiting = BTreeMap::<usize, Option<u64>>::new();
        for step in steps {
            match step {
                Step::Begin(within) => {
                    let deadline = within.map(|within| now + within);
                    let begun = requests.begin(deadline.map(|at| start + Duration::from_millis(at)), ids.len());
                    prop_assert_eq!(begun.is_ok(), waiting.len() < LIMIT);
                    if let Ok(id) = begun {
                        waiting.insert(ids.len(), deadline);
                        ids.push(id);
                    }
                }
                Step::Reply(at) => if let Some(id) = ids.get(at) {
                    let expected = waiting.remove(&at).map(|_| at);
                    prop_assert_eq!(requests.handle_reply(&id.to_string()), expected);
                }
                Step::Cancel(at) => if let Some(id) = ids.get(at) {
                    let expected = waiting.remove(&at).map(|_| at);
                    prop_assert_eq!(requests.cancel(*id), expected);
                }
                Step::Wait(time) => {
                    now += time;
                    requests.handle_timeout(start + Duration::from_millis(now));
                    let mut due: Vec<_> =
                        waiting.iter().filter_map(|(at, deadline)| Some(((*deadline)?, *at))).filter(|(deadline, _)| *deadline <= now).collect();
                    due.sort_unstable();
                    for (_, at) in due {
                        waiting.remove(&at);
                        prop_assert_eq!(requests.poll_ended(), Some((at, RequestEnd::TimedOut)));
                    }
                }
                Step::Disconnect => {
                    requests.handle_disconnected();
                    for at in std::mem::take(&mut waiting).into_keys() {
                        prop_assert_eq!(requests.poll_ended(), Some((at, RequestEnd::Disconnected)));
                    }
                }
            }
            prop_assert_eq!(requests.poll_ended(), None);
            prop_assert_eq!(requests.len(), waiting.len());
            let next = waiting.values().flatten().min().map(|at| start + Duration::from_millis(*at));
            prop_assert_eq!(requests.poll_timeout(), next);
            let counted = requests.counters();
            let ended = counted.answered + counted.timed_out + counted.cancelled + counted.disconnected;
            prop_assert_eq!(counted.begun, ended + requests.len() as u64);
        }
    }

    /// Whatever a peer sends, reading it as a request or a reply does not panic, and what is read is in it.
    #[test]
    fn any_payload_can_be_looked_at(data in r#"[{}\[\]":,a-z$\\u0-9 ]{0,40}|\{("\$(request|reply)":("[a-z\\n]{0,5}"|[0-9]),?|"(params|result|error)":(\{\}|"x"|1|null),?){0,5}\}"#) {
        let frame = format!("{{\"type\":\"$reply\",\"data\":{data}}}");
        if let Ok(event) = Event::parse(frame.as_bytes(), &Rules::default()) {
            if let Some(request) = IncomingRequest::parse(&event) {
                prop_assert!(request.token().len() <= MAX_TOKEN);
                prop_assert!(request.params_json().is_none_or(|params| data.contains(params)));
            }
            if let Some(reply) = Reply::parse(&event) {
                let _either = reply.into_result::<u8>("sum");
            }
        }
    }
}

#[test]
fn counters_of_several_tables_add_up() {
    let now = Instant::now();
    let count = |late: u32| {
        let mut requests = Requests::new(7, 3);
        let [answered, cancelled, _] = [(); 3].map(|()| requests.begin(Some(now + SECOND), ()).unwrap());
        requests.begin(None, ()).unwrap_err();
        requests.handle_reply(&answered.to_string()).unwrap();
        requests.cancel(cancelled).unwrap();
        requests.handle_timeout(now + SECOND);
        (0..late).for_each(|_| assert!(requests.handle_reply("nobody's").is_none()));
        requests.begin(None, ()).unwrap();
        requests.handle_disconnected();
        requests.counters()
    };
    let mut sum = count(2);
    sum += count(3);
    let RequestCounters { begun, answered, timed_out, cancelled, disconnected, refused, late, .. } = sum;
    assert_eq!([begun, answered, timed_out, cancelled, disconnected, refused, late], [8, 2, 2, 2, 2, 2, 5]);
}

#[test]
fn options_of_requests_are_set_one_by_one_and_keep_somebody_at_work() {
    let second = Duration::from_secs(1);
    let options = ipc_proto::RequestOptions::default().timeout(second).max_pending(7).max_under_way(0);
    assert_eq!((options.timeout, options.max_pending, options.max_under_way), (second, 7, 1));
    assert_eq!(ipc_proto::RequestOptions::default().max_under_way(9).max_under_way, 9);
}

#[test]
fn a_changed_limit_leaves_those_that_wait_alone() {
    let mut requests = Requests::new(1, 1);
    assert!(requests.is_empty());
    requests.begin(None, 'a').unwrap();
    assert!(requests.begin(None, 'b').is_err() && !requests.is_empty());
    requests.set_limit(2);
    requests.begin(None, 'b').unwrap();
    requests.set_limit(1);
    assert_eq!(requests.len(), 2);
    assert!(requests.begin(None, 'c').is_err());
}

#[test]
fn json_text_is_what_it_says_and_shows_only_its_length() {
    let [text, same] = ["[1]"; 2].map(|text| JsonText::from_json(text).unwrap());
    assert_eq!((text.as_str(), &text), ("[1]", &same));
    assert_ne!(text, JsonText::from_json("[2]").unwrap());
    assert_eq!(format!("{text:?}"), "JsonText(3 bytes)");

    let failure = Failure::new("ERR_X", "no");
    assert_eq!(failure.data_json(), None);
    let more = failure.clone().with_data(&[1]).unwrap();
    assert_eq!(more.data_json(), Some("[1]"));
    assert_ne!(failure, more);
    assert_eq!(format!("{more:?}"), r#"Failure { code: "ERR_X", message: "no", data_bytes: Some(3) }"#);
    let body = format!("{:?}", reply("{\"$reply\":\"t\",\"result\":[1,2]}").unwrap());
    assert!(body.contains("5 bytes") && !body.contains("[1,2]"), "{body}");
}

#[test]
fn an_empty_object_in_a_request_or_its_reply_is_one_and_no_absence() {
    event("sum", r#"{"$request":"t","params":{}}"#, |event| {
        let request = IncomingRequest::parse(event).unwrap();
        let error = request.params::<Option<String>>().unwrap_err().to_string();
        assert!(error.contains("expected a string, found an object") && !error.contains("it came as"), "{error}");
        assert!(request.params::<()>().is_err());
    });
    let result = reply(r#"{"$reply":"t","result":{}}"#).unwrap().into_result::<Option<String>>("sum");
    assert!(matches!(result, Err(ReplyError::Data(_))));
}
