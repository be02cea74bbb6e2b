//! Servers and clients on one thread: non-blocking sockets, one poller, timers by `poll_timeout`.
//!
//! ```text
//! cargo run --example poll_loop                                  # a server and a client of its own; exits
//! cargo run --example poll_loop -- serve unix:/tmp/app.world     # serves any node-ipc client until it is killed
//! cargo run --example poll_loop -- connect tcp:127.0.0.1:8000    # talks to a node-ipc server that echoes; exits
//! ```
//!
//! The server answers `message` and echoes what else comes; the client sends a greeting and a text of a megabyte, which
//! no socket takes at once, and ends when both came back. The rules of the loop:
//!
//! * after every input, drain the outputs: events, then what is to be written;
//! * ask for writability only while something is left to write, and for readability only while it may be decoded: a
//!   peer that does not read its answers is not read from;
//! * the end of what the peer sends is not the end of what it reads: answer first, then close;
//! * wait no longer than the earliest `poll_timeout`.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "an example is the caller, who does the I/O")]

mod support;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, IoSlice, Read, Write};
use std::time::Instant;

use ipc_proto::bytes::Buf;
use ipc_proto::{
    Client, ClientAction, Config, Connection, Endpoint, Event, Outbound, PeerId, Received, Server, Transmit,
};
use polling::{Event as Ready, Events, Poller};
use support::{Listener, Stream};

const LISTENER: usize = 0;
/// Slices given to one write.
const SLICES: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut app = App::new()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            // The client dials before anybody listens, and so shows that it waits and tries again.
            let (listener, endpoint) = Listener::bind(&support::any_port())?;
            drop(listener);
            app.connect(endpoint.clone())?;
            app.serve(&endpoint)?;
        }
        ["serve", endpoint] => app.serve(&endpoint.parse()?)?,
        ["connect", endpoint] => app.connect(endpoint.parse()?)?,
        _ => return Err("usage: poll_loop [serve ENDPOINT | connect ENDPOINT]".into()),
    }
    app.run()
}

/// Whose connection it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Client,
    Server(PeerId),
}

/// A socket and the machine that says what its bytes mean.
struct Link {
    owner: Owner,
    stream: Stream,
    connection: Connection,
    transmit: Transmit,
    /// The peer sends no more.
    eof: bool,
    /// Events wait in the connection until the peer has read more of its answers.
    deferred: bool,
}

/// Why a link is over; whether the peer kept to the protocol decides if a client tries again.
enum End {
    Closed,
    Protocol,
}

struct App {
    poller: Poller,
    links: BTreeMap<usize, Link>,
    next_key: usize,
    listener: Option<Listener>,
    server: Option<Server>,
    client: Option<Client>,
    /// What the client still expects to come back.
    expected: Vec<&'static str>,
    buffer: Vec<u8>,
}

