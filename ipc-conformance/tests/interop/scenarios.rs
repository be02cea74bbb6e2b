//! What peers must do together. Only behaviour that all versions of node-ipc share is asked for here.

use ipc_conformance::process::{PeerProcess, ProcessError};
use ipc_conformance::wine::skip_under_wine;
use serde_json::{Value, json};
use std::time::Duration;

use crate::party::{Over, Party, Place, free_udp_ports};

/// What Wine cannot do: seen with programs that use Tokio alone.
const KILLED: &str = "the end of a TCP connection whose process is killed is not always reported there";

/// A server and a connected client, unless one of them cannot be had.
struct Pair {
    place: Place,
    server: PeerProcess,
    client: PeerProcess,
}

impl Pair {
    fn start(server: Party, client: Party, over: Over, server_more: Value, client_more: Value) -> Option<Self> {
        let place = Place::new(over);
        let server = server.start(place.options("server", server_more))?;
        let client = client.start(place.options("client", client_more))?;
        client.event("connect").expect("the client connects");
        server.event("connect").expect("the server sees it");
        Some(Self { place, server, client })
    }
}

fn emit(peer: &mut PeerProcess, event: &str, data: &Value) {
    peer.command(json!({"cmd": "emit", "type": event, "data": data})).expect("emitted");
}

/// The first arguments of the events of a type, in order.
fn data_of(peer: &PeerProcess, event: &str) -> Vec<Value> {
    let events = peer.events().into_iter().filter(|(kind, _)| kind == event);
    events.map(|(_, args)| args[0].clone()).collect()
}

pub(crate) fn values_come_back_as_they_went(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({"echo": true}), json!({})) else { return };
    let values = [
        json!({"z": [1, -2.5, 1e21, true, false, null], "1": {"deep": [[[]], {}]}, "text": "é€😀\u{c}\n\"\\\u{0}\u{7f}\u{2028}"}),
        json!([]),
        json!({}),
        json!("text"),
        json!(42),
        json!(false),
        json!([null, "", 0]),
        json!({"$t": "object", "entries": [["$t", 1], [{"$t": "utf16", "units": [55296]}, {"$t": "utf16", "units": [56320, 65]}]]}),
        json!({"$t": "nest", "kind": "array", "n": 500, "leaf": 1}),
    ];
    for (at, value) in values.iter().enumerate() {
        emit(&mut pair.client, &format!("value {at}"), value);
    }
    for (at, value) in values.iter().enumerate() {
        let name = format!("value {at}");
        let there = pair.server.event(&name).expect("it arrives");
        let back = pair.client.event(&name).expect("it comes back");
        assert_eq!((&there["args"][0], &there["data_json"]), (&back["args"][0], &back["data_json"]), "{name}");
        if value["$t"] != "nest" {
            assert_eq!(&back["args"][0], value, "{name}");
        }
    }
}

pub(crate) fn a_burst_keeps_its_order(server: Party, client: Party, over: Over) {
    const COUNT: usize = 2_000;
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({})) else { return };
    let list: Vec<Value> = (0..COUNT).map(|n| json!({"type": "n", "data": n})).collect();
    pair.client.command(json!({"cmd": "emitMany", "list": list})).expect("emitted");
    emit(&mut pair.client, "end", &json!(0));
    pair.server.event("end").expect("the last one arrives");
    let expected: Vec<Value> = (0..COUNT).map(|n| json!(n)).collect();
    assert_eq!(data_of(&pair.server, "n"), expected);
}

pub(crate) fn a_large_message_arrives_whole(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({"echo": true}), json!({})) else { return };
    emit(&mut pair.client, "large", &json!({"$t": "repeat", "s": "0123456789é", "n": 200_000, "suffix": "end"}));
    let there = pair.server.event("large").expect("it arrives")["args"][0].clone();
    let back = pair.client.event("large").expect("it comes back")["args"][0].clone();
    assert_eq!((there["utf16_length"].as_u64(), there["utf8_length"].as_u64()), (Some(2_200_003), Some(2_400_003)));
    assert_eq!(there, back);
}

