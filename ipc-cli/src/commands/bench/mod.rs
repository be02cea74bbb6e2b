//! `ipc bench`: how fast an echo server answers.

mod report;

use report::Report;

use super::{LEAVE_WITHIN, between, count};
use crate::Context;
use crate::address::Target;
use crate::client::{Connecting, lost, seconds};
use crate::exit::{Exit, Failure, Outcome};
use clap::Args;
use hdrhistogram::Histogram;
use ipc_tokio::{Client, ClientEvent, EmitError, Emitter, Event, Events, Frame};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The longest latency that is told from longer ones, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// How long the server may take for its first answer, and for the last ones.
const PATIENCE: Duration = Duration::from_secs(5);

/// Measure the latency and throughput of an echo server.
///
/// Any server will do that answers each event with one event: `ipc listen --echo`, or a handler of node-ipc that emits what it was
/// given. Other events that it sends meanwhile are not counted. Each connection keeps --depth events under way and sends the next when an answer is there, so that the server decides
/// the pace: with --depth 1 it is latency that is measured, with more it is throughput.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc listen unix:world --echo > /dev/null           a server, in another shell
  ipc bench unix:world                               latency, for 5 s
  ipc bench unix:world -c 8 --depth 32 --size 1024   throughput
  ipc bench tcp:8000 -n 100000 --format json | jq .latency.p99")]
pub(crate) struct Bench {
    /// The server, as unix:world, unix:/path, tcp:host:port (see `ipc --help`)
    address: String,
    /// Connections
    #[arg(long, short = 'c', value_name = "N", default_value_t = 1, value_parser = between(1..=10_000), allow_negative_numbers = true)]
    connections: u32,
    /// Events under way on each connection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = between(1..=100_000), allow_negative_numbers = true)]
    depth: u32,
    /// Bytes of the text that each event carries
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = between(0..=1_000_000_000), allow_negative_numbers = true)]
    size: u32,
    /// The name of the events
    #[arg(long, value_name = "NAME", default_value = "message")]
    name: String,
    /// The name of the answers [default: that of the events]
    #[arg(long, value_name = "NAME")]
    answer: Option<String>,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, default_value = "5", conflicts_with = "count")]
    duration: Duration,
    /// End after that many answers instead
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    count: Option<u64>,
    #[command(flatten)]
    connecting: Connecting,
}

/// One connection that measures.
struct Lane {
    client: Client,
    events: Events<ClientEvent>,
    measured: Arc<Measured>,
}

/// What the handler of a connection knows. It runs on the task that reads, so that nothing lies between the answer and the clock.
struct Measured {
    state: Mutex<State>,
    /// Answers so far.
    answers: watch::Sender<u64>,
}

struct State {
    /// When the events were sent that are not answered yet: answers come in order.
    sent: VecDeque<Instant>,
    latency: Histogram<u64>,
    /// When the last answer came.
    last: Option<Instant>,
    /// How many more are to be sent; `None` until time is over.
    left: Option<u64>,
    over: bool,
    failed: Option<EmitError>,
}

