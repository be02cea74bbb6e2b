//! The bytes of a handover, and waiting for them: bounded in size and in time.

use crate::net::FileId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the new process says first. A change of the conversation changes the number.
pub(super) const GREETING: &[u8] = b"ipc-handover 1\n";
/// Comes with the descriptor.
pub(super) const SOCKET: u8 = b'S';
pub(super) const READY: u8 = b'R';
pub(super) const YOURS: u8 = b'Y';
pub(super) const WITHDRAWN: u8 = b'W';

/// The longest text in a message: an endpoint, a path.
const LONGEST: usize = 4096;

/// What the new process needs to know about the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Where it listens, as text.
    pub(crate) endpoint: String,
    /// Its file, and whether whoever has the socket is to remove it.
    pub(crate) file: Option<(FileId, bool)>,
}

impl Facts {
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut text = |text: &[u8]| {
            let length = u16::try_from(text.len()).ok().filter(|length| usize::from(*length) <= LONGEST);
            let length =
                length.ok_or_else(|| io::Error::other(format!("a text of {} bytes is too long", text.len())))?;
            bytes.extend(length.to_le_bytes());
            bytes.extend(text);
            Ok::<_, io::Error>(())
        };
        text(self.endpoint.as_bytes())?;
        match &self.file {
            None => text(&[])?,
            Some((id, ours)) => {
                text(id.path.as_os_str().as_bytes())?;
                bytes.extend(id.device.to_le_bytes());
                bytes.extend(id.inode.to_le_bytes());
                bytes.push(u8::from(*ours));
            }
        }
        Ok(bytes)
    }

    pub(super) fn receive(stream: &UnixStream, deadline: Instant) -> io::Result<Self> {
        let exact = |buffer: &mut [u8]| read_exact(stream, buffer, None, deadline);
        let text = || {
            let mut length = [0; 2];
            exact(&mut length)?;
            let length = usize::from(u16::from_le_bytes(length));
            if length > LONGEST {
                return Err(invalid(format!("a text of {length} bytes")));
            }
            let mut text = vec![0; length];
            exact(&mut text)?;
            Ok(text)
        };
        let number = || {
            let mut number = [0; 8];
            exact(&mut number)?;
            Ok::<_, io::Error>(u64::from_le_bytes(number))
        };
        let endpoint = String::from_utf8(text()?).map_err(|_| invalid("an endpoint that is no text"))?;
        let path = text()?;
        if path.is_empty() {
            return Ok(Self { endpoint, file: None });
        }
        let path = PathBuf::from(OsString::from_vec(path));
        let id = FileId { path, device: number()?, inode: number()? };
        let mut ours = [0];
        exact(&mut ours)?;
        Ok(Self { endpoint, file: Some((id, ours == [1])) })
    }
}

/// The other side said what it should not.
pub(super) fn invalid(what: impl std::fmt::Display) -> io::Error {
    let message = format!("the other side of the handover sent {what}; is it of another version?");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Waits until there is something to read from `from`, or its end.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`] after the deadline; [`io::ErrorKind::Interrupted`] as soon as the other end of `cancel` is
/// closed.
pub(super) fn readable(from: &impl AsFd, cancel: Option<&UnixStream>, deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            let message = "the other side of the handover does not answer in time: it hangs; end it, or try again";
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        // A moment more, so that the deadline has passed after it.
        let left = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut fds = vec![PollFd::new(from, PollFlags::IN)];
        fds.extend(cancel.map(|cancel| PollFd::new(cancel, PollFlags::IN)));
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds.get(1).is_some_and(|cancel| !cancel.revents().is_empty()) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
    }
}

/// Fills `buffer`.
///
/// # Errors
///
/// As [`readable`]; [`io::ErrorKind::UnexpectedEof`].
pub(super) fn read_exact(
    mut stream: &UnixStream,
    buffer: &mut [u8],
    cancel: Option<&UnixStream>,
    deadline: Instant,
) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        readable(&stream, cancel, Some(deadline))?;
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => {
                let message = "the other side of the handover has ended the conversation";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// That of the peer, if it runs as the same user as we; nobody else has a part in a handover, not even root by mistake.
pub(super) fn same_user(stream: &UnixStream) -> io::Result<crate::runtime::Credentials> {
    let peer = crate::net::peer_credentials(stream)?;
    let own = rustix::process::geteuid().as_raw();
    if peer.uid != Some(own) {
        let uid = peer.uid.map_or_else(|| "an unknown user".to_owned(), |uid| format!("user {uid}"));
        let message = format!(
            "the other side of the handover runs as {uid}, and this process as user {own}; both must be the same"
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(peer)
}
