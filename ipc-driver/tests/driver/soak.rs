//! Random traffic over a random network, many seeds: order, exactly once per connection, and every event accounted for.

use crate::world::*;
use ipc_driver::fake::{Dial, Fake, Script, Sizes, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, EmitError, Frame, Offline, Peer, ServerCounters};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A generator of the test's own, so that its draws do not shift those of the runtime.
struct Chance(u64);

impl Chance {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % (most + 1)
    }

    fn script(&mut self) -> Script {
        let mut wire = || {
            let sizes = |draw: u64| match draw {
                0 => Sizes::All,
                1 => Sizes::UpTo(1),
                most => Sizes::Random(most as usize * 10),
            };
            Wire::default()
                .capacity(20 + self.up_to(2000) as usize)
                .reads(sizes(self.up_to(8)))
                .writes(sizes(self.up_to(8)))
                .hiccups(self.up_to(40) as u8)
                .latency(MILLISECOND * self.up_to(20) as u32)
        };
        Script::default().to_server(wire()).to_client(wire())
    }
}

const CLIENTS: u64 = 3;

/// `client * 1_000_000 + n`, rising for each client.
#[derive(Default)]
struct Books {
    /// What the server heard, by connection.
    heard: Mutex<BTreeMap<u64, Vec<u64>>>,
    /// What came back, by client.
    echoed: Mutex<BTreeMap<u64, Vec<u64>>>,
    emitted: AtomicU64,
    /// Their bytes on the wire.
    emitted_bytes: AtomicU64,
    refused: AtomicU64,
}

async fn traffic(runtime: Fake, client: Client<Fake>, id: u64, seed: u64, books: Arc<Books>) {
    let mut chance = Chance(seed);
    for n in 0..60_u64 {
        let (number, padding) = (id * 1_000_000 + n, "x".repeat(chance.up_to(120) as usize));
        let frame = Frame::new(client.settings(), "n", &(number, padding)).unwrap();
        let outcome = if chance.up_to(2) == 0 { client.emit_frame(&frame) } else { client.send_frame(&frame).await };
        match outcome {
            Ok(()) => {
                books.emitted_bytes.fetch_add(frame.as_bytes().len() as u64, Ordering::Relaxed);
                books.emitted.fetch_add(1, Ordering::Relaxed)
            }
            Err(EmitError::Full { .. } | EmitError::NotConnected) => books.refused.fetch_add(1, Ordering::Relaxed),
            Err(error) => panic!("{error}"),
        };
        if chance.up_to(3) == 0 {
            runtime.sleep(MILLISECOND * chance.up_to(50) as u32).await;
        }
    }
}

fn rises(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

fn soak(seed: u64, cuts: bool) {
    let runtime = Fake::new(seed);
    let mut chance = Chance(seed);
    runtime.network().set_script(chance.script());
    let books = Arc::new(Books::default());
    let limit = 200 + chance.up_to(3000) as usize;
    let server = serve(&runtime, config().max_pending_bytes(limit));
    let peers = every_peer(&server);
    let (heard, errors) = (books.clone(), Log::default());
    server.on("n", move |peer, (n, padding): (u64, String)| {
        heard.heard.lock().unwrap().entry(peer.id().get()).or_default().push(n);
        peer.emit("n", &(n, padding))
    });
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    let offline = if chance.up_to(1) == 0 { Offline::Buffer } else { Offline::Refuse };
    let settings = || config().max_pending_bytes(limit).offline(offline).max_offline_bytes(limit);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|id| {
            if chance.up_to(3) == 0 {
                runtime.network().dial(&endpoint(), [Dial::Fail(ErrorKind::ConnectionRefused), Dial::After(SECOND)]);
            }
            let client = connect(&runtime, settings());
            let echoed = books.clone();
            client.on("n", move |(n, _): (u64, String)| {
                echoed.echoed.lock().unwrap().entry(id).or_default().push(n);
            });
            let (seed, books) = (chance.up_to(u64::from(u32::MAX)), books.clone());
            runtime.spawn(traffic(runtime.clone(), client.clone(), id, seed, books));
            client
        })
        .collect();
    let mut cut = 0;
    for _ in 0..200 {
        runtime.advance(MILLISECOND * chance.up_to(100) as u32);
        let connections = runtime.network().connections();
        if cuts && chance.up_to(9) == 0 {
            connections[chance.up_to(connections.len() as u64 - 1) as usize].reset();
            runtime.network().set_script(chance.script());
            cut += 1;
        }
        assert_summed(&server, &peers);
        clients.iter().for_each(|client| assert_balanced(&client.counters().traffic));
    }
    runtime.advance(SECOND * 600);
    let traffic = |runtime: &Fake| runtime.tasks().iter().filter(|task| task.name.contains("traffic")).count();
    assert_eq!(traffic(&runtime), 0, "seed {seed}: senders are stuck");
    let (mut unsent, mut unsent_bytes) = (0, 0);
    for client in &clients {
        // What the client lost is in `dropped`, what it loses by its end included.
        let _unsent = runtime.block_on(client.close_within(SECOND * 600));
        unsent += client.dropped().messages as u64;
        unsent_bytes += client.dropped().bytes;
    }
    runtime.advance(SECOND * 10);
    let emitted = books.emitted.load(Ordering::Relaxed);
    assert_eq!(emitted + books.refused.load(Ordering::Relaxed), CLIENTS * 60, "seed {seed}");
    // To the byte: what was taken has been written or is counted as unsent.
    let written: usize = runtime.network().connections().iter().map(|connection| connection.to_server().written).sum();
    assert_eq!(books.emitted_bytes.load(Ordering::Relaxed), (written + unsent_bytes) as u64, "seed {seed}");
    account(&runtime, seed, &books, &clients, &assert_summed(&server, &peers));
    let heard = books.heard.lock().unwrap();
    let mut all: Vec<u64> = heard.values().flatten().copied().collect();
    for (connection, numbers) in &*heard {
        assert!(rises(numbers), "seed {seed}, connection {connection}: {numbers:?}");
    }
    all.sort_unstable();
    assert!(rises(&all), "seed {seed}: something came twice");
    for (client, numbers) in &*books.echoed.lock().unwrap() {
        assert!(rises(numbers), "seed {seed}, client {client}: {numbers:?}");
    }
    if cut == 0 {
        assert_eq!(all.len() as u64 + unsent, emitted, "seed {seed}");
        assert_eq!(unsent, 0, "seed {seed}");
        let back: usize = books.echoed.lock().unwrap().values().map(Vec::len).sum();
        assert_eq!(back, all.len(), "seed {seed}: answers are lost; {:?}", errors.take());
    } else {
        // What the operating system had taken when a connection broke is gone with it.
        assert!(all.len() as u64 + unsent <= emitted, "seed {seed}: {} + {unsent} > {emitted}", all.len());
    }
    assert!(server.is_empty(), "seed {seed}");
    drop((clients, server));
    runtime.advance(SECOND * 10);
    assert_eq!(runtime.tasks(), [], "seed {seed}");
    assert_eq!(runtime.panics(), [""; 0], "seed {seed}");
}

