//! What becomes of a client's events between two connections: the offline policies, what a lost connection gives back,
//! and that every event is accounted for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::Duration;

use crate::common::{Driven, sent};
use bytes::Buf;
use ipc_proto::{ClientEvent, Config, EmitError, Frame, Offline, StopRetrying, Transmit, Unsent};
use proptest::prelude::*;

fn emit(driven: &mut Driven, number: u32) -> Result<(), EmitError> {
    driven.client.emit_offline(|outbound| outbound.emit("m", &number))
}

fn wire(numbers: &[u32]) -> String {
    numbers.iter().map(|number| format!("{{\"type\":\"m\",\"data\":{number}}}\u{c}")).collect()
}

fn lost(messages: usize, bytes: usize) -> Unsent {
    let mut unsent = Unsent::default();
    unsent.messages = messages;
    unsent.bytes = bytes;
    unsent
}

/// What the last `disconnect` said was lost.
fn unsent(driven: &mut Driven) -> Unsent {
    let mut told = driven.events().into_iter().filter_map(|event| match event {
        ClientEvent::Disconnected { unsent, .. } => Some(unsent),
        _ => None,
    });
    told.next_back().unwrap()
}

#[test]
fn refuse_takes_nothing_while_there_is_no_connection() {
    let mut driven = Driven::new(Config::v9());
    assert!(matches!(emit(&mut driven, 1), Err(EmitError::NotConnected)), "new");
    driven.connect();
    assert!(matches!(emit(&mut driven, 1), Err(EmitError::NotConnected)), "connecting");
    driven.fail();
    let refusal = emit(&mut driven, 1).unwrap_err();
    assert!(matches!(refusal, EmitError::NotConnected) && refusal.is_temporary(), "waiting");
    driven.wait();
    assert_eq!(sent(&mut driven.succeed().outbound), "");
    assert_eq!(driven.client.dropped(), Unsent::default(), "a refused event is not a lost one");
}

#[test]
fn an_ended_client_takes_nothing_under_any_policy() {
    for offline in [Offline::Refuse, Offline::Buffer, Offline::Drop] {
        let mut driven = Driven::new(Config::v9().offline(offline));
        driven.connect();
        driven.client.disconnect();
        assert!(matches!(emit(&mut driven, 1), Err(EmitError::Closed)), "closing");
        driven.obey();
        let refusal = emit(&mut driven, 1).unwrap_err();
        assert!(matches!(refusal, EmitError::Closed) && !refusal.is_temporary());
    }
}

#[test]
fn what_is_queued_at_the_end_of_the_client_is_told_by_unsent() {
    let bytes = wire(&[1]).len() + wire(&[2]).len();
    let buffering = || Driven::new(Config::v9().offline(Offline::Buffer).max_retries(0));

    // Ended before it began, while it connects, and by giving up.
    let mut idle = buffering();
    let mut connecting = buffering();
    connecting.connect();
    let mut given_up = buffering();
    given_up.connect();
    for driven in [&mut idle, &mut connecting, &mut given_up] {
        emit(driven, 1).unwrap();
        emit(driven, 2).unwrap();
        assert_eq!(driven.client.unsent(), Unsent::default(), "nothing is lost yet");
    }
    idle.client.disconnect();
    connecting.client.disconnect();
    connecting.obey();
    given_up.fail();
    for driven in [idle, connecting, given_up] {
        assert!(driven.client.is_destroyed());
        assert_eq!(driven.client.unsent(), lost(2, bytes));
    }
}

#[test]
fn while_connected_events_go_into_the_connection() {
    for offline in [Offline::Refuse, Offline::Buffer, Offline::Drop] {
        let mut driven = Driven::new(Config::v9().offline(offline));
        driven.connect();
        driven.succeed();
        assert!(matches!(emit(&mut driven, 1), Err(EmitError::NotConnected)));
    }
}

