//! UDP over real loopback sockets: both families, events and bytes, large ones and too large ones, start and stop.

mod common;

use common::soon;
use ipc_tokio::{
    Config, EmitError, Encoding, Endpoint, Ipc, MAX_DATAGRAM, ServeError, UdpEvent, UdpPeer, UdpServer, build,
};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::unbounded_channel;

fn config() -> Config {
    Config::new("world")
}

fn udp4() -> UdpServer {
    UdpServer::udp4(Some("127.0.0.1"), Some(0), config()).expect("a server")
}

/// A server over IPv6, started; `None`, loudly, where there is no IPv6.
async fn udp6(host: &str, config: Config) -> Option<UdpServer> {
    let server = UdpServer::udp6(Some(host), Some(0), config).expect("a server");
    match server.start().await {
        Ok(()) => Some(server),
        Err(ServeError::Listen { source, .. }) if source.kind() == ErrorKind::AddrNotAvailable => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: UDP over IPv6: {source} ***\n");
            assert!(std::env::var_os("CI").is_none(), "IPv6 must be tested where CI is set");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn address(server: &UdpServer) -> SocketAddr {
    server.local_address().expect("started")
}

/// Events both ways: what `from` emits is answered by `to` to its sender.
async fn exchange(from: &UdpServer, to: &UdpServer, address: SocketAddr) {
    to.on("hello", |peer, text: String| peer.emit("hello", &format!("{text} world!")));
    let (sender, mut answers) = unbounded_channel();
    from.on("hello", move |peer, text: String| sender.send((peer.address(), text)));
    from.emit_to(address, "hello", "é\u{c}").expect("emitted");
    let answer = soon("the answer", answers.recv()).await.expect("an answer");
    assert_eq!(answer, (address, "é\u{c} world!".to_owned()));
}

#[tokio::test]
async fn servers_speak_to_each_other_over_ipv4() {
    let (one, two) = (udp4(), udp4());
    one.start().await.expect("started");
    two.start().await.expect("started");
    exchange(&one, &two, address(&two)).await;
    assert_eq!(one.local_endpoint(), Endpoint::Udp4 { host: "127.0.0.1".into(), port: address(&one).port() });
    assert_eq!(two.peers(), [two.peer(address(&one))]);
    assert!(soon("shutdown", one.shutdown(Duration::from_secs(5))).await.is_empty());
}

#[tokio::test]
async fn servers_speak_to_each_other_over_ipv6() {
    let Some(one) = udp6("::1", config()).await else { return };
    let Some(two) = udp6("::1", config()).await else { return };
    exchange(&one, &two, address(&two)).await;
    assert!(address(&one).is_ipv6());
    let error = one.emit_to("127.0.0.1:9".parse().expect("an address"), "hello", "you").unwrap_err();
    assert!(matches!(error, EmitError::Address { .. }), "{error}");
}

#[cfg(not(windows))]
#[tokio::test]
async fn a_server_on_all_addresses_of_ipv6_is_reached_over_ipv4_too() {
    let Some(both) = udp6("::", config()).await else { return };
    let four = udp4();
    four.start().await.expect("started");
    exchange(&four, &both, SocketAddr::from(([127, 0, 0, 1], address(&both).port()))).await;
    let peer = both.peers().remove(0).address();
    let IpAddr::V6(ip) = peer.ip() else { panic!("{peer}") };
    assert!(ip.to_ipv4_mapped().is_some(), "and answers to a mapped address: {peer}");
}

#[tokio::test]
async fn the_host_of_node_ipc_for_udp4_may_be_that_of_ipv6() {
    let server = UdpServer::udp4(Some("::1"), Some(0), config()).expect("a server");
    server.start().await.expect("started");
    assert_eq!(address(&server).ip(), IpAddr::from([127, 0, 0, 1]));
    let resolved = server.resolve("localhost", 9).await.expect("an address");
    assert!(resolved.is_ipv4());
}

#[tokio::test]
async fn the_largest_datagram_arrives_whole_and_a_larger_one_is_refused() {
    let (one, two) = (udp4(), udp4());
    let mut events = two.events();
    one.start().await.expect("started");
    two.start().await.expect("started");
    let text = "x".repeat(MAX_DATAGRAM - 23);
    one.emit_to(address(&two), "m", &text).expect("65,507 bytes");
    let error = one.emit_to(address(&two), "m", &format!("{text}x")).unwrap_err();
    assert!(matches!(error, EmitError::TooLarge { length: 65_508, limit: 65_507 }), "{error}");
    loop {
        if let UdpEvent::Message(peer, message) = soon("the datagram", events.recv()).await.expect("an event") {
            assert_eq!(peer.address(), address(&one));
            assert_eq!(message.data::<String>().expect("a text"), text);
            break;
        }
    }
    assert_eq!(one.pending(), 0);
}

#[tokio::test]
async fn raw_bytes_of_every_encoding_go_out_and_in_as_they_are() {
    let server = UdpServer::udp4(Some("127.0.0.1"), Some(0), config().raw_buffer(true)).expect("a server");
    server.on_data(|peer: &UdpPeer, bytes: &[u8]| peer.emit_raw(bytes));
    server.start().await.expect("started");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let mut buffer = [0; 2000];
    for encoding in [Encoding::Utf8, Encoding::Hex, Encoding::Base64, Encoding::Latin1, Encoding::Utf16le] {
        let bytes = encoding.encode("056d5c");
        socket.send_to(&bytes, address(&server)).await.expect("sent");
        let (count, from) = soon("the echo", socket.recv_from(&mut buffer)).await.expect("received");
        assert_eq!((&buffer[..count], from), (&bytes[..], address(&server)), "{encoding:?}");
    }
    socket.send_to(b"", address(&server)).await.expect("sent");
    assert_eq!(soon("the echo", socket.recv_from(&mut buffer)).await.expect("received").0, 0);
}

#[tokio::test]
async fn nobody_at_the_other_end_neither_ends_nor_spins_the_socket() {
    let (one, two) = (udp4(), udp4());
    one.start().await.expect("started");
    two.start().await.expect("started");
    let free = {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.local_addr().expect("an address")
    };
    for n in 0..10 {
        one.emit_to(free, "n", &n).expect("queued");
    }
    exchange(&one, &two, address(&two)).await;
    assert_eq!(one.counters().sent, 11);
    assert!(one.is_listening());
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_is_an_error_event() {
    let server = udp4();
    let mut events = server.events();
    server.start().await.expect("started");
    // Not allowed without SO_BROADCAST, and not there from a loopback address.
    let everybody = "255.255.255.255:9".parse().expect("an address");
    server.emit_to(everybody, "n", &1).expect("queued");
    loop {
        if let UdpEvent::Error { peer, error } = soon("the error", events.recv()).await.expect("an event") {
            assert_eq!(peer.map(|peer| peer.address()), Some(everybody));
            assert!(error.io().is_some() && error.to_string().starts_with("cannot send to 255.255.255.255:9: "));
            break;
        }
    }
    assert_eq!(server.counters().failed, 1);
}

#[tokio::test]
async fn a_port_in_use_is_an_error_and_is_free_after_a_stop() {
    let one = udp4();
    one.start().await.expect("started");
    let port = address(&one).port();
    let two = UdpServer::udp4(Some("127.0.0.1"), Some(port), config()).expect("a server");
    let error = two.start().await.unwrap_err();
    assert!(matches!(&error, ServeError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse), "{error}");
    soon("shutdown", one.shutdown(Duration::from_secs(5))).await;
    two.start().await.expect("the port is free");
    assert_eq!(address(&two).port(), port);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_many_tasks_all_leave_when_send_waits_for_room() {
    const TASKS: u64 = 4;
    const EACH: u64 = 5_000;
    let server = UdpServer::udp4(Some("127.0.0.1"), Some(0), config().max_pending_bytes(2_000)).expect("a server");
    server.start().await.expect("started");
    // Whatever the other socket loses: what is asked here is that the queue neither stalls nor loses count.
    let sink = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let to = sink.local_addr().expect("an address");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let peer = server.peer(to);
            tokio::spawn(async move {
                for n in 0..EACH {
                    peer.send("n", &(task, n)).await.expect("queued");
                }
            })
        })
        .collect();
    for task in tasks {
        soon("a sender", task).await.expect("no panic");
    }
    assert!(soon("shutdown", server.shutdown(Duration::from_secs(10))).await.is_empty());
    let counters = server.counters();
    assert_eq!(counters.sent + counters.failed, TASKS * EACH);
}

#[tokio::test]
async fn an_instance_keeps_its_udp_server_beside_the_other() {
    let ipc = Ipc::new(config().network_port(0));
    let server = ipc.serve_udp4(None, None).expect("a server");
    let stream = ipc.serve_net(None, None).expect("a server");
    server.start().await.expect("started");
    stream.start().await.expect("started");
    let address = address(&server);
    assert_eq!(ipc.udp_server().and_then(|server| server.local_address()), Some(address));
    drop(server);
    let replaced = ipc.serve_udp6(None, None).expect("a server");
    assert!(matches!(replaced.local_endpoint(), Endpoint::Udp6 { .. }));
    assert!(stream.is_listening());
    // The one replaced has no other handle, so its socket closes.
    let settings = build(config()).expect("settings");
    let again = UdpServer::at(settings, Endpoint::Udp4 { host: "127.0.0.1".into(), port: address.port() });
    let again = again.expect("a server");
    let free = async {
        while again.start().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("the port is free", free).await;
}
