//! What peers must do together. Only behaviour that all versions of node-ipc share is asked for here.

use ipc_conformance::process::{PeerProcess, ProcessError};
use serde_json::{Value, json};

use crate::party::{Party, Place, free_tcp_port, free_udp_ports};

/// A server and a connected client, unless one of them cannot be had.
struct Pair {
    place: Place,
    server: PeerProcess,
    client: PeerProcess,
}

impl Pair {
    fn start(server: Party, client: Party, server_more: Value, client_more: Value) -> Option<Self> {
        let place = Place::new();
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

pub(crate) fn values_come_back_as_they_went(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({"echo": true}), json!({})) else { return };
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

pub(crate) fn a_burst_keeps_its_order(server: Party, client: Party) {
    const COUNT: usize = 2_000;
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({})) else { return };
    let list: Vec<Value> = (0..COUNT).map(|n| json!({"type": "n", "data": n})).collect();
    pair.client.command(json!({"cmd": "emitMany", "list": list})).expect("emitted");
    emit(&mut pair.client, "end", &json!(0));
    pair.server.event("end").expect("the last one arrives");
    let expected: Vec<Value> = (0..COUNT).map(|n| json!(n)).collect();
    assert_eq!(data_of(&pair.server, "n"), expected);
}

pub(crate) fn a_large_message_arrives_whole(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({"echo": true}), json!({})) else { return };
    emit(&mut pair.client, "large", &json!({"$t": "repeat", "s": "0123456789é", "n": 200_000, "suffix": "end"}));
    let there = pair.server.event("large").expect("it arrives")["args"][0].clone();
    let back = pair.client.event("large").expect("it comes back")["args"][0].clone();
    assert_eq!((there["utf16_length"].as_u64(), there["utf8_length"].as_u64()), (Some(2_200_003), Some(2_400_003)));
    assert_eq!(there, back);
}

pub(crate) fn a_broadcast_reaches_every_client(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({})) else { return };
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

pub(crate) fn a_client_comes_back_when_the_server_does(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({})) else { return };
    let mark = pair.client.mark();
    pair.server.kill();
    pair.client.event_after(mark, "disconnect").expect("the loss is seen");
    let Some(again) = server.start(pair.place.options("server", json!({}))) else { return };
    pair.client.event_after(mark, "connect").expect("it connects again");
    again.event("connect").expect("the new server sees it");
    emit(&mut pair.client, "hello", &json!("again"));
    assert_eq!(again.event("hello").expect("it arrives")["args"][0], "again");
}

pub(crate) fn a_client_that_disconnects_is_missed(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({})) else { return };
    pair.client.command(json!({"cmd": "disconnect"})).expect("disconnected");
    pair.server.event("socket.disconnected").expect("it is seen");
    pair.server.event("close").expect("and the socket is closed");
    assert_eq!(pair.server.command(json!({"cmd": "state"})).expect("state")["server"]["sockets"], 0);
}

pub(crate) fn a_dropped_client_connects_again(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({})) else { return };
    let (there, here) = (pair.server.mark(), pair.client.mark());
    pair.server.command(json!({"cmd": "destroySocket", "socket": 0})).expect("dropped");
    pair.client.event_after(here, "disconnect").expect("the loss is seen");
    pair.client.event_after(here, "connect").expect("it connects again");
    let seen = pair.server.event_after(there, "connect").expect("the server sees it");
    assert_eq!(seen["args"][0]["n"], 1, "another socket");
}

pub(crate) fn a_client_gives_up_after_its_retries(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({"config": {"maxRetries": 2, "retry": 20}}))
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

pub(crate) fn a_sync_client_waits_for_answers(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({"config": {"sync": true}})) else { return };
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

pub(crate) fn raw_bytes_arrive_as_they_were(server: Party, client: Party) {
    // 9.2.1 and 12.0.0 receive raw bytes as text; only these encodings lose nothing.
    let raw = json!({"config": {"rawBuffer": true, "encoding": "hex"}});
    let Some(mut pair) = Pair::start(server, client, raw.clone(), raw) else { return };
    let heard = |peer: &PeerProcess| -> String {
        data_of(peer, "data").iter().filter_map(|data| data["hex"].as_str().map(str::to_owned)).collect()
    };
    let bytes = "00ff0c7b22800a";
    pair.client.command(json!({"cmd": "emit", "type": {"$t": "buffer", "hex": bytes}})).expect("emitted");
    pair.server.event("data").expect("bytes arrive");
    assert_eq!(heard(&pair.server), bytes);
    pair.server.command(json!({"cmd": "emit", "socket": 0, "type": bytes})).expect("emitted");
    pair.client.event("data").expect("bytes come back");
    assert_eq!(heard(&pair.client), bytes);
}

pub(crate) fn another_delimiter_serves(server: Party, client: Party) {
    let lines = json!({"config": {"delimiter": "\n"}, "echo": true});
    let Some(mut pair) = Pair::start(server, client, lines, json!({"config": {"delimiter": "\n"}})) else { return };
    let text = json!("two\nlines\u{c}");
    emit(&mut pair.client, "text", &text);
    assert_eq!(pair.client.event("text").expect("it comes back")["args"][0], text);
}

pub(crate) fn messages_go_over_tcp(server: Party, client: Party) {
    let tcp = json!({"transport": "tcp", "host": "127.0.0.1", "port": free_tcp_port(), "path": null});
    let mut server_options = tcp.clone();
    server_options["echo"] = json!(true);
    let Some(mut pair) = Pair::start(server, client, server_options, tcp) else { return };
    emit(&mut pair.client, "over", &json!({"tcp": [1]}));
    assert_eq!(pair.client.event("over").expect("it comes back")["data_json"], r#"{"tcp":[1]}"#);
}

pub(crate) fn names_of_lifecycle_events_are_names_like_others(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({}), json!({})) else { return };
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

pub(crate) fn a_full_server_lets_a_client_in_later(server: Party, client: Party) {
    let Some(mut pair) = Pair::start(server, client, json!({"config": {"maxConnections": 1}}), json!({})) else {
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

pub(crate) fn datagrams_are_answered(server: Party, client: Party) {
    let (here, there) = free_udp_ports();
    let options = |port: u16| json!({"role": "server", "transport": "udp4", "host": "127.0.0.1", "port": port});
    let Some(mut one) = server.start(options(here)) else { return };
    let Some(mut two) = client.start(options(there)) else { return };
    let to = json!({"address": "127.0.0.1", "port": here});
    // A datagram may be lost: asked again until it is answered.
    let mut heard = Err(ProcessError::Refused { error: Value::Null });
    for _ in 0..20 {
        two.command(json!({"cmd": "emit", "to": to, "type": "ask", "data": {"n": 1}})).expect("sent");
        heard = one.wait_within(0, "the question", std::time::Duration::from_millis(500), |line| line["type"] == "ask");
        if heard.is_ok() {
            break;
        }
    }
    let asked = heard.expect("the question arrives");
    assert_eq!((&asked["args"][0], &asked["args"][1]["port"]), (&json!({"n": 1}), &json!(there)));
    one.command(json!({"cmd": "emit", "socket": "last", "type": "answer", "data": "yes"})).expect("answered");
    assert_eq!(two.event("answer").expect("the answer arrives")["args"][0], "yes");
}
