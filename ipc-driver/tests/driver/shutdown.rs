//! Shutdown under load, over and over: what was taken arrives, or the report and the counters say what did not; and
//! afterwards no task, timer or socket is left. How single connections close is in `closing`.

use crate::udp::{here, serve_udp, socket, tell};
use crate::world::*;
use ipc_driver::fake::{Dial, Fake, Script, Sizes, Stream, Wire};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Failure, Peer, ServerEvent, ShutdownReport, UdpEvent};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Nothing goes on any more, although the handle is still there.
#[track_caller]
fn assert_gone(runtime: &Fake) {
    runtime.run();
    assert_eq!((runtime.tasks(), runtime.timers(), runtime.network().sockets()), (vec![], 0, 0));
    assert_eq!(runtime.panics(), [""; 0]);
}

/// What the report says is what the counters say.
#[track_caller]
fn assert_agrees(server: &FakeServer, peers: &Log<Peer>, report: ShutdownReport) {
    let counters = assert_summed(server, peers);
    let lost = counters.traffic.sent.lost.total();
    assert_eq!((lost.events, lost.bytes), (report.unsent.messages as u64, report.unsent.bytes as u64));
    assert_eq!((counters.connected, counters.traffic.sent.pending), (0, 0));
    assert_eq!(report.clean + report.cut, peers.len());
    let cut = peers.all().iter().filter(|peer| peer.counters().sent.lost.total().bytes > 0).count();
    assert_eq!(report.cut, cut);
}

/// Reads all that comes, in the background, and says at the end how many events that was.
fn reader(runtime: &Fake, mut end: Stream) -> Log<usize> {
    let log = Log::default();
    let to = log.clone();
    runtime.spawn(async move { to.push(numbers(&drain(&mut end).await.0).len()) });
    log
}

#[test]
fn a_shutdown_of_idle_peers_is_clean_and_leaves_nothing() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let clients: Vec<_> = (0..5).map(|_| connect(&runtime, config().stop_retrying(true))).collect();
    let started = runtime.elapsed();
    let report = runtime.block_on(server.shutdown(SECOND));
    assert_eq!((report.clean, report.cut), (5, 0));
    assert_eq!(runtime.elapsed(), started, "nobody is waited for in vain");
    clients.iter().for_each(|client| runtime.block_on(client.destroyed()));
    assert_agrees(&server, &peers, report);
    assert_gone(&runtime);
}

#[test]
fn a_connection_that_the_deadline_ends_is_clean_if_it_was_sent_everything() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let fake = runtime.clone();
    server.on_request_async("slow", move |_, (): ()| {
        let fake = fake.clone();
        async move {
            fake.sleep(SECOND * 60).await;
            Ok::<_, Failure>(())
        }
    });
    // One asks for what takes too long, and one never ends its side.
    let asking = connect(&runtime, config().stop_retrying(true));
    let answer = Log::default();
    let (request, to) = (asking.request::<()>("slow", &()), answer.clone());
    runtime.spawn(async move { to.push(request.await.is_err()) });
    let silent = dial(&runtime);
    runtime.run();
    let started = runtime.elapsed();
    let report = runtime.block_on(server.shutdown(SECOND));
    assert_eq!((report.clean, report.cut, runtime.elapsed() - started), (2, 0, SECOND));
    assert_eq!(report.unanswered, 1);
    runtime.run();
    assert_eq!(answer.take(), [true]);
    drop((silent, asking));
    assert_agrees(&server, &peers, report);
}

