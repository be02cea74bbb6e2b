//! Tasks whose end one can wait for, on the runtime under test; threads for what blocks; and two futures at once.

use futures_channel::oneshot;
use ipc_driver::runtime::{Runtime, Timer};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// What a task or a thread will have come to.
#[derive(Debug)]
pub struct Joined<T>(oneshot::Receiver<T>);

impl<T> Joined<T> {
    /// Waits for it.
    ///
    /// # Panics
    ///
    /// If it panicked, or its runtime has dropped it.
    pub async fn join(self) -> T {
        self.0.await.expect("the task has come to its end without a panic")
    }
}

/// Runs a future in the background.
pub fn spawn<R: Runtime, T: Send + 'static>(runtime: &R, task: impl Future<Output = T> + Send + 'static) -> Joined<T> {
    let (sender, receiver) = oneshot::channel();
    runtime.spawn(async move {
        let _nobody_waits = sender.send(task.await);
    });
    Joined(receiver)
}

/// Runs what blocks on a thread of its own, outside of any runtime.
pub fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Joined<T> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let _nobody_waits = sender.send(work());
    });
    Joined(receiver)
}

/// Which of two came first.
#[derive(Debug)]
pub enum Either<A, B> {
    /// The first one.
    First(A),
    /// The second one.
    Second(B),
}

/// Waits for either, and drops neither's progress if they are given as `&mut` to pinned ones.
pub async fn first_of<A, B>(one: impl Future<Output = A>, two: impl Future<Output = B>) -> Either<A, B> {
    let (mut one, mut two) = (pin!(one), pin!(two));
    poll_fn(|cx| {
        if let Poll::Ready(output) = one.as_mut().poll(cx) {
            return Poll::Ready(Either::First(output));
        }
        two.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// Drops a future after `limit`, by the timer of the runtime. `None` then.
pub async fn within<R: Runtime, T>(runtime: &R, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match first_of(future, sleep(runtime, limit)).await {
        Either::First(output) => Some(output),
        Either::Second(()) => None,
    }
}

/// Waits, by the timer of the runtime.
pub(super) async fn sleep<R: Runtime>(runtime: &R, duration: Duration) {
    let mut timer = runtime.timer();
    timer.set(Some(runtime.now() + duration));
    poll_fn(|cx| timer.poll_expired(cx)).await;
}

/// Runs a future on this thread, which knows no runtime: it sleeps until it is woken.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
