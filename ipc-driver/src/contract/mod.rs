//! Contracts: all events of a service as one Rust enum, checked when the program is compiled.
//!
//! A variant is an event. `#[derive(Contract)]` (feature `derive`) names it and says what it carries; every handle then emits
//! and hears the enum:
//!
//! | | |
//! |---|---|
//! | `emit_typed(&Chat::Ping)`, `send_typed(…).await`, `broadcast_typed(…)` | an event of the contract, to where `emit`, `send` and `broadcast` go |
//! | `on_typed(\|peer, event: Chat\| …)` | one handler for all events of the contract |
//! | `on_variant(Chat::JOINED, \|peer, who\| …)` | a handler for one of them, whose payload has the type it has in the contract |
//! | `Chat::try_from(&message)` | out of the stream; [`ContractError`] tells an unknown event from one that does not fit |
//!
//! A handler hears the events of its contract only. All others go where they would go without it: to handlers of their name, to
//! `on_any`, or to the stream. Two contracts may be heard side by side.
//!
//! An event that is one of the contract by name and not by payload goes to `on_error`, as with `on`.

mod typed;
#[cfg(feature = "typescript")]
pub mod typescript;

#[doc(hidden)]
pub use ipc_proto::contract::support;
pub use ipc_proto::contract::{Contract, ContractError, Data, EventName, Request};
