//! The contract with real node-ipc at the other end, of the oldest and the newest version and in both roles.

use crate::{FromRoom, Place, ToRoom, everything};
use ipc_testkit::node::{NodeIpc, Version, or_skip};
use ipc_testkit::running::Running;
use ipc_tokio::{Client, Config, Message, Server, ServerEvent};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const VERSIONS: [Version; 2] = [Version::V9_2_1, Version::V14_0_0];

fn start(found: &NodeIpc, role: &str, socket: &Path) -> Running {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/room.mjs");
    let package = found.package();
    let args: [&OsStr; 4] = [script.as_ref(), role.as_ref(), package.as_ref(), socket.as_ref()];
    Running::start(&format!("node-ipc {}", found.version()), found.node(), &args).unwrap()
}

fn socket() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("room");
    (folder, path)
}

/// What the peer prints of an event.
fn line(message: &Message) -> String {
    format!("[{},{}]", message.name_json(), message.data_json().unwrap())
}

#[tokio::test]
async fn a_server_with_a_contract_and_a_client_in_node() {
    for version in VERSIONS {
        let Some(found) = or_skip(&format!("node-ipc {version}"), NodeIpc::find(version)) else { return };
        let (_folder, path) = socket();
        let server = Server::at_path(path.to_str().unwrap(), Config::new("room")).unwrap();
        let (heard, mut all) = unbounded_channel();
        server.on_typed(move |peer, event: ToRoom| {
            if event == ToRoom::Leave {
                for event in everything() {
                    peer.emit_typed(&event)?;
                }
            }
            heard.send(event).map_err(ipc_tokio::BoxError::from)
        });
        let (failed, mut errors) = unbounded_channel();
        server.on_error(move |_, error| failed.send(error.to_string()).unwrap());
        let mut events = server.events();
        server.start().await.unwrap();

        let mut client = start(&found, "client", &path);
        for expected in [
            ToRoom::Join("ann".into()),
            ToRoom::Say { text: "hi".into(), reply_to: None },
            ToRoom::Say { text: "hi".into(), reply_to: Some(3) },
            ToRoom::Move(0.5, 2.0),
            ToRoom::Leave,
        ] {
            assert_eq!(timeout(PATIENCE, all.recv()).await.unwrap(), Some(expected), "{version}");
        }
        assert!(timeout(PATIENCE, errors.recv()).await.unwrap().unwrap().contains("\"join\""));
        let unheard = async {
            loop {
                if let ServerEvent::Message(_, message) = events.recv().await.unwrap() {
                    return message;
                }
            }
        };
        assert_eq!(timeout(PATIENCE, unheard).await.unwrap().name(), "unheard of");
        tokio::task::spawn_blocking(move || {
            for event in everything() {
                let message = Message::encode(&event).unwrap();
                // JavaScript has one kind of numbers.
                client.wait_for(&line(&message).replace("-1.0", "-1")).unwrap();
            }
        })
        .await
        .unwrap();
        server.shutdown(PATIENCE).await;
    }
}

#[tokio::test]
async fn a_client_with_a_contract_and_a_server_in_node() {
    for version in VERSIONS {
        let Some(found) = or_skip(&format!("node-ipc {version}"), NodeIpc::find(version)) else { return };
        let (_folder, path) = socket();
        let mut server = start(&found, "server", &path);
        server.wait_for("listening").unwrap();
        let client = Client::at_path(path.to_str().unwrap(), Config::new("ann")).unwrap();
        let (heard, mut all) = unbounded_channel();
        client.on_typed(move |event: FromRoom| heard.send(event));
        timeout(PATIENCE, client.connect()).await.unwrap().unwrap();
        for event in [
            ToRoom::Join("ann".into()),
            ToRoom::Say { text: "hi".into(), reply_to: Some(3) },
            ToRoom::Say { text: "hi".into(), reply_to: None },
            ToRoom::Move(0.5, -2.5),
            ToRoom::Leave,
        ] {
            client.send_typed(&event).await.unwrap();
            let line = line(&Message::encode(&event).unwrap());
            server = tokio::task::spawn_blocking(move || {
                server.wait_for(&line).unwrap();
                server
            })
            .await
            .unwrap();
        }
        let moved = FromRoom::Moved(Place::At { x: 1.0, y: 2.0 });
        assert_eq!(timeout(PATIENCE, all.recv()).await.unwrap(), Some(moved), "{version}");
        assert_eq!(timeout(PATIENCE, all.recv()).await.unwrap(), Some(FromRoom::Left("ann".into())), "{version}");
        client.close().await.unwrap();
    }
}
