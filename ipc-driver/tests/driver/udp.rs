//! UDP servers: who is heard, answered, remembered and forgotten, and how they start and stop. What is bounded is in
//! `udp_bounds`.

use crate::world::*;
use ipc_driver::fake::{Datagrams, Fake, Weather};
use ipc_driver::runtime::{DatagramSocket, Runtime};
use ipc_driver::{
    Client, Config, ConnectError, ConnectionError, DatagramError, EmitError, Endpoint, EndpointError, Message,
    OnMalformed, PeerRemoval, ServeError, Server, UdpEvent, UdpPeer, UdpServer,
};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

pub(crate) type FakeUdp = UdpServer<Fake>;

pub(crate) fn udp_endpoint() -> Endpoint {
    Endpoint::Udp4 { host: "127.0.0.1".into(), port: 8000 }
}

/// A server that has started.
pub(crate) fn serve_udp(runtime: &Fake, config: Config) -> FakeUdp {
    let server = UdpServer::with_runtime(runtime.clone(), settings(config), udp_endpoint()).expect("a server");
    runtime.block_on(server.start()).unwrap();
    runtime.run();
    server
}

/// A raw socket.
pub(crate) fn socket(runtime: &Fake) -> Datagrams {
    runtime.bind(&["127.0.0.1:0".parse().unwrap()], &settings(config())).unwrap()
}

pub(crate) fn here() -> SocketAddr {
    "127.0.0.1:8000".parse().unwrap()
}

pub(crate) fn whereabouts(socket: &Datagrams) -> SocketAddr {
    socket.local_address().unwrap()
}

/// Sends to the server, and lets it run.
pub(crate) fn tell(runtime: &Fake, socket: &mut Datagrams, bytes: impl AsRef<[u8]>) {
    runtime.block_on(socket.send(bytes.as_ref(), here())).unwrap();
    runtime.run();
}

/// What has arrived, as texts.
pub(crate) fn arrived(runtime: &Fake, socket: &mut Datagrams) -> Vec<String> {
    runtime.run();
    let mut texts = Vec::new();
    while runtime.ether().waiting_at(whereabouts(socket)).is_some_and(|waiting| waiting > 0) {
        let (bytes, _) = runtime.block_on(socket.receive()).unwrap();
        texts.push(String::from_utf8(bytes).unwrap());
    }
    texts
}

