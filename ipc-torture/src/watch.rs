//! A process seen from outside: memory, descriptors, processor time; and the limits it has.

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// `USER_HZ`, in which Linux gives times to programs: 100 on every architecture that Rust knows.
const TICKS: u64 = 100;

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub struct Watched(u32);

impl Watched {
    /// The process `pid`.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// This process.
    #[must_use]
    pub fn this() -> Self {
        Self(std::process::id())
    }

    fn status(self, field: &str) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.map(|kib| kib * 1024).ok_or_else(|| io::Error::other(format!("no {field} in its status")))
    }

    /// Memory it has in RAM, in bytes.
    ///
    /// # Errors
    ///
    /// If there is no such process, as everywhere here.
    pub fn memory(self) -> io::Result<u64> {
        self.status("VmRSS")
    }

    /// The most it ever had in RAM, or since [`forget_peak`](Self::forget_peak), in bytes.
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn peak(self) -> io::Result<u64> {
        self.status("VmHWM")
    }

    /// Lets the peak start anew from what it has now.
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn forget_peak(self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5")
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn descriptors(self) -> io::Result<usize> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0))?.count();
        // One of ours reads the folder.
        Ok(if self.0 == std::process::id() { open - 1 } else { open })
    }

    /// The processor time it has used so far, all threads together.
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn processor(self) -> io::Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // After the name, which may hold anything, in parentheses.
        let (_, fields) = text.rsplit_once(')').ok_or(io::ErrorKind::InvalidData)?;
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// The share of one processor that it uses during `time`: 1.0 is all of one.
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn load_during(self, time: Duration) -> io::Result<f64> {
        let (used, began) = (self.processor()?, Instant::now());
        std::thread::sleep(time);
        Ok((self.processor()? - used).as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// Allows it so many descriptors from now on; those that are open stay so. The hard limit stays.
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn limit_descriptors(self, most: u64) -> io::Result<()> {
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(Some(self.pid()?), Resource::Nofile, Rlimit { current: Some(most), maximum })?;
        Ok(())
    }

    /// Stops it where it stands (`SIGSTOP`).
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn stop(self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::STOP)?)
    }

    /// Lets it go on (`SIGCONT`).
    ///
    /// # Errors
    ///
    /// As [`memory`](Self::memory).
    pub fn go_on(self) -> io::Result<()> {
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    fn pid(self) -> io::Result<Pid> {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }
}

/// Allows this process, and those it starts, as many descriptors as the system will give; says how many.
pub fn raise_descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = maximum.unwrap_or(u64::MAX);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => most,
        Err(_) => current.unwrap_or(most),
    }
}

/// Looks again every 5 ms until it is so, for 20 s. `false` if it never was.
pub fn until(mut so: impl FnMut() -> bool) -> bool {
    until_within(Duration::from_secs(20), &mut so)
}

/// As [`until`], for a time of one's own.
pub fn until_within(patience: Duration, mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if so() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
