use ipc_tokio::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_json(&std::fs::read_to_string("server.json")?)?;
    let server = Server::net(None, None, config)?;
    server.set_logger(|line| eprintln!("{line}"));
    server.on("message", |peer, text: String| {
        if let (Some(version), Some(address)) = (peer.remote().tls, peer.remote().address) {
            println!("got {text:?} over {version:?} from {address}");
        }
        peer.emit("message", &format!("{text} world!"))
    });
    server.start().await?;
    println!("listening at {}", server.local_endpoint());
    tokio::signal::ctrl_c().await?;
    server.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}
