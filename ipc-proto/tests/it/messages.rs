//! Events and messages as their users see them: names, payloads, errors, and what is never shown or left behind.

use std::error::Error;

use ipc_proto::{
    Code, DataError, Delimiter, Empty, EncodeError, Encoder, Event, EventName, FromEvent, JsonKind, Message,
    ProtocolError, Rules,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

fn event(frame: &str) -> Event<'_> {
    Event::parse(frame.as_bytes(), &Rules::default()).expect("an event")
}

fn error(frame: &[u8]) -> ProtocolError {
    Event::parse(frame, &Rules::default()).expect_err("no event").into_parts().0
}

fn encoder(limit: usize) -> Encoder {
    Encoder::new(Delimiter::default(), limit, Rules::default())
}

#[test]
fn an_event_is_found_in_whatever_order_and_spelling_its_keys_come() {
    for frame in [
        r#"{"type":"greet","data":[1, 2]}"#,
        r#" { "data" : [1, 2] , "type" : "greet" } "#,
        r#"{"type":"greet","data":[1, 2],"extra":{"type":"inner","data":3}}"#,
        r#"{"\u0074ype":"greet","d\u0061ta":[1, 2]}"#,
        r#"{"type":5,"data":0,"type":"greet","data":[1, 2]}"#,
        r#"{"type":"greet", "data":[1, 2]}"#,
        r#"{"type":"greet","data": [1, 2]}"#,
        "{\"type\":\"greet\",\"data\":\n[1, 2]\n}",
        r#"{"type":"\u0067reet","data":[1, 2]}"#,
        r#"{"__proto__":{"type":"x"},"type":"greet","data":[1, 2]}"#,
    ] {
        let event = event(frame);
        assert_eq!((event.name(), event.data_json()), ("greet", Some("[1, 2]")), "{frame}");
        assert_eq!(event.frame(), frame);
        assert_eq!(event.to_message(), event.clone().into_message());
    }
}

