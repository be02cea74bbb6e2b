//! TCP sockets: listeners, and sockets that are about to connect.

use super::{backlog, first_of};
use ipc_proto::Settings;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// Binds a TCP listener to the first of `addresses` that works. It is non-blocking.
///
/// # Errors
///
/// That of the last address tried; [`io::ErrorKind::NotFound`] if there is none.
pub fn bind_tcp(addresses: &[SocketAddr], settings: &Settings) -> io::Result<TcpListener> {
    first_of(addresses, |address| {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix this lets a server restart while old connections linger; on Windows it would let others steal the port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if settings.config().reuse_port {
            reuse_port(&socket)?;
        }
        // What is accepted has it from the listener: `prepare_accepted`.
        keep_alive(&socket, settings)?;
        socket.bind(&address.into())?;
        socket.listen(backlog(settings))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    })
}

/// Sets what the option `tcpKeepAlive` says on a socket, or on the listener that connections come from.
pub(crate) fn keep_alive<'s>(socket: impl Into<SockRef<'s>>, settings: &Settings) -> io::Result<()> {
    let Some(idle) = settings.config().tcp_keep_alive else { return Ok(()) };
    // The systems count in seconds.
    let idle = idle.as_secs().max(1);
    let keep_alive = TcpKeepalive::new().with_time(Duration::from_secs(idle));
    // Elsewhere the system asks as often as it does.
    #[cfg(any(
        windows,
        target_vendor = "apple",
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    let keep_alive = {
        /// Questions that are asked before the other side is given up.
        const QUESTIONS: u32 = 3;
        let interval = Duration::from_secs(idle.div_ceil(u64::from(QUESTIONS)));
        keep_alive.with_interval(interval).with_retries(QUESTIONS)
    };
    // There is no `TCP_USER_TIMEOUT` with it, which would shorten the wait while something sent is not confirmed: it ends
    // connections to peers as well that are there, and do not read for a while.
    socket.into().set_tcp_keepalive(&keep_alive)
}

/// Prepares a connection that `listener` has accepted: what is sent leaves at once (`TCP_NODELAY`), and what the option
/// `tcpKeepAlive` has set on the listener holds for the connection, also on systems of Apple, where that does not come by itself.
/// As far as the system lets it.
pub fn prepare_accepted<'s>(listener: impl Into<SockRef<'s>>, accepted: impl Into<SockRef<'s>>) {
    let (listener, accepted) = (listener.into(), accepted.into());
    // Answers leave in one write anyway; waiting for more would only delay them.
    let _best_effort = accepted.set_tcp_nodelay(true);
    #[cfg(target_vendor = "apple")]
    if let (Ok(true), Ok(time)) = (listener.keepalive(), listener.tcp_keepalive_time()) {
        let _best_effort = accepted.set_tcp_keepalive(&TcpKeepalive::new().with_time(time));
    }
    #[cfg(not(target_vendor = "apple"))]
    let _has_given_it_what_it_has = listener;
}

/// `SO_REUSEPORT`: the system shares connections out between all who listen on the port.
fn reuse_port(socket: &Socket) -> io::Result<()> {
    #[cfg(target_os = "freebsd")]
    {
        socket.set_reuse_port_lb(true)
    }
    #[cfg(all(
        unix,
        not(any(target_os = "freebsd", target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
    ))]
    {
        socket.set_reuse_port(true)
    }
    #[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
    {
        let _ = socket;
        Err(super::unsupported("the option reusePort"))
    }
}

/// A socket that is to connect to `address`: non-blocking, and bound where the option `interface` says.
///
/// # Errors
///
/// That of the operating system, for a local address or port that cannot be had.
pub fn tcp_socket(address: SocketAddr, settings: &Settings) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    keep_alive(&socket, settings)?;
    let interface = &settings.config().interface;
    if interface.local_address.is_some() || interface.local_port.is_some() {
        let unspecified = match address {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let ip = interface.local_address.unwrap_or(unspecified);
        // A client that reconnects from the same port meets its own last connection, which lingers.
        #[cfg(unix)]
        socket.set_reuse_address(interface.local_port.is_some())?;
        socket.bind(&SocketAddr::new(ip, interface.local_port.unwrap_or(0)).into())?;
    }
    Ok(socket)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::net::Listening;
    use ipc_proto::Config;
    use std::net::TcpStream;

    /// After how long, how often and how many times it asks, if it does.
    fn found(socket: SockRef<'_>) -> io::Result<Option<(Duration, Duration, u32)>> {
        if !socket.keepalive()? {
            return Ok(None);
        }
        let (time, interval) = (socket.tcp_keepalive_time()?, socket.tcp_keepalive_interval()?);
        Ok(Some((time, interval, socket.tcp_keepalive_retries()?)))
    }

    #[test]
    fn both_ends_and_given_listeners_ask_whether_the_other_is_there_if_told_to() {
        let second = Duration::from_secs(1);
        for (option, expected) in [(None, None), (Some(second * 60), Some((second * 60, second * 20, 3)))] {
            let settings = crate::host::build(Config::new("asks").tcp_keep_alive(option)).unwrap();
            let listener = bind_tcp(&["127.0.0.1:0".parse().unwrap()], &settings).unwrap();
            let address = listener.local_addr().unwrap();
            let client = tcp_socket(address, &settings).unwrap();
            assert_eq!(found((&client).into()).unwrap(), expected);
            listener.set_nonblocking(false).unwrap();
            let _other = TcpStream::connect(address).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            assert_eq!(found((&accepted).into()).unwrap(), expected, "from its listener");

            let given = Listening::from(TcpListener::bind("127.0.0.1:0").unwrap()).prepared(&settings).unwrap();
            let Listening::Tcp(given) = given else { panic!("{given:?}") };
            assert_eq!(found((&given).into()).unwrap(), expected);
        }
    }

    #[test]
    fn a_part_of_a_second_is_no_time_to_ask_and_small_times_are_not_0() {
        let settings = crate::host::build(Config::new("asks").tcp_keep_alive(Duration::from_millis(1_999))).unwrap();
        let socket = tcp_socket("127.0.0.1:9".parse().unwrap(), &settings).unwrap();
        assert_eq!(found((&socket).into()).unwrap(), Some((Duration::from_secs(1), Duration::from_secs(1), 3)));
    }
}
