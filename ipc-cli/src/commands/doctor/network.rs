//! Host names, ports, and whether somebody answers.

use super::{Findings, guess, tls};
use crate::address::Target;
use crate::exit::Outcome;
#[cfg(unix)]
use crate::sockets::Owner;
use ipc_tokio::{Client, ClientEvent, ConnectionError, HandshakeError};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, lookup_host};

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a server may take to refuse a client that it let in, as servers of TLS 1.3 and those that are full do.
const SECOND_THOUGHTS: Duration = Duration::from_millis(300);

pub(super) async fn examine(findings: &mut Findings<'_>, target: &Target, probe: bool) -> Outcome {
    let addresses = resolve(findings, target).await?;
    let (reached, shown) = reach(findings, target, addresses).await?;
    let Some(&address) = reached.first() else { return Ok(()) };
    if !target.tls && !address.ip().is_loopback() {
        let help = "what is sent can be read on the way, and whoever reaches the port may connect; use tls:";
        findings.warning("encryption", "none: it goes in clear", help).await?;
    }
    let shown = shown.unwrap_or_default();
    let let_in = answers(findings, target, shown.certificates).await?;
    let takes_any = target.settings.config().tls.as_ref().is_some_and(|tls| tls.reject_unauthorized == Some(false));
    // One that is trusted needs nothing more.
    if takes_any || !let_in && !findings.refused_by_peer {
        if let Some(name) = shown.other_name {
            let help = "connect by a name that it carries, or say with --server-name which is meant; named itself in --ca, its names do not matter";
            findings.warning("name", format!("the certificate does not carry the name {name}"), help).await?;
        }
        if let Some((text, help)) = shown.chain {
            findings.note("chain", text, Some(help)).await?;
        }
    }
    if let_in {
        guess::behaviour(findings, target, (!target.tls).then_some(address), probe).await?;
    }
    Ok(())
}

/// Looks at each address: which of them take connections, and what the first of these shows over TLS.
async fn reach(
    findings: &mut Findings<'_>,
    target: &Target,
    addresses: Vec<SocketAddr>,
) -> Outcome<(Vec<SocketAddr>, Option<tls::Shown>)> {
    let mut reached = Vec::new();
    let mut shown = None;
    for address in addresses {
        let began = Instant::now();
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let took = crate::clock::short(began.elapsed());
                #[cfg(unix)]
                let owner = owner(address).await;
                #[cfg(unix)]
                let process = super::local::process(&owner);
                #[cfg(not(unix))]
                let process = "";
                findings.good("port", format!("{address} takes connections, after {took}{process}")).await?;
                #[cfg(unix)]
                if reached.is_empty() {
                    guess::process(findings, &owner).await?;
                }
                #[cfg(unix)]
                if super::local::stands_still(findings, &owner).await? {
                    // What it would say is not waited for.
                    continue;
                }
                if target.tls {
                    // A connection without a handshake would stand in the server's log as a client that speaks no TLS.
                    let stream = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
                    match &shown {
                        None => shown = Some(tls::examine(findings, target, stream).await?),
                        Some(first) => tls::compare(findings, target, stream, address, first).await?,
                    }
                }
                reached.push(address);
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let help = "start the server; one that is bound to another address of the machine is not reached here";
                findings.problem("port", format!("nobody listens at {address}"), help).await?;
            }
            Ok(Err(error)) => {
                let help = "is the network there, and is the address right?";
                findings.problem("port", format!("{address}: {error}"), help).await?;
            }
            Err(_) => {
                let help = "a firewall may swallow it, or the machine is down";
                findings
                    .problem("port", format!("{address} does not answer within {} s", PATIENCE.as_secs()), help)
                    .await?;
            }
        }
    }
    Ok((reached, shown))
}

/// Who listens there, as far as the system tells.
#[cfg(unix)]
async fn owner(address: SocketAddr) -> Owner {
    let looked = tokio::task::spawn_blocking(move || crate::sockets::listener_on(address));
    looked.await.unwrap_or_default()
}

