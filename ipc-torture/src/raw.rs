//! Peers that know no protocol: plain blocking sockets of the standard library, and the bytes they write.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a socket waits for bytes unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connected socket.
#[derive(Debug)]
pub enum Raw {
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

impl Raw {
    /// Connects to an endpoint by its text, `unix:PATH` or `tcp:HOST:PORT`.
    ///
    /// # Errors
    ///
    /// That of the system; for another text, that it is none of these.
    pub fn connect(endpoint: &str) -> io::Result<Self> {
        let raw = if let Some(path) = endpoint.strip_prefix("unix:") {
            Self::Unix(UnixStream::connect(path)?)
        } else if let Some(address) = endpoint.strip_prefix("tcp:") {
            Self::Tcp(TcpStream::connect(address)?)
        } else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no stream at {endpoint}")));
        };
        raw.wait_for(PATIENCE)?;
        Ok(raw)
    }

    /// How long a read may take from now on.
    ///
    /// # Errors
    ///
    /// That of the system.
    pub fn wait_for(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(Some(patience)),
            Self::Tcp(stream) => stream.set_read_timeout(Some(patience)),
        }
    }

    /// How long a write may take from now on.
    ///
    /// # Errors
    ///
    /// That of the system.
    pub fn push_for(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_write_timeout(Some(patience)),
            Self::Tcp(stream) => stream.set_write_timeout(Some(patience)),
        }
    }

    /// Ends our side of the stream.
    ///
    /// # Errors
    ///
    /// That of the system.
    pub fn finish(&self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    ///
    /// That of the system.
    pub fn again(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }

    /// Sends one event to be echoed, and says how long the answer took.
    ///
    /// # Errors
    ///
    /// That of the system, or that the answer was another.
    pub fn round_trip(&mut self) -> io::Result<Duration> {
        const ASKED: &[u8] = b"{\"type\":\"echo\",\"data\":\"round trip\"}\x0c";
        let began = Instant::now();
        self.write_all(ASKED)?;
        let mut answer = [0; ASKED.len()];
        self.read_exact(&mut answer)?;
        if answer != *ASKED {
            return Err(io::Error::other(format!("another answer: {}", String::from_utf8_lossy(&answer))));
        }
        Ok(began.elapsed())
    }

    /// Reads to the end of the stream, or its reset. `None` if neither comes in time.
    pub fn to_the_end(&mut self) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        match self.read_to_end(&mut read) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            _ => Some(read),
        }
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame: the event `name` with `data`, which is JSON text.
#[must_use]
pub fn frame(name: &str, data: &str) -> Vec<u8> {
    let name = serde_json::Value::from(name);
    format!("{{\"type\":{name},\"data\":{data}}}\x0c").into_bytes()
}

/// JSON text of an array in an array in an array, so many.
#[must_use]
pub fn nested(depth: usize) -> String {
    ["[".repeat(depth), "]".repeat(depth)].concat()
}
