//! Who is trusted: a certificate issued by a trusted authority, one that is trusted itself, or, for those who asked for
//! it, any.
//!
//! A certificate in `trustedConnections` that is the very one a peer shows is trusted by exact match, whatever name it
//! carries and whoever signed it; it must be valid now. Only a certificate of an authority vouches for others: a server's
//! own certificate, put on the list, does not make a certificate of its holder's making good. That a peer has the key of
//! its certificate is verified in every case.

use super::error::{TlsError, refusal};
use super::pem::Certificates;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::collections::BTreeSet;
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};

/// Names of authorities that a server sends with its question for a certificate, in bytes at most; more than that, and it
/// sends none, which means any.
const LARGEST_HINT: usize = 16 * 1024;

/// The certificates to trust.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// Those of authorities.
    authorities: RootCertStore,
    /// All of them: who shows one of these is trusted.
    exact: BTreeSet<Vec<u8>>,
    hints: Vec<DistinguishedName>,
}

/// What a certificate is good for, as it stands.
enum Standing {
    Good,
    Authority,
    Refused(CertificateError),
}

impl Trust {
    /// Trusts the certificates of these files and texts. Those that are not valid now, or of a form without dates that
    /// can be checked, are left out, with a message in the log.
    pub(super) fn of(sources: &[Certificates]) -> Result<Self, TlsError> {
        let mut trust = Self::by(RootCertStore::empty());
        let mut all = RootCertStore::empty();
        let now = UnixTime::now();
        let mut left_out = None;
        for Certificates { at, list } in sources {
            for certificate in list {
                let add = |store: &mut RootCertStore| {
                    store.add(certificate.clone()).map_err(|_| TlsError::Unexpected {
                        at: at.clone(),
                        expected: "certificates of X.509",
                        found: "one of its certificates is malformed".into(),
                    })
                };
                add(&mut all)?;
                match standing(certificate, now) {
                    Standing::Good => {}
                    Standing::Authority => add(&mut trust.authorities)?,
                    Standing::Refused(error) => {
                        let reason = refusal(&error);
                        tracing::warn!(target: "ipc", source = %at, %reason, "left out a certificate to trust");
                        left_out = Some((at.clone(), reason));
                        continue;
                    }
                }
                trust.exact.insert(certificate.to_vec());
            }
        }
        if let (true, Some((at, reason))) = (trust.exact.is_empty(), left_out) {
            return Err(TlsError::NotValidNow { at, reason });
        }
        let hints = all.subjects();
        if hints.iter().map(|name| name.as_ref().len() + 2).sum::<usize>() <= LARGEST_HINT {
            trust.hints = hints;
        }
        Ok(trust)
    }

    fn by(authorities: RootCertStore) -> Self {
        Self { authorities, exact: BTreeSet::new(), hints: Vec::new() }
    }

    /// Trusts the authorities that the operating system trusts.
    pub(super) fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut authorities = RootCertStore::empty();
        authorities.add_parsable_certificates(found.certs);
        if authorities.is_empty() {
            let reason = match found.errors.first() {
                Some(error) => format!("those of the system cannot be read ({error})"),
                None => "the system has none".to_owned(),
            };
            return Err(TlsError::SystemTrust { reason: reason + &places() });
        }
        for error in found.errors {
            tracing::warn!(target: "ipc", %error, "cannot read some certificates that the system trusts");
        }
        Ok(Self::by(authorities))
    }

    /// Whether this is one of the trusted certificates themselves, and valid now.
    fn is_exact(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        if !self.exact.contains(certificate.as_ref()) {
            return Ok(false);
        }
        match standing(certificate, now) {
            Standing::Good | Standing::Authority => Ok(true),
            Standing::Refused(reason) => Err(reason.into()),
        }
    }
}

/// Where the environment says that the system's certificates are, to end a sentence about them.
fn places() -> String {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| {
        let value = std::env::var_os(name)?;
        Some(format!("{name} is {}", std::path::Path::new(&value).display()))
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() { String::new() } else { format!(", where {}", named.join(" and ")) }
}

/// Looks at dates and form of a certificate, not at who signed it.
fn standing(certificate: &CertificateDer<'_>, now: UnixTime) -> Standing {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else {
        return Standing::Refused(CertificateError::BadEncoding);
    };
    // No authority is trusted here, so this always fails: by dates first, then by what the certificate is for.
    let usage = KeyUsage::server_auth();
    match parsed.verify_for_usage(&[], &[], &[], now, usage, None, None) {
        Ok(_) | Err(webpki::Error::UnknownIssuer) => Standing::Good,
        Err(webpki::Error::CaUsedAsEndEntity) => Standing::Authority,
        Err(webpki::Error::CertExpired { time, not_after }) => {
            Standing::Refused(CertificateError::ExpiredContext { time, not_after })
        }
        Err(webpki::Error::CertNotValidYet { time, not_before }) => {
            Standing::Refused(CertificateError::NotValidYetContext { time, not_before })
        }
        Err(webpki::Error::InvalidCertValidity) => Standing::Refused(CertificateError::Expired),
        // Not for serving TLS, perhaps: the one who trusts it knows better.
        Err(_) => Standing::Good,
    }
}

/// Looks whether our own certificate is valid now.
pub(super) fn check_own(certificates: &Certificates) -> Result<(), TlsError> {
    let Some(own) = certificates.list.first() else { return Ok(()) };
    match standing(own, UnixTime::now()) {
        Standing::Good | Standing::Authority => Ok(()),
        Standing::Refused(error) => Err(TlsError::NotValidNow { at: certificates.at.clone(), reason: refusal(&error) }),
    }
}

/// Verifies the certificate of a server, for a client.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    provider: Arc<CryptoProvider>,
    /// `None`: anybody.
    trust: Option<Trust>,
    /// By authority. `None` where no authority is trusted.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerVerifier {
    /// `None` trusts anybody.
    pub(super) fn new(trust: Option<Trust>, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let chain = match &trust {
            Some(trust) if !trust.authorities.is_empty() => {
                let roots = Arc::new(trust.authorities.clone());
                let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
                Some(builder.build().map_err(|error| TlsError::Refused(Error::General(error.to_string())))?)
            }
            _ => None,
        };
        Ok(Self { provider: Arc::clone(provider), trust, chain })
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trust) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        if trust.is_exact(end_entity, now)? {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.chain {
            Some(chain) => chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Asks clients for a certificate and verifies it, for a server.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    /// Whether a client that cannot be verified, or has no certificate, is refused.
    reject: bool,
    chain: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientVerifier {
    pub(super) fn new(trust: Trust, reject: bool, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let chain = if trust.authorities.is_empty() {
            None
        } else {
            let roots = Arc::new(trust.authorities.clone());
            let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            Some(builder.build().map_err(|error| TlsError::Refused(Error::General(error.to_string())))?)
        };
        Ok(Self { provider: Arc::clone(provider), trust, reject, chain })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.reject
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.trust.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.reject || self.trust.is_exact(end_entity, now)? {
            return Ok(ClientCertVerified::assertion());
        }
        match &self.chain {
            Some(chain) => chain.verify_client_cert(end_entity, intermediates, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
