//! Values to compact JSON text, byte for byte what `serde_json` writes.
//!
//! Strings are most of what is sent, and are passed many bytes at a time. Numbers, byte strings and keys that are no strings are
//! left to `serde_json`, and so is what only it knows, its `RawValue`.

use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde::ser::{
    Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
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
        let start = self.out.len();
        match key.serialize(Key { out: self.out }) {
            Ok(()) => Ok(()),
            Err(NoText) => {
                self.out.truncate(start);
                write_other_key(key, self.out)
            }
        }
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

/// Writes the key of a map that is a text, and no other.
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
fn write_other_key<T: Serialize + ?Sized>(key: &T, out: &mut Vec<u8>) -> Result<(), Error> {
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

/// What is written to it is in a JSON string.
struct Characters<'a>(&'a mut Vec<u8>);

impl Write for Characters<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_characters(text, self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Wrapped<T>(T);

    #[derive(Serialize)]
    struct Several(u8, &'static str, Option<bool>);

    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Kind {
        Unit,
        Newtype(u64),
        Tuple(i8, char),
        Struct { a: (), b: Vec<u8> },
    }

    #[derive(Serialize)]
    struct Fields<'a> {
        #[serde(rename = "odd \"name\"\n")]
        odd: f32,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        text: &'a str,
        #[serde(flatten)]
        flat: BTreeMap<&'static str, u8>,
        raw: &'a RawValue,
        kinds: [Kind; 4],
        unit: Unit,
        several: Several,
        wrapped: Wrapped<Wrapped<i128>>,
        shown: Shown,
    }

    struct Shown;

    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("{}\t{:?}", 7, "\u{1}é"))
        }
    }

    /// Fails in its middle.
    struct Broken;

    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            seq.serialize_element(&1)?;
            Err(serde::ser::Error::custom("broken"))
        }
    }

    #[track_caller]
    fn alike<T: Serialize + ?Sized>(value: &T) {
        let expected = serde_json::to_string(value).map_err(|error| error.to_string());
        let mut out = b"before".to_vec();
        let result = write(value, &mut out).map_err(|error| error.to_string());
        let found = result.map(|()| String::from_utf8(out.split_off(6)).unwrap());
        assert_eq!(found, expected);
        assert!(out.starts_with(b"before"));
    }

    #[test]
    fn every_kind_of_value_is_written_as_by_serde_json() {
        let raw = RawValue::from_string(r#"{ "a" : [1e5, "\u00e9"] }"#.into()).unwrap();
        alike(&Fields {
            odd: 0.1,
            absent: None,
            text: "x\u{7f}\u{2028}",
            flat: [("k", 1), ("\"", 2)].into(),
            raw: &raw,
            kinds: [Kind::Unit, Kind::Newtype(u64::MAX), Kind::Tuple(-1, '"'), Kind::Struct { a: (), b: vec![0, 255] }],
            unit: Unit,
            several: Several(0, "", Some(true)),
            wrapped: Wrapped(Wrapped(i128::MIN)),
            shown: Shown,
        });
        alike(&(u128::MAX, i16::MIN, u16::MAX, i32::MIN, u32::MAX, i64::MIN, 'é', false, "", (), None::<u8>));
        alike(&[f64::NAN, f64::INFINITY, -0.0, 1e300, 5e-324, 0.1, 1e21]);
        alike(&[f32::NAN, f32::MIN_POSITIVE, 16_777_216.0]);
        alike(&json!({"a": [], "b": {}, "c": [{"": null}, [1, -2.5, "é\\"]], "d\u{1f}": u64::MAX}));
        alike(&[(); 0]);
        alike(&Value::Null);
    }

    #[test]
    fn every_kind_of_key_is_written_or_refused_as_by_serde_json() {
        fn map<K: Ord, const N: usize>(keys: [K; N]) -> BTreeMap<K, u8> {
            keys.into_iter().zip(0..).collect()
        }
        alike(&map(["", "a", "\"\n"]));
        alike(&map([true, false]));
        alike(&map(['a', '"', 'é']));
        alike(&map([i8::MIN, 0, 1]));
        alike(&map([u64::MAX, 7]));
        alike(&map([i128::MIN, 7]));
        alike(&map([Wrapped("text"), Wrapped("")]));
        alike(&map([Wrapped(3)]));
        alike(&map([Kind::Unit]));
        alike(&map([Kind::Newtype(1)]));
        alike(&map([Kind::Tuple(1, 'a')]));
        alike(&map([Kind::Struct { a: (), b: vec![] }]));
        alike(&map([Some("a")]));
        alike(&map([None::<u8>]));
        alike(&map([()]));
        alike(&map([(1, 2)]));
        alike(&map([[1_u8, 2]]));
        alike(&map([vec!['a']]));
        alike(&map([std::net::Ipv4Addr::LOCALHOST]));
        alike(&BTreeMap::from([("first", BTreeMap::from([(1, "a"), (2, "b")])), ("second", BTreeMap::new())]));
    }

    #[test]
    fn an_error_of_the_value_is_handed_on() {
        alike(&Broken);
        alike(&BTreeMap::from([("a", Broken)]));
        alike(&Several(1, "b", None));
    }

    #[test]
    fn every_byte_of_ascii_is_written_as_by_serde_json_wherever_it_is() {
        for length in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 130] {
            for at in 0..length {
                for byte in [0, 1, 8, 9, 10, 11, 12, 13, 0x1f, b' ', b'!', b'"', b'#', b'[', b'\\', b']', 0x7f] {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    text[length - 1 - at] = byte;
                    alike(std::str::from_utf8(&text).unwrap());
                }
            }
        }
        (0..=0x7f_u8).for_each(|byte| alike(&format!("{}\"{}é", char::from(byte), char::from(byte))));
    }
}