#[test]
fn buffer_keeps_events_for_the_next_connection_in_order() {
    let mut driven = Driven::new(Config::v9().offline(Offline::Buffer));
    emit(&mut driven, 1).unwrap();
    driven.connect();
    emit(&mut driven, 2).unwrap();
    driven.fail();
    emit(&mut driven, 3).unwrap();
    driven.wait();
    driven.fail();
    assert_eq!(unsent(&mut driven), Unsent::default());
    driven.wait();
    let connection = driven.succeed();
    connection.outbound.emit("m", &4).unwrap();
    assert_eq!(sent(&mut connection.outbound), wire(&[1, 2, 3, 4]));
}

#[test]
fn buffer_holds_max_offline_bytes_and_always_one_event() {
    let one = wire(&[1]).len();
    let mut driven = Driven::new(Config::v9().offline(Offline::Buffer).max_offline_bytes(2 * one));
    emit(&mut driven, 1).unwrap();
    emit(&mut driven, 2).unwrap();
    let refusal = emit(&mut driven, 3).unwrap_err();
    assert!(
        matches!(refusal, EmitError::Full { pending, length, limit, option: "maxOfflineBytes" } if (pending, length, limit) == (2 * one, one, 2 * one))
    );
    assert!(refusal.is_temporary());
    driven.connect();
    let connection = driven.succeed();
    assert_eq!(connection.outbound.limit(), 16 * 1024 * 1024, "the limit of a connection is another");
    assert_eq!(sent(&mut connection.outbound), wire(&[1, 2]));

    let mut small = Driven::new(Config::v9().offline(Offline::Buffer).max_offline_bytes(1));
    emit(&mut small, 1).unwrap();
    assert!(matches!(emit(&mut small, 2), Err(EmitError::Full { .. })));
}

#[test]
fn drop_keeps_events_for_the_attempt_under_way_only() {
    let mut driven = Driven::new(Config::v9().offline(Offline::Drop));
    driven.connect();
    emit(&mut driven, 1).unwrap();
    driven.fail();
    let one = wire(&[1]).len();
    assert_eq!(unsent(&mut driven), lost(1, one), "the attempt failed");
    emit(&mut driven, 2).unwrap();
    assert_eq!(driven.client.dropped(), lost(2, 2 * one), "nothing to wait for");
    driven.wait();
    emit(&mut driven, 3).unwrap();
    assert_eq!(sent(&mut driven.succeed().outbound), wire(&[3]));
    assert_eq!(driven.client.dropped(), lost(2, 2 * one));
}

#[test]
fn an_event_that_cannot_be_encoded_is_refused_under_every_policy_that_takes_events() {
    for offline in [Offline::Buffer, Offline::Drop] {
        let mut driven = Driven::new(Config::v9().offline(offline).max_message_size(10));
        driven.connect();
        driven.fail();
        assert!(matches!(emit(&mut driven, 1), Err(EmitError::Encode(_))));
        assert_eq!(driven.client.dropped(), Unsent::default());
    }
}

/// Emits three messages, one of them a large shared frame, and loses the connection when `cut` bytes were written.
/// Gives what was to be written, what the next connection writes, and what was said to be lost.
fn cut_at(config: Config, cut: usize) -> (Vec<u8>, String, Unsent) {
    let mut driven = Driven::new(config);
    driven.connect();
    let settings = driven.client.settings().clone();
    let shared = Frame::new(&settings, "large", &"|".repeat(2500)).unwrap();
    let connection = driven.succeed();
    connection.outbound.emit("a", "first||").unwrap();
    connection.outbound.emit_frame(&shared).unwrap();
    let mut transmit = Transmit::new();
    assert!(connection.outbound.poll_transmit(&mut transmit));
    let mut written = vec![0; cut];
    transmit.copy_to_slice(&mut written);
    // Queued while the rest is on its way.
    connection.outbound.emit("b", &2).unwrap();
    driven.transmit = transmit;
    driven.lose(true);
    let told = unsent(&mut driven);
    driven.wait();
    let resent = sent(&mut driven.succeed().outbound);
    (written, resent, told)
}

