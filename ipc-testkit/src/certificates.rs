//! Certificates for tests, made when a test asks for them. There is no key in the repository.
//!
//! Names and dates are those of the certificates that the recorded scripts (`$CERTS`) were played with: `server.crt` and
//! `client.crt` of the authority `ca.crt`, `otherclient.crt` of `otherca.crt`, `wrongname.crt`, `expired.crt`, each with its key
//! beside it.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use std::fs;
use std::path::Path;

/// Makes all of them in `folder`, as PEM files.
///
/// # Errors
///
/// What the file system or rcgen says.
pub fn make(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let ca = authority("interop test CA")?;
    let other = authority("other test CA")?;
    fs::write(folder.join("ca.crt"), ca.certificate.pem())?;
    fs::write(folder.join("otherca.crt"), other.certificate.pem())?;
    let local = &["localhost", "127.0.0.1", "::1"];
    let leaves: [(&str, &Authority, &str, &[&str], bool); 5] = [
        ("server", &ca, "localhost", local, false),
        ("client", &ca, "client-one", &["client-one"], false),
        ("otherclient", &other, "client-two", &["client-two"], false),
        ("wrongname", &ca, "elsewhere.example", &["elsewhere.example"], false),
        ("expired", &ca, "localhost", local, true),
    ];
    for (file, issuer, name, names, expired) in leaves {
        let mut params = params(name, names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate()?;
        fs::write(folder.join(format!("{file}.crt")), params.signed_by(&key, &issuer.certificate, &issuer.key)?.pem())?;
        fs::write(folder.join(format!("{file}.key")), key.serialize_pem())?;
    }
    Ok(())
}

struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

fn authority(name: &str) -> Result<Authority, rcgen::Error> {
    let mut params = params(name, &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    Ok(Authority { certificate: params.self_signed(&key)?, key })
}

fn params(name: &str, names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
