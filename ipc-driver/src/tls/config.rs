//! From the options of TLS to rustls configurations, one for connecting and one for accepting.
//!
//! Everything is checked here, before anything is opened. The cryptography is that of ring, always by name: no default of
//! the process is asked for or set.

use super::error::TlsError;
use super::pem::{self, Certificates, Key};
use super::verify::{ClientVerifier, ServerVerifier, Trust, check_own};
use ipc_proto::TlsOptions;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, InconsistentKeys, ServerConfig};
use std::sync::Arc;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// What a client connects with.
pub(super) fn client(options: &TlsOptions) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    parameters(options)?;
    let named = pem::trust(options)?;
    let trust = if options.reject_unauthorized == Some(false) {
        tracing::warn!(
            target: "ipc",
            "TLS does not verify servers: tls.rejectUnauthorized is off, and whoever answers is taken for the server"
        );
        None
    } else if named.is_empty() {
        Some(Trust::system()?)
    } else {
        Some(Trust::of(&named)?)
    };
    let verifier = ServerVerifier::new(trust, &provider)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Refused)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(match own(options, &provider)? {
        Some(own) => builder.with_client_cert_resolver(Arc::new(own)),
        None => builder.with_no_client_auth(),
    })
}

/// What a server accepts with.
pub(super) fn server(options: &TlsOptions) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    parameters(options)?;
    let Some(own) = own(options, &provider)? else {
        let reason = "a TLS server needs a private key and its certificate, tls.private and tls.public; there is no \
                      built-in one";
        return Err(TlsError::Missing { option: "tls.private", reason });
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Refused)?
        .with_client_cert_verifier(clients(options, &provider)?);
    let mut config = builder.with_cert_resolver(Arc::new(own));
    // Clients keep their sessions, as tickets that are good for half a day; the server remembers none.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Refused)?;
    Ok(config)
}

/// Whether a server asks clients for a certificate, and what becomes of it.
fn clients(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let named = pem::trust(options)?;
    let reject = options.reject_unauthorized != Some(false);
    if !options.request_cert.unwrap_or(!named.is_empty()) {
        return Ok(Arc::new(NoClientAuth));
    }
    if !reject {
        tracing::warn!(
            target: "ipc",
            "TLS does not verify clients: tls.rejectUnauthorized is off, and those with any certificate, or none, are taken"
        );
    } else if named.is_empty() {
        let reason = "tls.requestCert asks clients for a certificate, and none could be accepted; name those to trust \
                      there or in tls.ca";
        return Err(TlsError::Missing { option: "tls.trustedConnections", reason });
    }
    Ok(Arc::new(ClientVerifier::new(Trust::of(&named)?, reject, provider)?))
}

/// Our own certificate with its key.
fn own(options: &TlsOptions, provider: &CryptoProvider) -> Result<Option<SingleCertAndKey>, TlsError> {
    let (Some(key), Some(chain)) = (pem::private_key(options)?, pem::chain(options)?) else { return Ok(None) };
    check_own(&chain)?;
    certified(key, chain, provider).map(|own| Some(own.into()))
}

fn certified(key: Key, chain: Certificates, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let Certificates { at, list } = chain;
    let secret = provider.key_provider.load_private_key(key.key).map_err(|error| TlsError::Unexpected {
        at: key.at.clone(),
        expected: "a private key of RSA (2048 to 8192 bits), ECDSA (P-256, P-384) or Ed25519",
        found: match error {
            // Without the "unexpected error" before it.
            Error::General(reason) => format!("its key cannot be used: {reason}"),
            error => format!("its key cannot be used: {error}"),
        },
    })?;
    let certified = CertifiedKey::new(list, secret);
    match certified.keys_match() {
        // Unknown: this kind of key cannot tell.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch { key: key.at, cert: at }),
        Err(error) => Err(TlsError::Unexpected {
            at,
            expected: "a certificate of X.509 version 3",
            found: format!("its first certificate cannot be used: {error}"),
        }),
    }
}

fn parameters(options: &TlsOptions) -> Result<(), TlsError> {
    pem::check_parameters(options)?;
    if options.dhparam.is_some() {
        tracing::info!(
            target: "ipc",
            "tls.dhparam is not used: keys are agreed on by elliptic curves (ECDHE), which need no parameters of one's own"
        );
    }
    Ok(())
}
