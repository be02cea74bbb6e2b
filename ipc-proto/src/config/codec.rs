//! How each kind of option is written in JSON, and which values it takes there.
//!
//! A codec knows the kind of value only; which combinations make sense is `validate`'s business.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::table::{self, INTERFACE_OPTIONS, Row, TLS_OPTIONS};
use super::{ConfigError, Interface, IpFamily, Offline, OnMalformed, Parser, SlowConsumer, StopRetrying, TlsOptions};
use crate::{Backoff, Encoding};

/// Why a value was not read.
pub(super) enum Unread {
    /// The option cannot have it.
    Value,
    /// A part of it is wrong, and this says which and why.
    Part(ConfigError),
}

/// One kind of option: what it allows, and both directions.
pub(super) struct Codec<T> {
    pub(super) allowed: &'static str,
    pub(super) read: fn(&Value) -> Result<T, Unread>,
    pub(super) write: fn(&T) -> Value,
}

impl<T> Codec<T> {
    /// The same for an option that is not allowed everything which is read: `validate` refuses the rest, with these words.
    const fn allowing(self, allowed: &'static str) -> Self {
        Self { allowed, ..self }
    }
}

pub(super) const BOOL: Codec<bool> = Codec {
    allowed: "true or false",
    read: |value| value.as_bool().ok_or(Unread::Value),
    write: |on| Value::Bool(*on),
};

pub(super) const TEXT: Codec<String> = Codec {
    allowed: "a text",
    read: |value| value.as_str().map(str::to_owned).ok_or(Unread::Value),
    write: |text| Value::from(text.as_str()),
};

/// Text, or nothing: `false`, `null`.
pub(super) const OPTIONAL_TEXT: Codec<Option<String>> = Codec {
    allowed: "a text, or false for the default",
    read: |value| optional(value, TEXT.read),
    write: |text| text.as_ref().map_or(Value::Null, TEXT.write),
};

pub(super) const ID: Codec<Option<String>> =
    OPTIONAL_TEXT.allowing("a text of at least one character, or false for the host's name");

pub(super) const OPTIONAL_BOOL: Codec<Option<bool>> = Codec {
    allowed: "true, false, or null for the default",
    read: |value| match value {
        Value::Null => Ok(None),
        other => (BOOL.read)(other).map(Some),
    },
    write: |on| on.map_or(Value::Null, Value::Bool),
};

/// A count or a number of bytes. What is too large for the machine is taken as the largest there is.
pub(super) const COUNT: Codec<usize> = Codec {
    allowed: "a whole number from 0",
    read: |value| whole(value).map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
    write: |count| Value::from(*count),
};

/// Of messages, bytes or peers, none of which would be too few. That it is none of those is for `validate`.
pub(super) const POSITIVE: Codec<usize> = COUNT.allowing("a whole number from 1");

pub(super) const MESSAGE_SIZE: Codec<usize> = COUNT.allowing("a whole number from 1 to 2147483647");

/// A count without limit at `usize::MAX`, written `"Infinity"`.
pub(super) const COUNT_OR_UNLIMITED: Codec<usize> = Codec {
    allowed: "a whole number from 0, or \"Infinity\" for no limit",
    read: |value| {
        if is_infinity(value) || matches!(value, Value::Null | Value::Bool(false)) {
            Ok(usize::MAX)
        } else {
            (COUNT.read)(value)
        }
    },
    write: |count| match *count {
        usize::MAX => Value::from("Infinity"),
        count => Value::from(count),
    },
};

pub(super) const NUMBER: Codec<u32> = Codec {
    allowed: "a whole number from 0 to 4294967295",
    read: |value| u32::try_from(whole(value)?).map_err(|_| Unread::Value),
    write: |number| Value::from(*number),
};

pub(super) const BACKLOG: Codec<u32> = NUMBER.allowing("a whole number from 1 to 4294967295");

