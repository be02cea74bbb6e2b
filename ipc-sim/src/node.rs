//! What stands on the simulated network: anything that is told what happened and does something about it.
//!
//! [`ClientNode`](crate::ClientNode) and [`ServerNode`](crate::ServerNode) are nodes; so is whatever you write.

use std::any::Any;
use std::fmt;
use std::time::{Duration, Instant};

use ipc_proto::Endpoint;

use crate::clock::Clock;
use crate::failure::{Invariant, Violation};
use crate::ledger::{Ending, Ledger};
use crate::network::{Network, Read, StreamId, Write};
use crate::random::Random;
use crate::trace::Trace;

/// What happened to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// The node was put on the network.
    Started,
    /// Somebody dialled an endpoint on which this node listens, and the stream is up.
    Accepted(StreamId),
    /// A dial of this node has succeeded.
    Connected(StreamId),
    /// A dial of this node has failed.
    ConnectFailed(StreamId),
    /// There may be something to read, room to write, or an end to see: try.
    Ready(StreamId),
    /// [`Node::poll_timeout`] is due.
    Timeout,
}

/// Something on the simulated network: a client, a server, a load generator, or a peer that misbehaves.
///
/// A node has no thread and never waits: it is told what happened, does what can be done now, and says until when
/// nothing else is due.
pub trait Node: AsAny {
    /// Takes what happened.
    fn handle(&mut self, input: Input, context: &mut Context<'_>);

    /// When [`Input::Timeout`] is due; asked again after everything that happens. A time that has passed is due at once,
    /// and a node that goes on so for ever at one instant fails the simulation ([`Invariant::Progress`]).
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// What lets a world show a node as what it is; every type has it.
pub trait AsAny: Any {
    /// As something whose type can be asked for.
    fn as_any(&self) -> &dyn Any;
    /// The same, to be changed.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any> AsAny for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Which node of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// What all nodes share.
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) network: Network,
    pub(crate) ledger: Ledger,
    pub(crate) random: Random,
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
    /// Bytes just read, lent to whoever reads.
    pub(crate) scratch: Vec<u8>,
}

/// A node's view of the world while it handles something.
pub struct Context<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) node: NodeId,
}

impl Context<'_> {
    /// The virtual time, as the machines of `ipc-proto` take it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.core.clock.instant()
    }

    /// The virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.core.clock.now())
    }

    /// Which node this is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Chance, from the seed of the world.
    pub fn random(&mut self) -> &mut Random {
        &mut self.core.random
    }

    /// Writes a line into the trace.
    pub fn note(&mut self, text: impl fmt::Display) {
        let text = text.to_string();
        self.core.trace.free(self.core.clock.now(), Some(self.node.0), text);
    }

    /// Fails the simulation: an invariant of yours does not hold.
    pub fn fail(&mut self, message: impl fmt::Display) {
        self.violate(Invariant::Custom, message.to_string());
    }

    pub(crate) fn violate(&mut self, invariant: Invariant, message: String) {
        self.trace("FAILED", 0, 0);
        if self.core.violation.is_none() {
            self.core.violation = Some(Violation { invariant, message: format!("{}: {message}", self.node) });
        }
    }

    /// Reports a broken invariant, if there is one.
    pub(crate) fn check(&mut self, outcome: Result<(), Violation>) {
        if let Err(Violation { invariant, message }) = outcome {
            self.violate(invariant, message);
        }
    }

    pub(crate) fn trace(&mut self, text: &'static str, a: u64, b: u64) {
        self.core.trace.line(self.core.clock.now(), Some(self.node.0), text, a, b);
    }

    /// Accepts streams that are dialled to `endpoint`, in place of any other node.
    pub fn listen(&mut self, endpoint: &Endpoint) {
        self.trace("listens", 0, 0);
        self.core.network.listen(endpoint, Some(self.node.0));
    }

    /// Accepts none any more; streams that are up stay.
    pub fn stop_listening(&mut self, endpoint: &Endpoint) {
        self.trace("stops listening", 0, 0);
        self.core.network.listen(endpoint, None);
    }

    /// Dials; [`Input::Connected`] or [`Input::ConnectFailed`] comes with the same stream.
    pub fn connect(&mut self, endpoint: &Endpoint) -> StreamId {
        let stream = self.core.network.dial(&mut self.core.clock, endpoint, self.node.0);
        self.trace("dials, stream {a}", stream.0.into(), 0);
        stream
    }

    /// Appends to `into` what has come in, at most so many bytes, and perhaps fewer than there are.
    pub fn read(&mut self, stream: StreamId, into: &mut Vec<u8>, at_most: usize) -> Read {
        let read = self.core.network.read(&mut self.core.clock, stream, into, at_most);
        match read {
            Read::Bytes(count) => self.trace("reads {b} bytes of stream {a}", stream.0.into(), count as u64),
            Read::End => self.trace("sees the end of stream {a}", stream.0.into(), 0),
            Read::Reset => self.trace("sees that stream {a} is broken", stream.0.into(), 0),
            Read::Blocked => {}
        }
        read
    }

    /// Writes, and perhaps only a part.
    pub fn write(&mut self, stream: StreamId, bytes: &[u8]) -> Write {
        let write = self.core.network.write(&mut self.core.clock, stream, bytes);
        match write {
            Write::Taken(count) => self.trace("writes {b} bytes to stream {a}", stream.0.into(), count as u64),
            Write::Blocked => self.trace("finds no room in stream {a}", stream.0.into(), 0),
            Write::Broken => {}
        }
        write
    }

    /// Says that nothing more will be written. The other end sees [`Read::End`] after everything that was.
    pub fn shut_down(&mut self, stream: StreamId) {
        self.trace("shuts down stream {a}", stream.0.into(), 0);
        self.core.network.shut_down(&mut self.core.clock, stream);
    }

    /// Gives a stream up, or a dial. What was written still arrives, unless something had come that was not read.
    pub fn close(&mut self, stream: StreamId) {
        self.end(stream, Ending::Closed);
    }

    pub(crate) fn end(&mut self, stream: StreamId, ending: Ending) {
        self.trace("closes stream {a}", stream.0.into(), 0);
        let cut = self.core.network.is_cut(stream);
        let outcome = self.core.ledger.receiver_done(stream, ending, cut);
        self.check(outcome);
        self.core.network.close(&mut self.core.clock, stream);
    }

    /// Cuts a stream: what is on its way is lost. This end, and the other, learn of it after that time.
    pub fn cut(&mut self, stream: StreamId, learns: Duration, other_learns: Duration) {
        self.trace("loses stream {a}", stream.0.into(), 0);
        self.core.network.cut(&mut self.core.clock, stream, learns, other_learns);
    }
}
