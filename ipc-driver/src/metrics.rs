//! Counters published by the `metrics` facade, for programs that export such.
//!
//! Nothing is published by itself: a program calls `record_metrics` when it wants, before each scrape or every few
//! seconds. So the facade costs nothing per event. `docs/observability.md` lists every name.

use crate::client::Client;
use crate::counters::ConnectionCounters;
use crate::runtime::Runtime;
use crate::server::Server;
use crate::udp::UdpServer;
use ipc_proto::{Endpoint, Loss, MalformedCounters, RefusedEmits};
use metrics::{Label, counter, gauge};

/// Publishes what belongs to one handle.
struct Publisher {
    role: &'static str,
    endpoint: String,
}

impl Publisher {
    fn new(role: &'static str, endpoint: &Endpoint) -> Self {
        Self { role, endpoint: endpoint.to_string() }
    }

    fn labels(&self) -> Vec<Label> {
        vec![Label::from_static_parts("role", self.role), Label::new("endpoint", self.endpoint.clone())]
    }

    fn count(&self, name: &'static str, value: u64) {
        counter!(name, self.labels()).absolute(value);
    }

    fn count_by(&self, name: &'static str, key: &'static str, values: &[(&'static str, u64)]) {
        for &(label, value) in values {
            let mut labels = self.labels();
            labels.push(Label::from_static_parts(key, label));
            counter!(name, labels).absolute(value);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of the facade is a float, exact up to 8 PiB")]
    fn gauge(&self, name: &'static str, value: u64) {
        gauge!(name, self.labels()).set(value as f64);
    }

    fn traffic(&self, traffic: &ConnectionCounters) {
        let ConnectionCounters { received, sent, waits, unhandled, handler_errors, rejected } = traffic;
        self.count("ipc_events_received_total", received.events);
        self.count("ipc_bytes_received_total", received.bytes);
        self.malformed(&received.malformed);
        self.count("ipc_protocol_failures_total", received.failed);
        self.count("ipc_events_emitted_total", sent.events);
        self.count("ipc_bytes_emitted_total", sent.bytes);
        self.count("ipc_bytes_written_total", sent.written);
        self.refused_emits(&sent.refused);
        let lost = [
            ("unsent", sent.lost.unsent),
            ("torn", sent.lost.torn),
            ("offline", sent.lost.offline),
            ("dropped_oldest", sent.lost.dropped_oldest),
            ("dropped_newest", sent.lost.dropped_newest),
            ("too_slow", sent.lost.too_slow),
        ];
        let by = |value: fn(Loss) -> u64| lost.map(|(reason, loss)| (reason, value(loss)));
        self.count_by("ipc_events_lost_total", "reason", &by(|loss| loss.events));
        self.count_by("ipc_bytes_lost_total", "reason", &by(|loss| loss.bytes));
        self.queue(sent.pending_max, *waits);
        self.gauge("ipc_pending_bytes", sent.pending);
        self.dispatched(*unhandled, *handler_errors, *rejected);
    }

    fn malformed(&self, malformed: &MalformedCounters) {
        let by_code = malformed.by_code().map(|(code, value)| (code.as_str(), value));
        self.count_by("ipc_malformed_total", "code", &by_code);
    }

    fn refused_emits(&self, refused: &RefusedEmits) {
        let by_reason = [
            ("full", refused.full),
            ("too_slow", refused.too_slow),
            ("encode", refused.encode),
            ("not_connected", refused.not_connected),
            ("closed", refused.closed),
            ("wrong_mode", refused.wrong_mode),
            ("too_large", refused.too_large),
            ("address", refused.address),
        ];
        self.count_by("ipc_emits_refused_total", "reason", &by_reason);
    }

    fn queue(&self, pending_max: u64, waits: u64) {
        self.gauge("ipc_pending_bytes_max", pending_max);
        self.count("ipc_send_waits_total", waits);
    }

    fn dispatched(&self, unhandled: u64, handler_errors: u64, rejected: u64) {
        self.count("ipc_events_unhandled_total", unhandled);
        self.count("ipc_handler_errors_total", handler_errors);
        self.count("ipc_events_rejected_total", rejected);
    }
}

impl<R: Runtime> Server<R> {
    /// Publishes [`counters`](Self::counters) by the `metrics` facade, under the names of `docs/observability.md`. To be
    /// called before each export, or every few seconds; nothing is published otherwise.
    ///
    /// Several handles of one role at one endpoint overwrite each other's numbers.
    ///
    /// ```
    /// # use ipc_driver::{Client, Config, Endpoint, Server, UdpServer, fake::Fake};
    /// # use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
    /// # use std::collections::BTreeMap;
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # use std::sync::{Arc, Mutex};
    /// # #[derive(Default)]
    /// # struct Exporter(Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>);
    /// # impl Recorder for Exporter {
    /// #     fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    /// #     fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    /// #     fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    /// #     fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
    /// #         let role = key.labels().find(|label| label.key() == "role").expect("a role").value();
    /// #         let key = (role.to_owned(), key.name().to_owned());
    /// #         Counter::from_arc(Arc::clone(self.0.lock().unwrap().entry(key).or_default()))
    /// #     }
    /// #     fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
    /// #         Gauge::noop()
    /// #     }
    /// #     fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
    /// #         Histogram::noop()
    /// #     }
    /// # }
    /// # impl Exporter {
    /// #     fn counter(&self, role: &str, name: &str) -> u64 {
    /// #         self.0.lock().unwrap()[&(role.to_owned(), name.to_owned())].load(Ordering::Relaxed)
    /// #     }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Fake::new(1);
    /// # let settings = ipc_driver::build(Config::new("world"))?;
    /// # let endpoint = Endpoint::net(&settings, None, None)?;
    /// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
    /// # let client = Client::with_runtime(runtime.clone(), settings.clone(), endpoint)?;
    /// # let udp = UdpServer::with_runtime(runtime.clone(), settings.clone(), Endpoint::udp4(&settings, None, None)?)?;
    /// # let exporter = Exporter::default();
    /// # runtime.block_on(async {
    /// server.start().await?;
    /// udp.start().await?;
    /// client.connect().await?;
    /// (0..3).try_for_each(|n| client.emit("n", &n))?;
    /// # client.close().await?;
    /// # udp.emit_to(udp.local_address().expect("it is started"), "n", &1)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # })?;
    /// # runtime.run();
    ///
    /// // `exporter` is a recorder of yours; one that was installed with `metrics::set_global_recorder` needs no naming.
    /// metrics::with_local_recorder(&exporter, || {
    ///     server.record_metrics();
    ///     client.record_metrics();
    ///     udp.record_metrics();
    /// });
    /// assert_eq!(exporter.counter("server", "ipc_connections_accepted_total"), 1);
    /// assert_eq!(exporter.counter("server", "ipc_events_received_total"), 3);
    /// assert_eq!(exporter.counter("client", "ipc_events_emitted_total"), 3);
    /// # assert_eq!(exporter.counter("udp", "ipc_datagrams_sent_total"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn record_metrics(&self) {
        let counters = self.counters();
        let publisher = Publisher::new("server", &self.local_endpoint());
        publisher.count("ipc_connections_accepted_total", counters.accepted);
        publisher.gauge("ipc_connections", counters.connected);
        let refused = counters.refused;
        let by_reason = [
            ("full", refused.full),
            ("filter", refused.filter),
            ("handshake", refused.handshake),
            ("handshake_timeout", refused.handshake_timeout),
            ("handshake_crowded", refused.handshake_crowded),
            ("stopped", refused.stopped),
        ];
        publisher.count_by("ipc_connections_refused_total", "reason", &by_reason);
        publisher.count("ipc_accept_errors_total", counters.accept_errors);
        publisher.count("ipc_accepts_aborted_total", counters.aborted);
        publisher.traffic(&counters.traffic);
    }
}

impl<R: Runtime> Client<R> {
    /// Publishes [`counters`](Self::counters) by the `metrics` facade, under the names of `docs/observability.md`. To be
    /// called before each export, or every few seconds; nothing is published otherwise.
    ///
    /// Several clients of one endpoint overwrite each other's numbers. [`Server::record_metrics`] has an example.
    pub fn record_metrics(&self) {
        let counters = self.counters();
        let publisher = Publisher::new("client", self.endpoint());
        publisher.count("ipc_connect_attempts_total", counters.attempts);
        publisher.count("ipc_connects_total", counters.connections);
        publisher.count("ipc_connect_failures_total", counters.failed);
        publisher.count("ipc_retries_exhausted_total", counters.exhausted);
        publisher.gauge("ipc_connections", u64::from(self.is_connected()));
        publisher.traffic(&counters.traffic);
    }
}

impl<R: Runtime> UdpServer<R> {
    /// Publishes [`counters`](Self::counters) by the `metrics` facade, under the names of `docs/observability.md`. To be
    /// called before each export, or every few seconds; nothing is published otherwise.
    ///
    /// Several servers at one endpoint overwrite each other's numbers. [`Server::record_metrics`] has an example.
    pub fn record_metrics(&self) {
        let counters = self.counters();
        let publisher = Publisher::new("udp", &self.local_endpoint());
        let received = counters.received;
        publisher.count("ipc_datagrams_received_total", received.datagrams);
        publisher.count("ipc_bytes_received_total", received.bytes);
        publisher.count("ipc_events_received_total", received.messages);
        publisher.count("ipc_udp_malformed_total", received.malformed);
        publisher.count("ipc_udp_discarded_total", received.discarded);
        publisher.count("ipc_udp_unfinished_dropped_total", received.unfinished_dropped);
        publisher.count("ipc_udp_peers_added_total", received.peers_added);
        publisher.count("ipc_udp_peers_expired_total", received.peers_expired);
        publisher.count("ipc_udp_peers_crowded_out_total", received.peers_crowded_out);
        publisher.gauge("ipc_udp_peers", self.len() as u64);
        publisher.count("ipc_events_emitted_total", counters.queued.datagrams);
        publisher.count("ipc_bytes_emitted_total", counters.queued.bytes);
        publisher.refused_emits(&counters.queued.refused);
        publisher.queue(counters.queued.pending_max, counters.waits);
        publisher.gauge("ipc_pending_bytes", self.pending() as u64);
        publisher.count("ipc_datagrams_sent_total", counters.sent);
        publisher.count("ipc_bytes_written_total", counters.sent_bytes);
        publisher.count("ipc_datagrams_failed_total", counters.failed);
        publisher.count("ipc_datagrams_unsent_total", counters.unsent);
        publisher.count("ipc_datagrams_unreachable_total", counters.unreachable);
        publisher.dispatched(counters.unhandled, counters.handler_errors, counters.rejected);
    }
}
