//! What holds for every message and every stream, whatever its content and however it is cut up.

use ipc_proto::{Code, Decoder, Delimiter, Encoder, Event, Message, ProtocolError, Rules};
use proptest::prelude::*;
use serde_json::Value;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        // Texts that are likely to contain a delimiter.
        r"[\n\r\f|<>EOMNDx €é😀]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Every delimiter that is accepted, the likely ones more often.
fn delimiters() -> impl Strategy<Value = Delimiter> {
    prop_oneof![
        prop::sample::select(
            &[
                "\u{c}", "\n", "\r\n", "||", "|", "x", " ", "€", "😀", "END", "<EOM>", "}x}", "é\n", "\"x\"",
                "x\"}x\"}", "\u{7f}"
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        r#"[\x00-\x7fé€😀"}\]]{1,4}"#.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..4),
    ]
    .prop_filter_map("refused", |bytes| Delimiter::new(bytes).ok())
}

/// Where to cut: lengths of chunks, repeated.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..4usize, 1..100usize], 1..20)
}

fn pieces<'a>(mut stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &length in cuts.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let (piece, rest) = stream.split_at(length.min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// What comes out of a stream: events by name and payload, errors, and whether the decoder failed.
fn outcome(
    decoder: &mut Decoder,
    pieces: &[&[u8]],
    deferring: bool,
) -> Vec<Result<(String, Option<String>), ProtocolError>> {
    let mut outcome = Vec::new();
    for &piece in pieces {
        let mut input = piece;
        if deferring {
            decoder.defer(piece);
            input = &[];
        }
        loop {
            match decoder.next_frame(&mut input) {
                Ok(Some(frame)) => outcome.push(match Event::parse(frame, &Rules::default()) {
                    Ok(event) => Ok((event.name().to_owned(), event.data_json().map(str::to_owned))),
                    Err(malformed) => Err(malformed.error().clone()),
                }),
                Ok(None) => break,
                Err(error) => {
                    outcome.push(Err(error));
                    return outcome;
                }
            }
        }
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(if cfg!(miri) { 10 } else { 1000 }) })]

    #[test]
    fn any_message_arrives_as_it_was_sent(
        name in any::<String>(), value in values(), delimiter in delimiters(), cuts in cuts(), more in values(),
    ) {
        let encoder = Encoder::new(delimiter.clone(), usize::MAX, Rules::default());
        let mut stream = Vec::new();
        let first = encoder.encode(&name, &value, &mut stream).unwrap();
        prop_assert_eq!(first, stream.len());
        encoder.encode("more", &more, &mut stream).unwrap();

        let mut decoder = Decoder::new(delimiter, stream.len());
        let mut received = Vec::new();
        for mut piece in pieces(&stream, &cuts) {
            while let Some(frame) = decoder.next_frame(&mut piece).unwrap() {
                received.push(Event::parse(frame, &Rules::default()).unwrap().into_message());
            }
        }
        prop_assert_eq!(received.len(), 2);
        prop_assert_eq!(received[0].name(), &name);
        prop_assert_eq!(received[0].data::<Value>().unwrap(), value);
        prop_assert_eq!(received[1].data::<Value>().unwrap(), more);
        prop_assert!(decoder.is_empty());
    }

    #[test]
    fn all_ways_to_encode_give_the_same_frame(name in any::<String>(), value in values(), delimiter in delimiters()) {
        let encoder = Encoder::new(delimiter.clone(), usize::MAX, Rules::default());
        let mut frames = vec![Vec::new(); 5];
        encoder.encode(&name, &value, &mut frames[0]).unwrap();
        let json = value.to_string();
        encoder.encode_json(&name, Some(&json), &mut frames[1]).unwrap();
        encoder.encode_envelope(Some(&serde_json::to_string(&name).unwrap()), Some(&json), &mut frames[2]).unwrap();
        let message = Message::new(&name, &value).unwrap();
        encoder.encode_message(&message, &mut frames[3]).unwrap();
        let event = Event::parse(message.frame().as_bytes(), &Rules::default()).unwrap();
        prop_assert_eq!(&event.to_message(), &message);
        prop_assert_eq!(event.name_json(), message.name_json());
        encoder.encode_event(&event, &mut frames[4]).unwrap();
        for frame in &frames {
            prop_assert_eq!(frame, &frames[0]);
            prop_assert_eq!(delimiter.find(frame), Some(frame.len() - delimiter.as_bytes().len()));
        }
    }

    #[test]
    fn pretty_json_is_sent_safely(name in any::<String>(), value in values(), delimiter in delimiters()) {
        let encoder = Encoder::new(delimiter.clone(), usize::MAX, Rules::default());
        let mut frame = b"before".to_vec();
        encoder.encode_json(&name, Some(&format!(" {value:#}\r\n")), &mut frame).unwrap();
        let mut input = &frame[b"before".len()..];
        let mut decoder = Decoder::new(delimiter, usize::MAX);
        let frame = decoder.next_frame(&mut input).unwrap().unwrap();
        prop_assert!(input.is_empty());
        let event = Event::parse(frame, &Rules::default()).unwrap();
        prop_assert_eq!(event.data::<Value>().unwrap(), value);
        prop_assert_eq!(event.name(), &name);
    }

    #[test]
    fn any_stream_gives_the_same_however_it_is_cut(
        fragments in prop::collection::vec(prop_oneof![
            Just(br#"{"type":"a","data":1}"#.to_vec()),
            Just(br#"{"data":{"k":[1,2]},"type":"b"}"#.to_vec()),
            Just(br#"{"type":"long","data":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#.to_vec()),
            Just(b"DELIMITER".to_vec()),
            Just(b"DELIMITER".to_vec()),
            Just(b"HEAD".to_vec()),
            prop::collection::vec(any::<u8>(), 0..12),
        ], 0..12),
        delimiter in delimiters(),
        first in cuts(),
        second in cuts(),
        limit in prop_oneof![Just(usize::MAX), 0..90usize],
        deferring in any::<bool>(),
    ) {
        let bytes = delimiter.as_bytes();
        let stream: Vec<u8> = fragments.iter().flat_map(|fragment| match &fragment[..] {
            b"DELIMITER" => bytes,
            b"HEAD" => &bytes[..bytes.len() - 1],
            other => other,
        }).copied().collect();
        let decoder = || Decoder::new(delimiter.clone(), limit);
        let whole = outcome(&mut decoder(), &[&stream], false);
        prop_assert_eq!(&outcome(&mut decoder(), &pieces(&stream, &first), false), &whole);
        prop_assert_eq!(&outcome(&mut decoder(), &pieces(&stream, &second), deferring), &whole);
        prop_assert_eq!(&outcome(&mut decoder(), &pieces(&stream, &[1]), deferring), &whole);
    }

    #[test]
    fn no_frame_makes_a_panic_and_its_verdict_is_serde_jsons(frame in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        r#"[ \n]?\{("(type|data|x|\\u0074ype)"[ ]?:[ ]?("a"|"\\ud800"|1|null|\[1\]|\{"id":2\})[ ]?,?){0,4}\}[ ]?"#.prop_map(String::into_bytes),
    ]) {
        let text = String::from_utf8_lossy(&frame).into_owned();
        let valid = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        match Event::parse(&frame, &Rules::default()) {
            Ok(event) => {
                prop_assert!(valid);
                prop_assert_eq!(event.frame(), &text);
                let shown = format!("{event:?} {:?}", event.sender_id());
                prop_assert!(!shown.is_empty());
                let _ = event.data::<Value>();
                let message = event.to_message();
                prop_assert_eq!(message.data_json(), event.data_json());
            }
            Err(malformed) => {
                prop_assert_eq!(malformed.error().code() != Code::InvalidJson, valid);
                prop_assert_eq!(malformed.frame(), &text);
            }
        }
    }
}
