//! Who hears an event, and in which order that is told: the tap, typed and wildcard handlers, handlers of the option `when`, echoes.
//! It knows the sockets of a peer only by their keys.

use std::io::Write;

use super::{Call, Lines, Options, Reply, Stamp, Tap, Target, When};
use crate::js::{Js, JsError, JsObject, JsString, Numbers, describe, describe_text, short_json, to_text};

/// Names that node-ipc itself publishes; echoing them would loop or make no sense.
const LIFECYCLE: [&str; 8] =
    ["start", "connect", "disconnect", "destroy", "close", "socket.disconnected", "error", "data"];

/// What an event happened at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client, by its id in `ipc.of`.
    Client(JsString),
    /// The server of an instance.
    Server,
}

impl Source {
    fn name(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Server => "server",
        }
    }
}

/// An attached client or server. A client that is made anew under an old id is another emitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EmitterId(usize);

/// What a handler asks the peer to do, in the order of the list returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Perform a command of the option `when`, then tell [`Dispatcher::when`] what became of it.
    Command {
        /// The event type it waited for.
        when: JsString,
        /// The command.
        call: Call,
    },
    /// Emit the event back: to the sender at a server, on the connection at a client.
    Echo {
        /// The event's type.
        event: Js,
        /// Its data, `undefined` if it had none.
        data: Js,
        /// The socket or datagram sender, for a server.
        to: Option<Js>,
    },
    /// Emit these bytes back, raw.
    EchoRaw {
        /// The bytes.
        data: Js,
        /// The socket or datagram sender, for a server.
        to: Option<Js>,
    },
}

/// Prints what happens, and knows who wants to hear it.
#[derive(Debug)]
pub struct Dispatcher<W> {
    lines: Lines<W>,
    numbers: Numbers,
    emitters: Vec<Emitter>,
    tap: Tap,
    echo: bool,
    /// The handlers that every emitter starts with, in order of registration.
    first: Vec<(Option<&'static str>, Handler)>,
    last: Option<Js>,
}

#[derive(Debug)]
struct Emitter {
    source: Source,
    handlers: Vec<Handler>,
}

#[derive(Clone, Debug)]
struct Handler {
    /// The type it hears; nothing for every type.
    event: Option<JsString>,
    once: bool,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    /// `id` is what the line says; handlers of a command say what the command said.
    Report {
        via: String,
        id: Option<Js>,
    },
    When {
        when: When,
        seen: usize,
    },
    EchoRaw,
}

impl<W: Write> Dispatcher<W> {
    /// A dispatcher without emitters that follows the options `tap`, `on`, `wildcard`, `typedFirst`, `when`, `echo` and `echoRaw`.
    pub fn new(options: &Options, lines: Lines<W>) -> Self {
        let report = |event: Option<JsString>, via: &str| {
            (None, Handler { event, once: false, action: Action::Report { via: via.to_owned(), id: None } })
        };
        let typed = options.on.iter().map(|event| report(Some(event.clone()), "typed"));
        let wild = options.wildcard.then(|| report(None, "*"));
        let mut first: Vec<_> =
            if options.typed_first { typed.chain(wild).collect() } else { wild.into_iter().chain(typed).collect() };
        for when in &options.when {
            let event = Some(when.event.clone());
            let action = Action::When { when: when.clone(), seen: 0 };
            first.push((when.source, Handler { event, once: false, action }));
        }
        if options.echo_raw {
            first.push((None, Handler { event: Some("data".into()), once: false, action: Action::EchoRaw }));
        }
        let (tap, echo) = (options.tap, options.echo);
        Self { lines, numbers: Numbers::default(), emitters: Vec::new(), tap, echo, first, last: None }
    }

    /// Where the lines go.
    pub fn lines(&self) -> &Lines<W> {
        &self.lines
    }

    /// The numbers given so far.
    pub fn numbers(&mut self) -> &mut Numbers {
        &mut self.numbers
    }

    /// Adds a client or server, with the handlers that the options ask for.
    pub fn attach(&mut self, source: Source) -> EmitterId {
        let mut handlers = Vec::new();
        for (only, handler) in &self.first {
            if only.is_some_and(|only| only != source.name()) {
                continue;
            }
            let mut handler = handler.clone();
            if let (Action::Report { id, .. }, Source::Client(name)) = (&mut handler.action, &source) {
                *id = Some(Js::String(name.clone()));
            }
            handlers.push(handler);
        }
        self.emitters.push(Emitter { source, handlers });
        EmitterId(self.emitters.len() - 1)
    }

    /// Adds the handler of a command. `id` is the command's member `id`, which its lines repeat.
    pub fn on(&mut self, emitter: EmitterId, handler: &super::Handler) {
        let any = handler.event == "*";
        let via = handler.label.clone().unwrap_or_else(|| if any { "*" } else { "typed" }.to_owned());
        let id = handler.id.clone().map(Js::String);
        let event = (!any).then(|| handler.event.clone());
        let handler = Handler { event, once: handler.once, action: Action::Report { via, id } };
        self.emitters[emitter.0].handlers.push(handler);
    }

