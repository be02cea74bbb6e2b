//! UDP sockets, and which of their errors say nothing about the socket.

use super::first_of;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Binds a UDP socket to the first of `addresses` that works. It is non-blocking, and nobody else can bind to the same
/// port: of two such sockets one would get the datagrams of the other.
///
/// One bound to `::` also receives over IPv4, from addresses written `::ffff:a.b.c.d`, where the system does so by default
/// (Linux and macOS; not Windows). Node sets nothing either.
///
/// # Errors
///
/// That of the last address tried; [`io::ErrorKind::NotFound`] if there is none.
pub fn bind_udp(addresses: &[SocketAddr]) -> io::Result<UdpSocket> {
    first_of(addresses, |address| {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    })
}

/// How many datagrams [`send_burst`] sends at most over this socket: 1 before Linux 4.18, where it would send all of them
/// as one.
#[cfg(target_os = "linux")]
#[must_use]
pub fn max_burst(socket: &impl std::os::fd::AsFd) -> usize {
    use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
    /// `UDP_MAX_SEGMENTS` of Linux before 6.9, and half of it since.
    const SEGMENTS: usize = 64;
    // 0 is what it is anyway.
    if setsockopt(socket, UdpGsoSegment, &0).is_ok() { SEGMENTS } else { 1 }
}

/// Sends datagrams of `length` bytes each, the last one shorter perhaps, that lie one after another in `bytes`: with one call,
/// in which the network stack of the system is passed once for all of them (`UDP_SEGMENT`). They arrive as if each had been sent
/// for itself.
///
/// # Errors
///
/// Those of the operating system; then none was sent. One is that `length` is more than the way to `to` takes in one packet.
#[cfg(target_os = "linux")]
pub fn send_burst(socket: &impl std::os::fd::AsFd, bytes: &[u8], length: u16, to: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
    use std::os::fd::AsRawFd;
    let control = [ControlMessage::UdpGsoSegments(&length)];
    let to = SockaddrStorage::from(to);
    sendmsg(socket.as_fd().as_raw_fd(), &[io::IoSlice::new(bytes)], &control, MsgFlags::empty(), Some(&to))?;
    Ok(())
}

/// Whether an error of receiving tells what became of a datagram *sent*: an ICMP message came that nobody listens there,
/// or that there is no way. Windows reports those (`WSAECONNRESET`, `WSAENETRESET`), and so does Linux where `IP_RECVERR` is
/// set. The next call may receive.
#[must_use]
pub fn is_report_of_sending(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable};
    /// `WSAENETRESET`, which has no kind.
    const NET_RESET: i32 = 10_052;
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | Interrupted)
        || cfg!(windows) && error.raw_os_error() == Some(NET_RESET)
}
