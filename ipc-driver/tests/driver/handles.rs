//! What handles say of themselves, and their shorter ways to what others do too.

use crate::udp::{FakeUdp, arrived, here, serve_udp, socket, tell, udp_endpoint, whereabouts};
use crate::world::*;
use futures_core::Stream;
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::{ClientEvent, ConnectError, ConnectionState, EmitError, EndReason, Failure, OnMalformed};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

#[test]
fn what_is_shown_of_a_handle_names_it_and_is_no_payload() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let udp = serve_udp(&runtime, config());
    let sender = socket(&runtime);
    udp.add_peer(whereabouts(&sender)).unwrap();
    let peer = server.peers().remove(0);
    let (at, udp_at, port) = (endpoint(), udp_endpoint(), whereabouts(&sender).port());
    assert_eq!(format!("{client:?}"), format!("Client {{ endpoint: {at:?}, connected: true, .. }}"));
    assert_eq!(format!("{:?}", client.emitter()), format!("Emitter {{ endpoint: {at:?}, .. }}"));
    assert_eq!(format!("{server:?}"), format!("Server {{ endpoint: {at:?}, peers: 1 }}"));
    assert_eq!(
        format!("{:?}", server.group("room").except(&peer)),
        format!("Audience {{ group: Some(\"room\"), except: [{:?}], .. }}", peer.id())
    );
    assert_eq!(format!("{udp:?}"), format!("UdpServer {{ endpoint: {udp_at:?}, peers: 1 }}"));
    assert_eq!(format!("{:?}", udp.peers()), format!("[UdpPeer(127.0.0.1:{port})]"));
    let request = client.request::<u8>("sum", "a secret").within(SECOND);
    assert_eq!(format!("{request:?}"), "PendingRequest { event: \"sum\", within: Some(1s), .. }");
}

#[test]
fn a_server_finds_its_peers_by_number_and_emits_to_one() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config());
    let (mut one, other) = (dial(&runtime), dial(&runtime));
    let [first, second] = server.peers().try_into().unwrap();
    assert_eq!(server.peer(first.id()), Some(first.clone()));
    assert_eq!(server.peer(second.id()), Some(second.clone()));
    server.emit(&first, "n", &7).unwrap();
    assert_eq!(numbers(&runtime.block_on(one.receive()).unwrap()), [7]);
    drop(other);
    runtime.run();
    assert_eq!(server.peer(second.id()), None);
    assert!(matches!(server.emit(&second, "n", &8), Err(EmitError::Closed)));
}

#[test]
fn a_raw_server_sends_the_same_bytes_to_all() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config().raw_buffer(true));
    let mut ends = [dial(&runtime), dial(&runtime)];
    assert_eq!(server.broadcast_raw("bytes").unwrap().queued, 2);
    for end in &mut ends {
        assert_eq!(runtime.block_on(end.receive()).unwrap(), b"bytes");
    }
    let framed = serve_udp(&runtime, config());
    assert!(matches!(framed.broadcast_raw("bytes"), Err(EmitError::WrongMode { .. })));
}

#[test]
fn all_handlers_of_a_name_are_taken_out_at_once_that_of_requests_included() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let heard = Log::default();
    for name in ["n", "n", "other"] {
        let to = heard.clone();
        client.on(name, move |_: u64| to.push(name));
    }
    client.on_request("n", |(): ()| Ok::<_, Failure>(()));
    client.off_all("n");
    server.broadcast("n", &1).unwrap();
    server.broadcast("other", &1).unwrap();
    let refused = runtime.block_on(server.peers()[0].request::<()>("n", &())).unwrap_err();
    assert_eq!(refused.failure().map(Failure::code), Some(Failure::NO_HANDLER));
    assert_eq!(heard.take(), ["other"]);
}

#[test]
fn a_client_that_is_asked_one_by_one_says_what_its_state_says() {
    let runtime = Fake::new(5);
    let client = client(&runtime, config().retry(SECOND).max_retries(1));
    let said = |client: &FakeClient| {
        let state = client.state();
        assert_eq!(client.is_connected(), state.is_connected());
        assert_eq!(client.is_waiting(), matches!(state, ConnectionState::Waiting { .. }));
        assert_eq!(client.is_destroyed(), state.is_ended());
        state
    };
    assert!(matches!(said(&client), ConnectionState::Idle));
    client.start();
    runtime.run();
    assert!(matches!(said(&client), ConnectionState::Waiting { .. }));
    let server = serve(&runtime, config());
    runtime.advance(SECOND);
    assert!(matches!(said(&client), ConnectionState::Connected));
    server.abort();
    runtime.advance(SECOND * 2);
    assert!(matches!(said(&client), ConnectionState::Ended { reason: EndReason::GaveUp, .. }));
}

