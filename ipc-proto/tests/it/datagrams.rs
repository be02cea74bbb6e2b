//! UDP peers in virtual time: who is remembered, what is put together, and what stays bounded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipc_proto::{
    Code, Config, DatagramError, DatagramEvent, Datagrams, Host, MAX_DATAGRAM, Message, OnMalformed, PeerEvent,
    PeerRemoval, Platform,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

#[allow(clippy::disallowed_methods, reason = "an Instant has no other beginning; only differences to it matter")]
fn start() -> Instant {
    Instant::now()
}

fn datagrams(config: Config) -> Datagrams {
    Datagrams::new(config.build(&Host::new("h", Platform::Linux)).unwrap())
}

fn peer(number: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], number))
}

/// What came of a datagram, in words.
fn receive(datagrams: &mut Datagrams, now: Instant, from: SocketAddr, bytes: &[u8]) -> Vec<String> {
    let mut received = datagrams.handle_datagram(now, from, bytes);
    assert_eq!(received.sender(), from);
    let mut words = Vec::new();
    while let Some(event) = received.next() {
        words.push(match event {
            DatagramEvent::Peer(PeerEvent::Added(peer)) => format!("+{}", peer.port()),
            DatagramEvent::Peer(PeerEvent::Removed(peer, why)) => {
                format!("-{} {why:?}", peer.port())
            }
            DatagramEvent::Event(event) => {
                format!("{}={}", event.name(), event.data_json().unwrap_or(""))
            }
            DatagramEvent::Malformed(malformed) => malformed.error().code().to_string(),
            DatagramEvent::Data(bytes) => format!("{bytes:?}"),
            other => panic!("{other:?}"),
        });
    }
    assert!(received.next().is_none(), "the end stays the end");
    words
}

fn time_passes(datagrams: &mut Datagrams, now: Instant) -> Vec<PeerEvent> {
    datagrams.handle_timeout(now);
    std::iter::from_fn(|| datagrams.poll_event()).collect()
}

fn frame(data: u32) -> Vec<u8> {
    format!("{{\"type\":\"m\",\"data\":{data}}}\u{c}").into_bytes()
}

#[test]
fn a_sender_is_announced_before_its_first_message_and_once() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    assert_eq!(receive(&mut udp, now, peer(1), &frame(1)), ["+1", "m=1"]);
    let both = [frame(2), frame(3)].concat();
    assert_eq!(receive(&mut udp, now, peer(1), &both), ["m=2", "m=3"]);
    assert_eq!(receive(&mut udp, now, peer(2), b""), ["+2"], "an empty datagram is heard too");
    assert_eq!(udp.peers().collect::<Vec<_>>(), [peer(1), peer(2)]);
    assert!(udp.is_peer(peer(2)) && !udp.is_peer(peer(3)));
}

#[test]
fn a_silent_sender_is_forgotten_when_its_time_is_up() {
    let mut udp = datagrams(Config::v9().udp_peer_expiry(60 * SECOND));
    let now = start();
    assert_eq!(udp.poll_timeout(), None);
    receive(&mut udp, now, peer(1), &frame(1));
    receive(&mut udp, now + 10 * SECOND, peer(2), &frame(1));
    assert_eq!(udp.poll_timeout(), Some(now + 60 * SECOND));
    receive(&mut udp, now + 30 * SECOND, peer(1), &frame(1));
    assert_eq!(udp.poll_timeout(), Some(now + 70 * SECOND));

    assert_eq!(time_passes(&mut udp, now + 69 * SECOND), []);
    let gone = |number| PeerEvent::Removed(peer(number), PeerRemoval::Expired);
    assert_eq!(time_passes(&mut udp, now + 70 * SECOND), [gone(2)]);
    assert_eq!(time_passes(&mut udp, now + 500 * SECOND), [gone(1)]);
    assert_eq!((udp.peer_count(), udp.poll_timeout()), (0, None));
    assert_eq!(receive(&mut udp, now + 501 * SECOND, peer(1), &frame(1)), ["+1", "m=1"]);
    assert_eq!(udp.counters().peers_expired, 2);
}

