//! What versions of node-ipc are known to do wrong, with the fact of `vectors/FACTS.md` that each entry rests on. A cell is excused
//! only if the version named stands at the end named; never one between two of our own.

use super::cells::Cell;
use super::scenario::Transport;
use super::subject::Subject;

/// At which end the version at fault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It serves.
    Server,
    /// It calls; over UDP, it is the second server.
    Client,
    /// Either.
    Any,
}

/// An expected failure.
#[derive(Debug)]
pub struct Defect {
    /// Of which scenario.
    pub scenario: &'static str,
    /// On which transports; none: on all.
    pub transports: &'static [Transport],
    /// Which subjects are at fault.
    pub subjects: &'static [&'static str],
    /// At which end.
    pub end: End,
    /// The fact, in words.
    pub fact: &'static str,
    /// Whether it may also pass, by chance.
    pub flaky: bool,
}

const V9: &str = "node-9.2.1";
const V12: &str = "node-12.0.0";
const V14: &str = "node-14.0.0";
const OLD: &[&str] = &[V9, V12];

const fn defect(scenario: &'static str, subjects: &'static [&'static str], end: End, fact: &'static str) -> Defect {
    Defect { scenario, transports: &[], subjects, end, fact, flaky: false }
}

/// All of them.
pub static ALL: &[Defect] = &[];

/// The expected defect of a cell.
pub fn of(cell: &Cell, subjects: &[Subject]) -> Option<&'static Defect> {
    let at = |which: usize| &subjects[which];
    ALL.iter().find(|defect| {
        let blames = |subject: &Subject| subject.is_node() && defect.subjects.contains(&subject.name.as_str());
        defect.scenario == cell.scenario.name
            && (defect.transports.is_empty() || defect.transports.contains(&cell.transport))
            && match defect.end {
                End::Server => blames(at(cell.server)),
                End::Client => blames(at(cell.client)),
                End::Any => blames(at(cell.server)) || blames(at(cell.client)),
            }
    })
}
