//! The certificates of a TLS server: whose they are, until when, and what is wrong with them.
//!
//! They are taken from a handshake of their own that verifies nothing and sends nothing. Whether a client would be let in, and trusts them,
//! is found out by a real one.

use super::Findings;
use super::network::PATIENCE;
use crate::address::Target;
use crate::exit::Outcome;
use crate::output::counted;
use ipc_tokio::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ipc_tokio::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ipc_tokio::rustls::{
    self, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, crypto::ring,
};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// From how many days on an end is near.
const SOON: u64 = 14;

/// What a server has shown.
#[derive(Default)]
pub(super) struct Shown {
    /// Whether there was a certificate.
    pub(super) certificates: bool,
    /// That of the server itself.
    own: Option<CertificateDer<'static>>,
    /// What its chain is like, and what it takes to be trusted.
    pub(super) chain: Option<(&'static str, &'static str)>,
    /// The name that is meant, if the certificate is for others.
    pub(super) other_name: Option<String>,
}

/// Says what a server shows on a stream to it, on which nothing was sent yet.
pub(super) async fn examine(
    findings: &mut Findings<'_>,
    target: &Target,
    stream: io::Result<TcpStream>,
) -> Outcome<Shown> {
    let meant = meant(target);
    let name = meant.clone();
    let shown = tokio::task::spawn_blocking(move || handshake(stream, &name, PATIENCE)).await;
    let Ok((certificates, outcome)) = shown else { return Ok(Shown::default()) };
    match (&outcome, certificates.is_empty()) {
        (Ok(version), _) => findings.good("tls", format!("{version} is spoken there")).await?,
        (Err(error), true) => {
            let help = "does the server speak TLS? If not, use tcp:; the versions spoken here are 1.2 and 1.3";
            findings.problem("tls", format!("there is no handshake: {error}"), help).await?;
            return Ok(Shown::default());
        }
        (Err(error), false) => {
            findings.note("tls", format!("the handshake was not completed: {error}"), None).await?;
        }
    }
    let mut other_name = None;
    for (number, der) in certificates.iter().enumerate() {
        let Ok(certificate) = Certificate::from_der(der) else {
            let help = "make a new one, of X.509 version 3 in DER";
            findings.problem("certificate", format!("number {number} cannot be read"), help).await?;
            continue;
        };
        one(findings, number, &certificate).await?;
        if number == 0 && !names(&certificate).iter().any(|name| covers(name, &meant)) {
            other_name = Some(meant.clone());
        }
    }
    let chain = match certificates.as_slice() {
        [own] if Certificate::from_der(own).is_ok_and(|it| it.tbs_certificate.subject == it.tbs_certificate.issuer) => {
            let text = "the certificate is signed by itself: no authority vouches for it";
            Some((text, "a client trusts it if --ca names this very certificate"))
        }
        [_] => {
            let text = "one certificate, and none of its issuer";
            Some((text, "a client needs its issuer in --ca; the server may send those in between with tls.public"))
        }
        _ => None,
    };
    Ok(Shown { certificates: !certificates.is_empty(), own: certificates.into_iter().next(), chain, other_name })
}

/// The same of a further address of the host, which is to show what the first has shown.
pub(super) async fn compare(
    findings: &mut Findings<'_>,
    target: &Target,
    stream: io::Result<TcpStream>,
    address: SocketAddr,
    first: &Shown,
) -> Outcome {
    let name = meant(target);
    let shown = tokio::task::spawn_blocking(move || handshake(stream, &name, PATIENCE)).await;
    let Ok((certificates, outcome)) = shown else { return Ok(()) };
    match (outcome, certificates.into_iter().next()) {
        (Err(error), None) => {
            let help = "does the server at this address speak TLS, as at the first one?";
            findings.problem("tls", format!("{address}: there is no handshake: {error}"), help).await
        }
        (_, own) if own != first.own => {
            let help =
                "a client that takes this address meets another server: look at each by its number, as tls:NUMBER:PORT";
            findings.warning("tls", format!("{address} shows another certificate than the first address"), help).await
        }
        _ => Ok(()),
    }
}

/// The name that a certificate is to carry.
fn meant(target: &Target) -> String {
    let options = target.settings.config().tls.as_ref();
    let host = target.endpoint.host().unwrap_or_default();
    options.and_then(|tls| tls.server_name.clone()).unwrap_or_else(|| host.to_owned())
}

