//! Options from the environment: `IPC_MAX_CONNECTIONS` for `maxConnections`, `IPC_TLS_SERVERNAME` for `tls.servername`.
//!
//! A variable whose name is near that of an option is a mistake; others that begin with `IPC_` belong to somebody else.

use super::{Layer, Preset, from_text, merge, refused};
use crate::exit::{Failure, Outcome};
use crate::near::distance;
use ipc_tokio::{Config, ConfigError, TlsOptions};
use serde_json::Value;
use std::ffi::OsString;

const PREFIX: &str = "IPC_";

/// Variables of this program that are no options of node-ipc.
const OURS: [&str; 3] = ["IPC_CONFIG", "IPC_PRESET", "IPC_COLOR"];

/// Flags whose name is no variable, and what does the same: `IPC_TLS_CA` and its like take a text, and the flags a file.
const FLAGS: [(&str, &str); 8] = [
    ("IPC_CA", "IPC_TLS_TRUSTED_CONNECTIONS"),
    ("IPC_CERT", "IPC_TLS_PUBLIC"),
    ("IPC_KEY", "IPC_TLS_PRIVATE"),
    ("IPC_SERVER_NAME", "IPC_TLS_SERVERNAME"),
    ("IPC_DANGER_ACCEPT_ANY_CERTIFICATE", "IPC_TLS_REJECT_UNAUTHORIZED"),
    ("IPC_FORMAT", "--format"),
    ("IPC_QUIET", "--quiet"),
    ("IPC_VERBOSE", "--verbose"),
];

pub(super) fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Outcome<Layer> {
    let names = names();
    let mut layer = Layer::default();
    for (variable, value) in variables {
        let Some(variable) = variable.to_str().filter(|variable| variable.starts_with(PREFIX)) else { continue };
        let Some(value) = value.to_str() else {
            return Err(Failure::usage(format!("environment variable {variable}: its value is no UTF-8")));
        };
        let at = format!("environment variable {variable}");
        if variable == "IPC_PRESET" {
            layer.preset = Some(Preset::parse(value, &at)?);
        }
        if OURS.contains(&variable) {
            continue;
        }
        let letters = letters(&variable[PREFIX.len()..]);
        if let Some((_, name)) = names.iter().find(|(known, _)| *known == letters) {
            let read = from_text(name, value).map_err(|error| refused(&at, &error))?;
            merge(&mut layer.options, read);
        } else if let Some(meant) = meant(variable) {
            return Err(Failure::usage(format!("{at}: there is no such option; did you mean {meant}?"))
                .help(format!("unset {variable} if it belongs to another program")));
        }
    }
    Ok(layer)
}

/// Every option, by its letters.
fn names() -> Vec<(String, String)> {
    let all = serde_json::to_value(Config::v9().tls(TlsOptions::new())).unwrap_or_default();
    let Value::Object(all) = all else { return Vec::new() };
    let mut names = Vec::new();
    for (name, value) in all {
        if let Value::Object(group) = &value {
            names.extend(group.keys().map(|part| format!("{name}.{part}")));
        }
        names.push(name);
    }
    names.into_iter().map(|name| (letters(&name), name)).collect()
}

/// What a variable was probably meant to be, if anything is near.
fn meant(variable: &str) -> Option<String> {
    let ours = OURS.map(|name| (name, name, 3));
    // Their names are short and common: fewer letters may be wrong.
    let flags = FLAGS.map(|(name, meant)| (name, meant, 4));
    let typed = letters(&variable[PREFIX.len()..]);
    let wrong = |name: &str| distance(&typed, &letters(&name[PREFIX.len()..]));
    let near = ours.into_iter().chain(flags).filter_map(|(name, meant, share)| {
        let wrong = wrong(name);
        (wrong <= (name.len() - PREFIX.len()) / share).then_some((wrong, meant.to_owned()))
    });
    // Of options the library knows best what is near.
    let option = match Config::from_vars(PREFIX, [(variable, "0")]) {
        Err(ConfigError::Unknown { nearest: Some(meant), .. }) => Some((wrong(&meant), meant)),
        _ => None,
    };
    near.chain(option).min_by_key(|(wrong, _)| *wrong).map(|(_, meant)| meant)
}

fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(variables: &[(&str, &str)]) -> Result<Value, String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        read(variables).map(|layer| Value::Object(layer.options)).map_err(|error| error.show())
    }

    #[test]
    fn options_are_found_by_their_names_in_capitals() {
        let found = of(&[
            ("IPC_SOCKET_ROOT", "/run/x/"),
            ("IPC_MAX_CONNECTIONS", "5"),
            ("IPC_TLS_SERVERNAME", "example"),
            ("IPC_IP_TYPE", "IPv6"),
            ("IPC_ID", "7"),
            ("PATH", "/bin"),
            ("IPC_COLOR", "never"),
        ]);
        let expected = json!({
            "socketRoot": "/run/x/", "maxConnections": 5, "tls": {"servername": "example"}, "IPType": "IPv6", "id": "7",
        });
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn a_misspelt_one_is_named_and_one_of_another_program_is_left_alone() {
        let error = of(&[("IPC_MAX_CONECTIONS", "5")]).unwrap_err();
        assert!(error.contains("IPC_MAX_CONECTIONS") && error.contains("did you mean IPC_MAX_CONNECTIONS?"), "{error}");
        let error = of(&[("IPC_TLS_SERVRNAME", "x")]).unwrap_err();
        assert!(error.contains("did you mean IPC_TLS_SERVERNAME?"), "{error}");
        let error = of(&[("IPC_TLS_TRUSTED_CONECTIONS", "x")]).unwrap_err();
        assert!(error.contains("did you mean IPC_TLS_TRUSTED_CONNECTIONS?"), "{error}");
        assert_eq!(of(&[("IPC_OF_ANOTHER_KIND_ALTOGETHER", "1")]), Ok(json!({})));
        assert_eq!(of(&[(&format!("IPC_{}", "X".repeat(100_000)), "1")]), Ok(json!({})));
    }

    #[test]
    fn variables_of_the_command_and_its_flags_are_among_what_may_be_meant() {
        for (variable, meant) in [
            ("IPC_PRESTE", "IPC_PRESET"),
            ("IPC_COLOUR", "IPC_COLOR"),
            ("IPC_CONFIGS", "IPC_CONFIG"),
            ("IPC_CA", "IPC_TLS_TRUSTED_CONNECTIONS"),
            ("IPC_CERT", "IPC_TLS_PUBLIC"),
            ("IPC_KEY", "IPC_TLS_PRIVATE"),
            ("IPC_SERVER_NAME", "IPC_TLS_SERVERNAME"),
            ("IPC_DANGER_ACCEPT_ANY_CERTIFICATE", "IPC_TLS_REJECT_UNAUTHORIZED"),
            ("IPC_FORMAT", "--format"),
            ("IPC_VERBOS", "--verbose"),
        ] {
            let error = of(&[(variable, "x")]).expect_err(variable);
            assert!(error.contains(variable) && error.contains(&format!("did you mean {meant}?")), "{error}");
        }
        let spelt_as_the_flag = of(&[("IPC_TLS_SERVER_NAME", "foo")]);
        assert_eq!(spelt_as_the_flag, Ok(json!({"tls": {"servername": "foo"}})));
        assert_eq!(of(&[("IPC_CAT", "1"), ("IPC_KEYS_OF", "1"), ("IPC_DEBUG", "1")]), Ok(json!({})));
    }

    #[test]
    fn a_wrong_value_is_told_with_the_variable() {
        let error = of(&[("IPC_RETRY", "soon")]).unwrap_err();
        assert!(error.contains("IPC_RETRY") && error.contains("milliseconds"), "{error}");
        let error = of(&[("IPC_PRESET", "v8")]).unwrap_err();
        assert!(error.contains("IPC_PRESET") && error.contains("v14-guarded"), "{error}");
    }
}
