//! Options from a file: TOML, or JSON by its ending, with node-ipc's names. The key `preset` stands beside them.

use super::{Layer, Preset, check, placed, refused};
use crate::exit::{Failure, Outcome};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file that may be there.
pub(super) enum Found {
    Nothing,
    Read(Layer),
    /// Nobody named it, and it cannot be read: what to warn of.
    Unreadable(String),
}

/// What the file says that was named, or the one in its usual place if there is one.
pub(super) fn find(named: Option<&Path>) -> Outcome<Found> {
    let variable = std::env::var_os("IPC_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = named.map(Path::to_owned).or(variable) {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::usage(format!("config file {}: cannot be read: {error}", path.display()))
                .help("give --config (or IPC_CONFIG) the path of a file with options, in TOML or JSON")
        })?;
        return read(&path, &text).map(Found::Read);
    }
    let Some(path) = usual() else { return Ok(Found::Nothing) };
    match std::fs::read_to_string(&path) {
        Ok(text) => read(&path, &text).map(Found::Read),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Found::Nothing),
        // What it holds is text of another kind, and meant for us.
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Err(Failure::usage(format!("config file {}: cannot be read: {error}", path.display())))
        }
        Err(error) => Ok(Found::Unreadable(format!(
            "config file {}: cannot be read, and is left out: {error}; let this user read it, or name another one with --config (or IPC_CONFIG)",
            path.display()
        ))),
    }
}

fn usual() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(set("HOME")?.join(".config")));
    Some(folder?.join("ipc").join("config.toml"))
}

fn read(path: &Path, text: &str) -> Outcome<Layer> {
    let at = format!("config file {}", path.display());
    let wrong = |format: &str, error: &dyn std::fmt::Display| {
        // The parsers show the line, over several lines of their own.
        let error = error.to_string();
        let error = error.trim_end();
        if error.contains('\n') {
            return Failure::usage(format!("{at}: is no {format}:")).detail(error);
        }
        Failure::usage(format!("{at}: is no {format}: {error}"))
    };
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let mut options: Map<String, Value> = if is_json {
        serde_json::from_str(text).map_err(|error| match error.is_data() {
            // What serde says then tells the value, which may be secret.
            true => Failure::usage(format!("{at}: is no JSON object; options stand in one, as {{\"maxRetries\": 5}}")),
            false => wrong("JSON object", &error),
        })?
    } else {
        toml::from_str(text).map_err(|error| wrong("TOML", &error))?
    };
    let place = if is_json { placed::in_json(text) } else { placed::in_toml(text) };
    place.map_err(|(place, error)| Failure::usage(format!("{at}, {place}: {error}")))?;
    let preset = match options.remove(placed::PRESET) {
        Some(Value::String(preset)) => Some(Preset::parse(&preset, &at)?),
        _ => None,
    };
    check(&options).map_err(|error| refused(&at, &error))?;
    Ok(Layer { preset, options })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(name: &str, text: &str) -> Result<(Option<Preset>, Value), String> {
        let read = read(Path::new(name), text);
        read.map(|layer| (layer.preset, Value::Object(layer.options))).map_err(|error| error.show())
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = "preset = \"v14-guarded\"\nmaxConnections = 5\n[tls]\nprivate = \"k.pem\"\n";
        let json = r#"{"preset": "v14-guarded", "maxConnections": 5, "tls": {"private": "k.pem"}}"#;
        let expected = Ok((Some(Preset::V14Guarded), json!({"maxConnections": 5, "tls": {"private": "k.pem"}})));
        assert_eq!(of("x/ipc.toml", toml), expected);
        assert_eq!(of("x/ipc.json", json), expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_file() {
        let error = of("x.toml", "maxConections = 5").unwrap_err();
        assert!(error.contains("config file x.toml") && error.contains("did you mean \"maxConnections\"?"), "{error}");
        let error = of("x.toml", "id = \"x\"\nretry = ").unwrap_err();
        assert!(error.contains("is no TOML") && !error.contains("\\n"), "{error}");
        assert!(error.lines().any(|line| line == "  2 | retry = "), "{error}");
        // What stands in a file drives no terminal.
        let error = of("x.toml", "id = \u{1b}[31m").unwrap_err();
        assert!(!error.contains('\u{1b}'), "{error}");
        assert!(of("x.json", "[]").unwrap_err().contains("JSON object"));
    }

    #[test]
    fn an_option_that_is_wrong_is_told_with_its_place() {
        for (name, text, told) in [
            (
                "x.toml",
                "id = \"x\"\nretry = \"soon\"",
                "x.toml, line 2 column 9: option retry cannot be \"soon\"; allowed",
            ),
            (
                "x.toml",
                "id = \"x\"\nmaxRetrys = 5",
                "x.toml, line 2 column 1: there is no option \"maxRetrys\"; did you",
            ),
            (
                "x.toml",
                "tls = { privat = \"k\" }",
                "x.toml, line 1 column 9: there is no option \"tls.privat\"; did you",
            ),
            ("x.toml", "[tls]\nprivate = 5", "x.toml, line 2 column 11: option tls.private cannot be 5; allowed"),
            ("x.toml", "\"é\" = 5", "x.toml, line 1 column 1: there is no option"),
            (
                "x.toml",
                "id = 'é'\npreset = \"v8\"",
                "x.toml, line 2 column 10: \"v8\" is no preset; presets are v9, v14",
            ),
            (
                "x.json",
                "{\n \"retry\": \"soon\"}",
                "x.json, line 2 column 16: option retry cannot be \"soon\"; allowed",
            ),
            ("x.json", "{\n \"maxRetrys\": 5}", "x.json, line 2 column 12: there is no option \"maxRetrys\"; did you"),
            (
                "x.json",
                "{\"tls\": {\n\"privat\": 5}}",
                "x.json, line 2 column 8: there is no option \"tls.privat\"; did",
            ),
            (
                "x.json",
                "{\"backoff\":\n{\"max\": \"a\"}}",
                "x.json, line 2 column 11: option backoff.max cannot be \"a\"",
            ),
            (
                "x.json",
                r#"{"preset": 9}"#,
                "x.json, line 1 column 12: invalid type: integer `9`, expected the name of a preset",
            ),
        ] {
            let error = of(name, text).unwrap_err();
            assert!(error.contains(told), "{error}\ninstead of\n{told}");
        }
        // Of what may be secret nothing is shown.
        let error = of("x.toml", "[tls]\nkye = \"secret\"").unwrap_err();
        assert!(error.contains("line 2 column 1") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn what_is_given_twice_is_told() {
        for (text, told) in [
            ("{\"retry\": 5,\n \"retry\": 5}", "x.json, line 2 column 8: option retry is given twice; leave one"),
            (
                r#"{"tls": {"key": "a", "key": "b"}}"#,
                "x.json, line 1 column 26: option tls.key is given twice; leave one",
            ),
            (r#"{"preset": "v9", "preset": "v9"}"#, "x.json, line 1 column 25: preset is given twice; leave one"),
        ] {
            let error = of("x.json", text).unwrap_err();
            assert!(error.contains(told), "{error}\ninstead of\n{told}");
        }
        assert!(of("x.toml", "retry = 5\nretry = 5").unwrap_err().contains("duplicate key"));
    }
}
