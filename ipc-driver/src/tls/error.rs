//! What can be wrong with a TLS configuration, and how a handshake can fail.

use ipc_proto::Code;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where a key or a certificate was to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSource {
    /// The option, as it is called in JSON: `tls.private`.
    pub option: &'static str,
    /// The file, if the option names one.
    pub file: Option<PathBuf>,
}

impl fmt::Display for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} ({})", self.option, file.display()),
            None => f.write_str(self.option),
        }
    }
}

/// A TLS configuration is not usable. Nothing was opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{at}: cannot be read: {source}; expected {expected}")]
    Unreadable {
        /// Which.
        at: TlsSource,
        /// What it should hold.
        expected: &'static str,
        /// What the operating system said.
        r#source: Arc<io::Error>,
    },
    /// A file or text holds something else than it should.
    #[error("{at}: {found}; expected {expected}")]
    Unexpected {
        /// Which.
        at: TlsSource,
        /// What it should hold.
        expected: &'static str,
        /// What it holds. Never a part of it.
        found: String,
    },
    /// A private key and a certificate do not belong together.
    #[error("the private key of {key} does not belong to the certificate of {cert}; expected the key it was made with")]
    Mismatch {
        /// The key.
        key: TlsSource,
        /// The certificate.
        cert: TlsSource,
    },
    /// Our own certificate would be refused by everybody today.
    #[error("{at}: {reason}; expected one that peers accept today")]
    NotValidNow {
        /// Which.
        at: TlsSource,
        /// Since when, or until when.
        reason: String,
    },
    /// An option is missing that another one, or the role, needs.
    #[error("{option} is not set: {reason}")]
    Missing {
        /// The option that is missing.
        option: &'static str,
        /// What needs it.
        reason: &'static str,
    },
    /// No certificates to trust are named, and the system's cannot be had.
    #[error("no certificates to trust: {reason}; name some with tls.trustedConnections or tls.ca")]
    SystemTrust {
        /// What is wrong with the system's.
        reason: String,
    },
    /// The host, or `tls.servername`, is not a name that TLS can ask for.
    #[error("{name:?} is not a host name or IP address that a certificate can carry; set tls.servername to one")]
    ServerName {
        /// The name.
        name: String,
    },
    /// The transport has no TLS: only TCP has.
    #[error("TLS goes over TCP only; give the handle a TCP address, or no TLS")]
    Transport,
    /// The TLS library refused the configuration.
    #[error("the TLS configuration is refused: {0}")]
    Refused(rustls::Error),
}

impl TlsError {
    /// The code that node-ipc 14.0.0 gives such an error.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Missing { .. } | Self::Mismatch { .. } | Self::Unexpected { .. } | Self::Transport => {
                Some(Code::TlsConfiguration)
            }
            _ => None,
        }
    }
}

/// A TLS handshake failed. It is the inner error of the [`io::Error`] that is reported:
///
/// | by | when | in |
/// |---|---|---|
/// | a client | it does not get a connection | [`ConnectionError::Connect`](crate::ConnectionError::Connect), and `last` of [`ConnectError::GaveUp`](crate::ConnectError::GaveUp) |
/// | a client | it has a connection and is refused: with TLS 1.3 a server looks at the client's certificate only then | [`ConnectionError::Io`](crate::ConnectionError::Io) |
/// | a server | a connection does not become a peer | [`ConnectionError::Handshake`](crate::ConnectionError::Handshake) in [`ServerEvent::Refused`](crate::ServerEvent::Refused), and to [`Server::on_refused`](crate::Server::on_refused) |
///
/// [`ConnectionError::io`](crate::ConnectionError::io) finds that [`io::Error`] in all three:
///
/// ```
/// use ipc_driver::{ConnectionError, HandshakeError};
///
/// fn of_handshake(error: &ConnectionError) -> Option<&HandshakeError> {
///     error.io()?.get_ref()?.downcast_ref()
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first bytes of the peer were no TLS.
    #[error("the peer does not speak TLS: is tls set there too?")]
    NotTls,
    /// The peer sent nothing that completes the handshake in time.
    #[error(
        "the TLS handshake was not complete after {} ms (tls.handshakeTimeout): the peer may hang, be slow, or not speak TLS",
        .0.as_millis()
    )]
    TimedOut(Duration),
    /// The peer ended the connection.
    #[error("the peer ended the connection during the TLS handshake: it may not speak TLS, or have no room")]
    Closed,
    /// The peer's certificate was refused by us.
    #[error("the peer's certificate is refused: {}", refusal(.0))]
    Certificate(CertificateError),
    /// The server asked for a certificate and the client has sent none.
    #[error("the client sent no certificate, which tls.requestCert asks for: set tls.private and tls.public there")]
    NoCertificate,
    /// The peer refused us.
    #[error("the peer refused the TLS handshake: {}", meaning(*.0))]
    Refused(AlertDescription),
    /// Too many handshakes were under way, so many, and this was the oldest.
    #[error(
        "the TLS handshake was cut, as the oldest of {0} under way: others need its place; a lower tls.handshakeTimeout ends \
         those that stall"
    )]
    Crowded(usize),
    /// Anything else that TLS found wrong.
    #[error("the TLS handshake failed: {}", failure(.0))]
    Tls(rustls::Error),
}

