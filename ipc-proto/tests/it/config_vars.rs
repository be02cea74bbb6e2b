//! Options from environment variables, as an operator writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_proto::{Backoff, Config, ConfigError, Interface, SlowConsumer, TlsOptions};
use std::time::Duration;

fn read(vars: &[(&str, &str)]) -> Config {
    Config::from_vars("IPC_", vars.iter().copied()).unwrap()
}

fn refusal(name: &str, value: &str) -> String {
    Config::from_vars("IPC_", [(name, value)]).unwrap_err().to_string()
}

#[test]
fn every_kind_of_value_is_read_as_its_option_wants_it() {
    let config = read(&[
        ("IPC_ID", "123"),
        ("IPC_APPSPACE", "true"),
        ("IPC_SOCKET_ROOT", "/run/me/"),
        ("IPC_DELIMITER", r#""\n""#),
        ("IPC_SYNC", "true"),
        ("IPC_RETRY", "1500"),
        ("IPC_MAX_RETRIES", "Infinity"),
        ("IPC_STOP_RETRYING", "3"),
        ("IPC_BACKOFF", r#"{"factor":3}"#),
        ("IPC_SLOW_CONSUMER", "dropOldest"),
        ("IPC_ALLOWED_EVENTS", r#"["a","b"]"#),
        ("IPC_SOCKET_MODE", "0660"),
        ("IPC_IP_TYPE", "IPv6"),
        ("IPC_INTERFACE_LOCAL_ADDRESS", "::1"),
        ("IPC_INTERFACE_LOCAL_PORT", "4000"),
        ("IPC_TLS_PRIVATE", "/etc/k.pem"),
        ("IPC_TLS_PUBLIC", "/etc/c.pem"),
        ("IPC_TLS_TRUSTED_CONNECTIONS", r#"["a.pem","b.pem"]"#),
        ("HOME", "/root"),
        ("ipc_id", "another"),
    ]);
    let Backoff::Exponential { max, jitter, .. } = Backoff::exponential() else { unreachable!() };
    let tls = TlsOptions::new().private("/etc/k.pem").public("/etc/c.pem");
    let expected = Config::new("123")
        .appspace("true")
        .socket_root("/run/me/")
        .delimiter("\n")
        .sync(true)
        .retry(Duration::from_millis(1500))
        .stop_retrying(3)
        .backoff(Backoff::Exponential { factor: 3.0, max, jitter })
        .slow_consumer(SlowConsumer::DropOldest)
        .allowed_events(["a", "b"])
        .socket_mode(0o660)
        .ip_type(ipc_proto::IpFamily::V6)
        .interface(Interface::default().local_address("::1".parse().unwrap()).local_port(4000))
        .tls(tls.trusted_connection("a.pem").trusted_connection("b.pem"));
    assert_eq!(config, expected);
    assert_eq!(read(&[("IPC_MAX_RETRIES", "false")]), Config::v9());
}

#[test]
fn a_parser_chooses_the_defaults_and_a_base_keeps_its_own() {
    assert_eq!(read(&[("IPC_PARSER", "guarded")]), Config::v14_guarded());
    let base = Config::v14_fast().id("me").tls(TlsOptions::new().private("k").public("c"));
    assert_eq!(base.clone().with_vars("IPC_", [("PATH", "/bin")]).unwrap(), base);
    let changed = base.clone().with_vars("MY_", [("MY_RETRY", "7"), ("IPC_RETRY", "8")]).unwrap();
    assert_eq!(changed, base.retry(Duration::from_millis(7)));
}

#[test]
fn a_misspelt_variable_is_told_the_right_one() {
    let cases = [
        ("IPC_MAX_RETRYS", "IPC_MAX_RETRIES"),
        ("IPC_MAXCONNECTIONS", "IPC_MAX_CONNECTIONS"),
        ("IPC_retry", "IPC_RETRY"),
        ("IPC_TLS_CERTT", "IPC_TLS_CERT"),
        ("IPC_INTERFACE_LOCAL_ADRESS", "IPC_INTERFACE_LOCAL_ADDRESS"),
    ];
    for (typed, meant) in cases {
        assert_eq!(refusal(typed, "1"), format!("there is no option {typed:?}; did you mean {meant:?}?"));
    }
    assert_eq!(refusal("IPC_COLOUR", "1"), r#"there is no option "IPC_COLOUR""#);
    assert_eq!(refusal("IPC_", "1"), r#"there is no option "IPC_""#);
}

#[test]
fn a_wrong_value_is_told_with_its_variable_and_what_is_allowed() {
    let cases = [
        (
            "IPC_RETRY",
            "soon",
            r#"option IPC_RETRY cannot be "soon"; allowed is a number of milliseconds from 0 to 2147483647"#,
        ),
        ("IPC_SYNC", "yes", r#"option IPC_SYNC cannot be "yes"; allowed is true or false"#),
        ("IPC_SYNC", "", r#"option IPC_SYNC cannot be ""; allowed is true or false"#),
        (
            "IPC_SLOW_CONSUMER",
            "drop",
            r#"option IPC_SLOW_CONSUMER cannot be "drop"; allowed is "refuse", "dropOldest", "dropNewest" or "disconnect""#,
        ),
        ("IPC_BACKOFF", r#"{"factr":2}"#, r#"there is no option "backoff.factr"; did you mean "backoff.factor"?"#),
        ("IPC_TLS", "true", r#"option IPC_TLS cannot be "true"; allowed is an object of TLS options, or false"#),
    ];
    for (name, value, expected) in cases {
        assert_eq!(refusal(name, value), expected);
    }
    let secret = refusal("IPC_TLS_KEY", "[\"-----BEGIN PRIVATE KEY-----\"]");
    assert!(secret.contains("IPC_TLS_KEY") && !secret.contains("BEGIN"), "{secret}");
}

#[test]
fn a_group_as_a_whole_and_in_parts_is_a_contradiction() {
    for vars in [
        [("IPC_TLS", "false"), ("IPC_TLS_CA", "x")],
        [("IPC_TLS_CA", "x"), ("IPC_TLS", "false")],
        [("IPC_INTERFACE", r#"{"family":4}"#), ("IPC_INTERFACE_FAMILY", "6")],
    ] {
        let error = Config::from_vars("IPC_", vars).unwrap_err();
        assert!(matches!(error, ConfigError::Conflict { .. } | ConfigError::Invalid { .. }), "{error}");
    }
}

#[test]
fn no_variable_panics_whatever_is_in_it() {
    for name in ["IPC_", "IPC_É", "IPC_ID", "IPC_TLS_CA", "IPC_BACKOFF", "IPC_ALLOWED_EVENTS"] {
        for value in ["", "\0", "{", "[[[[", "é", "\"", "1e999", "-", "{\"a\":{}}"] {
            let _ = Config::from_vars("IPC_", [(name, value)]).map(|config| config.validate());
        }
    }
}
