//! The server's book: who gets in, who is who, and what a stop does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeSet;

use crate::common::{sent, settings};
use ipc_proto::{Config, MAX_CLAIMED_ID, PeerId, RefuseReason, Server, ServerEvent};
use proptest::prelude::*;

fn listening(config: Config) -> Server {
    let mut server = Server::new(settings(config));
    server.start();
    assert_eq!(events(&mut server), [ServerEvent::Started]);
    server
}

fn events(server: &mut Server) -> Vec<ServerEvent> {
    std::iter::from_fn(|| server.poll_event()).collect()
}

fn accept(server: &mut Server) -> PeerId {
    let (peer, _connection) = server.handle_accept().unwrap();
    peer
}

fn disconnected(peer: PeerId, claimed_id: Option<&str>) -> ServerEvent {
    ServerEvent::Disconnected { peer, claimed_id: claimed_id.map(Into::into) }
}

#[test]
fn peers_come_and_go_and_are_told_apart() {
    let mut server = listening(Config::v9());
    let (first, second) = (accept(&mut server), accept(&mut server));
    assert_eq!((first.get(), second.get(), second.to_string().as_str()), (0, 1, "#1"));
    assert_eq!(server.peers().collect::<Vec<_>>(), [first, second]);
    server.handle_disconnected(first);
    assert!(!server.contains(first) && server.contains(second));
    assert_eq!((server.len(), server.is_empty()), (1, false));
    let told = [ServerEvent::Connected(first), ServerEvent::Connected(second), disconnected(first, None)];
    assert_eq!(events(&mut server), told);
}

#[test]
fn a_peer_is_reported_gone_once() {
    let mut server = listening(Config::v9());
    let peer = accept(&mut server);
    server.handle_disconnected(peer);
    server.handle_disconnected(peer);
    assert_eq!(events(&mut server), [ServerEvent::Connected(peer), disconnected(peer, None)]);
}

#[test]
fn an_accepted_connection_sends_without_waiting_for_answers_even_with_sync() {
    let mut server = listening(Config::v9().sync(true));
    let (_, mut connection) = server.handle_accept().unwrap();
    connection.outbound.emit("a", &1).unwrap();
    connection.outbound.emit("b", &2).unwrap();
    assert_eq!(sent(&mut connection.outbound).matches('\x0c').count(), 2);
}

#[test]
fn nobody_gets_in_beyond_max_connections_until_somebody_leaves() {
    let mut server = listening(Config::v9().max_connections(2));
    let first = accept(&mut server);
    accept(&mut server);
    let refusal = server.handle_accept().unwrap_err();
    assert_eq!(refusal, RefuseReason::Full { limit: 2 });
    assert!(refusal.to_string().contains("maxConnections"));
    server.handle_disconnected(first);
    accept(&mut server);
    assert_eq!(server.handle_accept().unwrap_err(), RefuseReason::Full { limit: 2 });
    assert_eq!((server.len(), server.refused()), (2, 2));
    let connected = events(&mut server).iter().filter(|event| matches!(event, ServerEvent::Connected(_))).count();
    assert_eq!(connected, 3, "a refused peer is no event");
}

#[test]
fn a_limit_of_zero_lets_nobody_in() {
    let mut server = listening(Config::v9().max_connections(0));
    assert_eq!(server.handle_accept().unwrap_err(), RefuseReason::Full { limit: 0 });
}

#[test]
fn nobody_gets_in_before_the_start_or_after_the_stop() {
    let mut server = Server::new(settings(Config::v9()));
    assert_eq!(server.handle_accept().unwrap_err(), RefuseReason::Stopped);
    server.start();
    let peer = accept(&mut server);
    server.stop();
    assert!(!server.is_listening());
    assert_eq!(server.handle_accept().unwrap_err(), RefuseReason::Stopped);
    assert!(server.contains(peer), "who is in stays");
    assert_eq!(events(&mut server), [ServerEvent::Started, ServerEvent::Connected(peer), ServerEvent::Stopped]);
}

