//! Peers that behave badly, and the descriptors they leave behind: none.
//!
//! One test by itself in this program, since it counts all descriptors of the process.

#![cfg(target_os = "linux")]

mod common;

use common::{Place, soon};
use ipc_tokio::{Client, ConnectionError, Endpoint, Remote, Server, ServerEvent};
use socket2::{SockAddr, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many of each kind come.
const CROWD: usize = 40;
const FRAME: &[u8] = b"{\"type\":\"echo\",\"data\":1}\x0c";

fn descriptors() -> usize {
    // One of them reads the folder.
    std::fs::read_dir("/proc/self/fd").expect("our descriptors").count() - 1
}

/// Waits until as many are open as before.
async fn settled(what: &str, before: usize) {
    let settled = async {
        while descriptors() != before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), settled).await;
    assert!(waited.is_ok(), "{what}: {} descriptors, and {before} before", descriptors());
}

fn address(endpoint: &Endpoint) -> SockAddr {
    match endpoint {
        Endpoint::Local(address) => SockAddr::unix(address.as_str()).expect("an address"),
        Endpoint::Tcp { host, port } => SocketAddr::new(host.parse::<IpAddr>().expect("an address"), *port).into(),
        other => panic!("{other}"),
    }
}

fn connect(endpoint: &Endpoint) -> Socket {
    let address = address(endpoint);
    let socket = Socket::new(address.domain(), Type::STREAM, None).expect("a socket");
    socket.connect(&address).expect("connected");
    socket
}

/// Blocks until the end of the stream, or its reset.
fn to_the_end(mut socket: &Socket) -> Vec<u8> {
    let mut read = Vec::new();
    let _reset = socket.read_to_end(&mut read);
    read
}

/// What became of the peers, by kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    connected: usize,
    ended: usize,
    broken: usize,
    errors: usize,
    refused: usize,
}

struct Scene {
    server: Server,
    seen: Arc<Mutex<Seen>>,
    closed: Arc<AtomicBool>,
}

