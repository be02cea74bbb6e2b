//! How long a request may take, and how many may be under way.

use std::time::Duration;

/// The deadline and the bounds of requests and of async handlers, on each connection of a handle.
///
/// ```
/// use ipc_proto::RequestOptions;
/// use std::time::Duration;
///
/// let options = RequestOptions::default().timeout(Duration::from_secs(2)).max_pending(64);
/// assert_eq!(options.max_under_way, 256);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestOptions {
    /// How long a request waits for its reply unless it says otherwise: 10 s.
    pub timeout: Duration,
    /// Requests of ours that may wait for a reply at a time: 1024. One more is refused.
    pub max_pending: usize,
    /// Futures that may be under way for one peer: 256 of requests, beyond which a request is answered with an error, and
    /// 256 of events, beyond which the connection is not read until one has ended. At least 1.
    pub max_under_way: usize,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_pending: 1024, max_under_way: 256 }
    }
}

impl RequestOptions {
    /// Sets [`timeout`](field@Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`max_pending`](field@Self::max_pending).
    #[must_use]
    pub fn max_pending(mut self, limit: usize) -> Self {
        self.max_pending = limit;
        self
    }

    /// Sets [`max_under_way`](field@Self::max_under_way); 0 is taken as 1.
    #[must_use]
    pub fn max_under_way(mut self, limit: usize) -> Self {
        self.max_under_way = limit.max(1);
        self
    }
}
