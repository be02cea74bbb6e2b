//! A slow reader slows its sender, on either side, and nothing is lost or grows without bound.

use crate::world::*;
use ipc_driver::fake::{Fake, Script, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ClientEvent, ConnectionError, EmitError, Peer, ServerEvent};

pub(crate) fn narrow(bytes: usize) -> Script {
    Script::both(Wire::default().capacity(bytes))
}

/// What the server's end of a wire takes before somebody reads.
pub(crate) fn to_client(capacity: usize) -> Script {
    Script::default().to_client(Wire::default().capacity(capacity))
}

#[test]
fn a_full_event_stream_stops_the_reading_and_then_the_sender() {
    let runtime = Fake::new(1);
    runtime.network().set_script(narrow(1000));
    let server = serve(&runtime, config().event_queue(4));
    let mut events = server.events();
    let client = connect(&runtime, config().max_pending_bytes(1000));
    let sent = Log::default();
    let (to, sender) = (sent.clone(), client.clone());
    runtime.spawn(async move {
        for n in 0..10_000_u64 {
            sender.send("n", &n).await.unwrap();
            to.push(n);
        }
    });
    runtime.run();
    let stopped = sent.len();
    assert!(stopped < 200, "{stopped} were sent and nobody reads");
    runtime.advance(SECOND * 3600);
    assert_eq!(sent.len(), stopped);
    let got = runtime.block_on(async {
        let mut got = Vec::new();
        while got.len() < 10_000 {
            if let Some(ServerEvent::Message(_, message)) = events.recv().await {
                got.push(message.data::<u64>().unwrap());
            }
        }
        got
    });
    assert_eq!(got, (0..10_000).collect::<Vec<_>>());
}

#[test]
fn while_its_event_stream_is_full_a_connection_reads_nothing() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config().event_queue(1));
    let _events = server.events();
    let mut end = dial(&runtime);
    for n in 0..10 {
        runtime.block_on(end.send(frame("n", n).as_bytes())).unwrap();
        runtime.run();
    }
    let reads = end.connection().to_server().reads;
    assert!(reads <= 2, "{reads}");
}

#[test]
fn a_client_whose_event_stream_is_full_loses_nothing_of_a_server_that_goes() {
    let runtime = Fake::new(3);
    let mut listener = listen(&runtime);
    let client = client(&runtime, config().event_queue(2).max_retries(0));
    let mut events = client.events();
    runtime.block_on(client.connect()).unwrap();
    let mut end = runtime.block_on(listener.accept()).unwrap();
    let all: String = (0..500).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    drop((end, listener));
    let got = runtime.block_on(async {
        let mut got = Vec::new();
        while let Some(event) = events.recv().await {
            // Slower than any time a connection has for its end.
            runtime.sleep(SECOND).await;
            if let ClientEvent::Message(message) = event {
                got.push(message.data::<u64>().unwrap());
            }
        }
        got
    });
    assert_eq!(got, (0..500).collect::<Vec<_>>());
}

#[test]
fn close_does_not_wait_for_a_full_event_stream_to_say_goodbye() {
    let runtime = Fake::new(4);
    let mut listener = listen(&runtime);
    let client = client(&runtime, config().event_queue(1));
    let _unread = client.events();
    runtime.block_on(client.connect()).unwrap();
    let mut end = runtime.block_on(listener.accept()).unwrap();
    let all: String = (0..50).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    client.emit("n", &1).unwrap();
    assert!(poll_once(client.close()).is_pending());
    let started = runtime.elapsed();
    assert_eq!(numbers(&runtime.block_on(end.receive_all()).unwrap()), [1]);
    assert_eq!(runtime.elapsed(), started);
    runtime.block_on(client.destroyed());
    assert!(runtime.elapsed() - started <= SECOND * 5);
}