#[test]
fn what_is_no_event_is_told_apart() {
    let missing = |found| ProtocolError::InvalidEvent { found };
    assert_eq!(error(b"null"), ProtocolError::InvalidMessage { found: JsonKind::Null });
    assert_eq!(error(b" [1] "), ProtocolError::InvalidMessage { found: JsonKind::Array });
    assert_eq!(error(b"{}"), missing(None));
    assert_eq!(error(br#"{"data":1}"#), missing(None));
    assert_eq!(error(br#"{"type":null}"#), missing(Some(JsonKind::Null)));
    assert_eq!(error(br#"{"type":"a","type":{}}"#), missing(Some(JsonKind::Object)));
    for (frame, offset) in
        [("", 0), ("[1", 2), ("null x", 5), (r#"{"type":"a","data":01}"#, 20), (r#"{"type":5,}"#, 10)]
    {
        let ProtocolError::InvalidJson { offset: found, .. } = error(frame.as_bytes()) else { panic!("{frame}") };
        assert_eq!(found, offset, "{frame}");
    }
}

#[test]
fn invalid_utf8_is_replaced_and_kept_as_text() {
    let event = Event::parse(b"{\"type\":\"m\xff\",\"data\":\"\xe2\x82x\"}", &Rules::default()).unwrap();
    assert_eq!(event.name(), "m\u{fffd}");
    assert_eq!(event.data::<String>().unwrap(), "\u{fffd}x");
    let malformed = Event::parse(b"\xef\xbb\xbf{}", &Rules::default()).unwrap_err();
    assert_eq!(malformed.error().code(), Code::InvalidJson, "a byte order mark is not white space");
    assert_eq!(malformed.frame(), "\u{feff}{}");
}

#[test]
fn the_length_on_the_wire_is_that_of_the_bytes_and_not_of_what_they_were_replaced_by() {
    let rules = Rules::default();
    for frame in [
        &b"{\"type\":\"m\xff\",\"data\":\"\xe2\x82x\"}"[..],
        b"{\"type\":\"\xc3\xa9\"}",
        b"{ \"data\":1,\"type\":\"a\" }",
    ] {
        let event = Event::parse(frame, &rules).unwrap();
        assert_eq!(event.wire_length(), frame.len());
        assert_eq!(event.to_message().wire_length(), frame.len());
        assert_eq!(event.into_message().wire_length(), frame.len());
    }
    for frame in [&b"\xff\xfe"[..], b"nonsense", b""] {
        assert_eq!(Event::parse(frame, &rules).unwrap_err().wire_length(), frame.len());
    }
    assert_eq!(Message::new("a", &1).unwrap().wire_length(), r#"{"type":"a","data":1}"#.len());
}

#[test]
fn names_are_unescaped_and_keep_their_text() {
    let event = event(r#"{"type":"a\"\ud83d\ude00\ud800","data":1}"#);
    assert_eq!(event.name(), "a\"😀\u{fffd}");
    assert_eq!(event.name_json(), r#""a\"\ud83d\ude00\ud800""#);
    let mut out = Vec::new();
    encoder(100).encode_event(&event, &mut out).unwrap();
    assert_eq!(out, b"{\"type\":\"a\\\"\\ud83d\\ude00\\ud800\",\"data\":1}\x0c", "forwarded as it came");
}

#[test]
fn payloads_are_parsed_on_demand() {
    assert_eq!(event(r#"{"type":"a","data":[1,"x"]}"#).data::<(u8, String)>().unwrap(), (1, "x".to_owned()));
    assert_eq!(event(r#"{"type":"a","data":"\ud83d"}"#).data::<String>().unwrap(), "\u{fffd}");
    assert_eq!(event(r#"{"type":"a","data":0.30000000000000004}"#).data::<f64>().unwrap(), 0.1 + 0.2);
    let absent = event(r#"{"type":"a"}"#);
    assert_eq!(absent.data_json(), None);
    assert_eq!(absent.data::<Option<u8>>().unwrap(), None);
    assert_eq!(absent.data::<Empty>().unwrap(), Empty);
    let error: DataError = absent.data::<u8>().unwrap_err();
    assert!(error.is_absent());
    assert_eq!(
        error.to_string(),
        r#"the data of event "a" does not fit the requested type: expected u8 (there is none, which was read as null)"#
    );
}

#[test]
fn an_error_says_what_was_expected_and_nothing_of_the_payload() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "parsed only")]
    struct Person {
        name: String,
        kind: Option<Kind>,
    }
    #[derive(Debug, serde::Deserialize)]
    enum Kind {
        Cat,
        Dog,
    }
    /// Its error quotes what it was given.
    #[derive(Debug)]
    struct Quoting;
    impl<'de> serde::Deserialize<'de> for Quoting {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("cannot use {text}, expected {text}")))
        }
    }
    let person = |data: &str| event(&format!(r#"{{"type":"a","data":{data}}}"#)).data::<Person>().unwrap_err();
    for (data, expected) in [
        (r#""secret, expected a secret""#, Some("expected struct Person, found a string")),
        (r#"{"name":7}"#, Some("expected a string, found a number")),
        (r#"{"name":["secret"]}"#, Some("expected a string, found an array")),
        (r#"{"name":null}"#, Some("expected a string, found null")),
        (r#"{"name":{"secret":1}}"#, Some("expected a string, found an object")),
        (r#"{"name":true}"#, Some("expected a string, found true or false")),
        (r#"["x",null,"secret"]"#, Some("expected fewer elements")),
        (r#"{}"#, Some("missing field `name`")),
        (r#"{"secret":1}"#, Some("expected `name` or `kind`, found another name")),
        (r#"{"name":"x","kind":"secret`, expected secret"}"#, Some("expected `Cat` or `Dog`, found another name")),
    ] {
        let error = person(data);
        assert_eq!(error.expected().as_deref(), expected, "{data}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    // Types whose own errors begin like serde's, and texts of the payload that are made to look like them.
    #[derive(Debug, serde::Deserialize)]
    #[serde(try_from = "i64")]
    struct Pin;
    impl TryFrom<i64> for Pin {
        type Error = String;
        fn try_from(value: i64) -> Result<Self, String> {
            match value {
                1 => Err(format!("number out of range: {value} secret")),
                2 => Err("missing field `secret and more` secret".into()),
                3 => Err("number out of range".into()),
                _ => Err("trailing characters secret".into()),
            }
        }
    }
    for number in 1..=4 {
        let error = event(&format!(r#"{{"type":"a","data":{number}}}"#)).data::<Pin>().unwrap_err();
        assert_eq!(error.expected(), None, "{error}");
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(tag = "t")]
    #[allow(dead_code, reason = "parsed only")]
    enum Tagged {
        A { n: u8, kind: Option<Kind> },
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    #[derive(Debug, serde::Deserialize)]
    enum Never {}
    let tagged = |data: &str| event(&format!(r#"{{"type":"a","data":{data}}}"#)).data::<Tagged>().unwrap_err();
    assert_eq!(
        tagged(r#"{"t":"A","n":"x, expected secret at line "}"#).expected().as_deref(),
        Some("expected u8, found a string")
    );
    let forged = tagged(r#"{"t":"A","n":1,"kind":"x`, expected \nsecret at line "}"#);
    assert_eq!(forged.expected().as_deref(), Some("expected `Cat` or `Dog`, found another name"));
    let error = event(r#"{"type":"a","data":{"x, expected secret":1}}"#).data::<Nothing>().unwrap_err();
    assert_eq!(error.expected(), None, "{error}");
    let error = event(r#"{"type":"a","data":"x, expected secret"}"#).data::<Never>().unwrap_err();
    assert_eq!(error.expected(), None, "{error}");
    let error = event(r#"{"type":"a","data":300}"#).data::<u8>().unwrap_err();
    assert_eq!(error.expected().as_deref(), Some("expected u8, found another number"));
    let error = event(r#"{"type":"a","data":-1.5}"#).data::<u8>().unwrap_err();
    assert_eq!(error.expected().as_deref(), Some("expected u8, found a number"));
    let error = event(r#"{"type":"a","data":"secret, expected secret"}"#).data::<char>().unwrap_err();
    assert_eq!(error.expected().as_deref(), Some("expected a character, found another string"));
    let error = event(r#"{"type":"a","data":[1]}"#).data::<(u8, u8)>().unwrap_err();
    assert_eq!(error.expected().as_deref(), Some("expected a tuple of size 2, found another length"));
    let error = event(r#"{"type":"a","data":[1,2,3]}"#).data::<(u8, u8)>().unwrap_err();
    assert!(error.to_string().ends_with("requested type: expected fewer elements (line 1, column 6)"), "{error}");
    // Somebody asks, where an ordinary handler hears.
    let error = event(r#"{"type":"a","data":{"$request":"t","params":"secret"}}"#).data::<String>().unwrap_err();
    let told = "expected a string, found an object; it came as a request, which `on_request` answers";
    assert!(error.to_string().ends_with(told), "{error}");
    let error = event(r#"{"type":"a","data":"secret"}"#).data::<Quoting>().unwrap_err();
    assert_eq!(error.expected(), None);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.to_string().ends_with("does not fit the requested type"), "{error}");
}

#[test]
fn handlers_take_any_type_or_the_message_itself() {
    let event = event(r#"{"type":"a","data":{"id":7}}"#);
    assert_eq!(Value::from_event(&event).unwrap(), json!({"id": 7}));
    assert_eq!(Message::from_event(&event).unwrap().data_json(), Some(r#"{"id":7}"#));
    assert!(String::from_event(&event).is_err());
}

#[test]
fn nothing_shows_a_payload() {
    let event = event(r#"{"type":"login","data":{"password":"secret"}}"#);
    let error = event.data::<Vec<u8>>().unwrap_err();
    assert!(error.source().is_some());
    let malformed = Event::parse(br#"{"type":"login","data":"secret"#, &Rules::default()).unwrap_err();
    for shown in [
        format!("{event:?}"),
        format!("{:?}", event.to_message()),
        format!("{malformed:?} {}", malformed.error()),
        format!("{error} {error:?}"),
    ] {
        assert!(!shown.contains("secret"), "{shown}");
    }
    assert_eq!(format!("{event:?}"), r#"Event { name: "login", data_bytes: Some(21) }"#);
    assert_eq!(format!("{:?}", event.to_message()), r#"Message { name: "login", data_bytes: Some(21) }"#);
    let report = format!("{malformed:?}");
    assert!(report.starts_with("Malformed {") && report.contains("frame_bytes: 30"), "{report}");
}

#[test]
fn nothing_to_say_is_an_empty_object() {
    assert_eq!(Message::new("ping", &Empty).unwrap().frame(), r#"{"type":"ping","data":{}}"#);
    for text in ["{}", "null"] {
        assert_eq!(serde_json::from_str::<Empty>(text).unwrap(), Empty);
    }
    for text in ["{\"a\":1}", "[]", "0", "\"\""] {
        let refusal = serde_json::from_str::<Empty>(text).unwrap_err().to_string();
        assert!(refusal.contains("expected an empty object or null"), "{text}: {refusal}");
    }
}

#[test]
fn the_senders_id_is_the_last_one_at_the_top() {
    for (data, id) in [
        (r#"{"id":"me"}"#, Some(r#""me""#)),
        (r#"{"a":{"id":1},"b":["id"]}"#, None),
        (r#"{"id":1,"id":2}"#, Some("2")),
        (r#"{"id":1,"id":null}"#, None),
        (r#"{ "\u0069d" : [ ] }"#, Some("[ ]")),
        (r#"{"\u0069":1,"i\u0064x":2}"#, None),
        (r#"{"id":false}"#, None),
        (r#"{"id":-0.0e7}"#, None),
        (r#"{"id":1e-400}"#, None),
        (r#"{"id":1e400}"#, Some("1e400")),
        (r#"{"id":""}"#, None),
        (r#"["id"]"#, None),
        (r#""id""#, None),
    ] {
        let message = Message::from_json("a", Some(data)).unwrap();
        assert_eq!(message.sender_id(), id, "{data}");
        let frame = message.frame();
        assert_eq!(event(frame).sender_id(), id, "{frame}");
    }
    assert_eq!(Message::from_json("a", None).unwrap().sender_id(), None);
}

#[test]
fn a_message_of_the_greatest_size_passes_and_the_delimiter_does_not_count() {
    let mut out = b"before".to_vec();
    assert_eq!(encoder(27).encode("ab", "cdef", &mut out).unwrap(), 28);
    assert!(matches!(
        encoder(27).encode("abc", "cdef", &mut out),
        Err(EncodeError::FrameTooLarge { length: 28, limit: 27 })
    ));
    assert_eq!(out, b"before{\"type\":\"ab\",\"data\":\"cdef\"}\x0c");
}

/// Fails, or panics, when half of it has been written.
struct Broken {
    panics: bool,
}

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        serde::ser::SerializeSeq::serialize_element(&mut sequence, "half")?;
        assert!(!self.panics, "as asked");
        Err(serde::ser::Error::custom("as asked"))
    }
}

#[test]
fn a_frame_is_written_whole_or_not_at_all() {
    let guarded = Rules { max_event_name: Some(8), refuse_reserved: true, refuse_unsafe: true, allowed: None };
    let guarded = Encoder::new(Delimiter::default(), 50, guarded);
    let mut out = b"before".to_vec();
    let refused = [
        guarded.encode("error", "x", &mut out).unwrap_err().code(),
        guarded.encode("", "x", &mut out).unwrap_err().code(),
        guarded.encode("123456789", "x", &mut out).unwrap_err().code(),
        guarded.encode("a", &Broken { panics: false }, &mut out).unwrap_err().code(),
        guarded.encode("a", &"x".repeat(50), &mut out).unwrap_err().code(),
        guarded.encode_json("a", Some("{"), &mut out).unwrap_err().code(),
        guarded.encode_json("a", Some("1\x0c"), &mut out).unwrap_err().code(),
        guarded.encode_envelope(None, Some("1"), &mut out).unwrap_err().code(),
        guarded.encode_envelope(Some("5"), Some("1"), &mut out).unwrap_err().code(),
        guarded.encode_envelope(Some(r#" "\u0065rror" "#), None, &mut out).unwrap_err().code(),
        guarded.encode_message(&Message::new("close", &1).unwrap(), &mut out).unwrap_err().code(),
    ];
    assert_eq!(
        refused,
        [
            Some(Code::ReservedEvent),
            Some(Code::InvalidEvent),
            Some(Code::EventTooLarge),
            None,
            Some(Code::FrameTooLarge),
            Some(Code::InvalidJson),
            Some(Code::InvalidJson),
            Some(Code::InvalidEvent),
            Some(Code::InvalidEvent),
            Some(Code::ReservedEvent),
            Some(Code::ReservedEvent),
        ]
    );
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = guarded.encode("a", &Broken { panics: true }, &mut out);
    }));
    assert!(panicked.is_err());
    assert_eq!(out, b"before");
}

#[test]
fn a_delimiter_in_the_payload_is_escaped_or_goes_with_the_white_space() {
    let frame = |delimiter: &str, data_json: &str| {
        let mut out = Vec::new();
        let encoder = Encoder::new(Delimiter::new(delimiter).unwrap(), 1000, Rules::default());
        encoder.encode_json("a|b", Some(data_json), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(frame("||", r#""c|d""#), r#"{"type":"a|b","data":"c|d"}||"#, "untouched when it does not occur");
    assert_eq!(frame("||", r#""c||d""#), r#"{"type":"a\u007cb","data":"c\u007c\u007cd"}||"#);
    assert_eq!(frame("€", r#"["€"]"#), r#"{"type":"a|b","data":["\u20ac"]}€"#);
    assert_eq!(frame("\n", "[ 1,\n\"\\n\"]"), "{\"type\":\"a|b\",\"data\":[1,\"\\n\"]}\n");
    assert_eq!(frame(" ", r#"{"k": "v w"}"#), r#"{"type":"a|b","data":{"k":"v\u0020w"}} "#);
}

#[test]
fn a_delimiter_may_not_begin_in_the_frame_that_it_ends() {
    // The end of the frame and the head of the delimiter would make an earlier delimiter.
    let encoder = Encoder::new(Delimiter::new("x\"}x\"}").unwrap(), 100, Rules::default());
    let mut out = Vec::new();
    encoder.encode("a", "x", &mut out).unwrap();
    assert_eq!(out, br#"{"type":"a","data":"\u0078"}x"}x"}"#);
}

#[test]
fn a_message_without_data_is_sent_without_data() {
    let mut out = Vec::new();
    encoder(100).encode_json("a", None, &mut out).unwrap();
    encoder(100).encode_message(&Message::from_json("b", None).unwrap(), &mut out).unwrap();
    encoder(100).encode_envelope(None, Some("1"), &mut out).unwrap();
    encoder(100).encode_envelope(None, None, &mut out).unwrap();
    assert_eq!(out, b"{\"type\":\"a\"}\x0c{\"type\":\"b\"}\x0c{\"data\":1}\x0c{}\x0c");
}

#[test]
fn raw_json_text_given_by_the_caller_is_checked() {
    let error = Message::from_json("a", Some("[1,]")).unwrap_err();
    assert_eq!(error.to_string(), "the given text is not valid JSON: expected a value at byte 3");
    assert!(Message::from_json("a", Some("")).is_err());
}

#[test]
fn messages_are_equal_if_name_and_payload_are_however_they_were_spelt() {
    let message = |frame: &str| event(frame).to_message();
    let one = message(r#"{"type":"a","data":[1]}"#);
    assert_eq!(one, message(r#"{"data":[1], "type":"\u0061"}"#));
    for other in [r#"{"type":"b","data":[1]}"#, r#"{"type":"a","data":[2]}"#, r#"{"type":"a"}"#] {
        assert_ne!(one, message(other), "{other}");
    }
}

#[test]
fn what_was_received_in_another_form_is_sent_on_in_the_usual_one() {
    for (received, sent) in [
        (r#"{"type":"a","data":[1, 2]}"#, "{\"type\":\"a\",\"data\":[1, 2]}\x0c"),
        (r#"{ "data":1,"type":"a","id":"mine" }"#, "{\"type\":\"a\",\"data\":1}\x0c"),
    ] {
        let event = event(received);
        let mut out = Vec::new();
        encoder(1000).encode_message(&event.to_message(), &mut out).expect("encoded");
        assert_eq!(String::from_utf8_lossy(&out), sent, "{received}");
        out.clear();
        encoder(1000).encode_event(&event, &mut out).expect("encoded");
        assert_eq!(String::from_utf8_lossy(&out), sent, "{received}");
    }
}

#[test]
fn what_is_no_error_of_the_type_is_told_as_well() {
    let told = |data: &str| Message::from_json("a", Some(data)).unwrap().data::<f64>().unwrap_err().to_string();
    assert!(told("1e999").contains("number out of range"), "{}", told("1e999"));
    let deep = ["[".repeat(200), "]".repeat(200)].concat();
    let error = Message::from_json("a", Some(&deep)).unwrap().data::<Value>().unwrap_err();
    assert!(error.to_string().contains("recursion limit exceeded"), "{error}");
    assert!(!error.is_absent());
    assert!(Message::from_json("a", None).unwrap().data::<f64>().unwrap_err().is_absent());
}

#[test]
fn a_name_shows_itself() {
    const TOTAL: EventName<f64> = EventName::new("total");
    assert_eq!(TOTAL.as_str(), "total");
    assert_eq!(format!("{TOTAL} {TOTAL:?}"), r#"total EventName("total")"#);
}

#[test]
fn escapes_count_for_the_size_of_a_message() {
    // Each "x" of the payload becomes \u0078.
    let delimiter = || Delimiter::new("x").unwrap();
    let length = r#"{"type":"m","data":"\u0078\u0078"}"#.len();
    let mut out = Vec::new();
    for limit in [length, length + 1] {
        out.clear();
        let encoder = Encoder::new(delimiter(), limit, Rules::default());
        assert_eq!(encoder.encode("m", "xx", &mut out).unwrap(), length + 1);
    }
    for limit in [length - 1, length - 5] {
        let refusal = Encoder::new(delimiter(), limit, Rules::default()).encode("m", "xx", &mut out).unwrap_err();
        assert!(matches!(refusal, EncodeError::FrameTooLarge { length: told, .. } if told == length), "{refusal}");
    }
}

#[test]
fn the_empty_object_of_an_event_without_data_reads_as_nothing_where_it_fits_nothing_else() {
    let message = Message::from_json("a", Some("{}")).unwrap();
    message.data::<()>().unwrap();
    message.data::<Empty>().unwrap();
    assert_eq!(message.data::<Option<String>>().unwrap(), None);
    assert_eq!(message.data::<Value>().unwrap(), json!({}));
    assert_eq!(message.data::<Option<Value>>().unwrap(), Some(json!({})), "it fits as it is");
    assert_eq!(
        message.data::<String>().unwrap_err().to_string(),
        r#"the data of event "a" does not fit the requested type: expected a string, found an object; it came as {}, as events without data do, and from node-ipc 9 null and "" too"#
    );
    let other = Message::from_json("a", Some(r#"{"b":1}"#)).unwrap();
    assert!(other.data::<()>().is_err() && other.data::<Option<String>>().is_err());
    assert!(!other.data::<()>().unwrap_err().to_string().contains("it came as"));
}
