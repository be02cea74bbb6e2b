//! What a user of ipc-proto builds: five crates and what they need, nothing that can do I/O or keep time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "cargo is asked, by this test only")]

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;

/// The five of `Cargo.toml`, and what they need.
const KNOWN: [&str; 16] = [
    "ipc-proto",
    "bytes",
    "memchr",
    "serde",
    "serde_core",
    "serde_json",
    // Numbers as text: serde_json had ryu before it had zmij.
    "itoa",
    "ryu",
    "zmij",
    "thiserror",
    // Run when it is built, and not part of it.
    "serde_derive",
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

#[test]
fn nothing_else_is_built() {
    if std::env::var_os("IPC_ON_WINE").is_some() {
        let why = "a program there cannot start this system's cargo";
        // Not by a macro: the harness would keep it for itself.
        let _said = writeln!(std::io::stderr(), "\n*** NOT TESTED under Wine: nothing_else_is_built: {why} ***\n");
        return;
    }
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "ipc-proto", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--target", "all", "--all-features", "--offline", "--locked"])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {errors}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.is_superset(&["ipc-proto", "bytes", "memchr", "serde", "serde_json", "thiserror"].into()), "{tree}");
    let surplus: Vec<_> = names.difference(&KNOWN.into()).copied().collect();
    assert!(surplus.is_empty(), "new dependencies: {surplus:?}; each needs a reason");
}
