//! What a system may do and the fake runtime never does: calls that are interrupted, writes that take nothing, and tasks that
//! run while the one that spawned them has not gone on.

use crate::udp::{here, udp_endpoint};
use crate::world::*;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_driver::fake::{Datagrams, Fake, Listener, Stream, Timer};
use ipc_driver::runtime::{self, Address, DatagramSocket, Runtime};
use ipc_driver::{Client, ConnectError, Endpoint, Peer, Remote, Server, ServerEvent, Settings, UdpServer};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

/// What the next calls come to, in place of what they would.
#[derive(Clone, Default)]
struct Odds(Arc<Mutex<VecDeque<io::Result<usize>>>>);

impl Odds {
    fn expect(&self, outcomes: impl IntoIterator<Item = io::Result<usize>>) {
        self.0.lock().unwrap().extend(outcomes);
    }

    fn next(&self) -> Option<io::Result<usize>> {
        self.0.lock().unwrap().pop_front()
    }

    fn are_over(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

/// The fake runtime with such sockets.
#[derive(Clone)]
struct Odd {
    fake: Fake,
    reads: Odds,
    writes: Odds,
    /// All that can run does so before a task has been spawned.
    hurries: bool,
}

impl Odd {
    fn new(seed: u64) -> Self {
        Self { fake: Fake::new(seed), reads: Odds::default(), writes: Odds::default(), hurries: false }
    }

    fn with<S>(&self, socket: S) -> Socket<S> {
        Socket { socket, odd: self.clone() }
    }
}

struct Socket<S> {
    socket: S,
    odd: Odd,
}

impl AsyncRead for Socket<Stream> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.odd.reads.next() {
            Some(outcome) => Poll::Ready(outcome),
            None => Pin::new(&mut self.socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket<Stream> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.odd.writes.next() {
            Some(outcome) => Poll::Ready(outcome),
            None => Pin::new(&mut self.socket).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}

impl runtime::Listener for Socket<Listener> {
    type Stream = Socket<Stream>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket<Stream>, Remote)>> {
        self.socket.poll_accept(cx).map_ok(|(stream, remote)| (self.odd.with(stream), remote))
    }

    fn local_endpoint(&self) -> Endpoint {
        runtime::Listener::local_endpoint(&self.socket)
    }
}

impl DatagramSocket for Socket<Datagrams> {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.socket.poll_recv(cx, buffer)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>> {
        match self.odd.writes.next() {
            Some(outcome) => Poll::Ready(outcome.map(drop)),
            None => self.socket.poll_send(cx, bytes, to),
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_address()
    }
}

impl Runtime for Odd {
    type Stream = Socket<Stream>;
    type Listener = Socket<Listener>;
    type Datagrams = Socket<Datagrams>;
    type Timer = Timer;

    fn now(&self) -> Instant {
        self.fake.now()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.fake.spawn(task);
        if self.hurries {
            self.fake.run();
        }
    }

    fn timer(&self) -> Timer {
        self.fake.timer()
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.fake.resolve(host, port).await
    }

    async fn connect(&self, address: &Address, settings: &Settings) -> io::Result<Socket<Stream>> {
        self.fake.connect(address, settings).await.map(|stream| self.with(stream))
    }

    async fn listen(
        &self,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        settings: &Settings,
    ) -> io::Result<Socket<Listener>> {
        self.fake.listen(endpoint, addresses, settings).await.map(|listener| self.with(listener))
    }

    fn bind(&self, addresses: &[SocketAddr], settings: &Settings) -> io::Result<Socket<Datagrams>> {
        self.fake.bind(addresses, settings).map(|socket| self.with(socket))
    }
}

/// A server that answers every event, one end of a connection to it, and what is told of errors and ends.
fn echo(odd: &Odd) -> (Server<Odd>, Stream, Log<String>) {
    let server = Server::with_runtime(odd.clone(), settings(config()), endpoint()).unwrap();
    server.on_event("n", Peer::emit_event);
    let log = Log::default();
    let to = log.clone();
    server.on_lifecycle(move |event| {
        if matches!(event, ServerEvent::Error(..) | ServerEvent::Disconnected { .. }) {
            to.push(server_event(event));
        }
    });
    odd.fake.block_on(server.start()).unwrap();
    let end = dial(&odd.fake);
    (server, end, log)
}

fn interrupted(times: usize) -> impl Iterator<Item = io::Result<usize>> {
    (0..times).map(|_| Err(ErrorKind::Interrupted.into()))
}

#[test]
fn calls_that_are_interrupted_are_made_again() {
    let odd = Odd::new(1);
    let (_server, mut end, log) = echo(&odd);
    odd.reads.expect(interrupted(3));
    odd.writes.expect(interrupted(3));
    odd.fake.block_on(end.send(frame("n", 7).as_bytes())).unwrap();
    odd.fake.run();
    assert_eq!(numbers(&odd.fake.block_on(end.receive()).unwrap()), [7]);
    assert!(odd.reads.are_over() && odd.writes.are_over());
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn a_write_that_takes_nothing_is_the_end_of_the_connection_and_not_tried_without_end() {
    let odd = Odd::new(2);
    let (server, mut end, log) = echo(&odd);
    odd.writes.expect([Ok(0)]);
    odd.fake.block_on(end.send(frame("n", 7).as_bytes())).unwrap();
    odd.fake.run();
    assert_eq!(log.take(), ["error #0 the connection broke: write zero", "disconnected #0 by an error, 1 unsent"]);
    assert!(server.is_empty());
}

/// As other threads may do it, while the one that calls `connect` is not on a processor.
#[test]
fn a_client_that_connects_and_ends_before_it_has_been_spawned_was_connected() {
    let odd = Odd { hurries: true, ..Odd::new(4) };
    let mut listener = listen(&odd.fake);
    odd.fake.spawn(async move {
        let mut end = listener.accept().await.unwrap();
        end.send(frame("n", 7).as_bytes()).await.unwrap();
    });
    let client = Client::with_runtime(odd, settings(config().stop_retrying(true)), endpoint()).unwrap();
    let heard = Log::default();
    let to = heard.clone();
    client.on("n", move |n: u64| to.push(n));
    let first = poll_once(client.connect());
    assert!(matches!(first, Poll::Ready(Ok(()))), "{first:?}");
    assert_eq!(heard.take(), [7]);
    let second = poll_once(client.connect());
    assert!(
        matches!(second, Poll::Ready(Err(ConnectError::GaveUp { .. }))),
        "it has ended when it is called: {second:?}"
    );
}

#[test]
fn a_datagram_whose_sending_is_interrupted_is_sent_once() {
    let odd = Odd::new(3);
    let server = UdpServer::with_runtime(odd.clone(), settings(config()), udp_endpoint()).unwrap();
    let heard = Log::default();
    let to = heard.clone();
    server.on("n", move |_, n: u64| to.push(n));
    odd.fake.block_on(server.start()).unwrap();
    odd.writes.expect(interrupted(3));
    server.emit_to(here(), "n", &7).unwrap();
    odd.fake.run();
    assert!(odd.writes.are_over());
    assert_eq!(heard.take(), [7]);
    assert_eq!((server.counters().sent, server.counters().failed), (1, 0));
}
