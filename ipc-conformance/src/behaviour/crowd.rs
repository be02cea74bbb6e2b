//! Many clients at once: broadcasts, one among many, slow readers and busy writers beside others.

use super::{Stage, channel, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, Peer, ServerEvent};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// And the report of the shutdown counts them all.
pub async fn a_broadcast_reaches_everybody_and_says_so<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let heard = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..5 {
        let client = stage.client();
        let heard = Arc::clone(&heard);
        client.on("news", move |text: String| {
            assert_eq!(text, "all");
            heard.fetch_add(1, Ordering::SeqCst);
        });
        soon("connect", client.connect()).await.expect("connected");
        clients.push(client);
    }
    let mut connected = 0;
    while connected < 5 {
        if let ServerEvent::Connected(_) = soon("a peer", events.recv()).await.expect("an event") {
            connected += 1;
        }
    }
    let outcome = server.broadcast("news", "all").expect("encoded");
    assert_eq!((outcome.queued, outcome.full, outcome.closed), (5, 0, 0));
    let report = soon("shutdown", server.shutdown(Duration::from_secs(10))).await;
    assert_eq!((report.clean, report.cut), (5, 0));
    for client in &clients {
        client.disconnect();
        soon("the end", client.destroyed()).await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), 5);
}

/// An answer goes to who asked; a number leads to its peer.
pub async fn an_event_for_one_of_many_reaches_that_one_only<R: Runtime>(stage: Stage<R>) {
    const CLIENTS: usize = 8;
    let server = stage.server();
    server.on("who", |peer, n: usize| peer.emit("you", &(n, peer.id().get())));
    server.start().await.expect("started");
    let (sender, mut heard) = channel();
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let client = stage.client();
        let sender = sender.clone();
        client.on("you", move |(of, id): (usize, u64)| sender.send((n, of, id)));
        soon("connect", client.connect()).await.expect("connected");
        clients.push(client);
    }
    let mut ids = [0; CLIENTS];
    for (n, client) in clients.iter().enumerate() {
        client.emit("who", &n).expect("emitted");
    }
    for _ in 0..CLIENTS {
        let (by, of, id) = heard.next("an answer").await;
        assert_eq!(by, of);
        ids[by] = id;
    }
    let wanted = server.peers().into_iter().find(|peer| peer.id().get() == ids[3]).expect("the fourth");
    assert_eq!(server.peer(wanted.id()), Some(wanted.clone()));
    server.emit(&wanted, "you", &(3, 0)).expect("emitted");
    assert_eq!(heard.next("the event").await, (3, 3, 0));
    assert_eq!(server.len(), CLIENTS);
}

/// As many as a server takes by default, each with its own conversation.
pub async fn many_clients_at_once_are_all_served<R: Runtime>(stage: Stage<R>) {
    const CLIENTS: u32 = 60;
    const EACH: u32 = 20;
    let server = stage.server();
    server.on_event("n", Peer::emit_event);
    server.start().await.expect("started");
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|one| {
            let client = stage.client();
            stage.spawn(async move {
                let (sender, mut back) = channel();
                client.on("n", move |pair: (u32, u32)| sender.send(pair));
                client.connect().await.expect("connected");
                for n in 0..EACH {
                    client.emit("n", &(one, n)).expect("emitted");
                    assert_eq!(back.next("an echo").await, (one, n));
                }
                client.close().await.expect("sent");
            })
        })
        .collect();
    for task in tasks {
        soon("a client", task.join()).await;
    }
    stage.until("all have gone", || server.is_empty()).await;
    assert_eq!(server.refused(), 0);
}

/// One that does not read fills its own queue, and the others get everything.
pub async fn a_slow_reader_does_not_stop_others<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().max_pending_bytes(200_000));
    server.start().await.expect("started");
    let slow = stage.client_with(stage.client_config().event_queue(1));
    // Nobody takes from it.
    let unread = slow.events();
    soon("connect", slow.connect()).await.expect("connected");
    stage.until("a peer", || server.len() == 1).await;
    let quick = stage.client();
    let (sender, mut heard) = channel();
    quick.on("n", move |(n, _): (u32, String)| sender.send(n));
    soon("connect", quick.connect()).await.expect("connected");
    stage.until("both", || server.len() == 2).await;
    let ballast = "x".repeat(50_000);
    let mut full = 0;
    for n in 0..300_u32 {
        let outcome = server.broadcast("n", &(n, &ballast)).expect("encoded");
        assert_eq!(outcome.queued + outcome.full, 2);
        full += outcome.full;
        assert_eq!(heard.next("what the slow one does not read").await, n);
    }
    assert!(full > 0, "15 MB have gone to one that does not read");
    let peers = server.peers();
    assert!(matches!(peers[0].emit("n", &(0, &ballast)), Err(EmitError::Full { .. })));
    stage.until("the queue of the quick one to be empty", || peers[1].pending() == 0).await;
    drop(unread);
}

/// One that never pauses is read in pieces: others are served, and timers fire.
pub async fn a_busy_peer_leaves_others_and_timers_their_turn<R: Runtime>(stage: Stage<R>) {
    const CALM: u8 = 1;
    let server = stage.server_with(stage.config().raw_buffer(true));
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    server.on_data(move |peer: &Peer, bytes: &[u8]| {
        if bytes[0] == CALM {
            return peer.emit_raw(bytes);
        }
        // Slower than the peer, so that there is always more to read.
        std::thread::sleep(Duration::from_micros(200));
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    server.start().await.expect("started");
    let raw = || stage.client_with(stage.client_config().raw_buffer(true).stop_retrying(true));
    let busy = raw();
    soon("connect", busy.connect()).await.expect("connected");
    let flooding = busy.clone();
    let flood = stage.spawn(async move {
        let bytes = vec![0; 1 << 16];
        while flooding.send_raw(&bytes).await.is_ok() {}
    });
    stage.until("the flood", || reads.load(Ordering::Relaxed) > 100).await;
    let calm = raw();
    let (sender, mut back) = channel();
    calm.on_data(move |bytes: &[u8]| sender.send(bytes.len()));
    soon("connect", calm.connect()).await.expect("connected");
    for length in 1..=10 {
        calm.emit_raw(&vec![CALM; length]).expect("emitted");
        assert_eq!(back.next("an echo beside the flood").await, length);
        soon("a timer", stage.sleep(Duration::from_millis(1))).await;
    }
    busy.disconnect();
    soon("the end of the flood", flood.join()).await;
}
