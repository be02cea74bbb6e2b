//! Datagrams from a crowd of addresses.

use super::{Outcome, Scale, check, words};
use crate::child::Plan;
use crate::raw::frame;
use serde_json::json;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the senders that are known, the beginnings of their messages and read buffers may take.
const MAY_GROW: u64 = 32 * 1024 * 1024;

/// One datagram each from 100,000 addresses of 127.0.0.0/8 (20,000 in the quick form), every second of them the beginning of a message
/// that never ends; then somebody else asks.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn datagrams(program: &Path, scale: Scale) -> Outcome {
    let sources = scale.pick(20_000_u32, 100_000);
    let mut victim = Plan::new(program, "udp", "udp4:127.0.0.1:0").config(json!({"maxPendingBytes": 4 << 20})).start();
    let to = victim.endpoint.strip_prefix("udp4:").ok_or("no UDP endpoint")?.to_owned();
    let began = Instant::now();
    let before = victim.watched().memory().map_err(words)?;
    victim.watched().forget_peak().map_err(words)?;
    let (whole, beginning) =
        (frame("unheard", "1"), [&b"{\"type\":\"unheard\",\"data\":\""[..], &[b'x'; 900]].concat());
    for source in 0..sources {
        // 127.1.0.0 and on.
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + source);
        let socket = UdpSocket::bind((from, 0)).map_err(words)?;
        let datagram = if source % 2 == 0 { &whole } else { &beginning };
        socket.send_to(datagram, &to).map_err(words)?;
    }
    let took = began.elapsed();
    let asking = UdpSocket::bind("127.0.0.1:0").map_err(words)?;
    asking.set_read_timeout(Some(Duration::from_millis(200))).map_err(words)?;
    let echo = frame("echo", "1");
    let mut answer = [0; 100];
    // A datagram may be lost where the socket is full.
    let answered = (0..50).any(|_| {
        let _lost = asking.send_to(&echo, &to);
        asking.recv(&mut answer).is_ok_and(|length| answer[..length] == *echo)
    });
    check(answered, || "nobody else is answered".to_owned())?;
    let known = victim.ask(json!({"cmd": "len"})).as_u64().unwrap_or(u64::MAX);
    check(known <= 1024, || format!("it knows {known} senders, and maxUdpPeers is 1024"))?;
    let grown = victim.watched().peak().map_err(words)?.saturating_sub(before);
    check(grown < MAY_GROW, || format!("it grew by {grown} bytes"))?;
    let heard = victim.count("messages");
    Ok(format!(
        "{sources} sources in {took:.1?}, {heard} events heard; {known} senders known, {} KiB grown",
        grown / 1024
    ))
}
