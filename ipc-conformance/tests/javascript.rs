//! The value model against a real JavaScript engine: thousands of generated values, the same answer from both.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use ipc_conformance::js::{self, Js, JsError, JsString, Numbers};
use ipc_conformance::node::{or_skip, system_node};
use ipc_proto::Encoding;

/// Asks the engine all questions in one go. Nothing if there is no node.
fn ask(questions: &[Js]) -> Option<Vec<Js>> {
    let node = or_skip("the value model against JavaScript", system_node())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle.mjs");
    let mut child = Command::new(node)
        .arg(script)
        .env("TZ", "UTC")
        .env_remove("NODE_OPTIONS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = child.stdin.take().expect("piped");
    let lines: Vec<String> = questions.iter().map(text_of).collect();
    let writer = std::thread::spawn(move || {
        for line in lines {
            stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n")).expect("node reads");
        }
    });
    let answers: Vec<Js> = BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .map(|line| js::parse(&line.expect("UTF-8")).expect("JSON"))
        .collect();
    writer.join().expect("all questions written");
    assert!(child.wait().expect("node ends").success());
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

fn text_of(value: &Js) -> String {
    js::stringify(value).expect("plain data").expect("plain data")
}

fn units(text: &JsString) -> Js {
    text.units().iter().map(|unit| Js::Number(f64::from(*unit))).collect::<Vec<_>>().into()
}

fn units_of(text: &str) -> Js {
    units(&text.into())
}

/// What the oracle answers for a result of ours.
fn answer(result: Result<Js, JsError>) -> Js {
    match result {
        Ok(value) => Js::object([("is", value)]),
        Err(error) => {
            let mut entries = vec![("throws", Js::String(error.name.clone()))];
            entries.extend(error.code().map(|code| ("code", code.clone())));
            Js::object(entries)
        }
    }
}

fn compare(questions: &[Js], ours: impl Fn(&Js) -> Js) {
    let Some(theirs) = ask(questions) else { return };
    for (question, expected) in questions.iter().zip(&theirs) {
        let got = ours(question);
        assert!(got == *expected, "{question:?}\nJavaScript {expected:?}\nours       {got:?}");
    }
}

/// A small deterministic generator: the same values in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).expect("small")
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

const NUMBERS: [&str; 30] = [
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1e0",
    "1E+2",
    "1e-7",
    "0.000001",
    "1e21",
    "1e20",
    "123456789012345678901234567890",
    "1e400",
    "-1e400",
    "1e-400",
    "9007199254740993",
    "0.1",
    "5e-324",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "2.2250738585072011e-308",
    "3.5",
    "4294967295",
    "1e-6",
    "1.5e-6",
    "100",
    "12e3",
    "0.0",
    "-0.0e5",
    "18446744073709551615",
];
const PIECES: [&str; 26] = [
    "a",
    "z",
    "é",
    "€",
    "😀",
    "\\n",
    "\\f",
    "\\\"",
    "\\\\",
    "\\/",
    "\\u0000",
    "\\u001f",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\\u00e9",
    "\u{7f}",
    "\u{2028}",
    "\u{feff}",
    "$t",
    "id",
    "0",
    "length",
    "\\b",
    "\\t",
    "\\r",
];
const KEYS: [&str; 22] = [
    "a",
    "b",
    "0",
    "1",
    "10",
    "01",
    "-1",
    "4294967294",
    "4294967295",
    "4294967296",
    "$t",
    "__proto__",
    "toString",
    "",
    "é",
    "\\ud800",
    "1e3",
    " 1",
    "constructor",
    "id",
    "length",
    "1.5",
];

/// A JSON text with all the liberties of the grammar.
fn json_text(dice: &mut Dice, depth: usize, out: &mut String) {
    const SPACES: [&str; 6] = ["", "", "", " ", "\n\t", "\r "];
    out.push_str(dice.pick(&SPACES));
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 => out.push_str(dice.pick(&["null", "true", "false"])),
        1 | 2 => out.push_str(dice.pick(&NUMBERS)),
        3 | 4 => json_string(dice, &PIECES, 6, out),
        5 | 6 => {
            out.push('[');
            for at in 0..dice.below(5) {
                out.push_str(if at > 0 { "," } else { "" });
                json_text(dice, depth - 1, out);
            }
            out.push_str(dice.pick(&SPACES));
            out.push(']');
        }
        _ => {
            out.push('{');
            for at in 0..dice.below(7) {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(dice.pick(&SPACES));
                json_string(dice, &KEYS, 1, out);
                out.push_str(dice.pick(&SPACES));
                out.push(':');
                json_text(dice, depth - 1, out);
            }
            out.push_str(dice.pick(&SPACES));
            out.push('}');
        }
    }
    out.push_str(dice.pick(&SPACES));
}

fn json_string(dice: &mut Dice, pieces: &[&str], most: usize, out: &mut String) {
    out.push('"');
    for _ in 0..=dice.below(most) {
        out.push_str(dice.pick(pieces));
    }
    out.push('"');
}

fn question(op: &str, entries: impl IntoIterator<Item = (&'static str, Js)>) -> Js {
    Js::object([("op", Js::text(op))].into_iter().chain(entries))
}

fn units_in(question: &Js) -> JsString {
    let list = question.get("text").and_then(Js::as_array).expect("units");
    let unit = |value: &Js| match value {
        Js::Number(number) => *number as u16,
        _ => 0,
    };
    JsString::from_units(list.iter().map(unit).collect::<Vec<u16>>())
}

#[test]
fn numbers_print_as_in_javascript() {
    let mut dice = Dice(1);
    let mut numbers: Vec<f64> = (0..20_000).map(|_| f64::from_bits(dice.roll())).collect();
    for _ in 0..20_000 {
        let digits = dice.roll() >> dice.below(64);
        numbers.push(digits as f64 * 10f64.powi(dice.below(40) as i32 - 30));
        numbers.push(digits as i64 as f64);
    }
    for power in -330..320 {
        numbers.push(format!("1e{power}").parse().expect("number"));
        numbers.push(format!("-9.5e{power}").parse().expect("number"));
    }
    let bits = |number: &f64| Js::text(&format!("{:x}", number.to_bits()));
    let questions: Vec<Js> = numbers.iter().map(|number| question("number", [("bits", bits(number))])).collect();
    compare(&questions, |question| {
        let bits = question.get("bits").and_then(Js::as_string).expect("bits").to_text();
        let number = f64::from_bits(u64::from_str_radix(&bits, 16).expect("bits"));
        answer(Ok(Js::text(&js::number_text(number))))
    });
}

#[test]
fn texts_become_numbers_as_in_javascript() {
    const PARTS: [&str; 28] = [
        "",
        " ",
        "\t",
        "\u{feff}",
        "\u{85}",
        "\u{a0}",
        "0",
        "7",
        "12",
        "0x",
        "0X1f",
        "0b101",
        "0o17",
        "-",
        "+",
        ".",
        "e",
        "E5",
        "e-3",
        "Infinity",
        "inf",
        "nan",
        "NaN",
        "_",
        "9007199254740993",
        "ffffffffffffffffff8001",
        "1n",
        "x",
    ];
    let mut dice = Dice(2);
    let mut texts: Vec<String> = NUMBERS.iter().map(|text| (*text).to_owned()).collect();
    for _ in 0..10_000 {
        texts.push((0..=dice.below(4)).map(|_| dice.pick(&PARTS)).collect());
    }
    let questions: Vec<Js> = texts.iter().map(|text| question("to_number", [("text", units_of(text))])).collect();
    compare(&questions, |question| {
        let number = js::to_number(&Js::String(units_in(question))).expect("text");
        let bits = if number.is_nan() { "NaN".to_owned() } else { format!("{:x}", number.to_bits()) };
        answer(Ok(Js::text(&bits)))
    });
}

fn generated_texts(seed: u64, count: usize) -> Vec<JsString> {
    let mut dice = Dice(seed);
    (0..count)
        .map(|_| {
            let mut text = String::new();
            json_text(&mut dice, 5, &mut text);
            text.into()
        })
        .collect()
}

#[test]
fn json_is_parsed_and_printed_as_in_javascript() {
    let mut texts = generated_texts(3, 10_000);
    // The same with one character lost, doubled or replaced: mostly no JSON any more.
    let mut dice = Dice(4);
    for text in generated_texts(5, 20_000) {
        let mut chars: Vec<char> = text.to_text().chars().collect();
        let at = dice.below(chars.len());
        match dice.below(3) {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, chars[at]),
            _ => {
                chars[at] = dice.pick(&['0', '"', ',', ']', '}', '\\', 'e', '-', '\u{1}', '\u{a0}', '1', 'u']);
            }
        }
        texts.push(chars.into_iter().collect::<String>().into());
    }
    let questions: Vec<Js> = texts.iter().map(|text| question("json", [("text", units(text))])).collect();
    compare(&questions, |question| {
        let parsed = js::parse(&units_in(question).to_text());
        answer(parsed.map(|value| units_of(&text_of(&value))))
    });
}

#[test]
fn values_are_described_as_by_the_node_peer() {
    let mut texts = generated_texts(6, 10_000);
    let long: Vec<String> = vec![
        format!("\"{}\"", "é".repeat(2_048)),
        format!("\"{}\"", "é".repeat(2_049)),
        format!("\"{}\\ud83d\\ude00{}\"", "x".repeat(31), "y".repeat(2_030)),
        format!("\"\\udc00{}\\ud800\"", "😀".repeat(1_500)),
        format!("[{}0]", "0,".repeat(2_999)),
        format!("[{}0]", "1.50,".repeat(3_000)),
        format!("{{\"a\":[{}\"é\"]}}", "{},".repeat(3_000)),
        format!("{{{}\"z\":0}}", (0..2_999).map(|n| format!("\"{n}\":1,")).collect::<String>()),
        format!("{{{}\"$t\":0}}", (0..3_000).map(|n| format!("\"k{n}\":1,")).collect::<String>()),
        format!("{}{}", "[".repeat(60), "]".repeat(60)),
        format!("{}{}", "[".repeat(61), "]".repeat(61)),
        format!("{}{}{}", "{\"a\":".repeat(61), "\"é😀\\ud800\"", "}".repeat(61)),
        format!("[1,{}{}]", "{\"a\":".repeat(61).replace("{\"a\"", "{\"1\":2,\"a\""), "1".to_owned() + &"}".repeat(61)),
        format!("{}{}", "[".repeat(2_000), "]".repeat(2_000)),
        format!("[\"{}\"]", "x".repeat(4_092)),
        format!("[\"{}\"]", "x".repeat(4_093)),
        format!("[\"{}\"]", "€".repeat(4_092)),
    ];
    texts.extend(long.into_iter().map(JsString::from));
    let questions: Vec<Js> = texts.iter().map(|text| question("describe", [("text", units(text))])).collect();
    compare(&questions, |question| {
        let parsed = js::parse(&units_in(question).to_text());
        answer(parsed.map(|value| {
            let described = text_of(&js::describe(&value, &mut Numbers::default()));
            let json = js::short_json(&value).map_or(Js::Null, |json| units_of(&json));
            vec![units_of(&described), json].into()
        }))
    });
}

/// A tagged value with tags of every kind that both sides know.
fn tagged(dice: &mut Dice, depth: usize) -> Js {
    const LEAVES: [&str; 44] = [
        "null",
        "true",
        "5",
        "-1.5",
        "\"\"",
        "\"7\"",
        "\"0x10\"",
        "\" 3 \"",
        "\"x\"",
        "\"é€😀\"",
        r#"{"$t":"undefined"}"#,
        r#"{"$t":"number","v":"NaN"}"#,
        r#"{"$t":"number","v":"-0"}"#,
        r#"{"$t":"number","v":"-Infinity"}"#,
        r#"{"$t":"bigint","v":"123"}"#,
        r#"{"$t":"utf16","units":[55296,65]}"#,
        r#"{"$t":"buffer","hex":"00ff10"}"#,
        r#"{"$t":"buffer","hex":""}"#,
        r#"{"$t":"buffer","hex":"37"}"#,
        r#"{"$t":"uint8array","hex":"0203"}"#,
        r#"{"$t":"float64array","v":[1.5,300,-1]}"#,
        r#"{"$t":"date","v":0}"#,
        r#"{"$t":"date","v":null}"#,
        r#"{"$t":"date","v":1234567890123.7}"#,
        r#"{"$t":"date","v":-70000000000000}"#,
        r#"{"$t":"function"}"#,
        r#"{"$t":"symbol"}"#,
        r#"{"$t":"map","entries":[["a",1]]}"#,
        r#"{"$t":"set","values":[1]}"#,
        r#"{"$t":"regexp","v":"a"}"#,
        r#"{"$t":"boxed","v":"boxed é"}"#,
        r#"{"$t":"boxed","v":12}"#,
        r#"{"$t":"boxed","v":true}"#,
        r#"{"$t":"holes","length":3,"items":[[1,5]]}"#,
        r#"{"$t":"circular"}"#,
        r#"{"$t":"nest","kind":"array","n":3}"#,
        r#"{"$t":"nest","kind":"object","n":2,"leaf":7}"#,
        r#"{"$t":"nest","kind":"object","n":70,"leaf":7}"#,
        r#"{"$t":"repeat","s":"ab","n":3,"prefix":"<","suffix":">"}"#,
        r#"{"$t":"object","entries":[["$t",1],["2",3],["1",4]]}"#,
        r#"{"0":1,"1":300,"length":3}"#,
        r#"{"type":"Buffer","data":[1,"2",null]}"#,
        r#"{"length":"3"}"#,
        r#"{"valueOf":1}"#,
    ];
    if depth == 0 || dice.below(3) == 0 {
        return js::parse(dice.pick(&LEAVES)).expect("JSON");
    }
    let list = |dice: &mut Dice| (0..dice.below(4)).map(|_| tagged(dice, depth - 1)).collect::<Vec<_>>();
    match dice.below(8) {
        0..=3 => list(dice).into(),
        4 | 5 => {
            let keys = ["a", "0", "1", "length", "id", "toString", "data"];
            list(dice).into_iter().map(|value| (dice.pick(&keys), value)).collect::<js::JsObject>().into()
        }
        6 => Js::object([("$t", Js::text("tojson")), ("v", tagged(dice, depth - 1))]),
        _ => Js::object([("$t", Js::text("boxed")), ("v", tagged(dice, depth - 1))]),
    }
}

#[test]
fn tagged_values_are_decoded_and_printed_as_by_the_node_peer() {
    let mut dice = Dice(7);
    let questions: Vec<Js> = (0..20_000).map(|_| question("tagged", [("value", tagged(&mut dice, 4))])).collect();
    compare(&questions, |question| {
        let value = js::decode(question.get("value").expect("value"));
        answer(value.and_then(|value| {
            let described = text_of(&js::describe(&value, &mut Numbers::default()));
            let json = js::stringify(&value)?.map_or(Js::Null, |json| units_of(&json));
            Ok(vec![units_of(&described), json].into())
        }))
    });
}

#[test]
fn bytes_are_made_as_by_buffer_from() {
    const ENCODINGS: [&str; 9] = ["utf8", "ascii", "latin1", "binary", "ucs2", "utf16le", "base64", "base64url", "hex"];
    let mut dice = Dice(8);
    let questions: Vec<Js> = (0..10_000)
        .map(|_| {
            let encoding = Js::text(dice.pick(&ENCODINGS));
            question("buffer", [("value", tagged(&mut dice, 2)), ("encoding", encoding)])
        })
        .collect();
    compare(&questions, |question| {
        let name = question.get("encoding").and_then(Js::as_string).expect("name").to_text();
        let encoding: Encoding = name.parse().expect("known encoding");
        let value = js::decode(question.get("value").expect("value"));
        answer(value.and_then(|value| {
            let bytes = js::buffer_from(&value, &|units| Ok(encoding.encode_utf16(units)))?;
            Ok(Js::text(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        }))
    });
}
