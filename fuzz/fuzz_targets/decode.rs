//! The fuzz target `decode`; what it does stands in `ipc_fuzz::decode`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(decode);
