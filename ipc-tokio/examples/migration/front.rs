//! Half of the way: a Rust server where the Node service was, which answers one event itself and hands all others on.

use crate::contract::Answer;
use ipc_tokio::{Client, Config, Offline, Peer, ServeError, Server};
use serde::Deserialize;

#[derive(Deserialize)]
struct Quote {
    id: u64,
    item: String,
    count: u32,
}

/// Listens as `shelf`, and knows the Node service as `shelf-old`.
pub(crate) async fn serve(root: &str) -> Result<Server, ServeError> {
    let server = Server::new(Config::new("shelf").socket_root(root))?;

    // What has moved to Rust.
    server.on("quote", |peer, quote: Quote| {
        let price = if quote.item == "lamp" { 20 } else { 45 };
        peer.emit_typed(&Answer::Quoted { id: quote.id, total: price * u64::from(quote.count) })
    });

    // What has not: a connection to the Node service for each peer, so that answers find their way back.
    let upstream = Config::new("front").socket_root(root).offline(Offline::Buffer);
    server.on_connect(move |peer| match connect(peer.clone(), upstream.clone()) {
        Ok(client) => drop(peer.set(client)),
        Err(error) => {
            eprintln!("{error}");
            peer.abort();
        }
    });
    server.on_unhandled(|peer, event| match peer.get::<Client>() {
        Some(client) => client.emit_event(event),
        None => Ok(()),
    });
    // The client's handler holds the peer, and the peer the client: here the circle is cut.
    server.on_disconnect(|peer, _id| drop(peer.take::<Client>()));
    server.start().await?;
    Ok(server)
}

fn connect(peer: Peer, config: Config) -> Result<Client, ipc_tokio::ConnectError> {
    let client = Client::new("shelf-old", config)?;
    client.on_unhandled(move |event| peer.emit_event(event));
    client.start();
    Ok(client)
}
