//! Addresses on the command line: `unix:world`, `tcp:host:port` and their like, to an endpoint with the settings for it.

use crate::exit::{Failure, Outcome};
use crate::near::distance;
use crate::options::{Options, refused};
use ipc_tokio::{Config, Endpoint, EndpointError, Parser, Settings, SlowConsumer};

/// What `--help` says of addresses.
pub(crate) const FORMS: &str = "\
Addresses:
  unix:world         the service `world`: <socketRoot><appspace>world, which is
                     /tmp/app.world by default; `world` alone is the same
  unix:/path         the Unix socket at this path; so are /path and ./path alone
  tcp:host:port      TCP in clear; tcp:port is on 127.0.0.1 (networkHost)
  tls:host:port      TLS over TCP
  udp:host:port      UDP; udp4: and udp6: name the family
  pipe:name          a named pipe of Windows
  abstract:name      an abstract name of Linux";

/// Where to, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) settings: Settings,
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: bool,
    /// Whether it is a service by its id, whose place the options decide.
    pub(crate) by_id: bool,
}

impl Target {
    /// Reads an address. `adjust` has the last word on the configuration.
    pub(crate) fn parse(text: &str, options: &Options, adjust: impl FnOnce(Config) -> Config) -> Outcome<Self> {
        let (scheme, rest) = split(text)?;
        let tls = scheme == "tls";
        if options.tls_by_flag && !tls {
            return Err(Failure::usage(format!(
                "address {text}: the flags of TLS are for addresses that begin with tls:"
            ))
            .help("write tls:host:port, or leave --ca, --cert, --key, --server-name and --danger-… out"));
        }
        let settings =
            ipc_tokio::build(adjust(options.config(tls)?)).map_err(|error| refused("the options", &error))?;
        let wrong = |error: EndpointError| {
            let wrong = match error {
                // It has the path, and shorter.
                EndpointError::TooLong { .. } => Failure::usage(error.to_string()),
                error => Failure::usage(format!("address {text}: {error}")),
            };
            match rest.is_empty() {
                true => wrong.help(format!("write what is meant behind it, for instance {scheme}:world")),
                false => wrong,
            }
        };
        let endpoint = match scheme {
            "unix" if rest.contains('/') => Endpoint::at_path(&settings, rest),
            "unix" => Endpoint::local(&settings, Some(rest)),
            "tcp" | "tls" => {
                let (host, port) = host_and_port(text, rest)?;
                Endpoint::net(&settings, host, port)
            }
            "udp" | "udp4" | "udp6" => {
                let (host, port) = host_and_port(text, rest)?;
                let six = scheme == "udp6" || scheme == "udp" && host.is_some_and(|host| host.contains(':'));
                if six { Endpoint::udp6(&settings, host, port) } else { Endpoint::udp4(&settings, host, port) }
            }
            "abstract" => Endpoint::abstract_name(&settings, rest.strip_prefix('@').unwrap_or(rest)),
            "pipe" if cfg!(windows) => Endpoint::at_path(&settings, &ipc_pipe(rest)),
            _ => {
                return Err(Failure::usage(format!("address {text}: named pipes are of Windows"))
                    .help("write unix:name for a Unix socket"));
            }
        };
        let by_id = scheme == "unix" && !rest.contains('/');
        Ok(Self { endpoint: endpoint.map_err(wrong)?, settings, tls, by_id })
    }

    /// Whether it is TCP without TLS.
    pub(crate) fn is_clear_tcp(&self) -> bool {
        matches!(self.endpoint, Endpoint::Tcp { .. }) && !self.tls
    }

    /// The settings of a connection to the same peer that knows bytes instead of events. Options that are about events are left out.
    pub(crate) fn raw(&self) -> Option<Settings> {
        let config = self.settings.config().clone();
        let config = config.parser(Parser::Fast).slow_consumer(SlowConsumer::Refuse).raw_buffer(true);
        ipc_tokio::build(config).ok()
    }

    /// As it is shown: with `tls:` where it is TLS.
    pub(crate) fn show(&self) -> String {
        show(&self.endpoint, self.tls)
    }
}

pub(crate) fn show(endpoint: &Endpoint, tls: bool) -> String {
    let text = endpoint.to_string();
    match text.strip_prefix("tcp:") {
        Some(rest) if tls => format!("tls:{rest}"),
        _ => text,
    }
}

