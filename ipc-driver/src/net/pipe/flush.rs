//! Waiting until the peer has read what was written. Windows can only do that by blocking a thread, so this runs on one
//! that may be blocked, and can be called off.

use super::sys;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Work for a thread that may be blocked.
pub type Job = Box<dyn FnOnce() + Send>;

/// While it is being called off, the thread is asked again so often to stop.
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// A flush under way. Dropping it calls it off.
#[derive(Debug)]
pub(super) struct Flush {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// A handle of its own: the pipe stays open as long as it is being flushed, and no longer.
    pipe: File,
    called_off: AtomicBool,
    done: AtomicBool,
    /// Protects who is to be woken when it is done.
    waker: Mutex<Option<Waker>>,
}

impl Flush {
    /// A flush, and the job that does it. A job that is dropped counts as done.
    pub(super) fn new(pipe: BorrowedHandle<'_>) -> io::Result<(Self, Job)> {
        let pipe = File::from(pipe.try_clone_to_owned()?);
        let shared =
            Shared { pipe, called_off: AtomicBool::new(false), done: AtomicBool::new(false), waker: Mutex::new(None) };
        let shared = Arc::new(shared);
        let running = Running(Arc::clone(&shared));
        Ok((Self { shared }, Box::new(move || running.run())))
    }

    /// Ready when the peer has read everything, or will never do.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        *self.shared.lock() = Some(cx.waker().clone());
        if self.shared.done.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if self.shared.done.load(Ordering::SeqCst) {
            // Nothing is to be called off, and what is still being read must not be: it would end with an error.
            return;
        }
        self.shared.called_off.store(true, Ordering::SeqCst);
        sys::cancel(self.shared.pipe.as_handle());
        // It may have begun between its look at the flag and our call, and not have heard it; or it is just ending.
        let shared = Arc::clone(&self.shared);
        let asking = move || {
            while !shared.done.load(Ordering::SeqCst) {
                sys::cancel(shared.pipe.as_handle());
                std::thread::sleep(ASK_AGAIN);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("ipc-flush".into()).spawn(asking) {
            tracing::debug!(target: "ipc", %error, "a pipe may stay open until its peer ends");
        }
    }
}

/// The job's end of it.
struct Running(Arc<Shared>);

impl Running {
    fn run(self) {
        if !self.0.called_off.load(Ordering::SeqCst) {
            // That of pipes returns when the other end has read everything. It fails if that end is gone, or if called off.
            let _nobody_reads_it = self.0.pipe.sync_all();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::SeqCst);
        let waker = self.0.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