pub(crate) fn a_broadcast_reaches_every_client(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({})) else { return };
    let more: Vec<_> = (0..2).filter_map(|_| client.start(pair.place.options("client", json!({})))).collect();
    for other in &more {
        other.event("connect").expect("connected");
    }
    let all_there = |server: &mut PeerProcess| {
        server.command(json!({"cmd": "state"})).expect("state")["server"]["sockets"] == json!(1 + more.len())
    };
    while !all_there(&mut pair.server) {
        std::thread::yield_now();
    }
    let news = json!({"id": 7, "list": [1, 2]});
    pair.server.command(json!({"cmd": "broadcast", "type": "news", "data": news})).expect("broadcast");
    for peer in more.iter().chain([&pair.client]) {
        assert_eq!(peer.event("news").expect("heard")["args"][0], news);
    }
}

pub(crate) fn a_client_comes_back_when_the_server_does(server: Party, client: Party, over: Over) {
    if over != Over::Unix && skip_under_wine(KILLED) {
        return;
    }
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({})) else { return };
    let mark = pair.client.mark();
    pair.server.kill();
    pair.client.event_after(mark, "disconnect").expect("the loss is seen");
    let Some(again) = server.start(pair.place.options("server", json!({}))) else { return };
    pair.client.event_after(mark, "connect").expect("it connects again");
    again.event("connect").expect("the new server sees it");
    emit(&mut pair.client, "hello", &json!("again"));
    assert_eq!(again.event("hello").expect("it arrives")["args"][0], "again");
}

pub(crate) fn a_client_that_disconnects_is_missed(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({})) else { return };
    pair.client.command(json!({"cmd": "disconnect"})).expect("disconnected");
    pair.server.event("socket.disconnected").expect("it is seen");
    pair.server.event("close").expect("and the socket is closed");
    assert_eq!(pair.server.command(json!({"cmd": "state"})).expect("state")["server"]["sockets"], 0);
}

pub(crate) fn a_dropped_client_connects_again(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({})) else { return };
    let (there, here) = (pair.server.mark(), pair.client.mark());
    pair.server.command(json!({"cmd": "destroySocket", "socket": 0})).expect("dropped");
    pair.client.event_after(here, "disconnect").expect("the loss is seen");
    pair.client.event_after(here, "connect").expect("it connects again");
    let seen = pair.server.event_after(there, "connect").expect("the server sees it");
    assert_eq!(seen["args"][0]["n"], 1, "another socket");
}

pub(crate) fn a_client_gives_up_after_its_retries(server: Party, client: Party, over: Over) {
    if over != Over::Unix && skip_under_wine(KILLED) {
        return;
    }
    let Some(mut pair) =
        Pair::start(server, client, over, json!({}), json!({"config": {"maxRetries": 2, "retry": 20}}))
    else {
        return;
    };
    let mark = pair.client.mark();
    pair.server.kill();
    pair.client.event_after(mark, "destroy").expect("it gives up");
    let lost = pair.client.lines().split_off(mark);
    let count = |name: &str| lost.iter().filter(|line| line["type"] == name).count();
    assert_eq!((count("connect"), count("error"), count("disconnect")), (0, 2, 3));
}

pub(crate) fn a_sync_client_waits_for_answers(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({"config": {"sync": true}})) else {
        return;
    };
    let list: Vec<Value> = (0..3).map(|n| json!({"type": "ask", "data": n})).collect();
    pair.client.command(json!({"cmd": "emitMany", "list": list})).expect("queued");
    for n in 0..3 {
        pair.server
            .wait_for(0, "the next question", |line| line["type"] == "ask" && line["args"][0] == n)
            .expect("it arrives");
        assert_eq!(data_of(&pair.server, "ask").len(), n + 1, "no question before the answer");
        emit(&mut pair.server, "answer", &json!(n));
    }
    pair.client
        .wait_for(0, "the last answer", |line| line["type"] == "answer" && line["args"][0] == 2)
        .expect("it arrives");
}

