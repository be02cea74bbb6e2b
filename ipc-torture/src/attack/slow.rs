//! Peers that begin and do not go on: a byte now and then, for ever.

use super::{Outcome, Scale, check, still_serves, words};
use crate::place::{Over, Place};
use crate::raw::{Raw, frame};
use crate::watch::until;
use serde_json::json;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How far from the limit a cut may be: the machine may be busy.
const SLACK: Duration = Duration::from_secs(2);

/// Writes `bytes` one at a time until the other side hangs up. How long that took; `None` if all of them could be written and
/// it did not.
fn drip(mut raw: Raw, bytes: &[u8], pause: Duration) -> Result<Option<Duration>, String> {
    let mut watched = raw.again().map_err(words)?;
    watched.wait_for(Duration::from_secs(60)).map_err(words)?;
    let began = Instant::now();
    let watching = thread::spawn(move || watched.to_the_end().map(|_| began.elapsed()));
    for byte in bytes {
        if watching.is_finished() || raw.write_all(&[*byte]).is_err() {
            break;
        }
        thread::sleep(pause);
    }
    if !watching.is_finished() && began.elapsed() >= pause * bytes.len() as u32 {
        raw.finish().map_err(words)?;
        return Ok(None);
    }
    watching.join().map_err(|_| "the watcher panicked".to_owned())
}

/// `None` is what it must not be, and the cut must come at the limit.
fn cut_at(limit: Duration, after: Option<Duration>) -> Result<Duration, String> {
    let after = after.ok_or("it was never cut")?;
    check(after + Duration::from_millis(50) >= limit && after <= limit + SLACK, || {
        format!("cut after {after:?}, and the limit is {limit:?}")
    })?;
    Ok(after)
}

/// One byte of a frame a second (ten in the quick form) against `messageTimeout`.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn frames(program: &Path, scale: Scale) -> Outcome {
    let limit = scale.pick(Duration::from_secs(1), Duration::from_secs(10));
    let pause = scale.pick(Duration::from_millis(100), Duration::from_secs(1));
    let place = Place::new(program);
    let plan = place.server(Over::Unix).config(json!({"messageTimeout": limit.as_millis() as u64}));
    let mut victim = plan.start();
    // However many there are, each is cut, and nobody else waits for them.
    let attackers: Vec<_> = (0..20)
        .map(|_| {
            let raw = Raw::connect(&victim.endpoint).map_err(words)?;
            Ok(thread::spawn(move || drip(raw, &frame("echo", &format!("{:?}", "x".repeat(100))), pause)))
        })
        .collect::<Result<_, String>>()?;
    let meanwhile = still_serves(&victim)?;
    let mut latest = Duration::ZERO;
    for attacker in attackers {
        let after = attacker.join().map_err(|_| "an attacker panicked")??;
        latest = latest.max(cut_at(limit, after)?);
    }
    let cut = victim.count("ERR_IPC_MESSAGE_TIMEOUT");
    check(cut == 20, || format!("{cut} of 20 were cut for their slowness"))?;
    Ok(format!("20 attackers cut within {latest:.1?} (limit {limit:?}); a round trip meanwhile took {meanwhile:.1?}"))
}

/// One byte of a handshake a second (ten in the quick form) against `tls.handshakeTimeout`.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn handshakes(program: &Path, scale: Scale) -> Outcome {
    let limit = scale.pick(Duration::from_secs(1), Duration::from_secs(10));
    let pause = scale.pick(Duration::from_millis(100), Duration::from_secs(1));
    let place = Place::new(program);
    let tls = json!({"tls": {
        "public": place.path("server.crt"), "private": place.path("server.key"), "handshakeTimeout": limit.as_millis() as u64,
    }});
    let mut victim = place.server(Over::Tls).config(tls).start();
    let attackers: Vec<_> = (0..20)
        .map(|_| {
            let raw = Raw::connect(&victim.endpoint).map_err(words)?;
            // The header of a record with 512 bytes of a handshake, and a ClientHello of 508 bytes that never comes to its end.
            let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 490]].concat();
            Ok(thread::spawn(move || drip(raw, &hello, pause)))
        })
        .collect::<Result<_, String>>()?;
    let mut guest = place.client(Over::Tls, &victim.endpoint).start();
    guest.await_count("connected", 1);
    let mut latest = Duration::ZERO;
    for attacker in attackers {
        let after = attacker.join().map_err(|_| "an attacker panicked")??;
        // It ends with an alert, and waits a second for the peer to hang up.
        latest = latest.max(cut_at(limit, after)?);
    }
    check(until(|| victim.count("handshake") == 20), || format!("{} of 20 were cut", victim.count("handshake")))?;
    Ok(format!("20 handshakes cut within {latest:.1?} (limit {limit:?}); a guest got in meanwhile"))
}

/// A server that sends a byte now and then: the client cuts it, and gives it up, as it does with every server that breaks the
/// protocol (node-ipc 14.0.0 does so too).
///
/// # Errors
///
/// What the victim did not withstand.
pub fn server(program: &Path, scale: Scale) -> Outcome {
    let limit = scale.pick(Duration::from_millis(500), Duration::from_secs(5));
    let place = Place::new(program);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(words)?;
    let endpoint = format!("tcp:{}", listener.local_addr().map_err(words)?);
    let plan = place.client(Over::Tcp, &endpoint).config(json!({"messageTimeout": limit.as_millis() as u64}));
    let mut victim = plan.start();
    let (stream, _) = listener.accept().map_err(words)?;
    let bytes = frame("number", &format!("{:?}", "x".repeat(200)));
    let after = cut_at(limit, drip(Raw::Tcp(stream), &bytes, Duration::from_millis(50))?)?;
    victim.await_count("destroyed", 1);
    check(victim.count("messages") == 0, || "something half was delivered".to_owned())?;
    check(victim.count("ERR_IPC_MESSAGE_TIMEOUT") == 1, || format!("{}", victim.ask(json!({"cmd": "counts"}))))?;
    Ok(format!("cut after {after:.1?} (limit {limit:?}), and the client has ended"))
}
