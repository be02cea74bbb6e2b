//! Raw sockets with a peer in C, which the test compiles, and with every encoding. What real node-ipc does with raw bytes is asked
//! for in `ipc-conformance`.

#![cfg(unix)]

use ipc_tokio::{Client, Config, Peer, Server, UdpPeer, UdpServer};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the README of node-ipc sends over raw sockets: a text, arrays of bytes, and 2 and 16,772,812 in a buffer of six bytes,
/// big-endian and little-endian.
const MESSAGES: [&[u8]; 5] = [
    b"hello",
    &[10, 20, 30],
    &[0x05, 0x6d, 0x5c],
    &[0x00, 0x02, 0x00, 0xff, 0xee, 0xcc],
    &[0x02, 0x00, 0xcc, 0xee, 0xff, 0x00],
];

fn config() -> Config {
    Config::new("raw").raw_buffer(true)
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("raw").tempdir().expect("a folder")
}

/// The peer in C; nothing, loudly, where there is no compiler.
fn compiled(folder: &TempDir) -> Option<PathBuf> {
    let program = folder.path().join("peer");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/raw/peer.c");
    let compiled = std::process::Command::new("cc")
        .args(["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Werror"])
        .arg("-o")
        .arg(&program)
        .arg(source)
        .output();
    match compiled {
        Ok(output) if output.status.success() => Some(program),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            // Written to the real stderr: the test harness hides what tests print.
            let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: raw sockets with a peer in C: no cc: {error} ***\n");
            assert!(std::env::var_os("CI").is_none(), "a peer in C must be tested where CI is set");
            None
        }
    }
}

async fn run(program: &PathBuf, arguments: [&str; 2]) -> Output {
    let running = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    timeout(PATIENCE, running).await.expect("it ends in time").expect("it runs")
}

fn assert_came_back(output: &Output) {
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("all came back"), "{output:?}");
}

/// A server that sends back what it gets, and keeps it.
fn echo(server: &Server) -> Arc<Mutex<Vec<u8>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    server.on_data(move |peer: &Peer, bytes: &[u8]| {
        kept.lock().expect("no panic").extend_from_slice(bytes);
        peer.emit_raw(bytes)
    });
    heard
}

#[tokio::test]
async fn a_client_in_c_gets_back_what_it_sends_over_a_unix_socket() {
    let folder = folder();
    let Some(program) = compiled(&folder) else { return };
    let path = folder.path().join("s").display().to_string();
    let server = Server::at_path(&path, config()).expect("a server");
    let heard = echo(&server);
    server.start().await.expect("started");
    assert_came_back(&run(&program, ["unix", &path]).await);
    assert_eq!(*heard.lock().expect("no panic"), MESSAGES.concat());
}

#[tokio::test]
async fn a_client_in_c_gets_back_what_it_sends_over_tcp() {
    let folder = folder();
    let Some(program) = compiled(&folder) else { return };
    let server = Server::net(Some("127.0.0.1"), Some(0), config()).expect("a server");
    let heard = echo(&server);
    server.start().await.expect("started");
    let port = server.local_endpoint().port().expect("a port").to_string();
    assert_came_back(&run(&program, ["tcp", &port]).await);
    assert_eq!(*heard.lock().expect("no panic"), MESSAGES.concat());
}

#[tokio::test]
async fn a_peer_in_c_gets_back_its_datagrams() {
    let folder = folder();
    let Some(program) = compiled(&folder) else { return };
    let server = UdpServer::udp4(Some("127.0.0.1"), Some(0), config()).expect("a server");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    server.on_data(move |peer: &UdpPeer, bytes: &[u8]| {
        kept.lock().expect("no panic").push(bytes.to_vec());
        peer.emit_raw(bytes)
    });
    server.start().await.expect("started");
    let port = server.local_endpoint().port().expect("a port").to_string();
    assert_came_back(&run(&program, ["udp", &port]).await);
    // One datagram each: unlike a stream, raw UDP has borders.
    assert_eq!(*heard.lock().expect("no panic"), MESSAGES);
}

#[tokio::test]
async fn a_server_in_c_reads_our_integers_and_answers_in_the_other_byte_order() {
    let folder = folder();
    let Some(program) = compiled(&folder) else { return };
    let path = folder.path().join("s").display().to_string();
    let serving = tokio::spawn({
        let path = path.clone();
        async move { run(&program, ["serve", &path]).await }
    });
    let client = Client::at_path(&path, config().retry(Duration::from_millis(10))).expect("a client");
    let (sender, mut answers) = unbounded_channel();
    client.on_data(move |bytes: &[u8]| sender.send(bytes.to_vec()));
    timeout(PATIENCE, client.connect()).await.expect("in time").expect("connected");
    let integers = [&2_u16.to_be_bytes()[..], &16_772_812_u32.to_be_bytes()].concat();
    client.emit_raw(&integers).expect("emitted");
    let mut answer = Vec::new();
    while answer.len() < 6 {
        answer.extend(timeout(PATIENCE, answers.recv()).await.expect("in time").expect("an answer"));
    }
    assert_eq!(answer, [&2_u16.to_le_bytes()[..], &16_772_812_u32.to_le_bytes()].concat());
    client.close().await.expect("closed");
    let output = serving.await.expect("no panic");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 16772812\n");
}