    /// Removes every handler of a type (`*`: the wildcard ones only), also those of `when`.
    pub fn off(&mut self, emitter: EmitterId, event: &JsString) {
        let event = (*event != "*").then_some(event);
        self.emitters[emitter.0].handlers.retain(|handler| handler.event.as_ref() != event);
    }

    /// Removes every handler, as `disconnect` of node-ipc 14.0.0 does; the tap remains.
    pub fn reset(&mut self, emitter: EmitterId) {
        self.emitters[emitter.0].handlers.clear();
    }

    /// Something happened: prints the lines that are due and returns what handlers want done.
    ///
    /// The arguments are those of node-ipc's handlers: at a client `[data]`, at a server `[data, socket]`; lifecycle events as
    /// node-ipc documents them.
    pub fn event(&mut self, emitter: EmitterId, event: &Js, args: &[Js], at: Stamp) -> Vec<Step> {
        let source = self.emitters[emitter.0].source.clone();
        let server = source == Source::Server;
        let tapped = self.tap == Tap::Publish;
        // The library's own handler of a server's `close` publishes `socket.disconnected` before users hear of `close`.
        let late = server && is(event, "close");
        let own_id = match &source {
            Source::Client(id) => Some(Js::String(id.clone())),
            Source::Server => None,
        };
        if tapped && !late {
            self.report(&source, own_id.as_ref(), None, event, args, at);
        }
        let mut steps = Vec::new();
        for handler in self.due(emitter, event) {
            match handler {
                Action::Report { via, id } => {
                    self.report(&source, id.as_ref(), Some(&via), event, args, at);
                }
                Action::When { when, .. } => {
                    let calls = when.calls.into_iter();
                    steps.extend(calls.map(|call| Step::Command { when: when.event.clone(), call }));
                }
                Action::EchoRaw => {
                    let data = args.first().cloned().unwrap_or_default();
                    steps.push(Step::EchoRaw { data, to: args.get(1).cloned().filter(|_| server) });
                }
            }
        }
        if tapped && late {
            self.report(&source, own_id.as_ref(), None, event, args, at);
        }
        if tapped && self.echo && !LIFECYCLE.iter().any(|name| is(event, name)) {
            let data = args.first().cloned().unwrap_or_default();
            let to = args.get(1).cloned().filter(|_| server);
            steps.push(Step::Echo { event: event.clone(), data, to });
        }
        steps
    }

    /// The actions of the handlers that hear an event: wildcards first, then typed ones, each in order of registration.
    fn due(&mut self, emitter: EmitterId, event: &Js) -> Vec<Action> {
        // node-ipc 9.2.1 finds handlers by the text of the type, whatever the type is.
        let Ok(name) = to_text(event) else {
            return Vec::new();
        };
        let handlers = &mut self.emitters[emitter.0].handlers;
        let (mut wild, mut typed) = (Vec::new(), Vec::new());
        handlers.retain_mut(|handler| {
            if handler.event.as_ref().is_some_and(|event| *event != name) {
                return true;
            }
            let due = match &mut handler.action {
                Action::When { when, seen } => {
                    *seen += 1;
                    when.nth.is_none_or(|nth| nth == *seen)
                }
                _ => true,
            };
            if due {
                let list = if handler.event.is_some() { &mut typed } else { &mut wild };
                list.push(handler.action.clone());
            }
            !handler.once
        });
        wild.append(&mut typed);
        wild
    }

    fn report(&mut self, source: &Source, id: Option<&Js>, via: Option<&str>, event: &Js, args: &[Js], at: Stamp) {
        if *source == Source::Server {
            for arg in args {
                if let Js::Socket(socket) = arg {
                    self.numbers.socket(socket.key);
                }
            }
            let second = if args.len() > 1 { args.get(1) } else { args.first().filter(|_| is(event, "connect")) };
            if let Some(end @ (Js::Socket(_) | Js::Rinfo(_) | Js::Datagram)) = second {
                self.last = Some(end.clone());
            }
        }
        let mut line = JsObject::new();
        line.set("ev", Js::text("event"));
        line.set("src", Js::text(source.name()));
        line.set("type", describe(event, &mut self.numbers));
        if let Some(id) = id {
            line.set("id", describe(id, &mut self.numbers));
        }
        if let Some(via) = via {
            line.set("via", Js::text(via));
        }
        let described: Vec<Js> = args.iter().map(|arg| describe(arg, &mut self.numbers)).collect();
        line.set("args", described.into());
        if let Some(json) = args.first().and_then(|data| data_json(event, data)) {
            line.set("data_json", Js::text(&json));
        }
        self.lines.write(line, at);
    }