impl Scene {
    async fn new(server: Server) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let count = Arc::clone(&seen);
        server.on_lifecycle(move |event| {
            let mut seen = count.lock().expect("not poisoned");
            match event {
                ServerEvent::Connected(_) => seen.connected += 1,
                ServerEvent::Error(_, ConnectionError::Io(_)) => seen.errors += 1,
                ServerEvent::Disconnected { had_error: false, .. } => seen.ended += 1,
                ServerEvent::Disconnected { had_error: true, .. } => seen.broken += 1,
                ServerEvent::Refused { .. } => seen.refused += 1,
                _ => {}
            }
        });
        server.on("echo", |peer, number: u64| peer.emit("echo", &number));
        let closed = Arc::new(AtomicBool::new(false));
        let door = Arc::clone(&closed);
        server.accept_if(move |_: &Remote| !door.load(Ordering::SeqCst));
        server.start().await.expect("started");
        Self { server, seen, closed }
    }

    /// Lets a crowd of clients do `one`, and gives what the server saw of them once they are all gone.
    async fn crowd(&self, what: &str, one: fn(&Endpoint)) -> Seen {
        *self.seen.lock().expect("not poisoned") = Seen::default();
        let before = descriptors();
        let endpoint = self.server.local_endpoint();
        let all = tokio::task::spawn_blocking(move || (0..CROWD).for_each(|_| one(&endpoint)));
        soon(what, all).await.expect("they came");
        soon(what, async {
            while {
                let seen = self.seen.lock().expect("not poisoned");
                seen.ended + seen.broken + seen.refused < CROWD
            } {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        settled(what, before).await;
        assert!(self.server.is_empty());
        std::mem::take(&mut self.seen.lock().expect("not poisoned"))
    }
}

/// Both sides end in order.
const ENDED: Seen = Seen { connected: CROWD, ended: CROWD, broken: 0, errors: 0, refused: 0 };
const REFUSED: Seen = Seen { connected: 0, ended: 0, broken: 0, errors: 0, refused: CROWD };

async fn play(server: Server) {
    let scene = Scene::new(server).await;
    let local = scene.server.local_endpoint().local_address().is_some();

    // What a killed process leaves: its sockets are closed by the system.
    let killed = scene.crowd("killed in the middle of a frame", |endpoint| {
        let mut socket = connect(endpoint);
        socket.write_all(&[FRAME, &FRAME[..10]].concat()).expect("written");
        // The answer is read, or the end would be a reset.
        socket.read_exact(&mut [0; FRAME.len()]).expect("an answer");
    });
    assert_eq!(killed.await, ENDED);

    let half = scene.crowd("half-closed", |endpoint| {
        let mut socket = connect(endpoint);
        socket.write_all(FRAME).expect("written");
        socket.shutdown(Shutdown::Write).expect("shut down");
        assert_eq!(to_the_end(&socket), FRAME, "the answer still comes");
    });
    assert_eq!(half.await, ENDED);

    let unread = scene.crowd("gone with answers unread", |endpoint| {
        let mut socket = connect(endpoint);
        socket.write_all(&FRAME.repeat(100)).expect("written");
        socket.peek(&mut [std::mem::MaybeUninit::uninit(); 1]).expect("an answer");
    });
    let unread = unread.await;
    assert_eq!(unread.connected, CROWD);

    if !local {
        let reset = scene.crowd("reset", |endpoint| {
            let mut socket = connect(endpoint);
            socket.write_all(FRAME).expect("written");
            socket.read_exact(&mut [0; FRAME.len()]).expect("an answer");
            socket.set_linger(Some(Duration::ZERO)).expect("set");
        });
        assert_eq!(reset.await, Seen { connected: CROWD, broken: CROWD, errors: CROWD, ..Seen::default() });
    }

    scene.closed.store(true, Ordering::SeqCst);
    let refused = scene.crowd("refused by the filter", |endpoint| assert!(to_the_end(&connect(endpoint)).is_empty()));
    assert_eq!(refused.await, REFUSED);
    scene.closed.store(false, Ordering::SeqCst);
    scene.server.shutdown(Duration::from_secs(5)).await;
}

/// More than `maxConnections`, which is 2.
async fn surplus(server: Server) {
    let scene = Scene::new(server).await;
    let endpoint = scene.server.local_endpoint();
    let before = descriptors();
    let guests = [connect(&endpoint), connect(&endpoint)];
    soon("both", async {
        while scene.server.len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    (0..CROWD).for_each(|_| drop(connect(&endpoint)));
    soon("the surplus", async {
        while scene.server.refused() < CROWD as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert_eq!(scene.server.len(), 2);
    drop(guests);
    settled("refused by maxConnections", before).await;
    scene.server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_peer_does_it_leaves_no_descriptor_behind() {
    let place = Place::new();
    let config = || place.config();
    let small = || place.config().max_connections(2);
    // What the runtime opens on first use.
    tokio::task::spawn_blocking(|| ()).await.expect("done");
    let before = descriptors();

    play(Server::new(config()).expect("a server")).await;
    play(Server::net(Some("127.0.0.1"), Some(0), config()).expect("a server")).await;
    surplus(Server::new(small()).expect("a server")).await;
    surplus(Server::net(Some("127.0.0.1"), Some(0), small()).expect("a server")).await;
    settled("servers that have ended", before).await;

    // A server that vanishes and comes back: its clients keep none either.
    let server = place.server();
    server.start().await.expect("started");
    let client = place.client();
    client.connect().await.expect("connected");
    for _ in 0..CROWD {
        server.abort();
        soon("the end", async {
            while client.is_connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        server.start().await.expect("started again");
        soon("return", async {
            while !client.is_connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
    drop((client, server));
    settled("clients that came back", before).await;

    // Offers of the socket that come to nothing, and those who ask for it and go.
    let server = place.server();
    server.start().await.expect("started");
    let started = descriptors();
    let control = place.path("control");
    for _ in 0..CROWD / 4 {
        let offering = tokio::spawn({
            let (server, control) = (server.clone(), control.clone());
            async move { server.hand_over(control).await }
        });
        soon("the offer", async {
            while !control.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        drop(Server::take_over(&control, place.config()).await.expect("claimed"));
        drop(std::os::unix::net::UnixStream::connect(&control).expect("connected"));
        offering.abort();
        assert!(offering.await.is_err());
        soon("its end", async {
            while control.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
    settled("offers that came to nothing", started).await;
    drop(server);
    settled("everything", before).await;

    let gone = Client::new("world", place.config().max_retries(3)).expect("a client");
    gone.connect().await.expect_err("nobody is there");
    drop(gone);
    settled("attempts that failed", before).await;
}
