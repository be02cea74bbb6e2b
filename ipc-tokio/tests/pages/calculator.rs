use ipc_tokio::{Config, Failure, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new(Config::new("calculator").socket_root("./"))?;
    server.on_request("divide", |_peer, numbers| divide(numbers));
    server.start().await?;
    println!("listening at {}", server.local_endpoint());
    tokio::signal::ctrl_c().await?;
    server.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}

fn divide((a, b): (f64, f64)) -> Result<f64, Failure> {
    if b == 0.0 { Err(Failure::new("ERR_DIVISION", "by zero")) } else { Ok(a / b) }
}
