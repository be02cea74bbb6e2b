//! UDP sockets.

use super::{Way, poll_io};
use crate::runtime::DatagramSocket;
use ::async_io::Async;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    socket: Async<UdpSocket>,
    #[cfg(target_os = "linux")]
    max_burst: usize,
}

impl Datagrams {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self {
            #[cfg(target_os = "linux")]
            max_burst: crate::net::max_burst(&socket),
            socket: Async::new(socket)?,
        })
    }
}

impl DatagramSocket for Datagrams {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        poll_io(&self.socket, Way::Read, cx, |socket| socket.recv_from(buffer))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>> {
        // It takes a datagram whole or not at all.
        poll_io(&self.socket, Way::Write, cx, |socket| socket.send_to(bytes, to)).map_ok(drop)
    }

    #[cfg(target_os = "linux")]
    fn max_burst(&self) -> usize {
        self.max_burst
    }

    #[cfg(target_os = "linux")]
    fn poll_send_burst(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        length: u16,
        to: SocketAddr,
    ) -> Poll<io::Result<()>> {
        poll_io(&self.socket, Way::Write, cx, |socket| crate::net::send_burst(socket, bytes, length, to))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }
}
