//! What to do about TLS: the flags that put right what the library says of files and handshakes, which it calls by its options.

use ipc_tokio::rustls::{self, AlertDescription};
use ipc_tokio::{ConnectionError, HandshakeError, TlsError};

/// What the library says of a server that wants to know who its clients are.
const ASKS: &str = "asks for a client certificate";

/// What to do where a certificate of ours is asked for.
pub(crate) const SHOW_ONE: &str = "show a certificate that the server trusts with --cert FILE and --key FILE, in PEM";

/// Whether an error, as it is shown, may be that of a server to which no certificate was shown.
pub(crate) fn asks_for_certificate(error: &str) -> bool {
    error.contains(ASKS)
}

/// Whether the other side says by this alert that it does not take the certificate that it was shown.
pub(crate) fn is_about_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription::{BadCertificate, CertificateUnknown, UnknownCA, UnsupportedCertificate};
    matches!(alert, BadCertificate | CertificateUnknown | UnknownCA | UnsupportedCertificate)
}

/// What a handshake failed of, if it was one that failed.
pub(crate) fn of_handshake(error: &ConnectionError) -> Option<&HandshakeError> {
    error.io()?.get_ref()?.downcast_ref()
}

/// What a stream has ended of, where an alert of TLS is told as the library tells it.
pub(crate) fn of_stream(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::AlertReceived(alert)) => HandshakeError::Refused(*alert).to_string(),
        _ => error.to_string(),
    }
}

/// What to do about options of TLS with which no server can start, and no client. A server needs files in any case.
pub(crate) fn to_put_right(error: &TlsError) -> Option<String> {
    let at = match error {
        TlsError::Missing { option: "tls.private" | "tls.public", .. } => {
            return Some(String::from("a TLS server needs --cert FILE and --key FILE, in PEM"));
        }
        TlsError::Mismatch { .. } => {
            return Some(String::from(
                "give --key the private key that the certificate of --cert was made with, or --cert the certificate of that key",
            ));
        }
        TlsError::Unreadable { at, .. } | TlsError::Unexpected { at, .. } | TlsError::NotValidNow { at, .. } => at,
        _ => return None,
    };
    let flag = match at.option {
        "tls.private" => "--key is for the file of the private key",
        "tls.public" => "--cert is for the file of the certificate, with those of its issuers behind it",
        "tls.trustedConnections" => "--ca is for a file of certificates to trust",
        _ => return None,
    };
    Some(match error {
        TlsError::Unreadable { .. } => format!("{flag}; is the path right, and may you read it?"),
        TlsError::NotValidNow { .. } => format!("{flag}; get a new certificate, or look at the clock"),
        _ => format!("{flag}, in PEM"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_comes_late_is_told_in_words() {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateUnknown);
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, alert);
        assert!(of_stream(&error).starts_with("the peer refused the TLS handshake: it refuses our certificate"));
        assert_eq!(of_stream(&std::io::ErrorKind::BrokenPipe.into()), "broken pipe");
    }

    #[test]
    fn the_alerts_with_which_a_certificate_is_asked_for_are_known_by_their_text() {
        for (alert, asks) in [
            (AlertDescription::CertificateRequired, true),
            // What a server of TLS 1.2 says to whom it asks in vain.
            (AlertDescription::HandshakeFailure, true),
            (AlertDescription::UnknownCA, false),
        ] {
            let text = HandshakeError::Refused(alert).to_string();
            assert_eq!(asks_for_certificate(&text), asks, "{text}");
        }
    }
}
