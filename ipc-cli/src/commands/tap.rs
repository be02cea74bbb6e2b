//! `ipc tap`: a proxy that shows what passes.

use super::{count, passed_on};
use crate::Context;
use crate::address::Target;
use crate::exit::{Failure, Outcome};
use crate::glob::{Glob, warn_of_other_patterns};
use crate::options::Options;
use crate::proxy::{self, Showing, Sink};
use clap::Args;
use ipc_tokio::Config;
use std::sync::Arc;

/// Stand between clients and a server and show what passes, both ways.
///
/// Clients connect to LISTEN instead of the server. Every byte is passed on as it came, malformed messages too, which are shown as
/// such; nothing is added, and each side's end is passed on. What is shown stands before its answer. If stdout is not read, the
/// traffic waits. Ends with SIGINT, or after --count events.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc tap unix:/tmp/app.tap unix:world    clients connect to the service `tap`
  ipc tap tcp:9000 tcp:8000 --filter 'job.*'
  ipc tap tcp:9000 tcp:8000 -n 10         the next ten events, and an end
  ipc tap tcp:9000 tcp:8000 --format json | jq -c 'select(.from == \"client\")'
Through TLS: clear text here and TLS to the server, and the other way round
  ipc tap tcp:9000 tls:example.org:8443 --ca ca.pem
  ipc tap tls:9443 tcp:8000 --cert tap.pem --key tap.key")]
pub(crate) struct Tap {
    /// Where clients connect now
    listen: String,
    /// The real server
    target: String,
    /// Show only events of names like this (* and ?); repeatable. Everything is passed on
    #[arg(long, short, value_name = "GLOB")]
    filter: Vec<Glob>,
    /// End after that many events shown, of both directions together; what is malformed does not count
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    count: Option<u64>,
}

impl Tap {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let (listen, target) = pair(&self.listen, &self.target, &context.options)?;
        if self.count == Some(0) {
            return Err(Failure::usage("--count 0 shows nothing; leave it out to go on for ever"));
        }
        warn_of_other_patterns(&context.output, &self.filter);
        let showing = Showing::new(context.output.clone(), self.filter, self.count);
        tokio::select! {
            outcome = proxy::run(&context, listen, target, Sink::Shown(Arc::clone(&showing))) => outcome,
            () = passed_on(showing.full()) => Ok(()),
            failure = context.output.nobody_reads() => Err(failure),
        }
    }
}

/// Both addresses of a proxy. One set of options serves both sides: of a certificate to trust, it is the client that is meant.
pub(super) fn pair(listen: &str, target: &str, options: &Options) -> Outcome<(Target, Target)> {
    let mut options = options.clone();
    // Which of the two the flags of TLS are for is for the addresses to say.
    if listen.starts_with("tls:") || target.starts_with("tls:") {
        options.tls_by_flag = false;
    }
    let asks = options.has("tls.requestCert");
    let listen = Target::parse(listen, &options, |mut config: Config| {
        if let (Some(tls), false) = (&mut config.tls, asks) {
            tls.request_cert = Some(false);
        }
        config
    })?;
    let target = Target::parse(target, &options, |config| config)?;
    if listen.endpoint == target.endpoint {
        return Err(Failure::usage(format!("both addresses are {}: the proxy would connect to itself", target.show()))
            .help("the first address is where clients connect from now on, the second where the server is"));
    }
    Ok((listen, target))
}
