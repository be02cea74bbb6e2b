//! Addresses over TCP: the option `interface`, names with several addresses, IPv6, and ports that the system chooses.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, not_here, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{
    Client, ClientEvent, Config, ConnectError, ConnectionError, Endpoint, Interface, IpFamily, Server, build,
};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

async fn server<R: Runtime>(stage: &Stage<R>, host: &str) -> Server<R> {
    let endpoint = Endpoint::Tcp { host: host.into(), port: 0 };
    let settings = build(stage.config()).expect("settings");
    let server = Server::with_runtime(stage.runtime().clone(), settings, endpoint).expect("a server");
    server.start().await.expect("started");
    assert_ne!(server.local_endpoint().port(), Some(0), "the port that the system chose");
    server
}

fn client<R: Runtime>(stage: &Stage<R>, host: &str, server: &Server<R>, interface: Interface) -> Client<R> {
    client_of(stage, host, server, Config::new("me").max_retries(0).interface(interface))
}

fn client_of<R: Runtime>(stage: &Stage<R>, host: &str, server: &Server<R>, config: Config) -> Client<R> {
    let port = server.local_endpoint().port().expect("a port");
    stage.client_at(Endpoint::Tcp { host: host.into(), port }, config)
}

/// Where the server sees its only peer come from.
async fn seen<R: Runtime>(stage: &Stage<R>, server: &Server<R>) -> SocketAddr {
    stage.until("a peer", || !server.is_empty()).await;
    server.peers()[0].remote().address.expect("an address")
}

fn interface(address: Option<IpAddr>, port: Option<u16>, family: Option<IpFamily>) -> Interface {
    let mut interface = Interface::default();
    interface.local_address = address;
    interface.local_port = port;
    interface.family = family;
    interface
}

/// A port that nobody has just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

// Elsewhere only 127.0.0.1 is there without being set up.
#[cfg(target_os = "linux")]
pub async fn a_client_comes_from_the_address_it_is_told_to<R: Runtime>(stage: Stage<R>) {
    let server = server(&stage, "127.0.0.1").await;
    let from: IpAddr = "127.0.0.2".parse().expect("an address");
    let client = client(&stage, "127.0.0.1", &server, interface(Some(from), None, None));
    soon("connect", client.connect()).await.expect("connected");
    assert_eq!(seen(&stage, &server).await.ip(), from);
}

pub async fn a_client_comes_from_the_port_it_is_told_to_also_when_it_returns<R: Runtime>(stage: Stage<R>) {
    let server = server(&stage, "127.0.0.1").await;
    let port = free_port();
    let from = interface(Some("127.0.0.1".parse().expect("an address")), Some(port), None);
    let config = Config::new("me").interface(from).retry(Duration::from_millis(20));
    let client = client_of(&stage, "127.0.0.1", &server, config);
    let mut events = client.events();
    soon("connect", client.connect()).await.expect("connected");
    assert_eq!(seen(&stage, &server).await.port(), port);
    server.peers()[0].abort();
    let mut connections = 0;
    while connections < 2 {
        if let Some(ClientEvent::Connected) = soon("events", events.recv()).await {
            connections += 1;
        }
    }
    stage.until("the last one gone", || server.len() == 1).await;
    assert_eq!(seen(&stage, &server).await.port(), port);
}

pub async fn a_local_port_that_is_taken_is_the_error_of_the_attempt<R: Runtime>(stage: Stage<R>) {
    let server = server(&stage, "127.0.0.1").await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("an address").port();
    let client = client(&stage, "127.0.0.1", &server, interface(None, Some(port), None));
    let mut events = client.events();
    let ConnectError::GaveUp { last, .. } = soon("connect", client.connect()).await.expect_err("taken") else {
        panic!()
    };
    assert_eq!(last.expect("an error").kind(), ErrorKind::AddrInUse);
    let Some(ClientEvent::Error(ConnectionError::Connect { source, .. })) = soon("event", events.recv()).await else {
        panic!("no error")
    };
    assert_eq!(source.kind(), ErrorKind::AddrInUse);
}

pub async fn an_address_that_is_not_of_this_machine_is_the_error_of_the_attempt<R: Runtime>(stage: Stage<R>) {
    let server = server(&stage, "127.0.0.1").await;
    // Of a network for documentation.
    let from = interface(Some("192.0.2.1".parse().expect("an address")), None, None);
    let client = client(&stage, "127.0.0.1", &server, from);
    let ConnectError::GaveUp { last, .. } = soon("connect", client.connect()).await.expect_err("refused") else {
        panic!()
    };
    assert_eq!(last.expect("an error").kind(), ErrorKind::AddrNotAvailable);
}

/// Says so where this machine has no IPv6.
fn no_ipv6() -> bool {
    let missing = TcpListener::bind("[::1]:0").is_err();
    if missing {
        not_here("IPv6: this machine has no ::1");
    }
    missing
}

pub async fn ipv6_is_served_and_reached<R: Runtime>(stage: Stage<R>) {
    if no_ipv6() {
        return;
    }
    let server = server(&stage, "::1").await;
    let port = server.local_endpoint().port().expect("a port");
    assert_eq!(server.local_endpoint().to_string(), format!("tcp:[::1]:{port}"));
    let client = client(&stage, "::1", &server, Interface::default());
    soon("connect", client.connect()).await.expect("connected");
    assert_eq!(seen(&stage, &server).await.ip(), "::1".parse::<IpAddr>().expect("an address"));
}

pub async fn a_name_is_reached_over_the_family_that_is_asked_for<R: Runtime>(stage: Stage<R>) {
    if no_ipv6() {
        return;
    }
    let found: Vec<_> = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 0)).expect("an address").collect();
    for (host, family) in [("127.0.0.1", IpFamily::V4), ("::1", IpFamily::V6)] {
        let has = found.iter().any(|address| address.is_ipv6() == (family == IpFamily::V6));
        let server = server(&stage, host).await;
        let client = client(&stage, "localhost", &server, interface(None, None, Some(family)));
        let connected = soon("connect", client.connect()).await;
        if has {
            connected.expect("connected");
            assert_eq!(seen(&stage, &server).await.is_ipv6(), family == IpFamily::V6);
        } else {
            let error = connected.expect_err("no such address").to_string();
            assert!(error.contains("has no IPv"), "{error}");
        }
        // Without it, whichever address answers is taken.
        let any = self::client(&stage, "localhost", &server, Interface::default());
        if has {
            soon("connect", any.connect()).await.expect("connected");
        }
    }
}

pub async fn a_lookup_of_ones_own_finds_the_server_behind_addresses_that_do_not_answer<R: Runtime>(stage: Stage<R>) {
    let server = server(&stage, "127.0.0.1").await;
    let port = server.local_endpoint().port().expect("a port");
    let config = Config::new("me").max_retries(0);
    let client = client_of(&stage, "nobody.invalid", &server, config);
    let dead = free_port();
    client.set_lookup(move |lookup| async move {
        assert_eq!((lookup.host.as_str(), lookup.port), ("nobody.invalid", port));
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], dead)), SocketAddr::from(([127, 0, 0, 1], port))])
    });
    soon("connect", client.connect()).await.expect("the second address answers");
    assert!(seen(&stage, &server).await.ip().is_loopback());
}
