//! The client in virtual time: when it dials, waits, gives up and ends. What becomes of its events is in
//! `client_offline.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::Duration;

use crate::common::{Driven, MS, seeds};
use ipc_proto::{Backoff, ClientAction, ClientEvent, Config, StopRetrying, Transmit, Unsent};

/// The last connection or attempt ended, with nothing lost.
fn disconnected() -> ClientEvent {
    ClientEvent::Disconnected { retry_in: None, unsent: Unsent::default() }
}

fn retrying_in(milliseconds: u64) -> ClientEvent {
    ClientEvent::Disconnected { retry_in: Some(Duration::from_millis(milliseconds)), unsent: Unsent::default() }
}

/// Fails the attempt under way and every one after it until the client gives up, and counts them.
fn failures_until_destroyed(driven: &mut Driven) -> u32 {
    let mut failures = 0;
    loop {
        driven.fail();
        failures += 1;
        if driven.client.is_destroyed() {
            return failures;
        }
        driven.wait();
    }
}

#[test]
fn a_new_client_does_nothing_until_it_is_told_to_connect() {
    let mut driven = Driven::new(Config::v9());
    assert_eq!(driven.client.poll_action(), None);
    assert_eq!(driven.client.poll_timeout(), None);
    assert_eq!(driven.client.poll_event(), None);
    driven.pass(Duration::from_secs(3600));
    assert_eq!(driven.attempts, 0);

    driven.client.connect();
    let endpoint = driven.client.endpoint().clone();
    assert_eq!(endpoint.to_string(), "unix:/tmp/app.world");
    assert_eq!(driven.client.poll_action(), Some(ClientAction::Connect(endpoint)));
    assert_eq!(driven.client.poll_action(), None, "one attempt is asked for once");
}

#[test]
fn each_state_is_told_by_its_getter_alone() {
    let states = |driven: &Driven| {
        let client = &driven.client;
        let ends = (client.is_closing(), client.is_destroyed());
        ([client.is_idle(), client.is_connected(), client.is_waiting()], ends)
    };
    let mut driven = Driven::new(Config::v9().max_retries(1));
    assert_eq!(states(&driven), ([true, false, false], (false, false)), "new");
    driven.connect();
    assert_eq!(states(&driven), ([false, false, false], (false, false)), "connecting");
    driven.fail();
    assert_eq!(states(&driven), ([false, false, true], (false, false)), "waiting");
    driven.wait();
    driven.succeed();
    assert_eq!(states(&driven), ([false, true, false], (false, false)), "connected");
    driven.lose(true);
    assert_eq!(states(&driven), ([false, false, true], (false, false)), "waiting again");
    driven.wait();
    driven.fail();
    assert_eq!(states(&driven), ([false, false, false], (true, true)), "given up");

    let mut driven = Driven::new(Config::v9());
    driven.connect();
    driven.client.disconnect();
    assert_eq!(states(&driven), ([false, false, false], (true, false)), "an attempt is given up");
    driven.obey();
    assert_eq!(states(&driven), ([false, false, false], (true, true)), "ended");
}

#[test]
fn a_second_connect_changes_nothing_in_any_state() {
    let mut driven = Driven::new(Config::v9().max_retries(1));
    driven.connect();
    driven.connect();
    driven.succeed();
    driven.connect();
    driven.lose(true);
    driven.connect();
    assert_eq!(driven.attempts, 1, "it waits all the same");
    driven.wait();
    driven.fail();
    assert!(driven.client.is_destroyed());
    driven.connect();
    assert_eq!(driven.attempts, 2);
    assert_eq!(driven.names(), ["connect", "disconnect", "disconnect", "destroy"]);
}

#[test]
fn max_retries_of_n_gives_n_plus_one_attempts() {
    for retries in 0..5 {
        let mut driven = Driven::new(Config::v9().max_retries(retries));
        driven.connect();
        assert_eq!(driven.client.retries_remaining(), Some(retries));
        assert_eq!(failures_until_destroyed(&mut driven), retries + 1);
        let mut expected = vec![retrying_in(500); retries as usize];
        expected.extend([disconnected(), ClientEvent::Destroyed]);
        assert_eq!(driven.events(), expected);
        assert_eq!(driven.client.poll_timeout(), None);
    }
}

#[test]
fn without_max_retries_it_never_gives_up() {
    let mut driven = Driven::new(Config::v9());
    driven.connect();
    for _ in 0..10_000 {
        driven.fail();
        driven.wait();
        assert_eq!(driven.names(), ["disconnect"]);
    }
    assert_eq!(driven.client.retries_remaining(), None);
    assert_eq!(driven.attempts, 10_001);
}

