//! The value type itself: construction, access, equality and dismantling. No text form is made here.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::JsString;

/// A JavaScript value, as far as a node-ipc program can send, receive or report it.
///
/// Cloning is cheap: containers are shared.
#[derive(Clone, Default)]
pub enum Js {
    /// `undefined`, also the value of an absent argument.
    #[default]
    Undefined,
    /// A missing element of an array (`new Array(3)`): reads as `undefined`.
    Hole,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number; JavaScript has doubles only.
    Number(f64),
    /// A `BigInt`, by its decimal digits.
    BigInt(String),
    /// A string.
    String(JsString),
    /// An array.
    Array(JsArray),
    /// A plain object.
    Object(JsObject),
    /// A Node `Buffer`.
    Buffer(Bytes),
    /// A plain `Uint8Array`.
    Uint8Array(Bytes),
    /// A `Float64Array`.
    Float64Array(Arc<[f64]>),
    /// A `Date`, in milliseconds since 1970; NaN is an invalid date.
    Date(f64),
    /// `Object(primitive)`: a String, Number, Boolean, `BigInt` or Symbol object.
    Boxed(Box<Js>),
    /// `{hidden: 1, toJSON() {…}}`; the array holds the one value that `toJSON` returns.
    ToJson(JsArray),
    /// `{a: 1, self: <itself>}`, the value that JSON refuses.
    Circular,
    /// A function.
    Function,
    /// A symbol.
    Symbol,
    /// An `Error`.
    Error(Arc<JsError>),
    /// A stream socket of a server.
    Socket(Arc<Socket>),
    /// The sender of a datagram.
    Rinfo(Arc<Rinfo>),
    /// A listening server object.
    NetServer,
    /// A datagram socket of our own.
    Datagram,
}

/// The elements of an array.
#[derive(Clone, Default)]
pub struct JsArray(Arc<Vec<Js>>);

/// The entries of a plain object, in JavaScript's order: array indices ascending, then the others as they were first set.
#[derive(Clone, Default)]
pub struct JsObject(Arc<Entries>);

#[derive(Clone, Default)]
struct Entries {
    indexed: Vec<(u32, JsString, Js)>,
    named: Vec<(JsString, Js)>,
    /// Position in `named`, kept only once a linear search would hurt.
    positions: Option<HashMap<JsString, usize>>,
}

/// An error object.
#[derive(Clone, Debug, PartialEq)]
pub struct JsError {
    /// `error.name`, such as `TypeError`.
    pub name: JsString,
    /// `error.message`.
    pub message: JsString,
    /// Own fields in order: `errno`, `code`, `syscall`, `address`, `port`, `reason`, `library`.
    pub fields: Vec<(&'static str, Js)>,
}

/// A stream socket as an event argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Socket {
    /// Which connection it is; never shown, only used to number sockets by appearance.
    pub key: u64,
    /// `socket.id` at the time of the event; `Undefined` if none was ever set.
    pub id: Js,
}

/// The sender of a datagram as an event argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Rinfo {
    /// The textual address.
    pub address: String,
    /// The UDP port.
    pub port: u16,
    /// `IPv4` or `IPv6`.
    pub family: Option<String>,
    /// The size of the datagram in bytes.
    pub size: Option<usize>,
    /// An `id` that the program put there.
    pub id: Js,
}

impl Js {
    /// A string value.
    pub fn text(text: &str) -> Self {
        Self::String(text.into())
    }

    /// A plain object with these entries.
    pub fn object<K: Into<JsString>>(entries: impl IntoIterator<Item = (K, Js)>) -> Self {
        Self::Object(entries.into_iter().collect())
    }

    /// The string inside, if it is one.
    pub fn as_string(&self) -> Option<&JsString> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object inside, if it is a plain one.
    pub fn as_object(&self) -> Option<&JsObject> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The array inside, if it is one.
    pub fn as_array(&self) -> Option<&JsArray> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// A property of a plain object; nothing for other values and absent keys.
    pub fn get(&self, key: &str) -> Option<&Js> {
        self.as_object()?.get(&key.into())
    }

    /// True for `undefined` and for a missing element.
    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined | Self::Hole)
    }

    /// What `typeof value === 'object' && value !== null` says.
    pub fn is_object(&self) -> bool {
        !matches!(
            self,
            Self::Undefined
                | Self::Hole
                | Self::Null
                | Self::Bool(_)
                | Self::Number(_)
                | Self::BigInt(_)
                | Self::String(_)
                | Self::Function
                | Self::Symbol
        )
    }
}

