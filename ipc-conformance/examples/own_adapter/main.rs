//! An adapter for a runtime of one's own, small enough to be read in one go, and an echo over it.
//!
//! ```text
//! cargo run -p ipc-conformance --example own_adapter
//! ```
//!
//! It needs the standard library and [`polling`], which is epoll, kqueue or what else the system has. `tests/behaviour_own_adapter.rs`
//! runs the whole behaviour suite on it. What an adapter has to keep in mind is said in `docs/writing-an-adapter.md`.

mod adapter;

use adapter::Own;
use ipc_driver::{Client, ClientEvent, Config, Peer, Server};
use std::time::Duration;

#[allow(clippy::print_stdout, reason = "it is what this program is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Own::start()?;
    runtime.block_on(async {
        // On Windows this adapter knows no named pipes, so the echo is over TCP everywhere.
        let server = Server::<Own>::net(Some("127.0.0.1"), Some(0), Config::new("world"))?;
        server.on_event("message", Peer::emit_event);
        server.start().await?;
        println!("listening at {}", server.local_endpoint());

        let client = Client::<Own>::net(Some("localhost"), server.local_endpoint().port(), Config::new("hello"))?;
        let mut events = client.events();
        client.connect().await?;
        client.emit("message", "hello")?;
        while let Some(event) = events.recv().await {
            if let ClientEvent::Message(message) = event {
                println!("the echo is {:?}", message.data::<String>()?);
                break;
            }
        }
        let report = server.shutdown(Duration::from_secs(5)).await;
        println!("{} connection was sent everything, {} were cut", report.clean, report.cut);
        client.close().await?;
        Ok(())
    })
}
