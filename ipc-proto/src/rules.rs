//! Which event names may pass, in either direction.
//!
//! It does not know whether a name came from the wire or from the caller: the two error types are made from one verdict.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{EncodeError, ProtocolError, shortened};

/// The names node-ipc uses for its own lifecycle (node-ipc 14.0.0's list).
const RESERVED: [&str; 8] =
    ["close", "connect", "data", "destroy", "disconnect", "error", "socket.disconnected", "start"];

/// The properties of JavaScript's `Object.prototype`: a peer that keeps handlers in a plain object may trip over them
/// (observed: node-ipc 12.0.0 dies of such an event, 9.2.1 ignores it, 14.0.0 delivers it unless guarded).
const OBJECT_PROTOTYPE: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// Which event names may be sent and received. The default lets every string pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The longest name, in UTF-16 units as JavaScript counts; `None` for no limit (`maxEventNameLength`).
    pub max_event_name: Option<usize>,
    /// Refuse the names of lifecycle events: `start`, `connect`, `disconnect`, `destroy`, `close`, `socket.disconnected`,
    /// `error` and `data` (what `allowReservedEvents: false` means in node-ipc 14.0.0's guarded parser).
    pub refuse_reserved: bool,
    /// Refuse empty names and those of `Object.prototype`, and refuse to send a `type` that is no string.
    pub refuse_unsafe: bool,
    /// Only these names; `None` for all (`allowedEvents`).
    pub allowed: Option<Arc<BTreeSet<String>>>,
}

impl Rules {
    /// Says whether `name` may pass.
    ///
    /// When several rules are broken the first of this order is reported, as node-ipc 14.0.0 does: empty, too long,
    /// `Object.prototype`, reserved, not allowed.
    #[inline]
    pub fn check(&self, name: &str) -> Result<(), Refusal> {
        // A UTF-8 text has at least as many bytes as UTF-16 units, so short names need no counting.
        let short = self.max_event_name.is_none_or(|limit| name.len() <= limit);
        if short && !self.refuse_unsafe && !self.refuse_reserved && self.allowed.is_none() {
            return Ok(());
        }
        self.check_each(name)
    }

    fn check_each(&self, name: &str) -> Result<(), Refusal> {
        if self.refuse_unsafe && name.is_empty() {
            return Err(Refusal::Empty);
        }
        if let Some(limit) = self.max_event_name.filter(|&limit| name.len() > limit) {
            let length = name.chars().map(char::len_utf16).sum();
            if length > limit {
                return Err(Refusal::TooLarge { length, limit });
            }
        }
        if self.refuse_unsafe && OBJECT_PROTOTYPE.contains(&name) {
            return Err(Refusal::Unsafe { name: shortened(name) });
        }
        if self.refuse_reserved && RESERVED.contains(&name) {
            return Err(Refusal::Reserved { name: shortened(name) });
        }
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.contains(name)) {
            return Err(Refusal::NotAllowed { name: shortened(name) });
        }
        Ok(())
    }
}

/// Why a name may not pass; becomes a [`ProtocolError`] or an [`EncodeError`], whoever chose the name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The name is empty.
    Empty,
    /// The name is too long, in UTF-16 units.
    TooLarge {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The name is a property of `Object.prototype`.
    Unsafe {
        /// The name, shortened to 64 characters.
        name: Box<str>,
    },
    /// The name is one of node-ipc's own.
    Reserved {
        /// The name, shortened to 64 characters.
        name: Box<str>,
    },
    /// The name is not among the allowed ones.
    NotAllowed {
        /// The name, shortened to 64 characters.
        name: Box<str>,
    },
}

impl From<Refusal> for ProtocolError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Empty => Self::EmptyEvent,
            Refusal::TooLarge { length, limit } => Self::EventTooLarge { length, limit },
            Refusal::Unsafe { name } => Self::UnsafeEvent { name },
            Refusal::Reserved { name } => Self::ReservedEvent { name },
            Refusal::NotAllowed { name } => Self::EventNotAllowed { name },
        }
    }
}

impl From<Refusal> for EncodeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Empty => Self::EmptyEvent,
            Refusal::TooLarge { length, limit } => Self::EventTooLarge { length, limit },
            Refusal::Unsafe { name } => Self::UnsafeEvent { name },
            Refusal::Reserved { name } => Self::ReservedEvent { name },
            Refusal::NotAllowed { name } => Self::EventNotAllowed { name },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn code(rules: &Rules, name: &str) -> Option<Code> {
        let verdict = rules.check(name);
        let sent = verdict.clone().err().map(|refusal| EncodeError::from(refusal).code().unwrap());
        let received = verdict.err().map(|refusal| ProtocolError::from(refusal).code());
        assert_eq!(sent, received, "both sides give one code");
        received
    }

    fn guarded() -> Rules {
        Rules { max_event_name: Some(10), refuse_reserved: true, refuse_unsafe: true, allowed: None }
    }

    #[test]
    fn by_default_every_name_passes() {
        for name in ["", "error", "__proto__", &"n".repeat(100_000)] {
            assert_eq!(Rules::default().check(name), Ok(()));
        }
    }

    #[test]
    fn each_rule_holds_without_the_others() {
        let reserved = Rules { refuse_reserved: true, ..Rules::default() };
        assert_eq!((code(&reserved, "error"), code(&reserved, "")), (Some(Code::ReservedEvent), None));
        let no_unsafe = Rules { refuse_unsafe: true, ..Rules::default() };
        assert_eq!((code(&no_unsafe, ""), code(&no_unsafe, "error")), (Some(Code::InvalidEvent), None));
        let short = Rules { max_event_name: Some(2), ..Rules::default() };
        assert_eq!((code(&short, "abc"), code(&short, "ab")), (Some(Code::EventTooLarge), None));
        let allowed = Rules { allowed: Some(Arc::new(BTreeSet::from(["ok".to_owned()]))), ..Rules::default() };
        assert_eq!((code(&allowed, "ko").is_some(), code(&allowed, "ok")), (true, None));
    }

    #[test]
    fn guarded_rules_report_the_first_broken_rule_in_node_ipcs_order() {
        assert_eq!(code(&guarded(), ""), Some(Code::InvalidEvent));
        assert_eq!(code(&guarded(), "constructor"), Some(Code::EventTooLarge), "11 units, although unsafe too");
        assert_eq!(code(&guarded(), "toString"), Some(Code::InvalidEvent));
        assert_eq!(code(&guarded(), "error"), Some(Code::ReservedEvent));
        assert_eq!(code(&guarded(), "message"), None);
        let allowed = Some(Arc::new(BTreeSet::from(["ok".to_owned(), "error".to_owned()])));
        let assured = Rules { allowed, ..guarded() };
        assert_eq!(code(&assured, "ok"), None);
        assert_eq!(code(&assured, "error"), Some(Code::ReservedEvent), "reserved even when listed");
        assert_eq!(code(&assured, "no"), Some(Code::EventNotAllowed));
    }

    #[test]
    fn length_is_counted_in_utf16_units() {
        let rules = Rules { max_event_name: Some(4), ..Rules::default() };
        assert_eq!(rules.check("éééé"), Ok(()));
        assert_eq!(rules.check("😀😀"), Ok(()));
        assert_eq!(rules.check("😀😀a"), Err(Refusal::TooLarge { length: 5, limit: 4 }));
    }
}
