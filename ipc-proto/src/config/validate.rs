//! Checks a configuration before anything is opened: each option alone, then options together.
//!
//! What depends on an address, such as TLS on a network, is `Settings::check`'s.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::codec::{FACTOR_ALLOWED, JITTER_ALLOWED, MAX_ALLOWED};
use super::{Config, ConfigError, Interface, IpFamily, OnMalformed, Parser, SlowConsumer, TlsOptions, table};
use crate::{Backoff, Delimiter, Host, Platform, Rules, Settings};

/// The longest wait that Node's timers know, 2³¹ − 1 ms.
pub(crate) const LONGEST_TIMER: Duration = Duration::from_millis(i32::MAX as u64);
/// The largest message: more than a string of Node can hold (512 MiB), and within every `isize`.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

/// What every system takes, in seconds: Linux the most.
const KEEP_ALIVE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(32_767);

/// Every permission bit that a socket file may have.
const ALL_PERMISSIONS: u32 = 0o777;

impl Config {
    /// Checks every option and their combinations.
    ///
    /// # Errors
    ///
    /// The first option found wrong, or the first two that contradict each other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_texts()?;
        self.check_numbers()?;
        self.check_backoff()?;
        self.check_parser()?;
        check_interface(&self.interface)?;
        self.check_file()?;
        self.tls.as_ref().map_or(Ok(()), check_tls)
    }

    /// Validates, fills in what depends on the machine and freezes the result.
    ///
    /// # Errors
    ///
    /// As [`Config::validate`], and an empty or unusable host name when `id` is not set.
    pub fn build(self, host: &Host) -> Result<Settings, ConfigError> {
        Settings::new(self, host)
    }

    /// The rules on event names that the parser and its options amount to.
    pub(crate) fn rules(&self) -> Rules {
        let strict = matches!(self.parser, Parser::Guarded | Parser::Assured);
        Rules {
            max_event_name: Some(self.max_event_name_length),
            refuse_reserved: strict && !self.allow_reserved_events,
            refuse_unsafe: strict,
            allowed: self.allowed_events.clone().map(Into::into),
        }
    }

    fn check_texts(&self) -> Result<(), ConfigError> {
        let texts =
            [("appspace", Some(&self.appspace)), ("socketRoot", self.socket_root.as_ref()), ("id", self.id.as_ref())];
        for (option, text) in texts {
            if let Some(text) = text {
                check_path_part(option, text)?;
            }
        }
        if self.id.as_ref().is_some_and(String::is_empty) {
            return Err(out_of_range("id", "\"\""));
        }
        if let Some(host) = &self.network_host {
            if let Err(reason) = crate::endpoint::check_host(host) {
                let value = format!("{:?}", crate::error::shortened(host));
                return Err(ConfigError::invalid("networkHost", value, reason));
            }
        }
        let delimiter = Delimiter::new(&self.delimiter);
        delimiter.map(drop).map_err(|error| {
            let value = format!("{:?}", crate::error::shortened(&self.delimiter));
            ConfigError::invalid("delimiter", value, format!("one that works: {error}"))
        })
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("maxMessageSize", self.max_message_size),
            ("maxPendingBytes", self.max_pending_bytes),
            ("maxEventNameLength", self.max_event_name_length),
            ("maxOfflineBytes", self.max_offline_bytes),
            ("acceptBacklog", self.accept_backlog as usize),
            ("eventQueue", self.event_queue),
            ("maxUdpPeers", self.max_udp_peers),
        ];
        for (option, number) in at_least_one {
            if number == 0 {
                return Err(out_of_range(option, 0));
            }
        }
        if self.max_message_size > LARGEST_MESSAGE {
            return Err(out_of_range("maxMessageSize", self.max_message_size));
        }
        if self.retry > LONGEST_TIMER {
            return Err(out_of_range("retry", self.retry.as_millis()));
        }
        if self.message_timeout == Some(Duration::ZERO) {
            return Err(out_of_range("messageTimeout", 0));
        }
        if let Some(time) = self.tcp_keep_alive.filter(|time| !KEEP_ALIVE.contains(time)) {
            return Err(out_of_range("tcpKeepAlive", time.as_millis()));
        }
        if self.udp_peer_expiry.is_zero() {
            return Err(out_of_range("udpPeerExpiry", 0));
        }
        Ok(())
    }

    fn check_file(&self) -> Result<(), ConfigError> {
        if let Some(mode) = self.socket_mode {
            if mode > ALL_PERMISSIONS {
                return Err(out_of_range("socketMode", format!("{mode:#o}")));
            }
            let all = [("readableAll", self.readable_all), ("writableAll", self.writable_all)];
            if let Some((other, _)) = all.into_iter().find(|(_, on)| *on) {
                let reason = "both say who may use the socket; set socketMode alone";
                return Err(ConfigError::conflict("socketMode", other, reason));
            }
        }
        if self.socket_group.as_deref().is_some_and(|group| group.is_empty() || group.contains('\0')) {
            let value = format!("{:?}", self.socket_group.as_deref().map(crate::error::shortened).unwrap_or_default());
            return Err(out_of_range("socketGroup", value));
        }
        Ok(())
    }

    /// Refuses what this platform cannot do.
    pub(crate) fn check_platform(&self, platform: Platform) -> Result<(), ConfigError> {
        if !platform.is_windows() {
            return Ok(());
        }
        let missing = [
            ("socketMode", self.socket_mode.is_some(), "nothing on Windows, whose pipes have no mode; see writableAll"),
            ("socketGroup", self.socket_group.is_some(), "nothing on Windows, whose pipes have no group"),
            ("reusePort", self.reuse_port, "false on Windows, which does not share ports out"),
        ];
        match missing.into_iter().find(|(_, asked, _)| *asked) {
            Some((option, _, allowed)) => Err(ConfigError::invalid(option, "set", allowed)),
            None => Ok(()),
        }
    }

    fn check_backoff(&self) -> Result<(), ConfigError> {
        let Backoff::Exponential { factor, max, jitter } = self.backoff else {
            return Ok(());
        };
        if !factor.is_finite() || factor < 1.0 {
            return Err(ConfigError::invalid("backoff.factor", factor, FACTOR_ALLOWED));
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(ConfigError::invalid("backoff.jitter", jitter, JITTER_ALLOWED));
        }
        if max < self.retry || max > LONGEST_TIMER {
            return Err(ConfigError::invalid("backoff.max", max.as_millis(), MAX_ALLOWED));
        }
        Ok(())
    }

    fn check_parser(&self) -> Result<(), ConfigError> {
        let strict = matches!(self.parser, Parser::Guarded | Parser::Assured);
        if self.raw_buffer && strict {
            let reason = "raw bytes have no messages to guard; set one of the two";
            return Err(ConfigError::conflict("rawBuffer", "parser", reason));
        }
        let raw = if self.raw_buffer { Some("rawBuffer") } else { (self.parser == Parser::Raw).then_some("parser") };
        if let (Some(raw), SlowConsumer::DropOldest | SlowConsumer::DropNewest) = (raw, self.slow_consumer) {
            let reason =
                "raw bytes have no borders, so that none can be dropped whole; set \"refuse\" or \"disconnect\"";
            return Err(ConfigError::conflict("slowConsumer", raw, reason));
        }
        if self.parser == Parser::Assured {
            if self.allowed_events.as_ref().is_none_or(BTreeSet::is_empty) {
                let reason = "the assured parser needs the list of events that may pass; set it";
                return Err(ConfigError::conflict("parser", "allowedEvents", reason));
            }
            if self.malformed != OnMalformed::Close {
                let reason = "the assured parser closes a connection that breaks the protocol; set \"close\"";
                return Err(ConfigError::conflict("parser", "malformed", reason));
            }
        }
        // Every listed name must be one that the other rules let pass, or the list says nothing.
        let others = Rules { allowed: None, ..self.rules() };
        for name in self.allowed_events.iter().flatten() {
            if let Err(refusal) = others.check(name) {
                let value = format!("a list with {:?}", crate::error::shortened(name));
                let error = crate::EncodeError::from(refusal);
                let allowed = format!("only names that pass otherwise ({error})");
                return Err(ConfigError::invalid("allowedEvents", value, allowed));
            }
        }
        Ok(())
    }
}

