//! Files and texts that are not what an option expects: the error says which, and what was expected.

use crate::certs::{HOST, authority, self_signed};
use crate::world::{config, endpoint, settings};
use ipc_driver::fake::Fake;
use ipc_driver::{Client, ConnectError, ServeError, Server, TlsError, TlsOptions};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a server's files in it.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        let authority = authority();
        let server = authority.issue(HOST);
        files.write("server.key", server.key());
        files.write("server.crt", server.cert());
        files.write("other.key", authority.issue(HOST).key());
        files.write("expired.crt", authority.issue_expired(HOST).cert());
        files.write("ca.crt", authority.cert());
        files
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self, key: &str, cert: &str) -> TlsOptions {
        TlsOptions::new().private(self.at(key)).public(self.at(cert))
    }
}

#[track_caller]
fn server_error(options: TlsOptions) -> String {
    match Server::with_runtime(Fake::new(1), settings(config().tls(options)), endpoint()) {
        Err(ServeError::Tls(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn client_error(options: TlsOptions) -> String {
    match Client::with_runtime(Fake::new(1), settings(config().tls(options)), endpoint()) {
        Err(ConnectError::Tls(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn says(error: &str, option: &str, file: &Path, parts: &[&str]) {
    let start = format!("{option} ({}): ", file.display());
    assert!(error.starts_with(&start), "{error}");
    for part in parts {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn good_files_are_good() {
    let files = Files::new();
    let options = files.options("server.key", "server.crt").trusted_connection(files.at("ca.crt"));
    assert!(Server::with_runtime(Fake::new(1), settings(config().tls(options.clone())), endpoint()).is_ok());
    assert!(Client::with_runtime(Fake::new(1), settings(config().tls(options)), endpoint()).is_ok());
}

#[test]
fn a_file_that_is_not_there() {
    let files = Files::new();
    let error = server_error(files.options("none.key", "server.crt"));
    says(&error, "tls.private", &files.at("none.key"), &["os error 2", "expected an unencrypted private key"]);
    let error = server_error(files.options("server.key", "none.crt"));
    says(&error, "tls.public", &files.at("none.crt"), &["os error 2", "expected a certificate in PEM"]);
    let error = client_error(TlsOptions::new().trusted_connection(files.at("none.crt")));
    says(&error, "tls.trustedConnections", &files.at("none.crt"), &["os error 2", "one or more certificates"]);
    let error = server_error(files.options("server.key", "server.crt").dhparam(files.at("dh.pem")));
    says(&error, "tls.dhparam", &files.at("dh.pem"), &["Diffie-Hellman parameters"]);
    let folder = files.folder.path().to_owned();
    let error = client_error(TlsOptions::new().trusted_connection(&folder));
    says(&error, "tls.trustedConnections", &folder, &["cannot be read"]);
}

#[test]
fn files_that_were_swapped() {
    let files = Files::new();
    let error = server_error(files.options("server.crt", "server.key"));
    says(
        &error,
        "tls.private",
        &files.at("server.crt"),
        &["it holds a certificate", "expected an unencrypted private key"],
    );
    let error = client_error(TlsOptions::new().trusted_connection(files.at("server.key")));
    says(&error, "tls.trustedConnections", &files.at("server.key"), &["it holds a private key; expected one or more"]);
    let error = server_error(files.options("server.key", "server.key"));
    says(&error, "tls.public", &files.at("server.key"), &["it holds a private key"]);
    let error = server_error(files.options("server.key", "server.crt").dhparam(files.at("ca.crt")));
    says(&error, "tls.dhparam", &files.at("ca.crt"), &["it holds a certificate"]);
}

#[test]
fn an_encrypted_key() {
    let files = Files::new();
    let body = "MIIB\n";
    let texts = [
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}-----END ENCRYPTED PRIVATE KEY-----\n"),
        format!(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,00\n\n{body}-----END RSA \
             PRIVATE KEY-----\n"
        ),
    ];
    for text in texts {
        let path = files.write("encrypted.key", text);
        let error = server_error(files.options("encrypted.key", "server.crt"));
        says(&error, "tls.private", &path, &["an encrypted private key; decrypt it with `openssl pkey -in "]);
    }
}

#[test]
fn a_key_of_another_certificate() {
    let files = Files::new();
    let error = server_error(files.options("other.key", "server.crt"));
    for part in ["tls.private", "other.key", "does not belong to the certificate of tls.public", "server.crt"] {
        assert!(error.contains(part), "{error}");
    }
    // A client's too.
    let options = files.options("other.key", "server.crt").trusted_connection(files.at("ca.crt"));
    assert!(client_error(options).contains("does not belong"));
}

#[test]
fn a_certificate_that_is_not_valid_now() {
    let files = Files::new();
    let error = server_error(files.options("server.key", "expired.crt"));
    says(&error, "tls.public", &files.at("expired.crt"), &["expired", "expected one that peers accept today"]);
    // To trust it is of no use; others on the list still count.
    let error = client_error(TlsOptions::new().trusted_connection(files.at("expired.crt")));
    says(&error, "tls.trustedConnections", &files.at("expired.crt"), &["expired"]);
    let both = TlsOptions::new().trusted_connection(files.at("expired.crt")).trusted_connection(files.at("ca.crt"));
    assert!(Client::with_runtime(Fake::new(1), settings(config().tls(both)), endpoint()).is_ok());
}

#[test]
fn what_is_no_pem_at_all() {
    let files = Files::new();
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "it is empty"),
        ("text", b"hello", "it is not PEM"),
        ("der", &[0x30, 0x82, 1, 2], "it is DER, the binary form"),
        ("cut", b"-----BEGIN CERTIFICATE-----\nMIIB\n", "it is cut off"),
        ("base64", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "is not base64"),
        ("binary", &[0xff; 100], "it is not PEM"),
    ];
    for (name, content, found) in cases {
        let path = files.write(name, content);
        says(&server_error(files.options("server.key", name)), "tls.public", &path, &[found]);
        let error = client_error(TlsOptions::new().trusted_connection(&path));
        says(&error, "tls.trustedConnections", &path, &[found]);
        assert!(!error.contains("the options for files"), "a file it was: {error}");
    }
    let path = files.write("nonsense.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    let error = client_error(TlsOptions::new().trusted_connection(&path));
    says(&error, "tls.trustedConnections", &path, &["one of its certificates is malformed"]);
    says(&server_error(files.options("server.key", "nonsense.crt")), "tls.public", &path, &["malformed"]);
    let path = files.write("nonsense.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    let error = server_error(files.options("nonsense.key", "server.crt"));
    says(&error, "tls.private", &path, &["its key cannot be used", "expected a private key of RSA"]);
}

#[test]
fn no_error_shows_a_part_of_a_key() {
    let files = Files::new();
    let secret = "c2VjcmV0IHNlY3JldA";
    let texts = [
        format!("-----BEGIN PRIVATE KEY-----\n{secret}\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN {secret}\n-----END PRIVATE KEY-----\n"),
        secret.to_owned(),
    ];
    for text in texts {
        files.write("secret.key", &text);
        let cert = fs::read_to_string(files.at("server.crt")).unwrap();
        for options in [files.options("secret.key", "server.crt"), TlsOptions::new().key(&text).cert(&cert)] {
            let settings = settings(config().tls(options));
            let error = Server::with_runtime(Fake::new(1), settings, endpoint()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{error:?}");
        }
    }
}

#[test]
fn texts_are_named_by_their_option() {
    let identity = self_signed(HOST);
    let error = server_error(TlsOptions::new().key(identity.cert()).cert(identity.cert()));
    assert!(error.starts_with("tls.key: it holds a certificate"), "{error}");
    let error = client_error(TlsOptions::new().ca("nothing"));
    assert!(error.starts_with("tls.ca: it is not PEM"), "{error}");
    assert!(error.contains("the options for files are private, public and trustedConnections"), "{error}");
}

#[test]
fn parameters_are_accepted() {
    let files = Files::new();
    files.write("dh.pem", "-----BEGIN DH PARAMETERS-----\nMIIB\n-----END DH PARAMETERS-----\n");
    let options = files.options("server.key", "server.crt").dhparam(files.at("dh.pem"));
    assert!(Server::with_runtime(Fake::new(1), settings(config().tls(options)), endpoint()).is_ok());
}

#[test]
fn a_local_socket_reads_no_files() {
    let options = TlsOptions::new().private("/nowhere/key").public("/nowhere/crt");
    let settings = settings(config().tls(options));
    let local = ipc_driver::Endpoint::at_path(&settings, "/tmp/x").unwrap();
    assert!(Server::with_runtime(Fake::new(1), settings.clone(), local.clone()).is_ok());
    assert!(Client::with_runtime(Fake::new(1), settings, local).is_ok());
    // Nor is one refused for the case that it might be TCP.
    let error: TlsError =
        match Server::with_runtime(Fake::new(1), crate::world::settings(config().tls(TlsOptions::new())), endpoint()) {
            Err(ServeError::Tls(error)) => error,
            other => panic!("{other:?}"),
        };
    assert!(matches!(error, TlsError::Missing { .. }));
}
