//! A handler that panics ends its own connection and nothing else. So does a runtime that drops its tasks.

use crate::world::*;
use ipc_driver::EmitError;
use ipc_driver::fake::Fake;
use ipc_driver::runtime::Runtime;

#[test]
fn a_panic_in_a_handler_ends_its_connection_and_no_other() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    let (log, gone) = (Log::default(), Log::default());
    let (one, two) = (log.clone(), gone.clone());
    server.on("n", move |_, n: u64| one.push(n));
    server.on("panic", |_, (): ()| -> () { panic!("as told") });
    server.on_disconnect(move |peer, _| two.push(peer.id().get()));
    let (mut bad, mut good) = (dial(&runtime), dial(&runtime));
    let peer = server.peers().remove(0);
    runtime.block_on(bad.send(b"{\"type\":\"panic\"}\x0c")).unwrap();
    peer.emit("n", &1).unwrap();
    runtime.run();
    assert_eq!(runtime.panics(), ["as told"]);
    assert!(peer.is_closed());
    assert_eq!(server.len(), 1);
    assert!(matches!(peer.emit("n", &1), Err(EmitError::Closed)));
    assert!(runtime.block_on(peer.close()).is_err_and(|error| error.unsent.messages == 1));
    assert_eq!(gone.take(), [0]);
    runtime.block_on(good.send(frame("n", 1).as_bytes())).unwrap();
    runtime.run();
    assert_eq!(log.take(), [1]);
    let _third = dial(&runtime);
    assert_eq!(server.len(), 2);
    drop(good);
    let report = runtime.block_on(server.shutdown(SECOND));
    assert_eq!(report.cut, 0);
}

#[test]
fn a_panic_of_a_lifecycle_handler_leaves_no_peer_behind() {
    for which in ["connect", "disconnect"] {
        let runtime = Fake::new(2);
        let server = serve(&runtime, config());
        if which == "connect" {
            server.on_connect(|_| panic!("as told"));
        } else {
            server.on_disconnect(|_, _| panic!("as told"));
        }
        let end = dial(&runtime);
        let peer = server.peers().first().cloned();
        drop(end);
        runtime.run();
        assert!(!runtime.panics().is_empty());
        assert!(server.is_empty());
        assert!(peer.is_none_or(|peer| peer.is_closed()));
    }
}

#[test]
fn a_panic_in_a_handler_of_a_client_ends_the_client() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let log = client_lifecycle(&client);
    client.on("panic", |(): ()| -> () { panic!("as told") });
    server.broadcast("panic", &()).unwrap();
    let waiting = client.clone();
    runtime.spawn(async move { waiting.destroyed().await });
    runtime.run();
    assert_eq!(runtime.panics(), ["as told"]);
    assert!(client.is_destroyed());
    assert!(matches!(client.emit("n", &1), Err(EmitError::Closed)));
    runtime.block_on(client.close()).unwrap();
    assert_eq!(log.take(), ["disconnected, 0 unsent", "destroyed"]);
    runtime.run();
    assert!(server.is_empty());
}

#[test]
fn a_runtime_that_drops_its_tasks_leaves_nobody_waiting() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let peer = server.peers().remove(0);
    peer.emit("n", &1).unwrap();
    client.emit("n", &1).unwrap();
    runtime.drop_tasks();
    assert!(peer.is_closed() && server.is_empty() && client.is_destroyed());
    assert!(runtime.block_on(client.close()).is_err_and(|error| error.unsent.messages == 1));
    assert!(runtime.block_on(peer.close()).is_err_and(|error| error.unsent.messages == 1));
    runtime.block_on(server.shutdown(SECOND));
    assert!(!server.is_listening());
}