/// A number, or no limit: `false`, `null`, `"Infinity"`.
pub(super) const NUMBER_OR_UNLIMITED: Codec<Option<u32>> = Codec {
    allowed: "a whole number from 0 to 4294967295, or false (or \"Infinity\") for no limit",
    read: |value| {
        if is_infinity(value) {
            return Ok(None);
        }
        optional(value, NUMBER.read)
    },
    write: |number| number.map_or(Value::Bool(false), Value::from),
};

/// A number, or nothing: `false`, `null`.
pub(super) const OPTIONAL_NUMBER: Codec<Option<u32>> = Codec {
    allowed: "a whole number from 0 to 4294967295, or false",
    read: |value| optional(value, NUMBER.read),
    write: |number| number.map_or(Value::Bool(false), Value::from),
};

pub(super) const PORT: Codec<u16> = Codec {
    allowed: "a whole number from 0 to 65535",
    read: |value| u16::try_from(whole(value)?).map_err(|_| Unread::Value),
    write: |port| Value::from(*port),
};

pub(super) const OPTIONAL_PORT: Codec<Option<u16>> = Codec {
    allowed: "a whole number from 0 to 65535, or false",
    read: |value| optional(value, PORT.read),
    write: |port| port.map_or(Value::Bool(false), Value::from),
};

/// The mode of a file, in octal digits. No number: JSON has decimal ones only, and 444 would open to others what is to be closed.
pub(super) const MODE: Codec<Option<u32>> = Codec {
    allowed: "a text of octal digits from \"0000\" to \"0777\" such as \"0660\", or false for the default",
    read: |value| {
        optional(value, |value| match value.as_str() {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')) => {
                u32::from_str_radix(digits, 8).map_err(|_| Unread::Value)
            }
            _ => Err(Unread::Value),
        })
    },
    write: |mode| mode.map_or(Value::Bool(false), |mode| Value::from(format!("{mode:04o}"))),
};

/// A group by its name or its number.
pub(super) const GROUP: Codec<Option<String>> = Codec {
    allowed: "the name or the number of a group, or false for the default",
    read: |value| {
        optional(value, |value| match value {
            Value::Number(_) => (NUMBER.read)(value).map(|number| number.to_string()),
            _ => (TEXT.read)(value),
        })
    },
    write: OPTIONAL_TEXT.write,
};

pub(super) const MILLISECONDS: Codec<Duration> = Codec {
    allowed: "a number of milliseconds from 0",
    read: |value| {
        if let Ok(milliseconds) = whole(value) {
            return Ok(Duration::from_millis(milliseconds));
        }
        let milliseconds = value.as_f64().ok_or(Unread::Value)?;
        // The two parts of a number are exact, its product or quotient is not: one that is written would be read as another.
        let (whole, part) = (milliseconds.trunc(), milliseconds.fract());
        if whole < 0.0 || part < 0.0 || whole > u64::MAX as f64 {
            return Err(Unread::Value);
        }
        let nanoseconds = (part * NANOSECONDS).round() as u64;
        Ok(Duration::from_millis(whole as u64).saturating_add(Duration::from_nanos(nanoseconds)))
    },
    write: |time| {
        let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match time.subsec_nanos() % 1_000_000 {
            0 => Value::from(whole),
            part => Value::from(whole as f64 + f64::from(part) / NANOSECONDS),
        }
    },
};

/// Nanoseconds of a millisecond.
const NANOSECONDS: f64 = 1e6;

/// A time, or no limit: `false`, `null`, `"Infinity"`.
pub(super) const OPTIONAL_MILLISECONDS: Codec<Option<Duration>> = Codec {
    allowed: "a number of milliseconds, or false for no limit",
    read: |value| {
        if is_infinity(value) {
            return Ok(None);
        }
        optional(value, MILLISECONDS.read)
    },
    write: |time| time.as_ref().map_or(Value::Bool(false), MILLISECONDS.write),
};

