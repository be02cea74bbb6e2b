//! Named pipes of Windows, ready for an adapter to wrap: who may open them, how their names are guarded, how a client
//! gets in.
//!
//! A pipe is many *instances* of one name, each of which serves one client. `listener` has those that wait for one. How
//! bytes go through an instance that is connected, and how it ends, is for `stream`; what only unsafe code can ask Windows
//! is in `sys`.
//!
//! A runtime that has pipes of its own wraps the handles that it finds here. For others `overlapped` has pipes that need
//! no runtime: [`connect`] and [`OverlappedListener`] are all that their adapters call.

mod claim;
mod flush;
mod listener;
mod overlapped;
mod stream;
mod sys;
#[cfg(test)]
mod tests;

pub use claim::Claim;
pub use flush::Job;
pub use listener::PipeListener;
pub use overlapped::{Connecting, Overlapped, OverlappedListener, connect};
pub use stream::PipeStream;

use crate::runtime::{Credentials, Timer};
use ipc_proto::{Config, LocalAddress, Settings};
use std::fs::OpenOptions;
use std::future::poll_fn;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ, FILE_WRITE_DATA, SECURITY_IDENTIFICATION,
};

/// How many instances wait for clients at a time: so many may knock before one is accepted and none is told that all are
/// busy. (Node waits with as many.)
pub const INSTANCES: usize = 4;

/// Bytes that the system keeps of what was written and not read, for each direction of an instance. A write that does
/// not fit waits for the reader.
pub const BUFFER: u32 = 64 * 1024;

/// A client that finds all instances busy tries again after this, then after twice this and so on…
const BUSY_PAUSE: Duration = Duration::from_millis(1);
/// …up to this…
const BUSY_PAUSE_AT_MOST: Duration = Duration::from_millis(64);
/// …and gives up after so long in all.
const BUSY_AT_MOST: Duration = Duration::from_secs(5);

/// An instance of a server of ours that has ended is gone only when the runtime has seen it end: for so long a name that
/// seems to be taken is tried again.
const TAKEN_PAUSE: Duration = Duration::from_millis(10);
const TAKEN_ATTEMPTS: usize = 20;

/// The serving end of a pipe name: makes instances of it, all with the same rights. The name is free again when this and
/// all of its instances are gone.
#[derive(Debug)]
pub struct PipeServer {
    name: String,
    access: &'static str,
    claim: Claim,
}

impl PipeServer {
    /// Takes the name, and makes its first instance.
    ///
    /// Only this user and the system may open it; `readableAll` and `writableAll` let everybody on this machine read from
    /// it or write to it. Nobody else may add an instance of their own. `timer` is one of the runtime.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] if anybody serves that name, or somebody's connection of it is still open. With
    /// `takeOver` the name is shared with who serves it, and each client gets to either.
    pub async fn bind(
        address: &LocalAddress,
        settings: &Settings,
        timer: &mut impl Timer,
        now: impl Fn() -> Instant,
    ) -> io::Result<(Self, OwnedHandle)> {
        let mut attempts = TAKEN_ATTEMPTS;
        loop {
            match Self::try_bind(address, settings) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {
                    attempts -= 1;
                    timer.set(Some(now() + TAKEN_PAUSE));
                    poll_fn(|cx| timer.poll_expired(cx)).await;
                }
                done => return done,
            }
        }
    }

    fn try_bind(address: &LocalAddress, settings: &Settings) -> io::Result<(Self, OwnedHandle)> {
        let name = pipe(address)?.to_owned();
        let config = settings.config();
        let claim = Claim::listener(&name, config.take_over)?;
        // Where instances of our own are left the name is ours, and nobody else can have made one.
        let first = !config.take_over && claim.is_first();
        let server = Self { access: access(config), claim, name };
        let instance =
            sys::create(&server.name, server.access, first, BUFFER).map_err(|error| server.explain(error))?;
        Ok((server, instance))
    }

    /// Another instance. To be made *before* one that a client has taken is handed on, so that there is always one for
    /// the next client.
    ///
    /// # Errors
    ///
    /// That of the system, which may have no memory left for it.
    pub fn instance(&self) -> io::Result<OwnedHandle> {
        sys::create(&self.name, self.access, false, BUFFER)
    }

    /// What a connection holds to keep the name: as long as one lives, no server of somebody else may take it.
    #[must_use]
    pub fn claim(&self) -> Claim {
        self.claim.connection()
    }

    fn explain(&self, error: io::Error) -> io::Error {
        match raw(&error) {
            Some(ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY) => claim::in_use(
                &self.name,
                "another process serves it, or has a connection of it open, or it belongs to another user",
            ),
            _ => error,
        }
    }
}

