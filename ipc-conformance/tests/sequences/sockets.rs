//! Unix, TCP and TLS sockets under one name, without blocking.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) enum Listener {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener, Option<Arc<ServerConfig>>),
}

pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Listener {
    pub(crate) fn bind(at: &Value, tls: &Value) -> io::Result<Self> {
        match at {
            Value::String(path) => {
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener, path.into()))
            }
            at => {
                let (host, port) = if at.is_object() { (&at["host"], &at["port"]) } else { (&Value::Null, at) };
                let listener = TcpListener::bind((host.as_str().unwrap_or("127.0.0.1"), number(port)))?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener, tls.is_object().then(|| server_config(tls))))
            }
        }
    }

    pub(crate) fn accept(&self) -> Option<Stream> {
        let stream = match self {
            Self::Unix(listener, _) => Stream::Unix(listener.accept().ok()?.0),
            Self::Tcp(listener, _) => Stream::Tcp(listener.accept().ok()?.0),
        };
        stream.set_up().ok()?;
        match (self, stream) {
            (Self::Tcp(_, Some(config)), Stream::Tcp(stream)) => {
                let connection = ServerConnection::new(Arc::clone(config)).ok()?;
                Some(Stream::Tls(Box::new(StreamOwned::new(connection, stream))))
            }
            (_, stream) => Some(stream),
        }
    }
}

impl Drop for Listener {
    /// As Node does.
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _may_be_gone = std::fs::remove_file(path);
        }
    }
}

impl Stream {
    pub(crate) fn connect(to: &Value) -> io::Result<Self> {
        let stream = match to {
            Value::String(path) => Self::Unix(UnixStream::connect(path)?),
            port => Self::Tcp(TcpStream::connect((Ipv4Addr::LOCALHOST, number(port)))?),
        };
        stream.set_up()?;
        Ok(stream)
    }

    fn set_up(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_nonblocking(true),
            Self::Tcp(stream) => stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)),
            Self::Tls(_) => Ok(()),
        }
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Tls(stream) => stream.sock.peer_addr().ok(),
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    pub(crate) fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.sock.shutdown(Shutdown::Write),
        }
    }

    pub(crate) fn reset_when_dropped(&self) {
        let descriptor = match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.sock.as_fd(),
        };
        SockRef::from(&descriptor).set_linger(Some(Duration::ZERO)).expect("sockets can linger");
    }
}

fn server_config(tls: &Value) -> Arc<ServerConfig> {
    let file = |name: &str| tls[name].as_str().expect("a file");
    let chain = CertificateDer::pem_file_iter(file("cert")).and_then(Iterator::collect).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("key")).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    Arc::new(builder.with_single_cert(chain, key).expect("they belong together"))
}

fn number(port: &Value) -> u16 {
    port.as_u64().and_then(|port| u16::try_from(port).ok()).expect("a path or a port")
}

/// The error as Node names it.
pub(crate) fn code(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "ECONNREFUSED".into(),
        ErrorKind::ConnectionReset => "ECONNRESET".into(),
        ErrorKind::BrokenPipe => "EPIPE".into(),
        ErrorKind::NotFound => "ENOENT".into(),
        ErrorKind::AddrInUse => "EADDRINUSE".into(),
        other => format!("{other:?}"),
    }
}
