//! How a client gets its stream: dialled, and encrypted where TLS is asked for.

#[cfg(feature = "tls")]
use super::Client;
use super::shared::Shared;
use crate::dial::dial;
use crate::runtime::Runtime;
#[cfg(feature = "tls")]
use crate::tls::Connector;
use crate::transport::Transport;
use ipc_proto::Endpoint;
use std::io;
use std::sync::PoisonError;

#[cfg(feature = "tls")]
impl<R: Runtime> Client<R> {
    /// Connects with this rustls configuration instead of one made from the option `tls`, from the next attempt on: for
    /// keys in hardware, revocation lists, other cryptography, or other certificates while the client goes on. Of the
    /// options, `tls.servername` and `tls.handshakeTimeout` still count. A client without the option `tls` speaks TLS from
    /// then on; call this before [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`TlsError::Transport`](crate::TlsError::Transport) if this client does not connect over TCP,
    /// [`TlsError::ServerName`](crate::TlsError::ServerName).
    pub fn set_tls(&self, config: impl Into<std::sync::Arc<rustls::ClientConfig>>) -> Result<(), crate::TlsError> {
        let shared = self.shared();
        let connector = Connector::with(config.into(), &shared.settings, &shared.endpoint)?;
        let replaced = shared.tls.lock().unwrap_or_else(PoisonError::into_inner).replace(connector);
        // It may hold what the user made: not under the lock.
        drop(replaced);
        Ok(())
    }
}

impl Shared {
    /// Dials, and shakes hands where TLS is to be spoken. Either may fail, and then the attempt has.
    pub(super) async fn connect<R: Runtime>(
        &self,
        runtime: &R,
        endpoint: &Endpoint,
    ) -> io::Result<Transport<R::Stream>> {
        let connector = self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = dial(runtime, endpoint, &self.settings, self.lookup().as_ref()).await?;
        Ok(match connector {
            Some(connector) => Transport::tls(connector.connect(runtime, stream).await?),
            None => Transport::plain(stream, endpoint, &self.settings),
        })
    }
}
