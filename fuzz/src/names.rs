//! The rules on event names as the documentation has them, written a second time.

use ipc_proto::{Code, Config, Parser};

/// What a name is refused with, if it is.
pub(crate) fn refused(config: &Config, name: &str) -> Option<Code> {
    let strict = matches!(config.parser, Parser::Guarded | Parser::Assured);
    let units = name.encode_utf16().count();
    if strict && units == 0 {
        Some(Code::InvalidEvent)
    } else if units > config.max_event_name_length {
        Some(Code::EventTooLarge)
    } else if strict && is_of_object_prototype(name) {
        Some(Code::InvalidEvent)
    } else if strict && !config.allow_reserved_events && is_of_lifecycle(name) {
        Some(Code::ReservedEvent)
    } else if config.allowed_events.as_ref().is_some_and(|allowed| !allowed.iter().any(|one| one == name)) {
        Some(Code::EventNotAllowed)
    } else {
        None
    }
}

/// What `Object.getOwnPropertyNames(Object.prototype)` gives.
fn is_of_object_prototype(name: &str) -> bool {
    "constructor __defineGetter__ __defineSetter__ hasOwnProperty __lookupGetter__ __lookupSetter__ isPrototypeOf \
     propertyIsEnumerable toString valueOf __proto__ toLocaleString"
        .split_whitespace()
        .any(|known| known == name)
}

fn is_of_lifecycle(name: &str) -> bool {
    "start connect disconnect destroy close socket.disconnected error data"
        .split_whitespace()
        .any(|known| known == name)
}