pub(crate) fn udp_event(event: &UdpEvent) -> String {
    match event {
        UdpEvent::Started(endpoint) => format!("started {endpoint}"),
        UdpEvent::PeerAdded(peer) => format!("+{}", peer.address().port()),
        UdpEvent::PeerRemoved { peer, reason } => format!("-{} {reason:?}", peer.address().port()),
        UdpEvent::Message(peer, message) => format!("message {} {}", peer.address().port(), message.name()),
        UdpEvent::Data(peer, bytes) => format!("data {} {bytes:?}", peer.address().port()),
        UdpEvent::Error { peer, error } => {
            format!("error {:?} {error}", peer.as_ref().map(|peer| peer.address().port()))
        }
        UdpEvent::Stopped => "stopped".into(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn udp_lifecycle(server: &FakeUdp) -> Log<String> {
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| to.push(udp_event(event)));
    log
}

#[test]
fn an_event_is_answered_to_its_sender_whatever_kind_of_emit() {
    let runtime = Fake::new(1);
    let server = serve_udp(&runtime, config());
    server.on("m", |peer, message: Message| {
        peer.emit("emit", &1)?;
        peer.signal("signal")?;
        peer.emit_message(&message)?;
        peer.emit_json("json", Some("[1]"))?;
        peer.emit_envelope(Some("5"), None)
    });
    server.on_event("m", UdpPeer::emit_event);
    let (mut one, mut two) = (socket(&runtime), socket(&runtime));
    tell(&runtime, &mut one, frame("m", 7));
    let expected = [
        "{\"type\":\"emit\",\"data\":1}\u{c}",
        "{\"type\":\"signal\",\"data\":{}}\u{c}",
        "{\"type\":\"m\",\"data\":7}\u{c}",
        "{\"type\":\"json\",\"data\":[1]}\u{c}",
        "{\"type\":5}\u{c}",
        "{\"type\":\"m\",\"data\":7}\u{c}",
    ];
    assert_eq!(arrived(&runtime, &mut one), expected);
    assert_eq!(arrived(&runtime, &mut two), [""; 0]);
    let counters = server.counters();
    assert_eq!((counters.sent, counters.received.datagrams, counters.received.messages), (6, 1, 1));
}

#[test]
fn two_servers_speak_to_each_other_in_any_weather_and_every_event_is_whole() {
    let runtime = Fake::new(2);
    runtime.ether().set_weather(Weather::default().loss(20).doubles(20).delay(10 * MILLISECOND));
    let server = serve_udp(&runtime, config());
    server.on("n", |peer, n: u64| peer.emit("n", &(n + 1000)));
    let other = UdpServer::with_runtime(
        runtime.clone(),
        settings(config()),
        Endpoint::Udp4 { host: "localhost".into(), port: 0 },
    )
    .unwrap();
    let log = Log::default();
    let to = log.clone();
    other.on("n", move |_, n: u64| to.push(n));
    runtime.block_on(other.start()).unwrap();
    for n in 0..200_u64 {
        other.emit_to(here(), "n", &n).unwrap();
    }
    runtime.advance(SECOND);
    let heard = log.take();
    assert!(heard.iter().all(|n| (1000..1200).contains(n)));
    assert!(heard.len() > 100 && heard.len() < 300, "{}", heard.len());
    assert!(!heard.is_sorted(), "some were overtaken");
    assert_eq!(other.counters().received.malformed, 0);
}

#[test]
fn a_broadcast_reaches_everybody_who_was_heard_or_added() {
    let runtime = Fake::new(3);
    let server = serve_udp(&runtime, config());
    let mut ends: Vec<_> = (0..5).map(|_| socket(&runtime)).collect();
    assert_eq!(server.broadcast("n", &0).unwrap().queued, 0);
    for end in &mut ends[..3] {
        tell(&runtime, end, frame("hello", 1));
    }
    server.add_peer(whereabouts(&ends[3])).unwrap();
    let outcome = server.broadcast("n", &7).unwrap();
    assert_eq!((outcome.queued, outcome.full, outcome.closed), (4, 0, 0));
    let heard: Vec<_> = ends.iter_mut().map(|end| arrived(&runtime, end).len()).collect();
    assert_eq!(heard, [1, 1, 1, 1, 0]);
    assert!(server.remove_peer(whereabouts(&ends[0])) && server.remove_peer(whereabouts(&ends[3])));
    assert!(!server.remove_peer(whereabouts(&ends[4])));
    assert_eq!(server.broadcast("n", &8).unwrap().queued, 2);
    assert_eq!(server.peers().len(), 2);
    assert!(matches!(server.broadcast("n", &"x".repeat(70_000)), Err(EmitError::TooLarge { .. })));
    assert!(matches!(server.add_peer("[::1]:1".parse().unwrap()), Err(DatagramError::Address { .. })));
}

#[test]
fn a_silent_peer_is_forgotten_when_its_time_is_up() {
    let runtime = Fake::new(4);
    let server = serve_udp(&runtime, config().udp_peer_expiry(60 * SECOND));
    let log = udp_lifecycle(&server);
    let (mut one, mut two) = (socket(&runtime), socket(&runtime));
    let ports = [whereabouts(&one).port(), whereabouts(&two).port()];
    tell(&runtime, &mut one, frame("m", 1));
    tell(&runtime, &mut two, frame("m", 1));
    runtime.advance(40 * SECOND);
    tell(&runtime, &mut two, frame("m", 2));
    runtime.advance(40 * SECOND);
    let added = ports.map(|port| format!("+{port}"));
    assert_eq!(log.take(), [&added[0], &added[1], &format!("-{} Expired", ports[0])].map(String::clone));
    assert_eq!(server.peers(), [server.peer(whereabouts(&two))]);
    runtime.advance(40 * SECOND);
    assert_eq!(log.take(), [format!("-{} Expired", ports[1])]);
    assert!(server.is_empty());
    let polls = |runtime: &Fake| runtime.tasks().iter().map(|task| task.polls).sum::<usize>();
    let before = polls(&runtime);
    runtime.advance(SECOND * 3600);
    assert_eq!(polls(&runtime), before, "a waiting server is not polled");
}

#[test]
fn two_frames_in_a_datagram_and_a_frame_in_two_are_put_together_for_each_peer() {
    let runtime = Fake::new(5);
    let server = serve_udp(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    server.on("n", move |peer, n: u64| to.push((peer.address().port(), n)));
    let (mut one, mut two) = (socket(&runtime), socket(&runtime));
    let (a, b) = (whereabouts(&one).port(), whereabouts(&two).port());
    tell(&runtime, &mut one, frame("n", 1) + &frame("n", 2));
    let (whole_one, whole_two) = (frame("n", 3), frame("n", 4));
    tell(&runtime, &mut one, &whole_one[..9]);
    tell(&runtime, &mut two, &whole_two[..4]);
    tell(&runtime, &mut one, &whole_one[9..]);
    tell(&runtime, &mut two, &whole_two[4..]);
    assert_eq!(log.take(), [(a, 1), (a, 2), (a, 3), (b, 4)]);
    let lifecycle = udp_lifecycle(&server);
    tell(&runtime, &mut one, &whole_one[..9]);
    runtime.advance(6 * SECOND);
    let late =
        format!("error Some({a}) the peer broke the protocol: incomplete message exceeded messageTimeout (5s); ");
    let told = lifecycle.take();
    assert!(told.len() == 1 && told[0].starts_with(&late), "{told:?}");
}

#[test]
fn an_event_of_any_name_is_never_a_lifecycle_event() {
    let runtime = Fake::new(6);
    let server = serve_udp(&runtime, config());
    let mut events = server.events();
    let mut end = socket(&runtime);
    let port = whereabouts(&end).port();
    for name in ["close", "connect", "error", "start"] {
        tell(&runtime, &mut end, frame(name, 1));
    }
    let mut heard = Vec::new();
    runtime.block_on(async {
        for _ in 0..5 {
            heard.push(udp_event(&events.recv().await.unwrap()));
        }
    });
    let names = ["close", "connect", "error", "start"].map(|name| format!("message {port} {name}"));
    assert_eq!(heard[0], format!("+{port}"));
    assert_eq!(heard[1..], names);
    assert!(server.is_listening());
}

#[test]
fn raw_bytes_go_out_and_in_as_they_are_one_datagram_each() {
    let runtime = Fake::new(7);
    let server = serve_udp(&runtime, config().raw_buffer(true));
    server.on_data(|peer: &UdpPeer, bytes: &[u8]| peer.emit_raw(bytes));
    let mut end = socket(&runtime);
    runtime.block_on(async {
        for bytes in [&b"\x05\xff\x00\x0c"[..], b"", b"{\"type\":\"n\"}\x0c"] {
            end.send(bytes, here()).await.unwrap();
            assert_eq!(end.receive().await.unwrap(), (bytes.to_vec(), here()));
        }
    });
    assert!(matches!(server.emit_to(whereabouts(&end), "n", &1), Err(EmitError::WrongMode { .. })));
    assert_eq!(server.broadcast_raw(&b"all"[..]).unwrap().queued, 1);
    assert_eq!(arrived(&runtime, &mut end), ["all"]);
}

#[test]
fn a_handler_broadcasts_by_its_peer_and_keeps_no_server_that_is_dropped() {
    let runtime = Fake::new(3);
    let server = serve_udp(&runtime, config());
    let kept = std::sync::Arc::new(());
    let in_handler = std::sync::Arc::clone(&kept);
    server.on("say", move |peer, n: u64| {
        let _as_long_as_the_handler = &in_handler;
        peer.broadcast("said", &n).map(drop)
    });
    let (mut one, mut two) = (socket(&runtime), socket(&runtime));
    tell(&runtime, &mut one, frame("hello", 0));
    tell(&runtime, &mut two, frame("say", 7));
    assert_eq!(arrived(&runtime, &mut one), [frame("said", 7)]);
    assert_eq!(arrived(&runtime, &mut two), [frame("said", 7)], "the sender as well, as in node-ipc");
    let peer = server.peer(whereabouts(&one));
    drop(server);
    runtime.advance(SECOND);
    assert_eq!(std::sync::Arc::strong_count(&kept), 1, "the handler has gone");
    assert!(matches!(peer.broadcast("said", &8), Err(EmitError::Closed)));
}

#[test]
fn raw_datagrams_without_a_handler_go_to_the_stream() {
    let runtime = Fake::new(8);
    let server = serve_udp(&runtime, config().raw_buffer(true));
    let mut events = server.events();
    let mut end = socket(&runtime);
    tell(&runtime, &mut end, "abc");
    let port = whereabouts(&end).port();
    runtime.block_on(async {
        assert_eq!(udp_event(&events.recv().await.unwrap()), format!("+{port}"));
        assert_eq!(udp_event(&events.recv().await.unwrap()), format!("data {port} b\"abc\""));
    });
}

#[test]
fn a_malformed_message_is_reported_and_the_next_one_read_unless_that_is_forbidden() {
    for (malformed, expected) in [(OnMalformed::Report, &["error", "n"][..]), (OnMalformed::Close, &["error", "-"])] {
        let runtime = Fake::new(9);
        let mut config = config();
        config.malformed = malformed;
        let server = serve_udp(&runtime, config);
        let log = Log::default();
        let (one, two) = (log.clone(), log.clone());
        server.on("n", move |_, (): ()| one.push("n"));
        server.on_lifecycle(move |event| match event {
            UdpEvent::Error { peer: Some(_), error: ConnectionError::Protocol { fatal: false, .. } } => {
                two.push("error");
            }
            UdpEvent::PeerRemoved { reason: PeerRemoval::Malformed, .. } => two.push("-"),
            _ => {}
        });
        let mut end = socket(&runtime);
        tell(&runtime, &mut end, "no json\u{c}{\"type\":\"n\"}\u{c}");
        assert_eq!(log.take(), expected);
    }
}

#[test]
fn a_handler_that_fails_is_reported_and_the_socket_lives_on() {
    let runtime = Fake::new(10);
    let server = serve_udp(&runtime, config());
    let log = udp_lifecycle(&server);
    server.on("bad", |_, (): ()| Err::<(), _>("as told"));
    server.on("n", |_, _: u64| ());
    let mut end = socket(&runtime);
    let port = whereabouts(&end).port();
    tell(&runtime, &mut end, "{\"type\":\"bad\"}\u{c}");
    tell(&runtime, &mut end, frame("n", "no number"));
    let heard = log.take();
    assert_eq!(heard[0], format!("+{port}"));
    assert_eq!(heard[1], format!("error Some({port}) a handler of \"bad\" failed: as told"));
    assert!(heard[2].starts_with(&format!("error Some({port}) a handler of \"n\" failed: ")), "{heard:?}");
}

#[test]
fn a_panic_in_a_handler_closes_the_socket_cleanly_and_the_server_can_be_started_again() {
    let runtime = Fake::new(11);
    let server = serve_udp(&runtime, config());
    let log = udp_lifecycle(&server);
    server.on("panic", |_, (): ()| -> () { panic!("as told") });
    let mut end = socket(&runtime);
    let peer = server.peer(whereabouts(&end));
    peer.emit("n", &1).unwrap();
    runtime.ether().hold(true);
    runtime.ether().carry(whereabouts(&end), here(), b"{\"type\":\"panic\"}\x0c");
    runtime.run();
    assert_eq!(runtime.panics(), ["as told"]);
    assert!(!server.is_listening());
    assert!(matches!(peer.emit("n", &1), Err(EmitError::Closed)));
    assert_eq!(runtime.ether().waiting_at(here()), None);
    assert_eq!(log.take(), [format!("+{}", whereabouts(&end).port()), "stopped".into()]);
    assert_eq!(runtime.block_on(server.shutdown(SECOND)).messages, 1);
    runtime.ether().hold(false);
    runtime.block_on(server.start()).unwrap();
    peer.emit("n", &2).unwrap();
    assert_eq!(arrived(&runtime, &mut end), [frame("n", 2)]);
}

#[test]
fn a_runtime_that_drops_its_tasks_leaves_nobody_waiting() {
    let runtime = Fake::new(12);
    let server = serve_udp(&runtime, config());
    server.emit_to(here(), "n", &1).unwrap();
    runtime.drop_tasks();
    assert_eq!(runtime.block_on(server.shutdown(SECOND)).messages, 1);
    assert!(!server.is_listening());
    assert_eq!(server.counters().unsent, 1);
}

#[test]
fn it_stops_after_sending_what_is_queued_and_starts_again_knowing_its_peers() {
    let runtime = Fake::new(13);
    let server = serve_udp(&runtime, config());
    let log = udp_lifecycle(&server);
    let mut end = socket(&runtime);
    tell(&runtime, &mut end, frame("m", 1));
    assert!(matches!(runtime.block_on(server.start()), Err(ServeError::AlreadyListening { .. })));
    for n in 0..100 {
        server.broadcast("n", &n).unwrap();
    }
    server.stop();
    assert!(!server.is_listening());
    assert!(matches!(server.broadcast("n", &0), Err(EmitError::Closed)));
    assert_eq!(arrived(&runtime, &mut end).len(), 100);
    assert_eq!(runtime.ether().waiting_at(here()), None, "the port is free");
    server.stop();
    runtime.block_on(server.start()).unwrap();
    assert_eq!(server.broadcast("n", &1).unwrap().queued, 1);
    assert_eq!(arrived(&runtime, &mut end).len(), 1);
    let port = whereabouts(&end).port();
    let expected = [&format!("+{port}"), "stopped", "started udp4:127.0.0.1:8000"];
    assert_eq!(log.take(), expected);
    server.stop();
    runtime.block_on(server.start()).unwrap();
    assert!(server.is_listening(), "a start waits for the stop before it");
}

#[test]
fn what_a_sender_has_begun_is_given_up_when_the_socket_is_closed() {
    let runtime = Fake::new(13);
    let server = serve_udp(&runtime, config());
    let log = udp_lifecycle(&server);
    let mut end = socket(&runtime);
    tell(&runtime, &mut end, "{\"type\"");
    let kept = server.peer(whereabouts(&end));
    assert_eq!(server.counters().received.unfinished_dropped, 0);
    server.stop();
    runtime.block_on(server.start()).unwrap();
    assert_eq!(server.counters().received.unfinished_dropped, 1);
    log.take();
    tell(&runtime, &mut end, frame("m", 1));
    assert_eq!(log.take(), [""; 0], "what came afterwards is whole by itself");
    kept.emit("n", &1).unwrap();
    assert_eq!(arrived(&runtime, &mut end).len(), 1, "and it stays known");
}

#[test]
fn a_shutdown_gives_up_at_its_deadline_and_tells_what_was_not_sent() {
    let runtime = Fake::new(14);
    let server = serve_udp(&runtime, config());
    runtime.ether().hold(true);
    for n in 0..3 {
        server.emit_to(here(), "n", &n).unwrap();
    }
    let before = runtime.elapsed();
    let unsent = runtime.block_on(server.shutdown(2 * SECOND));
    assert_eq!((unsent.messages, runtime.elapsed() - before), (3, 2 * SECOND));
    assert_eq!(runtime.block_on(server.shutdown(SECOND)).messages, 3, "the last socket's");
    server.abort();
    assert!(runtime.tasks().is_empty());
}

#[test]
fn the_last_handle_closes_the_socket_and_a_peer_does_not_keep_it() {
    let runtime = Fake::new(15);
    let server = serve_udp(&runtime, config());
    let mut end = socket(&runtime);
    let kept = Log::default();
    let to = kept.clone();
    server.on("m", move |peer, (): ()| to.push(peer.clone()));
    tell(&runtime, &mut end, "{\"type\":\"m\"}\u{c}");
    let mut events = server.events();
    server.emit_to(whereabouts(&end), "n", &1).unwrap();
    let clone = server.clone();
    drop(server);
    runtime.run();
    assert!(clone.is_listening());
    drop(clone);
    assert_eq!(arrived(&runtime, &mut end).len(), 1);
    assert!(runtime.tasks().is_empty());
    assert!(matches!(kept.take()[0].emit("n", &1), Err(EmitError::Closed)));
    runtime.block_on(async { while events.recv().await.is_some() {} });
}

#[test]
fn it_tells_where_it_is_and_refuses_what_cannot_be() {
    let runtime = Fake::new(16);
    let bad = |config: Config, endpoint: Endpoint| {
        UdpServer::with_runtime(runtime.clone(), settings(config), endpoint).unwrap_err()
    };
    assert!(matches!(bad(config(), endpoint()), ServeError::Transport { .. }));
    let error = Server::with_runtime(runtime.clone(), settings(config()), udp_endpoint()).unwrap_err();
    assert_eq!(error.to_string(), "udp4:127.0.0.1:8000 cannot be used here: UdpServer serves over UDP");
    let error = Client::with_runtime(runtime.clone(), settings(config()), udp_endpoint()).unwrap_err();
    assert!(matches!(error, ConnectError::Transport { .. }));
    let mut encrypted = config();
    encrypted.tls = Some(Default::default());
    assert!(matches!(bad(encrypted, udp_endpoint()), ServeError::Endpoint(EndpointError::TlsOverUdp)));

    let server = FakeUdp::with_runtime(
        runtime.clone(),
        settings(config()),
        Endpoint::Udp4 { host: "localhost".into(), port: 0 },
    )
    .unwrap();
    assert_eq!(server.local_address(), None);
    assert!(matches!(server.emit_to(here(), "n", &1), Err(EmitError::Closed)));
    assert!(matches!(runtime.block_on(server.peer(here()).send("n", &1)), Err(EmitError::Closed)));
    runtime.block_on(server.start()).unwrap();
    let port = server.local_endpoint().port();
    assert!(port.is_some_and(|port| port > 0));
    assert_eq!(server.local_address().map(|address| address.port()), port);
    let second = FakeUdp::with_runtime(runtime.clone(), settings(config()), server.local_endpoint()).unwrap();
    let error = runtime.block_on(second.start()).unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }), "{error}");
    let nowhere = Endpoint::Udp6 { host: "localhost".into(), port: 0 };
    let error = FakeUdp::with_runtime(runtime.clone(), settings(config()), nowhere).unwrap();
    let error = runtime.block_on(error.start()).unwrap_err();
    assert!(error.to_string().contains("it has no IPv6 address"), "{error}");
}

