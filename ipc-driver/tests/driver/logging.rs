//! What is logged, to a logger and to `tracing`: never a payload unless it is asked for, and nothing at all when silent.

use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::runtime::Runtime;
use ipc_driver::{Config, Endpoint, Ipc, UdpServer};
use std::fmt::{Debug, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

fn plain() -> Config {
    config().log_in_color(false)
}

fn heard(set: impl FnOnce(Box<dyn Fn(&str) + Send + Sync>)) -> Log<String> {
    let log = Log::default();
    let to = log.clone();
    set(Box::new(move |line| to.push(line.to_owned())));
    log
}

#[test]
fn a_logger_hears_the_life_of_a_server_and_of_a_client() {
    let runtime = Fake::new(1);
    let server = server(&runtime, plain());
    let said = heard(|logger| server.set_logger(logger));
    runtime.block_on(server.start()).unwrap();
    let client = client(&runtime, plain().retry(SECOND));
    let of_client = heard(|logger| client.set_logger(logger));
    runtime.block_on(client.connect()).unwrap();
    client.emit("message\n\u{1b}[2J", "a secret").unwrap();
    runtime.run();
    server.peers()[0].abort();
    runtime.run();
    server.stop();
    client.disconnect();
    runtime.run();
    assert_eq!(
        said.take(),
        [
            "server tcp:127.0.0.1:8000 listens at tcp:127.0.0.1:8000",
            "server tcp:127.0.0.1:8000 peer #0 is connected",
            r#"server tcp:127.0.0.1:8000 received "message\n\u{1b}[2J" from peer #0, 47 bytes"#,
            r#"server tcp:127.0.0.1:8000 nobody handles "message\n\u{1b}[2J""#,
            "server tcp:127.0.0.1:8000 peer #0 is disconnected",
            "server tcp:127.0.0.1:8000 has stopped",
        ]
    );
    assert_eq!(
        of_client.take(),
        ["client tcp:127.0.0.1:8000 is connected", "client tcp:127.0.0.1:8000 is disconnected, and tries again in 1s",]
    );
}

#[test]
fn a_logger_hears_why_a_udp_server_forgets_somebody() {
    let runtime = Fake::new(1);
    let config = plain().max_udp_peers(1).udp_peer_expiry(SECOND);
    let server = crate::udp::serve_udp(&runtime, config);
    let said = heard(|logger| server.set_logger(logger));
    for from in ["10.0.0.1:9", "10.0.0.2:9"] {
        runtime.ether().carry(from.parse().unwrap(), crate::udp::here(), b"{\"type\":\"x\",\"data\":1}\x0c");
        runtime.run();
    }
    runtime.advance(SECOND * 2);
    let said = said.take();
    let forgets = |line: &&String| line.contains(" forgets ");
    let forgotten: Vec<_> = said.iter().filter(forgets).map(|line| &line[line.find("forgets").unwrap()..]).collect();
    assert_eq!(
        forgotten,
        [
            "forgets 10.0.0.1:9: another came, and maxUdpPeers allows no more",
            "forgets 10.0.0.2:9: nothing came from there for udpPeerExpiry",
        ]
    );
}

#[test]
fn payloads_are_shown_where_they_are_asked_for_as_deep_as_asked_for_and_in_colour() {
    let payload = serde_json::json!({ "deep": [1, [2]], "text": "\u{1b}[31m" });
    let last = |config: Config| {
        let runtime = Fake::new(2);
        let server = serve(&runtime, config);
        let said = heard(|logger| server.set_logger(logger));
        connect(&runtime, self::config()).emit("n", &payload).unwrap();
        runtime.run();
        said.take().into_iter().find(|line| line.contains("received")).unwrap()
    };
    let who = "tcp:127.0.0.1:8000";
    assert_eq!(
        last(plain().log_payloads(true)),
        format!(r#"server {who} received "n" from peer #0: {{ deep: [ 1, [ 2 ] ], text: "\u{{1b}}[31m" }}"#)
    );
    assert_eq!(
        last(plain().log_payloads(true).log_depth(0)),
        format!(r#"server {who} received "n" from peer #0: {{ deep: [Array], text: "\u{{1b}}[31m" }}"#)
    );
    let colour = last(config().log_payloads(true));
    assert!(colour.starts_with("\u{1b}[36mserver ") && colour.contains("\u{1b}[33m1\u{1b}[0m"), "{colour:?}");
    assert!(!colour.contains("\u{1b}[31m"), "the colour of the payload itself is not");
}

#[test]
fn an_instance_has_one_logger_for_itself_and_all_its_handles() {
    let runtime = Fake::new(3);
    let ipc = Ipc::with_runtime(runtime.clone(), plain());
    let early = ipc.serve_net(None, None).unwrap();
    let said = heard(|logger| ipc.set_logger(logger));
    runtime.block_on(early.start()).unwrap();
    let late = ipc.connect_to_net("world", None, None).unwrap();
    runtime.block_on(late.connect()).unwrap();
    runtime.run();
    ipc.log(format_args!("got {}", ipc.inspect().value(&[1, 2])));
    let lines = said.take();
    for part in ["listens at", "peer #0 is connected", "client tcp:127.0.0.1:8000 is connected", "got [ 1, 2 ]"] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part} is not in {lines:?}");
    }
    ipc.configure(|config| config.silent = true);
    ipc.log("nothing");
    assert_eq!(said.take(), [""; 0]);
}

/// Writes down every span and event, with what is in it.
struct Recorder {
    level: Level,
    lines: Log<String>,
    spans: AtomicU64,
    entered: Mutex<Vec<(u64, String)>>,
    names: Mutex<Vec<String>>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ipc" && *metadata.level() <= self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        self.names.lock().unwrap().push(fields.0);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let within: Vec<String> = self.entered.lock().unwrap().iter().map(|(_, name)| name.clone()).collect();
        self.lines.push(format!("[{}]{}", within.join(" > "), fields.0));
    }

    fn enter(&self, span: &Id) {
        let name = self.names.lock().unwrap()[span.into_u64() as usize - 1].clone();
        self.entered.lock().unwrap().push((span.into_u64(), name));
    }

    fn exit(&self, span: &Id) {
        let left = self.entered.lock().unwrap().pop();
        assert_eq!(
            left.map(|(id, _)| id),
            Some(span.into_u64()),
            "spans are left in the order in which they are entered"
        );
    }
}

