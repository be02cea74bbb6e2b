//! `encode_decode`: what an [`Outbound`] takes, a peer with the same settings receives, in order and as it was; what it refuses
//! leaves the queue as it was, and is refused for the reason that is given.
//!
//! Events are emitted in every way there is (a name and a value, JSON text, an exact envelope, a message, an event, a shared
//! frame), with any delimiter and any rules, `sync` or not, while the socket takes as much as it likes. The queue's own count of
//! what waits is compared after every step, and what is lost at the end.

use ipc_proto::bytes::Buf;
use ipc_proto::{
    Code, Decoder, EmitError, EncodeError, Event, Frame, Message, Outbound, ProtocolError, Rules, Settings, Transmit,
    Unsent,
};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::canonical::{Token, canonical};
use crate::input::{Input, MOST, settings};
use crate::json_text;
use crate::names::refused;
use crate::sockets::{flush, write};

/// An event that was taken: what its `type` and `data` mean, or `None` where they are left out.
struct Sent {
    name: Option<Vec<Token>>,
    data: Option<Vec<Token>>,
    /// On the wire, delimiter included.
    length: usize,
}

/// A queue, the socket it is written to, and what was taken in.
struct Sender<'s> {
    settings: &'s Settings,
    outbound: Outbound,
    transmit: Transmit,
    sent: Vec<Sent>,
    wire: Vec<u8>,
    closed: bool,
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let settings = settings(input.config());
    if settings.is_raw() {
        return raw(&settings, &mut input);
    }
    let outbound = Outbound::new(&settings, input.flag());
    let mut sender = Sender {
        settings: &settings,
        outbound,
        transmit: Transmit::new(),
        sent: Vec::new(),
        wire: Vec::new(),
        closed: false,
    };
    while !input.is_empty() && sender.accepted() < MOST {
        sender.step(&mut input);
        sender.check();
    }
    if input.flag() {
        sender.cut();
    } else {
        sender.finish();
    }
}