/// What was counted is what was emitted, refused, lost, heard, and moved by the network.
fn account(runtime: &Fake, seed: u64, books: &Books, clients: &[Client<Fake>], server: &ServerCounters) {
    let connections = runtime.network().connections();
    let moved = |count: fn(&ipc_driver::fake::Connection) -> usize| connections.iter().map(count).sum::<usize>() as u64;
    assert_eq!(server.traffic.received.bytes, moved(|connection| connection.to_server().read), "seed {seed}");
    assert_eq!(server.traffic.sent.written, moved(|connection| connection.to_client().written), "seed {seed}");
    let heard: usize = books.heard.lock().unwrap().values().map(Vec::len).sum();
    assert_eq!(server.traffic.received.events, heard as u64, "seed {seed}");
    // Each event is answered, and an answer that is refused is an error of the handler.
    let answers = server.traffic.sent.events + server.traffic.sent.refused.total();
    assert!(answers <= heard as u64, "seed {seed}: {:?}", server.traffic);
    assert!(heard as u64 - answers <= server.traffic.handler_errors, "seed {seed}: {:?}", server.traffic);
    let totals = sum(clients.iter().map(|client| client.counters().traffic));
    assert_balanced(&totals);
    assert_eq!(totals.sent.events, books.emitted.load(Ordering::Relaxed), "seed {seed}");
    assert_eq!(totals.sent.bytes, books.emitted_bytes.load(Ordering::Relaxed), "seed {seed}");
    assert_eq!(totals.sent.refused.total(), books.refused.load(Ordering::Relaxed), "seed {seed}");
    assert_eq!(totals.sent.written, moved(|connection| connection.to_server().written), "seed {seed}");
    assert_eq!(totals.received.bytes, moved(|connection| connection.to_client().read), "seed {seed}");
    let echoed: usize = books.echoed.lock().unwrap().values().map(Vec::len).sum();
    assert_eq!(totals.received.events, echoed as u64, "seed {seed}");
    for client in clients {
        let counters = client.counters();
        let lost = counters.traffic.sent.lost.total();
        let dropped = client.dropped();
        assert_eq!((lost.events, lost.bytes), (dropped.messages as u64, dropped.bytes as u64), "seed {seed}");
        assert_eq!(counters.traffic.sent.pending, 0, "seed {seed}");
        assert_eq!(counters.attempts, counters.connections + counters.failed, "seed {seed}");
    }
    let made: u64 = clients.iter().map(|client| client.counters().connections).sum();
    assert_eq!(made, server.accepted, "seed {seed}");
}

#[test]
fn a_hundred_seeds_of_traffic_lose_nothing_over_a_network_that_only_dawdles() {
    (0..100).for_each(|seed| soak(seed, false));
}

#[test]
fn a_hundred_seeds_of_traffic_account_for_everything_over_a_network_that_cuts() {
    (100..200).for_each(|seed| soak(seed, true));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let runtime = Fake::new(seed);
        runtime.network().set_script(Chance(seed).script());
        let server = serve(&runtime, config());
        server.on_event("n", Peer::emit_event);
        let client = connect(&runtime, config());
        (0..100_u64).for_each(|n| client.emit("n", &n).unwrap());
        runtime.advance(SECOND * 60);
        let connection = runtime.network().connections().remove(0);
        (runtime.tasks(), connection.to_server(), connection.to_client())
    };
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1), run(2));
}
