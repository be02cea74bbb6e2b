//! Options while they are read: each is looked at where it stands, so that a format which knows places tells that of the wrong one,
//! and none is given twice.
//!
//! Which names and values there are stands in `table` and `codec`.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{ConfigError, table};

/// Keeps what is wrong: formats of serde pass on its text alone.
#[derive(Default)]
pub(super) struct Told(Cell<Option<ConfigError>>);

impl Told {
    fn tell<E: Error>(&self, error: ConfigError) -> E {
        let told = E::custom(&error);
        self.0.set(Some(error));
        told
    }

    /// What was wrong with an option. Nothing if the format itself has failed.
    pub(super) fn error(self) -> Option<ConfigError> {
        self.0.into_inner()
    }
}

/// A map of options, or of those of a group.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    group: Option<&'a str>,
    told: &'a Told,
}

impl<'a> Options<'a> {
    pub(super) fn new(told: &'a Told) -> Self {
        Self { group: None, told }
    }
}

impl<'de> Visitor<'de> for Options<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { group, told } = self;
        let mut options = Map::new();
        while let Some(name) = map.next_key_seed(Name { group, told, before: &options })? {
            let value = map.next_value_seed(One { group, told, name: &name })?;
            options.insert(name, value);
        }
        Ok(options)
    }
}

/// The name of an option.
struct Name<'a> {
    group: Option<&'a str>,
    told: &'a Told,
    before: &'a Map<String, Value>,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let name = String::deserialize(deserializer)?;
        let checked = table::check_name(self.group, &name);
        checked
            .and_then(|()| table::check_once(self.group, &name, self.before))
            .map_err(|error| self.told.tell(error))?;
        Ok(name)
    }
}

/// The value of an option. What is wrong with it is told from within, where a format still knows that it stands here: JSON would
/// tell the place of what comes next.
#[derive(Clone, Copy)]
struct One<'a> {
    group: Option<&'a str>,
    told: &'a Told,
    name: &'a str,
}

impl One<'_> {
    fn checked<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        let value = value.into();
        table::check(self.group, self.name, &value).map_err(|error| self.told.tell(error))?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of an option")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        if self.group.is_none() && table::is_group(self.name) {
            let parts = Options { group: Some(self.name), told: self.told };
            return parts.visit_map(map).map(Value::Object);
        }
        let mut parts = Map::new();
        while let Some((name, value)) = map.next_entry()? {
            parts.insert(name, value);
        }
        self.checked(parts)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::<Value>::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        self.checked(values)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.checked(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.checked(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.checked(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.checked(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.checked(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.checked(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.checked(value)
    }
}
