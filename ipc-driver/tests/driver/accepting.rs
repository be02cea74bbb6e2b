//! Accepting: limits, failures of the operating system, and fairness.

use crate::world::*;
#[cfg(unix)]
use ipc_driver::HandOverError;
use ipc_driver::ServeError;
use ipc_driver::fake::Fake;
use ipc_driver::runtime::Runtime;
#[cfg(unix)]
use std::io::ErrorKind;

const EMFILE: i32 = 24;

const ECONNABORTED: i32 = if cfg!(windows) {
    10_053
} else if cfg!(target_vendor = "apple") {
    53
} else {
    103
};

fn accepting(runtime: &Fake) -> ipc_driver::fake::Task {
    runtime.tasks().into_iter().find(|task| task.name.contains("Accepting<")).unwrap()
}

#[test]
fn surplus_peers_are_closed_and_there_is_room_again_when_one_goes() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config().max_connections(2));
    let (one, _two) = (dial(&runtime), dial(&runtime));
    let mut three = dial(&runtime);
    assert_eq!(server.len(), 2);
    assert_eq!(runtime.block_on(three.receive()).unwrap(), b"");
    drop(one);
    runtime.run();
    let mut four = dial(&runtime);
    assert_eq!(server.len(), 2);
    server.broadcast("n", &1).unwrap();
    assert_eq!(numbers(&runtime.block_on(four.receive()).unwrap()), [1]);
}

#[test]
fn a_lack_of_descriptors_is_waited_out_without_spinning() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config());
    let before = accepting(&runtime).polls;
    runtime.network().fail_accepts(EMFILE, 20);
    let _end = dial(&runtime);
    assert!(server.is_empty());
    runtime.advance(MILLISECOND * 990);
    assert_eq!(runtime.network().failed_accepts(), 20);
    let polls = accepting(&runtime).polls - before;
    assert!(polls <= 22, "{polls}");
    assert!(server.is_empty());
    runtime.advance(MILLISECOND * 20);
    assert_eq!(server.len(), 1);
}

#[test]
fn a_server_that_cannot_accept_can_be_stopped() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    runtime.network().fail_accepts(EMFILE, usize::MAX >> 50);
    let mut end = dial(&runtime);
    runtime.advance(SECOND);
    let started = runtime.elapsed();
    runtime.block_on(server.shutdown(SECOND));
    assert_eq!(runtime.elapsed(), started);
    assert_eq!(runtime.tasks(), []);
    assert_eq!(runtime.block_on(end.receive()).unwrap(), b"");
}

#[test]
fn a_connection_that_broke_before_it_was_accepted_delays_nobody() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    runtime.network().fail_accepts(ECONNABORTED, 3);
    let _end = dial(&runtime);
    assert_eq!(server.len(), 1);
}

#[test]
fn a_crowd_of_new_peers_does_not_keep_the_others_waiting() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config().max_connections(10_000).accept_backlog(10_000));
    let before = accepting(&runtime).polls;
    let connected: Vec<_> = (0..1000).map(|_| poll_once(runtime.connect(&address(), server.settings()))).collect();
    runtime.run();
    assert_eq!(server.len(), 1000);
    let polls = accepting(&runtime).polls - before;
    assert!((10..1000).contains(&polls), "{polls}");
    drop(connected);
}

#[test]
fn of_two_starts_at_once_one_listens_and_the_other_says_so() {
    let runtime = Fake::new(6);
    runtime.network().delay_listening(MILLISECOND);
    let any_port = ipc_driver::Endpoint::Tcp { host: "127.0.0.1".into(), port: 0 };
    let server = FakeServer::with_runtime(runtime.clone(), settings(config()), any_port).expect("a server");
    let outcomes = Log::default();
    for _ in 0..2 {
        let (server, to) = (server.clone(), outcomes.clone());
        runtime.spawn(async move { to.push(server.start().await.is_ok()) });
    }
    runtime.advance(SECOND);
    let mut outcomes = outcomes.take();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [false, true]);
    assert_ne!(server.local_endpoint().port(), Some(0));
    server.stop();
    runtime.run();
    assert_eq!(runtime.tasks(), []);
}

#[test]
fn a_dropped_start_lets_the_next_one_through() {
    let runtime = Fake::new(8);
    runtime.network().delay_listening(MILLISECOND);
    let server = server(&runtime, config());
    assert!(poll_once(server.start()).is_pending());
    runtime.advance(SECOND);
    assert!(!server.is_listening());
    runtime.block_on(server.start()).unwrap();
}

#[test]
fn a_busy_endpoint_is_an_error_that_names_it() {
    let runtime = Fake::new(7);
    let _server = serve(&runtime, config());
    let second = server(&runtime, config());
    let error = runtime.block_on(second.start()).unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }));
    assert!(error.to_string().contains("127.0.0.1:8000"), "{error}");
}

