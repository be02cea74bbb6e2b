//! TLS: streams after the handshake, and what becomes of a handshake that stalls, fails or comes to nothing.

use crate::certs::{HOST, authority, pair};
use crate::world::{Log, MILLISECOND, SECOND, client, client_lifecycle, config, connect, dial, drain, listen, serve};
use ipc_driver::fake::{Fake, Script, Sizes, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{
    ClientEvent, ConnectError, ConnectionError, HandshakeError, Peer, ServerEvent, TlsOptions, TlsVersion,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What is at the bottom of an error.
fn handshake_error(error: &io::Error) -> &HandshakeError {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error:?}"))
}

/// Handshakes that the server said have failed.
fn refusals(server: &crate::world::FakeServer) -> Log<HandshakeError> {
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| {
        if let ServerEvent::Refused { error, remote } = event {
            assert!(remote.address.is_some());
            to.push(handshake_error(error.io().unwrap()).clone());
        }
    });
    log
}

#[test]
fn events_go_both_ways_and_not_in_clear() {
    let runtime = Fake::new(1);
    let (server, client) = pair();
    let server = serve(&runtime, server);
    server.on("message", |peer: &Peer, text: String| {
        assert_eq!(peer.remote().tls, Some(TlsVersion::V1_3));
        assert!(peer.remote().certificates.is_empty());
        peer.emit("message", &format!("{text} world!"))
    });
    let client = connect(&runtime, client);
    let mut events = client.events();
    client.emit("message", "hello").unwrap();
    let answer = runtime.block_on(async {
        loop {
            if let Some(ClientEvent::Message(message)) = events.recv().await {
                return message.data::<String>().unwrap();
            }
        }
    });
    assert_eq!(answer, "hello world!");
    assert_eq!(server.refused(), 0);
}

#[test]
fn nothing_is_lost_or_torn_however_the_network_cuts_it() {
    let (server_config, client_config) = pair();
    for seed in 0..30 {
        let runtime = Fake::new(seed);
        let wire = Wire::default().capacity(5000).writes(Sizes::Random(3000)).reads(Sizes::Random(2000)).hiccups(20);
        runtime.network().set_script(Script::both(wire));
        let server = serve(&runtime, server_config.clone());
        server.on_event("n", Peer::emit_event);
        let client = connect(&runtime, client_config.clone());
        let mut events = client.events();
        let sender = client.clone();
        let sizes = [0, 1, 100, 16_000, 16_384, 40_000, 200_000];
        runtime.spawn(async move {
            for size in sizes {
                sender.send("n", &"x".repeat(size)).await.unwrap();
            }
        });
        runtime.block_on(async {
            for size in sizes {
                loop {
                    if let Some(ClientEvent::Message(message)) = events.recv().await {
                        assert_eq!(message.data::<String>().unwrap(), "x".repeat(size), "seed {seed}");
                        break;
                    }
                }
            }
            client.close().await.unwrap();
        });
        let report = runtime.block_on(server.shutdown(SECOND));
        assert_eq!((report.cut, server.refused()), (0, 0), "seed {seed}");
    }
}

#[test]
fn a_byte_at_a_time_shakes_hands_too() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().writes(Sizes::UpTo(1)).reads(Sizes::UpTo(1))));
    let (server, client) = pair();
    let server = serve(&runtime, server);
    connect(&runtime, client);
    runtime.run();
    assert_eq!(server.refused(), 0);
}

#[test]
fn a_close_sends_everything_and_is_no_error_to_the_other_side() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().capacity(1000)));
    let (server, client) = pair();
    let server = serve(&runtime, server);
    let ends = Log::default();
    let (to, received) = (ends.clone(), Log::default());
    server.on_lifecycle(move |event| {
        if let ServerEvent::Disconnected { had_error, unsent, .. } = event {
            to.push((*had_error, unsent.messages));
        }
    });
    let sink = received.clone();
    server.on("n", move |_: &Peer, n: u64| sink.push(n));
    let client = connect(&runtime, client);
    for n in 0..1000_u64 {
        client.emit("n", &n).unwrap();
    }
    runtime.block_on(client.close()).unwrap();
    runtime.run();
    assert_eq!(received.take(), (0..1000).collect::<Vec<_>>());
    assert_eq!(ends.take(), [(false, 0)]);
}

