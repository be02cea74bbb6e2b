//! What tills and the shelf say to each other, read off the Node service.

use ipc_tokio::Contract;

/// What a till asks.
#[derive(Contract, Debug)]
pub(crate) enum Ask {
    Quote { id: u64, item: String, count: u32 },
    Reserve { id: u64, item: String, count: u32 },
}

/// What the shelf answers, and what it tells everybody.
#[derive(Contract, Debug, PartialEq)]
pub(crate) enum Answer {
    Quoted { id: u64, total: u64 },
    Reserved { id: u64, left: u32 },
    Refused { id: u64, left: u32 },
    Stock { item: String, left: u32 },
}
