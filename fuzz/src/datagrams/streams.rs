//! What each sender has said, put together: as long as it is remembered and its datagrams are looked at to their end, the messages
//! that come out are those of one stream.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipc_proto::{OnMalformed, Settings};

use crate::input::MOST;

#[derive(Default)]
struct Said {
    bytes: Vec<u8>,
    /// The texts of the messages that came out, malformed ones too.
    heard: Vec<String>,
}

/// Senders of whom everything is known since they were first heard.
pub(super) struct Streams {
    /// Whether the settings leave room for all that an input may say, and nothing makes a sender forgotten but time.
    followed: bool,
    /// Bytes that all have said.
    total: usize,
    senders: BTreeMap<SocketAddr, Said>,
}

impl Streams {
    pub(super) fn new(settings: &Settings) -> Self {
        let followed = !settings.is_raw()
            && settings.max_message_size() > 4 * MOST
            && settings.max_pending_bytes() > 4 * MOST
            && settings.config().malformed == OnMalformed::Report;
        Self { followed, total: 0, senders: BTreeMap::new() }
    }

    /// A datagram has come, of whomever.
    pub(super) fn comes(&mut self, datagram: &[u8]) {
        self.total += datagram.len();
        // What is unfinished would be dropped one day for want of room.
        if self.total > MOST {
            self.followed = false;
            self.senders.clear();
        }
    }

    /// A sender is heard for the first time.
    pub(super) fn begins(&mut self, sender: SocketAddr, datagram: &[u8]) {
        if self.followed {
            self.senders.insert(sender, Said { bytes: datagram.to_vec(), heard: Vec::new() });
        }
    }

    pub(super) fn says(&mut self, sender: SocketAddr, datagram: &[u8]) {
        if let Some(said) = self.senders.get_mut(&sender) {
            said.bytes.extend_from_slice(datagram);
        }
    }

    pub(super) fn heard(&mut self, sender: SocketAddr, text: &str) {
        if let Some(said) = self.senders.get_mut(&sender) {
            said.heard.push(text.to_owned());
        }
    }

    /// The sender is forgotten, or a part of what it said was not looked at.
    pub(super) fn forget(&mut self, sender: SocketAddr) {
        self.senders.remove(&sender);
    }

    pub(super) fn check(&self, settings: &Settings) {
        let delimiter = settings.delimiter().as_bytes();
        for (sender, said) in &self.senders {
            let mut rest = &said.bytes[..];
            let mut expected = Vec::new();
            while let Some(length) = (0..rest.len()).find(|&at| rest[at..].starts_with(delimiter)) {
                expected.push(String::from_utf8_lossy(&rest[..length]).into_owned());
                rest = &rest[length + delimiter.len()..];
            }
            assert_eq!(said.heard, expected, "what {sender} said");
        }
    }
}
