//! `ipc listen`: a server that shows what it gets, and answers if it is told to.

use super::{CLOSE_WITHIN, count};
use crate::Context;
use crate::address::{Target, show};
use crate::exit::{Exit, Failure, Outcome};
use crate::glob::{Glob, wanted, warn_of_other_patterns};
use crate::output::{Output, Traffic, What, Who};
use crate::payload;
use crate::tls;
use clap::Args;
use ipc_proto::{EncodeError, InboundCounters, IncomingRequest, JsonText, REPLY_EVENT, ReplyBody};
use ipc_tokio::{
    ConnectionError, EmitError, Endpoint, Message, Remote, ServeError, Server, ServerEvent, Settings, UdpEvent,
    UdpServer,
};
use std::collections::HashMap;
use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, NotFound, PermissionDenied};
use std::time::{Duration, SystemTime};

/// Serve at an address and show what clients send.
///
/// Shows events on stdout as they come; who connects and who leaves, with --lifecycle. With --echo every event goes back to its
/// sender as it is; with --reply an event of that name is answered with that data, under the same name. An event that is a request
/// (see `ipc request`) is answered as one; with --reply and without --echo, one of another name with the error ERR_IPC_NO_HANDLER. Without both nothing is answered.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc listen unix:world                          show what clients send
  ipc listen tcp:8000 --echo                     send everything back
  ipc listen unix:world --reply 'ping=\"pong\"'    answer pings
  ipc listen unix:world -n 1                     end after one event
  ipc listen unix:world | jq -r 'select(.type == \"log\") | .data'
  ipc listen tls:0.0.0.0:8443 --cert server.pem --key server.key
  ipc listen udp:127.0.0.1:8000 --lifecycle")]
pub(crate) struct Listen {
    /// Where to listen, as unix:world, unix:/path, tcp:host:port (see `ipc --help`)
    address: String,
    /// Send every event back to who sent it
    #[arg(long)]
    echo: bool,
    /// Answer events of this name with this data (JSON or @file); repeatable
    #[arg(long, value_name = "NAME=JSON")]
    reply: Vec<String>,
    /// Show only events of names like this (* and ?); repeatable. All are answered
    #[arg(long, short, value_name = "GLOB")]
    filter: Vec<Glob>,
    /// End after that many events shown; what is malformed does not count
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    count: Option<u64>,
    /// Show on stdout, too, who connects and who leaves
    #[arg(long)]
    lifecycle: bool,
    /// Take a Unix socket or pipe from a server that is alive (option takeOver)
    #[arg(long)]
    take_over: bool,
}

/// What takes the address from a server that is alive.
const TAKE_OVER: &str = "--take-over";

/// The time between two lines on stderr about who was not let in.
const BETWEEN_REFUSALS: Duration = Duration::from_secs(1);

/// How events are answered.
struct Answers {
    echo: bool,
    replies: HashMap<String, String>,
}

/// What shows events, and counts them.
struct Shown<'a> {
    output: &'a Output,
    filter: &'a [Glob],
    left: Option<u64>,
    lifecycle: bool,
}

impl Listen {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let answers = Answers::new(self.echo, &self.reply)?;
        warn_of_other_patterns(&context.output, &self.filter);
        let take_over = self.take_over;
        let target = Target::parse(&self.address, &context.options, |config| match take_over {
            true => config.take_over(true),
            false => config,
        })?;
        let has_place = target.endpoint.local_address().is_some_and(|address| !address.is_abstract());
        if take_over && !has_place {
            return Err(Failure::usage(format!(
                "address {}: {TAKE_OVER} is for Unix sockets with a path, and for pipes",
                self.address
            ))
            .help("leave it out; whoever has that address has to be stopped before another can listen there"));
        }
        let mut shown =
            Shown { output: &context.output, filter: &self.filter, left: self.count, lifecycle: self.lifecycle };
        if self.count == Some(0) {
            return Err(Failure::usage("--count 0 shows nothing; leave it out to go on for ever"));
        }
        let serving = async {
            if target.endpoint.is_udp() {
                datagrams(&context, target, &answers, &mut shown).await
            } else {
                streams(&context, target, &answers, &mut shown).await
            }
        };
        tokio::select! {
            outcome = serving => outcome,
            failure = context.output.nobody_reads() => Err(failure),
        }
    }
}

