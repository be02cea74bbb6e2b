//! The options of TLS as a plain description: names of files, or their text.
//!
//! No file is read and no TLS is spoken here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a handshake may take unless said otherwise: 10 s. (Node says 120 s.)
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The option `tls`. Only streams over a network use it: TCP becomes TLS.
///
/// Verification is on unless `reject_unauthorized` says otherwise, and there is no built-in key:
/// node-ipc 9.2.1 does not verify, and serves with a key from its own package when none is given.
///
/// ```
/// use ipc_proto::{Config, TlsOptions};
/// use std::time::Duration;
///
/// let tls = TlsOptions::new()
///     .private("server.key")
///     .public("server.pub")
///     .trusted_connection("client.pub")
///     .request_cert(true)
///     .handshake_timeout(Duration::from_secs(2));
/// let json = r#"{"tls":{
///     "private": "server.key", "public": "server.pub", "trustedConnections": ["client.pub"],
///     "requestCert": true, "handshakeTimeout": 2000
/// }}"#;
/// assert_eq!(Config::from_json(json)?.tls, Some(tls));
/// # Ok::<(), ipc_proto::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// The file of the private key, PEM.
    pub private: Option<PathBuf>,
    /// The file of the certificate chain, PEM.
    pub public: Option<PathBuf>,
    /// The file of Diffie-Hellman parameters, PEM. Accepted and not used: keys are agreed on by elliptic curves (ECDHE)
    /// here, and a message in the log says so.
    pub dhparam: Option<PathBuf>,
    /// Files of the certificates to trust, PEM; in JSON one path or a list. Empty: those of the
    /// system.
    pub trusted_connections: Vec<PathBuf>,
    /// Whether a server asks clients for a certificate. Default `None`: it does if it has
    /// certificates to trust, as in node-ipc 14.0.0.
    pub request_cert: Option<bool>,
    /// Whether a peer that cannot be verified is refused. Default `None`: it is. `Some(false)` takes whoever answers for
    /// the peer that was meant, see [`danger_accept_any_certificate`](Self::danger_accept_any_certificate).
    pub reject_unauthorized: Option<bool>,
    /// The private key as PEM text, in place of `private`. Never shown by `Debug` or an error.
    pub key: Option<String>,
    /// The certificate chain as PEM text, in place of `public`.
    pub cert: Option<String>,
    /// Certificates to trust as PEM texts, beside `trusted_connections`; in JSON one text or a list.
    pub ca: Vec<String>,
    /// The name that the server's certificate must carry, when it is not the host connected to. JSON
    /// `servername`, or `serverName`.
    pub server_name: Option<String>,
    /// How long a handshake may take, on either side; then the connection is cut. Default 10 s (120 s in Node).
    pub handshake_timeout: Duration,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            private: None,
            public: None,
            dhparam: None,
            trusted_connections: Vec::new(),
            request_cert: None,
            reject_unauthorized: None,
            key: None,
            cert: None,
            ca: Vec::new(),
            server_name: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

impl TlsOptions {
    /// No option set: a client that trusts what the system trusts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the file of the private key.
    #[must_use]
    pub fn private(mut self, path: impl Into<PathBuf>) -> Self {
        self.private = Some(path.into());
        self
    }

    /// Sets the file of the certificate chain.
    #[must_use]
    pub fn public(mut self, path: impl Into<PathBuf>) -> Self {
        self.public = Some(path.into());
        self
    }

    /// Sets the file of Diffie-Hellman parameters.
    #[must_use]
    pub fn dhparam(mut self, path: impl Into<PathBuf>) -> Self {
        self.dhparam = Some(path.into());
        self
    }

    /// Adds a file of certificates to trust.
    #[must_use]
    pub fn trusted_connection(mut self, path: impl Into<PathBuf>) -> Self {
        self.trusted_connections.push(path.into());
        self
    }

    /// Adds files of certificates to trust, several at a time: node-ipc's list.
    ///
    /// ```
    /// use ipc_proto::TlsOptions;
    ///
    /// let both = TlsOptions::new().trusted_connections(["a.pem", "b.pem"]);
    /// assert_eq!(both, TlsOptions::new().trusted_connection("a.pem").trusted_connection("b.pem"));
    /// ```
    #[must_use]
    pub fn trusted_connections(mut self, paths: impl IntoIterator<Item: Into<PathBuf>>) -> Self {
        self.trusted_connections.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Sets whether a server asks clients for a certificate.
    #[must_use]
    pub fn request_cert(mut self, request: bool) -> Self {
        self.request_cert = Some(request);
        self
    }

    /// Turns verification off (`rejectUnauthorized: false` in node-ipc). A client then takes whoever answers for the
    /// server, a server takes clients with any certificate, or none: what is sent is encrypted, but nobody knows for whom.
    /// A warning in the log says so. To trust a self-signed certificate, name it in `trusted_connections` instead.
    #[must_use]
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.reject_unauthorized = Some(false);
        self
    }

    /// Sets the private key, PEM text.
    #[must_use]
    pub fn key(mut self, pem: impl Into<String>) -> Self {
        self.key = Some(pem.into());
        self
    }

    /// Sets the certificate chain, PEM text.
    #[must_use]
    pub fn cert(mut self, pem: impl Into<String>) -> Self {
        self.cert = Some(pem.into());
        self
    }

    /// Adds certificates to trust, PEM text.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<String>) -> Self {
        self.ca.push(pem.into());
        self
    }

    /// Sets the name that the server's certificate must carry.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Sets how long a handshake may take. From 1 ms to 2,147,483,647 ms.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake_timeout = limit;
        self
    }

    /// Whether there is a private key, as a file or as text.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.private.is_some() || self.key.is_some()
    }

    /// Whether there is a certificate of one's own, as a file or as text.
    #[must_use]
    pub fn has_cert(&self) -> bool {
        self.public.is_some() || self.cert.is_some()
    }

    /// Whether certificates to trust are named, as files or as text.
    #[must_use]
    pub fn has_trust(&self) -> bool {
        !self.trusted_connections.is_empty() || !self.ca.is_empty()
    }
}

/// Shown in place of a text that `Debug` keeps to itself.
struct Hidden(&'static str);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("private", &self.private)
            .field("public", &self.public)
            .field("dhparam", &self.dhparam)
            .field("trusted_connections", &self.trusted_connections)
            .field("request_cert", &self.request_cert)
            .field("reject_unauthorized", &self.reject_unauthorized)
            .field("key", &self.key.as_ref().map(|_| Hidden("<hidden>")))
            .field("cert", &self.cert.as_ref().map(|_| Hidden("<PEM>")))
            .field("ca", &self.ca.iter().map(|_| Hidden("<PEM>")).collect::<Vec<_>>())
            .field("server_name", &self.server_name)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish()
    }
}
