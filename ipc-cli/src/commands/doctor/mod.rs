//! `ipc doctor`: why somebody cannot be talked to, or what is there.
//!
//! - `local`: paths, files, who may connect, who listens
//! - `network`: names, ports
//! - `tls`: certificates, and what is wrong with them
//! - `guess`: which node-ipc it may be

mod guess;
#[cfg(unix)]
mod local;
mod network;
mod tls;

use crate::Context;
use crate::address::Target;
use crate::escape::printable;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Line, Output, paint};
use clap::Args;
use ipc_tokio::{Client, ConnectError, Endpoint};

/// Look at an address closely and say what is wrong, and what to do.
///
/// Looks at the path, its length, the file and its directory, who may connect, whether somebody answers and who that is; on networks at
/// the host name, the port, and the certificates of TLS. Connects, and sends nothing, unless --probe: that sends one message that is
/// no event, which node-ipc 9 to 12 report and go on, and node-ipc 14 ends the connection for; over tcp: it finds out, too, whether the
/// port is of TLS. Exit code 1 if something is wrong.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc doctor unix:world
  ipc doctor unix:world --preset v14-fast       where node-ipc 14 would have it
  ipc doctor unix:world --probe                 which version, by what it does
  ipc doctor tls:example.org:8443 --ca ca.pem   the chain of certificates
  ipc doctor unix:world --format json | jq 'select(.level == \"problem\")'")]
pub(crate) struct Doctor {
    /// The address
    address: String,
    /// Send one message that is no event, to see what the server does
    #[arg(long)]
    probe: bool,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Good,
    Note,
    Warning,
    Problem,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    level: Level,
    about: &'static str,
    text: String,
    help: Option<String>,
}

/// What was found, shown as it is found.
struct Findings<'a> {
    output: &'a Output,
    problems: usize,
    /// It is the other side that would not go on with a handshake; what it shows is trusted here.
    refused_by_peer: bool,
}

impl Doctor {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        tokio::select! {
            outcome = self.examine(&context) => outcome,
            exit = context.interrupt.told() => Err(Failure::silent(exit)),
        }
    }

    async fn examine(&self, context: &Context) -> Outcome {
        let mut findings = Findings { output: &context.output, problems: 0, refused_by_peer: false };
        // One attempt is what is examined.
        let target = Target::parse(&self.address, &context.options, |config| config.max_retries(0))?;
        let meant = target.show();
        if meant != self.address {
            findings.note("address", format!("{} is {meant}", self.address), None).await?;
        }
        // Nothing is looked at with options that no client would take.
        if !target.endpoint.is_udp() {
            if let Err(error) = Client::at(target.settings.clone(), target.endpoint.clone()) {
                return findings.wrong_options(&error).await;
            }
        }
        match &target.endpoint {
            Endpoint::Local(address) => {
                #[cfg(unix)]
                local::examine(&mut findings, context, &target, address, &self.address, self.probe).await?;
                #[cfg(not(unix))]
                {
                    let _ = address;
                    network::answers(&mut findings, &target, false).await?;
                }
            }
            Endpoint::Tcp { .. } => network::examine(&mut findings, &target, self.probe).await?,
            _ => network::datagrams(&mut findings, &target).await?,
        }
        match findings.problems {
            0 => Ok(()),
            _ => Err(Failure::silent(Exit::Failed)),
        }
    }
}

impl Findings<'_> {
    /// Says so, and that is the end of it.
    async fn wrong_options<T>(&mut self, error: &ConnectError) -> Outcome<T> {
        self.problem("options", error.to_string(), "correct the option that it names").await?;
        Err(Failure::silent(Exit::Failed))
    }

    async fn good(&mut self, about: &'static str, text: impl Into<String>) -> Outcome {
        self.add(Finding { level: Level::Good, about, text: text.into(), help: None }).await
    }

    async fn note(&mut self, about: &'static str, text: impl Into<String>, help: Option<&str>) -> Outcome {
        let help = help.map(str::to_owned);
        self.add(Finding { level: Level::Note, about, text: text.into(), help }).await
    }

    async fn warning(&mut self, about: &'static str, text: impl Into<String>, help: impl Into<String>) -> Outcome {
        self.add(Finding { level: Level::Warning, about, text: text.into(), help: Some(help.into()) }).await
    }

    async fn problem(&mut self, about: &'static str, text: impl Into<String>, help: impl Into<String>) -> Outcome {
        self.problems += 1;
        self.add(Finding { level: Level::Problem, about, text: text.into(), help: Some(help.into()) }).await
    }

    async fn add(&mut self, finding: Finding) -> Outcome {
        if !self.output.is_text() {
            let line = Line::new()
                .text("kind", "finding")
                .text("level", finding.level.name())
                .text("about", finding.about)
                .text("text", &finding.text)
                .optional_text("help", finding.help.as_deref());
            return self.output.line(line.finish()).await;
        }
        let style = match finding.level {
            Level::Good => self.output.style.good,
            Level::Note => self.output.style.dim,
            Level::Warning => self.output.style.warning,
            Level::Problem => self.output.style.bad,
        };
        let level = paint(style, &format!("{:<8}", finding.level.name()));
        let about = paint(self.output.style.bold, &format!("{:<12}", finding.about));
        self.output.line(format!("{level} {about} {}", printable(&finding.text))).await?;
        if let Some(help) = &finding.help {
            self.output.line(format!("{:<21} → {}", "", printable(help))).await?;
        }
        Ok(())
    }
}
