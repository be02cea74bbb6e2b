//! Values to compact JSON text, byte for byte what `serde_json` writes.
//!
//! Strings are most of what is sent, and are passed many bytes at a time. Numbers, byte strings and keys that are no strings are
//! left to `serde_json`, and so is what only it knows, its `RawValue`.

mod key;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

use super::swar::{are_plain, plain_end, short_run};

/// What the names of those structs begin with by which the types of `serde_json` make themselves known to it.
const PRIVATE: &str = "$serde_json::private::";

/// Appends `value`. After an error, some of it is there.
#[inline]
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    value.serialize(Writer { out })
}

/// Appends a JSON string.
#[inline]
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_characters(text, out);
    out.push(b'"');
}

/// Appends what is between the quotes of a JSON string.
#[inline]
fn write_characters(text: &str, out: &mut Vec<u8>) {
    if are_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaped(text.as_bytes(), out);
    }
}

#[inline(never)]
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 1);
    let mut at = 0;
    loop {
        let end = match short_run(text, at) {
            // A copy of always eight bytes is no call.
            Some((word, length)) => {
                out.extend_from_slice(word);
                out.truncate(out.len() - word.len() + length);
                at + length
            }
            None => {
                let end = plain_end(text, at);
                out.extend_from_slice(&text[at..end]);
                end
            }
        };
        at = end + 1;
        let letter = match text.get(end) {
            None => return,
            Some(&itself @ (b'"' | b'\\')) => itself,
            Some(0x08) => b'b',
            Some(b'\t') => b't',
            Some(b'\n') => b'n',
            Some(0x0c) => b'f',
            Some(b'\r') => b'r',
            Some(&control) => {
                let digits = [control >> 4, control & 0xf].map(|digit| HEX[usize::from(digit)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digits[0], digits[1]]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

/// Writes one value.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    fn others(self) -> serde_json::Serializer<&'a mut Vec<u8>> {
        serde_json::Serializer::new(self.out)
    }

    fn literal(self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Opens what ends in `end`, in an object of the variant's name if there is one.
    #[inline]
    fn open(self, variant: Option<&str>, start: u8, end: &'static [u8]) -> Compound<'a> {
        if let Some(variant) = variant {
            self.out.push(b'{');
            write_string(variant, self.out);
            self.out.push(b':');
        }
        self.out.push(start);
        Compound { out: self.out, is_first: true, private: None, end }
    }

    #[inline]
    fn array(self, variant: Option<&str>) -> Compound<'a> {
        self.open(variant, b'[', if variant.is_some() { b"]}" } else { b"]" })
    }

    #[inline]
    fn object(self, variant: Option<&str>) -> Compound<'a> {
        self.open(variant, b'{', if variant.is_some() { b"}}" } else { b"}" })
    }
}

macro_rules! left_to_serde_json {
    ($($method:ident: $type:ty),*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Error> {
            self.others().$method(value)
        }
    )*};
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    left_to_serde_json! {
        serialize_bool: bool, serialize_char: char, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Error> {
        write_string(text, self.out);
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.out.push(b'"');
        let written = write!(Characters(&mut *self.out), "{value}");
        self.out.push(b'"');
        written.map_err(|fmt::Error| Error::custom("a Display implementation returned an error"))
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.literal("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.object(None);
        object.member(variant, value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Error> {
        Ok(self.array(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Error> {
        Ok(self.array(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        Ok(self.array(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Error> {
        Ok(self.array(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, Error> {
        Ok(self.object(None))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        if name.starts_with(PRIVATE) {
            return Ok(Compound { out: self.out, is_first: true, private: Some(name), end: b"" });
        }
        Ok(self.object(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, Error> {
        Ok(self.object(Some(variant)))
    }
}

/// An array or object that is being written.
struct Compound<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    /// The name of a struct that only `serde_json` knows what to do with.
    private: Option<&'static str>,
    end: &'static [u8],
}

impl Compound<'_> {
    #[inline]
    fn separate(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        write(value, self.out)
    }

    #[inline]
    fn member<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        if let Some(name) = self.private {
            return serde_json::to_writer(&mut *self.out, &OfSerdeJson { name, key, value });
        }
        self.separate();
        write_string(key, self.out);
        self.out.push(b':');
        write(value, self.out)
    }

    #[inline]
    fn close(self) -> Result<(), Error> {
        self.out.extend_from_slice(self.end);
        Ok(())
    }
}

macro_rules! compounds {
    ($($kind:ident: $add:ident($($key:ident: $type:ty)?) by $by:ident),*) => {$(
        impl $kind for Compound<'_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $add<T: Serialize + ?Sized>(&mut self, $($key: $type,)? value: &T) -> Result<(), Error> {
                self.$by($($key,)? value)
            }

            #[inline]
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

compounds! {
    SerializeSeq: serialize_element() by element,
    SerializeTuple: serialize_element() by element,
    SerializeTupleStruct: serialize_field() by element,
    SerializeTupleVariant: serialize_field() by element,
    SerializeStruct: serialize_field(key: &'static str) by member,
    SerializeStructVariant: serialize_field(key: &'static str) by member
}

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.separate();
        key::write(key, self.out)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        write(value, self.out)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// A struct of `serde_json`'s own, with one of its fields, for which it writes what it thinks right.
struct OfSerdeJson<'a, T: ?Sized> {
    name: &'static str,
    key: &'static str,
    value: &'a T,
}

impl<T: Serialize + ?Sized> Serialize for OfSerdeJson<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut whole = serializer.serialize_struct(self.name, 1)?;
        whole.serialize_field(self.key, self.value)?;
        whole.end()
    }
}

/// What is written to it is in a JSON string.
struct Characters<'a>(&'a mut Vec<u8>);

impl Write for Characters<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_characters(text, self.0);
        Ok(())
    }
}
