//! Connecting, the same for every command that is a client: at once or not at all, unless it is told to wait.

use crate::Context;
use crate::address::{Target, time};
use crate::exit::{Exit, Failure, Outcome};
use crate::tls;
use clap::Args;
use ipc_tokio::{
    Client, ClientCounters, ClientEvent, ConnectError, ConnectionError, Events, HandshakeError, StopRetrying,
};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a client gets its connection.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connecting {
    /// Try again until the server is there, for this long at most; without a value for ever
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, require_equals = true,
          default_missing_value = "inf")]
    pub(crate) wait: Option<Duration>,
}

/// Reads a number of seconds; `inf` is as long as can be.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    if text == "inf" {
        return Ok(Duration::MAX);
    }
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    Duration::try_from_secs_f64(number).map_err(|_| String::from("it must be a number of seconds from 0, or inf"))
}

/// What is wrong with `--wait 1`: a time of its own stands behind `=`, and so the 1 would be taken for an address or for data.
pub(crate) fn wait_apart(args: impl Iterator<Item = OsString>) -> Option<Failure> {
    let mut args = args.take_while(|arg| arg != "--");
    args.find(|arg| arg == "--wait")?;
    let next = args.next()?.into_string().ok()?;
    let seconds = time(&next)?;
    let text = format!("--wait {next}: an address or another argument is expected there, and a time stands behind `=`");
    Some(Failure::usage(text).help(format!("for a time write --wait={seconds}; else give --wait another place")))
}

/// A connected client and what it hears.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) events: Events<ClientEvent>,
    pub(crate) name: String,
    heads: Heads,
}

/// What is known of messages without an end, of each connection that has ended and was not asked for yet.
///
/// A handler looks before the next connection is made: who reads the stream may do so when that is up, and what comes on it would be
/// counted too.
struct Heads(Arc<Mutex<Watched>>);

/// The lock is held while nothing but counters is looked at.
#[derive(Default)]
struct Watched {
    /// Given up with `Heads`: the handler would keep the client alive.
    client: Option<Client>,
    /// The bytes of all connections before that belong to no message.
    bytes: u64,
    /// How many of them ended because of what the server had sent.
    failed: u64,
    ended: VecDeque<Option<usize>>,
}

impl Heads {
    fn watch(client: &Client) -> Self {
        let watched = Watched { client: Some(client.clone()), ..Watched::default() };
        let heads = Self(Arc::new(Mutex::new(watched)));
        let watched = Arc::clone(&heads.0);
        client.on_disconnect(move |_| watched.lock().unwrap_or_else(PoisonError::into_inner).ended());
        heads
    }

    /// Of the next connection, or attempt, that has ended.
    fn next(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ended.pop_front()?
    }
}

impl Drop for Heads {
    fn drop(&mut self) {
        let client = self.0.lock().unwrap_or_else(PoisonError::into_inner).client.take();
        drop(client);
    }
}

impl Watched {
    fn ended(&mut self) {
        let Some(client) = &self.client else { return };
        let ClientCounters { traffic, .. } = client.counters();
        let (bytes, failed) = (traffic.received.unframed(), traffic.received.failed);
        let head = bytes.saturating_sub(self.bytes);
        // Behind what ends a connection nothing is looked at, and so it is not known where messages begin.
        let is_known = failed == self.failed && head > 0;
        self.ended.push_back(is_known.then(|| usize::try_from(head).unwrap_or(usize::MAX)));
        (self.bytes, self.failed) = (bytes, failed);
    }
}

impl Connected {
    /// The stream has told that the connection has ended, or an attempt has failed: how many bytes the server had sent of a message
    /// whose rest never came. To be asked once each time.
    pub(crate) fn unfinished(&self) -> Option<usize> {
        self.heads.next()
    }

    /// What may be the matter with a server that has closed the connection and never said anything.
    pub(crate) fn silence(&self) -> Option<String> {
        let rest = self.name.strip_prefix("tcp:")?;
        Some(format!("nothing came from {}; if that port is of TLS, use tls:{rest}", self.name))
    }
}

impl Connecting {
    /// Connects to what `address` says. `reconnect` goes on when the connection is lost.
    pub(crate) async fn connect(&self, context: &Context, address: &str, reconnect: bool) -> Outcome<Connected> {
        let once = self.wait.is_none() && !reconnect;
        let target = Target::parse(address, &context.options, |config| {
            let config = if once { config.max_retries(0) } else { config };
            config.offline(ipc_tokio::Offline::Refuse)
        })?;
        self.connect_to(context, &target, reconnect).await
    }

