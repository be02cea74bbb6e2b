//! A till in Rust, beside those in Node.

use crate::contract::{Answer, Ask};
use ipc_tokio::{Client, ClientEvent, Config};
use std::error::Error;

/// Reserves a chair, and returns what the shelf has said until everybody was told.
pub(crate) async fn sell(root: &str, id: &str) -> Result<Vec<Answer>, Box<dyn Error>> {
    let client = Client::new(id, Config::new("till").socket_root(root))?;
    let mut events = client.events();
    client.connect().await?;
    client.emit_typed(&Ask::Reserve { id: 1, item: "chair".into(), count: 1 })?;
    let mut heard = Vec::new();
    while !matches!(heard.last(), Some(Answer::Stock { .. })) {
        if let ClientEvent::Message(message) = events.recv().await.ok_or("the client has ended")? {
            heard.push(Answer::try_from(&message)?);
        }
    }
    client.close().await?;
    Ok(heard)
}