pub(super) const RETRY: Codec<Duration> = MILLISECONDS.allowing("a number of milliseconds from 0 to 2147483647");

pub(super) const EXPIRY: Codec<Duration> = MILLISECONDS.allowing("a number of milliseconds above 0");

pub(super) const HANDSHAKE_TIMEOUT: Codec<Duration> =
    MILLISECONDS.allowing("a number of milliseconds above 0, to 2147483647");

pub(super) const MESSAGE_TIMEOUT: Codec<Option<Duration>> =
    OPTIONAL_MILLISECONDS.allowing("a number of milliseconds above 0, or false for no limit");

pub(super) const KEEP_ALIVE: Codec<Option<Duration>> =
    OPTIONAL_MILLISECONDS.allowing("a number of milliseconds from 1000 to 32767000, or false");

pub(super) const ENCODING: Codec<Encoding> = Codec {
    allowed: "one of utf8, ascii, latin1, utf16le, ucs2, base64, base64url, hex",
    read: |value| {
        let name = value.as_str().ok_or(Unread::Value)?;
        name.trim().parse().map_err(|_| Unread::Value)
    },
    write: |encoding| Value::from(encoding.as_str()),
};

pub(super) const PARSER: Codec<Parser> = Codec {
    allowed: "\"raw\", \"fast\", \"guarded\" or \"assured\"",
    read: |value| {
        named(
            value,
            &[("raw", Parser::Raw), ("fast", Parser::Fast), ("guarded", Parser::Guarded), ("assured", Parser::Assured)],
        )
    },
    write: |parser| {
        Value::from(match parser {
            Parser::Raw => "raw",
            Parser::Fast => "fast",
            Parser::Guarded => "guarded",
            Parser::Assured => "assured",
        })
    },
};

pub(super) const MALFORMED: Codec<OnMalformed> = Codec {
    allowed: "\"report\" or \"close\"",
    read: |value| named(value, &[("report", OnMalformed::Report), ("close", OnMalformed::Close)]),
    write: |malformed| {
        Value::from(match malformed {
            OnMalformed::Report => "report",
            OnMalformed::Close => "close",
        })
    },
};

pub(super) const OFFLINE: Codec<Offline> = Codec {
    allowed: "\"refuse\", \"buffer\" or \"drop\"",
    read: |value| named(value, &[("refuse", Offline::Refuse), ("buffer", Offline::Buffer), ("drop", Offline::Drop)]),
    write: |offline| {
        Value::from(match offline {
            Offline::Refuse => "refuse",
            Offline::Buffer => "buffer",
            Offline::Drop => "drop",
        })
    },
};

pub(super) const SLOW_CONSUMER: Codec<SlowConsumer> = Codec {
    allowed: "\"refuse\", \"dropOldest\", \"dropNewest\" or \"disconnect\"",
    read: |value| {
        named(
            value,
            &[
                ("refuse", SlowConsumer::Refuse),
                ("dropOldest", SlowConsumer::DropOldest),
                ("dropNewest", SlowConsumer::DropNewest),
                ("disconnect", SlowConsumer::Disconnect),
            ],
        )
    },
    write: |policy| {
        Value::from(match policy {
            SlowConsumer::Refuse => "refuse",
            SlowConsumer::DropOldest => "dropOldest",
            SlowConsumer::DropNewest => "dropNewest",
            SlowConsumer::Disconnect => "disconnect",
        })
    },
};

pub(super) const STOP_RETRYING: Codec<StopRetrying> = Codec {
    allowed: "false, true, or a number of retries from 0",
    read: |value| match value {
        Value::Null => Ok(StopRetrying::No),
        Value::Bool(stop) => Ok(StopRetrying::from(*stop)),
        other => (NUMBER.read)(other).map(StopRetrying::After),
    },
    write: |stop| match stop {
        StopRetrying::No => Value::Bool(false),
        StopRetrying::Yes => Value::Bool(true),
        StopRetrying::After(retries) => Value::from(*retries),
    },
};

