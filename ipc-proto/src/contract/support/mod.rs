//! What the derive's code calls. Not for anybody else: it may change with any version.
//!
//! The derive lets serde derive an enum of the same shape and takes the payload out of it, so that every attribute of
//! serde on a field means what serde says.

mod reading;
mod writing;

pub use crate::message::{Empty, Message};
pub use crate::{Event, contract};
pub use reading::VariantOf;
pub use serde;
pub use writing::DataOf;
