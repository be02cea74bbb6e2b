//! What the derived code does: names, payloads on the wire, and what is wrong with an event that is none of the contract's.
//!
//! There is no `use` of anything that the derives name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_proto::{Message, Rules};
use serde::{Deserialize, Serialize};

/// What is said in a room.
#[derive(Debug, Clone, PartialEq, ipc_derive::Contract)]
#[serde(rename_all_fields = "camelCase")]
#[allow(non_camel_case_types, reason = "a raw identifier is one of the tests")]
pub(crate) enum Chat {
    /// Somebody said something.
    Message {
        from: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<u64>,
        #[serde(rename = "t")]
        text: String,
    },
    /// Somebody came.
    Joined(String),
    Ping,
    #[event("app.moved")]
    Moved(i32, i32),
    Saved(Vec<File>),
    Hidden(#[serde(with = "backwards")] String),
    r#type(Option<bool>),
    Nothing {},
    #[event("error", reserved)]
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    name: String,
    bytes: u64,
}

mod backwards {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        text.chars().rev().collect::<String>().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer).map(|text| text.chars().rev().collect())
    }
}

/// An event of this name is one of node-ipc's own, and a variant of this name is easily taken for an associated type.
#[derive(Debug, PartialEq, ipc_derive::Contract)]
enum Outcome {
    Done(u8),
    #[event("error", reserved)]
    Error(String),
}

#[test]
fn a_variant_may_be_called_error() {
    let message = Message::encode(&Outcome::Error("why".into())).unwrap();
    assert_eq!(message.name(), "error");
    assert_eq!(Outcome::try_from(&message).unwrap(), Outcome::Error("why".into()));
    assert_eq!((Outcome::ERROR.as_str(), Outcome::DONE.as_str()), ("error", "done"));
    assert_ne!(Outcome::Done(1), Outcome::Done(2));
}

