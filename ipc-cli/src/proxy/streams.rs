//! Connections: each is two pumps, one a direction, that end one after the other as the two sides do.

use super::{Observer, Sink, TAKE_OVER};
use crate::Context;
use crate::address::{Target, show};
use crate::commands::{not_serving, remote, warn_of_no_room};
use crate::exit::{Failure, Outcome};
use crate::output::{Side, Traffic, What, Who};
use crate::tls::{of_stream, to_put_right};
use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsAcceptor, TlsConnector};
use ipc_driver::runtime::{Address, Ambient, Listener, Runtime};
use ipc_tokio::rustls::pki_types::ServerName;
use ipc_tokio::{Endpoint, HandshakeError, ServeError, Settings, TlsOptions, Tokio};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Wake, Poll};
use std::time::SystemTime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The bytes that one read takes.
const PIECE: usize = 64 * 1024;

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// A stream of any kind, of which one pump reads and another writes.
#[derive(Clone)]
struct Stream(Arc<Mutex<Pin<Box<dyn Duplex>>>>);

/// What all connections have in common.
struct Proxy {
    context: Context,
    runtime: Tokio,
    target: Target,
    sink: Sink,
    acceptor: Option<TlsAcceptor>,
    connector: Option<(TlsConnector, ServerName<'static>)>,
    handshake: std::time::Duration,
}

pub(super) async fn run(context: &Context, listen: Target, target: Target, sink: Sink) -> Outcome {
    let name = listen.show();
    let runtime = Tokio::ambient().map_err(|error| Failure::new(crate::exit::Exit::Failed, "starting", error))?;
    let proxy = Arc::new(Proxy {
        acceptor: acceptor(&listen)?,
        connector: connector(&target)?,
        handshake: handshake_timeout(&listen.settings),
        context: context.clone(),
        runtime: runtime.clone(),
        target,
        sink,
    });
    let unserved =
        |source| not_serving(&name, &ServeError::Listen { endpoint: listen.endpoint.clone(), source }, TAKE_OVER);
    warn_of_no_room(context, &listen.settings);
    listen.settings.check_serving(&listen.endpoint).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let addresses = match (listen.endpoint.host(), listen.endpoint.port()) {
        (Some(host), Some(port)) => runtime.resolve(host, port).await.map_err(unserved)?,
        _ => Vec::new(),
    };
    let mut listener = runtime.listen(&listen.endpoint, &addresses, &listen.settings).await.map_err(unserved)?;
    proxy.sink.begin()?;
    let at = show(&listener.local_endpoint(), listen.tls);
    context.output.note(format_args!("listening at {at} for {}", proxy.target.show()));

    let room = Arc::new(Semaphore::new(listen.settings.config().max_connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        let accepted = async {
            // As many connections at a time as the options allow; the others wait to be accepted.
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, poll_fn(|cx| listener.poll_accept(cx)).await)
        };
        tokio::select! {
            (permit, accepted) = accepted => match accepted {
                Ok((stream, who)) => {
                    let (proxy, peer) = (Arc::clone(&proxy), remote(&who));
                    connections.spawn(async move {
                        let _room = permit;
                        proxy.connection(number, stream, &peer).await
                    });
                    number += 1;
                }
                Err(error) => {
                    context.output.warn(format_args!("cannot accept a connection: {error}"));
                    // Of descriptors there may be more in a moment.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(ended) = connections.join_next() => {
                // The end of a connection is its own business, that of the sink is ours.
                if let Ok(outcome) = ended {
                    outcome?;
                }
            }
        }
    }
}

impl Proxy {
    async fn connection<S: Duplex + Unpin + 'static>(&self, number: u64, stream: S, peer: &str) -> Outcome {
        self.tell(number, What::Open { peer }).await?;
        let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
        let ended = match self.both(stream).await {
            Ok((client, server)) => self.pass(number, &client, &server, (&sent, &received)).await,
            Err(error) => {
                self.context.output.warn(format_args!("connection {number}: {error}"));
                Ok(Some(error))
            }
        };
        let reason = ended?;
        let sent = Some((sent.into_inner(), received.into_inner()));
        self.tell(number, What::Close { reason: reason.as_deref(), sent }).await
    }

    async fn tell(&self, number: u64, what: What<'_>) -> Outcome {
        let who = Who::Connection(number);
        self.sink.take(Traffic { time: SystemTime::now(), who, from: None, bytes: 0, what }).await
    }

    /// Both streams, after their handshakes.
    async fn both<S: Duplex + Unpin + 'static>(&self, stream: S) -> Result<(Stream, Stream), String> {
        let client = match &self.acceptor {
            None => Stream::new(stream),
            Some(acceptor) => {
                let handshake = tokio::time::timeout(self.handshake, acceptor.accept(stream)).await;
                let stream = handshake.map_err(|_| "the TLS handshake of the client took too long".to_owned())?;
                let explained =
                    |error| format!("the handshake with the client failed: {}", HandshakeError::explain(error));
                Stream::new(stream.map_err(explained)?)
            }
        };
        let server = self.dial().await.map_err(|error| {
            format!("cannot connect to {}: {error}; `ipc doctor` says more of that address", self.target.show())
        })?;
        Ok((client, server))
    }

