//! Real node-ipc peers: which versions, which Node runs them, and how a test asks for one. Installing the packages is
//! `install`'s business, driving the process is [`PeerProcess`]'s.

mod install;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process::{PeerProcess, ProcessError};

/// The published versions that peers run. No other is ever installed: node-ipc has had malicious releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// 9.2.1, the line that node-ipc's classic README describes.
    V9_2_1,
    /// 12.0.0, the first line of ES modules.
    V12_0_0,
    /// 14.0.0, the current line, with the parsers fast, guarded and assured.
    V14_0_0,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V9_2_1, Self::V12_0_0, Self::V14_0_0];

    /// The version number, as npm writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V9_2_1 => "9.2.1",
            Self::V12_0_0 => "12.0.0",
            Self::V14_0_0 => "14.0.0",
        }
    }

    /// The version with this number.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a real peer cannot be had on this machine.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Missing(String);

impl Missing {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Turns "cannot be had" into a skipped test that nobody overlooks, and into a failed one where the environment variable `CI`
/// is set.
///
/// # Panics
///
/// If `CI` is set and the thing is missing.
pub fn or_skip<T>(what: &str, found: Result<T, Missing>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(missing) => {
            // Written to the real stderr: the test harness hides what tests print.
            let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: {what}: {missing} ***\n");
            assert!(!in_ci(), "{what} must be tested where CI is set: {missing}");
            None
        }
    }
}

/// Whether this is a continuous-integration run, where nothing may be skipped.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// The `node` on the search path.
///
/// # Errors
///
/// [`Missing`] if there is none that runs.
pub fn system_node() -> Result<PathBuf, Missing> {
    let found = node_version(Path::new("node"));
    found.map(|_| PathBuf::from("node")).ok_or_else(|| Missing::new("no `node` on the search path"))
}

/// Major and minor version of a Node binary.
fn node_version(node: &Path) -> Option<(u32, u32)> {
    let output = Command::new(node).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// An installed and audited node-ipc, ready to be started.
#[derive(Clone, Debug)]
pub struct NodeIpc {
    version: Version,
    node: PathBuf,
    root: PathBuf,
}

impl NodeIpc {
    /// Finds a version, and installs it on first use.
    ///
    /// The environment variable `NODE_IPC_ROOT` names an installation to use instead of the project's own (folders
    /// `v<version>` and `node22`); it is audited just the same.
    ///
    /// # Errors
    ///
    /// [`Missing`] if node or npm is not there, the registry cannot be reached, or a file is not the audited one.
    pub fn find(version: Version) -> Result<Self, Missing> {
        install::find(version)
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The Node that runs this version.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// The folder of the installed package.
    pub fn package(&self) -> PathBuf {
        self.root.join(format!("v{}", self.version)).join("node_modules").join("node-ipc")
    }

    /// The command that starts this version's peer; the options are its one argument, still to be added.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.node);
        command
            .arg(folder().join("peer.mjs"))
            .env("NODE_IPC_ROOT", &self.root)
            .env_remove("NODE_OPTIONS")
            .env_remove("NODE_PATH");
        command
    }

    /// Starts a peer with these options and waits for its ready line.
    ///
    /// # Errors
    ///
    /// See [`PeerProcess::start`].
    pub fn spawn(&self, options: Value) -> Result<PeerProcess, ProcessError> {
        let mut options = options;
        options["version"] = self.version.as_str().into();
        PeerProcess::start(self.command(), &options, Duration::from_secs(20))
    }
}

/// The compiler of TypeScript, of a pinned version, and the types of node-ipc.
#[derive(Clone, Debug)]
pub struct TypeScript {
    node: PathBuf,
    folder: PathBuf,
}

impl TypeScript {
    /// Finds it, and installs it on first use.
    ///
    /// # Errors
    ///
    /// [`Missing`] if node or npm is not there, or the registry cannot be reached.
    pub fn find() -> Result<Self, Missing> {
        install::typescript()
    }

    /// Type-checks a file and what it imports, as strictly as the compiler can, and writes nothing.
    ///
    /// # Errors
    ///
    /// What the compiler says, a line for each error.
    ///
    /// # Panics
    ///
    /// If the compiler does not run.
    pub fn check(&self, file: &Path) -> Result<(), String> {
        self.run(
            self.compiler()
                .args(["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"])
                .args(["--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"])
                // Not the DOM, which is most of the work.
                .args(["--lib", "es2022", "--skipLibCheck"])
                .arg(file),
        )
    }

    /// Type-checks all files of a folder as its `tsconfig.json` says, and writes nothing.
    ///
    /// # Errors
    ///
    /// What the compiler says, a line for each error, which begins with the file's path from that folder.
    ///
    /// # Panics
    ///
    /// If the compiler does not run.
    pub fn check_project(&self, folder: &Path) -> Result<(), String> {
        self.run(self.compiler().args(["--noEmit", "--project", "."]).current_dir(folder))
    }

    /// The folder in which the packages are: the programs of a folder inside it find the types of node-ipc.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn compiler(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(self.folder.join("node_modules/typescript/bin/tsc")).args(["--pretty", "false"]);
        command
    }

    fn run(&self, compiler: &mut Command) -> Result<(), String> {
        let output = compiler
            .stdin(Stdio::null())
            .env_remove("NODE_OPTIONS")
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.node.display()));
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stdout).into_owned()) }
    }
}

/// Starts a real node-ipc peer, or skips the test loudly.
///
/// # Panics
///
/// If the peer is installed but does not start, and where `CI` is set also if it cannot be installed.
pub fn node_peer(version: Version, options: Value) -> Option<PeerProcess> {
    let found = or_skip(&format!("node-ipc {version}"), NodeIpc::find(version))?;
    match found.spawn(options) {
        Ok(peer) => Some(peer),
        Err(error) => panic!("node-ipc {version} does not start: {error}"),
    }
}

/// The folder of scripts and lock files.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}
