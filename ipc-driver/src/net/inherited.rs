//! Listening sockets that whoever started this process opened for it: the convention of systemd, `LISTEN_FDS`.

use super::Listening;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first of the descriptors, after the three of every process.
const FIRST: u32 = 3;
/// More than anybody hands over, and few enough to look at.
const MOST: u32 = 1024;

/// A listening socket that this process was started with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inherited {
    /// Its name in `LISTEN_FDNAMES` (`FileDescriptorName=` of a systemd unit), if it has one.
    pub name: Option<String>,
    /// The socket. Its file is not removed by us.
    pub socket: Listening,
}

/// The listening sockets that systemd, or another that keeps its convention, gave this process: `LISTEN_FDS` of them,
/// meant for the process `LISTEN_PID`, called `LISTEN_FDNAMES`. None if it gave none, or meant another process.
///
/// They are given once; a second call finds none. Call it early, before anything else in this process could open
/// descriptors of those numbers. The sockets do not pass on to programs that this one starts. The variables stay in the
/// environment, where a child finds that they are not meant for it.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if the variables are no numbers, a descriptor is not open, or one of the sockets is none
/// that listens for streams; the others are closed then.
pub fn inherited() -> io::Result<Vec<Inherited>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let Some(count) = announced()? else { return Ok(Vec::new()) };
    if count > MOST {
        return Err(wrong(format!("LISTEN_FDS announces {count} sockets; {MOST} are the most")));
    }
    // A descriptor that is not open must not become an owned one.
    if let Some(closed) = (FIRST..FIRST + count).find(|fd| fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_err())
    {
        return Err(wrong(format!(
            "LISTEN_FDS announces {count} sockets from number {FIRST}, and {closed} is not open"
        )));
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let given = sd_listen_fds::get().map_err(|error| wrong(error.to_string()))?;
    let owned: Vec<_> = given.into_iter().map(|(name, fd)| (name, fd.into_std())).collect();
    let sockets = owned.into_iter().enumerate().map(|(index, (name, fd))| {
        let name = name.filter(|name| !name.is_empty());
        let socket = Listening::from_fd(fd).map_err(|error| {
            let number = FIRST as usize + index;
            let called = name.as_deref().map(|name| format!(", called {name:?},")).unwrap_or_default();
            io::Error::new(error.kind(), format!("the inherited descriptor {number}{called} cannot be used: {error}"))
        })?;
        Ok(Inherited { name, socket })
    });
    sockets.collect()
}

/// How many descriptors were left for this process.
fn announced() -> io::Result<Option<u32>> {
    let variable = |name: &str| match std::env::var(name) {
        Ok(text) => text.parse().map(Some).map_err(|_| {
            let message = format!("the environment variable {name} must be a number, not {text:?}");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        }),
        Err(_) => Ok(None::<u32>),
    };
    if !cfg!(target_os = "linux") || variable("LISTEN_PID")? != Some(std::process::id()) {
        return Ok(None);
    }
    variable("LISTEN_FDS")
}
