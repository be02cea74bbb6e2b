//! Reading, writing and checking options, as a user meets them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::Duration;

use ipc_proto::{
    Backoff, Code, Config, Encoding, Endpoint, Host, Interface, IpFamily, Offline, OnMalformed, Parser, Platform,
    SlowConsumer, StopRetrying, TlsOptions,
};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) fn host() -> Host {
    Host::new("pluto", Platform::Linux).with_uid(1000)
}

pub(crate) fn read(document: &Value) -> Config {
    Config::from_json(&document.to_string()).unwrap()
}

pub(crate) fn refusal(document: &Value) -> String {
    let error = Config::from_json(&document.to_string()).and_then(|config| config.validate());
    error.unwrap_err().to_string()
}

#[test]
fn the_readmes_own_table_is_read() {
    // The block of the README of node-ipc, `interfaces` and `maxRetries: false` included.
    let config = read(&json!({
        "appspace": "app.", "socketRoot": "/tmp/", "id": "me", "networkHost": "localhost",
        "networkPort": 8000, "encoding": "utf8", "rawBuffer": false, "delimiter": "\u{c}",
        "sync": false, "silent": false, "logInColor": true, "logDepth": 5, "maxConnections": 100,
        "retry": 500, "maxRetries": false, "stopRetrying": false, "unlink": true,
        "interfaces": {
            "localAddress": false, "localPort": false, "family": false, "hints": false,
            "lookup": false,
        },
    }));
    assert_eq!(config, Config::new("me").network_host("localhost"));
}

