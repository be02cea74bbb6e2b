//! The options of node-ipc from everywhere they may stand: flags over the environment over a file over a preset.
//!
//! Which options there are, and what they allow, the library knows; here they are found, laid over each other, and an error is
//! given the name of the place it comes from.

mod environment;
mod file;
mod flags;
mod placed;

use file::Found;
pub(crate) use flags::Common;

use crate::exit::{Failure, Outcome};
use ipc_tokio::{Config, ConfigError, TlsOptions};
use serde_json::{Map, Value};
use std::fmt::Display;
use std::path::Path;

/// Where the defaults come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// node-ipc 9 to 12: sockets in /tmp/, malformed messages are reported
    V9,
    /// node-ipc 14: sockets in a private directory, malformed messages end the connection
    V14Fast,
    /// node-ipc 14 with its parser `guarded`: limits, and rules on names
    V14Guarded,
    /// node-ipc 14 with its parser `assured`: only the names of `allowedEvents`, TLS with certificates of both sides
    V14Assured,
}

impl Preset {
    fn config(self) -> Config {
        match self {
            Self::V9 => Config::v9(),
            Self::V14Fast => Config::v14_fast(),
            Self::V14Guarded => Config::v14_guarded(),
            Self::V14Assured => Config::v14_assured([""; 0]),
        }
    }

    fn parse(text: &str, at: impl Display) -> Outcome<Self> {
        <Self as clap::ValueEnum>::from_str(text, true)
            .map_err(|_| Failure::usage(format!("{at}: {text:?} is no preset")).help(PRESETS))
    }
}

/// What to say where there is no such preset.
const PRESETS: &str = "presets are v9, v14-fast, v14-guarded and v14-assured";

/// What one place says.
#[derive(Default)]
struct Layer {
    preset: Option<Preset>,
    options: Map<String, Value>,
}

/// What all places say together.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    preset: Option<Preset>,
    options: Map<String, Value>,
    /// Whether a flag is about TLS: then an address in clear is a mistake.
    pub(crate) tls_by_flag: bool,
    /// What to warn of: the file in the usual place cannot be read.
    pub(crate) unreadable: Option<String>,
}

impl Options {
    /// Looks everywhere.
    pub(crate) fn gather(common: &Common) -> Outcome<Self> {
        let mut layers = Vec::new();
        let mut unreadable = None;
        match file::find(common.config.as_deref())? {
            Found::Nothing => {}
            Found::Read(file) => layers.push(file),
            Found::Unreadable(why) => unreadable = Some(why),
        }
        layers.push(environment::read(std::env::vars_os())?);
        layers.push(common.layer()?);
        let mut all = Layer::default();
        for layer in layers {
            all.preset = layer.preset.or(all.preset);
            merge(&mut all.options, layer.options);
        }
        let tls_by_flag = common.is_about_tls();
        Ok(Self { preset: all.preset, options: all.options, tls_by_flag, unreadable })
    }

    /// What it is when nobody says anything.
    pub(crate) fn none() -> Self {
        Self { preset: None, options: Map::new(), tls_by_flag: false, unreadable: None }
    }

    /// The configuration, with or without TLS as the address says.
    pub(crate) fn config(&self, tls: bool) -> Outcome<Config> {
        let mut options = self.options.clone();
        if tls {
            options.entry("tls").or_insert_with(|| Value::Object(Map::new()));
        } else {
            options.remove("tls");
        }
        let text = Value::Object(options).to_string();
        let config = match self.preset {
            Some(preset) => preset.config().with_json(&text),
            None => Config::from_json(&text),
        };
        let mut config = config.map_err(|error| refused("the options", &error))?;
        if tls && config.tls.is_none() {
            config.tls = Some(TlsOptions::new());
        }
        Ok(config)
    }

    /// The option socketRoot, if it looks like a directory without its closing slash.
    pub(crate) fn root_without_slash(&self) -> Option<&str> {
        let root = self.options.get("socketRoot")?.as_str()?;
        let looks_like_one = root.ends_with(char::is_alphanumeric) || Path::new(root).is_dir();
        (!root.ends_with('/') && looks_like_one).then_some(root)
    }

