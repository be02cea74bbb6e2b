//! Two connections joined by a pipe that cuts as it likes: every message arrives exactly once and in order, for every
//! mode, however emits, writes, reads and backpressure are interleaved.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Instant;

use crate::common::{settings, start};
use bytes::Buf;
use ipc_proto::{
    Client, ClientAction, Config, Connection, EmitError, Endpoint, Frame, Inbound, OnMalformed, Outbound, Received,
    Server, Settings, Transmit,
};
use proptest::prelude::*;

/// One end, with the bytes on their way to it.
struct End {
    inbound: Inbound,
    outbound: Outbound,
    transmit: Transmit,
    /// Written by the other end and not read yet.
    pipe: VecDeque<u8>,
    /// What it has emitted and what came out, as numbers, or as bytes in raw mode.
    emitted: Vec<u8>,
    came: Vec<u8>,
    /// Whether it has deferred input.
    full: bool,
    next: u8,
}

impl End {
    fn new(connection: Connection) -> Self {
        let (inbound, outbound) = connection.split();
        let transmit = Transmit::new();
        let (emitted, came) = (Vec::new(), Vec::new());
        Self { inbound, outbound, transmit, pipe: VecDeque::new(), emitted, came, full: false, next: 0 }
    }

    /// Emits a message that says its number, in one of the ways to emit.
    fn emit(&mut self, settings: &Settings, way: u8, size: usize) {
        let number = self.next;
        let text = "é|\u{c}x".repeat(size / 4);
        let outcome = if settings.is_raw() {
            let bytes = vec![number; size % 50 + 1];
            let outcome = match way % 2 {
                0 => self.outbound.emit_raw(&bytes),
                _ => self.outbound.emit_frame(&Frame::raw(settings, bytes.clone()).unwrap()),
            };
            if outcome.is_ok() {
                self.emitted.extend(bytes);
            }
            outcome
        } else {
            let outcome = match way % 3 {
                0 => self.outbound.emit("m", &(number, text)),
                1 => self.outbound.emit_json("m", Some(&format!("[ {number}\t,\n\"{}\"]", "||".repeat(size)))),
                _ => self.outbound.emit_frame(&Frame::new(settings, "m", &(number, text)).unwrap()),
            };
            if outcome.is_ok() {
                self.emitted.push(number);
            }
            outcome
        };
        match outcome {
            Ok(()) => self.next = self.next.wrapping_add(1),
            Err(EmitError::Full { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// Writes as much as the socket takes.
    fn write(&mut self, to: &mut VecDeque<u8>, mut takes: usize) {
        while self.outbound.poll_transmit(&mut self.transmit) && takes > 0 {
            let mut slices = [IoSlice::new(&[]); 2];
            let filled = self.transmit.chunks_vectored(&mut slices);
            let mut count = 0;
            for slice in &slices[..filled] {
                let taken = takes.min(slice.len());
                to.extend(&slice[..taken]);
                (takes, count) = (takes - taken, count + taken);
            }
            self.transmit.advance(count);
        }
    }

    /// Reads up to `length` bytes, straight into place where there is room, and takes up to `events` events.
    fn read(&mut self, now: Instant, length: usize, mut events: usize, answer: bool) {
        if !self.full {
            let length = length.min(self.pipe.len());
            let bytes: Vec<u8> = match self.inbound.read_buffer() {
                Some(room) => {
                    let length = length.min(room.len());
                    self.pipe.drain(..length).zip(room).for_each(|(byte, place)| *place = byte);
                    self.inbound.read_done(length);
                    Vec::new()
                }
                None => self.pipe.drain(..length).collect(),
            };
            self.take(now, &bytes, &mut events, answer);
        } else {
            self.take(now, &[], &mut events, answer);
        }
    }

    fn take(&mut self, now: Instant, mut input: &[u8], events: &mut usize, answer: bool) {
        self.full = false;
        loop {
            if *events == 0 {
                self.inbound.defer(input);
                self.full = true;
                return;
            }
            *events -= 1;
            match self.inbound.poll_event(now, &mut input) {
                None => return,
                Some(Received::Event(event)) if event.name() == "answer" => {}
                Some(Received::Event(event)) => {
                    let (number, _): (u8, String) = event.data().unwrap();
                    self.came.push(number);
                    if answer {
                        // Beyond its own bound, so that the other side is not left waiting.
                        let limit = self.outbound.limit();
                        self.outbound.set_limit(usize::MAX);
                        self.outbound.emit("answer", &number).unwrap();
                        self.outbound.set_limit(limit);
                    }
                }
                Some(Received::Raw(bytes)) => self.came.extend_from_slice(bytes),
                Some(other) => panic!("{other:?}"),
            }
            self.outbound.handle_answer();
        }
    }
}

fn configs() -> impl Strategy<Value = Config> {
    let framed = || prop_oneof![Just("\u{c}"), Just("\n"), Just("\r\n"), Just("||"), Just("<EOM>"), Just("é")];
    let base = prop_oneof![
        framed().prop_map(|delimiter| Config::v9().delimiter(delimiter)),
        Just(Config::v9().raw_buffer(true)),
        Just(Config::v9().sync(true)),
        Just(Config::v14_fast()),
        Just(Config::v14_guarded()),
        Just(Config::v14_assured(["m", "answer"])),
    ];
    (base, 200_usize..100_000).prop_map(|(config, bytes)| config.max_pending_bytes(bytes).malformed(OnMalformed::Close))
}

/// A client and a server that have just connected.
fn connected(settings: &Settings) -> (Connection, Connection) {
    let mut server = Server::new(settings.clone());
    server.start();
    let mut client = Client::new(settings.clone(), Endpoint::local(settings, Some("w")).unwrap(), 0);
    client.connect();
    assert!(matches!(client.poll_action(), Some(ClientAction::Connect(_))));
    let (_, accepted) = server.handle_accept().unwrap();
    (client.handle_connected(start()).unwrap(), accepted)
}

/// Less under Miri, where a byte takes as long as hundreds.
const LONGEST: usize = if cfg!(miri) { 300 } else { 30_000 };
const STEPS: usize = if cfg!(miri) { 20 } else { 150 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 80 }))]