#[test]
fn names_are_resolved_when_asked_for() {
    let runtime = Fake::new(17);
    let server = serve_udp(&runtime, config());
    runtime.network().set_name("both", ["::1".parse().unwrap(), "10.0.0.1".parse().unwrap()]);
    let resolve = |host: &str| runtime.block_on(server.resolve(host, 9)).map_err(|error| error.kind());
    assert_eq!(resolve("both"), Ok("10.0.0.1:9".parse().unwrap()));
    assert_eq!(resolve("::1"), Ok("127.0.0.1:9".parse().unwrap()), "as node-ipc has it");
    assert_eq!(resolve("nobody"), Err(std::io::ErrorKind::NotFound));
    assert_eq!(resolve("no host"), Err(std::io::ErrorKind::InvalidInput));
}

#[test]
fn a_start_given_up_leaves_a_server_that_can_be_started() {
    let runtime = Fake::new(18);
    let server = serve_udp(&runtime, config());
    runtime.ether().hold(true);
    server.emit_to(here(), "n", &1).unwrap();
    server.stop();
    assert!(poll_once(server.start()).is_pending(), "the stop is under way");
    runtime.ether().hold(false);
    runtime.advance(Duration::from_millis(1));
    runtime.block_on(server.start()).unwrap();
    assert!(server.is_listening());
}

