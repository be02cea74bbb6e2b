//! What a logger is told of what happens, in words.
//!
//! Payloads are never among them, and whatever a peer had a say in is escaped.

use super::{Log, note};
use crate::client::ClientEvent;
use crate::printable::Printable;
use crate::server::ServerEvent;
use crate::udp::UdpEvent;
use ipc_proto::PeerRemoval;

impl Log {
    /// Neither a handler nor a stream took an event.
    pub(crate) fn unhandled(&self, name: &str) {
        note!(self, debug, event = ?name, "nobody handles this event");
        self.say(format_args!("nobody handles {name:?}"));
    }

    /// A lifecycle event of a server.
    pub(crate) fn server(&self, event: &ServerEvent) {
        match event {
            ServerEvent::Started(endpoint) => self.say(format_args!("listens at {endpoint}")),
            ServerEvent::Connected(peer) => self.say(format_args!("peer {} is connected", peer.id())),
            ServerEvent::Error(peer, error) => self.say(format_args!("peer {}: {}", peer.id(), Printable(error))),
            ServerEvent::Disconnected { peer, unsent, .. } if unsent.is_empty() => {
                self.say(format_args!("peer {} is disconnected", peer.id()));
            }
            ServerEvent::Disconnected { peer, unsent, .. } => {
                let (events, bytes) = (unsent.messages, unsent.bytes);
                self.say(format_args!(
                    "peer {} is disconnected, with events unsent: {events} ({bytes} bytes)",
                    peer.id()
                ));
            }
            ServerEvent::Refused { remote, error } => {
                self.say(format_args!("refused {}: {}", Printable(remote.name()), Printable(error)));
            }
            ServerEvent::Stopped => self.say("has stopped"),
            ServerEvent::Message(..) | ServerEvent::Data(..) => {}
        }
    }

    /// A lifecycle event of a client.
    pub(crate) fn client(&self, event: &ClientEvent) {
        match event {
            ClientEvent::Connected => self.say("is connected"),
            ClientEvent::Error(error) => self.say(Printable(error)),
            ClientEvent::Disconnected { retry_in: Some(wait), .. } => {
                self.say(format_args!("is disconnected, and tries again in {wait:?}"));
            }
            ClientEvent::Disconnected { retry_in: None, .. } => self.say("is disconnected"),
            ClientEvent::Destroyed => self.say("has come to its end"),
            ClientEvent::Message(_) | ClientEvent::Data(_) => {}
        }
    }

    /// A lifecycle event of a UDP server.
    pub(crate) fn udp(&self, event: &UdpEvent) {
        match event {
            UdpEvent::Started(endpoint) => self.say(format_args!("receives at {endpoint}")),
            UdpEvent::PeerAdded(peer) => self.say(format_args!("heard {}", peer.address())),
            UdpEvent::PeerRemoved { peer, reason } => {
                let why = match reason {
                    PeerRemoval::Expired => "nothing came from there for udpPeerExpiry",
                    PeerRemoval::CrowdedOut => "another came, and maxUdpPeers allows no more",
                    _ => "what came from there was malformed",
                };
                self.say(format_args!("forgets {}: {why}", peer.address()));
            }
            UdpEvent::Error { error, .. } => self.say(Printable(error)),
            UdpEvent::Stopped => self.say("has stopped"),
            UdpEvent::Message(..) | UdpEvent::Data(..) => {}
        }
    }
}
