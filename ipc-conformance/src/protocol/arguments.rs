//! How `serve`, `serveNet`, `connectTo` and `connectToNet` of node-ipc make sense of their arguments, which they tell apart by
//! type. Only resolved here, against the recorded answers; nothing is opened.

use super::{Family, NodeConfig};
use crate::js::{Js, JsError, JsString, to_text, truthy};

/// One argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A value.
    Value(Js),
    /// A function.
    Callback,
}

/// What a call comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The client's id; nothing for servers.
    pub id: Option<Js>,
    /// The local path, or the host of a network.
    pub path: Js,
    /// The port of a network.
    pub port: Option<Js>,
    /// Whether it is UDP over IPv4.
    pub udp4: bool,
    /// Whether it is UDP over IPv6.
    pub udp6: bool,
    /// Whether a callback was given.
    pub callback: bool,
    /// What node-ipc throws once the client is in `ipc.of`: a client's callback is called at once, so it must be a function.
    pub throws: Option<JsError>,
}

/// The arguments of `serve([path][, callback])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve(pub Vec<Arg>);

/// The arguments of `serveNet([host][, port][, udp][, callback])`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeNet(pub Vec<Arg>);

/// The arguments of `connectTo(id[, path][, callback])`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectTo(pub Vec<Arg>);

/// The arguments of `connectToNet(id[, host][, port][, callback])`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectToNet(pub Vec<Arg>);

impl Arg {
    fn is_callback(&self) -> bool {
        matches!(self, Self::Callback | Self::Value(Js::Function))
    }

    /// What is left of it once functions are set aside.
    fn value(self) -> Js {
        match self {
            Self::Value(value) => value,
            Self::Callback => Js::Function,
        }
    }
}

/// The first arguments, absent ones as `undefined`.
fn take<const N: usize>(args: &[Arg]) -> [Arg; N] {
    std::array::from_fn(|at| args.get(at).cloned().unwrap_or(Arg::Value(Js::Undefined)))
}

const NONE: Arg = Arg::Value(Js::Undefined);

fn own_path(config: &NodeConfig, id: &Js) -> Result<Js, JsError> {
    let parts = [config.get("socketRoot"), config.get("appspace"), id.clone()];
    let mut path = Vec::new();
    for part in &parts {
        path.extend_from_slice(to_text(part)?.units());
    }
    Ok(Js::String(JsString::from_units(path)))
}

impl Serve {
    /// Resolves the call.
    ///
    /// # Errors
    ///
    /// What node-ipc throws.
    pub fn resolve(&self, config: &NodeConfig) -> Result<Resolved, JsError> {
        let [mut path, mut callback] = take(&self.0);
        if path.is_callback() {
            (path, callback) = (NONE, path);
        }
        let path = path.value();
        let path = if truthy(&path) { path } else { own_path(config, &config.get("id"))? };
        let callback = check_callback(&callback, config)?;
        Ok(Resolved { id: None, path, port: None, udp4: false, udp6: false, callback, throws: None })
    }
}

