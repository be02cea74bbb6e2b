//! `ipc send`: one event, or one for each line of stdin.

use super::{CLOSE_WITHIN, LEAVE_WITHIN};
use crate::Context;
use crate::address::Target;
use crate::client::{Connected, Connecting, lost};
use crate::escape::{name_for_people, quoted};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Traffic, What, Who, counted};
use crate::payload;
use clap::Args;
use ipc_proto::{Refusal, Rules};
use ipc_tokio::{ClientEvent, ConnectionError, EmitError, EncodeError, Events, Message, UdpEvent, UdpPeer, UdpServer};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::SystemTime;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Send one event, or one for each line of stdin.
///
/// With a NAME it is one event, whose data is JSON, @file, - for stdin, or nothing. Without, every line of stdin is an event
/// {"type": NAME, "data": …}, as other commands write them. Ends when everything has been handed to the server's system: node-ipc
/// has no acknowledgements.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc send unix:world message '\"hello\"'               the text hello
  ipc send unix:world message --text hello            the same
  ipc send unix:world point '{\"x\": 1, \"y\": 2}'
  ipc send unix:world picture @picture.json           the JSON that a file holds
  date | ipc send unix:world log --text -             all of stdin as one text
  jq -c '{type: \"row\", data: .}' rows.json | ipc send unix:world
  ipc send unix:world ping --await pong --timeout 5   and print the answer")]
pub(crate) struct Send {
    /// The server, as unix:world, unix:/path, tcp:host:port, udp:host:port (see `ipc --help`)
    address: String,
    /// The name of the event
    name: Option<String>,
    /// Its data: JSON, @file, or - for stdin
    #[arg(allow_negative_numbers = true)]
    data: Option<String>,
    /// The data is text, and becomes a JSON string
    #[arg(long, short, requires = "data")]
    text: bool,
    /// Then wait for an event of this name and print it
    #[arg(long = "await", value_name = "NAME")]
    awaited: Option<String>,
    /// How long --await may take
    #[arg(long, value_name = "SECONDS", value_parser = crate::client::seconds, allow_negative_numbers = true, default_value = "10", requires = "awaited")]
    timeout: std::time::Duration,
    #[command(flatten)]
    connecting: Connecting,
}

/// Where events go.
enum Way {
    Stream(Connected),
    Datagrams(UdpServer, UdpPeer, Events<UdpEvent>),
}

/// From when on it is said that a server takes its time to end a connection.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

impl Send {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let one = match &self.name {
            Some(name) => Some(event(name, payload::read(self.data.as_deref(), self.text)?.as_deref())?),
            None => None,
        };
        tokio::select! {
            outcome = self.work(&context, one) => outcome,
            exit = context.interrupt.told() => Err(Failure::silent(exit)),
        }
    }

    async fn work(&self, context: &Context, one: Option<Message>) -> Outcome {
        let target = Target::parse(&self.address, &context.options, |config| config)?;
        let mut way = self.way(context, &target).await?;
        let outcome = self.exchange(context, &target, one, &mut way).await;
        // What was sent before something went wrong is to arrive all the same.
        way.close(context, outcome, self.awaited.is_some()).await
    }

    async fn exchange(&self, context: &Context, target: &Target, one: Option<Message>, way: &mut Way) -> Outcome {
        let mut names = Names::default();
        match one {
            Some(message) => {
                names.warn(context, target, message.name());
                way.send(&message).await?;
            }
            None => self.lines(context, target, &mut names, way).await?,
        }
        if let Some(name) = &self.awaited {
            match tokio::time::timeout(self.timeout, way.answer(context, name)).await {
                Ok(outcome) => return outcome,
                Err(_) => {
                    let happened = format!("none came within {} s", self.timeout.as_secs_f64());
                    let help = match way {
                        Way::Stream(_) => {
                            "does the server answer with an event of that name? `ipc sub` shows what it sends, `ipc doctor` whether the process is stopped; --timeout waits longer"
                        }
                        Way::Datagrams(..) => {
                            "does a peer receive there, which over UDP nobody tells, and answer with an event of that name? --timeout waits longer"
                        }
                    };
                    return Err(
                        Failure::new(Exit::TimedOut, format!("waiting for an event {name}"), happened).help(help)
                    );
                }
            }
        }
        Ok(())
    }

    async fn way(&self, context: &Context, target: &Target) -> Outcome<Way> {
        if target.settings.is_raw() {
            return Err(Failure::usage("rawBuffer is set, and raw connections have no events")
                .help("leave -o rawBuffer or -o parser=raw out; for bytes use `socat` or `nc -U`"));
        }
        if target.endpoint.is_udp() {
            let (server, peer, events) = datagrams(target).await?;
            return Ok(Way::Datagrams(server, peer, events));
        }
        Ok(Way::Stream(self.connecting.connect_to(context, target, false).await?))
    }

    /// Every line of stdin is an event.
    async fn lines(&self, context: &Context, target: &Target, names: &mut Names, way: &mut Way) -> Outcome {
        if std::io::stdin().is_terminal() {
            context.output.note("one event a line, as {\"type\": \"message\", \"data\": \"hello\"}; Ctrl-D ends");
        }
        let mut lines = BufReader::with_capacity(64 * 1024, tokio::io::stdin()).lines();
        let (mut number, mut sent) = (0_u64, 0_u64);
        loop {
            let line = lines.next_line().await;
            let line = line.map_err(|error| Failure::new(Exit::Failed, "reading stdin", error))?;
            let Some(line) = line else { break };
            number += 1;
            if line.trim().is_empty() {
                continue;
            }
            let message = parse(&line).map_err(|why| {
                let form = "a line is {\"type\": NAME, \"data\": JSON}";
                let failure = Failure::new(Exit::Failed, format!("line {number} of stdin is no event"), why);
                failure.help(match sent {
                    0 => format!("{form}; nothing was sent"),
                    1 => format!("{form}; the event before it was sent"),
                    _ => format!("{form}; the {sent} events before it were sent"),
                })
            })?;
            // Lines that `ipc` itself has written may be about something else than events.
            if let Some(message) = message {
                names.warn(context, target, message.name());
                way.send(&message).await?;
                sent += 1;
            }
        }
        Ok(())
    }
}

