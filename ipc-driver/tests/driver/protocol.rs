//! What a peer does wrong: reported or fatal, never more than its own connection.

use crate::journal::warnings;
use crate::world::*;
use ipc_driver::fake::{Fake, Script, Sizes, Wire};
use ipc_driver::{Code, Config, ConnectionError, OnMalformed};

fn code(error: &ConnectionError) -> Option<(Code, bool)> {
    match error {
        ConnectionError::Protocol { error, fatal, .. } => Some((error.code(), *fatal)),
        _ => None,
    }
}

#[test]
fn a_malformed_frame_is_reported_and_the_next_one_is_heard() {
    let runtime = Fake::new(1);
    runtime.network().set_script(Script::both(Wire::default().reads(Sizes::Random(5))));
    let server = serve(&runtime, config().malformed(OnMalformed::Report));
    let log = Log::default();
    let (one, two) = (log.clone(), log.clone());
    server.on("n", move |_, n: u64| one.push(format!("{n}")));
    server.on_error(move |_, error| two.push(format!("{:?}", code(error).unwrap())));
    let mut end = dial(&runtime);
    let all = frame("n", 1) + "nonsense\u{c}[1]\u{c}{\"type\":5}\u{c}\u{c}" + &frame("n", 2);
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    let seen = log.take();
    assert_eq!(seen.first().unwrap(), "1");
    assert_eq!(seen.last().unwrap(), "2");
    assert_eq!(seen[1..4], ["(InvalidJson, false)", "(InvalidMessage, false)", "(InvalidEvent, false)"]);
    assert_eq!(server.len(), 1);
}

#[test]
fn a_malformed_frame_closes_the_connection_where_the_settings_say_so() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config().malformed(OnMalformed::Close));
    let log = Log::default();
    let (one, two) = (log.clone(), log.clone());
    server.on("n", move |_, n: u64| one.push(format!("{n}")));
    server.on_error(move |_, error| two.push(format!("{:?}", code(error).unwrap())));
    let mut end = dial(&runtime);
    let all = frame("n", 1) + "nonsense\u{c}" + &frame("n", 2);
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    assert_eq!(log.take(), ["1", "(InvalidJson, true)"]);
    assert!(server.is_empty());
}

#[test]
fn a_client_does_not_return_to_a_server_that_broke_the_protocol() {
    let runtime = Fake::new(3);
    let mut listener = listen(&runtime);
    let client = client(&runtime, config().max_message_size(10));
    let log = client_lifecycle(&client);
    runtime.block_on(client.connect()).unwrap();
    let mut end = runtime.block_on(listener.accept()).unwrap();
    runtime.block_on(end.send(&[b' '; 100])).unwrap();
    runtime.advance(SECOND * 10);
    let log = log.take();
    assert_eq!(log.len(), 4, "{log:?}");
    assert!(log[1].starts_with("error the peer broke the protocol"), "{log:?}");
    assert_eq!(log[2..], ["disconnected, 0 unsent", "destroyed"]);
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_message_that_stays_unfinished_is_timed_out() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, Config::v14_guarded().id("world"));
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(code(error)));
    let mut end = dial(&runtime);
    // A busy connection is not timed out, though at every moment a message is unfinished.
    for n in 0..100 {
        let frame = frame("n", n);
        let (head, tail) = frame.split_at(5);
        runtime.block_on(end.send(head.as_bytes())).unwrap();
        runtime.advance(SECOND);
        runtime.block_on(end.send(tail.as_bytes())).unwrap();
    }
    runtime.advance(SECOND * 60);
    assert_eq!((server.len(), errors.len()), (1, 0));
    runtime.block_on(end.send(b"{\"type\"")).unwrap();
    runtime.advance(SECOND * 29);
    runtime.block_on(end.send(b":")).unwrap();
    runtime.run();
    assert_eq!(server.len(), 1);
    runtime.advance(SECOND);
    assert_eq!(errors.take(), [Some((Code::MessageTimeout, true))]);
    assert!(server.is_empty());
}

