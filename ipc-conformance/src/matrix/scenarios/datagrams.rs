//! UDP, over which both ends are servers. A datagram may be lost: who is not heard asks again.

use serde_json::{Value, json};
use std::net::UdpSocket;
use std::time::Duration;

use crate::matrix::failure::{Failure, Outcome, data, same};
use crate::matrix::scenario::{DATAGRAMS, Scenario, Transport};
use crate::matrix::stage::{Actor, Stage};

const UDP4: &[Transport] = &[Transport::Udp4];

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "datagrams-are-answered",
        DATAGRAMS,
        "a datagram arrives with its sender, and the answer finds the way back",
        |stage| {
            let Ends { mut one, mut two } = Ends::start(stage, json!({}))?;
            let asked = ask(&mut two, &emit(stage, 0, "ask", &json!({"n": [1]})), &one, "ask")?;
            same("the data", data(&asked), &json!({"n": [1]}))?;
            let from = &asked["args"][1];
            let here = (&json!(stage.transport.host()), &json!(stage.place.ports()[1]));
            same("the sender", &(&from["address"], &from["port"]), &here)?;
            let answer = json!({"cmd": "emit", "socket": "last", "type": "answer", "data": "yes é"});
            same("the answer", data(&ask(&mut one, &answer, &two, "answer")?), &json!("yes é"))
        },
    ),
    Scenario::new("datagrams-both-ways", DATAGRAMS, "each end can speak first", |stage| {
        let Ends { mut one, mut two } = Ends::start(stage, json!({}))?;
        same("to the second", data(&ask(&mut one, &emit(stage, 1, "down", &json!(1)), &two, "down")?), &json!(1))?;
        same("to the first", data(&ask(&mut two, &emit(stage, 0, "up", &json!(2)), &one, "up")?), &json!(2))
    }),
    Scenario::new("datagrams-unicode", UDP4, "texts of every kind arrive in datagrams", |stage| {
        let Ends { one, mut two } = Ends::start(stage, json!({}))?;
        let value = json!({"é": "漢字 😀 \u{c} \n \"", "list": [null, true, 1.5]});
        same("the data", data(&ask(&mut two, &emit(stage, 0, "text", &value), &one, "text")?), &value)
    }),
    Scenario::new("datagrams-are-echoed", UDP4, "an echo reaches who sent", |stage| {
        let Ends { one: _one, mut two } = Ends::start(stage, json!({"echo": true}))?;
        same("the echo", data(&heard_back(&mut two, &emit(stage, 0, "ping", &json!([1, 2])))?), &json!([1, 2]))
    }),
    Scenario::new("datagrams-large", UDP4, "a datagram of 60,000 characters arrives whole", |stage| {
        let Ends { one, mut two } = Ends::start(stage, json!({}))?;
        let text = json!({"$t": "repeat", "s": "u", "n": 60_000});
        let heard = ask(&mut two, &emit(stage, 0, "large", &text), &one, "large")?;
        same("its length", &data(&heard)["utf16_length"], &json!(60_000))
    }),
    Scenario::new("datagrams-many", UDP4, "fifty datagrams one after the other arrive", |stage| {
        let Ends { one, mut two } = Ends::start(stage, json!({}))?;
        for n in 0..50 {
            ask(&mut two, &emit(stage, 0, &format!("n {n}"), &json!(n)), &one, &format!("n {n}"))?;
        }
        Ok(())
    }),
    Scenario::new(
        "datagrams-broadcast-to-pushed",
        DATAGRAMS,
        "a broadcast reaches the addresses that were added",
        |stage| {
            let Ends { mut one, two } = Ends::start(stage, json!({}))?;
            one.tell(
                json!({"cmd": "pushSocket", "to": {"address": stage.transport.host(), "port": stage.place.ports()[1]}}),
            )?;
            let news = json!({"cmd": "broadcast", "type": "news", "data": {"all": true}});
            same("the news", data(&ask(&mut one, &news, &two, "news")?), &json!({"all": true}))
        },
    ),
    Scenario::new("datagrams-broadcast-to-senders", UDP4, "a broadcast reaches who was heard", |stage| {
        let Ends { mut one, mut two } = Ends::start(stage, json!({}))?;
        ask(&mut two, &emit(stage, 0, "hello", &json!(1)), &one, "hello")?;
        let news = json!({"cmd": "broadcast", "type": "news", "data": 1});
        ask(&mut one, &news, &two, "news").map(drop)
    }),
    Scenario::new("datagrams-raw", DATAGRAMS, "raw ASCII bytes arrive in datagrams", |stage| {
        // 9.2.1 and 12.0.0 read a raw datagram as text first; ASCII survives that.
        let Ends { one, mut two } = Ends::start(stage, json!({"config": {"rawBuffer": true, "encoding": "utf8"}}))?;
        let bytes = json!({"$t": "buffer", "hex": "000a7f616263"});
        let heard = ask(&mut two, &raw(stage, &bytes), &one, "data")?;
        same("the bytes", &data(&heard)["hex"], &json!("000a7f616263"))
    }),
    Scenario::new("datagrams-raw-binary", UDP4, "any raw bytes arrive in datagrams", |stage| {
        let Ends { one, mut two } = Ends::start(stage, json!({"config": {"rawBuffer": true, "encoding": "utf8"}}))?;
        let bytes = json!({"$t": "buffer", "hex": "fffe80c3"});
        let heard = ask(&mut two, &raw(stage, &bytes), &one, "data")?;
        same("the bytes", &data(&heard)["hex"], &json!("fffe80c3"))
    }),
    Scenario::new("datagrams-of-several-frames", UDP4, "two frames in one datagram both arrive", |stage| {
        let Ends { one, two: _two } = Ends::start(stage, json!({}))?;
        from_outside(stage, b"{\"type\":\"a\",\"data\":1}\x0c{\"type\":\"b\",\"data\":2}\x0c", &one, "b")?;
        same("the first", data(&one.event("a")?), &json!(1))
    })
    .with_bytes(),
    Scenario::new(
        "datagrams-malformed",
        UDP4,
        "a datagram that is no JSON is told as an error and harms nobody",
        |stage| {
            let Ends { one, mut two } = Ends::start(stage, json!({}))?;
            from_outside(stage, b"no JSON at all\x0c", &one, "error")?;
            ask(&mut two, &emit(stage, 0, "still", &json!(1)), &one, "still").map(drop)
        },
    )
    .with_bytes(),
    Scenario::new("datagrams-without-type", UDP4, "a datagram without a type harms nobody", |stage| {
        let Ends { one, mut two } = Ends::start(stage, json!({}))?;
        let socket = outside(stage)?;
        socket.send(b"{\"data\":1}\x0c")?;
        std::thread::sleep(Duration::from_millis(50));
        ask(&mut two, &emit(stage, 0, "still", &json!(1)), &one, "still").map(drop)
    })
    .with_bytes(),
    Scenario::new(
        "datagrams-of-a-killed-peer",
        UDP4,
        "datagrams to a peer that is gone do no harm, and reach its successor",
        |stage| {
            let Ends { mut one, mut two } = Ends::start(stage, json!({}))?;
            two.kill();
            one.tell(emit(stage, 1, "lost", &json!(1)))?;
            one.tell(emit(stage, 1, "lost", &json!(2)))?;
            let again = stage.client(json!({}))?;
            ask(&mut one, &emit(stage, 1, "hello", &json!(3)), &again, "hello").map(drop)
        },
    )
    .that_kills(),
];

