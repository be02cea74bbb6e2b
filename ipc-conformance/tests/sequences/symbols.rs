//! The symbols of a script, `$P1` for a path or `$T1` for a port: made real for one run, and put back into what was seen.

use serde_json::{Map, Value};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

/// What the symbols stand for in one run.
pub(crate) struct Symbols {
    /// Longest path first, so that none hides another that begins with it.
    paths: Vec<(&'static str, String)>,
    ports: Vec<(&'static str, u16)>,
}

impl Symbols {
    /// Paths inside `folder`, and ports that are free.
    pub(crate) fn new(folder: &Path) -> Self {
        let at = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
        let paths = vec![
            ("$P1", at("p1.sock")),
            ("$P2", at("p2.sock")),
            ("$CERTS", at("certs")),
            ("$DIR", at("").trim_end_matches('/').into()),
        ];
        // Both are bound before either is given back, so that they differ.
        let bound = ["$T1", "$T2"].map(|name| (name, TcpListener::bind("127.0.0.1:0").expect("a free port")));
        let tcp = bound.iter().map(|(name, listener)| (*name, listener.local_addr().expect("bound").port()));
        let udp = [
            ("$U1", "127.0.0.1:0"),
            ("$U2", "127.0.0.1:0"),
            ("$U3", "127.0.0.1:0"),
            ("$V1", "[::1]:0"),
            ("$V2", "[::1]:0"),
        ];
        let udp = udp.map(|(name, at)| (name, UdpSocket::bind(at).expect("a free port")));
        let udp = udp.iter().map(|(name, socket)| (*name, socket.local_addr().expect("bound").port()));
        Self { paths, ports: tcp.chain(udp).collect() }
    }

    /// A value of the script with real paths and ports.
    pub(crate) fn expand(&self, value: &Value) -> Value {
        walk(value, None, &|_, value| match value {
            Value::String(text) => match self.ports.iter().find(|(name, _)| name == text) {
                Some((_, port)) => (*port).into(),
                None => self.paths.iter().fold(text.clone(), |text, (name, path)| text.replace(name, path)).into(),
            },
            other => other.clone(),
        })
    }

    /// A value that was seen, with symbols again.
    pub(crate) fn restore(&self, value: &Value) -> Value {
        walk(value, None, &|key, value| match value {
            Value::String(text) if key != Some("hex") => {
                let text = self.paths.iter().fold(text.clone(), |text, (name, path)| text.replace(path, name));
                self.ports.iter().fold(text, |text, (name, port)| replace_number(&text, *port, name)).into()
            }
            Value::Number(number) if matches!(key, Some("port" | "localPort" | "networkPort")) => {
                let port = self.ports.iter().find(|(_, port)| number.as_u64() == Some(u64::from(*port)));
                port.map_or_else(|| value.clone(), |(name, _)| (*name).into())
            }
            other => other.clone(),
        })
    }
}

fn walk(value: &Value, key: Option<&str>, leaf: &impl Fn(Option<&str>, &Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| walk(item, key, leaf)).collect(),
        Value::Object(members) => {
            let walked = members.iter().map(|(key, value)| (key.clone(), walk(value, Some(key), leaf)));
            Value::Object(walked.collect::<Map<_, _>>())
        }
        other => leaf(key, other),
    }
}

/// Replaces a number in a text, but not digits inside a longer number.
fn replace_number(text: &str, number: u16, name: &str) -> String {
    let number = number.to_string();
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&number) {
        let (before, after) = (&rest[..at], &rest[at + number.len()..]);
        let inside = digit(before.chars().last().or_else(|| out.chars().last())) || digit(after.chars().next());
        out.push_str(before);
        out.push_str(if inside { &number } else { name });
        rest = after;
    }
    out + rest
}
