//! Servers on sockets that were opened elsewhere: by a parent, by the convention of systemd. (In this process: the behaviour suite.)

#![cfg(unix)]

#[path = "common/child.rs"]
mod child;
mod common;

use child::{Running, say};
use common::{Place, soon};
use ipc_tokio::{Client, Config, Endpoint, Listening, ServeError, Server};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::time::Duration;

fn answering(server: &Server) {
    server.on("who", |peer, _: u64| peer.emit("pid", &std::process::id()));
}

/// Asks who serves there.
async fn ask(endpoint: &Endpoint) -> u32 {
    let settings = ipc_tokio::build(Config::new("hello").max_retries(0)).expect("settings");
    let client = Client::at(settings, endpoint.clone()).expect("a client");
    let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
    client.on("pid", move |pid: u32| sender.send(pid));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("who", &0).expect("emitted");
    let pid = soon("an answer", answer.recv()).await.expect("an answer");
    soon("close", client.close()).await.expect("closed");
    pid
}

/// Not a test: what the children of these tests do.
#[test]
fn role() {
    let Some(role) = child::role() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = Config::new("world");
        match role.as_str() {
            "worker" => serve(Server::from_stdin(config).expect("a listener")).await,
            "finished" => {
                let server = Server::from_stdin(config).expect("a listener");
                server.start().await.expect("started");
                server.shutdown(Duration::from_secs(5)).await;
                say("finished");
                std::future::pending::<()>().await;
            }
            "port" => {
                let port = std::env::var("IPC_TEST_PORT").expect("a port").parse().expect("a port");
                serve(Server::net(Some("127.0.0.1"), Some(port), config.reuse_port(true)).expect("a server")).await;
            }
            "activated" => {
                let inherited = ipc_tokio::inherited();
                let given = match inherited {
                    Ok(given) => given,
                    Err(error) => return say(format_args!("refused {error}")),
                };
                let names: Vec<_> = given.iter().map(|one| one.name.clone().unwrap_or_default()).collect();
                say(format_args!("given {}", names.join(",")));
                say(format_args!("again {}", ipc_tokio::inherited().expect("once only").len()));
                let Some(one) = given.into_iter().next() else { return };
                serve(Server::from_listener(one.socket, config).expect("a server")).await;
            }
            "bind" => {
                let path = std::env::var("IPC_TEST_PATH").expect("a path");
                serve(Server::at_path(&path, config).expect("a server")).await;
            }
            other => panic!("no role {other}"),
        }
    });
}

