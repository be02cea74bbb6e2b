//! The protocol without a network.

use std::sync::Arc;
use std::time::Duration;

use ipc_proto::{Host, Platform, StopRetrying};

use super::*;
use crate::js::{Js, JsError, JsString, Socket, stringify};

const AT: Stamp = Stamp { since_start: 12.34, since_1970: 1_700_000_000_000.25 };

fn options(text: &str) -> Options {
    Options::parse(text).expect("good options")
}

fn dispatcher(text: &str) -> Dispatcher<Vec<u8>> {
    Dispatcher::new(&options(text), Lines::new(Vec::new()))
}

/// The lines so far without their times, and none of them twice.
fn take(dispatcher: &mut Dispatcher<Vec<u8>>, seen: &mut usize) -> Vec<String> {
    let text = String::from_utf8(dispatcher.lines().get_ref().clone()).expect("UTF-8");
    let new = text[*seen..].lines().map(|line| {
        let (rest, times) = line.split_at(line.rfind(",\"t\":").expect("times"));
        assert_eq!(times, r#","t":12.3,"e":1700000000000.3}"#);
        format!("{rest}}}")
    });
    let new = new.collect();
    *seen = text.len();
    new
}

fn socket(key: u64) -> Js {
    Js::Socket(Arc::new(Socket { key, id: Js::Undefined }))
}

fn client() -> Source {
    Source::Client("peer".into())
}

fn call(text: &str) -> Call {
    Call::read(text.as_bytes()).expect("JSON").expect("a command")
}

fn command(text: &str) -> Command {
    call(text).command.expect("a good command")
}

#[test]
fn the_tap_tells_every_event_and_nothing_else_does() {
    let mut seen = 0;
    let mut dispatcher = dispatcher("{}");
    let emitter = dispatcher.attach(client());
    assert!(dispatcher.event(emitter, &Js::text("connect"), &[], AT).is_empty());
    let data = crate::js::parse(r#"{"b":[1.50],"1":"\ud800"}"#).expect("JSON");
    dispatcher.event(emitter, &Js::text("message"), &[data], AT);
    dispatcher.event(emitter, &Js::text("message"), &[Js::text("x")], AT);
    dispatcher.event(emitter, &Js::Number(5.0), &[Js::Undefined], AT);
    assert_eq!(
        take(&mut dispatcher, &mut seen),
        [
            r#"{"ev":"event","src":"client","type":"connect","id":"peer","args":[]}"#,
            r#"{"ev":"event","src":"client","type":"message","id":"peer","args":[{"1":{"$t":"utf16","units":[55296]},"b":[1.5]}],"data_json":"{\"1\":\"\\ud800\",\"b\":[1.5]}"}"#,
            r#"{"ev":"event","src":"client","type":"message","id":"peer","args":["x"]}"#,
            r#"{"ev":"event","src":"client","type":5,"id":"peer","args":[{"$t":"undefined"}]}"#,
        ]
    );
    let mut quiet = self::dispatcher(r#"{"tap":"none"}"#);
    let emitter = quiet.attach(client());
    quiet.event(emitter, &Js::text("connect"), &[], AT);
    assert!(quiet.lines().get_ref().is_empty());
}

#[test]
fn handlers_report_wildcards_first_and_then_in_order_of_registration() {
    let mut seen = 0;
    let mut dispatcher = dispatcher(r#"{"tap":"none","on":["m"],"wildcard":true}"#);
    let emitter = dispatcher.attach(Source::Server);
    let Command::On(handler) = command(r#"{"cmd":"on","type":"m","label":"late","once":true}"#) else { panic!() };
    dispatcher.on(emitter, &handler);
    for _ in 0..2 {
        dispatcher.event(emitter, &Js::text("m"), &[Js::Null, socket(9)], AT);
    }
    let line = |via: &str| {
        format!(r#"{{"ev":"event","src":"server","type":"m","via":"{via}","args":[null,{{"$t":"socket","n":0}}]}}"#)
    };
    let expected = ["*", "typed", "late", "*", "typed"].map(line);
    assert_eq!(take(&mut dispatcher, &mut seen), expected);

    dispatcher.off(emitter, &"m".into());
    dispatcher.event(emitter, &Js::text("m"), &[Js::Null, socket(9)], AT);
    assert_eq!(take(&mut dispatcher, &mut seen), [line("*")]);
    dispatcher.off(emitter, &"*".into());
    dispatcher.event(emitter, &Js::text("m"), &[Js::Null, socket(9)], AT);
    assert!(take(&mut dispatcher, &mut seen).is_empty());
}

#[test]
fn handlers_of_commands_repeat_the_id_of_the_command() {
    let mut seen = 0;
    let mut dispatcher = dispatcher(r#"{"tap":"none"}"#);
    let emitter = dispatcher.attach(client());
    for text in [r#"{"cmd":"on","type":"*"}"#, r#"{"cmd":"on","type":"m","id":"peer"}"#] {
        let Command::On(handler) = command(text) else { panic!() };
        dispatcher.on(emitter, &handler);
    }
    dispatcher.event(emitter, &Js::text("m"), &[Js::Bool(true)], AT);
    assert_eq!(
        take(&mut dispatcher, &mut seen),
        [
            r#"{"ev":"event","src":"client","type":"m","via":"*","args":[true]}"#,
            r#"{"ev":"event","src":"client","type":"m","id":"peer","via":"typed","args":[true]}"#,
        ]
    );
}

#[test]
fn a_servers_close_is_told_after_its_handlers_ran() {
    let mut seen = 0;
    let mut dispatcher = dispatcher(r#"{"on":["close"]}"#);
    let emitter = dispatcher.attach(Source::Server);
    dispatcher.event(emitter, &Js::text("close"), &[Js::Bool(false)], AT);
    let lines = take(&mut dispatcher, &mut seen);
    assert!(lines[0].contains("\"via\":\"typed\"") && !lines[1].contains("via"), "{lines:?}");
}

#[test]
fn when_counts_for_each_emitter_and_type() {
    let text = r#"{"tap":"none","when":[{"src":"client","type":"connect","nth":2,"do":[{"cmd":"now","n":1}]},
        {"type":"connect","do":[{"cmd":"state"},{"cmd":"nonsense"}]}]}"#;
    let mut dispatcher = dispatcher(text);
    let (one, two) = (dispatcher.attach(client()), dispatcher.attach(client()));
    let server = dispatcher.attach(Source::Server);
    let names = |steps: Vec<Step>| -> Vec<String> {
        let name = |step: Step| match step {
            Step::Command { when, call } => {
                assert!(when == "connect");
                call.name.as_string().expect("a name").to_text()
            }
            other => panic!("{other:?}"),
        };
        steps.into_iter().map(name).collect()
    };
    let connect = Js::text("connect");
    assert_eq!(names(dispatcher.event(one, &connect, &[], AT)), ["state", "nonsense"]);
    assert_eq!(names(dispatcher.event(two, &connect, &[], AT)), ["state", "nonsense"]);
    assert_eq!(names(dispatcher.event(one, &connect, &[], AT)), ["now", "state", "nonsense"]);
    assert_eq!(names(dispatcher.event(one, &connect, &[], AT)), ["state", "nonsense"]);
    assert_eq!(names(dispatcher.event(server, &connect, &[socket(1)], AT)), ["state", "nonsense"]);
    dispatcher.reset(one);
    assert!(dispatcher.event(one, &connect, &[], AT).is_empty());

    let mut seen = 0;
    let call = call(r#"{"cmd":"emit","n":7}"#);
    dispatcher.when(&"connect".into(), &call, &Reply::Unsupported, AT);
    let line = r#"{"ev":"when","type":"connect","cmd":"emit","ok":false,"error":"unsupported"}"#;
    assert_eq!(take(&mut dispatcher, &mut seen), [line]);
}

#[test]
fn echoes_answer_application_events_only() {
    let mut dispatcher = dispatcher(r#"{"echo":true,"echoRaw":true}"#);
    let server = dispatcher.attach(Source::Server);
    let client = dispatcher.attach(client());
    let steps = dispatcher.event(server, &Js::text("m"), &[Js::Undefined, socket(4)], AT);
    let echo = Step::Echo { event: Js::text("m"), data: Js::Undefined, to: Some(socket(4)) };
    assert_eq!(steps, [echo]);
    let steps = dispatcher.event(client, &Js::text("m"), &[Js::Number(1.0)], AT);
    assert_eq!(steps, [Step::Echo { event: Js::text("m"), data: Js::Number(1.0), to: None }]);
    let bytes = Js::Buffer(bytes::Bytes::from_static(b"abc"));
    let steps = dispatcher.event(server, &Js::text("data"), &[bytes.clone(), socket(4)], AT);
    assert_eq!(steps, [Step::EchoRaw { data: bytes, to: Some(socket(4)) }]);
    assert!(dispatcher.event(server, &Js::text("error"), &[Js::Null], AT).is_empty());
}

#[test]
fn sockets_are_numbered_and_last_is_the_latest_of_a_server() {
    let mut dispatcher = dispatcher("{}");
    let server = dispatcher.attach(Source::Server);
    assert_eq!(dispatcher.target(&Target::Last), None);
    dispatcher.event(server, &Js::text("connect"), &[socket(50)], AT);
    dispatcher.event(server, &Js::text("connect"), &[socket(40)], AT);
    assert_eq!(dispatcher.target(&Target::Last), Some(socket(40)));
    dispatcher.event(server, &Js::text("m"), &[Js::Null, socket(50)], AT);
    assert_eq!(dispatcher.target(&Target::Last), Some(socket(50)));
    // node-ipc 14.0.0 gives the socket to `close`; that one is gone.
    dispatcher.event(server, &Js::text("close"), &[socket(40)], AT);
    assert_eq!(dispatcher.target(&Target::Last), Some(socket(50)));
    assert_eq!(dispatcher.target(&Target::Socket(1)), Some(socket(40)));
    assert_eq!(dispatcher.target(&Target::Socket(2)), None);

    let sender = crate::js::Rinfo {
        address: "127.0.0.1".to_owned(),
        port: 4242,
        family: Some("IPv4".to_owned()),
        size: Some(12),
        id: Js::Undefined,
    };
    dispatcher.event(server, &Js::text("m"), &[Js::Null, Js::Rinfo(Arc::new(sender))], AT);
    let text = String::from_utf8(dispatcher.lines().get_ref().clone()).expect("UTF-8");
    let described = r#"{"$t":"rinfo","address":"127.0.0.1","port":4242,"family":"IPv4","size":12,"n":0}"#;
    assert!(text.contains(described), "{text}");
    let address = Js::object([("address", Js::text("127.0.0.1")), ("port", Js::Number(4242.0))]);
    assert_eq!(dispatcher.target(&Target::Sender(0)), Some(address));
}

#[test]
fn an_error_event_of_9_2_1_carries_the_text() {
    let shown = |frame: &str| {
        let error = ipc_proto::ProtocolError::InvalidJson { offset: 0, expected: "a value" };
        stringify(&crate::js::describe(&malformed(Family::V9, &error, frame), &mut crate::js::Numbers::default()))
    };
    let text = shown("{bad").expect("plain").expect("plain");
    let start = r#"{"message":"Invalid JSON response format","err":{"$t":"error","name":"SyntaxError","message":""#;
    assert!(text.starts_with(start) && text.ends_with(r#""response":"{bad"}"#), "{text}");
    let text = shown(" null ").expect("plain").expect("plain");
    assert!(text.contains("TypeError") && text.ends_with(r#""response":null}"#), "{text}");
    assert_eq!(untyped_v9("[]"), Some((Js::Undefined, Js::Undefined)));
    assert_eq!(untyped_v9(r#"{"type":5,"data":1}"#), Some((Js::Number(5.0), Js::Number(1.0))));
    assert_eq!(untyped_v9("null"), None);
}

#[test]
fn results_repeat_name_and_number() {
    let mut seen = 0;
    let mut dispatcher = dispatcher("{}");
    dispatcher.result(&call(r#"{"cmd":"now","n":"a"}"#), &Reply::DONE, AT);
    dispatcher.result(&call(r#"{"n":2}"#), &Reply::Threw(JsError::type_error("no")), AT);
    let replies = [Reply::Value(Js::Bool(true)), Reply::Unsupported];
    let batch = Reply::batch(&replies, dispatcher.numbers());
    dispatcher.result(&call(r#"{"cmd":"batch","n":3,"list":[]}"#), &batch, AT);
    dispatcher.bad_line(&Call::read(b"{").expect_err("no JSON"), AT);
    dispatcher.callback("connectTo", Some(&"w".into()), 1, AT);
    dispatcher.setup_error(&Reply::Unsupported, AT);
    assert_eq!(
        take(&mut dispatcher, &mut seen),
        [
            r#"{"ev":"result","cmd":"now","n":"a","ok":true,"value":{"$t":"undefined"}}"#,
            r#"{"ev":"result","n":2,"ok":false,"error":{"$t":"error","name":"TypeError","message":"no"}}"#,
            r#"{"ev":"result","cmd":"batch","n":3,"ok":true,"value":[{"ok":true,"value":true},{"ok":false,"error":"unsupported"}]}"#,
            r#"{"ev":"result","ok":false,"error":{"$t":"error","message":"bad command line: Unexpected end of JSON input"}}"#,
            r#"{"ev":"callback","what":"connectTo","id":"w","nargs":1}"#,
            r#"{"ev":"setup_error","error":"unsupported"}"#,
        ]
    );
}

#[test]
fn commands_are_read_with_their_defaults() {
    let Command::Emit(emit) = command(r#"{"cmd":"emit","type":"m"}"#) else { panic!() };
    assert_eq!((emit.data.clone(), emit.to.clone()), (None, Target::Last));
    assert_eq!(emit.data(), Js::Undefined);
    assert!(emit.is_server(true, true) && emit.is_server(false, false) && !emit.is_server(false, true));
    let Command::Emit(emit) = command(r#"{"cmd":"emit","id":"w","type":"m","data":{"$t":"utf16","units":[65]}}"#)
    else {
        panic!()
    };
    assert!(!emit.is_server(true, true));
    assert_eq!(emit.data, Some(Js::text("A")));
    let Command::Emit(emit) = command(r#"{"cmd":"emit","id":"w","as":"server","socket":3,"type":"m"}"#) else {
        panic!()
    };
    assert!(emit.is_server(false, true));
    assert_eq!(emit.to, Target::Socket(3));
    let Command::EmitMany(list) =
        command(r#"{"cmd":"emitMany","rinfo":1,"list":[{"type":"a"},{"type":"b","data":0}]}"#)
    else {
        panic!()
    };
    assert_eq!((list.len(), &list[0].to, &list[1].data), (2, &Target::Sender(1), &Some(Js::Number(0.0))));
    let Command::Batch(calls) = command(r#"{"cmd":"batch","inst":2,"list":[{"cmd":"now"},{"cmd":"now","inst":0}]}"#)
    else {
        panic!()
    };
    assert_eq!((calls[0].instance, calls[1].instance), (2, 0));
    let Command::ConnectTo(ConnectTo(args)) = command(r#"{"cmd":"connectTo","path":"/x"}"#) else { panic!() };
    assert_eq!(args, [Arg::Value(Js::text("/x")), Arg::Callback]);
    assert!(Call::read(b"  ").expect("nothing").is_none());
    for bad in [r#"{"cmd":"fly"}"#, r#"{"cmd":"emit","type":{"$t":"?"}}"#, "[]", r#"{"cmd":"batch"}"#] {
        assert!(call(bad).command.is_err(), "{bad}");
    }
}

#[test]
fn options_have_the_protocols_defaults() {
    let empty = options("{}");
    assert_eq!((empty.role, empty.tap, empty.typed_first, empty.autostart), (None, Tap::Publish, true, true));
    assert_eq!((empty.preset(), empty.max_lifetime), (Preset::V9, Duration::from_secs(120)));
    assert!(empty.id == "peer" && empty.runtime == "tokio");
    assert_eq!(options(r#"{"version":"14.0.0"}"#).preset(), Preset::V14Fast);
    assert_eq!(options(r#"{"version":"14.0.0","preset":"v9"}"#).preset(), Preset::V9);
    let given = options(r#"{"role":"server","transport":"udp6","port":8000,"umask":18,"on":["a"],"extra":1}"#);
    assert_eq!((given.role, given.transport, given.port), (Some(Role::Server), Transport::Udp6, Some(8000)));
    assert_eq!((given.umask, given.on), (Some(0o22), vec![JsString::from("a")]));
    for bad in ["", "[]", r#"{"version":"9.2.2"}"#, r#"{"role":"king"}"#, r#"{"port":70000}"#, r#"{"preset":"v8"}"#] {
        assert!(Options::parse(bad).is_err(), "{bad}");
    }
}

fn config(preset: Preset, members: &str) -> Result<ipc_proto::Config, Unsupported> {
    let host = Host::new("pluto", Platform::Linux);
    let text = format!(r#"{{"preset":"{}","config":{members}}}"#, preset.as_str());
    options(&text).instance(&host).to_config()
}

#[test]
fn configuration_is_read_as_node_ipc_reads_it() {
    let read = |members: &str| config(Preset::V9, members).expect("expressible");
    assert_eq!(read("{}"), read(r#"{"nonsense":[1],"interfaces":{"localAddress":"127.0.0.2"}}"#));
    for (text, retries) in [
        ("false", Some(0)),
        ("null", Some(0)),
        ("0", Some(0)),
        ("-1", Some(0)),
        ("1.5", Some(1)),
        ("\"3\"", Some(3)),
        (r#"{"$t":"number","v":"NaN"}"#, Some(0)),
        (r#"{"$t":"number","v":"Infinity"}"#, None),
    ] {
        assert_eq!(read(&format!("{{\"maxRetries\":{text}}}")).max_retries, retries, "{text}");
    }
    for (text, stop) in [("0", false), ("2", true), ("true", true), ("\"\"", false), ("[]", true)] {
        let expected = if stop { StopRetrying::Yes } else { StopRetrying::No };
        assert_eq!(read(&format!("{{\"stopRetrying\":{text}}}")).stop_retrying, expected, "{text}");
    }
    for (text, ms) in [("null", 1), ("-5", 1), ("\"250\"", 250), ("3e9", 1), ("0.5", 1), ("99.9", 99), ("{}", 1)] {
        assert_eq!(read(&format!("{{\"retry\":{text}}}")).retry, Duration::from_millis(ms), "{text}");
    }
    assert_eq!(read(r#"{"delimiter":null}"#).delimiter, "null");
    assert_eq!(read(r#"{"delimiter":{"$t":"buffer","hex":"0c"}}"#).delimiter, "\u{c}");
    assert_eq!(read(r#"{"maxConnections":0}"#).max_connections, usize::MAX);
    let family = read(r#"{"interface":{"family":6}}"#).interface.family;
    assert_eq!(family, Some(ipc_proto::IpFamily::V6));
    let tls = read(r#"{"tls":{"private":"k","public":"c","trustedConnections":"ca"}}"#).tls.expect("tls");
    assert_eq!((tls.trusted_connections.len(), tls.request_cert), (1, Some(false)));
}

#[test]
fn what_node_ipc_14_refuses_throws_and_what_only_javascript_can_say_is_unsupported() {
    let refused = |members: &str| config(Preset::V14Fast, members).expect_err(members);
    for throws in [
        r#"{"delimiter":""}"#,
        r#"{"delimiter":7}"#,
        r#"{"parser":"what"}"#,
        r#"{"parser":"assured"}"#,
        r#"{"parser":"guarded","maxMessageSize":0}"#,
    ] {
        assert!(matches!(refused(throws), Unsupported::Throws(_)), "{throws}");
    }
    for odd in [
        r#"{"parser":{"$t":"function"}}"#,
        r#"{"id":{}}"#,
        r#"{"tls":true}"#,
        r#"{"interface":{"lookup":{"$t":"function"}}}"#,
    ] {
        assert!(matches!(refused(odd), Unsupported::Option(_)), "{odd}");
    }
    let guarded = r#"{"parser":"guarded","maxMessageSize":100,"messageTimeout":0,"allowReservedEvents":1}"#;
    let guarded = config(Preset::V14Fast, guarded).expect("expressible");
    assert_eq!((guarded.max_message_size, guarded.message_timeout), (100, None));
    assert!(guarded.allow_reserved_events);
    // Limits are the guarded parsers' alone.
    let fast = config(Preset::V14Fast, r#"{"maxMessageSize":100}"#).expect("expressible");
    assert!(fast.max_message_size > 1_000_000);
    let assured = config(Preset::V14Fast, r#"{"parser":"assured","allowedEvents":["a",5]}"#).expect("expressible");
    assert_eq!(assured.allowed_events.map(|names| names.len()), Some(1));
}

#[test]
fn a_reader_that_went_away_is_noticed() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut lines = Lines::new(Gone);
    assert!(!lines.is_broken());
    lines.write(crate::js::JsObject::new(), AT);
    assert!(lines.is_broken());
}

#[test]
fn a_dispatcher_may_be_shared_between_threads() {
    fn movable<T: Send>(_: &T) {}
    movable(&dispatcher("{}"));
    fn shared<T: Send + Sync>() {}
    shared::<Js>();
    shared::<Call>();
}
