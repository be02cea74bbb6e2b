//! What versions of node-ipc are known to do wrong, with the fact of `vectors/FACTS.md` that each entry rests on. A cell is excused
//! only if the version named stands at the end named; never one between two of our own.

use super::cells::Cell;
use super::failure::Failure;
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
    /// What the failure must say: another failure is none that was expected.
    pub shows: &'static str,
    /// Whether it may also pass, by chance.
    pub flaky: bool,
}

const V9: &str = "node-9.2.1";
const V12: &str = "node-12.0.0";
const V14: &str = "node-14.0.0";
const OLD: &[&str] = &[V9, V12];

const NEW: &[&str] = &[V12, V14];

const EMPTY: &str = "9 and 12 send {} for null and for an empty text";
const WHOLE: &str = "9 and 12 parse only when the text received so far ends in the delimiter: whole frames wait behind an unfinished one";
const LONG: &str = "9 and 12 write a delimiter longer than one UTF-16 unit, but never parse anything received with one";
const CUT: &str =
    "every version writes a payload that contains a visible delimiter as it is, and so cuts its own frame in two";
const DECODES: &str = "9 and 12 also decode framed messages by the option encoding, although they are sent as UTF-8";
const DIES: &str = "12 and 14 die of a frame without a text as its type (an uncaught TypeError of event-pubsub)";
const LOSSY: &str = "9 and 12 receive raw bytes as text in the encoding: bytes that are no UTF-8 become U+FFFD";
/// What a failure says when nothing came.
const NOTHING: &str = "within";
/// What it says when the process is gone.
const DEAD: &str = "the peer ended";

const fn defect(
    scenario: &'static str,
    subjects: &'static [&'static str],
    end: End,
    shows: &'static str,
    fact: &'static str,
) -> Defect {
    Defect { scenario, transports: &[], subjects, end, fact, shows, flaky: false }
}

/// All of them.
pub static ALL: &[Defect] = &[
    defect("values-null", OLD, End::Client, "found Object {}", EMPTY),
    defect("values-empty-string", OLD, End::Client, "found Object {}", EMPTY),
    defect(
        "names-of-prototypes",
        &[V12],
        End::Server,
        DEAD,
        "12 dies of an event whose name every object has as a member (constructor, toString, __proto__)",
    ),
    defect("delimiter-of-two", OLD, End::Any, NOTHING, LONG),
    defect("delimiter-word", OLD, End::Any, NOTHING, LONG),
    defect("delimiter-emoji", OLD, End::Any, NOTHING, LONG),
    defect("delimiter-in-the-payload", &[V9, V12, V14], End::Client, NOTHING, CUT),
    defect("encoding-latin1-framed", OLD, End::Server, "found String(", DECODES),
    defect("encoding-hex-framed", OLD, End::Server, NOTHING, DECODES),
    defect("encoding-base64-framed", OLD, End::Server, NOTHING, DECODES),
    defect("encoding-utf16le-framed", OLD, End::Server, NOTHING, DECODES),
    defect("bytes-whole-frame-at-once", OLD, End::Server, NOTHING, WHOLE),
    defect("malformed-null", &[V14], End::Server, DEAD, "14 dies of the frame null (an uncaught TypeError)"),
    defect("malformed-number", NEW, End::Server, DEAD, DIES),
    defect("malformed-array", NEW, End::Server, DEAD, DIES),
    defect("malformed-without-type", NEW, End::Server, DEAD, DIES),
    defect("malformed-type", NEW, End::Server, DEAD, DIES),
    defect("raw-binary-with-utf8", OLD, End::Server, "efbfbd", LOSSY),
    defect(
        "datagrams-broadcast-to-senders",
        OLD,
        End::Server,
        NOTHING,
        "9 and 12 never remember senders: a broadcast goes to the addresses that the program pushed, and else to nobody",
    ),
    defect(
        "datagrams-raw-binary",
        OLD,
        End::Server,
        "efbfbd",
        "9 and 12 read a raw datagram as UTF-8 text and turn that into bytes again",
    ),
    defect("datagrams-without-type", NEW, End::Server, DEAD, DIES),
];

impl Defect {
    /// Whether a failure is the one that this defect makes.
    pub fn explains(&self, failure: &Failure) -> bool {
        failure.to_string().contains(self.shows)
    }
}

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

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::matrix::scenarios;

    #[test]
    fn every_defect_is_one_of_a_scenario_and_of_node_ipc() {
        for defect in ALL {
            assert!(scenarios::all().iter().any(|scenario| scenario.name == defect.scenario), "{}", defect.scenario);
            assert!(defect.subjects.iter().all(|name| name.starts_with("node-")), "{}", defect.scenario);
        }
    }
}
