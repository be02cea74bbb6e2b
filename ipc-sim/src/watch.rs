//! What a client may do next, as its documentation has it: the order of its events, and when it may try again.

use std::time::{Duration, Instant};

use ipc_proto::{Backoff, Client, ClientAction, ClientEvent, Settings, StopRetrying};

use crate::failure::{Invariant, Violation};

const SHORTEST: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Dialling,
    Connected,
    Waiting {
        until: Instant,
    },
    /// `Disconnected` came without a wait; `Destroyed` must follow.
    Ending,
    Ended,
}

/// A second opinion on one client.
#[derive(Debug)]
pub(crate) struct ClientWatch {
    state: State,
    max_retries: Option<u32>,
    pub(crate) stop_retrying: StopRetrying,
    retry: Duration,
    backoff: Backoff,
    /// Retries since the last connection.
    retries: u32,
    disconnects: bool,
    /// The peer broke the protocol.
    pub(crate) failed: bool,
}

impl ClientWatch {
    pub(crate) fn new(settings: &Settings) -> Self {
        let config = settings.config();
        Self {
            state: State::Idle,
            max_retries: config.max_retries,
            stop_retrying: config.stop_retrying,
            retry: config.retry.max(SHORTEST),
            backoff: config.backoff,
            retries: 0,
            disconnects: false,
            failed: false,
        }
    }

