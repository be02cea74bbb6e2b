//! Readiness: sockets that tasks wait for, timers, and the thread that wakes those tasks.

use ipc_driver::runtime::Timer as Time;
use polling::{AsRawSource, AsSource, Event, Events, Poller};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(crate) struct Reactor {
    poller: Poller,
    /// Who waits for which socket, by its key.
    waiting: Mutex<HashMap<usize, Arc<Mutex<Waiting>>>>,
    /// Who waits until when. The number tells timers of the same moment apart.
    timers: Mutex<BTreeMap<(Instant, usize), Waker>>,
    next: AtomicUsize,
    closed: AtomicBool,
}

/// The task that waits for a socket to be readable, and the one that waits for it to be writable.
#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Waiting {
    fn interest(&self, key: usize) -> Event {
        Event::new(key, self.reader.is_some(), self.writer.is_some())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            waiting: Mutex::default(),
            timers: Mutex::default(),
            next: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        })
    }

    fn number(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // It looks then.
        let _gone_already = self.poller.notify();
    }

    /// The thread of the sockets and timers.
    pub(crate) fn run(&self) {
        let mut events = Events::new();
        while !self.closed.load(Ordering::Acquire) {
            let first = lock(&self.timers).first_key_value().map(|((deadline, _), _)| *deadline);
            let limit = first.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            events.clear();
            if self.poller.wait(&mut events, limit).is_err() {
                // There is nothing that could be done about it here, and a signal is no reason to end.
                continue;
            }
            for event in events.iter() {
                let waiting = lock(&self.waiting).get(&event.key).cloned();
                let Some(waiting) = waiting else { continue };
                // Both, whichever it is about: the poller tells of a socket once, and then wants to be asked again. Whoever is
                // woken for nothing asks.
                let Waiting { reader, writer } = std::mem::take(&mut *lock(&waiting));
                reader.into_iter().chain(writer).for_each(Waker::wake);
            }
            self.expire();
        }
    }

    fn expire(&self) {
        let now = Instant::now();
        loop {
            let expired = {
                let mut timers = lock(&self.timers);
                match timers.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => break,
                }
            };
            // Without the lock: it may run anything.
            expired.wake();
        }
    }
}

/// What a task waits for.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A non-blocking socket that tasks can wait for.
pub(crate) struct Source<S: AsSource> {
    socket: S,
    key: usize,
    waiting: Arc<Mutex<Waiting>>,
    reactor: Arc<Reactor>,
}

impl<S: AsSource> Source<S> {
    pub(crate) fn new(reactor: &Arc<Reactor>, socket: S) -> io::Result<Self>
    where
        for<'a> &'a S: AsRawSource,
    {
        let key = reactor.number();
        // SAFETY: the socket lives in this value, which takes it out of the poller when it is dropped.
        #[allow(unsafe_code, reason = "the poller wants the promise that a socket outlives its registration")]
        unsafe {
            reactor.poller.add(&socket, Event::none(key))?;
        }
        let waiting = Arc::default();
        lock(&reactor.waiting).insert(key, Arc::clone(&waiting));
        Ok(Self { socket, key, waiting, reactor: Arc::clone(reactor) })
    }
}

impl<S: AsSource> Source<S> {
    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    /// Does what would block, or has the task woken when it is worth trying again.
    pub(crate) fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut io: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match io(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
        let interest = {
            let mut waiting = lock(&self.waiting);
            match direction {
                Direction::Read => waiting.reader = Some(cx.waker().clone()),
                Direction::Write => waiting.writer = Some(cx.waker().clone()),
            }
            waiting.interest(self.key)
        };
        // After the waker is in its place. What has become ready since is told at once: the poller looks at the socket, not at
        // changes. Only the task of this socket calls this, so the latest interest is the last to be said.
        self.reactor.poller.modify(&self.socket, interest)?;
        Poll::Pending
    }
}

impl<S: AsSource> Drop for Source<S> {
    fn drop(&mut self) {
        lock(&self.reactor.waiting).remove(&self.key);
        let _gone_already = self.reactor.poller.delete(&self.socket);
    }
}

/// A timer.
pub(crate) struct Timer {
    reactor: Arc<Reactor>,
    number: usize,
    deadline: Option<Instant>,
}

impl Timer {
    pub(crate) fn new(reactor: Arc<Reactor>) -> Self {
        Self { number: reactor.number(), reactor, deadline: None }
    }
}

impl Time for Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        if let Some(before) = std::mem::replace(&mut self.deadline, deadline) {
            lock(&self.reactor.timers).remove(&(before, self.number));
        }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if deadline <= Instant::now() {
            return Poll::Ready(());
        }
        let key = (deadline, self.number);
        let is_first = {
            let mut timers = lock(&self.reactor.timers);
            timers.insert(key, cx.waker().clone());
            timers.first_key_value().is_some_and(|(first, _)| *first == key)
        };
        if is_first {
            // The thread waits for a later one.
            let _gone_already = self.reactor.poller.notify();
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.set(None);
    }
}
