//! One run of a scenario: trouble, then calm, then proof that everything works again, then the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ipc_proto::{Endpoint, StopRetrying};

use crate::app::Peer;
use crate::chatter::Chatter;
use crate::client::ClientNode;
use crate::failure::{Failure, Invariant};
use crate::node::NodeId;
use crate::random::Random;
use crate::report::{Fault, FaultCounts, Report};
use crate::scenario::{Faults, Scenario};
use crate::server::ServerNode;
use crate::vandal::Vandal;
use crate::world::World;

/// How long the proof may take: a few events each way, with short breaks.
const DELIVER: Duration = Duration::from_secs(3);
const EVENTS_OF_PROOF: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Trouble,
    Settling,
    Delivering,
    Ending,
    Over,
}

/// A seed and a scenario, being played.
///
/// ```
/// use ipc_sim::{Scenario, Simulation};
///
/// let scenario = Scenario::named("cuts").expect("a built-in scenario");
/// let report = Simulation::new(7, &scenario).run()?;
/// assert!(report.account.is_balanced());
/// # Ok::<(), Box<ipc_sim::Failure>>(())
/// ```
#[derive(Debug)]
pub struct Simulation {
    seed: u64,
    scenario: Scenario,
    world: World,
    random: Random,
    phase: Phase,
    until: Duration,
    servers: Vec<Place>,
    clients: Vec<NodeId>,
    vandals: Vec<NodeId>,
    /// When each fault comes next.
    coming: Vec<(Duration, Fault, Duration)>,
    counts: FaultCounts,
}

#[derive(Debug)]
struct Place {
    node: NodeId,
    endpoint: Endpoint,
    /// When it comes back.
    down_until: Option<Duration>,
}

type Server = ServerNode<Chatter>;
type Client = ClientNode<Chatter>;

impl Simulation {
    /// Everything is put up; nothing has happened yet.
    #[must_use]
    pub fn new(seed: u64, scenario: &Scenario) -> Self {
        let mut random = Random::new(!seed);
        let mut simulation = Self {
            seed,
            world: World::new(seed, scenario.wire.clone()),
            phase: Phase::Trouble,
            until: scenario.trouble,
            servers: Vec::new(),
            clients: Vec::new(),
            vandals: Vec::new(),
            coming: coming(&scenario.faults, &mut random),
            counts: FaultCounts::default(),
            scenario: scenario.clone(),
            random,
        };
        simulation.populate();
        simulation
    }

    fn populate(&mut self) {
        let scenario = &self.scenario;
        let Some(deployment) = self.random.pick(&scenario.deployments) else { return };
        let answers_all = deployment.server.config().sync;
        for number in 0..self.random.within(&scenario.servers) {
            let id = format!("world{number}");
            let Ok(endpoint) = Endpoint::local(&deployment.server, Some(&id)) else { return };
            let chatter = Chatter::new(scenario.traffic.clone(), true, answers_all);
            let server = ServerNode::new(deployment.server.clone(), endpoint.clone(), chatter);
            self.servers.push(Place { node: self.world.add(server), endpoint, down_until: None });
        }
        for _ in 0..self.random.within(&scenario.clients) {
            let (Some(settings), Some(server)) =
                (self.random.pick(&deployment.clients), self.random.pick(&self.servers))
            else {
                return;
            };
            let chatter = Chatter::new(scenario.traffic.clone(), false, false);
            let client = ClientNode::new(settings.clone(), server.endpoint.clone(), chatter);
            self.clients.push(self.world.add(client));
        }
        for _ in 0..self.random.within(&scenario.vandals) {
            let Some(server) = self.random.pick(&self.servers) else { return };
            self.vandals.push(self.world.add(Vandal::new(server.endpoint.clone())));
        }
    }

    /// Keeps the whole trace as text.
    pub fn keep_trace(&mut self) {
        self.world.keep_trace();
    }

