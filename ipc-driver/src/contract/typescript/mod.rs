//! Contracts in TypeScript, for the Node side: a declaration file with the payload of every event, and the shapes of node-ipc's
//! handles with them filled in. Feature `typescript`.
//!
//! A contract with `#[contract(typescript)]` describes itself. The types inside its payloads derive `ts_rs::TS`: put
//! [`ts-rs`](https://docs.rs/ts-rs) of the same version as here, 12, among your dependencies.
//!
//! ```
//! use ipc_driver::Contract;
//! use ipc_driver::contract::typescript::Declaration;
//!
//! /// What is said in a room.
//! #[derive(Contract)]
//! #[contract(typescript)]
//! enum Chat {
//!     /// Somebody said something.
//!     Message { from: String, text: String },
//!     Joined(String),
//!     Ping,
//! }
//!
//! let text = Declaration::new().contract::<Chat>().text()?;
//! assert!(text.contains("export interface Chat {"));
//! assert!(text.contains("message: { from: string, text: string, };"));
//! assert!(text.contains("joined: string;"));
//! # Ok::<(), ipc_driver::contract::typescript::DeclarationError>(())
//! ```
//!
//! A test of yours that compares this text with a file in the repository, or a build script that writes it, keeps both sides
//! alike. In Node:
//!
//! ```ts
//! import ipc from 'node-ipc';
//! import type { Chat, NodeClient } from './chat';
//!
//! ipc.connectTo('world', () => {
//!     const world: NodeClient<Chat> = ipc.of.world;
//!     world.on('message', ({ from, text }) => console.log(from, text));
//!     world.emit('joined', 'bob');
//!     world.emit('joined', 7); // refused by the compiler
//! });
//! ```
//!
//! # Requests
//!
//! [`Declaration::request`] adds a request to the interface `Requests`, with its parameters and its reply, whose types derive `TS`.
//! Node asks and answers by the file `js/ipc-request.cjs` of this project; `ipc-request.d.cts` beside it holds it to that interface:
//!
//! ```
//! use ipc_driver::Request;
//! use ipc_driver::contract::typescript::{Declaration, TS};
//!
//! #[derive(Request, TS, serde::Serialize, serde::Deserialize)]
//! #[request("sum", reply = f64)]
//! struct Sum {
//!     numbers: Vec<f64>,
//! }
//!
//! let text = Declaration::new().request::<Sum>().text()?;
//! assert!(text.contains("sum: { params: Sum; reply: number };"));
//! # Ok::<(), ipc_driver::contract::typescript::DeclarationError>(())
//! ```
//!
//! ```ts
//! import { request, type Ask } from './ipc-request.cjs';
//! import type { Requests } from './calculator';
//!
//! const ask: Ask<Requests> = request;
//! const total = await ask(ipc.of.calculator, 'sum', { numbers: [1, 2] }); // a number
//! ```
//!
//! # What becomes of types
//!
//! | Rust | TypeScript | |
//! |---|---|---|
//! | `String`, `&str`, `char` | `string` | |
//! | `bool` | `boolean` | |
//! | integers and floats of any size | `number` | JavaScript's numbers are doubles: integers beyond ±2⁵³ arrive rounded. Where they matter, send strings. `NaN` and the infinities are written as `null` |
//! | `Option<T>` | `T \| null` | with `#[serde(default, skip_serializing_if = …)]` optional |
//! | `Vec<T>`, slices, sets | `Array<T>` | |
//! | maps | `{ [key in string]: T }` | |
//! | tuples, arrays | `[A, B]` | |
//! | `Box<T>`, `Arc<T>` and so on | `T` | |
//! | structs and enums that derive `TS` | their name, declared in the same file | |
//!
//! Attributes of serde on the fields of a contract mean here what they mean on the wire, or are refused when the program is
//! compiled. Those of types with `#[derive(TS)]` are ts-rs's business: it warns of attributes that it does not know.

mod node;

pub use ts_rs;
pub use ts_rs::TS;

use super::Request;
use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use ts_rs::{Config, TypeVisitor};

/// A contract that can say what it is in TypeScript. `#[derive(Contract)]` with `#[contract(typescript)]` implements it.
pub trait TypeScript {
    /// The name of the interface.
    const NAME: &'static str;
    /// Its documentation.
    const DOCS: &'static str;

