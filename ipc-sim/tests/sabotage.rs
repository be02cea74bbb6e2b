//! Every invariant can fail: a network that breaks its promises, and nodes that misbehave, are found out by the right one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::{Duration, Instant};

use ipc_proto::{Config, Endpoint, Host, Message, Platform, Settings};
use ipc_sim::{
    App, ClientNode, Context, Control, Happening, Input, Invariant, Node, Peer, Sabotage, Scenario, ServerNode,
    Simulation, Wire, World,
};

/// Nothing goes wrong by itself, so that what is sabotaged does arrive.
fn calm_scenarios() -> [Scenario; 2] {
    let raw = Config::new("sim").raw_buffer(true);
    [Scenario::named("calm").unwrap(), Scenario::new("raw").deploy(&raw, &[]).unwrap()]
}

/// Which invariants a sabotaged network breaks, over some seeds.
fn found(scenario: &Scenario, what: Sabotage) -> Vec<Invariant> {
    (0..20)
        .map(|seed| {
            let mut simulation = Simulation::new(seed, scenario);
            simulation.world_mut().sabotage(what, 20 + seed);
            let failure = simulation.run().expect_err("a broken network must be noticed");
            let replay = failure.replay.unwrap_or_else(|| format!("--seed {seed}"));
            assert!(replay.contains(&format!("--seed {seed}")), "{replay}");
            assert!(failure.trace.len() > 10 && failure.at > Duration::ZERO);
            failure.invariant
        })
        .collect()
}

#[test]
fn a_network_that_duplicates_is_found_out_by_order() {
    for scenario in calm_scenarios() {
        assert!(found(&scenario, Sabotage::Duplicate).iter().all(|invariant| *invariant == Invariant::Order));
    }
}

#[test]
fn a_network_that_reorders_is_found_out_by_order() {
    for scenario in calm_scenarios() {
        assert!(found(&scenario, Sabotage::Reorder).iter().all(|invariant| *invariant == Invariant::Order));
    }
}

#[test]
fn a_network_that_changes_a_bit_is_found_out_by_order() {
    for scenario in calm_scenarios() {
        let found = found(&scenario, Sabotage::Flip);
        let counts = |invariant| found.iter().filter(|one| **one == invariant).count();
        // A delimiter that is no longer one leaves a message unfinished, which shows when nothing comes any more.
        assert!(counts(Invariant::Order) >= 15, "{found:?}");
        assert_eq!(counts(Invariant::Order) + counts(Invariant::Convergence), found.len(), "{found:?}");
    }
}

#[test]
fn a_network_that_loses_a_frame_in_the_middle_is_found_out() {
    let found = found(&calm_scenarios()[0], Sabotage::Lose);
    let counts = |invariant| found.iter().filter(|one| **one == invariant).count();
    assert!(counts(Invariant::Order) >= 15, "{found:?}");
    // Nothing may have come after what was lost: then it is missed in the end.
    assert_eq!(counts(Invariant::Order) + counts(Invariant::Convergence), found.len(), "{found:?}");
}

fn settings() -> Settings {
    Config::new("sim").build(&Host::new("sim", Platform::Linux)).unwrap()
}

fn place(settings: &Settings) -> Endpoint {
    Endpoint::local(settings, Some("world")).unwrap()
}

#[test]
fn a_node_that_wants_to_be_woken_in_the_past_for_ever_is_found_out_by_progress() {
    struct Restless(Option<Instant>);

    impl Node for Restless {
        fn handle(&mut self, _: Input, context: &mut Context<'_>) {
            self.0 = Some(context.now());
        }

        fn poll_timeout(&self) -> Option<Instant> {
            self.0
        }
    }

    let mut world = World::new(1, Wire::default());
    world.add(Restless(None));
    let failure = world.run_for(Duration::from_secs(1)).unwrap_err();
    assert_eq!(failure.invariant, Invariant::Progress);
    assert_eq!(failure.at, Duration::ZERO);
}

