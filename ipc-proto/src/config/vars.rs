//! A configuration from environment variables, which the caller gives: nothing is read here.
//!
//! A variable is named like its option, in capitals: `IPC_MAX_RETRIES` is `maxRetries`, `IPC_TLS_CA` is `tls.ca`. Its value is
//! read as the option wants it, as text or as JSON.

use serde_json::{Map, Value};

use super::error::shown;
use super::nearest::nearest;
use super::table::{self, INTERFACE_OPTIONS, OPTIONS, Row, TLS_OPTIONS};
use super::{Config, ConfigError, Interface, TlsOptions};

impl Config {
    /// Reads those of `vars` whose name begins with `prefix`, over the defaults that [`Config::from_json`] has; the others are
    /// none of ours. With the prefix `IPC_` the variable of `maxRetries` is `IPC_MAX_RETRIES`, that of
    /// `interface.localAddress` is `IPC_INTERFACE_LOCAL_ADDRESS`.
    ///
    /// A value is taken as the text it is where the option takes text, else as JSON: `IPC_ID=world`, `IPC_RETRY=1500`,
    /// `IPC_SYNC=true`, `IPC_MAX_RETRIES=false`, `IPC_ALLOWED_EVENTS=["message"]`. A text may be written as JSON too, which
    /// helps with what a shell cannot say: `IPC_DELIMITER="\n"`, quotes included.
    ///
    /// This crate does not look at the environment: give it `std::env::vars()`.
    ///
    /// ```
    /// use ipc_proto::Config;
    ///
    /// let vars = [("IPC_ID", "world"), ("IPC_MAX_RETRIES", "3"), ("PATH", "/bin")];
    /// let config = Config::from_vars("IPC_", vars)?;
    /// assert_eq!(config, Config::new("world").max_retries(3));
    ///
    /// let error = Config::from_vars("IPC_", [("IPC_MAX_RETRYS", "3")]).unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no option "IPC_MAX_RETRYS"; did you mean "IPC_MAX_RETRIES"?"#);
    /// # Ok::<(), ipc_proto::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Config::from_json`], naming the variable. Two variables for the same thing, such as `IPC_TLS` and `IPC_TLS_CA`, are
    /// an error.
    pub fn from_vars<N, V>(prefix: &str, vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        Self::from_map(&map(prefix, vars)?)
    }

    /// Reads those of `vars` whose name begins with `prefix`, over this configuration; what they do not name stays.
    ///
    /// # Errors
    ///
    /// As [`Config::from_vars`].
    pub fn with_vars<N, V>(mut self, prefix: &str, vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let options = map(prefix, vars)?;
        table::read_into(&mut self, &options, "", OPTIONS)?;
        Ok(self)
    }
}

/// The variables as the JSON object that they stand for.
fn map<N: AsRef<str>, V: AsRef<str>>(
    prefix: &str,
    vars: impl IntoIterator<Item = (N, V)>,
) -> Result<Map<String, Value>, ConfigError> {
    let mut options = Map::new();
    for (name, text) in vars {
        let (name, text) = (name.as_ref(), text.as_ref());
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        let (group, option, value) = read(name, rest, text)?;
        let place = match group {
            None => &mut options,
            Some(group) => {
                let entry = options.entry(group).or_insert_with(|| Value::Object(Map::new()));
                let whole = || {
                    let reason = "one sets the whole of it and the other a part; set one of the two";
                    ConfigError::conflict(group, option, reason)
                };
                entry.as_object_mut().ok_or_else(whole)?
            }
        };
        if place.insert(option.to_owned(), value).is_some() {
            let allowed = "set once, either as a whole or by its parts";
            return Err(ConfigError::invalid(name, "set twice", allowed));
        }
    }
    Ok(options)
}

/// The group and the name of an option, and its value.
type Read = (Option<&'static str>, &'static str, Value);

