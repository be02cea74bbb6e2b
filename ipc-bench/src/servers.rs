//! Servers beside each other: the same load on each, taking turns, and medians of what it cost.

use crate::chart::{Bars, bars};
use crate::datagrams;
use crate::load::{self, Echo};
use crate::options::{Options, Outcome};
use crate::process;
use crate::subject::{Server, Subject};
use serde_json::json;
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[derive(Clone, Copy)]
enum Load {
    /// One event after the other, client and server on one processor: what software costs, not how long a sleeping processor
    /// takes to wake.
    RoundTrip,
    Echo {
        connections: usize,
        window: usize,
    },
    OneWay,
    Broadcast {
        connections: usize,
    },
    /// One datagram after the other, on one processor.
    UdpRoundTrip,
    UdpEcho {
        peers: usize,
        window: usize,
    },
}

struct Scenario {
    name: String,
    load: Load,
    size: usize,
    events: usize,
}

/// What one run gave, for one event.
#[derive(Clone, Copy)]
struct Figures {
    processor: Duration,
    wall: Duration,
}

impl Scenario {
    fn role(&self) -> &'static str {
        match self.load {
            Load::RoundTrip | Load::Echo { .. } | Load::UdpRoundTrip | Load::UdpEcho { .. } => "echo",
            Load::OneWay => "sink",
            Load::Broadcast { .. } => "publish",
        }
    }

    fn is_udp(&self) -> bool {
        matches!(self.load, Load::UdpRoundTrip | Load::UdpEcho { .. })
    }

    /// Client and server take turns on one processor.
    fn is_shared(&self) -> bool {
        matches!(self.load, Load::RoundTrip | Load::UdpRoundTrip)
    }

    fn suits(&self, subject: Subject) -> bool {
        match subject {
            Subject::Reflector => self.role() == "echo",
            Subject::ByHand => self.role() != "publish" && !self.is_udp(),
            _ => true,
        }
    }

    fn run(&self, subject: Subject) -> Outcome<Figures> {
        let server = if self.is_udp() { Server::over_udp(subject)? } else { Server::start(subject, self.role(), 1)? };
        let (first, last) = process::processors()?;
        process::bind(None, &[if self.is_shared() { last } else { first }])?;
        // Once to warm up.
        self.load_on(&server, self.events / 10 + 1)?;
        let (wall, processor) = server.during(|server| self.load_on(server, self.events))?;
        let per =
            self.events as u32 * if let Load::Broadcast { connections } = self.load { connections as u32 } else { 1 };
        Ok(Figures { processor: processor / per, wall: if self.is_shared() { wall } else { wall / per } })
    }

    /// The time for all events; of round trips the median.
    fn load_on(&self, server: &Server, events: usize) -> Outcome<Duration> {
        let path = server.path();
        let middle = |times: Vec<Duration>| times[times.len() / 2];
        match self.load {
            Load::RoundTrip => load::round_trips(path, events, self.size).map(middle),
            Load::UdpRoundTrip => datagrams::round_trips(server.udp(), events, self.size).map(middle),
            Load::UdpEcho { peers, window } => datagrams::echo(server.udp(), peers, window, events, self.size),
            Load::Echo { connections, window } => {
                Echo { connections, window, events: events.max(connections), size: self.size, names: 1 }.run(path)
            }
            Load::OneWay => load::one_way(path, events, self.size),
            Load::Broadcast { connections } => load::broadcast(path, connections, events, self.size),
        }
    }
}

fn size_name(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size / 1024),
        _ => format!("{} MiB", size / 0x10_0000),
    }
}

