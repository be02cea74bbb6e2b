//! The plot of a soak: memory, descriptors and messages a second over time, as SVG.

use super::sample::{Sample, rates};
use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 36.0;
const BETWEEN: f64 = 60.0;
const COLOURS: [&str; 2] = ["#1f5fa8", "#c05a1a"];

struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

struct Panel {
    title: &'static str,
    unit: &'static str,
    lines: Vec<Line>,
}

/// Draws it.
#[must_use]
pub fn svg(title: &str, samples: &[Sample]) -> String {
    let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
    let line = |name, value: &dyn Fn(&Sample) -> f64| Line {
        name,
        points: samples.iter().map(|sample| (minutes(sample), value(sample))).collect(),
    };
    let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    let rate = rates(samples);
    let panels = [
        Panel {
            title: "memory in RAM",
            unit: "MiB",
            lines: vec![
                line("server", &|sample| mib(sample.server.memory)),
                line("clients", &|sample| mib(sample.clients.memory)),
            ],
        },
        Panel {
            title: "open descriptors",
            unit: "descriptors",
            lines: vec![
                line("server", &|sample| sample.server.descriptors as f64),
                line("clients", &|sample| sample.clients.descriptors as f64),
            ],
        },
        Panel {
            title: "events received by the server",
            unit: "events / s",
            lines: vec![Line { name: "server", points: samples.iter().skip(1).map(minutes).zip(rate).collect() }],
        },
    ];
    let span = samples.last().map_or(1.0, minutes).max(1e-6);
    let height = TOP + panels.len() as f64 * (HEIGHT + BETWEEN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>\n",
        escaped(title)
    );
    for (index, panel) in panels.iter().enumerate() {
        draw(&mut out, panel, TOP + index as f64 * (HEIGHT + BETWEEN), span);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, panel: &Panel, top: f64, span: f64) {
    let highest = panel.lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(0.0, f64::max);
    let (step, most) = scale(highest);
    let (across, bottom) = (WIDTH - LEFT - RIGHT, top + HEIGHT);
    let x = |at: f64| LEFT + at / span * across;
    let y = |value: f64| bottom - value / most * (HEIGHT - 24.0);
    let mut put = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    put(format!("<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>", top + 12.0, panel.title));
    let middle = top + HEIGHT / 2.0;
    put(format!(
        "<text x=\"16\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {middle})\">{}</text>",
        panel.unit
    ));
    let mut value = 0.0;
    while value <= most * 1.001 {
        let at = y(value);
        put(format!(
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            number(value)
        ));
        value += step;
    }
    let (step, _) = scale(span);
    let mut at = 0.0;
    while at <= span * 1.001 {
        put(format!(
            "<line x1=\"{0:.1}\" y1=\"{bottom}\" x2=\"{0:.1}\" y2=\"{1}\" stroke=\"#444\"/>\
             <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\">{3}</text>",
            x(at),
            bottom + 4.0,
            bottom + 18.0,
            number(at)
        ));
        at += step;
    }
    put(format!(
        "<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{0}\" y2=\"{bottom}\" stroke=\"#444\"/>\
         <text x=\"{0}\" y=\"{1}\" text-anchor=\"end\">time in minutes</text>",
        WIDTH - RIGHT,
        bottom + 34.0
    ));
    for (index, line) in panel.lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let mut points = String::new();
        for (at, value) in &line.points {
            // Writing to a string does not fail.
            let _infallible = write!(points, "{:.1},{:.1} ", x(*at), y(*value));
        }
        put(format!("<polyline fill=\"none\" stroke=\"{colour}\" points=\"{}\"/>", points.trim_end()));
        put(format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            WIDTH - RIGHT - index as f64 * 70.0,
            top + 12.0,
            line.name
        ));
    }
}

/// The distance of some five marks, round, and the highest of them.
fn scale(highest: f64) -> (f64, f64) {
    let wanted = (highest / 5.0).max(1e-6);
    let power = 10_f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= wanted);
    let step = step.unwrap_or(wanted);
    (step, (highest / step).ceil().max(1.0) * step)
}

fn number(value: f64) -> String {
    if value == value.round() { format!("{value:.0}") } else { format!("{value:.2}").trim_end_matches('0').to_owned() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::super::sample::Process;
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_plot_has_its_axes_with_units_and_a_line_for_each_series() {
        let sample = |at: u64| Sample {
            at: Duration::from_secs(at),
            server: Process { memory: 30 << 20, descriptors: 40, ..Process::default() },
            clients: Process { memory: 50 << 20, descriptors: 60, ..Process::default() },
            messages: at * 1000,
        };
        let samples: Vec<Sample> = (0..60).map(sample).collect();
        let drawn = svg("a < b", &samples);
        assert_eq!(drawn.matches("<polyline").count(), 5);
        for part in ["MiB", "descriptors", "events / s", "time in minutes", "a &lt; b", ">1000<", "</svg>"] {
            assert!(drawn.contains(part), "{part}");
        }
        assert_eq!(scale(47.0), (10.0, 50.0));
        assert_eq!(scale(0.98), (0.2, 1.0));
    }
}
