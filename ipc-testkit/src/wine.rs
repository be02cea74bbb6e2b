//! Tests on Wine, which runs Windows programs on Linux and is not quite Windows.
//!
//! A test of something that Wine does not do passes there, and says under its own name that it proved nothing.

use std::io::Write;

/// Whether this test runs on Wine, of which whoever runs it tells it with the environment variable `IPC_ON_WINE`; then it says
/// `why` it proves nothing there, and is to return.
#[must_use]
pub fn skip_under_wine(why: &str) -> bool {
    let on_wine = std::env::var_os("IPC_ON_WINE").is_some();
    if on_wine {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // Written to the real stderr: the test harness hides what tests print.
        let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED under Wine: {test}: {why} ***\n");
    }
    on_wine
}