/// An option that was read and is not what it may be: told as where it is read.
fn out_of_range(option: &'static str, value: impl ToString) -> ConfigError {
    ConfigError::invalid(option, value, table::allowed(option))
}

/// Refuses what no path can have.
pub(crate) fn check_path_part(option: &str, text: &str) -> Result<(), ConfigError> {
    if text.contains('\0') {
        let value = format!("{:?}", crate::error::shortened(text));
        return Err(ConfigError::invalid(option, value, "text without a NUL character"));
    }
    Ok(())
}

fn check_interface(interface: &Interface) -> Result<(), ConfigError> {
    let (Some(address), Some(family)) = (interface.local_address, interface.family) else {
        return Ok(());
    };
    if address.is_ipv4() != (family == IpFamily::V4) {
        let reason = "the address is not of that family; correct one of the two";
        let (option, other) = ("interface.localAddress", "interface.family");
        return Err(ConfigError::conflict(option, other, reason));
    }
    Ok(())
}

fn check_tls(tls: &TlsOptions) -> Result<(), ConfigError> {
    let twice = "the same thing as a file and as text; set one of the two";
    if tls.private.is_some() && tls.key.is_some() {
        return Err(ConfigError::conflict("tls.private", "tls.key", twice));
    }
    if tls.public.is_some() && tls.cert.is_some() {
        return Err(ConfigError::conflict("tls.public", "tls.cert", twice));
    }
    let [private, public] = ["tls.private", "tls.public"];
    let [key, cert] = ["tls.key", "tls.cert"];
    match (tls.has_key(), tls.has_cert()) {
        (false, true) => {
            let other = if tls.public.is_some() { public } else { cert };
            return Err(ConfigError::Missing { option: private, other, reason: "the private key of the certificate" });
        }
        (true, false) => {
            let other = if tls.private.is_some() { private } else { key };
            return Err(ConfigError::Missing { option: public, other, reason: "the certificate of the private key" });
        }
        _ => {}
    }
    let timeout = tls.handshake_timeout;
    if timeout.is_zero() || timeout > LONGEST_TIMER {
        return Err(out_of_range("tls.handshakeTimeout", timeout.as_millis()));
    }
    Ok(())
}