fn all() -> Vec<(Chat, &'static str)> {
    vec![
        (
            Chat::Message { from: "ann".into(), reply_to: None, text: "hi".into() },
            r#"{"type":"message","data":{"from":"ann","t":"hi"}}"#,
        ),
        (
            Chat::Message { from: "ann".into(), reply_to: Some(7), text: "hi".into() },
            r#"{"type":"message","data":{"from":"ann","replyTo":7,"t":"hi"}}"#,
        ),
        (Chat::Joined("bob".into()), r#"{"type":"joined","data":"bob"}"#),
        (Chat::Ping, r#"{"type":"ping","data":{}}"#),
        (Chat::Moved(3, -4), r#"{"type":"app.moved","data":[3,-4]}"#),
        (
            Chat::Saved(vec![File { name: "a".into(), bytes: u64::MAX }]),
            r#"{"type":"saved","data":[{"name":"a","bytes":18446744073709551615}]}"#,
        ),
        (Chat::Hidden("abc".into()), r#"{"type":"hidden","data":"cba"}"#),
        (Chat::r#type(None), r#"{"type":"type","data":null}"#),
        (Chat::Nothing {}, r#"{"type":"nothing","data":{}}"#),
        (Chat::Failed("disk".into()), r#"{"type":"error","data":"disk"}"#),
    ]
}

#[test]
fn every_event_is_on_the_wire_what_the_page_says_and_comes_back() {
    for (event, wire) in all() {
        let message = Message::encode(&event).unwrap();
        assert_eq!(message.frame(), wire);
        assert_eq!(Chat::try_from(&message).unwrap(), event);
        let received = ipc_proto::Event::parse(wire.as_bytes(), &Rules::default()).unwrap();
        assert_eq!(Chat::try_from(&received).unwrap(), event);
    }
}

#[test]
fn names_are_in_the_order_of_the_variants() {
    use ipc_proto::Contract;
    let expected = ["message", "joined", "ping", "app.moved", "saved", "hidden", "type", "nothing", "error"];
    assert_eq!(Chat::NAMES, expected);
    for (event, _) in all() {
        assert!(Chat::NAMES.contains(&event.name()));
    }
}

#[test]
fn names_know_their_payloads() {
    let _: ipc_proto::EventName<String> = Chat::JOINED;
    let _: ipc_proto::EventName<ipc_proto::Empty> = Chat::PING;
    let _: ipc_proto::EventName<(i32, i32)> = Chat::MOVED;
    let _: ipc_proto::EventName<Vec<File>> = Chat::SAVED;
    let _: ipc_proto::EventName<Option<bool>> = Chat::TYPE;
    assert_eq!(Chat::MOVED.to_string(), "app.moved");
    // What a name promises is what the contract sends.
    let message = Message::encode(&Chat::Moved(3, -4)).unwrap();
    assert_eq!(message.data::<(i32, i32)>().unwrap(), (3, -4));
}

/// What a handler of this event alone is given.
fn given<T: serde::de::DeserializeOwned>(name: ipc_proto::EventName<T>, data: &str) -> Result<T, String> {
    let message = Message::from_json(name.as_str(), Some(data)).unwrap();
    message
        .data()
        .map_err(|error| std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
}

#[test]
fn named_fields_are_given_to_a_handler_as_those_of_a_struct() {
    let said = given(Chat::MESSAGE, r#"{"from":"ann","replyTo":7,"t":"hi"}"#).unwrap();
    assert_eq!((said.from.as_str(), said.reply_to, said.text.as_str()), ("ann", Some(7), "hi"));
    assert_eq!(given(Chat::MESSAGE, r#"{"t":"hi","from":"","more":1}"#).unwrap().reply_to, None);
    for data in ["null", "7", r#"{"from":"ann"}"#] {
        assert_eq!(given(Chat::MESSAGE, data).is_ok(), decode("message", Some(data)).is_ok(), "{data}");
    }
    let error = given(Chat::MESSAGE, "7").map(|said| said.text).unwrap_err();
    assert!(error.contains("expected an object"), "{error}");
    assert!(given(Chat::NOTHING, "{}").is_ok());
    assert_eq!(crowded::Careful::ERR.as_str(), "err");

    #[derive(ipc_derive::Contract)]
    #[serde(rename_all_fields(serialize = "kebab-case", deserialize = "camelCase"), deny_unknown_fields)]
    #[allow(dead_code)]
    enum Ruled {
        OfAll {
            two_words: u8,
        },
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        OfItsOwn {
            two_words: u8,
        },
    }
    assert_eq!(given(Ruled::OF_ALL, r#"{"twoWords":1}"#).unwrap().two_words, 1);
    assert_eq!(given(Ruled::OF_ITS_OWN, r#"{"TWO_WORDS":2}"#).unwrap().two_words, 2);
    let error = given(Ruled::OF_ALL, r#"{"twoWords":1,"more":2}"#).map(|fields| fields.two_words).unwrap_err();
    assert!(error.contains("unknown field `more`"), "{error}");
}

fn decode(name: &str, data: Option<&str>) -> Result<Chat, String> {
    let message = Message::from_json(name, data).unwrap();
    Chat::try_from(&message).map_err(|error| match error.is_unknown_event() {
        true => format!("unknown: {error}"),
        false => error.to_string(),
    })
}

#[test]
fn an_unknown_name_and_a_payload_that_does_not_fit_are_told_apart() {
    assert_eq!(
        decode("Joined", Some("\"bob\"")).unwrap_err(),
        "unknown: the contract has no event \"Joined\", only \"message\", \"joined\", \"ping\", \"app.moved\", \"saved\", \
         \"hidden\", \"type\", \"nothing\" and 1 more"
    );
    assert_eq!(
        decode("joined", Some("7")).unwrap_err(),
        "the data of event \"joined\" does not fit the requested type: expected a string, found a number (line 1, column 1)"
    );
    assert_eq!(
        decode("joined", None).unwrap_err(),
        "the data of event \"joined\" does not fit the requested type: expected a string (there is none, which was read as null)"
    );
    for (name, data) in [
        ("message", "{\"from\":\"ann\"}"),
        ("message", "null"),
        ("app.moved", "[1]"),
        ("app.moved", "[1,2,3]"),
        ("app.moved", "{\"0\":1}"),
        ("ping", "{\"x\":1}"),
        ("ping", "\"pong\""),
        ("nothing", "3"),
    ] {
        assert!(decode(name, Some(data)).unwrap_err().starts_with("the data of event"), "{name} {data}");
    }
}

#[test]
fn nothing_is_read_from_every_way_to_say_it() {
    for data in [None, Some("{}"), Some("null")] {
        assert_eq!(decode("ping", data), Ok(Chat::Ping));
    }
    assert_eq!(decode("type", None), Ok(Chat::r#type(None)));
}

#[test]
fn a_lone_surrogate_reads_as_a_replacement_character_as_elsewhere() {
    assert_eq!(decode("joined", Some("\"\\ud800!\"")), Ok(Chat::Joined("\u{fffd}!".into())));
}

#[test]
fn fields_that_nobody_knows_are_ignored_unless_the_contract_is_strict() {
    #[derive(Debug, PartialEq, ipc_derive::Contract)]
    #[serde(deny_unknown_fields)]
    enum Strict {
        Said { text: String },
    }
    assert!(decode("message", Some("{\"from\":\"a\",\"t\":\"b\",\"more\":1}")).is_ok());
    let message = Message::from_json("said", Some("{\"text\":\"b\",\"more\":1}")).unwrap();
    let error = Strict::try_from(&message).unwrap_err();
    assert!(
        std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("unknown field `more`"))
    );
}

#[test]
fn names_follow_the_rule_of_the_enum_and_a_private_enum_in_a_function_is_as_good() {
    #[derive(ipc_derive::Contract)]
    #[contract(rename_all = "kebab-case", crate = "ipc_proto")]
    #[allow(dead_code)]
    enum Local {
        FileSaved,
        #[event]
        FileGone(Inner),
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Inner;
    use ipc_proto::Contract;
    assert_eq!(Local::NAMES, ["file-saved", "file-gone"]);
}

/// With names that would be in the way of code that is not careful.
mod crowded {
    #![allow(dead_code, non_camel_case_types)]
    pub(crate) struct Option;
    pub(crate) struct Result;
    pub(crate) struct String;
    #[derive(::serde::Serialize, ::serde::Deserialize)]
    pub(crate) struct Wire(u8);
    mod core {}
    mod serde {}
    pub(crate) trait TryFrom {}

    #[derive(ipc_derive::Contract)]
    pub(crate) enum Careful {
        Ok(u8),
        Err { wire: u8 },
        None,
        Wired(Wire),
    }

    #[derive(::serde::Serialize, ::serde::Deserialize, ipc_derive::Contract)]
    pub(crate) enum AlsoSerialised {
        Some(u8),
    }
}

#[test]
fn the_code_does_not_mind_what_else_is_in_scope() {
    assert_eq!(
        Message::encode(&crowded::Careful::Err { wire: 1 }).unwrap().frame(),
        r#"{"type":"err","data":{"wire":1}}"#
    );
    assert_eq!(Message::encode(&crowded::AlsoSerialised::Some(1)).unwrap().frame(), r#"{"type":"some","data":1}"#);
    assert_eq!(crowded::Careful::NONE.as_str(), "none");
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ipc_derive::Request)]
#[request("add up", reply = f64)]
struct Sum {
    numbers: Vec<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ipc_derive::Request)]
#[request(reply = Vec<String>)]
struct ListUsers;

#[test]
fn requests_have_a_name_and_a_reply() {
    use ipc_proto::contract::Request;
    assert_eq!((Sum::NAME, ListUsers::NAME), ("add up", "listUsers"));
    let _: <Sum as Request>::Reply = 1.0;
    let _: <ListUsers as Request>::Reply = vec![String::new()];
}