impl Bench {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        if self.count == Some(0) {
            return Err(Failure::usage("--count 0 measures nothing; leave it out to measure for --duration"));
        }
        if self.duration.is_zero() {
            return Err(Failure::usage("--duration 0 measures nothing; it must be a number of seconds above 0"));
        }
        tokio::select! {
            outcome = self.measure(&context) => outcome,
            exit = context.interrupt.told() => Err(Failure::silent(exit)),
        }
    }

    async fn measure(&self, context: &Context) -> Outcome {
        let target = Target::parse(&self.address, &context.options, |config| config)?;
        let text = "x".repeat(self.size as usize);
        let frame = Frame::new(&target.settings, &self.name, &text);
        let frame = frame.map_err(|error| Failure::usage(format!("such an event cannot be sent: {error}")))?;
        let mut lanes = Vec::new();
        for _ in 0..self.connections {
            let connected = self.connecting.connect_to(context, &target, false).await?;
            let measured = Arc::new(Measured::new());
            let (handler, next, emitter) = (Arc::clone(&measured), frame.clone(), connected.client.emitter());
            let answer = self.answer.as_ref().unwrap_or(&self.name);
            connected.client.on_event(answer, move |_: &Event<'_>| handler.answered(&emitter, &next));
            lanes.push(Lane { client: connected.client, events: connected.events, measured });
        }
        let name = target.show();
        self.first_answer(&name, &mut lanes, &frame).await?;

        let begin = Instant::now();
        for (number, lane) in lanes.iter().enumerate() {
            // What does not come out even is for the first ones.
            let lanes = u64::from(self.connections);
            let count = self.count.map(|count| count / lanes + u64::from((number as u64) < count % lanes));
            lane.measured.begin(count, self.depth, &lane.client.emitter(), &frame);
        }
        let outcome = self.until_over(context, &name, &mut lanes, begin).await;
        let over = Instant::now();
        for lane in &lanes {
            lane.measured.state().over = true;
        }
        outcome?;
        let unanswered = rest(&mut lanes).await;
        let mut latency = histogram();
        let mut last = None;
        for lane in &lanes {
            let state = lane.measured.state();
            if let Some(error) = &state.failed {
                return Err(Failure::new(Exit::Failed, format!("cannot send to {name}"), error)
                    .help("use less --depth or --size, or raise -o maxPendingBytes"));
            }
            // Both have the same bounds.
            let _always = latency.add(&state.latency);
            last = last.max(state.last);
        }
        // A count is over with its last answer, which is noticed a while later; a time not before it is over.
        let end = match self.count {
            Some(_) => last.unwrap_or(over),
            None => last.map_or(over, |last| last.max(over)),
        };
        let elapsed = end - begin;
        for lane in lanes {
            let _nothing_of_value_unsent = lane.client.close_within(LEAVE_WITHIN).await;
        }
        let report = Report { latency, elapsed, unanswered, frame: frame.as_bytes().len() };
        self.show(&context.output, &name, &report).await?;
        if unanswered > 0 {
            return Err(Failure::new(
                Exit::TimedOut,
                format!("measuring {name}"),
                format!("events that were not answered: {unanswered}"),
            )
            .help("the server must send exactly one event for each that it gets"));
        }
        Ok(())
    }

    /// One event on each connection, so that everything is warm, and it is known that the server answers.
    async fn first_answer(&self, name: &str, lanes: &mut [Lane], frame: &Frame) -> Outcome {
        for number in 0..lanes.len() {
            let Lane { client, measured, .. } = &lanes[number];
            let measured = Arc::clone(measured);
            measured.begin(Some(1), 1, &client.emitter(), frame);
            let mut answers = measured.answers.subscribe();
            let answered = tokio::select! {
                biased;
                answer = tokio::time::timeout(PATIENCE, answers.wait_for(|answers| *answers > 0)) => answer.is_ok(),
                why = any_lost(lanes) => return Err(lost(format_args!("measuring {name}"), why.as_deref())),
            };
            if !answered {
                let answer = self.answer.as_ref().unwrap_or(&self.name);
                let happened = format!(
                    "no event {answer} came in answer to an event {} within {} s",
                    self.name,
                    PATIENCE.as_secs()
                );
                return Err(Failure::new(Exit::TimedOut, format!("measuring {name}"), happened).help(
                    "is it an echo server? `ipc listen ADDRESS --echo` is one; --name says which events it answers, --answer with which",
                ));
            }
            measured.reset();
        }
        Ok(())
    }

    async fn until_over(&self, context: &Context, name: &str, lanes: &mut [Lane], begin: Instant) -> Outcome {
        let bar =
            super::bar(context, self.count.unwrap_or(u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX)));
        loop {
            let answers: u64 = lanes.iter().map(|lane| *lane.measured.answers.borrow()).sum();
            match self.count {
                Some(count) => {
                    bar.set_position(answers);
                    if answers >= count {
                        break;
                    }
                }
                None => {
                    bar.set_position(u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX));
                    if begin.elapsed() >= self.duration {
                        break;
                    }
                }
            }
            let failed = lanes.iter().any(|lane| lane.measured.state().failed.is_some());
            if failed {
                break;
            }
            // A tick is short enough for a duration; a count does not end with the tick, but with its last answer.
            let tick = match self.count {
                Some(_) => Duration::from_millis(5),
                None => super::TICK.min(self.duration.saturating_sub(begin.elapsed())),
            };
            tokio::select! {
                () = tokio::time::sleep(tick) => {}
                why = any_lost(lanes) => {
                    return Err(lost(format_args!("measuring {name}"), why.as_deref()));
                }
            }
        }
        bar.finish_and_clear();
        Ok(())
    }
}