/// `\\.\pipe\name`, as pipes are called.
fn ipc_pipe(name: &str) -> String {
    if name.starts_with(r"\\.\pipe\") { name.to_owned() } else { format!(r"\\.\pipe\{name}") }
}

/// What an address may begin with.
const SCHEMES: [&str; 8] = ["unix", "tcp", "tls", "udp", "udp4", "udp6", "pipe", "abstract"];

fn split(text: &str) -> Outcome<(&str, &str)> {
    let known = |scheme: &str| SCHEMES.contains(&scheme);
    match text.split_once(':') {
        Some((scheme, rest)) if known(scheme) => match (scheme, rest.strip_prefix("//")) {
            // As in a URL.
            (scheme, Some(rest)) if scheme != "unix" => Err(Failure::usage(format!("address {text}: it is no URL"))
                .help(format!("did you mean {scheme}:{}?", without_path(rest)))),
            _ => Ok((scheme, rest)),
        },
        None if time(text).is_some() => Err(no_address(text)),
        _ if text.starts_with(['/', '.']) => Ok(("unix", text)),
        None if text.is_empty() => Err(Failure::usage("an address is missing: what is written there is empty")
            .help("write unix:world, unix:/path, tcp:host:port, tls:host:port or udp:host:port")),
        None => Ok(("unix", text)),
        _ => {
            let wrong = Failure::usage(format!("address {text:?}: it begins with no known transport"));
            if let Some(help) = misspelt(text) {
                return Err(wrong.help(help));
            }
            let (scheme, rest) = match text.split_once("://") {
                Some(("https" | "wss", rest)) => ("tls", without_path(rest)),
                Some((_, rest)) => ("tcp", without_path(rest)),
                None => ("tcp", text),
            };
            let port = rest.rsplit_once(':').filter(|(host, port)| {
                let host = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
                host && port.parse::<u16>().is_ok()
            });
            Err(match port {
                Some(_) => wrong.help(format!("did you mean {scheme}:{rest}?")),
                None => wrong.help("write unix:world, unix:/path, tcp:host:port, tls:host:port or udp:host:port"),
            })
        }
    }
}

/// What to write where the transport is spelt almost right.
fn misspelt(text: &str) -> Option<String> {
    let (typed, rest) = text.split_once(':').filter(|(_, rest)| !rest.starts_with("//"))?;
    let slips = |scheme: &str| distance(&typed.to_ascii_lowercase(), scheme);
    let near = SCHEMES.into_iter().min_by_key(|scheme| slips(scheme)).filter(|scheme| slips(scheme) <= 1)?;
    let meant = format!("did you mean {near}:{rest}?");
    // A host may have such a name.
    let may_be_a_host = slips(near) > 0 && rest.parse::<u16>().is_ok();
    Some(if may_be_a_host { format!("{meant}\nfor the host {typed} write tcp:{text}") } else { meant })
}

/// What a URL has between its scheme and its path.
fn without_path(rest: &str) -> &str {
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// The seconds that are probably meant by a text such as `1`, `1.5`, `5s` or `500ms`.
pub(crate) fn time(text: &str) -> Option<f64> {
    let (number, of_a_second) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1000.0),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let digits = number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    Some(number.parse::<f64>().ok().filter(|_| digits)? / of_a_second)
}

/// Who writes a number wants a time or a port.
fn no_address(text: &str) -> Failure {
    let mut help = String::new();
    if text.parse::<u16>().is_ok() {
        help.push_str(&format!("for a port write tcp:{text}\n"));
    }
    if let Some(seconds) = time(text) {
        help.push_str(&format!("for a time write --wait={seconds}\n"));
    }
    help.push_str(&format!("for a service of this name write unix:{text}"));
    Failure::usage(format!("address {text}: an address is expected, as unix:world or tcp:host:port")).help(help)
}

/// `host:port`, `[v6]:port`, `port`, `host`, or nothing: what is left out is for the options to say.
fn host_and_port<'a>(text: &str, rest: &'a str) -> Outcome<(Option<&'a str>, Option<u16>)> {
    let wrong = |what: &str| {
        Failure::usage(format!("address {text}: {what}"))
            .help("write host:port, [ipv6]:port or port, for instance tcp:127.0.0.1:8000")
    };
    let port = |port: &str| {
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = digits.then(|| port.parse().ok()).flatten();
        port.ok_or_else(|| wrong("the port must be a number from 0 to 65535"))
    };
    if rest.is_empty() {
        return Ok((None, None));
    }
    if let Some(inside) = rest.strip_prefix('[') {
        let (host, rest) = inside.split_once(']').ok_or_else(|| wrong("`[` is not closed"))?;
        return match rest.strip_prefix(':') {
            Some(number) => Ok((Some(host), Some(port(number)?))),
            None if rest.is_empty() => Ok((Some(host), None)),
            None => Err(wrong("there is something between `]` and the port")),
        };
    }
    match rest.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Err(wrong("an IPv6 address stands in brackets")),
        Some((host, number)) => Ok((Some(host).filter(|host| !host.is_empty()), Some(port(number)?))),
        None if rest.bytes().all(|byte| byte.is_ascii_digit()) => Ok((None, Some(port(rest)?))),
        None => Ok((Some(rest), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        Target::parse(text, &Options::none(), |config| config).map(|target| target.show()).map_err(|error| error.show())
    }

    #[cfg(unix)]
    #[test]
    fn addresses_of_local_sockets_mean_what_their_help_says() {
        for (text, meant) in [
            ("unix:world", "unix:/tmp/app.world"),
            ("world", "unix:/tmp/app.world"),
            ("unix:/run/x", "unix:/run/x"),
            ("/run/x", "unix:/run/x"),
            ("./x:y", "unix:./x:y"),
            ("unix:sub/x", "unix:sub/x"),
            ("unix:5", "unix:/tmp/app.5"),
            ("news", "unix:/tmp/app.news"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_network_mean_what_their_help_says() {
        for (text, meant) in [
            ("tcp:localhost:9000", "tcp:localhost:9000"),
            ("tcp:9000", "tcp:127.0.0.1:9000"),
            ("tcp::9000", "tcp:127.0.0.1:9000"),
            ("tcp:", "tcp:127.0.0.1:8000"),
            ("tcp:host", "tcp:host:8000"),
            ("tls:[::1]:9000", "tls:[::1]:9000"),
            ("udp:127.0.0.1:9000", "udp4:127.0.0.1:9000"),
            ("udp:[::1]:9000", "udp6:[::1]:9000"),
            ("udp6:9000", "udp6:[::1]:9000"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(meant), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_names_may_be_written_as_other_tools_show_them() {
        assert_eq!(parse("abstract:x").as_deref(), Ok("abstract:x"));
        assert_eq!(parse("abstract:@x").as_deref(), Ok("abstract:x"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_address_is_told_with_what_to_write() {
        for (text, expected) in [
            ("localhost:8000", "did you mean tcp:localhost:8000?"),
            ("http://x", "unix:world"),
            ("http://localhost:8000", "did you mean tcp:localhost:8000?"),
            ("https://localhost:8000/a/b", "did you mean tls:localhost:8000?"),
            ("tcp://localhost:8000", "did you mean tcp:localhost:8000?"),
            ("[::1]:8000", "did you mean tcp:[::1]:8000?"),
            ("tsl:localhost:80", "did you mean tls:localhost:80?"),
            ("TCP:80", "did you mean tcp:80?"),
            ("uinx:world", "did you mean unix:world?"),
            ("udp5:localhost:80", "did you mean udp:localhost:80?"),
            ("tap:80", "did you mean tcp:80?\n  help: for the host tap write tcp:tap:80"),
            ("other:localhost:80", "write unix:world"),
            ("1", "an address is expected"),
            ("1", "for a time write --wait=1\n"),
            ("8000", "for a port write tcp:8000"),
            ("5s", "for a time write --wait=5\n"),
            ("500ms", "for a time write --wait=0.5\n"),
            ("", "an address is missing"),
            ("", "write unix:world, unix:/path"),
            ("tcp:host:port", "a number from 0 to 65535"),
            ("tcp:host:+80", "a number from 0 to 65535"),
            ("tcp:::1:80", "in brackets"),
            ("tcp:[::1", "not closed"),
            ("pipe:x", "Windows"),
            ("unix:", "empty"),
            ("unix:", "for instance unix:world"),
            (&format!("unix:/{}", "x".repeat(200)), "107"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
