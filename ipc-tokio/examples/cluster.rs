//! The cluster example of node-ipc's README: one socket, several processes that serve it.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example cluster
//! ```
//!
//! Started without arguments this is the parent, the master of the README: it binds the socket, and removes it in the
//! end. It starts four workers, which are this program once more, and gives each the listening socket as its standard input.
//! Then clients come, ours and those of real node-ipc 9.2.1 and 14.0.0 where Node is present; which worker serves one is
//! for the system to say. It exits 0 if everybody got an answer and more than one worker gave some.
//!
//! In JavaScript the workers all say `ipc.serve(socketPath)` with `unlink = false`, and Node's `cluster` module sees to it
//! that they share one socket. Here nobody binds it but the parent, so that `unlink` has nothing to do with it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

#[cfg(not(unix))]
fn main() {
    println!("Windows has no listening sockets that processes could share; see the table of transports.");
}

#[cfg(unix)]
fn main() -> unix::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => unix::parent(),
        Some("worker") => unix::worker(),
        Some(role) => Err(format!("unknown role {role:?}: worker, with the listening socket as standard input").into()),
    }
}

#[cfg(unix)]
mod unix {
    use ipc_testkit::node::{NodeIpc, Version};
    use ipc_tokio::{Client, Config, Endpoint, Listening, Server};
    use std::collections::BTreeMap;
    use std::error::Error;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

    const WORKERS: usize = 4;
    /// Clients of ours, at most: they come until a second worker has answered.
    const CLIENTS: usize = 1000;
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn worker() -> Result<()> {
        let server = Server::from_stdin(Config::new("world"))?;
        server.on("currentDate", |peer, data: serde_json::Value| {
            let pid = std::process::id();
            println!("pid {pid} got: {data}");
            peer.emit("pid", &pid)
        });
        server.start().await?;
        println!("pid {} listening on {}", std::process::id(), server.local_endpoint());
        std::future::pending().await
    }

    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn parent() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("ipc-cluster-{}/", std::process::id()));
        let settings = ipc_tokio::build(Config::new("world").socket_root(folder.display().to_string()))?;
        // The folder is missing: it is made, for this user alone.
        let endpoint = Endpoint::local(&settings, None)?;
        let (listening, endpoint) = Listening::bind(&endpoint, &settings)?;
        let outcome = run(&listening, &endpoint).await;
        // Which removes the file.
        drop(listening);
        std::fs::remove_dir(folder)?;
        outcome
    }

    async fn run(listening: &Listening, endpoint: &Endpoint) -> Result<()> {
        let ourselves = std::env::current_exe()?;
        let mut workers = Workers(Vec::new());
        for _ in 0..WORKERS {
            let worker = Command::new(&ourselves).arg("worker").stdin(listening.to_stdio()?).spawn()?;
            workers.0.push(worker);
        }
        // Whoever connects before a worker is ready waits in the backlog of the socket.
        let mut answers = BTreeMap::new();
        for number in 0..CLIENTS {
            let pid = tokio::time::timeout(PATIENCE, ask(endpoint, number)).await??;
            *answers.entry(pid).or_insert(0) += 1;
            if answers.len() > 1 && number >= 20 {
                break;
            }
        }
        for (pid, count) in &answers {
            println!("the worker with pid {pid} has answered {count} clients");
            if !workers.0.iter().any(|worker| worker.id() == *pid) {
                return Err(format!("{pid} is no worker").into());
            }
        }
        if answers.len() < 2 {
            return Err("one worker has served everybody".into());
        }
        for version in [Version::V9_2_1, Version::V14_0_0] {
            match NodeIpc::find(version) {
                Ok(found) => node(&found, endpoint, version)?,
                Err(missing) => eprintln!("*** node-ipc {version} takes no part: {missing} ***"),
            }
        }
        println!("everybody got an answer");
        Ok(())
    }

    /// One client, which connects, says the date and hears who got it.
    async fn ask(endpoint: &Endpoint, number: usize) -> Result<u32> {
        let client = Client::at(ipc_tokio::build(Config::new("hello"))?, endpoint.clone())?;
        let (sender, mut answer) = tokio::sync::mpsc::unbounded_channel();
        client.on("pid", move |pid: u32| sender.send(pid));
        client.connect().await?;
        client.emit("currentDate", &serde_json::json!({ "message": format!("client {number}") }))?;
        let pid = answer.recv().await.ok_or("no answer")?;
        client.close().await?;
        Ok(pid)
    }

    fn node(found: &NodeIpc, endpoint: &Endpoint, version: Version) -> Result<()> {
        let path = endpoint.local_address().ok_or("no path")?.as_str();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/cluster.mjs");
        let mut command = Command::new(found.node());
        command.arg(script).arg(found.package()).arg(path).stdin(Stdio::null());
        let mut client = Workers(vec![command.spawn()?]);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match client.0[0].try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("the client with node-ipc {version} ended with {status}").into()),
                None if Instant::now() > deadline => {
                    return Err(format!("the client with node-ipc {version} does not end").into());
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Processes that end with this value.
    struct Workers(Vec<Child>);

    impl Drop for Workers {
        fn drop(&mut self) {
            for worker in &mut self.0 {
                // It may have ended already.
                let _ = worker.kill();
                let _ = worker.wait();
            }
        }
    }
}
