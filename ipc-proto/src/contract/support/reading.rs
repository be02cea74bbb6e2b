//! An enum that serde's derive reads, from the number of a variant and a payload.

use crate::message::Empty;
use serde::de::value::U32Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

/// A deserializer of enums: the variant is known already, and its payload is what another deserializer holds.
#[derive(Debug)]
pub struct VariantOf<D> {
    /// The number of the variant: the name was looked at once, by the derive's own code.
    variant: u32,
    data: D,
}

impl<D> VariantOf<D> {
    /// The variant of this number, counted from 0, with this payload.
    pub fn new(variant: u32, data: D) -> Self {
        Self { variant, data }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for VariantOf<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, D::Error> {
        Err(D::Error::custom("a contract is an enum"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        self.data.is_human_readable()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, D: Deserializer<'de>> EnumAccess<'de> for VariantOf<D> {
    type Error = D::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), D::Error> {
        let variant: U32Deserializer<D::Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for VariantOf<D> {
    type Error = D::Error;

    fn unit_variant(self) -> Result<(), D::Error> {
        Empty::deserialize(self.data).map(|Empty| ())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, D::Error> {
        seed.deserialize(self.data)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.data.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.data.deserialize_struct("", fields, visitor)
    }
}
