//! The files of Unix sockets: their hygiene before a server listens, and their removal when it stops.
//!
//! Only a *socket* is ever removed, and not one on which a live server answers. How the file is made is for `unix`.

use ipc_proto::Code;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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
    id: FileId,
    ownership: Ownership,
}

/// Which file it is, whatever its path names by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) path: PathBuf,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Whether it is for us to remove a file. It changes hands when another process takes the socket over, and never once the
/// file is being removed.
#[derive(Clone, Debug)]
pub(crate) struct Ownership(Arc<AtomicU8>);

const THEIRS: u8 = 0;
const OURS: u8 = 1;
const REMOVED: u8 = 2;

impl Ownership {
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// It is another's from now on. `false` if it was not ours to give, or is removed.
    pub(crate) fn give(&self) -> bool {
        self.change(OURS, THEIRS)
    }

    /// It is ours from now on.
    pub(crate) fn take(&self) {
        self.change(THEIRS, OURS);
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.0.load(Ordering::SeqCst) == OURS
    }
}

impl SocketFile {
    /// The file at `path`, to be removed by us.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no socket.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.file_type().is_socket() {
            return Err(not_a_socket(path));
        }
        // An absolute path, so that a later change of directory does not matter.
        let path = std::path::absolute(path)?;
        Ok(Self::known(FileId { path, device: metadata.dev(), inode: metadata.ino() }, true))
    }

    /// A file that somebody else made.
    pub(crate) fn known(id: FileId, ours: bool) -> Self {
        Self { id, ownership: Ownership(Arc::new(AtomicU8::new(if ours { OURS } else { THEIRS }))) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.id.path
    }

    pub(crate) fn id(&self) -> &FileId {
        &self.id
    }

    pub(crate) fn ownership(&self) -> Ownership {
        self.ownership.clone()
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let FileId { path, device, inode } = &self.id;
        let same = |metadata: fs::Metadata| metadata.dev() == *device && metadata.ino() == *inode;
        if !self.ownership.change(OURS, REMOVED) {
            return;
        }
        // Between the look and the removal a server that was told to take over may put its own in the place.
        let _directory = lock_directory(path);
        if fs::symlink_metadata(path).is_ok_and(same) {
            if let Err(error) = fs::remove_file(path) {
                tracing::debug!(target: "ipc", path = %path.display(), %error, "cannot remove the socket file");
            }
        }
    }
}

/// Which file a path names now, held fast: what is done to it is done to no other.
pub(super) struct Held {
    path: PathBuf,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    file: OwnedFd,
}

