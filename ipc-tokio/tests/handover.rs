//! A restart without a gap: the listening socket goes from process to process while clients come and go. (Within one process: the
//! behaviour suite.)

#![cfg(unix)]

#[path = "common/child.rs"]
mod child;
mod common;

use child::{Running, say};
use common::{Place, soon};
use ipc_tokio::{Client, Config, Endpoint, Server, TlsOptions};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that tells who it is.
fn answering(server: &Server) {
    server.on("who", |peer, _: u64| peer.emit("pid", &std::process::id()));
}

/// Asks a server who it is, over a connection of its own.
async fn ask(client: Client) -> Result<u32, String> {
    let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
    client.on("pid", move |pid: u32| sender.send(pid));
    client.connect().await.map_err(|error| error.to_string())?;
    client.emit("who", &0).map_err(|error| error.to_string())?;
    let pid = tokio::time::timeout(PATIENCE, answer.recv()).await.map_err(|_| "no answer".to_owned())?;
    client.close().await.map_err(|error| error.to_string())?;
    pid.ok_or_else(|| "no answer any more".to_owned())
}

fn client(place: &Place, endpoint: &Endpoint) -> Client {
    let certificate = place.path("certificate.pem");
    let tls = certificate.exists().then(|| TlsOptions::new().trusted_connection(certificate).server_name("localhost"));
    let config = Config::new("hello").max_retries(0).tls(tls);
    let settings = ipc_tokio::build(config).expect("settings");
    Client::at(settings, endpoint.clone()).expect("a client")
}

/// Not a test: what the children of these tests do.
#[test]
fn role() {
    let Some(role) = child::role() else { return };
    let place = PathBuf::from(std::env::var("IPC_TEST_PLACE").expect("a place"));
    let endpoint: Endpoint = std::env::var("IPC_TEST_ENDPOINT").expect("an endpoint").parse().expect("an endpoint");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(play(&role, &place.join("control"), endpoint));
}

async fn play(role: &str, control: &Path, endpoint: Endpoint) {
    let (key, certificate) = (control.with_file_name("key.pem"), control.with_file_name("certificate.pem"));
    let tls = key.exists().then(|| TlsOptions::new().private(key).public(certificate));
    let config = Config::new("world").max_connections(1000).tls(tls);
    let server = match role {
        "first" => Server::at(ipc_tokio::build(config).expect("settings"), endpoint),
        _ => Server::take_over(control, config).await,
    };
    let server = match server {
        Ok(server) => server,
        Err(error) => return say(format_args!("refused {error}")),
    };
    answering(&server);
    if role == "stall" {
        say("claimed");
        std::future::pending::<()>().await;
    }
    match server.start().await {
        Ok(()) => say(format_args!("serving {}", server.local_endpoint())),
        Err(error) => return say(format_args!("refused {error}")),
    }
    if role == "last" {
        std::future::pending::<()>().await;
    }
    let successor = server.hand_over(control).await.expect("handed over");
    say(format_args!("handed to {}", successor.pid.unwrap_or(0)));
    assert!(!server.is_listening());
    // Those who are here are served to their end.
    let drained = async {
        while !server.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drained).await.expect("they all go");
    let report = server.shutdown(PATIENCE).await;
    say(format_args!("ended {} {}", report.clean, report.cut));
}

fn start(role: &str, place: &Place, endpoint: &Endpoint) -> Running {
    let mut command = Running::command(role);
    command.env("IPC_TEST_PLACE", place.path("")).env("IPC_TEST_ENDPOINT", endpoint.to_string());
    Running::start(&mut command)
}

/// Clients that come and go until they are told to stop. Gives how often each process has answered.
async fn storm(place: Arc<Place>, endpoint: Endpoint, stop: Arc<AtomicBool>) -> BTreeMap<u32, usize> {
    let answers = Arc::new(Mutex::new(BTreeMap::new()));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (place, endpoint) = (Arc::clone(&place), endpoint.clone());
            let (stop, answers) = (Arc::clone(&stop), Arc::clone(&answers));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let pid = ask(client(&place, &endpoint)).await.expect("every client is served");
                    *answers.lock().expect("not poisoned").entry(pid).or_insert(0) += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no client was refused");
    }
    answers.lock().expect("not poisoned").clone()
}

