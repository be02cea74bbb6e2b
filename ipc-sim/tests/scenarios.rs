//! Seeds of every built-in scenario, some hundred in all; the command `ipc-sim` plays them by the hundred thousand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use ipc_sim::{Campaign, Fault, Loss, Scenario, Simulation, Summary};

const SEEDS: u64 = 25;

fn play(name: &str) -> Summary {
    let campaign = Campaign { scenarios: vec![Scenario::named(name).unwrap()], seeds: 0..SEEDS, jobs: 1 };
    let outcome = campaign.run(|_, _| {});
    if let Some(failure) = outcome.failures.first() {
        panic!("{failure}");
    }
    assert_eq!(outcome.summary.runs, SEEDS);
    assert!(outcome.summary.account.is_balanced());
    outcome.summary
}

/// One test for each scenario, so that they run beside each other: what must have happened in it for it to mean anything.
macro_rules! scenarios {
    ($($test:ident: $name:literal, $happened:expr;)*) => {
        $(#[test]
        fn $test() {
            let happened: fn(&Summary) -> bool = $happened;
            let summary = play($name);
            assert!(happened(&summary), "{summary}");
        })*

        #[test]
        fn every_built_in_scenario_is_played_here() {
            let names: Vec<String> = Scenario::all().into_iter().map(|scenario| scenario.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

fn lost(summary: &Summary, losses: &[Loss]) -> bool {
    losses.iter().all(|&loss| !summary.account.lost_by(loss).is_empty())
}

fn struck(summary: &Summary, faults: &[Fault]) -> bool {
    faults.iter().all(|&fault| summary.faults.of(fault) > 0)
}

scenarios! {
    nothing_is_lost_where_nothing_goes_wrong: "calm", |all| {
        [Loss::Torn, Loss::Offline, Loss::Cut, Loss::Reset, Loss::ReceiverFailed, Loss::Crashed, Loss::Queued]
            .iter().all(|&loss| all.account.lost_by(loss).is_empty())
    };
    nothing_is_lost_over_tiny_buffers: "bumps", |all| {
        [Loss::Torn, Loss::Offline, Loss::Cut, Loss::Reset, Loss::ReceiverFailed, Loss::Crashed, Loss::Queued]
            .iter().all(|&loss| all.account.lost_by(loss).is_empty())
    };
    cuts_lose_what_is_torn_and_on_its_way: "cuts", |all| lost(all, &[Loss::Torn, Loss::Cut, Loss::Offline]);
    half_open_connections_are_noticed: "half-open", |all| struck(all, &[Fault::HalfOpen]) && all.refused_dials > 0;
    servers_come_back: "restarts", |all| struck(all, &[Fault::Stop, Fault::Crash]) && lost(all, &[Loss::Crashed]);
    clients_give_up_when_they_should: "giving-up", |all| struck(all, &[Fault::Disconnect, Fault::Change]);
    sync_goes_on_after_a_cut: "sync", |all| struck(all, &[Fault::Cut, Fault::HalfOpen]) && lost(all, &[Loss::Cut]);
    raw_bytes_are_counted_to_the_byte: "raw", |all| all.account.emitted.messages == 0 && lost(all, &[Loss::Torn]);
    a_full_server_turns_clients_away: "crowd", |all| lost(all, &[Loss::ReceiverClosed]);
    full_queues_refuse: "slow", |all| all.account.refused.full > 0;
    two_sides_that_answer_each_other_come_to_rest: "answers", |all| {
        all.account.refused.full > 0 && all.account.emitted == all.account.delivered
    };
    slow_readers_cost_what_the_policy_says: "policies", |all| {
        lost(all, &[Loss::DroppedOldest, Loss::DroppedNewest, Loss::TooSlow, Loss::Torn])
            && all.account.refused.too_slow > 0
            && all.account.refused.full > 0
    };
    large_messages_come_whole: "large", |all| {
        all.account.delivered.bytes > 2000 * all.account.delivered.messages && lost(all, &[Loss::Torn])
    };
    garbage_hurts_nobody_else: "vandals", |all| all.account.delivered.messages > 0;
    other_rules_reject_and_end: "strangers", |all| {
        all.account.rejected.messages > 0 && lost(all, &[Loss::ReceiverFailed]) && all.account.refused.other > 0
    };
    leaps_of_time_are_survived: "leaps", |all| struck(all, &[Fault::Leap]);
    everything_at_once_is_survived: "everything", |all| struck(all, &Fault::ALL);
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    for scenario in Scenario::all() {
        let hash = |seed| Simulation::new(seed, &scenario).run().unwrap().trace_hash;
        assert_eq!(hash(3), hash(3), "{}", scenario.name);
        assert_ne!(hash(3), hash(4), "{}", scenario.name);
    }
}

#[test]
fn a_run_is_the_same_with_its_trace_and_step_by_step() {
    let scenario = Scenario::named("everything").unwrap();
    let quiet = Simulation::new(9, &scenario).run().unwrap();
    let mut traced = Simulation::new(9, &scenario);
    traced.keep_trace();
    let mut steps = 0_u64;
    while traced.step().unwrap() {
        steps += 1;
    }
    assert_eq!(traced.world().trace_hash(), quiet.trace_hash);
    assert_eq!(traced.world().trace().unwrap().lines().count() as u64, traced.world().trace_lines());
    assert!(steps > 100, "{steps}");
}

#[test]
fn seeds_that_once_failed_hold() {
    // A reader that paused because of what `sync` held never read the answer that would have released it; and one that
    // paused because its queue was full never saw that the stream was broken.
    for (name, seed) in [("sync", 23), ("sync", 55), ("slow", 1), ("slow", 7)] {
        let outcome = Simulation::new(seed, &Scenario::named(name).unwrap()).run();
        assert!(outcome.is_ok(), "{outcome:?}");
    }
}
