//! What the driver writes into the log while a test runs.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Does `work`, and gives the warnings it has logged on this thread.
pub(crate) fn warnings(work: impl FnOnce()) -> Vec<String> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    with(Journal(Arc::clone(&lines)), work);
    std::mem::take(&mut *lines.lock().unwrap())
}

/// Does `work` under a subscriber of this thread, which hears everything that it would if there were no other threads.
pub(crate) fn with<T>(subscriber: impl Subscriber + Send + Sync + 'static, work: impl FnOnce() -> T) -> T {
    // While a process has one subscriber, `tracing` asks that of the thread that comes to a line first, if it has any, and the
    // line is off for all if not. With others beside it every one is asked.
    static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();
    OTHERS.get_or_init(|| [(), ()].map(|()| Dispatch::new(Journal(Arc::default()))));
    tracing::subscriber::with_default(subscriber, || {
        // What was found to interest nobody just before is looked at again.
        tracing::callsite::rebuild_interest_cache();
        work()
    })
}

struct Journal(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
