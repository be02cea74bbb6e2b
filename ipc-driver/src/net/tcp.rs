//! TCP sockets: listeners, and sockets that are about to connect.

use super::{backlog, first_of};
use ipc_proto::Settings;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

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
        socket.bind(&address.into())?;
        socket.listen(backlog(settings))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    })
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
