//! All of the way: the service in Rust.

use crate::contract::{Answer, Ask};
use ipc_tokio::{Config, EmitError, Peer, ServeError, Server};
use std::collections::BTreeMap;
use std::sync::Mutex;

struct Item {
    price: u64,
    left: u32,
}

/// Listens as `id`.
pub(crate) async fn serve(root: &str, id: &str) -> Result<Server, ServeError> {
    let server = Server::new(Config::new(id).socket_root(root))?;
    let stock = [("lamp", Item { price: 20, left: 7 }), ("chair", Item { price: 45, left: 2 })];
    let shelf = Mutex::new(BTreeMap::from(stock));
    // The lock is held while answers are queued, so that everybody hears of sales in their order.
    server.on_typed(move |peer, ask: Ask| {
        let mut shelf = shelf.lock().map_err(|_| "the shelf is broken")?;
        let (Ask::Quote { item, .. } | Ask::Reserve { item, .. }) = &ask;
        let found = shelf.get_mut(item.as_str()).ok_or("there is no such item")?;
        answer(peer, found, ask).map_err(|_| "the till does not read")
    });
    server.on_error(|peer, error| eprintln!("till {}: {error}", peer.id()));
    server.start().await?;
    Ok(server)
}

fn answer(peer: &Peer, found: &mut Item, ask: Ask) -> Result<(), EmitError> {
    match ask {
        Ask::Quote { id, count, .. } => peer.emit_typed(&Answer::Quoted { id, total: found.price * u64::from(count) }),
        Ask::Reserve { id, count, .. } if count > found.left => {
            peer.emit_typed(&Answer::Refused { id, left: found.left })
        }
        Ask::Reserve { id, item, count } => {
            found.left -= count;
            peer.emit_typed(&Answer::Reserved { id, left: found.left })?;
            peer.all().emit_typed(&Answer::Stock { item, left: found.left }).map(drop)
        }
    }
}
