//! What the system knows of the Unix sockets in a directory: whether somebody listens, and who. And who listens on a port, where
//! there is a table of that.
//!
//! Where the system's own table says who listens (Linux), nobody is disturbed. Elsewhere, and where the table has no such
//! path, a connection is tried, which a server that is there sees come and go.

#[cfg(target_os = "linux")]
mod ports;
#[cfg(target_os = "linux")]
mod table;

use ipc_driver::net::peer_credentials;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Whether somebody listens on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Somebody does.
    Live,
    /// Nobody does: the file is what a dead server left.
    Stale,
    /// Somebody does, and has no room for another connection just now.
    Busy,
    /// Only others may connect.
    Denied,
    /// The system says something else.
    Unknown(String),
}

impl State {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Busy => "busy",
            Self::Denied => "denied",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// A process that listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: Option<u32>,
    /// How the process is called.
    pub(crate) command: Option<String>,
}

/// A socket file.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) state: State,
    pub(crate) owner: Owner,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The permission bits.
    pub(crate) mode: u32,
}

/// The sockets of a directory, by name; those of its subdirectories are not looked for.
pub(crate) fn in_directory(directory: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let table = Table::read();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // One that goes away meanwhile is none.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.file_type().is_socket() {
            found.push(look(&entry.path(), &metadata, &table));
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// One socket.
pub(crate) fn at(path: &Path, metadata: &Metadata) -> Found {
    look(path, metadata, &Table::read())
}

fn look(path: &Path, metadata: &Metadata, table: &Table) -> Found {
    let (state, owner) = match table.listener(path) {
        Some(owner) => (State::Live, owner),
        None => probe(path),
    };
    Found {
        path: path.to_owned(),
        state,
        owner,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mode: metadata.mode() & 0o7777,
    }
}

/// Tries to connect, without waiting.
fn probe(path: &Path) -> (State, Owner) {
    let connect = || {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::empty(),
            None,
        )?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::net::connect(&socket, &rustix::net::SocketAddrUnix::new(path)?)?;
        io::Result::Ok(socket)
    };
    match connect() {
        Ok(socket) => {
            let pid = peer_credentials(&socket).ok().and_then(|credentials| credentials.pid);
            (State::Live, Owner { pid, command: pid.and_then(command) })
        }
        Err(error) => {
            let state = match error.kind() {
                io::ErrorKind::ConnectionRefused => State::Stale,
                io::ErrorKind::WouldBlock => State::Busy,
                io::ErrorKind::PermissionDenied => State::Denied,
                _ => State::Unknown(error.to_string()),
            };
            (state, Owner::default())
        }
    }
}

/// How a process is called, where the system tells.
pub(crate) fn command(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Whether a process is stopped: by SIGSTOP, by Ctrl-Z at its terminal, or by a debugger. The system takes connections for it nevertheless.
pub(crate) fn is_stopped(pid: u32) -> bool {
    // `pid (command) state …`, and the command may have any character.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}

/// The name of a user.
pub(crate) fn user(uid: u32) -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok()?.map(|user| user.name)
}

/// Whose a socket is, if it is another user's and we are not root.
pub(crate) fn another_user(path: &Path) -> Option<String> {
    let metadata = std::fs::symlink_metadata(path).ok().filter(|metadata| metadata.file_type().is_socket())?;
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    (own != 0 && own != owner).then(|| user(owner).unwrap_or_else(|| format!("uid {owner}")))
}

/// The name of a group.
pub(crate) fn group(gid: u32) -> Option<String> {
    nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid)).ok()?.map(|group| group.name)
}

#[cfg(target_os = "linux")]
pub(crate) use ports::listener as listener_on;
#[cfg(target_os = "linux")]
use table::Table;

/// Who takes TCP connections to an address of this machine.
#[cfg(not(target_os = "linux"))]
pub(crate) fn listener_on(_address: std::net::SocketAddr) -> Owner {
    Owner::default()
}

/// Other systems have no table that may be read.
#[cfg(not(target_os = "linux"))]
struct Table;

#[cfg(not(target_os = "linux"))]
impl Table {
    fn read() -> Self {
        Self
    }

    fn listener(&self, _path: &Path) -> Option<Owner> {
        None
    }
}
