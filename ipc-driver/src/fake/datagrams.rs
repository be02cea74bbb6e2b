//! UDP in memory: sockets by address, and weather that loses, doubles and delays what is between them.

use super::clock::Clock;
use super::lock;
use crate::runtime::{DatagramSocket, Timer as _};
use ipc_proto::SplitMix64;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

/// What becomes of datagrams on their way. By default all arrive at once, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weather {
    /// The chance, in percent, that one is lost. Default 0.
    pub loss: u8,
    /// The chance, in percent, that one arrives twice. Default 0.
    pub doubles: u8,
    /// One is under way for up to so long, by chance, so that they overtake each other. Default 0.
    pub delay: Duration,
    /// Datagrams that a socket holds until they are received; beyond it they are lost. Default 1024.
    pub room: usize,
}

impl Default for Weather {
    fn default() -> Self {
        Self { loss: 0, doubles: 0, delay: Duration::ZERO, room: 1024 }
    }
}

impl Weather {
    /// Sets [`loss`](field@Self::loss).
    #[must_use]
    pub fn loss(mut self, percent: u8) -> Self {
        self.loss = percent;
        self
    }

    /// Sets [`doubles`](field@Self::doubles).
    #[must_use]
    pub fn doubles(mut self, percent: u8) -> Self {
        self.doubles = percent;
        self
    }

    /// Sets [`delay`](field@Self::delay).
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets [`room`](field@Self::room).
    #[must_use]
    pub fn room(mut self, datagrams: usize) -> Self {
        self.room = datagrams;
        self
    }
}

/// What carries the datagrams of a fake runtime. Cheap to clone; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Ether {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    clock: Arc<Clock>,
    rng: SplitMix64,
    weather: Weather,
    inboxes: HashMap<SocketAddr, Inbox>,
    /// Errors that sending to an address gives.
    unreachable: HashMap<SocketAddr, i32>,
    /// Nothing can be sent while this is set; who wants to, waits.
    held: bool,
    waiting: Vec<Waker>,
    /// An error that sending several at once gives.
    no_bursts: Option<i32>,
    bursts: usize,
    sent: usize,
    lost: usize,
    ports: u16,
}

#[derive(Debug, Default)]
struct Inbox {
    /// By the time of their arrival and the order in which they were sent.
    datagrams: BTreeMap<(Instant, usize), (SocketAddr, Vec<u8>)>,
    /// Errors that receiving is still to give.
    failures: VecDeque<i32>,
    waker: Option<Waker>,
}

impl State {
    /// Whether it was carried or lost on the way; nobody can tell.
    fn carry(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let Weather { loss, doubles, delay, room } = self.weather;
        let copies = if self.chance(loss) { 0 } else { 1 + usize::from(self.chance(doubles)) };
        for _ in 0..copies {
            let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
            let late = if nanos == 0 { 0 } else { self.rng.next_u64() % nanos };
            let at = self.clock.now() + Duration::from_nanos(late);
            self.sent += 1;
            let number = self.sent;
            match self.inboxes.get_mut(&to).filter(|inbox| inbox.datagrams.len() < room) {
                Some(inbox) => {
                    inbox.datagrams.insert((at, number), (from, bytes.to_vec()));
                    inbox.waker.take().into_iter().for_each(Waker::wake);
                }
                None => self.lost += 1,
            }
        }
        self.lost += usize::from(copies == 0);
    }

    /// Ready when something can be sent to an address, or never can.
    fn poll_sendable(&mut self, cx: &Context<'_>, to: SocketAddr) -> Poll<io::Result<()>> {
        if self.held {
            self.waiting.push(cx.waker().clone());
            return Poll::Pending;
        }
        let refused = self.unreachable.get(&to).map(|&code| io::Error::from_raw_os_error(code));
        Poll::Ready(refused.map_or(Ok(()), Err))
    }

    fn chance(&mut self, percent: u8) -> bool {
        percent > 0 && self.rng.next_u64() % 100 < u64::from(percent)
    }
}

