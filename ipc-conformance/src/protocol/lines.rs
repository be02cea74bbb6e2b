//! The lines a peer writes: their members, in Node's order, each line whole and flushed. Which lines are due is
//! `dispatch`'s business.

use std::io::Write;

use super::{Stamp, Unsupported};
use crate::js::{Js, JsError, JsObject, Numbers, describe, stringify};

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It returned this value, which is described.
    Value(Js),
    /// It returned facts of the peer, which are written as they are.
    Facts(Js),
    /// It threw.
    Threw(JsError),
    /// This peer cannot do it.
    Unsupported,
}

impl Reply {
    /// It returned nothing.
    pub const DONE: Self = Self::Value(Js::Undefined);

    /// Puts `ok` and `value` or `error` into a line.
    pub(super) fn add_to(&self, line: &mut JsObject, numbers: &mut Numbers) {
        line.set("ok", Js::Bool(matches!(self, Self::Value(_) | Self::Facts(_))));
        match self {
            Self::Value(value) => line.set("value", describe(value, numbers)),
            Self::Facts(facts) => line.set("value", facts.clone()),
            Self::Threw(error) => line.set("error", describe(&error.clone().into(), numbers)),
            Self::Unsupported => line.set("error", Js::text("unsupported")),
        }
    }

    /// The replies of several commands as one.
    pub fn batch(replies: &[Self], numbers: &mut Numbers) -> Self {
        let one = |reply: &Self| {
            let mut line = JsObject::new();
            reply.add_to(&mut line, numbers);
            Js::Object(line)
        };
        Self::Facts(replies.iter().map(one).collect::<Vec<_>>().into())
    }
}

impl From<Unsupported> for Reply {
    fn from(why: Unsupported) -> Self {
        match why {
            Unsupported::Throws(error) => Self::Threw(error),
            Unsupported::Option(_) => Self::Unsupported,
        }
    }
}

impl From<JsError> for Reply {
    fn from(error: JsError) -> Self {
        Self::Threw(error)
    }
}

/// Where lines go. A reader that went away is remembered, not reported line by line.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    broken: bool,
}

impl<W: Write> Lines<W> {
    /// Lines to this writer.
    pub fn new(out: W) -> Self {
        Self { out, broken: false }
    }

    /// Whether writing failed: nobody listens any more, and the peer should end.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What was written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Writes one line with its times, and flushes it.
    pub fn write(&mut self, mut line: JsObject, at: Stamp) {
        let tenths = |ms: f64| Js::Number((ms * 10.0).round() / 10.0);
        line.set("t", tenths(at.since_start));
        line.set("e", tenths(at.since_1970));
        // A line is plain data, which always has a JSON form.
        let Ok(Some(mut text)) = stringify(&Js::Object(line)) else {
            return;
        };
        text.push('\n');
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.broken |= written.is_err();
    }
}
