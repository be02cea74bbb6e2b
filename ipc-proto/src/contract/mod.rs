//! A contract: the events of a service as one Rust enum, so that names and payloads are checked when the program is
//! compiled.
//!
//! The derive of `ipc-derive` writes the implementation; it says what makes an event of a variant. Here is what a contract
//! *is*, how an event becomes one and the other way round, and what is wrong with an event that does not fit. Who emits and
//! who hears is not known here.

mod error;
mod name;
mod request;
#[doc(hidden)]
pub mod support;

pub use error::ContractError;
pub use name::EventName;
pub use request::Request;

use crate::error::EncodeError;
use crate::event::{DataError, Event, parse_as_event};
use crate::message::Message;
use serde::{Deserializer, Serialize, Serializer};

/// The events of a service, or of one direction of it: an enum with a variant for each.
///
/// `#[derive(Contract)]` of an adapter (feature `derive`) or of `ipc-derive` implements it. By hand it is little, and mostly
/// of use for what the derive refuses:
///
/// ```
/// use ipc_proto::{Contract, Message};
/// use serde::{Deserialize, Deserializer, Serialize, Serializer};
///
/// #[derive(Debug, PartialEq)]
/// enum Thermometer {
///     Celsius(f64),
///     Broken(String),
/// }
///
/// impl Contract for Thermometer {
///     const NAMES: &'static [&'static str] = &["celsius", "broken"];
///
///     fn name(&self) -> &'static str {
///         match self {
///             Self::Celsius(_) => "celsius",
///             Self::Broken(_) => "broken",
///         }
///     }
///
///     fn serialize_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
///         match self {
///             Self::Celsius(degrees) => degrees.serialize(serializer),
///             Self::Broken(why) => why.serialize(serializer),
///         }
///     }
///
///     fn deserialize_data<'de, D: Deserializer<'de>>(name: &str, data: D) -> Result<Option<Self>, D::Error> {
///         match name {
///             "celsius" => Deserialize::deserialize(data).map(|degrees| Some(Self::Celsius(degrees))),
///             "broken" => Deserialize::deserialize(data).map(|why| Some(Self::Broken(why))),
///             _ => Ok(None),
///         }
///     }
/// }
///
/// let message = Message::encode(&Thermometer::Celsius(21.5))?;
/// assert_eq!((message.name(), message.data_json()), ("celsius", Some("21.5")));
/// assert_eq!(message.decode::<Thermometer>()?, Thermometer::Celsius(21.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no contract",
    label = "an enum that derives `Contract` is needed here",
    note = "a contract is an enum with `#[derive(Contract)]`, from the crate that you use (`ipc_tokio::Contract`)",
    note = "the derive is behind the feature `derive` of that crate: `ipc-tokio = {{ features = [\"derive\"], … }}` in Cargo.toml"
)]
pub trait Contract: Sized {
    /// The names of all its events, each once.
    const NAMES: &'static [&'static str];

    /// The name of this event: one of [`NAMES`](Self::NAMES).
    fn name(&self) -> &'static str;

    /// Writes the payload of this event.
    ///
    /// # Errors
    /// Those of the serializer, and of the payload's own `Serialize`.
    fn serialize_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads the event `name` from its payload. `None`, with `data` untouched, if the contract has no such event.
    ///
    /// # Errors
    /// The payload is not what this event carries.
    fn deserialize_data<'de, D: Deserializer<'de>>(name: &str, data: D) -> Result<Option<Self>, D::Error>;

    /// The payload, for whatever takes something that serde can write: `peer.emit(event.name(), &event.data())`.
    fn data(&self) -> Data<'_, Self> {
        Data(self)
    }
}

/// The payload of an event of a contract, from [`Contract::data`].
#[derive(Clone, Copy, Debug)]
pub struct Data<'a, C>(&'a C);

impl<C: Contract> Serialize for Data<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_data(serializer)
    }
}

impl Event<'_> {
    /// Reads it as an event of a contract. Nothing is copied but what the payload's own types copy.
    ///
    /// # Errors
    /// [`ContractError`] tells an event that the contract does not have from one whose payload does not fit.
    pub fn decode<C: Contract>(&self) -> Result<C, ContractError> {
        decode(self.name(), self.data_json())
    }
}

impl Message {
    /// Makes a message of an event of a contract.
    ///
    /// # Errors
    /// The payload cannot be serialised.
    pub fn encode<C: Contract>(event: &C) -> Result<Self, EncodeError> {
        Self::new(event.name(), &event.data())
    }

    /// Reads it as an event of a contract, as [`Event::decode`] does.
    ///
    /// # Errors
    /// As [`Event::decode`].
    pub fn decode<C: Contract>(&self) -> Result<C, ContractError> {
        decode(self.name(), self.data_json())
    }
}

/// A payload is read as in [`Event::data`].
fn decode<C: Contract>(name: &str, data_json: Option<&str>) -> Result<C, ContractError> {
    match parse_as_event(data_json, |text| parse(name, text)) {
        Ok(Some(event)) => Ok(event),
        Ok(None) => Err(ContractError::unknown::<C>(name)),
        Err(source) => Err(ContractError::Data(DataError::of_event(name, data_json, source))),
    }
}

fn parse<C: Contract>(name: &str, text: &str) -> Result<Option<C>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let event = C::deserialize_data(name, &mut deserializer)?;
    if event.is_some() {
        deserializer.end()?;
    }
    Ok(event)
}
