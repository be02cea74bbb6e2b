use ipc_tokio::{Client, Config, RequestError};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new("calculator", Config::new("me").socket_root("./"))?;
    client.connect().await?;
    println!("6 / 4 = {}", client.request::<f64>("divide", &(6, 4)).await?);
    match client.request::<f64>("divide", &(1, 0)).within(Duration::from_secs(2)).await {
        Err(RequestError::Remote { failure, .. }) => println!("1 / 0: {failure}"),
        other => println!("1 / 0: {other:?}"),
    }
    client.close().await?;
    Ok(())
}
