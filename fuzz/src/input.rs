//! What an input is made of: choices of a byte each, from its front on, so that seeds are easy to write, a mutation changes one
//! choice, and an input that ends early means zeros.

use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use ipc_proto::{Config, Host, OnMalformed, Platform, Settings};

/// The most bytes that the input of a target may stand for once it is expanded.
pub(crate) const MOST: usize = 256 * 1024;

pub(crate) struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or_default()
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number below `end`, which is at most 256.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(crate) fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Mostly a small number, sometimes one of up to 65,535.
    pub(crate) fn size(&mut self) -> usize {
        match self.byte() {
            255 => usize::from(self.word()),
            small => usize::from(small),
        }
    }

    /// As many bytes as the next choice says.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = self.size().min(self.0.len());
        self.0.bytes(length).unwrap_or_default()
    }

    /// The same as text, whatever is no UTF-8 in it replaced.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    /// A time from nothing to some days, in steps that deadlines fall onto, next to and between.
    pub(crate) fn time(&mut self) -> Duration {
        match self.byte() {
            255 => Duration::from_secs(u64::from(self.word())),
            254 => Duration::from_nanos(u64::from(self.byte())),
            few @ 200.. => Duration::from_secs(u64::from(few - 199)),
            few => Duration::from_millis(u64::from(few) * 10),
        }
    }

    /// A delimiter that is accepted.
    pub(crate) fn delimiter(&mut self) -> String {
        let choice = self.byte();
        if choice == 255 {
            let own = self.text();
            return if ipc_proto::Delimiter::new(&own).is_ok() { own } else { "\u{c}".to_owned() };
        }
        DELIMITERS[usize::from(choice) % DELIMITERS.len()].to_owned()
    }

    /// Framed or raw, strict or not, with limits that are reached.
    pub(crate) fn config(&mut self) -> Config {
        let mut config = match self.below(6) {
            0 | 1 => Config::v9(),
            2 => Config::v14_fast(),
            3 => Config::v14_guarded(),
            4 => Config::v14_assured(["message", "a", "long.name", "é😀"]),
            _ => Config::v9().raw_buffer(true),
        };
        config = config.delimiter(self.delimiter());
        let limits = self.byte();
        if limits & 1 != 0 {
            let size = self.size().max(1);
            config = config.max_message_size(size);
        }
        if limits & 2 != 0 {
            let size = self.size().max(1);
            config = config.max_pending_bytes(size);
        }
        if limits & 4 != 0 && config.allowed_events.is_none() {
            let length = self.byte().max(1);
            config = config.max_event_name_length(usize::from(length));
        }
        if limits & 8 != 0 {
            let time = self.time().max(Duration::from_nanos(1));
            config = config.message_timeout(time);
        }
        if limits & 16 != 0 && config.allowed_events.is_none() {
            config = config.malformed(OnMalformed::Close);
        }
        if limits & 32 != 0 && config.allowed_events.is_none() {
            config = config.allow_reserved_events(true);
        }
        config
    }
}

/// One byte and several, with every kind of hazard, and such as overlap themselves.
pub(crate) const DELIMITERS: [&str; 18] = [
    "\u{c}",
    "\n",
    "\r\n",
    "||",
    "|",
    "x",
    " ",
    "€",
    "😀",
    "END",
    "<EOM>",
    "}x}",
    "é\n",
    "\"x\"",
    "x\"}x\"}",
    "\u{7f}",
    "\u{c}\u{c}\u{c}",
    "\u{0}\u{1}\u{0}\u{1}\u{0}",
];

pub(crate) fn settings(config: Config) -> Settings {
    config.build(&Host::new("fuzz", Platform::Linux)).expect("a configuration that is made of valid parts")
}

/// The beginning of a time that only the target moves.
pub(crate) fn start() -> Instant {
    // One that is the same for a whole process would do as well: only differences matter.
    Instant::now() + Duration::from_secs(1)
}
