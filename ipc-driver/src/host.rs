//! Facts about this machine and process, for defaults that depend on them.

use ipc_proto::{Config, ConfigError, Host, Platform, Settings};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// The machine this process runs on. Asked once.
#[must_use]
pub fn detect() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let host = Host::new(name(), Platform::current()).with_temp_dir(std::env::temp_dir().to_string_lossy());
        let host = host.with_user(user()).with_xdg_runtime_dir(std::env::var("XDG_RUNTIME_DIR").unwrap_or_default());
        #[cfg(unix)]
        let host = host.with_uid(rustix::process::getuid().as_raw());
        host
    })
}

/// Checks and completes a configuration for this machine.
///
/// # Errors
///
/// [`ConfigError`] names the option, its value and what is allowed.
pub fn build(config: Config) -> Result<Settings, ConfigError> {
    config.build(detect())
}

fn user() -> String {
    let name = if cfg!(windows) { "USERNAME" } else { "USER" };
    std::env::var(name).unwrap_or_default()
}

#[cfg(unix)]
fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".into())
}

/// A number unlike others, for the jitter of retries. The standard library draws its hash keys from the system.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
