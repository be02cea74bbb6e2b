//! Who is measured: servers as processes of this program.

use crate::options::Outcome;
use crate::process;
use crate::{by_hand, datagrams};
use ipc_testkit::load::Load;
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A thread for each connection that writes what it reads: the limit, for it knows nothing of events.
    Reflector,
    /// A server by hand that knows these loads and nothing else.
    ByHand,
    Tokio,
    Smol,
    AsyncStd,
}

impl Subject {
    pub(crate) const ALL: [Self; 5] = [Self::Reflector, Self::ByHand, Self::Tokio, Self::Smol, Self::AsyncStd];
    pub(crate) const ADAPTERS: [Self; 3] = [Self::Tokio, Self::Smol, Self::AsyncStd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reflector => "reflector",
            Self::ByHand => "by hand",
            Self::Tokio => "ipc-tokio",
            Self::Smol => "ipc-smol",
            Self::AsyncStd => "ipc-async-std",
        }
    }
}

/// A running server.
pub(crate) struct Server {
    process: Child,
    path: PathBuf,
    /// Where it is instead, if it was started over UDP.
    udp: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one, on the last processor or, with several threads, on all.
    pub(crate) fn start(subject: Subject, role: &str, threads: usize) -> Outcome<Self> {
        Self::with_names(subject, role, threads, 1)
    }

    /// The same, with handlers for so many names.
    pub(crate) fn with_names(subject: Subject, role: &str, threads: usize, names: usize) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("ipc-bench-").tempdir()?;
        let path = folder.path().join("socket");
        let listen = format!("unix:{}", path.display());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let process = Self::spawn(subject, &listen, role, threads, names)?;
        let server = Self { process, path, udp: nowhere, _folder: folder };
        server.ready(subject, threads, |server| UnixStream::connect(&server.path).is_ok())
    }

    /// An echo over UDP, on the last processor.
    pub(crate) fn over_udp(subject: Subject) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("ipc-bench-").tempdir()?;
        // Free a moment ago.
        let udp = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let process = Self::spawn(subject, &format!("udp:{udp}"), "echo", 1, 1)?;
        let server = Self { process, path: PathBuf::new(), udp, _folder: folder };
        server.ready(subject, 1, |server| datagrams::answers(server.udp))
    }

    fn spawn(subject: Subject, listen: &str, role: &str, threads: usize, names: usize) -> Outcome<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", subject.name(), "--listen", listen]);
        command.args(["--role", role, "--runtime-threads", &threads.to_string(), "--names", &names.to_string()]);
        // Threads that async-std starts by itself.
        Ok(command.env("ASYNC_STD_THREAD_COUNT", threads.to_string()).stdin(Stdio::null()).spawn()?)
    }

    fn ready(mut self, subject: Subject, threads: usize, is_there: impl Fn(&Self) -> bool) -> Outcome<Self> {
        let server = &mut self;
        for _ in 0..500 {
            if is_there(server) {
                let (first, last) = process::processors()?;
                let cpus = if threads > 1 { vec![first, last] } else { vec![last] };
                process::bind(Some(server.pid()), &cpus)?;
                return Ok(self);
            }
            if let Some(status) = server.process.try_wait()? {
                return Err(format!("{} ended: {status}", subject.name()).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{} does not listen", subject.name()).into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.udp
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Runs a load and gives what it says, with the processor time that the server took.
    pub(crate) fn during<T>(&self, load: impl FnOnce(&Self) -> Outcome<T>) -> Outcome<(T, Duration)> {
        let before = process::processor_time(self.pid())?;
        let outcome = load(self)?;
        Ok((outcome, process::processor_time(self.pid())?.saturating_sub(before)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours, and has nothing to lose.
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// The server's process: `serve NAME --listen …`.
pub(crate) fn serve(mut args: Vec<String>) -> Outcome {
    let name = if args.is_empty() { String::new() } else { args.remove(0) };
    let load = Load::parse(args)?;
    match name.as_str() {
        "reflector" if load.udp().is_some() => reflect_datagrams(load.udp()),
        "reflector" => reflect(&load.path().ok_or("the reflector listens on a path")?),
        "by hand" => by_hand::serve(&load.path().ok_or("the server by hand listens on a path")?, load.is_sink()),
        "ipc-tokio" => {
            use tokio::runtime::Builder;
            let mut builder =
                if load.threads > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
            let runtime = builder.worker_threads(load.threads).enable_io().enable_time().build()?;
            runtime.block_on(load.serve(ipc_tokio::Tokio::from(runtime.handle().clone())))
        }
        "ipc-smol" => {
            let executor = std::sync::Arc::new(smol::Executor::new());
            for _ in 1..load.threads {
                let executor = std::sync::Arc::clone(&executor);
                thread::spawn(move || smol::block_on(executor.run(std::future::pending::<()>())));
            }
            smol::block_on(executor.run(load.serve(ipc_smol::Smol::from(&executor))))
        }
        "ipc-async-std" => async_std::task::block_on(load.serve(ipc_async_std::AsyncStd)),
        other => Err(format!("no server is called {other:?}").into()),
    }
}

fn reflect_datagrams(at: Option<SocketAddr>) -> Outcome {
    let socket = UdpSocket::bind(at.ok_or("an address")?)?;
    let mut buffer = vec![0; 0xFFFF];
    loop {
        let (count, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..count], from)?;
    }
}

fn reflect(path: &Path) -> Outcome {
    let listener = UnixListener::bind(path)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        thread::Builder::new().stack_size(512 * 1024).spawn(move || {
            let mut buffer = vec![0; 256 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            // The processor time of a thread that has ended cannot be read any more.
            thread::sleep(Duration::from_secs(2));
        })?;
    }
    Ok(())
}
