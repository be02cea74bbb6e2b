//! Who is let in: the accept filter, and what becomes of a connection that is refused.

use super::serve::Leaving;
use super::{Server, ServerEvent, Shared};
use crate::counters::RefusedConnections;
use crate::error::{ConnectionError, Refusal};
use crate::handlers::HandlerId;
use crate::log::note;
use crate::printable::Printable;
use crate::runtime::{Remote, Runtime};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Refusals are logged once in so long, with the number of those in between.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// What an accept filter says: `true`, or `Ok`, to let a connection in. The error says why not, to the log and to
/// [`ServerEvent::Refused`]; the peer does not hear it.
pub trait Verdict {
    /// Why the connection is refused, if it is.
    fn into_refusal(self) -> Option<Arc<str>>;
}

impl Verdict for bool {
    fn into_refusal(self) -> Option<Arc<str>> {
        (!self).then(|| Arc::from("the accept filter says no"))
    }
}

impl<E: fmt::Display> Verdict for Result<(), E> {
    fn into_refusal(self) -> Option<Arc<str>> {
        self.err().map(|reason| reason.to_string().into())
    }
}

type Filter = Arc<dyn Fn(&Remote) -> Option<Arc<str>> + Send + Sync>;

/// The filter of a server, and the count of those that were refused. The lock is not held while the filter is asked.
#[derive(Default)]
pub(super) struct Door(Mutex<State>);

#[derive(Default)]
struct State {
    filter: Option<Filter>,
    refused: RefusedConnections,
    logged: Option<Instant>,
    unlogged: u64,
}

impl Door {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the filter. Whoever it cannot decide about stays outside.
    pub(super) fn ask(&self, remote: &Remote) -> Result<(), Refusal> {
        let Some(filter) = self.with(|state| state.filter.clone()) else { return Ok(()) };
        match catch_unwind(AssertUnwindSafe(|| filter(remote))) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(Refusal::Filter(reason)),
            Err(_panic) => Err(Refusal::Filter("the accept filter panicked".into())),
        }
    }

    /// What was refused, by reason.
    pub(super) fn refused(&self) -> RefusedConnections {
        self.with(|state| state.refused)
    }

    /// Counts one whose handshake was ended by the end of the server, which nobody needs to be told.
    pub(super) fn count_stopped(&self) {
        self.with(|state| state.refused.stopped += 1);
    }

    /// Counts one that was refused. `Some` if it is to be logged: how many have not been since the last.
    fn count(&self, error: &ConnectionError, now: Instant) -> Option<u64> {
        self.with(|state| {
            let refused = &mut state.refused;
            *match error {
                ConnectionError::Refused(Refusal::Full { .. }) => &mut refused.full,
                ConnectionError::Refused(Refusal::Filter(_)) => &mut refused.filter,
                ConnectionError::Handshake(error) => match error.kind() {
                    io::ErrorKind::TimedOut => &mut refused.handshake_timeout,
                    io::ErrorKind::ConnectionAborted => &mut refused.handshake_crowded,
                    _ => &mut refused.handshake,
                },
                _ => &mut refused.stopped,
            } += 1;
            if state.logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOG_EVERY) {
                state.unlogged += 1;
                return None;
            }
            state.logged = Some(now);
            Some(std::mem::take(&mut state.unlogged))
        })
    }
}

/// Tells of a connection that was closed before it was a peer's.
pub(super) fn refuse<R: Runtime>(runtime: &R, shared: &Arc<Shared>, remote: Remote, error: ConnectionError) {
    if let Some(unlogged) = shared.door.count(&error, runtime.now()) {
        let remote = remote.name();
        note!(shared.log, warn, %remote, error = %Printable(&error), unlogged, "refused a connection");
    }
    let event = ServerEvent::Refused { remote, error };
    shared.log.server(&event);
    // Like the last event of a peer, it waits for room in the stream, and while too many wait nobody is accepted.
    let leaving = Leaving::new(Arc::clone(shared));
    let shared = Arc::clone(shared);
    // Not on the task that accepts, which a handler that panics would end.
    runtime.spawn(async move {
        let _leaving = leaving;
        let mut tap = shared.outlet.tap();
        shared.handlers.lifecycle(&event);
        tap.push(event);
        poll_fn(|cx| tap.poll_settled(cx, &shared.outlet)).await;
    });
}

