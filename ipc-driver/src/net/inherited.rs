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
/// They are given once; a second call finds none. Descriptors of those numbers that this process has opened itself, its
/// runtime for example, are told apart and left alone. The sockets do not pass on to programs that this one starts. The variables stay in the
/// environment, where a child finds that they are not meant for it.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if the variables are no numbers, a descriptor is not open or not inherited, or one of the sockets is none
/// that listens for streams; the others are closed then.
pub fn inherited() -> io::Result<Vec<Inherited>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let Some(count) = announced()? else { return Ok(Vec::new()) };
    if TAKEN.load(Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    if count > MOST {
        return Err(wrong(format!("LISTEN_FDS announces {count} sockets; {MOST} are the most")));
    }
    // What is not open, or belongs to somebody in this process, must not become ours.
    for fd in FIRST..FIRST + count {
        let why = match closes_with_a_program(fd) {
            Ok(false) => continue,
            Ok(true) => "was not inherited: something in this process has opened it",
            Err(_) => "is not open",
        };
        return Err(wrong(format!("LISTEN_FDS announces {count} sockets from number {FIRST}, and {fd} {why}")));
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

/// Whether a descriptor is closed when a program is started. No inherited one is; those that this process opens are, its
/// runtime's among them.
fn closes_with_a_program(fd: u32) -> io::Result<bool> {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    let flags = flags.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(flags & rustix::fs::OFlags::CLOEXEC.bits() != 0)
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
