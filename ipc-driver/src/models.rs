//! Models of what threads share, run by loom in every order of their steps (up to a number of preemptions).
//!
//! `RUSTFLAGS="--cfg ipc_loom" cargo test --release -p ipc-driver --lib models`. A wake-up that gets lost shows as a
//! deadlock, which loom reports. Tasks are the loops of `pump.rs` in small: unpark, look, park.

use crate::counters::Received;
use crate::handlers::{Handlers, Seen};
use crate::latch::Latch;
use crate::link::{CloseOrder, Link};
use crate::slot::{Slot, Socket};
use crate::sync::AtomicBool;
use crate::wakers::Ticket;
use crate::watch::{Watch, Watcher};
use ipc_proto::bytes::Buf;
use ipc_proto::{Config, Connection, EmitError, Endpoint, Host, Outbound, Platform, Settings, SlowConsumer, Transmit};
use loom::future::block_on;
use loom::thread;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn settings(max_pending: usize) -> Settings {
    let config = Config::new("world").max_pending_bytes(max_pending);
    config.build(&Host::new("pluto", Platform::current())).unwrap()
}

fn outbound(settings: &Settings) -> Outbound {
    Connection::new(settings).split().1
}

/// Runs a model. Three preemptions find what is to be found here, in seconds.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// One look of a connection's task at its link: writes all there is. Ready with the order to end.
fn run(link: &Link, transmit: &mut Transmit, written: &mut usize, cx: &mut Context<'_>) -> Poll<CloseOrder> {
    let mut latest = link.unpark();
    loop {
        let order = latest;
        if link.poll_transmit(|_| {}, &mut latest, transmit) {
            let length = transmit.remaining();
            transmit.advance(length);
            *written += length;
        }
        if order != CloseOrder::Open {
            // What was queued by then is written.
            while link.poll_transmit(|_| {}, &mut latest, transmit) {
                let length = transmit.remaining();
                transmit.advance(length);
                *written += length;
            }
            return Poll::Ready(order);
        }
        if link.rest(cx, |_| {}, order, transmit) {
            return Poll::Pending;
        }
    }
}

fn emit(link: &Link) -> Option<Result<(), EmitError>> {
    link.emit(|outbound| outbound.emit("n", &1))
}

#[test]
fn a_task_that_goes_to_sleep_misses_no_emit_and_no_order() {
    let settings = settings(1 << 20);
    explore(move || {
        let link = Arc::new(Link::new(outbound(&settings)));
        let emitters: Vec<_> = (0..2)
            .map(|_| {
                let link = Arc::clone(&link);
                thread::spawn(move || matches!(emit(&link), Some(Ok(()))))
            })
            .collect();
        let closer = {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                let accepted =
                    emitters.into_iter().map(|emitter| emitter.join().unwrap()).filter(|taken| *taken).count();
                link.close(CloseOrder::Flush(Duration::from_secs(1)));
                accepted
            })
        };
        let (mut transmit, mut written) = (Transmit::new(), 0);
        let order = block_on(poll_fn(|cx| run(&link, &mut transmit, &mut written, cx)));
        assert_eq!(order, CloseOrder::Flush(Duration::from_secs(1)));
        let accepted = closer.join().unwrap();
        assert_eq!(accepted, 2);
        let counters = link.counters().sent;
        assert_eq!((counters.events, counters.bytes), (2, written as u64));
    });
}

#[test]
fn an_emit_alone_wakes_the_task() {
    let settings = settings(1 << 20);
    explore(move || {
        let link = Arc::new(Link::new(outbound(&settings)));
        let emitter = {
            let link = Arc::clone(&link);
            thread::spawn(move || emit(&link).unwrap().unwrap())
        };
        let (mut transmit, mut written) = (Transmit::new(), 0);
        block_on(poll_fn(|cx| {
            let ended = run(&link, &mut transmit, &mut written, cx);
            if written > 0 { Poll::Ready(()) } else { ended.map(|_| ()) }
        }));
        emitter.join().unwrap();
    });
}

#[test]
fn a_task_that_goes_to_sleep_misses_no_nudge_though_it_runs_when_that_comes() {
    let settings = settings(1 << 20);
    explore(move || {
        let link = Arc::new(Link::new(outbound(&settings)));
        let news = Arc::new(AtomicBool::new(false));
        let teller = {
            let (link, news) = (Arc::clone(&link), Arc::clone(&news));
            thread::spawn(move || {
                news.store(true, Ordering::Release);
                link.nudge();
            })
        };
        let mut transmit = Transmit::new();
        block_on(poll_fn(|cx| {
            let order = link.unpark();
            loop {
                if news.load(Ordering::Acquire) {
                    return Poll::Ready(());
                }
                // As a connection does: the short way to sleep, then the long one.
                if link.rest(cx, |_| {}, order, &mut transmit) || link.park(cx, order) {
                    return Poll::Pending;
                }
            }
        }));
        teller.join().unwrap();
    });
}

