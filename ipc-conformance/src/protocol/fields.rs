//! Typed reading of the members of a JSON object, for options and commands.

use std::time::Duration;

use crate::js::{Js, JsArray, JsError, JsObject, JsString, decode};

/// A member that is not of the kind it must be, or missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit(pub JsError);

impl Misfit {
    pub(super) fn new(name: &str, wanted: &str) -> Self {
        Self(JsError::type_error(format!("{name} must be {wanted}")))
    }
}

impl From<JsError> for Misfit {
    fn from(error: JsError) -> Self {
        Self(error)
    }
}

/// The members of one object.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a JsObject);

impl<'a> Fields<'a> {
    /// The member as it stands; nothing if absent or `undefined`.
    pub(super) fn raw(&self, name: &str) -> Option<&'a Js> {
        self.0.get(&name.into()).filter(|value| !value.is_undefined())
    }

    /// The member with its tags decoded.
    pub(super) fn value(&self, name: &str) -> Result<Option<Js>, Misfit> {
        Ok(self.raw(name).map(decode).transpose()?)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.raw(name).is_some_and(crate::js::truthy)
    }

    pub(super) fn string(&self, name: &str) -> Result<Option<JsString>, Misfit> {
        match self.value(name)? {
            None | Some(Js::Undefined | Js::Null) => Ok(None),
            Some(Js::String(text)) => Ok(Some(text)),
            Some(_) => Err(Misfit::new(name, "a string")),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Misfit> {
        match self.string(name)? {
            None => Ok(None),
            Some(text) => text.to_exact().map(Some).ok_or_else(|| Misfit::new(name, "well-formed text")),
        }
    }

    pub(super) fn index(&self, name: &str) -> Result<Option<usize>, Misfit> {
        match self.raw(name) {
            None => Ok(None),
            Some(Js::Number(number)) if *number >= 0.0 && number.fract() == 0.0 && *number < 1e9 => {
                Ok(Some(*number as usize))
            }
            Some(_) => Err(Misfit::new(name, "a whole number")),
        }
    }

    pub(super) fn milliseconds(&self, name: &str) -> Result<Option<Duration>, Misfit> {
        match self.raw(name) {
            None => Ok(None),
            Some(Js::Number(number)) if (0.0..1e12).contains(number) => {
                Ok(Some(Duration::from_secs_f64(number / 1_000.0)))
            }
            Some(_) => Err(Misfit::new(name, "a number of milliseconds")),
        }
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&'a JsArray>, Misfit> {
        match self.raw(name) {
            None => Ok(None),
            Some(Js::Array(items)) => Ok(Some(items)),
            Some(_) => Err(Misfit::new(name, "a list")),
        }
    }
}