async fn streams(context: &Context, target: Target, answers: &Answers, shown: &mut Shown<'_>) -> Outcome {
    let name = target.show();
    warn_of_no_room(context, &target.settings);
    let server = Server::at(target.settings, target.endpoint).map_err(|error| not_serving(&name, &error, TAKE_OVER))?;
    let mut events = server.events();
    server.start().await.map_err(|error| not_serving(&name, &error, TAKE_OVER))?;
    context.output.note(format_args!("listening at {}", show(&server.local_endpoint(), target.tls)));
    let mut refusals = Refusals::default();
    let outcome = loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = refusals.due() => {
                refusals.say(&context.output);
                continue;
            }
            _ = context.interrupt.told() => break Ok(()),
        };
        let Some(event) = event else { break Ok(()) };
        let outcome = match event {
            ServerEvent::Message(peer, message) => {
                let number = peer.id().get();
                let shown = shown.event(Who::Connection(number), &message).await;
                if let Some(Err(error)) = answers.of(&message).map(|answer| peer.emit_message(&answer)) {
                    not_answered(context, &format!("connection {number}"), &error);
                }
                shown
            }
            ServerEvent::Data(peer, bytes) => {
                let outcome = shown.other(Who::Connection(peer.id().get()), bytes.len(), What::Data(&bytes)).await;
                if answers.echo {
                    if let Err(error) = peer.emit_raw(&bytes) {
                        not_answered(context, &format!("connection {}", peer.id().get()), &error);
                    }
                }
                outcome
            }
            ServerEvent::Connected(peer) => {
                let remote = remote(peer.remote());
                shown.lifecycle(Who::Connection(peer.id().get()), What::Open { peer: &remote }).await
            }
            ServerEvent::Disconnected { peer, .. } => {
                let who = Who::Connection(peer.id().get());
                let shown_first = shown.unfinished(who.clone(), &peer.counters().received).await;
                match shown_first {
                    Ok(()) => shown.lifecycle(who, What::Close { reason: None, sent: None }).await,
                    Err(failure) => Err(failure),
                }
            }
            ServerEvent::Error(peer, error) => {
                let who = Who::Connection(peer.id().get());
                shown.error(who, &format!("connection {}", peer.id().get()), &error).await
            }
            ServerEvent::Refused { remote: who, error, .. } => {
                let reason = match &error {
                    // That it was refused is said already.
                    ConnectionError::Refused(reason) => reason.to_string(),
                    other => other.to_string(),
                };
                let peer = remote(&who);
                refusals.one(&context.output, format!("{peer} was not let in: {reason}"));
                shown.lifecycle(Who::Only, What::Refused { peer: &peer, reason: &reason }).await
            }
            _ => Ok(true),
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    refusals.say(&context.output);
    server.shutdown(CLOSE_WITHIN).await;
    outcome
}

/// Who was not let in, on stderr: one line a second and no more, whoever tries how often.
#[derive(Default)]
struct Refusals {
    /// When the next line may be said.
    next: Option<tokio::time::Instant>,
    /// The latest one that is not said yet, and how many others there were.
    unsaid: Option<(String, u64)>,
}

impl Refusals {
    /// Somebody was not let in.
    fn one(&mut self, output: &Output, text: String) {
        let others = self.unsaid.take().map_or(0, |(_, others)| others + 1);
        self.unsaid = Some((text, others));
        if self.next.is_none_or(|next| next <= tokio::time::Instant::now()) {
            self.say(output);
        }
    }

