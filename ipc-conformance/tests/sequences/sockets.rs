//! Unix and TCP sockets under one name, without blocking.

use serde_json::Value;
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) enum Listener {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener),
}

pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Listener {
    pub(crate) fn bind(at: &Value) -> io::Result<Self> {
        match at {
            Value::String(path) => {
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener, path.into()))
            }
            port => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number(port)))?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener))
            }
        }
    }

    pub(crate) fn accept(&self) -> Option<Stream> {
        let stream = match self {
            Self::Unix(listener, _) => Stream::Unix(listener.accept().ok()?.0),
            Self::Tcp(listener) => Stream::Tcp(listener.accept().ok()?.0),
        };
        stream.set_up().ok()?;
        Some(stream)
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
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        }
    }

    pub(crate) fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    pub(crate) fn reset_when_dropped(&self) {
        let descriptor = match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        };
        SockRef::from(&descriptor).set_linger(Some(Duration::ZERO)).expect("sockets can linger");
    }
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