impl HandshakeError {
    /// Says what an error of a handshake means, for handshakes over streams of one's own with the configurations of
    /// [`tls_client_config`](crate::tls_client_config) and [`tls_server_config`](crate::tls_server_config): the inner error
    /// of the result is a [`HandshakeError`], unless it was the system's.
    #[must_use]
    pub fn explain(error: io::Error) -> io::Error {
        explain(error)
    }
}

impl From<HandshakeError> for io::Error {
    fn from(error: HandshakeError) -> Self {
        let kind = match &error {
            HandshakeError::TimedOut(_) => io::ErrorKind::TimedOut,
            HandshakeError::Closed => io::ErrorKind::UnexpectedEof,
            HandshakeError::Refused(_) => io::ErrorKind::PermissionDenied,
            HandshakeError::Crowded(_) => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Why a certificate is refused, for people.
pub(super) fn refusal(reason: &CertificateError) -> String {
    match reason {
        CertificateError::BadEncoding => {
            "the certificate is malformed, or of X.509 version 1; version 3 is needed (BadEncoding)".into()
        }
        CertificateError::Other(other)
            if matches!(other.0.downcast_ref(), Some(webpki::Error::UnsupportedCertVersion)) =>
        {
            "the certificate is not of X.509 version 3, which is needed (UnsupportedCertVersion)".into()
        }
        CertificateError::Other(other)
            if matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
        {
            "the certificate is an authority's own, as self-signed ones are by default, and is not itself among those to \
             trust (CaUsedAsEndEntity); name it in tls.trustedConnections or tls.ca"
                .into()
        }
        CertificateError::UnknownIssuer => {
            "the certificate is not trusted, nor is who issued it (UnknownIssuer); name one of them in \
             tls.trustedConnections or tls.ca"
                .into()
        }
        CertificateError::BadSignature => {
            "the certificate was not signed by the authority that it names, or its key is of RSA with fewer than 2048 bits \
             (BadSignature); name a newer authority in tls.trustedConnections or tls.ca, or get a longer key"
                .into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| plain_name(name)).collect();
            let expected = expected.to_str();
            if names.is_empty() {
                return format!(
                    "the certificate is not for {expected:?}, but for no name at all (NotValidForName); get one with that \
                     name as subjectAltName, as a common name does not count, or name this one itself in \
                     tls.trustedConnections or tls.ca"
                );
            }
            format!(
                "the certificate is not for {expected:?}, but for {} (NotValidForName); connect to one of these, set \
                 tls.servername to it, or get a certificate for that name",
                names.join(", ")
            )
        }
        CertificateError::ExpiredContext { time, not_after } => {
            format!(
                "the certificate expired at {}, and it is {} now (Expired); renew it, or set the clock right",
                date(*not_after),
                date(*time)
            )
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!(
                "the certificate is valid from {} on, and it is {} now (NotValidYet); wait, or set the clock right",
                date(*not_before),
                date(*time)
            )
        }
        // (With the dates at hand it is `ExpiredContext`.)
        CertificateError::Expired => {
            "the certificate is valid at no time: its last day lies before its first (Expired); make another one".into()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate, or that of an issuer, is signed by a method that is not taken, as SHA-1 and keys of P-521 are \
             (UnsupportedSignatureAlgorithm); RSA, and ECDSA of P-256 and P-384, with SHA-256 or longer, and Ed25519 are taken"
                .into()
        }
        reason @ CertificateError::InvalidPurposeContext { .. } => {
            format!(
                "the {reason} (InvalidPurpose); get one for that, or name this one itself in tls.trustedConnections or tls.ca"
            )
        }
        CertificateError::Revoked => "the certificate has been revoked (Revoked); get another one".into(),
        CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::UnsupportedCriticalExtension) => {
                "the certificate has an extension that is critical and not known here (UnsupportedCriticalExtension); get \
                 one without it, or name this one itself in tls.trustedConnections or tls.ca"
                    .into()
            }
            Some(reason) => format!("the certificate, or that of an issuer, is not as it should be ({reason:?})"),
            None => format!("the certificate is not as it should be ({})", other.0),
        },
        reason => reason.to_string(),
    }
}

