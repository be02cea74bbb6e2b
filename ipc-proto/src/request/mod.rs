//! Requests and their replies, on top of events: who waits for which reply, and until when.
//!
//! On the wire a request is the event of its name whose payload is `{"$request":"<token>","params":…}`; the reply is the event
//! [`REPLY_EVENT`] with `{"$reply":"<token>","result":…}` or `{"$reply":"<token>","error":{"code":…,"message":…,"data":…}}`.
//! All of it is inside the payload, so any peer that can emit can answer. [`Requests`] is the asker's table; the answerer
//! needs no state.

mod failure;
mod options;
mod wire;

pub use failure::{Failure, JsonText};
pub use options::RequestOptions;
pub(crate) use wire::is_request;
pub use wire::{IncomingRequest, MAX_TOKEN, REPLY_EVENT, Reply, ReplyBody, ReplyError, RequestBody};

use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::ops::AddAssign;
use std::time::Instant;

/// Names one request of one [`Requests`]; displayed, it is the token on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    prefix: u64,
    number: u64,
}

impl RequestId {
    /// Reads a token; `None` if it was not made by this crate.
    fn parse(token: &str) -> Option<Self> {
        let (prefix, number) = token.split_once('-')?;
        let hex = |text: &str| {
            let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if plain { u64::from_str_radix(text, 16).ok() } else { None }
        };
        Some(Self { prefix: hex(prefix)?, number: hex(number)? })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.prefix, self.number)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As many requests wait for a reply as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many requests wait for a reply as max_pending allows ({limit}); wait for one of them, or raise it")]
pub struct TooManyRequests {
    /// How many may.
    pub limit: usize,
}

/// Why a request ended without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestEnd {
    /// Its deadline has passed.
    TimedOut,
    /// The connection has ended, so that no reply can come.
    Disconnected,
}

/// What became of requests, counted since the table was made.
///
/// `begun` is the sum of `answered`, `timed_out`, `cancelled`, `disconnected` and those that still wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestCounters {
    /// Entered into the table.
    pub begun: u64,
    /// Replies that came in time, errors among them.
    pub answered: u64,
    /// Deadlines that passed first.
    pub timed_out: u64,
    /// Given up by the asker, or never sent.
    pub cancelled: u64,
    /// Ended with their connection.
    pub disconnected: u64,
    /// Not entered, as too many waited.
    pub refused: u64,
    /// Replies that nobody waits for: too late, answered already, or made up. They are dropped.
    pub late: u64,
}

impl AddAssign for RequestCounters {
    fn add_assign(&mut self, other: Self) {
        let Self { begun, answered, timed_out, cancelled, disconnected, refused, late } = other;
        self.begun += begun;
        self.answered += answered;
        self.timed_out += timed_out;
        self.cancelled += cancelled;
        self.disconnected += disconnected;
        self.refused += refused;
        self.late += late;
    }
}

/// The requests of one connection that wait for a reply, each with its deadline and something of the caller's: a channel, a
/// callback, a number.
///
/// An entry leaves the table at once when its reply comes, when its deadline passes, when it is cancelled and when the
/// connection ends; the caller gets its `T` back exactly once, or drops it by [`cancel`](Self::cancel).
///
/// ```
/// # #![allow(clippy::disallowed_methods)]
/// use ipc_proto::{Config, Event, Host, Outbound, Platform, Reply, RequestBody, RequestEnd, Requests, Rules};
/// use std::time::{Duration, Instant};
///
/// // The seed is yours; take one that a peer cannot guess.
/// let mut requests = Requests::new(0x5eed, 100);
/// let now = Instant::now();
/// let id = requests.begin(Some(now + Duration::from_secs(10)), "my first request")?;
///
/// let settings = Config::new("me").build(&Host::new("pluto", Platform::Linux))?;
/// let mut outbound = Outbound::new(&settings, false);
/// outbound.emit("sum", &RequestBody::new(id, &[1, 2]))?;
///
/// // What comes back, as an event like any other:
/// let frame = format!(r#"{{"type":"$reply","data":{{"$reply":"{id}","result":3}}}}"#);
/// let event = Event::parse(frame.as_bytes(), &Rules::default()).map_err(|_| "malformed")?;
/// let reply = Reply::parse(&event).ok_or("no reply")?;
/// assert_eq!(requests.handle_reply(reply.token()), Some("my first request"));
/// assert_eq!(reply.into_result::<u32>("sum")?, 3);
///
/// // Without a reply, time brings it back.
/// requests.begin(Some(now + Duration::from_secs(10)), "my second")?;
/// requests.handle_timeout(requests.poll_timeout().unwrap());
/// assert_eq!(requests.poll_ended(), Some(("my second", RequestEnd::TimedOut)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Requests<T> {
    prefix: u64,
    next: u64,
    limit: usize,
    waiting: BTreeMap<u64, (Option<Instant>, T)>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// To be told by [`poll_ended`](Self::poll_ended).
    ended: VecDeque<(T, RequestEnd)>,
    counters: RequestCounters,
}

