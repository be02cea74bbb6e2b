//! Charts as SVG: bars side by side, and curves over logarithmic axes.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const COLOURS: [&str; 5] = ["#8a8a8a", "#b9a44c", "#1f5fa8", "#c05a1a", "#3d8a4e"];

/// Bars in groups, each with the names of its bars.
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) groups: Vec<(String, Vec<(&'static str, f64)>)>,
}

pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Curves over one pair of axes.
pub(crate) struct Curves {
    pub(crate) across: String,
    pub(crate) up: String,
    pub(crate) curves: Vec<Curve>,
}

fn begin(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"20\" y=\"22\" font-size=\"15\">{title}</text>\n"
    )
}

macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        // Writing to a string does not fail.
        let _infallible = writeln!($out, $($text)*);
    }};
}

pub(crate) fn bars(chart: &Bars) -> String {
    const LEFT: f64 = 240.0;
    const BAR: f64 = 13.0;
    let heights: Vec<f64> = chart.groups.iter().map(|(_, group)| group.len() as f64 * BAR + 12.0).collect();
    let highest = chart.groups.iter().flat_map(|(_, group)| group).map(|(_, value)| *value).fold(1.0, f64::max);
    let mut out = begin(&chart.title, 40.0 + heights.iter().sum::<f64>());
    let mut top = 36.0;
    for ((name, group), height) in chart.groups.iter().zip(&heights) {
        put!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0, top + height / 2.0);
        for (index, (bar, value)) in group.iter().enumerate() {
            let (y, width) = (top + index as f64 * BAR, value / highest * (WIDTH - LEFT - 160.0));
            let colour = COLOURS[index % COLOURS.len()];
            put!(out, "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>", BAR - 2.0);
            let x = LEFT + width + 5.0;
            put!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"10\">{value:.2} {bar}</text>", y + BAR - 4.0);
        }
        top += height;
    }
    out + "</svg>\n"
}

pub(crate) fn curves(title: &str, panels: &[Curves]) -> String {
    const PANEL: f64 = 250.0;
    let panels: Vec<&Curves> = panels.iter().filter(|panel| !panel.curves.is_empty()).collect();
    let mut out = begin(title, 40.0 + PANEL * panels.len() as f64);
    for (index, panel) in panels.iter().enumerate() {
        draw(&mut out, panel, 40.0 + PANEL * index as f64);
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, panel: &Curves, top: f64) {
    const LEFT: f64 = 80.0;
    const HEIGHT: f64 = 190.0;
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let decades = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let low = low.log10().floor();
        (low, high.log10().ceil().max(low + 1.0))
    };
    let (left, right) = decades(&mut points().map(|point| point.0));
    let (low, high) = decades(&mut points().map(|point| point.1));
    let x = |value: f64| LEFT + (value.log10() - left) / (right - left) * (WIDTH - LEFT - 160.0);
    let y = |value: f64| top + HEIGHT - (value.log10() - low) / (high - low) * (HEIGHT - 10.0);
    for power in low as i32..=high as i32 {
        let (value, at) = (10_f64.powi(power), y(10_f64.powi(power)));
        put!(out, "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>", WIDTH - 160.0);
        put!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", LEFT - 6.0, at + 4.0);
    }
    for power in left as i32..=right as i32 {
        let at = x(10_f64.powi(power));
        put!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{}\" stroke=\"#ddd\"/>",
            top + 10.0,
            top + HEIGHT
        );
        put!(
            out,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            top + HEIGHT + 16.0,
            10_f64.powi(power)
        );
    }
    put!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        WIDTH - 160.0,
        top + HEIGHT + 32.0,
        panel.across
    );
    let middle = top + HEIGHT / 2.0;
    put!(
        out,
        "<text x=\"16\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {middle})\">{}</text>",
        panel.up
    );
    for (index, curve) in panel.curves.iter().enumerate() {
        let colour = COLOURS[(index + 2) % COLOURS.len()];
        let line: Vec<String> =
            curve.points.iter().map(|&(across, up)| format!("{:.1},{:.1}", x(across), y(up))).collect();
        put!(out, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>", line.join(" "));
        let label = top + 24.0 + index as f64 * 16.0;
        put!(out, "<text x=\"{}\" y=\"{label}\" fill=\"{colour}\">{}</text>", WIDTH - 150.0, curve.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_every_bar_and_every_point() {
        let drawn = bars(&Bars {
            title: "t".into(),
            groups: vec![("one".into(), vec![("a", 1.0), ("b", 2.0)]), ("two".into(), vec![("a", 4.0)])],
        });
        assert_eq!(drawn.matches("<rect x=").count(), 3);
        assert!(drawn.contains("2.00 b") && drawn.ends_with("</svg>\n"));
        let curve =
            |name, factor: f64| Curve { name, points: vec![(1.0, factor), (10.0, factor * 2.0), (1000.0, factor)] };
        let panel = Curves { across: "n".into(), up: "µs".into(), curves: vec![curve("a", 0.3), curve("b", 20.0)] };
        let nothing = Curves { across: "x".into(), up: "y".into(), curves: Vec::new() };
        let drawn = curves("t", &[panel, nothing]);
        assert_eq!(drawn.matches("<polyline").count(), 2);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
    }
}