impl ServeNet {
    /// Resolves the call.
    ///
    /// # Errors
    ///
    /// What node-ipc throws.
    pub fn resolve(&self, config: &NodeConfig) -> Result<Resolved, JsError> {
        let [mut host, mut port, mut udp, mut callback] = take(&self.0);
        if matches!(host, Arg::Value(Js::Number(_))) {
            (host, port, udp, callback) = (NONE, host, port, udp);
        }
        if host.is_callback() {
            (host, port, udp, callback) = (NONE, NONE, NONE, host);
        }
        let mut host = host.value();
        if !truthy(&host) {
            host = config.get("networkHost");
        }
        let Js::String(name) = &host else {
            return Err(JsError::type_error("host.toLowerCase is not a function"));
        };
        let lower = name.to_text().to_lowercase();
        if lower == "udp4" || lower == "udp6" {
            (port, udp, callback) = (NONE, Arg::Value(Js::text(&lower)), port);
            host = config.get("networkHost");
        }
        if matches!(port, Arg::Value(Js::String(_))) {
            (port, udp, callback) = (NONE, port, udp);
        }
        if port.is_callback() {
            (port, udp, callback) = (NONE, NONE, port);
        }
        let mut port = port.value();
        if !truthy(&port) {
            port = config.get("networkPort");
        }
        if udp.is_callback() {
            (udp, callback) = (NONE, udp);
        }
        let udp = udp.value();
        let is_udp = |name: &str| udp.as_string().is_some_and(|udp| *udp == name);
        let (udp4, udp6) = (is_udp("udp4"), is_udp("udp6"));
        if udp4 && host.as_string().is_some_and(|host| *host == "::1") {
            host = Js::text("127.0.0.1");
        }
        let callback = check_callback(&callback, config)?;
        Ok(Resolved { id: None, path: host, port: Some(port), udp4, udp6, callback, throws: None })
    }
}

impl ConnectTo {
    /// Resolves the call; nothing if there is no id, which node-ipc only logs.
    ///
    /// # Errors
    ///
    /// What node-ipc throws.
    pub fn resolve(&self, config: &NodeConfig) -> Result<Option<Resolved>, JsError> {
        let [id, mut path, mut callback] = take(&self.0);
        if path.is_callback() {
            (path, callback) = (NONE, path);
        }
        let (id, path) = (id.value(), path.value());
        if !truthy(&id) {
            return Ok(None);
        }
        let path = if truthy(&path) { path } else { own_path(config, &id)? };
        let (callback, throws) = match callable(&callback) {
            Ok(callback) => (callback, None),
            Err(error) => (false, Some(error)),
        };
        Ok(Some(Resolved { id: Some(id), path, port: None, udp4: false, udp6: false, callback, throws }))
    }
}

impl ConnectToNet {
    /// Resolves the call; nothing if there is no id, which node-ipc only logs.
    ///
    /// # Errors
    ///
    /// What node-ipc throws.
    pub fn resolve(&self, config: &NodeConfig) -> Result<Option<Resolved>, JsError> {
        let [id, mut host, mut port, mut callback] = take(&self.0);
        let id = id.value();
        if !truthy(&id) {
            return Ok(None);
        }
        if matches!(host, Arg::Value(Js::Number(_))) {
            (host, port, callback) = (NONE, host, port);
        }
        if host.is_callback() {
            (host, port, callback) = (NONE, NONE, host);
        }
        if port.is_callback() {
            (port, callback) = (NONE, port);
        }
        let or_default = |value: Js, option: &str| {
            if truthy(&value) { value } else { config.get(option) }
        };
        let (host, port) = (or_default(host.value(), "networkHost"), or_default(port.value(), "networkPort"));
        if config.family() == Family::V9 && matches!(callback, Arg::Value(Js::String(_))) {
            return Err(JsError::new("ReferenceError", "UDPType is not defined"));
        }
        let (callback, throws) = match callable(&callback) {
            Ok(callback) => (callback, None),
            Err(error) => (false, Some(error)),
        };
        Ok(Some(Resolved { id: Some(id), path: host, port: Some(port), udp4: false, udp6: false, callback, throws }))
    }
}

/// A client's callback runs at once, so it must be a function.
fn callable(callback: &Arg) -> Result<bool, JsError> {
    match callback {
        callback if callback.is_callback() => Ok(true),
        Arg::Value(value) if truthy(value) => Err(JsError::type_error("callback is not a function")),
        _ => Ok(false),
    }
}

/// A server's callback becomes a handler of `start`; only 9.2.1 takes anything for one.
fn check_callback(callback: &Arg, config: &NodeConfig) -> Result<bool, JsError> {
    if config.family() == Family::V9 { Ok(callback.is_callback()) } else { callable(callback) }
}