/// Written as Node writes a family: `4`, `6`, and 0 or `false` for both.
pub(super) const FAMILY: Codec<Option<IpFamily>> = Codec {
    allowed: "4, 6, or false for both",
    read: |value| match (value.as_str(), value.as_u64()) {
        (Some("IPv4"), _) | (_, Some(4)) => Ok(Some(IpFamily::V4)),
        (Some("IPv6"), _) | (_, Some(6)) => Ok(Some(IpFamily::V6)),
        (_, Some(0)) => Ok(None),
        _ => optional(value, |_| Err(Unread::Value)),
    },
    write: |family| match family {
        None => Value::Bool(false),
        Some(IpFamily::V4) => Value::from(4),
        Some(IpFamily::V6) => Value::from(6),
    },
};

/// Written as node-ipc writes `IPType`.
pub(super) const IP_TYPE: Codec<Option<IpFamily>> = Codec {
    allowed: "\"IPv4\", \"IPv6\", or \"\" for neither",
    read: |value| match value.as_str() {
        Some("IPv4") => Ok(Some(IpFamily::V4)),
        Some("IPv6") => Ok(Some(IpFamily::V6)),
        Some("") => Ok(None),
        _ => optional(value, |_| Err(Unread::Value)),
    },
    write: |family| {
        Value::from(match family {
            None => "",
            Some(IpFamily::V4) => "IPv4",
            Some(IpFamily::V6) => "IPv6",
        })
    },
};

pub(super) const ADDRESS: Codec<Option<IpAddr>> = Codec {
    allowed: "an IP address, or false",
    read: |value| {
        optional(value, |value| {
            let text = value.as_str().ok_or(Unread::Value)?;
            text.parse().map_err(|_| Unread::Value)
        })
    },
    write: |address| address.map_or(Value::Bool(false), |address| Value::from(address.to_string())),
};

pub(super) const NAMES: Codec<Option<BTreeSet<String>>> = Codec {
    allowed: "a list of event names, or false for all",
    read: |value| optional(value, |value| many(value.as_array().ok_or(Unread::Value)?)),
    write: |names| match names {
        None => Value::Bool(false),
        Some(names) => names.iter().map(String::as_str).collect(),
    },
};

pub(super) const TEXTS: Codec<Vec<String>> = Codec {
    allowed: "a text or a list of texts",
    read: |value| match value {
        Value::Null | Value::Bool(false) => Ok(Vec::new()),
        Value::Array(texts) => many(texts),
        one => (TEXT.read)(one).map(|text| vec![text]),
    },
    write: |texts| texts.iter().map(String::as_str).collect(),
};

pub(super) const PATH: Codec<Option<PathBuf>> = Codec {
    allowed: "the path of a file",
    read: |value| optional(value, |value| (TEXT.read)(value).map(PathBuf::from)),
    write: |path| path.as_ref().map_or(Value::Null, |path| Value::from(path.to_string_lossy())),
};

pub(super) const PATHS: Codec<Vec<PathBuf>> = Codec {
    allowed: "the path of a file or a list of paths",
    read: |value| Ok((TEXTS.read)(value)?.into_iter().map(PathBuf::from).collect()),
    write: |paths| paths.iter().map(|path| path.to_string_lossy()).collect(),
};

pub(super) const INTERFACE: Codec<Interface> = Codec {
    allowed: "an object of localAddress, localPort, family, hints, or false",
    read: |value| Ok(optional(value, |value| group(value, "interface.", INTERFACE_OPTIONS))?.unwrap_or_default()),
    write: |interface| table::object(INTERFACE_OPTIONS, interface),
};