#[test]
fn an_emit_that_meets_the_end_is_written_or_refused_or_counted_as_unsent() {
    let settings = settings(1 << 20);
    explore(move || {
        let link = Arc::new(Link::new(outbound(&settings)));
        let emitter = {
            let link = Arc::clone(&link);
            thread::spawn(move || emit(&link).is_some_and(|outcome| outcome.is_ok()))
        };
        let closer = {
            let link = Arc::clone(&link);
            thread::spawn(move || link.close(CloseOrder::Abort))
        };
        let (mut transmit, mut written) = (Transmit::new(), 0);
        block_on(poll_fn(|cx| run(&link, &mut transmit, &mut written, cx)));
        let unsent = link.finish(Received::default(), |outbound| outbound.end(transmit)).unwrap();
        let accepted = emitter.join().unwrap();
        closer.join().unwrap();
        assert_eq!(usize::from(accepted), usize::from(written > 0) + unsent.messages);
        let sent = link.counters().sent;
        assert_eq!(sent.bytes, sent.written + sent.lost.total().bytes + sent.pending);
    });
}

#[test]
fn who_waits_for_room_is_woken_when_there_is_some_and_when_there_never_will_be() {
    let settings = settings(40);
    explore(move || {
        let link = Arc::new(Link::new(outbound(&settings)));
        emit(&link).unwrap().unwrap();
        let sender = {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                let mut place = link.place();
                block_on(poll_fn(|cx| {
                    link.poll_emit(cx, &mut place.ticket, |outbound| outbound.emit("n", &"20 bytes and more"))
                }))
            })
        };
        let closer = {
            let link = Arc::clone(&link);
            thread::spawn(move || link.close(CloseOrder::Flush(Duration::ZERO)))
        };
        let (mut transmit, mut written) = (Transmit::new(), 0);
        block_on(poll_fn(|cx| run(&link, &mut transmit, &mut written, cx)));
        // What was taken after the task has looked for the last time is still in the queue.
        let unsent = link.finish(Received::default(), |outbound| outbound.end(transmit)).unwrap();
        closer.join().unwrap();
        match sender.join().unwrap() {
            Some(Ok(())) => assert!(written + unsent.bytes > 40),
            Some(Err(EmitError::Closed)) | None => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_wait_for_room_that_is_given_up_leaves_nothing_and_takes_no_wake_up_of_another() {
    let settings = settings(44);
    explore(move || {
        let link = Arc::new(Link::new(outbound(&settings)));
        emit(&link).unwrap().unwrap();
        emit(&link).unwrap().unwrap();
        let quitter = {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                let mut place = link.place();
                let mut cx = Context::from_waker(Waker::noop());
                let _given_up = link.poll_emit(&mut cx, &mut place.ticket, |outbound| outbound.emit("n", &2));
            })
        };
        let sender = {
            let link = Arc::clone(&link);
            thread::spawn(move || {
                let mut place = link.place();
                block_on(poll_fn(|cx| link.poll_emit(cx, &mut place.ticket, |outbound| outbound.emit("n", &3))))
            })
        };
        let mut transmit = Transmit::new();
        while link.poll_transmit(|_| {}, &mut CloseOrder::Open, &mut transmit) {
            let length = transmit.remaining();
            transmit.advance(length);
        }
        assert!(matches!(sender.join().unwrap(), Some(Ok(()))));
        quitter.join().unwrap();
    });
}

#[test]
fn a_latch_wakes_everybody_who_waits_and_is_set_once() {
    explore(|| {
        let latch = Arc::new(Latch::default());
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let latch = Arc::clone(&latch);
                thread::spawn(move || block_on(latch.wait()))
            })
            .collect();
        let other = {
            let latch = Arc::clone(&latch);
            thread::spawn(move || latch.set(2))
        };
        latch.set(1);
        other.join().unwrap();
        let value = latch.get().unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), value);
        }
    });
}

