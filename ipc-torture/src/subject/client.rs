//! The client among the subjects.

use super::counts::Counts;
use super::{Options, Result, Subject};
use crate::numbers::Numbered;
use ipc_conformance::behaviour::block_on;
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, ClientEvent, Endpoint, Settings};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Calling<R: Runtime> {
    client: Client<R>,
    counts: Arc<Counts>,
}

impl<R: Runtime> Calling<R> {
    pub(super) fn new(
        runtime: R,
        settings: Settings,
        endpoint: Endpoint,
        counts: Arc<Counts>,
        options: &Options,
    ) -> Result<Self> {
        let client = Client::with_runtime(runtime, settings, endpoint)?;
        let seen = Arc::clone(&counts);
        client.on("number", move |event: Numbered| seen.number(0, &event));
        let seen = Arc::clone(&counts);
        client.on("value", move |_: Value| seen.add("values", 1));
        let seen = Arc::clone(&counts);
        client.on_any(move |_| seen.add("messages", 1));
        client.on("complain", |text: String| Err::<(), String>(format!("cannot do {text}")));
        if options.unheard {
            return Ok(Self { client, counts });
        }
        let seen = Arc::clone(&counts);
        client.on_lifecycle(move |event| match event {
            ClientEvent::Connected => {
                seen.order.forget(0);
                seen.add("connected", 1);
            }
            ClientEvent::Disconnected { unsent, .. } => {
                seen.unsent(*unsent);
                seen.add("disconnected", 1);
            }
            ClientEvent::Error(error) => seen.error(error),
            ClientEvent::Destroyed => seen.add("destroyed", 1),
            _ => {}
        });
        Ok(Self { client, counts })
    }
}

impl<R: Runtime> Subject for Calling<R> {
    /// Only begins to connect.
    fn start(&self) -> Result<()> {
        self.client.start();
        Ok(())
    }

    fn endpoint(&self) -> String {
        self.client.endpoint().to_string()
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn emit(&self, name: &str, number: u64, padding: &str) -> Result<()> {
        let event = Numbered { number, padding: padding.to_owned(), ..Numbered::default() };
        Ok(self.client.emit(name, &event)?)
    }

    fn broadcast(&self, _padding: &str) -> Result<()> {
        Err("a client has nobody to broadcast to".into())
    }

    fn pending(&self) -> usize {
        self.client.pending()
    }

    fn len(&self) -> usize {
        usize::from(self.client.is_connected())
    }

    fn shutdown(&self, within_ms: u64) -> Value {
        let unsent = match block_on(self.client.close_within(Duration::from_millis(within_ms))) {
            Ok(()) => 0,
            Err(error) => error.unsent.messages,
        };
        json!({"unsent": unsent})
    }
}
