use ipc_tokio::{Client, ClientEvent, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new("world", Config::new("hello").socket_root("./"))?;
    client.on_error(|error| eprintln!("{error}"));
    let mut events = client.events();
    client.connect().await?; // tries until the server is there
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