#[test]
fn an_end_without_a_farewell_is_an_end_and_no_error() {
    let runtime = Fake::new(1);
    let (server, client) = pair();
    let server = serve(&runtime, server);
    let ends = Log::default();
    let to = ends.clone();
    server.on_lifecycle(move |event| match event {
        ServerEvent::Disconnected { had_error, .. } => to.push(had_error.to_string()),
        ServerEvent::Error(_, error) => to.push(error.to_string()),
        _ => {}
    });
    let client = connect(&runtime, client);
    client.disconnect();
    runtime.run();
    assert_eq!(ends.take(), ["false"]);
}

#[test]
fn a_server_that_shuts_down_lets_its_clients_read_to_the_end() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().capacity(1000)));
    let (server, client) = pair();
    let server = serve(&runtime, server);
    let client = connect(&runtime, client);
    let log = Log::default();
    let to = log.clone();
    client.on("n", move |n: u64| to.push(n));
    for n in 0..1000_u64 {
        server.broadcast("n", &n).unwrap();
    }
    let report = runtime.block_on(server.shutdown(SECOND * 5));
    assert_eq!((report.clean, report.cut), (1, 0));
    runtime.run();
    assert_eq!(log.take(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_client_that_stalls_in_the_handshake_is_cut_after_ten_seconds() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0);
    let refused = refusals(&server);
    let mut stalled = dial(&runtime);
    runtime.advance(SECOND * 10 - MILLISECOND);
    assert_eq!(refused.len(), 0);
    runtime.advance(MILLISECOND);
    assert!(matches!(refused.take()[..], [HandshakeError::TimedOut(limit)] if limit == SECOND * 10));
    assert!(runtime.block_on(drain(&mut stalled)).0.is_empty());
    assert_eq!((server.refused(), server.len()), (1, 0));
}

#[test]
fn the_time_limit_is_an_option_and_holds_though_bytes_trickle_in() {
    let runtime = Fake::new(1);
    let authority = authority();
    let options = authority.issue(HOST).options().handshake_timeout(SECOND);
    let server = serve(&runtime, config().tls(options));
    let refused = refusals(&server);
    let mut trickle = dial(&runtime);
    runtime.block_on(async {
        // The beginning of a record that is said to be long.
        for byte in [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc] {
            let _cut = trickle.send(&[byte]).await;
            runtime.sleep(MILLISECOND * 150).await;
        }
    });
    assert!(matches!(refused.take()[..], [HandshakeError::TimedOut(_)]));
}

#[test]
fn a_stalled_handshake_holds_no_place_among_the_peers() {
    let runtime = Fake::new(1);
    let (server, client) = pair();
    let server = serve(&runtime, server.max_connections(2));
    let _stalled = dial(&runtime);
    let _connected = [connect(&runtime, client.clone()), connect(&runtime, client)];
    runtime.run();
    assert_eq!((server.len(), server.refused()), (2, 0));
    assert!(runtime.elapsed() < SECOND);
}

#[test]
fn of_too_many_handshakes_the_oldest_is_cut() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0.max_connections(200));
    let refused = refusals(&server);
    let mut stalled: Vec<_> = (0..201).map(|_| dial(&runtime)).collect();
    runtime.run();
    assert!(matches!(refused.take()[..], [HandshakeError::Crowded(200)]));
    assert!(runtime.block_on(stalled[0].receive()).unwrap().is_empty());
    assert!(runtime.elapsed().is_zero());
    runtime.advance(SECOND * 10);
    assert_eq!(refused.len(), 200);
}

#[test]
fn a_few_that_stall_do_not_cut_a_slow_handshake_though_few_connections_are_allowed() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0.max_connections(1));
    let refused = refusals(&server);
    let slow = dial(&runtime);
    let stalled: Vec<_> = (0..127).map(|_| dial(&runtime)).collect();
    runtime.run();
    assert_eq!(refused.len(), 0);
    let _one_more = dial(&runtime);
    runtime.run();
    assert!(matches!(refused.take()[..], [HandshakeError::Crowded(128)]));
    drop((slow, stalled));
}