    /// Tells of every event, in the order of the variants.
    fn describe(events: &mut Described<'_>);
}

/// Where a contract tells of its events.
#[derive(Debug)]
pub struct Described<'a> {
    declaration: &'a mut Declaration,
    members: String,
}

impl Described<'_> {
    /// An event whose payload is a `T`, which is written out; the types that it mentions are declared beside it.
    pub fn event<T: TS + 'static>(&mut self, name: &str, docs: &str) {
        // The documentation of fields has lines of its own.
        let payload = T::inline(&self.declaration.types.config).replace('\n', "\n        ");
        self.member(name, docs, &payload);
        T::visit_dependencies(&mut self.declaration.types);
    }

    /// An event without a payload.
    pub fn signal(&mut self, name: &str, docs: &str) {
        self.member(name, docs, node::NOTHING);
    }

    fn member(&mut self, name: &str, docs: &str, payload: &str) {
        push_docs(&mut self.members, "    ", docs);
        let _ = writeln!(self.members, "    {}: {payload};", property(name));
    }
}

/// A declaration file in the making: contracts, the types in their payloads, and node-ipc's handles.
#[derive(Debug, Default)]
pub struct Declaration {
    /// Interfaces in the order in which they were added.
    interfaces: Vec<(&'static str, String)>,
    /// The members of `Requests`, by name.
    requests: BTreeMap<&'static str, String>,
    types: Types,
}

/// The types that payloads mention, by name.
struct Types {
    config: Config,
    seen: HashSet<TypeId>,
    declared: BTreeMap<String, String>,
    clash: Option<String>,
}

impl Types {
    /// The name of a type, which is declared with all that it mentions.
    fn mention<T: TS + 'static + ?Sized>(&mut self) -> String {
        self.visit::<T>();
        T::visit_generics(self);
        T::name(&self.config)
    }
}

impl Default for Types {
    fn default() -> Self {
        // JSON has no other numbers. (Not `from_env`: the text depends on nothing but the types.)
        let config = Config::new().with_large_int("number");
        Self { config, seen: HashSet::new(), declared: BTreeMap::new(), clash: None }
    }
}

impl std::fmt::Debug for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.declared.keys()).finish()
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // What has no path of its own is built in, or the hidden struct of an event.
        if T::output_path().is_some() && self.seen.insert(TypeId::of::<T>()) {
            let mut text = T::docs().unwrap_or_default();
            let _ = writeln!(text, "export {}", T::decl(&self.config));
            let name = T::ident(&self.config);
            if self.declared.insert(name.clone(), text.clone()).is_some_and(|other| other != text) {
                self.clash = Some(name);
            }
            T::visit_dependencies(self);
        }
    }
}

/// Two things in one declaration file have the same name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "two different things are called {name:?} in TypeScript: rename one (a type with #[ts(rename = \"…\")]), or write two files"
)]
pub struct DeclarationError {
    /// The name.
    pub name: String,
}

impl Declaration {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the events of a contract as an interface, and the types in their payloads.
    #[must_use]
    pub fn contract<C: TypeScript>(mut self) -> Self {
        let mut described = Described { declaration: &mut self, members: String::new() };
        C::describe(&mut described);
        let members = described.members;
        let mut text = String::new();
        push_docs(&mut text, "", C::DOCS);
        let _ = write!(text, "export interface {} {{\n{members}}}\n", C::NAME);
        self.interfaces.push((C::NAME, text));
        self
    }

    /// Adds a request to the interface `Requests`, and the types of its parameters and its reply.
    #[must_use]
    pub fn request<Q>(mut self) -> Self
    where
        Q: Request + TS + 'static,
        Q::Reply: TS + 'static,
    {
        let (params, reply) = (self.types.mention::<Q>(), self.types.mention::<Q::Reply>());
        let member = format!("    {}: {{ params: {params}; reply: {reply} }};\n", property(Q::NAME));
        if self.requests.insert(Q::NAME, member.clone()).is_some_and(|other| other != member) {
            self.types.clash = Some(Q::NAME.to_owned());
        }
        self
    }