#[test]
fn a_lost_connection_gives_back_whole_frames_wherever_it_was_cut() {
    for delimiter in ["\u{c}", "||", "<EOM>"] {
        let config = || Config::v9().offline(Offline::Buffer).delimiter(delimiter);
        let (_, whole, _) = cut_at(config(), 0);
        let borders: Vec<_> = whole.match_indices(delimiter).map(|(at, _)| at + delimiter.len()).collect();
        assert_eq!(borders.len(), 3);
        let near_a_border = |&cut: &usize| borders.iter().any(|&border| cut.abs_diff(border) < 10);
        for cut in (0..40).chain((40..=borders[1]).filter(near_a_border)) {
            let (written, resent, told) = cut_at(config(), cut);
            assert_eq!(written, &whole.as_bytes()[..cut]);
            let torn =
                borders.iter().find(|&&border| border >= cut).filter(|_| cut > 0).map_or(0, |border| border - cut);
            assert_eq!(resent, whole[cut + torn..], "cut at {cut}");
            assert_eq!(told, lost(usize::from(torn > 0), torn), "cut at {cut}");
        }
    }
}

#[test]
fn without_a_buffer_a_lost_connection_counts_everything_that_was_not_written() {
    for offline in [Offline::Refuse, Offline::Drop] {
        let (_, whole, _) = cut_at(Config::v9().offline(Offline::Buffer), 0);
        let (written, resent, told) = cut_at(Config::v9().offline(offline), 5);
        assert_eq!((written.len(), resent.as_str()), (5, ""));
        assert_eq!(told, lost(3, whole.len() - 5));
    }
}

#[test]
fn raw_bytes_that_were_begun_are_not_taken_up_by_another_connection() {
    let mut driven = Driven::new(Config::v9().raw_buffer(true).offline(Offline::Buffer));
    driven.connect();
    let connection = driven.succeed();
    connection.outbound.emit_raw(b"0123456789").unwrap();
    let mut transmit = Transmit::new();
    assert!(connection.outbound.poll_transmit(&mut transmit));
    transmit.advance(3);
    connection.outbound.emit_raw(b"next").unwrap();
    driven.transmit = transmit;
    driven.lose(true);
    assert_eq!(unsent(&mut driven), lost(0, 7), "raw bytes have no borders to count");
    driven.wait();
    assert_eq!(sent(&mut driven.succeed().outbound), "next");
}

#[test]
fn sync_goes_on_with_the_next_message_on_the_next_connection() {
    // 0: nothing of the first message was written; 5: a part; all: it was, and its answer is lost.
    let first = wire(&[1]).len();
    for (cut, next, then) in [(0, &[1][..], &[2][..]), (5, &[2], &[3]), (first, &[2], &[3])] {
        let mut driven = Driven::new(Config::v9().sync(true).offline(Offline::Buffer));
        driven.connect();
        let connection = driven.succeed();
        for number in 1..=3 {
            connection.outbound.emit("m", &number).unwrap();
        }
        let mut transmit = Transmit::new();
        assert!(connection.outbound.poll_transmit(&mut transmit));
        assert_eq!(transmit.remaining(), first, "one message is out");
        transmit.advance(cut);
        driven.transmit = transmit;
        driven.lose(true);
        driven.wait();
        let outbound = &mut driven.succeed().outbound;
        assert_eq!(sent(outbound), wire(next), "cut at {cut}");
        assert_eq!(sent(outbound), "", "it waits for an answer");
        outbound.handle_answer();
        assert_eq!(sent(outbound), wire(then));
    }
}

