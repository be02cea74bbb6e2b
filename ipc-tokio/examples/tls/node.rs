//! Real node-ipc as the other side, where Node is present.

use super::{PATIENCE, Result};
use ipc_testkit::node::{NodeIpc, Version};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// A version of node-ipc that is here.
pub(super) struct Node {
    pub(super) name: String,
    found: NodeIpc,
}

/// Those that are here; a message for each that is not.
pub(super) fn found() -> Vec<Node> {
    let mut all = Vec::new();
    for version in [Version::V9_2_1, Version::V14_0_0] {
        match NodeIpc::find(version) {
            Ok(found) => all.push(Node { name: format!("node-ipc {version}"), found }),
            Err(missing) => eprintln!("*** node-ipc {version} takes no part: {missing} ***"),
        }
    }
    all
}

/// A port that nobody uses. node-ipc takes port 0 for none.
pub(super) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A process whose lines are shown under its name. It ends with this value.
pub(super) struct Peer {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub(super) fn start(node: &Node, role: &str, port: u16, tls: &Value) -> Result<Self> {
        let mut child = Command::new(node.found.node())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node/tls.mjs"))
            .arg(role)
            .arg(node.found.package())
            .args([port.to_string(), tls.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self { name: format!("{role} of {}", node.name), child, lines: BufReader::new(output).lines() })
    }

    /// Waits for a line that begins so; gives the rest of it.
    pub(super) async fn wait_for(&mut self, start: &str) -> Result<String> {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await??;
            let line = line.ok_or_else(|| format!("the {} ended without saying {start:?}", self.name))?;
            println!("{:>24} | {line}", self.name);
            if let Some(rest) = line.strip_prefix(start) {
                return Ok(rest.to_owned());
            }
        }
    }

    /// Waits for the end, which must be a good one.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let status = timeout(PATIENCE, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the {} ended with {status}", self.name).into()) }
    }
}
