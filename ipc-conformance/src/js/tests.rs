//! Facts about single values; the comparison with a real JavaScript engine is in `tests/javascript.rs`.

use super::*;

fn json(text: &str) -> Js {
    parse(text).expect("valid JSON")
}

fn back(value: &Js) -> String {
    stringify(value).expect("no cycle").expect("not undefined")
}

fn tagged(text: &str) -> Js {
    decode(&json(text)).expect("known tags")
}

fn line(value: &Js) -> String {
    back(&describe(value, &mut Numbers::default()))
}

#[test]
fn numbers_are_laid_out_as_javascript_does() {
    for (number, text) in [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1e20, "100000000000000000000"),
        (123_456_789_012_345_680_000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1.5e-6, "0.0000015"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (0.1 + 0.2, "0.30000000000000004"),
        (9_007_199_254_740_993.0, "9007199254740992"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(number_text(number), text);
    }
}

#[test]
fn keys_come_in_javascripts_order_and_the_last_duplicate_wins_in_place() {
    let value = json(r#"{"b":1,"10":2,"a":3,"2":4,"b":5,"01":6,"4294967295":7,"4294967294":8}"#);
    assert_eq!(back(&value), r#"{"2":4,"10":2,"4294967294":8,"b":5,"a":3,"01":6,"4294967295":7}"#);
}

#[test]
fn a_key_is_found_among_many() {
    let text: Vec<String> = (0..500).map(|n| format!("\"k{n}\":{n}")).collect();
    let value = json(&format!("{{{},\"k7\":-7}}", text.join(",")));
    assert_eq!(value.get("k499"), Some(&Js::Number(499.0)));
    assert_eq!(value.get("k7"), Some(&Js::Number(-7.0)));
    assert_eq!(value.as_object().map(JsObject::len), Some(500));
}

#[test]
fn lone_surrogates_survive_and_are_written_as_escapes() {
    let value = json(r#"["\ud800","\uDC00x","\ud83d\ude00","a\ud83d"]"#);
    assert_eq!(back(&value), "[\"\\ud800\",\"\\udc00x\",\"😀\",\"a\\ud83d\"]");
}

#[test]
fn numbers_beyond_the_doubles_are_infinite_and_minus_zero_is_kept() {
    assert_eq!(json("1e400"), Js::Number(f64::INFINITY));
    assert_eq!(json("-0"), Js::Number(-0.0));
    assert_ne!(json("-0"), Js::Number(0.0));
    assert_eq!(back(&json("[1e400,-0,9007199254740993]")), "[null,0,9007199254740992]");
}

#[test]
fn what_json_parse_refuses_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "\"\u{1}\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "[1 2]",
        "1 2",
        "{\"a\" 1}",
        "{\"a\":}",
        "[",
        "{",
        "\"",
        "{\"a\"",
        "\u{feff}1",
        "\u{a0}1",
        "NaN",
        "-",
        "--1",
        "]",
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.name == "SyntaxError");
    }
}

#[test]
fn a_value_a_hundred_thousand_levels_deep_needs_no_stack() {
    let array = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let object = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for text in [array, object] {
        let value = json(&text);
        assert_eq!(back(&value), text);
        assert!(value == json(&text));
        assert_eq!(short_json(&value), None);
        let copy = value.clone();
        assert_eq!(decode(&value).as_ref(), Ok(&copy));
        assert!(line(&value).contains("\"depth_along_first_keys\":100000"), "{value:?}");
    }
    let made = tagged(r#"{"$t":"nest","kind":"array","n":100000,"leaf":1}"#);
    assert_eq!(back(&made).len(), 200_001);
    assert!(buffer_from(&made, &|_| Ok(Vec::new())).is_err());
}

#[test]
fn sixty_levels_are_listed_and_one_more_is_described() {
    let nest = |n: usize| tagged(&format!("{{\"$t\":\"nest\",\"kind\":\"array\",\"n\":{n},\"leaf\":[]}}"));
    assert_eq!(line(&nest(59)), format!("{}[]{}", "[".repeat(59), "]".repeat(59)));
    let deep = line(&nest(60));
    assert!(
        deep.starts_with(r#"{"$t":"deep","depth_along_first_keys":61,"json_length":122,"json_sha256":""#),
        "{deep}"
    );
}

#[test]
fn tags_are_written_as_the_protocol_says() {
    assert_eq!(line(&Js::Undefined), r#"{"$t":"undefined"}"#);
    assert_eq!(line(&Js::Number(-0.0)), r#"{"$t":"number","v":"-0"}"#);
    assert_eq!(line(&Js::Number(f64::INFINITY)), r#"{"$t":"number","v":"Infinity"}"#);
    assert_eq!(line(&json(r#""\ud800""#)), r#"{"$t":"utf16","units":[55296]}"#);
    assert_eq!(line(&json(r#"{"$t":5,"a":1}"#)), r#"{"$t":"object","entries":[["$t",5],["a",1]]}"#);
    assert_eq!(
        line(&json(r#"{"\ud800":null}"#)),
        r#"{"$t":"object","entries":[[{"$t":"utf16","units":[55296]},null]]}"#
    );
    assert_eq!(line(&tagged(r#"{"$t":"buffer","hex":"00fF0"}"#)), r#"{"$t":"buffer","hex":"00ff"}"#);
    assert_eq!(line(&tagged(r#"[{"$t":"holes","length":2,"items":[[1,5]]}]"#)), "[[null,5]]");
    let error = JsError::with_code("Error", "ENOENT", "no such file");
    assert_eq!(line(&error.into()), r#"{"$t":"error","name":"Error","message":"no such file","code":"ENOENT"}"#);
}

#[test]
fn a_described_value_reads_back_as_itself() {
    for text in [
        r#"{"a":[1,"é😀",null,true],"$t":1}"#,
        r#"["\ud800",{"\udc00":{"$t":"x"}}]"#,
        "[-0]",
        r#"{"2":1,"1":2,"z":{}}"#,
    ] {
        let value = json(text);
        let described = describe(&value, &mut Numbers::default());
        assert_eq!(decode(&described).as_ref(), Ok(&value), "{text}");
    }
}

#[test]
fn sockets_are_numbered_by_appearance() {
    let mut numbers = Numbers::default();
    let socket = |key: u64, id: Js| Js::Socket(std::sync::Arc::new(Socket { key, id }));
    let show = |value: &Js, numbers: &mut Numbers| back(&describe(value, numbers));
    assert_eq!(show(&socket(77, Js::Undefined), &mut numbers), r#"{"$t":"socket","n":0}"#);
    assert_eq!(show(&socket(3, Js::text("x")), &mut numbers), r#"{"$t":"socket","n":1,"id":"x"}"#);
    assert_eq!(show(&socket(77, Js::Bool(false)), &mut numbers), r#"{"$t":"socket","n":0,"id":false}"#);
    assert_eq!((numbers.socket_key(1), numbers.socket_key(2)), (Some(3), None));
}

#[test]
fn unknown_tags_are_refused() {
    for text in [r#"{"$t":"callback"}"#, r#"[{"$t":"what"}]"#, r#"{"$t":"repeat"}"#, r#"{"$t":"nest","n":-1}"#] {
        assert!(decode(&json(text)).is_err(), "{text}");
    }
}

#[test]
fn dates_have_their_two_forms() {
    assert_eq!(back(&tagged(r#"{"$t":"date","v":0}"#)), r#""1970-01-01T00:00:00.000Z""#);
    assert_eq!(back(&tagged(r#"{"$t":"date","v":-62198755200001}"#)), r#""-000002-12-31T23:59:59.999Z""#);
    assert_eq!(back(&tagged(r#"{"$t":"date","v":8640000000000000}"#)), r#""+275760-09-13T00:00:00.000Z""#);
    assert_eq!(back(&tagged(r#"[{"$t":"date","v":null}]"#)), "[null]");
    assert_eq!(
        to_text(&tagged(r#"{"$t":"date","v":951827696000}"#)).expect("text").to_text(),
        "Tue Feb 29 2000 12:34:56 GMT+0000 (Coordinated Universal Time)"
    );
}