pub(super) const TLS: Codec<Option<TlsOptions>> = Codec {
    allowed: "an object of TLS options, or false",
    read: |value| optional(value, |value| group(value, "tls.", TLS_OPTIONS)),
    write: |tls| match tls {
        None => Value::Bool(false),
        Some(tls) => table::object(TLS_OPTIONS, tls),
    },
};

pub(super) const BACKOFF: Codec<Backoff> = Codec {
    allowed: "\"fixed\", \"exponential\", or an object of factor, max and jitter",
    read: |value| match value {
        Value::Null | Value::Bool(false) => Ok(Backoff::Fixed),
        Value::Object(parts) => exponential(parts),
        name => named(name, &[("fixed", Backoff::Fixed), ("exponential", Backoff::exponential())]),
    },
    write: |backoff| match backoff {
        Backoff::Fixed => Value::from("fixed"),
        Backoff::Exponential { factor, max, jitter } => serde_json::json!({
            "factor": factor,
            "max": (MILLISECONDS.write)(max),
            "jitter": jitter,
        }),
    },
};

/// What the parts of a backoff may be, wherever that is told.
pub(super) const FACTOR_ALLOWED: &str = "a number from 1";
pub(super) const JITTER_ALLOWED: &str = "a number from 0 to 1";
pub(super) const MAX_ALLOWED: &str = "a number of milliseconds from the value of retry to 2147483647";

fn exponential(parts: &Map<String, Value>) -> Result<Backoff, Unread> {
    let number = |option: &'static str, value: &Value, allowed: &'static str| {
        let refused = || ConfigError::invalid(option, super::error::shown(value, false), allowed);
        value.as_f64().ok_or_else(|| Unread::Part(refused()))
    };
    let Backoff::Exponential { mut factor, mut max, mut jitter } = Backoff::exponential() else {
        return Err(Unread::Value);
    };
    for (name, value) in parts {
        match name.as_str() {
            "factor" => factor = number("backoff.factor", value, FACTOR_ALLOWED)?,
            "jitter" => jitter = number("backoff.jitter", value, JITTER_ALLOWED)?,
            "max" => {
                max = (MILLISECONDS.read)(value).map_err(|_| {
                    let value = super::error::shown(value, false);
                    Unread::Part(ConfigError::invalid("backoff.max", value, MAX_ALLOWED))
                })?;
            }
            name => {
                let names = ["factor", "max", "jitter"];
                return Err(Unread::Part(table::unknown("backoff.", name, names.into_iter())));
            }
        }
    }
    Ok(Backoff::Exponential { factor, max, jitter })
}

fn group<T: Default>(value: &Value, prefix: &'static str, rows: &'static [Row<T>]) -> Result<T, Unread> {
    let parts = value.as_object().ok_or(Unread::Value)?;
    let mut read = T::default();
    table::read_into(&mut read, parts, prefix, rows).map_err(Unread::Part)?;
    Ok(read)
}

/// `None` for `false` and `null`, which JavaScript users write for "not set".
fn optional<T>(value: &Value, read: impl FnOnce(&Value) -> Result<T, Unread>) -> Result<Option<T>, Unread> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        other => read(other).map(Some),
    }
}

/// A whole number, also when written `1e3` or `5.0`.
fn whole(value: &Value) -> Result<u64, Unread> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    if let Some(number) = value.as_u64() {
        return Ok(number);
    }
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && (0.0..=EXACT).contains(&number) => Ok(number as u64),
        _ => Err(Unread::Value),
    }
}

fn is_infinity(value: &Value) -> bool {
    value.as_str() == Some("Infinity")
}

fn named<T: Copy>(value: &Value, names: &[(&str, T)]) -> Result<T, Unread> {
    let name = value.as_str().ok_or(Unread::Value)?;
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|(_, choice)| *choice).ok_or(Unread::Value)
}

fn many<C: FromIterator<String>>(values: &[Value]) -> Result<C, Unread> {
    values.iter().map(TEXT.read).collect()
}
