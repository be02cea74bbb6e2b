//! The load: one thread that keeps events in flight on many connections and counts what comes back. It knows frames only.

use crate::options::Outcome;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

const DELIMITER: u8 = 0x0c;

/// A load whose every event is answered by one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    pub(crate) connections: usize,
    /// Events in flight on each connection.
    pub(crate) window: usize,
    /// Events in all.
    pub(crate) events: usize,
    /// Bytes of the payload's JSON text.
    pub(crate) size: usize,
    /// How many names the events have, taking turns.
    pub(crate) names: usize,
}

impl Default for Echo {
    fn default() -> Self {
        Self { connections: 1, window: 1, events: 1000, size: 64, names: 1 }
    }
}

/// The text of an event with a payload of `size` bytes, 20 at least: an object with a number and a text.
pub(crate) fn frame(name: &str, size: usize) -> Vec<u8> {
    const TEXT: &str = "The quick brown fox jumps over the lazy dog 0123456789. ";
    let room = size.saturating_sub(r#"{"n":123456,"p":""}"#.len());
    let text: String = TEXT.chars().cycle().take(room).collect();
    let mut frame = format!(r#"{{"type":"{name}","data":{{"n":123456,"p":"{text}"}}}}"#).into_bytes();
    frame.push(DELIMITER);
    frame
}

/// The name of the event with this number, when there are several.
pub(crate) fn name(number: usize) -> String {
    if number == 0 { "message".into() } else { format!("message-{number}") }
}

struct Connection {
    stream: UnixStream,
    /// Events still to be begun.
    left: usize,
    /// Bytes that may be written now.
    ready: usize,
    /// Where in the pattern the next byte is.
    at: usize,
    /// The socket had no room, and whoever waits is told when it has.
    waits: bool,
}

impl Echo {
    /// Runs it, and gives the time it took.
    pub(crate) fn run(&self, path: &Path) -> Outcome<Duration> {
        let mut pattern = Vec::new();
        let lengths: Vec<usize> = (0..self.names)
            .map(|number| {
                let frame = frame(&name(number), self.size);
                pattern.extend_from_slice(&frame);
                frame.len()
            })
            .collect();
        // With one name the pattern is long enough to write a window at once.
        let copies = if self.names == 1 { self.window.min(64 * 1024 / pattern.len() + 1) } else { 1 };
        let pattern = pattern.repeat(copies);
        // All names have so nearly the same length that the mean will do to count what is in flight.
        let length = lengths.iter().sum::<usize>().div_ceil(lengths.len());

        let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(self.connections);
        for index in 0..self.connections {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            epoll::add(&queue, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            let share = self.events / self.connections + usize::from(index < self.events % self.connections);
            connections.push(Connection { stream, left: share, ready: 0, at: 0, waits: false });
        }
        let start = Instant::now();
        for (index, connection) in connections.iter_mut().enumerate() {
            connection.begin(self.window, length);
            connection.write(&queue, index, &pattern)?;
        }
        let mut buffer = vec![0; 256 * 1024];
        let mut open = self.events;
        let mut events = Vec::with_capacity(1024);
        while open > 0 {
            epoll::wait(&queue, rustix::buffer::spare_capacity(&mut events), None)?;
            for event in events.drain(..) {
                let index = event.data.u64() as usize;
                let connection = &mut connections[index];
                let answered = connection.read(&mut buffer)?;
                open = open.saturating_sub(answered);
                connection.begin(answered, length);
                connection.write(&queue, index, &pattern)?;
            }
        }
        Ok(start.elapsed())
    }
}

impl Connection {
    fn begin(&mut self, events: usize, length: usize) {
        let events = events.min(self.left);
        self.left -= events;
        self.ready += events * length;
    }

    /// Writes what may be written; the queue tells of room as long as something is left.
    fn write(&mut self, queue: &OwnedFd, index: usize, pattern: &[u8]) -> Outcome {
        let mut full = false;
        while self.ready > 0 && !full {
            let end = pattern.len().min(self.at + self.ready);
            match self.stream.write(&pattern[self.at..end]) {
                Ok(count) => {
                    self.ready -= count;
                    self.at = (self.at + count) % pattern.len();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => full = true,
                Err(error) => return Err(error.into()),
            }
        }
        if full != self.waits {
            self.waits = full;
            let room = if full { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(index as u64);
            epoll::modify(queue, &self.stream, data, epoll::EventFlags::IN | room)?;
        }
        Ok(())
    }

    /// Reads once, and gives how many events ended.
    fn read(&mut self, buffer: &mut [u8]) -> Outcome<usize> {
        match self.stream.read(buffer) {
            Ok(0) => Err("the server has ended the connection".into()),
            Ok(count) => Ok(memchr::memchr_iter(DELIMITER, &buffer[..count]).count()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

/// One event after the other on one connection: how long each took, sorted.
pub(crate) fn round_trips(path: &Path, events: usize, size: usize) -> Outcome<Vec<Duration>> {
    let frame = frame("message", size);
    let mut stream = UnixStream::connect(path)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut times = Vec::with_capacity(events);
    for _ in 0..events {
        let start = Instant::now();
        let mut written = 0;
        let mut received = 0;
        // A large event is answered while it is written: neither side may wait for the other.
        stream.set_nonblocking(frame.len() > 64 * 1024)?;
        while received < frame.len() {
            let mut idle = true;
            if written < frame.len() {
                match stream.write(&frame[written..]) {
                    Ok(count) => {
                        written += count;
                        idle = false;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if written < frame.len() && frame.len() <= 64 * 1024 {
                continue;
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Err("the server has ended the connection".into()),
                Ok(count) => {
                    received += count;
                    idle = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if idle {
                let flags = if written < frame.len() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                poll(&mut [PollFd::new(&stream, flags)], None)?;
            }
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// Events into a server that counts them; ends when it has said how many came.
pub(crate) fn one_way(path: &Path, events: usize, size: usize) -> Outcome<Duration> {
    let frame = frame("message", size);
    let run = frame.repeat((64 * 1024 / frame.len()).max(1));
    let mut stream = UnixStream::connect(path)?;
    let start = Instant::now();
    let mut left = events * frame.len();
    while left > 0 {
        let count = left.min(run.len());
        stream.write_all(&run[..count])?;
        left -= count;
    }
    stream.write_all(b"{\"type\":\"count\",\"data\":{}}\x0c")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 256];
    while answer.last() != Some(&DELIMITER) {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err("the server has ended the connection".into());
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    let expected = format!("\"count\":{events}}}");
    if !String::from_utf8_lossy(&answer).contains(&expected) {
        return Err(format!("the server counted {}", String::from_utf8_lossy(&answer)).into());
    }
    Ok(start.elapsed())
}

/// Broadcasts of a server to many connections; ends when all have come everywhere.
pub(crate) fn broadcast(path: &Path, connections: usize, events: usize, size: usize) -> Outcome<Duration> {
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut streams = Vec::with_capacity(connections);
    let mut buffer = vec![0; 256 * 1024];
    for index in 0..connections {
        let mut stream = UnixStream::connect(path)?;
        // An echo tells that the connection is among the server's.
        stream.write_all(&frame("message", 20))?;
        let mut answered = false;
        while !answered {
            let count = stream.read(&mut buffer)?;
            answered = memchr::memchr(DELIMITER, &buffer[..count]).is_some();
        }
        stream.set_nonblocking(true)?;
        epoll::add(&queue, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        streams.push(stream);
    }
    let start = Instant::now();
    let go = format!("{{\"type\":\"go\",\"data\":{{\"count\":{events},\"size\":{size}}}}}\x0c");
    (&streams[0]).write_all(go.as_bytes())?;
    let mut open = events * connections;
    let mut ready = Vec::with_capacity(1024);
    while open > 0 {
        epoll::wait(&queue, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in ready.drain(..) {
            let count = (&streams[event.data.u64() as usize]).read(&mut buffer)?;
            open = open.saturating_sub(memchr::memchr_iter(DELIMITER, &buffer[..count]).count());
        }
    }
    Ok(start.elapsed())
}

/// One event there and back.
pub(crate) fn echo_once(mut stream: &UnixStream) -> Outcome {
    let frame = frame("message", 64);
    stream.write_all(&frame)?;
    let mut answer = vec![0; frame.len()];
    Ok(stream.read_exact(&mut answer)?)
}