/// Opens the pipe as a client, for overlapped use. Where all of its instances are busy it tries again, after 1 ms and then
/// more and more rarely, for 5 s. Dropping the future gives it up. `timer` is one of the runtime.
///
/// The server may learn who we are, and may not act in our name.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] if nobody serves it; [`io::ErrorKind::PermissionDenied`] if it is not for us;
/// [`io::ErrorKind::ResourceBusy`] if it was busy all the time.
pub async fn open(
    address: &LocalAddress,
    timer: &mut impl Timer,
    now: impl Fn() -> Instant,
) -> io::Result<OwnedHandle> {
    let name = pipe(address)?;
    let give_up = now() + BUSY_AT_MOST;
    let mut pause = BUSY_PAUSE;
    loop {
        match try_open(name) {
            Err(error) if raw(&error) == Some(ERROR_PIPE_BUSY) => {
                let at = now();
                if at >= give_up {
                    let text = format!("every instance of {name} was busy for {BUSY_AT_MOST:?}");
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
                }
                timer.set(Some(at + pause));
                poll_fn(|cx| timer.poll_expired(cx)).await;
                pause = (pause * 2).min(BUSY_PAUSE_AT_MOST);
            }
            done => return done,
        }
    }
}

fn try_open(name: &str) -> io::Result<OwnedHandle> {
    let file = OpenOptions::new()
        // Not GENERIC_WRITE, which also asks for the right to add instances; that is for the server alone.
        .access_mode(FILE_GENERIC_READ | FILE_WRITE_DATA)
        .custom_flags(FILE_FLAG_OVERLAPPED)
        .security_qos_flags(SECURITY_IDENTIFICATION)
        .open(name)?;
    if !sys::is_pipe(file.as_handle()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no pipe")));
    }
    Ok(file.into())
}

/// What the system knows of who has opened this instance of ours: its process.
#[must_use]
pub fn client_credentials(pipe: BorrowedHandle<'_>) -> Option<Credentials> {
    let pid = sys::client_process(pipe).ok().filter(|process| *process != 0)?;
    Some(Credentials { pid: Some(pid), ..Credentials::default() })
}

/// Who may do what. Rights over a pipe, in the order of the numbers: 0x1 read, 0x2 write, 0x4 *make an instance*, 0x80 and
/// 0x100 look at and change its modes; FA is all of them, SY the system, OW its owner, WD everybody. `P` keeps out what might be
/// inherited. Everybody never gets 0x4: with it another user could pass for this server.
fn access(config: &Config) -> &'static str {
    match (config.readable_all, config.writable_all) {
        (false, false) => "D:P(A;;FA;;;SY)(A;;FA;;;OW)",
        (true, false) => "D:P(A;;FA;;;SY)(A;;FA;;;OW)(A;;0x120189;;;WD)",
        (false, true) => "D:P(A;;FA;;;SY)(A;;FA;;;OW)(A;;0x120192;;;WD)",
        (true, true) => "D:P(A;;FA;;;SY)(A;;FA;;;OW)(A;;0x12019b;;;WD)",
    }
}

/// The name, if it is one of a pipe.
fn pipe(address: &LocalAddress) -> io::Result<&str> {
    if address.is_pipe() {
        return Ok(address.as_str());
    }
    let text = format!("{} is the path of a Unix socket, and no name of a pipe", address.as_str());
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

fn raw(error: &io::Error) -> Option<u32> {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok())
}