    /// Ready when there is something to say, and it may be said. Cancel-safe.
    async fn due(&self) {
        match (&self.unsaid, self.next) {
            (Some(_), Some(next)) => tokio::time::sleep_until(next).await,
            _ => std::future::pending().await,
        }
    }

    /// Says what is unsaid.
    fn say(&mut self, output: &Output) {
        let Some((text, others)) = self.unsaid.take() else { return };
        self.next = Some(tokio::time::Instant::now() + BETWEEN_REFUSALS);
        match others {
            0 => output.warn(text),
            1 => output.warn(format_args!("{text}; nor was another before it")),
            _ => output.warn(format_args!("{text}; nor were {others} others before it")),
        }
    }
}

async fn datagrams(context: &Context, target: Target, answers: &Answers, shown: &mut Shown<'_>) -> Outcome {
    let name = target.show();
    let server =
        UdpServer::at(target.settings, target.endpoint).map_err(|error| not_serving(&name, &error, TAKE_OVER))?;
    let mut events = server.events();
    server.start().await.map_err(|error| not_serving(&name, &error, TAKE_OVER))?;
    context.output.note(format_args!("listening at {}", server.local_endpoint()));
    let outcome = loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = context.interrupt.told() => break Ok(()),
        };
        let Some(event) = event else { break Ok(()) };
        let outcome = match event {
            UdpEvent::Message(peer, message) => {
                let address = peer.address().to_string();
                let shown = shown.event(Who::Address(address.clone()), &message).await;
                if let Some(Err(error)) = answers.of(&message).map(|answer| peer.emit_message(&answer)) {
                    not_answered(context, &address, &error);
                }
                shown
            }
            UdpEvent::Data(peer, bytes) => {
                let address = peer.address().to_string();
                let shown = shown.other(Who::Address(address.clone()), bytes.len(), What::Data(&bytes)).await;
                if answers.echo {
                    if let Err(error) = peer.emit_raw(&bytes) {
                        not_answered(context, &address, &error);
                    }
                }
                shown
            }
            UdpEvent::PeerAdded(peer) => {
                let address = peer.address().to_string();
                shown.lifecycle(Who::Address(address.clone()), What::Open { peer: &address }).await
            }
            UdpEvent::PeerRemoved { peer, .. } => {
                let what = What::Close { reason: None, sent: None };
                shown.lifecycle(Who::Address(peer.address().to_string()), what).await
            }
            UdpEvent::Error { peer, error } => {
                let address = peer.map_or_else(|| String::from("unknown"), |peer| peer.address().to_string());
                shown.error(Who::Address(address.clone()), &address, &error).await
            }
            _ => Ok(true),
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    server.shutdown(CLOSE_WITHIN).await;
    outcome
}

impl Shown<'_> {
    /// Shows an event if it is wanted. Gives whether to go on.
    async fn event(&mut self, who: Who, message: &Message) -> Outcome<bool> {
        if !wanted(self.filter, message.name()) {
            return Ok(true);
        }
        let what = What::Event { name_json: message.name_json(), data_json: message.data_json() };
        self.other(who, message.wire_length(), what).await
    }

    async fn other(&mut self, who: Who, bytes: usize, what: What<'_>) -> Outcome<bool> {
        Traffic { time: SystemTime::now(), who, from: None, bytes, what }.write(self.output).await?;
        self.left = self.left.map(|left| left - 1);
        Ok(self.left != Some(0))
    }

    /// A connection has ended that had received this. What it began and did not finish is shown, whatever the filter: it has no name.
    async fn unfinished(&mut self, who: Who, received: &InboundCounters) -> Outcome {
        // Behind what ends a connection nothing is looked at, and so it is not known where messages begin.
        if received.failed > 0 || received.unframed() == 0 {
            return Ok(());
        }
        let bytes = usize::try_from(received.unframed()).unwrap_or(usize::MAX);
        let (time, what) = (SystemTime::now(), What::Unfinished);
        Traffic { time, who, from: None, bytes, what }.write(self.output).await
    }

    async fn lifecycle(&mut self, who: Who, what: What<'_>) -> Outcome<bool> {
        if self.lifecycle {
            Traffic { time: SystemTime::now(), who, from: None, bytes: 0, what }.write(self.output).await?;
        }
        Ok(true)
    }

    async fn error(&mut self, who: Who, name: &str, error: &ConnectionError) -> Outcome<bool> {
        if let ConnectionError::Protocol { error, frame, wire_length: bytes, .. } = error {
            let what = What::Malformed { error, frame };
            Traffic { time: SystemTime::now(), who, from: None, bytes: *bytes, what }.write(self.output).await?;
        } else {
            self.output.warn(format_args!("{name}: {error}"));
        }
        Ok(true)
    }
}

