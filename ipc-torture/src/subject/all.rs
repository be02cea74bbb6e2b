//! A server of every transport in one process, as the soak wants it.
//!
//! The endpoint is a list, parted by blanks: `unix:…`, `tcp:…`, `udp4:…`, and `tls:…` and `raw:…` for TCP with TLS and a Unix socket with
//! raw bytes. Of the configuration `tls` is for the first of these only.

use super::counts::Counts;
use super::{Options, Result, Subject, make};
use ipc_driver::runtime::Runtime;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) struct All {
    servers: Vec<(&'static str, Box<dyn Subject>)>,
    counts: Arc<Counts>,
    leak: usize,
}

impl All {
    pub(super) fn new<R: Runtime>(runtime: &R, options: &Options, counts: &Arc<Counts>) -> Result<Self> {
        let mut servers = Vec::new();
        for endpoint in options.endpoint.split(' ') {
            let mut config = options.config.clone();
            let tls = config.as_object_mut().and_then(|members| members.remove("tls"));
            let (kind, role, real) = match endpoint.split_once(':') {
                Some(("tls", rest)) => {
                    config["tls"] = tls.unwrap_or_default();
                    ("tls", "server", format!("tcp:{rest}"))
                }
                Some(("raw", rest)) => {
                    config["rawBuffer"] = true.into();
                    ("raw", "server", format!("unix:{rest}"))
                }
                Some(("udp4", _)) => ("udp4", "udp", endpoint.to_owned()),
                Some(("unix", _)) => ("unix", "server", endpoint.to_owned()),
                _ => ("tcp", "server", endpoint.to_owned()),
            };
            servers.push((kind, make(runtime.clone(), options, role, &config, &real, Arc::clone(counts))?));
        }
        Ok(Self { servers, counts: Arc::clone(counts), leak: options.leak })
    }
}

impl Subject for All {
    fn start(&self) -> Result<()> {
        self.servers.iter().try_for_each(|(_, server)| server.start())
    }

    fn endpoint(&self) -> String {
        let shown = self.servers.iter().map(|(kind, server)| {
            let real = server.endpoint();
            format!("{kind}:{}", real.split_once(':').map_or("", |(_, rest)| rest))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn emit(&self, _name: &str, _number: u64, _padding: &str) -> Result<()> {
        Err("which of them?".into())
    }

    fn broadcast(&self, padding: &str) -> Result<()> {
        std::mem::forget(vec![1_u8; self.leak]);
        self.servers.iter().try_for_each(|(_, server)| server.broadcast(padding))
    }

    fn pending(&self) -> usize {
        self.servers.iter().map(|(_, server)| server.pending()).sum()
    }

    fn len(&self) -> usize {
        self.servers.iter().map(|(_, server)| server.len()).sum()
    }

    fn shutdown(&self, within_ms: u64) -> Value {
        self.servers.iter().map(|(kind, server)| json!([kind, server.shutdown(within_ms)])).collect()
    }
}
