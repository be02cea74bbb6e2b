//! One busy peer beside the rest of a current-thread runtime: how many reads there are between two looks at sockets and timers.

mod common;

use common::soon;
use ipc_tokio::{Config, Peer, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn a_peer_that_never_pauses_leaves_sockets_and_timers_their_turn() {
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world").raw_buffer(true)).expect("a server");
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    server.on_data(move |_: &Peer, _: &[u8]| {
        // Slower than the peer, so that there is always more to read.
        std::thread::sleep(std::time::Duration::from_micros(200));
        count.fetch_add(1, Ordering::Relaxed);
    });
    server.start().await.expect("started");
    let port = server.local_endpoint().port().expect("a port");
    let peer = std::thread::spawn(move || {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
        while stream.write_all(&[0; 1 << 16]).is_ok() {}
    });
    let (mut before, mut most) = (0, 0);
    while before < 400 {
        // Goes on when the runtime has looked at its sockets and timers.
        tokio::task::yield_now().await;
        let now = reads.load(Ordering::Relaxed);
        most = most.max(now - before);
        before = now;
    }
    assert!(most <= 64, "{most} reads in a row");
    server.peers().iter().for_each(Peer::abort);
    tokio::task::yield_now().await;
    drop(server);
    soon("the peer", tokio::task::spawn_blocking(|| peer.join())).await.expect("a thread").expect("no panic");
}

/// Tokio lets a task accept some 128 in one go.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_shutdown_takes_in_all_who_wait_however_many_there_are() {
    use std::io::Write;
    let place = common::Place::new();
    let server = Server::new(place.config().max_connections(1000)).expect("a server");
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    server.on("n", move |_peer, _: u32| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    server.start().await.expect("started");
    // As many as the backlog takes by default, before the server has a turn.
    let clients: Vec<_> = (0..500)
        .map(|number| {
            let mut client = std::os::unix::net::UnixStream::connect(place.socket()).expect("connected");
            client.write_all(format!("{{\"type\":\"n\",\"data\":{number}}}\x0c").as_bytes()).expect("written");
            client.shutdown(std::net::Shutdown::Write).expect("ended");
            client
        })
        .collect();
    server.shutdown(std::time::Duration::from_secs(20)).await;
    assert_eq!(heard.load(Ordering::Relaxed), clients.len());
}
