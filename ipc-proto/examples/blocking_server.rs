//! A server with threads and nothing but std: two threads for every connection, one lock for every queue.
//!
//! ```text
//! cargo run --example blocking_server                          # talks to a client of its own and exits
//! cargo run --example blocking_server -- unix:/tmp/app.world   # serves any node-ipc client until it is killed
//! cargo run --example blocking_server -- tcp:127.0.0.1:8000
//! ```
//!
//! A `message` is answered to its sender, everything else goes to all as it came. One thread reads and dispatches, one
//! writes; whoever emits only takes the lock of the queue for as long as encoding takes, never while a socket works.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "an example is the caller, who does the I/O")]

mod support;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use ipc_proto::bytes::Buf;
use ipc_proto::{Config, EmitError, Endpoint, Event, Frame, Inbound, Outbound, PeerId, Received, Server, Transmit};
use support::{Listener, Stream};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(endpoint) = std::env::args().nth(1) {
        let (listener, endpoint) = Listener::bind(&endpoint.parse()?)?;
        println!("serving on {endpoint}");
        return Ok(serve(&listener, usize::MAX)?);
    }
    let (listener, endpoint) = Listener::bind(&support::any_port())?;
    let server = thread::spawn(move || serve(&listener, 2));
    converse(&endpoint)?;
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// What all threads share.
struct Hub {
    /// Who is there. Held for a look or a change, never while a socket works.
    book: Mutex<Book>,
}

struct Book {
    server: Server,
    peers: BTreeMap<PeerId, Arc<Link>>,
}

/// The sending side of one peer.
struct Link {
    /// Held while an event is encoded or the queue is handed over.
    outbound: Mutex<Outbound>,
    /// Something is queued, or the queue was closed.
    wake: Condvar,
}

/// Nothing here stays half done when a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    fn emit(&self, emit: impl FnOnce(&mut Outbound) -> Result<(), EmitError>) -> Result<(), EmitError> {
        let outcome = emit(&mut lock(&self.outbound));
        self.wake.notify_one();
        outcome
    }

    /// Takes no more events; what is queued is still written.
    fn close(&self) {
        lock(&self.outbound).close();
        self.wake.notify_one();
    }
}

/// Accepts so many streams, and waits until the last of their connections has ended.
fn serve(listener: &Listener, streams: usize) -> io::Result<()> {
    let settings = Config::new("world").build(&support::host()).map_err(io::Error::other)?;
    let mut server = Server::new(settings);
    server.start();
    let hub = Arc::new(Hub { book: Mutex::new(Book { server, peers: BTreeMap::new() }) });
    let mut readers = Vec::new();
    for _ in 0..streams {
        let stream = listener.accept()?;
        readers.retain(|reader: &thread::JoinHandle<()>| !reader.is_finished());
        // A stream that is refused is closed by being dropped.
        match welcome(&hub, stream) {
            Ok(reader) => readers.push(reader),
            Err(error) => println!("refused: {error}"),
        }
    }
    readers.into_iter().for_each(|reader| drop(reader.join()));
    Ok(())
}

/// Enters a peer into the book and starts its two threads; gives the one that reads.
fn welcome(hub: &Arc<Hub>, stream: Stream) -> Result<thread::JoinHandle<()>, Box<dyn Error>> {
    let to_write = stream.try_clone()?;
    let (peer, inbound, link) = {
        let mut book = lock(&hub.book);
        let (peer, connection) = book.server.handle_accept()?;
        let (inbound, outbound) = connection.split();
        let link = Arc::new(Link { outbound: Mutex::new(outbound), wake: Condvar::new() });
        book.peers.insert(peer, Arc::clone(&link));
        (peer, inbound, link)
    };
    println!("{peer} connected");
    let writer = thread::spawn({
        let link = Arc::clone(&link);
        move || write(to_write, &link)
    });
    let hub = Arc::clone(hub);
    Ok(thread::spawn(move || {
        if let Err(error) = read(&hub, peer, stream, inbound, &link) {
            println!("{peer}: {error}");
        }
        link.close();
        let lost = match writer.join() {
            Ok(transmit) => lock(&link.outbound).end(transmit),
            Err(_) => Default::default(),
        };
        let mut book = lock(&hub.book);
        book.peers.remove(&peer);
        book.server.handle_disconnected(peer);
        println!("{peer} disconnected, {} events unsent", lost.messages);
    }))
}