#[test]
fn an_echo_goes_on_when_the_peer_reads_again_and_no_answer_is_lost() {
    for seed in 0..20 {
        let runtime = Fake::new(seed);
        runtime.network().set_script(narrow(300));
        let server = serve(&runtime, config().max_pending_bytes(1000));
        server.on_event("n", Peer::emit_event);
        let failed = Log::default();
        let to = failed.clone();
        server.on_error(move |_, error| to.push(error.to_string()));
        let client = connect(&runtime, config().max_pending_bytes(1000).event_queue(1));
        let mut events = client.events();
        let sender = client.clone();
        runtime.spawn(async move {
            for n in 0..1000_u64 {
                sender.send("n", &n).await.unwrap();
            }
        });
        runtime.advance(SECOND);
        let got = runtime.block_on(async {
            let mut got = Vec::new();
            while got.len() < 1000 {
                if let Some(ClientEvent::Message(message)) = events.recv().await {
                    got.push(message.data::<u64>().unwrap());
                }
            }
            got
        });
        assert_eq!(got, (0..1000).collect::<Vec<_>>());
        assert_eq!(failed.take(), [""; 0]);
    }
}

#[test]
fn one_read_full_of_small_requests_with_large_answers_loses_none() {
    let runtime = Fake::new(6);
    runtime.network().set_script(narrow(100_000));
    let server = serve(&runtime, config().max_pending_bytes(5000));
    let refused = Log::default();
    let to = refused.clone();
    server.on("n", move |peer, n: u64| {
        if let Err(error) = peer.emit("n", &(n, "x".repeat(1000))) {
            to.push(error.to_string());
        }
    });
    let mut end = dial(&runtime);
    end.connection().set_script(Script::default().to_client(Wire::default().capacity(700)));
    let all: String = (0..300).map(|n| frame("n", n)).collect();
    let bytes = runtime.block_on(async {
        end.send(all.as_bytes()).await.unwrap();
        end.finish();
        end.receive_all().await.unwrap()
    });
    assert_eq!(refused.take(), [""; 0]);
    assert_eq!(numbers(&bytes), (0..300).collect::<Vec<_>>());
}

#[test]
fn emit_is_refused_when_the_queue_is_full_and_taken_when_it_has_room() {
    let runtime = Fake::new(7);
    runtime.network().set_script(narrow(50));
    let server = serve(&runtime, config().max_pending_bytes(200));
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    let mut taken = 0_u64;
    let error = loop {
        match peer.emit("n", &(100 + taken)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, EmitError::Full { limit: 200, .. }) && error.is_temporary());
    assert_eq!(server.broadcast("n", &1).unwrap().full, 1);
    let bytes = runtime.block_on(async {
        let mut bytes = Vec::new();
        while numbers(&bytes).len() < taken as usize {
            bytes.extend(end.receive().await.unwrap());
        }
        bytes
    });
    assert_eq!(numbers(&bytes), (100..100 + taken).collect::<Vec<_>>());
    runtime.run();
    peer.emit("n", &1).unwrap();
}

#[test]
fn one_message_larger_than_the_limit_passes_an_empty_queue() {
    let runtime = Fake::new(8);
    runtime.network().set_script(narrow(50));
    let server = serve(&runtime, config().max_pending_bytes(100));
    let mut end = dial(&runtime);
    let peer = server.peers().remove(0);
    runtime.spawn(async move {
        for n in 0..3 {
            peer.send("n", &(n, "x".repeat(1000))).await.unwrap();
        }
        peer.close().await.unwrap();
    });
    assert_eq!(numbers(&runtime.block_on(drain(&mut end)).0), [0, 1, 2]);
}

#[test]
fn send_to_all_goes_at_the_pace_of_the_slowest() {
    let runtime = Fake::new(9);
    runtime.network().set_script(narrow(50));
    let server = serve(&runtime, config().max_pending_bytes(100));
    let (mut quick, mut slow) = (dial(&runtime), dial(&runtime));
    let sender = server.clone();
    runtime.spawn(async move {
        for n in 0..100 {
            let frame = ipc_driver::Frame::new(sender.settings(), "n", &n).unwrap();
            assert_eq!(sender.send_to_all(&frame).await.queued, 2);
        }
        sender.shutdown(SECOND * 60).await;
    });
    let fake = runtime.clone();
    runtime.spawn(async move { assert_eq!(numbers(&drain(&mut quick).await.0).len(), 100) });
    let bytes = runtime.block_on(async {
        let mut all = Vec::new();
        loop {
            fake.sleep(MILLISECOND * 10).await;
            match slow.receive().await.unwrap() {
                bytes if bytes.is_empty() => return all,
                bytes => all.extend(bytes),
            }
        }
    });
    assert_eq!(numbers(&bytes).len(), 100);
    assert_eq!(runtime.panics(), [""; 0]);
}

