//! JSON text (RFC 8259) as the codec needs it: checked, located, unescaped and written, but never turned into values.
//!
//! Turning text into values is `serde_json`'s work, done on demand by [`Event::data`](crate::Event::data).

mod containers;
mod kind;
mod scan;
mod swar;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use kind::JsonKind;
pub(crate) use scan::{Invalid, Scanner, validate};
pub(crate) use text::{compact, key_is, unescape, with_char_escaped, without_lone_surrogates};
pub(crate) use write::{write, write_string};