    /// The text of the file, the same whenever the types are the same. It is a module without imports: `chat.d.ts`, or
    /// `chat.ts`.
    ///
    /// # Errors
    /// [`DeclarationError`]: two things would have the same name.
    pub fn text(self) -> Result<String, DeclarationError> {
        let mut names: HashSet<&str> = node::NAMES.into();
        if !self.requests.is_empty() {
            names.insert(node::REQUESTS);
        }
        let all = self.interfaces.iter().map(|(name, _)| *name).chain(self.types.declared.keys().map(String::as_str));
        for name in all {
            if !names.insert(name) {
                return Err(DeclarationError { name: name.to_owned() });
            }
        }
        if let Some(name) = self.types.clash {
            return Err(DeclarationError { name });
        }
        let interfaces = self.interfaces.iter().map(|(_, text)| text.as_str());
        let types = self.types.declared.values().map(String::as_str);
        let members: String = self.requests.values().map(String::as_str).collect();
        let requests = (!members.is_empty()).then(|| node::requests(&members));
        let parts: Vec<&str> = [node::HEADER]
            .into_iter()
            .chain(interfaces)
            .chain(requests.as_deref())
            .chain(types)
            .chain([node::HANDLES])
            .collect();
        Ok(parts.join("\n"))
    }
}

/// A name as the key of an interface: with quotes where TypeScript wants them.
fn property(name: &str) -> String {
    let mut chars = name.chars();
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$');
    let identifier = chars.next().is_some_and(|first| plain(first) && !first.is_ascii_digit()) && chars.all(plain);
    // Rust escapes what JavaScript does, but for the braces of `\u{…}`, which JavaScript knows as well.
    if identifier { name.to_owned() } else { format!("{name:?}") }
}

fn push_docs(text: &mut String, indent: &str, docs: &str) {
    if docs.is_empty() {
        return;
    }
    let _ = writeln!(text, "{indent}/**");
    for line in docs.lines() {
        // The end of a comment inside it would end it.
        let line = line.replace("*/", "*\\/");
        let _ = writeln!(text, "{}", format!("{indent} * {line}").trim_end());
    }
    let _ = writeln!(text, "{indent} */");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_identifiers_are_quoted() {
        assert_eq!(property("joined"), "joined");
        assert_eq!(property("$a_1"), "$a_1");
        assert_eq!(property("app.message"), "\"app.message\"");
        assert_eq!(property("1st"), "\"1st\"");
        assert_eq!(property("a\"b\n"), "\"a\\\"b\\n\"");
    }

    #[test]
    fn a_comment_cannot_end_early() {
        let mut text = String::new();
        push_docs(&mut text, "", "one */ two\n\nthree");
        assert_eq!(text, "/**\n * one *\\/ two\n *\n * three\n */\n");
    }

    mod one {
        #[derive(ts_rs::TS)]
        #[allow(dead_code)]
        pub(super) struct Place {
            x: i32,
        }
    }

    mod other {
        #[derive(ts_rs::TS)]
        #[allow(dead_code)]
        pub(super) struct Place {
            name: String,
        }
    }

    // As the derive describes payloads.
    #[derive(ts_rs::TS)]
    #[allow(dead_code)]
    struct OneData(Vec<one::Place>);

    #[derive(ts_rs::TS)]
    #[allow(dead_code)]
    struct OtherData(Option<other::Place>);

    struct Two;

    impl TypeScript for Two {
        const NAME: &'static str = "Two";
        const DOCS: &'static str = "";

        fn describe(events: &mut Described<'_>) {
            events.event::<OneData>("one", "");
            events.event::<OtherData>("other", "");
        }
    }

    struct Named;

    impl TypeScript for Named {
        const NAME: &'static str = "NodeClient";
        const DOCS: &'static str = "";

        fn describe(_: &mut Described<'_>) {}
    }

    #[test]
    fn two_types_of_one_name_are_an_error_not_a_guess() {
        let clash = Declaration::new().contract::<Two>().text();
        assert_eq!(clash, Err(DeclarationError { name: "Place".to_owned() }));
        let clash = Declaration::new().contract::<Named>().text();
        assert_eq!(clash, Err(DeclarationError { name: "NodeClient".to_owned() }));
    }
}