    /// The world it is played in: the trace, the time, the books.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The same, to be meddled with.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// Plays on to the end.
    ///
    /// # Errors
    ///
    /// An invariant does not hold, or something panicked.
    pub fn run(&mut self) -> Result<Report, Box<Failure>> {
        let played = catch_unwind(AssertUnwindSafe(|| {
            while self.step()? {}
            Ok(())
        }));
        let outcome = played.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text");
            Err(self.named(self.world.failure(Invariant::Panic, text.to_owned())))
        });
        outcome.map(|()| self.report())
    }

    /// Lets the next thing happen. `false` once everything is over.
    ///
    /// # Errors
    ///
    /// An invariant does not hold.
    pub fn step(&mut self) -> Result<bool, Box<Failure>> {
        let step = self.try_step();
        step.map_err(|failure| self.named(failure))
    }

    fn try_step(&mut self) -> Result<bool, Failure> {
        if self.phase == Phase::Over {
            return Ok(false);
        }
        let fault = self.next_fault();
        let next = fault.map_or(self.until, |(at, _)| at.min(self.until));
        if self.world.next_at().is_some_and(|at| at <= next) {
            return self.world.step();
        }
        self.world.run_for(next.saturating_sub(self.world.elapsed()))?;
        match fault {
            Some((at, index)) if at <= self.until => self.strike(index),
            _ => self.next_phase()?,
        }
        self.world.checked().map(|()| true)
    }

    fn named(&self, mut failure: Failure) -> Box<Failure> {
        failure.seed = self.seed;
        let Scenario { name, built_in, .. } = &self.scenario;
        failure.replay = built_in
            .then(|| format!("cargo run --release -p ipc-sim -- --scenario {name} --seed {} --trace", self.seed));
        Box::new(failure)
    }

    fn report(&self) -> Report {
        Report {
            seed: self.seed,
            elapsed: self.world.elapsed(),
            steps: self.world.steps(),
            account: self.world.account(),
            faults: self.counts,
            refused_dials: self.world.refused_dials(),
            trace_hash: self.world.trace_hash(),
        }
    }

    /// When the next fault is due, and its place in the list: one that comes, or a server that comes back.
    fn next_fault(&self) -> Option<(Duration, usize)> {
        if self.phase != Phase::Trouble {
            return None;
        }
        let coming = self.coming.iter().enumerate().map(|(index, (at, ..))| (*at, index));
        let back = self.servers.iter().enumerate();
        let back = back.filter_map(|(index, place)| Some((place.down_until?, self.coming.len() + index)));
        coming.chain(back).min()
    }

    fn strike(&mut self, index: usize) {
        let Some((at, fault, mean)) = self.coming.get_mut(index) else {
            return self.bring_back(index - self.coming.len());
        };
        let fault = *fault;
        *at = self.world.elapsed() + self.random.around(*mean) + Duration::from_millis(1);
        if self.inflict(fault) {
            self.counts.count(fault);
        }
    }

    fn bring_back(&mut self, server: usize) {
        if let Some(place) = self.servers.get_mut(server) {
            place.down_until = None;
            self.world.with(place.node, |server: &mut Server, context| server.start(context));
        }
    }

    /// Does it. Says whether there was anything to do it to.
    fn inflict(&mut self, fault: Fault) -> bool {
        let faults = &self.scenario.faults;
        match fault {
            Fault::Cut | Fault::HalfOpen => {
                let Some(stream) = self.random.pick(self.world.streams()).copied() else { return false };
                let soon = Duration::ZERO;
                let late = self.random.duration(&faults.half_open_for);
                let (one, other) = match (fault, self.random.below(3)) {
                    (Fault::Cut, _) => (soon, soon),
                    (_, 0) => (soon, late),
                    (_, 1) => (late, soon),
                    _ => (late, self.random.duration(&faults.half_open_for)),
                };
                self.world.cut(stream, one, other);
                true
            }
            Fault::Stop | Fault::Crash => {
                let index = usize::try_from(self.random.below(self.servers.len() as u64)).unwrap_or(0);
                let Some(place) = self.servers.get_mut(index).filter(|place| place.down_until.is_none()) else {
                    return false;
                };
                place.down_until = Some(self.world.elapsed() + self.random.duration(&faults.down_for));
                let (node, kind) = (place.node, self.random.below(3));
                let unnoticed = (kind == 0).then(|| self.random.duration(&faults.half_open_for));
                self.world.with(node, |server: &mut Server, context| match fault {
                    Fault::Stop => server.stop(kind > 0, context),
                    _ => server.crash(unnoticed, context),
                });
                true
            }
            Fault::Leap => {
                let by = self.random.duration(&faults.leap_by);
                self.world.leap(by);
                true
            }
            Fault::Disconnect | Fault::Change => self.meddle(fault),
            Fault::Dismiss => {
                let Some(node) = self.random.pick(&self.servers).map(|place| place.node) else { return false };
                let (choice, gently) = (self.random.next_u64(), self.random.chance(0.5));
                let done = self.world.with(node, |server: &mut Server, context| {
                    let mut found = false;
                    server.control(context, |_, control| {
                        let peers: Vec<Peer> = control.peers().collect();
                        let Some(&peer) = peers.get((choice % peers.len().max(1) as u64) as usize) else { return };
                        found = true;
                        if gently { control.close(peer) } else { control.abort(peer) }
                    });
                    found
                });
                done.unwrap_or(false)
            }
        }
    }

    /// A client is told something.
    fn meddle(&mut self, fault: Fault) -> bool {
        let Some(&node) = self.random.pick(&self.clients) else { return false };
        let kind = self.random.below(5);
        let retry = self.random.around(Duration::from_millis(60));
        self.world.with(node, |client: &mut Client, context| {
            client.control(context, |_, control| match (fault, kind) {
                (Fault::Disconnect, 0..=2) => control.disconnect(),
                (Fault::Disconnect, _) => control.close(Peer::SERVER),
                (_, 0) => control.set_stop_retrying(StopRetrying::No),
                (_, 1) => control.set_stop_retrying(StopRetrying::After(1)),
                (_, 2) => control.set_stop_retrying(StopRetrying::Yes),
                _ => control.set_retry(retry),
            });
        });
        true
    }

    fn next_phase(&mut self) -> Result<(), Failure> {
        let (phase, length) = match self.phase {
            Phase::Trouble => {
                self.calm_down();
                (Phase::Settling, self.scenario.settles_within())
            }
            Phase::Settling => {
                self.check_convergence()?;
                self.prove();
                (Phase::Delivering, DELIVER)
            }
            Phase::Delivering => {
                self.check_convergence()?;
                self.end_all();
                (Phase::Ending, self.scenario.settles_within())
            }
            Phase::Ending | Phase::Over => {
                self.check_end()?;
                let outcome = self.world.core_mut().ledger.close();
                outcome.map_err(|violation| self.world.failure(violation.invariant, violation.message))?;
                (Phase::Over, Duration::ZERO)
            }
        };
        (self.phase, self.until) = (phase, self.world.elapsed() + length);
        Ok(())
    }

    fn calm_down(&mut self) {
        let wire = self.world.wire_mut();
        *wire = wire.calmed();
        for server in 0..self.servers.len() {
            if self.servers[server].down_until.is_some() {
                self.bring_back(server);
            }
        }
        for place in &self.servers {
            self.world.with(place.node, |server: &mut Server, _| server.app_mut().quiet = true);
        }
        for &node in &self.clients {
            self.world.with(node, |client: &mut Client, _| client.app_mut().quiet = true);
        }
        for &node in &self.vandals {
            self.world.with(node, Vandal::leave);
        }
    }

    fn prove(&mut self) {
        for &node in &self.clients {
            self.world.with(node, |client: &mut Client, context| {
                client.control(context, |chatter, control| {
                    (0..EVENTS_OF_PROOF).for_each(|_| chatter.say(Some(Peer::SERVER), control));
                });
            });
        }
        for place in &self.servers {
            self.world.with(place.node, |server: &mut Server, context| {
                server.control(context, |chatter, control| chatter.say(None, control));
            });
        }
    }

    /// Everybody who may is connected, and whatever was emitted has come out.
    fn check_convergence(&mut self) -> Result<(), Failure> {
        let fail = |message: String| Err(self.world.failure(Invariant::Convergence, message));
        for place in &self.servers {
            let Some(server) = self.world.node::<Server>(place.node) else { continue };
            let (peers, limit) = (server.server().len(), server.server().settings().config().max_connections);
            let mut wants = 0;
            for &node in &self.clients {
                let Some(client) = self.world.node::<Client>(node) else { continue };
                let Some(machine) = client.client().filter(|machine| *machine.endpoint() == place.endpoint) else {
                    continue;
                };
                if machine.is_destroyed() {
                    continue;
                }
                wants += 1;
                let established = client.stream().filter(|stream| server.has_stream(stream.other()));
                let Some(stream) = established else {
                    if peers < limit {
                        return fail(format!("{node} is not connected, with {peers} peers at its server: {machine:?}"));
                    }
                    continue;
                };
                if !client.is_idle() {
                    return fail(format!("{node} is connected and still has something queued or deferred"));
                }
                let ledger = self.world.ledger();
                let in_flight = ledger.in_flight(stream) + ledger.in_flight(stream.other());
                if in_flight > 0 {
                    return fail(format!("{in_flight} events between {node} and its server have not come out"));
                }
            }
            if !server.is_idle() || peers < limit.min(wants) {
                return fail(format!("{}: {peers} peers of {wants} who want to, or something queued", place.node));
            }
        }
        Ok(())
    }

    fn end_all(&mut self) {
        for &node in &self.clients {
            let gently = self.random.chance(0.5);
            self.world.with(node, |client: &mut Client, context| {
                client.control(
                    context,
                    |_, control| {
                        if gently { control.close(Peer::SERVER) } else { control.disconnect() }
                    },
                );
            });
        }
        for place in &self.servers {
            self.world.with(place.node, |server: &mut Server, context| server.stop(true, context));
        }
    }

    /// Nobody is left.
    fn check_end(&self) -> Result<(), Failure> {
        let ended = |node: &&NodeId| {
            let client = self.world.node::<Client>(**node).and_then(Client::client);
            client.is_some_and(ipc_proto::Client::is_destroyed)
        };
        let clients = self.clients.iter().filter(ended).count();
        let empty = |place: &&Place| self.world.node::<Server>(place.node).is_some_and(|node| node.server().is_empty());
        let servers = self.servers.iter().filter(empty).count();
        if (clients, servers) == (self.clients.len(), self.servers.len()) && self.world.streams().is_empty() {
            return Ok(());
        }
        let message = format!(
            "at the end {clients} of {} clients are destroyed, {servers} of {} servers empty, and {} streams are up",
            self.clients.len(),
            self.servers.len(),
            self.world.streams().len()
        );
        Err(self.world.failure(Invariant::Convergence, message))
    }
}

fn coming(faults: &Faults, random: &mut Random) -> Vec<(Duration, Fault, Duration)> {
    let means = [
        (faults.cut, Fault::Cut),
        (faults.half_open, Fault::HalfOpen),
        (faults.stop, Fault::Stop),
        (faults.crash, Fault::Crash),
        (faults.leap, Fault::Leap),
        (faults.disconnect, Fault::Disconnect),
        (faults.change, Fault::Change),
        (faults.dismiss, Fault::Dismiss),
    ];
    means.into_iter().filter_map(|(mean, fault)| Some((random.around(mean?), fault, mean?))).collect()
}
