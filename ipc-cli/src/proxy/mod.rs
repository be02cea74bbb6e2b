//! Between real clients and a real server: every byte is passed on as it came, and what it means is shown to a [`Sink`].
//!
//! - `streams`: connections, in clear or through TLS on either side
//! - `datagrams`: UDP
//! - `sink`: where what is seen goes
//!
//! What is seen is shown before it is passed on, so that a question always stands before its answer. A sink that waits makes both
//! ends wait.

mod datagrams;
mod sink;
mod streams;

pub(crate) use sink::{Recording, Showing, Sink};

use crate::Context;
use crate::address::Target;
use crate::exit::{Failure, Outcome};
use crate::output::{Side, Traffic, What, Who};
use ipc_tokio::{Event, ProtocolError, Settings};
use std::time::SystemTime;

/// What has a proxy take the address from a server that is alive.
const TAKE_OVER: &str = "-o takeOver=true";

/// Serves at one address for another, until it is told to end.
pub(crate) async fn run(context: &Context, listen: Target, target: Target, sink: Sink) -> Outcome {
    if listen.endpoint.is_udp() != target.endpoint.is_udp() {
        let (listen, target) = (listen.show(), target.show());
        return Err(Failure::usage(format!("{listen} and {target}: datagrams and streams do not go together"))
            .help("give both sides udp: addresses, or neither"));
    }
    let proxying = async {
        if listen.endpoint.is_udp() {
            datagrams::run(context, listen, target, sink).await
        } else {
            streams::run(context, listen, target, sink).await
        }
    };
    tokio::select! {
        outcome = proxying => outcome,
        _ = context.interrupt.told() => Ok(()),
    }
}

/// What one side says: its bytes cut into frames.
struct Observer<'a> {
    settings: &'a Settings,
    sink: &'a Sink,
    who: Who,
    from: Side,
}

impl Observer<'_> {
    async fn show(&self, bytes: usize, what: What<'_>) -> Outcome {
        let (who, from) = (self.who.clone(), Some(self.from));
        self.sink.take(Traffic { time: SystemTime::now(), who, from, bytes, what }).await
    }

    async fn frame(&self, frame: &[u8]) -> Outcome {
        match Event::parse(frame, self.settings.rules()) {
            Ok(event) => {
                let what = What::Event { name_json: event.name_json(), data_json: event.data_json() };
                self.show(frame.len(), what).await
            }
            Err(malformed) => {
                let what = What::Malformed { error: malformed.error(), frame: malformed.frame() };
                self.show(frame.len(), what).await
            }
        }
    }

    /// From here on the frames of this side are not known any more.
    async fn too_large(&self, error: &ProtocolError) -> Outcome {
        self.show(0, What::Malformed { error, frame: "" }).await
    }
}