#[test]
fn a_full_stream_of_one_connection_does_not_time_out_what_the_peer_has_sent() {
    let runtime = Fake::new(10);
    let server = serve(&runtime, config().event_queue(1).message_timeout(SECOND));
    let mut events = server.events();
    let mut end = dial(&runtime);
    let all: String = (0..20).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.block_on(async {
        let mut got = 0;
        while got < 20 {
            runtime.sleep(SECOND * 10).await;
            match events.recv().await.unwrap() {
                ServerEvent::Message(..) => got += 1,
                ServerEvent::Error(_, error) => panic!("{error}"),
                _ => {}
            }
        }
    });
}

#[test]
fn a_peer_is_not_timed_out_for_what_we_do_not_read() {
    let runtime = Fake::new(11);
    let server = serve(&runtime, config().max_pending_bytes(100).message_timeout(SECOND));
    server.on_event("n", Peer::emit_event);
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| to.push(error.to_string()));
    let mut end = dial(&runtime);
    end.connection().set_script(Script::default().to_client(Wire::default().capacity(50)));
    let all: String = (0..21).map(|n| frame("n", n)).collect();
    let (most, tail) = all.split_at(all.len() - 5);
    runtime.block_on(end.send(most.as_bytes())).unwrap();
    runtime.advance(SECOND * 9);
    let mut got = Vec::new();
    while numbers(&got).len() < 20 {
        got.extend(runtime.block_on(end.receive()).unwrap());
        runtime.run();
    }
    runtime.advance(MILLISECOND * 900);
    runtime.block_on(end.send(tail.as_bytes())).unwrap();
    runtime.run();
    got.extend(runtime.block_on(end.receive()).unwrap());
    assert_eq!(numbers(&got), (0..21).collect::<Vec<_>>());
    assert_eq!(errors.len(), 0);
    // What is unfinished while we do read is timed out all the same.
    runtime.block_on(end.send(b"{")).unwrap();
    runtime.advance(MILLISECOND * 1001);
    assert_eq!(errors.len(), 1);
    assert!(server.is_empty());
}

#[test]
fn a_message_left_unfinished_before_a_pause_is_timed_out_after_it() {
    let runtime = Fake::new(13);
    let server = serve(&runtime, config().event_queue(1).message_timeout(SECOND));
    let mut events = server.events();
    let mut end = dial(&runtime);
    let all = frame("n", 1) + &frame("n", 2) + &frame("n", 3) + "{";
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.advance(SECOND * 10);
    for _ in 0..4 {
        assert!(!matches!(runtime.block_on(events.recv()), Some(ServerEvent::Error(..))));
    }
    runtime.advance(MILLISECOND * 1001);
    assert!(matches!(runtime.block_on(events.recv()), Some(ServerEvent::Error(..))));
}

#[test]
fn reading_goes_on_when_a_congested_queue_is_written_all_at_once() {
    let runtime = Fake::new(14);
    let server = serve(&runtime, config().max_pending_bytes(200));
    server.on_event("n", Peer::emit_event);
    let mut end = dial(&runtime);
    end.connection().set_script(Script::default().to_client(Wire::default().capacity(0)));
    let (first, second): (String, String) =
        ((0..12).map(|n| frame("n", n)).collect(), (12..20).map(|n| frame("n", n)).collect());
    runtime.block_on(end.send(first.as_bytes())).unwrap();
    runtime.run();
    runtime.block_on(end.send(second.as_bytes())).unwrap();
    runtime.run();
    end.connection().set_script(Script::default());
    runtime.run();
    assert_eq!(numbers(&runtime.block_on(end.receive()).unwrap()), (0..20).collect::<Vec<_>>());
}

