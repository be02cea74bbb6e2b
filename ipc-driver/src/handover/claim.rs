//! The new process's side of a handover: takes the listening socket of the old one.

use super::wire::{Facts, GREETING, READY, SOCKET, WITHDRAWN, YOURS, invalid, read_exact, readable, same_user};
use super::{ANSWER_WITHIN, STEP};
use crate::net::{Listening, SocketFile, control_address, lock_directory, receive_fd};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A socket that the old process still serves on.
#[derive(Debug)]
pub(crate) struct Claim {
    stream: UnixStream,
    pub(crate) control: PathBuf,
    /// Where the socket listens, as text.
    pub(crate) endpoint: String,
    /// Whether its file is ours to remove once it is ours.
    pub(crate) owns_file: bool,
}

/// Asks the process that offers its socket at `path` for it.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] if nobody offers one there;
/// [`io::ErrorKind::PermissionDenied`] if it runs as another user; [`io::ErrorKind::TimedOut`] if it says nothing; that of a
/// conversation that went wrong.
pub(crate) fn claim(path: &Path) -> io::Result<(Claim, Listening)> {
    let stream = match connect(path, STEP) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // It may be bound and not listened on yet. Whoever binds holds this lock until it is.
            drop(lock_directory(path));
            connect(path, STEP)
        }
        other => other,
    }?;
    let deadline = Instant::now() + STEP;
    same_user(&stream)?;
    (&stream).write_all(GREETING)?;
    readable(&stream, None, Some(deadline)).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => silent(),
        _ => error,
    })?;
    let (byte, fd) = receive_fd(&stream)?;
    let fd = match (byte, fd) {
        (Some(SOCKET), Some(fd)) => fd,
        (Some(WITHDRAWN), _) => return Err(refused()),
        (None, _) => {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the old process ended the conversation; its log says why",
            ));
        }
        _ => return Err(invalid("no socket")),
    };
    let facts = Facts::receive(&stream, deadline)?;
    let listening = Listening::from_fd(fd)?;
    let owns_file = matches!(facts.file, Some((_, true)));
    let listening = match (listening, facts.file) {
        (Listening::Unix { socket, .. }, Some((id, _))) => {
            // Not ours to remove before the old process says so.
            Listening::Unix { file: Some(SocketFile::known(id, false)), socket }
        }
        (listening, _) => listening,
    };
    Ok((Claim { stream, control: path.to_owned(), endpoint: facts.endpoint, owns_file }, listening))
}

/// `limit` is for the wait for a server whose backlog is full, where the system can bound it.
pub(super) fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux this also bounds the wait of `connect`.
    socket.set_write_timeout(Some(limit))?;
    socket.connect(&control_address(path)?).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => silent(),
        _ => error,
    })?;
    socket.set_write_timeout(Some(STEP))?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

impl Claim {
    /// Tells the old process that we are ready, and waits for its word. Then the socket is ours.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::ConnectionAborted`] if the old process goes on serving; [`io::ErrorKind::TimedOut`] if it says
    /// nothing. In both cases the socket is not ours.
    pub(crate) fn confirm(self) -> io::Result<()> {
        self.confirm_within(ANSWER_WITHIN)
    }

    /// As [`confirm`](Self::confirm), with a `limit` to the wait.
    pub(super) fn confirm_within(self, limit: Duration) -> io::Result<()> {
        // If it is gone already, reading says how it went.
        let _gone = (&self.stream).write_all(&[READY]);
        let mut answer = [0];
        let answered = match read_exact(&self.stream, &mut answer, None, Instant::now() + limit) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => self.last_word(&mut answer),
            other => other,
        };
        match (answered, answer) {
            (Ok(()), [YOURS]) => Ok(()),
            (Ok(()), [WITHDRAWN]) => Err(refused()),
            (Ok(()), _) => Err(invalid("no answer that is known")),
            (Err(error), _) if is_end(&error) => {
                tracing::warn!(target: "ipc", "the process whose socket was to be taken over has died; its socket is ours");
                Ok(())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The old process hangs. Ends our side of the conversation, after which it can give us nothing any more, and looks
    /// whether it has before.
    fn last_word(&self, answer: &mut [u8; 1]) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Read)?;
        self.stream.set_nonblocking(true)?;
        match (&self.stream).read(answer) {
            Ok(1) => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "the old process hangs and has not answered for {} s; end it and start this server as usual",
                    ANSWER_WITHIN.as_secs()
                ),
            )),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// Nobody answers at the control socket.
fn silent() -> io::Error {
    let message = format!(
        "the old process did not answer within {} s: it hangs, or another process is taking it over; try again, or end it",
        STEP.as_secs()
    );
    io::Error::new(io::ErrorKind::TimedOut, message)
}

fn refused() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the old process has withdrawn its offer and serves on; its log says why",
    )
}
