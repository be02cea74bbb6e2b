//! `config`: any JSON text as a configuration, and any options with any values.
//!
//! Nothing panics, on any platform; an error names an option that exists, or the name that came and does not; what is
//! accepted is written and read back as the same; what is built can be used. (There are no options from the environment.)

use ipc_proto::{Client, Config, ConfigError, Endpoint, Host, Inbound, Outbound, Platform, Server, Settings};
use serde_json::Value;

use crate::input::Input;
use crate::json_text;

/// Every option by its JSON name; compared with what is written by the crate.
pub(crate) const OPTIONS: [&str; 47] = [
    "appspace",
    "socketRoot",
    "id",
    "encoding",
    "rawBuffer",
    "parser",
    "delimiter",
    "sync",
    "silent",
    "logInColor",
    "logDepth",
    "logPayloads",
    "maxConnections",
    "retry",
    "maxRetries",
    "stopRetrying",
    "backoff",
    "unlink",
    "takeOver",
    "interface",
    "networkHost",
    "networkPort",
    "reusePort",
    "IPType",
    "tls",
    "readableAll",
    "writableAll",
    "socketMode",
    "socketGroup",
    "secureSocketRoot",
    "identifyPeer",
    "malformed",
    "maxMessageSize",
    "maxPendingBytes",
    "slowConsumer",
    "maxEventNameLength",
    "messageTimeout",
    "tcpKeepAlive",
    "allowReservedEvents",
    "allowedEvents",
    "offline",
    "maxOfflineBytes",
    "maxGroups",
    "acceptBacklog",
    "eventQueue",
    "maxUdpPeers",
    "udpPeerExpiry",
];

/// Options within options.
const PARTS: [&str; 18] = [
    "interface.localAddress",
    "interface.localPort",
    "interface.family",
    "interface.hints",
    "tls.private",
    "tls.public",
    "tls.dhparam",
    "tls.trustedConnections",
    "tls.requestCert",
    "tls.rejectUnauthorized",
    "tls.key",
    "tls.cert",
    "tls.ca",
    "tls.servername",
    "tls.handshakeTimeout",
    "backoff.factor",
    "backoff.max",
    "backoff.jitter",
];

/// Names that JavaScript users set and that have no place here.
const FUNCTIONS: [&str; 2] = ["logger", "interface.lookup"];

/// Values that some option takes, in JSON.
const VALUES: [&str; 42] = [
    "true",
    "false",
    "null",
    "0",
    "1",
    "-1",
    "3",
    "0.5",
    "1e3",
    "100",
    "1500",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "1e19",
    "1.0000001",
    "0.1",
    "1e300",
    "\"\"",
    "\"Infinity\"",
    "\"assured\"",
    "\"guarded\"",
    "\"fast\"",
    "\"raw\"",
    "\"close\"",
    "\"buffer\"",
    "\"drop\"",
    "\"dropOldest\"",
    "\"disconnect\"",
    "\"hex\"",
    "\"exponential\"",
    "\"IPv6\"",
    "\"::1\"",
    "\"0660\"",
    "[]",
    "[\"message\"]",
    "{}",
];

/// Runs one input: the first choice says whether the rest is a text, or a list of options.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let text = match input.below(3) {
        0 => String::from_utf8_lossy(input.rest()).into_owned(),
        _ => options(&mut input),
    };
    let verdict = Config::from_json(&text);
    match serde_json::from_str::<Config>(&text) {
        Ok(config) => assert_eq!(verdict.as_ref(), Ok(&config), "serde and from_json read alike"),
        Err(_) => assert!(verdict.is_err(), "serde and from_json read alike"),
    }
    match verdict {
        Ok(config) => accepted(&config),
        Err(error) => refused(&error, &text),
    }
    for preset in [Config::v14_fast(), Config::v14_guarded(), Config::v14_assured(["message"])] {
        match preset.with_json(&text) {
            Ok(config) => accepted(&config),
            Err(error) => refused(&error, &text),
        }
    }
}

/// An object of options with likely and unlikely values.
fn options(input: &mut Input<'_>) -> String {
    let mut members: Vec<(String, String)> = Vec::new();
    let mut choices = 0;
    while !input.is_empty() && choices < 64 {
        choices += 1;
        let mut twice = false;
        let name = match input.byte() {
            255 => input.text(),
            // One that is there already, if any is.
            252 => {
                twice = true;
                members.last().map_or_else(|| "retry".to_owned(), |(name, _)| name.clone())
            }
            254 => "interfaces".to_owned(),
            253 => "logger".to_owned(),
            known => OPTIONS[usize::from(known) % OPTIONS.len()].to_owned(),
        };
        let value = match (&name[..], input.flag()) {
            ("interface" | "interfaces", true) => group(input, "interface."),
            ("tls", true) => group(input, "tls."),
            ("backoff", true) => group(input, "backoff."),
            _ => value(input),
        };
        put(&mut members, name, value, twice);
    }
    object(members)
}

/// A second value of an option takes the place of the first, so that what is read goes beyond it; `twice` leaves both.
fn put(members: &mut Vec<(String, String)>, name: String, value: String, twice: bool) {
    match members.iter_mut().find(|(before, _)| *before == name) {
        Some((_, before)) if !twice => *before = value,
        _ => members.push((name, value)),
    }
}

