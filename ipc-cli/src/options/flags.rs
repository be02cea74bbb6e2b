//! The flags that every command takes.

use super::{Layer, Preset, from_text, merge, refused};
use crate::exit::Outcome;
use crate::output::{Color, Format};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

const CONFIGURATION: &str = "Configuration";
const TLS: &str = "TLS (addresses tls:…)";
const SHOWING: &str = "Output";

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Read options from this file, TOML or .json [env: IPC_CONFIG] [default: $XDG_CONFIG_HOME/ipc/config.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = CONFIGURATION)]
    pub(crate) config: Option<PathBuf>,
    /// Take the defaults of this version of node-ipc [env: IPC_PRESET] [default: v9]
    #[arg(long, global = true, value_enum, hide_possible_values = true,
          value_name = "v9|v14-fast|v14-guarded|v14-assured", help_heading = CONFIGURATION)]
    preset: Option<Preset>,
    /// What stands between the socket root and the id [env: IPC_APPSPACE] [default: app.]
    #[arg(long, global = true, value_name = "TEXT", help_heading = CONFIGURATION)]
    appspace: Option<String>,
    /// The directory of sockets, with its closing slash [env: IPC_SOCKET_ROOT] [default: /tmp/, in v14 a private one]
    #[arg(long, global = true, value_name = "DIR", help_heading = CONFIGURATION)]
    socket_root: Option<String>,
    /// The id of this end [env: IPC_ID] [default: the host's name]
    #[arg(long, global = true, value_name = "ID", help_heading = CONFIGURATION)]
    id: Option<String>,
    /// Set any option of node-ipc by its name, as -o maxMessageSize=1000 or -o delimiter='"\n"'; of two for one option the last counts [env: IPC_ and its name in capitals]
    #[arg(short = 'o', long = "option", global = true, value_name = "NAME=VALUE", help_heading = CONFIGURATION)]
    options: Vec<String>,

    /// Trust these certificates: of authorities, or the peer's own (option tls.trustedConnections)
    #[arg(long, global = true, value_name = "FILE", help_heading = TLS)]
    ca: Vec<PathBuf>,
    /// Show this certificate chain (option tls.public)
    #[arg(long, global = true, value_name = "FILE", help_heading = TLS)]
    cert: Option<PathBuf>,
    /// The private key of --cert (option tls.private)
    #[arg(long, global = true, value_name = "FILE", help_heading = TLS)]
    key: Option<PathBuf>,
    /// The name that the server's certificate must carry (option tls.servername) [default: the host]
    #[arg(long, global = true, value_name = "NAME", help_heading = TLS)]
    server_name: Option<String>,
    /// DANGEROUS: take whoever answers for the peer that was meant (option tls.rejectUnauthorized=false)
    #[arg(long, global = true, help_heading = TLS)]
    danger_accept_any_certificate: bool,

    /// How stdout is written: lines of JSON, or text for people [default: text on a terminal, else json]
    #[arg(long, global = true, value_enum, value_name = "json|text", hide_possible_values = true, help_heading = SHOWING)]
    pub(crate) format: Option<Format>,
    /// Whether to colour: auto, always or never; auto honours NO_COLOR [env: IPC_COLOR] [default: auto]
    #[arg(long, global = true, value_enum, value_name = "WHEN", hide_possible_values = true, help_heading = SHOWING)]
    pub(crate) color: Option<Color>,
    /// Say less on stderr: errors only
    #[arg(short, long, global = true, help_heading = SHOWING)]
    pub(crate) quiet: bool,
    /// Show the log of the library on stderr; -vv shows more, payloads never
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = SHOWING)]
    pub(crate) verbose: u8,
}

impl Common {
    /// Whether a flag is about TLS.
    pub(super) fn is_about_tls(&self) -> bool {
        !self.ca.is_empty()
            || self.cert.is_some()
            || self.key.is_some()
            || self.server_name.is_some()
            || self.danger_accept_any_certificate
    }

    pub(super) fn layer(&self) -> Outcome<Layer> {
        let mut layer = Layer { preset: self.preset, ..Layer::default() };
        for option in &self.options {
            let Some((name, value)) = option.split_once('=') else {
                return Err(crate::exit::Failure::usage(format!("-o {option}: there is no `=`"))
                    .help("write -o NAME=VALUE, for instance -o maxMessageSize=1000"));
            };
            let read = from_text(name, value).map_err(|error| refused(format_args!("-o {option}"), &error))?;
            merge(&mut layer.options, read);
        }
        let mut set = |name: &str, value: Value| merge(&mut layer.options, super::nested(name, value));
        let texts = [
            ("appspace", &self.appspace),
            ("socketRoot", &self.socket_root),
            ("id", &self.id),
            ("tls.servername", &self.server_name),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                set(name, json!(text));
            }
        }
        if !self.ca.is_empty() {
            set("tls.trustedConnections", json!(self.ca));
        }
        for (name, path) in [("tls.public", &self.cert), ("tls.private", &self.key)] {
            if let Some(path) = path {
                set(name, json!(path));
            }
        }
        if self.danger_accept_any_certificate {
            set("tls.rejectUnauthorized", json!(false));
        }
        super::check(&layer.options).map_err(|error| refused("the flags", &error))?;
        Ok(layer)
    }
}