/// Why a handshake failed that neither a certificate nor an alert has ended, for people.
fn failure(error: &rustls::Error) -> String {
    match error {
        rustls::Error::PeerIncompatible(reason) => format!(
            "the peer takes nothing that is spoken here ({reason:?}), which is TLS 1.2 and 1.3 with keys agreed on by X25519, \
             P-256 or P-384, and AES-GCM or ChaCha20; it needs a newer TLS, or other settings"
        ),
        rustls::Error::PeerMisbehaved(reason) => {
            format!("the peer breaks the rules of TLS ({reason:?}); is it, or something between, out of order?")
        }
        other => other.to_string(),
    }
}

/// `DnsName("localhost")` and `IpAddress(127.0.0.1)` without what TLS calls them.
fn plain_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

/// A time as `2026-11-27 06:30:00 UTC`.
fn date(time: UnixTime) -> String {
    let seconds = time.as_secs();
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC", days + 1)
}

/// What an alert means, for people.
fn meaning(alert: AlertDescription) -> String {
    let meaning = match alert {
        AlertDescription::CertificateRequired => "it asks for a client certificate: set tls.private and tls.public",
        AlertDescription::UnknownCA => {
            "it does not trust our certificate: name that, or its issuer, in tls.trustedConnections or tls.ca there"
        }
        AlertDescription::BadCertificate => {
            "it refuses our certificate, often because that is for another name; its log says why"
        }
        AlertDescription::CertificateExpired => {
            "to it our certificate has expired or is not valid yet: renew it, or look at both clocks"
        }
        AlertDescription::CertificateRevoked => "to it our certificate has been revoked: get another one",
        AlertDescription::UnsupportedCertificate => {
            "it refuses our certificate, often because that is for another purpose, as one for servers only is; its log says \
             why"
        }
        AlertDescription::CertificateUnknown => "it refuses our certificate; its log says why",
        AlertDescription::AccessDenied => {
            "it knows our certificate and does not let it in; who runs it can change that"
        }
        AlertDescription::HandshakeFailure => {
            "it takes no cipher, curve or kind of key that is spoken here, or asks for a client certificate: set tls.private \
             and tls.public"
        }
        AlertDescription::UnrecognisedName => {
            "it has no certificate for that name: set tls.servername to one that it has"
        }
        AlertDescription::ProtocolVersion => {
            "it speaks no version of TLS that is spoken here: turn on 1.2 or 1.3 there"
        }
        AlertDescription::InsufficientSecurity => "it asks for stronger ciphers than are spoken here",
        AlertDescription::DecryptError => {
            "a signature does not fit: it may have another certificate of the same name, or not take our kind of key; its log \
             says why"
        }
        AlertDescription::InternalError => {
            "something failed there that is not the fault of this side; its log says what"
        }
        _ => "its log says why",
    };
    format!("{meaning} (alert {alert:?})")
}

/// What TLS said, if it was TLS.
fn said(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Says what an error after the handshake means to a user. With TLS 1.3 a server looks at the certificate of a client
/// when the client is done with its part, and refuses it only then.
pub(super) fn explain_later(error: io::Error) -> io::Error {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked, CertificateUnknown,
        HandshakeFailure, UnknownCA, UnsupportedCertificate,
    };
    match said(&error) {
        Some(rustls::Error::AlertReceived(
            AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateRevoked
            | CertificateUnknown
            | HandshakeFailure
            | UnknownCA
            | UnsupportedCertificate,
        )) => explain(error),
        _ => error,
    }
}

