//! A folder as a reader has it, and the reader's terminals: a program in each, and what it says.

use ipc_testkit::node::NodeIpc;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// Names the program that a child is.
pub(crate) const ROLE: &str = "IPC_PAGE_PROGRAM";

/// What has the test program run one of them.
const ARGUMENTS: [&str; 3] = ["role", "--exact", "--nocapture"];

/// How long a line, or an end, may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages")
}

/// The reader's folder, with the files of the page in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::Builder::new().prefix("ipc").tempdir().expect("a folder"));
        for name in ["hello.cjs", "world.cjs", "secure.cjs", "ask.cjs", "server.json", "client.json"] {
            fs::copy(sources().join(name), folder.path(name)).expect(name);
        }
        let helper = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js/ipc-request.cjs");
        fs::copy(helper, folder.path("ipc-request.cjs")).expect("the helper");
        folder
    }

    pub(crate) fn with_node_ipc(node: &NodeIpc) -> Self {
        let folder = Self::new();
        folder.add_node_ipc(node);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `npm install node-ipc@…` does, for a package that is installed elsewhere.
    pub(crate) fn add_node_ipc(&self, node: &NodeIpc) {
        let modules = self.path("node_modules");
        // Of another version.
        let _absent = fs::remove_file(&modules);
        let installed = node.package();
        std::os::unix::fs::symlink(installed.parent().expect("node_modules"), modules).expect("a link");
    }

    /// Makes the certificates as the page does, and gives the test a port of its own.
    pub(crate) fn certify(&self) {
        if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok() {
            let script = sources().join("certificates.sh");
            let made = Command::new("sh").arg(script).current_dir(self.0.path()).stderr(Stdio::null()).status();
            assert!(made.expect("a shell").success(), "openssl makes certificates");
        } else {
            // Written to the real stderr: the test harness hides what tests print.
            let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: the commands for openssl, which is not here ***\n");
            for who in ["server", "client"] {
                let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
                fs::write(self.path(who).with_extension("key"), made.key_pair.serialize_pem()).expect("written");
                fs::write(self.path(who).with_extension("pub"), made.cert.pem()).expect("written");
            }
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        for name in ["server.json", "client.json"] {
            self.replace(name, "8443", &port.to_string());
        }
    }

    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).expect(name);
        assert!(text.contains(old), "{name} has no {old}");
        fs::write(self.path(name), text.replace(old, new)).expect(name);
    }
}

/// A program that runs in the folder. It is killed when this is dropped.
pub(crate) struct Program {
    name: String,
    /// Protects the process; held to ask for its end.
    child: Mutex<Child>,
    lines: Receiver<String>,
}

impl Program {
    /// One of the programs in Rust: this test program once more.
    pub(crate) fn rust(name: &str, folder: &Folder) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(ARGUMENTS).env(ROLE, name).stdin(Stdio::null());
        Self::start(name, command, folder)
    }

    /// The same, with a listening socket where systemd puts it.
    pub(crate) fn activated(name: &str, folder: &Folder, listener: OwnedFd) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\""]);
        command.arg(std::env::current_exe().expect("this program"));
        command.args(ARGUMENTS).env(ROLE, name).stdin(listener);
        Self::start(name, command, folder)
    }

    pub(crate) fn node(script: &str, node: &NodeIpc, folder: &Folder) -> Self {
        let mut command = Command::new(node.node());
        command.arg(script).env_remove("NODE_OPTIONS").env_remove("NODE_PATH").stdin(Stdio::null());
        Self::start(&format!("{script} with node-ipc {}", node.version()), command, folder)
    }

    fn start(name: &str, mut command: Command, folder: &Folder) -> Self {
        command.current_dir(folder.0.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect(name);
        let (sender, lines) = mpsc::channel();
        let outputs: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|it| Box::new(it) as _), child.stderr.take().map(|it| Box::new(it) as _)];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // Nobody may be waiting for lines any more.
                    let _unheard = sender.send(line);
                }
            });
        }
        Self { name: name.to_owned(), child: Mutex::new(child), lines }
    }

    /// Waits for a line with this in it. (What runs a test may put words of its own before.)
    pub(crate) fn says(&self, what: &str) {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(what) => return,
                Ok(line) => heard.push(line),
                Err(_) => panic!("{} did not say {what:?}, but {heard:#?}", self.name),
            }
        }
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.lock().expect("the process").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
    }

    pub(crate) fn ends_well(&self) {
        let status = self.end();
        assert!(status.success(), "{} ended with {status}: {:#?}", self.name, self.lines.iter().collect::<Vec<_>>());
    }

    pub(crate) fn ends_badly(&self) {
        let status = self.end();
        assert!(!status.success(), "{} ended well", self.name);
    }

    fn end(&self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.lock().expect("the process").try_wait().expect("its status") {
                return status;
            }
            assert!(Instant::now() < deadline, "{} does not end", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.child.lock().expect("the process");
        // It may have ended already.
        let _dead_already = child.kill();
        let _status = child.wait();
    }
}
