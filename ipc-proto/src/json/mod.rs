//! JSON text (RFC 8259) as the codec needs it: checked, located and unescaped, but never turned into values.
//!
//! Turning text into values is serde's work, done on demand by [`Event::data`](crate::Event::data).

mod kind;

pub use kind::JsonKind;