/// Names of events that some peer of node-ipc has another use for, or none. Each is warned of once.
#[derive(Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// What our own options refuse is refused when it is sent.
    pub(crate) fn warn(&mut self, context: &Context, target: &Target, name: &str) {
        let Some(why) = trouble(name, context.options.has("allowReservedEvents")) else { return };
        if target.settings.rules().check(name).is_ok() && self.0.insert(name.to_owned()) {
            context.output.warn(format_args!("the event {}: {why}; choose another name", quoted(name)));
        }
    }
}

/// What is the matter with a name.
fn trouble(name: &str, reserved: bool) -> Option<&'static str> {
    let strict = Rules { refuse_reserved: !reserved, refuse_unsafe: true, ..Rules::default() };
    match strict.check(name) {
        _ if name == "*" => Some("with \"*\" node-ipc's handlers say every event, and none can be for this one"),
        Err(Refusal::Empty) => Some("strict peers refuse an empty name"),
        Err(Refusal::Unsafe { .. }) => Some("it is a property of every JavaScript object, of which node-ipc 12 dies"),
        Err(Refusal::Reserved { .. }) => Some(
            "it is a name of node-ipc's own, which a Node program cannot tell from the lifecycle of its connection",
        ),
        _ => None,
    }
}

/// A socket of our own, the peer at an address, and what is heard.
pub(crate) async fn datagrams(target: &Target) -> Outcome<(UdpServer, UdpPeer, Events<UdpEvent>)> {
    let name = target.show();
    let (host, port) = (target.endpoint.host().unwrap_or_default(), target.endpoint.port().unwrap_or_default());
    let any =
        if matches!(target.endpoint, ipc_tokio::Endpoint::Udp6 { .. }) { "udp6:[::]:0" } else { "udp4:0.0.0.0:0" };
    let unreachable =
        |what: &dyn std::fmt::Display| Failure::new(Exit::Unreachable, format!("cannot send to {name}"), what);
    let any = any.parse().map_err(|error| unreachable(&error))?;
    let server = UdpServer::at(target.settings.clone(), any).map_err(|error| unreachable(&error))?;
    let events = server.events();
    server.start().await.map_err(|error| unreachable(&error))?;
    let address = server.resolve(host, port).await.map_err(|error| {
        unreachable(&error).help("is the host name right? `udp6:` and `udp4:` say which family of addresses to use")
    })?;
    let peer = server.peer(address);
    Ok((server, peer, events))
}

/// An event, or why it is none.
pub(crate) fn event(name: &str, data: Option<&str>) -> Outcome<Message> {
    // Without data node-ipc sends an empty object.
    let message = Message::from_json(name, Some(data.unwrap_or("{}")));
    message.map_err(|error| Failure::usage(format!("cannot make the event {name}: {error}")))
}

const NO_OBJECT: &str = "it is JSON, and no object";

