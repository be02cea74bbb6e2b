//! Datagrams to one address that leave with one call, where the system has one.

use crate::udp::{arrived, here, serve_udp, socket, tell, udp_lifecycle, whereabouts};
use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{Config, UdpPeer};

const EIO: i32 = 5;
const ENETUNREACH: i32 = 101;

/// A server that sends back whatever comes, and what came, in one datagram with many messages.
fn echo(runtime: &Fake) -> crate::udp::FakeUdp {
    let server = serve_udp(runtime, config());
    server.on_event("m", UdpPeer::emit_event);
    server
}

fn many(count: usize) -> (String, Vec<String>) {
    let frames: Vec<_> = (0..count).map(|n| frame("m", 1000 + n)).collect();
    (frames.concat(), frames)
}

#[test]
fn answers_to_one_peer_leave_together_and_arrive_apart() {
    let runtime = Fake::new(1);
    let server = echo(&runtime);
    let mut peer = socket(&runtime);
    let (input, frames) = many(100);
    tell(&runtime, &mut peer, &input);
    assert_eq!(arrived(&runtime, &mut peer), frames);
    assert_eq!(runtime.ether().bursts(), 2, "64 and 36");
    let counters = server.counters();
    assert_eq!((counters.sent, counters.sent_bytes, counters.queued.pending), (100, input.len() as u64, 0));
}

#[test]
fn a_socket_that_cannot_send_several_sends_one_by_one_and_is_soon_asked_no_more() {
    let runtime = Fake::new(1);
    let server = serve_udp(&runtime, Config::v9().raw_buffer(true));
    let log = udp_lifecycle(&server);
    let mut peer = socket(&runtime);
    runtime.ether().fail_bursts(EIO);
    for (length, asked) in [(1000, 1), (1000, 1), (501, 1), (400, 2), (200, 3), (100, 4), (10, 4), (2, 4)] {
        let text = "x".repeat(length);
        for _ in 0..3 {
            server.peer(whereabouts(&peer)).emit_raw(text.as_bytes()).unwrap();
        }
        assert_eq!(arrived(&runtime, &mut peer), [&*text, &*text, &*text]);
        assert_eq!(
            runtime.ether().bursts(),
            asked,
            "{length}: one that is half as long as one that failed, and longer than 63"
        );
    }
    assert_eq!(log.take().iter().filter(|event| event.starts_with("error")).count(), 0, "nothing was lost");
    assert_eq!(server.counters().sent, 24);
}

#[test]
fn a_way_that_is_cut_is_reported_for_each_datagram_and_says_nothing_of_bursts() {
    let runtime = Fake::new(1);
    let server = echo(&runtime);
    let log = udp_lifecycle(&server);
    let (mut cut, mut peer) = (socket(&runtime), socket(&runtime));
    runtime.ether().fail_sends(whereabouts(&cut), ENETUNREACH);
    let (input, frames) = many(5);
    tell(&runtime, &mut cut, &input);
    assert_eq!(log.take().iter().filter(|event| event.starts_with("error")).count(), 5);
    assert_eq!((server.counters().sent, server.counters().failed), (0, 5));
    tell(&runtime, &mut peer, &input);
    assert_eq!(arrived(&runtime, &mut peer), frames);
    assert_eq!(runtime.ether().bursts(), 1);
}

#[test]
fn what_is_held_up_leaves_when_there_is_room_again() {
    let runtime = Fake::new(1);
    let _server = echo(&runtime);
    let mut peer = socket(&runtime);
    let (input, frames) = many(5);
    runtime.ether().hold(true);
    runtime.ether().carry(whereabouts(&peer), here(), input.as_bytes());
    runtime.run();
    assert_eq!(arrived(&runtime, &mut peer), [""; 0]);
    runtime.ether().hold(false);
    assert_eq!(arrived(&runtime, &mut peer), frames);
    assert_eq!(runtime.ether().bursts(), 1);
}

#[test]
fn long_datagrams_go_one_by_one() {
    let runtime = Fake::new(1);
    let server = serve_udp(&runtime, Config::v9().raw_buffer(true));
    let mut peer = socket(&runtime);
    for length in [1200, 1201] {
        for _ in 0..2 {
            server.peer(whereabouts(&peer)).emit_raw("x".repeat(length).as_bytes()).unwrap();
        }
    }
    assert_eq!(arrived(&runtime, &mut peer).iter().map(String::len).collect::<Vec<_>>(), [1200, 1200, 1201, 1201]);
    assert_eq!(runtime.ether().bursts(), 1);
}

/// On a real socket.
#[cfg(target_os = "linux")]
#[test]
fn the_system_cuts_a_burst_into_the_datagrams_it_was_made_of() {
    use ipc_driver::net::{bind_udp, max_burst, send_burst};
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let address = address.parse().unwrap();
        let (Ok(from), Ok(to)) = (bind_udp(&[address]), bind_udp(&[address])) else {
            assert!(address.is_ipv6(), "IPv4 is everywhere");
            eprintln!("*** not tested: there is no IPv6 here ***");
            continue;
        };
        assert!(max_burst(&from) > 1, "this system is too old for the test");
        to.set_nonblocking(false).unwrap();
        let there = to.local_addr().unwrap();
        send_burst(&from, b"onetwothree", 3, there).unwrap();
        let mut buffer = [0; 100];
        let mut received = || {
            let (count, sender) = to.recv_from(&mut buffer).unwrap();
            assert_eq!(sender.port(), from.local_addr().unwrap().port());
            String::from_utf8(buffer[..count].to_vec()).unwrap()
        };
        assert_eq!([received(), received(), received(), received()], ["one", "two", "thr", "ee"]);
        // More than fits is refused as a whole.
        assert!(send_burst(&from, &[0; 200], 1, there).is_err());
    }
}
