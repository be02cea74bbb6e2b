//! Errors of TLS, by the codes that Node has for them.

use super::world::refused;
use crate::js::JsError;
use crate::protocol::{Reply, io_error};
use ipc_driver::api::{HandshakeError, TlsError};
use ipc_driver::rustls::{AlertDescription, CertificateError};
use std::io;

/// An error thrown at the program: the options are wrong, or a file cannot be read.
pub(super) fn thrown(error: &TlsError) -> Reply {
    match error {
        TlsError::Unreadable { source, .. } => io_error(source).into(),
        error => refused(error.code(), error),
    }
}

/// An error of a handshake. `None` if it is none, or one that Node has no code for.
pub(super) fn handshake_error(error: &io::Error) -> Option<JsError> {
    let found: &HandshakeError = error.get_ref()?.downcast_ref()?;
    let code = match found {
        HandshakeError::NotTls => "ERR_SSL_WRONG_VERSION_NUMBER",
        HandshakeError::TimedOut(_) => "ERR_TLS_HANDSHAKE_TIMEOUT",
        HandshakeError::Closed => "ECONNRESET",
        HandshakeError::Certificate(reason) => match reason {
            CertificateError::UnknownIssuer => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "ERR_TLS_CERT_ALTNAME_INVALID"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "CERT_HAS_EXPIRED",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "CERT_NOT_YET_VALID",
            CertificateError::BadSignature => "CERT_SIGNATURE_FAILURE",
            _ => return None,
        },
        HandshakeError::Refused(alert) => match *alert {
            AlertDescription::CertificateRequired => "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
            AlertDescription::UnknownCA => "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
            AlertDescription::HandshakeFailure => "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
            AlertDescription::BadCertificate => "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
            _ => return None,
        },
        _ => return None,
    };
    Some(JsError::with_code("Error", code, error.to_string()))
}
