//! The options of a peer: its one argument, a JSON object. Reading only; what they lead to is elsewhere.

use std::time::Duration;

use ipc_proto::Host;

use super::fields::{Fields, Misfit};
use super::{Call, NodeConfig, Preset};
use crate::js::{Js, JsObject, JsString, decode, parse};
use crate::node::Version;

/// What the peer starts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Connects at once.
    Client,
    /// Listens at once, unless `autostart` is false.
    Server,
}

/// Over what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A local socket.
    #[default]
    Unix,
    /// TCP, or TLS where the configuration has it.
    Tcp,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
}

/// Which events are told without a handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tap {
    /// Every event that is dispatched.
    #[default]
    Publish,
    /// None.
    None,
}

/// Commands that run inside a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// `client`, `server`, or nothing for both.
    pub source: Option<&'static str>,
    /// The event type.
    pub event: JsString,
    /// Only this occurrence, counted from 1 for each client and server; nothing: every one.
    pub nth: Option<usize>,
    /// The commands.
    pub calls: Vec<Call>,
}

/// All options. An absent one has the value that the protocol gives it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node-ipc that is asked for.
    pub version: Version,
    /// The runtime that our own peer runs on.
    pub runtime: String,
    /// What the peer starts as; nothing: commands decide.
    pub role: Option<Role>,
    /// Over what.
    pub transport: Transport,
    /// The local path.
    pub path: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The id of the client that the role makes. Default `peer`.
    pub id: JsString,
    /// Which events are told without a handler.
    pub tap: Tap,
    /// Types to register handlers for.
    pub on: Vec<JsString>,
    /// Whether to register a wildcard handler.
    pub wildcard: bool,
    /// Whether typed handlers are registered before the wildcard one. Default true.
    pub typed_first: bool,
    /// Commands that run inside handlers.
    pub when: Vec<When>,
    /// Whether every application event is emitted back.
    pub echo: bool,
    /// Whether every `data` event is emitted back.
    pub echo_raw: bool,
    /// Whether a server starts at once. Default true.
    pub autostart: bool,
    /// Whether the log is told.
    pub capture_log: bool,
    /// Whether to go on after a panic.
    pub survive_uncaught: bool,
    /// How long the peer may live. Default 120 s.
    pub max_lifetime: Duration,
    /// The working directory to change to.
    pub cwd: Option<String>,
    /// The file mode mask to set.
    pub umask: Option<u32>,
    preset: Option<Preset>,
    config: JsObject,
}

impl Options {
    /// Reads the argument of a peer.
    ///
    /// # Errors
    ///
    /// What is not an object of the right members. Unknown members are ignored, as the node peer does.
    pub fn parse(argument: &str) -> Result<Self, Misfit> {
        let value = parse(argument)?;
        let Js::Object(object) = &value else {
            return Err(Misfit::new("the argument", "an object"));
        };
        let fields = Fields(object);
        let version = fields.text("version")?;
        let version = match version {
            None => Version::V9_2_1,
            Some(text) => Version::parse(&text).ok_or_else(|| Misfit::new("version", "9.2.1, 12.0.0 or 14.0.0"))?,
        };
        let default_true = |name: &str| !matches!(fields.raw(name), Some(Js::Bool(false)));
        Ok(Self {
            version,
            runtime: fields.text("runtime")?.unwrap_or_else(|| "tokio".to_owned()),
            role: choice(&fields, "role", &[("client", Role::Client), ("server", Role::Server)])?,
            transport: choice(
                &fields,
                "transport",
                &[
                    ("unix", Transport::Unix),
                    ("tcp", Transport::Tcp),
                    ("udp4", Transport::Udp4),
                    ("udp6", Transport::Udp6),
                ],
            )?
            .unwrap_or_default(),
            path: fields.text("path")?,
            host: fields.text("host")?,
            port: port(&fields)?,
            id: fields.string("id")?.unwrap_or_else(|| "peer".into()),
            tap: choice(&fields, "tap", &[("publish", Tap::Publish), ("none", Tap::None)])?.unwrap_or_default(),
            on: on(&fields)?,
            wildcard: fields.flag("wildcard"),
            typed_first: default_true("typedFirst"),
            when: when(&fields)?,
            echo: fields.flag("echo"),
            echo_raw: fields.flag("echoRaw"),
            autostart: default_true("autostart"),
            capture_log: fields.flag("captureLog"),
            survive_uncaught: fields.flag("surviveUncaught"),
            max_lifetime: fields.milliseconds("maxLifetimeMs")?.unwrap_or(Duration::from_secs(120)),
            cwd: fields.text("cwd")?,
            umask: fields.index("umask")?.map(|mask| mask as u32 & 0o777),
            preset: match fields.text("preset")? {
                None => None,
                Some(name) => Some(Preset::parse(&name).ok_or_else(|| Misfit::new("preset", "a known preset"))?),
            },
            config: members(fields.raw("config"))?,
        })
    }

