//! The matrix as tests: a part of the quick set that shows something of every scenario, by pair and kind of transport. All of it is
//! `ipc-conformance matrix`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use ipc_conformance::matrix::cells::{self, Cell};
use ipc_conformance::matrix::run::{Played, play};
use ipc_conformance::matrix::scenario::Transport::{self, MutualTls, Tcp, Tls, Udp4, Udp6, Unix};
use ipc_conformance::matrix::subject::{Absent, OwnPeer, Subject};
use ipc_conformance::node::in_ci;

const LOCAL: &[Transport] = &[Unix];
const NETWORK: &[Transport] = &[Tcp];
const SECURE: &[Transport] = &[Tls, MutualTls];
const DATAGRAMS: &[Transport] = &[Udp4, Udp6];

/// Every built-in subject, in the order of the matrix, and why it cannot take part if so.
fn subjects() -> &'static [(Subject, Option<Absent>)] {
    static SUBJECTS: OnceLock<Vec<(Subject, Option<Absent>)>> = OnceLock::new();
    SUBJECTS.get_or_init(|| {
        let own = OwnPeer { program: PathBuf::from(env!("CARGO_BIN_EXE_peer")), arguments: Vec::new() };
        let probed = |mut subject: Subject| {
            let absent = subject.probe().err();
            (subject, absent)
        };
        Subject::built_in(&own).into_iter().map(probed).collect()
    })
}

/// Plays the chosen cells of a pair on some transports, and fails with every cell that does.
fn pair(server: &str, client: &str, over: &[Transport]) {
    for (subject, absent) in subjects().iter().filter(|(subject, _)| [server, client].contains(&subject.name.as_str()))
    {
        if let Some(absent) = absent {
            // Written to the real stderr: the test harness hides what tests print.
            let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: {}: {} ***\n", subject.name, absent.why);
            assert!(!in_ci(), "{} must be tested where CI is set: {}", subject.name, absent.why);
            return;
        }
    }
    let everybody: Vec<Subject> = subjects().iter().map(|(subject, _)| subject.clone()).collect();
    let at = |cell: &Cell| (everybody[cell.server].name.as_str(), everybody[cell.client].name.as_str());
    let mut chosen = cells::sample(&everybody);
    chosen.retain(|cell| at(cell) == (server, client) && over.contains(&cell.transport));
    let played = play(&chosen, &everybody, 2, |_, _| {});
    let bad: Vec<&Played> = played.iter().filter(|one| one.verdict.is_bad()).collect();
    let told = bad.iter().map(|one| {
        let (name, word) = (one.cell.name(&everybody), one.verdict.word());
        format!("{word}: {name}: {}\n{}\n", one.verdict.detail(), one.transcript)
    });
    assert!(bad.is_empty(), "{} of {} cells\n{}", bad.len(), played.len(), told.collect::<String>());
}

/// One module for each pair, who serves first, with one test for each kind of transport.
macro_rules! pairs {
    ($($pair:ident: $server:literal, $client:literal;)*) => {
        $(
            mod $pair {
                use super::{DATAGRAMS, LOCAL, NETWORK, SECURE, pair};

                #[test]
                fn do_all_they_must_over_local_sockets() {
                    pair($server, $client, LOCAL);
                }

                #[test]
                fn do_all_they_must_over_tcp() {
                    pair($server, $client, NETWORK);
                }

                #[test]
                fn do_all_they_must_over_tls() {
                    pair($server, $client, SECURE);
                }

                #[test]
                fn do_all_they_must_over_udp() {
                    pair($server, $client, DATAGRAMS);
                }
            }
        )*
    };
}

pairs! {
    tokio_and_tokio: "rust-tokio", "rust-tokio";
    tokio_and_node_9: "rust-tokio", "node-9.2.1";
    tokio_and_node_12: "rust-tokio", "node-12.0.0";
    tokio_and_node_14: "rust-tokio", "node-14.0.0";
    node_9_and_tokio: "node-9.2.1", "rust-tokio";
    node_12_and_tokio: "node-12.0.0", "rust-tokio";
    node_14_and_tokio: "node-14.0.0", "rust-tokio";
    smol_and_async_std: "rust-smol", "rust-async-std";
    async_std_and_tokio: "rust-async-std", "rust-tokio";
}

#[test]
fn the_quick_set_has_every_scenario_and_every_subject_in_both_roles() {
    let everybody: Vec<Subject> = subjects().iter().map(|(subject, _)| subject.clone()).collect();
    let quick = cells::quick(&everybody);
    for scenario in ipc_conformance::matrix::scenarios::all() {
        let playable = cells::transports(&scenario).next().is_some();
        assert!(!playable || quick.iter().any(|cell| cell.scenario.name == scenario.name), "{}", scenario.name);
    }
    for at in 0..everybody.len() {
        assert!(quick.iter().any(|cell| cell.server == at) && quick.iter().any(|cell| cell.client == at));
    }
    for node in everybody.iter().enumerate().filter(|(_, subject)| subject.is_node()).map(|(at, _)| at) {
        for ours in everybody.iter().enumerate().filter(|(_, subject)| subject.is_rust()).map(|(at, _)| at) {
            for (server, client) in [(node, ours), (ours, node)] {
                assert!(quick.iter().any(|cell| (cell.server, cell.client) == (server, client)));
            }
        }
    }
}

#[test]
fn a_subject_that_cannot_be_started_is_absent() {
    let mut nobody = Subject::parse("nobody=/no/such/program at all").expect("a name and a command");
    let absent = nobody.probe().expect_err("it is not there");
    assert_eq!(absent.name, "nobody");
}
