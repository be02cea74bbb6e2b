//! A parent that gives its listening socket to a child, as the child's standard input.
//!
//! ```text
//! cargo run -p ipc-tokio --example worker
//! ```
//!
//! The parent binds the socket, accepts nobody, and removes the file in the end. The child is this program once more. It
//! serves one client, which has connected before there was a child, and leaves. The example fails if somebody else than
//! the child has answered. For many children of one parent see the example `cluster`.

#![allow(clippy::print_stdout, reason = "a program, not a library")]

#[cfg(not(unix))]
fn main() {
    println!("Windows has no listening sockets that processes could share.");
}

#[cfg(unix)]
fn main() -> unix::Result<()> {
    unix::main()
}

#[cfg(unix)]
pub(crate) mod unix {
    use ipc_tokio::{Client, Config, Endpoint, Failure, Listening, Server, ServerEvent};
    use std::error::Error;
    use std::io::Read;
    use std::time::Duration;
    use tokio::process::Command;

    pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

    /// Set for the child.
    const ROLE: &str = "IPC_EXAMPLE_WORKER";
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn main() -> Result<()> {
        let role = if std::env::var_os(ROLE).is_some() { worker().await } else { parent().await };
        role.inspect_err(|error| println!("pid {}: {error}", std::process::id()))
    }

    async fn worker() -> Result<()> {
        let server = Server::from_stdin(Config::new("world"))?;
        server.on_request("pid", |_peer, (): ()| Ok::<_, Failure>(std::process::id()));
        let mut events = server.events();
        server.start().await?;
        println!("the worker with pid {} serves on {}", std::process::id(), server.local_endpoint());
        if std::io::stdin().read(&mut [0])? != 0 {
            return Err("the standard input is not empty".into());
        }
        while let Some(event) = events.recv().await {
            if let ServerEvent::Disconnected { .. } = event {
                break;
            }
        }
        server.shutdown(PATIENCE).await;
        Ok(())
    }

    async fn parent() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("ipc-worker-{}/", std::process::id()));
        let settings = ipc_tokio::build(Config::new("world").socket_root(folder.display().to_string()))?;
        // The folder is missing: it is made, for this user alone.
        let (listening, endpoint) = Listening::bind(&Endpoint::local(&settings, None)?, &settings)?;
        let outcome = tokio::time::timeout(PATIENCE, run(&listening, &endpoint)).await;
        // Which removes the file.
        drop(listening);
        std::fs::remove_dir(folder)?;
        outcome?
    }

    async fn run(listening: &Listening, endpoint: &Endpoint) -> Result<()> {
        let client = Client::at(ipc_tokio::build(Config::new("hello"))?, endpoint.clone())?;
        client.connect().await?; // it waits in the backlog of the socket
        let mut command = Command::new(std::env::current_exe()?);
        let mut worker = command.env(ROLE, "").stdin(listening.to_stdio()?).kill_on_drop(true).spawn()?;
        let pid = client.request::<u32>("pid", &()).await?;
        println!("pid {pid} has answered");
        if Some(pid) != worker.id() {
            return Err(format!("{pid} is not the worker").into());
        }
        client.close().await?;
        let status = worker.wait().await?;
        if !status.success() {
            return Err(format!("the worker ended with {status}").into());
        }
        Ok(())
    }
}
