//! When who waits for a queue is woken, and when not.

use super::*;
use crate::alarm::Alarm;
use bytes::Buf;
use ipc_proto::{Config, Connection, Host, IpFamily, Platform, Settings};
use std::sync::Arc;

fn settings(max_pending: usize) -> Settings {
    let config = Config::new("world").max_pending_bytes(max_pending);
    config.build(&Host::new("pluto", Platform::Linux)).expect("settings")
}

/// A link whose queue takes so many bytes.
fn link(max_pending: usize) -> Link {
    Link::new(Connection::new(&settings(max_pending)).split().1)
}

/// A small event.
fn event(outbound: &mut Outbound) -> Result<(), EmitError> {
    outbound.emit("n", &10)
}

/// Takes what is queued, writes so many bytes of it, and says so.
fn write(link: &Link, transmit: &mut Transmit, bytes: usize) {
    link.poll_transmit(|_| {}, &mut CloseOrder::Open, transmit);
    transmit.advance(bytes);
    link.poll_transmit(|_| {}, &mut CloseOrder::Open, transmit);
}

#[test]
fn a_task_that_has_something_to_look_at_does_not_go_to_sleep() {
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(Arc::clone(&alarm));
    let cx = Context::from_waker(&waker);
    for park in [false, true] {
        let link = link(1000);
        let mut transmit = Transmit::new();
        let mut sleeps = |seen| {
            if park { link.park(&cx, seen) } else { link.rest(&cx, |_| {}, seen, &mut transmit) }
        };
        assert_eq!(link.unpark(), CloseOrder::Open);
        assert!(sleeps(CloseOrder::Open));
        link.unpark();
        link.nudge();
        assert!(!sleeps(CloseOrder::Open), "it was to look at something");
        link.unpark();
        assert!(sleeps(CloseOrder::Open), "and has");
        link.unpark();
        link.emit(event).unwrap().unwrap();
        assert!(!sleeps(CloseOrder::Open), "it has to write");
    }
    for park in [false, true] {
        let link = link(1000);
        let mut transmit = Transmit::new();
        let mut sleeps = |seen| {
            if park { link.park(&cx, seen) } else { link.rest(&cx, |_| {}, seen, &mut transmit) }
        };
        link.unpark();
        link.close(CloseOrder::Abort);
        assert!(!sleeps(CloseOrder::Open), "it was told to end");
        assert!(sleeps(CloseOrder::Abort), "and knows");
    }
    assert_eq!(alarm.rings(), 0, "who runs needs not be woken");
}

#[test]
fn a_task_that_sleeps_is_woken_once_by_a_nudge_and_may_sleep_again() {
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(Arc::clone(&alarm));
    let cx = Context::from_waker(&waker);
    let link = link(1000);
    link.unpark();
    assert!(link.park(&cx, CloseOrder::Open));
    link.nudge();
    assert_eq!(alarm.rings(), 1);
    link.unpark();
    assert!(link.park(&cx, CloseOrder::Open));
}

#[test]
fn who_waits_for_room_is_woken_when_half_of_it_is_free() {
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(Arc::clone(&alarm));
    let mut cx = Context::from_waker(&waker);
    let link = link(240);
    while link.emit(event).unwrap().is_ok() {}
    let full = link.pending();
    assert!(full > 200, "{full}");
    let mut place = link.place();
    assert!(link.poll_emit(&mut cx, &mut place.ticket, event).is_pending());
    assert_eq!(link.counters().waits, 1);
    let mut transmit = Transmit::new();
    write(&link, &mut transmit, full - 140);
    assert!((121..=150).contains(&link.pending()), "{}", link.pending());
    assert_eq!(alarm.rings(), 0);
    write(&link, &mut transmit, 60);
    assert!(link.pending() <= 120);
    assert_eq!(alarm.rings(), 1);
    assert!(link.poll_emit(&mut cx, &mut place.ticket, event).is_ready());
    assert_eq!(link.counters().waits, 1);
}

#[test]
fn answers_pause_the_reading_once_they_are_more_than_the_limit() {
    let length = {
        let link = link(1000);
        link.emit(event).unwrap().unwrap();
        link.pending()
    };
    let link = link(length * 2);
    let answer = || link.dispatch(|| link.emit(event)).unwrap();
    answer().unwrap();
    answer().unwrap();
    assert_eq!(link.fullness(), (length * 2, length * 2));
    assert!(!link.is_congested());
    answer().unwrap();
    assert!(link.is_congested());
    assert_eq!(link.fullness(), (length * 3, length * 2));
    link.detach(Received::default());
    assert_eq!((link.fullness(), link.is_congested()), ((0, 0), false));
}

#[test]
fn no_answer_is_taken_by_a_connection_that_is_given_up() {
    for (order, taken) in [
        (CloseOrder::Open, true),
        (CloseOrder::TooSlow, false),
        (CloseOrder::Flush(Duration::ZERO), true),
        (CloseOrder::Abort, false),
    ] {
        let link = link(1000);
        link.close(order);
        assert_eq!(link.answer(event).unwrap().is_ok(), taken, "{order:?}");
        assert_eq!(link.counters().closed, u64::from(!taken), "{order:?}");
    }
}

/// It encodes each datagram into memory of its own.
#[test]
fn a_udp_socket_leaves_the_thread_its_buffer() {
    let alarm = Waker::from(Arc::<Alarm>::default());
    let link = Link::new(DatagramOutbound::new(&settings(1000), IpFamily::V4));
    scratch::keep_write_buffer(Vec::with_capacity(1000));
    assert_eq!(link.unpark(), CloseOrder::Open);
    assert!(link.park(&Context::from_waker(&alarm), CloseOrder::Open));
    assert_eq!(scratch::take_write_buffer().map(|buffer| buffer.capacity()), Some(1000));
    assert!(scratch::take_write_buffer().is_none());
}