    /// The connection or sender a command means. Nothing if there is none.
    pub fn target(&self, target: &Target) -> Option<Js> {
        match target {
            Target::Last => self.last.clone(),
            Target::Socket(number) => {
                let key = self.numbers.socket_key(*number)?;
                Some(Js::Socket(crate::js::Socket { key, id: Js::Undefined }.into()))
            }
            Target::Sender(number) => {
                let (address, port) = self.numbers.sender_address(*number)?;
                let number = Js::Number(f64::from(port));
                Some(Js::object([("address", Js::text(address)), ("port", number)]))
            }
            Target::Given(value) => Some(value.clone()),
        }
    }

    /// The ready line; `more` are further members, such as `address`, `error`, `failed` or `unsupported`.
    pub fn ready(&mut self, options: &Options, more: impl IntoIterator<Item = (&'static str, Js)>, at: Stamp) {
        let mut line = JsObject::new();
        line.set("ready", Js::Bool(true));
        line.set("version", Js::text(options.version.as_str()));
        line.set("preset", Js::text(options.preset().as_str()));
        line.set("runtime", Js::text(&options.runtime));
        line.set("pid", Js::Number(f64::from(std::process::id())));
        for (name, value) in more {
            line.set(name, value);
        }
        self.lines.write(line, at);
    }

    /// The set-up failed. The caller writes the ready line with `failed` after it.
    pub fn setup_error(&mut self, reply: &Reply, at: Stamp) {
        let mut told = JsObject::new();
        reply.add_to(&mut told, &mut self.numbers);
        let error = told.get(&"error".into()).cloned().unwrap_or_default();
        self.line("setup_error", [("error", error)], at);
    }

    /// What became of a command from stdin.
    pub fn result(&mut self, call: &Call, reply: &Reply, at: Stamp) {
        let mut line = JsObject::new();
        line.set("ev", Js::text("result"));
        line.set("cmd", call.name.clone());
        line.set("n", call.number.clone());
        reply.add_to(&mut line, &mut self.numbers);
        self.lines.write(line, at);
    }

    /// A line of stdin was no command.
    pub fn bad_line(&mut self, error: &JsError, at: Stamp) {
        let message = format!("bad command line: {}", error.message);
        let error = Js::object([("$t", Js::text("error")), ("message", Js::text(&message))]);
        self.line("result", [("ok", Js::Bool(false)), ("error", error)], at);
    }

    /// What became of a command of the option `when`.
    pub fn when(&mut self, when: &JsString, call: &Call, reply: &Reply, at: Stamp) {
        let mut line = JsObject::new();
        line.set("ev", Js::text("when"));
        line.set("type", describe_text(when));
        line.set("cmd", call.name.clone());
        reply.add_to(&mut line, &mut self.numbers);
        self.lines.write(line, at);
    }

    /// The callback given to `serve`, `serveNet`, `connectTo` or `connectToNet` ran.
    pub fn callback(&mut self, what: &str, id: Option<&JsString>, arguments: usize, at: Stamp) {
        let id = id.map_or(Js::Undefined, describe_text);
        let count = Js::Number(arguments as f64);
        self.line("callback", [("what", Js::text(what)), ("id", id), ("nargs", count)], at);
    }

    /// Echoing an event failed.
    pub fn echo_error(&mut self, error: &JsError, at: Stamp) {
        let error = describe(&error.clone().into(), &mut self.numbers);
        self.line("echo_error", [("error", error)], at);
    }

    /// A line of the log.
    pub fn log(&mut self, text: &str, at: Stamp) {
        self.line("log", [("text", describe_text(&text.into()))], at);
    }

    /// The peer lived as long as it was allowed to.
    pub fn lifetime_over(&mut self, at: Stamp) {
        self.line("lifetime_over", [], at);
    }

    fn line(&mut self, ev: &str, members: impl IntoIterator<Item = (&'static str, Js)>, at: Stamp) {
        let mut line = JsObject::new();
        line.set("ev", Js::text(ev));
        for (name, value) in members {
            line.set(name, value);
        }
        self.lines.write(line, at);
    }
}

fn is(event: &Js, name: &str) -> bool {
    event.as_string().is_some_and(|event| *event == name)
}

/// The JSON text shown beside object data: key order and number text, which `args` does not keep.
fn data_json(event: &Js, data: &Js) -> Option<String> {
    let lifecycle = LIFECYCLE.iter().any(|name| is(event, name));
    if lifecycle && !is(event, "data") && !is(event, "error") {
        return None;
    }
    let hidden =
        matches!(data, Js::Buffer(_) | Js::Error(_) | Js::Socket(_) | Js::Rinfo(_) | Js::NetServer | Js::Datagram);
    if hidden || !data.is_object() { None } else { short_json(data) }
}