/// Reads until the peer ends or breaks the connection.
fn read(hub: &Hub, peer: PeerId, mut stream: Stream, mut inbound: Inbound, link: &Link) -> Result<(), Box<dyn Error>> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let wait = inbound.poll_timeout().map(|at| at.saturating_duration_since(Instant::now()));
        stream.set_read_timeout(wait)?;
        // A large message that is on its way is read straight into its place.
        let (room, in_place) = match inbound.read_buffer() {
            Some(room) => (room, true),
            None => (&mut buffer[..], false),
        };
        let count = match stream.read(room) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => 0,
                _ => return Err(error.into()),
            },
        };
        let now = Instant::now();
        let mut input = if in_place { &[][..] } else { &buffer[..count] };
        if in_place {
            inbound.read_done(count);
        }
        while let Some(received) = inbound.poll_event(now, &mut input) {
            match received {
                Received::Event(event) => dispatch(hub, peer, link, &event)?,
                Received::Malformed(report) => println!("{peer}: skipped: {}", report.error()),
                Received::Failed(report) => return Err(report.error().clone().into()),
                other => println!("{peer}: {other:?}"),
            }
        }
        if let Some(report) = inbound.handle_timeout(now) {
            return Err(report.error().clone().into());
        }
    }
}

/// What this server is for.
fn dispatch(hub: &Hub, peer: PeerId, link: &Link, event: &Event<'_>) -> Result<(), Box<dyn Error>> {
    println!("{peer} sent {} of {} bytes", event.name(), event.data_json().map_or(0, str::len));
    if event.name() == "message" {
        let text: String = event.data()?;
        // A peer that does not read its answers is refused more of them, and told nothing.
        return Ok(link.emit(|outbound| outbound.emit("message", &format!("{text} world!")))?);
    }
    let (settings, everybody) = {
        let mut book = lock(&hub.book);
        if let Some(id) = event.sender_id() {
            book.server.handle_claimed_id(peer, id);
        }
        (book.server.settings().clone(), book.peers.clone())
    };
    // Encoded once, and shared by all.
    let frame = Frame::from_message(&settings, &event.to_message())?;
    for (other, link) in everybody {
        if let Err(error) = link.emit(|outbound| outbound.emit_frame(&frame)) {
            println!("{other} misses {}: {error}", event.name());
        }
    }
    Ok(())
}

/// Writes what is queued until the queue is closed and empty, or the socket fails. Gives back what was not written.
fn write(mut stream: Stream, link: &Link) -> Transmit {
    let mut transmit = Transmit::new();
    loop {
        let mut outbound = lock(&link.outbound);
        while !outbound.poll_transmit(&mut transmit) {
            if outbound.is_closed() {
                let _ = stream.shutdown(Shutdown::Write);
                return transmit;
            }
            outbound = link.wake.wait(outbound).unwrap_or_else(PoisonError::into_inner);
        }
        drop(outbound);
        while !transmit.is_empty() {
            match stream.write(transmit.chunk()) {
                Ok(count @ 1..) => transmit.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    // The reading thread sees the end, too.
                    let _ = stream.shutdown(Shutdown::Both);
                    return transmit;
                }
            }
        }
    }
}

/// Two clients that write and read bytes, as any program in any language may.
fn converse(endpoint: &Endpoint) -> Result<(), Box<dyn Error>> {
    let mut first = Stream::connect(endpoint)?;
    let mut second = Stream::connect(endpoint)?;
    for stream in [&mut first, &mut second] {
        stream.write_all(b"{\"type\":\"message\",\"data\":\"hello\"}\x0c")?;
        expect(stream, b"{\"type\":\"message\",\"data\":\"hello world!\"}\x0c")?;
    }
    let news = format!("{{\"type\":\"news\",\"data\":\"{}\"}}\x0c", "x".repeat(100_000));
    first.write_all(news.as_bytes())?;
    expect(&mut first, news.as_bytes())?;
    expect(&mut second, news.as_bytes())?;
    println!("everything came back as it should");
    Ok(())
}

fn expect(stream: &mut Stream, expected: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut came = vec![0; expected.len()];
    stream.read_exact(&mut came)?;
    if came == expected { Ok(()) } else { Err(format!("unexpected: {}", came.escape_ascii()).into()) }
}
