//! The fuzz target `client`; what it does stands in `ipc_fuzz::client`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(client);