async fn serve(server: Server) {
    answering(&server);
    server.start().await.expect("started");
    say(format_args!("serving {}", server.local_endpoint()));
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_listens_any_more_once_a_worker_that_had_the_socket_alone_has_stopped() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).expect("bound");
    let mut command = Running::command("finished");
    command.stdin(Stdio::from(OwnedFd::from(listener)));
    let child = Running::start(&mut command);
    // It holds a descriptor for the child.
    drop(command);
    let (_child, _) = child.hear_soon("finished").await;
    let error = UnixStream::connect(place.socket()).expect_err("its standard input is no listener any more");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn workers_share_the_socket_of_their_parent_and_each_serves_some() {
    let place = Place::new();
    let settings = ipc_tokio::build(place.config()).expect("settings");
    let endpoint = Endpoint::local(&settings, None).expect("an endpoint");
    let (listening, endpoint) = Listening::bind(&endpoint, &settings).expect("bound");
    let mut workers = Vec::new();
    for _ in 0..3 {
        let mut command = Running::command("worker");
        command.stdin(listening.to_stdio().expect("a descriptor"));
        let (worker, at) = Running::start(&mut command).hear_soon("serving ").await;
        assert_eq!(at, endpoint.to_string());
        workers.push(worker);
    }
    let pids: BTreeSet<_> = workers.iter().map(Running::id).collect();
    let mut seen = BTreeSet::new();
    // Who is woken first is for the system to say; a worker alone still answers, so every worker is heard in the end.
    for worker in &mut workers {
        let pid = ask(&endpoint).await;
        assert!(pids.contains(&pid) && !seen.contains(&pid), "{pid} of {pids:?}");
        seen.insert(pid);
        // One that has answered leaves, and nobody notices.
        let _ = worker;
        kill(pid);
        soon("its end", async {
            while std::fs::metadata(format!("/proc/{pid}/fd/0")).is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
    assert_eq!(seen, pids);
    // The parent still has the socket: a worker that is started now finds who waits.
    let waiting = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { ask(&endpoint).await }
    });
    let mut command = Running::command("worker");
    command.stdin(listening.to_stdio().expect("a descriptor"));
    let late = Running::start(&mut command);
    assert_eq!(soon("served late", waiting).await.expect("served"), late.id());
    drop(late);
    drop(listening);
    assert!(!place.socket().exists(), "the file goes with the parent's socket");
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill");
    assert!(status.success());
}

/// `sh` puts its standard input where the convention wants the first socket, and its own number into `LISTEN_PID`.
#[cfg(target_os = "linux")]
fn activated(listening: Stdio, script: &str) -> Running {
    let program = Running::command("activated");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("{script} exec \"$0\" \"$@\" 0</dev/null")]);
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(listening).stdout(Stdio::null()).stderr(Stdio::piped());
    Running::start(&mut command)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn sockets_of_the_systemd_convention_are_taken_once_by_the_process_they_are_meant_for() {
    let place = Place::new();
    let listener = Listening::from(UnixListener::bind(place.socket()).expect("bound"));
    let endpoint: Endpoint = format!("unix:{}", place.socket().display()).parse().expect("an endpoint");
    let start = |script: &str| activated(listener.to_stdio().expect("a descriptor"), script);

    let child = start("exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=world;");
    let (child, names) = child.hear_soon("given ").await;
    assert_eq!(names, "world");
    let (child, again) = child.hear_soon("again ").await;
    assert_eq!(again, "0");
    let (child, _) = child.hear_soon("serving ").await;
    assert_eq!(ask(&endpoint).await, child.id());
    drop(child);

    // Meant for another, as in a grandchild that inherits the environment.
    let (_child, names) = start("exec 3<&0; export LISTEN_PID=1 LISTEN_FDS=1;").hear_soon("given ").await;
    assert_eq!(names, "");
    let (_child, names) = start("true;").hear_soon("given ").await;
    assert_eq!(names, "");

    for (script, complaint) in [
        ("exec 3<&0 4<&-; export LISTEN_PID=$$ LISTEN_FDS=40;", "announces 40 sockets"),
        // The number 3 is the runtime's by then.
        ("exec 3<&-; export LISTEN_PID=$$ LISTEN_FDS=1;", "and 3 was not inherited"),
        ("exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=one;", "LISTEN_FDS must be a number"),
        ("exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=4000000000;", "are the most"),
        ("exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=x;", "descriptor 3, called \"x\","),
    ] {
        let (_child, refusal) = start(script).hear_soon("refused ").await;
        assert!(refusal.contains(complaint), "{refusal}");
    }
}

// Where the option has no meaning it is refused with the configuration.
#[tokio::test]
async fn processes_that_ask_for_it_share_a_port() {
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("world").reuse_port(true)).expect("a server");
    answering(&server);
    server.start().await.expect("started");
    let endpoint = server.local_endpoint();
    let port = endpoint.port().expect("a port");
    let mut command = Running::command("port");
    command.env("IPC_TEST_PORT", port.to_string());
    let (other, _) = Running::start(&mut command).hear_soon("serving ").await;
    // The system chooses by the address of the client: with so many, both are chosen.
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        seen.insert(ask(&endpoint).await);
        if cfg!(target_os = "linux") && seen.len() == 2 {
            break;
        }
    }
    if cfg!(target_os = "linux") {
        assert_eq!(seen, BTreeSet::from([std::process::id(), other.id()]));
    }
    // Who does not ask for it does not get in.
    let third = Server::net(Some("127.0.0.1"), Some(port), Config::new("world")).expect("a server");
    let ServeError::Listen { source, .. } = third.start().await.expect_err("in use") else { panic!() };
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_server_without_descriptors_left_serves_again_when_there_are_some() {
    let place = Place::new();
    let program = Running::command("bind");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 24; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    command.env(child::ROLE, "bind").env("IPC_TEST_PATH", place.socket());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (server, at) = Running::start(&mut command).hear_soon("serving ").await;
    let crowd: Vec<_> = (0..60).map(|_| UnixStream::connect(place.socket()).expect("the backlog has room")).collect();
    // Who comes last waits for the others to go.
    let waiting = tokio::spawn(async move { ask(&at.parse().expect("an endpoint")).await });
    drop(crowd);
    assert_eq!(soon("served", waiting).await.expect("served"), server.id());
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_its_file_and_the_next_one_replaces_it() {
    let place = Place::new();
    let start = || {
        let mut command = Running::command("bind");
        command.env("IPC_TEST_PATH", place.socket());
        Running::start(&mut command)
    };
    let (mut first, _) = start().hear_soon("serving ").await;
    first.kill();
    assert!(place.socket().exists());
    let (second, at) = start().hear_soon("serving ").await;
    assert_eq!(ask(&at.parse().expect("an endpoint")).await, second.id());
}