fn object(members: Vec<(String, String)>) -> String {
    let members = members.into_iter().map(|(name, value)| {
        let name = serde_json::to_string(&name).expect("a string");
        format!("{name}:{value}")
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn group(input: &mut Input<'_>, prefix: &str) -> String {
    let names: Vec<_> = PARTS.iter().filter_map(|part| part.strip_prefix(prefix)).collect();
    let mut members = Vec::new();
    for _ in 0..input.below(5) {
        let name = (*input.choose(&names)).to_owned();
        let value = value(input);
        put(&mut members, name, value, false);
    }
    object(members)
}

fn value(input: &mut Input<'_>) -> String {
    match input.byte() {
        255 => serde_json::to_string(&input.text()).expect("a string"),
        254 => json_text::value(input),
        253 => format!("{}.{}", input.word(), input.word()),
        // Some months with fractions of a nanosecond, where a double is hardly fine enough.
        251 => format!("{}.{}", u32::from(input.word()) << 16 | u32::from(input.word()), input.word()),
        252 => {
            let bits: [u8; 8] = std::array::from_fn(|_| input.byte());
            Value::from(f64::from_le_bytes(bits)).to_string()
        }
        known => VALUES[usize::from(known) % VALUES.len()].to_owned(),
    }
}

/// What was read is written as it was, and can be built or not, on any platform.
fn accepted(config: &Config) {
    let written = serde_json::to_value(config).expect("a configuration is written as JSON");
    let names: Vec<_> = written.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), OPTIONS.len());
    assert!(OPTIONS.iter().all(|option| names.iter().any(|name| name == option)), "every option is written");
    let text = written.to_string();
    assert_eq!(Config::from_json(&text).as_ref(), Ok(config), "{text}");
    let valid = config.validate();
    for platform in [Platform::Linux, Platform::Bsd, Platform::Windows] {
        match config.clone().build(&Host::new("fuzz", platform)) {
            Ok(settings) => {
                assert_eq!(valid, Ok(()));
                usable(&settings);
            }
            Err(error) => {
                assert!(valid.is_ok() || valid.as_ref() == Err(&error), "{error} instead of {valid:?}");
                names_an_option(&error);
            }
        }
    }
}

fn usable(settings: &Settings) {
    let _ = format!("{settings:?}");
    let config = settings.config();
    assert_eq!(settings.is_raw(), config.raw_buffer || config.parser == ipc_proto::Parser::Raw);
    assert!(!settings.id().is_empty() && !settings.delimiter().as_bytes().is_empty());
    assert!(settings.retry().as_millis() >= 1 && settings.socket_mode() <= 0o777);
    let mut server = Server::new(settings.clone());
    server.start();
    let _ = server.handle_accept();
    let _ = Inbound::new(settings);
    let mut outbound = Outbound::new(settings, config.sync);
    let _ = outbound.emit("message", &1);
    let endpoints =
        [Endpoint::local(settings, None), Endpoint::net(settings, None, None), Endpoint::local(settings, Some("w"))];
    for endpoint in endpoints {
        match endpoint {
            Ok(endpoint) => {
                assert_eq!(settings.check(&endpoint), Ok(()), "{endpoint}");
                let _ = settings.check_serving(&endpoint);
                let mut client = Client::new(settings.clone(), endpoint, 1);
                client.connect();
                while client.poll_action().is_some() {}
                client.handle_connect_failed(crate::input::start());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn refused(error: &ConfigError, text: &str) {
    match error {
        ConfigError::Json { .. } => {
            assert!(serde_json::from_str::<Value>(text).map_or(true, |value| !value.is_object()), "{error}");
        }
        ConfigError::Unknown { option, nearest } => {
            // An option of a group is none by its full name, written as one key.
            let as_one_key = option.contains('.') && (text.contains(&format!("\"{option}\"")) || text.contains('\\'));
            assert!(!is_option(option) || as_one_key, "{error}");
            assert!(nearest.as_deref().is_none_or(is_option), "{error}");
            let name = option.rsplit('.').next().unwrap_or_default().trim_end_matches('…');
            let escaped = serde_json::to_string(name).expect("a string");
            let came = text.contains(name) || text.contains(escaped.trim_matches('"')) || text.contains('\\');
            assert!(came, "{error}: the name came");
        }
        ConfigError::Twice { option, first } => {
            assert!(is_option(option) || FUNCTIONS.contains(&&*usual(option)), "{error}");
            assert_eq!(usual(option), usual(first), "{error}");
            let name = |option: &str| format!("\"{}\"", option.rsplit('.').next().unwrap_or_default());
            let times = text.matches(&name(option)).count() + text.matches(&name(first)).count();
            // Of one name both counts are the same.
            assert!(times >= if option == first { 4 } else { 2 } || text.contains('\\'), "{error}");
        }
        error => names_an_option(error),
    }
}

fn names_an_option(error: &ConfigError) {
    match error {
        ConfigError::Invalid { option, allowed, .. } => {
            assert!(is_option(option) || FUNCTIONS.contains(&&*usual(option)), "{error}");
            assert!(!allowed.is_empty());
        }
        ConfigError::Conflict { option, other, reason } => {
            assert!(is_option(option) && is_option(other) && option != other && !reason.is_empty(), "{error}");
        }
        ConfigError::Missing { option, other, reason, .. } => {
            assert!(is_option(option) && is_option(other) && option != other && !reason.is_empty(), "{error}");
        }
        error => panic!("{error}"),
    }
    assert!(!error.to_string().contains(char::is_control), "{error}");
}

fn is_option(name: &str) -> bool {
    let name = &*usual(name);
    OPTIONS.contains(&name) || PARTS.contains(&name)
}

/// An option is told by the name that was written; two have another one as well.
fn usual(name: &str) -> String {
    let interface = name.strip_prefix("interfaces").filter(|rest| rest.is_empty() || rest.starts_with('.'));
    match interface {
        Some(rest) => format!("interface{rest}"),
        None if name == "tls.serverName" => "tls.servername".into(),
        None => name.into(),
    }
}
