//! The four levels of security of node-ipc's TLS examples, with certificates made when they are needed.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example tls
//! cargo run --release -p ipc-tokio --example tls -- most-secure
//! ```
//!
//! | level | server | client |
//! |---|---|---|
//! | `local-only` | has a key | takes whoever answers |
//! | `basic` | has a key of its own making | takes whoever answers |
//! | `more-secure` | has a key, asks clients for a certificate, takes any | has a key, takes any |
//! | `most-secure` | has a key, refuses clients it does not know | has a key, refuses servers it does not know |
//!
//! At every level a server and a client of this crate talk to each other, and where Node is present each of them to real
//! node-ipc 9.2.1 and 14.0.0. The options are those of node-ipc, and the same for both. It exits 0 if all understood one
//! another, and if at the last level a stranger was kept out.
//!
//! node-ipc 9.2.1 has a key for the first level in its package, for which everybody has the private half. There is none here.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

mod node;
mod people;

use ipc_tokio::{Client, Config, ConnectError, Server, ServerEvent};
use node::Peer;
use people::{Folder, Person};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A level of security: the options of the server and those of the client, as they stand in a file or a program of node-ipc.
struct Level {
    name: &'static str,
    server: Value,
    client: Value,
}

/// The four of them, between a server and a client that know each other's certificates.
fn levels(server: &Person, client: &Person) -> [Level; 4] {
    [
        Level {
            name: "local-only",
            server: json!({"private": server.key, "public": server.cert, "rejectUnauthorized": false}),
            client: json!({"rejectUnauthorized": false}),
        },
        Level {
            name: "basic",
            server: json!({"private": server.key, "public": server.cert}),
            client: json!({"rejectUnauthorized": false}),
        },
        Level {
            name: "more-secure",
            server: json!({
                "private": server.key, "public": server.cert, "trustedConnections": client.cert,
                "requestCert": true, "rejectUnauthorized": false,
            }),
            client: json!({
                "private": client.key, "public": client.cert, "trustedConnections": server.cert,
                "rejectUnauthorized": false,
            }),
        },
        Level {
            name: "most-secure",
            server: json!({
                "private": server.key, "public": server.cert, "trustedConnections": [client.cert],
                "requestCert": true, "rejectUnauthorized": true,
            }),
            client: json!({
                "private": client.key, "public": client.cert, "trustedConnections": [server.cert],
                "rejectUnauthorized": true,
            }),
        },
    ]
}

#[tokio::main]
async fn main() -> Result<()> {
    let wanted = std::env::args().nth(1);
    let folder = Folder::new()?;
    let (server, client) = (folder.person("server")?, folder.person("client")?);
    let mut found = false;
    for level in levels(&server, &client) {
        if wanted.as_deref().is_some_and(|wanted| wanted != level.name) {
            continue;
        }
        found = true;
        println!("== {}", level.name);
        timeout(PATIENCE * 4, play(&level)).await.map_err(|_| "this takes too long")??;
        if level.name == "most-secure" {
            keep_out(&level, &folder.person("stranger")?, &server).await?;
        }
    }
    if !found {
        return Err("unknown level: local-only, basic, more-secure or most-secure".into());
    }
    println!("all understood one another");
    Ok(())
}

fn config(id: &str, tls: &Value) -> Result<Config> {
    let config = json!({"id": id, "networkHost": "localhost", "retry": 100, "maxRetries": 1, "tls": tls});
    Ok(Config::from_json(&config.to_string())?)
}

/// Everybody of a level with everybody.
async fn play(level: &Level) -> Result<()> {
    let server = serve(level).await?;
    let port = server.local_endpoint().port().ok_or("no port")?;
    greet("our client", &level.client, port).await?;
    for node in node::found() {
        let mut client = Peer::start(&node, "client", port, &level.client)?;
        client.wait_for("got a message from world: hello world!").await?;
        client.finish().await?;
    }
    server.shutdown(Duration::from_secs(1)).await;

    for node in node::found() {
        let mut server = Peer::start(&node, "server", node::free_port()?, &level.server)?;
        let line = server.wait_for("listening at ").await?;
        greet(&format!("our client of {}", node.name), &level.client, line.parse()?).await?;
        server.wait_for("got a message: hello").await?;
    }
    Ok(())
}

async fn serve(level: &Level) -> Result<Server> {
    let server = Server::net(None, Some(0), config("world", &level.server)?)?;
    server.on("message", |peer, text: String| {
        let (version, certificates) = (peer.remote().tls, peer.remote().certificates.len());
        println!("{:>24} | {text:?}, encrypted ({version:?}), {certificates} certificate(s) shown", "our server");
        peer.emit("message", &format!("{text} world!"))
    });
    server.on_lifecycle(|event| {
        if let ServerEvent::Refused { error, .. } = event {
            println!("{:>24} | refused: {error}", "our server");
        }
    });
    server.start().await?;
    Ok(server)
}

/// Says hello and waits for the answer.
async fn greet(name: &str, tls: &Value, port: u16) -> Result<()> {
    let client = Client::net(None, Some(port), config("hello", tls)?)?;
    let (answered, mut answer) = unbounded_channel();
    client.on("message", move |text: String| answered.send(text));
    client.connect().await?;
    client.emit("message", "hello")?;
    let text = timeout(PATIENCE, answer.recv()).await?.ok_or("the connection ended without an answer")?;
    println!("{name:>24} | {text:?}");
    client.close().await?;
    if text == "hello world!" { Ok(()) } else { Err(format!("an odd answer: {text:?}").into()) }
}

/// Somebody whom the server does not know, and then a server that the client does not know.
async fn keep_out(level: &Level, stranger: &Person, server: &Person) -> Result<()> {
    let known = serve(level).await?;
    let options = json!({"private": stranger.key, "public": stranger.cert, "trustedConnections": server.cert});
    let port = known.local_endpoint().port();
    let client = Client::net(None, port, config("stranger", &options)?)?;
    let (told, mut errors) = unbounded_channel();
    client.on_error(move |error| {
        // Nobody may be listening any more.
        let _ = told.send(error.to_string());
    });
    client.start();
    let error = timeout(PATIENCE, errors.recv()).await?.ok_or("the stranger was let in")?;
    println!("{:>24} | {error}", "a stranger");
    client.disconnect();
    if !known.is_empty() {
        return Err("the stranger was let in".into());
    }

    let options = json!({"trustedConnections": stranger.cert});
    match Client::net(None, port, config("careful", &options)?)?.connect().await {
        Err(ConnectError::GaveUp { last: Some(error), .. }) => println!("{:>24} | {error}", "a careful client"),
        other => return Err(format!("the client talks to a server it does not know: {other:?}").into()),
    }
    known.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
