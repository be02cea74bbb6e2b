//! Listening sockets of the operating system, and the hygiene of socket files.
//!
//! Everything here is blocking and quick; adapters wrap the sockets for their runtime. A socket file is owner-only
//! before anybody can connect, only a *socket* is ever removed, and not one on which a live server answers.

use ipc_proto::{Endpoint, Interface, Settings};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

#[cfg(unix)]
pub use unix::{SocketFile, bind_local};

/// Binds a TCP listener to the first of `addresses` that works. It is non-blocking.
///
/// # Errors
///
/// That of the last address tried; [`io::ErrorKind::NotFound`] if there is none.
pub fn bind_tcp(addresses: &[SocketAddr], settings: &Settings) -> io::Result<TcpListener> {
    first_of(addresses, |address| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix this lets a server restart while old connections linger; on Windows it would let others steal the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog(settings))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    })
}

/// The first success of `attempt` over `addresses`.
///
/// # Errors
///
/// The last failure; [`io::ErrorKind::NotFound`] if there is no address.
pub fn first_of<T>(addresses: &[SocketAddr], mut attempt: impl FnMut(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut last = no_address();
    for &address in addresses {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The error of a name that has no address.
#[must_use]
pub fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the host name has no address")
}

/// The error of a transport that an adapter cannot do.
#[must_use]
pub fn unsupported(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what} is not supported on this platform by this adapter"))
}

/// What `endpoint` with `settings` would need and nothing here can do yet.
pub(crate) fn missing(settings: &Settings, endpoint: &Endpoint) -> Option<&'static str> {
    match endpoint {
        // Never in clear what was meant to be encrypted.
        Endpoint::Tcp { .. } if settings.config().tls.is_some() => Some("TLS"),
        Endpoint::Tcp { .. } if settings.config().interface != Interface::default() => Some("the option interface"),
        Endpoint::Udp4 { .. } | Endpoint::Udp6 { .. } => Some("UDP"),
        _ => None,
    }
}

fn backlog(settings: &Settings) -> i32 {
    i32::try_from(settings.config().accept_backlog).unwrap_or(i32::MAX)
}

#[cfg(unix)]
mod unix {
    use super::{Domain, Settings, Socket, Type, backlog, io};
    use ipc_proto::{Code, LocalAddress};
    use std::fs;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};

    /// The file of a listening socket. Removed when this is dropped, if it is still the same file.
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
        if config.unlink {
            make_way(path, config.take_over)?;
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&socket2::SockAddr::unix(path)?)?;
        let file = SocketFile::of(path)?;
        // Nobody can connect before `listen`.
        let shared = [(config.readable_all, 0o044), (config.writable_all, 0o022)];
        let mode = shared.iter().fold(0o600, |mode, (on, bits)| if *on { mode | bits } else { mode });
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        socket.listen(backlog(settings))?;
        socket.set_nonblocking(true)?;
        Ok((socket.into(), file))
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
            match UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Ok(_) => return Err(in_use(path, "a live server answers there")),
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
}
