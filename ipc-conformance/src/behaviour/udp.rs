//! UDP over loopback sockets: both families, events and bytes, large ones and too large ones, start and stop.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Stage, channel, not_here, soon, unblock};
use ipc_driver::runtime::{Ambient, Runtime};
use ipc_driver::{
    Config, EmitError, Encoding, Endpoint, MAX_DATAGRAM, ServeError, UdpEvent, UdpPeer, UdpServer, build,
};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

fn config() -> Config {
    Config::new("world")
}

fn udp4<R: Runtime>(stage: &Stage<R>) -> UdpServer<R> {
    at(stage, "127.0.0.1", 0, config())
}

fn at<R: Runtime>(stage: &Stage<R>, host: &str, port: u16, config: Config) -> UdpServer<R> {
    let settings = build(config).expect("settings");
    let endpoint = Endpoint::udp4(&settings, Some(host), Some(port)).expect("an endpoint");
    UdpServer::with_runtime(stage.runtime().clone(), settings, endpoint).expect("a server")
}

/// A server over IPv6, started; `None`, loudly, where there is no IPv6.
async fn udp6<R: Runtime>(stage: &Stage<R>, host: &str) -> Option<UdpServer<R>> {
    let settings = build(config()).expect("settings");
    let endpoint = Endpoint::udp6(&settings, Some(host), Some(0)).expect("an endpoint");
    let server = UdpServer::with_runtime(stage.runtime().clone(), settings, endpoint).expect("a server");
    starts(&server).await.then_some(server)
}

