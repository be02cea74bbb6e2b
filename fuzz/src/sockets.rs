//! The writing end of a socket that takes as much as it is told to, and what a peer reads at the other.

use ipc_proto::bytes::Buf;
use ipc_proto::{Outbound, Transmit};

/// Writes `count` bytes of what was taken out of a queue, or all of it if that is less.
pub(crate) fn write(transmit: &mut Transmit, count: usize, wire: &mut Vec<u8>) {
    let mut count = count.min(transmit.remaining());
    while count > 0 {
        let chunk = transmit.chunk();
        let taken = chunk.len().min(count);
        assert!(taken > 0, "what remains can be read");
        wire.extend_from_slice(&chunk[..taken]);
        transmit.advance(taken);
        count -= taken;
    }
}

/// Writes all that leaves the queue by itself.
pub(crate) fn flush(outbound: &mut Outbound, transmit: &mut Transmit, wire: &mut Vec<u8>) {
    while outbound.poll_transmit(transmit) {
        write(transmit, usize::MAX, wire);
    }
}
