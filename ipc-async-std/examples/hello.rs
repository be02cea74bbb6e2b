//! The two basic examples of node-ipc's README on async-std: a server called `world`, a client called `hello`.
//!
//! ```text
//! cargo run --release -p ipc-async-std --example async_std_hello
//! ```
//!
//! Started without arguments it runs both as processes of their own, then clients of real node-ipc 9.2.1 and 14.0.0 where
//! Node is present, shows what they say, and exits 0 if everybody got an answer. `server` and `client` run one of them
//! alone: try them in two terminals.

#![allow(clippy::print_stdout, reason = "a program, not a library")]

use ipc_async_std::{Client, Config, Server};
use ipc_testkit::hello::{self, Part};
use std::error::Error;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let config = |root: Option<String>| {
        let config = Config::default().retry(Duration::from_millis(100));
        if let Some(root) = root { config.socket_root(root) } else { config }
    };
    match Part::from_args()? {
        Part::All => hello::run_all(),
        Part::Server(root) => async_std::task::block_on(server(config(root).id("world"))),
        Part::Client(root) => async_std::task::block_on(client(config(root).id("hello"))),
    }
}

async fn server(config: Config) -> Result<()> {
    let server = Server::new(config)?;
    server.on("message", |peer, text: String| {
        println!("got a message: {text}");
        peer.emit("message", &format!("{text} world!"))
    });
    server.on_disconnect(|peer, _id| println!("client {} has disconnected!", peer.id()));
    server.start().await?;
    println!("listening at {}", server.local_endpoint());
    std::future::pending().await
}

async fn client(config: Config) -> Result<()> {
    let client = Client::new("world", config)?;
    let (answered, answer) = async_std::channel::bounded(1);
    client.on("message", move |text: String| {
        println!("got a message from world: {text}");
        answered.try_send(text)
    });
    client.on_disconnect(|_retry_in| println!("disconnected from world"));
    client.connect().await?;
    println!("connected, saying hello");
    client.emit("message", "hello")?;
    answer.recv().await?;
    client.close().await?;
    Ok(())
}