#[test]
fn a_connection_sees_every_handler_that_was_there_before_it_looked() {
    explore(|| {
        let handlers: Arc<Handlers<(), ()>> = Arc::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let adders: Vec<_> = (0..2)
            .map(|_| {
                let (handlers, calls) = (Arc::clone(&handlers), Arc::clone(&calls));
                thread::spawn(move || {
                    handlers.on_data(move |(), _| {
                        calls.fetch_add(1, Ordering::Relaxed);
                        None
                    })
                })
            })
            .collect();
        let mut seen = Seen::default();
        handlers.refresh(&mut seen);
        for adder in adders {
            adder.join().unwrap();
        }
        // However the looks and the changes fell, the next look finds both.
        handlers.refresh(&mut seen);
        seen.data(&(), b"bytes", |_| {});
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_once_handler_is_run_by_one_of_two_connections() {
    let settings = settings(1 << 20);
    explore(move || {
        let handlers: Arc<Handlers<(), ()>> = Arc::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        handlers.on("n", true, move |(), _| {
            counted.fetch_add(1, Ordering::Relaxed);
            None
        });
        let connections: Vec<_> = (0..2)
            .map(|_| {
                let (handlers, settings) = (Arc::clone(&handlers), settings.clone());
                thread::spawn(move || {
                    let mut seen = Seen::default();
                    handlers.refresh(&mut seen);
                    let mut inbound = Connection::new(&settings).inbound;
                    let mut input = &b"{\"type\":\"n\",\"data\":1}\x0c"[..];
                    let Some(ipc_proto::Received::Event(event)) =
                        inbound.poll_event(std::time::Instant::now(), &mut input)
                    else {
                        panic!("no event")
                    };
                    seen.event(&handlers, &(), &event, |_| {});
                })
            })
            .collect();
        for connection in connections {
            connection.join().unwrap();
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn of_two_starts_at_once_one_gets_the_socket_and_a_stop_lets_the_next_in() {
    let endpoint = Endpoint::local(&settings(1 << 20), Some("world")).unwrap();
    explore(move || {
        let slot: Arc<Slot> = Arc::new(Slot::new(endpoint.clone()));
        let start = |slot: &Arc<Slot>, endpoint: &Endpoint| {
            let (slot, endpoint) = (Arc::clone(slot), endpoint.clone());
            thread::spawn(move || match block_on(slot.begin()) {
                Ok(starting) => {
                    starting.done(Socket::new(endpoint));
                    true
                }
                Err(_) => false,
            })
        };
        let (first, second) = (start(&slot, &endpoint), start(&slot, &endpoint));
        let started = [first.join().unwrap(), second.join().unwrap()];
        assert_eq!(started.iter().filter(|&&started| started).count(), 1, "{started:?}");
        let socket = slot.socket().unwrap();
        let task = {
            let socket = socket.clone();
            thread::spawn(move || {
                block_on(socket.stop.wait());
                socket.stopped.set(());
            })
        };
        slot.stop();
        // It waits for the task of the first.
        let mut again = pin!(slot.begin());
        assert!(block_on(poll_fn(|cx| again.as_mut().poll(cx))).is_ok());
        task.join().unwrap();
    });
}

#[test]
fn tickets_of_a_queue_are_not_mixed_up() {
    explore(|| {
        let link = Arc::new(Link::<Outbound>::default());
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let link = Arc::clone(&link);
                thread::spawn(move || {
                    let mut ticket = Ticket::default();
                    let mut looked = false;
                    block_on(poll_fn(|cx| {
                        if std::mem::replace(&mut looked, true) || link.order() != CloseOrder::Open {
                            return Poll::Ready(());
                        }
                        link.wait(cx, &mut ticket);
                        // The order may have come between the look and the wait.
                        if link.order() == CloseOrder::Open { Poll::Pending } else { Poll::Ready(()) }
                    }));
                })
            })
            .collect();
        link.close(CloseOrder::Abort);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn who_watches_sees_no_older_value_after_a_newer_one_and_never_misses_the_last() {
    explore(|| {
        let watch = Arc::new(Watch::new(0));
        let mut watcher = Watcher::new(Arc::clone(&watch));
        let setter = thread::spawn(move || {
            watch.update(false, |_| Some(1));
            watch.update(true, |_| Some(2));
        });
        let seen = block_on(async {
            let mut seen = Vec::new();
            while let Some(value) = poll_fn(|cx| watcher.poll_next(cx)).await {
                seen.push(value);
            }
            seen
        });
        setter.join().unwrap();
        assert!(seen.is_sorted() && seen.last() == Some(&2), "{seen:?}");
    });
}

#[test]
fn a_task_that_goes_to_sleep_misses_neither_what_drop_oldest_has_kept_nor_the_end_of_a_slow_peer() {
    for policy in [SlowConsumer::DropOldest, SlowConsumer::Disconnect] {
        // Room for one event and a half.
        let config = Config::new("world").max_pending_bytes(35).slow_consumer(policy);
        let settings = config.build(&Host::new("pluto", Platform::current())).unwrap();
        explore(move || {
            let link = Arc::new(Link::new(outbound(&settings)));
            let emitter = {
                let link = Arc::clone(&link);
                thread::spawn(move || {
                    let outcomes = [emit(&link), emit(&link)];
                    if !outcomes.iter().any(|outcome| matches!(outcome, Some(Err(EmitError::TooSlow { .. })))) {
                        link.close(CloseOrder::Flush(Duration::from_secs(1)));
                        return false;
                    }
                    true
                })
            };
            let (mut transmit, mut written) = (Transmit::new(), 0);
            let order = block_on(poll_fn(|cx| run(&link, &mut transmit, &mut written, cx)));
            let given_up = emitter.join().unwrap();
            assert_eq!(order == CloseOrder::TooSlow, given_up);
            let sent = link.counters().sent;
            assert_eq!(sent.bytes, sent.written + sent.pending + sent.lost.total().bytes);
            assert_eq!(sent.written, written as u64);
            if policy == SlowConsumer::DropOldest {
                // One that has no room beside what is being written is refused.
                assert_eq!((sent.events + sent.refused.full, sent.pending), (2, 0));
            }
        });
    }
}
