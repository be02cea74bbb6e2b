//! Tasks: a queue of those that are to be run, the thread that runs them, and futures on other threads.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// Tasks that were woken, in the order in which they were.
#[derive(Default)]
pub(crate) struct Queue {
    ready: Mutex<Ready>,
    more: Condvar,
}

#[derive(Default)]
struct Ready {
    tasks: VecDeque<Arc<Task>>,
    closed: bool,
}

struct Task {
    /// Absent once it has come to its end. Only the thread of the tasks locks it.
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// Whether it is in the queue already: it is there once, however often it is woken.
    queued: AtomicBool,
    queue: Arc<Queue>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let queue = Arc::clone(&self.queue);
            queue.push(self);
        }
    }
}

impl Queue {
    pub(crate) fn spawn(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        let future = Mutex::new(Some(Box::pin(future) as _));
        Arc::new(Task { future, queued: AtomicBool::new(false), queue: Arc::clone(self) }).wake();
    }

    fn push(&self, task: Arc<Task>) {
        lock(&self.ready).tasks.push_back(task);
        self.more.notify_one();
    }

    pub(crate) fn close(&self) {
        lock(&self.ready).closed = true;
        self.more.notify_all();
    }

    /// Waits for a task that is to be run; nothing when the runtime is gone.
    fn next(&self) -> Option<Arc<Task>> {
        let mut ready = lock(&self.ready);
        loop {
            if let Some(task) = ready.tasks.pop_front() {
                return Some(task);
            }
            if ready.closed {
                return None;
            }
            ready = self.more.wait(ready).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread of the tasks.
    pub(crate) fn run(&self) {
        while let Some(task) = self.next() {
            // Before it runs: what wakes it from now on may be news to it.
            task.queued.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(&task));
            let mut future = lock(&task.future);
            let Some(running) = future.as_mut() else { continue };
            let mut context = Context::from_waker(&waker);
            // A task that panics must not take the others along.
            let outcome = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut context)));
            if !matches!(outcome, Ok(Poll::Pending)) {
                let ended = future.take();
                // Without the lock: what it holds may wake this very task when it is dropped.
                drop(future);
                drop(ended);
            }
        }
    }
}

/// Runs a future on the calling thread, which sleeps until it is woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
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

/// Runs what blocks on a thread of its own. Dropped, it is not waited for.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    type Place<T> = Mutex<(Option<T>, Option<Waker>)>;
    let place: Arc<Place<T>> = Arc::new(Mutex::new((None, None)));
    let result = Arc::clone(&place);
    thread::Builder::new().name("blocking".into()).spawn(move || {
        let output = work();
        let waiting = {
            let mut result = lock(&result);
            result.0 = Some(output);
            result.1.take()
        };
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    })?;
    let output = poll_fn(|cx| {
        let mut place = lock(&place);
        match place.0.take() {
            Some(output) => Poll::Ready(output),
            None => {
                place.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    });
    Ok(output.await)
}
