//! A configuration from JSON and to JSON, with node-ipc's own names.
//!
//! Which names and values there are stands in `table` and `codec`.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::reading::{Options, Told};
use super::table::{self, OPTIONS};
use super::{Config, ConfigError, Parser, codec};
use crate::JsonKind;

impl Config {
    /// Reads a JSON object of options; what it does not name has its default.
    ///
    /// The defaults are those of [`Config::v9`]. Only node-ipc 14 has an option `parser`, so when
    /// that is named, they are those of node-ipc 14 with that parser: [`Config::v14_guarded`] for
    /// `"guarded"`, [`Config::v14_assured`] for `"assured"`, else [`Config::v14_fast`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for text that is not a JSON object, a name that is no option (with the
    /// nearest that is), a value the option cannot have, and an option that is given twice.
    /// Combinations are checked later, by [`Config::validate`].
    ///
    /// ```
    /// use ipc_proto::Config;
    ///
    /// let error = Config::from_json(r#"{"maxConections": 10}"#).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"there is no option "maxConections"; did you mean "maxConnections"?"#
    /// );
    /// ```
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        Self::from_map(&parse(text)?)
    }

    /// Reads a JSON object of options over this configuration; what it does not name stays.
    ///
    /// ```
    /// use ipc_proto::Config;
    ///
    /// let config = Config::v14_fast().with_json(r#"{"retry": 100}"#)?;
    /// assert_eq!(config, Config::v14_fast().retry(std::time::Duration::from_millis(100)));
    /// # Ok::<(), ipc_proto::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Config::from_json`].
    pub fn with_json(mut self, text: &str) -> Result<Self, ConfigError> {
        table::read_into(&mut self, &parse(text)?, "", OPTIONS)?;
        Ok(self)
    }

    pub(super) fn from_map(options: &Map<String, Value>) -> Result<Self, ConfigError> {
        // A parser that is none falls through to `read_into`, which says what is wrong with it.
        let parser = options.get("parser").and_then(|value| (codec::PARSER.read)(value).ok());
        let mut config = match parser {
            None => Self::v9(),
            Some(Parser::Raw | Parser::Fast) => Self::v14_fast(),
            Some(Parser::Guarded) => Self::v14_guarded(),
            Some(Parser::Assured) => Self::v14_assured([""; 0]),
        };
        table::read_into(&mut config, options, "", OPTIONS)?;
        Ok(config)
    }
}

fn parse(text: &str) -> Result<Map<String, Value>, ConfigError> {
    let told = Told::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Options::new(&told)).and_then(|options| json.end().map(|()| options));
    read.map_err(|error| {
        // Of JSON that is no object serde tells the value, which may be secret.
        let kind = text.trim_start().bytes().next().and_then(JsonKind::of_first_byte).filter(|_| error.is_data());
        let reason = || kind.map_or_else(|| error.to_string(), |kind| format!("this is {kind}"));
        told.error().unwrap_or_else(|| ConfigError::Json { reason: reason() })
    })
}

/// As [`Config::from_json`], from any self-describing format. What is wrong with an option is told while it is read, so that a
/// format which knows says where it is: `serde_json::from_str::<Config>` tells the line and the column.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options = deserializer.deserialize_map(Options::new(&Told::default()))?;
        Self::from_map(&options).map_err(D::Error::custom)
    }
}

/// Every option by its JSON name, so that reading it back gives the same. A private key that was
/// given as text is written too.
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(OPTIONS.len()))?;
        for row in OPTIONS {
            map.serialize_entry(row.name, &(row.write)(self))?;
        }
        map.end()
    }
}