    /// Whether a preset was named anywhere.
    #[cfg(unix)]
    pub(crate) fn has_preset(&self) -> bool {
        self.preset.is_some()
    }

    /// Whether the option was set anywhere.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut value = Value::Object(self.options.clone());
        name.split('.').all(|part| match value.get_mut(part) {
            Some(found) => {
                value = found.take();
                true
            }
            None => false,
        })
    }
}

/// What is wrong with options, and with which flag it is put right where that has another name.
pub(crate) fn refused(at: impl Display, error: &ConfigError) -> Failure {
    let failure = Failure::usage(format!("{at}: {error}"));
    match error {
        ConfigError::Missing { option: "tls.private", .. } => {
            failure.help("name the file of the private key with --key")
        }
        ConfigError::Missing { option: "tls.public", .. } => {
            failure.help("name the file of the certificate with --cert")
        }
        _ => failure,
    }
}

/// Lays `over` over `under`; groups are laid over each other option by option.
fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (_, value) => {
                under.insert(name, value);
            }
        }
    }
}

/// An option, or one of a group (`tls.ca`), as the object it stands for.
fn nested(name: &str, value: Value) -> Map<String, Value> {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let value = match rest {
        Some(rest) => Value::Object(nested(rest, value)),
        None => value,
    };
    Map::from_iter([(first.to_owned(), value)])
}

fn check(options: &Map<String, Value>) -> Result<(), ConfigError> {
    Config::v9().with_json(&Value::Object(options.clone()).to_string()).map(drop)
}

/// The option `name` with a value that was written as text: JSON if the option takes it so, else the text itself.
fn from_text(name: &str, text: &str) -> Result<Map<String, Value>, ConfigError> {
    let as_text = nested(name, Value::from(text));
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return check(&as_text).map(|()| as_text);
    };
    let as_json = nested(name, value);
    match (check(&as_json), check(&as_text)) {
        (Ok(()), _) => Ok(as_json),
        (Err(_), Ok(())) => Ok(as_text),
        (Err(error), Err(_)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_layer_covers_options_and_not_whole_groups() {
        let mut under = map(json!({"id": "a", "tls": {"private": "k", "public": "c"}, "retry": 1}));
        merge(&mut under, map(json!({"id": "b", "tls": {"public": "d"}})));
        assert_eq!(under, map(json!({"id": "b", "tls": {"private": "k", "public": "d"}, "retry": 1})));
    }

    #[test]
    fn a_value_written_as_text_is_what_the_option_takes() {
        let read = |name, text| from_text(name, text).map_err(|error| error.to_string());
        assert_eq!(read("retry", "20"), Ok(map(json!({"retry": 20}))));
        assert_eq!(read("id", "20"), Ok(map(json!({"id": "20"}))));
        assert_eq!(read("id", "world"), Ok(map(json!({"id": "world"}))));
        assert_eq!(read("socketMode", "0660"), Ok(map(json!({"socketMode": "0660"}))));
        assert_eq!(read("tls.ca", "x"), Ok(map(json!({"tls": {"ca": "x"}}))));
        assert!(read("retry", "soon").unwrap_err().contains("retry"));
        assert!(read("maxConections", "1").unwrap_err().contains("did you mean \"maxConnections\"?"));
    }

    #[test]
    fn tls_is_there_as_the_address_says_and_not_as_the_file_says() {
        let options = Options {
            preset: Some(Preset::V14Fast),
            options: map(json!({"tls": {"rejectUnauthorized": false}})),
            tls_by_flag: false,
            unreadable: None,
        };
        let [with, without] = [true, false].map(|tls| options.config(tls).expect("good options").tls);
        assert_eq!(with.and_then(|tls| tls.reject_unauthorized), Some(false));
        assert_eq!(without, None);
        assert!(options.has("tls.rejectUnauthorized") && !options.has("tls.ca") && !options.has("id"));
    }
}
