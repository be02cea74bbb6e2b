//! Configurations that the targets choose from, and the numbers that choose.

use ipc_proto::{Config, Host, OnMalformed, Platform, Settings};

/// Delimiters of one byte and of several, with prefixes that are their own.
pub const DELIMITERS: [&str; 8] = ["\u{c}", "\n", "\r\n", "||", "<<>", "<EOM>", "é", "\u{1e}\u{1e}\u{1}"];

/// How many choices [`config`] has.
pub const PRESETS: u8 = 7;

/// One of the presets, `which` modulo [`PRESETS`].
pub fn config(which: u8) -> Config {
    let config = match which % PRESETS {
        0 => Config::v9(),
        1 => Config::v9().malformed(OnMalformed::Close),
        2 => Config::v14_fast(),
        3 => Config::v14_guarded(),
        4 => Config::v14_assured(["m", "message", "é"]),
        5 => Config::v14_guarded().malformed(OnMalformed::Report),
        _ => Config::v9().raw_buffer(true),
    };
    config.id("fuzz")
}

/// The settings of a configuration, if it has any.
pub fn build(config: Config) -> Option<Settings> {
    config.build(&Host::new("pluto", Platform::Linux)).ok()
}

/// Settings that must be had.
pub fn settings(config: Config) -> Settings {
    config.build(&Host::new("pluto", Platform::Linux)).expect("settings")
}

/// One of [`DELIMITERS`].
pub fn delimiter(which: u8) -> &'static str {
    DELIMITERS[usize::from(which) % DELIMITERS.len()]
}
