//! What `record_metrics` publishes: every name of `docs/observability.md`, and no other, with the numbers of the counters.

#![cfg(feature = "metrics")]

use ipc_driver::fake::Fake;
use ipc_driver::{Client, Config, Endpoint, Host, Platform, Server, Settings, SlowConsumer, UdpServer};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keeps what was published last, by name and labels.
#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, (bool, Arc<AtomicU64>)>>);

impl Kept {
    fn cell(&self, key: &Key, gauge: bool) -> Arc<AtomicU64> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let full = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::clone(&self.0.lock().expect("not poisoned").entry(full).or_insert_with(|| (gauge, Arc::default())).1)
    }

    fn value(&self, key: &str) -> f64 {
        let kept = self.0.lock().expect("not poisoned");
        let (gauge, cell) = kept.get(key).unwrap_or_else(|| panic!("{key} is not among {:#?}", kept.keys()));
        let bits = cell.load(Ordering::Relaxed);
        if *gauge { f64::from_bits(bits) } else { bits as f64 }
    }

    fn names(&self) -> BTreeSet<String> {
        let kept = self.0.lock().expect("not poisoned");
        kept.keys().filter_map(|key| key.split('{').next()).map(str::to_owned).collect()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key, false))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key, true))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no histogram is documented: {key}")
    }
}

fn settings() -> Settings {
    Config::new("world").build(&Host::new("pluto", Platform::Linux)).expect("settings")
}

/// Publishes one handle of each role after some traffic.
fn published() -> Kept {
    let runtime = Fake::new(1);
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port: 8000 };
    let server = Server::with_runtime(runtime.clone(), settings(), endpoint.clone()).expect("a server");
    server.on("n", |peer, n: u64| peer.emit("n", &n));
    runtime.block_on(server.start()).expect("started");
    // Room for one event of three: the oldest are dropped.
    let drops = Config::new("world").max_pending_bytes(30).slow_consumer(SlowConsumer::DropOldest);
    let drops = drops.build(&Host::new("pluto", Platform::Linux)).expect("settings");
    let client = Client::with_runtime(runtime.clone(), drops, endpoint).expect("a client");
    runtime.block_on(client.connect()).expect("connected");
    (0..3_u64).for_each(|n| client.emit("n", &n).expect("emitted"));
    assert!(client.emit_raw(b"bytes").is_err());
    let endpoint = Endpoint::Udp4 { host: "127.0.0.1".into(), port: 8001 };
    let udp = UdpServer::with_runtime(runtime.clone(), settings(), endpoint).expect("a server");
    runtime.block_on(udp.start()).expect("started");
    udp.emit_to("127.0.0.1:8001".parse().expect("an address"), "n", &1).expect("emitted");
    runtime.advance(Duration::from_secs(1));
    let kept = Kept::default();
    metrics::with_local_recorder(&kept, || {
        server.record_metrics();
        client.record_metrics();
        udp.record_metrics();
        // Numbers are absolute: published twice they are the same.
        server.record_metrics();
    });
    kept
}

#[test]
fn the_numbers_are_those_of_the_counters() {
    let kept = published();
    let (server, client) = ("role=server,endpoint=tcp:127.0.0.1:8000", "role=client,endpoint=tcp:127.0.0.1:8000");
    let udp = "role=udp,endpoint=udp4:127.0.0.1:8001";
    for (key, expected) in [
        (format!("ipc_connections_accepted_total{{{server}}}"), 1.0),
        (format!("ipc_connections{{{server}}}"), 1.0),
        (format!("ipc_connections_refused_total{{{server},reason=full}}"), 0.0),
        (format!("ipc_events_received_total{{{server}}}"), 1.0),
        (format!("ipc_events_emitted_total{{{client}}}"), 3.0),
        (format!("ipc_events_unhandled_total{{{client}}}"), 1.0),
        (format!("ipc_connect_attempts_total{{{client}}}"), 1.0),
        (format!("ipc_emits_refused_total{{{client},reason=wrong_mode}}"), 1.0),
        (format!("ipc_emits_refused_total{{{client},reason=too_slow}}"), 0.0),
        (format!("ipc_events_lost_total{{{client},reason=dropped_oldest}}"), 2.0),
        (format!("ipc_bytes_lost_total{{{client},reason=dropped_newest}}"), 0.0),
        (format!("ipc_malformed_total{{{server},code=ERR_IPC_INVALID_JSON}}"), 0.0),
        (format!("ipc_pending_bytes{{{client}}}"), 0.0),
        (format!("ipc_datagrams_sent_total{{{udp}}}"), 1.0),
        (format!("ipc_events_received_total{{{udp}}}"), 1.0),
        (format!("ipc_udp_peers{{{udp}}}"), 1.0),
    ] {
        assert_eq!(kept.value(&key), expected, "{key}");
    }
}

#[test]
fn the_page_lists_every_name_and_no_other() {
    let page = include_str!("../../docs/observability.md");
    let name = |row: &str| Some(row.strip_prefix("| `ipc_")?.split('`').next()?.to_owned());
    let listed: BTreeSet<String> = page.lines().filter_map(name).map(|name| format!("ipc_{name}")).collect();
    assert_eq!(listed, published().names());
}