pub(super) async fn datagrams(findings: &mut Findings<'_>, target: &Target) -> Outcome {
    let addresses = resolve(findings, target).await?;
    let help = "send something that is answered: `ipc send ADDRESS NAME --await NAME`";
    if !addresses.is_empty() {
        let text = "whether somebody listens cannot be seen from here: over UDP nobody has to answer";
        findings.note("answer", text, Some(help)).await?;
    }
    Ok(())
}

async fn resolve(findings: &mut Findings<'_>, target: &Target) -> Outcome<Vec<SocketAddr>> {
    let (host, port) = (target.endpoint.host().unwrap_or_default(), target.endpoint.port().unwrap_or_default());
    match lookup_host((host, port)).await {
        Ok(found) => {
            let found: Vec<SocketAddr> = found.collect();
            if host.parse::<IpAddr>().is_err() {
                let shown: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
                findings.good("host", format!("{host} is {}", shown.join(", "))).await?;
            }
            Ok(found)
        }
        Err(error) => {
            let help = "is the name spelt right, and does it have an address? `getent hosts NAME` asks as we do";
            findings.problem("host", format!("{host} is not found: {error}"), help).await?;
            Ok(Vec::new())
        }
    }
}

/// Whether we are let in, as a client of the library is. `certificates` says whether any were seen.
pub(super) async fn answers(findings: &mut Findings<'_>, target: &Target, certificates: bool) -> Outcome<bool> {
    let client = match Client::at(target.settings.clone(), target.endpoint.clone()) {
        Ok(client) => client,
        Err(error) => return findings.wrong_options(&error).await,
    };
    let mut events = client.events();
    let began = Instant::now();
    client.start();
    let mut said = None;
    let connected = loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await {
            Ok(Some(ClientEvent::Connected)) => break true,
            Ok(Some(ClientEvent::Error(error))) => said = Some(error),
            Ok(Some(ClientEvent::Destroyed) | None) | Err(_) => break false,
            Ok(Some(_)) => {}
        }
    };
    let took = crate::clock::short(began.elapsed());
    if !connected {
        refused(findings, target, said.as_ref(), certificates).await?;
        return Ok(false);
    }
    // It may think better of it.
    let after = tokio::time::timeout(SECOND_THOUGHTS, async {
        loop {
            match events.recv().await {
                Some(ClientEvent::Error(error)) => said = Some(error),
                Some(ClientEvent::Disconnected { .. } | ClientEvent::Destroyed) | None => break,
                Some(_) => {}
            }
        }
    });
    let stays = after.await.is_err();
    client.disconnect();
    if stays {
        let text = match certificates {
            true => format!("a client is let in, after {took}, and stays connected"),
            // The system takes a connection for a process that is busy or hangs, too.
            false => format!(
                "a client is let in by the system, after {took}, and stays connected; whether the process reads, only an answer shows"
            ),
        };
        findings.good("answer", text).await?;
        return Ok(true);
    }
    match said {
        Some(_) => refused(findings, target, said.as_ref(), certificates).await?,
        None => {
            let help = match target.is_clear_tcp() {
                true => {
                    "is it full (maxConnections), of TLS, or does it let in only some (an accept filter)? Its log says"
                }
                false => "is it full (maxConnections), or does it let in only some (an accept filter)? Its log says",
            };
            findings.problem("answer", "a client is let in, and its connection closed at once", help).await?;
        }
    }
    Ok(false)
}

