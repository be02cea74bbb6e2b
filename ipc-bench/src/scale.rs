//! How the cost of an event grows with the number of connections, its size, the number of names, and processors.

use crate::chart::{Curve, Curves, curves};
use crate::load::Echo;
use crate::options::{Options, Outcome};
use crate::process;
use crate::subject::{Server, Subject};

pub(crate) fn main(args: Vec<String>) -> Outcome {
    let options = Options::parse(args, &["--quick", "--only", "--svg"])?;
    let most = if options.quick { 100_000 } else { 400_000 };
    let mut panels = Vec::new();

    let connections: &[usize] = if options.quick { &[1, 10, 100, 1000] } else { &[1, 10, 100, 1000, 5000, 10_000] };
    panels.push(panel(&options, "connections", "µs an event", connections, |subject, connections| {
        let load = Echo { connections, window: 8, events: most.max(connections * 8), ..Echo::default() };
        per_event(&Server::start(subject, "echo", 1)?, load)
    })?);

    // The largest event by default is 64 MiB, its envelope included.
    let most_bytes = (64 << 20) - 1024;
    let sizes: Vec<usize> =
        (4..=if options.quick { 22 } else { 26 }).step_by(2).map(|power| most_bytes.min(1 << power)).collect();
    panels.push(panel(&options, "bytes of payload", "µs an event", &sizes, |subject, size| {
        let events = ((1 << 28) / (size + 2000)).clamp(4, most);
        let load = Echo { window: (256 * 1024 / size).clamp(1, 64), events, size, ..Echo::default() };
        per_event(&Server::start(subject, "echo", 1)?, load)
    })?);

    panels.push(panel(&options, "event names", "µs an event", &[1, 10, 100, 1000, 10_000], |subject, names| {
        let load = Echo { window: 64, events: most / 2, names, ..Echo::default() };
        per_event(&Server::with_names(subject, "echo", 1, names)?, load)
    })?);

    panels.push(panel(&options, "threads", "thousand events a second", &[1, 2], |subject, threads| {
        let (first, last) = process::processors()?;
        process::bind(None, &[first, last])?;
        let server = Server::start(subject, "echo", threads)?;
        let load = Echo { connections: 64, window: 16, events: most * 2, ..Echo::default() };
        load.run(server.path())?;
        Ok(load.events as f64 / load.run(server.path())?.as_secs_f64() / 1e3)
    })?);

    if let Some(path) = &options.svg {
        std::fs::write(path, curves("processor time of the server, by what there is more of", &panels))?;
    }
    Ok(())
}

fn per_event(server: &Server, load: Echo) -> Outcome<f64> {
    let (first, _) = process::processors()?;
    process::bind(None, &[first])?;
    Echo { events: (load.events / 10).max(load.connections), ..load }.run(server.path())?;
    let (_, processor) = server.during(|server| load.run(server.path()))?;
    Ok(processor.as_secs_f64() * 1e6 / load.events as f64)
}

fn panel(
    options: &Options,
    what: &str,
    unit: &str,
    values: &[usize],
    measure: impl Fn(Subject, usize) -> Outcome<f64>,
) -> Outcome<Curves> {
    let mut panel = Curves { across: what.into(), up: unit.into(), curves: Vec::new() };
    if !options.wants(what) {
        return Ok(panel);
    }
    process::more_descriptors()?;
    println!("\n| {what} | {} |", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---:|".repeat(values.len()));
    for subject in Subject::ADAPTERS {
        let mut curve = Curve { name: subject.name(), points: Vec::new() };
        print!("| {}, {unit} |", subject.name());
        for &value in values {
            let figure = measure(subject, value)?;
            print!(" {figure:.3} |");
            curve.points.push((value as f64, figure));
        }
        println!();
        panel.curves.push(curve);
    }
    Ok(panel)
}
