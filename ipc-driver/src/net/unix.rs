//! Unix listeners, and the hygiene of their files.
//!
//! A socket file is owner-only before anybody can connect, only a *socket* is ever removed, and not one on which a live
//! server answers.

use super::backlog;
use ipc_proto::{Code, LocalAddress, Settings};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and after which pauses, the lock of a directory is tried for. Servers hold it for microseconds.
const LOCK_ATTEMPTS: usize = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The file of a listening socket. Removed when this is dropped, if it is still the same file.
///
/// Drop it before the listener: while that is open, nobody takes the file for that of a dead server and puts another
/// in its place, and no other file gets its number.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        // An absolute path, so that a later change of directory does not matter.
        let path = std::path::absolute(path)?;
        Ok(Self { path, device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| metadata.dev() == self.device && metadata.ino() == self.inode);
        if ours {
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::debug!(target: "ipc", path = %self.path.display(), %error, "cannot remove the socket file");
            }
        }
    }
}

/// Binds a Unix listener. It is non-blocking; its file may be used by its owner only, unless `readableAll` or
/// `writableAll` say otherwise.
///
/// # Errors
///
/// [`io::ErrorKind::AddrInUse`] if a live server answers there (`takeOver` takes its path all the same) or anything
/// is there and `unlink` is off; [`io::ErrorKind::AlreadyExists`] if something is there that is no socket;
/// [`io::ErrorKind::PermissionDenied`] for a `socketRoot` that is not ours.
pub fn bind_local(address: &LocalAddress, settings: &Settings) -> io::Result<(UnixListener, SocketFile)> {
    let config = settings.config();
    let path = Path::new(address.as_str());
    if config.secure_socket_root && path.parent() == Some(Path::new(settings.socket_root().trim_end_matches('/'))) {
        secure_root(Path::new(settings.socket_root()))?;
    }
    // Until somebody can find out that we listen.
    let _directory = lock_directory(path);
    if config.unlink {
        make_way(path, config.take_over)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux the file is made with the mode that the socket has; elsewhere this has no effect, and is allowed to fail.
    let _linux_only = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    // Nobody can connect before `listen`.
    let shared = [(config.readable_all, 0o044), (config.writable_all, 0o022)];
    let mode = shared.iter().fold(0o600, |mode, (on, bits)| if *on { mode | bits } else { mode });
    // By path, which another may have swapped where the directory is open to others: only if it is needed.
    if fs::symlink_metadata(path)?.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    socket.listen(backlog(settings))?;
    socket.set_nonblocking(true)?;
    Ok((socket.into(), file))
}

/// Keeps other servers out of the directory of `path`, so that of two that start at once none takes the socket of the
/// other, bound but not yet listened on, for that of a dead one and removes it. `None` if the directory cannot be
/// locked, or somebody holds the lock for longer than any server does; then it goes on without.
fn lock_directory(path: &Path) -> Option<OwnedFd> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty()).ok()?;
    for _ in 0..LOCK_ATTEMPTS {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
            Err(_) => return None,
        }
    }
    None
}

/// Whether somebody listens at `path`. Does not wait: a server that accepts nobody just now has no room for us.
fn probe(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&socket2::SockAddr::unix(path)?)
}

/// Removes what a dead server left.
fn make_way(path: &Path, take_over: bool) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let code = Code::UnlinkNotSocket;
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{code}: {} exists and is no socket; it was left alone", path.display()),
        ));
    }
    if !take_over {
        match probe(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(()) => return Err(in_use(path, "a live server answers there")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(in_use(path, "a server listens there, too busy to answer"));
            }
            Err(error) => return Err(in_use(path, &format!("a server may be alive there: {error}"))),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn in_use(path: &Path, why: &str) -> io::Error {
    let path = path.display();
    io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("{path} is in use: {why}; stop that server, choose another path, or set takeOver"),
    )
}

/// `secureSocketRoot`: the directory is ours, real, and closed to others. Made if it is missing.
fn secure_root(root: &Path) -> io::Result<()> {
    let code = Code::SocketRoot;
    let denied = |why: &str| {
        let root = root.display();
        io::Error::new(io::ErrorKind::PermissionDenied, format!("{code}: socketRoot {root} {why}"))
    };
    match fs::DirBuilder::new().mode(0o700).recursive(true).create(root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Without its trailing slash, so that a symbolic link is seen as one.
    let bare = PathBuf::from(root.to_string_lossy().trim_end_matches('/'));
    let metadata = fs::symlink_metadata(&bare)?;
    if !metadata.is_dir() {
        return Err(denied("is no directory, or a symbolic link to one"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(denied("belongs to another user"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(&bare, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
