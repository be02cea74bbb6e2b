//! A job queue with backpressure: a producer that is faster than its workers is slowed down, and nothing is dropped or kept
//! without a bound.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example jobs
//! ```
//!
//! The queue is a server. Workers say `ready` and get one `job` for it; producers `submit` jobs. The queue takes a job out of its
//! event stream only when a worker is ready: while none is, the stream fills (`eventQueue`), the producer's connection is not read
//! any more, the producer's own queue fills (`maxPendingBytes`), and its `send(…).await` waits. Exits 0 if every job was done once
//! and no bound was passed.

#![allow(clippy::print_stdout, reason = "a program, not a library")]

use ipc_tokio::{Client, Config, Empty, EventName, Server, ServerEvent};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::time::Duration;
use tokio::sync::mpsc::{Sender, channel, unbounded_channel};
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(60);
const JOBS: u64 = 3000;
const WORKERS: usize = 4;
/// Events that the queue holds, and bytes that a producer holds.
const QUEUE: usize = 16;
const PENDING: usize = 32 * 1024;

const READY: EventName<Empty> = EventName::new("ready");
const JOB: EventName<Job> = EventName::new("job");
const SUBMIT: &str = "submit";

#[derive(Debug, Deserialize, Serialize)]
struct Job {
    number: u64,
    /// What there is to do.
    text: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs").display().to_string();
    let queue = tokio::spawn(serve(Server::at_path(&path, Config::new("queue").event_queue(QUEUE))?));

    let (done, mut finished) = channel(WORKERS);
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(work(number, &path, done.clone()).await?);
    }
    let producer = tokio::spawn(produce(path));

    // Each once, in whatever order.
    let mut open: Vec<bool> = vec![true; usize::try_from(JOBS)?];
    for _ in 0..JOBS {
        let number = timeout(PATIENCE, finished.recv()).await?.ok_or("the workers have ended")?;
        let entry = open.get_mut(usize::try_from(number)?).ok_or("a job that nobody submitted")?;
        if !std::mem::replace(entry, false) {
            return Err(format!("job {number} was done twice").into());
        }
    }
    let waits = producer.await??;
    queue.abort();
    println!("{JOBS} jobs are done, each once; the producer had to wait {waits} times");
    if waits == 0 { Err("nobody was slowed down: the bounds are too wide to show anything".into()) } else { Ok(()) }
}

/// The queue: jobs out of the stream, as fast as workers are ready.
async fn serve(server: Server) -> Result<()> {
    let (sender, mut idle) = unbounded_channel();
    // As many entries as there are workers, each of which says it once and then works.
    server.on_variant(READY, move |peer, Empty| sender.send(peer.clone()).map_err(|_| "the queue has ended"));
    let mut events = server.events();
    server.start().await?;
    loop {
        let mut worker = idle.recv().await.ok_or("the server has ended")?;
        let job: Job = loop {
            match events.recv().await.ok_or("the server has ended")? {
                ServerEvent::Message(_, message) if message.name() == SUBMIT => break message.data()?,
                ServerEvent::Disconnected { peer, .. } => println!("peer {} has left", peer.id()),
                _ => {}
            }
        };
        // A worker that has gone meanwhile is passed over. (One that goes while it works takes its job along: a queue that must
        // not lose it keeps each job until the worker says that it is done.)
        while worker.send(JOB.as_str(), &job).await.is_err() {
            worker = idle.recv().await.ok_or("the server has ended")?;
        }
    }
}

/// A worker, which lives as long as its client.
async fn work(number: usize, path: &str, done: Sender<u64>) -> Result<Client> {
    let client = Client::at_path(path, Config::new(format!("worker {number}")).retry(Duration::from_millis(20)))?;
    let (sender, mut jobs) = channel(1);
    client.on_variant(JOB, move |job| sender.try_send(job));
    timeout(PATIENCE, client.connect()).await??;
    let emitter = client.emitter();
    emitter.emit(READY.as_str(), &Empty)?;
    tokio::spawn(async move {
        while let Some(job) = jobs.recv().await {
            // The work; it takes a little while.
            let letters = job.text.bytes().filter(u8::is_ascii_alphabetic).count();
            tokio::task::yield_now().await;
            if job.number % 1000 == 0 {
                println!("worker {number} has counted {letters} letters in job {}", job.number);
            }
            let ended = done.send(job.number).await.is_err() || emitter.emit(READY.as_str(), &Empty).is_err();
            if ended {
                return;
            }
        }
    });
    Ok(client)
}

/// Submits all jobs as fast as it may, and says how often it had to wait.
async fn produce(path: String) -> Result<u64> {
    let client = Client::at_path(&path, Config::new("producer").max_pending_bytes(PENDING))?;
    timeout(PATIENCE, client.connect()).await??;
    for number in 0..JOBS {
        let job = Job { number, text: "all work and no play ".repeat(50) };
        client.send(SUBMIT, &job).await?;
    }
    let sent = client.counters().traffic;
    client.close().await?;
    if sent.sent.pending_max > PENDING as u64 {
        return Err(format!("{} bytes waited, of {PENDING} that may", sent.sent.pending_max).into());
    }
    Ok(sent.waits)
}