#[test]
fn every_connection_refills_the_budget() {
    let mut driven = Driven::new(Config::v9().max_retries(2));
    driven.connect();
    for _ in 0..50 {
        driven.succeed();
        assert_eq!(driven.client.retries_remaining(), Some(2));
        driven.lose(true);
        driven.wait();
        assert_eq!(driven.client.retries_remaining(), Some(1));
        driven.fail();
        driven.wait();
        assert_eq!(driven.client.retries_remaining(), Some(0));
    }
    driven.succeed();
    driven.lose(true);
    driven.wait();
    assert_eq!(failures_until_destroyed(&mut driven), 2);
}

#[test]
fn the_next_attempt_starts_exactly_after_retry() {
    let mut driven = Driven::new(Config::v9().retry(120 * MS));
    driven.connect();
    driven.pass(30 * MS);
    driven.fail();
    assert_eq!(driven.client.poll_timeout(), Some(driven.now + 120 * MS));
    driven.pass(119 * MS);
    assert_eq!(driven.attempts, 1);
    driven.pass(MS);
    assert_eq!(driven.attempts, 2);
    assert_eq!(driven.client.poll_timeout(), None, "the caller times its own attempts");
}

#[test]
fn a_retry_of_zero_waits_a_millisecond() {
    let mut driven = Driven::new(Config::v9().retry(Duration::ZERO));
    driven.connect();
    driven.fail();
    assert_eq!(driven.events(), [retrying_in(1)]);
}

#[test]
fn stop_retrying_from_the_start_allows_so_many_retries() {
    let cases = [
        (StopRetrying::No, None, None),
        (StopRetrying::No, Some(2), Some(2)),
        (StopRetrying::Yes, None, Some(0)),
        (StopRetrying::Yes, Some(5), Some(0)),
        (StopRetrying::After(0), None, Some(0)),
        (StopRetrying::After(3), None, Some(3)),
        (StopRetrying::After(3), Some(1), Some(1)),
        (StopRetrying::After(1), Some(3), Some(1)),
    ];
    for (stop, max_retries, allowed) in cases {
        let mut driven = Driven::new(Config::v9().stop_retrying(stop).max_retries(max_retries));
        assert_eq!(driven.client.retries_remaining(), allowed, "{stop:?} {max_retries:?}");
        driven.connect();
        if let Some(allowed) = allowed {
            assert_eq!(failures_until_destroyed(&mut driven), allowed + 1, "{stop:?} {max_retries:?}");
        }
    }
}

#[test]
fn stop_retrying_set_while_waiting_ends_the_client_at_once() {
    for stop in [StopRetrying::Yes, StopRetrying::After(0)] {
        let mut driven = Driven::new(Config::v9());
        driven.connect();
        driven.fail();
        assert_eq!(driven.names(), ["disconnect"]);
        driven.client.set_stop_retrying(stop);
        driven.obey();
        assert_eq!(driven.events(), [ClientEvent::Destroyed], "{stop:?}");
        assert_eq!(driven.client.poll_timeout(), None);
        driven.pass(Duration::from_secs(9));
        assert_eq!(driven.attempts, 1);
    }
}

#[test]
fn a_number_set_while_waiting_ends_the_client_only_if_the_retry_is_beyond_it() {
    let waiting_for_the_third_retry = || {
        let mut driven = Driven::new(Config::v9());
        driven.connect();
        for _ in 0..2 {
            driven.fail();
            driven.wait();
        }
        driven.fail();
        driven.names();
        driven
    };
    let mut driven = waiting_for_the_third_retry();
    driven.client.set_stop_retrying(StopRetrying::After(2));
    assert_eq!(driven.names(), ["destroy"]);

    let mut driven = waiting_for_the_third_retry();
    driven.client.set_stop_retrying(StopRetrying::After(3));
    assert_eq!(driven.names(), [""; 0]);
    driven.wait();
    assert_eq!(failures_until_destroyed(&mut driven), 1, "the third retry was the last");
    assert_eq!(driven.attempts, 4);
}

#[test]
fn stop_retrying_set_during_an_attempt_lets_it_end() {
    let mut driven = Driven::new(Config::v9());
    driven.connect();
    driven.fail();
    driven.wait();
    driven.client.set_stop_retrying(StopRetrying::Yes);
    driven.obey();
    driven.succeed();
    assert_eq!(driven.names(), ["disconnect", "connect"]);
    driven.lose(true);
    assert_eq!(driven.names(), ["disconnect", "destroy"]);
}

#[test]
fn stop_retrying_can_be_taken_back_while_it_matters() {
    let mut driven = Driven::new(Config::v9().stop_retrying(true));
    driven.connect();
    driven.client.set_stop_retrying(StopRetrying::No);
    driven.fail();
    assert_eq!(driven.events(), [retrying_in(500)]);
}

#[test]
fn disconnect_before_connect_or_while_waiting_ends_in_silence() {
    let mut new = Driven::new(Config::v9());
    new.client.disconnect();
    new.obey();
    assert_eq!((new.events(), new.client.is_destroyed()), (vec![], true));
    new.connect();
    assert_eq!(new.attempts, 0, "it is over for good");

    let mut waiting = Driven::new(Config::v9());
    waiting.connect();
    waiting.fail();
    waiting.names();
    waiting.client.disconnect();
    waiting.obey();
    assert_eq!((waiting.events(), waiting.client.is_destroyed()), (vec![], true));
    assert_eq!(waiting.client.poll_timeout(), None);
}

