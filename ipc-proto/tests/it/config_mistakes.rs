//! What is wrong with options, and how a user is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::Duration;

use ipc_proto::{Backoff, Config, ConfigError, Host, Interface, IpFamily, OnMalformed, Platform, TlsOptions};
use serde_json::{Value, json};

use crate::config::{host, read, refusal};

#[test]
fn a_misspelt_option_is_told_the_right_one() {
    let cases = [
        ("max_connections", "maxConnections"),
        ("maxConections", "maxConnections"),
        ("Retry", "retry"),
        ("delimeter", "delimiter"),
        ("socketroot", "socketRoot"),
        ("ipType", "IPType"),
        ("rawbuffers", "rawBuffer"),
    ];
    for (typed, meant) in cases {
        let expected = format!("there is no option {typed:?}; did you mean {meant:?}?");
        assert_eq!(refusal(&json!({ typed: 1 })), expected);
    }
    assert_eq!(refusal(&json!({"colour": 1})), r#"there is no option "colour""#);
    assert_eq!(refusal(&json!({"tls.private": "key.pem"})), r#"there is no option "tls.private"; did you mean "tls"?"#);
    assert_eq!(
        refusal(&json!({"interface": {"localadress": "::1"}})),
        r#"there is no option "interface.localadress"; did you mean "interface.localAddress"?"#
    );
    assert_eq!(
        refusal(&json!({"backoff": {"factr": 2}})),
        r#"there is no option "backoff.factr"; did you mean "backoff.factor"?"#
    );
}

#[test]
fn an_option_of_two_names_is_told_by_the_one_that_was_written() {
    assert_eq!(
        refusal(&json!({"interfaces": {"localadress": "::1"}})),
        r#"there is no option "interfaces.localadress"; did you mean "interfaces.localAddress"?"#
    );
    let allowed = "allowed is a whole number from 0 to 65535, or false";
    assert_eq!(
        refusal(&json!({"interfaces": {"localPort": true}})),
        format!("option interfaces.localPort cannot be true; {allowed}")
    );
    assert!(refusal(&json!({"interfaces": 5})).starts_with("option interfaces cannot be 5;"));
    assert!(refusal(&json!({"tls": {"serverName": 5}})).starts_with("option tls.serverName cannot be 5;"));
    assert!(refusal(&json!({"interfaces": {"lookup": "f"}})).starts_with("option interfaces.lookup cannot be \"f\";"));
}

#[test]
fn what_is_wrong_is_told_with_its_place_by_a_format_that_knows_it() {
    for (text, told) in [
        (
            "{\"retry\": 5,\n  \"maxRetrys\": 3}",
            r#"there is no option "maxRetrys"; did you mean "maxRetries"? at line 2 column 13"#,
        ),
        (
            "{\"retry\":\n \"soon\"\n,\n \"id\": 5}",
            r#"option retry cannot be "soon"; allowed is a number of milliseconds from 0 to 2147483647 at line 2 column 7"#,
        ),
        (
            "{\"tls\": {\n\"privat\": 5,\n\"key\": 5}}",
            r#"there is no option "tls.privat"; did you mean "tls.private"? at line 2 column 8"#,
        ),
        (
            "{\"interfaces\": {\"family\": null,\n\"localPort\": true\n}}",
            "option interfaces.localPort cannot be true; allowed is a whole number from 0 to 65535, or false at line 2 column 17",
        ),
        (
            "{\"backoff\": {\"max\": 5,\n\"factr\": 2}}",
            r#"there is no option "backoff.factr"; did you mean "backoff.factor"? at line 2 column 7"#,
        ),
        (
            "{\"tls\":\n{\"key\": [\"secret\"]}, \"retry\": -1}",
            "option tls.key cannot be a list; allowed is a text, or false for the default at line 2 column 18",
        ),
        (
            "{\"retry\":\n{\"soon\": 1}}",
            "option retry cannot be an object; allowed is a number of milliseconds from 0 to 2147483647 at line 2 column 11",
        ),
        (
            "{\"interface\":\n[{\"family\": 4}]}",
            "option interface cannot be a list; allowed is an object of localAddress, localPort, family, hints, or false at line 2 column 15",
        ),
    ] {
        let error = serde_json::from_str::<Config>(text).unwrap_err().to_string();
        assert_eq!(error, told);
        // Without the place, but the same: which of several mistakes is told does not differ either.
        let alone = Config::from_json(text).unwrap_err().to_string();
        assert_eq!(told.split(" at line").next(), Some(&*alone));
    }
    // What is a function in JavaScript is wrong by its value.
    let place = |text: &str| serde_json::from_str::<Config>(text).unwrap_err().to_string();
    assert!(place(r#"{"logger": "console.log"}"#).starts_with("option logger cannot be"));
    assert!(serde_json::from_str::<Config>(r#"{"logger": null, "interfaces": {}}"#).is_ok());
}

#[test]
fn an_option_that_is_given_twice_is_refused_whatever_its_values() {
    for (text, told) in [
        ("{\"retry\": 5,\n\"retry\": 5}", "option retry is given twice; leave one of the two out at line 2 column 7"),
        (
            r#"{"interface": null, "interfaces": {}}"#,
            "option interfaces is given twice, first as interface; leave one of the two out at line 1 column 32",
        ),
        (
            r#"{"tls": {"serverName": "a", "servername": "a"}}"#,
            "option tls.servername is given twice, first as tls.serverName; leave one of the two out at line 1 column 40",
        ),
        (
            r#"{"backoff": {"max": 1, "jitter": 0, "max": 2}}"#,
            "option backoff.max is given twice; leave one of the two out at line 1 column 41",
        ),
        // By another spelling of its letters, too.
        (
            r#"{"logger": null, "log\u0067er": null}"#,
            "option logger is given twice; leave one of the two out at line 1 column 30",
        ),
    ] {
        assert_eq!(serde_json::from_str::<Config>(text).unwrap_err().to_string(), told);
        let error = Config::from_json(text).unwrap_err();
        assert!(matches!(error, ConfigError::Twice { .. }), "{error}");
        assert_eq!(told.split(" at line").next(), Some(&*error.to_string()));
        assert_eq!(Config::v14_fast().with_json(text), Err(error));
    }
    // What has the same name in another group is another option.
    assert!(Config::from_json(r#"{"id": "a", "tls": {"key": "a"}, "interface": {"hints": 1}}"#).is_ok());
}

#[test]
fn a_wrong_value_is_told_what_is_allowed() {
    let cases = [
        (
            json!({"retry": "fast"}),
            r#"option retry cannot be "fast"; allowed is a number of milliseconds from 0 to 2147483647"#,
        ),
        (json!({"retry": -1}), "option retry cannot be -1; allowed is a number of milliseconds from 0 to 2147483647"),
        (
            json!({"networkPort": 65536}),
            "option networkPort cannot be 65536; allowed is a whole number from 0 to 65535",
        ),
        (json!({"networkPort": 80.5}), "option networkPort cannot be 80.5; allowed is a whole number from 0 to 65535"),
        (json!({"sync": "yes"}), r#"option sync cannot be "yes"; allowed is true or false"#),
        (
            json!({"parser": "strict"}),
            r#"option parser cannot be "strict"; allowed is "raw", "fast", "guarded" or "assured""#,
        ),
        (json!({"delimiter": 7}), "option delimiter cannot be 7; allowed is a text"),
        (
            json!({"allowedEvents": "a"}),
            r#"option allowedEvents cannot be "a"; allowed is a list of event names, or false for all"#,
        ),
        (
            json!({"interface": {"localPort": true}}),
            "option interface.localPort cannot be true; allowed is a whole number from 0 to 65535, or false",
        ),
        (
            json!({"interface": {"localAddress": "here"}}),
            r#"option interface.localAddress cannot be "here"; allowed is an IP address, or false"#,
        ),
        (json!({"tls": true}), "option tls cannot be true; allowed is an object of TLS options, or false"),
        (
            json!({"maxRetries": -1}),
            "option maxRetries cannot be -1; allowed is a whole number from 0 to 4294967295, or false (or \"Infinity\") for no limit",
        ),
        (
            json!({"backoff": {"jitter": "a"}}),
            r#"option backoff.jitter cannot be "a"; allowed is a number from 0 to 1"#,
        ),
        (
            json!({"logger": "console.log"}),
            r#"option logger cannot be "console.log"; allowed is to leave it out: give a handle its logger with `set_logger`, or install a subscriber of `tracing`"#,
        ),
        (
            json!({"interface": {"lookup": "f"}}),
            r#"option interface.lookup cannot be "f"; allowed is false: name lookup belongs to the runtime"#,
        ),
    ];
    for (document, expected) in cases {
        assert_eq!(refusal(&document), expected);
    }
    let encoding = refusal(&json!({"encoding": "utf7"}));
    for name in ["ascii", "utf8", "utf16le", "ucs2", "base64", "hex"] {
        assert!(encoding.contains(name), "{encoding}");
    }
}

#[test]
fn an_option_is_allowed_the_same_whatever_is_wrong_with_its_value() {
    let allowed = |refusal: String| refusal.split_once("; allowed is ").map(|(_, allowed)| allowed.to_owned());
    let last = |document: &Value| {
        let error = read(document).build(&host()).map(drop).unwrap_err();
        allowed(error.to_string()).unwrap_or_else(|| panic!("{document}: {error}"))
    };
    let cases = [
        ("maxMessageSize", json!(0)),
        ("maxMessageSize", json!(2_147_483_648_u32)),
        ("maxPendingBytes", json!(0)),
        ("maxEventNameLength", json!(0)),
        ("maxOfflineBytes", json!(0)),
        ("acceptBacklog", json!(0)),
        ("eventQueue", json!(0)),
        ("maxUdpPeers", json!(0)),
        ("udpPeerExpiry", json!(0)),
        ("retry", json!(2_147_483_648_u32)),
        ("messageTimeout", json!(0)),
        ("tcpKeepAlive", json!(1)),
        ("id", json!("")),
        ("socketMode", json!("1777")),
        ("socketGroup", json!("")),
    ];
    for (option, outside) in cases {
        let of_kind = allowed(refusal(&json!({ option: ["no"] }))).unwrap();
        assert_eq!(of_kind, last(&json!({ option: outside })), "{option}");
    }
    for (group, option, outside) in [
        ("backoff", "factor", json!(0)),
        ("backoff", "jitter", json!(2)),
        ("backoff", "max", json!(1)),
        ("tls", "handshakeTimeout", json!(0)),
    ] {
        let of_kind = allowed(refusal(&json!({ group: { option: ["no"] } }))).unwrap();
        assert_eq!(of_kind, last(&json!({ group: { option: outside } })), "{group}.{option}");
    }
}

#[test]
fn text_that_is_no_object_is_refused() {
    for text in ["", "[]", "5", "{", r#"{"retry":}"#] {
        let error = Config::from_json(text).unwrap_err();
        assert!(matches!(error, ConfigError::Json { .. }), "{text}: {error}");
    }
}

#[test]
fn validation_names_the_option_and_the_range() {
    let cases = [
        (Config::v9().max_message_size(0), "option maxMessageSize cannot be 0; allowed is a whole number from 1"),
        (Config::v9().max_message_size(usize::MAX), "allowed is a whole number from 1 to 2147483647"),
        (Config::v9().max_pending_bytes(0), "maxPendingBytes"),
        (Config::v9().max_event_name_length(0), "maxEventNameLength"),
        (Config::v9().max_offline_bytes(0), "maxOfflineBytes"),
        (Config::v9().event_queue(0), "eventQueue"),
        (Config::v9().max_udp_peers(0), "maxUdpPeers"),
        (Config::v9().accept_backlog(0), "acceptBacklog"),
        (Config::v9().message_timeout(Duration::ZERO), "messageTimeout"),
        (
            Config::v9().tcp_keep_alive(Duration::ZERO),
            "option tcpKeepAlive cannot be 0; allowed is a number of milliseconds",
        ),
        (Config::v9().tcp_keep_alive(Duration::from_millis(999)), "tcpKeepAlive cannot be 999;"),
        (Config::v9().tcp_keep_alive(Duration::from_millis(32_767_001)), "from 1000 to 32767000, or false"),
        (Config::v9().udp_peer_expiry(Duration::ZERO), "udpPeerExpiry"),
        (Config::v9().retry(Duration::from_secs(3_000_000)), "option retry cannot be 3000000000"),
        (Config::v9().id(""), "option id cannot be \"\""),
        (Config::v9().id("a\0b"), "option id cannot be \"a\\0b\"; allowed is text without a NUL character"),
        (Config::v9().appspace("\0"), "appspace"),
        (Config::v9().socket_root("/tmp\0/"), "socketRoot"),
        (Config::v9().network_host(""), "networkHost"),
        (Config::v9().network_host("[::1]"), "networkHost"),
        (Config::v9().network_host("a host"), "networkHost"),
        (Config::v9().network_host("host:80"), "networkHost"),
        (Config::v9().delimiter(""), "option delimiter cannot be \"\""),
        (Config::v9().delimiter("}"), "option delimiter cannot be \"}\""),
        (Config::v14_guarded().raw_buffer(true), "options rawBuffer and parser do not go together"),
        (Config::v14_assured([""; 0]), "options parser and allowedEvents do not go together"),
        (Config::v14_assured(["a"]).malformed(OnMalformed::Report), "options parser and malformed"),
        (Config::v14_assured(["a", "error"]), "option allowedEvents cannot be a list with \"error\""),
        (Config::v14_assured([""]), "option allowedEvents cannot be a list with \"\""),
        (Config::v9().allowed_events(["n".repeat(70_000)]), "option allowedEvents cannot be a list with \"nnnn"),
        (
            Config::v9().interface(Interface::default().family(IpFamily::V6).local_address([127, 0, 0, 1].into())),
            "options interface.localAddress and interface.family do not go together",
        ),
        (Config::v9().tls(TlsOptions::new().private("k.pem")), "option tls.public is missing: tls.private needs"),
        (Config::v9().tls(TlsOptions::new().cert("c")), "option tls.private is missing: tls.cert needs"),
        (Config::v9().tls(TlsOptions::new().key("k").private("k").cert("c")), "options tls.private and tls.key"),
        (Config::v9().tls(TlsOptions::new().key("k").public("c").cert("c")), "options tls.public and tls.cert"),
        (
            Config::v9().tls(TlsOptions::new().handshake_timeout(Duration::ZERO)),
            "option tls.handshakeTimeout cannot be 0",
        ),
    ];
    for (config, expected) in cases {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} should have {expected:?}");
        assert_eq!(config.build(&host()).unwrap_err().to_string(), error);
    }
    let backoff = |factor, max, jitter| {
        let max = Duration::from_millis(max);
        let backoff = Backoff::Exponential { factor, max, jitter };
        Config::v9().backoff(backoff).validate().map_err(|error| error.to_string())
    };
    assert_eq!(backoff(2.0, 500, 1.0), Ok(()));
    assert_eq!(backoff(1.0, 500, 0.0), Ok(()));
    for (factor, max, jitter, option) in [
        (0.5, 1000, 0.0, "backoff.factor"),
        (f64::INFINITY, 1000, 0.0, "backoff.factor"),
        (f64::NAN, 1000, 0.0, "backoff.factor"),
        (2.0, 499, 0.0, "backoff.max"),
        (2.0, 1000, 1.5, "backoff.jitter"),
        (2.0, 1000, f64::NAN, "backoff.jitter"),
    ] {
        assert!(backoff(factor, max, jitter).unwrap_err().contains(option));
    }
}

#[test]
fn windows_refuses_what_it_does_not_have() {
    let windows = Host::new("pc", Platform::Windows);
    for (config, option) in [
        (Config::v9().socket_mode(0o660), "socketMode"),
        (Config::v9().socket_group("staff"), "socketGroup"),
        (Config::v9().reuse_port(true), "reusePort"),
    ] {
        assert_eq!(config.validate(), Ok(()));
        let error = config.build(&windows).unwrap_err().to_string();
        assert!(error.contains(option) && error.contains("Windows"), "{error}");
    }
}

#[test]
fn what_is_no_object_is_told_by_its_kind() {
    for (text, told) in [("\"secret\"", "this is a string"), (" [1]", "this is an array"), ("5", "this is a number")] {
        let error = Config::from_json(text).unwrap_err();
        assert_eq!(error.to_string(), format!("options must be a JSON object: {told}"));
    }
    let error = Config::from_json("{").unwrap_err().to_string();
    assert!(error.starts_with("options must be a JSON object: EOF"), "{error}");
}