#[test]
fn a_reset_is_an_error_and_the_end_of_that_connection_only() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| to.push(server_event(event)));
    let (bad, _good) = (dial(&runtime), dial(&runtime));
    server.broadcast("n", &1).unwrap();
    bad.connection().reset();
    runtime.run();
    let log = log.take();
    assert_eq!(log.len(), 4, "{log:?}");
    assert!(log[2].starts_with("error #0 the connection broke"), "{log:?}");
    assert_eq!(log[3], "disconnected #0 by an error, 1 unsent");
    assert_eq!(server.len(), 1);
}

#[test]
fn a_crowd_of_errors_that_nobody_hears_is_a_line_in_the_log_and_not_a_flood() {
    let runtime = Fake::new(20);
    let server = serve(&runtime, config().malformed(OnMalformed::Report));
    let lines = warnings(|| {
        for _ in 0..10 {
            let mut end = dial(&runtime);
            runtime.block_on(end.send("x\u{c}".repeat(1000).as_bytes())).unwrap();
            runtime.run();
        }
        runtime.advance(SECOND);
        let mut end = dial(&runtime);
        runtime.block_on(end.send(b"x\x0c")).unwrap();
        runtime.run();
    });
    assert!(server.is_listening());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("unheard error") && lines[1].contains("unlogged=9999"), "{lines:?}");
}

#[test]
fn the_first_attempt_that_fails_is_logged_though_there_is_a_stream_which_nobody_reads_yet() {
    let runtime = Fake::new(21);
    let client = client(&runtime, config());
    let _unread = client.events();
    let lines = warnings(|| {
        assert!(poll_once(client.connect()).is_pending());
        runtime.advance(SECOND * 10);
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("cannot connect to"), "{lines:?}");

    // Connected and cut, it begins again; with a handler of errors it does not.
    let mut listener = listen(&runtime);
    let end = runtime.block_on(listener.accept()).unwrap();
    let lines = warnings(|| {
        drop((end, listener));
        runtime.advance(SECOND * 10);
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    let heard = Log::default();
    let to = heard.clone();
    client.on_error(move |error| to.push(error.to_string()));
    let mut listener = listen(&runtime);
    let end = runtime.block_on(listener.accept()).unwrap();
    let lines = warnings(|| {
        drop((end, listener));
        runtime.advance(SECOND * 10);
    });
    assert_eq!(lines, [""; 0]);
    assert!(heard.len() > 3);
}

#[test]
fn nor_does_a_server_flood_the_log_of_its_clients() {
    let runtime = Fake::new(21);
    let mut listener = listen(&runtime);
    let client = client(&runtime, config().malformed(OnMalformed::Report));
    let lines = warnings(|| {
        runtime.block_on(client.connect()).unwrap();
        let mut end = runtime.block_on(listener.accept()).unwrap();
        runtime.block_on(end.send("x\u{c}".repeat(1000).as_bytes())).unwrap();
        runtime.run();
        runtime.advance(SECOND);
        runtime.block_on(end.send(b"x\x0c")).unwrap();
        runtime.run();
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("unlogged=999"), "{lines:?}");
}

#[test]
fn an_error_that_a_handler_or_a_stream_of_the_server_gets_is_not_logged() {
    let broken = |hear: &dyn Fn(&FakeServer) -> Box<dyn std::any::Any>| {
        let runtime = Fake::new(23);
        let server = serve(&runtime, config().malformed(OnMalformed::Report));
        let _hears = hear(&server);
        warnings(|| {
            let mut end = dial(&runtime);
            runtime.block_on(end.send(b"x\x0c")).unwrap();
            runtime.run();
        })
        .len()
    };
    assert_eq!(broken(&|_| Box::new(())), 1);
    assert_eq!(broken(&|server| Box::new(server.on_error(|_, _| {}))), 0);
    assert_eq!(broken(&|server| Box::new(server.events())), 0);
}