    /// The same, to an address that has been read.
    pub(crate) async fn connect_to(&self, context: &Context, target: &Target, reconnect: bool) -> Outcome<Connected> {
        let name = target.show();
        if target.endpoint.is_udp() {
            return Err(Failure::usage(format!("{name}: over UDP there are no connections")).help(
                "`ipc send` and `ipc request` go over UDP, and `ipc listen` receives; the others need a stream",
            ));
        }
        let client =
            Client::at(target.settings.clone(), target.endpoint.clone()).map_err(|error| failed(&name, &error))?;
        let mut events = client.events();
        let heads = Heads::watch(&client);
        let limit = self.wait.unwrap_or(Duration::MAX);
        // The first attempt is final unless somebody waits. (Who reconnects does so from the first connection on, which may end
        // before its beginning is read here.)
        let is_final = self.wait.is_none();
        if is_final && !reconnect {
            client.set_stop_retrying(StopRetrying::Yes);
        }
        // The lifecycle of the first connection is in the stream too, and what is said on it may come right behind.
        let connected = async {
            client.start();
            let mut last = None;
            loop {
                match events.recv().await {
                    Some(ClientEvent::Connected) => return Ok(()),
                    Some(ClientEvent::Error(error)) => {
                        if last.is_none() && self.wait.is_some() {
                            context.output.note(format_args!("waiting for {name}: {}", happened(&error)));
                        }
                        last = Some(error);
                    }
                    Some(ClientEvent::Disconnected { .. }) if is_final => {
                        return Err(unreachable(&name, target, last.as_ref()));
                    }
                    Some(ClientEvent::Destroyed) | None => return Err(unreachable(&name, target, last.as_ref())),
                    Some(ClientEvent::Disconnected { .. }) => drop(heads.next()),
                    Some(_) => {}
                }
            }
        };
        match tokio::time::timeout(limit, connected).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => return Err(failure),
            Err(_) => {
                let waited = format!("nobody was there within {} s", limit.as_secs_f64());
                return Err(
                    Failure::new(Exit::TimedOut, format!("connecting to {name}"), waited).help(advice(target, None))
                );
            }
        }
        client.set_stop_retrying(if reconnect { StopRetrying::No } else { StopRetrying::Yes });
        Ok(Connected { client, events, name, heads })
    }
}

fn failed(name: &str, error: &ConnectError) -> Failure {
    let help = match error {
        ConnectError::Tls(error) => tls::to_put_right(error),
        _ => None,
    };
    Failure::usage(format!("{name}: {error}")).help_if(help)
}

fn unreachable(name: &str, target: &Target, last: Option<&ConnectionError>) -> Failure {
    let happened = last.map_or_else(|| String::from("the connection ended at once"), happened);
    let advice = advice(target, last);
    Failure::new(Exit::Unreachable, format!("cannot connect to {name}"), happened).help(advice)
}

