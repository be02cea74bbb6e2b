//! What is wrong with an option in a file, and where it stands there.
//!
//! The library looks at options while they are read; the key `preset`, which it does not know, is taken out before. What the options
//! say is read elsewhere.

use super::{PRESETS, Preset};
use clap::ValueEnum;
use ipc_tokio::Config;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use std::fmt;

/// The key that is no option.
pub(super) const PRESET: &str = "preset";

/// A place, as `line 3 column 5`, and what is wrong there.
type Wrong = (String, String);

/// Looks at the options of JSON.
pub(super) fn in_json(text: &str) -> Result<(), Wrong> {
    serde_json::from_str::<Options>(text).map(drop).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let error = error.to_string();
        (place.clone(), error.trim_end_matches(&format!(" at {place}")).to_owned())
    })
}

/// The same of TOML.
pub(super) fn in_toml(text: &str) -> Result<(), Wrong> {
    toml::from_str::<Options>(text).map(drop).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (format!("line {line} column {column}"), error.message().to_owned())
    })
}

struct Options;

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Options {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self, A::Error> {
        let others = WithoutPreset { map, had_preset: false };
        Config::deserialize(MapAccessDeserializer::new(others)).map(|_| self)
    }
}

struct WithoutPreset<A> {
    map: A,
    had_preset: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutPreset<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, mut seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            seed = match self.map.next_key_seed(Key { seed, had_preset: self.had_preset })? {
                None => return Ok(None),
                Some(Name::Option(name)) => return Ok(Some(name)),
                Some(Name::Preset(seed)) => seed,
            };
            self.had_preset = true;
            self.map.next_value_seed(AsPreset)?;
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// The name of an option, which `seed` reads, or the other key, which leaves it unused.
enum Name<K, V> {
    Preset(K),
    Option(V),
}

struct Key<K> {
    seed: K,
    had_preset: bool,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<K> {
    type Value = Name<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name == PRESET {
            true if self.had_preset => Err(D::Error::custom("preset is given twice; leave one of the two out")),
            true => Ok(Name::Preset(self.seed)),
            false => self.seed.deserialize(name.into_deserializer()).map(Name::Option),
        }
    }
}

/// The value of the other key. It is refused from within, where JSON still knows that it stands here.
struct AsPreset;

impl<'de> DeserializeSeed<'de> for AsPreset {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for AsPreset {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a preset, as \"v9\"")
    }

    fn visit_str<E: Error>(self, preset: &str) -> Result<(), E> {
        Preset::from_str(preset, true).map(drop).map_err(|_| E::custom(format!("{preset:?} is no preset; {PRESETS}")))
    }
}
