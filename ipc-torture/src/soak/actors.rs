//! What the clients of a soak do: ask steadily, come and go, read slowly, hang up in the middle.

use crate::raw::{Raw, frame};
use ipc_conformance::behaviour::{Receiver, block_on, channel, within};
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, Config, Endpoint, TlsOptions};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An actor: what it does until it is told to stop.
pub(super) type Act<R> = fn(&World<R>, u64) -> Result<()>;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions of one client: the load is steady, not as much as goes.
const PAUSE: Duration = Duration::from_millis(2);
/// Sizes of messages, the small ones more often.
const SIZES: [usize; 16] =
    [16, 16, 16, 100, 100, 100, 1000, 1000, 1000, 4096, 4096, 16_384, 65_536, 262_144, 1 << 20, 4 << 20];

/// What all actors share.
pub(super) struct World<R> {
    runtime: R,
    endpoints: Vec<String>,
    ca: PathBuf,
    pub(super) stop: AtomicBool,
    /// Questions that were answered.
    pub(super) done: AtomicU64,
    /// Protects what went wrong first.
    failure: Mutex<Option<String>>,
}

impl<R: Runtime> World<R> {
    pub(super) fn new(runtime: R, endpoints: &str, ca: PathBuf) -> Self {
        let endpoints = endpoints.split(' ').map(str::to_owned).collect();
        Self {
            runtime,
            endpoints,
            ca,
            stop: AtomicBool::new(false),
            done: AtomicU64::new(0),
            failure: Mutex::default(),
        }
    }

    pub(super) fn fail(&self, what: String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn answered(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        thread::sleep(PAUSE);
    }

    fn place(&self, kind: &str) -> Result<&str> {
        let found = self.endpoints.iter().find_map(|endpoint| endpoint.strip_prefix(kind)?.strip_prefix(':'));
        found.ok_or_else(|| format!("nothing listens at {kind}").into())
    }

    /// The endpoint for plain sockets.
    fn plain(&self, kind: &str) -> Result<String> {
        let scheme = if kind == "tls" { "tcp" } else { kind };
        Ok(format!("{scheme}:{}", self.place(kind)?))
    }

    fn client(&self, kind: &str, mut config: Config) -> Result<Client<R>> {
        config = config.id("soak").retry(Duration::from_millis(10));
        if kind == "tls" {
            config = config.tls(TlsOptions::new().trusted_connection(&self.ca));
        }
        let scheme = match kind {
            "tls" => "tcp",
            "raw" => "unix",
            other => other,
        };
        let endpoint: Endpoint = format!("{scheme}:{}", self.place(kind)?).parse()?;
        Ok(Client::with_runtime(self.runtime.clone(), ipc_driver::host::build(config)?, endpoint)?)
    }

    /// A connected client, and the answers it hears.
    fn asking(&self, kind: &str, config: Config) -> Result<(Client<R>, Receiver<String>)> {
        let client = self.client(kind, config)?;
        let (hearing, heard) = channel();
        client.on("echo", move |text: String| hearing.send(text));
        self.soon(client.connect()).ok_or("it is not let in")??;
        Ok((client, heard))
    }

    fn soon<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        block_on(within(&self.runtime, PATIENCE, future))
    }

    fn ask(&self, client: &Client<R>, heard: &mut Receiver<String>, dice: &mut Dice) -> Result<()> {
        let text = dice.text();
        self.soon(client.send("echo", &text)).ok_or("there is no room")??;
        let answer = self.soon(heard.recv()).ok_or("no answer")?.ok_or("the client has ended")?;
        if answer != text {
            return Err(format!("asked {} bytes, heard other {}", text.len(), answer.len()).into());
        }
        self.answered();
        Ok(())
    }
}

/// Numbers that look like chance, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn text(&mut self) -> String {
        let size = SIZES[self.below(SIZES.len())];
        // The large ones are rare, or there would be little else.
        let size = if size > 1 << 16 && self.below(16) > 0 { 64 } else { size };
        char::from(b'a' + self.below(26) as u8).to_string().repeat(size)
    }
}

