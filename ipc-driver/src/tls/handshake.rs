//! Handshakes: from a connected stream to an encrypted one, within a time limit.
//!
//! How many may be under way at a server is for the server to say.

use super::ahead::Ahead;
use super::error::{HandshakeError, TlsError, explain};
use super::{Stream, config};
use crate::runtime::{Runtime, Timer};
use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use ipc_proto::{Endpoint, Settings, TlsOptions};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long a peer whose handshake failed may take to end its side, and how often it is read meanwhile.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_READS: usize = 64;

/// Makes the streams of a client encrypted.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    limit: Duration,
    silent: bool,
}

/// Makes the streams of a server encrypted.
#[derive(Clone)]
pub(crate) struct Acceptor {
    config: Arc<ServerConfig>,
    limit: Duration,
    silent: bool,
}

impl Connector {
    /// What the settings ask for, if they do.
    pub(crate) fn of(settings: &Settings, endpoint: &Endpoint) -> Result<Option<Self>, TlsError> {
        match &settings.config().tls {
            Some(options) if matches!(endpoint, Endpoint::Tcp { .. }) => {
                Self::with(Arc::new(config::client(options)?), settings, endpoint).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// With a configuration of the user's.
    pub(crate) fn with(config: Arc<ClientConfig>, settings: &Settings, endpoint: &Endpoint) -> Result<Self, TlsError> {
        let Endpoint::Tcp { host, .. } = endpoint else { return Err(TlsError::Transport) };
        let options = settings.config().tls.as_ref();
        let name = options.and_then(|options| options.server_name.as_ref()).unwrap_or(host);
        Ok(Self { config, name: server_name(name)?, limit: limit(options), silent: settings.config().silent })
    }

    /// Ready when server and client have agreed.
    pub(crate) async fn connect<R: Runtime>(&self, runtime: &R, stream: R::Stream) -> io::Result<Stream<R::Stream>> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let handshake = connector.connect(self.name.clone(), Ahead::new(stream));
        let stream = Stream::new(TlsStream::Client(within(runtime, self.limit, handshake).await?));
        log(&stream, self.silent);
        Ok(stream)
    }
}

impl Acceptor {
    /// What the settings ask for, if they do.
    pub(crate) fn of(settings: &Settings, endpoint: &Endpoint) -> Result<Option<Self>, TlsError> {
        match &settings.config().tls {
            Some(options) if matches!(endpoint, Endpoint::Tcp { .. }) => {
                Self::with(Arc::new(config::server(options)?), settings, endpoint).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// With a configuration of the user's.
    pub(crate) fn with(config: Arc<ServerConfig>, settings: &Settings, endpoint: &Endpoint) -> Result<Self, TlsError> {
        let Endpoint::Tcp { .. } = endpoint else { return Err(TlsError::Transport) };
        let limit = limit(settings.config().tls.as_ref());
        Ok(Self { config, limit, silent: settings.config().silent })
    }

    /// Ready when server and client have agreed.
    pub(crate) async fn accept<R: Runtime>(&self, runtime: &R, stream: R::Stream) -> io::Result<Stream<R::Stream>> {
        let handshake = TlsAcceptor::from(Arc::clone(&self.config)).accept(Ahead::new(stream)).into_fallible();
        let handshake = async {
            match handshake.await {
                Ok(stream) => Ok(stream),
                Err((error, mut stream)) => {
                    let _told_or_not = within(runtime, FAREWELL, farewell(&mut stream)).await;
                    Err(error)
                }
            }
        };
        let stream = Stream::new(TlsStream::Server(within(runtime, self.limit, handshake).await?));
        log(&stream, self.silent);
        Ok(stream)
    }
}

/// After a handshake that failed, ends our side and waits for the peer to end its own: closed at once with something
/// unread, the socket would answer with a reset, which may destroy the alert that says why.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_close(cx)).await?;
    let mut unread = [0; 1024];
    for _ in 0..FAREWELL_READS {
        if poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut unread)).await? == 0 {
            break;
        }
    }
    Ok(())
}

fn limit(options: Option<&TlsOptions>) -> Duration {
    options.map_or_else(|| TlsOptions::default().handshake_timeout, |options| options.handshake_timeout)
}

/// The name that a certificate is to carry. The zone of a link-local address is nobody else's business.
fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let address = name.split('%').next().unwrap_or(name);
    if let Ok(address) = address.parse::<IpAddr>() {
        return Ok(ServerName::from(address));
    }
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName { name: name.to_owned() })
}

async fn within<R: Runtime, T>(
    runtime: &R,
    limit: Duration,
    handshake: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut handshake = pin!(handshake);
    let mut timer = runtime.timer();
    timer.set(Some(runtime.now() + limit));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = handshake.as_mut().poll(cx) {
            return Poll::Ready(outcome.map_err(explain));
        }
        timer.poll_expired(cx).map(|()| Err(HandshakeError::TimedOut(limit).into()))
    })
    .await
}

fn log<S>(stream: &Stream<S>, silent: bool) {
    if silent {
        return;
    }
    let session = stream.session();
    let (version, kind) = (session.protocol_version(), session.handshake_kind());
    tracing::debug!(target: "ipc", ?version, ?kind, "TLS handshake done");
}
