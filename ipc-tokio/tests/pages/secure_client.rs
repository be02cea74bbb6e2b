use ipc_tokio::{Client, ClientEvent, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_json(&std::fs::read_to_string("client.json")?)?;
    let client = Client::net(None, None, config)?;
    client.on_error(|error| eprintln!("{error}"));
    let mut events = client.events();
    client.connect().await?; // the handshake is done, and the server is the one we trust
    client.emit("message", "hello")?;
    while let Some(event) = events.recv().await {
        if let ClientEvent::Message(message) = event {
            println!("{} says {:?}", message.name(), message.data::<String>()?);
            break;
        }
    }
    client.close().await?;
    Ok(())
}
