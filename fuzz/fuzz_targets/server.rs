//! The fuzz target `server`; what it does stands in `ipc_fuzz::server`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(server);
