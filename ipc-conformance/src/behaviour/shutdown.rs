//! Shutdown of a server while it works: what was taken arrives or is reported, and nothing keeps it from its end.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, Transport, channel, not_tested, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Peer, Server, ShutdownReport};
use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// What the report says is what the counters say, and the socket is gone with its file.
async fn ended<R: Runtime>(stage: &Stage<R>, server: &Server<R>, report: ShutdownReport, files: usize) {
    let counters = server.counters();
    let (sent, lost) = (counters.traffic.sent, counters.traffic.sent.lost.total());
    assert_eq!((lost.events, lost.bytes), (report.unsent.messages as u64, report.unsent.bytes as u64));
    assert_eq!((counters.connected, sent.pending), (0, 0));
    assert_eq!(sent.bytes, sent.written + lost.bytes);
    assert!(!server.is_listening() && server.is_empty());
    stage.until("the end of the socket", || !stage.is_served()).await;
    assert_eq!(count_files(stage), files, "what lies in the folder");
}

fn count_files<R: Runtime>(stage: &Stage<R>) -> usize {
    fs::read_dir(stage.path("")).expect("a folder").count()
}

/// Enough for readers on a machine that does other things too.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(6);

/// A client that counts what it hears of `n`.
async fn reader<R: Runtime>(stage: &Stage<R>) -> (Client<R>, super::Receiver<u64>) {
    let client = stage.client_with(stage.client_config().stop_retrying(true));
    let (sender, heard) = channel();
    client.on("n", move |(n, _): (u64, String)| sender.send(n));
    soon("connect", client.connect()).await.expect("connected");
    (client, heard)
}

/// Peers that read, one that never does, one that is idle, and over TLS one in the middle of its handshake.
pub async fn a_shutdown_under_load_delivers_or_reports_everything<R: Runtime>(stage: Stage<R>) {
    if cfg!(windows) && stage.transport() != Transport::Local {
        return not_tested(
            "a_shutdown_under_load_delivers_or_reports_everything: Windows takes a write of any length at once",
        );
    }
    let files = count_files(&stage);
    let server = stage.server_with(stage.config().max_pending_bytes(64 << 20));
    server.start().await.expect("started");
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(reader(&stage).await);
    }
    let stalled = stage.client_with(stage.client_config().stop_retrying(true).event_queue(1));
    let unread = stalled.events();
    soon("connect", stalled.connect()).await.expect("connected");
    stage.until("four peers", || server.len() == 4).await;
    let strangers = (stage.transport() == Transport::Tls)
        .then(|| [(); 2].map(|()| TcpStream::connect(stage.address()).expect("connected")));
    let ballast = "x".repeat(200_000);
    for n in 0..50_u64 {
        assert_eq!(server.broadcast("n", &(n, &ballast)).expect("encoded").queued, 4);
    }
    // Taken, and perhaps only just.
    let began = Instant::now();
    let report = soon("shutdown", server.shutdown(SHUTDOWN_WITHIN)).await;
    assert!(began.elapsed() >= SHUTDOWN_WITHIN, "the one that never reads has all the time there is");
    assert_eq!((report.clean, report.cut), (3, 1), "{report:?}");
    for (client, mut heard) in readers {
        for n in 0..50 {
            assert_eq!(heard.next("an event").await, n);
        }
        soon("the end", client.destroyed()).await;
        let received = client.counters().traffic.received;
        assert_eq!((received.events, received.unframed()), (50, 0));
    }
    assert_eq!(server.counters().traffic.sent.events, 4 * 50);
    assert!((1..=50).contains(&report.unsent.messages), "{report:?}");
    drop((unread, stalled, strangers));
    ended(&stage, &server, report, files).await;
}

pub async fn a_shutdown_of_idle_peers_waits_for_nothing<R: Runtime>(stage: Stage<R>) {
    let files = count_files(&stage);
    let server = stage.server();
    server.start().await.expect("started");
    let idle = [reader(&stage).await.0, reader(&stage).await.0, reader(&stage).await.0];
    stage.until("three peers", || server.len() == 3).await;
    let began = Instant::now();
    let report = soon("shutdown", server.shutdown(Duration::from_secs(60))).await;
    assert!(began.elapsed() < LONG);
    assert_eq!((report.clean, report.cut), (3, 0));
    for client in idle {
        soon("the end", client.destroyed()).await;
    }
    ended(&stage, &server, report, files).await;
}

/// Begun by a handler and by tasks, and dropped halfway, each time anew.
pub async fn shutdowns_at_once_from_anywhere_end_together<R: Runtime>(stage: Stage<R>) {
    let files = count_files(&stage);
    for _ in 0..5 {
        let server = stage.server();
        let (sender, mut reports) = channel();
        let (same, runtime, tell) = (server.clone(), stage.runtime().clone(), sender.clone());
        let handler = server.on("end", move |peer: &Peer, n: u64| {
            peer.emit("n", &(n, ""))?;
            let (same, tell) = (same.clone(), tell.clone());
            runtime.spawn(async move { tell.tell(same.shutdown(LONG).await) });
            Ok::<_, ipc_driver::EmitError>(())
        });
        server.start().await.expect("started");
        let (client, mut heard) = reader(&stage).await;
        client.emit("end", &7).expect("emitted");
        assert_eq!(heard.next("the answer").await, 7);
        // One that is dropped at once, and two more.
        let _dropped = super::within(stage.runtime(), Duration::ZERO, server.shutdown(LONG)).await;
        for _ in 0..2 {
            let (same, tell) = (server.clone(), sender.clone());
            stage.runtime().spawn(async move { tell.tell(same.shutdown(LONG).await) });
        }
        let mut report = ShutdownReport::default();
        for _ in 0..3 {
            let one = reports.next("a report").await;
            assert_eq!((one.cut, one.unsent.messages), (0, 0), "{one:?}");
            report = one;
        }
        soon("the end", client.destroyed()).await;
        ended(&stage, &server, report, files).await;
        // It holds the server.
        server.off(handler);
    }
}
