//! Handlers by event name: the table, and how closures become entries of it.
//!
//! The table is copied when it changes and read without a lock: every connection keeps the copy it saw last and looks
//! at a version number. A handler runs inline on the task of its connection, with no lock held.

use crate::error::BoxError;
use crate::named::{Named, Place};
use crate::sync::{AtomicBool, AtomicU64, Ordering, RwLock};
use ipc_proto::{DataError, Event, FromEvent, IncomingRequest};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

/// Names a registered handler, to take it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandlerId(u64);

/// What a handler may return: nothing, or a result whose error is reported to `on_error`.
#[diagnostic::on_unimplemented(
    message = "a handler returns `()` or a `Result<(), E>`, not `{Self}`",
    note = "an async handler is registered by `on_async` or `on_async_in_order`",
    note = "a handler that answers is registered by `on_request`"
)]
pub trait Outcome {
    /// The error, if there is one.
    fn into_error(self) -> Option<BoxError>;
}

impl Outcome for () {
    fn into_error(self) -> Option<BoxError> {
        None
    }
}

impl<T, E: Into<BoxError>> Outcome for Result<T, E> {
    fn into_error(self) -> Option<BoxError> {
        self.err().map(Into::into)
    }
}

type EventFn<C> = dyn Fn(&C, &Event<'_>) -> Option<BoxError> + Send + Sync;
type DataFn<C> = dyn Fn(&C, &[u8]) -> Option<BoxError> + Send + Sync;
type RequestFn<C> = dyn Fn(&C, &IncomingRequest<'_>) -> Option<BoxError> + Send + Sync;
type LifecycleFn<L> = dyn Fn(&L) + Send + Sync;

struct Entry<F: ?Sized> {
    id: HandlerId,
    /// Set by the first call of a `once` handler.
    spent: Option<AtomicBool>,
    call: Box<F>,
}

impl<F: ?Sized> Entry<F> {
    /// Whether it may be called now. A `once` handler says yes to one caller only.
    fn claim(&self) -> bool {
        self.spent.as_ref().is_none_or(|spent| !spent.swap(true, Ordering::Relaxed))
    }
}

type Shared<F> = Arc<Entry<F>>;
type Entries<F> = Vec<Shared<F>>;

/// Handlers with context `C` (the peer of a server, nothing for a client) and lifecycle events `L`.
pub(crate) struct Table<C: 'static, L: 'static> {
    named: Named<Shared<EventFn<C>>>,
    any: Entries<EventFn<C>>,
    data: Entries<DataFn<C>>,
    lifecycle: Entries<LifecycleFn<L>>,
    /// Asked before any handler; an error keeps the event from all of them.
    gates: Entries<EventFn<C>>,
    /// One for each name.
    requests: HashMap<Box<str>, Arc<Entry<RequestFn<C>>>>,
    unhandled: Entries<EventFn<C>>,
}

impl<C, L> Default for Table<C, L> {
    fn default() -> Self {
        Self {
            named: Named::default(),
            any: Vec::new(),
            data: Vec::new(),
            lifecycle: Vec::new(),
            gates: Vec::new(),
            requests: HashMap::new(),
            unhandled: Vec::new(),
        }
    }
}

impl<C, L> Clone for Table<C, L> {
    fn clone(&self) -> Self {
        Self {
            named: self.named.clone(),
            any: self.any.clone(),
            data: self.data.clone(),
            lifecycle: self.lifecycle.clone(),
            gates: self.gates.clone(),
            requests: self.requests.clone(),
            unhandled: self.unhandled.clone(),
        }
    }
}

/// The table of a handle, shared by its connections.
pub(crate) struct Handlers<C: 'static, L: 'static> {
    table: RwLock<Arc<Table<C, L>>>,
    version: AtomicU64,
    next: AtomicU64,
}

impl<C, L> Default for Handlers<C, L> {
    fn default() -> Self {
        Self { table: RwLock::default(), version: AtomicU64::new(1), next: AtomicU64::new(0) }
    }
}

/// A connection's view of the table.
pub(crate) struct Seen<C: 'static, L: 'static> {
    table: Arc<Table<C, L>>,
    version: u64,
    /// Of the last event's name.
    place: Place,
}

impl<C, L> Default for Seen<C, L> {
    fn default() -> Self {
        Self { table: Arc::default(), version: 0, place: Place::default() }
    }
}

impl<C, L> Handlers<C, L> {
    fn change(&self, change: impl FnOnce(&mut Table<C, L>)) {
        let old;
        {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            let mut new = Table::clone(&table);
            change(&mut new);
            old = std::mem::replace(&mut *table, Arc::new(new));
            self.version.fetch_add(1, Ordering::Release);
        }
        // Without the lock: what a handler holds may do anything when it is dropped.
        drop(old);
    }

    /// As [`change`](Self::change), where nothing is taken out, so that nothing is dropped under the lock: while no connection
    /// holds the table it grows where it is, and many handlers cost no copy each.
    fn add(&self, add: impl FnOnce(&mut Table<C, L>)) {
        {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(alone) = Arc::get_mut(&mut table) {
                add(alone);
                self.version.fetch_add(1, Ordering::Release);
                return;
            }
        }
        self.change(add);
    }

    fn entry<F: ?Sized>(&self, once: bool, call: Box<F>) -> Arc<Entry<F>> {
        let id = HandlerId(self.next.fetch_add(1, Ordering::Relaxed));
        Arc::new(Entry { id, spent: once.then(AtomicBool::default), call })
    }

    pub(crate) fn on(
        &self,
        name: &str,
        once: bool,
        call: impl Fn(&C, &Event<'_>) -> Option<BoxError> + Send + Sync + 'static,
    ) -> HandlerId {
        let entry = self.entry::<EventFn<C>>(once, Box::new(call));
        let id = entry.id;
        self.add(|table| table.named.push(name, entry));
        id
    }

    pub(crate) fn on_any(
        &self,
        call: impl Fn(&C, &Event<'_>) -> Option<BoxError> + Send + Sync + 'static,
    ) -> HandlerId {
        let entry = self.entry::<EventFn<C>>(false, Box::new(call));
        let id = entry.id;
        self.add(|table| table.any.push(entry));
        id
    }

    pub(crate) fn on_data(&self, call: impl Fn(&C, &[u8]) -> Option<BoxError> + Send + Sync + 'static) -> HandlerId {
        let entry = self.entry::<DataFn<C>>(false, Box::new(call));
        let id = entry.id;
        self.add(|table| table.data.push(entry));
        id
    }

    /// The one handler of a request; it replaces an earlier one.
    pub(crate) fn on_request(
        &self,
        name: &str,
        call: impl Fn(&C, &IncomingRequest<'_>) -> Option<BoxError> + Send + Sync + 'static,
    ) -> HandlerId {
        let entry = self.entry::<RequestFn<C>>(false, Box::new(call));
        let id = entry.id;
        self.change(|table| {
            table.requests.insert(name.into(), entry);
        });
        id
    }

    pub(crate) fn on_unhandled(
        &self,
        call: impl Fn(&C, &Event<'_>) -> Option<BoxError> + Send + Sync + 'static,
    ) -> HandlerId {
        let entry = self.entry::<EventFn<C>>(false, Box::new(call));
        let id = entry.id;
        self.add(|table| table.unhandled.push(entry));
        id
    }

    pub(crate) fn before_event(
        &self,
        call: impl Fn(&C, &Event<'_>) -> Option<BoxError> + Send + Sync + 'static,
    ) -> HandlerId {
        let entry = self.entry::<EventFn<C>>(false, Box::new(call));
        let id = entry.id;
        self.add(|table| table.gates.push(entry));
        id
    }

    pub(crate) fn on_lifecycle(&self, call: impl Fn(&L) + Send + Sync + 'static) -> HandlerId {
        let entry = self.entry::<LifecycleFn<L>>(false, Box::new(call));
        let id = entry.id;
        self.add(|table| table.lifecycle.push(entry));
        id
    }

    /// Takes one handler out. `false` if it is not there (any more).
    pub(crate) fn off(&self, id: HandlerId) -> bool {
        fn remove<F: ?Sized>(entries: &mut Entries<F>, id: HandlerId) -> bool {
            let before = entries.len();
            entries.retain(|entry| entry.id != id);
            entries.len() < before
        }
        let mut found = false;
        self.change(|table| {
            found |= table.named.retain(|entry| entry.id != id);
            found |= remove(&mut table.any, id);
            found |= remove(&mut table.data, id);
            found |= remove(&mut table.lifecycle, id);
            found |= remove(&mut table.gates, id);
            found |= remove(&mut table.unhandled, id);
            let before = table.requests.len();
            table.requests.retain(|_, entry| entry.id != id);
            found |= table.requests.len() < before;
        });
        found
    }

    /// Takes `once` handlers out that have run.
    fn sweep(&self) {
        let spent =
            |entry: &Shared<EventFn<C>>| entry.spent.as_ref().is_some_and(|spent| spent.load(Ordering::Relaxed));
        self.change(|table| {
            table.named.retain(|entry| !spent(entry));
        });
    }

    /// Takes everything out, when no event will come any more: handlers may hold what holds this table.
    pub(crate) fn clear(&self) {
        let mut old = Arc::default();
        {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *table, &mut old);
            self.version.fetch_add(1, Ordering::Release);
        }
        // Without the lock: what a handler holds may do anything when it is dropped.
        drop(old);
    }

    /// Takes all handlers of an event name out.
    pub(crate) fn off_all(&self, name: &str) {
        self.change(|table| {
            table.named.remove(name);
            table.requests.remove(name);
        });
    }

    /// Brings a connection's view up to date.
    pub(crate) fn refresh(&self, seen: &mut Seen<C, L>) {
        let version = self.version.load(Ordering::Acquire);
        if seen.version != version {
            // The old copy goes without the lock: this may be the last one, and its handlers are dropped with it.
            seen.table = self.now();
            // The version may have moved on meanwhile; then the next look finds the table changed again.
            seen.version = version;
        }
    }

    fn now(&self) -> Arc<Table<C, L>> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the lifecycle handlers, in order of registration. `false` if there is none.
    pub(crate) fn lifecycle(&self, event: &L) -> bool {
        let table = self.now();
        for entry in &table.lifecycle {
            (entry.call)(event);
        }
        !table.lifecycle.is_empty()
    }
}

impl<C, L> Seen<C, L> {
    /// Runs the handlers of an event: those of any event first (as node-ipc 12.0.0 and 14.0.0), then those of its name,
    /// each in order of registration. `false` if its name has none.
    pub(crate) fn event(
        &mut self,
        handlers: &Handlers<C, L>,
        context: &C,
        event: &Event<'_>,
        mut failed: impl FnMut(BoxError),
    ) -> bool {
        for entry in &self.table.any {
            if let Some(error) = (entry.call)(context, event) {
                failed(error);
            }
        }
        let Some(entries) = self.table.named.get(event.name(), &mut self.place) else { return false };
        let mut taken = false;
        for entry in entries {
            if !entry.claim() {
                continue;
            }
            taken = true;
            if entry.spent.is_some() {
                // Out of the table before it runs, as in Node: it may register itself again.
                handlers.sweep();
            }
            if let Some(error) = (entry.call)(context, event) {
                failed(error);
            }
        }
        taken
    }

    /// Asks the gates, in order of registration, until one refuses the event.
    #[inline]
    pub(crate) fn gate(&self, context: &C, event: &Event<'_>) -> Result<(), BoxError> {
        for entry in &self.table.gates {
            if let Some(error) = (entry.call)(context, event) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Runs the handler of a request. `false` if the event is no request, or one that nobody here answers.
    #[inline]
    pub(crate) fn request(&self, context: &C, event: &Event<'_>, failed: impl FnMut(BoxError)) -> bool {
        if self.table.requests.is_empty() {
            return false;
        }
        self.find_request(context, event, failed)
    }

    fn find_request(&self, context: &C, event: &Event<'_>, failed: impl FnMut(BoxError)) -> bool {
        let Some(entry) = self.table.requests.get(event.name()) else { return false };
        let Some(request) = IncomingRequest::parse(event) else { return false };
        (entry.call)(context, &request).into_iter().for_each(failed);
        true
    }

    /// Whether requests of any name are answered.
    pub(crate) fn answers(&self) -> bool {
        !self.table.requests.is_empty()
    }

    /// Tells of an event that nobody took.
    pub(crate) fn unhandled(&self, context: &C, event: &Event<'_>, mut failed: impl FnMut(BoxError)) {
        for entry in &self.table.unhandled {
            if let Some(error) = (entry.call)(context, event) {
                failed(error);
            }
        }
    }

    /// Runs the handlers of raw data. `false` if there is none.
    pub(crate) fn data(&self, context: &C, bytes: &[u8], mut failed: impl FnMut(BoxError)) -> bool {
        for entry in &self.table.data {
            if let Some(error) = (entry.call)(context, bytes) {
                failed(error);
            }
        }
        !self.table.data.is_empty()
    }
}

/// Extracts what a handler takes, and runs it.
pub(crate) fn extract<T: FromEvent, O: Outcome>(event: &Event<'_>, run: impl FnOnce(T) -> O) -> Option<BoxError> {
    match T::from_event(event) {
        Ok(payload) => run(payload).into_error(),
        Err(error) => Some(Box::<DataError>::new(error)),
    }
}
