//! A server that is killed and stopped by turns, under clients that never stop emitting: every event is accounted for.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

use ipc_torture::restart::Restarts;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

fn restart(tcp: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Restarts {
        program: PROGRAM.into(),
        folder: folder.path().to_owned(),
        tcp,
        clients: 20,
        restarts: 10,
        early: false,
    };
    let account = plan.run().expect("every event is accounted for");
    println!("{account:?}");
    assert!(account.connections >= 20 * 11, "{account:?}");
    assert!(account.unsent > 0, "nobody was ever cut with something in its queue: {account:?}");
    assert!(account.on_the_way > 0, "nothing was ever on the way when the server was killed: {account:?}");
    let accounted = account.delivered + account.unsent + account.on_the_way + account.never_taken.1;
    assert_eq!(account.accepted, accounted, "{account:?}");
}

#[test]
fn every_event_is_accounted_for_over_unix_sockets() {
    restart(false);
}

#[test]
fn every_event_is_accounted_for_over_tcp() {
    restart(true);
}

#[test]
fn a_server_that_ends_while_clients_still_come_lets_in_whoever_has_connected() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_owned();
    let plan = Restarts { program: PROGRAM.into(), folder, tcp: false, clients: 40, restarts: 20, early: true };
    let account = plan.run().expect("every event is accounted for");
    println!("{account:?}");
    assert_eq!(account.never_taken, (0, 0), "{account:?}");
}
