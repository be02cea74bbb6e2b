use ipc_tokio::{Config, ServeError, Server};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?; // what `systemctl stop` sends
    let server = listener(Config::new("world").socket_root("./"))?;
    server.on("message", |peer, text: String| peer.emit("message", &format!("{text} world!")));
    server.on_error(|peer, error| eprintln!("peer {}: {error}", peer.id()));
    server.start().await?;
    println!("listening at {}", server.local_endpoint());

    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let report = server.shutdown(Duration::from_secs(5)).await;
    let lost = server.counters().traffic.sent.lost.total();
    println!("{} were sent everything, {} were cut, {} events lost", report.clean, report.cut, lost.events);
    Ok(())
}

/// The socket that systemd holds for us, or one of our own.
fn listener(config: Config) -> Result<Server, ServeError> {
    match ipc_tokio::inherited().map_err(ServeError::Given)?.into_iter().next() {
        Some(given) => Server::from_listener(given.socket, config),
        None => Server::new(config),
    }
}
