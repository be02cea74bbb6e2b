//! A contract: all events of a service as one enum, checked when the program is compiled, and declared in TypeScript.
//!
//! ```text
//! cargo run --release -p ipc-tokio --example contract
//! cargo run --release -p ipc-tokio --example contract -- declaration > chat.ts
//! ```
//!
//! Without arguments it runs a server and two clients, and exits 0 if both heard what was said; with `declaration` it prints
//! what a Node program would import.

#![allow(clippy::print_stdout, reason = "a program, not a library")]

use ipc_tokio::contract::typescript::Declaration;
use ipc_tokio::{Client, ClientEvent, Config, Contract, Server};
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

/// What is said in a room, by anybody.
#[derive(Contract, Clone, Debug, PartialEq)]
#[contract(typescript)]
enum Chat {
    /// Somebody came, under this name.
    Joined(String),
    /// Somebody said something.
    Message { from: String, text: String },
    /// Whoever says this leaves.
    Left,
}

#[tokio::main]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("declaration") {
        print!("{}", Declaration::new().contract::<Chat>().text()?);
        return Ok(());
    }
    let server = Server::net(Some("127.0.0.1"), Some(0), Config::new("room"))?;
    server.on_typed(|peer, event: Chat| {
        println!("the room hears {event:?}");
        match event {
            Chat::Joined(who) => peer.emit_typed(&Chat::Message { from: "room".into(), text: format!("hello {who}!") }),
            Chat::Message { .. } => peer.emit_typed(&event),
            Chat::Left => Ok(()),
        }
    });
    server.start().await?;
    let port = server.local_endpoint().port();

    for who in ["ann", "bob"] {
        let client = Client::net(Some("127.0.0.1"), port, Config::new(who))?;
        let mut events = client.events();
        timeout(PATIENCE, client.connect()).await??;
        client.emit_typed(&Chat::Joined(who.to_owned()))?;
        client.emit_typed(&Chat::Message { from: who.to_owned(), text: "anybody here?".to_owned() })?;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            let event = timeout(PATIENCE, events.recv()).await?.ok_or("the client came to its end")?;
            // An event that is none of `Chat` would be an error here, that says which it is.
            if let ClientEvent::Message(message) = event {
                heard.push(Chat::try_from(&message)?);
            }
        }
        println!("{who} hears {heard:?}");
        let greeting = Chat::Message { from: "room".into(), text: format!("hello {who}!") };
        if heard[0] != greeting {
            return Err(format!("{who} was not greeted").into());
        }
        client.emit_typed(&Chat::Left)?;
        client.close().await?;
    }
    println!("both were heard; {:?}", server.shutdown(PATIENCE).await);
    Ok(())
}