#[test]
fn raw_datagrams_that_nobody_takes_are_counted() {
    let runtime = Fake::new(21);
    let server = serve_udp(&runtime, config().raw_buffer(true));
    let mut sender = socket(&runtime);
    for count in 1..=2 {
        tell(&runtime, &mut sender, "bytes");
        assert_eq!(server.counters().unhandled, count);
    }
    server.on_data(|_, _| {});
    tell(&runtime, &mut sender, "bytes");
    assert_eq!(server.counters().unhandled, 2);
}

#[test]
fn a_stream_that_is_opened_later_gets_the_next_event_of_a_known_peer() {
    let runtime = Fake::new(22);
    let server = serve_udp(&runtime, config());
    let mut sender = socket(&runtime);
    tell(&runtime, &mut sender, frame("n", 1));
    let mut events = server.events();
    tell(&runtime, &mut sender, frame("n", 2));
    let Poll::Ready(Some(event)) = poll_once(events.recv()) else { panic!("an event was sent") };
    assert_eq!(udp_event(&event), format!("message {} n", whereabouts(&sender).port()));
    assert_eq!(server.counters().unhandled, 1);
}

#[test]
fn a_shutdown_without_a_deadline_waits_for_as_long_as_it_takes() {
    let runtime = Fake::new(23);
    let server = serve_udp(&runtime, config());
    let mut end = socket(&runtime);
    runtime.ether().hold(true);
    server.emit_to(whereabouts(&end), "n", &1).unwrap();
    let (ending, log) = (server, Log::default());
    let to = log.clone();
    runtime.spawn(async move { to.push(ending.shutdown(Duration::MAX).await.messages) });
    runtime.advance(SECOND * 86_400);
    assert_eq!(log.len(), 0);
    runtime.ether().hold(false);
    assert_eq!(arrived(&runtime, &mut end), [frame("n", 1)]);
    assert_eq!(log.take(), [0]);
}