/// Three generations, each relieved by the next while clients storm in.
async fn three_generations(place: &Arc<Place>, endpoint: &Endpoint) -> [u32; 3] {
    let (first, serving) = start("first", place, endpoint).hear_soon("serving ").await;
    let endpoint: Endpoint = serving.parse().expect("an endpoint");
    let stop = Arc::new(AtomicBool::new(false));
    assert_eq!(ask(client(place, &endpoint)).await, Ok(first.id()));
    let storm = tokio::spawn(storm(Arc::clone(place), endpoint.clone(), Arc::clone(&stop)));
    let mut generations = vec![first.id()];
    let mut old = first;
    for role in ["next", "last"] {
        // The offer may be a moment away.
        let (new, taken) = loop {
            let (new, line) = start(role, place, &endpoint).hear_line().await;
            match line.strip_prefix("serving ") {
                Some(taken) => break (new, taken.to_owned()),
                None => assert!(line.contains("No such file") || line.contains("refused (os"), "{line}"),
            }
        };
        assert_eq!(taken, endpoint.to_string());
        let (mut gone, successor) = old.hear_soon("handed to ").await;
        assert_eq!(successor, new.id().to_string());
        gone = gone.hear_soon("ended ").await.0;
        assert!(gone.wait().success());
        generations.push(new.id());
        // The new one has served somebody.
        for _ in 0..50 {
            assert_eq!(ask(client(place, &endpoint)).await, Ok(new.id()));
        }
        old = new;
    }
    stop.store(true, Ordering::Relaxed);
    let answers = storm.await.expect("the storm was served");
    assert!(answers.keys().all(|pid| generations.contains(pid)), "{answers:?} of {generations:?}");
    assert!(answers.len() > 1, "{answers:?}");
    drop(old);
    generations.try_into().expect("three")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_relieve_one_another_and_no_client_notices() {
    let place = Arc::new(Place::new());
    let endpoint: Endpoint = format!("unix:{}", place.socket().display()).parse().expect("an endpoint");
    three_generations(&place, &endpoint).await;
    assert!(!place.path("control").exists(), "the control socket goes with its offer");
    // The last one was killed; that is what leaves the file.
    assert!(place.socket().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_is_handed_over_alike() {
    let place = Arc::new(Place::new());
    let endpoint: Endpoint = "tcp:127.0.0.1:0".parse().expect("an endpoint");
    three_generations(&place, &endpoint).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_are_under_way_come_to_their_end() {
    let place = Arc::new(Place::new());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(place.path("certificate.pem"), made.cert.pem()).expect("written");
    std::fs::write(place.path("key.pem"), made.key_pair.serialize_pem()).expect("written");
    let endpoint: Endpoint = "tcp:127.0.0.1:0".parse().expect("an endpoint");
    three_generations(&place, &endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_dies_changes_nothing() {
    let place = Place::new();
    let server = place.server();
    answering(&server);
    server.start().await.expect("started");
    let control = place.path("control");
    let offering = tokio::spawn({
        let (server, control) = (server.clone(), control.clone());
        async move { server.hand_over(control).await }
    });
    until(|| control.exists()).await;
    assert_eq!(std::fs::metadata(&control).expect("there").mode() & 0o777, 0o600);
    for _ in 0..3 {
        let (mut taker, _) = start("stall", &place, &server.local_endpoint()).hear_soon("claimed").await;
        taker.kill();
        let pid = ask(place.client()).await.expect("still served");
        assert_eq!(pid, std::process::id());
    }
    let (last, _) = start("last", &place, &server.local_endpoint()).hear_soon("serving ").await;
    let successor = soon("hand over", offering).await.expect("a task").expect("handed over");
    assert_eq!(successor.pid, Some(last.id()));
    assert_eq!(ask(place.client()).await, Ok(last.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_it_is_relieved_leaves_its_socket_to_the_next() {
    let place = Place::new();
    let endpoint: Endpoint = format!("unix:{}", place.socket().display()).parse().expect("an endpoint");
    let (mut old, _) = start("first", &place, &endpoint).hear_soon("serving ").await;
    until(|| place.path("control").exists()).await;
    let new = Server::take_over(place.path("control"), place.config()).await.expect("claimed");
    answering(&new);
    old.kill();
    new.start().await.expect("the socket is ours");
    assert_eq!(ask(place.client()).await, Ok(std::process::id()));
    new.shutdown(PATIENCE).await;
    assert!(!place.socket().exists(), "and so is its file");
}

async fn until(condition: impl Fn() -> bool) {
    soon("a condition", async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
