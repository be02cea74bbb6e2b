//! What a process has used, from /proc, and where it may run.

use crate::options::Outcome;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::time::Duration;

/// The processor time of all threads that the process has now.
pub(crate) fn processor_time(pid: u32) -> Outcome<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the two looks.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += text.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The memory that the process has in RAM, in bytes.
pub(crate) fn memory(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}

/// Which processors there are for us, two at most: the first for whoever makes the load, the last for the server.
pub(crate) fn processors() -> Outcome<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut all = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    let first = all.next().ok_or("no processor")?;
    Ok((first, all.next_back().unwrap_or(first)))
}

/// Binds all threads of a process, or the calling thread, to processors.
pub(crate) fn bind(pid: Option<u32>, cpus: &[usize]) -> Outcome {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    let Some(pid) = pid else { return Ok(sched_setaffinity(None, &set)?) };
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let id = task?.file_name().to_string_lossy().parse::<i32>()?;
        sched_setaffinity(Pid::from_raw(id), &set)?;
    }
    Ok(())
}

/// As many descriptors as the system lets us have, for us and the servers that are started from now on.
pub(crate) fn more_descriptors() -> Outcome {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
