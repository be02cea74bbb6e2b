//! The commands of stdin, read into types. Carrying them out is the peer's business.

use std::time::Duration;

use super::arguments::{Arg, ConnectTo, ConnectToNet, Serve, ServeNet};
use super::fields::{Fields, Misfit};
use super::options::members;
use crate::js::{Js, JsArray, JsError, JsObject, JsString, decode, parse_bytes, to_text};

/// One command with what its answer repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The member `cmd`, whatever it is.
    pub name: Js,
    /// The member `n`, whatever it is.
    pub number: Js,
    /// Which instance is meant; 0 is the one the peer starts with.
    pub instance: usize,
    /// What to do, or why the command cannot be read.
    pub command: Result<Command, JsError>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// `emit`.
    Emit(Emit),
    /// `emitMany`: several emits in one turn.
    EmitMany(Vec<Emit>),
    /// `batch`: several commands in one turn.
    Batch(Vec<Call>),
    /// `broadcast`.
    Broadcast {
        /// The event's type.
        event: Js,
        /// Its data; nothing if the argument is absent.
        data: Option<Js>,
    },
    /// `disconnect`, of this id or of the option `id`.
    Disconnect(Option<JsString>),
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `setConfig`: members to assign, decoded.
    SetConfig(JsObject),
    /// `connectTo`.
    ConnectTo(ConnectTo),
    /// `connectToNet`.
    ConnectToNet(ConnectToNet),
    /// `serve`.
    Serve(Serve),
    /// `serveNet`.
    ServeNet(ServeNet),
    /// `on`.
    On(Handler),
    /// `off`: every handler of the type.
    Off(Handler),
    /// `destroySocket`.
    DestroySocket(Target),
    /// `endSocket`.
    EndSocket(Target),
    /// `resetSocket`.
    ResetSocket(Target),
    /// `setSocketId`.
    SetSocketId(Target, Js),
    /// `pushSocket`.
    PushSocket(Target),
    /// `newInstance`, with the members of its configuration, decoded.
    NewInstance(JsObject),
    /// `sleepBlock`: holds the event loop.
    SleepBlock(Duration),
    /// `state`.
    State,
    /// `config`.
    Config,
    /// `log`, with its arguments.
    Log(Vec<Js>),
    /// `get`, with the path of keys.
    Get(Vec<JsString>),
    /// `publishStart`.
    PublishStart,
    /// `now`.
    Now,
    /// `exit`.
    Exit,
}

/// The command `emit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// The event's type, or the bytes of a raw emit.
    pub event: Js,
    /// Its data; nothing if the argument is absent.
    pub data: Option<Js>,
    /// The client's id, if it was given.
    pub id: Option<JsString>,
    /// The member `as`: whether the server emits, if it was said.
    pub as_server: Option<bool>,
    /// Whom a server emits to.
    pub to: Target,
}

impl Emit {
    /// Whether the server emits, in a process that has a server or not, and clients or not.
    pub fn is_server(&self, has_server: bool, has_clients: bool) -> bool {
        self.as_server.unwrap_or(!(self.id.is_some() || (!has_server && has_clients)))
    }

    /// The data as node-ipc sees it: an absent argument is `undefined`.
    pub fn data(&self) -> Js {
        self.data.clone().unwrap_or_default()
    }
}

/// The connection or datagram address that a command means.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Target {
    /// The latest socket or sender that a server's event brought.
    #[default]
    Last,
    /// The socket of this number.
    Socket(usize),
    /// The datagram sender of this number.
    Sender(usize),
    /// This value: an address and a port, usually.
    Given(Js),
}

/// The commands `on` and `off`.
#[derive(Clone, Debug, PartialEq)]
pub struct Handler {
    /// The event type; `*` is the wildcard.
    pub event: JsString,
    /// The client's id, if it was given; lines repeat it.
    pub id: Option<JsString>,
    /// Whether the server is meant although there is an id.
    pub on_server: bool,
    /// Whether it hears one event only.
    pub once: bool,
    /// What lines say under `via`.
    pub label: Option<String>,
}

impl Handler {
    /// Whether the server is meant, in a process that has one or not.
    pub fn is_server(&self, has_server: bool) -> bool {
        self.on_server || (self.id.as_ref().is_none_or(JsString::is_empty) && has_server)
    }
}

impl Call {
    /// Reads one line of stdin; nothing for an empty one.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` for a line that is not JSON. A command that is JSON but makes no sense is a [`Call`] with an error.
    pub fn read(line: &[u8]) -> Result<Option<Self>, JsError> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        parse_bytes(line).map(|value| Some(Self::from_value(&value)))
    }

    pub(super) fn from_value(value: &Js) -> Self {
        let empty = JsObject::new();
        let object = value.as_object().unwrap_or(&empty);
        let fields = Fields(object);
        let member = |name: &str| fields.raw(name).cloned().unwrap_or_default();
        let instance = fields.index("inst");
        let command = match &instance {
            Err(misfit) => Err(misfit.clone()),
            Ok(_) => command(&fields),
        };
        Self {
            name: member("cmd"),
            number: member("n"),
            instance: instance.ok().flatten().unwrap_or(0),
            command: command.map_err(|misfit| misfit.0),
        }
    }
}