#[test]
fn disconnect_before_the_attempt_is_taken_up_ends_without_an_attempt() {
    let mut driven = Driven::new(Config::v9());
    driven.client.connect();
    driven.client.disconnect();
    driven.obey();
    assert_eq!(driven.attempts, 0);
    assert_eq!(driven.events(), [disconnected(), ClientEvent::Destroyed]);
}

#[test]
fn disconnect_during_an_attempt_asks_to_give_it_up() {
    let mut driven = Driven::new(Config::v9());
    driven.connect();
    driven.client.disconnect();
    assert!(driven.client.is_closing() && !driven.client.is_destroyed());
    assert_eq!(driven.client.poll_event(), None, "the attempt has still to end");
    driven.obey();
    assert_eq!(driven.events(), [disconnected(), ClientEvent::Destroyed]);
}

#[test]
fn an_attempt_that_succeeds_after_disconnect_gives_no_connection() {
    let mut driven = Driven::new(Config::v9());
    driven.connect();
    driven.client.disconnect();
    assert!(driven.client.handle_connected(driven.now).is_none());
    driven.client.handle_connect_failed(driven.now);
    assert_eq!(driven.events(), [disconnected(), ClientEvent::Destroyed]);
    assert_eq!(driven.client.poll_action(), None);
}

#[test]
fn disconnect_while_connected_asks_to_close_once() {
    let mut driven = Driven::new(Config::v9());
    driven.connect();
    driven.succeed();
    driven.client.disconnect();
    driven.client.disconnect();
    assert!(!driven.client.is_connected());
    assert_eq!(driven.client.poll_action(), Some(ClientAction::Close));
    assert_eq!(driven.client.poll_action(), None);
    driven.lose(true);
    assert_eq!(driven.events(), [ClientEvent::Connected, disconnected(), ClientEvent::Destroyed]);
}

#[test]
fn a_broken_protocol_ends_the_client_without_a_retry() {
    let mut driven = Driven::new(Config::v14_fast());
    driven.connect();
    driven.succeed();
    driven.lose(false);
    assert_eq!(driven.events(), [ClientEvent::Connected, disconnected(), ClientEvent::Destroyed]);
    assert_eq!(driven.client.poll_timeout(), None);
}

#[test]
fn what_does_not_fit_the_state_is_ignored() {
    let mut driven = Driven::new(Config::v9());
    let now = driven.now;
    driven.client.handle_connect_failed(now);
    assert!(driven.client.handle_connected(now).is_none());
    driven.client.handle_timeout(now);
    let spare = || ipc_proto::Connection::new(&crate::common::settings(Config::v9())).outbound;
    driven.client.handle_disconnected(now, spare(), Transmit::new(), true);
    assert_eq!(driven.events(), []);

    driven.connect();
    driven.client.handle_disconnected(now, spare(), Transmit::new(), true);
    driven.succeed();
    driven.client.handle_connect_failed(now);
    assert!(driven.client.handle_connected(now).is_none());
    assert_eq!(driven.events(), [ClientEvent::Connected]);
    assert!(driven.client.is_connected());
}

#[test]
fn a_backoff_grows_within_its_bounds_and_starts_again_after_a_connection() {
    let backoff = Backoff::Exponential { factor: 2.0, max: Duration::from_secs(3), jitter: 0.5 };
    for seed in seeds(200) {
        let mut driven = Driven::with_seed(Config::v9().backoff(backoff), seed);
        driven.connect();
        for connected in [false, true, true] {
            if connected {
                driven.succeed();
                driven.lose(true);
            } else {
                driven.fail();
            }
            for retry in 0..8 {
                let whole = Duration::from_millis(500 << retry).min(Duration::from_secs(3));
                let Some(ClientEvent::Disconnected { retry_in: Some(wait), .. }) = driven.events().pop() else {
                    panic!("seed {seed}, retry {retry}");
                };
                assert!(wait <= whole && wait >= whole / 2, "seed {seed}, retry {retry}: {wait:?} of {whole:?}");
                assert_eq!(driven.client.poll_timeout(), Some(driven.now + wait));
                driven.wait();
                if retry < 7 {
                    driven.fail();
                }
            }
        }
    }
}

#[test]
fn the_same_seed_waits_the_same_and_another_seed_does_not() {
    let waits = |seed| {
        let mut driven = Driven::with_seed(Config::v9().backoff(Backoff::exponential()), seed);
        driven.connect();
        for _ in 0..6 {
            driven.fail();
            driven.wait();
        }
        driven.events()
    };
    assert_eq!(waits(1), waits(1));
    assert_ne!(waits(1), waits(2));
}
