//! Groups of peers: who is in, who gets what, and that nothing of a peer that has gone is left.

use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{Broadcast, JoinError, MAX_GROUP_NAME, Peer};
use std::sync::Arc;

/// Clients that write down what they hear, as (client, number), and their peers in the same order.
fn crowd(runtime: &Fake, server: &FakeServer, count: usize) -> (Vec<FakeClient>, Vec<Peer>, Log<(usize, u64)>) {
    let heard = Log::default();
    let clients = (0..count)
        .map(|one| {
            let client = connect(runtime, config());
            let to = heard.clone();
            client.on("n", move |n: u64| to.push((one, n)));
            client
        })
        .collect();
    (clients, server.peers(), heard)
}

fn names(peer: &Peer) -> Vec<String> {
    peer.groups().iter().map(ToString::to_string).collect()
}

fn queued(outcome: Broadcast) -> usize {
    assert_eq!((outcome.full, outcome.dropped, outcome.closed), (0, 0, 0));
    outcome.queued
}

#[test]
fn an_event_for_a_group_reaches_its_members_and_nobody_else() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let (_clients, peers, heard) = crowd(&runtime, &server, 5);
    for peer in &peers[..3] {
        peer.join("room").unwrap();
    }
    peers[2].join("room").unwrap();
    peers[4].join("other").unwrap();
    let room = server.group("room");
    assert_eq!((room.len(), room.is_empty(), room.peers()), (3, false, peers[..3].to_vec()));
    assert_eq!(queued(room.emit("n", &1).unwrap()), 3);
    runtime.run();
    let mut got = heard.take();
    got.sort_unstable();
    assert_eq!(got, [(0, 1), (1, 1), (2, 1)]);

    assert!(peers[1].leave("room") && !peers[1].leave("room") && !peers[1].leave("nowhere"));
    assert_eq!(queued(room.emit("n", &2).unwrap()), 2, "the audience is looked up each time");
    assert_eq!(queued(server.group("nowhere").emit("n", &3).unwrap()), 0);
    assert_eq!(queued(server.broadcast("n", &4).unwrap()), 5);
    runtime.run();
    let mut got = heard.take();
    got.sort_unstable();
    assert_eq!(got, [(0, 2), (0, 4), (1, 4), (2, 2), (2, 4), (3, 4), (4, 4)]);
}

#[test]
fn all_but_the_sender_are_reached_in_a_group_and_among_everybody() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config());
    let (clients, peers, heard) = crowd(&runtime, &server, 4);
    server.on("enter", |peer, room: String| peer.join(room));
    server.on("say", |peer, (room, n): (String, u64)| peer.group(&room).except(peer).emit("n", &n).map(drop));
    server.on("shout", |peer, n: u64| peer.all().except(peer).emit("n", &n).map(drop));
    for client in &clients[..3] {
        client.emit("enter", "room").unwrap();
    }
    runtime.run();
    assert!(peers[0].groups().len() == 1 && peers[3].groups().is_empty());
    clients[1].emit("say", &("room", 7)).unwrap();
    runtime.run();
    let mut got = heard.take();
    got.sort_unstable();
    assert_eq!(got, [(0, 7), (2, 7)]);
    clients[3].emit("shout", &8).unwrap();
    runtime.run();
    let mut got = heard.take();
    got.sort_unstable();
    assert_eq!(got, [(0, 8), (1, 8), (2, 8)]);
    let two_less = server.all().except(&peers[0]).except(&peers[3]);
    assert_eq!((two_less.len(), two_less.contains(&peers[0]), two_less.contains(&peers[1])), (2, false, true));
    assert_eq!(two_less.peers(), peers[1..3]);
}

#[test]
fn membership_ends_with_the_connection_however_that_ends() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let (mut clients, peers, _) = crowd(&runtime, &server, 4);
    let at_the_end = Log::default();
    let to = at_the_end.clone();
    server.on_disconnect(move |peer, _| to.push(names(peer)));
    server.on("panic", |_: &Peer, ()| -> () { panic!("a handler") });
    for (number, peer) in peers.iter().enumerate() {
        peer.join("all").unwrap();
        peer.join(format!("of {number}")).unwrap();
    }
    assert_eq!(server.groups().len(), 5);
    clients[0].disconnect();
    peers[1].abort();
    let _ = clients[2].emit("panic", &());
    runtime.run();
    assert_eq!(server.group("all").peers(), peers[3..]);
    assert_eq!(server.groups().len(), 2, "a group that nobody is in is gone");
    // What it was in is still known to the handler that hears of its end, and to whoever keeps the peer.
    assert!(at_the_end.take().contains(&vec!["all".to_owned(), "of 0".to_owned()]));
    assert_eq!(names(&peers[0]), ["all", "of 0"]);
    assert_eq!(peers[0].join("again"), Err(JoinError::Closed));
    assert!(!peers[0].leave("all"));
    drop(clients.pop());
    runtime.drop_tasks();
    assert_eq!(server.groups(), [] as [Arc<str>; 0]);
}

#[test]
fn a_peer_that_joins_in_its_own_connect_handler_is_in_from_the_start() {
    let runtime = Fake::new(4);
    let server = server(&runtime, config());
    server.on_connect(|peer| peer.join("lobby").unwrap());
    runtime.block_on(server.start()).unwrap();
    let client = connect(&runtime, config());
    assert_eq!(server.group("lobby").len(), 1);
    client.disconnect();
    runtime.run();
    assert!(server.group("lobby").is_empty() && server.groups().is_empty());
}