#[test]
fn those_that_stall_make_way_when_there_are_no_descriptors_left() {
    let runtime = Fake::new(1);
    let (server, client) = pair();
    let server = serve(&runtime, server);
    let refused = refusals(&server);
    let _stalled: Vec<_> = (0..9).map(|_| dial(&runtime)).collect();
    runtime.run();
    assert_eq!(refused.len(), 0);
    runtime.network().fail_accepts(24, 1);
    let _client = connect(&runtime, client);
    assert!(matches!(refused.take()[..], [HandshakeError::Crowded(9), .., HandshakeError::Crowded(9)]));
    assert_eq!(server.refused(), 5);
    assert!(runtime.elapsed() < SECOND);
}

#[test]
fn a_full_server_refuses_before_the_handshake() {
    let runtime = Fake::new(1);
    let (server, client) = pair();
    let server = serve(&runtime, server.max_connections(1));
    let refused = refusals(&server);
    let _first = connect(&runtime, client);
    let mut second = dial(&runtime);
    assert!(runtime.block_on(second.receive()).unwrap().is_empty());
    assert_eq!((server.refused(), refused.len()), (1, 0));
}

#[test]
fn a_stop_ends_the_handshakes_under_way() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0);
    let refused = refusals(&server);
    let mut stalled = dial(&runtime);
    server.stop();
    assert!(runtime.block_on(stalled.receive()).unwrap().is_empty());
    assert_eq!(refused.len(), 0);
    runtime.run();
    assert!(runtime.tasks().is_empty(), "{:?}", runtime.tasks());
}

#[test]
fn a_reset_in_the_handshake_says_that_it_was_in_the_handshake() {
    let runtime = Fake::new(1);
    let mut listener = listen(&runtime);
    let client = client(&runtime, pair().1.max_retries(0));
    client.start();
    client.set_stop_retrying(true);
    let first = runtime.block_on(listener.accept()).unwrap();
    first.connection().reset();
    let error = runtime.block_on(client.connect()).unwrap_err();
    let ConnectError::GaveUp { last: Some(last), .. } = &error else { panic!("{error:?}") };
    assert!(matches!(handshake_error(last), HandshakeError::Closed), "{last:?}");
}

#[test]
fn a_server_that_stalls_fails_the_attempt_and_the_next_follows() {
    let runtime = Fake::new(1);
    let mut listener = listen(&runtime);
    let client = client(&runtime, pair().1.retry(SECOND).max_retries(1));
    let log = client_lifecycle(&client);
    client.start();
    let (mut first, _second) = runtime.block_on(async {
        let first = listener.accept().await.unwrap();
        (first, listener.accept().await.unwrap())
    });
    assert_eq!(runtime.elapsed(), SECOND * 11);
    assert!(runtime.block_on(drain(&mut first)).0.starts_with(&[0x16, 3]), "it says hello");
    let error = runtime.block_on(client.connect()).unwrap_err();
    let ConnectError::GaveUp { last: Some(last), .. } = &error else { panic!("{error:?}") };
    assert!(matches!(handshake_error(last), HandshakeError::TimedOut(limit) if *limit == SECOND * 10));
    assert_eq!(last.kind(), io::ErrorKind::TimedOut);
    let failed = "error cannot connect to tcp:127.0.0.1:8000: \
                  the TLS handshake was not complete after 10000 ms (tls.handshakeTimeout): \
                  the peer may hang, be slow, or not speak TLS";
    let expected = [failed, "disconnected, again in 1s, 0 unsent", failed, "disconnected, 0 unsent", "destroyed"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_plain_client_at_a_tls_port_ends_in_a_clear_error_on_both_sides() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0);
    let refused = refusals(&server);
    let client = client(&runtime, config().max_retries(0));
    let errors = Log::default();
    let to = errors.clone();
    client.on_error(move |error| to.push(error.to_string()));
    client.start();
    client.set_stop_retrying(true);
    runtime.run();
    client.emit("message", "in clear").unwrap();
    runtime.run();
    assert!(matches!(refused.take()[..], [HandshakeError::NotTls]));
    assert_eq!(errors.take(), ["the connection broke: the peer speaks TLS, and the option tls is not set here"]);
    assert!(!client.is_connected());
    assert!(runtime.elapsed() < SECOND * 2);
}