async fn refused(
    findings: &mut Findings<'_>,
    target: &Target,
    said: Option<&ConnectionError>,
    certificates: bool,
) -> Outcome {
    let kind = said.and_then(ConnectionError::io).map(std::io::Error::kind);
    let text = match (said.and_then(ConnectionError::io), said) {
        (Some(error), _) => error.to_string(),
        (None, Some(error)) => error.to_string(),
        (None, None) => format!("nothing came within {} s", PATIENCE.as_secs()),
    };
    let about_tls = text.contains("TLS") || text.contains("certificate");
    let handshake = said.and_then(crate::tls::of_handshake);
    let alert = match handshake {
        Some(HandshakeError::Refused(alert)) => Some(*alert),
        _ => None,
    };
    findings.refused_by_peer = alert.is_some();
    let help = match &text {
        text if handshake.is_some() && crate::tls::asks_for_certificate(text) => crate::tls::SHOW_ONE,
        _ if alert.is_some_and(crate::tls::is_about_our_certificate) => {
            "that server trusts other certificates than that of --cert: have it trust this one (--ca there, trustedConnections), or show another"
        }
        // A socket with a file has been looked at before.
        _ if kind == Some(std::io::ErrorKind::ConnectionRefused) && target.endpoint.local_address().is_some() => {
            "nobody listens there: start the server, for an abstract name in the same network namespace"
        }
        // An alert by which TLS refuses us is of this kind, too.
        _ if kind == Some(std::io::ErrorKind::PermissionDenied) && handshake.is_none() => {
            return not_permitted(findings, target, &text).await;
        }
        text if text.contains("does not speak TLS") => "use tcp: instead of tls:, or set tls at the server",
        _ if about_tls && !certificates => "no certificate was shown: does the server speak TLS? If not, use tcp:",
        _ if about_tls => {
            "see the certificates above; --ca names what to trust, --cert and --key what to show, --server-name the name that is meant"
        }
        _ => "look into the server's log",
    };
    findings.problem("answer", format!("a client is not let in: {text}"), help).await
}

async fn not_permitted(findings: &mut Findings<'_>, target: &Target, text: &str) -> Outcome {
    #[cfg(unix)]
    let who = target.endpoint.local_address().and_then(|address| std::fs::metadata(address.as_str()).ok());
    #[cfg(unix)]
    let who = who.map(|metadata| super::local::who_may(&metadata));
    #[cfg(not(unix))]
    let who = target.endpoint.local_address().map(|_| String::from("only those whom the server lets in may connect"));
    let help = who.unwrap_or_else(|| String::from("a firewall of this machine forbids it: ask who looks after it"));
    findings.problem("answer", format!("a client is not let in: {text}"), help).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::output::{Color, Format, Output};
    use ipc_tokio::{Config, Server, TlsOptions};

    #[tokio::test]
    async fn every_address_of_a_host_is_shaken_hands_with() {
        let place = tempfile::tempdir().expect("a directory");
        ipc_testkit::certificates::make(place.path()).expect("certificates");
        let mut servers = Vec::new();
        for name in ["server", "client"] {
            let file = |ending: &str| place.path().join(format!("{name}.{ending}"));
            let tls = TlsOptions::new().private(file("key")).public(file("crt"));
            let config = Config::new("s").tls(tls);
            let server = Server::net(Some("127.0.0.1"), Some(0), config).expect("a server");
            server.start().await.expect("started");
            servers.push(server);
        }
        // One in clear, which hears what it does not understand.
        let clear = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let in_clear = clear.local_addr().expect("bound");
        let hearing = tokio::spawn(async move {
            let (mut stream, _) = clear.accept().await.expect("the doctor");
            let mut first = [0; 1];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.expect("a handshake");
            first
        });
        let port = |server: &Server| server.local_endpoint().port().expect("a port");
        let mut addresses: Vec<_> = servers.iter().map(|it| SocketAddr::from(([127, 0, 0, 1], port(it)))).collect();
        addresses.push(in_clear);

        let output = Output::new(Some(Format::Json), Color::Never, true);
        let mut findings = Findings { output: &output, problems: 0, refused_by_peer: false };
        let target = Target::parse("tls:localhost:1", &Options::none(), |config| config).expect("an address");
        let (reached, shown) = reach(&mut findings, &target, addresses.clone()).await.expect("shown");
        assert_eq!(reached, addresses);
        assert!(shown.is_some_and(|shown| shown.certificates));
        assert_eq!(hearing.await.expect("heard"), [22], "a record of a handshake");
        // The one in clear is a problem; the others have seen whole handshakes.
        assert_eq!(findings.problems, 1);
        for server in servers {
            server.shutdown(PATIENCE).await;
            assert_eq!(server.refused(), 0);
        }
    }
}
