//! The server among the subjects: echoes, counts, writes down.

use super::counts::Counts;
use super::{Options, Result, Subject};
use crate::numbers::Numbered;
use ipc_conformance::behaviour::block_on;
use ipc_driver::runtime::Runtime;
use ipc_driver::{Endpoint, Peer, Server, ServerEvent, Settings};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) struct Serving<R: Runtime> {
    server: Server<R>,
    counts: Arc<Counts>,
}

impl<R: Runtime> Serving<R> {
    pub(super) fn new(
        runtime: R,
        settings: Settings,
        endpoint: Endpoint,
        counts: Arc<Counts>,
        options: &Options,
    ) -> Result<Self> {
        let server = Server::with_runtime(runtime, settings, endpoint)?;
        server.on_event("echo", Peer::emit_event);
        let seen = Arc::clone(&counts);
        let (every, count) = (options.rest_every, AtomicU64::new(0));
        server.on("number", move |peer, event: Numbered| {
            if every > 0 && count.fetch_add(1, Ordering::Relaxed) % every == every - 1 {
                std::thread::sleep(Duration::from_millis(1));
            }
            seen.number(peer.id().get(), &event)
        });
        let seen = Arc::clone(&counts);
        // What a program does that parses whatever comes.
        server.on("value", move |_, _: Value| seen.add("values", 1));
        let seen = Arc::clone(&counts);
        server.on_any(move |_, event| {
            seen.add("messages", 1);
            seen.add("bytes", event.data_json().map_or(0, str::len) as u64);
        });
        let seen = Arc::clone(&counts);
        server.on_data(move |peer, bytes| {
            seen.add("bytes", bytes.len() as u64);
            peer.emit_raw(bytes)
        });
        for number in 0..options.handlers {
            server.on_event(&format!("handler{number}"), |_, _| ());
        }
        if options.own_user_only {
            server.accept_if(ipc_driver::same_user_or_root);
        }
        // What a program does that reports in words of its own.
        server.on("complain", |_, text: String| Err::<(), String>(format!("cannot do {text}")));
        if options.unheard {
            return Ok(Self { server, counts });
        }
        let seen = Arc::clone(&counts);
        server.on_lifecycle(move |event| match event {
            ServerEvent::Connected(_) => seen.add("connected", 1),
            ServerEvent::Disconnected { peer, unsent, .. } => {
                seen.order.forget(peer.id().get());
                seen.unsent(*unsent);
                seen.add("disconnected", 1);
            }
            ServerEvent::Error(_, error) => seen.error(error),
            ServerEvent::Refused { error, .. } => {
                seen.add("turned_away", 1);
                seen.error(error);
            }
            _ => {}
        });
        Ok(Self { server, counts })
    }
}

impl<R: Runtime> Subject for Serving<R> {
    fn start(&self) -> Result<()> {
        Ok(block_on(self.server.start())?)
    }

    fn endpoint(&self) -> String {
        self.server.local_endpoint().to_string()
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn emit(&self, name: &str, number: u64, padding: &str) -> Result<()> {
        let peers = self.server.peers();
        let Some(first) = peers.first() else { return Err(io::Error::from(io::ErrorKind::NotConnected).into()) };
        let event = Numbered { number, padding: padding.to_owned(), ..Numbered::default() };
        Ok(first.emit(name, &event)?)
    }

    fn broadcast(&self, padding: &str) -> Result<()> {
        if self.server.settings().config().raw_buffer {
            return Ok(());
        }
        // Who reads slowly does not get it, and is counted as full.
        let _outcome = self.server.broadcast("news", padding)?;
        Ok(())
    }

    fn pending(&self) -> usize {
        self.server.peers().iter().map(Peer::pending).sum()
    }

    fn len(&self) -> usize {
        self.server.len()
    }

    fn shutdown(&self, within_ms: u64) -> Value {
        let report = block_on(self.server.shutdown(Duration::from_millis(within_ms)));
        json!({"clean": report.clean, "cut": report.cut, "unsent": report.unsent.messages})
    }
}
