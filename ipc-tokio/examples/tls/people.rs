//! Keys and certificates in a folder that is removed at the end.

use super::Result;
use rcgen::{CertificateParams, DnType, KeyPair};
use std::fs;
use std::path::PathBuf;

/// Who has a private key, and a certificate that vouches for itself.
pub(super) struct Person {
    /// The file of the private key.
    pub(super) key: PathBuf,
    /// The file of the certificate.
    pub(super) cert: PathBuf,
}

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("ipc-tls-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    /// Makes a key and a certificate for `localhost`, as `openssl req -x509` does.
    pub(super) fn person(&self, name: &str) -> Result<Person> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key)?;
        let person = Person { key: self.0.join(format!("{name}.key")), cert: self.0.join(format!("{name}.pub")) };
        fs::write(&person.key, key.serialize_pem())?;
        fs::write(&person.cert, certificate.pem())?;
        Ok(person)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