/// What is wrong with a line of JSON. Which line it is others say: serde knows of this one only.
pub(crate) fn in_the_line(line: &str, error: &serde_json::Error) -> String {
    // What is no JSON at all our own parser tells in words.
    if let Err(EncodeError::InvalidJson { offset, expected }) = Message::from_json("x", Some(line)) {
        return format!("expected {expected} at byte {offset}");
    }
    if !line.trim_start().starts_with('{') {
        return String::from(NO_OBJECT);
    }
    let (text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    text.strip_suffix(&place).map_or_else(|| text.clone(), |what| format!("{what} at column {}", error.column()))
}

/// The event of a line; `None` if the line is one of ours about something else.
pub(crate) fn parse(line: &str) -> Result<Option<Message>, String> {
    #[derive(Deserialize)]
    struct Line<'a> {
        kind: Option<String>,
        #[serde(rename = "type")]
        name: Option<String>,
        #[serde(borrow, default, deserialize_with = "even_null")]
        data: Option<&'a RawValue>,
    }
    /// `null` is data, and not the absence of any.
    fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Some)
    }
    let line: Line<'_> = match serde_json::from_str(line) {
        Ok(read) if line.trim_start().starts_with('{') => read,
        // To serde a list of the right length is a struct, too.
        Ok(_) => return Err(String::from(NO_OBJECT)),
        Err(error) => return Err(in_the_line(line, &error)),
    };
    match (line.kind.as_deref(), line.name) {
        (None | Some("event"), Some(name)) => {
            let message = Message::from_json(&name, line.data.map(RawValue::get));
            message.map(Some).map_err(|error| error.to_string())
        }
        (Some("event") | None, None) => Err(String::from("there is no \"type\"")),
        (Some(_), _) => Ok(None),
    }
}

impl Way {
    async fn send(&mut self, message: &Message) -> Outcome {
        match self {
            Self::Stream(connected) => {
                let sent = connected.client.send_message(message).await;
                sent.map_err(|error| not_sent(message, &connected.name, &error))
            }
            Self::Datagrams(_, peer, _) => {
                let sent = peer.send_message(message).await;
                let family = if peer.address().is_ipv4() { "udp4" } else { "udp6" };
                sent.map_err(|error| not_sent(message, &format!("{family}:{}", peer.address()), &error))
            }
        }
    }

    /// Prints the first event of that name.
    async fn answer(&mut self, context: &Context, name: &str) -> Outcome {
        let print = |message: Message| async move {
            let what = What::Event { name_json: message.name_json(), data_json: message.data_json() };
            let bytes = message.wire_length();
            Traffic { time: SystemTime::now(), who: Who::Only, from: None, bytes, what }.write(&context.output).await
        };
        let mut broken = None;
        match self {
            Self::Stream(connected) => loop {
                match connected.events.recv().await {
                    Some(ClientEvent::Message(message)) if message.name() == name => return print(message).await,
                    Some(ClientEvent::Error(error @ ConnectionError::Io(_))) => broken = Some(error.to_string()),
                    Some(ClientEvent::Error(error)) => context.output.warn(error),
                    Some(ClientEvent::Destroyed) | None => {
                        let tried = format!("waiting for an event {name} of {}", connected.name);
                        return Err(lost(tried, broken.as_deref()));
                    }
                    Some(_) => {}
                }
            },
            Self::Datagrams(_, _, events) => loop {
                match events.recv().await {
                    Some(UdpEvent::Message(_, message)) if message.name() == name => return print(message).await,
                    Some(UdpEvent::Error { error: error @ ConnectionError::Send { .. }, .. }) => {
                        return Err(lost_on_the_way(1, &error));
                    }
                    Some(UdpEvent::Error { error, .. }) => context.output.warn(error),
                    Some(_) => {}
                    None => {
                        return Err(lost(format_args!("waiting for an event {name}"), Some("the socket is closed")));
                    }
                }
            },
        }
    }

