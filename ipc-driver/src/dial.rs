//! Dialling: from an endpoint to a connected stream. Resolves the host, leaves out addresses of the wrong family, and
//! tries the rest so that one that does not answer delays the others by little.
//!
//! When to dial again is for [`ipc_proto::Client`] to say.

use crate::runtime::{Address, Runtime, Timer};
use ipc_proto::{Endpoint, Interface, IpFamily, Settings};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// After so long without an answer from one address the next is tried beside it: what RFC 8305 recommends and Node 20
/// does.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// So many addresses of a host are tried. Each is a socket while it does not answer, and a line of the error when none does.
const MOST_ADDRESSES: usize = 64;

/// What a name lookup is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookup {
    /// The name.
    pub host: String,
    /// The port that the addresses are to have.
    pub port: u16,
    /// The only family that is of use, from `interface.family` or `interface.localAddress`.
    pub family: Option<IpFamily>,
    /// `interface.hints`, as they were given.
    pub hints: Option<u32>,
}

/// The future of a lookup.
type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// A name lookup of the user's (`interface.lookup` in node-ipc).
pub(crate) type LookupFn = Arc<dyn Fn(Lookup) -> Looking + Send + Sync>;

/// Connects to `endpoint`, a stream.
pub(crate) async fn dial<R: Runtime>(
    runtime: &R,
    endpoint: &Endpoint,
    settings: &Settings,
    lookup: Option<&LookupFn>,
) -> io::Result<R::Stream> {
    match endpoint {
        Endpoint::Local(address) => runtime.connect(&Address::Local(address.clone()), settings).await,
        Endpoint::Tcp { host, port } => {
            let addresses = candidates(runtime, host, *port, &settings.config().interface, lookup).await?;
            race(runtime, &addresses, settings).await
        }
        other => Err(crate::net::unsupported(other)),
    }
}

/// The addresses of a host to bind to; none for a local endpoint.
pub(crate) async fn addresses<R: Runtime>(runtime: &R, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let (Some(host), Some(port)) = (endpoint.host(), endpoint.port()) else { return Ok(Vec::new()) };
    let mut addresses = resolve(runtime, host, port).await?;
    if let (true, Some(family)) = (endpoint.is_udp(), endpoint.family()) {
        addresses.retain(|address| of(*address) == family);
        if addresses.is_empty() {
            return Err(UnresolvedHost::no_address_of(host, Some(family)));
        }
    }
    Ok(addresses)
}

async fn resolve<R: Runtime>(runtime: &R, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => UnresolvedHost::check(host, runtime.resolve(host, port).await),
    }
}

/// A host name for which no usable address was found. It is inside the [`io::Error`] of the attempt, of the kind
/// [`NotFound`](io::ErrorKind::NotFound), where [`io::Error::get_ref`] finds it; Node calls that `ENOTFOUND`.
#[derive(Debug, thiserror::Error)]
#[error("cannot resolve the host {host}: {reason}; is the name right?")]
pub struct UnresolvedHost {
    host: String,
    reason: String,
}

impl UnresolvedHost {
    /// The name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    fn error(host: &str, reason: String) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, Self { host: host.to_owned(), reason })
    }

    fn no_address_of(host: &str, family: Option<IpFamily>) -> io::Error {
        let family = match family {
            Some(IpFamily::V4) => " IPv4",
            Some(IpFamily::V6) => " IPv6",
            None => "",
        };
        Self::error(host, format!("it has no{family} address"))
    }

    /// What a lookup gave, if it is of use.
    fn check(host: &str, found: io::Result<Vec<SocketAddr>>) -> io::Result<Vec<SocketAddr>> {
        match found {
            Ok(addresses) if addresses.is_empty() => Err(Self::no_address_of(host, None)),
            Ok(addresses) => Ok(addresses),
            Err(error) => Err(Self::error(host, error.to_string())),
        }
    }
}

/// The addresses to try, in this order.
async fn candidates<R: Runtime>(
    runtime: &R,
    host: &str,
    port: u16,
    interface: &Interface,
    lookup: Option<&LookupFn>,
) -> io::Result<Vec<SocketAddr>> {
    let family = interface.family.or(interface.local_address.map(|address| match address {
        IpAddr::V4(_) => IpFamily::V4,
        IpAddr::V6(_) => IpFamily::V6,
    }));
    let found = match lookup {
        // Node does not look an address up either.
        Some(lookup) if host.parse::<IpAddr>().is_err() => {
            let query = Lookup { host: host.to_owned(), port, family, hints: interface.hints };
            UnresolvedHost::check(host, lookup(query).await)?
        }
        _ => resolve(runtime, host, port).await?,
    };
    let hints = interface.hints.unwrap_or(0);
    let of_family = of_family(&found, family, hints);
    if of_family.is_empty() {
        return Err(UnresolvedHost::no_address_of(host, family));
    }
    let mut addresses = alternating(of_family);
    addresses.truncate(MOST_ADDRESSES);
    Ok(addresses)
}

