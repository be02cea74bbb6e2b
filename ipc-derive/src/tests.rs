//! What the derives refuse, with what words, and where in the source they point.

use crate::names::{self, Case, Named};
use ipc_proto::Rules;
use proc_macro2::Span;

/// The errors for this source, each as `line:column text`.
fn errors(source: &str) -> Vec<String> {
    expand(source, crate::expand::contract)
}

fn expand(
    source: &str,
    derive: fn(proc_macro2::TokenStream, &str) -> syn::Result<proc_macro2::TokenStream>,
) -> Vec<String> {
    let tokens = source.parse().expect("tokens");
    match derive(tokens, "ipc_tokio") {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .into_iter()
            .map(|error| {
                let start = error.span().start();
                format!("{}:{} {error}", start.line, start.column + 1)
            })
            .collect(),
    }
}

#[track_caller]
fn assert_refused(source: &str, place: &str, words: &str) {
    let errors = errors(source);
    let [error] = errors.as_slice() else { panic!("one error expected: {errors:?}") };
    assert!(error.starts_with(&format!("{place} ")) && error.contains(words), "{error}");
}

#[test]
fn shapes_that_are_no_contract_are_refused_where_they_stand() {
    assert_refused("struct Chat { text: String }", "1:8", "a contract is an enum");
    assert_refused("union Chat { a: u8 }", "1:7", "a contract is an enum");
    assert_refused("enum Chat {}", "1:6", "at least one event");
    assert_refused("enum Chat<T> { Joined(T) }", "1:10", "no parameters");
    assert_refused("enum Chat<'a> { Joined(&'a str) }", "1:10", "own what they carry");
    assert_refused("enum Chat { Ping = 1 }", "1:20", "an event has a name, no number");
    assert_refused("enum Chat { Ping() }", "1:17", "without parentheses");
}

#[test]
fn two_events_of_one_name_are_refused() {
    let source = "enum Chat {\n    Joined(String),\n    #[event(\"joined\")]\n    Came(String),\n}";
    assert_refused(source, "4:5", "`Joined` and `Came` are both named \"joined\" on the wire");
}

#[test]
fn names_that_some_peer_does_not_take_are_refused() {
    assert_refused("enum Chat { #[event(\"\")] Ping }", "1:21", "may not be empty");
    assert_refused("enum Chat { #[event(\"*\")] Ping }", "1:21", "every event");
    assert_refused("enum Chat { ToString }", "1:13", "a property of every JavaScript object");
    assert_refused("enum Chat { Error(String) }", "1:13", "insist with #[event(\"error\", reserved)]");
    assert_refused("enum Chat { #[event(\"ping\", reserved)] Ping }", "1:21", "leave `reserved` out");
    assert_refused(&format!("enum Chat {{ #[event(\"{}\")] Ping }}", "n".repeat(257)), "1:21", "257 UTF-16 units");
    assert!(errors("enum Chat { #[event(\"error\", reserved)] Error(String) }").is_empty());
    assert!(errors(&format!("enum Chat {{ #[event(\"{}\")] Ping }}", "n".repeat(256))).is_empty());
}

#[test]
fn the_rules_about_names_are_those_of_the_strictest_peers() {
    let strict =
        Rules { max_event_name: Some(names::LONGEST), refuse_reserved: true, refuse_unsafe: true, allowed: None };
    let long = "é".repeat(names::LONGEST + 1);
    let others = ["", "message", "app.message", "Error", "proto", long.as_str(), &long[2..]];
    for name in names::RESERVED.into_iter().chain(names::OBJECT_PROTOTYPE).chain(others) {
        let here = names::check(name, Named::Event { reserved: false }, Span::call_site());
        assert_eq!(here.is_ok(), strict.check(name).is_ok(), "{name:?}: {here:?}");
    }
}

#[test]
fn attributes_that_do_not_exist_are_refused_with_those_that_do() {
    assert_refused("#[contract(rename = \"x\")] enum Chat { Ping }", "1:12", "expected `rename_all = ");
    assert_refused(
        "#[contract(rename_all = \"Camel\")] enum Chat { Ping }",
        "1:25",
        "one of `camelCase`, `snake_case`",
    );
    assert_refused("enum Chat { #[event(name = \"ping\")] Ping }", "1:21", "the name of the event as a string");
    assert_refused("enum Chat { #[event(\"a\", \"b\")] Ping }", "1:26", "one name");
}

