//! What a handle says about itself: to `tracing`, and to a logger of the user's, as `ipc.log` of node-ipc does.
//!
//! Nothing is put into words unless somebody hears it. What is said where is in `lines`.

mod lines;

use crate::printable::Printable;
use ipc_proto::{Config, Endpoint, Event, Inspect, Settings};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Span;
use tracing::span::EnteredSpan;

/// Takes what is logged, a line at a time, as the option `logger` of node-ipc.
pub(crate) type Logger = Arc<dyn Fn(&str) + Send + Sync>;

/// A handle that has a log.
pub(crate) trait SetLogger {
    /// Takes a logger that others have too.
    fn set_logger_shared(&self, logger: Logger);
}

/// The log of one handle.
pub(crate) struct Log {
    role: &'static str,
    /// What every line begins with: the role, and where. The lock protects nothing else.
    who: Mutex<Arc<str>>,
    silent: bool,
    payloads: bool,
    inspect: Inspect,
    /// What a logger is told as soon as there is one.
    warning: Option<Box<str>>,
    /// Whether there is a logger to look for.
    hears: AtomicBool,
    /// Called without the lock.
    logger: Mutex<Option<Logger>>,
}

/// Says something to `tracing`, unless the handle is silent.
macro_rules! note {
    ($log:expr, $level:ident, $($what:tt)*) => {
        if !$log.is_silent() {
            tracing::$level!(target: "ipc", $($what)*);
        }
    };
}
pub(crate) use note;

/// The options on how values are shown.
pub(crate) fn inspect(config: &Config) -> Inspect {
    Inspect::new().depth(config.log_depth).color(config.log_in_color)
}

impl Log {
    pub(crate) fn new(role: &'static str, endpoint: &Endpoint, settings: &Settings) -> Self {
        let config = settings.config();
        let warning = odd_root(endpoint, settings).filter(|_| !config.silent);
        if let Some(warning) = &warning {
            tracing::warn!(target: "ipc", "{warning}");
        }
        Self {
            role,
            warning,
            who: Mutex::new(who(role, endpoint)),
            silent: config.silent,
            payloads: config.log_payloads,
            inspect: inspect(config),
            hears: AtomicBool::new(false),
            logger: Mutex::default(),
        }
    }

    /// The system has chosen the port.
    pub(crate) fn at(&self, endpoint: &Endpoint) {
        *self.who.lock().unwrap_or_else(PoisonError::into_inner) = who(self.role, endpoint);
    }

    fn who(&self) -> Arc<str> {
        Arc::clone(&self.who.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, logger: Logger) {
        let replaced = self.logger.lock().unwrap_or_else(PoisonError::into_inner).replace(logger);
        self.hears.store(!self.silent, Ordering::Relaxed);
        // Without the lock: what it holds may do anything when it is dropped.
        drop(replaced);
        if let Some(warning) = &self.warning {
            self.say(format_args!("warns: {warning}"));
        }
    }

    /// The option `silent`.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Gives the logger a line, if there is one. `words` may have escapes, but nothing raw that came from a peer.
    pub(crate) fn say(&self, words: impl fmt::Display) {
        if self.hears.load(Ordering::Relaxed) {
            let logger = self.logger.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(logger) = logger {
                let [start, end] = if self.inspect.color { ["\u{1b}[36m", "\u{1b}[0m"] } else { [""; 2] };
                logger(&format!("{start}{}{end} {words}", self.who()));
            }
        }
    }

    /// The span of a connection, entered whenever its task runs.
    pub(crate) fn connection(&self, peer: Option<impl fmt::Display>) -> Span {
        if self.silent {
            return Span::none();
        }
        match peer {
            Some(peer) => tracing::debug_span!(target: "ipc", "ipc.connection", at = %self.who(), %peer),
            None => tracing::debug_span!(target: "ipc", "ipc.connection", at = %self.who()),
        }
    }

    /// The span of the handlers of one event, entered. Nobody subscribes to it: one look at a number.
    #[inline]
    pub(crate) fn handling(&self, event: &str) -> Option<EnteredSpan> {
        let heard = tracing::enabled!(target: "ipc", tracing::Level::TRACE) && !self.silent;
        heard.then(|| tracing::trace_span!(target: "ipc", "ipc.handler", event = ?event).entered())
    }

    /// An event came in. Its payload is shown only where `logPayloads` says so.
    #[inline]
    pub(crate) fn received(&self, from: impl fmt::Display, event: &Event<'_>) {
        let heard = self.hears.load(Ordering::Relaxed) || tracing::enabled!(target: "ipc", tracing::Level::TRACE);
        if heard && !self.silent {
            self.tell_received(from, event);
        }
    }

    #[cold]
    fn tell_received(&self, from: impl fmt::Display, event: &Event<'_>) {
        let (name, bytes) = (event.name(), event.frame().len());
        let payload = event.data_json().filter(|_| self.payloads);
        match payload {
            Some(payload) => {
                let payload = self.inspect.color(false).json(payload);
                tracing::trace!(target: "ipc", event = ?name, bytes, %payload, "received");
            }
            None => tracing::trace!(target: "ipc", event = ?name, bytes, "received"),
        }
        match payload {
            Some(payload) => self.say(format_args!("received {name:?} {from}: {}", self.inspect.json(payload))),
            None => self.say(format_args!("received {name:?} {from}, {bytes} bytes")),
        }
    }
}

/// What to warn of where `socketRoot` looks like a directory and lacks its closing slash: the socket is then beside it, under a name of both.
/// It is as node-ipc does it, and hardly ever what is meant.
fn odd_root(endpoint: &Endpoint, settings: &Settings) -> Option<Box<str>> {
    let root = settings.socket_root();
    let path = endpoint.local_address()?.as_str();
    let beside = !root.ends_with('/') && path.strip_prefix(root).is_some_and(|name| !name.starts_with('/'));
    // A beginning of names as a rule ends in a mark (`/tmp/shop-`), a directory in a letter.
    (beside && (root.ends_with(char::is_alphanumeric) || Path::new(root).is_dir())).then(|| {
        format!("socketRoot {root:?} is put before the name as it is, which makes {path:?}: did you mean {root:?} with a slash at its end?").into()
    })
}

fn who(role: &str, endpoint: &Endpoint) -> Arc<str> {
    format!("{role} {}", Printable(endpoint)).into()
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("who", &self.who()).field("silent", &self.silent).finish_non_exhaustive()
    }
}