    #[test]
    fn every_message_arrives_exactly_once_and_in_order(
        config in configs(),
        steps in prop::collection::vec((0_u8..10, 1..LONGEST), 1..STEPS),
    ) {
        let settings = settings(config);
        let sync = settings.config().sync;
        let now = start();
        let (client, server) = connected(&settings);
        let mut ends = [End::new(client), End::new(server)];
        for (what, size) in steps {
            let [client, server] = &mut ends;
            match what {
                0 | 1 => client.emit(&settings, what, size % 700),
                2 => client.emit(&settings, 2, size),
                3 if !sync => server.emit(&settings, (size % 3) as u8, size),
                4 | 5 => client.write(&mut server.pipe, size),
                6 => server.write(&mut client.pipe, size),
                7 => client.read(now, size, 1 + size % 9, false),
                8 | 9 => server.read(now, size % 5000, 1 + size % 9, sync),
                _ => {}
            }
            if sync {
                let unanswered = server.came.len().abs_diff(client.emitted.len() - client.outbound.held());
                prop_assert!(unanswered <= 1, "one message is out at a time");
            }
        }
        // Let everything arrive.
        loop {
            let [client, server] = &mut ends;
            client.write(&mut server.pipe, usize::MAX);
            server.read(now, usize::MAX, usize::MAX, sync);
            server.write(&mut client.pipe, usize::MAX);
            client.read(now, usize::MAX, usize::MAX, false);
            let idle = |end: &End| end.pipe.is_empty() && !end.full && !end.outbound.wants_transmit();
            if idle(client) && idle(server) {
                break;
            }
        }
        let [client, server] = &ends;
        prop_assert_eq!(&server.came, &client.emitted);
        prop_assert_eq!(&client.came, &server.emitted);
        for end in &ends {
            prop_assert_eq!((end.inbound.unfinished(), end.outbound.pending()), (0, 0));
        }
    }
}