fn read(name: &str, rest: &str, text: &str) -> Result<Read, ConfigError> {
    if let Some(row) = named("", rest, OPTIONS) {
        return Ok((None, row.name, value(name, text, row, &mut Config::v9())?));
    }
    if let Some(row) = named("interface", rest, INTERFACE_OPTIONS) {
        return Ok((Some("interface"), row.name, value(name, text, row, &mut Interface::default())?));
    }
    if let Some(row) = named("tls", rest, TLS_OPTIONS) {
        return Ok((Some("tls"), row.name, value(name, text, row, &mut TlsOptions::new())?));
    }
    let prefix = &name[..name.len() - rest.len()];
    let known = OPTIONS.iter().map(|row| variable("", row.name));
    let known = known.chain(INTERFACE_OPTIONS.iter().map(|row| variable("interface", row.name)));
    let known: Vec<String> = known.chain(TLS_OPTIONS.iter().map(|row| variable("tls", row.name))).collect();
    let nearest = nearest(rest, known.iter().map(String::as_str)).map(|nearest| format!("{prefix}{nearest}"));
    Err(ConfigError::Unknown { option: crate::error::shortened(name).into(), nearest })
}

fn named<S>(group: &str, rest: &str, rows: &'static [Row<S>]) -> Option<&'static Row<S>> {
    rows.iter().find(|row| variable(group, row.name) == rest)
}

/// What a variable says: the first reading of it that the option takes.
fn value<S>(name: &str, text: &str, row: &Row<S>, scratch: &mut S) -> Result<Value, ConfigError> {
    let literal = Value::from(text);
    let json = serde_json::from_str::<Value>(text).ok();
    // A quoted text, a list and an object are not meant literally; `true` and `5` are, where the option takes text.
    let readings = match json {
        Some(json @ (Value::String(_) | Value::Array(_) | Value::Object(_))) => vec![json],
        Some(json) => vec![literal.clone(), json],
        None => vec![literal.clone()],
    };
    let mut part = None;
    for reading in readings {
        match row.take(scratch, &reading) {
            Ok(()) => return Ok(reading),
            Err(error) => part = error.or(part),
        }
    }
    Err(part.unwrap_or_else(|| ConfigError::invalid(name, shown(&literal, row.is_secret()), row.allowed())))
}

/// How the variable of an option is called, without a prefix: `maxRetries` is `MAX_RETRIES`, `IPType` is `IP_TYPE`.
fn variable(group: &str, option: &str) -> String {
    let mut variable = String::with_capacity(option.len() + 8);
    for part in [group, option].into_iter().filter(|part| !part.is_empty()) {
        if !variable.is_empty() {
            variable.push('_');
        }
        let letters = part.as_bytes();
        for (place, letter) in letters.iter().enumerate() {
            let after_small = place > 0 && letters[place - 1].is_ascii_lowercase();
            let before_small = letters.get(place + 1).is_some_and(u8::is_ascii_lowercase);
            if place > 0 && letter.is_ascii_uppercase() && (after_small || before_small) {
                variable.push('_');
            }
            variable.push(char::from(letter.to_ascii_uppercase()));
        }
    }
    variable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_like_options() {
        let names = [
            ("", "maxRetries", "MAX_RETRIES"),
            ("", "IPType", "IP_TYPE"),
            ("", "id", "ID"),
            ("", "peerID", "PEER_ID"),
            ("", "maxUdpPeers", "MAX_UDP_PEERS"),
            ("", "logInColor", "LOG_IN_COLOR"),
            ("interface", "localAddress", "INTERFACE_LOCAL_ADDRESS"),
            ("tls", "trustedConnections", "TLS_TRUSTED_CONNECTIONS"),
        ];
        for (group, option, expected) in names {
            assert_eq!(variable(group, option), expected);
        }
    }

    #[test]
    fn no_two_options_have_one_variable() {
        let mut all: Vec<String> = OPTIONS.iter().map(|row| variable("", row.name)).collect();
        all.extend(INTERFACE_OPTIONS.iter().map(|row| variable("interface", row.name)));
        all.extend(TLS_OPTIONS.iter().map(|row| variable("tls", row.name)));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