#[test]
fn a_shutdown_counts_the_requests_that_nobody_has_answered() {
    let runtime = Fake::new(9);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let fake = runtime.clone();
    server.on_request_async("after", move |_, seconds: u32| {
        let fake = fake.clone();
        async move {
            fake.sleep(SECOND * seconds).await;
            if seconds == 1 { Err("as asked") } else { Ok(seconds) }
        }
    });
    server.on_request("never", |_, (): ()| Err::<(), _>("as asked"));
    let clients = [(); 2].map(|()| connect(&runtime, config().stop_retrying(true)));
    let answers = Log::default();
    for (client, seconds) in [(0, 0), (0, 1), (0, 3), (0, 60), (0, 70), (1, 80)] {
        let (request, to) = (clients[client].request::<u32>("after", &seconds), answers.clone());
        runtime.spawn(async move { to.push((seconds, request.await.is_ok())) });
    }
    let (inline, to) = (clients[1].request::<()>("never", &()), answers.clone());
    runtime.spawn(async move { to.push((0, inline.await.is_ok())) });
    runtime.run();
    // What the server asks of its peers ends where it was asked, and is not in the report.
    let (asked, to) = (peers.all()[0].request::<()>("nothing", &()), answers.clone());
    runtime.spawn(async move { to.push((99, asked.await.is_ok())) });
    let report = runtime.block_on(server.shutdown(SECOND * 5));
    runtime.run();
    // One that is answered in time counts no more, neither does one that has failed: that is an answer.
    assert_eq!((report.clean, report.cut, report.unanswered), (2, 0, 3));
    let mut answers = answers.take();
    answers.sort_unstable();
    let expected = [(0, false), (0, true), (1, false), (3, true), (60, false), (70, false), (80, false), (99, false)];
    assert_eq!(answers, expected);
    assert_eq!(runtime.block_on(server.shutdown(SECOND)).unanswered, 0, "nothing is left to report");
    drop(clients);
    assert_agrees(&server, &peers, report);
    assert_gone(&runtime);
}

#[test]
fn a_shutdown_under_load_delivers_what_was_taken_or_says_what_it_did_not() {
    for seed in 0..60 {
        let runtime = Fake::new(seed);
        let latency = MILLISECOND * (seed % 4) as u32 * 10;
        let wire = Wire::default().capacity(300).writes(Sizes::Random(90)).reads(Sizes::Random(90)).hiccups(10);
        runtime.network().set_script(Script::both(wire.latency(latency)));
        let server = serve(&runtime, config());
        let peers = every_peer(&server);
        let readers: Vec<_> = (0..4).map(|_| reader(&runtime, dial(&runtime))).collect();
        let stalled: Vec<_> = (0..2).map(|_| dial(&runtime)).collect();
        let (sender, fake) = (server.clone(), runtime.clone());
        let taken = Log::default();
        let to = taken.clone();
        runtime.spawn(async move {
            for n in 0_u64.. {
                let outcome = sender.broadcast("n", &n).unwrap();
                to.push(outcome.queued);
                if sender.is_empty() {
                    return;
                }
                fake.sleep(MILLISECOND).await;
            }
        });
        runtime.advance(MILLISECOND * 50);
        let report = runtime.block_on(server.shutdown(SECOND * 20));
        runtime.advance(SECOND);
        assert_eq!((report.clean, report.cut), (4, 2), "seed {seed}");
        let mut got: usize = readers.iter().flat_map(Log::take).sum();
        for mut end in stalled {
            got += numbers(&runtime.block_on(drain(&mut end)).0).len();
        }
        let taken: usize = taken.take().iter().sum();
        assert_eq!(taken, got + report.unsent.messages, "seed {seed}");
        assert_eq!(server.counters().traffic.sent.events, taken as u64, "seed {seed}");
        assert_agrees(&server, &peers, report);
        assert_gone(&runtime);
    }
}

#[test]
fn a_shutdown_without_time_writes_what_the_socket_takes_and_reports_the_rest() {
    let runtime = Fake::new(2);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let mut end = dial(&runtime);
    (0..50_u64).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 1));
    let report = runtime.block_on(server.shutdown(Duration::ZERO));
    let got = numbers(&runtime.block_on(drain(&mut end)).0).len();
    assert_eq!((report.unsent.messages + got, report.cut), (50, 1));
    drop(end);
    assert_agrees(&server, &peers, report);
    assert_gone(&runtime);
}

#[test]
fn several_shutdowns_at_once_all_report_the_same_and_the_shortest_counts() {
    let runtime = Fake::new(3);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let end = dial(&runtime);
    (0..50_u64).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 1));
    let reports = Log::default();
    for seconds in [9, 2, 5] {
        let (server, to) = (server.clone(), reports.clone());
        runtime.spawn(async move { to.push(server.shutdown(SECOND * seconds).await) });
    }
    let started = runtime.elapsed();
    runtime.run();
    // Two that nobody waits for change nothing.
    assert!(poll_once(server.shutdown(SECOND * 3)).is_pending());
    let late = runtime.block_on(server.shutdown(SECOND * 20));
    assert_eq!(runtime.elapsed() - started, SECOND * 2);
    runtime.run();
    assert_eq!(reports.take(), [late; 3]);
    drop(end);
    assert_agrees(&server, &peers, late);
    assert_eq!(runtime.block_on(server.shutdown(SECOND)), ShutdownReport::default(), "there is nothing left to end");
    assert_gone(&runtime);
}