impl Sender<'_> {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => self.take(input),
            1 => {
                write(&mut self.transmit, input.size(), &mut self.wire);
            }
            2 => self.outbound.handle_answer(),
            3 if input.below(16) == 15 => {
                self.outbound.close();
                self.closed = true;
            }
            4 => self.wrong_mode(),
            _ => self.emit(input),
        }
    }

    /// Takes out what is queued and writes a part of it.
    fn take(&mut self, input: &mut Input<'_>) {
        let before = self.transmit.remaining();
        let any = self.outbound.poll_transmit(&mut self.transmit);
        assert_eq!(any, self.transmit.remaining() > 0);
        assert!(self.transmit.remaining() >= before && !self.outbound.wants_transmit());
        let share = self.transmit.remaining() * input.below(5) / 4;
        write(&mut self.transmit, share, &mut self.wire);
    }

    fn wrong_mode(&mut self) {
        assert!(matches!(self.outbound.emit_raw(b"bytes"), Err(EmitError::WrongMode { .. })));
        assert!(matches!(Frame::raw(self.settings, &b"bytes"[..]), Err(EmitError::WrongMode { .. })));
    }

    fn emit(&mut self, input: &mut Input<'_>) {
        let way = input.below(10);
        let name = self.name(input);
        let data = (input.below(8) != 7).then(|| json_text::any(input));
        let data = data.as_deref();
        let valid = data.is_none_or(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        let name_json = serde_json::to_string(&name).expect("a string");
        let pending = self.outbound.pending();
        let settings = self.settings;
        let outbound = &mut self.outbound;
        let mut kind = None;
        let mut made = Ok(());
        let (verdict, type_json, data_json) = match way {
            0 | 1 => (outbound.emit_json(&name, data), Some(name_json), data.map(str::to_owned)),
            2 | 3 => {
                let Some(value) = data.map(serde_json::from_str::<Value>).and_then(Result::ok) else { return };
                let data_json = serde_json::to_string(&value).expect("a value");
                (outbound.emit(&name, &value), Some(name_json), Some(data_json))
            }
            4 | 5 => {
                let type_json =
                    if input.flag() { Some(name_json) } else { (!input.flag()).then(|| json_text::any(input)) };
                let verdict = outbound.emit_envelope(type_json.as_deref(), data);
                kind = Some(type_json.clone());
                (verdict, type_json, data.map(str::to_owned))
            }
            6 => match Message::from_json(&name, data) {
                Ok(message) => {
                    assert_eq!((message.name(), message.data_json()), (&name[..], data));
                    (outbound.emit_message(&message), Some(name_json), data.map(str::to_owned))
                }
                Err(error) => {
                    assert!(!valid && error.code() == Some(Code::InvalidJson), "{error}");
                    return;
                }
            },
            7 => {
                let text = format!("{{ \"x\":1,\"type\" :{name_json},\"data\":{}}}", data.unwrap_or("7"));
                let Ok(event) = Event::parse(text.as_bytes(), &Rules::default()) else {
                    assert!(!valid);
                    return;
                };
                if !valid {
                    // Text that ends the object and begins another member makes an event of its own.
                    let type_json = event.name_json().to_owned();
                    let data_json = event.data_json().map(str::to_owned);
                    kind = Some(Some(type_json.clone()));
                    (outbound.emit_event(&event), Some(type_json), data_json)
                } else {
                    (outbound.emit_event(&event), Some(name_json), Some(data.unwrap_or("7").to_owned()))
                }
            }
            8 => {
                let frame = Frame::from_envelope(settings, Some(&name_json), data);
                let verdict = match &frame {
                    Ok(frame) => outbound.emit_frame(frame),
                    Err(_) => Ok(()),
                };
                made = frame.map(drop);
                (verdict, Some(name_json), data.map(str::to_owned))
            }
            _ => {
                let Ok(message) = Message::from_json(&name, data) else { return };
                let frame = Frame::from_message(settings, &message);
                let verdict = match &frame {
                    Ok(frame) => outbound.emit_frame(frame),
                    Err(_) => Ok(()),
                };
                made = frame.map(drop);
                (verdict, Some(name_json), data.map(str::to_owned))
            }
        };
        let verdict = made.and(verdict);
        let after = self.outbound.pending();
        match verdict {
            Ok(()) => {
                assert!(!self.closed, "a closed queue takes nothing");
                self.check_accepted(kind.as_ref().unwrap_or(&type_json).as_deref(), data_json.as_deref());
                let length = after - pending;
                assert!(pending == 0 || after <= self.outbound.limit(), "{after} bytes wait");
                self.sent.push(Sent {
                    name: type_json.as_deref().map(canonical),
                    data: data_json.as_deref().map(canonical),
                    length,
                });
            }
            Err(error) => {
                assert_eq!(after, pending, "nothing was queued");
                let type_json = kind.unwrap_or(type_json);
                self.check_refusal(&error, type_json.as_deref(), data_json.as_deref(), pending);
            }
        }
    }

    fn name(&self, input: &mut Input<'_>) -> String {
        match input.below(8) {
            0 => input.choose(&["message", "a", "long.name", "é😀"]).to_string(),
            1 => input.choose(&["error", "data", "connect", "__proto__", "toString", ""]).to_string(),
            2 => self.settings.config().delimiter.clone(),
            3 => "n".repeat(input.size()),
            4 => "😀".repeat(input.size().min(1000)),
            5 => input.text(),
            _ => "message".to_owned(),
        }
    }

    /// What was taken is valid, and of a name that may pass.
    fn check_accepted(&self, type_json: Option<&str>, data_json: Option<&str>) {
        for text in [type_json, data_json].into_iter().flatten() {
            assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
        }
        match name_of(type_json) {
            Some(name) => assert_eq!(refused(self.settings.config(), &name), None, "{name:?}"),
            None => assert!(!self.settings.rules().refuse_unsafe, "guarded rules want a string"),
        }
    }

    fn check_refusal(&self, error: &EmitError, type_json: Option<&str>, data_json: Option<&str>, pending: usize) {
        let is_valid = |text: Option<&str>| text.is_none_or(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        match error {
            EmitError::Closed => assert!(self.closed),
            EmitError::Full { pending: told, length, limit, .. } => {
                assert_eq!((*told, *limit), (pending, self.outbound.limit()));
                assert!(pending > 0 && pending + length > *limit && !self.outbound.has_room(*length));
            }
            EmitError::Encode(EncodeError::InvalidJson { .. }) => {
                assert!(!is_valid(type_json) || !is_valid(data_json), "{error}");
            }
            EmitError::Encode(EncodeError::FrameTooLarge { length, limit }) => {
                assert!(length > limit && *limit == self.settings.max_message_size());
            }
            EmitError::Encode(EncodeError::InvalidEvent { .. }) => {
                assert!(self.settings.rules().refuse_unsafe && name_of(type_json).is_none());
            }
            EmitError::Encode(error) => {
                let name = name_of(type_json).expect("a name");
                assert_eq!(error.code(), refused(self.settings.config(), &name), "{error}");
                assert!(error.code().is_some(), "{error}");
            }
            other => panic!("{other}"),
        }
    }

    fn accepted(&self) -> usize {
        self.sent.iter().map(|sent| sent.length).sum()
    }

    fn check(&self) {
        // What was written since the queue was last asked still counts as waiting.
        let left = self.accepted() - self.wire.len();
        assert!(self.outbound.pending() >= left, "{} bytes wait, {left} are left", self.outbound.pending());
        assert_eq!(self.outbound.is_closed(), self.closed);
    }

    /// Lets everything out and reads it as the peer does.
    fn finish(mut self) {
        self.outbound.close();
        assert_eq!(self.outbound.held(), 0, "a queue that closes holds nothing back");
        flush(&mut self.outbound, &mut self.transmit, &mut self.wire);
        assert_eq!(self.outbound.pending(), 0);
        assert_eq!(self.wire.len(), self.accepted());
        let sent = self.sent.iter();
        self.receive(sent);
    }

    /// The connection is lost: all that was not written is told, and what was written whole arrives.
    fn cut(mut self) {
        let written = self.wire.len();
        let transmit = std::mem::take(&mut self.transmit);
        let lost = self.outbound.end(transmit);
        let whole = self.sent.iter().scan(0, |end, sent| {
            *end += sent.length;
            Some(*end)
        });
        let delivered = whole.filter(|end| *end <= written).count();
        let expected = (self.sent.len() - delivered, self.accepted() - written);
        assert_eq!((lost.messages, lost.bytes), expected);
        assert_eq!((self.outbound.pending(), lost == Unsent::default()), (0, lost.is_empty()));
        let sent = self.sent[..delivered].iter();
        self.receive(sent);
    }

    fn receive<'a>(&self, sent: impl Iterator<Item = &'a Sent>) {
        let mut decoder: Decoder = self.settings.decoder();
        let mut input = &self.wire[..];
        for sent in sent {
            let frame =
                decoder.next_frame(&mut input).expect("no more than the limit").expect("a frame for each event");
            match Event::parse(frame, self.settings.rules()) {
                Ok(event) => {
                    assert_eq!(Some(canonical(event.name_json())), sent.name);
                    assert_eq!(event.data_json().map(canonical), sent.data);
                }
                Err(report) => {
                    let ProtocolError::InvalidEvent { .. } = report.error() else { panic!("{:?}", report.error()) };
                    assert!(!matches!(sent.name.as_deref(), Some([Token::String(_)])), "a string is a name");
                }
            }
        }
        // A torn frame may be left, which is never an event.
        assert_eq!(decoder.next_frame(&mut input), Ok(None));
    }
}

