use ipc_tokio::{Config, Server};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new(Config::new("world").socket_root("./"))?;
    server.on_error(|peer, error| eprintln!("peer {}: {error}", peer.id()));
    server.on("message", |peer, text: String| {
        println!("got {text:?} from peer {}", peer.id());
        peer.emit("message", &format!("{text} world!"))
    });
    server.start().await?;
    println!("listening at {}", server.local_endpoint());

    tokio::signal::ctrl_c().await?;
    let report = server.shutdown(Duration::from_secs(5)).await;
    println!("{} connections were still open, {} of them cut", report.clean + report.cut, report.cut);
    Ok(())
}