#[test]
fn a_shutdown_begun_in_a_handler_delivers_the_answer_of_that_handler() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let reports = Log::default();
    let (same, fake, to) = (server.clone(), runtime.clone(), reports.clone());
    server.on("end", move |peer, (): ()| {
        // Polled once and dropped, and then again by a task.
        assert!(poll_once(same.shutdown(SECOND)).is_pending());
        assert!(peer.emit("late", &1).is_err(), "it is closing already");
        let (same, to) = (same.clone(), to.clone());
        fake.spawn(async move { to.push(same.shutdown(SECOND).await) });
    });
    server.on("ask", |peer, n: u64| peer.emit("answer", &n));
    let mut end = dial(&runtime);
    let ask = [frame("ask", 7), "{\"type\":\"end\",\"data\":null}\u{c}".into(), frame("ask", 8)].concat();
    runtime.block_on(end.send(ask.as_bytes())).unwrap();
    assert_eq!(numbers(&runtime.block_on(drain(&mut end)).0), [7]);
    drop(end);
    runtime.run();
    let report = reports.take().remove(0);
    assert_eq!((report.clean, report.cut), (1, 0));
    let refused = server.counters().traffic.sent.refused.closed;
    assert_eq!(refused, 2, "the late one, and the answer to what came behind it");
    assert_agrees(&server, &peers, report);
    server.off_all("end");
    assert_gone(&runtime);
}

#[test]
fn a_dropped_shutdown_under_load_still_keeps_its_deadline() {
    let runtime = Fake::new(5);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let (good, bad) = (reader(&runtime, dial(&runtime)), dial(&runtime));
    (0..50_u64).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 2));
    assert!(poll_once(server.shutdown(SECOND * 2)).is_pending());
    runtime.advance(SECOND * 2);
    assert!(server.is_empty());
    assert_eq!(good.take(), [50]);
    let lost = assert_summed(&server, &peers).traffic.sent.lost.total();
    assert!(lost.events > 40, "{lost:?}");
    drop(bad);
    assert_gone(&runtime);
}

#[test]
fn a_peer_that_connects_during_a_shutdown_is_not_let_in() {
    let runtime = Fake::new(6);
    runtime.network().set_script(Script::both(Wire::default().capacity(100)));
    let server = serve(&runtime, config());
    let stalled = dial(&runtime);
    (0..50_u64).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 1));
    // In the backlog, and not accepted yet.
    let mut waiting = runtime.block_on(runtime.connect(&address(), &settings(config()))).unwrap();
    assert!(poll_once(server.shutdown(SECOND)).is_pending());
    assert!(!server.is_listening());
    let (bytes, _) = runtime.block_on(drain(&mut waiting));
    assert_eq!(bytes, b"");
    drop((stalled, waiting));
    runtime.block_on(server.shutdown(SECOND));
    assert_eq!(server.counters().accepted, 1);
    assert_gone(&runtime);
}

#[test]
fn a_handler_that_panics_at_the_start_leaves_a_server_that_can_be_shut_down_and_started_again() {
    let runtime = Fake::new(7);
    let server = server(&runtime, config());
    let panics = server.on_lifecycle(|event| assert!(!matches!(event, ServerEvent::Started(_)), "as told"));
    let started = catch_unwind(AssertUnwindSafe(|| runtime.block_on(server.start())));
    assert!(started.is_err());
    assert!(!server.is_listening());
    assert_eq!(runtime.block_on(server.shutdown(SECOND)), ShutdownReport::default());
    assert_gone(&runtime);
    server.off(panics);
    runtime.block_on(server.start()).unwrap();
    assert!(server.is_listening());
}

