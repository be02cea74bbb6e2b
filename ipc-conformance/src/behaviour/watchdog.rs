//! Fails what hangs: a thread of the suite itself, so that broken timers of an adapter cannot hide.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for any machine. Nothing is measured by it.
const LIMIT: Duration = Duration::from_secs(30);

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(250);

struct Alarm {
    at: Instant,
    /// Whoever polled last. The lock protects nothing else.
    waker: Mutex<Option<Waker>>,
}

fn alarms() -> &'static Mutex<Vec<Weak<Alarm>>> {
    static ALARMS: OnceLock<Mutex<Vec<Weak<Alarm>>>> = OnceLock::new();
    ALARMS.get_or_init(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(TICK);
                ring();
            }
        });
        Mutex::default()
    })
}

fn ring() {
    let now = Instant::now();
    let mut due = Vec::new();
    alarms().lock().unwrap_or_else(PoisonError::into_inner).retain(|alarm| match alarm.upgrade() {
        Some(alarm) if alarm.at <= now => {
            due.push(alarm);
            true
        }
        Some(_) => true,
        None => false,
    });
    for alarm in due {
        let waker = alarm.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What comes of a future that is expected to be ready soon.
///
/// # Panics
///
/// If it is not, after 30 seconds.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm { at: Instant::now() + LIMIT, waker: Mutex::default() });
    let mut known = false;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        assert!(Instant::now() < alarm.at, "too late: {what}");
        *alarm.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if !std::mem::replace(&mut known, true) {
            alarms().lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&alarm));
        }
        Poll::Pending
    })
    .await
}
