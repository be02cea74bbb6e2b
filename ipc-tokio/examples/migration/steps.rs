//! Every step of the way, each with the same till in Node, which must see no difference.

use crate::contract::Answer;
use crate::{front, shelf, till};
use ipc_testkit::node::NodeIpc;
use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the till in Node prints.
const SOLD: &str = "quoted {\"total\":60}\nreserved {\"left\":4}\nstock lamp 4\nrefused {\"left\":4}\n";

/// The whole migration, with this node-ipc.
pub(crate) async fn all(node: &NodeIpc, folder: &Path) -> Result<()> {
    let root = format!("{}/", folder.display());

    println!("1. the Node service alone");
    let service = service(node, &root, "shelf").await?;
    expect("the Node service", &node_till(node, &root).await?)?;

    println!("2. the Rust service beside it, tried out under another name");
    let beside = shelf::serve(&root, "shelf-next").await?;
    check(&till::sell(&root, "shelf-next").await?)?;
    beside.shutdown(PATIENCE).await;
    end(service).await?;

    println!("3. Rust in front, Node behind");
    let service = self::service(node, &root, "shelf-old").await?;
    let front = front::serve(&root).await?;
    expect("the front", &node_till(node, &root).await?)?;
    check(&till::sell(&root, "shelf").await?)?;
    front.shutdown(PATIENCE).await;
    end(service).await?;

    println!("4. Rust alone");
    let server = shelf::serve(&root, "shelf").await?;
    expect("the Rust service", &node_till(node, &root).await?)?;
    check(&till::sell(&root, "shelf").await?)?;
    server.shutdown(PATIENCE).await;
    Ok(())
}

/// The last step, without Node.
pub(crate) async fn rust_only(folder: &Path) -> Result<()> {
    let root = format!("{}/", folder.display());
    let server = shelf::serve(&root, "shelf").await?;
    check(&till::sell(&root, "shelf").await?)?;
    server.shutdown(PATIENCE).await;
    Ok(())
}

fn check(heard: &[Answer]) -> Result<()> {
    println!("   the till in Rust heard {heard:?}");
    let expected = [Answer::Reserved { id: 1, left: 1 }, Answer::Stock { item: "chair".into(), left: 1 }];
    if heard == expected { Ok(()) } else { Err(format!("heard {heard:?}, expected {expected:?}").into()) }
}

fn expect(whom: &str, said: &str) -> Result<()> {
    if said == SOLD { Ok(()) } else { Err(format!("with {whom} the till says {said:?}, not {SOLD:?}").into()) }
}

fn script(node: &NodeIpc, name: &str, args: &[&str]) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/migration/node");
    let mut command = Command::new(node.node());
    // So that `require` finds the version that is wanted.
    command.env("NODE_PATH", node.package().parent().unwrap_or(Path::new(""))).env_remove("NODE_OPTIONS");
    command.arg(folder.join(name)).args(args).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    command
}

async fn service(node: &NodeIpc, root: &str, id: &str) -> Result<Child> {
    let mut child = script(node, "service.cjs", &[root, id]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    match timeout(PATIENCE, lines.next_line()).await?? {
        Some(line) if line == "open" => Ok(child),
        other => Err(format!("the service says {other:?}").into()),
    }
}

async fn end(mut service: Child) -> Result<()> {
    service.kill().await?;
    Ok(())
}

/// Runs the till in Node to its end, and returns what it prints.
async fn node_till(node: &NodeIpc, root: &str) -> Result<String> {
    let output = timeout(PATIENCE, script(node, "client.cjs", &[root]).output()).await??;
    if !output.status.success() {
        return Err(format!("the till ended with {}", output.status).into());
    }
    let said = String::from_utf8(output.stdout)?;
    print!("{}", said.lines().map(|line| format!("   till | {line}\n")).collect::<String>());
    Ok(said)
}
