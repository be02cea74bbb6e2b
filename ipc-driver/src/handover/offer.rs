//! The old process's side of a handover: offers its listening socket until somebody has taken it.

use super::wire::{Facts, GREETING, READY, SOCKET, WITHDRAWN, YOURS, invalid, read_exact, readable, same_user};
use super::{READY_WITHIN, STEP};
use crate::net::{Ownership, SocketFile, bind_control, send_fd};
use crate::runtime::Credentials;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// After an error of `accept`, no descriptors left most often.
const PAUSE: Duration = Duration::from_millis(50);

/// What is offered.
#[derive(Debug)]
pub(crate) struct Offer {
    /// The listening socket.
    pub(crate) socket: OwnedFd,
    pub(crate) facts: Facts,
    /// Of the file of the socket, if it is for us to remove.
    pub(crate) ownership: Option<Ownership>,
    /// Whether somebody has it: of several offers of one socket, one is taken.
    pub(crate) taken: Arc<AtomicBool>,
}

/// How an offer ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The other process has it now, and its file.
    Taken(Credentials),
    /// `cancel` was closed, and nobody has it.
    Withdrawn,
}

/// Where takers come to.
struct Control {
    /// Removed before the listener is closed.
    _file: SocketFile,
    listener: UnixListener,
}

impl Control {
    fn bind(path: &Path) -> io::Result<Self> {
        let (listener, file) = bind_control(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { _file: file, listener })
    }
}

/// Offers the socket at `path` until it is taken, or until the other end of `cancel` is closed. One taker after the
/// other is heard; one that fails leaves everything as it was.
///
/// # Errors
///
/// If the control socket cannot be bound.
pub(crate) fn offer(path: &Path, offer: &Offer, cancel: &UnixStream) -> io::Result<Outcome> {
    let mut control = Some(Control::bind(path)?);
    loop {
        let bound = match control.take() {
            Some(bound) => bound,
            None => Control::bind(path)?,
        };
        match readable(&bound.listener, Some(cancel), None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Outcome::Withdrawn),
            other => other?,
        }
        let (stream, _) = match bound.listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(target: "ipc", %error, "cannot accept who wants to take the server over");
                std::thread::sleep(PAUSE);
                control = Some(bound);
                continue;
            }
        };
        control = Some(bound);
        match converse(&stream, offer, cancel, &mut control) {
            Ok(taker) => return Ok(Outcome::Taken(taker)),
            Err(error) => {
                // Whatever went wrong: we serve on. A taker that hears no such word takes us for dead.
                let _it_may_be_gone = (&stream).write_all(&[WITHDRAWN]);
                if error.kind() == io::ErrorKind::Interrupted {
                    return Ok(Outcome::Withdrawn);
                }
                tracing::warn!(target: "ipc", %error, "a handover failed; this process serves on");
            }
        }
    }
}

/// Hears one taker to its end.
fn converse(
    mut stream: &UnixStream,
    offer: &Offer,
    cancel: &UnixStream,
    control: &mut Option<Control>,
) -> io::Result<Credentials> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(STEP))?;
    let taker = same_user(stream)?;
    let mut greeting = [0; GREETING.len()];
    read_exact(stream, &mut greeting, Some(cancel), Instant::now() + STEP)?;
    if greeting != GREETING {
        return Err(invalid("another greeting than was expected"));
    }
    send_fd(stream, SOCKET, offer.socket.as_fd())?;
    stream.write_all(&offer.facts.encode()?)?;

    let mut ready = [0];
    read_exact(stream, &mut ready, Some(cancel), Instant::now() + READY_WITHIN)?;
    if ready != [READY] {
        return Err(invalid("another word than READY"));
    }
    if offer.taken.swap(true, Ordering::SeqCst) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    // From here on the file is not ours to remove, whoever stops us.
    if offer.ownership.as_ref().is_some_and(|ownership| !ownership.give()) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    // The new process may want to offer the socket at the same path as soon as it has it.
    drop(control.take());
    if let Err(error) = stream.write_all(&[YOURS]) {
        if let Some(ownership) = &offer.ownership {
            ownership.take();
        }
        offer.taken.store(false, Ordering::SeqCst);
        return Err(error);
    }
    Ok(taker)
}
