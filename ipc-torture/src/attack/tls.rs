//! What is not TLS, or too much of it, at the port of a TLS server.

use super::{Outcome, Scale, check, words};
use crate::child::Child;
use crate::needs;
use crate::place::{Over, Place};
use crate::raw::{Raw, frame};
use crate::watch::until;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// A guest with a certificate of ours gets in.
fn still_open(place: &Place, victim: &Child) {
    let mut guest = place.client(Over::Tls, &victim.endpoint).start();
    guest.await_count("connected", 1);
}

/// Bytes that do not look random to a record layer: every value, in an order of its own.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(byte).take(length).collect()
}

/// Noise, plain text, HTTP, a record that is too large, a handshake message of 16 MiB: each is refused and none becomes an event.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn garbage(program: &Path, _scale: Scale) -> Outcome {
    let place = Place::new(program);
    let mut victim = place.server(Over::Tls).start();
    let at_rest = victim.watched().descriptors().map_err(words)?;
    let before = victim.watched().memory().map_err(words)?;
    // Records of 16 KiB, each with a part of a handshake message that says it is 16 MiB long.
    let part = [&[0x16, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat();
    let mut endless = part.repeat(64);
    endless[5..9].copy_from_slice(&[1, 0xff, 0xff, 0xff]);
    let inputs: [(&str, Vec<u8>); 6] = [
        ("noise", noise(100_000)),
        ("plain text", frame("echo", "\"in clear\"").repeat(100)),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a record of 65,535 bytes", [&[0x16, 3, 3, 0xff, 0xff][..], &noise(0xffff)].concat()),
        ("a handshake message of 16 MiB", endless),
        ("an alert", vec![0x15, 3, 3, 0, 2, 2, 0]),
    ];
    for (index, (name, bytes)) in inputs.iter().enumerate() {
        let mut raw = Raw::connect(&victim.endpoint).map_err(words)?;
        raw.push_for(Duration::from_secs(5)).map_err(words)?;
        // It may be cut before all of it is written.
        let _cut = raw.write_all(bytes);
        let _cut = raw.finish();
        let answer = raw.to_the_end().ok_or_else(|| format!("{name}: it does not hang up"))?;
        check(answer.len() < 100, || format!("{name}: {} bytes of an answer", answer.len()))?;
        let refused = until(|| victim.count("handshake") == index as u64 + 1);
        check(refused, || format!("{name}: not refused"))?;
    }
    check(victim.count("connected") == 0 && victim.count("messages") == 0, || "something got in".to_owned())?;
    still_open(&place, &victim);
    let closed = until(|| victim.watched().descriptors().is_ok_and(|now| now == at_rest));
    check(closed, || "descriptors are left".to_owned())?;
    let grown = victim.watched().peak().map_err(words)?.saturating_sub(before);
    check(grown < 8 << 20, || format!("it grew by {grown} bytes"))?;
    let names: Vec<_> = inputs.iter().map(|(name, _)| *name).collect();
    Ok(format!("{}: all refused, {} KiB grown", names.join(", "), grown / 1024))
}

/// A server that answers a handshake with noise, in clear, or not at all: the client is never connected, says why, and tries again.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn server(program: &Path, _scale: Scale) -> Outcome {
    let place = Place::new(program);
    let mut shown = Vec::new();
    for (name, answer) in [("noise", noise(100_000)), ("plain text", frame("number", "1")), ("silence", Vec::new())] {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(words)?;
        let endpoint = format!("tcp:{}", listener.local_addr().map_err(words)?);
        let limit = json!({"tls": {"trustedConnections": place.path("ca.crt"), "handshakeTimeout": 300}});
        let mut victim = place.client(Over::Tls, &endpoint).config(limit).start();
        for _ in 0..3 {
            let (stream, _) = listener.accept().map_err(words)?;
            let mut raw = Raw::Tcp(stream);
            raw.wait_for(Duration::from_secs(5)).map_err(words)?;
            // It may hang up before all of it is written.
            let _cut = raw.write_all(&answer);
            raw.to_the_end().ok_or_else(|| format!("{name}: it does not hang up"))?;
        }
        victim.await_count("connect", 3);
        check(victim.count("connected") == 0 && victim.count("messages") == 0, || format!("{name}: it was let in"))?;
        shown.push(format!("{name}: {}", victim.ask(json!({"cmd": "counts"}))["last_error"]));
    }
    Ok(shown.join("; "))
}

/// `openssl s_client` connects with TLS 1.2 and asks for another handshake, again and again.
///
/// # Errors
///
/// What the victim did not withstand.
pub fn renegotiation(program: &Path, _scale: Scale) -> Outcome {
    if !needs::has("openssl") {
        needs::not_here("renegotiation of TLS: there is no openssl");
        return Ok("not tested: there is no openssl".into());
    }
    let place = Place::new(program);
    let mut victim = place.server(Over::Tls).start();
    let address = victim.endpoint.trim_start_matches("tcp:");
    let mut attacker = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(words)?;
    victim.await_count("connected", 1);
    let (hearing, said) = std::sync::mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] =
        [attacker.stdout.take().map(|it| Box::new(it) as _), attacker.stderr.take().map(|it| Box::new(it) as _)];
    for output in outputs.into_iter().flatten() {
        let hearing = hearing.clone();
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| hearing.send(line))
        });
    }
    let hears = |what: &str| {
        let mut heard = Vec::new();
        while let Ok(line) = said.recv_timeout(Duration::from_secs(5)) {
            heard.push(line);
            if heard.last().is_some_and(|line| line.contains(what)) {
                return Ok(());
            }
        }
        Err(format!("openssl did not say {what:?}, but {heard:#?}"))
    };
    let mut asking = attacker.stdin.take().ok_or("no standard input")?;
    // A line with nothing but R is the command.
    asking.write_all(b"R\n").map_err(words)?;
    let outcome = hears("RENEGOTIATING").and_then(|()| {
        thread::sleep(Duration::from_millis(200));
        // The refusal leaves with the next thing that is written.
        victim.ask(json!({"cmd": "emit"}));
        hears("no renegotiation")
    });
    let load = victim.watched().load_during(Duration::from_millis(300)).map_err(words)?;
    let _ended = attacker.kill();
    let _status = attacker.wait();
    outcome?;
    check(load < 0.3, || format!("it spins: {load}"))?;
    victim.await_count("disconnected", 1);
    check(victim.count("messages") == 0, || "an event was made of it".to_owned())?;
    still_open(&place, &victim);
    Ok("refused by an alert; others get in".into())
}
