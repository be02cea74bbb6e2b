//! What the compiler says where `record_metrics` is called without the feature `metrics`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = "
    use ipc_driver::{Client, Server, UdpServer, fake::Fake};

    pub fn all(server: &Server<Fake>, client: &Client<Fake>, udp: &UdpServer<Fake>) {
        server.record_metrics();
        client.record_metrics();
        udp.record_metrics();
    }
";

#[test]
fn who_records_metrics_without_the_feature_is_told_of_it() {
    if std::env::var_os("IPC_ON_WINE").is_some() {
        // Not by a macro: the harness would keep it for itself.
        let _said = writeln!(
            std::io::stderr(),
            "\n*** NOT TESTED under Wine: a program there cannot start this system's cargo ***\n"
        );
        return;
    }
    let driver = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("without-metrics");
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"without-metrics\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nipc-driver = \
         {{ path = {driver:?}, default-features = false, features = [\"fake\"] }}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions that this workspace has, which are there.
    fs::copy(driver.parent().unwrap().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("src/lib.rs"), SOURCE).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--color", "never", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().filter(|line| line.starts_with("error[")).count(), 3, "{said}");
    assert_eq!(said.matches(": `record_metrics` needs the cargo feature `metrics`\n").count(), 3, "{said}");
    assert!(said.contains("features = [\"metrics\"]"), "{said}");
}