#[test]
fn a_plain_client_at_a_tls_port_is_connected_each_time_so_that_max_retries_does_not_end_it() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0);
    let client = client(&runtime, config().max_retries(1).retry(SECOND));
    let errors = Log::default();
    let to = errors.clone();
    client.on_error(move |error| to.push(error.to_string()));
    let emitter = client.emitter();
    client.on_connect(move || emitter.emit("message", "in clear").unwrap());
    client.start();
    runtime.advance(SECOND * 10);
    assert!(client.counters().connections > 5 && !client.is_destroyed(), "{:?}", client.counters());
    assert_eq!(errors.len() as u64, client.counters().connections);
    assert!(errors.take().iter().all(|error| error.contains("the option tls is not set here")));

    // One that is silent is ended by the server, when its time for the handshake is over.
    client.disconnect();
    let silent = connect(&runtime, config().max_retries(0).retry(SECOND * 60));
    runtime.advance(SECOND * 9);
    assert!(silent.is_connected());
    runtime.advance(SECOND * 2);
    assert!(!silent.is_connected() && server.is_empty());
}

#[test]
fn a_tls_client_at_a_plain_port_ends_in_a_clear_error_on_both_sides() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    let client = client(&runtime, pair().1.max_retries(0));
    let error = runtime.block_on(client.connect()).unwrap_err().to_string();
    assert!(error.contains("the peer ended the connection during the TLS handshake"), "{error}");
    assert_eq!(errors.take(), ["the connection broke: the peer speaks TLS, and the option tls is not set here"]);
    assert!(runtime.elapsed().is_zero());
}

#[test]
fn a_server_that_answers_in_clear_is_told_from_one_that_hangs_up() {
    let runtime = Fake::new(1);
    let mut listener = listen(&runtime);
    let client = client(&runtime, pair().1.max_retries(0));
    client.start();
    runtime.block_on(async {
        let mut stream = listener.accept().await.unwrap();
        stream.send(b"{\"type\":\"message\",\"data\":1}\x0c").await.unwrap();
        let ConnectError::GaveUp { last: Some(last), .. } = client.connect().await.unwrap_err() else { panic!() };
        assert!(matches!(handshake_error(&last), HandshakeError::NotTls));
        assert_eq!(last.to_string(), "the peer does not speak TLS: is tls set there too?");
    });
}

#[test]
fn raw_bytes_that_look_like_tls_are_bytes() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config().raw_buffer(true));
    server.on_data(Peer::emit_raw);
    let mut raw = dial(&runtime);
    runtime.block_on(async {
        raw.send(&[0x16, 3, 1]).await.unwrap();
        assert_eq!(raw.receive().await.unwrap(), [0x16, 3, 1]);
    });
}

#[test]
fn the_second_connection_of_a_client_resumes_the_session_of_the_first() {
    let authority = authority();
    let identity = authority.issue(HOST);
    let length = identity.certificate.der().len();
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let runtime = Fake::new(1);
        let server = serve(&runtime, config().tls(identity.options()));
        let client = client(&runtime, config().tls(TlsOptions::new().ca(authority.cert())).retry(MILLISECOND));
        if versions == [&rustls::version::TLS12] {
            client.set_tls(tls12(&authority)).unwrap();
        }
        let connected = Log::default();
        let to = connected.clone();
        server.on_connect(move |peer| to.push(peer.remote().tls));
        runtime.block_on(client.connect()).unwrap();
        runtime.run();
        server.peers()[0].abort();
        runtime.advance(SECOND);
        let sent: Vec<_> = runtime.network().connections().iter().map(|one| one.to_client().written).collect();
        assert_eq!(connected.len(), 2);
        assert!(sent[1] + length < sent[0], "{versions:?}: {sent:?} bytes: the certificate came again");
    }
}

/// A configuration of the user's: TLS 1.2 only.
fn tls12(authority: &crate::certs::Identity) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[test]
fn failed_handshakes_wait_for_room_in_the_stream_and_do_not_fill_memory() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, pair().0.event_queue(2).max_connections(5));
    let mut events = server.events();
    for _ in 0..50 {
        let mut plain = dial(&runtime);
        let _refused = runtime.block_on(plain.send(b"GET / HTTP/1.1\r\n\r\n"));
        drop(plain);
        runtime.advance(Duration::from_millis(100));
    }
    let before = server.refused();
    assert!(before < 20, "{before} have been looked at, though nobody takes the events");
    let heard = runtime.block_on(async {
        let mut heard = 0;
        while heard < 50 {
            match events.recv().await {
                Some(ServerEvent::Refused { error: ConnectionError::Handshake(_), .. }) => heard += 1,
                Some(_) => {}
                None => break,
            }
        }
        heard
    });
    assert_eq!((heard, server.refused()), (50, 50));
}

