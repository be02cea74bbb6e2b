//! A peer that keeps to no protocol: garbage, half messages, too much, and hanging up at any time.

use std::time::{Duration, Instant};

use ipc_proto::Endpoint;

use crate::network::{StreamId, Write};
use crate::node::{Context, Input, Node};

const SAYINGS: [&[u8]; 10] = [
    b"{\"type\":\"message\",\"data\":",
    b"{\"type\":\"message\",\"data\":[1]}\x0c",
    b"{\"type\":\"status\",\"data\":{\"id\":\"vandal\"}}\x0c",
    b"\x0c\x0c",
    b"not JSON\x0c",
    b"[1,2,3]\x0c{\"data\":1}\x0c{\"type\":7}\x0c{\"type\":\"\",\"data\":{}}\x0c",
    b"{\"type\":\"__proto__\",\"data\":{}}\x0c{\"type\":\"disconnect\",\"data\":{}}\x0c",
    b"\xff\xfe\xf0\x9f\x98",
    b"{\"type\":\"message\",\"data\":\"\\ud800\"}\x0c||<EOM>\n",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

#[derive(Debug)]
pub(crate) struct Vandal {
    endpoint: Endpoint,
    stream: Option<StreamId>,
    next: Option<Instant>,
    reads: bool,
    pub(crate) leaves: bool,
}

impl Vandal {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, stream: None, next: None, reads: true, leaves: false }
    }

    pub(crate) fn leave(&mut self, context: &mut Context<'_>) {
        self.leaves = true;
        self.next = None;
        self.hang_up(context);
    }

    fn hang_up(&mut self, context: &mut Context<'_>) {
        if let Some(stream) = self.stream.take() {
            context.close(stream);
        }
    }

    fn act(&mut self, context: &mut Context<'_>) {
        let Some(stream) = self.stream else {
            self.stream = Some(context.connect(&self.endpoint));
            self.reads = context.random().chance(0.7);
            return;
        };
        if context.random().chance(0.05) {
            return self.hang_up(context);
        }
        for _ in 0..=context.random().below(3) {
            let saying = context.random().pick(&SAYINGS).copied().unwrap_or_default();
            let times = if context.random().chance(0.1) { 60 } else { 1 };
            for _ in 0..times {
                if context.write(stream, saying) == Write::Broken {
                    return self.hang_up(context);
                }
            }
        }
    }
}

impl Node for Vandal {
    fn handle(&mut self, input: Input, context: &mut Context<'_>) {
        match input {
            Input::Timeout => self.act(context),
            Input::ConnectFailed(stream) if self.stream == Some(stream) => self.stream = None,
            Input::Ready(stream) if self.stream == Some(stream) && self.reads => {
                let mut read = Vec::new();
                let outcome = context.read(stream, &mut read, 64 * 1024);
                if matches!(outcome, crate::network::Read::End | crate::network::Read::Reset) {
                    self.hang_up(context);
                }
            }
            _ => {}
        }
        if !self.leaves && self.next.is_none_or(|at| at <= context.now()) {
            let wait = context.random().around(Duration::from_millis(60));
            self.next = Some(context.now() + wait + Duration::from_millis(1));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}
