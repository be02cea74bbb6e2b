//! The tests of what is public, in one program: it is linked once.

mod client;
mod client_offline;
mod client_retry;
mod common;
mod config;
mod config_mistakes;
mod config_vars;
mod counters;
mod datagrams;
mod datagrams_outbound;
mod datagrams_recorded;
mod defaults;
mod dependencies;
mod endpoint;
mod inbound;
mod lifecycle_recorded;
mod messages;
mod migration_page;
mod outbound;
mod overloads;
mod pair;
mod properties;
mod requests;
mod server;
mod slow_consumers;
mod vectors;