#[test]
fn how_many_groups_and_how_long_names_is_bounded_with_an_error_that_says_so() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config().max_groups(2));
    let (_clients, peers, _) = crowd(&runtime, &server, 2);
    peers[0].join("a").unwrap();
    peers[0].join("b").unwrap();
    let error = peers[0].join("c").unwrap_err();
    assert_eq!(error, JoinError::TooMany { limit: 2 });
    assert!(error.to_string().contains("maxGroups"), "{error}");
    peers[0].join("b").expect("it is in already");
    peers[1].join("c").expect("the bound is for each peer");
    assert!(peers[0].leave("a"));
    peers[0].join("c").unwrap();
    assert_eq!(names(&peers[0]), ["b", "c"]);

    let long = "é".repeat(MAX_GROUP_NAME / 2);
    peers[1].join(&long).unwrap();
    assert!(peers[1].leave(&long));
    let error = peers[1].join(format!("{long}x")).unwrap_err();
    assert_eq!(error, JoinError::NameTooLong { length: MAX_GROUP_NAME + 1, limit: MAX_GROUP_NAME });

    let none = Fake::new(6);
    let server = serve(&none, config().max_groups(0));
    let (_clients, peers, _) = crowd(&none, &server, 1);
    assert_eq!(peers[0].join("a"), Err(JoinError::TooMany { limit: 0 }));
}

#[test]
fn sending_to_a_group_waits_for_its_slowest_member() {
    let runtime = Fake::new(7);
    runtime.network().set_script(ipc_driver::fake::Script::both(ipc_driver::fake::Wire::default().capacity(300)));
    let server = serve(&runtime, config().max_pending_bytes(500));
    let (_clients, peers, heard) = crowd(&runtime, &server, 1);
    peers[0].join("room").unwrap();
    let mut end = dial(&runtime);
    let slow = server.peers().pop().unwrap();
    slow.join("room").unwrap();
    let done = Log::default();
    let (to, room) = (done.clone(), server.group("room"));
    ipc_driver::runtime::Runtime::spawn(&runtime, async move {
        for n in 0..200_u64 {
            assert_eq!(room.send("n", &n).await.unwrap().queued, 2);
        }
        to.push(());
    });
    runtime.run();
    assert_eq!(done.len(), 0, "one of them does not read");
    assert!(heard.len() < 100);
    let mut bytes = Vec::new();
    while numbers(&bytes).len() < 200 {
        bytes.extend(runtime.block_on(end.receive()).unwrap());
    }
    runtime.run();
    assert_eq!((done.len(), heard.len()), (1, 200));
    assert_eq!(numbers(&bytes), (0..200).collect::<Vec<_>>());
}

#[test]
fn an_audience_does_not_keep_the_server_and_reaches_nobody_once_it_has_gone() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let (clients, peers, _) = crowd(&runtime, &server, 2);
    peers[0].join("room").unwrap();
    let (room, all) = (server.group("room"), server.all());
    drop(server);
    runtime.run();
    drop(clients);
    runtime.run();
    assert!(peers.iter().all(Peer::is_closed));
    assert!(room.is_empty() && all.is_empty());
    assert_eq!(queued(room.emit("n", &1).unwrap()), 0);
}

#[test]
fn messages_frames_and_bytes_go_to_a_group_too() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    let (_clients, peers, heard) = crowd(&runtime, &server, 2);
    peers[0].join("room").unwrap();
    let room = server.group("room");
    let message = ipc_driver::Message::new("n", &1).unwrap();
    assert_eq!(queued(room.emit_message(&message).unwrap()), 1);
    let frame = ipc_driver::Frame::new(server.settings(), "n", &2).unwrap();
    assert_eq!(queued(room.emit_frame(&frame)), 1);
    assert_eq!(queued(runtime.block_on(room.send_frame(&frame))), 1);
    assert!(room.emit_raw("bytes").is_err(), "not on a framed server");
    runtime.run();
    assert_eq!(heard.take(), [(0, 1), (0, 2), (0, 2)]);
}

/// A handler that holds a clone of the server keeps it for ever; one that knows the others by its peer, or by an audience, does not.
#[test]
fn a_server_whose_handlers_reach_the_others_is_gone_when_it_is_dropped() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    let kept = Arc::new(());
    let (in_handler, everybody) = (Arc::clone(&kept), server.all());
    server.on("say", move |peer, n: u64| {
        let _as_long_as_the_handler = &in_handler;
        peer.join("room")?;
        peer.group("room").except(peer).emit("n", &n).map_err(ipc_driver::BoxError::from)?;
        everybody.emit("n", &n).map(drop).map_err(ipc_driver::BoxError::from)
    });
    let (clients, peers, heard) = crowd(&runtime, &server, 2);
    for (client, n) in clients.iter().zip(1_u64..) {
        client.emit("say", &n).unwrap();
        runtime.run();
    }
    let mut all = heard.take();
    all.sort_unstable();
    assert_eq!(all, [(0, 1), (0, 2), (0, 2), (1, 1), (1, 2)]);
    let room = peers[0].group("room");
    assert_eq!((room.len(), peers[1].all().len()), (2, 2));

    drop((server, clients));
    runtime.advance(SECOND);
    assert_eq!(Arc::strong_count(&kept), 1, "the handler has gone");
    // Whoever still holds a peer or an audience finds nobody.
    assert_eq!((room.len(), peers[1].all().len()), (0, 0));
    assert_eq!(queued(room.emit("n", &3).unwrap()), 0);
}
