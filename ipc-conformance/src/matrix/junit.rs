//! A run as JUnit's XML, which build servers show. One suite for each pair.

use std::fmt::Write;

use super::run::Verdict;
use super::summary::{Summary, Tally};

/// The run as XML.
pub fn xml(summary: &Summary) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (server, serving) in summary.subjects.iter().enumerate() {
        for (client, calling) in summary.subjects.iter().enumerate() {
            let Tally { failed, without, .. } = summary.pair(server, client);
            let cells: Vec<_> =
                summary.played.iter().filter(|one| one.cell.server == server && one.cell.client == client).collect();
            if cells.is_empty() {
                continue;
            }
            let name = format!("{} serves {}", serving.name, calling.name);
            let _ = writeln!(
                xml,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{without}\">",
                escaped(&name),
                cells.len()
            );
            for one in cells {
                let cell = &one.cell;
                let _ = write!(
                    xml,
                    "    <testcase classname=\"{}.{}\" name=\"{} over {}\" time=\"{:.3}\">",
                    escaped(&name),
                    cell.scenario.group,
                    cell.scenario.name,
                    cell.transport,
                    one.took.as_secs_f64()
                );
                let detail = escaped(&one.verdict.detail());
                match &one.verdict {
                    Verdict::Passed => {}
                    Verdict::Defect(defect, _) => {
                        let _ = write!(xml, "<system-out>expected defect: {}</system-out>", escaped(defect.fact));
                    }
                    Verdict::Unsupported(_) | Verdict::Skipped => {
                        let _ = write!(xml, "<skipped message=\"{detail}\"/>");
                    }
                    Verdict::Mended(_) | Verdict::Failed(_) => {
                        let _ = write!(xml, "<failure message=\"{detail}\">{}</failure>", escaped(&one.transcript));
                    }
                }
                xml.push_str("</testcase>\n");
            }
            xml.push_str("  </testsuite>\n");
        }
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Text as it may stand in XML; what may not stand there at all is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(escaped("a<b>&\"\u{c}\n"), "a&lt;b&gt;&amp;&quot;\u{fffd}\n");
    }
}
