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

/// What a name is of: errors say with which attribute another is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    /// One that may insist on a name of node-ipc's own.
    Event {
        reserved: bool,
    },
    Request,
}

/// Refuses names that some peer does not take.
pub(crate) fn check(name: &str, named: Named, span: Span) -> syn::Result<()> {
    let refuse = |text: String| Err(syn::Error::new(span, text));
    let (what, choose, insists) = match named {
        Named::Event { reserved } => ("event", "choose another with #[event(\"…\")]", reserved),
        Named::Request => ("request", "choose another with #[request(\"…\", reply = …)]", false),
    };
    if name.is_empty() {
        return refuse(format!("the name of this {what} may not be empty, as strict peers refuse it: {choose}"));
    }
    if name == "*" {
        return refuse(format!(
            "no {what} may be named \"*\", with which node-ipc's handlers say \"every event\": {choose}"
        ));
    }
    if name == "$reply" {
        return refuse(format!("no {what} may be named \"$reply\", as the replies to requests are: {choose}"));
    }
    let length = name.encode_utf16().count();
    if length > LONGEST {
        return refuse(format!(
            "a name of {length} UTF-16 units is too long, as strict peers take {LONGEST}: {choose}"
        ));
    }
    if OBJECT_PROTOTYPE.contains(&name) {
        return refuse(format!(
            "no {what} may be named {name:?}, a property of every JavaScript object, of which node-ipc 12 dies: {choose}"
        ));
    }
    if RESERVED.contains(&name) && !insists {
        let insist = match named {
            Named::Event { .. } => format!(", or insist with #[event({name:?}, reserved)]"),
            Named::Request => String::new(),
        };
        return refuse(format!(
            "{name:?} is a name of node-ipc's own, and a Node program cannot tell this {what} from the lifecycle of its \
             connection: {choose}{insist}"
        ));
    }
    if insists && !RESERVED.contains(&name) {
        return refuse(format!("{name:?} is no name of node-ipc's own: leave `reserved` out"));
    }
    Ok(())
}