    async fn dial(&self) -> io::Result<Stream> {
        let addresses = match &self.target.endpoint {
            Endpoint::Local(address) => vec![Address::Local(address.clone())],
            endpoint => {
                let (host, port) = (endpoint.host().unwrap_or_default(), endpoint.port().unwrap_or_default());
                self.runtime.resolve(host, port).await?.into_iter().map(Address::Tcp).collect()
            }
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
        for address in addresses {
            match self.runtime.connect(&address, &self.target.settings).await {
                Ok(stream) => return self.encrypt(stream).await,
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn encrypt<S: Duplex + Unpin + 'static>(&self, stream: S) -> io::Result<Stream> {
        let Some((connector, name)) = &self.connector else { return Ok(Stream::new(stream)) };
        let limit = handshake_timeout(&self.target.settings);
        match tokio::time::timeout(limit, connector.connect(name.clone(), stream)).await {
            Ok(stream) => stream.map(Stream::new).map_err(HandshakeError::explain),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")),
        }
    }

    /// Until both sides have ended, or one has failed; the outer error is that of the sink.
    async fn pass(
        &self,
        number: u64,
        client: &Stream,
        server: &Stream,
        (sent, received): (&AtomicU64, &AtomicU64),
    ) -> Outcome<Option<String>> {
        let observer =
            |from| Observer { settings: &self.target.settings, sink: &self.sink, who: Who::Connection(number), from };
        let (of_client, of_server) = (observer(Side::Client), observer(Side::Server));
        let there = pump(client, server, &of_client, sent);
        let back = pump(server, client, &of_server, received);
        match tokio::try_join!(there, back) {
            Ok(_) => Ok(None),
            Err(Broken::Stream(side, error)) => Ok(Some(format!("{} side: {}", side.name(), of_stream(&error)))),
            Err(Broken::Sink(failure)) => Err(failure),
        }
    }
}

enum Broken {
    Stream(Side, io::Error),
    Sink(Failure),
}

/// Passes on what `from` sends until it ends its side, and ends that side of `to` then.
async fn pump(from: &Stream, to: &Stream, observer: &Observer<'_>, count: &AtomicU64) -> Result<(), Broken> {
    let other = match observer.from {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    };
    let mut decoder = (!observer.settings.is_raw()).then(|| observer.settings.decoder());
    let is_raw = decoder.is_none();
    let mut piece = vec![0; PIECE];
    let end = loop {
        let read = poll_fn(|cx| from.with(|stream| stream.poll_read(cx, &mut piece))).await;
        let bytes = match read {
            Ok(0) => break Ok(()),
            Ok(length) => &piece[..length],
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
            Err(error) => break Err(Broken::Stream(observer.from, error)),
        };
        if is_raw {
            observer.show(bytes.len(), What::Data(bytes)).await.map_err(Broken::Sink)?;
        }
        let mut rest = bytes;
        while let Some(frames) = &mut decoder {
            match frames.next_frame(&mut rest) {
                Ok(Some(frame)) => observer.frame(frame).await.map_err(Broken::Sink)?,
                Ok(None) => break,
                Err(error) => {
                    observer.too_large(&error).await.map_err(Broken::Sink)?;
                    decoder = None;
                }
            }
        }
        to.write_all(bytes).await.map_err(|error| Broken::Stream(other, error))?;
        count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    };
    let unfinished = decoder.map_or(0, |decoder| decoder.buffered());
    if unfinished > 0 {
        observer.show(unfinished, What::Unfinished).await.map_err(Broken::Sink)?;
    }
    end?;
    // Who has ended before hears nothing of it.
    let _gone = poll_fn(|cx| to.with(|stream| stream.poll_close(cx))).await;
    Ok(())
}

impl Stream {
    fn new(stream: impl Duplex + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(stream))))
    }

    /// The lock is held for one poll, which does not wait.
    fn with<T>(&self, poll: impl FnOnce(Pin<&mut dyn Duplex>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        poll(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match poll_fn(|cx: &mut Wake<'_>| self.with(|stream| stream.poll_write(cx, bytes))).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        poll_fn(|cx| self.with(|stream| stream.poll_flush(cx))).await
    }
}

fn handshake_timeout(settings: &Settings) -> std::time::Duration {
    settings.config().tls.as_ref().map_or(TlsOptions::default().handshake_timeout, |tls| tls.handshake_timeout)
}

fn acceptor(listen: &Target) -> Outcome<Option<TlsAcceptor>> {
    let Some(tls) = &listen.settings.config().tls else { return Ok(None) };
    let name = listen.show();
    let config =
        ipc_tokio::tls_server_config(tls).map_err(|error| not_serving(&name, &ServeError::Tls(error), TAKE_OVER))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn connector(target: &Target) -> Outcome<Option<(TlsConnector, ServerName<'static>)>> {
    let Some(tls) = &target.settings.config().tls else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", target.show()));
    let config = ipc_tokio::tls_client_config(tls).map_err(|error| wrong(&error).help_if(to_put_right(&error)))?;
    let host = target.endpoint.host().unwrap_or_default();
    let name = tls.server_name.clone().unwrap_or_else(|| host.to_owned());
    let name = ServerName::try_from(name).map_err(|error| wrong(&error).help("set --server-name"))?;
    Ok(Some((TlsConnector::from(Arc::new(config)), name)))
}