/// Does `work` under a subscriber of that level, and gives what it has written down.
pub(crate) fn recorded(level: Level, work: impl FnOnce()) -> Vec<String> {
    let lines = Log::default();
    let recorder = Recorder {
        level,
        lines: lines.clone(),
        spans: AtomicU64::new(0),
        entered: Mutex::default(),
        names: Mutex::default(),
    };
    crate::journal::with(recorder, work);
    lines.take()
}

/// Runs a server and a client, whose handlers log something, under a subscriber of that level.
fn traced(level: Level, config: impl Fn() -> Config) -> Vec<String> {
    recorded(level, || {
        let runtime = Fake::new(4);
        let server = serve(&runtime, config());
        server.on("question", |peer, _: String| {
            tracing::info!(target: "ipc", "in the handler");
            peer.emit("answer", "another secret")
        });
        let client = connect(&runtime, config());
        client.on("answer", |_: String| tracing::info!(target: "ipc", "at home"));
        client.emit("question", "a secret").unwrap();
        client.emit("nobody's", "a secret").unwrap();
        runtime.run();
        client.disconnect();
        runtime.run();
    })
}

#[cfg(unix)]
#[test]
fn a_root_that_lacks_its_slash_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let said = |root: &str, silent: bool| {
        recorded(Level::WARN, || {
            let settings = settings(plain().socket_root(root).silent(silent));
            let beside = Endpoint::at_path(&settings, &format!("{root}/x")).unwrap();
            for endpoint in [Endpoint::local(&settings, Some("world")).unwrap(), beside, endpoint()] {
                drop(FakeClient::with_runtime(Fake::new(1), settings.clone(), endpoint).unwrap());
            }
        })
    };
    let settings = settings(plain().socket_root(root));
    let endpoint = Endpoint::local(&settings, Some("world")).unwrap();
    let client = FakeClient::with_runtime(Fake::new(1), settings, endpoint).unwrap();
    let [line] = &heard(|logger| client.set_logger(logger)).take()[..] else { panic!("no line, or several") };
    assert!(line.contains("warns: socketRoot"), "{line}");
    assert_eq!(said(&format!("{root}/not-there-yet"), false).len(), 1);
    let lines = said(root, false);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(line.contains(&format!("socketRoot {root:?}")) && line.contains(&format!("{root}app.world")), "{line}");
    for (root, silent) in [(format!("{root}/"), false), (format!("{root}/prefix-"), false), (root.to_owned(), true)] {
        assert_eq!(said(&root, silent), [""; 0]);
    }
}