impl Measured {
    fn new() -> Self {
        let state =
            State { sent: VecDeque::new(), latency: histogram(), last: None, left: None, over: false, failed: None };
        Self { state: Mutex::new(state), answers: watch::Sender::new(0) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the first `depth` events.
    fn begin(&self, count: Option<u64>, depth: u32, emitter: &Emitter, frame: &Frame) {
        let mut state = self.state();
        state.left = count;
        for _ in 0..depth {
            state.send(emitter, frame);
        }
    }

    /// An answer has come: the oldest event is answered, and the next one leaves.
    fn answered(&self, emitter: &Emitter, frame: &Frame) {
        let now = Instant::now();
        let mut state = self.state();
        // One that answers more often than it is asked is not measured by it.
        let Some(sent) = state.sent.pop_front() else { return };
        let latency = u64::try_from((now - sent).as_nanos()).unwrap_or(u64::MAX);
        state.latency.saturating_record(latency.clamp(1, LONGEST));
        state.last = Some(now);
        state.send(emitter, frame);
        drop(state);
        self.answers.send_modify(|answers| *answers += 1);
    }

    /// Forgets what was measured. The extremes go with `reset` only: `clear` leaves a histogram those.
    fn reset(&self) {
        let mut state = self.state();
        state.latency.reset();
        state.last = None;
        drop(state);
        self.answers.send_replace(0);
    }
}

impl State {
    fn send(&mut self, emitter: &Emitter, frame: &Frame) {
        match &mut self.left {
            _ if self.over => return,
            Some(0) => return,
            Some(left) => *left -= 1,
            None => {}
        }
        let now = Instant::now();
        match emitter.emit_frame(frame) {
            Ok(()) => self.sent.push_back(now),
            Err(error) => self.failed = Some(error),
        }
    }
}

fn histogram() -> Histogram<u64> {
    // Bounds that are always good, three digits: 60 s is told from 60.06 s.
    Histogram::new_with_bounds(1, LONGEST, 3).unwrap_or_else(|_| unreachable!("constant bounds"))
}

/// Waits for the answers that are still to come, and counts those that do not.
async fn rest(lanes: &mut [Lane]) -> u64 {
    let measured: Vec<_> = lanes.iter().map(|lane| Arc::clone(&lane.measured)).collect();
    let all_answered = async {
        for measured in &measured {
            let mut news = measured.answers.subscribe();
            while !measured.state().sent.is_empty() && news.changed().await.is_ok() {}
        }
    };
    tokio::select! {
        () = all_answered => {}
        () = tokio::time::sleep(PATIENCE) => {}
        // Meanwhile the streams are read on.
        _ = any_lost(lanes) => {}
    }
    measured.iter().map(|measured| measured.state().sent.len() as u64).sum()
}

/// Waits until a connection is lost, and says why if that is known.
async fn any_lost(lanes: &mut [Lane]) -> Option<String> {
    std::future::poll_fn(|cx| {
        for lane in &mut *lanes {
            loop {
                let mut next = std::pin::pin!(lane.events.recv());
                match next.as_mut().poll(cx) {
                    std::task::Poll::Pending => break,
                    std::task::Poll::Ready(Some(ClientEvent::Error(error))) => {
                        return std::task::Poll::Ready(Some(error.to_string()));
                    }
                    std::task::Poll::Ready(Some(ClientEvent::Disconnected { .. } | ClientEvent::Destroyed) | None) => {
                        return std::task::Poll::Ready(None);
                    }
                    std::task::Poll::Ready(Some(_)) => {}
                }
            }
        }
        std::task::Poll::Pending
    })
    .await
}
