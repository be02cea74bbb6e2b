//! The stage of the example `hello`: the same program as server and as client, and clients of real node-ipc, each a process of
//! its own.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a part of programs")]

use crate::node::{NodeIpc, Version};
use crate::running::Running;
use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What a client says that got its answer.
const ANSWERED: &str = "got a message from world: hello world!";

/// What the example was started as.
#[derive(Debug)]
pub enum Part {
    /// Everything, as processes of their own.
    All,
    /// The server, with this `socketRoot`.
    Server(Option<String>),
    /// The client.
    Client(Option<String>),
}

impl Part {
    /// Reads the arguments of the program: nothing, or `server` or `client`, then a socketRoot if one likes.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut args = std::env::args().skip(1);
        let (part, root) = (args.next(), args.next());
        match part.as_deref() {
            None => Ok(Self::All),
            Some("server") => Ok(Self::Server(root)),
            Some("client") => Ok(Self::Client(root)),
            Some(part) => Err(format!("unknown part {part:?}: server or client, then a socketRoot if you like").into()),
        }
    }
}

/// Runs this program as server and as client, then clients of real node-ipc 9.2.1 and 14.0.0 where Node is present, and
/// shows what they say.
///
/// # Errors
///
/// If somebody got no answer.
pub fn run_all() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new()?;
    let root = format!("{}/", folder.0.display());
    let ourselves = std::env::current_exe()?;

    let mut server = Running::start("server", &ourselves, &["server".as_ref(), root.as_ref()])?;
    server.wait_for("listening")?;
    Running::start("client", &ourselves, &["client".as_ref(), root.as_ref()])?.finish(ANSWERED)?;

    for version in [Version::V9_2_1, Version::V14_0_0] {
        match NodeIpc::find(version) {
            Ok(found) => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ipc-tokio/examples/hello/client.mjs");
                let path = format!("{root}app.world");
                let package = found.package();
                let args: [&OsStr; 3] = [script.as_os_str(), package.as_os_str(), path.as_ref()];
                let name = format!("node-ipc {version}");
                Running::start(&name, found.node(), &args)?.finish(ANSWERED)?;
            }
            Err(missing) => eprintln!("*** node-ipc {version} takes no part: {missing} ***"),
        }
    }
    println!("everybody got an answer");
    Ok(())
}

/// A folder of our own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("ipc-hello-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
