//! What a program can see of its connections: spans and events of `tracing`, a logger as in node-ipc, counters, and the state of
//! a client. A chat of two, one of whom is not as quick as the other.
//!
//! ```text
//! cargo run -p ipc-tokio --example observe
//! cargo run -p ipc-tokio --example observe --features metrics
//! ```
//!
//! It ends by itself, and fails if it does not see what it should.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use ipc_tokio::{Client, Config, ConnectionState, Server, SlowConsumer};
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A subscriber: everything of the target `ipc`, with the spans that an event is in. A program writes to its standard error.
    let written = Written::default();
    let ours = Targets::new().with_target("ipc", LevelFilter::TRACE);
    let text = tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_writer(written.clone());
    tracing_subscriber::registry().with(text).with(ours).init();

    // Small sockets and queues fill up soon; what is old is worth nothing here.
    let config =
        Config::new("chat").max_pending_bytes(100_000).slow_consumer(SlowConsumer::DropOldest).log_in_color(false);
    let server = Server::net(Some("127.0.0.1"), Some(0), config)?;
    // The second way to see what happens: lines, as `ipc.config.logger` of node-ipc is given them.
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    server.set_logger(move |line| {
        println!("logger | {line}");
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    });
    server.on("join", |peer, name: String| peer.join(name));
    server.on("say", |peer, text: String| {
        tracing::info!(target: "ipc", letters = text.len(), "somebody has something to say");
        peer.group("room").except(peer).emit("said", &text).map(drop)
    });
    server.start().await?;

    let talker = Client::at(server.settings().clone(), server.local_endpoint())?;
    let mut states = talker.states();
    talker.connect().await?;
    let state = states.wait_for(ConnectionState::is_connected).await.ok_or("the client has ended")?;
    println!(" state | {state:?}");
    let sleeper = Client::at(server.settings().clone(), server.local_endpoint())?;
    let _nobody_takes_from_it = sleeper.events();
    sleeper.connect().await?;
    sleeper.send("join", "room").await?;
    while server.group("room").is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Until the one who sleeps has missed something: as much as its queue holds goes there at once.
    let text = "a secret ".repeat(2_000);
    while server.counters().traffic.sent.lost.dropped_oldest.events == 0 {
        talker.send("say", &text).await?;
    }
    let counters = server.counters();
    let lost = counters.traffic.sent.lost;
    println!(
        " count | {} connected, {} events in, {} emitted, {} dropped for want of room",
        counters.connected,
        counters.traffic.received.events,
        counters.traffic.sent.events,
        lost.to_slowness().events,
    );
    #[cfg(feature = "metrics")]
    server.record_metrics(); // to whatever recorder is installed; here there is none
    sleeper.disconnect();
    talker.close().await?;
    server.shutdown(Duration::from_secs(5)).await;

    let written = written.text();
    println!(" trace | {} lines, such as", written.lines().count());
    for part in ["listening", "ipc.connection", "ipc.handler", "somebody has something to say"] {
        let line = written.lines().find(|line| line.contains(part)).ok_or(format!("nothing was said of {part}"))?;
        println!("       | {}", line.trim());
    }
    let nested = |line: &&str| line.contains("ipc.connection{") && line.contains(":ipc.handler{event=\"say\"}: ");
    written.lines().find(nested).ok_or("an event of a handler is not within its spans")?;
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    for part in ["listens at", "peer #0 is connected", "received \"say\" from peer #0", "has stopped"] {
        assert!(lines.contains(part), "the logger was not told: {part}");
    }
    assert!(!written.contains("a secret") && !lines.contains("a secret"), "a payload was logged");
    Ok(())
}

/// Keeps what is written, so that this example can look at it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