impl Answers {
    fn new(echo: bool, replies: &[String]) -> Outcome<Self> {
        let mut all = HashMap::new();
        for reply in replies {
            let Some((name, data)) = reply.split_once('=') else {
                return Err(Failure::usage(format!("--reply {reply}: there is no `=`"))
                    .help("write --reply NAME=JSON, for instance --reply 'ping=\"pong\"'"));
            };
            if name.is_empty() {
                return Err(Failure::usage(format!("--reply {reply}: there is no name before the `=`"))
                    .help("write --reply NAME=JSON, for instance --reply 'ping=\"pong\"'"));
            }
            let data = payload::read_json(data, &format!("the data of --reply {name}"))?;
            if data.is_some_and(|data| all.insert(name.to_owned(), data).is_some()) {
                return Err(Failure::usage(format!("--reply {name} is given twice")).help("leave one of them out"));
            }
        }
        Ok(Self { echo, replies: all })
    }

    /// What is to be said to an event, if anything.
    fn of(&self, message: &Message) -> Option<Message> {
        let prepared = self.replies.get(message.name()).map(String::as_str);
        let answer = match (IncomingRequest::from_message(message), prepared) {
            (Some(request), Some(reply)) => result(&request, reply),
            (Some(request), None) if self.echo => result(&request, request.params_json().unwrap_or("null")),
            (None, Some(reply)) => Message::from_json(message.name(), Some(reply)),
            (None, None) if self.echo => return Some(message.clone()),
            // Who answers some requests tells of the others that nobody does, as servers of the library do.
            (Some(request), None) if !self.replies.is_empty() => Message::new(
                REPLY_EVENT,
                &ReplyBody::<()>::error(request.token(), &ipc_proto::Failure::no_handler(message.name())),
            ),
            _ => return None,
        };
        // It is JSON: of a message that was received, or of the command line where it was checked.
        answer.ok()
    }
}

/// The reply to a request; `result` is JSON text.
fn result(request: &IncomingRequest<'_>, result: &str) -> Result<Message, EncodeError> {
    let result = JsonText::from_json(result)?;
    Message::new(REPLY_EVENT, &ReplyBody::result(request.token(), &result))
}

fn not_answered(context: &Context, who: &str, error: &EmitError) {
    // Who sends and leaves, as `ipc send` does, wants no answer.
    if matches!(error, EmitError::Closed) {
        return;
    }
    context.output.warn(format_args!("{who} gets no answer: {error}"));
}

/// Who it is, for people.
pub(crate) fn remote(remote: &Remote) -> String {
    if let Some(address) = remote.address {
        return address.to_string();
    }
    let known = remote.credentials.map(|credentials| {
        let known = [("uid", credentials.uid), ("pid", credentials.pid)];
        let known = known.into_iter().filter_map(|(name, number)| Some(format!("{name} {}", number?)));
        known.collect::<Vec<_>>().join(", ")
    });
    known.filter(|known| !known.is_empty()).unwrap_or_else(|| String::from("a local process"))
}

