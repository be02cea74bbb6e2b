//! Which cells there are: the whole matrix, a representative part of it, and what a filter leaves.

use super::scenario::{Scenario, Transport};
use super::scenarios;
use super::subject::Subject;

/// One scenario with one server, one client and one transport. The subjects are places in the list of those that take part.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// What is played.
    pub scenario: Scenario,
    /// Who serves.
    pub server: usize,
    /// Who calls.
    pub client: usize,
    /// Over what.
    pub transport: Transport,
}

impl Cell {
    /// Its name in lists, filters and reports.
    pub fn name(&self, subjects: &[Subject]) -> String {
        let (server, client) = (&subjects[self.server].name, &subjects[self.client].name);
        format!("{}/{}/{server}/{client}", self.scenario.name, self.transport)
    }
}

/// The transports on which a scenario can be played on this system. Maybe none.
pub fn transports(scenario: &Scenario) -> impl Iterator<Item = Transport> {
    // The runner's own end writes to sockets, not to named pipes.
    let no_pipe = scenario.bytes && cfg!(windows);
    scenario.transports.iter().copied().filter(move |transport| !(no_pipe && *transport == Transport::Unix))
}

/// Every cell, scenario by scenario.
pub fn all(subjects: &[Subject]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for scenario in scenarios::all() {
        for server in 0..subjects.len() {
            for client in 0..subjects.len() {
                let over = transports(&scenario);
                cells.extend(over.map(|transport| Cell { scenario, server, client, transport }));
            }
        }
    }
    cells
}

/// A part that shows most: each scenario for the first of our own subjects with itself, with the first of all others both ways and with
/// every further one in one role; and for each further one of our own with the next of ours and with one version of node-ipc. Roles,
/// versions and the transports of a scenario take turns.
pub fn quick(subjects: &[Subject]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (number, scenario) in scenarios::all().into_iter().enumerate() {
        let over: Vec<Transport> = transports(&scenario).collect();
        for (turn, (server, client)) in (number..).zip(quick_pairs(subjects, number)) {
            if let Some(&transport) = over.get(turn % over.len().max(1)) {
                cells.push(Cell { scenario, server, client, transport });
            }
        }
    }
    cells
}

/// What `cargo test` plays: the quick set among our own, and of each scenario's pairs with node-ipc those with one version, taking turns.
/// Not what takes long in a build without optimization.
pub fn sample(subjects: &[Subject]) -> Vec<Cell> {
    let number = |cell: &Cell| scenarios::all().iter().position(|one| one.name == cell.scenario.name).unwrap_or(0);
    let mut cells = quick(subjects);
    cells.retain(|cell| {
        let (server, client) = (&subjects[cell.server], &subjects[cell.client]);
        let theirs = !server.is_rust() || !client.is_rust();
        let its_turn = (number(cell) + cell.server + cell.client) % 3 == 0;
        (its_turn || !theirs) && !cell.scenario.name.starts_with("size-16-mib")
    });
    cells
}

fn quick_pairs(subjects: &[Subject], number: usize) -> Vec<(usize, usize)> {
    let which =
        |is: fn(&Subject) -> bool| -> Vec<usize> { (0..subjects.len()).filter(|&at| is(&subjects[at])).collect() };
    let ours = which(Subject::is_rust);
    let node = which(Subject::is_node);
    let others = which(|subject| !subject.is_rust());
    let Some((&first, more)) = ours.split_first() else {
        // Without one of ours, whoever there is.
        return (0..subjects.len())
            .flat_map(|server| (0..subjects.len()).map(move |client| (server, client)))
            .collect();
    };
    let mut pairs = vec![(first, first)];
    for (at, &other) in others.iter().enumerate() {
        let roles = [(first, other), (other, first)];
        pairs.extend(if at == 0 { &roles[..] } else { &roles[(number + at) % 2..][..1] });
    }
    for (at, &one) in more.iter().enumerate() {
        let next = more.get(at + 1).copied().unwrap_or(first);
        pairs.push((one, next));
        if !node.is_empty() {
            // Both roles with all versions, one after the other.
            let turn = number + at;
            let version = node[turn / 2 % node.len()];
            pairs.push(if turn % 2 == 0 { (one, version) } else { (version, one) });
        }
    }
    pairs
}
