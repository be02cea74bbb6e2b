//! Runs tasks on the calling thread, the next one chosen by chance, and moves the clock when all of them wait.

use super::clock::Clock;
use super::lock;
use ipc_proto::SplitMix64;
use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// The number of the future that `block_on` was given.
const MAIN: u64 = 0;
/// The longest that `block_on` lets pass.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The most polls of one `block_on` or `run`.
const POLLS: usize = 1_000_000;

pub(super) struct Executor {
    clock: Arc<Clock>,
    ready: Arc<Mutex<Ready>>,
    tasks: Mutex<Tasks>,
}

struct Ready {
    queue: Vec<u64>,
    rng: SplitMix64,
}

#[derive(Default)]
struct Tasks {
    live: BTreeMap<u64, Live>,
    last: u64,
    panics: Vec<String>,
}

struct Live {
    /// Absent while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    name: &'static str,
    signal: Arc<Signal>,
}

/// Wakes a task, and counts.
struct Signal {
    id: u64,
    ready: Arc<Mutex<Ready>>,
    queued: AtomicBool,
    wakes: AtomicUsize,
    polls: AtomicUsize,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        if !self.queued.swap(true, Ordering::Relaxed) {
            lock(&self.ready).queue.push(self.id);
        }
    }
}

/// A task that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Task {
    /// Its number, rising from 1.
    pub id: u64,
    /// The type of its future, which tells the function it came from.
    pub name: &'static str,
    /// How often it was polled.
    pub polls: usize,
    /// How often it was woken; its start counts as one.
    pub wakes: usize,
}

impl Executor {
    pub(super) fn new(clock: Arc<Clock>, seed: u64) -> Self {
        let ready = Ready { queue: Vec::new(), rng: SplitMix64::new(seed) };
        Self { clock, ready: Arc::new(Mutex::new(ready)), tasks: Mutex::default() }
    }

    fn signal(&self, id: u64) -> Arc<Signal> {
        Arc::new(Signal {
            id,
            ready: Arc::clone(&self.ready),
            queued: AtomicBool::new(false),
            wakes: AtomicUsize::new(0),
            polls: AtomicUsize::new(0),
        })
    }

    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        let mut tasks = lock(&self.tasks);
        tasks.last += 1;
        let id = tasks.last;
        let signal = self.signal(id);
        let live = Live { future: Some(Box::pin(task)), name: type_name::<F>(), signal: Arc::clone(&signal) };
        tasks.live.insert(id, live);
        drop(tasks);
        signal.wake();
    }

    /// The next ready task.
    fn next(&self) -> Option<u64> {
        let mut ready = lock(&self.ready);
        if ready.queue.is_empty() {
            return None;
        }
        let length = ready.queue.len() as u64;
        let chosen = (ready.rng.next_u64() % length) as usize;
        Some(ready.queue.remove(chosen))
    }

    fn poll(&self, id: u64) {
        let taken = lock(&self.tasks).live.get_mut(&id).and_then(|live| {
            let future = live.future.take()?;
            Some((future, Arc::clone(&live.signal)))
        });
        let Some((mut future, signal)) = taken else { return };
        signal.queued.store(false, Ordering::Relaxed);
        signal.polls.fetch_add(1, Ordering::Relaxed);
        let waker = Waker::from(signal);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        if let Ok(Poll::Pending) = polled {
            if let Some(live) = lock(&self.tasks).live.get_mut(&id) {
                live.future = Some(future);
            }
            return;
        }
        lock(&self.tasks).live.remove(&id);
        drop(future);
        if let Err(panic) = polled {
            lock(&self.tasks).panics.push(text_of(&*panic));
        }
    }

    pub(super) fn run(&self) {
        let mut polls = 0;
        while let Some(id) = self.next() {
            self.poll(id);
            count(&mut polls);
        }
    }

    pub(super) fn advance(&self, time: Duration) {
        let target = self.clock.now() + time;
        self.run();
        while let Some(at) = self.clock.next().filter(|at| *at <= target) {
            self.clock.advance_to(at);
            self.run();
        }
        self.clock.advance_to(target);
    }

    pub(super) fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let signal = self.signal(MAIN);
        let waker = Waker::from(Arc::clone(&signal));
        waker.wake_by_ref();
        let latest = self.clock.now() + LONGEST;
        let mut polls = 0;
        loop {
            match self.next() {
                Some(MAIN) => {
                    signal.queued.store(false, Ordering::Relaxed);
                    if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return output;
                    }
                    count(&mut polls);
                }
                Some(id) => {
                    self.poll(id);
                    count(&mut polls);
                }
                None => self.clock.advance_to(self.next_timer(latest)),
            }
        }
    }

    fn next_timer(&self, latest: Instant) -> Instant {
        match self.clock.next() {
            Some(at) if at <= latest => at,
            Some(_) => panic!("a day has passed; live: {:#?}", self.tasks()),
            None => panic!("every task waits and no timer is set; live: {:#?}", self.tasks()),
        }
    }

    pub(super) fn tasks(&self) -> Vec<Task> {
        let tasks = lock(&self.tasks);
        let task = |(id, live): (&u64, &Live)| Task {
            id: *id,
            name: live.name,
            polls: live.signal.polls.load(Ordering::Relaxed),
            wakes: live.signal.wakes.load(Ordering::Relaxed),
        };
        tasks.live.iter().map(task).collect()
    }

    pub(super) fn panics(&self) -> Vec<String> {
        lock(&self.tasks).panics.clone()
    }

    pub(super) fn drop_tasks(&self) {
        // A task that is dropped may start another.
        loop {
            let dropped = std::mem::take(&mut lock(&self.tasks).live);
            if dropped.is_empty() {
                return;
            }
        }
    }
}

fn count(polls: &mut usize) {
    *polls += 1;
    assert!(*polls < POLLS, "{POLLS} polls and no end: something spins");
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