impl Ether {
    pub(super) fn new(clock: Arc<Clock>, seed: u64) -> Self {
        let state = State {
            clock,
            rng: SplitMix64::new(seed),
            weather: Weather::default(),
            inboxes: HashMap::new(),
            unreachable: HashMap::new(),
            held: false,
            waiting: Vec::new(),
            no_bursts: None,
            bursts: 0,
            sent: 0,
            lost: 0,
            ports: 49_152,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Says what becomes of datagrams sent from now on.
    pub fn set_weather(&self, weather: Weather) {
        lock(&self.state).weather = weather;
    }

    /// Carries a datagram as if it had been sent from an address, whoever is there.
    pub fn carry(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        lock(&self.state).carry(from, to, bytes);
    }

    /// Lets sending to an address fail with this error of the operating system from now on: 101, `ENETUNREACH`, for
    /// instance.
    pub fn fail_sends(&self, to: SocketAddr, os_error: i32) {
        lock(&self.state).unreachable.insert(to, os_error);
    }

    /// Lets sending several datagrams with one call fail with this error from now on: 5, `EIO`, for instance.
    pub fn fail_bursts(&self, os_error: i32) {
        lock(&self.state).no_bursts = Some(os_error);
    }

    /// How many calls have sent several datagrams, or were to.
    #[must_use]
    pub fn bursts(&self) -> usize {
        lock(&self.state).bursts
    }

    /// Lets the socket at an address fail to receive with this error, once more for each call.
    pub fn fail_receive(&self, at: SocketAddr, os_error: i32) {
        let mut state = lock(&self.state);
        if let Some(inbox) = state.inboxes.get_mut(&at) {
            inbox.failures.push_back(os_error);
            inbox.waker.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Whether sockets are to take nothing more to send, as if the buffers of the system were full.
    pub fn hold(&self, held: bool) {
        let mut state = lock(&self.state);
        state.held = held;
        if !held {
            std::mem::take(&mut state.waiting).into_iter().for_each(Waker::wake);
        }
    }

    /// How many datagrams wait to be received at an address; `None` if no socket is there.
    #[must_use]
    pub fn waiting_at(&self, address: SocketAddr) -> Option<usize> {
        lock(&self.state).inboxes.get(&address).map(|inbox| inbox.datagrams.len())
    }

    /// How many datagrams were lost: by the weather, for want of room, or because nobody was there.
    #[must_use]
    pub fn lost(&self) -> usize {
        lock(&self.state).lost
    }

    pub(super) fn bind(&self, mut address: SocketAddr) -> io::Result<Datagrams> {
        let mut state = lock(&self.state);
        if address.port() == 0 {
            state.ports += 1;
            address.set_port(state.ports);
        }
        if state.inboxes.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.inboxes.insert(address, Inbox::default());
        let timer = super::Timer::new(Arc::clone(&state.clock));
        Ok(Datagrams { ether: self.clone(), address, timer })
    }
}

/// A UDP socket. Dropping it frees its address and loses what was not received.
#[derive(Debug)]
pub struct Datagrams {
    ether: Ether,
    address: SocketAddr,
    /// For what is under way.
    timer: super::Timer,
}

impl Datagrams {
    /// The next datagram and its sender.
    ///
    /// # Errors
    ///
    /// Those of [`Ether::fail_receive`].
    pub async fn receive(&mut self) -> io::Result<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 0xFFFF];
        let (count, from) = poll_fn(|cx| self.poll_recv(cx, &mut buffer)).await?;
        buffer.truncate(count);
        Ok((buffer, from))
    }

    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// Those of [`Ether::fail_sends`].
    pub async fn send(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx, bytes, to)).await
    }
}

impl DatagramSocket for Datagrams {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut state = lock(&self.ether.state);
        let now = state.clock.now();
        let Some(inbox) = state.inboxes.get_mut(&self.address) else { return Poll::Pending };
        if let Some(code) = inbox.failures.pop_front() {
            return Poll::Ready(Err(io::Error::from_raw_os_error(code)));
        }
        inbox.waker = Some(cx.waker().clone());
        let Some(first) = inbox.datagrams.first_entry() else { return Poll::Pending };
        let (at, _) = *first.key();
        if at > now {
            drop(state);
            self.timer.set(Some(at));
            let _not_yet = self.timer.poll_expired(cx);
            return Poll::Pending;
        }
        let (from, bytes) = first.remove();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Poll::Ready(Ok((count, from)))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8], to: SocketAddr) -> Poll<io::Result<()>> {
        let mut state = lock(&self.ether.state);
        state.poll_sendable(cx, to).map_ok(|()| state.carry(self.address, to, bytes))
    }

    fn max_burst(&self) -> usize {
        64
    }

    fn poll_send_burst(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        length: u16,
        to: SocketAddr,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.ether.state);
        ready!(state.poll_sendable(cx, to))?;
        state.bursts += 1;
        if let Some(code) = state.no_bursts {
            return Poll::Ready(Err(io::Error::from_raw_os_error(code)));
        }
        for datagram in bytes.chunks(usize::from(length)) {
            state.carry(self.address, to, datagram);
        }
        Poll::Ready(Ok(()))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        let inbox = lock(&self.ether.state).inboxes.remove(&self.address);
        drop(inbox);
    }
}
