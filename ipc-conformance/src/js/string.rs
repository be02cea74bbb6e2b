//! A JavaScript string: UTF-16 code units, lone surrogates included. It does no escaping and no JSON.

use std::fmt;
use std::sync::Arc;

/// An immutable JavaScript string. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JsString(Arc<[u16]>);

impl JsString {
    /// The string made of these UTF-16 code units.
    pub fn from_units(units: impl Into<Arc<[u16]>>) -> Self {
        Self(units.into())
    }

    /// Its UTF-16 code units.
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    /// Its length in UTF-16 code units, which is what JavaScript calls `length`.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for the string without any code unit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if no surrogate stands alone, so that the string has an exact UTF-8 form.
    pub fn is_well_formed(&self) -> bool {
        char::decode_utf16(self.units().iter().copied()).all(|unit| unit.is_ok())
    }

    /// The exact text, or nothing if a surrogate stands alone.
    pub fn to_exact(&self) -> Option<String> {
        String::from_utf16(self.units()).ok()
    }

    /// The text as Node writes it in UTF-8: each lone surrogate becomes U+FFFD.
    pub fn to_text(&self) -> String {
        String::from_utf16_lossy(self.units())
    }

    /// The array index this string denotes (`"0"` to `"4294967294"`, without leading zeros), if it is one. Such keys come
    /// first in an object, in ascending order.
    pub fn array_index(&self) -> Option<u32> {
        let units = self.units();
        if units.is_empty() || units.len() > 10 || (units[0] == u16::from(b'0') && units.len() > 1) {
            return None;
        }
        let mut index: u64 = 0;
        for unit in units {
            let digit = unit.checked_sub(u16::from(b'0')).filter(|digit| *digit <= 9)?;
            index = index * 10 + u64::from(digit);
        }
        u32::try_from(index).ok().filter(|index| *index != u32::MAX)
    }
}

impl From<&str> for JsString {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl Default for JsString {
    fn default() -> Self {
        Self::from("")
    }
}

impl From<String> for JsString {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl PartialEq<str> for JsString {
    fn eq(&self, other: &str) -> bool {
        self.units().iter().copied().eq(other.encode_utf16())
    }
}

impl PartialEq<&str> for JsString {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for JsString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        super::stringify::write_string(self.units(), &mut text);
        f.write_str(&text)
    }
}

impl fmt::Display for JsString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