/// All of them, by name.
pub(super) fn all<R: Runtime>() -> Vec<(&'static str, Act<R>)> {
    let on_each: [(&'static str, Act<R>); 6] = [
        ("steady over unix", |world, seed| steady(world, seed, "unix")),
        ("steady over tcp", |world, seed| steady(world, seed, "tcp")),
        ("steady over tls", |world, seed| steady(world, seed, "tls")),
        ("come and go over unix", |world, seed| come_and_go(world, seed, "unix")),
        ("come and go over tcp", |world, seed| come_and_go(world, seed, "tcp")),
        ("come and go over tls", |world, seed| come_and_go(world, seed, "tls")),
    ];
    let others: [(&'static str, Act<R>); 7] = [
        ("abrupt over unix", |world, seed| abrupt(world, seed, "unix")),
        ("abrupt over tcp", |world, seed| abrupt(world, seed, "tcp")),
        ("abrupt over tls", |world, seed| abrupt(world, seed, "tls")),
        ("slow", slow),
        ("one after another", one_after_another),
        ("raw bytes", raw_bytes),
        ("datagrams", datagrams),
    ];
    // Three of each that is steady.
    let more = on_each.iter().take(3).copied().cycle().take(6);
    on_each.iter().copied().chain(more).chain(others).collect()
}

/// One connection, question after question, while broadcasts come in between.
fn steady<R: Runtime>(world: &World<R>, seed: u64, kind: &str) -> Result<()> {
    let (client, mut heard) = world.asking(kind, Config::v9())?;
    let mut dice = Dice(seed);
    while world.goes_on() {
        world.ask(&client, &mut heard, &mut dice)?;
    }
    Ok(world.soon(client.close()).ok_or("it does not close")??)
}

/// Few questions, and another connection; each second time without a farewell.
fn come_and_go<R: Runtime>(world: &World<R>, seed: u64, kind: &str) -> Result<()> {
    let mut dice = Dice(seed);
    while world.goes_on() {
        let (client, mut heard) = world.asking(kind, Config::v9())?;
        for _ in 0..dice.below(8) {
            world.ask(&client, &mut heard, &mut dice)?;
        }
        if dice.below(2) == 0 {
            world.soon(client.close()).ok_or("it does not close")??;
        } else {
            let _unheard = client.emit("echo", &dice.text());
            client.disconnect();
            world.soon(client.destroyed()).ok_or("it does not end")?;
        }
    }
    Ok(())
}

/// Half a frame, or half a handshake, or a whole one with the answer unread; then gone, over TCP by a reset now and then.
fn abrupt<R: Runtime>(world: &World<R>, seed: u64, kind: &str) -> Result<()> {
    let mut dice = Dice(seed);
    let endpoint = world.plain(kind)?;
    while world.goes_on() {
        let mut raw = Raw::connect(&endpoint)?;
        let bytes = frame("echo", &format!("{:?}", dice.text()));
        let part = dice.below(bytes.len() + 1);
        raw.push_for(Duration::from_millis(200))?;
        // It may be cut by the server, which has not to wait either.
        let _cut = raw.write_all(&bytes[..part]);
        if let (Raw::Tcp(stream), 0) = (&raw, dice.below(3)) {
            SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        }
        thread::sleep(PAUSE * 2);
    }
    Ok(())
}

/// Asks for much and reads it in small pieces.
fn slow<R: Runtime>(world: &World<R>, _seed: u64) -> Result<()> {
    let echo = frame("echo", &format!("{:?}", "s".repeat(256 * 1024)));
    let mut raw = Raw::connect(&world.plain("unix")?)?;
    let mut piece = [0; 8192];
    let mut unfinished = Vec::new();
    while world.goes_on() {
        raw.write_all(&echo)?;
        let mut answered = false;
        while !answered {
            let count = raw.read(&mut piece)?;
            if count == 0 {
                return Err("the connection has ended".into());
            }
            for part in piece[..count].split_inclusive(|byte| *byte == b'\x0c') {
                unfinished.extend_from_slice(part);
                if part.ends_with(b"\x0c") {
                    // What is broadcast comes in between.
                    answered |= unfinished == echo;
                    unfinished.clear();
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
        world.answered();
    }
    Ok(())
}

/// The option `sync`: the next leaves when there is an answer to the last.
fn one_after_another<R: Runtime>(world: &World<R>, seed: u64) -> Result<()> {
    let (client, mut heard) = world.asking("unix", Config::v9().sync(true))?;
    let mut dice = Dice(seed);
    while world.goes_on() {
        let asked: Vec<String> = (0..8).map(|_| dice.text()).collect();
        for text in &asked {
            world.soon(client.send("echo", text)).ok_or("there is no room")??;
        }
        for text in asked {
            let answer = world.soon(heard.recv()).ok_or("no answer")?.ok_or("the client has ended")?;
            if answer != text {
                return Err("another answer, or another order".into());
            }
            world.answered();
        }
    }
    Ok(world.soon(client.close()).ok_or("it does not close")??)
}

/// Bytes without borders, echoed.
fn raw_bytes<R: Runtime>(world: &World<R>, seed: u64) -> Result<()> {
    let client = world.client("raw", Config::v9().raw_buffer(true))?;
    let (hearing, mut heard) = channel();
    client.on_data(move |bytes: &[u8]| hearing.send(bytes.to_vec()));
    world.soon(client.connect()).ok_or("it is not let in")??;
    let mut dice = Dice(seed);
    while world.goes_on() {
        let text = dice.text();
        world.soon(client.send_raw(text.as_bytes())).ok_or("there is no room")??;
        let mut answer = Vec::new();
        while answer.len() < text.len() {
            answer.extend(world.soon(heard.recv()).ok_or("no answer")?.ok_or("the client has ended")?);
        }
        if answer != text.as_bytes() {
            return Err("other bytes".into());
        }
        world.answered();
    }
    Ok(world.soon(client.close()).ok_or("it does not close")??)
}

/// Datagrams from ever new ports. One may be lost.
fn datagrams<R: Runtime>(world: &World<R>, seed: u64) -> Result<()> {
    let to = world.place("udp4")?;
    let mut dice = Dice(seed);
    let mut answer = vec![0; 65_536];
    while world.goes_on() {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        for _ in 0..dice.below(50) {
            let text = dice.text();
            let echo = frame("echo", &format!("{:?}", &text[..text.len().min(20_000)]));
            socket.send_to(&echo, to)?;
            while let Ok(count) = socket.recv(&mut answer) {
                // Broadcasts come in between.
                if answer[..count] == *echo {
                    world.answered();
                    break;
                }
            }
        }
    }
    Ok(())
}
