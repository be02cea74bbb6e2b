//! The soak in its shortest form: that it runs on every adapter, and that it notices a leak.

#![cfg(target_os = "linux")]

use ipc_torture::adapters::Adapter;
use ipc_torture::soak::{Soak, plot, sample};
use std::time::Duration;

fn soak(adapter: Adapter, leak: usize) -> Soak {
    Soak { program: env!("CARGO_BIN_EXE_ipc-torture").into(), adapter, time: Duration::from_secs(8), leak }
}

#[test]
fn a_short_soak_gives_every_answer_and_leaves_no_descriptor_on_every_adapter() {
    for adapter in Adapter::ALL {
        let run = soak(adapter, 0).run().expect("every client got its answers");
        println!("{}: {} answered, {:.0} events/s", adapter.name(), run.answered, run.rate());
        // In so short a time, on a machine that does other things too, whether memory is flat cannot be told: see the command.
        println!("{:?}", run.verdict());
        assert!(run.answered > 100, "{}", run.answered);
        assert_eq!(run.descriptors.0, run.descriptors.1);
        let most = run.samples.iter().map(|sample| sample.server.memory).max();
        assert!(most < Some(300 << 20), "{most:?} bytes of memory");
        assert_eq!(sample::csv(&run.samples).lines().count(), run.samples.len() + 1);
        assert!(plot::svg("", &run.samples).ends_with("</svg>\n"));
    }
}

#[test]
fn a_server_that_loses_memory_is_noticed() {
    // As often as is sampled, ten times a second, however busy the machine is.
    let run = soak(Adapter::Tokio, 4 << 20).run().expect("every client got its answers");
    let error = run.verdict().expect_err("it leaks");
    println!("{error}");
    assert!(error.contains("server: memory"), "{error}");
}