/// Says what an error of a handshake means to a user.
pub(super) fn explain(error: io::Error) -> io::Error {
    use rustls::{Error, InvalidMessage};
    let Some(found) = said(&error) else {
        // A reset is what one gets who has sent a hello to a peer that ends without reading it.
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let ended = matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe);
        return if ended { HandshakeError::Closed.into() } else { error };
    };
    match found {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::InvalidEmptyPayload
            | InvalidMessage::MessageTooLarge,
        ) => HandshakeError::NotTls,
        Error::InvalidCertificate(reason) => HandshakeError::Certificate(reason.clone()),
        Error::NoCertificatesPresented => HandshakeError::NoCertificate,
        Error::AlertReceived(alert) => HandshakeError::Refused(*alert),
        other => HandshakeError::Tls(other.clone()),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_dates() {
        for (seconds, told) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (1_795_759_450, "2026-11-27 06:04:10 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(UnixTime::since_unix_epoch(Duration::from_secs(seconds))), told);
        }
    }

    #[test]
    fn another_name_is_told_with_what_to_do() {
        use rustls::pki_types::ServerName;
        let expected = ServerName::try_from("localhost").unwrap();
        let told = |presented: &[&str]| {
            let presented = presented.iter().map(|name| (*name).to_owned()).collect();
            refusal(&CertificateError::NotValidForNameContext { expected: expected.clone(), presented })
        };
        let text = told(&["DnsName(\"example.test\")", "IpAddress(127.0.0.1)"]);
        assert!(text.contains("not for \"localhost\", but for example.test, 127.0.0.1"), "{text}");
        assert!(text.contains("tls.servername"), "{text}");
        let nameless = told(&[]);
        assert!(nameless.contains("but for no name at all") && nameless.contains("subjectAltName"), "{nameless}");
        assert!(!nameless.contains("one of these"), "{nameless}");
    }

    #[test]
    fn every_alert_is_told_with_where_to_look() {
        for code in 1..=u8::MAX {
            let alert = AlertDescription::from(code);
            let told = HandshakeError::Refused(alert).to_string();
            assert!(told.starts_with("the peer refused the TLS handshake: ") && told.ends_with(')'), "{told}");
            let mends =
                ["set tls.", "name that", "its log", "renew", "get another", "can change that", "turn on", "stronger"];
            assert!(mends.iter().any(|mend| told.contains(mend)), "{told}");
        }
    }

    #[test]
    fn no_reason_is_told_in_the_words_of_a_library_alone() {
        use rustls::{PeerIncompatible, PeerMisbehaved};
        let other = |error| CertificateError::Other(rustls::OtherError(Arc::new(error)));
        let unsigned = CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![6, 7],
            supported_algorithms: Vec::new(),
        };
        let purpose = CertificateError::InvalidPurposeContext {
            required: rustls::ExtendedKeyPurpose::ServerAuth,
            presented: vec![rustls::ExtendedKeyPurpose::ClientAuth],
        };
        for (reason, told) in [
            (unsigned, "signed by a method that is not taken, as SHA-1"),
            (other(webpki::Error::UnsupportedCriticalExtension), "an extension that is critical and not known here"),
            (other(webpki::Error::PathLenConstraintViolated), "is not as it should be (PathLenConstraintViolated)"),
            (CertificateError::BadSignature, "or its key is of RSA with fewer than 2048 bits"),
            (purpose, "the certificate does not allow extended key usage for server authentication"),
            (CertificateError::Revoked, "has been revoked (Revoked); get another one"),
        ] {
            let text = HandshakeError::Certificate(reason).to_string();
            assert!(text.contains(told) && !text.contains('[') && !text.contains("OtherError"), "{text}");
        }
        for (error, told) in [
            (PeerIncompatible::NoCipherSuitesInCommon.into(), "(NoCipherSuitesInCommon), which is TLS 1.2 and 1.3"),
            (PeerMisbehaved::MissingKeyShare.into(), "breaks the rules of TLS (MissingKeyShare)"),
        ] {
            let text = HandshakeError::Tls(error).to_string();
            assert!(text.starts_with("the TLS handshake failed: the peer ") && text.contains(told), "{text}");
        }
        let crowded = HandshakeError::Crowded(1).to_string();
        assert!(crowded.contains("as the oldest of 1 under way"), "{crowded}");
    }

    #[test]
    fn errors_of_handshakes_over_streams_of_ones_own_are_told_as_well() {
        let found = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::NoCertificatesPresented);
        let told = HandshakeError::explain(found);
        assert!(matches!(told.get_ref().unwrap().downcast_ref(), Some(HandshakeError::NoCertificate)), "{told}");
        let of_system = HandshakeError::explain(io::ErrorKind::PermissionDenied.into());
        assert!(of_system.get_ref().is_none());
    }

    #[test]
    fn a_certificate_of_an_old_version_is_told_as_such() {
        let found = rustls::OtherError(Arc::new(webpki::Error::UnsupportedCertVersion));
        let told = HandshakeError::Certificate(CertificateError::Other(found)).to_string();
        assert!(told.contains("not of X.509 version 3"), "{told}");
    }

    #[test]
    fn a_self_signed_certificate_of_an_authority_is_told_with_what_to_do() {
        let found = rustls::OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity));
        let told = HandshakeError::Certificate(CertificateError::Other(found)).to_string();
        assert!(told.contains("an authority's own") && told.contains("name it in tls.trustedConnections"), "{told}");
    }
}
