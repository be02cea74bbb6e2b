//! Unix listeners: who may connect to one is settled before anybody can.
//!
//! What is done about files that are there already is for `file`.

use super::backlog;
use super::file::{FileId, Held, SocketFile, lock_directory, make_root, make_way, secure_root};
use ipc_proto::{LocalAddress, Platform, Settings};
use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Who may wait to be served at a control socket.
const CONTROL_BACKLOG: i32 = 8;

/// What to give to the `connect` or `bind` of a Unix socket: the path, or a NUL and the abstract name, as Linux has it.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`] for an abstract name where there are none, and for the name of a pipe.
pub fn local_path(address: &LocalAddress) -> io::Result<PathBuf> {
    let linux = cfg!(any(target_os = "linux", target_os = "android"));
    if address.is_pipe() || (address.is_abstract() && !linux) {
        return Err(super::unsupported(address));
    }
    let nul = if address.is_abstract() { "\0" } else { "" };
    Ok(PathBuf::from([nul, address.as_str()].concat()))
}

/// Binds a Unix listener. It is non-blocking; its file has the mode and group that the settings ask for before anybody
/// can connect, whatever the umask is. An abstract name has no file.
///
/// # Errors
///
/// [`io::ErrorKind::AddrInUse`] if a live server answers there (`takeOver` takes its path all the same) or anything
/// is there and `unlink` is off; [`io::ErrorKind::AlreadyExists`] if something is there that is no socket;
/// [`io::ErrorKind::PermissionDenied`] for a `socketRoot` that is not ours and a group that we may not give the file to;
/// [`io::ErrorKind::InvalidInput`] for a group that there is not.
pub fn bind_local(address: &LocalAddress, settings: &Settings) -> io::Result<(UnixListener, Option<SocketFile>)> {
    let config = settings.config();
    let path = local_path(address)?;
    if address.is_abstract() {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        listen(&socket, settings)?;
        return Ok((socket.into(), None));
    }
    let group = config.socket_group.as_deref().map(group_id).transpose()?;
    let root = Path::new(settings.socket_root());
    if path.parent() == Some(Path::new(settings.socket_root().trim_end_matches('/'))) {
        if config.secure_socket_root { secure_root(root)? } else { make_root(root)? }
    }
    // Until somebody can find out that we listen.
    let directory = lock_directory(&path);
    if config.unlink {
        make_way(&path, config.take_over, "stop that server, choose another path, or set takeOver")?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux the file is made with the mode that the socket has; elsewhere this has no effect, and is allowed to fail.
    let _linux_only = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(&SockAddr::unix(&path)?)?;
    let file = SocketFile::of(&path)?;
    // Nobody can connect before that.
    if let Err(error) = open_to(&file, settings, group).and_then(|()| listen(&socket, settings)) {
        // The file wants the lock for its removal, and goes before the socket.
        drop(directory);
        return Err(error);
    }
    Ok((socket.into(), Some(file)))
}

/// Gives the file its group and its mode. First the group, then what it may do.
fn open_to(file: &SocketFile, settings: &Settings, group: Option<u32>) -> io::Result<()> {
    let FileId { path, device, inode } = file.id();
    let held = Held::of(path, *device, *inode)?;
    if let (Some(gid), Some(name)) = (group, &settings.config().socket_group) {
        held.set_group(gid).map_err(|error| {
            let path = path.display();
            let message =
                format!("cannot give {path} to the group {name}, of which this user must be a member: {error}");
            io::Error::new(error.kind(), message)
        })?;
    }
    let mode = settings.socket_mode();
    if fs::symlink_metadata(path)?.permissions().mode() & 0o777 != mode {
        held.set_mode(mode)?;
    }
    Ok(())
}

/// The address of a control socket, whose path nobody has checked before.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] names the limit of the system for a path that is longer.
pub(crate) fn control_address(path: &Path) -> io::Result<SockAddr> {
    let (length, limit) = (path.as_os_str().len(), Platform::current().local_address_limit());
    if length > limit {
        let message = format!("the path is {length} bytes long; a socket of this system takes {limit} at most");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    SockAddr::unix(path)
}

/// Binds a blocking listener for our own kind, at any path: only its owner may connect.
pub(crate) fn bind_control(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let address = control_address(path)?;
    let directory = lock_directory(path);
    make_way(path, false, "choose another path")?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let _linux_only = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(&address)?;
    let file = SocketFile::of(path)?;
    let closed_to_others = || {
        if fs::symlink_metadata(path)?.permissions().mode() & 0o777 != 0o600 {
            Held::of(path, file.id().device, file.id().inode)?.set_mode(0o600)?;
        }
        socket.listen(CONTROL_BACKLOG)
    };
    if let Err(error) = closed_to_others() {
        // The file wants the lock for its removal, and goes before the socket.
        drop(directory);
        return Err(error);
    }
    Ok((socket.into(), file))
}

fn listen(socket: &Socket, settings: &Settings) -> io::Result<()> {
    socket.listen(backlog(settings))?;
    socket.set_nonblocking(true)
}

/// The number of a group by its name, wherever the system keeps its groups; or the number itself, in digits.
fn group_id(name: &str) -> io::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match nix::unistd::Group::from_name(name)? {
        Some(group) => Ok(group.gid.as_raw()),
        None => {
            let message = format!("socketGroup: this machine knows no group {name:?}; make it, or name another");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}
