//! Certificates for tests, made when they are needed.

use ipc_driver::{Config, TlsOptions};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair, date_time_ymd};

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
}

impl Identity {
    pub(crate) fn cert(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// Options with this as one's own certificate.
    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions::new().key(self.key()).cert(self.cert())
    }

    /// Issues a certificate for a name.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.sign(params(name))
    }

    /// Issues one that ran out long ago.
    pub(crate) fn issue_expired(&self, name: &str) -> Identity {
        let mut params = params(name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        Identity { certificate, key }
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("{name} in tests"));
    params
}

/// An authority.
pub(crate) fn authority() -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = params("authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Identity { certificate: params.self_signed(&key).unwrap(), key }
}

/// A certificate that vouches for itself and for nobody else.
pub(crate) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = params(name);
    params.is_ca = IsCa::ExplicitNoCa;
    Identity { certificate: params.self_signed(&key).unwrap(), key }
}

/// Where everything here listens, as a name in a certificate.
pub(crate) const HOST: &str = "127.0.0.1";

/// A server's and a client's configuration that go together: the server is known by its authority, the client unknown.
pub(crate) fn pair() -> (Config, Config) {
    let authority = authority();
    let server = Config::new("world").tls(authority.issue(HOST).options());
    let client = Config::new("world").tls(TlsOptions::new().ca(authority.cert()));
    (server, client)
}
