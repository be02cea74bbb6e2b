//! A client on one thread with nothing but std: connect, greet, print what comes, reconnect, disconnect.
//!
//! ```text
//! cargo run --example blocking_client                          # talks to a server of its own and exits
//! cargo run --example blocking_client -- unix:/tmp/app.world   # talks to any node-ipc server
//! cargo run --example blocking_client -- tcp:127.0.0.1:8000
//! ```
//!
//! It emits `message` with "hello" and disconnects after the first `message` that comes back. A loop that waits in
//! `read` can emit only when something came; `poll_loop.rs` shows one that can always.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "an example is the caller, who does the I/O")]

mod support;

use std::error::Error;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::thread;
use std::time::Instant;

use ipc_proto::bytes::Buf;
use ipc_proto::{
    Client, ClientAction, ClientEvent, Config, Connection, Endpoint, Event, Outbound, Received, Server, Settings,
    Transmit,
};
use support::{Listener, Stream};

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Config::new("hello").build(&support::host())?;
    if let Some(endpoint) = std::env::args().nth(1) {
        return talk(&settings, endpoint.parse()?);
    }
    let (listener, endpoint) = Listener::bind(&support::any_port())?;
    let server = thread::spawn(move || answer_one(&listener));
    talk(&settings, endpoint)?;
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// The life of a client: does what it asks for, and waits as long as it says.
fn talk(settings: &Settings, endpoint: Endpoint) -> Result<(), Box<dyn Error>> {
    settings.check(&endpoint)?;
    // Only a backoff with jitter draws on the seed.
    let mut client = Client::new(settings.clone(), endpoint, 0);
    client.connect();
    while !client.is_destroyed() {
        while let Some(action) = client.poll_action() {
            match action {
                ClientAction::Connect(endpoint) => match Stream::connect(&endpoint) {
                    Ok(stream) => serve_connection(&mut client, stream)?,
                    Err(error) => {
                        println!("cannot connect to {endpoint}: {error}");
                        client.handle_connect_failed(Instant::now());
                    }
                },
                // Nothing is open here: connections are closed where they are served.
                ClientAction::Close => {}
                other => return Err(format!("unknown action {other:?}").into()),
            }
        }
        print_events(&mut client);
        if let Some(at) = client.poll_timeout() {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            client.handle_timeout(Instant::now());
        }
    }
    Ok(())
}

/// One connection of the client, from its first byte to its last.
fn serve_connection(client: &mut Client, mut stream: Stream) -> Result<(), Box<dyn Error>> {
    let Some(mut connection) = client.handle_connected(Instant::now()) else {
        client.handle_connect_failed(Instant::now());
        return Ok(());
    };
    print_events(client);
    connection.outbound.emit("message", "hello")?;
    let mut transmit = Transmit::new();
    let end = pump(&mut stream, &mut connection, &mut transmit, |event, _| {
        println!("{}: {}", event.name(), event.data_json().unwrap_or("nothing"));
        if event.name() == "message" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let retry = match end {
        Ok(End::Enough) => {
            client.disconnect();
            true
        }
        Ok(End::Peer) => true,
        Ok(End::Protocol) => false,
        Err(error) => {
            println!("the connection broke: {error}");
            true
        }
    };
    // What was not sent goes back, and waits for the next connection if the offline policy says so.
    client.handle_disconnected(Instant::now(), connection.outbound, transmit, retry);
    Ok(())
}

fn print_events(client: &mut Client) {
    while let Some(event) = client.poll_event() {
        match event {
            ClientEvent::Connected => println!("connected"),
            ClientEvent::Disconnected { retry_in: Some(wait), .. } => {
                println!("disconnected, next attempt in {wait:?}");
            }
            ClientEvent::Disconnected { .. } => println!("disconnected"),
            ClientEvent::Destroyed => println!("destroyed"),
            other => println!("{other:?}"),
        }
    }
}

/// How a connection ended without an error of the system.
enum End {
    /// The handler has seen enough.
    Enough,
    /// The peer closed it.
    Peer,
    /// The peer broke the protocol.
    Protocol,
}

/// Moves bytes and events until the connection ends: write all there is, wait for input, take the events, again.
fn pump(
    stream: &mut Stream,
    connection: &mut Connection,
    transmit: &mut Transmit,
    mut on_event: impl FnMut(&Event<'_>, &mut Outbound) -> ControlFlow<()>,
) -> io::Result<End> {
    let Connection { inbound, outbound, .. } = connection;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        while outbound.poll_transmit(transmit) {
            match stream.write(transmit.chunk()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => transmit.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let wait = inbound.poll_timeout().map(|at| at.saturating_duration_since(Instant::now()));
        stream.set_read_timeout(wait)?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Ok(End::Peer),
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => 0,
                _ => return Err(error),
            },
        };
        let now = Instant::now();
        let mut input = &buffer[..count];
        while let Some(received) = inbound.poll_event(now, &mut input) {
            // With `sync`, any message is the answer that lets the next one go.
            outbound.handle_answer();
            match received {
                Received::Event(event) => {
                    if on_event(&event, outbound).is_break() {
                        return Ok(End::Enough);
                    }
                }
                Received::Malformed(report) => println!("skipped: {}", report.error()),
                Received::Failed(report) => {
                    println!("closing: {}", report.error());
                    return Ok(End::Protocol);
                }
                other => println!("{other:?}"),
            }
        }
        if let Some(report) = inbound.handle_timeout(now) {
            println!("closing: {}", report.error());
            return Ok(End::Protocol);
        }
    }
}

/// A server for the client to talk to when nobody said where: one peer, one thread.
fn answer_one(listener: &Listener) -> io::Result<()> {
    let settings = Config::new("world").build(&support::host()).map_err(io::Error::other)?;
    let mut server = Server::new(settings);
    server.start();
    let mut stream = listener.accept()?;
    let (peer, mut connection) = server.handle_accept().map_err(io::Error::other)?;
    pump(&mut stream, &mut connection, &mut Transmit::new(), |event, outbound| {
        let answer = event.data::<String>().map(|text| format!("{text} world!"));
        match answer.map(|answer| outbound.emit(event.name(), &answer)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => println!("not answered: {error}"),
            Err(error) => println!("not understood: {error}"),
        }
        ControlFlow::Continue(())
    })?;
    server.handle_disconnected(peer);
    Ok(())
}
