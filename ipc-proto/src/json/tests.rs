//! The scanner, the writer and the text changes against `serde_json`, on text that is JSON and text that nearly is.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

/// JSON values up to a depth of 100.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\"\\\\/\u{0}-\u{1f} é€😀\u{2028}a-z]{0,40}".prop_map(Value::from),
    ];
    let bush = leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8).prop_map(|members| members.into_iter().collect()),
        ]
    });
    (bush, 0..90usize, any::<u64>()).prop_map(|(value, depth, kinds)| {
        (0..depth).fold(value, |inner, level| match kinds >> (level % 64) & 1 {
            0 => Value::from(vec![inner]),
            _ => Value::from_iter([("k".to_owned(), inner)]),
        })
    })
}

fn texts() -> impl Strategy<Value = String> {
    (values(), any::<bool>()).prop_map(|(value, pretty)| match pretty {
        true => format!("\r\n\t{value:#} "),
        false => value.to_string(),
    })
}

/// One change to a text: at a place, take some characters out and put others in.
fn changes() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let inserted = prop_oneof![
        r#"["\\/{}\[\]:,0-9eE+.\-tfnulrsa bx \t\n\r]{0,3}"#,
        r"\\u[0-9a-fA-Fg]{0,5}",
        Just("\u{c}".to_owned()),
        Just("\0".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{a0}".to_owned()),
        Just("1e999".to_owned()),
        Just(r"\ud800".to_owned()),
    ];
    (any::<prop::sample::Index>(), 0..4usize, inserted)
}

fn changed(text: &str, changes: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, taken, inserted) in changes {
        let start = place.index(chars.len() + 1);
        let end = (start + taken).min(chars.len());
        chars.splice(start..end, inserted.chars());
    }
    chars.into_iter().collect()
}

/// Compares the verdicts on `text`; where `serde_json`'s full parser refuses more, it must say one of the three known reasons.
fn agrees_with_serde_json(text: &str) -> Result<(), TestCaseError> {
    let ours = validate(text);
    let skimmed = serde_json::from_str::<IgnoredAny>(text);
    prop_assert_eq!(ours.is_ok(), skimmed.is_ok(), "{:?}: {:?} against {:?}", text, ours, skimmed.err());
    match (ours, serde_json::from_str::<Value>(text)) {
        (Ok(()), Ok(_)) => {}
        (Ok(()), Err(error)) => {
            let error = error.to_string();
            let known = ["recursion limit", "surrogate", "unexpected end of hex escape", "number out of range"];
            prop_assert!(known.iter().any(|reason| error.contains(reason)), "{:?}: {}", text, error);
        }
        (Err(invalid), parsed) => {
            prop_assert!(parsed.is_err(), "{:?}: {:?}", text, invalid);
            prop_assert!(invalid.offset <= text.len());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(if cfg!(miri) { 10 } else { 2000 }) })]

    #[test]
    fn what_serde_json_writes_is_valid(text in texts()) {
        prop_assert_eq!(validate(&text), Ok(()));
    }

    #[test]
    fn any_value_is_written_as_by_serde_json(value in values()) {
        let mut written = Vec::new();
        prop_assert!(write(&value, &mut written).is_ok());
        prop_assert_eq!(String::from_utf8(written), Ok(value.to_string()));
    }

    #[test]
    fn changed_json_is_judged_as_serde_json_judges_it(text in texts(), changes in prop::collection::vec(changes(), 1..4)) {
        agrees_with_serde_json(&changed(&text, &changes))?;
    }

    #[test]
    fn token_soup_is_judged_as_serde_json_judges_it(text in r#"([\[\]{}:,]|"a"|"\\n"|-?[0-9]{1,2}|1[.]5e[+]7|true|null| |\n){0,12}"#) {
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn number_soup_is_judged_as_serde_json_judges_it(text in "[-+.eE0-9]{1,12}") {
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn string_soup_is_judged_as_serde_json_judges_it(body in r#"([a-zé€😀 ]{0,20}|\\["\\/bfnrtux]|\\u[0-9a-fA-F]{3,4}|"|\x00){0,8}"#) {
        agrees_with_serde_json(&format!("\"{body}\""))?;
    }

    #[test]
    fn any_text_is_judged_as_serde_json_judges_it(text in any::<String>()) {
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn strings_are_unescaped_as_serde_json_does(text in any::<String>()) {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(unescape(&json[1..json.len() - 1]), text);
    }

    #[test]
    fn escaped_units_are_read_as_javascript_reads_them(
        units in prop::collection::vec(prop_oneof![any::<u16>(), 0xD7FE..0xE001u16, 0x20..0x7Fu16], 0..12),
        upper in any::<bool>(),
    ) {
        let body: String =
            units.iter().map(|unit| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") }).collect();
        let expected = String::from_utf16_lossy(&units);
        prop_assert_eq!(&unescape(&body), &expected);
        let json = format!("\"{body}\"");
        prop_assert_eq!(serde_json::from_str::<String>(&without_lone_surrogates(&json)).unwrap(), expected);
    }

    #[test]
    fn compacting_is_what_serde_json_would_have_written(value in values()) {
        prop_assert_eq!(compact(&format!(" {value:#}\n")), value.to_string());
    }

    #[test]
    fn text_changes_never_panic(text in any::<String>(), changes in prop::collection::vec(changes(), 0..4)) {
        let text = changed(&text, &changes);
        unescape(&text);
        without_lone_surrogates(&text);
        compact(&text);
    }
}
