//! The same program on every runtime: this file is an example of `ipc-tokio`, of `ipc-smol` and of `ipc-async-std`, and differs
//! in its `use` line and the attribute of `main`. A test compares them.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example portable
//! cargo run --release -p ipc-smol --example smol_portable
//! cargo run --release -p ipc-async-std --example async_std_portable
//! ```
//!
//! A server and a client talk over a local socket and over TCP, with handlers, streams, a contract and backpressure, and end in
//! peace. What it uses is the adapter's and the standard library's; where a program needs more of its runtime, a timer or a
//! channel, it names that.

#![allow(clippy::print_stdout, reason = "a program, not a library")]

use ipc_tokio::{Client, ClientEvent, Config, Contract, Server, ServerEvent}; // differs

use std::error::Error;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

/// What both sides say.
#[derive(Contract, Clone, Debug, PartialEq)]
enum Word {
    Hello(String),
    Count { from: u32, to: u32 },
    Number(u32),
    Bye,
}

#[tokio::main] // differs
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("world").display().to_string();

    let server = serve(Server::at_path(&path, Config::new("world"))?).await?;
    talk(Client::at_path(&path, Config::new("hello"))?).await?;
    leave(server).await?;

    let server = serve(Server::net(Some("127.0.0.1"), Some(0), Config::new("world"))?).await?;
    let port = server.local_endpoint().port();
    talk(Client::net(Some("127.0.0.1"), port, Config::new("hello"))?).await?;
    leave(server).await?;
    println!("the same on every runtime");
    Ok(())
}

/// Handlers: they answer in place.
async fn serve(server: Server) -> Result<Server> {
    server.on_typed(|peer, word: Word| match word {
        Word::Hello(who) => peer.emit_typed(&Word::Hello(format!("{who} world!"))),
        Word::Count { from, to } => (from..to).try_for_each(|number| peer.emit_typed(&Word::Number(number))),
        Word::Number(_) | Word::Bye => Ok(()),
    });
    server.start().await?;
    println!("listening at {}", server.local_endpoint());
    Ok(server)
}

/// A stream: events one after the other, at the reader's pace.
async fn talk(client: Client) -> Result<()> {
    let mut events = client.events();
    client.connect().await?;
    client.send_typed(&Word::Hello("hello".into())).await?;
    client.send_typed(&Word::Count { from: 0, to: 1000 }).await?;
    let mut words = Vec::new();
    while words.len() < 1001 {
        match events.recv().await.ok_or("the client has ended")? {
            ClientEvent::Message(message) => words.push(Word::try_from(&message)?),
            ClientEvent::Connected => println!("connected to {}", client.endpoint()),
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
    let numbers = (0..1000).map(Word::Number);
    let expected: Vec<_> = std::iter::once(Word::Hello("hello world!".into())).chain(numbers).collect();
    if words != expected {
        return Err("not what was to be said".into());
    }
    client.send_typed(&Word::Bye).await?;
    client.close().await?;
    Ok(())
}

async fn leave(server: Server) -> Result<()> {
    let mut events = server.events();
    let report = server.shutdown(PATIENCE).await;
    while let Some(event) = events.recv().await {
        if let ServerEvent::Stopped = event {
            println!("stopped; {} were cut off", report.cut);
            break;
        }
    }
    if report.cut == 0 { Ok(()) } else { Err("somebody was cut off".into()) }
}