pub(crate) fn raw_bytes_arrive_as_they_were(server: Party, client: Party, over: Over) {
    // 9.2.1 and 12.0.0 receive raw bytes as text in that encoding: these are bytes that each of them does not change.
    let cases = [
        ("utf8", "68656c6c6fc3a90c0a"),
        ("ascii", "00010a0c7f41"),
        ("utf16le", "41000cd83cdf7f00"),
        ("ucs2", "68006900"),
        ("base64", "00ff0c7b2280"),
        ("hex", "00ff0c7b22800a"),
        ("latin1", "00ff0c7b22800a"),
    ];
    for (encoding, bytes) in cases {
        let raw = json!({"config": {"rawBuffer": true, "encoding": encoding}});
        let Some(mut pair) = Pair::start(server, client, over, raw.clone(), raw) else { return };
        let heard = |peer: &PeerProcess| {
            let all = |peer: &PeerProcess| -> String {
                data_of(peer, "data").iter().filter_map(|data| data["hex"].as_str().map(str::to_owned)).collect()
            };
            peer.event("data").expect("bytes arrive");
            for _ in 0..200 {
                if all(peer).len() >= bytes.len() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            all(peer)
        };
        let buffer = json!({"$t": "buffer", "hex": bytes});
        pair.client.command(json!({"cmd": "emit", "type": buffer})).expect("emitted");
        assert_eq!(heard(&pair.server), bytes, "to the server with {encoding}");
        pair.server.command(json!({"cmd": "emit", "socket": 0, "type": buffer})).expect("emitted");
        assert_eq!(heard(&pair.client), bytes, "to the client with {encoding}");
    }
}

/// The examples of node-ipc's README: a text, arrays of bytes, and integers in a buffer.
pub(crate) fn the_raw_examples_of_the_readme_work(server: Party, client: Party, over: Over) {
    let buffer = |hex: &str| json!({"$t": "buffer", "hex": hex});
    let cases = [
        ("utf8", json!("hello"), "68656c6c6f"),
        ("hex", json!([10, 20, 30]), "0a141e"),
        ("hex", json!([0x05, 0x6d, 0x5c]), "056d5c"),
        // A 16-bit and a 32-bit integer, big-endian and little-endian: 2 and 16772812.
        ("hex", buffer("000200ffeecc"), "000200ffeecc"),
        ("hex", buffer("0200cceeff00"), "0200cceeff00"),
    ];
    for (encoding, value, bytes) in cases {
        let raw = json!({"config": {"rawBuffer": true, "encoding": encoding}});
        let Some(mut pair) = Pair::start(server, client, over, raw.clone(), raw) else { return };
        pair.client.command(json!({"cmd": "emit", "type": value})).expect("emitted");
        assert_eq!(pair.server.event("data").expect("bytes arrive")["args"][0]["hex"], bytes);
        pair.server.command(json!({"cmd": "emit", "socket": 0, "type": value})).expect("emitted");
        assert_eq!(pair.client.event("data").expect("bytes arrive")["args"][0]["hex"], bytes);
    }
}

pub(crate) fn another_delimiter_serves(server: Party, client: Party, over: Over) {
    let lines = json!({"config": {"delimiter": "\n"}, "echo": true});
    let Some(mut pair) = Pair::start(server, client, over, lines, json!({"config": {"delimiter": "\n"}})) else {
        return;
    };
    let text = json!("two\nlines\u{c}");
    emit(&mut pair.client, "text", &text);
    assert_eq!(pair.client.event("text").expect("it comes back")["args"][0], text);
}

pub(crate) fn names_of_lifecycle_events_are_names_like_others(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({}), json!({})) else { return };
    for name in ["error", "connect", "disconnect", "destroy", "close", "data", "start", "socket.disconnected"] {
        let (there, here) = (pair.server.mark(), pair.client.mark());
        emit(&mut pair.client, name, &json!({"from": "client"}));
        let seen = pair.server.event_after(there, name).expect("the server hears it");
        assert_eq!(seen["args"][0], json!({"from": "client"}), "{name}");
        pair.server
            .command(json!({"cmd": "emit", "socket": 0, "type": name, "data": {"from": "server"}}))
            .expect("emitted");
        let seen = pair.client.event_after(here, name).expect("the client hears it");
        assert_eq!(seen["args"][0], json!({"from": "server"}), "{name}");
    }
    emit(&mut pair.client, "still", &json!("here"));
    assert_eq!(pair.server.event("still").expect("the connection lives")["args"][0], "here");
}

