//! The fuzz target `encode_decode`; what it does stands in `ipc_fuzz::encode_decode`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(encode_decode);
