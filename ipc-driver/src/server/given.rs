//! Servers on a socket that listens already: opened elsewhere in this process, by a parent, by systemd, or by a process
//! that is to be relieved.

use super::{Server, Shared};
use crate::error::ServeError;
#[cfg(unix)]
use crate::handover::{Claim, claim, on_thread};
use crate::net::Listening;
#[cfg(unix)]
use crate::runtime::Listener;
use crate::runtime::{Ambient, Runtime};
use ipc_proto::{Config, Endpoint, Settings};
use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Where a server gets its socket from.
pub(super) enum Given {
    /// It binds one, each time it starts.
    Nothing,
    /// This one.
    Socket(Listening),
    /// This one, on which another process still serves.
    #[cfg(unix)]
    Claimed(Listening, Claim),
    /// It was given one, and has used it.
    Used,
}

/// The place for it. The lock protects nothing else.
pub(super) struct Gift(Mutex<Given>);

impl Default for Gift {
    fn default() -> Self {
        Self(Mutex::new(Given::Nothing))
    }
}

impl Gift {
    fn set(&self, given: Given) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = given;
    }

    /// Takes the socket, if there is one. It is given once.
    pub(super) fn take(&self) -> Given {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *given {
            Given::Nothing => Given::Nothing,
            _ => std::mem::replace(&mut *given, Given::Used),
        }
    }

    /// Whether the server binds its socket itself: nobody else listens on it.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Given::Nothing)
    }

    /// Whether another process serves on the socket, and is to be told.
    pub(super) fn is_claimed(&self) -> bool {
        #[cfg(unix)]
        {
            matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Given::Claimed(..))
        }
        #[cfg(not(unix))]
        {
            false
        }
    }
}

impl<R: Ambient> Server<R> {
    /// A server on a socket that listens already, not started yet: a listener of the standard library, or a [`Listening`].
    ///
    /// [`stop`](Self::stop) closes the socket, and the server cannot be started again. The file of a Unix socket is left
    /// alone, unless it comes with the socket ([`Listening::bind`], [`Listening::owning_file`]); modes, groups,
    /// `unlink` and the like are for whoever binds it. The socket becomes non-blocking, for every process that shares it.
    /// With `tls` in the configuration a TCP server speaks TLS.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`ServeError::Given`] if the socket has no address that can be told.
    pub fn from_listener(listener: impl Into<Listening>, config: Config) -> Result<Self, ServeError> {
        let runtime = R::ambient().map_err(ServeError::Runtime)?;
        Self::with_listener(runtime, crate::host::build(config)?, listener.into())
    }

    /// A server on the listening socket that `fd` is, not started yet; else like [`from_listener`](Self::from_listener).
    ///
    /// # Errors
    ///
    /// As [`from_listener`](Self::from_listener); [`ServeError::Given`] says what it is, if it is none that listens.
    ///
    /// ```
    /// # use ipc_driver::{Config, ServeError, fake::Fake};
    /// # type Server = ipc_driver::Server<Fake>;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # Fake::new(1).block_on(async {
    /// use std::os::fd::OwnedFd;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let endpoint = format!("tcp:{}", listener.local_addr()?);
    /// let server = Server::from_fd(OwnedFd::from(listener), Config::new("world"))?;
    /// assert_eq!(server.local_endpoint().to_string(), endpoint);
    ///
    /// let file = std::fs::File::open("/dev/null")?;
    /// let error = Server::from_fd(file.into(), Config::new("world")).unwrap_err();
    /// let ServeError::Given(error) = error else { panic!("{error}") };
    /// assert!(error.to_string().starts_with("this descriptor is no socket"), "{error}");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[cfg(unix)]
    pub fn from_fd(fd: OwnedFd, config: Config) -> Result<Self, ServeError> {
        Self::from_listener(Listening::from_fd(fd).map_err(ServeError::Given)?, config)
    }

    /// A server on the listening socket that a parent gave this process as its standard input
    /// ([`Listening::to_stdio`]), not started yet; else like [`from_listener`](Self::from_listener). The standard input is
    /// `/dev/null` from then on. In the repository `ipc-tokio/examples/worker.rs` is such a parent, with its child.
    ///
    /// # Errors
    ///
    /// As [`from_fd`](Self::from_fd).
    #[cfg(unix)]
    pub fn from_stdin(config: Config) -> Result<Self, ServeError> {
        Self::from_listener(Listening::from_stdin().map_err(ServeError::Given)?, config)
    }

