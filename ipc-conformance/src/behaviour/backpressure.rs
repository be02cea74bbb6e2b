//! Queues that are full: who is told, who waits, and what a dropped wait has done.

use super::{Either, Stage, channel, first_of, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{EmitError, ServerEvent};
use std::pin::pin;
use std::time::Duration;

/// `emit` never waits; `send` does, and is woken when there is room.
pub async fn a_full_queue_refuses_an_emit_and_lets_a_send_wait<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().event_queue(1));
    let mut events = server.events();
    server.start().await.expect("started");
    let client = stage.client_with(stage.client_config().max_pending_bytes(200_000));
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(50_000);
    let mut emitted = 0;
    // Until the sockets and the queue are full, for good: nobody takes from the stream.
    let error = soon("a full queue", async {
        let mut refused = 0;
        loop {
            match client.emit("n", &(emitted, &ballast)) {
                Ok(()) => (emitted, refused) = (emitted + 1, 0),
                Err(error) if refused > 50 => break error,
                Err(_) => {
                    refused += 1;
                    stage.sleep(Duration::from_millis(1)).await;
                }
            }
        }
    })
    .await;
    let EmitError::Full { pending, length, limit, .. } = error else { panic!("{error}") };
    assert!(pending + length > limit && limit == 200_000, "{error}");
    let last = (emitted, &ballast);
    let mut sending = pin!(client.send("last", &last));
    let Either::Second(()) = first_of(&mut sending, stage.sleep(Duration::from_millis(20))).await else {
        panic!("there was room")
    };
    // Somebody reads: it is woken, and everything comes in order.
    let reading = stage.spawn(async move {
        let mut seen = Vec::new();
        loop {
            if let ServerEvent::Message(_, message) = soon("an event", events.recv()).await.expect("an event") {
                seen.push(message.data::<(u32, String)>().expect("a pair").0);
                if message.name() == "last" {
                    break seen;
                }
            }
        }
    });
    soon("room", sending).await.expect("sent");
    assert_eq!(soon("all of them", reading.join()).await, (0..=emitted).collect::<Vec<_>>());
    soon("close", client.close()).await.expect("sent");
}

/// A slow reader slows the sender, and a send that was given up has sent nothing.
pub async fn sending_waits_for_a_slow_reader_and_a_dropped_send_has_sent_nothing<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let mut events = server.events();
    server.start().await.expect("started");
    let client = stage.client_with(stage.client_config().max_pending_bytes(200_000));
    soon("connect", client.connect()).await.expect("connected");
    let ballast = "x".repeat(20_000);
    let sender = {
        let client = client.clone();
        let runtime = stage.runtime().clone();
        stage.spawn(async move {
            let mut sent = 0;
            for n in 0..400_u32 {
                // Given up now and then while it waits for room: then the event must not arrive.
                let limit = Duration::from_millis(if n % 7 == 0 { 1 } else { 60_000 });
                let payload = (n, &ballast);
                if let Some(outcome) = super::within(&runtime, limit, client.send("n", &payload)).await {
                    outcome.expect("sent");
                    sent += 1;
                }
                assert!(client.pending() <= 200_000 + 21_000, "{}", client.pending());
            }
            client.close().await.expect("everything was sent");
            sent
        })
    };
    let mut seen: Vec<u32> = Vec::new();
    loop {
        match soon("an event", events.recv()).await.expect("an event") {
            ServerEvent::Message(_, message) => {
                seen.push(message.data::<(u32, String)>().expect("a pair").0);
                if seen.len() % 50 == 0 {
                    stage.sleep(Duration::from_millis(10)).await;
                }
            }
            ServerEvent::Disconnected { .. } => break,
            _ => {}
        }
    }
    let sent = soon("the sender", sender.join()).await;
    assert_eq!(seen.len(), sent, "what was sent arrived, and what was given up did not");
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
}

/// Requests that come faster than their answers are read: nothing is refused, the server reads more slowly.
pub async fn answers_of_a_handler_are_not_refused_while_their_asker_reads_late<R: Runtime>(stage: Stage<R>) {
    const QUESTIONS: u32 = 150;
    let server = stage.server_with(stage.config().max_pending_bytes(500_000));
    let ballast = "y".repeat(20_000);
    server.on("question", move |peer, n: u32| peer.emit("answer", &(n, &ballast)));
    let (sender, mut errors) = channel();
    server.on_error(move |_, error| sender.tell(error.to_string()));
    server.start().await.expect("started");
    let client = stage.client_with(stage.client_config().event_queue(1));
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    let asking = client.clone();
    let asked = stage.spawn(async move {
        for n in 0..QUESTIONS {
            asking.send("question", &n).await.expect("asked");
        }
    });
    // It does not read before all is asked, or stuck.
    stage.sleep(Duration::from_millis(50)).await;
    let mut expected = 0;
    while expected < QUESTIONS {
        if let ipc_driver::ClientEvent::Message(message) = soon("an answer", events.recv()).await.expect("an answer") {
            assert_eq!(message.data::<(u32, String)>().expect("a pair").0, expected);
            expected += 1;
        }
    }
    soon("the asker", asked.join()).await;
    assert_eq!(errors.try_next(), None);
}

/// Many that wait for room: each gets its turn.
pub async fn many_waiting_senders_are_all_woken<R: Runtime>(stage: Stage<R>) {
    const SENDERS: usize = 10;
    const EACH: usize = 20;
    let server = stage.server();
    let (sender, mut seen) = channel();
    server.on("n", move |_, (one, n, _): (usize, usize, String)| sender.send((one, n)));
    server.start().await.expect("started");
    let client = stage.client_with(stage.client_config().max_pending_bytes(30_000));
    soon("connect", client.connect()).await.expect("connected");
    let senders: Vec<_> = (0..SENDERS)
        .map(|one| {
            let client = client.clone();
            stage.spawn(async move {
                let ballast = "z".repeat(10_000);
                for n in 0..EACH {
                    client.send("n", &(one, n, &ballast)).await.expect("sent");
                }
            })
        })
        .collect();
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * EACH {
        let (one, n) = seen.next("an event").await;
        assert_eq!(next[one], n, "of sender {one}");
        next[one] += 1;
    }
    for sender in senders {
        soon("a sender", sender.join()).await;
    }
    soon("close", client.close()).await.expect("sent");
    assert!(seen.try_next().is_none());
}
