//! The world: nodes, the network between them, and the loop that lets things happen one after the other.

use std::any::Any;
use std::fmt;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::clock::Clock;
use crate::failure::{Failure, Invariant, Violation};
use crate::ledger::Ledger;
use crate::network::{Event, Network, Sabotage, StreamId, Wire};
use crate::node::{Context, Core, Input, Node, NodeId};
use crate::random::{Random, nanos};
use crate::trace::Trace;

/// So many things may happen at one instant; a fleet that works has some dozens.
const STEPS_PER_INSTANT: u32 = 20_000;

/// Nodes on a simulated network, in virtual time. The same seed and the same nodes give the same world.
///
/// [`step`](Self::step) lets the next thing happen; [`run_for`](Self::run_for) lets everything happen that is due within
/// a time. Each fails as soon as an invariant is broken.
pub struct World {
    seed: u64,
    core: Core,
    nodes: Vec<Slot>,
    steps: u64,
    steps_here: u32,
}

struct Slot {
    node: Box<dyn Node>,
    /// The earliest wake-up that is planned.
    wake: Option<u64>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, wire: Wire) -> Self {
        let mut random = Random::new(seed);
        let core = Core {
            clock: Clock::new(),
            network: Network::new(wire, random.fork()),
            ledger: Ledger::default(),
            random,
            trace: Trace::new(),
            violation: None,
            scratch: Vec::with_capacity(4096),
        };
        Self { seed, core, nodes: Vec::new(), steps: 0, steps_here: 0 }
    }

    /// Keeps the whole trace from now on, as text; else only its last lines are kept. Those that are kept by now are in it.
    pub fn keep_trace(&mut self) {
        self.core.trace.keep_all();
    }

    /// The whole trace, if it was to be kept.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.core.trace.full()
    }

    /// A hash over the whole trace: two runs with the same one were the same run.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.core.trace.hash()
    }

    /// How many lines the trace has had.
    #[must_use]
    pub fn trace_lines(&self) -> u64 {
        self.core.trace.lines()
    }

    /// How many things have happened.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.core.clock.now())
    }

    /// The virtual time, as the machines of `ipc-proto` take it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.core.clock.instant()
    }

    /// How the network behaves from now on.
    pub fn wire_mut(&mut self) -> &mut Wire {
        &mut self.core.network.wire
    }

    /// Dials that were refused or not answered by chance.
    #[must_use]
    pub fn refused_dials(&self) -> u64 {
        self.core.network.refused
    }

    /// What became of everything that clients and servers emitted, until now.
    #[must_use]
    pub fn account(&self) -> Account {
        self.core.ledger.account()
    }

    /// Breaks a promise of the network once, at the write after so many others. For tests of the checks.
    pub fn sabotage(&mut self, what: Sabotage, after_writes: u64) {
        self.core.network.sabotage(what, after_writes);
    }

    /// Puts a node on the network; [`Input::Started`] comes at once.
    pub fn add(&mut self, node: impl Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Slot { node: Box::new(node), wake: None });
        self.deliver(id, Input::Started);
        id
    }

    /// The node, if it is of this type.
    #[must_use]
    pub fn node<N: Node>(&self, id: NodeId) -> Option<&N> {
        let node: &dyn Any = self.nodes.get(id.0 as usize)?.node.as_ref().as_any();
        node.downcast_ref()
    }

    /// Lets `act` do something with a node, as if something had happened to it. `None` if there is none of this type.
    pub fn with<N: Node, R>(&mut self, id: NodeId, act: impl FnOnce(&mut N, &mut Context<'_>) -> R) -> Option<R> {
        let node: &mut dyn Any = self.nodes.get_mut(id.0 as usize)?.node.as_mut().as_any_mut();
        let result = act(node.downcast_mut()?, &mut Context { core: &mut self.core, node: id });
        self.plan_wake(id);
        Some(result)
    }

    /// The dialling ends of all streams that are up, in no order that means anything.
    #[must_use]
    pub fn streams(&self) -> &[StreamId] {
        self.core.network.live()
    }

    /// Cuts a stream: what is on its way is lost. This end, and the other, learn of it after that time; with a long one
    /// the connection is half open until then.
    pub fn cut(&mut self, stream: StreamId, learns: Duration, other_learns: Duration) {
        let other = nanos(other_learns);
        self.core.trace.line(
            self.core.clock.now(),
            None,
            "cuts stream {a}, the other end learns after {b} ns",
            stream.0.into(),
            other,
        );
        self.core.network.cut(&mut self.core.clock, stream, learns, other_learns);
    }

    /// Time leaps: everything that was due meanwhile happens late.
    pub fn leap(&mut self, by: Duration) {
        self.core.trace.line(self.core.clock.now(), None, "time leaps by {a} ns", nanos(by), 0);
        self.core.clock.advance_to(self.core.clock.now().saturating_add(nanos(by)));
        self.steps_here = 0;
    }

    /// When the next thing happens, since the start; `None` if nothing will.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.core.clock.next_at().map(|at| Duration::from_nanos(at.max(self.core.clock.now())))
    }

    /// Lets the next thing happen. Says whether there was one.
    ///
    /// # Errors
    ///
    /// An invariant does not hold.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let before = self.core.clock.now();
        let Some((due, event)) = self.core.clock.next() else { return self.checked().map(|()| false) };
        self.steps += 1;
        self.steps_here = if self.core.clock.now() > before { 0 } else { self.steps_here + 1 };
        if self.steps_here > STEPS_PER_INSTANT {
            let message = format!("{STEPS_PER_INSTANT} things happened at one instant, the last was {event:?}");
            self.core.violation.get_or_insert(Violation::new(Invariant::Progress, message));
        }
        let stale = matches!(event, Event::Wake(node) if !self.take_wake(NodeId(node), due));
        if !stale {
            if let Some((node, input)) = self.core.network.happen(&mut self.core.clock, event) {
                self.deliver(NodeId(node), input);
            }
        }
        self.checked().map(|()| true)
    }

    /// Lets everything happen that is due within `duration`, and lets that time pass.
    ///
    /// # Errors
    ///
    /// An invariant does not hold.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        let until = self.core.clock.now().saturating_add(nanos(duration));
        while self.core.clock.next_at().is_some_and(|at| at <= until) {
            self.step()?;
        }
        self.core.clock.advance_to(until);
        self.checked()
    }

    /// As at the end of every step: for what was done from outside.
    ///
    /// # Errors
    ///
    /// An invariant does not hold.
    pub fn checked(&self) -> Result<(), Failure> {
        match &self.core.violation {
            None => Ok(()),
            Some(Violation { invariant, message }) => Err(self.failure(*invariant, message.clone())),
        }
    }

    pub(crate) fn failure(&self, invariant: Invariant, message: String) -> Failure {
        let (at, trace) = (self.elapsed(), self.core.trace.last());
        Failure { seed: self.seed, at, invariant, message, trace, replay: None }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.core.ledger
    }

    pub(crate) fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// Whether a wake-up that was planned still stands.
    fn take_wake(&mut self, id: NodeId, due: u64) -> bool {
        let Some(slot) = self.nodes.get_mut(id.0 as usize) else { return false };
        let stands = slot.wake == Some(due);
        if stands {
            slot.wake = None;
        }
        let is_due = slot.node.poll_timeout().is_some_and(|at| self.core.clock.nanos_at(at) <= self.core.clock.now());
        if stands && !is_due {
            self.plan_wake(id);
        }
        stands && is_due
    }

    fn deliver(&mut self, id: NodeId, input: Input) {
        if let Some(slot) = self.nodes.get_mut(id.0 as usize) {
            slot.node.handle(input, &mut Context { core: &mut self.core, node: id });
            self.plan_wake(id);
        }
    }

    fn plan_wake(&mut self, id: NodeId) {
        let Some(slot) = self.nodes.get_mut(id.0 as usize) else { return };
        let Some(at) = slot.node.poll_timeout() else { return };
        let at = self.core.clock.nanos_at(at).max(self.core.clock.now());
        if slot.wake.is_none_or(|planned| at < planned) {
            slot.wake = Some(at);
            self.core.clock.plan(at, Event::Wake(id.0));
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .field("elapsed", &self.elapsed())
            .field("nodes", &self.nodes.len())
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
