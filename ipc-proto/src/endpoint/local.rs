//! Paths of Unix sockets, the names of Windows pipes made from them, and abstract names of Linux.

use crate::error::shortened;
use crate::{EndpointError, Platform};

/// What the name of every pipe begins with.
const PIPE_PREFIX: &str = r"\\.\pipe\";

/// The address of a local socket: a path on Unix, a pipe name on Windows, or an abstract name of Linux.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalAddress {
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Path,
    Pipe,
    Abstract,
}

impl LocalAddress {
    /// The address for `path` on that platform: the path itself, or the [`pipe_name`] made from it.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for a path that is empty, has a NUL, or is longer than
    /// [`Platform::local_address_limit`].
    pub fn new(path: &str, platform: Platform) -> Result<Self, EndpointError> {
        let (text, kind) = match platform.is_windows() {
            true => (pipe_name(path), Kind::Pipe),
            false => (path.to_owned(), Kind::Path),
        };
        let address = Self::unlimited(text, kind)?;
        address.check_length(platform)?;
        Ok(address)
    }

    /// The abstract name `name` of Linux, which is a NUL and these bytes and nothing in the file system.
    ///
    /// Such a socket has no owner and no mode: every process in the same network namespace may connect to it, and take
    /// the name while nobody has it. It is gone with the last process that listens on it.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for a name that is empty, has a NUL, or is longer than 107 bytes, and on other platforms.
    pub fn abstract_name(name: &str, platform: Platform) -> Result<Self, EndpointError> {
        let address = Self::unlimited(name.to_owned(), Kind::Abstract)?;
        address.check_length(platform)?;
        Ok(address)
    }

    /// An address of any kind, of any length.
    pub(super) fn unlimited(text: String, kind: Kind) -> Result<Self, EndpointError> {
        if text.is_empty() || text == PIPE_PREFIX {
            let what = if kind == Kind::Abstract { "abstract name" } else { "path" };
            return Err(EndpointError::Empty { what });
        }
        if text.contains('\0') {
            let path = shortened(&text);
            return Err(EndpointError::Nul { path });
        }
        Ok(Self { text, kind })
    }

    /// Whether the platform takes an address of this length. One of the other kind is only refused
    /// when it is opened.
    pub(super) fn check_length(&self, platform: Platform) -> Result<(), EndpointError> {
        if self.is_abstract() && platform != Platform::Linux {
            let name = shortened(&self.text);
            return Err(EndpointError::Abstract { name, reason: "only Linux has abstract names" });
        }
        let limit = platform.local_address_limit();
        let length = if self.is_pipe() { self.text.encode_utf16().count() } else { self.text.len() };
        if length > limit {
            let path = shortened(&self.text);
            return Err(EndpointError::TooLong { path, length, limit });
        }
        Ok(())
    }

    /// The path, the pipe name, or the abstract name without its NUL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the name of a Windows pipe.
    #[must_use]
    pub fn is_pipe(&self) -> bool {
        self.kind == Kind::Pipe
    }

    /// Whether it is an abstract name of Linux, and no path.
    #[must_use]
    pub fn is_abstract(&self) -> bool {
        self.kind == Kind::Abstract
    }
}

/// The name of the Windows pipe for a socket path.
///
/// One leading `/` is dropped, every other becomes `-`, and `\\.\pipe\` goes in front. A name that
/// has that prefix is kept. (Servers of node-ipc 9.2.1 and 14.0.0 prefix it again, so that their
/// clients do not find them.)
///
/// ```
/// use ipc_proto::pipe_name;
///
/// assert_eq!(pipe_name("/tmp/app.world"), r"\\.\pipe\tmp-app.world");
/// assert_eq!(pipe_name(r"\\.\pipe\mine"), r"\\.\pipe\mine");
/// ```
#[must_use]
pub fn pipe_name(path: &str) -> String {
    if path.starts_with(PIPE_PREFIX) {
        return path.to_owned();
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    [PIPE_PREFIX, &path.replace('/', "-")].concat()
}