#[test]
fn what_sync_holds_back_survives_a_loss_under_every_policy() {
    for offline in [Offline::Refuse, Offline::Drop] {
        let mut driven = Driven::new(Config::v9().sync(true).offline(offline));
        driven.connect();
        let connection = driven.succeed();
        for number in 1..=3 {
            connection.outbound.emit("m", &number).unwrap();
        }
        driven.lose(true);
        assert_eq!(unsent(&mut driven), lost(1, wire(&[1]).len()), "the message that was about to leave");
        driven.wait();
        driven.fail();
        driven.wait();
        let outbound = &mut driven.succeed().outbound;
        assert_eq!(sent(outbound), wire(&[2]));
        outbound.handle_answer();
        assert_eq!(sent(outbound), wire(&[3]));
    }
}

#[test]
fn drop_drops_every_event_while_waiting_and_nothing_that_sync_holds() {
    let mut driven = Driven::new(Config::v9().sync(true).offline(Offline::Drop));
    driven.connect();
    let connection = driven.succeed();
    connection.outbound.emit("m", &1).unwrap();
    connection.outbound.emit("m", &2).unwrap();
    driven.lose(true);
    for number in 3..=5 {
        emit(&mut driven, number).unwrap();
    }
    assert_eq!((driven.client.dropped().messages, driven.client.held()), (4, 1), "1 and 3 to 5");
    driven.wait();
    assert_eq!(sent(&mut driven.succeed().outbound), wire(&[2]));
}

#[test]
fn sync_holds_what_is_emitted_offline_and_sends_one_at_a_time() {
    let mut driven = Driven::new(Config::v9().sync(true).offline(Offline::Buffer));
    for number in 1..=3 {
        emit(&mut driven, number).unwrap();
    }
    assert_eq!(driven.client.held(), 2);
    driven.connect();
    let outbound = &mut driven.succeed().outbound;
    for number in 1..=3 {
        assert_eq!(sent(outbound), wire(&[number]));
        outbound.handle_answer();
    }
    assert_eq!(sent(outbound), "");
}

#[test]
fn everything_unsent_is_counted_when_the_client_ends() {
    let both = wire(&[1, 2]).len();
    let with_two_events = || {
        let mut driven = Driven::new(Config::v9().offline(Offline::Buffer).max_retries(1));
        driven.connect();
        driven.fail();
        driven.events();
        emit(&mut driven, 1).unwrap();
        emit(&mut driven, 2).unwrap();
        driven
    };
    let mut gives_up = with_two_events();
    gives_up.wait();
    gives_up.fail();
    assert_eq!(unsent(&mut gives_up), lost(2, both));
    assert_eq!(gives_up.client.dropped(), lost(2, both), "counted once");

    let mut told = with_two_events();
    told.client.disconnect();
    assert_eq!(told.client.dropped(), lost(2, both));

    let mut stopped = with_two_events();
    stopped.client.set_stop_retrying(StopRetrying::Yes);
    assert_eq!(stopped.client.dropped(), lost(2, both));
}

/// What may happen to a client and its caller.
#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Disconnect,
    Stop(StopRetrying),
    Fail,
    Succeed,
    /// The connection ends; whether a retry may follow.
    Lose(bool),
    Pass(u64),
    Emit,
    /// The socket takes so many bytes.
    Write(usize),
    Answer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Connect),
        1 => Just(Step::Disconnect),
        1 => prop_oneof![Just(StopRetrying::No), Just(StopRetrying::Yes), (0_u32..6).prop_map(StopRetrying::After)]
            .prop_map(Step::Stop),
        6 => Just(Step::Fail),
        8 => Just(Step::Succeed),
        5 => prop::bool::weighted(0.9).prop_map(Step::Lose),
        10 => (0_u64..800).prop_map(Step::Pass),
        20 => Just(Step::Emit),
        10 => (0_usize..100).prop_map(Step::Write),
        5 => Just(Step::Answer),
    ];
    prop::collection::vec(step, 0..120)
}