#[test]
fn what_an_attribute_should_say_is_said_where_it_says_something_else() {
    assert_refused("enum Chat { #[event(5)] Ping }", "1:21", "the name of the event as a string");
    assert_refused("#[contract(rename_all)] enum Chat { Ping }", "1:12", "expected a string: `rename_all = \"…\"`");
    assert_refused("#[contract(crate = 5)] enum Chat { Ping }", "1:20", "expected a string: `crate = \"…\"`");
    for path in ["", "not here"] {
        let source = format!("#[contract(crate = \"{path}\")] enum Chat {{ Ping }}");
        assert_refused(&source, "1:20", "the path of a crate, as in `crate = \"ipc_tokio\"`");
    }
    let twice = "#[contract(rename_all = \"camelCase\", rename_all = \"camelCase\")] enum Chat { Ping }";
    assert_refused(twice, "1:38", "said twice");
}

#[test]
fn attributes_where_they_would_have_no_effect_are_refused() {
    assert_refused("#[event(\"x\")] enum Chat { Ping }", "1:3", "put it on a variant");
    assert_refused("enum Chat { #[contract(typescript)] Ping }", "1:15", "a variant has `#[event(…)]`");
    assert_refused("enum Chat { Said { #[event(\"x\")] text: String } }", "1:22", "put it on the variant");
    assert_refused("enum Chat { Said(#[contract(typescript)] String) }", "1:20", "put it on the enum");
}

#[test]
fn events_that_borrow_are_refused() {
    assert_refused("enum Chat { Said(&'static str) }", "1:18", "`String` in place of `&str`");
    assert_refused("enum Chat { Said { bytes: &'static [u8] } }", "1:27", "`Vec<T>` in place of `&[T]`");
    assert!(errors("enum Chat { Said { text: String, #[serde(skip)] by: &'static str } }").is_empty());
}

#[test]
fn attributes_of_serde_that_would_have_no_effect_are_refused() {
    assert_refused("#[serde(rename_all = \"camelCase\")] enum Chat { Ping }", "1:9", "#[contract(rename_all = ");
    assert_refused("#[serde(tag = \"type\")] enum Chat { Ping }", "1:9", "no meaning for a contract");
    assert_refused("enum Chat { #[serde(rename = \"p\")] Ping }", "1:21", "an event is named by `#[event(");
    assert_refused("enum Chat { #[serde(other)] Ping }", "1:21", "none is needed");
    assert_refused("enum Chat { #[serde(skip)] Ping }", "1:21", "no meaning for an event");
    let fine = "#[serde(rename_all_fields = \"camelCase\", deny_unknown_fields)] enum Chat {
        #[serde(rename_all = \"UPPERCASE\")] Said { #[serde(default, rename = \"t\")] text: String, more: u8 },
        Joined(#[serde(with = \"module\")] String),
    }";
    assert_eq!(errors(fine), Vec::<String>::new());
}

