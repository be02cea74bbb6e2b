//! The two basic examples of node-ipc's README: a server called `world`, a client called `hello`.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example hello
//! ```
//!
//! Started without arguments it runs both as processes of their own, then clients of real node-ipc 9.2.1 and 14.0.0 where
//! Node is present, shows what they say, and exits 0 if everybody got an answer. `server` and `client` run one of them
//! alone: try them in two terminals.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

#[path = "../support/running.rs"]
mod running;

use ipc_conformance::node::{NodeIpc, Version};
use ipc_tokio::{Client, Config, Server};
use running::Running;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let role = args.next();
    let mut config = Config::default().retry(Duration::from_millis(100));
    if let Some(root) = args.next() {
        config = config.socket_root(root);
    }
    match role.as_deref() {
        None => both(),
        Some("server") => server(config.id("world")),
        Some("client") => client(config.id("hello")),
        Some(role) => Err(format!("unknown role {role:?}: server or client, then a socketRoot if you like").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn server(config: Config) -> Result<()> {
    let server = Server::new(config)?;
    server.on("message", |peer, text: String| {
        println!("got a message: {text}");
        peer.emit("message", &format!("{text} world!"))
    });
    server.on_disconnect(|peer, _id| println!("client {} has disconnected!", peer.id()));
    server.start().await?;
    println!("listening at {}", server.local_endpoint());

    tokio::signal::ctrl_c().await?;
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn client(config: Config) -> Result<()> {
    let client = Client::new("world", config)?;
    let (answered, mut answer) = tokio::sync::mpsc::unbounded_channel();
    client.on("message", move |text: String| {
        println!("got a message from world: {text}");
        answered.send(text)
    });
    client.on_disconnect(|_retry_in| println!("disconnected from world"));
    client.connect().await?;
    println!("connected, saying hello");
    client.emit("message", "hello")?;
    answer.recv().await.ok_or("no answer came")?;
    client.close().await?;
    Ok(())
}

/// What a client says that got its answer.
const ANSWERED: &str = "got a message from world: hello world!";

fn both() -> Result<()> {
    let folder = Folder::new()?;
    let root = format!("{}/", folder.0.display());
    let ourselves = std::env::current_exe()?;

    let mut server = Running::start("server", &ourselves, &["server".as_ref(), root.as_ref()])?;
    server.wait_for("listening")?;
    Running::start("client", &ourselves, &["client".as_ref(), root.as_ref()])?.finish(ANSWERED)?;

    for version in [Version::V9_2_1, Version::V14_0_0] {
        match NodeIpc::find(version) {
            Ok(found) => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello/client.mjs");
                let path = format!("{root}app.world");
                let args = [script.as_os_str(), found.package().as_os_str(), path.as_ref()].map(OsStr::to_owned);
                let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
                let name = format!("node-ipc {version}");
                Running::start(&name, found.node(), &args)?.finish(ANSWERED)?;
            }
            Err(missing) => eprintln!("*** node-ipc {version} takes no part: {missing} ***"),
        }
    }
    println!("everybody got an answer");
    Ok(())
}

/// A folder of our own, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("ipc-hello-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
