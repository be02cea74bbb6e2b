//! The soak in its shortest form: that it runs on every adapter, and that it notices a leak.

#![cfg(target_os = "linux")]

use ipc_torture::adapters::Adapter;
use ipc_torture::soak::{Soak, plot, sample};
use std::time::Duration;

fn soak(adapter: Adapter, leak: usize) -> Soak {
    Soak { program: env!("CARGO_BIN_EXE_ipc-torture").into(), adapter, time: Duration::from_secs(8), leak }
}

#[test]
fn a_short_soak_is_flat_on_every_adapter() {
    for adapter in Adapter::ALL {
        let run = soak(adapter, 0).run().expect("every client got its answers");
        println!("{}: {} answered, {:.0} events/s", adapter.name(), run.answered, run.rate());
        print!("{}", run.verdict().expect("flat"));
        assert!(run.answered > 500, "{}", run.answered);
        assert_eq!(run.descriptors.0, run.descriptors.1);
        assert_eq!(sample::csv(&run.samples).lines().count(), run.samples.len() + 1);
        assert!(plot::svg("", &run.samples).ends_with("</svg>\n"));
    }
}

#[test]
fn a_leak_of_sixteen_kilobytes_an_event_is_noticed() {
    let run = soak(Adapter::Tokio, 16 * 1024).run().expect("every client got its answers");
    println!("{:.0} events/s", run.rate());
    let error = run.verdict().expect_err("it leaks");
    assert!(error.contains("server: memory"), "{error}");
    println!("{error}");
}
