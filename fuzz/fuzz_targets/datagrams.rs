//! The fuzz target `datagrams`; what it does stands in `ipc_fuzz::datagrams`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(datagrams);
