//! The fuzz target `raw_encodings`; what it does stands in `ipc_fuzz::raw_encodings`.

#![cfg_attr(fuzzing, no_main)]

ipc_fuzz::target!(raw_encodings);
