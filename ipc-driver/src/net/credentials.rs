//! Who is at the other end of a Unix socket, as the operating system knows it.

use crate::runtime::Credentials;
use std::io;
use std::os::fd::AsFd;

/// The credentials of the process that connected to a Unix socket, or that listens on it, as they were when it did.
///
/// # Errors
///
/// That of the operating system; [`io::ErrorKind::Unsupported`] where it does not tell.
pub fn peer_credentials(socket: &impl AsFd) -> io::Result<Credentials> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let found = nix::sys::socket::getsockopt(&socket.as_fd(), nix::sys::socket::sockopt::PeerCredentials)?;
        Ok(Credentials { uid: Some(found.uid()), gid: Some(found.gid()), pid: process(found.pid()) })
    }
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "openbsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    {
        let (uid, gid) = nix::unistd::getpeereid(socket)?;
        #[cfg(target_vendor = "apple")]
        let pid = nix::sys::socket::getsockopt(&socket.as_fd(), nix::sys::socket::sockopt::LocalPeerPid)
            .map_or(None, process);
        #[cfg(not(target_vendor = "apple"))]
        let pid = None;
        Ok(Credentials { uid: Some(uid.as_raw()), gid: Some(gid.as_raw()), pid })
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "openbsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    )))]
    {
        let _ = socket;
        Err(super::unsupported("asking for the credentials of a peer"))
    }
}

/// Linux says 0 for a process that this one cannot see, as it lives in another namespace.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn process(pid: i32) -> Option<u32> {
    u32::try_from(pid).ok().filter(|pid| *pid != 0)
}
