//! A channel without a bound from handlers to the behaviour that waits for what they heard.

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_core::Stream;
use std::future::poll_fn;
use std::pin::Pin;

/// Both ends.
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = unbounded();
    (Sender(sender), Receiver(receiver))
}

/// Nobody listens any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the behaviour does not listen any more")]
pub struct Closed;

/// The end of a handler.
#[derive(Debug)]
pub struct Sender<T>(UnboundedSender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Never waits.
    ///
    /// # Errors
    ///
    /// [`Closed`], which a handler may return or ignore.
    pub fn send(&self, value: T) -> Result<(), Closed> {
        self.0.unbounded_send(value).map_err(|_| Closed)
    }

    /// For handlers that may outlive the behaviour.
    pub fn tell(&self, value: T) {
        let _nobody_listens = self.send(value);
    }
}

/// The end of the behaviour.
#[derive(Debug)]
pub struct Receiver<T>(UnboundedReceiver<T>);

impl<T> Receiver<T> {
    /// The next value; `None` when all senders are gone. Cancel safe.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).await
    }

    /// The next value, which is expected soon.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub async fn next(&mut self, what: &str) -> T {
        let value = super::soon(what, self.recv()).await;
        value.unwrap_or_else(|| panic!("{what} can come no more"))
    }

    /// What is there already.
    pub fn try_next(&mut self) -> Option<T> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match Pin::new(&mut self.0).poll_next(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => None,
        }
    }
}
