//! The runner's own end of a connection: bytes that no peer would write.

use std::io::{self, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;

use crate::matrix::failure::Outcome;
use crate::matrix::scenario::Transport;
use crate::matrix::stage::Stage;

/// A connection to the stage's server.
pub(super) enum Wire {
    #[cfg(unix)]
    Local(UnixStream),
    Tcp(TcpStream),
}

impl Wire {
    /// Connects; in clear also where the server speaks TLS.
    pub(super) fn connect(stage: &Stage<'_>) -> Outcome<Self> {
        #[cfg(unix)]
        if stage.transport == Transport::Unix {
            return Ok(Self::Local(UnixStream::connect(stage.place.path())?));
        }
        debug_assert!(stage.transport != Transport::Unix, "such cells are left out where there are no Unix sockets");
        let stream = TcpStream::connect(("127.0.0.1", stage.place.ports()[0]))?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Writes all of it at once.
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        Ok(self.write_all(bytes.as_ref())?)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Local(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
