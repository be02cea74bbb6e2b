//! Linux's table of Unix sockets, and which process has which open. What another user's processes have open is not told, unless
//! one is root: then a listener is known and its process is not.

use super::{Owner, command};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The flag of a socket that listens (`__SO_ACCEPTCON`).
const LISTENS: u64 = 0x0001_0000;

pub(super) struct Table {
    /// The numbers of the sockets that listen at a path.
    listeners: HashMap<PathBuf, Vec<u64>>,
    /// The process that has a socket open.
    holders: HashMap<u64, u32>,
}

impl Table {
    pub(super) fn read() -> Self {
        let listeners = parse(&fs::read_to_string("/proc/net/unix").unwrap_or_default());
        let holders = if listeners.is_empty() { HashMap::new() } else { holders() };
        Self { listeners, holders }
    }

    pub(super) fn listener(&self, path: &Path) -> Option<Owner> {
        let path = std::path::absolute(path).ok()?;
        // Of two that were bound there, the file is that of the later one, if any: that is for a connection to find out.
        let [socket] = self.listeners.get(&path)?.as_slice() else { return None };
        let pid = self.holders.get(socket).copied();
        Some(Owner { pid, command: pid.and_then(command) })
    }
}

/// Lines of `Num: RefCount Protocol Flags Type St Inode Path`. A path that a server gave relative to its directory is of no use.
fn parse(table: &str) -> HashMap<PathBuf, Vec<u64>> {
    let line = |line: &str| -> Option<(PathBuf, u64)> {
        let mut fields = line.split_ascii_whitespace();
        let flags = u64::from_str_radix(fields.nth(3)?, 16).ok()?;
        let inode = fields.nth(2)?.parse().ok()?;
        // The rest of the line, which may have spaces.
        let path = &line[line.find(" /")? + 1..];
        (flags & LISTENS != 0).then(|| (PathBuf::from(path), inode))
    };
    let mut listeners: HashMap<PathBuf, Vec<u64>> = HashMap::new();
    for (path, socket) in table.lines().skip(1).filter_map(line) {
        listeners.entry(path).or_default().push(socket);
    }
    listeners
}

/// Which process has which socket open.
pub(super) fn holders() -> HashMap<u64, u32> {
    let mut holders = HashMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        for open in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(open.path()) else { continue };
            let socket =
                target.to_str().and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(socket) = socket {
                // Of several that share it, the first: a parent is older than its workers.
                holders.entry(socket).and_modify(|holder: &mut u32| *holder = pid.min(*holder)).or_insert(pid);
            }
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_that_listen_at_an_absolute_path_are_found() {
        let table = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 17723 /tmp/app.world
0000000000000000: 00000002 00000000 00010000 0001 01 17724 /tmp/with space
0000000000000000: 00000003 00000000 00000000 0001 03 17725 /tmp/connected
0000000000000000: 00000002 00000000 00010000 0001 01 17726 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 17727
nonsense";
        let found = parse(table);
        let expected =
            [(PathBuf::from("/tmp/app.world"), vec![17723]), (PathBuf::from("/tmp/with space"), vec![17724])];
        assert_eq!(found, HashMap::from(expected));
    }
}
