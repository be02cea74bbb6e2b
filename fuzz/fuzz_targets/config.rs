//! The fuzz target `config`; what it does stands in `ipc_fuzz::config`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(config);
