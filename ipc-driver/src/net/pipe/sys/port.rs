//! Operations on pipes that end when the system says so, and the completion port that hears of it. What they are for is
//! said in `overlapped`.
//!
//! There is one port in a process, made when it is first needed, and one thread of ours that waits at it, notes how
//! operations have ended, and wakes tasks. It does nothing else, and lives as long as the process.
//!
//! Who owns the memory of an operation, its [`Packet`]: while it runs, the system has a reference to it that is counted
//! like any other, and gives it back through the port, always, cancelled or not. So it does not matter who is dropped in
//! the meantime. What an operation reads from is in the packet too.

use super::raw;
use std::cell::UnsafeCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_PIPE_CONNECTED, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, SetFileCompletionNotificationModes, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED};
use windows_sys::Win32::System::Pipes::ConnectNamedPipe;
use windows_sys::Win32::System::Threading::INFINITE;
use windows_sys::Win32::System::WindowsProgramming::FILE_SKIP_COMPLETION_PORT_ON_SUCCESS;
use windows_sys::core::BOOL;

/// A buffer that has grown beyond this is given back when what it held is written.
const KEEP: usize = 8 * 1024;

/// The port fails only if memory is short; then it is asked again after this.
const PORT_PAUSE: Duration = Duration::from_millis(10);

/// A pipe whose operations end at the port of this process, and none else.
#[derive(Debug)]
pub(in crate::net::pipe) struct Pipe(OwnedHandle);

impl Pipe {
    /// Fails if the pipe was not opened for overlapped use, or has a port already.
    pub(in crate::net::pipe) fn register(pipe: OwnedHandle) -> io::Result<Self> {
        let port = port()?;
        // SAFETY: both handles are open during the call. The port belongs to this module, which knows what comes out of it.
        let same = unsafe { CreateIoCompletionPort(raw(pipe.as_handle()), raw(port.as_handle()), 0, 0) };
        if same.is_null() {
            return Err(io::Error::last_os_error());
        }
        // What succeeds at once then ends at once, without a turn of the thread. The constant fits.
        // SAFETY: the handle is open during the call.
        let done = unsafe {
            SetFileCompletionNotificationModes(raw(pipe.as_handle()), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS as u8)
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(pipe)) }
    }
}

