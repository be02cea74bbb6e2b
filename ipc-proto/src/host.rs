//! Facts about the machine that default paths depend on, handed in by the caller.
//!
//! `ipc-proto` asks the operating system nothing. A driver fills a [`Host`] once and gives it to
//! [`Config::build`](crate::Config::build). No option of the user lives here.

/// The family of operating systems, as far as socket paths differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Linux and every other Unix whose socket paths hold 108 bytes.
    Linux,
    /// macOS, iOS, FreeBSD, OpenBSD, NetBSD and `DragonFly`, whose socket paths hold 104 bytes.
    Bsd,
    /// Windows, where a path becomes the name of a named pipe.
    Windows,
}

impl Platform {
    /// The platform this program was compiled for.
    #[must_use]
    pub const fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "openbsd",
            target_os = "netbsd",
            target_os = "dragonfly"
        )) {
            Self::Bsd
        } else {
            Self::Linux
        }
    }

    /// The longest usable address of a local socket.
    ///
    /// Unix: bytes of a path, without its closing NUL (107 on Linux, 103 on macOS and the BSDs).
    /// Windows: characters of a pipe name, its `\\.\pipe\` included (256).
    ///
    /// node-ipc 9.2.1, 12.0.0 and 14.0.0 cut a longer Unix path in silence and serve a file of
    /// another name; here it is an error.
    #[must_use]
    pub const fn local_address_limit(self) -> usize {
        match self {
            Self::Linux => 107,
            Self::Bsd => 103,
            Self::Windows => 256,
        }
    }

    /// Whether local sockets are Windows named pipes.
    #[must_use]
    pub const fn is_windows(self) -> bool {
        matches!(self, Self::Windows)
    }
}

/// What a default depends on: the host's name, the user and the directories of temporary files.
///
/// ```
/// use ipc_proto::{Host, Platform};
///
/// let host = Host::new("pluto", Platform::Linux).with_uid(1000).with_temp_dir("/tmp");
/// assert_eq!(host.private_socket_root(), "/tmp/node-ipc-1000/");
///
/// let host = host.with_xdg_runtime_dir("/run/user/1000");
/// assert_eq!(host.private_socket_root(), "/run/user/1000/node-ipc/");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Host {
    /// The name of this host: the default of the option `id`.
    pub name: String,
    /// The number of the user who runs the process; `None` where there is none (Windows).
    pub uid: Option<u32>,
    /// The name of the user who runs the process.
    pub user: String,
    /// The directory of temporary files, with or without a closing slash. Default `/tmp`.
    pub temp_dir: String,
    /// `XDG_RUNTIME_DIR`, when the environment has it and it is not empty.
    pub xdg_runtime_dir: Option<String>,
    /// The operating system.
    pub platform: Platform,
}

impl Host {
    /// A host of this name; user 0 (`root`), `/tmp` and no `XDG_RUNTIME_DIR` until said otherwise.
    #[must_use]
    pub fn new(name: impl Into<String>, platform: Platform) -> Self {
        Self {
            name: name.into(),
            uid: (!platform.is_windows()).then_some(0),
            user: String::from("root"),
            temp_dir: String::from("/tmp"),
            xdg_runtime_dir: None,
            platform,
        }
    }

    /// Sets the number of the user.
    #[must_use]
    pub fn with_uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Sets the name of the user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Sets the directory of temporary files.
    #[must_use]
    pub fn with_temp_dir(mut self, directory: impl Into<String>) -> Self {
        self.temp_dir = directory.into();
        self
    }

    /// Sets `XDG_RUNTIME_DIR`; an empty text stands for a variable that is not set.
    #[must_use]
    pub fn with_xdg_runtime_dir(mut self, directory: impl Into<String>) -> Self {
        self.xdg_runtime_dir = Some(directory.into()).filter(|directory| !directory.is_empty());
        self
    }

    /// The directory that node-ipc 14 puts sockets into when `socketRoot` is not set, with its
    /// closing slash.
    ///
    /// node-ipc 14.0.0: `$XDG_RUNTIME_DIR/node-ipc/` if that variable is set, else
    /// `<tmp>/node-ipc-<uid>/`; on Windows `/node-ipc-<user>/`, which becomes part of a pipe name.
    /// The default of 9.2.1 is always `/tmp/`, so the two never meet unless `socketRoot` is set.
    #[must_use]
    pub fn private_socket_root(&self) -> String {
        if self.platform.is_windows() {
            return format!("/node-ipc-{}/", self.user);
        }
        match self.xdg_runtime_dir.as_deref() {
            Some(directory) if !directory.is_empty() => {
                format!("{}/node-ipc/", directory.trim_end_matches('/'))
            }
            _ => {
                let temp_dir = self.temp_dir.trim_end_matches('/');
                match self.uid {
                    Some(uid) => format!("{temp_dir}/node-ipc-{uid}/"),
                    None => format!("{temp_dir}/node-ipc-{}/", self.user),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_has_a_pipe_root_by_user() {
        let host = Host::new("pc", Platform::Windows).with_user("ann");
        assert_eq!(host.private_socket_root(), "/node-ipc-ann/");
    }

    #[test]
    fn an_empty_xdg_runtime_dir_counts_as_unset() {
        let host = Host::new("h", Platform::Linux).with_xdg_runtime_dir("");
        assert_eq!(host.private_socket_root(), "/tmp/node-ipc-0/");
    }

    #[test]
    fn closing_slashes_are_not_doubled() {
        let host = Host::new("h", Platform::Bsd).with_temp_dir("/var/tmp/").with_uid(501);
        assert_eq!(host.private_socket_root(), "/var/tmp/node-ipc-501/");
        assert_eq!(host.with_xdg_runtime_dir("/run/u/").private_socket_root(), "/run/u/node-ipc/");
    }
}
