//! Where a behaviour takes place: an endpoint that nobody else has, and handles that find each other there.

use super::{Joined, soon, spawn};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Config, Endpoint, Server, TlsOptions, build};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// What a behaviour is played over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// A Unix socket, a named pipe on Windows.
    Local,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// UDP.
    Udp,
}

/// A folder, an endpoint and a runtime. Everything goes with it.
pub struct Stage<R: Runtime> {
    runtime: R,
    transport: Transport,
    endpoint: Endpoint,
    folder: TempDir,
    /// Keeps the port from others, where a socket that does not listen can.
    _port: Option<Socket>,
}

impl<R: Runtime> Stage<R> {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// If there is no room for it on this machine.
    #[must_use]
    pub fn new(runtime: R, transport: Transport) -> Self {
        let folder = tempfile::Builder::new().prefix("ipc").tempdir().expect("a temporary folder");
        let settings = build(local(&folder)).expect("settings");
        let mut port = None;
        let endpoint = match transport {
            Transport::Local => Endpoint::local(&settings, None).expect("an endpoint"),
            Transport::Tcp | Transport::Tls => {
                let (socket, number) = reserved_port();
                port = socket;
                Endpoint::Tcp { host: "127.0.0.1".into(), port: number }
            }
            Transport::Udp => Endpoint::Udp4 { host: "127.0.0.1".into(), port: 0 },
        };
        if transport == Transport::Tls {
            crate::certificates::make(folder.path()).expect("certificates");
        }
        Self { runtime, transport, endpoint, folder, _port: port }
    }

    /// Another one, like this and with nothing on it.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.runtime.clone(), self.transport)
    }

    /// The runtime under test.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// What it is played over.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Where servers serve and clients look for them.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The address of the endpoint over TCP.
    ///
    /// # Panics
    ///
    /// Over a local socket.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.endpoint.port().expect("a port")))
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file of the local socket, where it is one.
    pub fn socket(&self) -> PathBuf {
        self.path("app.world")
    }

    /// The text of a certificate or a key that was made for a stage over TLS.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn pem(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).expect("a certificate")
    }

    /// A configuration for servers.
    pub fn config(&self) -> Config {
        let own = || TlsOptions::new().private(self.path("server.key")).public(self.path("server.crt"));
        local(&self.folder).tls((self.transport == Transport::Tls).then(own))
    }

    /// A configuration for clients.
    pub fn client_config(&self) -> Config {
        let trusted = || TlsOptions::new().trusted_connection(self.path("ca.crt"));
        local(&self.folder).id("hello").tls((self.transport == Transport::Tls).then(trusted))
    }

    /// A server, not started.
    pub fn server(&self) -> Server<R> {
        self.server_with(self.config())
    }

    /// A server with another configuration, not started.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn server_with(&self, config: Config) -> Server<R> {
        let settings = build(config).expect("settings");
        Server::with_runtime(self.runtime.clone(), settings, self.endpoint.clone()).expect("a server")
    }

    /// A client, not connecting.
    pub fn client(&self) -> Client<R> {
        self.client_with(self.client_config())
    }

    /// A client with another configuration, not connecting.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn client_with(&self, config: Config) -> Client<R> {
        self.client_at(self.endpoint.clone(), config)
    }

    /// A client of somewhere else, not connecting.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn client_at(&self, endpoint: Endpoint, config: Config) -> Client<R> {
        let settings = build(config).expect("settings");
        Client::with_runtime(self.runtime.clone(), settings, endpoint).expect("a client")
    }

    /// A client that is connected.
    ///
    /// # Panics
    ///
    /// If nobody answers.
    pub async fn connected(&self) -> Client<R> {
        let client = self.client();
        soon("connect", client.connect()).await.expect("connected");
        client
    }

    /// Whether somebody answers at the endpoint.
    pub fn is_served(&self) -> bool {
        match &self.endpoint {
            Endpoint::Local(_) if cfg!(unix) => self.socket().exists(),
            // A pipe is looked for by opening it.
            Endpoint::Local(address) => fs::OpenOptions::new().read(true).open(Path::new(address.as_str())).is_ok(),
            _ => TcpStream::connect(self.address()).is_ok(),
        }
    }

    /// Waits until something holds.
    ///
    /// # Panics
    ///
    /// If it does not come to that.
    pub async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        soon(what, async {
            while !condition() {
                self.sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Waits, by the timer of the runtime.
    pub async fn sleep(&self, duration: Duration) {
        super::tasks::sleep(&self.runtime, duration).await;
    }

    /// Runs a future in the background.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Joined<T> {
        spawn(&self.runtime, task)
    }
}

/// A configuration whose local sockets lie in the folder.
fn local(folder: &TempDir) -> Config {
    Config::new("world").socket_root(format!("{}/", folder.path().display())).retry(Duration::from_millis(20))
}

/// A port of this machine. On Linux it stays ours: a socket that is bound and does not listen keeps it from everybody who takes
/// any port, and not from those who ask for this one. Elsewhere nobody has it just now.
fn reserved_port() -> (Option<Socket>, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    if cfg!(target_os = "linux") {
        socket.set_reuse_address(true).expect("a socket option");
    }
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bound");
    let port = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address").port();
    (cfg!(target_os = "linux").then_some(socket), port)
}
