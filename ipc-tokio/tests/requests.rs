//! Requests with real node-ipc at the other end, which answers and asks by `js/ipc-request.cjs`. (Among ourselves: the
//! behaviour suite.)
#![cfg(unix)]

#[path = "common/child.rs"]
mod child;
mod common;

use child::Running;
use common::{Place, soon};
use ipc_testkit::node::{NodeIpc, Version, or_skip};
use ipc_tokio::{Client, Config, Failure, Peer, RequestError, Server};
use std::process::{Command, Stdio};
use std::time::Duration;

fn node(version: Version, role: &str, place: &Place) -> Option<Running> {
    let found = or_skip(&format!("requests with node-ipc {version}"), NodeIpc::find(version))?;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests.mjs");
    let mut command = Command::new(found.node());
    command.arg(script).arg(role).arg(found.package()).arg(place.socket());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Some(Running::start(&mut command))
}

/// Our client asks a server of node-ipc, and is asked by it.
async fn our_client(version: Version) {
    let place = Place::new();
    let Some(node) = node(version, "server", &place) else { return };
    let (mut node, _) = node.hear_soon("serving").await;
    let config = Config::new("me").retry(Duration::from_millis(20));
    let client = Client::at_path(&place.socket().display().to_string(), config).expect("a client");
    client.on_request("name", |whose: String| Ok::<_, &str>(format!("{whose}: maria")));
    client.on_request("secret", |_: String| Err::<(), _>(Failure::new("ERR_SECRET", "never")));
    soon("connect", client.connect()).await.expect("connected");

    let sum = soon("a reply", client.request::<f64>("sum", &[1.0, 2.0, 3.5])).await.expect("a result");
    assert_eq!(sum, 6.5);
    // An ordinary handler of the same name sees the envelope.
    let seen;
    (node, seen) = node.hear_soon("seen ").await;
    assert_eq!(seen, "string [1,2,3.5]");
    let later = soon("a reply", client.request::<String>("later", "see you")).await.expect("a result");
    assert_eq!(later, "see you later");
    assert_eq!(soon("a reply", client.request::<Option<u8>>("nothing", &())).await.expect("undefined"), None);
    let error = soon("a reply", client.request::<u8>("fails", &())).await.expect_err("an error");
    let failure = error.failure().unwrap_or_else(|| panic!("{error}"));
    assert_eq!(failure.to_string(), "by zero (ERR_DIVISION)");
    assert_eq!(failure.data::<Vec<u8>>().expect("its data"), [1, 0]);
    let error = soon("a reply", client.request::<u8>("throws", &())).await.expect_err("an error");
    assert_eq!(error.failure().expect("a failure").to_string(), "a string (ERR_IPC_HANDLER)");
    // What cannot be written is an error as well, and ends nobody.
    for name in ["circle", "big", "big data", "odd result"] {
        let error = soon("a reply", client.request::<u8>(name, &())).await.expect_err("no JSON");
        let failure = error.failure().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(failure.code(), "ERR_IPC_RESULT", "{name}: {failure}");
        assert!(failure.to_string().starts_with("the result cannot be written: "), "{name}: {failure}");
    }
    let error = soon("a reply", client.request::<u8>("odd error", &())).await.expect_err("an error");
    assert_eq!(error.failure().expect("a failure").to_string(), "what was thrown cannot be written (ERR_IPC_HANDLER)");
    // What it throws becomes an error, whatever it is.
    let error = soon("a reply", client.request::<u8>("sum", &1)).await.expect_err("an error");
    assert!(error.failure().is_some(), "{error}");
    let error = soon("a reply", client.request::<u8>("later", "x")).await.expect_err("text");
    assert!(matches!(error, RequestError::Reply { .. }), "{error}");
    // It knows no such request, and says nothing.
    let unknown = client.request::<u8>("unknown", &1).within(Duration::from_millis(50));
    assert!(matches!(soon("the deadline", unknown).await, Err(RequestError::TimedOut { .. })));

    for (name, said) in [("name", "\"you: maria\""), ("secret", "ERR_SECRET never undefined")] {
        client.emit("ask me", name).expect("emitted");
        let told;
        (node, told) = node.hear_soon("client says ").await;
        assert_eq!(told, said);
    }
    assert_eq!(client.request_counters().late, 0);
    // The server dies.
    let pending = client.request::<u8>("unknown", &1);
    let (outcome, ()) = soon("the end", async { tokio::join!(pending, async { drop(node) }) }).await;
    assert!(matches!(outcome, Err(RequestError::Disconnected { .. })), "{outcome:?}");
}

/// A client of node-ipc asks our server, and is asked by it.
async fn our_server(version: Version) {
    let place = Place::new();
    let server = Server::at_path(&place.socket().display().to_string(), Config::new("world")).expect("a server");
    server.on_request("sum", |_, numbers: Vec<f64>| Ok::<_, &str>(numbers.iter().sum::<f64>()));
    server.on_request("fails", |_, (): ()| {
        Err::<(), _>(Failure::new("ERR_MINE", "as told").with_data("why").expect("text"))
    });
    server.on("never", |_, _: ipc_tokio::Message| {});
    server.on_request_async("wait", |_, n: u64| async move {
        tokio::time::sleep(Duration::from_millis(n * 10)).await;
        Ok::<_, &str>(n)
    });
    server.on_request_async("ask me back", |peer: Peer, numbers: Vec<u8>| async move {
        peer.request::<u8>("sum", &numbers).await
    });
    server.on_request_async("cut", |peer: Peer, _: u8| async move {
        peer.abort();
        std::future::pending::<Result<(), &str>>().await
    });
    server.start().await.expect("started");
    let Some(mut node) = node(version, "client", &place) else { return };
    let expected = [
        ("sum ", "6.5"),
        ("fails ", "ERR_MINE as told \"why\""),
        ("unknown ", "ERR_IPC_NO_HANDLER no handler for request \"unknown\" undefined"),
        ("never ", "ERR_IPC_TIMEOUT no reply to request \"never\" within 50 ms undefined"),
        ("all ", "[3,1,2]"),
        ("back ", "9"),
        ("circular ", "undefined Converting circular structure to"),
        ("cut ", "ERR_IPC_DISCONNECTED the connection ended before a reply to request \"cut\" came undefined"),
        // At once, and not after a minute.
        ("after ", "ERR_IPC_DISCONNECTED the connection ended before a reply to request \"sum\" came undefined"),
        ("nameless ", "undefined the name of a request must be a string undefined"),
    ];
    for (start, said) in expected {
        let heard;
        (node, heard) = node.hear_soon(start).await;
        assert_eq!(heard, said, "{start}");
    }
    node.hear_soon("done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_and_a_server_of_node_ipc_9_ask_each_other() {
    our_client(Version::V9_2_1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_and_a_server_of_node_ipc_14_ask_each_other() {
    our_client(Version::V14_0_0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_and_a_client_of_node_ipc_9_ask_each_other() {
    our_server(Version::V9_2_1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_server_and_a_client_of_node_ipc_14_ask_each_other() {
    our_server(Version::V14_0_0).await;
}
