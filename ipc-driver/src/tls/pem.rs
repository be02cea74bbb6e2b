//! Reading keys and certificates: PEM, from a file or from the text of an option.
//!
//! What is found is told apart by its labels, so that an error can say which of the usual mistakes was made. Nothing of a
//! key gets into an error.

use super::error::{TlsError, TlsSource};
use ipc_proto::TlsOptions;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// The largest file that is read: the certificates of all authorities of a system are a quarter of a MiB.
const LARGEST: u64 = 16 * 1024 * 1024;

const PRIVATE_KEY: &str = "an unencrypted private key in PEM";
const CHAIN: &str = "a certificate in PEM, followed by those of its issuers";
const TRUST: &str = "one or more certificates in PEM";
const PARAMETERS: &str = "Diffie-Hellman parameters in PEM";

/// A private key and where it came from.
pub(super) struct Key {
    pub(super) at: TlsSource,
    pub(super) key: PrivateKeyDer<'static>,
}

/// Certificates and where they came from. There is at least one.
pub(super) struct Certificates {
    pub(super) at: TlsSource,
    pub(super) list: Vec<CertificateDer<'static>>,
}

/// `tls.private` or `tls.key`.
pub(super) fn private_key(options: &TlsOptions) -> Result<Option<Key>, TlsError> {
    let Some(source) = one(("tls.private", options.private.as_deref()), ("tls.key", options.key.as_deref())) else {
        return Ok(None);
    };
    let (at, text) = source.read(PRIVATE_KEY)?;
    let labels = Labels::of(&text);
    let unexpected = |found: String| TlsError::Unexpected { at: at.clone(), expected: PRIVATE_KEY, found };
    if labels.encrypted {
        let decrypt = match &at.file {
            Some(file) => format!("openssl pkey -in {} -out decrypted.pem", file.display()),
            None => "openssl pkey".to_owned(),
        };
        return Err(unexpected(format!("it holds an encrypted private key; decrypt it with `{decrypt}`")));
    }
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(Some(Key { at, key })),
        Err(pem::Error::NoItemsFound) => Err(unexpected(labels.holds(&text, at.file.is_some()))),
        Err(error) => Err(unexpected(malformed(&error))),
    }
}

/// `tls.public` or `tls.cert`.
pub(super) fn chain(options: &TlsOptions) -> Result<Option<Certificates>, TlsError> {
    let source = one(("tls.public", options.public.as_deref()), ("tls.cert", options.cert.as_deref()));
    source.map(|source| certificates(&source, CHAIN)).transpose()
}

/// `tls.trustedConnections` and `tls.ca`.
pub(super) fn trust(options: &TlsOptions) -> Result<Vec<Certificates>, TlsError> {
    let files = options.trusted_connections.iter().map(|file| Source::File("tls.trustedConnections", file));
    let texts = options.ca.iter().map(|text| Source::Text("tls.ca", text));
    files.chain(texts).map(|source| certificates(&source, TRUST)).collect()
}

/// Looks whether `tls.dhparam` is what it should be, though nothing is done with it.
pub(super) fn check_parameters(options: &TlsOptions) -> Result<(), TlsError> {
    let Some(file) = options.dhparam.as_deref() else { return Ok(()) };
    let (at, text) = Source::File("tls.dhparam", file).read(PARAMETERS)?;
    let labels = Labels::of(&text);
    if labels.parameters {
        return Ok(());
    }
    Err(TlsError::Unexpected { at, expected: PARAMETERS, found: labels.holds(&text, true) })
}

fn certificates(source: &Source<'_>, expected: &'static str) -> Result<Certificates, TlsError> {
    let (at, text) = source.read(expected)?;
    let mut list = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        match certificate {
            Ok(certificate) => list.push(certificate),
            Err(error) => return Err(TlsError::Unexpected { at, expected, found: malformed(&error) }),
        }
    }
    if list.is_empty() {
        let found = Labels::of(&text).holds(&text, at.file.is_some());
        return Err(TlsError::Unexpected { at, expected, found });
    }
    Ok(Certificates { at, list })
}

