//! What the compiler says of mistakes: one error for each, which says what to do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first lines of all errors that a crate of this source has, and everything that was said of them. `None` where there is no
/// cargo.
fn compile(name: &str, source: &str) -> Option<(Vec<String>, String)> {
    if std::env::var_os("IPC_ON_WINE").is_some() {
        let why = "a program there cannot start this system's cargo";
        // Not by a macro: the harness would keep it for itself.
        let _said = writeln!(std::io::stderr(), "\n*** NOT TESTED under Wine: {name}: {why} ***\n");
        return None;
    }
    let derive = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = derive.parent().unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nserde = {{ version = \
         \"1\", features = [\"derive\"] }}\nipc-proto = {{ path = {:?} }}\nipc-derive = {{ path = {derive:?} }}\n",
        workspace.join("ipc-proto")
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions that this workspace has, which are there.
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("src/lib.rs"), source).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--color", "never", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        // One for all, so that what they need is compiled once.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors = said.lines().filter(|line| line.starts_with("error") && !line.starts_with("error: could not compile"));
    let errors = errors.map(|line| line.split_once(": ").map_or(line, |(_, text)| text).to_owned()).collect();
    Some((errors, said))
}

/// Uses of a contract and a request, as a program has them.
const USES: &str = "
    use ipc_proto::{Contract, Event, Message};
    use ipc_proto::contract::{EventName, Request};

    fn emit<C: Contract>(_: &C) {}
    fn on<T>(_: EventName<T>) {}
    fn ask<Q: Request>(_: &Q) -> Option<Q::Reply> { None }

    pub fn uses(message: &Message, event: &Event<'_>) {
        emit(&Chat::Joined(String::new()));
        let _decoded = message.decode::<Chat>();
        let _read = (Chat::try_from(message), Chat::try_from(event));
        on(Chat::JOINED);
        on(Chat::SAID);
        on(Chat::PING);
        let _total: Option<f64> = ask(&Sum { n: 1.0 });
    }
";

#[test]
fn one_mistake_is_one_error() {
    let fine = "
        #[derive(ipc_derive::Contract)]
        enum Chat { Joined(String), Said { text: String }, Ping }
        #[derive(serde::Serialize, serde::Deserialize, ipc_derive::Request)]
        #[request(reply = f64)]
        struct Sum { n: f64 }
    ";
    let Some((errors, said)) = compile("no-mistake", &format!("{fine}{USES}")) else { return };
    assert!(errors.is_empty(), "{said}");
    for (right, wrong, error) in [
        ("Ping }", "#[event(\"\")] Ping }", "the name of this event may not be empty"),
        ("Ping }", "Ping, Error(u8) }", "is a name of node-ipc's own"),
        ("Ping }", "Ping, A(u8) }", "the variant `A` hides"),
        ("Ping }", "Ping, Ping2(&'static str) }", "an event owns what it carries"),
        ("enum Chat", "#[serde(tag = \"t\")] enum Chat", "no meaning for a contract"),
        ("enum Chat", "#[contract(rename = \"t\")] enum Chat", "expected `rename_all = "),
        ("reply = f64", "\"*\", reply = f64", "every event"),
    ] {
        let source = format!("{}{USES}", fine.replacen(right, wrong, 1));
        let (errors, said) = compile("one-mistake", &source).unwrap();
        let [only] = errors.as_slice() else { panic!("{wrong}: {said}") };
        assert!(only.contains(error), "{wrong}: {only}");
    }
}

#[test]
fn what_is_missing_is_named_where_a_type_does_not_fit() {
    let source = "
        struct Own;
        fn contract<T: ipc_proto::Contract>() {}
        fn request<T: ipc_proto::contract::Request>() {}
        fn payload<T: ipc_proto::FromEvent>() {}
        pub fn uses() { contract::<Own>(); request::<Own>(); payload::<Own>(); }
    ";
    let Some((errors, said)) = compile("not-derived", source) else { return };
    let expected =
        ["is no contract", "is not the parameters of a request", "cannot be read from the payload of an event"];
    assert_eq!(errors, expected.map(|what| format!("`Own` {what}")), "{said}");
    for help in [
        "a contract is an enum with `#[derive(Contract)]`",
        "the derive is behind the feature `derive` of that crate",
        "`#[derive(Serialize, Deserialize, Request)]`",
        "a type of your own needs `#[derive(serde::Deserialize)]`",
    ] {
        assert!(said.contains(help), "{help}: {said}");
    }
}
