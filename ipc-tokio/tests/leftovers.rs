//! What is left of servers and clients that were shut down in the middle of their work: no task, no descriptor, no file.
//!
//! One test by itself in this program, since it counts all descriptors of the process and all tasks of the runtime.

#![cfg(target_os = "linux")]

mod common;

use common::{Place, soon};
use ipc_tokio::{Client, Config, EmitError, Endpoint, Peer, Server, TlsOptions, UdpServer};
use rcgen::{CertificateParams, KeyPair};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What a process has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    tasks: usize,
    files: usize,
}

fn held(place: &Place) -> Held {
    Held {
        // One of them reads the folder.
        descriptors: std::fs::read_dir("/proc/self/fd").expect("our descriptors").count() - 1,
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        files: std::fs::read_dir(place.path("")).expect("the folder").count(),
    }
}

async fn settled(what: &str, place: &Place, before: Held) {
    let settled = async {
        while held(place) != before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), settled).await;
    assert!(waited.is_ok(), "{what}: {:?}, and {before:?} before", held(place));
}

/// A certificate that vouches for itself.
fn tls() -> (TlsOptions, TlsOptions) {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name").self_signed(&key);
    let certificate = certificate.expect("a certificate").pem();
    let own = TlsOptions::new().key(key.serialize_pem()).cert(&certificate);
    (own, TlsOptions::new().ca(certificate))
}

/// A socket that says half of something, or nothing, and neither reads nor ends.
fn stranger(endpoint: &Endpoint, says: &[u8]) -> Box<dyn Write + Send> {
    let mut socket: Box<dyn Write + Send> = match endpoint {
        Endpoint::Local(address) => Box::new(UnixStream::connect(address.as_str()).expect("connected")),
        Endpoint::Tcp { host, port } => Box::new(TcpStream::connect((host.as_str(), *port)).expect("connected")),
        other => panic!("{other}"),
    };
    socket.write_all(says).expect("written");
    socket
}

/// Idle peers, busy ones, one that never reads, and strangers who are in the middle of something.
async fn streams(what: &str, place: &Place, server: Server, client: impl Fn(&Server) -> Client, encrypted: bool) {
    let before = held(place);
    server.on_event("echo", Peer::emit_event);
    server.start().await.expect("started");
    let idle: Vec<_> = (0..3).map(|_| client(&server)).collect();
    for client in &idle {
        soon(what, client.connect()).await.expect("connected");
    }
    let stalled = client(&server);
    let unread = stalled.events();
    soon(what, stalled.connect()).await.expect("connected");
    for _ in 0..3 {
        let busy = client(&server);
        soon(what, busy.connect()).await.expect("connected");
        tokio::spawn(async move {
            // Until it is not connected any more.
            while busy.send("echo", &"x".repeat(1_000)).await.is_ok() {
                tokio::task::yield_now().await;
            }
            busy.disconnect();
        });
    }
    let endpoint = server.local_endpoint();
    let said: &[u8] = if encrypted { b"\x16\x03\x01" } else { b"{\"type\":" };
    let strangers = [stranger(&endpoint, b""), stranger(&endpoint, said)];
    let peers = if encrypted { 7 } else { 9 };
    soon(what, async {
        while server.len() < peers {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let ballast = "x".repeat(500_000);
    for _ in 0..20 {
        assert!(server.broadcast("ballast", &ballast).expect("encoded").queued > 0);
    }
    let mut reports = Vec::new();
    for _ in 0..3 {
        let server = server.clone();
        reports.push(tokio::spawn(async move { server.shutdown(Duration::from_millis(500)).await }));
    }
    let _dropped = tokio::time::timeout(Duration::ZERO, server.shutdown(Duration::from_secs(60))).await;
    let report = soon(what, server.shutdown(Duration::from_secs(60))).await;
    for other in reports {
        assert_eq!(soon(what, other).await.expect("a report"), report, "{what}");
    }
    assert_eq!(report.clean + report.cut, peers, "{what}: {report:?}");
    let counters = server.counters();
    let lost = counters.traffic.sent.lost.total();
    assert_eq!((lost.events, lost.bytes), (report.unsent.messages as u64, report.unsent.bytes as u64), "{what}");
    // The two in mid-handshake. (In clear there is none, but a client that has lost its connection may be back too late.)
    assert!(counters.refused.stopped >= 2 || !encrypted, "{what}: {counters:?}");
    drop(strangers);
    for client in idle {
        // It waits to connect again.
        soon(what, client.close()).await.expect("nothing was queued");
    }
    drop((stalled, unread));
    settled(what, place, before).await;
    assert!(!server.is_listening());
}

async fn datagrams(place: &Place) {
    let before = held(place);
    let udp = || UdpServer::udp4(Some("127.0.0.1"), Some(0), Config::new("world")).expect("a server");
    let (one, two) = (udp(), udp());
    two.on("echo", |peer, n: u64| peer.emit("echo", &n));
    one.start().await.expect("started");
    two.start().await.expect("started");
    let (sender, to) = (one.clone(), two.local_address().expect("started"));
    let busy = tokio::spawn(async move {
        for n in 0_u64.. {
            if let Err(EmitError::Closed) = sender.peer(to).send("echo", &n).await {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let again = two.clone();
    let other = tokio::spawn(async move { again.shutdown(Duration::from_secs(1)).await });
    let report = soon("shutdown", two.shutdown(Duration::from_secs(1))).await;
    assert_eq!(soon("the other", other).await.expect("a report"), report);
    soon("shutdown", one.shutdown(Duration::from_secs(1))).await;
    soon("the sender", busy).await.expect("it ended");
    for server in [&one, &two] {
        let counters = server.counters();
        assert_eq!(counters.queued.datagrams, counters.sent + counters.failed + counters.unsent, "{counters:?}");
        assert_eq!(counters.queued.pending, 0);
    }
    settled("udp", place, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_in_the_middle_of_everything_leaves_no_task_no_descriptor_and_no_file() {
    let place = Place::new();
    // What the runtime opens on first use.
    tokio::task::spawn_blocking(|| ()).await.expect("done");
    let quiet = |config: Config| config.max_pending_bytes(64 << 20).event_queue(1);
    for _ in 0..2 {
        let server = Server::new(quiet(place.config())).expect("a server");
        let client = |_: &Server| Client::new("world", quiet(place.config())).expect("a client");
        streams("unix", &place, server, client, false).await;

        let net = |config: Config| Server::net(Some("127.0.0.1"), Some(0), quiet(config)).expect("a server");
        let to = |server: &Server, config: Config| {
            Client::net(Some("127.0.0.1"), server.local_endpoint().port(), quiet(config)).expect("a client")
        };
        streams("tcp", &place, net(place.config()), |server| to(server, place.config()), false).await;

        let (own, trusted) = tls();
        let client = |server: &Server| to(server, place.config().tls(trusted.clone()));
        streams("tls", &place, net(place.config().tls(own)), client, true).await;

        datagrams(&place).await;
    }
}