impl<R: Runtime> Server<R> {
    /// Asks `filter` about every connection before it becomes a peer; over TLS after the handshake. One that it refuses is
    /// closed. It replaces an earlier filter, and holds for connections from now on.
    ///
    /// ```
    /// # use ipc_driver::{fake::Fake, Server};
    /// # fn example(server: &Server<Fake>) {
    /// // Members of one group only.
    /// server.accept_if(|remote| remote.credentials.is_some_and(|peer| peer.gid == Some(50)));
    /// // Only this user and root, with a reason in the log.
    /// server.accept_if(ipc_driver::same_user_or_root);
    /// # }
    /// ```
    ///
    /// It runs on the task that accepts: it should be quick and must not block. One that panics refuses.
    pub fn accept_if<V: Verdict>(&self, filter: impl Fn(&Remote) -> V + Send + Sync + 'static) {
        let filter: Filter = Arc::new(move |remote| filter(remote).into_refusal());
        // What the filter held may do anything when it is dropped: not under the lock.
        let _replaced = self.shared.door.with(|state| state.filter.replace(filter));
    }

    /// Registers a handler for connections that were refused.
    pub fn on_refused(&self, handler: impl Fn(&Remote, &ConnectionError) + Send + Sync + 'static) -> HandlerId {
        self.on_lifecycle(move |event| {
            if let ServerEvent::Refused { remote, error } = event {
                handler(remote, error);
            }
        })
    }

    /// Connections that were accepted and came to nothing, since the server was made: the filter said no, there was no
    /// room, a TLS handshake failed, or the server had stopped.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.door.refused().total()
    }
}

/// An accept filter that lets in processes of the user that this process runs as, and of root. Where the system tells no
/// user of the peer, over TCP and on Windows, it lets nobody in.
///
/// # Errors
///
/// Says whose process it was.
pub fn same_user_or_root(remote: &Remote) -> Result<(), String> {
    #[cfg(unix)]
    let own = Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    let own = None;
    match remote.credentials.and_then(|credentials| credentials.uid) {
        Some(uid) if uid == 0 || Some(uid) == own => Ok(()),
        Some(uid) => Err(format!("it runs as user {uid}, which is neither this one nor root")),
        None => Err("the system does not say which user it runs as".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Credentials;

    #[test]
    fn those_who_are_refused_are_counted_by_reason_and_logged_once_a_second() {
        let door = Door::default();
        let start = Instant::now();
        let handshake = |kind: io::ErrorKind| ConnectionError::Handshake(Arc::new(kind.into()));
        let said_no = ConnectionError::Refused(Refusal::Filter("no".into()));
        let moments = [0, 400, 999, 1_000, 1_500, 3_000].map(|millis| start + Duration::from_millis(millis));
        let errors = [
            handshake(io::ErrorKind::TimedOut),
            handshake(io::ErrorKind::ConnectionAborted),
            handshake(io::ErrorKind::InvalidData),
            said_no,
            ConnectionError::Refused(Refusal::Filter("no".into())),
            handshake(io::ErrorKind::TimedOut),
        ];
        let logged: Vec<_> = errors.iter().zip(moments).map(|(error, now)| door.count(error, now)).collect();
        assert_eq!(logged, [Some(0), None, None, Some(2), None, Some(1)]);
        let refused = door.refused();
        assert_eq!((refused.handshake_timeout, refused.handshake_crowded, refused.handshake), (2, 1, 1));
        assert_eq!((refused.filter, refused.total()), (2, 6));
    }

    #[cfg(unix)]
    #[test]
    fn this_user_and_root_are_let_in_and_nobody_else() {
        let own = rustix::process::geteuid().as_raw();
        let remote = |uid| Remote::with_credentials(Credentials { uid, ..Credentials::default() });
        for uid in [0, own] {
            assert_eq!(same_user_or_root(&remote(Some(uid))), Ok(()));
        }
        let refused = same_user_or_root(&remote(Some(own + 1)));
        assert_eq!(refused, Err(format!("it runs as user {}, which is neither this one nor root", own + 1)));
        let unknown = Err("the system does not say which user it runs as".to_owned());
        assert_eq!(same_user_or_root(&remote(None)), unknown);
        assert_eq!(same_user_or_root(&Remote::default()), unknown);
    }
}