pub(crate) fn a_full_server_lets_a_client_in_later(server: Party, client: Party, over: Over) {
    let Some(mut pair) = Pair::start(server, client, over, json!({"config": {"maxConnections": 1}}), json!({})) else {
        return;
    };
    let Some(mut second) = client.start(pair.place.options("client", json!({}))) else { return };
    second.event("connect").expect("a surplus client is accepted");
    second.event("disconnect").expect("and sent away");
    pair.client.command(json!({"cmd": "disconnect"})).expect("the first one leaves");
    let mark = pair.server.mark();
    pair.server.event_after(mark, "connect").expect("the second one is let in");
    emit(&mut second, "hello", &json!(2));
    pair.server.event("hello").expect("and heard");
}

/// Two servers over UDP. The first one's port comes first.
fn datagram_servers(one: Party, two: Party, udp: &str, config: Value) -> Option<(PeerProcess, PeerProcess, u16, u16)> {
    let host = if udp == "udp6" { "::1" } else { "127.0.0.1" };
    let (here, there) = free_udp_ports(host);
    let options =
        |port: u16| json!({"role": "server", "transport": udp, "host": host, "port": port, "config": config.clone()});
    Some((one.start(options(here))?, two.start(options(there))?, here, there))
}

/// Asks until it is heard: a datagram may be lost.
fn ask(from: &mut PeerProcess, command: &Value, to: &PeerProcess, event: &str) -> Value {
    let mut heard = Err(ProcessError::Refused { error: Value::Null });
    for _ in 0..20 {
        let mark = to.mark();
        from.command(command.clone()).expect("sent");
        heard = to.wait_within(mark, event, Duration::from_millis(500), |line| line["type"] == event);
        if heard.is_ok() {
            break;
        }
    }
    heard.expect("it arrives")
}

pub(crate) fn datagrams_are_answered(one: Party, two: Party, udp: &str) {
    let Some((mut one, mut two, here, there)) = datagram_servers(one, two, udp, json!({})) else { return };
    let host = if udp == "udp6" { "::1" } else { "127.0.0.1" };
    let question = json!({"cmd": "emit", "to": {"address": host, "port": here}, "type": "ask", "data": {"n": [1]}});
    let asked = ask(&mut two, &question, &one, "ask");
    assert_eq!((&asked["args"][0], &asked["args"][1]["port"]), (&json!({"n": [1]}), &json!(there)));
    assert_eq!(asked["args"][1]["address"], host);
    let answer = json!({"cmd": "emit", "socket": "last", "type": "answer", "data": "yes é"});
    assert_eq!(ask(&mut one, &answer, &two, "answer")["args"][0], "yes é");
}

pub(crate) fn a_large_datagram_arrives(one: Party, two: Party, udp: &str) {
    let Some((_one, mut two, here, _)) = datagram_servers(one, two, udp, json!({})) else { return };
    let host = if udp == "udp6" { "::1" } else { "127.0.0.1" };
    let text = json!({"$t": "repeat", "s": "u", "n": 60_000});
    let large = json!({"cmd": "emit", "to": {"address": host, "port": here}, "type": "large", "data": text});
    let heard = ask(&mut two, &large, &_one, "large");
    assert_eq!(heard["args"][0]["utf16_length"], 60_000);
}

pub(crate) fn a_broadcast_reaches_pushed_peers(one: Party, two: Party, udp: &str) {
    let Some((mut one, two, _, there)) = datagram_servers(one, two, udp, json!({})) else { return };
    let host = if udp == "udp6" { "::1" } else { "127.0.0.1" };
    one.command(json!({"cmd": "pushSocket", "to": {"address": host, "port": there}})).expect("added");
    let news = json!({"cmd": "broadcast", "type": "news", "data": {"all": true}});
    assert_eq!(ask(&mut one, &news, &two, "news")["args"][0], json!({"all": true}));
}

pub(crate) fn raw_datagrams_arrive_as_they_were(one: Party, two: Party, udp: &str) {
    // 9.2.1 and 12.0.0 read a raw datagram as text first; ASCII survives that.
    let raw = json!({"rawBuffer": true, "encoding": "utf8"});
    let Some((one, mut two, here, _)) = datagram_servers(one, two, udp, raw) else { return };
    let host = if udp == "udp6" { "::1" } else { "127.0.0.1" };
    let bytes = json!({"$t": "buffer", "hex": "000a7f616263"});
    let sent = json!({"cmd": "emit", "to": {"address": host, "port": here}, "type": bytes});
    assert_eq!(ask(&mut two, &sent, &one, "data")["args"][0]["hex"], "000a7f616263");
}
