//! UDP: every sender gets a socket of its own towards the target, so that answers find their way back.

use super::{Observer, Sink, TAKE_OVER};
use crate::Context;
use crate::address::Target;
use crate::commands::not_serving;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Side, Traffic, What, Who};
use ipc_tokio::{MAX_DATAGRAM, ServeError, Settings};
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::net::{UdpSocket, lookup_host};
use tokio::task::JoinHandle;

/// One sender.
struct Sender {
    number: u64,
    socket: Arc<UdpSocket>,
    heard: Instant,
    back: JoinHandle<()>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.back.abort();
    }
}

pub(super) async fn run(context: &Context, listen: Target, target: Target, sink: Sink) -> Outcome {
    let name = listen.show();
    let unserved =
        |source| not_serving(&name, &ServeError::Listen { endpoint: listen.endpoint.clone(), source }, TAKE_OVER);
    let socket = UdpSocket::bind(address(&listen).await.map_err(unserved)?).await.map_err(unserved)?;
    let socket = Arc::new(socket);
    let to = address(&target).await.map_err(|error| {
        Failure::new(Exit::Unreachable, format!("cannot find {}", target.show()), error).help("is the host name right?")
    })?;
    let local = socket.local_addr().map_err(unserved)?;
    sink.begin()?;
    context.output.note(format_args!("listening at udp:{local} for {}", target.show()));

    let settings = target.settings;
    let (most, expiry) = (settings.config().max_udp_peers, settings.config().udp_peer_expiry);
    let (failed, mut failure) = tokio::sync::mpsc::channel(1);
    let mut senders: HashMap<SocketAddr, Sender> = HashMap::new();
    let mut numbers = 0;
    let mut datagram = vec![0; MAX_DATAGRAM + 1];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram) => received,
            Some(failure) = failure.recv() => return Err(failure),
        };
        let (length, from) = match received {
            Ok(received) => received,
            Err(error) => {
                // What the system says here is about a datagram that was sent before.
                context.output.warn(format_args!("udp: {error}"));
                continue;
            }
        };
        if !senders.contains_key(&from) {
            senders.retain(|_, sender| sender.heard.elapsed() < expiry);
            if senders.len() >= most {
                context.output.warn(format_args!("{from} is not served: {most} senders are (option maxUdpPeers)"));
                continue;
            }
            let any = if to.is_ipv4() {
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
            } else {
                (Ipv6Addr::UNSPECIFIED, 0).into()
            };
            let own = async {
                let own = UdpSocket::bind(any).await?;
                own.connect(to).await?;
                std::io::Result::Ok(Arc::new(own))
            };
            let own = match own.await {
                Ok(own) => own,
                Err(error) => {
                    context.output.warn(format_args!("{from} is not served: {error}"));
                    continue;
                }
            };
            let what = What::Open { peer: &from.to_string() };
            let who = Who::Connection(numbers);
            sink.take(Traffic { time: SystemTime::now(), who, from: None, bytes: 0, what }).await?;
            let (socket, own_too, sink, settings, failed) =
                (Arc::clone(&socket), Arc::clone(&own), sink.clone(), settings.clone(), failed.clone());
            let back = tokio::spawn(async move {
                if let Err(failure) = answers(&own_too, &socket, from, numbers, &sink, &settings).await {
                    let _another_was_first = failed.try_send(failure);
                }
            });
            senders.insert(from, Sender { number: numbers, socket: own, heard: Instant::now(), back });
            numbers += 1;
        }
        let Some(sender) = senders.get_mut(&from) else { continue };
        sender.heard = Instant::now();
        observe(&datagram[..length], sender.number, Side::Client, &sink, &settings).await?;
        if let Err(error) = sender.socket.send(&datagram[..length]).await {
            context.output.warn(format_args!("connection {}: cannot send to {to}: {error}", sender.number));
        }
    }
}

/// What the target says to one sender.
async fn answers(
    own: &UdpSocket,
    socket: &UdpSocket,
    to: SocketAddr,
    number: u64,
    sink: &Sink,
    settings: &Settings,
) -> Outcome {
    let mut datagram = vec![0; MAX_DATAGRAM + 1];
    loop {
        // That nobody listens at the target is told here, once for each datagram.
        let Ok(length) = own.recv(&mut datagram).await else { continue };
        observe(&datagram[..length], number, Side::Server, sink, settings).await?;
        let _lost_as_datagrams_are = socket.send_to(&datagram[..length], to).await;
    }
}

/// A datagram has whole messages.
async fn observe(bytes: &[u8], number: u64, from: Side, sink: &Sink, settings: &Settings) -> Outcome {
    let observer = Observer { settings, sink, who: Who::Connection(number), from };
    if settings.is_raw() {
        return observer.show(bytes.len(), What::Data(bytes)).await;
    }
    let mut decoder = settings.decoder();
    let mut rest = bytes;
    loop {
        match decoder.next_frame(&mut rest) {
            Ok(Some(frame)) => observer.frame(frame).await?,
            Ok(None) => break,
            Err(error) => return observer.too_large(&error).await,
        }
    }
    match decoder.buffered() {
        0 => Ok(()),
        unfinished => observer.show(unfinished, What::Unfinished).await,
    }
}

async fn address(target: &Target) -> std::io::Result<SocketAddr> {
    let (host, port) = (target.endpoint.host().unwrap_or_default(), target.endpoint.port().unwrap_or_default());
    let family = target.endpoint.family();
    let fits = |address: &SocketAddr| address.is_ipv4() == (family == Some(ipc_tokio::IpFamily::V4));
    let found = lookup_host((host, port)).await?.find(fits);
    found.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address of that family"))
}