impl From<bool> for Js {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Js {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Js {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

impl From<JsString> for Js {
    fn from(value: JsString) -> Self {
        Self::String(value)
    }
}

impl From<Vec<Js>> for Js {
    fn from(value: Vec<Js>) -> Self {
        Self::Array(JsArray::from(value))
    }
}

impl From<JsObject> for Js {
    fn from(value: JsObject) -> Self {
        Self::Object(value)
    }
}

impl From<JsError> for Js {
    fn from(value: JsError) -> Self {
        Self::Error(Arc::new(value))
    }
}

impl From<Vec<Js>> for JsArray {
    fn from(items: Vec<Js>) -> Self {
        Self(Arc::new(items))
    }
}

impl std::ops::Deref for JsArray {
    type Target = [Js];

    fn deref(&self) -> &[Js] {
        &self.0
    }
}

impl JsObject {
    /// The object without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.indexed.len() + self.0.named.len()
    }

    /// True if there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets a property; an existing key keeps its place.
    pub fn set(&mut self, key: impl Into<JsString>, value: Js) {
        const LINEAR: usize = 8;
        let key = key.into();
        let entries = Arc::make_mut(&mut self.0);
        if let Some(index) = key.array_index() {
            match entries.indexed.binary_search_by_key(&index, |entry| entry.0) {
                Ok(at) => entries.indexed[at].2 = value,
                Err(at) => entries.indexed.insert(at, (index, key, value)),
            }
            return;
        }
        if let Some(at) = entries.position(&key) {
            entries.named[at].1 = value;
            return;
        }
        if let Some(positions) = &mut entries.positions {
            positions.insert(key.clone(), entries.named.len());
        }
        entries.named.push((key, value));
        if entries.positions.is_none() && entries.named.len() > LINEAR {
            entries.positions =
                Some(entries.named.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect());
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &JsString) -> Option<&Js> {
        if let Some(index) = key.array_index() {
            let at = self.0.indexed.binary_search_by_key(&index, |entry| entry.0).ok()?;
            return Some(&self.0.indexed[at].2);
        }
        self.0.position(key).map(|at| &self.0.named[at].1)
    }

    /// The entry at a place of JavaScript's order.
    pub fn entry(&self, at: usize) -> Option<(&JsString, &Js)> {
        match self.0.indexed.get(at) {
            Some((_, key, value)) => Some((key, value)),
            None => self.0.named.get(at - self.0.indexed.len()).map(|(key, value)| (key, value)),
        }
    }

    /// All entries, in JavaScript's order.
    pub fn iter(&self) -> impl Iterator<Item = (&JsString, &Js)> {
        (0..self.len()).filter_map(|at| self.entry(at))
    }
}

impl Entries {
    fn position(&self, key: &JsString) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(key).copied(),
            None => self.named.iter().position(|(name, _)| name == key),
        }
    }
}

impl<K: Into<JsString>> FromIterator<(K, Js)> for JsObject {
    fn from_iter<I: IntoIterator<Item = (K, Js)>>(entries: I) -> Self {
        let mut object = Self::new();
        for (key, value) in entries {
            object.set(key, value);
        }
        object
    }
}

impl JsError {
    /// An error without a code.
    pub fn new(name: &str, message: impl Into<JsString>) -> Self {
        Self { name: name.into(), message: message.into(), fields: Vec::new() }
    }

    /// An error with a `code`, such as `ENOENT`.
    pub fn with_code(name: &str, code: &str, message: impl Into<JsString>) -> Self {
        Self { fields: vec![("code", Js::text(code))], ..Self::new(name, message) }
    }

    /// A `TypeError` without a code.
    pub fn type_error(message: impl Into<JsString>) -> Self {
        Self::new("TypeError", message)
    }

