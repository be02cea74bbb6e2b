//! The fuzz target `envelope`; what it does stands in `ipc_fuzz::envelope`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(envelope);
