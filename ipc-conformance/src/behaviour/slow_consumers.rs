//! The option `slowConsumer`: one peer does not read while everybody is sent to, and the others get everything.

use super::channel::{Receiver, channel};
use super::{Stage, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{
    Broadcast, Client, ClientEvent, ConnectionError, EmitError, Events, Peer, Server, ServerEvent, SlowConsumer,
};

/// Far more than the sockets and the queue of one that does not read hold.
const EVENTS: u32 = 300;
const LENGTH: usize = 50_000;

/// A server with that policy, one client that does not read, and one that does.
struct Crowd<R: Runtime> {
    server: Server<R>,
    /// The first peer, as the server sees it.
    slow: Peer,
    sluggard: Client<R>,
    unread: Events<ClientEvent>,
    quick: Client<R>,
    heard: Receiver<u32>,
    broadcasts: Broadcast,
}

impl<R: Runtime> Crowd<R> {
    async fn gather(stage: &Stage<R>, policy: SlowConsumer) -> Self {
        let server = stage.server_with(stage.config().max_pending_bytes(200_000).slow_consumer(policy));
        server.start().await.expect("started");
        let sluggard = stage.client_with(stage.client_config().event_queue(1).max_retries(0));
        // Nobody takes from it.
        let unread = sluggard.events();
        soon("connect", sluggard.connect()).await.expect("connected");
        stage.until("a peer", || server.len() == 1).await;
        let quick = stage.client();
        let (sender, heard) = channel();
        quick.on("n", move |(n, _): (u32, String)| sender.send(n));
        soon("connect", quick.connect()).await.expect("connected");
        stage.until("both", || server.len() == 2).await;
        let slow = server.peers().remove(0);
        Self { server, slow, sluggard, unread, quick, heard, broadcasts: Broadcast::default() }
    }

    /// Broadcasts at the pace of the quick one, which gets each event.
    async fn broadcast_all(&mut self) {
        let ballast = "x".repeat(LENGTH);
        for n in 0..EVENTS {
            let outcome = self.server.broadcast("n", &(n, &ballast)).expect("encoded");
            self.broadcasts.queued += outcome.queued;
            self.broadcasts.full += outcome.full;
            self.broadcasts.dropped += outcome.dropped;
            self.broadcasts.closed += outcome.closed;
            assert!(self.slow.pending() <= 200_000, "{}", self.slow.pending());
            assert_eq!(self.heard.next("what the slow one does not read").await, n);
        }
    }

    /// Now the slow one reads, to the end of its connection.
    async fn read_at_last(&mut self) -> Vec<u32> {
        let ending = self.slow.clone();
        let mut seen = Vec::new();
        let mut closing = std::pin::pin!(ending.close());
        let outcome = loop {
            match super::first_of(&mut closing, soon("an event", self.unread.recv())).await {
                super::Either::First(outcome) => break outcome,
                super::Either::Second(Some(event)) => seen.extend(number(event)),
                super::Either::Second(None) => break soon("the end", &mut closing).await,
            }
        };
        outcome.expect("everything that was queued has left");
        while let Some(event) = soon("the rest", self.unread.recv()).await {
            seen.extend(number(event));
        }
        seen
    }

    fn assert_balanced(&self) {
        let sent = self.server.counters().traffic.sent;
        assert_eq!(sent.bytes, sent.written + sent.pending + sent.lost.total().bytes, "{sent:?}");
    }
}

fn number(event: ClientEvent) -> Option<u32> {
    match event {
        ClientEvent::Message(message) => Some(message.data::<(u32, String)>().expect("a whole event").0),
        _ => None,
    }
}

/// The default.
pub async fn refuse_leaves_out_a_slow_reader_and_says_so<R: Runtime>(stage: Stage<R>) {
    let mut crowd = Crowd::gather(&stage, SlowConsumer::Refuse).await;
    crowd.broadcast_all().await;
    let sent = crowd.slow.counters().sent;
    assert!(crowd.broadcasts.full > 0);
    assert_eq!(crowd.broadcasts.full as u64, sent.refused.full);
    assert_eq!(crowd.broadcasts.dropped + crowd.broadcasts.closed, 0);
    assert!(matches!(crowd.slow.emit("n", &"x".repeat(LENGTH)), Err(EmitError::Full { .. })));
    let seen = crowd.read_at_last().await;
    assert_eq!(seen.len() as u64, sent.events);
    assert!(seen.is_sorted());
    crowd.assert_balanced();
    crowd.quick.disconnect();
}

/// A slow reader that reads at last finds what is new.
pub async fn drop_oldest_gives_a_slow_reader_the_newest_events_whole<R: Runtime>(stage: Stage<R>) {
    let mut crowd = Crowd::gather(&stage, SlowConsumer::DropOldest).await;
    crowd.broadcast_all().await;
    assert_eq!(crowd.broadcasts.queued, 2 * EVENTS as usize, "for both, each time");
    let seen = crowd.read_at_last().await;
    let lost = crowd.slow.counters().sent.lost;
    assert!(lost.dropped_oldest.events > 0);
    assert_eq!(seen.len() as u64 + lost.dropped_oldest.events, u64::from(EVENTS));
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    assert_eq!(seen.last(), Some(&(EVENTS - 1)));
    crowd.assert_balanced();
    crowd.quick.disconnect();
}

/// A slow reader that reads at last finds what was there first.
pub async fn drop_newest_gives_a_slow_reader_the_oldest_events_whole<R: Runtime>(stage: Stage<R>) {
    let mut crowd = Crowd::gather(&stage, SlowConsumer::DropNewest).await;
    crowd.broadcast_all().await;
    assert!(crowd.broadcasts.dropped > 0);
    assert_eq!(crowd.broadcasts.queued + crowd.broadcasts.dropped, 2 * EVENTS as usize);
    let seen = crowd.read_at_last().await;
    let lost = crowd.slow.counters().sent.lost;
    assert_eq!(lost.dropped_newest.events, crowd.broadcasts.dropped as u64);
    assert_eq!(seen.len() + crowd.broadcasts.dropped, EVENTS as usize);
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    assert_eq!(seen.first(), Some(&0));
    crowd.assert_balanced();
    crowd.quick.disconnect();
}

/// A slow reader is sent away, with the reason, and nobody else is.
pub async fn disconnect_sends_a_slow_reader_away_and_says_why<R: Runtime>(stage: Stage<R>) {
    let mut crowd = Crowd::gather(&stage, SlowConsumer::Disconnect).await;
    let mut events = crowd.server.events();
    crowd.broadcast_all().await;
    assert_eq!((crowd.broadcasts.full, crowd.broadcasts.dropped), (0, 0));
    assert!(crowd.broadcasts.closed >= 1);
    stage.until("the slow one to be gone", || crowd.server.len() == 1 && crowd.slow.is_closed()).await;
    let mut told = false;
    loop {
        match soon("the end", events.recv()).await.expect("an event") {
            ServerEvent::Error(peer, ConnectionError::TooSlow { limit, .. }) => {
                assert!(peer == crowd.slow && limit == 200_000);
                told = true;
            }
            ServerEvent::Disconnected { peer, had_error, unsent, .. } => {
                assert!(peer == crowd.slow && had_error && !unsent.is_empty() && told);
                break;
            }
            _ => {}
        }
    }
    let sent = crowd.server.counters().traffic.sent;
    assert_eq!(sent.refused.too_slow, 1);
    assert!(sent.lost.too_slow.events > 0);
    crowd.assert_balanced();
    // It sees the end of its connection once it reads.
    while soon("the end", crowd.unread.recv()).await.is_some() {}
    assert!(crowd.sluggard.is_destroyed());
    crowd.quick.disconnect();
}

/// `send` waits under every policy: nothing is dropped and nobody sent away.
pub async fn sending_waits_for_a_slow_reader_under_every_policy<R: Runtime>(stage: Stage<R>) {
    for policy in [SlowConsumer::DropOldest, SlowConsumer::DropNewest, SlowConsumer::Disconnect] {
        let stage = stage.another();
        let mut crowd = Crowd::gather(&stage, policy).await;
        let sender = {
            let peer = crowd.slow.clone();
            stage.spawn(async move {
                let ballast = "x".repeat(LENGTH);
                for n in 0..EVENTS {
                    peer.send("n", &(n, &ballast)).await.expect("sent");
                }
            })
        };
        stage.until("a full queue", || crowd.slow.counters().waits > 0).await;
        let mut seen = Vec::new();
        while seen.len() < EVENTS as usize {
            seen.extend(number(soon("an event", crowd.unread.recv()).await.expect("an event")));
        }
        soon("the sender", sender.join()).await;
        assert_eq!(seen, (0..EVENTS).collect::<Vec<_>>(), "{policy:?}");
        assert_eq!(crowd.slow.counters().sent.lost.total().events, 0);
        crowd.quick.disconnect();
    }
}