    /// Its `code`, if it has one.
    pub fn code(&self) -> Option<&Js> {
        self.fields.iter().find(|(name, _)| *name == "code").map(|(_, value)| value)
    }
}

/// What becomes of the containers inside a value that is dropped: they are taken apart one by one, because letting each drop
/// its own elements would need as much stack as the value is deep.
fn dismantle(mut pending: Vec<Js>) {
    while let Some(value) = pending.pop() {
        match value {
            Js::Array(mut array) | Js::ToJson(mut array) => {
                if let Some(items) = Arc::get_mut(&mut array.0) {
                    pending.append(items);
                }
            }
            Js::Object(mut object) => {
                if let Some(entries) = Arc::get_mut(&mut object.0) {
                    pending.extend(entries.take_values());
                }
            }
            _ => {}
        }
    }
}

fn holds_containers(value: &Js) -> bool {
    matches!(value, Js::Array(_) | Js::ToJson(_) | Js::Object(_))
}

impl Entries {
    fn take_values(&mut self) -> impl Iterator<Item = Js> + use<> {
        let indexed = std::mem::take(&mut self.indexed).into_iter().map(|(_, _, value)| value);
        indexed.chain(std::mem::take(&mut self.named).into_iter().map(|(_, value)| value))
    }
}

impl Drop for JsArray {
    fn drop(&mut self) {
        if let Some(items) = Arc::get_mut(&mut self.0) {
            if items.iter().any(holds_containers) {
                dismantle(std::mem::take(items));
            }
        }
    }
}

impl Drop for JsObject {
    fn drop(&mut self) {
        if let Some(entries) = Arc::get_mut(&mut self.0) {
            let values = entries.indexed.iter().map(|(_, _, value)| value);
            if values.chain(entries.named.iter().map(|(_, value)| value)).any(holds_containers) {
                dismantle(entries.take_values().collect());
            }
        }
    }
}

/// `Object.is` on every part, with the same keys in the same order.
impl PartialEq for Js {
    fn eq(&self, other: &Self) -> bool {
        let mut pending = vec![(self, other)];
        while let Some(pair) = pending.pop() {
            match pair {
                (Js::Array(a), Js::Array(b)) | (Js::ToJson(a), Js::ToJson(b)) => {
                    if a.len() != b.len() {
                        return false;
                    }
                    pending.extend(a.iter().zip(b.iter()));
                }
                (Js::Object(a), Js::Object(b)) => {
                    if a.len() != b.len() {
                        return false;
                    }
                    for ((key, x), (other_key, y)) in a.iter().zip(b.iter()) {
                        if key != other_key {
                            return false;
                        }
                        pending.push((x, y));
                    }
                }
                (a, b) => {
                    if !same_leaf(a, b) {
                        return false;
                    }
                }
            }
        }
        true
    }
}

fn same_number(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn same_leaf(a: &Js, b: &Js) -> bool {
    match (a, b) {
        (Js::Bool(a), Js::Bool(b)) => a == b,
        (Js::Number(a), Js::Number(b)) | (Js::Date(a), Js::Date(b)) => same_number(*a, *b),
        (Js::BigInt(a), Js::BigInt(b)) => a == b,
        (Js::String(a), Js::String(b)) => a == b,
        (Js::Buffer(a), Js::Buffer(b)) | (Js::Uint8Array(a), Js::Uint8Array(b)) => a == b,
        (Js::Float64Array(a), Js::Float64Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_number(*a, *b))
        }
        (Js::Boxed(a), Js::Boxed(b)) => same_leaf(a, b),
        (Js::Error(a), Js::Error(b)) => a == b,
        (Js::Socket(a), Js::Socket(b)) => a == b,
        (Js::Rinfo(a), Js::Rinfo(b)) => a == b,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b) && !a.is_object_with_parts(),
    }
}

impl Js {
    fn is_object_with_parts(&self) -> bool {
        holds_containers(self)
    }
}

impl fmt::Debug for Js {
    /// The tagged notation of the line protocol, with long values described.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = super::describe(self, &mut super::Numbers::default());
        match super::stringify(&shown) {
            Ok(Some(text)) => f.write_str(&text),
            _ => f.write_str("?"),
        }
    }
}

impl PartialEq for JsObject {
    fn eq(&self, other: &Self) -> bool {
        Js::Object(self.clone()) == Js::Object(other.clone())
    }
}

impl fmt::Debug for JsObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Js::Object(self.clone()).fmt(f)
    }
}

impl PartialEq for JsArray {
    fn eq(&self, other: &Self) -> bool {
        Js::Array(self.clone()) == Js::Array(other.clone())
    }
}

impl fmt::Debug for JsArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Js::Array(self.clone()).fmt(f)
    }
}