#[test]
fn who_was_heard_longest_ago_makes_room() {
    let mut udp = datagrams(Config::v9().max_udp_peers(2));
    let now = start();
    receive(&mut udp, now, peer(1), &frame(0));
    receive(&mut udp, now, peer(2), &frame(0));
    receive(&mut udp, now, peer(1), &frame(0));
    let events = receive(&mut udp, now, peer(3), &frame(7));
    assert_eq!(events, ["-2 CrowdedOut", "+3", "m=7"]);
    assert_eq!(udp.peers().collect::<BTreeSet<_>>(), BTreeSet::from([peer(1), peer(3)]));
    assert_eq!(udp.counters().peers_crowded_out, 1);
}

#[test]
fn a_spoofed_crowd_does_not_grow_memory() {
    let mut udp = datagrams(Config::v9().max_udp_peers(8).max_pending_bytes(1000));
    let now = start();
    for number in 0..if cfg!(miri) { 100 } else { 50_000_u32 } {
        let from = SocketAddr::from((number.to_be_bytes(), 9));
        receive(&mut udp, now, from, &[b'x'; 300]);
        assert!(udp.peer_count() <= 8 && udp.unfinished_bytes() <= 1000);
    }
    assert_eq!(udp.unfinished_bytes(), 900);
}

#[test]
fn a_pinned_peer_is_never_crowded_out_and_never_expires() {
    let mut udp = datagrams(Config::v9().max_udp_peers(2));
    let now = start();
    receive(&mut udp, now, peer(3), &frame(0));
    assert_eq!(udp.add_peer(now, peer(1)).unwrap(), None);
    assert_eq!(udp.add_peer(now, peer(2)).unwrap(), Some(peer(3)), "it made room");
    let full = udp.add_peer(now, peer(3)).unwrap_err();
    assert!(matches!(full, DatagramError::TooManyPeers { limit: 2 }), "{full}");
    assert_eq!(receive(&mut udp, now, peer(9), &frame(5)), ["m=5"], "heard, not remembered");
    receive(&mut udp, now, peer(9), b"{\"ty");
    assert_eq!(udp.unfinished_bytes(), 0);
    assert_eq!(receive(&mut udp, now, peer(1), &frame(6)), ["m=6"]);
    assert_eq!(udp.poll_timeout(), None);
    assert_eq!(time_passes(&mut udp, now + 1_000_000 * SECOND), []);
    assert!(udp.remove_peer(peer(1)) && !udp.remove_peer(peer(1)));
    assert_eq!(udp.peers().collect::<Vec<_>>(), [peer(2)]);
    udp.add_peer(now, peer(2)).unwrap();
    assert_eq!(udp.peer_count(), 1, "adding twice changes nothing");
}

#[test]
fn a_heard_peer_can_be_pinned_afterwards() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    for number in 1..=3 {
        receive(&mut udp, now, peer(number), &frame(0));
    }
    udp.add_peer(now, peer(2)).unwrap();
    udp.add_peer(now, peer(2)).unwrap();
    let gone = time_passes(&mut udp, now + 60 * SECOND);
    assert_eq!(gone.len(), 2);
    assert_eq!(udp.peers().collect::<Vec<_>>(), [peer(2)]);
}

#[test]
fn unfinished_messages_of_different_senders_do_not_mix() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    let (one, two) = (frame(1), frame(2));
    receive(&mut udp, now, peer(1), &one[..9]);
    receive(&mut udp, now, peer(2), &two[..4]);
    assert_eq!(udp.unfinished_bytes(), 13);
    assert_eq!(receive(&mut udp, now, peer(1), &one[9..]), ["m=1"]);
    assert_eq!(receive(&mut udp, now, peer(2), &two[4..]), ["m=2"]);
    assert_eq!(udp.unfinished_bytes(), 0);
}

