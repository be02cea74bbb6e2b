//! `ipc request`: a question, and its answer on stdout.

use super::LEAVE_WITHIN;
use super::send::{Names, datagrams, lost_on_the_way, not_sent};
use crate::Context;
use crate::address::Target;
use crate::client::{Connected, Connecting, lost, seconds};
use crate::escape::one_line;
use crate::exit::{Exit, Failure, Outcome};
use crate::payload;
use clap::Args;
use ipc_proto::{JsonText, Reply, RequestBody, Requests};
use ipc_tokio::{ClientEvent, ConnectionError, Message, UdpEvent};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Ask a server and print its answer.
///
/// The request is an event of that name whose data is {"$request": token, "params": …}; the answer is the event `$reply` with the same
/// token. Its result goes to stdout as one line of JSON. An answer that is an error goes to stderr, and the exit code is 5. A peer that
/// does not know requests does not answer: exit code 4.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc request unix:world sum '[1, 2, 3]'
  ipc request unix:world whoami --timeout 2
  ipc request unix:world render @scene.json | jq .url
  ipc listen unix:world --reply 'sum=6'   a server to try it with")]
pub(crate) struct Request {
    /// The server, as unix:world, unix:/path, tcp:host:port, udp:host:port (see `ipc --help`)
    address: String,
    /// The name of the request
    name: String,
    /// Its params: JSON, @file, or - for stdin
    #[arg(allow_negative_numbers = true)]
    params: Option<String>,
    /// The params are text, and become a JSON string
    #[arg(long, short)]
    text: bool,
    /// How long the answer may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, default_value = "10")]
    timeout: Duration,
    #[command(flatten)]
    connecting: Connecting,
}

impl Request {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let params = payload::read(self.params.as_deref(), self.text)?;
        tokio::select! {
            outcome = self.ask(&context, params.as_deref()) => outcome,
            exit = context.interrupt.told() => Err(Failure::silent(exit)),
        }
    }

    async fn ask(&self, context: &Context, params: Option<&str>) -> Outcome {
        let target = Target::parse(&self.address, &context.options, |config| config)?;
        let mut waiting = Waiting::new();
        let message = waiting.begin(&self.name, params)?;
        Names::default().warn(context, &target, &self.name);
        let reply = if target.endpoint.is_udp() {
            let (server, peer, mut events) = datagrams(&target).await?;
            let sent = peer.send_message(&message).await;
            sent.map_err(|error| not_sent(&message, &target.show(), &error))?;
            let answer = async {
                loop {
                    match events.recv().await {
                        Some(UdpEvent::Message(_, message)) => {
                            if let Some(reply) = waiting.reply(&message) {
                                break Ok(reply);
                            }
                        }
                        Some(UdpEvent::Error { error: error @ ConnectionError::Send { .. }, .. }) => {
                            break Err(lost_on_the_way(1, &error));
                        }
                        Some(UdpEvent::Error { error, .. }) => context.output.warn(error),
                        Some(_) => {}
                        None => break Err(lost(self.tried(&target), Some("the socket is closed"))),
                    }
                }
            };
            let reply = self.within(&target, answer).await;
            server.abort();
            reply?
        } else {
            let mut connected = self.connecting.connect_to(context, &target, false).await?;
            let reply = self.within(&target, self.over_stream(context, &mut connected, &message, &mut waiting)).await;
            // The answer is here: what else the server may want to say is of no interest.
            let _nothing_unsent = connected.client.close_within(LEAVE_WITHIN).await;
            reply?
        };
        match reply.result_json() {
            Ok(result) => context.output.line(one_line(result.unwrap_or("null"))).await,
            Err(failure) => {
                let code = if failure.code().is_empty() { String::new() } else { format!(" ({})", failure.code()) };
                if let Some(data) = failure.data_json() {
                    context.output.warn(format_args!("the error's data: {}", one_line(data)));
                }
                let said = format!("the peer says{code}: {}", failure.message());
                Err(Failure::new(Exit::Remote, self.tried(&target), said)
                    .help("the request has arrived; it is for the peer to say what is wrong with it"))
            }
        }
    }

    async fn over_stream(
        &self,
        context: &Context,
        connected: &mut Connected,
        message: &Message,
        waiting: &mut Waiting,
    ) -> Outcome<Reply> {
        let sent = connected.client.send_message(message).await;
        sent.map_err(|error| not_sent(message, &connected.name, &error))?;
        let mut broken = None;
        loop {
            match connected.events.recv().await {
                Some(ClientEvent::Message(message)) => {
                    if let Some(reply) = waiting.reply(&message) {
                        return Ok(reply);
                    }
                }
                Some(ClientEvent::Error(error @ ConnectionError::Io(_))) => broken = Some(error.to_string()),
                Some(ClientEvent::Error(error)) => context.output.warn(error),
                Some(ClientEvent::Destroyed) | None => {
                    let tried = format!("waiting for the answer to {} of {}", self.name, connected.name);
                    return Err(lost(tried, broken.as_deref()));
                }
                Some(_) => {}
            }
        }
    }

    async fn within<T>(&self, target: &Target, answer: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let happened = format!("no answer came within {} s", self.timeout.as_secs_f64());
                let there = if target.endpoint.is_udp() {
                    "does a peer receive there, which over UDP nobody tells, and answer requests of this name?"
                } else {
                    "does that peer answer requests of this name, or does it hang?"
                };
                Err(Failure::new(Exit::TimedOut, self.tried(target), happened).help(format!(
                    "{there} A plain node-ipc peer needs a helper for it; `ipc send --await NAME` waits for a plain event"
                )))
            }
        }
    }

    fn tried(&self, target: &Target) -> String {
        format!("requesting {} of {}", self.name, target.show())
    }
}

/// The one request that waits for its reply.
struct Waiting(Requests<()>);

impl Waiting {
    fn new() -> Self {
        // The standard library draws its hash keys from the system, so nobody guesses the token.
        Self(Requests::new(RandomState::new().build_hasher().finish(), 1))
    }

    /// The event that asks.
    fn begin(&mut self, name: &str, params: Option<&str>) -> Outcome<Message> {
        let refused =
            |error: &dyn std::fmt::Display| Failure::usage(format!("cannot make the request {name}: {error}"));
        let params = JsonText::from_json(params.unwrap_or("null")).map_err(|error| refused(&error))?;
        let id = self.0.begin(None, ()).map_err(|error| refused(&error))?;
        Message::new(name, &RequestBody::new(id, &params)).map_err(|error| refused(&error))
    }

    /// Its reply, if the event is that.
    fn reply(&mut self, message: &Message) -> Option<Reply> {
        let reply = Reply::from_message(message)?;
        self.0.handle_reply(reply.token()).map(|()| reply)
    }
}
