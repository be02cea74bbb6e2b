//! Which node-ipc it may be: by what lies beside the process, and by what the server does. Never more than is known.

use super::network::PATIENCE;
use super::{Findings, tls};
use crate::address::Target;
use crate::exit::Outcome;
#[cfg(unix)]
use crate::sockets::Owner;
use ipc_tokio::{Client, ClientEvent};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a server that does not mind is given to do nothing.
const SILENCE: Duration = Duration::from_millis(500);

/// How long a server that may speak TLS is given to show a certificate.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// A message that is no event to any version, and does no harm to any.
const NO_EVENT: &[u8] = b"ipc doctor --probe";

/// By the packages that a Node process would load from its directory.
#[cfg(unix)]
pub(super) async fn process(findings: &mut Findings<'_>, owner: &Owner) -> Outcome {
    let Some(pid) = owner.pid else { return Ok(()) };
    let Ok(folder) = std::fs::read_link(format!("/proc/{pid}/cwd")) else { return Ok(()) };
    // What lies beside a program that is not Node has nothing to do with it.
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    if !program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node")) {
        return Ok(());
    }
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let script = command.split('\0').skip(1).find(|part| !part.starts_with('-')).map(|part| folder.join(part));
    let places = script.iter().flat_map(|script| script.ancestors().skip(1)).chain(folder.ancestors());
    for place in places {
        let package = place.join("node_modules/node-ipc/package.json");
        let Ok(text) = std::fs::read_to_string(&package) else { continue };
        let version = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
        let Some(version) = version["version"].as_str() else { continue };
        let text = format!("beside the process lies node-ipc {version} ({}); it may use another", package.display());
        return findings.note("version", text, None).await;
    }
    Ok(())
}

/// By what becomes of a connection that has said what is no event. `clear` is where it may be TLS that is spoken, unknown to us.
pub(super) async fn behaviour(
    findings: &mut Findings<'_>,
    target: &Target,
    clear: Option<SocketAddr>,
    probe: bool,
) -> Outcome {
    if !probe && clear.is_some() {
        let text = "whether that port is of TLS, and which node-ipc it is like, cannot be told without speaking to it";
        let help = "--probe tells: it sends one message that is no event, which a port of TLS answers with an alert or not at all, \
                    node-ipc 9 to 12 report, and node-ipc 14 closes the connection for";
        return findings.note("version", text, Some(help)).await;
    }
    if !probe {
        let text = "which node-ipc it is like cannot be told without speaking to it";
        let help =
            "--probe sends one message that is no event: node-ipc 9 to 12 report it, node-ipc 14 closes the connection";
        return findings.note("version", text, Some(help)).await;
    }
    if target.settings.is_raw() {
        return findings.note("version", "raw connections have no messages to be told by", None).await;
    }
    let Some(settings) = target.raw() else { return Ok(()) };
    let Ok(client) = Client::at(settings, target.endpoint.clone()) else { return Ok(()) };
    let mut events = client.events();
    client.start();
    let connected = async {
        loop {
            match events.recv().await {
                Some(ClientEvent::Connected) => break true,
                Some(ClientEvent::Destroyed) | None => break false,
                Some(_) => {}
            }
        }
    };
    if !matches!(tokio::time::timeout(PATIENCE, connected).await, Ok(true)) {
        return Ok(());
    }
    let message = [NO_EVENT, target.settings.delimiter().as_bytes()].concat();
    if client.emit_raw(&message).is_err() {
        return Ok(());
    }
    let mut speaks_tls = false;
    let ended = tokio::time::timeout(SILENCE, async {
        loop {
            match events.recv().await {
                // An alert: what a server of TLS says to what is none.
                Some(ClientEvent::Data(bytes)) => speaks_tls |= matches!(*bytes, [0x15, 0x03, ..]),
                Some(ClientEvent::Disconnected { .. } | ClientEvent::Destroyed) | None => break,
                Some(_) => {}
            }
        }
    });
    let ended = ended.await;
    if let (Ok(()), false, Some(address)) = (&ended, speaks_tls, clear) {
        // Servers of Node close the connection without an alert.
        speaks_tls = tls::is_spoken(address, HANDSHAKE).await;
    }
    if speaks_tls {
        client.disconnect();
        let help = "use tls: instead of tcp:; --ca names what to trust";
        return findings.problem("tls", "TLS is spoken there: that port is encrypted", help).await;
    }
    let text = match ended {
        Ok(()) => {
            "it closes the connection on what is no event: as node-ipc 14 does, and this project with a preset of v14"
        }
        Err(_) => {
            "it says nothing to what is no event: as node-ipc 9 to 12, which go on, and this project with the preset v9; or as a process \
             that does not read"
        }
    };
    client.disconnect();
    findings.note("version", text, None).await
}