#[test]
fn those_who_are_refused_fill_no_memory_where_nobody_hears_of_them() {
    let runtime = Fake::new(9);
    let server = server(&runtime, config().event_queue(4).max_connections(0).accept_backlog(1000));
    let mut events = server.events();
    runtime.block_on(server.start()).unwrap();
    let ends: Vec<_> = (0..500).map(|_| poll_once(runtime.connect(&address(), server.settings()))).collect();
    runtime.advance(SECOND);
    assert!(server.refused() < 20, "{}", server.refused());
    assert!(runtime.tasks().len() < 20);
    // Nobody is lost: all are told of as the stream is read.
    let told = Log::default();
    let to = told.clone();
    runtime.spawn(async move {
        while let Some(event) = events.recv().await {
            to.push(server_event(&event));
        }
    });
    runtime.advance(SECOND * 60);
    assert_eq!(server.refused(), 500);
    assert_eq!(told.take().iter().filter(|event| event.starts_with("Refused")).count(), 500);
    drop(ends);
}

#[test]
fn a_handler_of_refusals_that_panics_stops_nobody_from_accepting() {
    let runtime = Fake::new(10);
    let server = serve(&runtime, config().max_connections(1));
    server.on_refused(|_, _| panic!("on purpose"));
    let one = dial(&runtime);
    let _surplus = dial(&runtime);
    assert_eq!(runtime.panics().len(), 1);
    drop(one);
    runtime.run();
    let _next = dial(&runtime);
    assert_eq!((server.len(), server.refused()), (1, 1));
}

#[test]
fn a_filter_is_asked_before_there_is_a_peer() {
    let runtime = Fake::new(11);
    let server = server(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| to.push(server_event(event)));
    server.accept_if(|_: &ipc_driver::Remote| Err("nobody today"));
    runtime.block_on(server.start()).unwrap();
    let mut end = dial(&runtime);
    assert_eq!(runtime.block_on(end.receive()).unwrap(), b"");
    let log = log.take();
    assert_eq!((log.len(), log[0].as_str()), (2, "started"));
    assert!(log[1].starts_with("Refused") && log[1].contains("nobody today"), "{log:?}");
    server.accept_if(|_: &ipc_driver::Remote| true);
    let _next = dial(&runtime);
    assert_eq!((server.len(), server.refused()), (1, 1));
    assert_eq!(server.peers()[0].id().get(), 0);
}

#[test]
fn who_waits_to_be_accepted_is_not_when_a_server_only_stops() {
    let runtime = Fake::new(12);
    let server = serve(&runtime, config());
    let early = dial(&runtime);
    let late = poll_once(runtime.connect(&address(), server.settings()));
    server.stop();
    runtime.run();
    assert!(late.is_ready());
    assert_eq!((server.counters().accepted, server.refused(), server.len()), (1, 0, 1));
    drop(early);
}

#[test]
fn a_shutdown_takes_in_as_many_as_may_wait_and_one_more() {
    let runtime = Fake::new(13);
    let server = serve(&runtime, config().accept_backlog(4));
    let connected = Log::default();
    let (at, to) = (runtime.clone(), connected.clone());
    // For each that is let in there comes another.
    server.accept_if(move |_: &ipc_driver::Remote| {
        to.push(poll_once(at.connect(&address(), &settings(config()))));
        true
    });
    runtime.block_on(async {
        connected.push(poll_once(runtime.connect(&address(), server.settings())));
        server.shutdown(SECOND).await
    });
    assert_eq!((server.counters().accepted, connected.len()), (5, 6));
}

#[test]
fn of_those_who_wait_at_a_shutdown_one_that_broke_keeps_nobody_out_and_a_lack_of_descriptors_ends_it() {
    for (os_error, accepted) in [(ECONNABORTED, 2), (EMFILE, 0)] {
        let runtime = Fake::new(14);
        let server = serve(&runtime, config());
        runtime.network().fail_accepts(os_error, 1);
        runtime.block_on(async {
            let late = [(), ()].map(|()| poll_once(runtime.connect(&address(), server.settings())));
            server.shutdown(SECOND).await;
            drop(late);
        });
        assert_eq!((server.counters().accepted, runtime.network().failed_accepts()), (accepted, 1));
    }
}

#[cfg(unix)]
#[test]
fn a_runtime_that_cannot_give_or_take_listening_sockets_says_so() {
    let runtime = Fake::new(15);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let given = FakeServer::with_listener(runtime.clone(), settings(config()), listener.into()).unwrap();
    let error = runtime.block_on(given.start()).unwrap_err();
    assert!(matches!(&error, ServeError::Listen { source, .. } if source.kind() == ErrorKind::Unsupported), "{error}");
    let again = runtime.block_on(given.start()).unwrap_err();
    assert!(matches!(again, ServeError::Used { .. }), "{again}");

    let server = server(&runtime, config());
    let error = runtime.block_on(server.hand_over("/nowhere")).unwrap_err();
    assert!(matches!(error, HandOverError::NotListening), "{error}");
    runtime.block_on(server.start()).unwrap();
    let error = runtime.block_on(server.hand_over("/nowhere")).unwrap_err();
    assert!(matches!(&error, HandOverError::Socket(source) if source.kind() == ErrorKind::Unsupported), "{error}");
    assert!(server.is_listening());
}