/// Two servers.
struct Ends {
    one: Actor,
    two: Actor,
}

impl Ends {
    /// The first with these options more; the second has the same configuration.
    fn start(stage: &Stage<'_>, more: Value) -> Outcome<Self> {
        let config = more["config"].clone();
        let second = if config.is_null() { json!({}) } else { json!({"config": config}) };
        Ok(Self { one: stage.server(more)?, two: stage.client(second)? })
    }
}

fn emit(stage: &Stage<'_>, end: usize, event: &str, data: &Value) -> Value {
    let to = json!({"address": stage.transport.host(), "port": stage.place.ports()[end]});
    json!({"cmd": "emit", "to": to, "type": event, "data": data})
}

fn raw(stage: &Stage<'_>, bytes: &Value) -> Value {
    let to = json!({"address": stage.transport.host(), "port": stage.place.ports()[0]});
    json!({"cmd": "emit", "to": to, "type": bytes})
}

/// How long one waits for a datagram before it is taken for lost.
const LOST: Duration = Duration::from_millis(300);

/// Gives the command again and again until the other end hears the event.
fn ask(from: &mut Actor, command: &Value, to: &Actor, event: &str) -> Outcome<Value> {
    again(event, |_| {
        let mark = to.mark();
        from.tell(command.clone())?;
        to.wait_for(mark, event, LOST, |line| line["ev"] == "event" && line["type"] == event)
    })
}

/// The same, but it is the sender that must hear it.
fn heard_back(from: &mut Actor, command: &Value) -> Outcome<Value> {
    again("the echo", |_| {
        let mark = from.mark();
        from.tell(command.clone())?;
        from.wait_for(mark, "the echo", LOST, |line| line["ev"] == "event" && line["type"] == command["type"])
    })
}

/// Sends bytes from a socket of the runner until the server tells the event.
fn from_outside(stage: &Stage<'_>, bytes: &[u8], to: &Actor, event: &str) -> Outcome<Value> {
    let socket = outside(stage)?;
    again(event, |_| {
        let mark = to.mark();
        socket.send(bytes)?;
        to.wait_for(mark, event, LOST, |line| line["ev"] == "event" && line["type"] == event)
    })
}

fn outside(stage: &Stage<'_>) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind((stage.transport.host(), 0))?;
    socket.connect((stage.transport.host(), stage.place.ports()[0]))?;
    Ok(socket)
}

fn again(event: &str, mut attempt: impl FnMut(usize) -> Outcome<Value>) -> Outcome<Value> {
    /// Datagrams on one machine are rarely lost; this many in a row are not.
    const ATTEMPTS: usize = 5;
    let mut last = Err(Failure::new(format!("{event}: nothing was sent")));
    for number in 0..ATTEMPTS {
        last = attempt(number);
        if last.is_ok() {
            break;
        }
    }
    last
}
