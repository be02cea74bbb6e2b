//! Crowds: many connections one after another, and more at once than are let in.

use crate::child::{Child, Plan};
use crate::raw::Raw;
use crate::watch::until;
use ipc_tokio::{Client, Config, Tokio};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What came of a crowd.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Connections that were opened, used and closed.
    pub connections: u64,
    /// The server's memory after the first wave, in bytes.
    pub memory_before: u64,
    /// And at the end.
    pub memory_after: u64,
    /// The server's descriptors before everything.
    pub descriptors_before: usize,
    /// And at the end.
    pub descriptors_after: usize,
    /// The most it had meanwhile.
    pub descriptors_most: usize,
    /// How long it took.
    pub took: Duration,
}

/// `total` connections in waves of `wave`: each is opened, has an event echoed, and is closed.
///
/// # Errors
///
/// What did not go as it should.
pub fn come_and_go(program: &Path, endpoint: &str, total: u64, wave: usize) -> Result<Outcome, String> {
    let mut server = Plan::new(program, "server", endpoint)
        .config(json!({"maxConnections": wave * 2, "acceptBacklog": wave}))
        .start();
    let began = Instant::now();
    let descriptors_before = open(&server)?;
    let mut outcome = Outcome {
        connections: 0,
        memory_before: 0,
        memory_after: 0,
        descriptors_before,
        descriptors_after: 0,
        descriptors_most: 0,
        took: Duration::ZERO,
    };
    while outcome.connections < total {
        let connected: Result<Vec<Raw>, _> = (0..wave).map(|_| Raw::connect(&server.endpoint)).collect();
        let mut connected = connected.map_err(|error| format!("after {}: {error}", outcome.connections))?;
        for raw in &mut connected {
            raw.round_trip().map_err(|error| format!("after {}: {error}", outcome.connections))?;
        }
        outcome.descriptors_most = outcome.descriptors_most.max(open(&server)?);
        outcome.connections += connected.len() as u64;
        drop(connected);
        let gone = until(|| server.count("disconnected") >= outcome.connections);
        if !gone {
            return Err(format!("of {} only {} are gone", outcome.connections, server.count("disconnected")));
        }
        if outcome.memory_before == 0 {
            // The first wave warms up: what it needs at once the allocator keeps.
            outcome.memory_before = memory(&server)?;
        }
    }
    if !until(|| open(&server).is_ok_and(|now| now <= descriptors_before)) {
        return Err(format!("{} descriptors, and {descriptors_before} before", open(&server)?));
    }
    outcome.descriptors_after = open(&server)?;
    outcome.memory_after = memory(&server)?;
    outcome.took = began.elapsed();
    Ok(outcome)
}

fn open(server: &Child) -> Result<usize, String> {
    server.watched().descriptors().map_err(|error| error.to_string())
}

fn memory(server: &Child) -> Result<u64, String> {
    server.watched().memory().map_err(|error| error.to_string())
}

/// What came of a storm.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// Clients that had their answer.
    pub answered: u64,
    /// Connections that the server turned away.
    pub turned_away: u64,
    /// The most descriptors it had beyond those at rest.
    pub descriptors_most: usize,
    /// How long it took until all had their answer.
    pub took: Duration,
}

/// So many clients of ours dial at once a server that takes `most`. Each stays for a while once it has its answer, and goes.
///
/// # Errors
///
/// What did not go as it should.
pub fn storm(program: &Path, endpoint: &str, clients: usize, most: usize) -> Result<Storm, String> {
    let mut server = Plan::new(program, "server", endpoint).config(json!({"maxConnections": most})).start();
    let began = Instant::now();
    let at_rest = open(&server)?;
    let (watched, over) = (server.watched(), Arc::new(AtomicBool::new(false)));
    let watching = Arc::clone(&over);
    let watcher = thread::spawn(move || {
        let mut highest = 0;
        while !watching.load(Ordering::SeqCst) {
            highest = highest.max(watched.descriptors().unwrap_or(0));
            thread::sleep(Duration::from_millis(2));
        }
        highest
    });
    let answered = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let dialling: Vec<_> = (0..clients)
        .map(|_| {
            let client = dial(runtime.handle(), &server.endpoint)?;
            let answered = Arc::clone(&answered);
            Ok(runtime.spawn(async move { visit(client, &answered).await }))
        })
        .collect::<Result<_, String>>()?;
    let all = runtime.block_on(async {
        let all = async {
            for one in dialling {
                one.await.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        };
        tokio::time::timeout(Duration::from_secs(60), all).await
    });
    over.store(true, Ordering::SeqCst);
    let highest = watcher.join().map_err(|_| "the watcher panicked")?;
    let answered = answered.load(Ordering::SeqCst);
    all.map_err(|_| format!("after a minute {answered} of {clients} have their answer"))??;
    if !until(|| open(&server).is_ok_and(|now| now <= at_rest)) {
        return Err(format!("{} descriptors, and {at_rest} before", open(&server)?));
    }
    let turned_away = server.count("turned_away");
    Ok(Storm { answered, turned_away, descriptors_most: highest.saturating_sub(at_rest), took: began.elapsed() })
}

fn dial(runtime: &tokio::runtime::Handle, endpoint: &str) -> Result<Client, String> {
    // Who is turned away comes back after this.
    let config = Config::new("storm").retry(Duration::from_millis(50));
    let settings = ipc_tokio::build(config).map_err(|error| error.to_string())?;
    let endpoint = endpoint.parse().map_err(|error: ipc_tokio::EndpointError| error.to_string())?;
    Client::with_runtime(Tokio::from(runtime.clone()), settings, endpoint).map_err(|error| error.to_string())
}

/// Asks until there is an answer, stays a moment, and goes.
async fn visit(client: Client, answered: &AtomicU64) {
    let emitter = client.emitter();
    client.on_connect(move || {
        // A connection that is turned away at once may be gone by now.
        let _gone = emitter.emit("echo", "storm");
    });
    let answer = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&answer);
    client.on("echo", move |_: String| heard.store(true, Ordering::SeqCst));
    client.start();
    while !answer.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    answered.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let _all_sent = client.close().await;
}
