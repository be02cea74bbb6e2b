//! Clients that emit all the time, and note for each of their connections how much was accepted and how much they were told is unsent.
//!
//! They all live on one thread. So nothing comes between a connection that comes up, or ends, and the note of it: what `emit` accepts is
//! accepted by the connection noted.

use crate::numbers::{NAME, Numbered};
use crate::watch::until_within;
use ipc_tokio::{Client, ClientEvent, Config, EmitError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of padding of the events of one client; they take turns.
const SIZES: [usize; 4] = [16, 200, 4096, 40_000];

/// As much is emitted at once.
const BURST: usize = 64;

/// What became of one connection of one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) client: u64,
    /// Its number among those of the client.
    pub(super) number: u64,
    /// Which server it was with.
    pub(super) epoch: u64,
    pub(super) accepted: u64,
    pub(super) unsent: u64,
    /// Bytes of each event, about.
    pub(super) size: u64,
    pub(super) over: bool,
}

/// What the fleet shares with whoever restarts the server.
#[derive(Debug, Default)]
struct Shared {
    epoch: AtomicU64,
    closing: AtomicBool,
    /// Protects the connections that have not been taken yet.
    connections: Mutex<Vec<Connection>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that a client has now.
    fn with<T>(&self, client: u64, work: impl FnOnce(&mut Connection) -> T) -> Option<T> {
        self.lock().iter_mut().find(|it| it.client == client && !it.over).map(work)
    }
}

#[derive(Debug)]
pub(super) struct Fleet {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Fleet {
    pub(super) fn start(endpoint: &str, clients: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let (sailing, endpoint) = (Arc::clone(&shared), endpoint.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let clients = 0..clients as u64;
                let all = clients.map(|id| tokio::spawn(emit_all_the_time(id, endpoint.clone(), Arc::clone(&sailing))));
                for one in all.collect::<Vec<_>>() {
                    one.await.expect("no client panics");
                }
            });
        });
        Self { shared, thread: Some(thread) }
    }

    /// Connections from now on are with this server.
    pub(super) fn epoch(&self, epoch: u64) {
        self.shared.epoch.store(epoch, Ordering::SeqCst);
    }

    pub(super) fn connected(&self) -> usize {
        self.shared.lock().iter().filter(|it| !it.over).count()
    }

    /// Waits until nothing more is accepted, for 2 s at most.
    pub(super) fn stuck(&self) {
        let accepted = || self.shared.lock().iter().map(|it| it.accepted).sum::<u64>();
        let mut before = accepted();
        until_within(Duration::from_secs(2), || {
            std::thread::sleep(Duration::from_millis(50));
            let now = accepted();
            let stuck = now == before;
            before = now;
            stuck
        });
    }

    /// All clients send what they have and end.
    pub(super) fn close(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join).transpose().expect("no client panics");
    }

    /// The connections with this server, all of them over.
    pub(super) fn take(&self, epoch: u64) -> Vec<Connection> {
        let mut connections = self.shared.lock();
        let (of_epoch, others) = connections.iter().copied().partition(|it| it.epoch == epoch);
        *connections = others;
        of_epoch
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
    }
}

async fn emit_all_the_time(id: u64, endpoint: String, shared: Arc<Shared>) {
    let config = Config::new("fleet").retry(Duration::from_millis(5)).max_pending_bytes(128 * 1024);
    let settings = ipc_tokio::build(config).expect("settings");
    let client = Client::at(settings, endpoint.parse().expect("an endpoint")).expect("a client");
    let padding = Numbered::padding(SIZES[id as usize % SIZES.len()]);
    let size = padding.len() as u64 + 80;
    let (noting, number) = (Arc::clone(&shared), AtomicU64::new(0));
    client.on_lifecycle(move |event| match event {
        ClientEvent::Connected => {
            let epoch = noting.epoch.load(Ordering::SeqCst);
            let number = number.fetch_add(1, Ordering::SeqCst);
            let new = Connection { client: id, number, epoch, accepted: 0, unsent: 0, size, over: false };
            noting.lock().push(new);
        }
        ClientEvent::Disconnected { unsent, .. } => {
            noting.with(id, |connection| {
                connection.unsent = unsent.messages as u64;
                connection.over = true;
            });
        }
        _ => {}
    });
    client.start();
    while !shared.closing.load(Ordering::SeqCst) {
        for _ in 0..BURST {
            let now = shared.with(id, |connection| (connection.number, connection.accepted));
            let (connection, number) = now.unwrap_or_default();
            let event = Numbered { client: id, connection, number, padding: padding.clone() };
            match client.emit(NAME, &event) {
                Ok(()) => {
                    let noted = shared.with(id, |connection| connection.accepted += 1);
                    noted.expect("accepted by a connection that is noted");
                }
                Err(EmitError::Full { .. } | EmitError::NotConnected) => break,
                Err(error) => panic!("client {id}: {error}"),
            }
        }
        // The others have their turn, and the sockets.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // What could not be sent the event of the end says.
    let _counted = client.close_within(Duration::from_secs(10)).await;
}
