//! What a bench has measured, as a line of JSON and as a page for people.

use super::Bench;
use crate::clock::short;
use crate::exit::Outcome;
use crate::output::{Line, Output, counted, paint};
use hdrhistogram::Histogram;
use std::time::Duration;

/// The widest bar of the histogram, in characters.
const BAR: usize = 50;

/// All connections together.
pub(super) struct Report {
    pub(super) latency: Histogram<u64>,
    pub(super) elapsed: Duration,
    pub(super) unanswered: u64,
    pub(super) frame: usize,
}

impl Bench {
    pub(super) async fn show(&self, output: &Output, name: &str, report: &Report) -> Outcome {
        let latency = &report.latency;
        let answers = latency.len();
        let seconds = report.elapsed.as_secs_f64().max(1e-9);
        let rate = answers as f64 / seconds;
        let bytes = rate * report.frame as f64;
        if !output.is_text() {
            let micros = |nanoseconds: u64| format!("{:.3}", nanoseconds as f64 / 1e3);
            let percentiles = Line::new()
                .text("unit", "us")
                .plain("min", micros(latency.min()))
                .plain("mean", format!("{:.3}", latency.mean() / 1e3))
                .plain("p50", micros(latency.value_at_quantile(0.50)))
                .plain("p90", micros(latency.value_at_quantile(0.90)))
                .plain("p99", micros(latency.value_at_quantile(0.99)))
                .plain("p999", micros(latency.value_at_quantile(0.999)))
                .plain("max", micros(latency.max()))
                .finish();
            let line = Line::new()
                .text("kind", "bench")
                .text("address", name)
                .plain("connections", self.connections)
                .plain("depth", self.depth)
                .plain("frameBytes", report.frame)
                .plain("seconds", format!("{seconds:.6}"))
                .plain("answers", answers)
                .plain("unanswered", report.unanswered)
                .plain("answersPerSecond", format!("{rate:.1}"))
                .plain("bytesPerSecond", format!("{bytes:.0}"))
                .json("latency", &percentiles);
            return output.line(line.finish()).await;
        }
        let bold = |text: &str| paint(output.style.bold, text);
        output
            .line(format!(
                "{} in {seconds:.2} s over {} with {} under way on each, {} bytes an event",
                bold(&counted(answers, "answer")),
                counted(self.connections.into(), "connection"),
                self.depth,
                report.frame,
            ))
            .await?;
        output
            .line(format!("throughput  {} events/s each way, {:.1} MB/s", bold(&format!("{rate:.0}")), bytes / 1e6))
            .await?;
        let at = |quantile: f64| short(Duration::from_nanos(latency.value_at_quantile(quantile)));
        output
            .line(format!(
                "latency     min {}  p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
                short(Duration::from_nanos(latency.min())),
                bold(&at(0.5)),
                at(0.9),
                bold(&at(0.99)),
                at(0.999),
                short(Duration::from_nanos(latency.max())),
            ))
            .await?;
        for line in bars(latency) {
            output.line(line).await?;
        }
        Ok(())
    }
}

/// A histogram for people: a line for each doubling of the latency.
fn bars(latency: &Histogram<u64>) -> Vec<String> {
    let mut buckets: Vec<(u64, u64)> = Vec::new();
    for step in latency.iter_log(1_000, 2.0) {
        buckets.push((step.value_iterated_to(), step.count_since_last_iteration()));
    }
    let first = buckets.iter().position(|(_, count)| *count > 0).unwrap_or(0);
    let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let line = |(below, count): &(u64, u64)| {
        let share = *count as f64 * 100.0 / latency.len().max(1) as f64;
        let width = usize::try_from(count * BAR as u64 / most).unwrap_or(BAR);
        let bar = "█".repeat(width.max(usize::from(*count > 0)));
        format!("  < {:>9}  {share:>5.1} %  {bar}", short(Duration::from_nanos(below + 1)))
    };
    buckets[first..].iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_show_each_doubling_and_add_up() {
        let mut latency = super::super::histogram();
        for value in [1_500, 1_600, 3_000, 30_000] {
            latency.record(value).expect("within bounds");
        }
        let bars = bars(&latency);
        assert!(bars[0].contains("50.0 %") && bars[0].contains(&"█".repeat(BAR)), "{bars:?}");
        assert!(bars[1].contains("25.0 %"), "{bars:?}");
        let shares = bars.iter().filter_map(|bar| bar.split_whitespace().nth(3)?.parse::<f64>().ok());
        assert!((shares.sum::<f64>() - 100.0).abs() < 0.1, "{bars:?}");
    }
}