/// Starts a server over IPv6; `false`, loudly, where there is no IPv6.
async fn starts<R: Runtime>(server: &UdpServer<R>) -> bool {
    match server.start().await {
        Ok(()) => true,
        Err(ServeError::Listen { source, .. }) if source.kind() == ErrorKind::AddrNotAvailable => {
            not_here(format_args!("UDP over IPv6: {source}"));
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn address<R: Runtime>(server: &UdpServer<R>) -> SocketAddr {
    server.local_address().expect("started")
}

/// Events both ways: what `from` emits is answered by `to` to its sender.
async fn exchange<R: Runtime>(from: &UdpServer<R>, to: &UdpServer<R>, address: SocketAddr) {
    to.on("hello", |peer, text: String| peer.emit("hello", &format!("{text} world!")));
    let (sender, mut answers) = channel();
    from.on("hello", move |peer, text: String| sender.send((peer.address(), text)));
    from.emit_to(address, "hello", "é\u{c}").expect("emitted");
    assert_eq!(answers.next("the answer").await, (address, "é\u{c} world!".to_owned()));
}

/// A socket of the standard library.
fn plain() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a socket"))
}

/// The next datagram that comes to it.
async fn received(socket: &Arc<UdpSocket>) -> (Vec<u8>, SocketAddr) {
    let socket = Arc::clone(socket);
    let receiving = unblock(move || {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let (count, from) = socket.recv_from(&mut buffer).expect("received");
        buffer.truncate(count);
        (buffer, from)
    });
    soon("a datagram", receiving.join()).await
}

pub async fn servers_speak_to_each_other_over_ipv4<R: Runtime>(stage: Stage<R>) {
    let (one, two) = (udp4(&stage), udp4(&stage));
    one.start().await.expect("started");
    two.start().await.expect("started");
    exchange(&one, &two, address(&two)).await;
    assert_eq!(one.local_endpoint(), Endpoint::Udp4 { host: "127.0.0.1".into(), port: address(&one).port() });
    assert_eq!(two.peers(), [two.peer(address(&one))]);
    assert!(soon("shutdown", one.shutdown(Duration::from_secs(5))).await.is_empty());
}

/// Where the system can send several with one call, nobody at the other end may see it.
pub async fn answers_to_one_peer_are_a_datagram_each_and_in_order<R: Runtime>(stage: Stage<R>) {
    let server = udp4(&stage);
    server.on_event("n", UdpPeer::emit_event);
    server.start().await.expect("started");
    // Runs of one length and changes of it, both ways; as much as the buffer of a socket surely takes.
    let frames: Vec<_> = (80..140).map(|n| format!("{{\"type\":\"n\",\"data\":{}}}\u{c}", n / 3 * 7)).collect();
    let socket = plain();
    socket.send_to(frames.concat().as_bytes(), address(&server)).expect("sent");
    for frame in &frames {
        let (datagram, from) = received(&socket).await;
        assert_eq!((String::from_utf8(datagram).expect("a text"), from), (frame.clone(), address(&server)));
    }
    let counters = server.counters();
    assert_eq!((counters.sent, counters.sent_bytes), (60, frames.concat().len() as u64));
}

pub async fn servers_speak_to_each_other_over_ipv6<R: Runtime>(stage: Stage<R>) {
    let Some(one) = udp6(&stage, "::1").await else { return };
    let Some(two) = udp6(&stage, "::1").await else { return };
    exchange(&one, &two, address(&two)).await;
    assert!(address(&one).is_ipv6());
    let error =
        one.emit_to("127.0.0.1:9".parse().expect("an address"), "hello", "you").expect_err("of the other family");
    assert!(matches!(error, EmitError::Address { .. }), "{error}");
}

pub async fn without_a_host_udp6_is_the_loopback_address_of_ipv6<R: Ambient>(_stage: Stage<R>) {
    let own = |host, config: Config| UdpServer::<R>::udp6(host, Some(0), config).expect("a server");
    let (one, two) = (own(None, config()), own(Some("::1"), config()));
    if !starts(&one).await || !starts(&two).await {
        return;
    }
    for server in [&one, &two] {
        let port = address(server).port();
        assert_ne!(port, 0);
        assert_eq!(server.local_endpoint(), Endpoint::Udp6 { host: "::1".into(), port });
        assert_eq!(address(server).ip(), IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
    }
    exchange(&one, &two, address(&two)).await;
    // Who was heard is answered at the address of its own family.
    assert_eq!(two.peers(), [two.peer(address(&one))]);
    assert_eq!(two.broadcast("news", &1).expect("there is room").queued, 1);
    let refused = UdpServer::<R>::udp6(Some("127.0.0.1"), Some(0), config()).expect_err("an address of IPv4");
    assert!(matches!(refused, ServeError::Endpoint(_)), "{refused:?}");
    assert!(soon("shutdown", two.shutdown(Duration::from_secs(5))).await.is_empty());
}

#[cfg(not(windows))]
pub async fn a_server_on_all_addresses_of_ipv6_is_reached_over_ipv4_too<R: Runtime>(stage: Stage<R>) {
    let Some(both) = udp6(&stage, "::").await else { return };
    let four = udp4(&stage);
    four.start().await.expect("started");
    exchange(&four, &both, SocketAddr::from(([127, 0, 0, 1], address(&both).port()))).await;
    let peer = both.peers().remove(0).address();
    let IpAddr::V6(ip) = peer.ip() else { panic!("{peer}") };
    assert!(ip.to_ipv4_mapped().is_some(), "and answers to a mapped address: {peer}");
}

pub async fn the_host_of_node_ipc_for_udp4_may_be_that_of_ipv6<R: Runtime>(stage: Stage<R>) {
    let server = at(&stage, "::1", 0, config());
    server.start().await.expect("started");
    assert_eq!(address(&server).ip(), IpAddr::from([127, 0, 0, 1]));
    let resolved = server.resolve("localhost", 9).await.expect("an address");
    assert!(resolved.is_ipv4());
}

pub async fn the_largest_datagram_arrives_whole_and_a_larger_one_is_refused<R: Runtime>(stage: Stage<R>) {
    let (one, two) = (udp4(&stage), udp4(&stage));
    let mut events = two.events();
    one.start().await.expect("started");
    two.start().await.expect("started");
    let text = "x".repeat(MAX_DATAGRAM - 23);
    one.emit_to(address(&two), "m", &text).expect("65,507 bytes");
    let error = one.emit_to(address(&two), "m", &format!("{text}x")).expect_err("too large");
    assert!(matches!(error, EmitError::TooLarge { length: 65_508, limit: 65_507 }), "{error}");
    loop {
        if let UdpEvent::Message(peer, message) = soon("the datagram", events.recv()).await.expect("an event") {
            assert_eq!(peer.address(), address(&one));
            assert_eq!(message.data::<String>().expect("a text"), text);
            break;
        }
    }
    stage.until("it is known to be sent", || one.pending() == 0).await;
}

pub async fn raw_bytes_of_every_encoding_go_out_and_in_as_they_are<R: Runtime>(stage: Stage<R>) {
    let server = at(&stage, "127.0.0.1", 0, config().raw_buffer(true));
    server.on_data(|peer: &UdpPeer, bytes: &[u8]| peer.emit_raw(bytes));
    server.start().await.expect("started");
    let socket = plain();
    for encoding in [Encoding::Utf8, Encoding::Hex, Encoding::Base64, Encoding::Latin1, Encoding::Utf16le] {
        let bytes = encoding.encode("056d5c");
        socket.send_to(&bytes, address(&server)).expect("sent");
        assert_eq!(received(&socket).await, (bytes.to_vec(), address(&server)), "{encoding:?}");
    }
    socket.send_to(b"", address(&server)).expect("sent");
    assert_eq!(received(&socket).await.0, b"");
}

pub async fn nobody_at_the_other_end_neither_ends_nor_spins_the_socket<R: Runtime>(stage: Stage<R>) {
    let (one, two) = (udp4(&stage), udp4(&stage));
    one.start().await.expect("started");
    two.start().await.expect("started");
    let free = plain().local_addr().expect("an address");
    for n in 0..10 {
        one.emit_to(free, "n", &n).expect("queued");
    }
    exchange(&one, &two, address(&two)).await;
    stage.until("all are known to be sent", || one.counters().sent == 11).await;
    assert!(one.is_listening());
}

pub async fn an_address_that_cannot_be_reached_is_an_error_event<R: Runtime>(stage: Stage<R>) {
    let server = udp4(&stage);
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
    stage.until("it is counted", || server.counters().failed == 1).await;
}

pub async fn a_port_in_use_is_an_error_and_is_free_after_a_stop<R: Runtime>(stage: Stage<R>) {
    let one = udp4(&stage);
    one.start().await.expect("started");
    let port = address(&one).port();
    let two = at(&stage, "127.0.0.1", port, config());
    let error = two.start().await.expect_err("in use");
    assert!(matches!(&error, ServeError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse), "{error}");
    soon("shutdown", one.shutdown(Duration::from_secs(5))).await;
    two.start().await.expect("the port is free");
    assert_eq!(address(&two).port(), port);
}

pub async fn events_of_many_tasks_all_leave_when_send_waits_for_room<R: Runtime>(stage: Stage<R>) {
    const TASKS: u64 = 4;
    const EACH: u64 = 5_000;
    let server = at(&stage, "127.0.0.1", 0, config().max_pending_bytes(2_000));
    server.start().await.expect("started");
    // Whatever the other socket loses: what is asked here is that the queue neither stalls nor loses count.
    let sink = plain();
    let to = sink.local_addr().expect("an address");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let peer = server.peer(to);
            stage.spawn(async move {
                for n in 0..EACH {
                    peer.send("n", &(task, n)).await.expect("queued");
                }
            })
        })
        .collect();
    for task in tasks {
        soon("a sender", task.join()).await;
    }
    assert!(soon("shutdown", server.shutdown(Duration::from_secs(10))).await.is_empty());
    let counters = server.counters();
    assert_eq!(counters.sent + counters.failed, TASKS * EACH);
}

pub async fn a_broadcast_goes_to_whoever_was_heard_or_added<R: Runtime>(stage: Stage<R>) {
    let (server, heard, added) = (udp4(&stage), udp4(&stage), udp4(&stage));
    for one in [&server, &heard, &added] {
        one.start().await.expect("started");
    }
    let (sender, mut news) = channel();
    for (name, one) in [("heard", &heard), ("added", &added)] {
        let sender = sender.clone();
        one.on("news", move |_, text: String| sender.send((name, text)));
    }
    let mut events = server.events();
    assert_eq!(server.broadcast("news", "nobody").expect("encoded").queued, 0);
    heard.emit_to(address(&server), "hello", "you").expect("emitted");
    loop {
        if let UdpEvent::PeerAdded(peer) = soon("a peer", events.recv()).await.expect("an event") {
            assert_eq!(peer.address(), address(&heard));
            break;
        }
    }
    server.add_peer(address(&added)).expect("there is room");
    assert_eq!(server.broadcast("news", "all").expect("encoded").queued, 2);
    let mut names = [news.next("the news").await, news.next("the news").await];
    names.sort_unstable();
    assert_eq!(names, [("added", "all".to_owned()), ("heard", "all".to_owned())]);
    assert!(server.remove_peer(address(&heard)) && !server.remove_peer(address(&heard)));
    assert_eq!(server.broadcast("news", "one").expect("encoded").queued, 1);
    assert_eq!(news.next("the news").await, ("added", "one".to_owned()));
}

pub async fn emits_of_plain_threads_leave_and_those_without_a_socket_are_refused<R: Runtime>(stage: Stage<R>) {
    let (one, two) = (udp4(&stage), udp4(&stage));
    let (sender, mut seen) = channel();
    two.on("n", move |_, n: u32| sender.send(n));
    two.start().await.expect("started");
    let peer = one.peer(address(&two));
    assert!(matches!(peer.emit("n", &0), Err(EmitError::Closed)), "it is not started");
    one.start().await.expect("started");
    for n in 1..=10 {
        let peer = peer.clone();
        soon("a thread", unblock(move || peer.emit("n", &n)).join()).await.expect("emitted");
        assert_eq!(seen.next("a datagram").await, n);
    }
    one.abort();
    assert!(matches!(peer.emit("n", &11), Err(EmitError::Closed)), "it has stopped");
    stage.until("the end", || !one.is_listening()).await;
    soon("start", async {
        while one.start().await.is_err() {
            stage.sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    peer.emit("n", &12).expect("started again");
    assert_eq!(seen.next("a datagram").await, 12);
}

/// Many datagrams, and several shutdowns at once; what was queued is sent, refused or reported.
pub async fn datagrams_are_counted_at_both_ends_and_shutdowns_agree<R: Runtime>(stage: Stage<R>) {
    let (one, two) = (udp4(&stage), udp4(&stage));
    let (sender, mut seen) = channel();
    two.on("n", move |_, n: u32| sender.send(n));
    one.start().await.expect("started");
    two.start().await.expect("started");
    for n in 0..100 {
        one.emit_to(address(&two), "n", &n).expect("there is room");
        // No more than the system keeps for a receiver.
        assert_eq!(seen.next("a datagram").await, n);
    }
    for n in 0..50 {
        one.emit_to(address(&two), "n", &n).expect("there is room");
    }
    let again = one.clone();
    let second = stage.spawn(async move { again.shutdown(Duration::from_secs(20)).await });
    let report = soon("shutdown", one.shutdown(Duration::from_secs(20))).await;
    assert_eq!(soon("the other", second.join()).await, report);
    let counters = one.counters();
    assert_eq!(counters.queued.datagrams, 150);
    assert_eq!(counters.sent + counters.failed + counters.unsent, 150);
    assert_eq!((counters.unsent, counters.queued.pending), (report.messages as u64, 0));
    let received = two.counters().received;
    assert!(received.datagrams >= 100 && received.messages >= 100, "{received:?}");
    assert!(received.bytes <= counters.sent_bytes, "{received:?}, {counters:?}");
    soon("shutdown", two.shutdown(Duration::from_secs(20))).await;
}
