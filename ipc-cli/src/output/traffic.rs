//! What comes and goes on connections, as a line of JSON and as a line for people. `docs/cli.md` promises the JSON.

use super::{Format, Line, Output, paint};
use crate::clock;
use crate::escape::{name_for_people, one_line, printable, quoted, shortened};
use crate::exit::Outcome;
use ipc_tokio::ProtocolError;
use std::time::SystemTime;

/// The most characters of a payload that people are shown; JSON has all of it.
const SHOWN: usize = 4096;

/// Which of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Whose connection it is.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// The only one there is.
    Only,
    /// By its number.
    Connection(u64),
    /// The address of a sender of datagrams.
    Address(String),
}

/// What happened.
#[derive(Debug)]
pub(crate) enum What<'a> {
    Event {
        name_json: &'a str,
        data_json: Option<&'a str>,
    },
    Malformed {
        error: &'a ProtocolError,
        frame: &'a str,
    },
    /// The head of a message whose rest never came.
    Unfinished,
    /// Bytes of a raw connection.
    Data(&'a [u8]),
    Open {
        peer: &'a str,
    },
    /// `None` is an end without an error. The bytes that were sent by client and server, where they are known.
    Close {
        reason: Option<&'a str>,
        sent: Option<(u64, u64)>,
    },
    Refused {
        peer: &'a str,
        reason: &'a str,
    },
}

/// One thing that happened.
#[derive(Debug)]
pub(crate) struct Traffic<'a> {
    pub(crate) time: SystemTime,
    pub(crate) who: Who,
    /// Who sent it, where both may have.
    pub(crate) from: Option<Side>,
    /// Bytes on the wire, without the delimiter.
    pub(crate) bytes: usize,
    pub(crate) what: What<'a>,
}

impl Traffic<'_> {
    pub(crate) async fn write(&self, output: &Output) -> Outcome {
        output.line(if output.format == Format::Json { self.json() } else { self.text(output) }).await
    }

    /// As a line of JSON.
    pub(crate) fn json(&self) -> String {
        let kind = match &self.what {
            What::Event { .. } => "event",
            What::Malformed { .. } => "malformed",
            What::Unfinished => "unfinished",
            What::Data(_) => "data",
            What::Open { .. } => "open",
            What::Close { .. } => "close",
            What::Refused { .. } => "refused",
        };
        let line = Line::new().text("time", &clock::rfc3339(self.time)).text("kind", kind);
        let line = match &self.who {
            Who::Only => line,
            Who::Connection(number) => line.plain("connection", number),
            Who::Address(address) => line.text("address", address),
        };
        let line = line.optional_text("from", self.from.map(Side::name));
        match &self.what {
            What::Event { name_json, data_json } => {
                let line = line.plain("bytes", self.bytes).json("type", name_json);
                if let Some(data) = data_json { line.json("data", data) } else { line }
            }
            What::Malformed { error, frame } => line
                .plain("bytes", self.bytes)
                .text("code", error.code().as_str())
                .text("error", &error.to_string())
                .text("frame", frame),
            What::Unfinished => line.plain("bytes", self.bytes),
            What::Data(bytes) => line.plain("bytes", self.bytes).text("hex", &hex(bytes)),
            What::Open { peer } => line.text("peer", peer),
            What::Close { reason, sent } => line
                .optional_text("error", *reason)
                .optional("clientBytes", sent.map(|(client, _)| client))
                .optional("serverBytes", sent.map(|(_, server)| server)),
            What::Refused { peer, reason } => line.text("peer", peer).text("error", reason),
        }
        .finish()
    }

    fn text(&self, output: &Output) -> String {
        let style = output.style;
        let time = paint(style.dim, &clock::time_of_day(self.time));
        let who = match &self.who {
            Who::Only => String::new(),
            Who::Connection(number) => paint(style.bold, &format!(" #{number}")),
            Who::Address(address) => paint(style.bold, &format!(" {address}")),
        };
        let direction = match self.from {
            Some(Side::Client) => paint(style.outward, " →"),
            Some(Side::Server) => paint(style.inward, " ←"),
            None => String::new(),
        };
        let size = paint(style.dim, &format!("{:>6} B", self.bytes));
        let rest = match &self.what {
            What::Event { name_json, data_json } => {
                let name = paint(style.name, &name_for_people(name_json));
                let data = data_json.map(|data| shortened(&one_line(data), SHOWN)).unwrap_or_default();
                format!("{size}  {name} {data}")
            }
            What::Malformed { error, frame } => {
                let malformed = paint(style.bad, "malformed");
                let frame = quoted(&shortened(frame, SHOWN));
                format!("{size}  {malformed} {} ({}): {frame}", printable(&error.to_string()), error.code())
            }
            What::Unfinished => format!("{size}  {}", paint(style.bad, "unfinished: the rest of a message never came")),
            What::Data(bytes) => format!("{size}  {}", shortened(&hex(bytes), SHOWN)),
            What::Open { peer } => paint(style.dim, &format!("open   {}", printable(peer))),
            What::Close { reason, sent } => {
                let reason = reason.map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
                let sent = sent.map(|(client, server)| format!(" (→ {client} B, ← {server} B)")).unwrap_or_default();
                paint(style.dim, &format!("closed{sent}{reason}"))
            }
            What::Refused { peer, reason } => {
                format!("{} {}: {}", paint(style.bad, "refused"), printable(peer), printable(reason))
            }
        };
        format!("{time}{who}{direction} {}", rest.trim_end())
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    ipc_tokio::Encoding::Hex.decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn traffic(what: What<'_>) -> Traffic<'_> {
        Traffic { time: UNIX_EPOCH, who: Who::Connection(3), from: Some(Side::Client), bytes: 7, what }
    }

    #[test]
    fn the_fields_of_each_kind_are_those_that_the_documentation_promises() {
        let event = traffic(What::Event { name_json: "\"a\"", data_json: Some("{ \"b\": 1.0 }") });
        let head = r#"{"time":"1970-01-01T00:00:00.000000Z""#;
        assert_eq!(
            event.json(),
            format!(
                r#"{head},"kind":"event","connection":3,"from":"client","bytes":7,"type":"a","data":{{"b":1.0}}}}"#
            )
        );
        let data = traffic(What::Data(b"\x00\xff"));
        assert_eq!(
            data.json(),
            format!(r#"{head},"kind":"data","connection":3,"from":"client","bytes":7,"hex":"00ff"}}"#)
        );
        let close = Traffic { from: None, ..traffic(What::Close { reason: Some("gone"), sent: Some((1, 2)) }) };
        let rest = r#""kind":"close","connection":3,"error":"gone","clientBytes":1,"serverBytes":2}"#;
        assert_eq!(close.json(), format!("{head},{rest}"));
        let open = Traffic { who: Who::Address("x".into()), from: None, ..traffic(What::Open { peer: "p" }) };
        assert_eq!(open.json(), format!(r#"{head},"kind":"open","address":"x","peer":"p"}}"#));
    }
}
