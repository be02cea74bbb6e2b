//! `server`: any sequence of commands and happenings over a [`Server`], its book compared with a plain one after every step.
//!
//! Who is connected, who may be, what they call themselves, what is told, and that no number is used twice. Each peer has the
//! connection that it was given, and receives what is broadcast while it is in the book, and nothing else.

use std::collections::BTreeMap;

use ipc_proto::{
    Connection, Frame, Inbound, MAX_CLAIMED_ID, PeerId, Received, RefuseReason, Server, ServerEvent, Settings, Transmit,
};

use crate::input::{Input, settings, start};
use crate::json_text;
use crate::sockets::flush;

/// Steps that one input may take.
const MOST_STEPS: usize = 200;

struct Peer {
    claimed: Option<String>,
    connection: Connection,
    /// Broadcasts that it must have received by the end.
    expected: Vec<u32>,
}

struct World {
    settings: Settings,
    server: Server,
    listening: bool,
    started: bool,
    peers: BTreeMap<PeerId, Peer>,
    /// Everybody who ever was in the book.
    known: Vec<PeerId>,
    refused: u64,
    broadcasts: u32,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut config = input.config();
    // Names are of no interest here, and everything fits.
    config.allowed_events = config.allowed_events.map(|_| ["message".to_owned()].into());
    config.max_event_name_length = config.max_event_name_length.max(7);
    config.max_message_size = config.max_message_size.max(100);
    config.max_pending_bytes = config.max_pending_bytes.max(1 << 20);
    config.max_connections = input.choose(&[0, 1, 2, 5, 100, usize::MAX]);
    let settings = settings(config);
    let mut world = World {
        server: Server::new(settings.clone()),
        settings,
        listening: false,
        started: false,
        peers: BTreeMap::new(),
        known: Vec::new(),
        refused: 0,
        broadcasts: 0,
    };
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.check();
    }
    let left: Vec<_> = world.peers.keys().copied().collect();
    for peer in left {
        world.disconnected(peer);
    }
    world.check();
    assert!(world.server.is_empty());
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => {
                self.server.start();
                let expected = if self.listening { vec![] } else { vec![ServerEvent::Started] };
                (self.listening, self.started) = (true, true);
                self.told(&expected);
            }
            1 => {
                self.server.stop();
                let expected = if self.listening { vec![ServerEvent::Stopped] } else { vec![] };
                self.listening = false;
                self.told(&expected);
            }
            2..=4 => self.accept(),
            5 => {
                let expected = self.verdict();
                assert_eq!(self.server.check_accept(), expected);
                self.refused += u64::from(expected.is_err());
            }
            6 | 7 => {
                if let Some(peer) = self.pick(input) {
                    self.disconnected(peer);
                }
            }
            8 | 9 => {
                if let Some(peer) = self.pick(input) {
                    self.claim(peer, input);
                }
            }
            10 => self.find(input),
            _ => self.broadcast(),
        }
    }

    /// Any peer that ever was, connected or not.
    fn pick(&self, input: &mut Input<'_>) -> Option<PeerId> {
        let number = usize::from(input.byte());
        self.known.get(number % self.known.len().max(1)).copied()
    }

    fn verdict(&self) -> Result<(), RefuseReason> {
        let limit = self.settings.config().max_connections;
        if !self.listening {
            Err(RefuseReason::Stopped)
        } else if self.peers.len() >= limit {
            Err(RefuseReason::Full { limit })
        } else {
            Ok(())
        }
    }

    fn accept(&mut self) {
        let expected = self.verdict();
        match self.server.handle_accept() {
            Ok((peer, connection)) => {
                assert_eq!(expected, Ok(()));
                assert_eq!(peer.get(), self.known.len() as u64, "numbers rise, and none is used twice");
                self.known.push(peer);
                self.peers.insert(peer, Peer { claimed: None, connection, expected: Vec::new() });
                self.told(&[ServerEvent::Connected(peer)]);
            }
            Err(reason) => {
                assert_eq!(expected, Err(reason));
                self.refused += 1;
            }
        }
    }

    fn disconnected(&mut self, peer: PeerId) {
        self.server.handle_disconnected(peer);
        let Some(gone) = self.peers.remove(&peer) else { return self.told(&[]) };
        let claimed_id = gone.claimed.clone().map(String::into_boxed_str);
        self.told(&[ServerEvent::Disconnected { peer, claimed_id }]);
        self.received(gone);
    }

    fn claim(&mut self, peer: PeerId, input: &mut Input<'_>) {
        let id = match input.below(5) {
            0 => input.text(),
            1 => "\"same\"".to_owned(),
            2 => "\"s\\u0061me\"".to_owned(),
            3 => format!("\"{}\"", "i".repeat(MAX_CLAIMED_ID - 4 + input.below(4))),
            _ => json_text::value(input),
        };
        self.server.handle_claimed_id(peer, &id);
        if let Some(peer) = self.peers.get_mut(&peer).filter(|_| id.len() <= MAX_CLAIMED_ID) {
            peer.claimed = Some(id);
        }
    }

    /// Those who claim a name are found, whichever way they spell it.
    fn find(&self, input: &mut Input<'_>) {
        let wanted = match input.below(3) {
            0 => "same".to_owned(),
            1 => input.text(),
            _ => {
                let mut texts = self.peers.values().filter_map(|peer| peer.claimed.as_deref()).filter_map(text_of);
                texts.next_back().unwrap_or_default()
            }
        };
        let found: Vec<_> = self.server.find(&wanted).collect();
        let claims = |peer: &Peer| peer.claimed.as_deref().and_then(text_of).is_some_and(|text| text == wanted);
        let expected: Vec<_> = self.peers.iter().filter(|(_, peer)| claims(peer)).map(|(id, _)| *id).collect();
        assert_eq!(found, expected, "{wanted:?}");
    }

    fn broadcast(&mut self) {
        let text = format!("{};", self.broadcasts);
        let frame = if self.settings.is_raw() {
            Frame::raw(&self.settings, text.into_bytes())
        } else {
            Frame::new(&self.settings, "message", &self.broadcasts)
        };
        let frame = frame.expect("a small message with a good name");
        let targets: Vec<_> = self.server.peers().collect();
        for target in targets {
            let peer = self.peers.get_mut(&target).expect("only who is connected is a target");
            peer.connection.outbound.emit_frame(&frame).expect("room");
            peer.expected.push(self.broadcasts);
        }
        self.broadcasts += 1;
    }

    /// What a peer has read by its end.
    fn received(&self, mut peer: Peer) {
        let mut wire = Vec::new();
        flush(&mut peer.connection.outbound, &mut Transmit::new(), &mut wire);
        let mut inbound = Inbound::new(&self.settings);
        let mut input = &wire[..];
        let mut numbers = Vec::new();
        while let Some(received) = inbound.poll_event(start(), &mut input) {
            match received {
                Received::Event(event) => numbers.push(event.data::<u32>().expect("a number")),
                Received::Raw(bytes) => {
                    let text = std::str::from_utf8(bytes).expect("digits");
                    numbers.extend(text.split_terminator(';').map(|number| number.parse::<u32>().expect("a number")));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(numbers, peer.expected);
    }

    fn told(&mut self, expected: &[ServerEvent]) {
        let events: Vec<_> = std::iter::from_fn(|| self.server.poll_event()).collect();
        assert_eq!(events, expected);
        assert!(self.started || events.is_empty(), "nothing happens to a server before its start");
    }

    fn check(&mut self) {
        let server = &self.server;
        assert!(server.len() <= self.settings.config().max_connections);
        assert_eq!((server.len(), server.is_empty()), (self.peers.len(), self.peers.is_empty()));
        assert!(server.peers().eq(self.peers.keys().copied()));
        assert_eq!((server.is_listening(), server.refused()), (self.listening, self.refused));
        for peer in &self.known {
            let claimed = self.peers.get(peer).and_then(|peer| peer.claimed.as_deref());
            assert_eq!(server.contains(*peer), self.peers.contains_key(peer));
            assert_eq!(server.claimed_id(*peer), claimed);
        }
        self.told(&[]);
    }
}

/// The text that a JSON string stands for; white space before it is not expected of a claim.
fn text_of(json: &str) -> Option<String> {
    if json.starts_with('"') { serde_json::from_str(json).ok() } else { None }
}