#[test]
fn an_unfinished_message_is_dropped_when_its_rest_is_late() {
    for (config, wait) in [(Config::v9(), 5 * SECOND), (Config::v9().message_timeout(2 * SECOND), 2 * SECOND)] {
        let mut udp = datagrams(config);
        let now = start();
        receive(&mut udp, now, peer(1), b"{\"type\"");
        receive(&mut udp, now + SECOND, peer(1), b":\"m");
        assert_eq!(udp.poll_timeout(), Some(now + wait), "counted from its first byte");
        assert_eq!(time_passes(&mut udp, now + wait - Duration::from_millis(1)), []);
        let dropped = PeerEvent::MessageTimeout { peer: peer(1), bytes: 10, after: wait };
        assert_eq!(time_passes(&mut udp, now + wait), [dropped]);
        assert_eq!(udp.unfinished_bytes(), 0);
        assert_eq!(receive(&mut udp, now + wait, peer(1), &frame(4)), ["m=4"]);
        assert_eq!(udp.counters().unfinished_dropped, 1);
    }
}

#[test]
fn the_clock_of_an_unfinished_message_starts_with_its_own_first_byte() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    receive(&mut udp, now, peer(1), b"{\"type\":\"m\"");
    let both = [b",\"data\":1}\x0c{\"ty".to_vec()].concat();
    assert_eq!(receive(&mut udp, now + SECOND, peer(1), &both), ["m=1"]);
    assert_eq!(udp.poll_timeout(), Some(now + 6 * SECOND));
}

#[test]
fn a_forgotten_sender_takes_its_unfinished_message_along() {
    let mut udp = datagrams(Config::v9().udp_peer_expiry(SECOND));
    let now = start();
    receive(&mut udp, now, peer(1), b"{\"type\"");
    let gone = PeerEvent::Removed(peer(1), PeerRemoval::Expired);
    assert_eq!(time_passes(&mut udp, now + SECOND), [gone]);
    assert_eq!((udp.unfinished_bytes(), udp.poll_timeout()), (0, None));
    assert_eq!(udp.counters().unfinished_dropped, 1);
}

#[test]
fn what_is_abandoned_is_counted_and_who_began_it_stays_known() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    receive(&mut udp, now, peer(1), b"{\"type\"");
    receive(&mut udp, now, peer(2), b"{");
    receive(&mut udp, now, peer(3), &frame(1));
    udp.abandon_unfinished();
    assert_eq!((udp.unfinished_bytes(), udp.peer_count(), udp.counters().unfinished_dropped), (0, 3, 2));
    assert_eq!(receive(&mut udp, now, peer(1), &frame(4)), ["m=4"], "no rest is waited for");
    udp.abandon_unfinished();
    assert_eq!(udp.counters().unfinished_dropped, 2);
}

#[test]
fn what_does_not_fit_the_bound_of_unfinished_messages_is_dropped() {
    let mut udp = datagrams(Config::v9().max_pending_bytes(10));
    let now = start();
    receive(&mut udp, now, peer(1), &[b'x'; 6]);
    receive(&mut udp, now, peer(2), &[b'x'; 6]);
    assert_eq!((udp.unfinished_bytes(), udp.counters().unfinished_dropped), (6, 1));
    receive(&mut udp, now, peer(1), &[b'x'; 5]);
    assert_eq!((udp.unfinished_bytes(), udp.counters().unfinished_dropped), (0, 2));
    assert_eq!(receive(&mut udp, now, peer(1), &frame(4)), ["m=4"]);
}

#[test]
fn a_malformed_message_is_reported_and_the_next_one_read() {
    let mut udp = datagrams(Config::v9());
    let bytes = [b"junk\x0c5\x0c".to_vec(), frame(1)].concat();
    let events = receive(&mut udp, start(), peer(1), &bytes);
    assert_eq!(events, ["+1", "ERR_IPC_INVALID_JSON", "ERR_IPC_INVALID_MESSAGE", "m=1"]);
    assert_eq!((udp.counters().malformed, udp.counters().messages), (2, 1));
}