#[test]
fn a_client_that_closes_in_any_state_leaves_nothing() {
    for state in ["connecting", "waiting", "connected", "stalled"] {
        let runtime = Fake::new(8);
        let wire = Wire::default().capacity(if state == "stalled" { 10 } else { 1000 });
        runtime.network().set_script(Script::both(wire));
        if state == "connecting" {
            runtime.network().dial(&endpoint(), [Dial::Hang]);
        }
        let mut listener = (state != "waiting").then(|| listen(&runtime));
        let client = client(&runtime, config());
        client.start();
        runtime.run();
        let end = listener.as_mut().filter(|_| client.is_connected());
        let end = end.map(|listener| runtime.block_on(listener.accept()).unwrap());
        let emitted = (0..5).filter(|n| client.emit("n", n).is_ok()).count() as u64;
        let closing: Vec<_> = (0..3).map(|n| client.close_within(SECOND * (n + 1))).collect();
        let outcomes: Vec<_> = closing.into_iter().map(|closing| runtime.block_on(closing).is_ok()).collect();
        assert_eq!(outcomes, [state != "stalled"; 3], "{state}");
        let sent = client.counters().traffic.sent;
        assert_eq!((sent.events, sent.pending), (emitted, 0), "{state}");
        assert_balanced(&client.counters().traffic);
        drop((end, listener));
        assert_gone(&runtime);
    }
}

#[test]
fn a_udp_server_sends_what_is_queued_or_says_what_it_did_not() {
    for held in [false, true] {
        let runtime = Fake::new(9);
        let server = serve_udp(&runtime, config());
        server.on("n", |peer, n: u64| peer.emit("n", &n));
        let mut other = socket(&runtime);
        (0..3).for_each(|n| tell(&runtime, &mut other, frame("n", n)));
        runtime.ether().hold(held);
        (0..40_u64).for_each(|n| assert_eq!(server.broadcast("n", &n).unwrap().queued, 1));
        let reports = Log::default();
        for _ in 0..2 {
            let (server, to) = (server.clone(), reports.clone());
            runtime.spawn(async move { to.push(server.shutdown(SECOND).await) });
        }
        assert!(poll_once(server.shutdown(SECOND * 2)).is_pending());
        let report = runtime.block_on(server.shutdown(SECOND * 9));
        runtime.run();
        assert_eq!(reports.take(), [report; 2]);
        assert_eq!(report.messages, if held { 40 } else { 0 });
        let counters = server.counters();
        assert_eq!(counters.queued.datagrams, counters.sent + counters.failed + counters.unsent);
        assert_eq!((counters.unsent as usize, counters.queued.pending), (report.messages, 0));
        assert_eq!((counters.received.datagrams, counters.received.messages), (3, 3));
        assert_eq!(counters.received.bytes, (0..3).map(|n| frame("n", n).len() as u64).sum::<u64>());
        assert_eq!(counters.queued.bytes == counters.sent_bytes, !held);
        assert!(server.emit_to(here(), "n", &1).is_err());
        assert_eq!(server.counters().queued.refused.closed, 1);
        assert_eq!((runtime.tasks(), runtime.timers()), (vec![], 0));
    }
}

#[test]
fn a_udp_server_whose_start_handler_panics_can_be_shut_down_and_started_again() {
    let runtime = Fake::new(10);
    let server = serve_udp(&runtime, config());
    runtime.block_on(server.shutdown(SECOND));
    let panics = server.on_lifecycle(|event| assert!(!matches!(event, UdpEvent::Started(_)), "as told"));
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(server.start()))).is_err());
    assert!(!server.is_listening());
    assert!(runtime.block_on(server.shutdown(SECOND)).is_empty());
    server.off(panics);
    runtime.block_on(server.start()).unwrap();
    assert!(server.is_listening());
}

#[cfg(feature = "tls")]
#[test]
fn handshakes_under_way_end_with_the_server_and_are_counted() {
    let runtime = Fake::new(11);
    let (config, _) = crate::certs::pair();
    let server = serve(&runtime, config);
    let peers = every_peer(&server);
    let mut ends: Vec<_> = (0..3).map(|_| dial(&runtime)).collect();
    runtime.block_on(ends[1].send(b"\x16\x03\x01")).unwrap();
    runtime.run();
    let started = runtime.elapsed();
    let report = runtime.block_on(server.shutdown(SECOND * 3));
    assert_eq!((runtime.elapsed(), report), (started, ShutdownReport::default()));
    assert_eq!(server.counters().refused.stopped, 3);
    assert_agrees(&server, &peers, report);
    drop(ends);
    assert_gone(&runtime);
}
