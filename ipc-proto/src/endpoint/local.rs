//! Paths of Unix sockets, and the names of Windows pipes made from them.

use crate::error::shortened;
use crate::{EndpointError, Platform};

/// What the name of every pipe begins with.
const PIPE_PREFIX: &str = r"\\.\pipe\";

/// The address of a local socket: a path on Unix, a pipe name on Windows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalAddress {
    text: String,
    pipe: bool,
}

impl LocalAddress {
    /// The address for `path` on that platform: the path itself, or the [`pipe_name`] made from it.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for a path that is empty, has a NUL, or is longer than
    /// [`Platform::local_address_limit`].
    pub fn new(path: &str, platform: Platform) -> Result<Self, EndpointError> {
        let pipe = platform.is_windows();
        let text = if pipe { pipe_name(path) } else { path.to_owned() };
        let address = Self::unlimited(text, pipe)?;
        address.check_length(platform)?;
        Ok(address)
    }

    /// An address of either kind, of any length.
    pub(super) fn unlimited(text: String, pipe: bool) -> Result<Self, EndpointError> {
        if text.is_empty() || text == PIPE_PREFIX {
            return Err(EndpointError::Empty { what: "path" });
        }
        if text.contains('\0') {
            let path = shortened(&text);
            return Err(EndpointError::Nul { path });
        }
        Ok(Self { text, pipe })
    }

    /// Whether the platform takes an address of this length. One of the other kind is only refused
    /// when it is opened.
    pub(super) fn check_length(&self, platform: Platform) -> Result<(), EndpointError> {
        let limit = platform.local_address_limit();
        let length = if self.pipe { self.text.encode_utf16().count() } else { self.text.len() };
        if length > limit {
            let path = shortened(&self.text);
            return Err(EndpointError::TooLong { path, length, limit });
        }
        Ok(())
    }

    /// The path or the pipe name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the name of a Windows pipe.
    #[must_use]
    pub fn is_pipe(&self) -> bool {
        self.pipe
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