#[test]
fn with_close_a_malformed_message_ends_the_datagram_and_its_sender() {
    let mut udp = datagrams(Config::v14_fast());
    let now = start();
    let bytes = [frame(1), b"junk\x0c".to_vec(), frame(2), frame(3), b"{".to_vec()].concat();
    let events = receive(&mut udp, now, peer(1), &bytes);
    assert_eq!(events, ["+1", "m=1", "ERR_IPC_INVALID_JSON", "-1 Malformed"]);
    assert_eq!((udp.peer_count(), udp.unfinished_bytes()), (0, 0));
    assert_eq!(udp.counters().discarded, 2);
    assert_eq!(receive(&mut udp, now, peer(1), &frame(4)), ["+1", "m=4"]);

    udp.add_peer(now, peer(1)).unwrap();
    assert_eq!(receive(&mut udp, now, peer(1), &bytes), ["m=1", "ERR_IPC_INVALID_JSON"]);
    assert_eq!(udp.peers().collect::<Vec<_>>(), [peer(1)], "the user added it");
}

#[test]
fn a_message_too_large_is_reported_once_and_leaves_nothing_behind() {
    for close in [OnMalformed::Report, OnMalformed::Close] {
        let mut udp = datagrams(Config::v9().max_message_size(25).malformed(close));
        let now = start();
        let mut events = receive(&mut udp, now, peer(1), &[b'x'; 15]);
        events.extend(receive(&mut udp, now, peer(1), &[[b'x'; 15].to_vec(), frame(1)].concat()));
        let closed: &[&str] = if close == OnMalformed::Close { &["-1 Malformed"] } else { &[] };
        assert_eq!(events[..2], ["+1", Code::FrameTooLarge.as_str()]);
        assert_eq!(&events[2..], closed);
        assert_eq!(udp.unfinished_bytes(), 0);
        assert_eq!(receive(&mut udp, now, peer(1), &frame(4)).last().unwrap(), "m=4");
    }
}

#[test]
fn the_guarded_rules_hold_over_udp() {
    let mut udp = datagrams(Config::v14_guarded().malformed(OnMalformed::Report));
    let bytes = b"{\"type\":\"close\"}\x0c{\"type\":\"toString\"}\x0c{\"type\":\"ok\"}\x0c";
    let events = receive(&mut udp, start(), peer(1), bytes);
    assert_eq!(events, ["+1", "ERR_IPC_RESERVED_EVENT", "ERR_IPC_INVALID_EVENT", "ok="]);
    let error = udp.encode("error", &1, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, DatagramError::Encode(_)));
}

#[test]
fn a_datagram_that_is_not_drained_is_discarded_and_counted() {
    let now = start();
    let bytes = [frame(1), frame(2), frame(3), b"{\"ty".to_vec()].concat();
    let mut udp = datagrams(Config::v9());
    let mut received = udp.handle_datagram(now, peer(1), &bytes);
    assert!(matches!(received.next(), Some(DatagramEvent::Peer(_))));
    assert!(matches!(received.next(), Some(DatagramEvent::Event(_))));
    drop(received);
    assert_eq!((udp.counters().discarded, udp.counters().unfinished_dropped), (2, 0));
    assert_eq!(udp.unfinished_bytes(), 4, "the stream of that sender stays in step");
    let rest = b"pe\":\"m\",\"data\":4}\x0c";
    assert_eq!(receive(&mut udp, now, peer(1), rest), ["m=4"]);

    let mut udp = datagrams(Config::v14_fast());
    let mut received = udp.handle_datagram(now, peer(1), b"junk\x0cjunk\x0c");
    while !matches!(received.next(), Some(DatagramEvent::Malformed(_))) {}
    drop(received);
    assert_eq!((udp.counters().discarded, udp.counters().unfinished_dropped, udp.peer_count()), (1, 0, 0));

    // What is behind the whole messages is dropped as well, where the sender is.
    let mut udp = datagrams(Config::v14_fast());
    let mut received = udp.handle_datagram(now, peer(1), b"junk\x0cjunk\x0cju");
    while !matches!(received.next(), Some(DatagramEvent::Malformed(_))) {}
    drop(received);
    assert_eq!((udp.counters().discarded, udp.counters().unfinished_dropped), (1, 1));

    let mut udp = datagrams(Config::v9().raw_buffer(true));
    drop(udp.handle_datagram(now, peer(1), b"bytes"));
    assert_eq!(udp.counters().discarded, 1);
}