/// Where a PEM text is.
enum Source<'a> {
    File(&'static str, &'a Path),
    Text(&'static str, &'a str),
}

/// The file or the text, whichever is set; settings with both are refused before.
fn one<'a>(
    (file_option, file): (&'static str, Option<&'a Path>),
    (text_option, text): (&'static str, Option<&'a str>),
) -> Option<Source<'a>> {
    file.map(|file| Source::File(file_option, file)).or_else(|| text.map(|text| Source::Text(text_option, text)))
}

impl Source<'_> {
    fn read(&self, expected: &'static str) -> Result<(TlsSource, Vec<u8>), TlsError> {
        match *self {
            Self::Text(option, text) => Ok((TlsSource { option, file: None }, text.as_bytes().to_vec())),
            Self::File(option, path) => {
                let at = TlsSource { option, file: Some(path.to_owned()) };
                match read_file(path) {
                    Ok(text) => Ok((at, text)),
                    Err(source) => Err(TlsError::Unreadable { at, expected, source: Arc::new(source) }),
                }
            }
        }
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 16 MiB"));
    }
    Ok(text)
}

fn malformed(error: &pem::Error) -> String {
    // Those that quote the text are told without it.
    match error {
        pem::Error::MissingSectionEnd { .. } => "it is cut off: a section of PEM has no end".into(),
        pem::Error::IllegalSectionStart { .. } => "it is malformed: a section of PEM has no proper beginning".into(),
        pem::Error::Base64Decode(_) => "it is malformed: a section of PEM is not base64".into(),
        _ => "it is malformed PEM".into(),
    }
}

/// Which sections a text has.
#[derive(Default)]
struct Labels {
    certificate: bool,
    key: bool,
    encrypted: bool,
    public_key: bool,
    request: bool,
    parameters: bool,
    others: bool,
}

impl Labels {
    fn of(text: &[u8]) -> Self {
        let mut labels = Self::default();
        for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            if line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED") {
                labels.encrypted = true;
            }
            let Some(label) = line.strip_prefix(b"-----BEGIN ") else { continue };
            let label = label.strip_suffix(b"-----").unwrap_or(label);
            match label {
                b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => labels.certificate = true,
                b"ENCRYPTED PRIVATE KEY" => labels.encrypted = true,
                b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => labels.request = true,
                b"DH PARAMETERS" | b"X9.42 DH PARAMETERS" => labels.parameters = true,
                _ if label.ends_with(b"PRIVATE KEY") => labels.key = true,
                _ if label.ends_with(b"PUBLIC KEY") => labels.public_key = true,
                _ => labels.others = true,
            }
        }
        labels
    }

    /// Says what a text holds that is not what it should hold. What is no file may be the name of one.
    fn holds(&self, text: &[u8], is_file: bool) -> String {
        let found = [
            (self.certificate, "a certificate"),
            (self.encrypted, "an encrypted private key"),
            (self.key, "a private key"),
            (self.public_key, "a bare public key"),
            (self.request, "a request for a certificate"),
            (self.parameters, "Diffie-Hellman parameters"),
            (self.others, "something else in PEM"),
        ];
        let found: Vec<_> = found.into_iter().filter_map(|(is, what)| is.then_some(what)).collect();
        if !found.is_empty() {
            return format!("it holds {}", found.join(" and "));
        }
        match text {
            [] => "it is empty".into(),
            // The beginning of every certificate and key in binary.
            [0x30, 0x81..=0x83, ..] => {
                "it is DER, the binary form; `openssl` turns it into PEM with `-inform der`".into()
            }
            _ if is_file => "it is not PEM: no line begins with -----BEGIN".into(),
            _ => "it is not PEM: no line begins with -----BEGIN (the options for files are private, public and trustedConnections)".into(),
        }
    }
}
