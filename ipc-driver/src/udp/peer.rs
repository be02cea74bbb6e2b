//! An address to send datagrams to, with the ways to emit.

use super::Air;
use crate::Broadcast;
use crate::emit::emit_methods;
use crate::link::Link;
use crate::wakers::Ticket;
use ipc_proto::{Addressed, DatagramOutbound, EmitError, Frame};
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Somebody at an address, as a [`UdpServer`](crate::UdpServer) sees them: who sent an event, or whom to send one. Cheap to
/// clone. It does not keep the server alive; while that is not started, or has stopped, emits are refused with
/// [`EmitError::Closed`].
///
/// What is emitted is queued, with all else that its server sends, and leaves as one datagram an event. Nobody knows whether
/// it arrives: it may be lost, doubled or overtaken. An event of more than [`MAX_DATAGRAM`](crate::MAX_DATAGRAM) bytes is
/// refused with [`EmitError::TooLarge`], an address of the other family with [`EmitError::Address`]; that the address cannot
/// be reached, if the system says so, comes as [`UdpEvent::Error`](crate::UdpEvent::Error).
#[derive(Clone)]
pub struct UdpPeer {
    pub(super) address: SocketAddr,
    pub(super) air: Arc<Air>,
}

impl UdpPeer {
    /// Its address: `rinfo` in node-ipc.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    emit_methods!();

    /// Queues an event for everybody whom its server knows, itself included if that is so:
    /// [`UdpServer::broadcast`](crate::UdpServer::broadcast) for handlers.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn broadcast<T: Serialize + ?Sized>(&self, name: &str, data: &T) -> Result<Broadcast, EmitError> {
        self.air.broadcast(&Frame::new(&self.air.settings, name, data)?)
    }

    fn link(&self) -> &Link<DatagramOutbound> {
        &self.air.link
    }

    fn emit_with(&self, emit: impl FnOnce(&mut Addressed<'_>) -> Result<(), EmitError>) -> Result<(), EmitError> {
        self.air.link.emit(|outbound| emit(&mut outbound.to(self.address))).unwrap_or_else(|| self.air.link.refuse())
    }

    fn poll_emit_with(
        &self,
        cx: &mut Context<'_>,
        ticket: &mut Ticket,
        emit: impl FnOnce(&mut Addressed<'_>) -> Result<(), EmitError>,
    ) -> Poll<Result<(), EmitError>> {
        let emit = |outbound: &mut DatagramOutbound| emit(&mut outbound.to(self.address));
        self.air.link.poll_emit(cx, ticket, emit).map(|outcome| outcome.unwrap_or_else(|| self.air.link.refuse()))
    }
}

impl PartialEq for UdpPeer {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address && Arc::ptr_eq(&self.air, &other.air)
    }
}

impl Eq for UdpPeer {}

impl fmt::Debug for UdpPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UdpPeer").field(&self.address).finish()
    }
}