impl AsHandle for Pipe {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// An operation that can be started again and again, with the buffer that it writes from. Whoever drops it
/// [cancels](Self::cancel) it before, or it lasts until it ends by itself.
pub(in crate::net::pipe) struct Operation {
    packet: Arc<Packet>,
}

/// What the system has while the operation runs.
#[repr(C)]
struct Packet {
    /// The first field: the system knows the packet by the address of this.
    overlapped: UnsafeCell<OVERLAPPED>,
    buffer: UnsafeCell<Vec<u8>>,
    /// Protects how far it is, and thereby the other fields: while it is `Running` they are the system's alone, else they
    /// are for the one `Operation` that has this packet. Held to look and to note, never across a call or a wake-up.
    phase: Mutex<Phase>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    /// With the task that waits for it.
    Running(Option<Waker>),
    /// With the number of bytes.
    Done(io::Result<usize>),
}

// SAFETY: the pointers in an OVERLAPPED are not followed here, and no thread is special to them.
unsafe impl Send for Packet {}
// SAFETY: the mutex says who may look into the cells, as is written there.
unsafe impl Sync for Packet {}

impl Packet {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            overlapped: UnsafeCell::new(OVERLAPPED::default()),
            buffer: UnsafeCell::new(Vec::new()),
            phase: Mutex::new(Phase::Idle),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the end, and wakes who waits for it.
    fn complete(&self, result: io::Result<usize>) {
        let before = mem::replace(&mut *self.lock(), Phase::Done(result));
        if let Phase::Running(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl Operation {
    pub(in crate::net::pipe) fn new() -> Self {
        Self { packet: Packet::new() }
    }

    /// Waits until a client has opened this instance of a server.
    pub(in crate::net::pipe) fn connect(&mut self, pipe: &Pipe) -> io::Result<()> {
        // SAFETY: `start` gives a pointer that is good until the system has given it back.
        let started = self.start(|overlapped| unsafe { ConnectNamedPipe(raw(pipe.as_handle()), overlapped) });
        match started {
            // One was here before us. It may have gone again; what it wrote is there to be read.
            Err(error) if matches!(super::super::raw(&error), Some(ERROR_PIPE_CONNECTED | ERROR_NO_DATA)) => {
                self.packet.complete(Ok(0));
                Ok(())
            }
            started => started,
        }
    }

    /// Waits until there is something to read, and reads nothing.
    pub(in crate::net::pipe) fn wait_for_data(&mut self, pipe: &Pipe) -> io::Result<()> {
        // SAFETY: as for `connect`; the buffer is some of the same memory, of which no byte is asked for.
        self.start(|overlapped| unsafe {
            ReadFile(raw(pipe.as_handle()), overlapped.cast(), 0, ptr::null_mut(), overlapped)
        })
    }

    /// Puts copies of the slices into the buffer, up to `room` bytes: how many. None while it runs.
    pub(in crate::net::pipe) fn fill(&mut self, slices: &[IoSlice<'_>], mut room: usize) -> usize {
        let Some(buffer) = self.buffer() else { return 0 };
        buffer.clear();
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            buffer.extend_from_slice(part);
            room -= part.len();
        }
        buffer.len()
    }

    /// Bytes in the buffer. None while it runs.
    pub(in crate::net::pipe) fn filled(&mut self) -> usize {
        self.buffer().map_or(0, |buffer| buffer.len())
    }

    /// Empties the buffer, and gives a large one back.
    pub(in crate::net::pipe) fn clear(&mut self) {
        if let Some(buffer) = self.buffer() {
            buffer.clear();
            buffer.shrink_to(KEEP);
        }
    }

    /// Writes what is in the buffer, except for the first `skip` bytes.
    pub(in crate::net::pipe) fn write(&mut self, pipe: &Pipe, skip: usize) -> io::Result<()> {
        let Some(rest) = self.buffer().and_then(|buffer| buffer.get(skip..)) else { return Err(busy()) };
        let (bytes, length) = (rest.as_ptr(), u32::try_from(rest.len()).unwrap_or(u32::MAX));
        // SAFETY: as for `connect`; the bytes are in the packet, and nobody changes or frees them while it runs.
        self.start(|overlapped| unsafe { WriteFile(raw(pipe.as_handle()), bytes, length, ptr::null_mut(), overlapped) })
    }

    /// How it has ended: `None` if none was started since this was last said.
    pub(in crate::net::pipe) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<usize>>> {
        let mut phase = self.packet.lock();
        let old = match &mut *phase {
            Phase::Running(Some(waker)) if waker.will_wake(cx.waker()) => return Poll::Pending,
            Phase::Running(waker) => waker.replace(cx.waker().clone()),
            _ => return Poll::Ready(Self::take(&mut phase)),
        };
        drop(phase);
        // Without the lock: a waker may be the last to hold its task.
        drop(old);
        Poll::Pending
    }

    /// How it has ended, if it has.
    pub(in crate::net::pipe) fn finished(&mut self) -> Option<io::Result<usize>> {
        Self::take(&mut self.packet.lock())
    }

    /// Asks the system to end it soon. Nobody is told of it any more.
    pub(in crate::net::pipe) fn cancel(&mut self, pipe: &Pipe) {
        let mut phase = self.packet.lock();
        let Phase::Running(waker) = &mut *phase else { return };
        let forgotten = waker.take();
        drop(phase);
        drop(forgotten);
        // SAFETY: the handle is open during the call, and the packet, which is looked for by its address, lives.
        // It fails if it has ended just now.
        let _nothing_to_end = unsafe { CancelIoEx(raw(pipe.as_handle()), self.packet.overlapped.get()) };
    }

    /// Whether its memory is still somebody's, to be asked when it is dropped.
    #[cfg(test)]
    pub(in crate::net::pipe) fn watch(&self) -> impl Fn() -> bool + use<> {
        let packet = Arc::downgrade(&self.packet);
        move || packet.strong_count() > 0
    }

    fn take(phase: &mut Phase) -> Option<io::Result<usize>> {
        match mem::replace(phase, Phase::Idle) {
            Phase::Idle => None,
            Phase::Done(result) => Some(result),
            running @ Phase::Running(_) => {
                *phase = running;
                None
            }
        }
    }

    fn is_running(&self) -> bool {
        matches!(*self.packet.lock(), Phase::Running(_))
    }

    /// The buffer, unless the system has it.
    fn buffer(&mut self) -> Option<&mut Vec<u8>> {
        if self.is_running() {
            return None;
        }
        // SAFETY: it does not run, and cannot be started as long as `self` is borrowed; nobody but this operation and the
        // system looks into the cell.
        Some(unsafe { &mut *self.packet.buffer.get() })
    }

    /// Starts it with `call`, which passes on the pointer to the system and does nothing else with it.
    fn start(&mut self, call: impl FnOnce(*mut OVERLAPPED) -> BOOL) -> io::Result<()> {
        if self.is_running() {
            return Err(busy());
        }
        // Before the call: the thread may note the end before the call has returned.
        *self.packet.lock() = Phase::Running(None);
        let systems = Arc::into_raw(Arc::clone(&self.packet));
        let overlapped = UnsafeCell::raw_get(systems.cast::<UnsafeCell<OVERLAPPED>>());
        // SAFETY: the first field of a packet of which we hold a reference; the system does not have it yet.
        unsafe { overlapped.write(OVERLAPPED::default()) };
        if call(overlapped) != 0 {
            // SAFETY: the operation has ended and nothing comes through the port, so what the system was to have is ours:
            // its note of the number of bytes, and the reference.
            let (count, packet) = unsafe { ((*overlapped).InternalHigh, Arc::from_raw(systems)) };
            packet.complete(Ok(count));
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match super::super::raw(&error) {
            Some(ERROR_IO_PENDING) => Ok(()),
            // Only where somebody has told the pipe to read messages. Whether this goes through the port as well is not said
            // anywhere: the packet is left to the system for ever.
            Some(ERROR_MORE_DATA) => {
                self.packet = Packet::new();
                Err(error)
            }
            _ => {
                // SAFETY: what fails at once does not go through the port, so the reference is still ours.
                drop(unsafe { Arc::from_raw(systems) });
                *self.packet.lock() = Phase::Idle;
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&*self.packet.lock()).finish()
    }
}

/// Never seen: whoever starts an operation has awaited it first.
fn busy() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "an operation of this kind is under way on the pipe")
}

/// The port of this process.
fn port() -> io::Result<&'static OwnedHandle> {
    static PORT: OnceLock<OwnedHandle> = OnceLock::new();
    /// Protects the making of it, so that there is one thread; not held once it is there.
    static MAKING: Mutex<()> = Mutex::new(());

    if let Some(port) = PORT.get() {
        return Ok(port);
    }
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(port) = PORT.get() {
        return Ok(port);
    }
    // SAFETY: a new port, of no file yet.
    let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
    if port.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was made just now, and nobody else has it.
    let port = unsafe { OwnedHandle::from_raw_handle(port) };
    let served = port.try_clone()?;
    std::thread::Builder::new().name("ipc-pipes".into()).spawn(move || serve(&served))?;
    Ok(PORT.get_or_init(|| port))
}

/// Takes what comes out of the port, for ever.
fn serve(port: &OwnedHandle) {
    let port: HANDLE = port.as_raw_handle();
    loop {
        let (mut count, mut key) = (0, 0);
        let mut overlapped = ptr::null_mut();
        // SAFETY: the port is open, and what the call writes to outlives it.
        let done =
            unsafe { GetQueuedCompletionStatus(port, &raw mut count, &raw mut key, &raw mut overlapped, INFINITE) };
        let result = if done == 0 { Err(io::Error::last_os_error()) } else { Ok(count as usize) };
        if overlapped.is_null() {
            tracing::warn!(target: "ipc", ?result, "the port of the pipes gave nothing");
            std::thread::sleep(PORT_PAUSE);
            continue;
        }
        // SAFETY: whoever has a pipe of this port at the same time starts no operations on it but by `start`, which gave a
        // pointer to the first field of a packet together with a reference. The system gives each back once.
        let packet = unsafe { Arc::from_raw(overlapped.cast::<Packet>().cast_const()) };
        // Wakers are foreign code, and everybody depends on this thread.
        let woken = catch_unwind(AssertUnwindSafe(move || {
            packet.complete(result);
            drop(packet);
        }));
        if woken.is_err() {
            tracing::error!(target: "ipc", "a waker panicked");
        }
    }
}