#[test]
fn a_document_with_a_parser_starts_from_node_ipc_14() {
    assert_eq!(read(&json!({})), Config::v9());
    assert_eq!(read(&json!({"parser": "fast"})), Config::v14_fast());
    assert_eq!(read(&json!({"parser": "guarded"})), Config::v14_guarded());
    let assured = json!({"parser": "assured", "allowedEvents": ["a", "b"]});
    assert_eq!(read(&assured), Config::v14_assured(["a", "b"]));
    let raw = Config::v14_fast().parser(Parser::Raw);
    assert_eq!(read(&json!({"parser": "raw"})), raw);
    let kept = Config::v9().with_json(r#"{"parser":"guarded"}"#).unwrap();
    assert_eq!(kept, Config::v9().parser(Parser::Guarded));
}

#[test]
fn javascript_ways_of_saying_nothing_are_understood() {
    for nothing in [json!(false), json!(null)] {
        let config = read(&json!({
            "maxRetries": nothing, "messageTimeout": nothing, "allowedEvents": nothing,
            "tls": nothing, "interface": nothing, "logDepth": nothing, "id": nothing,
            "networkHost": nothing, "stopRetrying": nothing, "backoff": nothing, "logger": nothing,
        }));
        assert_eq!(config.log_depth, None, "all of it");
        assert_eq!(config.log_depth(5), Config::v9());
    }
    let endless = read(&json!({
        "maxRetries": "Infinity", "messageTimeout": "Infinity", "maxConnections": "Infinity",
    }));
    assert_eq!(endless, Config::v9().max_connections(usize::MAX));
}

#[test]
fn stop_retrying_is_a_switch_or_a_number() {
    let stop = |value: Value| read(&json!({ "stopRetrying": value })).stop_retrying;
    assert_eq!(stop(json!(false)), StopRetrying::No);
    assert_eq!(stop(json!(true)), StopRetrying::Yes);
    assert_eq!(stop(json!(0)), StopRetrying::After(0));
    assert_eq!(stop(json!(3)), StopRetrying::After(3));
    assert_eq!(Config::v9().stop_retrying(3).stop_retrying, stop(json!(3)));
}

#[test]
fn a_time_that_was_read_is_written_as_one_that_reads_the_same() {
    // The product of a double and a thousand is not the quotient turned around.
    for milliseconds in
        ["0.1", "0.0000007", "2582113432.720115", "3567103160.851171", "5627962182.293911", "9007199254740991.5"]
    {
        let config = Config::from_json(&format!(r#"{{"messageTimeout":{milliseconds}}}"#)).unwrap();
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(Config::from_json(&written).unwrap(), config, "{milliseconds}");
    }
    let precise = read(&json!({"messageTimeout": 3567103160.851171}));
    assert_eq!(precise.message_timeout, Some(Duration::new(3_567_103, 160_851_171)));
    for refused in ["-0.5", "-1e300", "1e300"] {
        assert!(Config::from_json(&format!(r#"{{"messageTimeout":{refused}}}"#)).is_err(), "{refused}");
    }
}

#[test]
fn the_ends_of_a_range_belong_to_it() {
    let largest = Config::v9().max_message_size(i32::MAX as usize);
    let longest = Config::v9().retry(Duration::from_millis(i32::MAX as u64));
    let shortest = Config::v9().tcp_keep_alive(Duration::from_secs(1));
    let latest = Config::v9().tcp_keep_alive(Duration::from_secs(32_767));
    for config in [largest, longest, shortest, latest, Config::v9().max_message_size(1)] {
        config.build(&host()).unwrap();
    }
    assert!(Config::v9().max_message_size(i32::MAX as usize + 1).build(&host()).is_err());
}

#[test]
fn a_whole_number_may_be_written_as_a_fraction_is() {
    let connections = |text: &str| Config::from_json(&format!(r#"{{"maxConnections":{text}}}"#));
    for (text, number) in [("1e3", 1000), ("5.0", 5), ("9007199254740992.0", 1_usize << 53)] {
        assert_eq!(connections(text).unwrap().max_connections, number, "{text}");
    }
    assert!(connections("5.5").is_err() && connections("-1").is_err() && connections("1e17").is_err());
}

#[test]
fn the_mode_of_a_socket_is_octal_text() {
    let mode = |value: Value| read(&json!({ "socketMode": value })).socket_mode;
    assert_eq!(mode(json!("0660")), Some(0o660));
    assert_eq!(mode(json!("666")), Some(0o666));
    assert_eq!(mode(json!(false)), None);
    for wrong in [
        json!("0o660"),
        json!("+660"),
        json!("rw"),
        json!(""),
        json!("8"),
        json!(444),
        json!(-1),
        json!(true),
        json!("7777777777777"),
    ] {
        assert!(
            refusal(&json!({ "socketMode": wrong })).contains(r#"octal digits from "0000" to "0777" such as "0660""#),
            "{wrong}"
        );
    }
    assert!(refusal(&json!({"socketMode": "1777"})).contains("0o1777"));
    assert_eq!(
        refusal(&json!({"socketMode": "0660", "writableAll": true})),
        "options socketMode and writableAll do not go together: both say who may use the socket; set socketMode alone"
    );
    let built = |config: Config| config.build(&host()).unwrap().socket_mode();
    assert_eq!(built(Config::v9()), 0o600);
    assert_eq!(built(Config::v9().readable_all(true).writable_all(true)), 0o666);
    assert_eq!(built(Config::v9().socket_mode(0o620)), 0o620);
}

#[test]
fn the_group_of_a_socket_is_a_name_or_a_number() {
    let group = |value: Value| read(&json!({ "socketGroup": value })).socket_group;
    assert_eq!(group(json!("staff")).as_deref(), Some("staff"));
    assert_eq!(group(json!(50)).as_deref(), Some("50"));
    assert_eq!(group(json!(null)), None);
    assert!(refusal(&json!({"socketGroup": ""})).contains("socketGroup"));
    assert!(refusal(&json!({"socketGroup": "a\u{0}"})).contains("socketGroup"));
}

#[test]
fn what_looks_odd_but_means_something_is_allowed() {
    let odd = [
        Config::v9().retry(Duration::ZERO),
        Config::v9().network_port(0),
        Config::v9().max_connections(0),
        Config::v9().max_retries(0),
        Config::v9().appspace(""),
        Config::v9().socket_root(""),
        Config::v9().delimiter("||"),
        Config::v9().raw_buffer(true).encoding(Encoding::Hex),
        Config::v14_assured(["error"]).allow_reserved_events(true),
        Config::v9().network_host("fe80::1%eth0"),
    ];
    for config in odd {
        assert_eq!(config.validate(), Ok(()), "{config:?}");
    }
    let settings = Config::v9().retry(Duration::ZERO).build(&host()).unwrap();
    assert_eq!(settings.retry(), Duration::from_millis(1));
}

#[test]
fn rules_follow_the_parser() {
    let rules = |config: Config| config.build(&host()).unwrap().rules().clone();
    for name in ["error", "constructor", ""] {
        assert_eq!(rules(Config::v9()).check(name), Ok(()));
        assert_eq!(rules(Config::v14_fast()).check(name), Ok(()));
        assert!(rules(Config::v14_guarded()).check(name).is_err());
    }
    let lenient = rules(Config::v14_guarded().allow_reserved_events(true));
    assert_eq!(lenient.check("error"), Ok(()));
    assert!(lenient.check("constructor").is_err());
    assert!(rules(Config::v14_assured(["a"])).check("b").is_err());
    assert!(rules(Config::v9().allowed_events(["a"])).check("b").is_err());
    let long = "n".repeat(65_537);
    assert!(rules(Config::v9()).check(&long).is_err());
}

#[test]
fn private_keys_stay_out_of_debug_and_errors() {
    let pem = "-----BEGIN PRIVATE KEY-----secret";
    let config = Config::v9().tls(TlsOptions::new().key(pem).cert("-----CERT").ca("-----CA"));
    let shown = format!("{config:?} {:?}", config.clone().build(&host()).unwrap());
    assert!(!shown.contains("secret") && !shown.contains("-----"), "{shown}");
    for part in ["Config", "Settings", "id: \"", "socket_root: ", "platform: Linux"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let error = refusal(&json!({"tls": {"key": [pem]}}));
    assert!(!error.contains("secret"), "{error}");
    let error = refusal(&json!({"tls": {"ca": {"pem": pem}}}));
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn one_file_or_many_may_be_trusted() {
    let one = read(&json!({"tls": {"trustedConnections": "a.pem", "ca": "x"}}));
    assert_eq!(one.tls, Some(TlsOptions::new().trusted_connection("a.pem").ca("x")));
    let many =
        read(&json!({"tls": {"trustedConnections": ["a.pem", "b.pem"], "serverName": "s", "dhparam": "dh.pem"}}));
    let tls = TlsOptions::new().trusted_connection("a.pem").trusted_connection("b.pem").dhparam("dh.pem");
    assert_eq!(many.tls, Some(tls.server_name("s")));
}

#[test]
fn the_assured_parser_only_serves_what_it_can_assure() {
    let settings = |tls: Option<TlsOptions>| Config::v14_assured(["a"]).tls(tls).build(&host()).unwrap();
    let code = |tls, make: fn(&ipc_proto::Settings) -> Result<Endpoint, _>| {
        let settings = settings(tls);
        let made = make(&settings).and_then(|endpoint| settings.check_serving(&endpoint));
        made.err().map(|error: ipc_proto::EndpointError| error.code().unwrap())
    };
    let mutual = || TlsOptions::new().key("k").cert("c").ca("a");

    assert_eq!(code(None, |s| Endpoint::local(s, None)), None);
    assert_eq!(code(None, |s| Endpoint::local(s, Some("a/b"))), Some(Code::SocketRoot));
    assert_eq!(code(None, |s| Endpoint::at_path(s, "/tmp/x")), Some(Code::SocketRoot));
    assert_eq!(code(None, |s| Endpoint::at_path(s, "/tmp/node-ipc-1000/..")), Some(Code::SocketRoot));
    assert_eq!(code(None, |s| Endpoint::at_path(s, "/tmp/node-ipc-1000x")), Some(Code::SocketRoot));
    assert_eq!(code(None, |s| Endpoint::at_path(s, "/tmp/node-ipc-1000/x")), None);
    assert_eq!(code(None, |s| Endpoint::udp4(s, None, None)), Some(Code::AssuredTransport));
    assert_eq!(code(None, |s| Endpoint::net(s, None, None)), Some(Code::AssuredTransport));
    assert_eq!(code(Some(mutual()), |s| Endpoint::net(s, None, None)), None);
    for lacking in [
        TlsOptions::new(),
        TlsOptions::new().key("k").cert("c"),
        mutual().request_cert(false),
        mutual().danger_accept_any_certificate(),
    ] {
        let found = code(Some(lacking), |s| Endpoint::net(s, None, None));
        assert_eq!(found, Some(Code::AssuredTls));
    }
    let client = Endpoint::at_path(&settings(None), "/tmp/x");
    assert!(client.is_ok(), "a client of node-ipc 14.0.0 connects anywhere");
    let windows = Host::new("pc", Platform::Windows);
    let settings = Config::v14_assured(["a"]).build(&windows).unwrap();
    let error = Endpoint::local(&settings, None).unwrap_err();
    assert_eq!(error.code(), Some(Code::AssuredTransport));
}

fn any_config() -> impl Strategy<Value = Config> {
    let presets = prop_oneof![
        Just(Config::v9()),
        Just(Config::v14_fast()),
        Just(Config::v14_guarded()),
        Just(Config::v14_assured(["a", "b"])),
    ];
    let texts = (".{0,5}", ".{0,5}", proptest::option::of(".{1,5}"), ".{0,3}");
    let numbers = (any::<u32>(), any::<u16>(), any::<u32>(), proptest::option::of(any::<u32>()));
    let times = (0_u64..1 << 40, proptest::option::of(1_u64..1 << 40));
    let choices = (0_u32..4, 0_u8..7, any::<[bool; 8]>());
    (presets, texts, numbers, times, choices).prop_map(|(config, texts, numbers, times, choices)| {
        let mut config = config.appspace(texts.0).delimiter(texts.1);
        config.id = texts.2.clone();
        config.socket_root = texts.2;
        config.network_host = Some(texts.3).filter(|host| !host.is_empty());
        config.max_connections = numbers.0 as usize;
        config.network_port = numbers.1;
        config.max_message_size = numbers.2 as usize;
        config.max_retries = numbers.3;
        config.log_depth = numbers.3;
        config.interface.hints = numbers.3;
        config.interface.local_port = numbers.3.map(|number| number as u16);
        config.interface.local_address = numbers.3.map(|number| std::net::IpAddr::from(number.to_be_bytes()));
        config.retry = Duration::from_millis(times.0);
        config.message_timeout = times.1.map(Duration::from_micros);
        config.tcp_keep_alive = times.1.map(|time| Duration::from_millis(1000 + time % 32_766_001));
        config.stop_retrying = match choices.0 {
            0 => StopRetrying::No,
            1 => StopRetrying::Yes,
            n => StopRetrying::After(n),
        };
        config.backoff = match choices.0 {
            0 => Backoff::Fixed,
            n => Backoff::Exponential { factor: f64::from(n) * 1.7, max: Duration::from_millis(times.0), jitter: 0.3 },
        };
        config.ip_type = [None, Some(IpFamily::V4), Some(IpFamily::V6)][choices.1 as usize % 3];
        config.interface.family = config.ip_type;
        config.offline = [Offline::Refuse, Offline::Buffer, Offline::Drop][choices.1 as usize % 3];
        config.slow_consumer =
            [SlowConsumer::Refuse, SlowConsumer::DropOldest, SlowConsumer::DropNewest, SlowConsumer::Disconnect]
                [choices.0 as usize];
        config.encoding = [
            Encoding::Utf8,
            Encoding::Ascii,
            Encoding::Latin1,
            Encoding::Utf16le,
            Encoding::Base64,
            Encoding::Base64url,
            Encoding::Hex,
        ][choices.1 as usize];
        let bools = choices.2;
        config.raw_buffer = bools[0];
        config.sync = bools[1];
        config.take_over = bools[2];
        config.identify_peer = bools[3];
        config.reuse_port = bools[3];
        config.socket_mode = numbers.3;
        config.socket_group = numbers.3.map(|number| number.to_string());
        config.tls = bools[4].then(|| {
            let tls = TlsOptions::new().private("a b/k.pem").public("c.pem").ca("x").ca("y");
            if bools[5] {
                tls.request_cert(bools[6]).server_name("s").dhparam("d").handshake_timeout(config.retry)
            } else {
                tls
            }
        });
        config.malformed = if bools[7] { OnMalformed::Report } else { OnMalformed::Close };
        config
    })
}

proptest! {
    #[test]
    fn written_and_read_back_it_is_the_same(config in any_config()) {
        let text = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&Config::from_json(&text).unwrap(), &config);
        prop_assert_eq!(&serde_json::from_str::<Config>(&text).unwrap(), &config);
    }

    #[test]
    fn no_document_panics(text in r#"\{("[a-zA-Z]{0,12}":(-?[0-9.e]{1,9}|"[ -~]{0,4}"|\[\]|\{\}|null|true),?){0,4}\}"#) {
        if let Ok(config) = Config::from_json(&text) {
            let _ = config.build(&host());
        }
    }
}

#[test]
fn the_ends_of_the_ranges_of_times_and_modes_belong_to_them() {
    let longest = Duration::from_millis(i32::MAX as u64);
    let longer = longest + Duration::from_millis(1);
    let backoff = |max| Config::v9().backoff(Backoff::Exponential { factor: 1.0, max, jitter: 1.0 });
    let handshake = |time| Config::v9().tls(TlsOptions::new().handshake_timeout(time));
    for (within, beyond, option) in [
        (Config::v9().socket_mode(0o777), Config::v9().socket_mode(0o1000), "socketMode"),
        (backoff(longest), backoff(longer), "backoff.max"),
        (handshake(longest), handshake(longer), "tls.handshakeTimeout"),
    ] {
        within.build(&host()).unwrap();
        let refusal = beyond.build(&host()).unwrap_err().to_string();
        assert!(refusal.contains(option), "{refusal}");
    }
}

#[test]
fn options_of_tls_and_of_the_network_are_set_and_shown() {
    let tls = TlsOptions::new().private("key.pem").request_cert(true).danger_accept_any_certificate().key("k").ca("c");
    assert_eq!(tls.private.as_deref(), Some("key.pem".as_ref()));
    assert_eq!((tls.request_cert, tls.reject_unauthorized), (Some(true), Some(false)));
    let shown = format!("{tls:?}");
    for part in ["TlsOptions {", "private: Some(\"key.pem\")", "key: Some(<hidden>)", "ca: [<PEM>]"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let interface = Interface::default().family(IpFamily::V6).hints(1024);
    assert_eq!((interface.family, interface.hints), (Some(IpFamily::V6), Some(1024)));
}

#[test]
fn an_empty_runtime_directory_is_none() {
    let mut host = Host::new("h", Platform::Linux).with_xdg_runtime_dir("/run/user/1");
    assert_eq!(host.private_socket_root(), "/run/user/1/node-ipc/");
    host.xdg_runtime_dir = Some(String::new());
    assert_eq!(host.private_socket_root(), "/tmp/node-ipc-0/");
}

#[test]
fn families_are_read_as_node_and_node_ipc_write_them() {
    let family = |value: Value| read(&json!({ "interface": { "family": value } })).interface.family;
    let [v4, v6] = [IpFamily::V4, IpFamily::V6].map(Some);
    for (value, expected) in [(json!(4), v4), (json!("IPv4"), v4), (json!(6), v6), (json!("IPv6"), v6)] {
        assert_eq!(family(value.clone()), expected, "{value}");
    }
    assert_eq!((family(json!(0)), family(json!(false))), (None, None));
    assert!(refusal(&json!({"interface": {"family": 5}})).contains("allowed is 4, 6, or false for both"));
}

#[test]
fn a_time_may_be_a_part_of_a_millisecond() {
    assert_eq!(read(&json!({"retry": 0.5})).retry, Duration::from_micros(500));
    assert!(refusal(&json!({"retry": -0.5})).contains("a number of milliseconds"));
}