fn scenarios(quick: bool) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |what: &str, load, size, events: usize| {
        let events = if quick { (events / 5).max(4) } else { events };
        all.push(Scenario { name: format!("{what}, {}", size_name(size)), load, size, events });
    };
    for (size, events) in [(64, 30_000), (1024, 30_000), (65_536, 8_000), (1 << 20, 400)] {
        add("round trip", Load::RoundTrip, size, events);
    }
    for (size, window, events) in [(64, 64, 400_000), (1024, 64, 200_000), (65_536, 16, 10_000), (1 << 20, 4, 400)] {
        add(&format!("{window} in flight"), Load::Echo { connections: 1, window }, size, events);
    }
    add("16 connections, 16 in flight each", Load::Echo { connections: 16, window: 16 }, 64, 400_000);
    add("1,000 connections, 8 in flight each", Load::Echo { connections: 1000, window: 8 }, 64, 400_000);
    for (size, events) in [(64, 2_000_000), (1024, 500_000), (65_536, 20_000)] {
        add("one way", Load::OneWay, size, events);
    }
    add("UDP, round trip", Load::UdpRoundTrip, 64, 30_000);
    add("UDP, 64 in flight", Load::UdpEcho { peers: 1, window: 64 }, 64, 200_000);
    add("UDP, 16 peers, 4 in flight each", Load::UdpEcho { peers: 16, window: 4 }, 64, 200_000);
    add("broadcast to 100", Load::Broadcast { connections: 100 }, 64, 10_000);
    add("broadcast to 1,000", Load::Broadcast { connections: 1000 }, 64, 1_000);
    all
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn main(args: Vec<String>) -> Outcome {
    let options = Options::parse(args, &["--quick", "--only", "--json", "--svg"])?;
    let rounds = if options.quick { 3 } else { 5 };
    let mut written = Vec::new();
    let mut chart = Bars {
        title: "processor time of the server per event, as a multiple of the reflector's".into(),
        groups: Vec::new(),
    };
    println!(
        "Processor time of the server per event in µs, (× reflector, × by hand), and events a second or the median round trip.\n"
    );
    print!("| load |");
    Subject::ALL.iter().for_each(|subject| print!(" {} |", subject.name()));
    println!("\n|---|{}", "---:|".repeat(Subject::ALL.len()));
    for scenario in scenarios(options.quick) {
        if !options.wants(&scenario.name) {
            continue;
        }
        let mut runs = vec![Vec::new(); Subject::ALL.len()];
        for round in 0..rounds {
            let mut order: Vec<usize> = (0..Subject::ALL.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                if scenario.suits(Subject::ALL[index]) {
                    runs[index].push(scenario.run(Subject::ALL[index])?);
                }
            }
        }
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        print!("| {} |", scenario.name);
        let mut group = Vec::new();
        for (subject, runs_of_one) in Subject::ALL.iter().zip(&runs) {
            if runs_of_one.is_empty() {
                print!(" - |");
                continue;
            }
            let processor = median(runs_of_one.iter().map(|run| micros(run.processor)).collect());
            let wall = median(runs_of_one.iter().map(|run| micros(run.wall)).collect());
            // Rounds are compared with themselves: what disturbs one disturbs all that run in it.
            let ratio_to = |base: &[Figures]| {
                let each =
                    runs_of_one.iter().zip(base).map(|(run, base)| micros(run.processor) / micros(base.processor));
                (!base.is_empty()).then(|| median(each.collect()))
            };
            let (ratio, by_hand) = (ratio_to(&runs[0]), ratio_to(&runs[1]));
            let speed = if scenario.is_shared() { format!("{wall:.1} µs") } else { format!("{:.0}/s", 1e6 / wall) };
            let shown: Vec<_> = [ratio, by_hand].into_iter().flatten().map(|ratio| format!("{ratio:.2}")).collect();
            if shown.is_empty() {
                print!(" {processor:.3} {speed} |");
            } else {
                print!(" {processor:.3} ({}) {speed} |", shown.join(", "));
            }
            group.extend(ratio.map(|ratio| (subject.name(), ratio)));
            written.push(json!({
                "load": scenario.name, "server": subject.name(), "processor_us": processor, "wall_us": wall, "ratio": ratio,
                "ratio_by_hand": by_hand,
            }));
        }
        println!();
        if !group.is_empty() {
            chart.groups.push((scenario.name, group));
        }
    }
    if options.wants("idle connections") {
        print!("| memory of an idle connection, of {} |", idle_count(&options));
        for subject in Subject::ALL {
            let bytes = idle(subject, idle_count(&options))?;
            print!(" {:.1} KiB |", bytes / 1024.0);
            written.push(json!({ "load": "idle connection", "server": subject.name(), "bytes": bytes }));
        }
        println!();
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&written)? + "\n")?;
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, bars(&chart))?;
    }
    Ok(())
}

fn idle_count(options: &Options) -> usize {
    if options.quick { 1000 } else { 5000 }
}

/// Bytes in RAM for each of many connections that have said one thing and are silent.
fn idle(subject: Subject, count: usize) -> Outcome<f64> {
    process::more_descriptors()?;
    let server = Server::start(subject, "echo", 1)?;
    load::round_trips(server.path(), 10, 64)?;
    let before = process::memory(server.pid())?;
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = UnixStream::connect(server.path())?;
        load::echo_once(&stream)?;
        open.push(stream);
    }
    let after = process::memory(server.pid())?;
    Ok(after.saturating_sub(before) as f64 / count as f64)
}
