//! The instances of a pipe that wait for clients, whichever way a runtime waits.

use super::{Claim, INSTANCES, PipeServer, client_credentials};
use crate::runtime::Remote;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Several instances of one pipe, each waiting for its client. `W` is the future of a runtime that waits at one, and gives
/// the runtime's pipe once a client is there.
pub struct PipeListener<W> {
    waiting: Vec<W>,
    wait: fn(OwnedHandle) -> io::Result<W>,
    server: PipeServer,
}

impl<W> PipeListener<W> {
    /// Waits at `first` and at as many more as it takes. `wait` is given an instance to wait at, here and in
    /// [`poll_accept`](Self::poll_accept), and must be at home where these are called.
    ///
    /// # Errors
    ///
    /// Those of the system and of `wait`.
    pub fn new(server: PipeServer, first: OwnedHandle, wait: fn(OwnedHandle) -> io::Result<W>) -> io::Result<Self> {
        let mut waiting = Vec::with_capacity(INSTANCES);
        waiting.push(wait(first)?);
        while waiting.len() < INSTANCES {
            waiting.push(wait(server.instance()?)?);
        }
        Ok(Self { waiting, wait, server })
    }

    fn another(&self) -> io::Result<W> {
        (self.wait)(self.server.instance()?)
    }
}

impl<W, P> PipeListener<W>
where
    W: Future<Output = io::Result<P>> + Unpin,
    P: AsHandle,
{
    /// The next client: its pipe, what the stream made of it has to hold, and who it is.
    ///
    /// # Errors
    ///
    /// That of an instance that could not wait, or of the system if it gives no instance any more. It may be called again.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(P, Claim, Remote)>> {
        // Instances that could not be had when they were needed.
        while self.waiting.len() < INSTANCES {
            match self.another() {
                Ok(waiting) => self.waiting.push(waiting),
                Err(error) if self.waiting.is_empty() => return Poll::Ready(Err(error)),
                Err(_) => break,
            }
        }
        for at in 0..self.waiting.len() {
            if let Poll::Ready(connected) = Pin::new(&mut self.waiting[at]).poll(cx) {
                // The next one is there before this one is handed on, so that no client finds none.
                match self.another() {
                    Ok(next) => self.waiting[at] = next,
                    // Said by a later call, if it lasts until nobody waits any more.
                    Err(_) => drop(self.waiting.swap_remove(at)),
                }
                return Poll::Ready(connected.map(|pipe| {
                    let remote = Remote::with_credentials(client_credentials(pipe.as_handle()));
                    (pipe, self.server.claim(), remote)
                }));
            }
        }
        Poll::Pending
    }
}

impl<W> fmt::Debug for PipeListener<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeListener").field("server", &self.server).field("waiting", &self.waiting.len()).finish()
    }
}
