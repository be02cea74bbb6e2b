//! UDP sockets.

use super::{Way, poll_io};
use crate::runtime::DatagramSocket;
use ::async_io::Async;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams(Async<UdpSocket>);

impl Datagrams {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        Async::new(socket).map(Self)
    }
}

impl DatagramSocket for Datagrams {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        poll_io(&self.0, Way::Read, cx, |socket| socket.recv_from(buffer))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>> {
        // It takes a datagram whole or not at all.
        poll_io(&self.0, Way::Write, cx, |socket| socket.send_to(bytes, to)).map_ok(drop)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}
