//! The traffic of the built-in scenarios: events with numbers, in bursts, answered or broadcast.

use std::time::Instant;

use ipc_proto::Message;

use crate::app::{App, Control, Happening, Peer};
use crate::scenario::Traffic;
use crate::scenarios::NAMES;

/// Text that is awkward for framing: several bytes to a character, and what delimiters are made of.
const TEXT: [&str; 6] = ["plain text ", "é|€||", "\\u000c<EOM>", "\\n\\\"\\\\", "😀 ", "EOM|{\\\"}"];

#[derive(Debug)]
pub(crate) struct Chatter {
    traffic: Traffic,
    is_server: bool,
    next: Option<Instant>,
    number: u64,
    pub(crate) quiet: bool,
    /// Every event is answered, because the other side waits for it.
    answers_all: bool,
}

impl Chatter {
    pub(crate) fn new(traffic: Traffic, is_server: bool, answers_all: bool) -> Self {
        Self { traffic, is_server, next: None, number: 0, quiet: false, answers_all }
    }

    fn plan(&mut self, control: &mut Control<'_, '_>) {
        let every = if self.is_server { &self.traffic.server_every } else { &self.traffic.client_every };
        self.next = (!self.quiet).then(|| control.now() + control.random().duration(every));
    }

    fn answers(&self, control: &mut Control<'_, '_>) -> bool {
        if self.is_server {
            return self.answers_all || control.random().chance(self.traffic.answers);
        }
        self.traffic.client_answers > 0.0 && control.random().chance(self.traffic.client_answers)
    }

    pub(crate) fn say(&mut self, to: Option<Peer>, control: &mut Control<'_, '_>) {
        self.number += 1;
        let mut size = control.random().within(&self.traffic.size);
        if control.random().chance(0.9) {
            size /= 10;
        }
        let part = control.random().pick(&TEXT).copied().unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(0);
        let mut text = String::with_capacity(size + 40);
        text.push_str(&format!("[{},\"", self.number));
        let start = text.len();
        while text.len() - start < size {
            text.push_str(part);
        }
        text.push_str("\"]");
        if control.settings().is_raw() {
            let peers: Vec<Peer> = to.map_or_else(|| control.peers().collect(), |peer| vec![peer]);
            for peer in peers {
                // Refusals are counted.
                let _refused = control.emit_bytes(peer, text.as_bytes());
            }
            return;
        }
        if control.random().chance(0.1) {
            text = format!("{{\"id\":\"c{}\",\"text\":{text}}}", self.number % 3);
        }
        let name = control.random().pick(&NAMES).copied().unwrap_or_default();
        let Ok(message) = Message::from_json(name, Some(&text)) else {
            return control.context().fail(format!("a payload that is no JSON: {text}"));
        };
        match to {
            Some(peer) => {
                let _refused = control.emit(peer, &message);
            }
            None => control.broadcast(&message),
        }
    }
}

impl App for Chatter {
    fn handle(&mut self, happening: Happening<'_>, control: &mut Control<'_, '_>) {
        match happening {
            Happening::Started => self.plan(control),
            Happening::Timeout => {
                for _ in 0..=control.random().below(self.traffic.burst) {
                    let to = if self.is_server {
                        let peers: Vec<Peer> = control.peers().collect();
                        let one = control.random().chance(0.5);
                        control.random().pick(&peers).copied().filter(|_| one)
                    } else {
                        Some(Peer::SERVER)
                    };
                    self.say(to, control);
                }
                self.plan(control);
            }
            Happening::Event(peer, _) | Happening::Bytes(peer, _) if self.answers(control) => {
                self.say(Some(peer), control);
            }
            Happening::Destroyed => self.next = None,
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}
