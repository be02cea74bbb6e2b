//! The task that accepts connections, as long as the server listens. What becomes of them is for `serve`.

#[cfg(unix)]
use super::handing::Requests;
use super::handshakes::greet;
use super::serve::admit;
use super::{ServerEvent, Shared};
use crate::log::note;
use crate::runtime::{Listener, Remote, Runtime, Timer};
use crate::slot::Socket;
use crate::transport::Transport;
use crate::unheard::Unheard;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

/// After an error of `accept` (no descriptors left, most often), and while nobody takes the last events of connections
/// that have ended, the loop waits so long instead of spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After so many connections in a row the loop lets other tasks run.
const ACCEPTS_IN_A_ROW: usize = 64;

/// The task that accepts. When it ends, or is dropped by the runtime, the server listens no more.
pub(super) struct Accepting<R: Runtime> {
    runtime: R,
    shared: Arc<Shared>,
    socket: Socket,
    #[cfg(unix)]
    requests: Option<Requests>,
}

impl<R: Runtime> Accepting<R> {
    pub(super) fn new(runtime: R, shared: Arc<Shared>, socket: Socket) -> Self {
        Self {
            runtime,
            shared,
            socket,
            #[cfg(unix)]
            requests: None,
        }
    }

    /// Gives descriptors of its socket to those who ask.
    #[cfg(unix)]
    pub(super) fn answering(mut self, requests: Requests) -> Self {
        self.requests = Some(requests);
        self
    }

    #[cfg_attr(not(unix), allow(unused_mut, reason = "nobody asks for descriptors there"))]
    pub(super) async fn run(mut self, mut listener: R::Listener) {
        let mut pause = self.runtime.timer();
        let mut paused = false;
        let mut in_a_row = 0;
        let failures = Unheard::default();
        let mut stop = self.socket.stop.wait();
        loop {
            let accepted = poll_fn(|cx| {
                if Pin::new(&mut stop).poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                #[cfg(unix)]
                if let Some(requests) = &mut self.requests {
                    requests.poll(cx, &listener);
                }
                loop {
                    if paused && pause.poll_expired(cx).is_pending() {
                        return Poll::Pending;
                    }
                    paused = self.shared.is_unheard();
                    if !paused {
                        break;
                    }
                    pause.set(Some(self.runtime.now() + ACCEPT_PAUSE));
                }
                if in_a_row == ACCEPTS_IN_A_ROW {
                    in_a_row = 0;
                    self.runtime.give_way(cx);
                    return Poll::Pending;
                }
                let accepted = listener.poll_accept(cx).map(Some);
                in_a_row = if accepted.is_ready() { in_a_row + 1 } else { 0 };
                accepted
            })
            .await;
            match accepted {
                None => {
                    if self.shared.drains.load(Ordering::SeqCst) && !self.shared.is_unheard() {
                        self.take_those_who_wait(&mut listener).await;
                    }
                    // The socket is closed before `self` says so.
                    return drop(listener);
                }
                Some(Ok((stream, remote))) => self.accepted(stream, remote),
                Some(Err(error)) if is_of_one_connection(&error) => {
                    self.shared.aborted.fetch_add(1, Ordering::Relaxed);
                }
                Some(Err(error)) => {
                    self.shared.accept_errors.fetch_add(1, Ordering::Relaxed);
                    let now = self.runtime.now();
                    // As long as there are no descriptors, every attempt fails.
                    if let Some(unlogged) = failures.count(now) {
                        note!(self.shared.log, warn, %error, unlogged, "cannot accept a connection, trying again in 50 ms");
                    }
                    self.shared.handshakes.thin_out();
                    pause.set(Some(now + ACCEPT_PAUSE));
                    paused = true;
                }
            }
        }
    }

    /// Accepts whoever has connected and waits in the backlog: to its client the connection is up, and what the client has
    /// written by now would be lost without a word.
    async fn take_those_who_wait(&self, listener: &mut R::Listener) {
        #[cfg(target_os = "linux")]
        if listener.local_endpoint().local_address().is_some() {
            // From now on nobody can connect, and those who wait can still be accepted; the end of them is an error.
            if let Ok(socket) = listener.duplicate() {
                let _best_effort = rustix::net::shutdown(&socket, rustix::net::Shutdown::Read);
            }
        }
        let mut room = u64::from(self.shared.settings.config().accept_backlog) + 1;
        let mut looked_again = false;
        poll_fn(|cx| {
            while room > 0 {
                match listener.poll_accept(cx) {
                    Poll::Ready(Ok((stream, remote))) => {
                        self.accepted(stream, remote);
                        looked_again = false;
                    }
                    Poll::Ready(Err(error)) if is_of_one_connection(&error) => {}
                    Poll::Pending if !looked_again => {
                        // The runtime may not have looked at the socket since, or wants others to have their turn.
                        looked_again = true;
                        self.runtime.give_way(cx);
                        return Poll::Pending;
                    }
                    Poll::Pending | Poll::Ready(Err(_)) => break,
                }
                room -= 1;
            }
            Poll::Ready(())
        })
        .await;
    }

    fn accepted(&self, stream: R::Stream, remote: Remote) {
        let shared = &self.shared;
        match shared.acceptor() {
            Some(acceptor) => greet(&self.runtime, acceptor, stream, remote, shared),
            None => {
                let stream = Transport::plain(stream, shared.slot.endpoint(), &shared.settings);
                admit(&self.runtime, stream, remote, shared);
            }
        }
    }
}

impl<R: Runtime> Drop for Accepting<R> {
    fn drop(&mut self) {
        if self.socket.stop.get().is_none() {
            // The runtime has ended, or a handler of ours panicked.
            self.socket.stop.set(());
            let mut core = self.shared.lock_core();
            core.stop();
            if core.poll_event().is_some() {
                drop(core);
                self.shared.outlet.send_now(ServerEvent::Stopped);
            }
            self.shared.handshakes.stop();
        }
        self.socket.stopped.set(());
    }
}

/// Whether only the connection that would have been accepted is broken.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