#[test]
fn raw_mode_hands_out_whole_datagrams() {
    let mut udp = datagrams(Config::v9().raw_buffer(true));
    let now = start();
    assert_eq!(receive(&mut udp, now, peer(1), b"\x00\xff\x0c"), ["+1", "[0, 255, 12]"]);
    assert_eq!(receive(&mut udp, now, peer(1), b""), ["[]"]);
    assert_eq!(udp.counters().messages, 2);
    assert!(udp.check_raw(&vec![0; MAX_DATAGRAM]).is_ok());
    let error = udp.check_raw(&vec![0; MAX_DATAGRAM + 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message takes 65508 bytes and a datagram holds 65507; send less at a time, or use TCP"
    );
}

#[test]
fn a_message_larger_than_a_datagram_is_refused_and_the_output_untouched() {
    let udp = datagrams(Config::v9());
    let mut out = b"before".to_vec();
    // {"type":"m","data":"…"} and the delimiter take 23 bytes.
    let fits = "u".repeat(MAX_DATAGRAM - 23);
    assert_eq!(udp.encode("m", &fits, &mut out).unwrap(), MAX_DATAGRAM);
    out.truncate(6);
    let error = udp.encode("m", &(fits + "u"), &mut out).unwrap_err();
    assert!(matches!(error, DatagramError::TooLarge { length, limit } if length == limit + 1 && limit == MAX_DATAGRAM));
    assert_eq!(out, b"before");
    let message = Message::new("m", &"u".repeat(MAX_DATAGRAM)).unwrap();
    assert!(udp.encode_message(&message, &mut out).is_err());
    let message = Message::new("m", &1).unwrap();
    assert_eq!(udp.encode_message(&message, &mut out).unwrap(), frame(1).len());
    assert_eq!(out, [b"before".to_vec(), frame(1)].concat());
}

#[test]
fn an_endless_expiry_does_not_overflow() {
    let mut udp = datagrams(Config::v9().udp_peer_expiry(Duration::MAX).message_timeout(Duration::MAX));
    receive(&mut udp, start(), peer(1), b"{");
    assert_eq!(udp.poll_timeout(), None);
}

#[test]
fn time_that_goes_back_is_taken_as_standing_still() {
    let mut udp = datagrams(Config::v9());
    let now = start() + 100 * SECOND;
    receive(&mut udp, now, peer(1), &frame(0));
    receive(&mut udp, now - 50 * SECOND, peer(2), &frame(0));
    assert_eq!(time_passes(&mut udp, now + 59 * SECOND), []);
    assert_eq!(time_passes(&mut udp, now + 60 * SECOND).len(), 2);
}

/// What a sender says: how many messages, and where its bytes are cut into datagrams.
fn any_sender() -> impl Strategy<Value = (usize, Vec<usize>)> {
    (0..6_usize, proptest::collection::vec(0..60_usize, 0..6))
}

proptest! {
    #[test]
    fn however_senders_interleave_each_is_heard_in_its_own_words(
        senders in proptest::collection::vec(any_sender(), 1..6),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let mut udp = datagrams(Config::v9().delimiter("\r\n"));
        let now = start();
        let mut queues: Vec<(u16, Vec<Vec<u8>>)> = Vec::new();
        let mut expected: HashMap<u16, Vec<String>> = HashMap::new();
        for (number, (messages, cuts)) in senders.iter().enumerate() {
            let port = u16::try_from(number).unwrap() + 1;
            let mut bytes = Vec::new();
            for data in 0..*messages {
                let text = format!("{port}.{data}");
                udp.encode("m", &text, &mut bytes).unwrap();
                expected.entry(port).or_default().push(format!("m=\"{text}\""));
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let mut from = 0;
            let mut pieces = Vec::new();
            for cut in cuts {
                pieces.push(bytes[from..cut].to_vec());
                from = cut;
            }
            pieces.reverse();
            queues.push((port, pieces));
        }
        let mut heard: HashMap<u16, Vec<String>> = HashMap::new();
        let mut turns = order.iter().cycle();
        while !queues.is_empty() {
            let turn = turns.next().unwrap().index(queues.len());
            let (port, pieces) = &mut queues[turn];
            let piece = pieces.pop().unwrap();
            let words = receive(&mut udp, now, peer(*port), &piece);
            let messages = words.into_iter().filter(|word| word.starts_with("m="));
            heard.entry(*port).or_default().extend(messages);
            if pieces.is_empty() {
                queues.swap_remove(turn);
            }
        }
        heard.retain(|_, messages| !messages.is_empty());
        prop_assert_eq!(heard, expected);
        prop_assert_eq!(udp.unfinished_bytes(), 0);
    }

    /// Against the plainest model of it: a list, the one heard last at its end.
    #[test]
    fn who_is_remembered_follows_the_model(
        steps in proptest::collection::vec((0..8_u8, 1..7_u16, 0..40_u64), 1..60),
    ) {
        const MOST: usize = 3;
        let expiry = 60 * SECOND;
        let mut udp = datagrams(Config::v9().max_udp_peers(MOST).udp_peer_expiry(expiry));
        let mut model: Vec<(u16, Instant, bool)> = Vec::new();
        let mut now = start();
        for (step, number, wait) in steps {
            now += Duration::from_secs(wait);
            time_passes(&mut udp, now);
            model.retain(|&(_, heard, pinned)| pinned || heard + expiry > now);
            let known = model.iter().position(|peer| peer.0 == number);
            match step {
                0 => {
                    prop_assert_eq!(udp.remove_peer(peer(number)), known.is_some());
                    model.retain(|peer| peer.0 != number);
                }
                1 if known.is_some() => {
                    udp.add_peer(now, peer(number)).unwrap();
                    model[known.unwrap()].2 = true;
                }
                step => {
                    let pinned = step == 1 || known.is_some_and(|at| model[at].2);
                    if let Some(at) = known {
                        model.remove(at);
                    } else if model.len() == MOST {
                        match model.iter().position(|peer| !peer.2) {
                            Some(oldest) => drop(model.remove(oldest)),
                            None if step == 1 => {
                                prop_assert!(udp.add_peer(now, peer(number)).is_err());
                                continue;
                            }
                            None => {
                                receive(&mut udp, now, peer(number), b"{");
                                continue;
                            }
                        }
                    }
                    if step == 1 {
                        udp.add_peer(now, peer(number)).unwrap();
                    } else {
                        receive(&mut udp, now, peer(number), &frame(0));
                    }
                    model.push((number, now, pinned));
                }
            }
            let remembered: BTreeSet<_> = udp.peers().collect();
            let modelled: BTreeSet<_> = model.iter().map(|known| peer(known.0)).collect();
            prop_assert_eq!(remembered, modelled);
            let first = model.iter().filter(|known| !known.2).map(|known| known.1 + expiry).min();
            prop_assert_eq!(udp.poll_timeout(), first);
        }
    }

    #[test]
    fn no_bytes_panic_or_leave_the_bounds(
        steps in proptest::collection::vec(
            (0..4_u16, proptest::collection::vec(prop_oneof![Just(0x0c), any::<u8>()], 0..30)),
            0..60,
        ),
        close: bool,
    ) {
        let malformed = if close { OnMalformed::Close } else { OnMalformed::Report };
        let config = Config::v9().max_message_size(40).max_pending_bytes(50).max_udp_peers(3);
        let mut udp = datagrams(config.malformed(malformed));
        let mut now = start();
        for (from, bytes) in steps {
            receive(&mut udp, now, peer(from), &bytes);
            prop_assert!(udp.peer_count() <= 3 && udp.unfinished_bytes() <= 50);
            now += SECOND;
            time_passes(&mut udp, now);
        }
        time_passes(&mut udp, now + 100 * SECOND);
        prop_assert_eq!((udp.peer_count(), udp.unfinished_bytes(), udp.poll_timeout()), (0, 0, None));
    }
}

#[test]
fn datagrams_may_be_looked_at_side_by_side_and_apart_from_what_is_known() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    let (one, two) = ([frame(1), b"{\"ty".to_vec()].concat(), [frame(2), b"{\"typ".to_vec()].concat());
    let mut arrivals = [udp.begin(now, peer(1)), udp.begin(now, peer(1))];
    let mut inputs = [&one[..], &two[..]];
    let mut names = Vec::new();
    for (arrival, input) in arrivals.iter_mut().zip(&mut inputs) {
        while let Some(event) = arrival.next(input) {
            names.push(format!("{event:?}").split([' ', '(']).next().unwrap().to_owned());
        }
    }
    assert_eq!(names, ["Added", "Event", "Event"]);
    for (arrival, input) in arrivals.into_iter().zip(inputs) {
        assert_eq!(udp.end(arrival, input), None);
    }
    assert_eq!(udp.unfinished_bytes(), 5, "of two tails the last is kept");
    assert_eq!((udp.counters().messages, udp.counters().unfinished_dropped), (2, 1));
    // Forgotten while its datagram is looked at.
    let arrival = udp.begin(now, peer(1));
    assert!(udp.remove_peer(peer(1)));
    udp.end(arrival, b"{\"type");
    assert_eq!((udp.unfinished_bytes(), udp.peer_count()), (0, 0));
}

#[test]
fn a_sender_at_port_0_is_heard_and_not_remembered() {
    let mut udp = datagrams(Config::v9());
    assert_eq!(receive(&mut udp, start(), peer(0), &frame(1)), ["m=1"]);
    assert_eq!(udp.peer_count(), 0);
}

#[test]
fn counters_add_up_over_datagrams() {
    let mut udp = datagrams(Config::v9());
    let now = start();
    let mut bytes = 0;
    for (number, datagram) in [frame(1), frame(22), b"no JSON\x0c".to_vec(), frame(333)].into_iter().enumerate() {
        receive(&mut udp, now, peer(1), &datagram);
        bytes += datagram.len() as u64;
        let counters = udp.counters();
        assert_eq!(counters.bytes, bytes);
        assert_eq!((counters.messages, counters.malformed), [(1, 0), (2, 0), (2, 1), (3, 1)][number]);
    }
}

#[test]
fn what_is_done_with_datagrams_and_peers_is_counted_each_time() {
    let mut udp = datagrams(Config::v9().max_udp_peers(2));
    let now = start();
    udp.add_peer(now, peer(1)).unwrap();
    udp.add_peer(now, peer(2)).unwrap();
    assert_eq!(udp.counters().peers_added, 2);
    for number in 3..6 {
        receive(&mut udp, now, peer(number), &frame(1));
    }
    let counters = udp.counters();
    assert_eq!((counters.datagrams, counters.peers_crowded_out, counters.peers_added), (3, 3, 2));

    let mut udp = datagrams(Config::v9());
    for number in 1..4 {
        receive(&mut udp, now, peer(number), &frame(1));
        assert_eq!(udp.counters().peers_added, u64::from(number));
        // Not looked at: a message, and what is left of a datagram of three of them.
        drop(udp.handle_datagram(now, peer(1), &[frame(1), frame(2), frame(3)].concat()));
        assert_eq!(udp.counters().discarded, 3 * u64::from(number));
    }

    let mut small = datagrams(Config::v9().max_message_size(10));
    for number in 1..4 {
        assert_eq!(
            receive(&mut small, now, peer(1), b"more than ten bytes\x0c").last().unwrap(),
            "ERR_IPC_FRAME_TOO_LARGE"
        );
        assert_eq!(small.counters().malformed, number);
    }

    for number in 1..4 {
        drop(small.handle_datagram(now, peer(1), b"more than ten bytes\x0c"));
        assert_eq!(small.counters().malformed, 3 + number, "not looked at");
    }

    let mut raw = datagrams(Config::v9().raw_buffer(true));
    for number in 1..4 {
        drop(raw.handle_datagram(now, peer(1), b"bytes"));
        assert_eq!(raw.counters().discarded, number);
    }
}

#[test]
fn a_datagram_shows_its_sender_and_no_payload() {
    let mut udp = datagrams(Config::v9());
    let arrival = udp.begin(start(), peer(7));
    assert!(format!("{arrival:?}").starts_with("Arrival { from: 127.0.0.1:7, state: "));
    udp.end(arrival, b"secret");
    let shown = format!("{:?}", udp.handle_datagram(start(), peer(7), b"secret"));
    assert!(shown.starts_with("Datagram { bytes_left: 6, from: 127.0.0.1:7") && !shown.contains("secret"), "{shown}");
}
