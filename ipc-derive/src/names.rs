//! Names of events: what becomes of an identifier, and which names no event should have.
//!
//! The rules about names are those of `ipc_proto::Rules` at their strictest; a test compares them. (A dependency on it would
//! build it twice in a release.)

use proc_macro2::Span;
use syn::LitStr;

/// The case of names: serde's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    const ALL: [(&'static str, Self); 8] = [
        ("camelCase", Self::Camel),
        ("snake_case", Self::Snake),
        ("kebab-case", Self::Kebab),
        ("PascalCase", Self::Pascal),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
    ];

    pub(crate) fn parse(text: &LitStr) -> syn::Result<Self> {
        let value = text.value();
        let found = Self::ALL.iter().find(|(name, _)| *name == value);
        found.map(|(_, case)| *case).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| format!("`{name}`")).collect();
            syn::Error::new(text.span(), format!("unknown case {value:?}, expected one of {}", names.join(", ")))
        })
    }

    /// Of the identifier of a variant, which is in PascalCase.
    pub(crate) fn apply(self, variant: &str) -> String {
        match self {
            Self::Pascal => variant.to_owned(),
            Self::Lower => variant.to_lowercase(),
            Self::Upper => variant.to_uppercase(),
            Self::Camel => {
                let mut chars = variant.chars();
                chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
            }
            Self::Snake => separated(variant, '_'),
            Self::Kebab => separated(variant, '-').replace('_', "-"),
            Self::ScreamingSnake => separated(variant, '_').to_uppercase(),
            Self::ScreamingKebab => separated(variant, '-').replace('_', "-").to_uppercase(),
        }
    }
}

fn separated(variant: &str, separator: char) -> String {
    let mut name = String::new();
    for (index, char) in variant.char_indices() {
        if index > 0 && char.is_uppercase() && !name.ends_with(['_', separator]) {
            name.push(separator);
        }
        name.extend(char.to_lowercase());
    }
    name
}

/// node-ipc's own: their handlers are called for the life of a connection, too.
pub(crate) const RESERVED: [&str; 8] =
    ["close", "connect", "data", "destroy", "disconnect", "error", "socket.disconnected", "start"];

/// The properties of JavaScript's `Object.prototype`, which node-ipc 12.0.0 dies of.
pub(crate) const OBJECT_PROTOTYPE: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// UTF-16 units that a name may have in the presets `v14_guarded` and `v14_assured`.
pub(crate) const LONGEST: usize = 256;

/// Refuses names that some peer does not take.
pub(crate) fn check(name: &str, reserved_wanted: bool, span: Span) -> syn::Result<()> {
    let refuse = |text: String| Err(syn::Error::new(span, text));
    if name.is_empty() {
        return refuse("the name of an event may not be empty: strict peers refuse it".to_owned());
    }
    if name == "*" {
        return refuse("no event may be named \"*\": it is how node-ipc's handlers say \"every event\"".to_owned());
    }
    if name == "$reply" {
        return refuse("no event may be named \"$reply\": the replies to requests are".to_owned());
    }
    let length = name.encode_utf16().count();
    if length > LONGEST {
        return refuse(format!("a name of {length} UTF-16 units is too long: strict peers take {LONGEST}"));
    }
    if OBJECT_PROTOTYPE.contains(&name) {
        return refuse(format!(
            "no event may be named {name:?}, a property of every JavaScript object: node-ipc 12 dies of it; \
             choose a name with #[event(\"…\")]"
        ));
    }
    if RESERVED.contains(&name) && !reserved_wanted {
        return refuse(format!(
            "{name:?} is a name of node-ipc's own: a Node program cannot tell this event from the lifecycle of its \
             connection. Choose another with #[event(\"…\")], or insist with #[event({name:?}, reserved)]"
        ));
    }
    if reserved_wanted && !RESERVED.contains(&name) {
        return refuse(format!("{name:?} is no name of node-ipc's own: leave `reserved` out"));
    }
    Ok(())
}
