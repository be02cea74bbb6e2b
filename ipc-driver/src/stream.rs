//! Event streams: the second way to receive, bounded and with backpressure.
//!
//! A stream takes what no handler took. When it is full its connections stop decoding and soon stop reading, so the
//! peer's sends slow down; nothing is dropped.

use crate::wakers::{Ticket, Wakers};
use futures_channel::mpsc;
use futures_core::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

/// A bounded stream of the events that no handler took, in order per connection.
///
/// It ends when the client or server has come to its end, or when another stream has replaced it. Dropping it lets events without a handler go unheard again.
/// `next` (from any stream extension crate, or [`recv`](Self::recv)) is cancel safe.
///
/// ```
/// # use ipc_driver::{Client, Config, Endpoint, Server, fake::Fake};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Fake::new(1);
/// # let settings = ipc_driver::build(Config::new("world"))?;
/// # let endpoint = Endpoint::net(&settings, None, None)?;
/// # let server = Server::with_runtime(runtime.clone(), settings.clone(), endpoint.clone())?;
/// # let client = Client::with_runtime(runtime.clone(), settings, endpoint)?;
/// # let mut seen = Vec::new();
/// use ipc_driver::ServerEvent;
///
/// let mut events = server.events();
/// # runtime.block_on(async {
/// server.start().await?;
/// # client.connect().await?;
/// # client.emit("connect", "only a name")?;
/// # client.close().await?;
/// while let Some(event) = events.recv().await {
///     match event {
///         ServerEvent::Connected(peer) => println!("{} came", peer.id()),
///         ServerEvent::Message(peer, message) => {
///             println!("{} says {}", peer.id(), message.name());
/// #             seen.push(message.name().to_owned());
///         }
///         ServerEvent::Disconnected { .. } => break,
///         _ => {}
///     }
/// }
/// # assert_eq!(seen, ["connect"]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Events<E> {
    receiver: mpsc::Receiver<E>,
}

impl<E> Events<E> {
    /// The next event, `None` at the end. Cancel safe: a dropped call loses nothing.
    pub async fn recv(&mut self) -> Option<E> {
        std::future::poll_fn(|cx| Pin::new(&mut self.receiver).poll_next(cx)).await
    }
}

impl<E> Stream for Events<E> {
    type Item = E;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        Pin::new(&mut self.receiver).poll_next(cx)
    }
}

/// Where a handle keeps the sending end of its stream. A later stream replaces an earlier one.
#[derive(Debug)]
pub(crate) struct Outlet<E> {
    sender: Mutex<Option<mpsc::Sender<E>>>,
    /// How many streams there have been. Counted under the lock, read without it.
    opened: AtomicUsize,
    /// The connections that wait for room in a stream: another one may replace it.
    waiting: Mutex<Wakers>,
}

impl<E> Default for Outlet<E> {
    fn default() -> Self {
        Self { sender: Mutex::new(None), opened: AtomicUsize::new(0), waiting: Mutex::default() }
    }
}

impl<E> Outlet<E> {
    pub(crate) fn open(&self, capacity: usize) -> Events<E> {
        let (sender, receiver) = mpsc::channel(capacity);
        let replaced = {
            let mut current = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
            self.opened.fetch_add(1, Ordering::Release);
            current.replace(sender)
        };
        if let Some(mut replaced) = replaced {
            replaced.close_channel();
            // Its connections turn to the new one. The channel wakes its receiver only.
            let waiting = self.lock_waiting().take();
            waiting.wake();
        }
        Events { receiver }
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Wakers> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Without the lock: whoever listens is woken.
        drop(sender);
    }

    /// Puts an event of the handle itself into the stream, ahead of its bound: there are few, and their sender cannot
    /// wait.
    pub(crate) fn send_now(&self, event: E) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(mut sender) = sender {
            // Every clone of a sender has one slot of its own beyond the bound, so this fails only if nobody listens.
            let _nobody_listens = sender.start_send(event);
        }
    }

    pub(crate) fn tap(&self) -> Tap<E> {
        let current = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.opened.load(Ordering::Relaxed);
        Tap { sender: current.clone(), seen, backlog: VecDeque::new(), ticket: Ticket::default() }
    }
}