/// What went wrong, without where: that is told already.
fn happened(error: &ConnectionError) -> String {
    error.io().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What to do when nobody can be connected to.
fn advice(target: &Target, error: Option<&ConnectionError>) -> String {
    let kind = error.and_then(ConnectionError::io).map(std::io::Error::kind);
    let handshake = error.and_then(tls::of_handshake);
    let doctor = "`ipc doctor ADDRESS` looks closer";
    let local = target.endpoint.local_address();
    let path = local.map(ipc_tokio::LocalAddress::as_str);
    let file = path.and_then(|path| std::fs::metadata(path).ok());
    match (kind, path) {
        (Some(ErrorKind::NotFound), Some(path)) => not_there(target, path),
        (Some(ErrorKind::ConnectionRefused), _) if local.is_some_and(ipc_tokio::LocalAddress::is_abstract) => {
            format!(
                "nobody listens at that abstract name; start the server, in the same network namespace, or use --wait. {doctor}"
            )
        }
        (Some(ErrorKind::ConnectionRefused), Some(path)) if file.as_ref().is_some_and(std::fs::Metadata::is_dir) => {
            format!(
                "that is a directory: the id of a service (unix:world) or the path of a socket is expected\n\
                 `ipc ls {path}` shows which sockets are in it"
            )
        }
        (Some(ErrorKind::ConnectionRefused), Some(_)) if file.is_some_and(|it| it.is_file()) => {
            format!("that is no socket, but another kind of file; is the path right? {doctor}")
        }
        (Some(ErrorKind::ConnectionRefused), Some(_)) => {
            format!("the server that made this socket is gone; start it again, or use --wait. {doctor}")
        }
        (Some(ErrorKind::PermissionDenied), Some(_)) => {
            format!("only those who may write to the socket may connect: ask its owner, or be its owner. {doctor}")
        }
        (Some(ErrorKind::ConnectionRefused), None) => {
            format!("nobody listens on that port; start the server, or use --wait. {doctor}")
        }
        _ if matches!(handshake, Some(HandshakeError::NotTls | HandshakeError::TimedOut(_))) => {
            format!("write tcp: instead of tls: if that server speaks no TLS. {doctor}")
        }
        _ if handshake.is_some_and(|error| tls::asks_for_certificate(&error.to_string())) => {
            format!("{}. {doctor}", tls::SHOW_ONE)
        }
        _ if matches!(handshake, Some(HandshakeError::Refused(_))) => {
            format!(
                "--cert and --key name what to show to the server, --server-name which of its names is meant. {doctor}"
            )
        }
        (Some(ErrorKind::InvalidData | ErrorKind::UnexpectedEof), None) => {
            format!(
                "--ca names the certificates to trust, --cert and --key what to show; write tcp: if that server speaks no TLS. {doctor}"
            )
        }
        _ => doctor.to_owned(),
    }
}

/// What to do where there is no socket at the path.
fn not_there(target: &Target, path: &str) -> String {
    // Pipes have no directory to look into.
    if cfg!(windows) {
        return String::from("start the server; --wait goes on trying");
    }
    let folder = path.rsplit_once('/').map_or("./", |(folder, _)| &path[..=folder.len()]);
    let is_there = Path::new(folder).is_dir();
    let look = match (is_there, target.by_id) {
        (true, _) => format!("`ipc ls {folder}` shows which sockets there are"),
        (false, true) => format!("there is no directory {folder}; `ipc ls` alone looks in both places"),
        (false, false) => return format!("there is no directory {folder}: is the path right? --wait goes on trying"),
    };
    let start = match (target.by_id, &target.settings.config().socket_root) {
        (false, _) => "start the server; is the path right?",
        // Without the option, sockets are where node-ipc 14 has them.
        (true, None) => {
            "start the server, or look for it: node-ipc 14 listens there, node-ipc 9 to 12 in /tmp/ (without the preset, or --preset v9)"
        }
        (true, Some(_)) => {
            "start the server, or look for it: node-ipc 9 to 12 listens in /tmp/, node-ipc 14 elsewhere (--preset v14-fast)"
        }
    };
    format!("{start}\n{look}; --wait goes on trying")
}

/// The connection has ended before what was to be done on it was done.
pub(crate) fn lost(tried: impl std::fmt::Display, why: Option<&str>) -> Failure {
    let why = why.unwrap_or("the server closed the connection");
    let help = match why {
        why if why.contains("the peer speaks TLS") => "write tls: instead of tcp:; --ca names what to trust",
        why if tls::asks_for_certificate(why) => tls::SHOW_ONE,
        why if why.contains("did not take them in time") => {
            "is the process stopped, or busy? `ipc doctor ADDRESS` looks; `ipc tap` shows what passes between a client and a server"
        }
        _ => {
            "is it full (maxConnections)? Look into the server's log; `ipc tap` shows what passes between a client and a server"
        }
    };
    Failure::new(Exit::Lost, tried, why).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_stands_apart_from_its_flag_is_told() {
        let told = |line: &str| wait_apart(line.split(' ').map(OsString::from)).map(|failure| failure.show());
        for (line, write) in [
            ("send --wait 1 unix:world x", "write --wait=1;"),
            ("sub unix:world --wait 5s", "write --wait=5;"),
            ("send unix:world x --wait 0.5", "write --wait=0.5;"),
        ] {
            let error = told(line).expect(line);
            assert!(error.contains("an address") && error.contains(write), "{error}");
        }
        for line in
            ["send --wait unix:world x 1", "send --wait=1 unix:world x", "sub unix:world --wait", "send -- --wait 1"]
        {
            assert_eq!(told(line), None, "{line}");
        }
    }

    #[test]
    fn seconds_are_numbers_from_0() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("inf"), Ok(Duration::MAX));
        for wrong in ["-1", "x", "NaN", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