    /// What was sent is to arrive, unless that is known from an answer that was `awaited`.
    async fn close(self, context: &Context, outcome: Outcome, awaited: bool) -> Outcome {
        match self {
            Self::Stream(mut connected) => {
                // Who has waited for an answer in vain has waited for the rest as well.
                let has_waited = outcome.as_ref().is_err_and(Failure::is_timeout);
                let within = if has_waited { LEAVE_WITHIN } else { CLOSE_WITHIN };
                let closing = connected.client.close_within(within);
                let ending = async { tokio::join!(closing, broken(&mut connected.events)) };
                let waits = async {
                    tokio::time::sleep(PATIENCE).await;
                    let name = &connected.name;
                    context
                        .output
                        .note(format_args!("waiting until {name} has read what was sent; is it stopped, or busy?"));
                    std::future::pending().await
                };
                let (closed, broken) = tokio::select! {
                    ended = ending => ended,
                    never = waits => never,
                };
                // The end of the connection knows best why it was lost.
                let tells = outcome.as_ref().map_or_else(Failure::is_lost, |()| !awaited);
                let why = match (broken.filter(|_| tells), closed) {
                    (Some(broken), _) => broken,
                    (None, Err(error)) if outcome.is_ok() => error.to_string(),
                    (None, _) => return outcome,
                };
                Err(lost(format_args!("sending to {}", connected.name), Some(&why)))
            }
            Self::Datagrams(server, _, mut events) => {
                let unsent = server.shutdown(CLOSE_WITHIN).await;
                let failed = server.counters().failed;
                drop(server);
                // Of those that the system refused, the first says why.
                let mut why = None;
                while let (None, 1.., Some(event)) = (&why, failed, events.recv().await) {
                    if let UdpEvent::Error { error: error @ ConnectionError::Send { .. }, .. } = event {
                        why = Some(error);
                    }
                }
                outcome?;
                match (why, unsent.messages) {
                    (Some(error), _) => Err(lost_on_the_way(failed, &error)),
                    (None, 0) => Ok(()),
                    (None, messages) => {
                        Err(Failure::new(Exit::Failed, "sending datagrams", format!("events not sent: {messages}")))
                    }
                }
            }
        }
    }
}

/// The system refused to send so many datagrams.
pub(crate) fn lost_on_the_way(failed: u64, error: &ConnectionError) -> Failure {
    Failure::new(Exit::Unreachable, format!("{} lost", counted(failed, "datagram")), error)
        .help("is the address right? It must be one that this machine can send to")
}

/// Hears a client to its end, and tells why its connection broke, if it did.
async fn broken(events: &mut Events<ClientEvent>) -> Option<String> {
    let mut broken = None;
    loop {
        match events.recv().await {
            Some(ClientEvent::Error(error @ ConnectionError::Io(_))) => {
                broken.get_or_insert_with(|| error.to_string());
            }
            Some(ClientEvent::Destroyed) | None => return broken,
            Some(_) => {}
        }
    }
}

/// An event was not taken.
pub(crate) fn not_sent(message: &Message, to: &str, error: &EmitError) -> Failure {
    let tried = format!("cannot send the event {} to {to}", name_for_people(message.name_json()));
    match error {
        EmitError::NotConnected | EmitError::Closed => lost(tried, None),
        _ => Failure::new(Exit::Failed, tried, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_peer_has_no_use_for_are_known() {
        for name in ["", "*", "__proto__", "toString", "connect", "error"] {
            assert!(trouble(name, false).is_some(), "{name}");
        }
        for name in ["message", "job.*", "a b", "é"] {
            assert_eq!(trouble(name, false), None, "{name}");
        }
        assert_eq!(trouble("error", true), None);
    }

    #[test]
    fn a_connection_that_is_over_is_told_without_what_could_be_over_udp() {
        let message = Message::from_json("x", None).expect("an event");
        let told = not_sent(&message, "unix:/world", &EmitError::Closed).show();
        assert!(
            told.starts_with("ipc: cannot send the event x to unix:/world: the server closed the connection\n"),
            "{told}"
        );
        assert!(told.contains("help: ") && !told.contains("UDP"), "{told}");
    }

    #[test]
    fn a_line_is_an_event_with_its_data_as_it_is_written() {
        let message = parse(r#"{"data": {"a": 1.0}, "type": "x"}"#).expect("an event").expect("an event");
        assert_eq!((message.name(), message.data_json()), ("x", Some(r#"{"a": 1.0}"#)));
        let message = parse(r#"{"type": "x", "data": null}"#).expect("an event").expect("an event");
        assert_eq!(message.data_json(), Some("null"));
        let message = parse(r#"{"type": "x"}"#).expect("an event").expect("an event");
        assert_eq!(message.data_json(), None);
        assert!(parse(r#"{"kind": "open", "peer": "x"}"#).expect("ours").is_none());
        assert!(parse(r#"{"data": 1}"#).unwrap_err().contains("type"));
        assert_eq!(parse("x").unwrap_err(), "expected a value at byte 0");
        assert_eq!(parse(r#"{"type": "x", "data": nope}"#).unwrap_err(), "expected a value at byte 22");
        for no_object in ["[1]", "5", r#" [null, "x", 1]"#] {
            assert_eq!(parse(no_object).unwrap_err(), NO_OBJECT, "{no_object}");
        }
    }
}