#[test]
fn an_app_that_answers_itself_for_ever_is_found_out_by_progress() {
    struct Impatient(Option<Instant>);

    impl App for Impatient {
        fn handle(&mut self, _: Happening<'_>, control: &mut Control<'_, '_>) {
            self.0 = Some(control.now());
        }

        fn poll_timeout(&self) -> Option<Instant> {
            self.0
        }
    }

    let mut world = World::new(1, Wire::default());
    let settings = settings();
    world.add(ServerNode::new(settings.clone(), place(&settings), Impatient(None)));
    assert_eq!(world.run_for(Duration::from_secs(1)).unwrap_err().invariant, Invariant::Progress);
}

#[test]
fn an_invariant_of_ones_own_fails_with_its_text_and_the_trace() {
    let settings = settings();
    let endpoint = place(&settings);
    let mut world = World::new(5, Wire::default());
    world.add(ServerNode::new(
        settings.clone(),
        endpoint.clone(),
        |happening: Happening<'_>, control: &mut Control<'_, '_>| {
            if let Happening::Event(peer, event) = happening {
                control.context().note(format!("{peer} says {}", event.name()));
                control.context().fail("nobody may say anything");
            }
        },
    ));
    world.add(ClientNode::new(settings, endpoint, |happening: Happening<'_>, control: &mut Control<'_, '_>| {
        if let Happening::Connected(server) = happening {
            control.emit(server, &Message::new("message", "hello").unwrap()).unwrap();
        }
    }));
    let failure = world.run_for(Duration::from_secs(1)).unwrap_err();
    assert_eq!(failure.invariant, Invariant::Custom);
    let text = failure.to_string();
    for part in ["seed 5", "nobody may say anything", "peer 0 says message", "writes"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_fleet_that_cannot_get_in_is_found_out_by_convergence() {
    let mut scenario = Scenario::named("calm").unwrap();
    scenario.trouble = Duration::from_millis(100);
    let mut simulation = Simulation::new(2, &scenario);
    // The network refuses for ever what it should refuse for a while.
    simulation.world_mut().wire_mut().refuse = 1.0;
    let failure = loop {
        simulation.world_mut().wire_mut().refuse = 1.0;
        match simulation.step() {
            Ok(true) => {}
            Ok(false) => panic!("it went well"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.invariant, Invariant::Convergence);
    assert!(failure.message.contains("is not connected"), "{}", failure.message);
}

#[test]
fn a_panic_is_a_failure_with_its_seed() {
    let scenario = Scenario::named("calm").unwrap();
    let mut simulation = Simulation::new(3, &scenario);
    simulation.world_mut().add(Fragile(None));
    let failure = simulation.run().unwrap_err();
    assert_eq!((failure.invariant, failure.seed), (Invariant::Panic, 3));
    assert_eq!(failure.message, "it broke");

    struct Fragile(Option<Instant>);

    impl Node for Fragile {
        fn handle(&mut self, input: Input, context: &mut Context<'_>) {
            assert!(input == Input::Started, "it broke");
            self.0 = Some(context.now() + Duration::from_millis(5));
        }

        fn poll_timeout(&self) -> Option<Instant> {
            self.0
        }
    }
}

#[test]
fn a_client_that_closes_gently_has_delivered_everything() {
    let settings = settings();
    let endpoint = place(&settings);
    let mut world = World::new(8, Wire::default());
    world.add(ServerNode::new(settings.clone(), endpoint.clone(), |_: Happening<'_>, _: &mut Control<'_, '_>| {}));
    let client = ClientNode::new(settings, endpoint, |happening: Happening<'_>, control: &mut Control<'_, '_>| {
        if let Happening::Connected(server) = happening {
            for number in 0..100 {
                control.emit(server, &Message::new("message", &number).unwrap()).unwrap();
            }
            control.close(Peer::SERVER);
        }
    });
    world.add(client);
    world.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(world.account().delivered.messages, 100);
    assert!(world.account().is_balanced());
    assert!(world.streams().is_empty());
}