#[test]
fn every_connection_and_every_handler_has_a_span() {
    let lines = traced(Level::TRACE, plain);
    let server = "ipc.connection at=server tcp:127.0.0.1:8000 peer=#0";
    let client = "ipc.connection at=client tcp:127.0.0.1:8000";
    for expected in [
        format!("[{server}] message=connected peer=#0"),
        format!("[{server}] message=received event=\"question\" bytes=37"),
        format!("[{server} > ipc.handler event=\"question\"] message=in the handler"),
        format!("[{client} > ipc.handler event=\"answer\"] message=at home"),
        format!("[{server}] message=nobody handles this event event=\"nobody's\""),
    ] {
        assert!(lines.contains(&expected), "{expected} is not in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:#?}");
    let lines = traced(Level::TRACE, || plain().log_payloads(true));
    assert!(lines.iter().any(|line| line.contains("payload=\"a secret\"")), "{lines:#?}");
}

#[test]
fn spans_of_handlers_are_made_only_where_somebody_wants_that_much() {
    let lines = traced(Level::DEBUG, plain);
    let server = "ipc.connection at=server tcp:127.0.0.1:8000 peer=#0";
    assert!(lines.contains(&format!("[{server}] message=in the handler")), "{lines:#?}");
    let end = format!("[{server}] message=disconnected peer=#0 ");
    assert!(lines.iter().any(|line| line.starts_with(&end)), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("message=received") || line.contains("ipc.handler")), "{lines:#?}");
    let lines = traced(Level::INFO, plain);
    let own = ["[] message=in the handler", "[] message=at home"];
    assert!(lines.iter().all(|line| line.contains("listening") || own.contains(&line.as_str())), "{lines:#?}");
}

#[test]
fn silent_is_silent() {
    let lines = traced(Level::TRACE, || plain().silent(true));
    assert_eq!(lines, ["[] message=in the handler", "[] message=at home"], "only what the program says itself");
    let runtime = Fake::new(5);
    let server = server(&runtime, plain().silent(true));
    let said = heard(|logger| server.set_logger(logger));
    runtime.block_on(server.start()).unwrap();
    connect(&runtime, config()).emit("n", &1).unwrap();
    runtime.run();
    assert_eq!(said.take(), [""; 0]);
}

#[test]
fn a_logger_hears_the_life_of_a_udp_server() {
    let runtime = Fake::new(6);
    let lines = |name: &str, port: u16| {
        [
            format!("udp udp4:127.0.0.1:{port} receives at udp4:127.0.0.1:{port}"),
            format!(r#"udp udp4:127.0.0.1:{port} received "{name}" from 127.0.0.1:{port}, 21 bytes"#),
        ]
    };
    let speak = |server: &crate::udp::FakeUdp, name: &str| {
        runtime.block_on(server.start()).unwrap();
        server.emit_to(server.local_address().unwrap(), name, &1).unwrap();
        runtime.run();
    };
    let endpoint = Endpoint::Udp4 { host: "127.0.0.1".into(), port: 8001 };
    let server = UdpServer::with_runtime(runtime.clone(), settings(plain()), endpoint).unwrap();
    let said = heard(|logger| server.set_logger(logger));
    speak(&server, "n");
    let ipc = Ipc::with_runtime(runtime.clone(), plain());
    let of_instance = heard(|logger| ipc.set_logger(logger));
    speak(&ipc.serve_udp4(None, Some(8002)).unwrap(), "m");
    for (said, expected) in [(said, lines("n", 8001)), (of_instance, lines("m", 8002))] {
        let said = said.take();
        for line in expected {
            assert!(said.contains(&line), "{line} is not in {said:#?}");
        }
    }
}

#[test]
fn a_reply_is_said_to_be_dropped_if_nobody_waits_for_it() {
    let replied = |token: &dyn Fn(&str) -> String, config: Config| {
        recorded(Level::TRACE, || {
            let runtime = Fake::new(7);
            let server = serve(&runtime, config);
            let mut end = dial(&runtime);
            let request = server.peers()[0].request::<u8>("sum", &());
            let answer = Log::default();
            let to = answer.clone();
            runtime.spawn(async move { to.push(request.await.is_ok()) });
            let asked = String::from_utf8(runtime.block_on(end.receive()).unwrap()).unwrap();
            let reply = asked.trim_end_matches('\u{c}').split("\"$request\":\"").nth(1).unwrap();
            let token = token(reply.split('"').next().unwrap());
            let reply = format!("{{\"type\":\"$reply\",\"data\":{{\"$reply\":\"{token}\",\"result\":1}}}}\u{c}");
            runtime.block_on(end.send(reply.as_bytes())).unwrap();
            runtime.run();
        })
        .into_iter()
        .any(|line| line.contains("dropped a reply"))
    };
    assert!(!replied(&str::to_owned, plain()));
    assert!(replied(&|token| format!("{token}1"), plain()));
    assert!(!replied(&|token| format!("{token}1"), plain().silent(true)));
}
