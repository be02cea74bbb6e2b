//! What a server and a client count, printed as they go: some answers, an event that nobody takes, a message that is none, and
//! the end.
//!
//! ```text
//! cargo run -p ipc-tokio --example counters
//! cargo run -p ipc-tokio --example counters --features metrics
//! ```
//!
//! It ends by itself, and fails if the numbers do not add up.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use ipc_tokio::{Client, Config, ConnectionCounters, Endpoint, Peer, Server};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const EVENTS: u32 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world"))?;
    server.on_event("ping", Peer::emit_event);
    server.on_error(|peer, error| println!("server | peer {}: {error}", peer.id()));
    server.start().await?;

    let client = Client::at(server.settings().clone(), server.local_endpoint())?;
    let answers = Arc::new(Semaphore::new(0));
    let answered = Arc::clone(&answers);
    client.on("ping", move |_: u32| answered.add_permits(1));
    client.connect().await?;
    for n in 0..EVENTS {
        client.send("ping", &n).await?;
    }
    client.emit("nobody takes this", &())?;
    let _all_answers = answers.acquire_many(EVENTS).await?;

    // A peer that sends no event, and half of one.
    let Endpoint::Tcp { host, port } = server.local_endpoint() else { return Err("not TCP".into()) };
    let mut stranger = TcpStream::connect((host, port)).await?;
    stranger.write_all(b"no JSON\x0c{\"type\":").await?;
    stranger.shutdown().await?;
    drop(stranger);

    while server.counters().traffic.received.malformed.total() == 0 || server.counters().connected > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.close().await?;
    let report = server.shutdown(Duration::from_secs(5)).await;
    println!("{} connections were still open and were sent everything, {} were cut", report.clean, report.cut);

    #[cfg(feature = "metrics")]
    {
        // To whatever recorder is installed; here there is none.
        server.record_metrics();
        client.record_metrics();
    }

    let (there, here) = (server.counters(), client.counters());
    println!(
        "server | accepted {}, refused {}, connected now {}",
        there.accepted,
        there.refused.total(),
        there.connected
    );
    show("server", &there.traffic);
    println!("client | {} attempts, {} connections", here.attempts, here.connections);
    show("client", &here.traffic);
    for traffic in [there.traffic, here.traffic] {
        let sent = traffic.sent;
        assert_eq!(sent.bytes, sent.written + sent.pending + sent.lost.total().bytes);
        assert_eq!(traffic.received.bytes, traffic.received.frame_bytes + traffic.received.unframed());
    }
    assert_eq!((there.accepted, there.connected), (2, 0));
    assert_eq!((there.traffic.unhandled, there.traffic.received.malformed.invalid_json), (1, 1));
    assert_eq!(there.traffic.received.events, here.traffic.sent.events);
    Ok(())
}

fn show(who: &str, traffic: &ConnectionCounters) {
    let (received, sent) = (traffic.received, traffic.sent);
    println!(
        "{who} | received {} events in {} bytes, {} malformed, {} bytes of nothing whole; {} taken by nobody",
        received.events,
        received.bytes,
        received.malformed.total(),
        received.unframed(),
        traffic.unhandled,
    );
    println!(
        "{who} | emitted {} events: of {} bytes {} were written, {} wait, {} are lost; at most {} waited, {} sends had to",
        sent.events,
        sent.bytes,
        sent.written,
        sent.pending,
        sent.lost.total().bytes,
        sent.pending_max,
        traffic.waits,
    );
}
