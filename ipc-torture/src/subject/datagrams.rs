//! The UDP server among the subjects.

use super::counts::Counts;
use super::{Result, Subject};
use ipc_conformance::behaviour::block_on;
use ipc_driver::runtime::Runtime;
use ipc_driver::{Endpoint, Settings, UdpEvent, UdpPeer, UdpServer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Receiving<R: Runtime> {
    server: UdpServer<R>,
    counts: Arc<Counts>,
}

impl<R: Runtime> Receiving<R> {
    pub(super) fn new(runtime: R, settings: Settings, endpoint: Endpoint, counts: Arc<Counts>) -> Result<Self> {
        let server = UdpServer::with_runtime(runtime, settings, endpoint)?;
        server.on_event("echo", UdpPeer::emit_event);
        let seen = Arc::clone(&counts);
        server.on_any(move |_, _| seen.add("messages", 1));
        let seen = Arc::clone(&counts);
        server.on_lifecycle(move |event| {
            if let UdpEvent::Error { error, .. } = event {
                seen.error(error);
            }
        });
        Ok(Self { server, counts })
    }
}

impl<R: Runtime> Subject for Receiving<R> {
    fn start(&self) -> Result<()> {
        Ok(block_on(self.server.start())?)
    }

    fn endpoint(&self) -> String {
        self.server.local_endpoint().to_string()
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn emit(&self, _name: &str, _number: u64, _padding: &str) -> Result<()> {
        Err("a UDP server answers only".into())
    }

    fn broadcast(&self, padding: &str) -> Result<()> {
        let _outcome = self.server.broadcast("news", padding)?;
        Ok(())
    }

    fn pending(&self) -> usize {
        self.server.pending()
    }

    fn len(&self) -> usize {
        self.server.len()
    }

    fn shutdown(&self, within_ms: u64) -> Value {
        let unsent = block_on(self.server.shutdown(Duration::from_millis(within_ms)));
        json!({"unsent": unsent.messages})
    }
}
