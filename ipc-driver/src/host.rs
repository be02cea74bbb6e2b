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

/// Reads the environment variables whose name begins with `prefix` into a configuration: with `IPC_` the option `maxRetries`
/// is `IPC_MAX_RETRIES`, see [`Config::from_vars`]. The others are none of ours.
///
/// # Errors
///
/// [`ConfigError`] names the variable, what it says and what is allowed, and the nearest variable that there is for one that
/// is no option.
pub fn config_from_env(prefix: &str) -> Result<Config, ConfigError> {
    // What is no Unicode is shown as far as it is, and refused by whichever option is given it.
    let vars = std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
    let vars = vars.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
    Config::from_vars(prefix, vars)
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
