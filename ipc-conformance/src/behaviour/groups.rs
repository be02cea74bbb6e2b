//! Groups of peers over real connections that come and go.

use super::{Stage, channel, soon};
use ipc_driver::Client;
use ipc_driver::runtime::Runtime;

/// A chat: each hears what others say in its room, and nobody hears himself.
pub async fn what_is_said_in_a_room_is_heard_there_by_the_others<R: Runtime>(stage: Stage<R>) {
    const EACH: usize = 3;
    let server = stage.server();
    server.on("enter", |peer, room: String| {
        peer.join(&room)?;
        peer.emit("entered", &room).map_err(ipc_driver::BoxError::from)
    });
    server
        .on("say", |peer, (room, text): (String, String)| peer.group(&room).except(peer).emit("said", &text).map(drop));
    server.start().await.expect("started");
    let (sender, mut heard) = channel();
    let mut clients: Vec<(&str, Client<R>)> = Vec::new();
    for room in ["tea", "coffee"] {
        for one in 0..EACH {
            let client = stage.client();
            let name = format!("{room} {one}");
            let to = sender.clone();
            client.on("said", move |text: String| to.send((name.clone(), text)));
            let (entered, mut inside) = channel();
            client.on("entered", move |room: String| entered.send(room));
            soon("connect", client.connect()).await.expect("connected");
            client.emit("enter", room).expect("emitted");
            assert_eq!(inside.next("an answer").await, room);
            clients.push((room, client));
        }
    }
    assert_eq!((server.group("tea").len(), server.group("coffee").len(), server.all().len()), (EACH, EACH, 2 * EACH));
    for (number, (room, client)) in clients.iter().enumerate() {
        client.emit("say", &(room, number.to_string())).expect("emitted");
        let mut listeners = Vec::new();
        for _ in 1..EACH {
            let (who, what) = heard.next("what was said").await;
            assert_eq!(what, number.to_string());
            listeners.push(who);
        }
        listeners.sort();
        let others = (0..EACH).filter(|one| *one != number % EACH).map(|one| format!("{room} {one}"));
        assert_eq!(listeners, others.collect::<Vec<_>>());
    }
    for (_, client) in &clients {
        soon("close", client.close()).await.expect("sent");
    }
    stage.until("all to be gone", || server.is_empty()).await;
    assert!(server.groups().is_empty());
    assert_eq!(heard.try_next(), None, "nobody heard himself");
}

/// Peers join and leave and vanish while everybody is sent to: who is in the book is in its group, and nothing is left.
pub async fn groups_follow_peers_that_come_and_go_while_they_are_sent_to<R: Runtime>(stage: Stage<R>) {
    const ROUNDS: usize = 5;
    const CLIENTS: usize = 6;
    let server = stage.server();
    server.on_connect(|peer| peer.join("everybody").expect("joined"));
    server.on("enter", |peer, room: String| peer.join(room));
    server.start().await.expect("started");
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|one| {
            let stage = (stage.client_config(), stage.endpoint().clone(), stage.runtime().clone());
            super::spawn(&stage.2.clone(), async move {
                for round in 0..ROUNDS {
                    let settings = ipc_driver::build(stage.0.clone()).expect("settings");
                    let client = Client::with_runtime(stage.2.clone(), settings, stage.1.clone()).expect("a client");
                    let (sender, mut heard) = channel();
                    client.on("n", move |n: u32| sender.tell(n));
                    soon("connect", client.connect()).await.expect("connected");
                    client.emit("enter", &format!("{one} {round}")).expect("emitted");
                    heard.next("an event for everybody").await;
                    if one % 2 == 0 {
                        client.disconnect();
                    } else {
                        soon("close", client.close()).await.expect("sent");
                    }
                }
            })
        })
        .collect();
    let emitting = {
        let (all, runtime) = (server.group("everybody"), stage.runtime().clone());
        let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stop = std::sync::Arc::clone(&done);
        let task = super::spawn(&runtime.clone(), async move {
            let mut n = 0_u32;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let outcome = all.emit("n", &n).expect("encoded");
                assert_eq!((outcome.full, outcome.dropped), (0, 0));
                n += 1;
                super::tasks::sleep(&runtime, std::time::Duration::from_millis(1)).await;
            }
        });
        (done, task)
    };
    for task in tasks {
        soon("a client", task.join()).await;
    }
    emitting.0.store(true, std::sync::atomic::Ordering::Relaxed);
    soon("the sender", emitting.1.join()).await;
    stage.until("all to be gone", || server.is_empty()).await;
    stage.until("no group to be left", || server.groups().is_empty()).await;
}
