//! The keys of maps: texts here, all others by `serde_json`.

use std::fmt::{self, Display};

use serde::Serialize;
use serde::ser::{Impossible, SerializeMap, Serializer};
use serde_json::Error;

use super::write_string;

/// Appends a key, quotes included.
#[inline]
pub(super) fn write<T: Serialize + ?Sized>(key: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    key.serialize(Key { out }).or_else(|NoText| {
        out.truncate(start);
        write_other(key, out)
    })
}

/// Writes a key that is a text.
struct Key<'a> {
    out: &'a mut Vec<u8>,
}

/// The key is no text, or its own `Serialize` has failed.
#[derive(Debug)]
struct NoText;

impl Display for NoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key of a map that is no text")
    }
}

impl std::error::Error for NoText {}

impl serde::ser::Error for NoText {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

macro_rules! no_text {
    ($($method:ident($($type:ty),*)),*) => {$(
        fn $method(self, $(_: $type),*) -> Result<(), NoText> {
            Err(NoText)
        }
    )*};
}

macro_rules! no_text_but {
    ($($method:ident($($type:ty),*) -> $compound:ident),*) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self::$compound, NoText> {
            Err(NoText)
        }
    )*};
}

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = NoText;
    type SerializeSeq = Impossible<(), NoText>;
    type SerializeTuple = Impossible<(), NoText>;
    type SerializeTupleStruct = Impossible<(), NoText>;
    type SerializeTupleVariant = Impossible<(), NoText>;
    type SerializeMap = Impossible<(), NoText>;
    type SerializeStruct = Impossible<(), NoText>;
    type SerializeStructVariant = Impossible<(), NoText>;

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), NoText> {
        write_string(text, self.out);
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), NoText> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NoText> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), NoText> {
        Err(NoText)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NoText> {
        Err(NoText)
    }

    no_text! {
        serialize_bool(bool), serialize_char(char), serialize_bytes(&[u8]), serialize_f32(f32), serialize_f64(f64),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_none(), serialize_unit(), serialize_unit_struct(&'static str)
    }

    no_text_but! {
        serialize_seq(Option<usize>) -> SerializeSeq,
        serialize_tuple(usize) -> SerializeTuple,
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant,
        serialize_map(Option<usize>) -> SerializeMap,
        serialize_struct(&'static str, usize) -> SerializeStruct,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant
    }
}

/// Appends a key that is a number, for one, or says what is wrong with it: a map of that key alone, without its ends.
#[cold]
fn write_other<T: Serialize + ?Sized>(key: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    struct Entry<'a, T: ?Sized>(&'a T);

    impl<T: Serialize + ?Sized> Serialize for Entry<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(self.0, &())?;
            map.end()
        }
    }

    let start = out.len();
    serde_json::to_writer(&mut *out, &Entry(key))?;
    out.truncate(out.len() - ":null}".len());
    out.remove(start);
    Ok(())
}