impl Held {
    /// The file `path`, itself if it is a symbolic link, if it is still the one of this `device` and `inode`.
    pub(super) fn of(path: &Path, device: u64, inode: u64) -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let file = {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            fs::File::from(rustix::fs::open(path, flags, Mode::empty())?)
        };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let metadata = file.metadata()?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let metadata = fs::symlink_metadata(path)?;
        if (metadata.dev(), metadata.ino()) != (device, inode) {
            let message = format!(
                "{} is not what it was a moment ago: somebody else writes to its directory; take one of your own",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Self {
            path: path.to_owned(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            file: file.into(),
        })
    }

    pub(super) fn set_group(&self, group: u32) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let group = rustix::fs::Gid::from_raw(group);
            Ok(rustix::fs::chownat(&self.file, "", None, Some(group), rustix::fs::AtFlags::EMPTY_PATH)?)
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        std::os::unix::fs::lchown(&self.path, None, Some(group))
    }

    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use std::os::fd::AsRawFd;
            // Such a descriptor has no mode of its own to change; its entry in /proc leads to the file.
            let entry = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            match fs::set_permissions(entry, fs::Permissions::from_mode(mode)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        // Never what a symbolic link leads to. Linux without /proc may not be able to, and says so.
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        Ok(rustix::fs::chmodat(rustix::fs::CWD, &self.path, mode, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// Keeps other servers out of the directory of `path`, so that of two that start at once none takes the socket of the
/// other, bound but not yet listened on, for that of a dead one and removes it. `None` if the directory cannot be
/// locked, or somebody holds the lock for longer than any server does; then it goes on without.
pub(crate) fn lock_directory(path: &Path) -> Option<OwnedFd> {
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
///
/// `advice` says what can be done where a server is alive.
pub(super) fn make_way(path: &Path, take_over: bool, advice: &str) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(not_a_socket(path));
    }
    if !take_over {
        match probe(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(()) => return Err(in_use(path, "a server listens there", advice)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(in_use(path, "a server listens there, too busy to answer", advice));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let advice =
                    "only its owner and root can tell, or remove it; choose another path, or another socketRoot";
                return Err(in_use(
                    path,
                    &format!("whether a server is alive there is not for us to see: {error}"),
                    advice,
                ));
            }
            Err(error) => return Err(in_use(path, &format!("a server may be alive there: {error}"), advice)),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn not_a_socket(path: &Path) -> io::Error {
    let code = Code::UnlinkNotSocket;
    let message = format!(
        "{code}: {} exists and is no socket; it was left alone, so move it or choose another path",
        path.display()
    );
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

fn in_use(path: &Path, why: &str, advice: &str) -> io::Error {
    let path = path.display();
    io::Error::new(io::ErrorKind::AddrInUse, format!("{path} is in use: {why}; {advice}"))
}

/// Makes the `socketRoot` if it is missing, and what is missing above it, for us alone.
pub(super) fn make_root(root: &Path) -> io::Result<()> {
    if fs::symlink_metadata(root).is_ok() {
        return Ok(());
    }
    match fs::DirBuilder::new().mode(0o700).recursive(true).create(root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let message =
                format!("cannot make the missing socketRoot {}: {error}; make it, or set another", root.display());
            Err(io::Error::new(error.kind(), message))
        }
        _ => Ok(()),
    }
}

/// `secureSocketRoot`: the directory is ours, real, and closed to others. Made if it is missing.
pub(super) fn secure_root(root: &Path) -> io::Result<()> {
    let code = Code::SocketRoot;
    let denied = |why: &str| {
        let root = root.display();
        io::Error::new(io::ErrorKind::PermissionDenied, format!("{code}: socketRoot {root} {why}"))
    };
    make_root(root)?;
    // Without its trailing slash, so that a symbolic link is seen as one.
    let bare = PathBuf::from(root.to_string_lossy().trim_end_matches('/'));
    let metadata = fs::symlink_metadata(&bare)?;
    if !metadata.is_dir() {
        return Err(denied("is no directory, or a symbolic link to one; set it to a directory itself"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(denied("belongs to another user; set it to a directory of this one"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        Held::of(&bare, metadata.dev(), metadata.ino())?.set_mode(0o700)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_mode_of_what_a_swapped_path_leads_to_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (path, precious) = (folder.path().join("socket"), folder.path().join("precious"));
        fs::write(&precious, "").unwrap();
        fs::set_permissions(&precious, fs::Permissions::from_mode(0o600)).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        let made = fs::symlink_metadata(&path).unwrap();
        let held = Held::of(&path, made.dev(), made.ino()).unwrap();
        held.set_mode(0o640).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o640);

        // Somebody else, who may write to the directory, is quick.
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        #[cfg(target_os = "linux")]
        held.set_mode(0o666).unwrap();
        let error = Held::of(&path, made.dev(), made.ino()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(fs::metadata(&precious).unwrap().mode() & 0o777, 0o600);
        drop(listener);
    }

    #[test]
    fn a_file_is_removed_under_the_lock_of_its_directory() {
        // Without it, a server that is told to take over could put its own in the place between look and removal.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        loop {
            let listener = UnixListener::bind(&path).unwrap();
            let file = SocketFile::of(&path).unwrap();
            let lock = lock_directory(&path).unwrap();
            let began = std::time::Instant::now();
            let stopping = std::thread::spawn(move || drop(file));
            while !stopping.is_finished() && began.elapsed() < LOCK_PAUSE * 20 {
                std::thread::yield_now();
            }
            let waited = !stopping.is_finished();
            // Whoever finds the lock held for so long goes on without it; then this round says nothing.
            let in_time = began.elapsed() < LOCK_PAUSE * u32::try_from(LOCK_ATTEMPTS).unwrap();
            drop(lock);
            stopping.join().unwrap();
            assert!(!path.exists());
            drop(listener);
            if in_time {
                assert!(waited, "removed while another held the lock");
                break;
            }
        }
    }
}
