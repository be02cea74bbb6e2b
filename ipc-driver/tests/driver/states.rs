//! The state of a client as a user interface sees it: the latest, in order, at no cost to the client.

use crate::world::*;
use futures_core::Stream;
use ipc_driver::fake::{Dial, Fake};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Backoff, ConnectionError, ConnectionState, States};
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

fn shown(state: &ConnectionState) -> String {
    let why = |error: &Option<ConnectionError>| error.as_ref().map(ToString::to_string).unwrap_or_default();
    match state {
        ConnectionState::Connecting { attempt } => format!("connecting {attempt}"),
        ConnectionState::Waiting { attempt, retry_in, last_error } => {
            format!("waiting {retry_in:?} for {attempt}: {}", why(last_error))
        }
        ConnectionState::Ended { reason, last_error } => format!("ended {reason:?}: {}", why(last_error)),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Writes every state down that it is given, as fast as it can.
fn watch(runtime: &Fake, client: &FakeClient) -> Log<String> {
    let log = Log::default();
    let (to, mut states) = (log.clone(), client.states());
    runtime.spawn(async move {
        while let Some(state) = states.recv().await {
            to.push(shown(&state));
        }
        to.push("nothing more".into());
    });
    runtime.run();
    log
}

/// What was written down, without attempts that were over before anybody could look.
fn steady(log: &Log<String>) -> Vec<String> {
    log.take().into_iter().filter(|line| !line.starts_with("connecting")).collect()
}

fn next(states: &mut States) -> Poll<Option<String>> {
    let poll = Pin::new(states).poll_next(&mut Context::from_waker(Waker::noop()));
    poll.map(|state| state.as_ref().map(shown))
}

const REFUSED: &str = "cannot connect to tcp:127.0.0.1:8000: connection refused; nobody listens on that port";

#[test]
fn a_client_goes_through_its_states_in_order() {
    let runtime = Fake::new(1);
    let backoff = Backoff::Exponential { factor: 2.0, max: SECOND * 3, jitter: 0.0 };
    let client = client(&runtime, config().retry(SECOND).backoff(backoff));
    let log = watch(&runtime, &client);
    assert_eq!(log.take(), ["idle"]);
    client.start();
    runtime.advance(MILLISECOND * 1500);
    let waiting = |wait: u32, attempt: u32| format!("waiting {wait}s for {attempt}: {REFUSED}");
    assert_eq!(steady(&log), [waiting(1, 2), waiting(2, 3)]);
    assert_eq!(shown(&client.state()), waiting(2, 3));
    let server = serve(&runtime, config());
    runtime.advance(SECOND * 2);
    assert_eq!(steady(&log), ["connected"]);
    assert!(client.state().is_connected());
    server.peers()[0].abort();
    runtime.run();
    assert_eq!(steady(&log), ["waiting 1s for 1: "], "the server ended it, without an error; numbers begin again");
    runtime.advance(SECOND);
    assert_eq!(steady(&log), ["connected"]);
    client.emit("n", &1).unwrap();
    runtime.block_on(client.close()).unwrap();
    runtime.run();
    assert_eq!(log.take(), ["closing", "ended Closed: ", "nothing more"]);
    assert!(client.state().is_ended());
}

#[test]
fn an_attempt_is_shown_while_it_lasts() {
    let runtime = Fake::new(7);
    runtime.network().dial(&endpoint(), [Dial::Fail(ErrorKind::TimedOut), Dial::Hang]);
    let client = client(&runtime, config().retry(SECOND));
    client.start();
    runtime.advance(SECOND * 5);
    assert_eq!(shown(&client.state()), "connecting 2");
    client.disconnect();
    runtime.run();
    assert!(client.state().is_ended());
}

#[test]
fn attempts_are_numbered_from_one_since_the_last_connection() {
    let runtime = Fake::new(9);
    let client = client(&runtime, config().retry(SECOND).max_retries(3));
    let numbers = |client: &FakeClient| {
        let mut numbers = Vec::new();
        while let ConnectionState::Waiting { attempt, .. } = client.state() {
            numbers.push((attempt, client.retries_remaining().unwrap()));
            runtime.advance(SECOND);
        }
        numbers
    };
    client.start();
    runtime.run();
    let server = serve(&runtime, config());
    // The very first attempt had the number 1.
    assert_eq!(numbers(&client), [(2, 2)]);
    assert!(client.state().is_connected());
    server.abort();
    runtime.run();
    // As many as maxRetries allows, and the one that is waited for is no longer left.
    assert_eq!(numbers(&client), [(1, 2), (2, 1), (3, 0)]);
    assert!(client.state().is_ended());
}

#[test]
fn the_end_says_why() {
    let end = |log: &Log<String>| -> String {
        let lines = log.take();
        assert_eq!(lines.last().unwrap(), "nothing more");
        lines[lines.len() - 2].clone()
    };
    let gives_up = |config| {
        let runtime = Fake::new(2);
        let client = client(&runtime, config);
        let log = watch(&runtime, &client);
        client.start();
        runtime.advance(SECOND * 10);
        end(&log)
    };
    let refused = format!("ended GaveUp: {REFUSED}");
    assert_eq!(gives_up(config().max_retries(0)), refused);
    assert_eq!(gives_up(config().stop_retrying(true)), refused);

    let runtime = Fake::new(3);
    let client_ = client(&runtime, config().retry(SECOND * 60));
    let log = watch(&runtime, &client_);
    client_.start();
    runtime.run();
    client_.set_stop_retrying(true);
    runtime.run();
    assert_eq!(end(&log), refused);

    // A server that breaks the protocol, where that ends the client.
    let mut listener = listen(&runtime);
    let client_ = client(&runtime, config().malformed(ipc_driver::OnMalformed::Close));
    let log = watch(&runtime, &client_);
    client_.start();
    let mut peer = runtime.block_on(listener.accept()).unwrap();
    runtime.block_on(peer.send(b"garbage\x0c")).unwrap();
    runtime.run();
    assert!(end(&log).starts_with("ended Protocol: the peer broke the protocol: "));

    // A handler that panics.
    let client_ = client(&runtime, config());
    client_.on("n", |_: u64| -> () { panic!("a handler") });
    let log = watch(&runtime, &client_);
    client_.start();
    let mut peer = runtime.block_on(listener.accept()).unwrap();
    runtime.block_on(peer.send(frame("n", 1).as_bytes())).unwrap();
    runtime.run();
    assert_eq!(end(&log), "ended Aborted: ");

    // One that was never started, and one whose last handle goes.
    let client_ = client(&runtime, config());
    let log = watch(&runtime, &client_);
    client_.disconnect();
    runtime.run();
    assert_eq!(end(&log), "ended Closed: ");
    let client_ = client(&runtime, config());
    let log = watch(&runtime, &client_);
    client_.start();
    drop(client_);
    runtime.run();
    assert_eq!(end(&log), "ended Closed: ");
}

#[test]
fn one_who_looks_rarely_sees_the_latest_and_never_an_older_one() {
    let runtime = Fake::new(4);
    let client = client(&runtime, config().retry(SECOND).max_retries(4));
    let mut states = client.states();
    assert_eq!(next(&mut states), Poll::Ready(Some("idle".into())));
    assert_eq!(next(&mut states), Poll::Pending);
    client.start();
    runtime.advance(MILLISECOND * 2500);
    assert_eq!(next(&mut states), Poll::Ready(Some(format!("waiting 1s for 4: {REFUSED}"))));
    let mut copy = states.clone();
    assert!(next(&mut states).is_pending() && next(&mut copy).is_pending(), "a clone has seen it too");
    runtime.advance(SECOND * 100);
    assert_eq!(next(&mut states), Poll::Ready(Some(format!("ended GaveUp: {REFUSED}"))));
    assert_eq!(next(&mut states), Poll::Ready(None));
    assert_eq!(next(&mut client.states()), Poll::Ready(Some(format!("ended GaveUp: {REFUSED}"))), "late is not never");
}

#[test]
fn what_waits_for_a_state_is_woken_and_dropped_leaves_nothing_behind() {
    let runtime = Fake::new(5);
    runtime.network().dial(&endpoint(), [Dial::Fail(ErrorKind::TimedOut), Dial::Fail(ErrorKind::TimedOut)]);
    let _server = serve(&runtime, config());
    let client = client(&runtime, config());
    let mut states = client.states();
    for _ in 0..10 {
        // Given up while it waits: nothing is lost.
        assert!(poll_once(client.states().wait_for(ConnectionState::is_connected)).is_pending());
    }
    client.start();
    let state = runtime.block_on(states.wait_for(ConnectionState::is_connected));
    assert!(matches!(state, Some(ConnectionState::Connected)));
    assert_eq!(runtime.elapsed(), SECOND);
    client.disconnect();
    assert!(runtime.block_on(states.wait_for(ConnectionState::is_connected)).is_none(), "it comes no more");
}

#[test]
fn what_is_told_to_close_is_never_shown_connected_again() {
    for seed in 0..50 {
        let runtime = Fake::new(seed);
        let _server = serve(&runtime, config());
        let client = client(&runtime, config());
        let log = watch(&runtime, &client);
        client.start();
        // At any moment of the way.
        for _ in 0..seed % 10 {
            runtime.advance(MILLISECOND / 10);
        }
        let closing = client.clone();
        runtime.spawn(async move { closing.close().await.unwrap() });
        runtime.advance(SECOND * 10);
        let lines = log.take();
        let closed = lines.iter().position(|line| line == "closing" || line.starts_with("ended")).unwrap();
        assert!(lines[closed..].iter().all(|line| !line.starts_with("conn") && !line.starts_with("wait")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "nothing more");
    }
}

#[test]
fn the_state_is_told_before_the_handlers_are() {
    let runtime = Fake::new(6);
    let server = serve(&runtime, config());
    let client = client(&runtime, config());
    let log = Log::default();
    for at in ["connect", "disconnect"] {
        let (to, states) = (log.clone(), client.states());
        let look = move || {
            let mut states = states.clone();
            let Poll::Ready(Some(state)) = next(&mut states) else { panic!("there is always a state") };
            to.push(format!("{at}: {state}"));
        };
        if at == "connect" {
            client.on_connect(look)
        } else {
            client.on_disconnect(move |_| look())
        };
    }
    client.start();
    runtime.run();
    server.peers()[0].abort();
    runtime.run();
    assert_eq!(log.take(), ["connect: connected", "disconnect: waiting 500ms for 1: "]);
}

#[test]
fn what_changes_nothing_is_no_new_state() {
    let runtime = Fake::new(8);
    let client = client(&runtime, config().retry(SECOND));
    let mut states = client.states();
    let mut seen = || {
        // As it was.
        client.set_stop_retrying(false);
        runtime.run();
        let state = next(&mut states);
        client.set_stop_retrying(false);
        assert_eq!(next(&mut states), Poll::Pending);
        state
    };
    assert_eq!(seen(), Poll::Ready(Some("idle".into())));
    client.start();
    runtime.run();
    assert_eq!(seen(), Poll::Ready(Some(format!("waiting 1s for 2: {REFUSED}"))));
    let _server = serve(&runtime, config());
    runtime.advance(SECOND);
    assert_eq!(seen(), Poll::Ready(Some("connected".into())));
    assert!(!client.state().is_ended());
}

#[test]
fn dropped_states_leave_no_waker_behind() {
    struct Nobody;
    impl std::task::Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    let runtime = Fake::new(9);
    let client = client(&runtime, config());
    let nobody = Arc::new(Nobody);
    {
        let mut states = client.states();
        let waker = Waker::from(Arc::clone(&nobody));
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut states).poll_next(&mut cx).is_ready());
        assert!(Pin::new(&mut states).poll_next(&mut cx).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&nobody), 2);
    }
    assert_eq!(Arc::strong_count(&nobody), 1);
}