#[test]
fn a_client_that_has_ended_its_side_still_gets_the_answers() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().latency(MILLISECOND * 10).capacity(2000)));
    let (server, client) = pair();
    let server = serve(&runtime, server);
    server.on_event("n", Peer::emit_event);
    let client = connect(&runtime, client);
    let answers = Log::default();
    let to = answers.clone();
    client.on("n", move |n: u64| to.push(n));
    for n in 0..100_u64 {
        client.emit("n", &n).unwrap();
    }
    runtime.block_on(client.close()).unwrap();
    assert_eq!(answers.take(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_client_told_to_end_during_its_handshake_ends_at_once() {
    let runtime = Fake::new(1);
    let mut listener = listen(&runtime);
    let client = client(&runtime, pair().1);
    client.start();
    let mut server_end = runtime.block_on(listener.accept()).unwrap();
    runtime.run();
    client.disconnect();
    runtime.run();
    assert!(client.is_destroyed());
    assert!(runtime.block_on(drain(&mut server_end)).1.is_none());
    assert!(runtime.elapsed().is_zero());
}

#[test]
fn whatever_a_peer_sends_is_an_error_and_never_a_panic() {
    for seed in 0..200 {
        let runtime = Fake::new(seed);
        let mut numbers = ipc_proto::SplitMix64::new(seed);
        let server = serve(&runtime, pair().0);
        let mut peer = dial(&runtime);
        let length = numbers.next_u64() as usize % 300;
        let mut bytes: Vec<u8> = (0..length).map(|_| numbers.next_u64() as u8).collect();
        // Records of every kind, of a length that is there or not, sound or not inside.
        let header = [0x14 + (seed % 4) as u8, 3, (seed % 5) as u8, 0, length.min(200) as u8];
        bytes.splice(..0, header);
        if seed % 3 == 0 {
            // A hello that says how long it is.
            bytes.splice(5..5, [1, 0, 0, length.min(196) as u8, 3, 3]);
        }
        runtime.block_on(async {
            let _cut = peer.send(&bytes).await;
        });
        drop(peer);
        runtime.advance(SECOND * 20);
        assert_eq!(runtime.panics(), Vec::<String>::new(), "seed {seed}");
        assert_eq!((server.refused(), server.len()), (1, 0), "seed {seed}");
    }
}

#[test]
fn a_client_that_is_given_a_configuration_speaks_tls_without_the_option() {
    let authority = authority();
    let runtime = Fake::new(1);
    let server = serve(&runtime, config().tls(authority.issue(HOST).options()));
    let client = client(&runtime, config());
    client.set_tls(tls12(&authority)).unwrap();
    runtime.block_on(client.connect()).unwrap();
    runtime.run();
    assert_eq!(server.peers()[0].remote().tls, Some(TlsVersion::V1_2));
}

#[test]
fn a_farewell_that_the_network_holds_up_is_said_once_it_can_be() {
    let runtime = Fake::new(1);
    let (server, client) = pair();
    let server = serve(&runtime, server);
    let client = connect(&runtime, client);
    let connection = runtime.network().connections().remove(0);
    connection.set_script(Script::default().to_client(Wire::default().capacity(0)));
    let (closing, log) = (client.clone(), Log::default());
    let to = log.clone();
    runtime.spawn(async move { to.push(closing.close().await) });
    runtime.advance(SECOND);
    assert_eq!((server.len(), log.len()), (1, 0));
    connection.set_script(Script::default());
    runtime.run();
    assert_eq!((server.len(), log.take()), (0, vec![Ok(())]));
}

#[test]
fn silent_handles_say_nothing_of_their_handshakes() {
    let (server, client) = pair();
    for silent in [false, true] {
        let lines = crate::logging::recorded(tracing::Level::TRACE, || {
            let runtime = Fake::new(1);
            let _server = serve(&runtime, server.clone().silent(silent));
            connect(&runtime, client.clone().silent(silent));
        });
        let handshakes = lines.iter().filter(|line| line.contains("TLS handshake done")).count();
        assert_eq!(handshakes, if silent { 0 } else { 2 }, "{lines:#?}");
    }
}
