//! `ipc.config` as a node-ipc program has it: JavaScript values, its defaults, and what they come to as a configuration of ours.
//!
//! Values are read the way node-ipc reads them (truthiness, numbers from text), not the way our own JSON reader does.

use std::time::Duration;

use ipc_proto::{Config, Encoding, Host, Interface, IpFamily, StopRetrying, TlsOptions};

use crate::js::{Js, JsError, JsObject, JsString, to_number, to_text, truthy};

/// Which versions of node-ipc a peer follows where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// 9.2.1 and 12.0.0.
    V9,
    /// 14.0.0.
    V14,
}

/// A starting point of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// `Config::v9`.
    V9,
    /// `Config::v14_fast`.
    V14Fast,
    /// `Config::v14_guarded`.
    V14Guarded,
    /// `Config::v14_assured`.
    V14Assured,
}

impl Preset {
    /// Its name in the option `preset`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V9 => "v9",
            Self::V14Fast => "v14_fast",
            Self::V14Guarded => "v14_guarded",
            Self::V14Assured => "v14_assured",
        }
    }

    /// The preset of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::V9, Self::V14Fast, Self::V14Guarded, Self::V14Assured].into_iter().find(|preset| preset.as_str() == name)
    }

    /// The family it belongs to.
    pub fn family(self) -> Family {
        if self == Self::V9 { Family::V9 } else { Family::V14 }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub enum Unsupported {
    /// Our own API has no way to say this value of this option.
    Option(&'static str),
    /// node-ipc itself throws when it starts with this.
    Throws(JsError),
}

/// The members of `ipc.config` of one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    preset: Preset,
    values: JsObject,
}

impl NodeConfig {
    /// The defaults of its family, on this machine; `silent` is set, as the node peer does first.
    pub fn new(preset: Preset, host: &Host) -> Self {
        let no = || Js::Bool(false);
        let number = |number: u32| Js::Number(f64::from(number));
        let v14 = preset.family() == Family::V14;
        let root = if v14 { host.private_socket_root() } else { "/tmp/".to_owned() };
        let mut values = JsObject::new();
        let mut set = |name: &str, value: Js| values.set(name, value);
        set("appspace", Js::text("app."));
        set("socketRoot", Js::text(&root));
        set("id", Js::text(&host.name));
        set("encoding", Js::text("utf8"));
        set("rawBuffer", no());
        if v14 {
            let parser = match preset {
                Preset::V14Guarded => "guarded",
                Preset::V14Assured => "assured",
                _ => "fast",
            };
            set("parser", Js::text(parser));
        }
        set("sync", no());
        set("unlink", Js::Bool(true));
        if v14 {
            set("identifyPeer", no());
        }
        set("delimiter", Js::text("\u{c}"));
        if v14 {
            set("maxMessageSize", number(1_048_576));
            set("maxPendingBytes", number(8_388_608));
            set("maxEventNameLength", number(256));
            set("messageTimeout", number(30_000));
            set("allowReservedEvents", no());
            set("allowedEvents", no());
        }
        set("silent", Js::Bool(true));
        if v14 {
            set("logPayloads", no());
        }
        set("logDepth", number(5));
        set("logInColor", Js::Bool(true));
        set("logger", Js::Function);
        set("maxConnections", number(100));
        set("retry", number(500));
        set("maxRetries", Js::Number(f64::INFINITY));
        set("stopRetrying", no());
        set("IPType", Js::text(if v14 { "IPv4" } else { "" }));
        set("tls", no());
        set("networkHost", Js::text("127.0.0.1"));
        set("networkPort", number(8_000));
        set("readableAll", no());
        set("writableAll", no());
        if v14 {
            set("secureSocketRoot", Js::Bool(true));
        }
        let interface = ["localAddress", "localPort", "family", "hints", "lookup"].map(|name| (name, no()));
        set("interface", Js::object(interface));
        Self { preset, values }
    }

    /// Which family it is read as.
    pub fn family(&self) -> Family {
        self.preset.family()
    }

    /// A member; `undefined` if there is none.
    pub fn get(&self, name: &str) -> Js {
        self.values.get(&name.into()).cloned().unwrap_or_default()
    }

    /// All members, for the result of the command `config`.
    pub fn values(&self) -> &JsObject {
        &self.values
    }

    /// Assigns decoded members, `interface` one level deep. Names that mean nothing are kept.
    pub fn assign(&mut self, members: &JsObject) {
        for (name, value) in members.iter() {
            if *name == "interface" {
                if let (Some(Js::Object(old)), Js::Object(new)) = (self.values.get(name), value) {
                    let mut merged = old.clone();
                    for (name, value) in new.iter() {
                        merged.set(name.clone(), value.clone());
                    }
                    self.values.set(name.clone(), Js::Object(merged));
                    continue;
                }
                if value.is_object() {
                    continue;
                }
            }
            self.values.set(name.clone(), value.clone());
        }
    }

    /// What the members come to.
    ///
    /// # Errors
    ///
    /// [`Unsupported::Throws`] for what node-ipc refuses when it makes a client or server; [`Unsupported::Option`] for what
    /// only JavaScript can say.
    pub fn to_config(&self) -> Result<Config, Unsupported> {
        let raw = truthy(&self.get("rawBuffer"));
        let parser = if self.family() == Family::V9 { Parser::Fast } else { self.parser()? };
        let mut config = match (self.family(), parser) {
            (Family::V9, _) => Config::v9(),
            (Family::V14, Parser::Fast | Parser::Raw) => Config::v14_fast(),
            (Family::V14, Parser::Guarded) => self.guarded(Config::v14_guarded())?,
            (Family::V14, Parser::Assured) => self.guarded(Config::v14_assured(self.allowed_events()?))?,
        };
        config.raw_buffer = raw || parser == Parser::Raw;
        config.appspace = self.name("appspace")?;
        config.socket_root = Some(self.name("socketRoot")?);
        config.id = Some(self.name("id")?);
        config.encoding = self.encoding()?;
        config.delimiter = self.delimiter()?;
        config.sync = truthy(&self.get("sync"));
        config.silent = truthy(&self.get("silent"));
        config.log_in_color = truthy(&self.get("logInColor"));
        config.log_payloads = self.family() == Family::V9 || truthy(&self.get("logPayloads"));
        config.max_connections = self.max_connections()?;
        config.retry = self.retry()?;
        config.max_retries = self.max_retries()?;
        // Only truth counts: 2 stops at once, and 0 goes on.
        config.stop_retrying = StopRetrying::from(truthy(&self.get("stopRetrying")));
        config.unlink = truthy(&self.get("unlink"));
        // Every version takes the path from a server that still lives.
        config.take_over = config.unlink;
        config.interface = self.interface()?;
        config.network_host = Some(self.network_host()?);
        config.network_port = self.port(&self.get("networkPort"), "networkPort")?;
        config.tls = self.tls()?;
        config.readable_all = truthy(&self.get("readableAll"));
        config.writable_all = truthy(&self.get("writableAll"));
        if self.family() == Family::V14 {
            config.secure_socket_root = truthy(&self.get("secureSocketRoot"));
            config.identify_peer = truthy(&self.get("identifyPeer"));
        }
        Ok(config)
    }

    fn parser(&self) -> Result<Parser, Unsupported> {
        if truthy(&self.get("rawBuffer")) {
            return Ok(Parser::Raw);
        }
        match self.get("parser") {
            value if !truthy(&value) => Ok(Parser::Fast),
            Js::String(name) => match name.to_text().as_str() {
                "raw" => Ok(Parser::Raw),
                "fast" => Ok(Parser::Fast),
                "guarded" => Ok(Parser::Guarded),
                "assured" => Ok(Parser::Assured),
                _ => Err(throws("ipc.config.parser must be one of the named parsers")),
            },
            // A parser of the program's own.
            _ => Err(Unsupported::Option("parser")),
        }
    }

    /// The limits that only the guarded and assured parsers read.
    fn guarded(&self, mut config: Config) -> Result<Config, Unsupported> {
        config.max_message_size = self.limit("maxMessageSize")?;
        config.max_pending_bytes = self.limit("maxPendingBytes")?;
        config.max_event_name_length = self.limit("maxEventNameLength")?;
        config.message_timeout = match self.get("messageTimeout") {
            Js::Number(0.0) => None,
            _ => Some(Duration::from_millis(self.limit("messageTimeout")? as u64)),
        };
        // The assured parser sets it back.
        let assured = config.allowed_events.is_some();
        config.allow_reserved_events = truthy(&self.get("allowReservedEvents")) && !assured;
        Ok(config)
    }

    fn limit(&self, name: &'static str) -> Result<usize, Unsupported> {
        const LARGEST: f64 = ((1u64 << 53) - 1) as f64;
        match self.get(name) {
            Js::Number(number) if number.fract() == 0.0 && (1.0..=LARGEST).contains(&number) => Ok(number as usize),
            _ => Err(throws(&format!("ipc.config.{name} must be a positive safe integer"))),
        }
    }

    fn allowed_events(&self) -> Result<Vec<String>, Unsupported> {
        match self.get("allowedEvents") {
            Js::Array(names) if !names.is_empty() => {
                // Other values can be listed, but equal no event's name.
                let names = names.iter().filter_map(|name| name.as_string()?.to_exact());
                Ok(names.collect())
            }
            _ => Err(throws("ipc.config.allowedEvents must be a non-empty Array or Set for the assured parser")),
        }
    }

    /// A part of a path, which JavaScript joins with `+`.
    fn name(&self, option: &'static str) -> Result<String, Unsupported> {
        let value = self.get(option);
        if value.is_object() {
            return Err(Unsupported::Option(option));
        }
        to_text(&value).ok().and_then(|text| text.to_exact()).ok_or(Unsupported::Option(option))
    }

    fn encoding(&self) -> Result<Encoding, Unsupported> {
        match self.get("encoding") {
            value if !truthy(&value) => Ok(Encoding::Utf8),
            Js::String(name) => match name.to_text().parse() {
                Ok(encoding) => Ok(encoding),
                // 14.0.0 looks at it when text is sent raw; the older ones when a socket is made.
                Err(_) if self.family() == Family::V14 => Ok(Encoding::Utf8),
                Err(_) => Err(Unsupported::Throws(unknown_encoding(&name.to_text()))),
            },
            _ => Err(Unsupported::Option("encoding")),
        }
    }

    fn delimiter(&self) -> Result<String, Unsupported> {
        let value = self.get("delimiter");
        if self.family() == Family::V14 && value.as_string().is_none_or(JsString::is_empty) {
            return Err(throws("ipc.config.delimiter must be a non-empty string"));
        }
        // 9.2.1 and 12.0.0 append it with `+`, whatever it is.
        to_text(&value).ok().and_then(|text| text.to_exact()).ok_or(Unsupported::Option("delimiter"))
    }

    fn max_connections(&self) -> Result<usize, Unsupported> {
        let value = self.get("maxConnections");
        let number = to_number(&value).map_err(|_| Unsupported::Option("maxConnections"))?;
        Ok(match number {
            // Node 20 takes every value without truth for "no limit".
            _ if self.family() == Family::V9 && !truthy(&value) => usize::MAX,
            _ if value.is_undefined() || number.is_nan() => usize::MAX,
            number if number >= 1.0 => number.ceil() as usize,
            _ => 0,
        })
    }

    /// Node's timers: a wait that is no number, below 1 or above 2³¹ − 1 is 1 ms.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] for what JavaScript cannot make a number of.
    pub fn retry(&self) -> Result<Duration, Unsupported> {
        let number = to_number(&self.get("retry")).map_err(|_| Unsupported::Option("retry"))?;
        let longest = f64::from(i32::MAX);
        let ms = if (1.0..=longest).contains(&number) { number.trunc() as u64 } else { 1 };
        Ok(Duration::from_millis(ms))
    }

    /// Retries go on while the rest is at least 1, and each takes 1 away.
    fn max_retries(&self) -> Result<Option<u32>, Unsupported> {
        let number = to_number(&self.get("maxRetries")).map_err(|_| Unsupported::Option("maxRetries"))?;
        Ok(match number {
            number if number > f64::from(u32::MAX) => None,
            number if number >= 1.0 => Some(number.floor() as u32),
            _ => Some(0),
        })
    }

    fn network_host(&self) -> Result<String, Unsupported> {
        match self.get("networkHost") {
            Js::String(host) if !host.is_empty() => host.to_exact().ok_or(Unsupported::Option("networkHost")),
            _ => Err(Unsupported::Option("networkHost")),
        }
    }

    fn port(&self, value: &Js, option: &'static str) -> Result<u16, Unsupported> {
        let number = to_number(value).map_err(|_| Unsupported::Option(option))?;
        let fits = number.fract() == 0.0 && (0.0..=65_535.0).contains(&number);
        if fits && !value.is_object() { Ok(number as u16) } else { Err(Unsupported::Option(option)) }
    }

    /// Members without truth are left to the system. The spelling `interfaces` is ignored by every version.
    fn interface(&self) -> Result<Interface, Unsupported> {
        let all = self.get("interface");
        let member = |name: &str| all.get(name).filter(|value| truthy(value)).cloned();
        let mut interface = Interface::default();
        if let Some(address) = member("localAddress") {
            let address = address.as_string().and_then(|text| text.to_text().parse().ok());
            interface.local_address = Some(address.ok_or(Unsupported::Option("interface.localAddress"))?);
        }
        if let Some(port) = member("localPort") {
            interface.local_port = Some(self.port(&port, "interface.localPort")?);
        }
        interface.family = match member("family") {
            None => None,
            Some(Js::Number(4.0)) => Some(IpFamily::V4),
            Some(Js::Number(6.0)) => Some(IpFamily::V6),
            Some(_) => return Err(Unsupported::Option("interface.family")),
        };
        interface.hints = match member("hints") {
            None => None,
            Some(Js::Number(hints)) if hints.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&hints) => {
                Some(hints as u32)
            }
            Some(_) => return Err(Unsupported::Option("interface.hints")),
        };
        if member("lookup").is_some() {
            return Err(Unsupported::Option("interface.lookup"));
        }
        Ok(interface)
    }

    fn tls(&self) -> Result<Option<TlsOptions>, Unsupported> {
        let value = self.get("tls");
        if !truthy(&value) {
            return Ok(None);
        }
        let Js::Object(members) = &value else {
            return Err(Unsupported::Option("tls"));
        };
        let mut tls = TlsOptions::new();
        for (name, member) in members.iter() {
            let given = truthy(member);
            match name.to_text().as_str() {
                "private" if given => tls.private = Some(file(member, "tls.private")?),
                "public" if given => tls.public = Some(file(member, "tls.public")?),
                "dhparam" if given => tls.dhparam = Some(file(member, "tls.dhparam")?),
                "trustedConnections" if given => {
                    let paths = list(member).iter().map(|path| file(path, "tls.trustedConnections"));
                    tls.trusted_connections = paths.collect::<Result<_, _>>()?;
                }
                "requestCert" => tls.request_cert = Some(given),
                // Node tells `false` from other values without truth.
                "rejectUnauthorized" => {
                    tls.reject_unauthorized = Some(!matches!(member, Js::Bool(false)));
                }
                "key" if given => tls.key = Some(pem(member, "tls.key")?),
                "cert" if given => tls.cert = Some(pem(member, "tls.cert")?),
                "ca" if given => {
                    let texts = list(member).iter().map(|text| pem(text, "tls.ca")).collect::<Result<_, _>>();
                    tls.ca = texts?;
                }
                "servername" if given => tls.server_name = Some(pem(member, "tls.servername")?),
                _ => {}
            }
        }
        // To 9.2.1 and 12.0.0, certificates to trust are no reason to ask for one.
        if self.family() == Family::V9 && tls.request_cert.is_none() {
            tls.request_cert = Some(false);
        }
        Ok(Some(tls))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parser {
    Raw,
    Fast,
    Guarded,
    Assured,
}

/// What Node throws for the name of an encoding that it does not know.
pub(super) fn unknown_encoding(name: &str) -> JsError {
    JsError::with_code("TypeError", "ERR_UNKNOWN_ENCODING", format!("Unknown encoding: {name}"))
}

fn throws(message: &str) -> Unsupported {
    Unsupported::Throws(JsError::type_error(message))
}

fn list(value: &Js) -> &[Js] {
    match value {
        Js::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn file(value: &Js, option: &'static str) -> Result<std::path::PathBuf, Unsupported> {
    pem(value, option).map(Into::into)
}

fn pem(value: &Js, option: &'static str) -> Result<String, Unsupported> {
    match value {
        Js::String(text) => text.to_exact().ok_or(Unsupported::Option(option)),
        Js::Buffer(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| Unsupported::Option(option)),
        _ => Err(Unsupported::Option(option)),
    }
}