/// Whether TLS is spoken there, by a handshake that is given so long.
pub(super) async fn is_spoken(address: SocketAddr, within: Duration) -> bool {
    let handshake = tokio::task::spawn_blocking(move || {
        handshake(TcpStream::connect_timeout(&address, within), "localhost", within)
    });
    let handshake = handshake.await;
    handshake.is_ok_and(|(certificates, _)| !certificates.is_empty())
}

async fn one(findings: &mut Findings<'_>, number: usize, certificate: &Certificate) -> Outcome {
    let about = if number == 0 { "certificate" } else { "issuer" };
    let body = &certificate.tbs_certificate;
    let names = names(certificate);
    let (from, until) = (body.validity.not_before, body.validity.not_after);
    let mut text = format!("{} issued by {}, valid from {from} until {until}", body.subject, body.issuer);
    if number == 0 {
        let names = if names.is_empty() { "no host".to_owned() } else { names.join(", ") };
        text.push_str(&format!(", for {names}"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (begin, end) = (from.to_unix_duration(), until.to_unix_duration());
    if now > end {
        let days = counted((now - end).as_secs() / 86_400, "day");
        let help = "renew it; a server of this project takes a new one without a pause (Server::set_tls)";
        findings.problem(about, format!("{text}: it expired {days} ago"), help).await?;
    } else if now < begin {
        let help = "look whether the clocks of both machines are right";
        findings.problem(about, format!("{text}: it is not valid yet"), help).await?;
    } else if (end - now).as_secs() / 86_400 < SOON {
        let days = counted((end - now).as_secs() / 86_400, "day");
        findings.warning(about, format!("{text}: it expires in {days}"), "renew it").await?;
    } else {
        findings.good(about, text).await?;
    }
    Ok(())
}

/// The hosts that a certificate is for.
fn names(certificate: &Certificate) -> Vec<String> {
    let Ok(Some((_, names))) = certificate.tbs_certificate.get::<SubjectAltName>() else { return Vec::new() };
    let name = |name: GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
            [a, b, c, d] => Some(IpAddr::from([a, b, c, d]).to_string()),
            ref bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    names.0.into_iter().filter_map(name).collect()
}

/// Whether a name of a certificate, which may begin with `*.`, is that of a host.
fn covers(name: &str, host: &str) -> bool {
    if let (Ok(name), Ok(host)) = (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        return name == host;
    }
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// The certificates that a server shows, and the version of TLS or why there was no handshake.
fn handshake(
    stream: io::Result<TcpStream>,
    name: &str,
    within: Duration,
) -> (Vec<CertificateDer<'static>>, io::Result<&'static str>) {
    let seen = Arc::new(Seen { provider: ring::default_provider(), certificates: Mutex::default() });
    let outcome = stream.and_then(|stream| attempt(stream, name, within, &seen));
    let certificates = std::mem::take(&mut *seen.certificates.lock().unwrap_or_else(PoisonError::into_inner));
    (certificates, outcome)
}

fn attempt(mut stream: TcpStream, name: &str, within: Duration, seen: &Arc<Seen>) -> io::Result<&'static str> {
    let config = ClientConfig::builder_with_provider(Arc::new(seen.provider.clone()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Seen>::clone(seen))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    // A server that has let us in is told that this is the end.
    session.send_close_notify();
    while session.wants_write() && session.write_tls(&mut stream).is_ok() {}
    Ok(match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS 1.3",
    })
}

/// Looks at certificates and trusts any: nothing is sent on such a connection.
#[derive(Debug)]
struct Seen {
    provider: rustls::crypto::CryptoProvider,
    certificates: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        let mut seen = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = all.map(|certificate| certificate.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_covers_its_host_and_a_star_one_label() {
        assert!(covers("example.org", "EXAMPLE.org") && covers("*.example.org", "a.example.org"));
        assert!(covers("::1", "0:0:0:0:0:0:0:1") && covers("127.0.0.1", "127.0.0.1"));
        assert!(!covers("*.example.org", "example.org") && !covers("*.example.org", "a.b.example.org"));
        assert!(!covers("example.org", "example.com"));
    }
}
