//! One descriptor and a few bytes, from process to process over a Unix socket (`SCM_RIGHTS`).

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Sends one byte and a descriptor with it.
pub(crate) fn send_fd(stream: &UnixStream, byte: u8, fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("no room for a descriptor in a message"));
    }
    loop {
        match sendmsg(stream.as_fd(), &[IoSlice::new(&[byte])], &mut control, SendFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Receives one byte and the descriptor that came with it, if any; no byte at the end of the stream. Only one descriptor
/// has room: the system closes others.
pub(crate) fn receive_fd(stream: &UnixStream) -> io::Result<(Option<u8>, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let count = loop {
        match recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, close_on_exec()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(received) => break received.bytes,
        }
    };
    let mut fd = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            fds.for_each(|received| fd = Some(received));
        }
    }
    Ok(((count == 1).then_some(byte[0]), fd))
}

/// Where the system can set it with the message; elsewhere `Listening::from_fd` does it a moment later.
const fn close_on_exec() -> RecvFlags {
    #[cfg(not(any(target_vendor = "apple", target_os = "solaris", target_os = "illumos")))]
    {
        RecvFlags::CMSG_CLOEXEC
    }
    #[cfg(any(target_vendor = "apple", target_os = "solaris", target_os = "illumos"))]
    {
        RecvFlags::empty()
    }
}