fn of(address: SocketAddr) -> IpFamily {
    if address.is_ipv4() { IpFamily::V4 } else { IpFamily::V6 }
}

/// The bits of `interface.hints` that change a result, as Node numbers them on this system: the flags of `getaddrinfo`.
mod hint {
    pub(super) const V4_MAPPED: u32 = if cfg!(target_os = "linux") { 0x8 } else { 0x800 };
    pub(super) const ALL: u32 = if cfg!(target_os = "linux") { 0x10 } else { 0x100 };
}

/// Leaves out what is not of `family`. With `dns.V4MAPPED` a host without an address of version 6 is reached over its
/// mapped addresses of version 4, with `dns.ALL` beside it any host. (`dns.ADDRCONFIG` asks for no more than what dialling
/// does anyway: an address of a family that this machine does not have fails at once.)
fn of_family(found: &[SocketAddr], family: Option<IpFamily>, hints: u32) -> Vec<SocketAddr> {
    let Some(family) = family else { return found.to_vec() };
    let mut addresses: Vec<_> = found.iter().copied().filter(|address| of(*address) == family).collect();
    let all = hints & hint::ALL != 0;
    if family == IpFamily::V6 && hints & hint::V4_MAPPED != 0 && (all || addresses.is_empty()) {
        addresses.extend(found.iter().filter_map(|address| match address {
            SocketAddr::V4(address) => {
                let mapped = address.ip().to_ipv6_mapped();
                Some(SocketAddr::V6(SocketAddrV6::new(mapped, address.port(), 0, 0)))
            }
            SocketAddr::V6(_) => None,
        }));
    }
    addresses
}

/// The families take turns, beginning with that of the first: if one of them is cut off, the next attempt is of the other.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let count = addresses.len();
    let first = addresses.first().copied().map(of);
    let (one, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| Some(of(*address)) == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::with_capacity(count);
    while mixed.len() < count {
        mixed.extend(one.next());
        mixed.extend(other.next());
    }
    mixed
}

/// Connects to the first of `addresses` that answers. The next is tried when one has failed, or has not answered for a
/// while; one at a time where all would have to share one local port.
async fn race<R: Runtime>(runtime: &R, addresses: &[SocketAddr], settings: &Settings) -> io::Result<R::Stream> {
    let targets: Vec<_> = addresses.iter().map(|address| Address::Tcp(*address)).collect();
    if let [only] = targets.as_slice() {
        return runtime.connect(only, settings).await;
    }
    let one_at_a_time = settings.config().interface.local_port.is_some();
    let mut waiting = targets.iter();
    let mut running = Vec::new();
    let mut failed = Vec::new();
    let mut patience = runtime.timer();
    let mut next = true;
    poll_fn(|cx| {
        loop {
            if next {
                next = false;
                if let Some(target) = waiting.next() {
                    running.push((target, Box::pin(runtime.connect(target, settings))));
                    let more = !one_at_a_time && waiting.len() > 0;
                    patience.set(more.then(|| runtime.now() + NEXT_ADDRESS_AFTER));
                }
            }
            let mut at = 0;
            while let Some((target, attempt)) = running.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        failed.push(((*target).clone(), error));
                        drop(running.swap_remove(at));
                        next = true;
                    }
                    Poll::Pending => at += 1,
                }
            }
            if running.is_empty() && waiting.len() == 0 {
                return Poll::Ready(Err(Failures::into_error(std::mem::take(&mut failed))));
            }
            if patience.poll_expired(cx).is_ready() {
                patience.set(None);
                next = true;
            }
            if !next || waiting.len() == 0 {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// What every address of a host answered.
#[derive(Debug)]
struct Failures(Vec<(Address, io::Error)>);

impl Failures {
    /// An error of the kind of the first.
    fn into_error(failures: Vec<(Address, io::Error)>) -> io::Error {
        let kind = failures.first().map_or(io::ErrorKind::NotFound, |(_, error)| error.kind());
        io::Error::new(kind, Self(failures))
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address of the host answers: ")?;
        for (index, (address, error)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            match address {
                Address::Tcp(address) => write!(f, "{separator}{address}: {error}")?,
                Address::Local(address) => write!(f, "{separator}{}: {error}", address.as_str())?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failures {}