/// The name that a `type` stands for, if it is a string.
fn name_of(type_json: Option<&str>) -> Option<String> {
    match canonical(type_json?).as_slice() {
        [Token::String(units)] => Some(String::from_utf16_lossy(units)),
        _ => None,
    }
}

/// Bytes arrive as they were emitted, and events are refused.
fn raw(settings: &Settings, input: &mut Input<'_>) {
    let sync = input.flag();
    let mut outbound = Outbound::new(settings, sync);
    let (mut transmit, mut sent, mut wire) = (Transmit::new(), Vec::new(), Vec::new());
    while !input.is_empty() && sent.len() < MOST {
        match input.below(6) {
            0 => {
                outbound.poll_transmit(&mut transmit);
                while transmit.remaining() > 0 {
                    wire.push(transmit.get_u8());
                }
            }
            1 => outbound.handle_answer(),
            2 => assert!(matches!(outbound.emit("message", &1), Err(EmitError::WrongMode { .. }))),
            3 => {
                let frame = Frame::raw(settings, input.bytes().to_vec()).expect("a raw connection");
                if outbound.emit_frame(&frame).is_ok() {
                    sent.extend_from_slice(frame.as_bytes());
                }
            }
            _ => {
                let bytes = input.bytes();
                match outbound.emit_raw(bytes) {
                    Ok(()) => sent.extend_from_slice(bytes),
                    Err(error) => assert!(matches!(error, EmitError::Full { .. }), "{error}"),
                }
            }
        }
    }
    outbound.close();
    while outbound.poll_transmit(&mut transmit) {
        wire.push(transmit.get_u8());
    }
    assert_eq!(wire, sent);
}
