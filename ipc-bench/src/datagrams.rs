//! The load over UDP: sockets that keep datagrams in flight. On loopback none is lost as long as they fit the buffers.

use crate::load::frame;
use crate::options::Outcome;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

fn socket(server: SocketAddr) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket)
}

/// Whether a server is there.
pub(crate) fn answers(server: SocketAddr) -> bool {
    let ask = || {
        let socket = socket(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let frame = frame("message", 64);
        socket.send(&frame)?;
        expect(&socket, &mut [0; 1024], frame.len())
    };
    ask().is_ok()
}

/// The times of round trips, in order of length.
pub(crate) fn round_trips(server: SocketAddr, events: usize, size: usize) -> Outcome<Vec<Duration>> {
    let (socket, frame) = (socket(server)?, frame("message", size));
    let mut buffer = vec![0; 0xFFFF];
    let mut times = Vec::with_capacity(events);
    for _ in 0..events {
        let begun = Instant::now();
        socket.send(&frame)?;
        expect(&socket, &mut buffer, frame.len())?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// The time for so many events of all peers together, each with a window of them in flight.
pub(crate) fn echo(server: SocketAddr, peers: usize, window: usize, events: usize, size: usize) -> Outcome<Duration> {
    let sockets: Vec<_> = (0..peers).map(|_| socket(server)).collect::<Outcome<_>>()?;
    let frame = frame("message", size);
    let mut buffer = vec![0; 0xFFFF];
    let begun = Instant::now();
    for round in 0..=events.div_ceil(peers * window) {
        let is_last = round == events.div_ceil(peers * window);
        for socket in &sockets {
            for _ in 0..if round == 0 { 0 } else { window } {
                expect(socket, &mut buffer, frame.len())?;
            }
            for _ in 0..if is_last { 0 } else { window } {
                socket.send(&frame)?;
            }
        }
    }
    Ok(begun.elapsed())
}

fn expect(socket: &UdpSocket, buffer: &mut [u8], length: usize) -> Outcome {
    let count = socket.recv(buffer).map_err(|error| format!("an answer did not come: {error}"))?;
    if count == length { Ok(()) } else { Err(format!("an answer of {count} bytes, expected {length}").into()) }
}