#[test]
fn a_server_can_be_started_again_and_does_not_use_an_id_twice() {
    let mut server = listening(Config::v9());
    let first = accept(&mut server);
    server.handle_disconnected(first);
    server.stop();
    server.stop();
    server.start();
    server.start();
    let second = accept(&mut server);
    assert_ne!(first, second);
    let told = events(&mut server);
    assert_eq!(told[2..], [ServerEvent::Stopped, ServerEvent::Started, ServerEvent::Connected(second)]);
}

#[test]
fn stopping_what_never_started_is_no_event() {
    let mut server = Server::new(settings(Config::v9()));
    server.stop();
    assert_eq!(events(&mut server), []);
}

#[test]
fn the_last_claimed_id_counts_and_goes_out_with_the_peer() {
    let mut server = listening(Config::v9());
    let peer = accept(&mut server);
    assert_eq!(server.claimed_id(peer), None);
    server.handle_claimed_id(peer, r#""alpha""#);
    server.handle_claimed_id(peer, "7");
    assert_eq!(server.claimed_id(peer), Some("7"));
    server.handle_disconnected(peer);
    assert_eq!(server.claimed_id(peer), None);
    assert_eq!(events(&mut server)[1..], [disconnected(peer, Some("7"))]);
    server.handle_claimed_id(peer, "8");
    assert!(server.is_empty(), "who is gone claims nothing");
}

#[test]
fn an_id_of_any_length_does_not_fill_the_memory() {
    let mut server = listening(Config::v9());
    let peer = accept(&mut server);
    let longest = format!("\"{}\"", "i".repeat(MAX_CLAIMED_ID - 2));
    server.handle_claimed_id(peer, &longest);
    server.handle_claimed_id(peer, &format!("\"{}\"", "i".repeat(MAX_CLAIMED_ID - 1)));
    assert_eq!(server.claimed_id(peer), Some(&*longest));
}

#[test]
fn find_gives_all_who_claim_a_text_however_they_escape_it() {
    let mut server = listening(Config::v9());
    let peers: Vec<_> = (0..7).map(|_| accept(&mut server)).collect();
    let claims = [r#""é1""#, r#""\u00e91""#, r#""e1""#, "1", r#"{"é":1}"#, r#""\ud800""#];
    for (&peer, claim) in peers.iter().zip(claims) {
        server.handle_claimed_id(peer, claim);
    }
    assert_eq!(server.find("é1").collect::<Vec<_>>(), [peers[0], peers[1]]);
    assert_eq!(server.find("1").count(), 0, "a number is not its text");
    assert_eq!(server.find("").count(), 0);
    assert_eq!(server.find("\u{fffd}").count(), 0);
}

proptest! {
    #[test]
    fn the_book_agrees_with_a_plain_set(steps in prop::collection::vec((0_u8..5, 0_usize..8), 0..200)) {
        let mut server = listening(Config::v9().max_connections(4));
        let mut inside = BTreeSet::new();
        let mut ever = BTreeSet::new();
        for (what, which) in steps {
            match what {
                0 | 1 => match server.handle_accept() {
                    Ok((peer, _)) => {
                        prop_assert!(server.is_listening() && inside.len() < 4);
                        prop_assert!(inside.insert(peer));
                        prop_assert!(ever.insert(peer), "an id is never used twice");
                    }
                    Err(_) => prop_assert!(!server.is_listening() || inside.len() == 4),
                },
                2 => if let Some(&peer) = ever.iter().nth(which) {
                    server.handle_disconnected(peer);
                    inside.remove(&peer);
                },
                3 => server.stop(),
                _ => server.start(),
            }
            prop_assert_eq!(server.peers().collect::<Vec<_>>(), inside.iter().copied().collect::<Vec<_>>());
        }
        let (mut came, mut left) = (0, 0);
        for event in events(&mut server) {
            match event {
                ServerEvent::Connected(_) => came += 1,
                ServerEvent::Disconnected { .. } => left += 1,
                _ => {}
            }
        }
        prop_assert_eq!((came, came - left), (ever.len(), inside.len()));
    }
}