/// One connection's end of the stream.
#[derive(Debug)]
pub(crate) struct Tap<E> {
    sender: Option<mpsc::Sender<E>>,
    /// How many streams there had been when it was last looked for one.
    seen: usize,
    /// Events on their way: lifecycle events, which are few, and at most one received event.
    backlog: VecDeque<E>,
    /// Its place among those who wait for room.
    ticket: Ticket,
}

impl<E> Tap<E> {
    /// Looks for a stream opened since. Cheap while there is one, and while there is none.
    #[inline]
    pub(crate) fn refresh(&mut self, outlet: &Outlet<E>) {
        let replaced = self.seen != outlet.opened.load(Ordering::Acquire);
        if replaced || self.sender.as_ref().is_some_and(mpsc::Sender::is_closed) {
            self.renew(outlet);
        }
    }

    #[cold]
    fn renew(&mut self, outlet: &Outlet<E>) {
        let Self { sender, seen, .. } = outlet.tap();
        self.sender = sender.filter(|sender| !sender.is_closed());
        self.seen = seen;
    }

    /// Whether [`poll_ready`](Self::poll_ready) is ready at once.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Whether anybody listens.
    pub(crate) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Queues an event; call [`poll_ready`](Self::poll_ready) first unless it is a lifecycle event.
    pub(crate) fn push(&mut self, event: E) {
        if self.sender.is_some() {
            self.backlog.push_back(event);
        }
    }

    /// Moves the backlog into the stream, or into the one that has replaced it. Ready when it is empty.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>, outlet: &Outlet<E>) -> Poll<()> {
        while !self.backlog.is_empty() {
            self.refresh(outlet);
            let Some(sender) = &mut self.sender else {
                // Nobody listens any more.
                self.backlog.clear();
                break;
            };
            match sender.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_closed)) => continue,
                Poll::Pending => {
                    outlet.lock_waiting().register(&mut self.ticket, cx);
                    if self.seen == outlet.opened.load(Ordering::Acquire) {
                        return Poll::Pending;
                    }
                    continue;
                }
            }
            let Some(event) = self.backlog.pop_front() else { break };
            if sender.start_send(event).is_err() {
                // Closed just now; what was in the backlog goes to nobody or to the next stream, this one event is gone
                // as those are that were in the stream.
                self.sender = None;
            }
        }
        if self.ticket.is_some() {
            let forgotten = outlet.lock_waiting().forget(&self.ticket);
            drop(forgotten);
        }
        Poll::Ready(())
    }

    /// Like [`poll_ready`](Self::poll_ready), and pending while the stream is over its bound by what came from here. Every
    /// end has a slot of its own beyond the bound, so without this those who send one event and go would never wait.
    pub(crate) fn poll_settled(&mut self, cx: &mut Context<'_>, outlet: &Outlet<E>) -> Poll<()> {
        ready!(self.poll_ready(cx, outlet));
        if let Some(sender) = &mut self.sender {
            let _closed_is_settled = ready!(sender.poll_ready(cx));
        }
        Poll::Ready(())
    }
}

#[cfg(all(test, not(ipc_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn who_has_found_room_waits_no_more() {
        let nobody = Arc::new(Nobody);
        let waker = Waker::from(Arc::clone(&nobody));
        let mut cx = Context::from_waker(&waker);
        let outlet = Outlet::default();
        let mut events = outlet.open(0);
        let mut tap = outlet.tap();
        tap.push(1);
        assert!(tap.poll_ready(&mut cx, &outlet).is_ready());
        tap.push(2);
        assert!(tap.poll_ready(&mut cx, &outlet).is_pending());
        let mut next = || Pin::new(&mut events).poll_next(&mut Context::from_waker(Waker::noop()));
        assert_eq!(next(), Poll::Ready(Some(1)));
        assert!(tap.poll_ready(&mut cx, &outlet).is_ready());
        assert_eq!(next(), Poll::Ready(Some(2)));
        drop(waker);
        assert_eq!(Arc::strong_count(&nobody), 1);
    }
}
