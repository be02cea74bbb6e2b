//! Tables for people: one for a terminal, and the page `docs/conformance.md`. The page holds nothing that differs from run to run.

use std::fmt::Write;

use super::defects::{self, End};
use super::scenario::Scenario;
use super::summary::{Summary, Tally};

/// The pairs as a table of text, and the totals.
pub fn table(summary: &Summary) -> String {
    let names: Vec<&str> = summary.subjects.iter().map(|subject| subject.name.as_str()).collect();
    let width = names.iter().map(|name| name.len()).chain([14]).max().unwrap_or(14);
    let mut text = format!("{:width$}", "server \\ client");
    for name in &names {
        let _ = write!(text, "  {name:>width$}");
    }
    text.push('\n');
    for (server, name) in names.iter().enumerate() {
        let _ = write!(text, "{name:width$}");
        for client in 0..names.len() {
            let _ = write!(text, "  {:>width$}", numbers(&summary.pair(server, client)));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "(passed, +expected defects of node-ipc, ~without, !failed)");
    let tally = summary.tally();
    let (scenarios, all) = (summary.scenarios().len(), tally.all());
    let Tally { passed, defects, without, failed } = tally;
    let _ = writeln!(
        text,
        "{scenarios} scenarios, {all} cells: {passed} passed, {defects} expected defects of node-ipc, {without} unsupported or not tested, {failed} failed"
    );
    text
}

fn numbers(tally: &Tally) -> String {
    if tally.all() == 0 {
        return "-".to_owned();
    }
    let mut text = tally.passed.to_string();
    for (sign, number) in [('+', tally.defects), ('~', tally.without), ('!', tally.failed)] {
        if number > 0 {
            let _ = write!(text, " {sign}{number}");
        }
    }
    text
}

/// The page.
pub fn page(summary: &Summary, full: bool) -> String {
    let tally = summary.tally();
    let mut page = String::from(HEAD);
    if !full {
        page.push_str("**This is the page of a part: not every cell was played, or not every subject took part.**\n\n");
    }
    let _ = write!(
        page,
        "In all: **{} scenarios, {} cells: {} passed, {} expected defects of node-ipc, {} unsupported, {} failed.**\n\n",
        summary.scenarios().len(),
        tally.all(),
        tally.passed,
        tally.defects,
        tally.without,
        tally.failed
    );
    page.push_str("## Subjects\n\n| subject | is |\n|---|---|\n");
    for (subject, described) in summary.subjects.iter().zip(&summary.described) {
        let _ = writeln!(page, "| `{}` | {described} |", subject.name);
    }
    for absent in &summary.absent {
        let _ = writeln!(page, "| `{}` | **absent, not tested** |", absent.name);
    }
    page.push_str("\n## Pairs\n\n");
    page.push_str("Who serves stands at the left, who calls at the top. Passed, `+` expected defects of node-ipc, `~` unsupported, `!` failed.\n\n");
    row(&mut page, "server ╲ client", summary.subjects.iter().map(|subject| format!("`{}`", subject.name)));
    row(&mut page, "---", summary.subjects.iter().map(|_| "---".to_owned()));
    for (server, subject) in summary.subjects.iter().enumerate() {
        let cells = (0..summary.subjects.len()).map(|client| numbers(&summary.pair(server, client)));
        row(&mut page, &format!("`{}`", subject.name), cells);
    }
    scenarios(&mut page, summary);
    expected(&mut page);
    page
}

const HEAD: &str = "\
# Conformance

*Made by `cargo run --release -p ipc-conformance -- matrix`, which rewrites this page; not to be edited.*

Every scenario is played by every ordered pair of subjects, one serving and one calling, on every transport on which it means something
and which both can do. Scenarios know no implementation: they drive peer processes through one
[line protocol](../ipc-conformance/PROTOCOL.md) and judge by what these tell. How to read, run and extend them is in
[ipc-conformance](../ipc-conformance/README.md).

Where a version of node-ipc is known to do otherwise than a scenario asks, the cells in which *it* is at fault are listed at the end with
the recorded fact. A cell of two of our own is never excused, and a listed defect that is no longer seen fails the run.

";

fn row(page: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let _ = writeln!(page, "| {head} | {} |", cells.join(" | "));
}

fn scenarios(page: &mut String, summary: &Summary) {
    page.push_str("\n## Scenarios\n\nA subject's column says what became of it wherever the subject took part, at either end: ✓ it passed, \
        ✗ it failed, *defect* where the fault is this subject's and expected, – where the subject does not support it.\n");
    let all = summary.scenarios();
    let mut group = "";
    for scenario in &all {
        if scenario.group != group {
            group = scenario.group;
            let _ = write!(page, "\n### {group}\n\n");
            let heads = ["what must be so".to_owned(), "over".to_owned()].into_iter();
            row(page, "scenario", heads.chain(summary.subjects.iter().map(|subject| subject.name.clone())));
            row(page, "---", (0..summary.subjects.len() + 2).map(|_| "---".to_owned()));
        }
        let marks = (0..summary.subjects.len()).map(|subject| mark(summary.of_subject(scenario, subject)));
        row(
            page,
            &format!("`{}`", scenario.name),
            [scenario.about.to_owned(), over(scenario)].into_iter().chain(marks),
        );
    }
}

fn over(scenario: &Scenario) -> String {
    scenario.transports.iter().map(|transport| transport.as_str()).collect::<Vec<_>>().join(", ")
}

fn mark(word: &str) -> String {
    match word {
        "ok" => "✓",
        "FAILED" => "**✗**",
        "defect" => "*defect*",
        "unsupported" => "–",
        other => other,
    }
    .to_owned()
}

fn expected(page: &mut String) {
    page.push_str("\n## Expected defects\n\n| scenario | at fault | as | the fact |\n|---|---|---|---|\n");
    for defect in defects::ALL {
        let at = match defect.end {
            End::Server => "server",
            End::Client => "client",
            End::Any => "either",
        };
        let mut over = defect.transports.iter().map(|transport| transport.as_str()).collect::<Vec<_>>().join(", ");
        if !over.is_empty() {
            over = format!(" over {over}");
        }
        let chance = if defect.flaky { " (by chance it may also pass)" } else { "" };
        let _ = writeln!(
            page,
            "| `{}`{over} | {} | {at} | {}{chance} |",
            defect.scenario,
            defect.subjects.join(", "),
            defect.fact
        );
    }
}