/// Warns of an option with which nobody is served.
pub(crate) fn warn_of_no_room(context: &Context, settings: &Settings) {
    if settings.config().max_connections == 0 {
        context.output.warn("maxConnections is 0: nobody is let in");
    }
}

/// A server that does not start. `take_over` says how it would take the place of another.
pub(crate) fn not_serving(name: &str, error: &ServeError, take_over: &str) -> Failure {
    match error {
        ServeError::Listen { endpoint, source } => {
            if let Some(failure) = of_another(name, endpoint, source) {
                return failure;
            }
            let mut happened = source.to_string();
            let advice = match source.kind() {
                AddrInUse => {
                    // What the library advises is for programs.
                    if let Some((in_use, _)) = happened.rsplit_once("; ") {
                        happened = in_use.to_owned();
                    }
                    in_use(endpoint, take_over)
                }
                PermissionDenied => not_permitted(endpoint).to_owned(),
                AddrNotAvailable => String::from(
                    "that is no address of this machine: take one of its own, 127.0.0.1 for this machine alone, or 0.0.0.0 for all that it has",
                ),
                NotFound if endpoint.local_address().is_some() => String::from(
                    "make the directory (`mkdir -p`), or choose another path; that of --socket-root is made if it is missing",
                ),
                NotFound => String::from("is the host name right?"),
                _ => String::from("`ipc doctor ADDRESS` looks closer"),
            };
            Failure::new(Exit::Unreachable, format!("cannot listen at {name}"), happened).help(advice)
        }
        ServeError::Tls(error) => {
            Failure::usage(format!("cannot listen at {name}: {error}")).help_if(tls::to_put_right(error))
        }
        other => Failure::usage(format!("cannot listen at {name}: {other}")),
    }
}

/// What to do where another server is.
fn in_use(endpoint: &Endpoint, take_over: &str) -> String {
    // Who tells of sockets of this kind, on Linux.
    let (what, teller) = match endpoint {
        Endpoint::Local(address) if !address.is_abstract() => {
            return format!(
                "stop that server, choose another id or path, or take its place with {take_over}. `ipc doctor ADDRESS` says who it is"
            );
        }
        Endpoint::Local(_) => ("process has that name", "`ss -xlp`"),
        Endpoint::Tcp { .. } => ("program has that port", "`ipc doctor ADDRESS` or `ss -tlnp`"),
        _ => ("program has that port", "`ss -ulnp`"),
    };
    let who = if cfg!(target_os = "linux") { format!(". {teller} says which") } else { String::new() };
    format!("another {what}: stop it, or choose another{who}")
}

/// What to do where the system does not let us listen.
fn not_permitted(endpoint: &Endpoint) -> &'static str {
    match endpoint.port() {
        None => "choose a place that you may write to: another path, or another directory of sockets (--socket-root)",
        Some(1..1024) => "ports below 1024 are not for everybody: choose one from 1024",
        Some(_) => "this system forbids it: ask who looks after it",
    }
}

/// A socket of another user, which only that user may remove: to take it over is no way out.
#[cfg(unix)]
fn of_another(name: &str, endpoint: &Endpoint, source: &std::io::Error) -> Option<Failure> {
    let address = endpoint.local_address().filter(|address| !address.is_abstract())?;
    let user = crate::sockets::another_user(address.as_str().as_ref())?;
    if !matches!(source.kind(), AddrInUse | PermissionDenied) {
        return None;
    }
    let happened = format!("a socket is there already, and belongs to the user {user}");
    let failure = Failure::new(Exit::Unreachable, format!("cannot listen at {name}"), happened);
    Some(
        failure
            .help("choose another id or path, or another directory (--socket-root); `ipc doctor ADDRESS` looks closer"),
    )
}

#[cfg(not(unix))]
fn of_another(_name: &str, _endpoint: &Endpoint, _source: &std::io::Error) -> Option<Failure> {
    None
}