impl App {
    fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            links: BTreeMap::new(),
            next_key: LISTENER + 1,
            listener: None,
            server: None,
            client: None,
            expected: Vec::new(),
            buffer: vec![0; 64 * 1024],
        })
    }

    fn serve(&mut self, endpoint: &Endpoint) -> Result<(), Box<dyn Error>> {
        let settings = Config::new("world").build(&support::host())?;
        settings.check(endpoint)?;
        let (listener, endpoint) = Listener::bind(endpoint)?;
        listener.set_nonblocking()?;
        // SAFETY: the listener lives in `self.listener` until the poller is dropped with it, and is never taken out.
        #[allow(unsafe_code, reason = "the poller wants the promise that a socket outlives its registration")]
        unsafe {
            self.poller.add(&listener, Ready::readable(LISTENER))?;
        }
        println!("server: listening on {endpoint}");
        self.listener = Some(listener);
        self.server.insert(Server::new(settings)).start();
        Ok(())
    }

    fn connect(&mut self, endpoint: Endpoint) -> Result<(), Box<dyn Error>> {
        let settings = Config::new("hello").build(&support::host())?;
        settings.check(&endpoint)?;
        self.client.insert(Client::new(settings, endpoint, 0)).connect();
        self.drive_client()
    }

    /// Waits, takes what came, looks at the clock; until the client is done, or for ever.
    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let mut events = Events::new();
        while self.client.as_ref().is_none_or(|client| !client.is_destroyed()) {
            let deadlines = self.links.values().map(|link| link.connection.inbound.poll_timeout());
            let deadlines = deadlines.chain([self.client.as_ref().and_then(Client::poll_timeout)]);
            let wait = deadlines.flatten().min().map(|at| at.saturating_duration_since(Instant::now()));
            events.clear();
            self.poller.wait(&mut events, wait)?;
            for ready in events.iter() {
                match ready.key {
                    LISTENER => self.accept()?,
                    key => self.work(key, ready.readable)?,
                }
            }
            self.look_at_the_clock()?;
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        let (Some(listener), Some(server)) = (&self.listener, &mut self.server) else { return Ok(()) };
        let mut accepted = Vec::new();
        loop {
            match listener.accept() {
                Ok(stream) => match server.handle_accept() {
                    Ok((peer, connection)) => accepted.push((peer, stream, connection)),
                    Err(reason) => println!("server: refused: {reason}"),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    println!("server: {error}");
                    break;
                }
            }
        }
        self.poller.modify(listener, Ready::readable(LISTENER))?;
        for (peer, stream, connection) in accepted {
            println!("server: {peer} connected");
            self.add(Owner::Server(peer), stream, connection)?;
        }
        Ok(())
    }

    fn add(&mut self, owner: Owner, stream: Stream, connection: Connection) -> Result<(), Box<dyn Error>> {
        stream.set_nonblocking()?;
        let key = self.next_key;
        self.next_key += 1;
        // SAFETY: the stream lives in `self.links` and is deleted from the poller before it leaves, in `end`.
        #[allow(unsafe_code, reason = "the poller wants the promise that a socket outlives its registration")]
        unsafe {
            self.poller.add(&stream, Ready::none(key))?;
        }
        let transmit = Transmit::new();
        self.links.insert(key, Link { owner, stream, connection, transmit, eof: false, deferred: false });
        self.work(key, false)
    }

    /// One turn of a link: read if there is something, dispatch, write, and say what to wait for next.
    fn work(&mut self, key: usize, readable: bool) -> Result<(), Box<dyn Error>> {
        let Some(link) = self.links.get_mut(&key) else { return Ok(()) };
        let expected = &mut self.expected;
        let end = link.turn(readable, &mut self.buffer, |owner, event, out| dispatch(owner, event, out, expected));
        match end {
            Ok(None) => {
                let interest = Ready::new(key, link.wants_read(), !link.transmit.is_empty());
                self.poller.modify(&link.stream, interest)?;
                if link.owner == Owner::Client && self.expected.is_empty() {
                    if let Some(client) = &mut self.client {
                        client.disconnect();
                    }
                    self.drive_client()?;
                }
                Ok(())
            }
            Ok(Some(end)) => self.end(key, &end),
            Err(error) => {
                println!("the connection broke: {error}");
                self.end(key, &End::Closed)
            }
        }
    }

    fn end(&mut self, key: usize, end: &End) -> Result<(), Box<dyn Error>> {
        let Some(mut link) = self.links.remove(&key) else { return Ok(()) };
        self.poller.delete(&link.stream)?;
        match (link.owner, &mut self.client, &mut self.server) {
            (Owner::Client, Some(client), _) => {
                let retry = matches!(end, End::Closed);
                client.handle_disconnected(Instant::now(), link.connection.outbound, link.transmit, retry);
                self.drive_client()
            }
            (Owner::Server(peer), _, Some(server)) => {
                let unsent = link.connection.outbound.end(link.transmit);
                server.handle_disconnected(peer);
                println!("server: {peer} disconnected, {} events unsent", unsent.messages);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Does what the client asks for.
    fn drive_client(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some(client) = &mut self.client {
            while let Some(event) = client.poll_event() {
                println!("client: {event:?}");
            }
            match client.poll_action() {
                None => break,
                // A local socket connects at once. A program that dials far away does so elsewhere.
                Some(ClientAction::Connect(endpoint)) => match Stream::connect(&endpoint) {
                    Err(error) => {
                        println!("client: cannot connect to {endpoint}: {error}");
                        client.handle_connect_failed(Instant::now());
                    }
                    Ok(stream) => match client.handle_connected(Instant::now()) {
                        None => client.handle_connect_failed(Instant::now()),
                        Some(mut connection) => {
                            self.expected = vec!["message", "large"];
                            connection.outbound.emit("message", "hello")?;
                            connection.outbound.emit("large", &"€".repeat(LARGE))?;
                            self.add(Owner::Client, stream, connection)?;
                        }
                    },
                },
                Some(ClientAction::Close) => {
                    let key = self.links.iter().find(|(_, link)| link.owner == Owner::Client).map(|(key, _)| *key);
                    match key {
                        Some(key) => self.end(key, &End::Closed)?,
                        None => client.handle_connect_failed(Instant::now()),
                    }
                }
                Some(other) => return Err(format!("unknown action {other:?}").into()),
            }
        }
        Ok(())
    }

    fn look_at_the_clock(&mut self) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let mut late = Vec::new();
        for (&key, link) in &mut self.links {
            if let Some(report) = link.connection.inbound.handle_timeout(now) {
                println!("closing: {}", report.error());
                late.push(key);
            }
        }
        for key in late {
            self.end(key, &End::Protocol)?;
        }
        if let Some(client) = &mut self.client {
            client.handle_timeout(now);
        }
        self.drive_client()
    }
}

impl Link {
    /// Whether what comes could be decoded now.
    fn wants_read(&self) -> bool {
        !self.eof && !self.is_congested()
    }

    /// Whether the peer leaves so many answers unread that it should not be asked for more.
    fn is_congested(&self) -> bool {
        self.connection.outbound.pending() > self.connection.outbound.limit() / 2
    }

    fn turn(
        &mut self,
        readable: bool,
        buffer: &mut [u8],
        mut dispatch: impl FnMut(Owner, &Event<'_>, &mut Outbound),
    ) -> io::Result<Option<End>> {
        let mut input = &buffer[..0];
        if readable && self.wants_read() && !self.deferred {
            // One read a turn: others want to be served, and what is left makes the socket ready again.
            let read = match self.connection.inbound.read_buffer() {
                Some(room) => self.stream.read(room).inspect(|&count| self.connection.inbound.read_done(count)),
                None => {
                    let read = self.stream.read(buffer);
                    input = &buffer[..*read.as_ref().unwrap_or(&0)];
                    read
                }
            };
            match read {
                Ok(count) => self.eof = count == 0,
                Err(error) if is_temporary(&error) => {}
                Err(error) => return Err(error),
            }
        }
        // Dispatch and write in turns, for what was deferred may go on once something was written.
        loop {
            self.deferred = false;
            loop {
                if self.is_congested() {
                    self.connection.inbound.defer(input);
                    self.deferred = true;
                    break;
                }
                match self.connection.inbound.poll_event(Instant::now(), &mut input) {
                    None => break,
                    Some(Received::Event(event)) => dispatch(self.owner, &event, &mut self.connection.outbound),
                    Some(Received::Failed(report)) => {
                        println!("closing: {}", report.error());
                        return Ok(Some(End::Protocol));
                    }
                    Some(other) => println!("skipped: {other:?}"),
                }
            }
            input = &[];
            let all_written = self.write()?;
            if !all_written || (self.deferred && self.is_congested()) {
                return Ok(None);
            }
            if !self.deferred {
                // Everything is answered and written: the peer that ended its side gets the end of ours.
                return Ok(self.eof.then_some(End::Closed));
            }
        }
    }

    /// Writes until nothing is left, or the socket takes no more; says which.
    fn write(&mut self) -> io::Result<bool> {
        while self.connection.outbound.poll_transmit(&mut self.transmit) {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.transmit.chunks_vectored(&mut slices);
            match self.stream.write_vectored(&slices[..filled]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.transmit.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_temporary(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Characters of the large text, three bytes each.
const LARGE: usize = 350_000;

/// What this program is for: both sides of the conversation.
fn dispatch(owner: Owner, event: &Event<'_>, outbound: &mut Outbound, expected: &mut Vec<&'static str>) {
    let length = event.data_json().map_or(0, str::len);
    match owner {
        Owner::Client => {
            println!("client: {} of {length} bytes came back", event.name());
            let whole = event.data::<String>().is_ok_and(|text| text == "€".repeat(LARGE));
            expected.retain(|name| *name != event.name() || (*name == "large" && !whole));
        }
        Owner::Server(peer) => {
            println!("server: {peer} sent {} of {length} bytes", event.name());
            let answered = match (event.name(), event.data::<String>()) {
                ("message", Ok(text)) => outbound.emit("message", &format!("{text} world!")),
                _ => outbound.emit_event(event),
            };
            if let Err(error) = answered {
                println!("server: {peer} gets no answer: {error}");
            }
        }
    }
}