fn configs() -> impl Strategy<Value = Config> {
    let offline = prop_oneof![Just(Offline::Refuse), Just(Offline::Buffer), Just(Offline::Drop)];
    (offline, any::<bool>(), prop::option::of(0_u32..5), prop_oneof![Just("\u{c}"), Just("||")], 1_usize..300).prop_map(
        |(offline, sync, max_retries, delimiter, bytes)| {
            Config::v9()
                .offline(offline)
                .sync(sync)
                .max_retries(max_retries)
                .delimiter(delimiter)
                .max_offline_bytes(bytes)
                .max_pending_bytes(300 - bytes + 1)
        },
    )
}

proptest! {
    /// Whatever happens: events alternate, the end is the end, and every event that was taken has been written, is
    /// still queued, or is counted as lost.
    #[test]
    fn every_event_taken_is_written_queued_or_counted(config in configs(), steps in steps()) {
        let delimiter = config.delimiter.clone();
        let mut driven = Driven::new(config);
        let (mut taken, mut wire, mut connected, mut destroyed) = (0, String::new(), false, false);
        for step in steps {
            match step {
                Step::Connect => driven.connect(),
                Step::Disconnect => {
                    driven.client.disconnect();
                    driven.obey();
                }
                Step::Stop(stop) => {
                    driven.client.set_stop_retrying(stop);
                    driven.obey();
                }
                Step::Fail if driven.dialling => driven.fail(),
                Step::Succeed if driven.dialling => drop(driven.succeed()),
                Step::Lose(retry) if driven.connection.is_some() => {
                    // A torn message is lost for the receiver.
                    wire.truncate(wire.rfind(&delimiter).map_or(0, |at| at + delimiter.len()));
                    driven.lose(retry);
                }
                Step::Pass(time) => driven.pass(Duration::from_millis(time)),
                Step::Emit => {
                    let emitted = match &mut driven.connection {
                        Some(connection) => connection.outbound.emit("m", &taken),
                        None => emit(&mut driven, taken),
                    };
                    taken += u32::from(emitted.is_ok());
                }
                Step::Write(count) => if let Some(connection) = &mut driven.connection {
                    connection.outbound.poll_transmit(&mut driven.transmit);
                    let count = count.min(driven.transmit.remaining());
                    let bytes = driven.transmit.copy_to_bytes(count);
                    wire.push_str(std::str::from_utf8(&bytes).unwrap());
                },
                Step::Answer => if let Some(connection) = &mut driven.connection {
                    connection.outbound.handle_answer();
                },
                _ => {}
            }
            for name in driven.names() {
                prop_assert!(!destroyed, "the end is the end");
                match name {
                    "connect" => prop_assert!(!std::mem::replace(&mut connected, true)),
                    "disconnect" => connected = false,
                    _ => destroyed = true,
                }
            }
            prop_assert!(!(driven.client.is_destroyed() && driven.client.poll_timeout().is_some()));
            let busy = driven.dialling || driven.connection.is_some();
            prop_assert!(!(busy && driven.client.poll_timeout().is_some()), "it does not wait and dial at once");
            prop_assert_eq!(driven.connection.is_some(), connected);
        }
        // The end: whatever is still on its way counts as lost, what is queued is counted by the client.
        driven.client.disconnect();
        wire.truncate(wire.rfind(&delimiter).map_or(0, |at| at + delimiter.len()));
        driven.obey();
        prop_assert!(driven.client.is_destroyed());
        let written = wire.matches(&delimiter).count();
        prop_assert_eq!(written + driven.client.dropped().messages, taken as usize);
        // In order, and none twice.
        let numbers: Vec<u32> = wire
            .split_terminator(&delimiter)
            .map(|frame| frame.trim_start_matches("{\"type\":\"m\",\"data\":").trim_end_matches('}').parse().unwrap())
            .collect();
        prop_assert!(numbers.is_sorted_by(|one, next| one < next), "{:?}", numbers);
    }
}
