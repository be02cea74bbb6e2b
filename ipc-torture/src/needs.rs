//! What a test needs of the machine, and what is said where it is missing.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Says loudly that something was not tested, past the test harness, which hides what tests print.
pub fn not_tested(what: impl std::fmt::Display) {
    let _nobody_listens = writeln!(std::io::stderr(), "\n*** NOT TESTED: {what} ***\n");
}

/// As [`not_tested`], for what every CI machine has.
///
/// # Panics
///
/// Where the environment variable `CI` is set.
pub fn not_here(what: impl std::fmt::Display) {
    not_tested(&what);
    assert!(std::env::var_os("CI").is_none(), "{what} must be tested where CI is set");
}

/// Whether this process runs as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a command is to be found.
#[must_use]
pub fn has(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]).any(|folder| folder.join(command).is_file())
}

/// Whether a command ends well; its output is shown to nobody.
#[must_use]
pub fn works(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether root and all these commands are here; says loudly what is missing, and fails for it on CI.
#[must_use]
pub fn root_and(commands: &[&str], what: &str) -> bool {
    let missing: Vec<&str> = commands.iter().copied().filter(|command| !has(command)).collect();
    if !is_root() {
        not_here(format_args!("{what}: this needs root"));
        return false;
    }
    if !missing.is_empty() {
        not_here(format_args!("{what}: there is no {}", missing.join(" and no ")));
        return false;
    }
    true
}