    /// Takes the listening socket of the process that offers it at `control_path` with
    /// [`hand_over`](Self::hand_over). Where it listens is the other's to say, everything else `config`'s.
    ///
    /// The other process serves until this one calls [`start`](Self::start), which has to be within 60 seconds: register
    /// handlers first. Only processes of one user do this with each other.
    ///
    /// A `start` of such a server goes on by itself when its call is dropped. It fails with [`ServeError::TakeOver`] if the
    /// other process has changed its mind, and does not if it has died.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); [`ServeError::TakeOver`], whose source is of the kind [`io::ErrorKind::NotFound`] or
    /// [`io::ErrorKind::ConnectionRefused`] if nobody offers a socket there: then serve as at first. It is of the kind
    /// [`io::ErrorKind::TimedOut`] if the other process says nothing for 5 s, because it hangs or because a third is taking its
    /// socket over just now, and [`io::ErrorKind::PermissionDenied`] if it runs as another user.
    #[cfg(unix)]
    pub async fn take_over(control_path: impl AsRef<Path>, config: Config) -> Result<Self, ServeError> {
        let runtime = R::ambient().map_err(ServeError::Runtime)?;
        Self::take_over_with(runtime, crate::host::build(config)?, control_path).await
    }
}

impl<R: Runtime> Server<R> {
    /// Like [`take_over`](Self::take_over), on a given runtime.
    ///
    /// # Errors
    ///
    /// As [`take_over`](Self::take_over).
    #[cfg(unix)]
    pub async fn take_over_with(
        runtime: R,
        settings: Settings,
        control_path: impl AsRef<Path>,
    ) -> Result<Self, ServeError> {
        let control = control_path.as_ref().to_owned();
        let at = control.clone();
        let claimed = on_thread("ipc-take-over", move || claim(&at)).await;
        let (claim, listening) = claimed.map_err(|source| ServeError::TakeOver { control, source })?;
        let server = Self::with_runtime(runtime, settings, claim.endpoint.parse()?)?;
        server.shared.gift.set(Given::Claimed(listening, claim));
        Ok(server)
    }

    /// Like [`from_listener`](Self::from_listener), on a given runtime.
    ///
    /// # Errors
    ///
    /// As [`from_listener`](Self::from_listener).
    pub fn with_listener(runtime: R, settings: Settings, listener: Listening) -> Result<Self, ServeError> {
        let endpoint = listener.endpoint(&settings).map_err(ServeError::Given)?;
        let server = Self::with_runtime(runtime, settings, endpoint)?;
        server.shared.gift.set(Given::Socket(listener));
        Ok(server)
    }

    /// The socket to accept on, and where it listens.
    pub(super) async fn listen(&self, endpoint: Endpoint) -> Result<R::Listener, ServeError> {
        let Shared { gift, settings, .. } = &*self.shared;
        let refused = |endpoint| |source| ServeError::Listen { endpoint, source };
        match gift.take() {
            Given::Nothing => {
                let addresses = crate::dial::addresses(&self.runtime, &endpoint).await;
                match addresses {
                    Ok(addresses) => self.runtime.listen(&endpoint, &addresses, settings).await,
                    Err(error) => Err(error),
                }
                .map_err(refused(endpoint))
            }
            Given::Socket(listening) => self.adopt(listening, endpoint.clone()).map_err(refused(endpoint)),
            #[cfg(unix)]
            Given::Claimed(listening, claim) => {
                let listener = self.adopt(listening, endpoint.clone()).map_err(refused(endpoint))?;
                let owns_file = claim.owns_file;
                let control = claim.control.clone();
                on_thread("ipc-take-over", move || claim.confirm())
                    .await
                    .map_err(|source| ServeError::TakeOver { control, source })?;
                if let Some(file) = listener.file().filter(|_| owns_file) {
                    file.ownership().take();
                }
                Ok(listener)
            }
            Given::Used => Err(ServeError::Used { endpoint }),
        }
    }

    fn adopt(&self, listening: Listening, endpoint: Endpoint) -> io::Result<R::Listener> {
        self.runtime.adopt(listening.prepared(&self.shared.settings)?, endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_given_once_and_a_server_that_had_one_never_binds_its_own() {
        let gift = Gift::default();
        assert!(gift.is_nothing());
        assert!(matches!(gift.take(), Given::Nothing));
        gift.set(Given::Socket(std::net::TcpListener::bind("127.0.0.1:0").unwrap().into()));
        assert!(!gift.is_nothing() && !gift.is_claimed());
        assert!(matches!(gift.take(), Given::Socket(_)));
        assert!(matches!(gift.take(), Given::Used));
        assert!(!gift.is_nothing() && !gift.is_claimed());
    }
}