#[test]
fn a_variant_that_hides_a_constant_is_refused() {
    assert_refused("enum Chat { A(u8) }", "1:13", "the variant `A` hides the constant `A` of `A`");
    let errors = errors("enum Chat { FooBar(u8), Foo_Bar(u8) }");
    assert!(errors.iter().any(|error| error.contains("would both have the constant `FOO_BAR`")), "{errors:?}");
    assert_refused("enum Chat { A { b: u8 } }", "1:13", "the variant `A` hides the constant `A` of `A`");
    // With a name in PascalCase, or without a constant, there is nothing to hide.
    assert!(self::errors("enum Chat { Ab { b: u8 } }").is_empty());
    assert!(self::errors("enum Chat { A(#[serde(skip)] u8) }").is_empty());
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let all = errors("enum Chat {\n#[event(\"\")] A1,\nB2 = 2,\nError,\n}");
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
#[cfg(feature = "typescript")]
fn what_typescript_would_say_wrong_is_refused() {
    let field = |attributes: &str| {
        errors(&format!("#[contract(typescript)]\nenum Chat {{ Said {{ {attributes} text: Option<String> }} }}"))
    };
    for wrong in [
        "#[serde(skip_serializing_if = \"Option::is_none\")]",
        "#[serde(skip_serializing)]",
        "#[serde(with = \"module\")]",
        "#[serde(deserialize_with = \"read\")]",
        "#[serde(rename(serialize = \"a\", deserialize = \"b\"))]",
    ] {
        assert_eq!(field(wrong).len(), 1, "{wrong}");
        assert!(field(wrong)[0].starts_with("2:28 "), "{:?}", field(wrong));
    }
    for right in [
        "",
        "#[serde(default, skip_serializing_if = \"Option::is_none\")]",
        "#[serde(with = \"module\")] #[ts(type = \"string\")]",
        "#[serde(rename = \"t\", alias = \"x\")]",
        "#[serde(skip)]",
    ] {
        assert_eq!(field(right), Vec::<String>::new(), "{right}");
    }
}

#[test]
#[cfg(not(feature = "typescript"))]
fn typescript_wants_its_feature() {
    assert_refused("#[contract(typescript)] enum Chat { Ping }", "1:12", "turn on the feature `typescript`");
}

#[test]
fn requests_say_what_the_reply_is() {
    let errors = |source: &str| expand(source, crate::request::request);
    assert!(errors("#[request(reply = f64)] struct Sum { numbers: Vec<f64> }").is_empty());
    assert!(errors("#[request(\"add up\", reply = Vec<(u8, u8)>, crate = \"ipc\")] struct Sum;").is_empty());
    assert!(errors("struct Sum;")[0].contains("#[request(reply = Type)]"));
    assert!(errors("#[request(answer = f64)] struct Sum;")[0].starts_with("1:11 expected the name"));
    assert!(errors("#[request(reply = f64)] struct Sum<T>(T);")[0].contains("no type parameters"));
    for wrong in ["reply", "Total", "5", "answer"] {
        let error = errors(&format!("#[request({wrong})] struct Sum;")).remove(0);
        assert!(error.starts_with("1:11 expected the name of the request as a string, `reply = Type`"), "{error}");
    }
    let twice = errors("#[request(\"a\", \"b\", reply = f64)] struct Sum;").remove(0);
    assert!(twice.starts_with("1:16 a request has one name"), "{twice}");
    let twice = errors("#[request(reply = f64, reply = f32)] struct Sum;").remove(0);
    assert!(twice.starts_with("1:24 this is said twice"), "{twice}");
    for inside in ["struct Sum { #[request(reply = f64)] n: u8 }", "enum Sum { #[request(reply = f64)] N }"] {
        let error = errors(&format!("#[request(reply = f64)] {inside}")).remove(0);
        assert!(error.contains("put it on the struct or enum itself"), "{error}");
    }
    let own = errors("#[request(reply = f64)] struct Connect;").remove(0);
    assert!(
        own.contains("node-ipc's own") && own.ends_with("choose another with #[request(\"…\", reply = …)]"),
        "{own}"
    );
    for name in ["", "*", "$reply", "toString", &"n".repeat(257)] {
        let error = errors(&format!("#[request(\"{name}\", reply = f64)] struct Sum;")).remove(0);
        assert!(error.contains("#[request(") && !error.contains("event may") && !error.contains("#[event("), "{error}");
    }
}

#[test]
fn names_come_from_identifiers_in_every_case() {
    for (case, expected) in [
        (Case::Camel, "fileSaved"),
        (Case::Snake, "file_saved"),
        (Case::Kebab, "file-saved"),
        (Case::Pascal, "FileSaved"),
        (Case::ScreamingSnake, "FILE_SAVED"),
        (Case::ScreamingKebab, "FILE-SAVED"),
        (Case::Lower, "filesaved"),
        (Case::Upper, "FILESAVED"),
    ] {
        assert_eq!(case.apply("FileSaved"), expected);
    }
    assert_eq!(Case::Camel.apply("Ä"), "ä");
    assert_eq!(Case::Snake.apply("Foo_Bar"), "foo_bar");
    assert_eq!(Case::Kebab.apply("type"), "type");
}