#[test]
fn an_open_stream_that_nobody_reads_holds_no_more_than_its_bound() {
    let runtime = Fake::new(12);
    let server = serve(&runtime, config().event_queue(3));
    let events = server.events();
    let mut ends: Vec<_> = (0..4).map(|_| dial(&runtime)).collect();
    let many: String = (0..1000).map(|n| frame("n", n)).collect();
    for end in &mut ends {
        runtime.block_on(end.send(many.as_bytes())).unwrap();
    }
    runtime.advance(SECOND);
    drop(server);
    drop(ends);
    runtime.advance(SECOND * 10);
    // Each of the four connections has one slot of its own.
    let mut events = events;
    let mut held = 0;
    while let std::task::Poll::Ready(Some(_)) = poll_once(events.recv()) {
        held += 1;
    }
    assert!(held <= 3 + 4 + 1, "{held}");
}

#[test]
fn a_connection_that_cannot_write_and_has_nobody_to_tell_does_not_spin() {
    let runtime = Fake::new(16);
    let server = serve(&runtime, config().event_queue(1));
    let mut events = server.events();
    let mut end = dial(&runtime);
    let all: String = (0..10).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    drop(end);
    server.broadcast("n", &1).unwrap();
    runtime.run();
    server.broadcast("n", &2).unwrap();
    runtime.advance(SECOND * 60);
    let polls: usize = runtime.tasks().iter().map(|task| task.polls).sum();
    assert!(polls < 20, "{polls}");
    let (got, last) = numbers_until_the_end(&runtime, &mut events);
    assert_eq!(got, (0..10).collect::<Vec<_>>());
    assert_eq!(last, "disconnected #0, 2 unsent");
}

#[test]
fn a_synchronous_client_whose_handlers_ask_more_than_its_bound_still_reads_its_answers() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    server.on_event("ask", Peer::emit_event);
    let client = client(&runtime, config().sync(true).max_pending_bytes(200));
    let (answers, to, emitter) = (Log::default(), Log::default(), client.emitter());
    let (answered, asked) = (answers.clone(), to.clone());
    client.on("ask", move |n: u64| {
        answered.push(n);
        // Each answer brings three more questions, until there is no room: none of them may leave before the next answer.
        for more in 1..=3 {
            if emitter.emit("ask", &(n * 3 + more)).is_ok() {
                asked.push(n * 3 + more);
            }
        }
    });
    runtime.block_on(client.connect()).unwrap();
    client.emit("ask", &0_u64).unwrap();
    runtime.advance(SECOND);
    let answers = answers.len();
    assert!(answers > 100, "{answers} answers, then nothing was read any more");
    assert!(to.len() <= answers * 3 && client.pending() <= 400, "{} bytes wait", client.pending());
}

#[test]
fn events_queued_behind_a_write_that_is_blocked_keep_no_task_awake() {
    let runtime = Fake::new(11);
    runtime.network().set_script(narrow(1000));
    let server = serve(&runtime, config().event_queue(1));
    let events = server.events();
    let client = connect(&runtime, config());
    for n in 0..100 {
        client.emit("n", &format!("{n:01000}")).unwrap();
        // The first of them are on their way to a socket that takes no more; the others wait behind them.
        runtime.run();
    }
    assert!(client.pending() > 50_000);
    let polls = || runtime.tasks().iter().map(|task| task.polls).sum::<usize>();
    let before = polls();
    client.emit("n", "one more").unwrap();
    runtime.run();
    assert!(polls() - before <= 4, "{} polls", polls() - before);
    drop(events);
    runtime.run();
    assert_eq!(client.pending(), 0);
}