    /// The preset asked for, or the one of the version. A `parser` in the configuration still decides over it.
    pub fn preset(&self) -> Preset {
        self.preset.unwrap_or(match self.version {
            Version::V9_2_1 | Version::V12_0_0 => Preset::V9,
            Version::V14_0_0 => Preset::V14Fast,
        })
    }

    /// The configuration of the first instance.
    pub fn instance(&self, host: &Host) -> NodeConfig {
        let mut config = NodeConfig::new(self.preset(), host);
        config.assign(&self.config);
        config
    }
}

/// The decoded members of a configuration; nothing counts as none.
pub(super) fn members(config: Option<&Js>) -> Result<JsObject, Misfit> {
    match config {
        None | Some(Js::Null) => Ok(JsObject::new()),
        Some(Js::Object(object)) => {
            let mut decoded = JsObject::new();
            for (name, value) in object.iter() {
                decoded.set(name.clone(), decode(value)?);
            }
            Ok(decoded)
        }
        Some(_) => Err(Misfit::new("config", "an object")),
    }
}

fn choice<T: Copy>(fields: &Fields<'_>, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Misfit> {
    let Some(text) = fields.text(name)? else {
        return Ok(None);
    };
    match choices.iter().find(|(choice, _)| *choice == text) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            Err(Misfit::new(name, &format!("one of {}", names.join(", "))))
        }
    }
}

fn port(fields: &Fields<'_>) -> Result<Option<u16>, Misfit> {
    match fields.index("port")? {
        None => Ok(None),
        Some(port) => u16::try_from(port).map(Some).map_err(|_| Misfit::new("port", "at most 65535")),
    }
}

fn on(fields: &Fields<'_>) -> Result<Vec<JsString>, Misfit> {
    let Some(items) = fields.list("on")? else {
        return Ok(Vec::new());
    };
    let texts = items.iter().map(|item| match decode(item)? {
        Js::String(text) => Ok(text),
        _ => Err(Misfit::new("on", "a list of strings")),
    });
    texts.collect()
}

fn when(fields: &Fields<'_>) -> Result<Vec<When>, Misfit> {
    let Some(items) = fields.list("when")? else {
        return Ok(Vec::new());
    };
    let one = |item: &Js| {
        let Js::Object(object) = item else {
            return Err(Misfit::new("when", "a list of objects"));
        };
        let fields = Fields(object);
        let calls = fields.list("do")?.ok_or_else(|| Misfit::new("do", "a list of commands"))?;
        Ok(When {
            source: choice(&fields, "src", &[("client", "client"), ("server", "server")])?,
            event: fields.string("type")?.ok_or_else(|| Misfit::new("type", "a string"))?,
            nth: fields.index("nth")?.filter(|nth| *nth > 0),
            calls: calls.iter().map(Call::from_value).collect(),
        })
    };
    items.iter().map(one).collect()
}