impl<T> Requests<T> {
    /// A table for `limit` requests at a time. `seed` makes its tokens different from those of other tables: a peer that
    /// cannot guess it cannot make up a reply to a request that it has not seen.
    #[must_use]
    pub fn new(seed: u64, limit: usize) -> Self {
        Self {
            prefix: seed,
            next: 0,
            limit,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ended: VecDeque::new(),
            counters: RequestCounters::default(),
        }
    }

    /// Changes how many may wait at a time; those that do are left alone.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Enters a request, to be sent now with the id that this gives. Without a deadline it waits for as long as the connection
    /// lives.
    ///
    /// # Errors
    ///
    /// [`TooManyRequests`]; `value` is dropped.
    pub fn begin(&mut self, deadline: Option<Instant>, value: T) -> Result<RequestId, TooManyRequests> {
        if self.waiting.len() >= self.limit {
            self.counters.refused += 1;
            return Err(TooManyRequests { limit: self.limit });
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(number, (deadline, value));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, number));
        }
        self.counters.begun += 1;
        Ok(RequestId { prefix: self.prefix, number })
    }

    fn take(&mut self, id: RequestId) -> Option<T> {
        if id.prefix != self.prefix {
            return None;
        }
        let (deadline, value) = self.waiting.remove(&id.number)?;
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, id.number));
        }
        Some(value)
    }

    /// A reply with this token has come: who waited for it. `None` if nobody does any more, or ever did; then it is counted
    /// and to be dropped.
    pub fn handle_reply(&mut self, token: &str) -> Option<T> {
        let waited = RequestId::parse(token).and_then(|id| self.take(id));
        match waited {
            Some(_) => self.counters.answered += 1,
            None => self.counters.late += 1,
        }
        waited
    }

    /// The asker has given up, or the request could not be sent. `None` if it has ended already.
    pub fn cancel(&mut self, id: RequestId) -> Option<T> {
        let waited = self.take(id)?;
        self.counters.cancelled += 1;
        Some(waited)
    }

    /// The connection has ended: all that wait have ended with it.
    pub fn handle_disconnected(&mut self) {
        self.deadlines.clear();
        for (_, value) in std::mem::take(&mut self.waiting).into_values() {
            self.counters.disconnected += 1;
            self.ended.push_back((value, RequestEnd::Disconnected));
        }
    }

    /// The time is `now`: requests whose deadline has come have ended.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(deadline, number)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            if let Some((_, value)) = self.waiting.remove(&number) {
                self.counters.timed_out += 1;
                self.ended.push_back((value, RequestEnd::TimedOut));
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing waits for time.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// The next request that has ended without a reply.
    pub fn poll_ended(&mut self) -> Option<(T, RequestEnd)> {
        self.ended.pop_front()
    }

    /// How many wait for a reply.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What was counted since the table was made.
    #[must_use]
    pub fn counters(&self) -> RequestCounters {
        self.counters
    }
}
