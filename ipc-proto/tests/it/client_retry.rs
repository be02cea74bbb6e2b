//! The waits of a client that cannot connect, on a clock that the test moves. Nothing here sleeps.

#![allow(clippy::disallowed_methods, reason = "the clock is set once and moved by hand")]

use ipc_proto::{Backoff, Client, ClientAction, ClientEvent, Config, Endpoint, Host, Platform};
use std::time::{Duration, Instant};

fn client(config: Config) -> Client {
    let settings = config.build(&Host::new("here", Platform::Linux)).expect("valid");
    let endpoint = Endpoint::at_path(&settings, "/tmp/nobody").expect("a path");
    let mut client = Client::new(settings, endpoint, 1);
    client.connect();
    client
}

/// Lets an attempt fail at `now`; the wait that follows.
fn fail(client: &mut Client, now: Instant) -> Duration {
    assert!(matches!(client.poll_action(), Some(ClientAction::Connect(_))));
    client.handle_connect_failed(now);
    match client.poll_event() {
        Some(ClientEvent::Disconnected { retry_in: Some(wait), .. }) => {
            assert_eq!(client.poll_timeout(), Some(now + wait));
            wait
        }
        other => panic!("{other:?}"),
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_changed_retry_holds_from_the_next_wait_on() {
    let start = Instant::now();
    let mut client = client(Config::v9().retry(ms(400)));
    assert_eq!(fail(&mut client, start), ms(400));
    client.set_retry(ms(50));
    // The wait under way keeps its length.
    assert_eq!(client.poll_timeout(), Some(start + ms(400)));
    client.handle_timeout(start + ms(399));
    assert_eq!(client.poll_action(), None);
    client.handle_timeout(start + ms(400));
    assert_eq!(fail(&mut client, start + ms(400)), ms(50));
    client.handle_timeout(start + ms(450));
    assert_eq!(fail(&mut client, start + ms(450)), ms(50));
}

#[test]
fn a_changed_retry_is_what_a_backoff_grows_from() {
    let mut now = Instant::now();
    let backoff = Backoff::Exponential { factor: 2.0, max: ms(1000), jitter: 0.0 };
    let mut client = client(Config::v9().retry(ms(100)).backoff(backoff));
    let mut waits = Vec::new();
    for attempt in 0..5 {
        if attempt == 2 {
            client.set_retry(ms(200));
        }
        let wait = fail(&mut client, now);
        now += wait;
        client.handle_timeout(now);
        waits.push(wait);
    }
    assert_eq!(waits, [ms(100), ms(200), ms(800), ms(1000), ms(1000)]);
}

#[test]
fn no_wait_is_shorter_or_longer_than_a_timer_of_node() {
    let mut now = Instant::now();
    let mut client = client(Config::v9());
    for (asked, given) in [(Duration::ZERO, ms(1)), (ms(7), ms(7)), (Duration::MAX, ms(2_147_483_647))] {
        client.set_retry(asked);
        let wait = fail(&mut client, now);
        assert_eq!(wait, given);
        now += wait;
        client.handle_timeout(now);
    }
}

#[test]
fn retries_are_counted_until_a_connection() {
    let mut now = Instant::now();
    let mut client = client(Config::v9().retry(ms(10)));
    assert_eq!(client.retries(), 0);
    for retry in 1..4 {
        now += fail(&mut client, now);
        assert_eq!(client.retries(), retry);
        client.handle_timeout(now);
    }
    assert!(matches!(client.poll_action(), Some(ClientAction::Connect(_))));
    assert!(client.handle_connected(now).is_some());
    assert_eq!(client.retries(), 0);
}