#[test]
fn a_client_that_ended_for_a_broken_protocol_says_so_when_it_is_to_connect() {
    let runtime = Fake::new(6);
    let mut listener = listen(&runtime);
    let client = connect(&runtime, config().malformed(OnMalformed::Close));
    let mut end = runtime.block_on(listener.accept()).unwrap();
    runtime.block_on(end.send(b"{no\x0c")).unwrap();
    runtime.run();
    let error = runtime.block_on(client.connect()).unwrap_err();
    assert!(matches!(error, ConnectError::Ended { reason: EndReason::Protocol, .. }), "{error}");
}

#[test]
fn a_handler_ends_its_client_by_the_emitter() {
    let runtime = Fake::new(7);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let emitter = client.emitter();
    client.on("end", move |(): ()| emitter.disconnect());
    server.broadcast("end", &()).unwrap();
    runtime.run();
    assert!(client.is_destroyed() && server.is_empty());
}

#[test]
fn events_can_be_taken_as_from_any_stream() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let client = client(&runtime, config());
    let mut events = client.events();
    let mut next = || {
        runtime.run();
        Pin::new(&mut events).poll_next(&mut Context::from_waker(Waker::noop()))
    };
    assert!(next().is_pending());
    runtime.block_on(client.connect()).unwrap();
    assert!(matches!(next(), Poll::Ready(Some(ClientEvent::Connected))));
    server.broadcast("n", &1).unwrap();
    let Poll::Ready(Some(ClientEvent::Message(message))) = next() else { panic!("a message was sent") };
    assert_eq!(message.name(), "n");
    client.disconnect();
    assert!(matches!(next(), Poll::Ready(Some(ClientEvent::Disconnected { .. }))));
    assert!(matches!(next(), Poll::Ready(Some(ClientEvent::Destroyed))));
    assert!(matches!(next(), Poll::Ready(None)));
}

#[test]
fn a_broadcast_that_waits_for_room_counts_those_who_have_gone() {
    let runtime = Fake::new(9);
    runtime.network().set_script(Script::both(Wire::default().capacity(10)));
    let server = serve(&runtime, config().max_pending_bytes(50));
    let _ends = [dial(&runtime), dial(&runtime), dial(&runtime)];
    let peers = server.peers();
    let text = "x".repeat(60);
    for peer in &peers {
        peer.emit("n", &text).unwrap();
    }
    runtime.run();
    let all = server.all();
    let mut sending = pin!(all.send("n", &text));
    let mut poll = || sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    peers.iter().for_each(ipc_driver::Peer::abort);
    let Poll::Ready(outcome) = poll() else { panic!("nobody is left to wait for") };
    let outcome = outcome.unwrap();
    assert_eq!((outcome.queued, outcome.closed), (0, 3));
    runtime.run();
    assert_eq!(server.counters().traffic.waits, 1);
}

#[test]
fn peers_of_udp_are_alike_if_address_and_server_are() {
    let runtime = Fake::new(10);
    let server = serve_udp(&runtime, config());
    let other = FakeUdp::with_runtime(runtime, settings(config()), udp_endpoint()).unwrap();
    let address = "127.0.0.1:9000".parse().unwrap();
    assert_eq!(server.peer(address), server.clone().peer(address));
    assert_ne!(server.peer(address), server.peer(here()));
    assert_ne!(server.peer(address), other.peer(address));
}

#[test]
fn a_udp_server_knows_nobody_until_somebody_is_heard_or_added() {
    let runtime = Fake::new(11);
    let server = serve_udp(&runtime, config());
    let mut sender = socket(&runtime);
    assert_eq!((server.is_empty(), server.len()), (true, 0));
    tell(&runtime, &mut sender, frame("n", 1));
    assert_eq!((server.is_empty(), server.len()), (false, 1));
    server.broadcast("n", &2).unwrap();
    assert_eq!(arrived(&runtime, &mut sender), [frame("n", 2)]);
    assert!(server.remove_peer(whereabouts(&sender)));
    assert!(server.is_empty());
}
