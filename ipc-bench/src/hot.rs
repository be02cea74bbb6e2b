//! The paths that every event takes, one by one, to be counted: what they do is the same in every run, whatever else the machine
//! does.

use crate::load::frame;
use crate::options::Outcome;
use ipc_driver::fake::Fake;
use ipc_driver::{Client, Config, Event, Server};
use ipc_proto::bytes::Buf;
use ipc_proto::{Connection, Delimiter, Encoder, Endpoint, Received, Rules, Transmit};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The names of the paths, and how many events make a count exact enough.
pub(crate) const PATHS: [(&str, usize); 8] = [
    ("decode 64 B", 20_000),
    ("decode 1 KiB of objects", 5_000),
    ("decode 64 KiB", 200),
    ("decode in pieces of 7 bytes", 5_000),
    ("encode 64 B", 20_000),
    ("echo 64 B, without I/O", 20_000),
    ("echo 64 B, server on the fake runtime", 4_000),
    ("round trip 64 B, client and server on the fake runtime", 1_000),
];

/// `hot NAME EVENTS`.
pub(crate) fn main(args: &[String]) -> Outcome {
    let [name, events] = args else { return Err("hot takes the name of a path and a number of events".into()) };
    let events: usize = events.parse()?;
    match name.as_str() {
        "decode 64 B" => decode(&frame("message", 64), events),
        "decode 1 KiB of objects" => {
            let record = r#"{"id":12345,"name":"row \"7\"","tags":["a","b"],"ratio":0.25,"ok":true},"#;
            let records = record.repeat(1024 / record.len());
            let text = format!("{{\"type\":\"message\",\"data\":[{}]}}\x0c", records.trim_end_matches(','));
            decode(text.as_bytes(), events);
        }
        "decode 64 KiB" => decode(&frame("message", 65_536), events),
        "decode in pieces of 7 bytes" => pieces(events)?,
        "encode 64 B" => encode(events)?,
        "echo 64 B, without I/O" => echo(events)?,
        "echo 64 B, server on the fake runtime" => served(events, 64)?,
        "round trip 64 B, client and server on the fake runtime" => served(events, 1)?,
        other => return Err(format!("no path is called {other:?}").into()),
    }
    Ok(())
}

fn decode(frame: &[u8], events: usize) {
    let rules = Rules::default();
    let text = &frame[..frame.len() - 1];
    for _ in 0..events {
        let parsed = Event::parse(black_box(text), &rules);
        assert!(black_box(parsed).is_ok());
    }
}

fn pieces(events: usize) -> Outcome {
    let settings = ipc_driver::build(Config::new("hot"))?;
    let mut inbound = Connection::new(&settings).split().0;
    let (frame, now) = (frame("message", 64), Instant::now());
    let mut found = 0;
    for _ in 0..events {
        for piece in frame.chunks(7) {
            let mut input = piece;
            while let Some(received) = inbound.poll_event(now, &mut input) {
                found += usize::from(matches!(received, Received::Event(_)));
            }
        }
    }
    assert_eq!(found, events);
    Ok(())
}

fn encode(events: usize) -> Outcome {
    let encoder = Encoder::new(Delimiter::default(), 1 << 20, Rules::default());
    let text = "The quick brown fox jumps over the lazy dog 0123456789. The qui";
    let mut out = Vec::new();
    for _ in 0..events {
        out.clear();
        encoder.encode(black_box("message"), black_box(text), &mut out)?;
        black_box(&out);
    }
    Ok(())
}

/// What an embedder's loop does with 64 events that were read at once.
fn echo(events: usize) -> Outcome {
    let settings = ipc_driver::build(Config::new("hot"))?;
    let (mut inbound, mut outbound) = Connection::new(&settings).split();
    let (run, now) = (frame("message", 64).repeat(64), Instant::now());
    let mut transmit = Transmit::new();
    for _ in 0..events.div_ceil(64) {
        let mut input = &run[..];
        while let Some(Received::Event(event)) = inbound.poll_event(now, &mut input) {
            outbound.emit_event(&event)?;
        }
        while outbound.poll_transmit(&mut transmit) {
            let length = transmit.remaining();
            transmit.advance(length);
        }
    }
    Ok(())
}

/// The whole of server and client, but for sockets: so many events in flight.
fn served(events: usize, window: usize) -> Outcome {
    let runtime = Fake::new(1);
    let settings = ipc_driver::build(Config::new("hot"))?;
    let endpoint = Endpoint::local(&settings, None)?;
    let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
    server.on_event("message", ipc_driver::Peer::emit_event);
    let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
    let (answered, emitter) = (Arc::new(AtomicUsize::new(0)), client.emitter());
    let counted = Arc::clone(&answered);
    client.on_event("message", move |event: &Event<'_>| {
        if counted.fetch_add(1, Ordering::Relaxed) + window < events { emitter.emit_event(event) } else { Ok(()) }
    });
    runtime.block_on(async {
        server.start().await?;
        client.connect().await?;
        Outcome::Ok(())
    })?;
    for _ in 0..window {
        client.emit("message", "The quick brown fox jumps over the lazy dog 0123456789. The qui")?;
    }
    runtime.run();
    assert!(answered.load(Ordering::Relaxed) >= events, "every event is answered");
    Ok(())
}