fn command(fields: &Fields<'_>) -> Result<Command, Misfit> {
    let name = fields.text("cmd")?.unwrap_or_default();
    Ok(match name.as_str() {
        "emit" => Command::Emit(emit(fields)?),
        "emitMany" => Command::EmitMany(emit_many(fields)?),
        "batch" => Command::Batch(batch(fields)?),
        "broadcast" => Command::Broadcast { event: event(fields)?, data: data(fields)? },
        "disconnect" => Command::Disconnect(id(fields)?),
        "start" => Command::Start,
        "stop" => Command::Stop,
        "setConfig" => Command::SetConfig(members(fields.raw("config"))?),
        "connectTo" => Command::ConnectTo(ConnectTo(arguments(fields, &["id", "path"])?)),
        "connectToNet" => Command::ConnectToNet(ConnectToNet(arguments(fields, &["id", "host", "port"])?)),
        "serve" => Command::Serve(Serve(arguments(fields, &["path"])?)),
        "serveNet" => Command::ServeNet(ServeNet(arguments(fields, &["host", "port", "udp"])?)),
        "on" => Command::On(handler(fields)?),
        "off" => Command::Off(handler(fields)?),
        "destroySocket" => Command::DestroySocket(target(fields)?),
        "endSocket" => Command::EndSocket(target(fields)?),
        "resetSocket" => Command::ResetSocket(target(fields)?),
        "setSocketId" => Command::SetSocketId(target(fields)?, fields.value("value")?.unwrap_or_default()),
        "pushSocket" => Command::PushSocket(target(fields)?),
        "newInstance" => Command::NewInstance(members(fields.raw("config"))?),
        "sleepBlock" => Command::SleepBlock(fields.milliseconds("ms")?.unwrap_or_default()),
        "state" => Command::State,
        "config" => Command::Config,
        "log" => {
            let none = JsArray::default();
            let list = fields.list("args")?.unwrap_or(&none);
            let decoded: Result<Vec<Js>, JsError> = list.iter().map(decode).collect();
            Command::Log(decoded?)
        }
        "get" => {
            let path = fields.list("path")?.ok_or_else(|| Misfit::new("path", "a list of keys"))?;
            let keys: Result<Vec<JsString>, JsError> = path.iter().map(to_text).collect();
            Command::Get(keys?)
        }
        "publishStart" => Command::PublishStart,
        "now" => Command::Now,
        "exit" => Command::Exit,
        other => {
            return Err(Misfit(JsError::new("Error", format!("unknown command {other}"))));
        }
    })
}

fn event(fields: &Fields<'_>) -> Result<Js, Misfit> {
    Ok(fields.value("type")?.unwrap_or_default())
}

fn data(fields: &Fields<'_>) -> Result<Option<Js>, Misfit> {
    fields.value("data")
}

fn id(fields: &Fields<'_>) -> Result<Option<JsString>, Misfit> {
    fields.raw("id").map(|id| Ok(to_text(&decode(id)?)?)).transpose()
}

fn emit(fields: &Fields<'_>) -> Result<Emit, Misfit> {
    let as_server = match fields.raw("as") {
        Some(side) if crate::js::truthy(side) => Some(side.as_string().is_some_and(|side| *side == "server")),
        _ => None,
    };
    Ok(Emit { event: event(fields)?, data: data(fields)?, id: id(fields)?, as_server, to: target(fields)? })
}

/// Each element of `list` is laid over the command itself.
fn emit_many(fields: &Fields<'_>) -> Result<Vec<Emit>, Misfit> {
    let list = fields.list("list")?.ok_or_else(|| Misfit::new("list", "a list of emits"))?;
    let one = |item: &Js| {
        let mut members = fields.0.clone();
        for (name, value) in item.as_object().into_iter().flat_map(JsObject::iter) {
            members.set(name.clone(), value.clone());
        }
        emit(&Fields(&members))
    };
    list.iter().map(one).collect()
}

fn batch(fields: &Fields<'_>) -> Result<Vec<Call>, Misfit> {
    let list = fields.list("list")?.ok_or_else(|| Misfit::new("list", "a list of commands"))?;
    let instance = fields.index("inst")?.unwrap_or(0);
    let one = |item: &Js| {
        let mut call = Call::from_value(item);
        if item.get("inst").is_none() {
            call.instance = instance;
        }
        call
    };
    Ok(list.iter().map(one).collect())
}

fn target(fields: &Fields<'_>) -> Result<Target, Misfit> {
    if let Some(to @ Js::Object(_)) = fields.raw("to") {
        return Ok(Target::Given(decode(to)?));
    }
    if let Some(number) = fields.index("rinfo")? {
        return Ok(Target::Sender(number));
    }
    match fields.raw("socket") {
        None => Ok(Target::Last),
        Some(Js::String(name)) if *name == "last" => Ok(Target::Last),
        Some(_) => {
            let number = fields.index("socket")?;
            Ok(number.map_or(Target::Last, Target::Socket))
        }
    }
}

fn handler(fields: &Fields<'_>) -> Result<Handler, Misfit> {
    Ok(Handler {
        event: fields.string("type")?.ok_or_else(|| Misfit::new("type", "a string"))?,
        id: id(fields)?,
        on_server: fields.flag("on_server"),
        once: fields.flag("once"),
        label: fields.text("label")?.filter(|label| !label.is_empty()),
    })
}

/// The argument list: `args` as it stands, or the named members that are there, and a callback.
fn arguments(fields: &Fields<'_>, names: &[&str]) -> Result<Vec<Arg>, Misfit> {
    if let Some(list) = fields.list("args")? {
        return Ok(list.iter().map(argument).collect::<Result<_, JsError>>()?);
    }
    let mut given = Vec::new();
    for value in names.iter().filter_map(|name| fields.raw(name)) {
        given.push(argument(value)?);
    }
    given.push(Arg::Callback);
    Ok(given)
}

fn argument(value: &Js) -> Result<Arg, JsError> {
    match value.get("$t") {
        Some(Js::String(tag)) if *tag == "callback" => Ok(Arg::Callback),
        _ => decode(value).map(Arg::Value),
    }
}