    pub(crate) fn set_retry(&mut self, retry: Duration) {
        self.retry = retry.max(SHORTEST);
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn budget(&self) -> u32 {
        let stop = match self.stop_retrying {
            StopRetrying::No => u32::MAX,
            StopRetrying::Yes => 0,
            StopRetrying::After(retries) => retries,
            _ => 0,
        };
        stop.min(self.max_retries.unwrap_or(u32::MAX))
    }

    /// A client that waits, or was never connected, ends without an event. Called before the client is told.
    pub(crate) fn told_to_disconnect(&mut self, client: &Client) {
        self.disconnects = true;
        if matches!(self.state, State::Waiting { .. } | State::Idle) && !client.is_destroyed() {
            self.state = State::Ended;
        }
    }

    pub(crate) fn action(&mut self, action: &ClientAction, now: Instant) -> Result<(), Violation> {
        match (action, self.state) {
            (ClientAction::Connect(_), State::Idle) => {}
            (ClientAction::Connect(_), State::Waiting { until }) => {
                if now < until {
                    let early = until - now;
                    return Err(attempts(format!("an attempt {early:?} before its time")));
                }
                if self.retries > self.budget() {
                    return Err(attempts(format!("retry {} where {} are allowed", self.retries, self.budget())));
                }
            }
            (ClientAction::Close, State::Dialling | State::Connected) if self.disconnects => return Ok(()),
            (action, state) => return Err(lifecycle(format!("{action:?} while {state:?}"))),
        }
        self.state = State::Dialling;
        Ok(())
    }

    pub(crate) fn event(&mut self, event: &ClientEvent, now: Instant) -> Result<(), Violation> {
        let wrong = || Err(lifecycle(format!("{event:?} while {:?}", self.state)));
        match (event, self.state) {
            (ClientEvent::Connected, State::Dialling) if !self.disconnects => {
                (self.state, self.retries) = (State::Connected, 0);
            }
            (ClientEvent::Disconnected { retry_in: Some(wait), .. }, State::Dialling | State::Connected) => {
                if self.disconnects || self.failed {
                    return wrong();
                }
                self.check_wait(*wait)?;
                self.retries += 1;
                if self.retries > self.budget() {
                    let (retries, budget) = (self.retries, self.budget());
                    return Err(attempts(format!("retry {retries} is announced where {budget} are allowed")));
                }
                self.state = State::Waiting { until: now + *wait };
            }
            (ClientEvent::Disconnected { retry_in: None, .. }, State::Dialling | State::Connected) => {
                if !self.disconnects && !self.failed && self.retries < self.budget() {
                    let (retries, budget) = (self.retries, self.budget());
                    return Err(attempts(format!("gives up after {retries} retries where {budget} are allowed")));
                }
                self.state = State::Ending;
            }
            (ClientEvent::Destroyed, State::Ending) => self.state = State::Ended,
            (ClientEvent::Destroyed, State::Waiting { .. }) if self.retries > self.budget() => {
                self.state = State::Ended;
            }
            _ => return wrong(),
        }
        Ok(())
    }

    /// The wait before the next attempt is as long as the documentation of [`Backoff`] says.
    fn check_wait(&self, wait: Duration) -> Result<(), Violation> {
        let (shortest, longest) = match self.backoff {
            Backoff::Exponential { factor, max, jitter } => {
                let grown = self.retry.as_secs_f64() * factor.powf(f64::from(self.retries));
                let whole = grown.min(max.as_secs_f64());
                (whole * (1.0 - jitter), whole)
            }
            _ => (self.retry.as_secs_f64(), self.retry.as_secs_f64()),
        };
        const ROUNDING: f64 = 1e-6;
        let allowed = shortest - ROUNDING..=longest.max(SHORTEST.as_secs_f64()) + ROUNDING;
        if wait >= SHORTEST && allowed.contains(&wait.as_secs_f64()) {
            return Ok(());
        }
        Err(attempts(format!(
            "a wait of {wait:?} after {} retries, where {allowed:?} seconds are allowed",
            self.retries
        )))
    }

    /// After everything was drained the client and this must be of one opinion.
    pub(crate) fn check(&self, client: &Client, has_connection: bool, now: Instant) -> Result<(), Violation> {
        let agree = match self.state {
            State::Idle => !client.is_connected() && !client.is_destroyed(),
            State::Dialling => !client.is_connected() && !client.is_waiting() && !client.is_destroyed(),
            State::Connected => has_connection && (client.is_connected() || client.is_closing()),
            State::Waiting { until } => client.is_waiting() && client.poll_timeout() == Some(until),
            State::Ending => false,
            State::Ended => client.is_destroyed(),
        };
        if !agree || has_connection != (self.state == State::Connected) {
            return Err(lifecycle(format!("{client:?} where it should be {:?}", self.state)));
        }
        if matches!(self.state, State::Waiting { until } if until < now) {
            return Err(attempts("the wait is over, and no attempt is made".to_owned()));
        }
        let left = client.retries_remaining().unwrap_or(u32::MAX);
        let expected = if self.budget() == u32::MAX { u32::MAX } else { self.budget().saturating_sub(self.retries) };
        if left != expected && self.state != State::Ended {
            return Err(attempts(format!("{left} retries are said to be left, where it is {expected}")));
        }
        Ok(())
    }
}

fn lifecycle(message: String) -> Violation {
    Violation::new(Invariant::Lifecycle, message)
}

fn attempts(message: String) -> Violation {
    Violation::new(Invariant::Attempts, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc_proto::{Config, Endpoint, Host, Platform, Unsent};

    fn settings(config: Config) -> Settings {
        config.build(&Host::new("sim", Platform::Linux)).expect("a valid configuration")
    }

    fn dial() -> ClientAction {
        let endpoint = Endpoint::local(&settings(Config::new("sim")), Some("world"));
        ClientAction::Connect(endpoint.expect("an endpoint"))
    }

    fn lost(wait: Option<Duration>) -> ClientEvent {
        ClientEvent::Disconnected { retry_in: wait, unsent: Unsent::default() }
    }

    fn broken(outcome: Result<(), Violation>) -> Option<Invariant> {
        outcome.err().map(|violation| violation.invariant)
    }

    #[test]
    fn nothing_may_come_after_the_end_or_twice() {
        let now = Instant::now();
        let mut watch = ClientWatch::new(&settings(Config::new("sim").max_retries(0)));
        assert_eq!(broken(watch.event(&ClientEvent::Connected, now)), Some(Invariant::Lifecycle), "not dialled");
        assert_eq!(watch.action(&dial(), now), Ok(()));
        assert_eq!(watch.event(&ClientEvent::Connected, now), Ok(()));
        assert_eq!(broken(watch.event(&ClientEvent::Connected, now)), Some(Invariant::Lifecycle), "twice");
        assert_eq!(watch.event(&lost(None), now), Ok(()));
        assert_eq!(broken(watch.event(&lost(None), now)), Some(Invariant::Lifecycle), "twice");
        assert_eq!(watch.event(&ClientEvent::Destroyed, now), Ok(()));
        assert_eq!(broken(watch.event(&ClientEvent::Destroyed, now)), Some(Invariant::Lifecycle));
        assert_eq!(broken(watch.action(&dial(), now)), Some(Invariant::Lifecycle));
        assert_eq!(broken(watch.action(&ClientAction::Close, now)), Some(Invariant::Lifecycle));
    }

    #[test]
    fn retries_must_be_as_many_and_as_far_apart_as_allowed() {
        let now = Instant::now();
        let wait = Duration::from_millis(500);
        let mut watch = ClientWatch::new(&settings(Config::new("sim").max_retries(1)));
        assert_eq!(watch.action(&dial(), now), Ok(()));
        assert_eq!(broken(watch.event(&lost(None), now)), Some(Invariant::Attempts), "gives up too early");
        assert_eq!(broken(watch.event(&lost(Some(wait * 2)), now)), Some(Invariant::Attempts), "waits too long");
        assert_eq!(watch.event(&lost(Some(wait)), now), Ok(()));
        let early = now + wait - Duration::from_nanos(1);
        assert_eq!(broken(watch.action(&dial(), early)), Some(Invariant::Attempts), "tries too early");
        assert_eq!(watch.action(&dial(), now + wait), Ok(()));
        assert_eq!(broken(watch.event(&lost(Some(wait)), now)), Some(Invariant::Attempts), "one too many");
    }
}
