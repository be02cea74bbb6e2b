//! The books of a client: what was taken, what was written, what was lost, what waits.

use ipc_proto::bytes::Buf;
use ipc_proto::{ClientEvent, EmitError, Event, Frame, Offline, Outbound, Unsent};

use super::World;
use super::model::Life;
use crate::input::Input;

/// Messages and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Amount {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl From<Unsent> for Amount {
    fn from(Unsent { messages, bytes, .. }: Unsent) -> Self {
        Self { messages, bytes }
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

impl World {
    pub(super) fn emit(&mut self, input: &mut Input<'_>) {
        let padding = match input.byte() {
            255 => 2048 + usize::from(input.byte()) * 16,
            small => usize::from(small) / 4,
        };
        let shared = input.flag();
        let settings = self.settings.clone();
        let data = format!("{} {}", self.next, "p".repeat(padding));
        let emit = |outbound: &mut Outbound| match (shared, settings.is_raw()) {
            (true, false) => outbound.emit_frame(&Frame::new(&settings, "message", &data)?),
            (true, true) => outbound.emit_frame(&Frame::raw(&settings, data.clone().into_bytes())?),
            (false, false) => outbound.emit("message", &data),
            (false, true) => outbound.emit_raw(data.as_bytes()),
        };
        let length = if settings.is_raw() {
            data.len()
        } else {
            Frame::new(&settings, "message", &data).map_or(0, |frame| frame.as_bytes().len())
        };
        let dropped = self.client.dropped();
        let verdict = match &mut self.connection {
            Some((connection, _)) => {
                let pending = connection.outbound.pending();
                let verdict = emit(&mut connection.outbound);
                let after = connection.outbound.pending();
                assert_eq!(after - pending, if verdict.is_ok() { length } else { 0 });
                assert!(verdict.is_err() || pending == 0 || after <= connection.outbound.limit());
                verdict
            }
            None => self.client.emit_offline(emit),
        };
        match verdict {
            Ok(()) => {
                self.next += 1;
                self.accepted += Amount { messages: usize::from(!self.settings.is_raw()), bytes: length };
                let lost = self.client.dropped().bytes - dropped.bytes;
                let drops =
                    self.settings.config().offline == Offline::Drop && matches!(self.model.life, Life::Waiting { .. });
                assert_eq!(lost, if drops { length } else { 0 });
                if drops {
                    self.told_lost += Amount { messages: usize::from(!self.settings.is_raw()), bytes: length };
                }
            }
            Err(error) => {
                assert_eq!(self.client.dropped(), dropped, "what is refused is not taken, and so not lost");
                let ended = matches!(self.model.life, Life::Closing { .. } | Life::Destroyed);
                match (error, &self.connection) {
                    (EmitError::Closed, None) => assert!(ended),
                    (EmitError::Closed, Some((connection, _))) => assert!(connection.outbound.is_closed()),
                    (EmitError::NotConnected, None) => assert_eq!(self.settings.config().offline, Offline::Refuse),
                    (EmitError::Full { pending, length, limit, .. }, _) => {
                        assert!(pending > 0 && pending + length > limit);
                    }
                    (EmitError::Encode(error), _) => assert!(error.to_string().contains("exceeds maxMessageSize")),
                    (error, _) => panic!("{error}"),
                }
            }
        }
    }

    /// The messages that were written whole before a connection ended.
    pub(super) fn arrived(&mut self) {
        self.written += self.wire.len();
        let wire = std::mem::take(&mut self.wire);
        if self.settings.is_raw() {
            return;
        }
        let mut decoder = self.settings.decoder();
        let mut input = &wire[..];
        while let Ok(Some(frame)) = decoder.next_frame(&mut input) {
            let event = Event::parse(frame, self.settings.rules()).expect("whole frames begin every connection");
            let data: String = event.data().expect("a text");
            let number = data.split(' ').next().and_then(|number| number.parse().ok()).expect("a number");
            assert!(self.delivered.last().is_none_or(|last| *last < number), "in order, and none twice");
            self.delivered.push(number);
        }
        self.torn = !decoder.is_empty();
    }

    /// After a connection or an attempt that is followed by another: nothing is lost that could have been kept, and what the
    /// policy does not keep is gone.
    pub(super) fn check_losses(&mut self) {
        let torn = std::mem::take(&mut self.torn);
        let Some(ClientEvent::Disconnected { unsent, .. }) = &self.last else { panic!("{:?}", self.last) };
        if self.settings.is_raw() {
            return;
        }
        if self.settings.config().offline == Offline::Buffer {
            assert_eq!((unsent.messages, unsent.is_empty()), (usize::from(torn), !torn), "only what was torn is lost");
        } else {
            let kept = self.accepted.messages - self.delivered.len() - self.client.dropped().messages;
            assert_eq!(kept, self.client.held(), "only what waits for its turn is kept");
        }
    }

    /// Every byte and message that was taken is written, lost or waits.
    pub(super) fn balance(&mut self) {
        let written = self.written + self.wire.len();
        let lost = self.client.dropped().bytes;
        let waits = match &mut self.connection {
            Some((connection, transmit)) => {
                // What was written since it was last asked is known to the queue only then.
                let before = transmit.remaining();
                if !connection.outbound.wants_transmit() {
                    connection.outbound.poll_transmit(transmit);
                    assert_eq!(transmit.remaining(), before);
                    Some(connection.outbound.pending())
                } else {
                    None
                }
            }
            None if self.model.life == Life::Destroyed => Some(0),
            None => {
                // Looked at and not touched; not every policy lets one look.
                let mut pending = None;
                let drops = self.client.is_waiting() && self.settings.config().offline == Offline::Drop;
                let look = |outbound: &mut Outbound| {
                    pending = Some(outbound.pending());
                    Err(EmitError::Closed)
                };
                assert!(self.client.emit_offline(look).is_err());
                pending.filter(|_| !drops)
            }
        };
        match waits {
            Some(waits) => assert_eq!(self.accepted.bytes, written + lost + waits),
            None => assert!(self.accepted.bytes >= written + lost),
        }
    }
}