#[test]
fn a_part_that_is_written_makes_room_for_a_send_that_waits() {
    let runtime = Fake::new(24);
    let server = serve(&runtime, config().max_pending_bytes(1000));
    let mut end = dial(&runtime);
    end.connection().set_script(to_client(900));
    let peer = server.peers().remove(0);
    peer.emit("n", &"x".repeat(880)).unwrap();
    runtime.run();
    // The wire is full; now the queue is filled, behind what the task has taken.
    peer.emit("n", &1).unwrap();
    runtime.run();
    while peer.emit("n", &1).is_ok() {}
    let sent = Log::default();
    let (to, sender) = (sent.clone(), peer.clone());
    runtime.spawn(async move {
        sender.send("n", &1).await.unwrap();
        to.push(());
    });
    runtime.run();
    assert_eq!(sent.len(), 0);
    runtime.block_on(end.receive()).unwrap();
    runtime.run();
    assert_eq!(sent.len(), 1, "{} bytes are said to wait", peer.pending());
}

#[cfg(feature = "tls")]
#[test]
fn what_tls_has_taken_waits_no_more_and_makes_room() {
    let (for_server, for_client) = crate::certs::pair();
    let runtime = Fake::new(25);
    runtime.network().set_script(narrow(1000));
    let server = serve(&runtime, for_server.max_pending_bytes(4000));
    let client = connect(&runtime, for_client.event_queue(1));
    let _unread = client.events();
    let peer = server.peers().remove(0);
    let event = "x".repeat(500);
    // Until the client reads no more.
    for _ in 0..20 {
        let _may_be_full = peer.emit("n", &event);
        runtime.run();
    }
    while peer.emit("n", &event).is_ok() {}
    let sent = Log::default();
    let (to, sender) = (sent.clone(), peer.clone());
    runtime.spawn(async move {
        sender.send("n", &"x".repeat(1000)).await.unwrap();
        to.push(());
    });
    runtime.advance(SECOND);
    assert_eq!(sent.len(), 1, "{} bytes are said to wait", peer.pending());
}

#[test]
fn a_stream_that_replaces_a_full_one_gets_what_waits() {
    let runtime = Fake::new(27);
    let server = serve(&runtime, config().event_queue(1));
    let old = server.events();
    let mut end = dial(&runtime);
    let all: String = (0..10).map(|n| frame("n", n)).collect();
    runtime.block_on(end.send(all.as_bytes())).unwrap();
    runtime.run();
    let mut new = server.events();
    let mut got = Vec::new();
    while got.last() != Some(&9) {
        runtime.run();
        match poll_once(new.recv()) {
            std::task::Poll::Ready(Some(ServerEvent::Message(_, message))) => got.push(message.data::<u64>().unwrap()),
            other => panic!("{other:?} after {got:?}"),
        }
    }
    assert!(got.len() >= 7 && got.is_sorted(), "{got:?}");
    drop(old);
}

#[test]
fn errors_of_futures_that_fill_the_stream_stop_the_reading_and_the_clock_of_what_is_unfinished() {
    let runtime = Fake::new(21);
    let server = server(&runtime, config().event_queue(1).message_timeout(SECOND));
    server.on_async("fail", |_, (): ()| async { Err::<(), _>("as told") });
    let mut events = server.events();
    runtime.block_on(server.start()).unwrap();
    let mut end = dial(&runtime);
    let fails = "{\"type\":\"fail\",\"data\":null}\u{c}".repeat(9);
    let last = frame("n", 7);
    let (half, rest) = last.split_at(9);
    runtime.block_on(end.send((fails + half).as_bytes())).unwrap();
    runtime.run();
    let read = end.connection().to_server().read;
    runtime.block_on(end.send(rest.as_bytes())).unwrap();
    runtime.advance(SECOND * 10);
    assert_eq!(end.connection().to_server().read, read);
    let mut failed = 0;
    let message = loop {
        match runtime.block_on(events.recv()).unwrap() {
            ServerEvent::Error(_, ConnectionError::Handler { .. }) => failed += 1,
            ServerEvent::Error(_, error) => panic!("{error}"),
            ServerEvent::Message(_, message) => break message,
            _ => {}
        }
    };
    assert_eq!((failed, message.data::<u64>().unwrap()), (9, 7));
}
