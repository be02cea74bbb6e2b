//! The writer beside `serde_json`, on every kind of value and of key.

use super::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Unit;

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Wrapped<T>(T);

#[derive(Serialize)]
struct Several(u8, &'static str, Option<bool>);

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unit,
    Newtype(u64),
    Tuple(i8, char),
    Struct { a: (), b: Vec<u8> },
}

#[derive(Serialize)]
struct Fields<'a> {
    #[serde(rename = "odd \"name\"\n")]
    odd: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<u8>,
    text: &'a str,
    #[serde(flatten)]
    flat: BTreeMap<&'static str, u8>,
    raw: &'a RawValue,
    kinds: [Kind; 4],
    unit: Unit,
    several: Several,
    wrapped: Wrapped<Wrapped<i128>>,
    shown: Shown,
}

struct Shown;

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}\t{:?}", 7, "\u{1}é"))
    }
}

/// Fails in its middle.
struct Broken;

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        seq.serialize_element(&1)?;
        Err(serde::ser::Error::custom("broken"))
    }
}

#[track_caller]
fn alike<T: Serialize + ?Sized>(value: &T) {
    let expected = serde_json::to_string(value).map_err(|error| error.to_string());
    let mut out = b"before".to_vec();
    let result = write(value, &mut out).map_err(|error| error.to_string());
    let found = result.map(|()| String::from_utf8(out.split_off(6)).unwrap());
    assert_eq!(found, expected);
    assert!(out.starts_with(b"before"));
}

#[test]
fn every_kind_of_value_is_written_as_by_serde_json() {
    let raw = RawValue::from_string(r#"{ "a" : [1e5, "\u00e9"] }"#.into()).unwrap();
    alike(&Fields {
        odd: 0.1,
        absent: None,
        text: "x\u{7f}\u{2028}",
        flat: [("k", 1), ("\"", 2)].into(),
        raw: &raw,
        kinds: [Kind::Unit, Kind::Newtype(u64::MAX), Kind::Tuple(-1, '"'), Kind::Struct { a: (), b: vec![0, 255] }],
        unit: Unit,
        several: Several(0, "", Some(true)),
        wrapped: Wrapped(Wrapped(i128::MIN)),
        shown: Shown,
    });
    alike(&(u128::MAX, i16::MIN, u16::MAX, i32::MIN, u32::MAX, i64::MIN, 'é', false, "", (), None::<u8>));
    alike(&[f64::NAN, f64::INFINITY, -0.0, 1e300, 5e-324, 0.1, 1e21]);
    alike(&[f32::NAN, f32::MIN_POSITIVE, 16_777_216.0]);
    alike(&json!({"a": [], "b": {}, "c": [{"": null}, [1, -2.5, "é\\"]], "d\u{1f}": u64::MAX}));
    alike(&[(); 0]);
    alike(&Value::Null);
}

#[test]
fn every_kind_of_key_is_written_or_refused_as_by_serde_json() {
    fn map<K: Ord, const N: usize>(keys: [K; N]) -> BTreeMap<K, u8> {
        keys.into_iter().zip(0..).collect()
    }
    alike(&map(["", "a", "\"\n"]));
    alike(&map([true, false]));
    alike(&map(['a', '"', 'é']));
    alike(&map([i8::MIN, 0, 1]));
    alike(&map([u64::MAX, 7]));
    alike(&map([i128::MIN, 7]));
    alike(&map([Wrapped("text"), Wrapped("")]));
    alike(&map([Wrapped(3)]));
    alike(&map([Kind::Unit]));
    alike(&map([Kind::Newtype(1)]));
    alike(&map([Kind::Tuple(1, 'a')]));
    alike(&map([Kind::Struct { a: (), b: vec![] }]));
    alike(&map([Some("a")]));
    alike(&map([None::<u8>]));
    alike(&map([()]));
    alike(&map([(1, 2)]));
    alike(&map([[1_u8, 2]]));
    alike(&map([vec!['a']]));
    alike(&map([std::net::Ipv4Addr::LOCALHOST]));
    alike(&BTreeMap::from([("first", BTreeMap::from([(1, "a"), (2, "b")])), ("second", BTreeMap::new())]));
}

#[test]
fn an_error_of_the_value_is_handed_on() {
    alike(&Broken);
    alike(&BTreeMap::from([("a", Broken)]));
    alike(&Several(1, "b", None));
}

#[test]
fn every_byte_of_ascii_is_written_as_by_serde_json_wherever_it_is() {
    for length in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 130] {
        for at in 0..length {
            for byte in [0, 1, 8, 9, 10, 11, 12, 13, 0x1f, b' ', b'!', b'"', b'#', b'[', b'\\', b']', 0x7f] {
                let mut text = vec![b'a'; length];
                text[at] = byte;
                text[length - 1 - at] = byte;
                alike(std::str::from_utf8(&text).unwrap());
            }
        }
    }
    (0..=0x7f_u8).for_each(|byte| alike(&format!("{}\"{}é", char::from(byte), char::from(byte))));
}
