//! Linux's tables of TCP sockets: which process listens on a port of this machine. As with Unix sockets, what another user's
//! processes have open is not told, unless one is root.

use super::table::holders;
use super::{Owner, command};
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

/// The state of a socket that listens (`TCP_LISTEN`).
const LISTENS: &str = "0A";

/// How well a socket fits an address: the least is the one that is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    /// All addresses of this machine, of the same family.
    All,
    /// The same of IPv6, which takes IPv4 too.
    Both,
}

/// Who takes connections to an address. Unknown as well if it may be one of several.
pub(crate) fn listener(address: SocketAddr) -> Owner {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets = best(&tables, address);
    if sockets.is_empty() {
        return Owner::default();
    }
    let holders = holders();
    let mut pids: Vec<Option<u32>> = sockets.iter().map(|socket| holders.get(socket).copied()).collect();
    pids.sort_unstable();
    pids.dedup();
    let [pid] = pids[..] else { return Owner::default() };
    Owner { pid, command: pid.and_then(command) }
}

/// The numbers of the sockets that fit best.
fn best(tables: &[String], address: SocketAddr) -> Vec<u64> {
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let mut found: Vec<(Fit, u64)> =
        lines.filter_map(parse).filter_map(|(bound, socket)| Some((fit(bound, address)?, socket))).collect();
    found.sort_unstable();
    let Some(&(best, _)) = found.first() else { return Vec::new() };
    // What listens on all addresses of this machine has nothing to do with those of others.
    if best != Fit::Exact && !address.ip().is_loopback() && UdpSocket::bind((address.ip(), 0)).is_err() {
        return Vec::new();
    }
    found.into_iter().take_while(|(fit, _)| *fit == best).map(|(_, socket)| socket).collect()
}

fn fit(bound: SocketAddr, address: SocketAddr) -> Option<Fit> {
    if bound.port() != address.port() {
        return None;
    }
    match (bound.ip().to_canonical(), address.ip().to_canonical()) {
        (bound, address) if bound == address => Some(Fit::Exact),
        (bound, address) if bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4() => Some(Fit::All),
        (bound, IpAddr::V4(_)) if bound.is_unspecified() => Some(Fit::Both),
        _ => None,
    }
}

/// Of a line `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …`, where a socket listens and its number.
fn parse(line: &str) -> Option<(SocketAddr, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != LISTENS {
        return None;
    }
    let socket = fields.nth(5)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Words of 32 bits as they lie in memory.
    let word = |number: usize| {
        let digits = address.get(number * 8..number * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut bytes = [0; 16];
            for (number, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(number)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((SocketAddr::new(ip, port), socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it stands in the tables of a machine of little endian.
    #[cfg(target_endian = "little")]
    #[test]
    fn the_socket_that_fits_best_is_found_and_no_other() {
        let four = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FAF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0 100 0 0 10 0
   1: 00000000:1FB0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0 100 0 0 10 0
   2: 0100007F:1FB0 0100007F:8888 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0 20 4 30 10 -1
nonsense";
        let six = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:1FAF 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 104 1
   1: 00000000000000000000000000000000:1FB1 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 105 1
   2: 00000000000000000000000001000000:1FB2 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 106 1";
        let tables = [four.to_owned(), six.to_owned()];
        for (address, sockets) in [
            ("127.0.0.1:8111", &[101][..]),
            ("[::1]:8111", &[104]),
            ("127.0.0.1:8112", &[102]),
            ("[::1]:8112", &[]),
            ("127.0.0.1:8113", &[105]),
            ("[::1]:8114", &[106]),
            ("127.0.0.1:8114", &[]),
            // Of a range for documentation, which no machine has.
            ("192.0.2.1:8112", &[]),
        ] {
            assert_eq!(best(&tables, address.parse().expect("an address")), sockets, "{address}");
        }
    }
}
