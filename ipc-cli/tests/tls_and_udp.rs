//! TLS and UDP, with certificates made for the occasion.
#![cfg(unix)]

mod common;

use common::{Place, Program, port_in};
use serde_json::json;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// A place with certificates: `ca.crt`, `server.crt`, `client.crt`, `expired.crt` and so on, each with its key.
fn place() -> Place {
    let place = Place::new();
    ipc_testkit::certificates::make(place.path()).expect("certificates");
    place
}

fn listening(place: &Place, args: &[&str]) -> (Program, u16) {
    let program = Program::start(place.command(args));
    let port = port_in(&program.said_on_stderr(|line| line.starts_with("listening at")));
    (program, port)
}

const SERVER: [&str; 6] = ["listen", "tls:127.0.0.1:0", "--cert", "server.crt", "--key", "server.key"];

#[test]
fn events_go_through_tls_to_whom_is_trusted_only() {
    let place = place();
    let (listener, port) = listening(&place, &common::args(&SERVER, &["--echo"]));
    let address = format!("tls:localhost:{port}");
    let answer = place.run(&["send", &address, "x", "1", "--await", "x", "--ca", "ca.crt"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], 1);
    assert_eq!(listener.line()["type"], "x");
    // By exact match of the server's own certificate, too.
    place.run(&["send", &address, "x", "--ca", "server.crt"]).expect(0);
    let wrong = place.run(&["send", &address, "x", "--ca", "otherca.crt"]).expect(3);
    wrong.says(&["cannot connect to tls:localhost", "UnknownIssuer", "--ca", "ipc doctor"]);
    let name = ["send", &address, "x", "--ca", "ca.crt", "--server-name", "elsewhere.example"];
    place.run(&name).expect(3).says(&["certificate"]);
    place.run(&["send", &address, "x", "--danger-accept-any-certificate"]).expect(0);
    place.run(&["send", &address, "x", "--insecure"]).expect(2);
    // A variable may name the file, too.
    let mut by_variable = place.command(&["send", &address, "x"]);
    by_variable.env("IPC_TLS_TRUSTED_CONNECTIONS", "ca.crt");
    Program::start(by_variable).end().expect(0);
}

#[test]
fn clients_show_certificates_where_the_server_asks_for_them() {
    let place = place();
    let (_listener, port) = listening(&place, &common::args(&SERVER, &["--echo", "--ca", "ca.crt"]));
    let address = format!("tls:localhost:{port}");
    let head = ["send", &address, "x", "--await", "x", "--ca", "ca.crt"];
    place.run(&common::args(&head, &["--cert", "client.crt", "--key", "client.key"])).expect(0);
    let refused = place.run(&head);
    assert!(matches!(refused.code, Some(3 | 6)), "{refused:?}");
    refused.says(&["help:"]);
    // With TLS 1.3 the refusal comes once the event is on its way, and our side perhaps closed.
    let refused = place.run(&["send", &address, "x", "1", "--ca", "ca.crt"]).expect(6);
    refused.says(&["it asks for a client certificate: set tls.private and tls.public"]);
    refused.says(&["help: show a certificate that the server trusts with --cert FILE and --key FILE"]);
    // The doctor says the same, and nothing of firewalls.
    let findings = place.run(&["doctor", &address, "--ca", "ca.crt"]).expect(1).lines();
    let problem = findings.iter().find(|finding| finding["level"] == "problem").expect("a problem");
    assert!(problem["text"].as_str().is_some_and(|text| text.contains("asks for a client certificate")), "{problem}");
    assert!(problem["help"].as_str().is_some_and(|help| help.contains("with --cert FILE and --key FILE")), "{problem}");
    // The server's own certificate is trusted: nothing has to be said of that.
    assert!(findings.iter().all(|finding| finding["about"] != "chain"), "{findings:?}");
    // One that is shown and not trusted is another matter.
    let untrusted = ["--cert", "otherclient.crt", "--key", "otherclient.key"];
    let findings = place.run(&common::args(&["doctor", &address, "--ca", "ca.crt"], &untrusted)).expect(1).lines();
    let problem = findings.iter().find(|finding| finding["level"] == "problem").expect("a problem");
    let help = problem["help"].as_str().unwrap_or_default();
    assert!(help.starts_with("that server trusts other certificates than that of --cert"), "{problem}");
}

#[test]
fn flags_of_tls_in_the_wrong_place_and_files_that_are_wrong_are_named() {
    let place = place();
    let ended = place.run(&["send", "unix:world", "x", "--ca", "ca.crt"]).expect(2);
    ended.says(&["addresses that begin with tls:"]);
    place.run(&["listen", "tls:127.0.0.1:0"]).expect(2).says(&["private key", "--cert FILE"]);
    place.run(&["listen", "tls:127.0.0.1:0", "--cert", "server.crt"]).expect(2).says(&["private key with --key"]);
    place.run(&["listen", "tls:127.0.0.1:0", "--key", "server.key"]).expect(2).says(&["certificate with --cert"]);
    let swapped = ["listen", "tls:127.0.0.1:0", "--cert", "server.key", "--key", "server.crt"];
    place.run(&swapped).expect(2).says(&["server.crt", "private key"]);
    let send = |flags: &[&str]| place.run(&common::args(&["send", "tls:127.0.0.1:1", "x"], flags)).expect(2);
    send(&["--ca", "nowhere.crt"]).says(&["nowhere.crt", "help: --ca is for a file of certificates to trust"]);
    send(&["--cert", "client.crt", "--key", "gone.key"]).says(&["gone.key", "help: --key is for the file"]);
}

#[test]
fn a_file_that_is_given_to_a_server_and_wrong_is_told_with_its_flag() {
    let place = place();
    std::fs::write(place.of("notes.txt"), "no certificate").expect("written");
    for (cert, key, help) in [
        ("server.crt", "gone.key", "help: --key is for the file of the private key; is the path right"),
        ("gone.crt", "server.key", "help: --cert is for the file of the certificate"),
        ("server.key", "server.crt", "help: --key is for the file of the private key, in PEM"),
        ("notes.txt", "server.key", "help: --cert is for the file of the certificate"),
        ("server.crt", "client.key", "help: give --key the private key that the certificate of --cert was made with"),
        ("expired.crt", "expired.key", "help: --cert is for the file of the certificate"),
    ] {
        let flags = ["--cert", cert, "--key", key];
        let listen = place.run(&common::args(&["listen", "tls:127.0.0.1:0"], &flags)).expect(2);
        listen.says(&[help]);
        assert!(!listen.stderr.contains("a TLS server needs"), "{listen:?}");
        let tap = place.run(&common::args(&["tap", "tls:127.0.0.1:0", "tcp:127.0.0.1:1"], &flags)).expect(2);
        tap.says(&[help]);
    }
}

#[test]
fn a_tap_opens_tls_on_either_side() {
    let place = place();
    let (_listener, port) = listening(&place, &common::args(&SERVER, &["--echo"]));
    let target = format!("tls:localhost:{port}");
    let (plain, clear) = listening(&place, &["tap", "tcp:127.0.0.1:0", &target, "--ca", "ca.crt"]);
    let clear = format!("tcp:{clear}");
    place.run(&["send", &clear, "in the clear", "1", "--await", "in the clear"]).expect(0);
    assert_eq!(plain.line_of("event")["type"], "in the clear");
    let both = ["tap", "tls:127.0.0.1:0", &target, "--ca", "ca.crt", "--cert", "server.crt", "--key", "server.key"];
    let (tap, port) = listening(&place, &both);
    let address = format!("tls:localhost:{port}");
    place.run(&["send", &address, "x", "2", "--await", "x", "--ca", "ca.crt"]).expect(0);
    let (there, back) = (tap.line_of("event"), tap.line_of("event"));
    assert_eq!((&there["from"], &back["from"]), (&json!("client"), &json!("server")));
    assert_eq!((&there["data"], &back["data"]), (&json!(2), &json!(2)));
    // Who does not speak TLS is told of, and the tap goes on.
    place.run(&["send", &format!("tcp:{port}"), "x", "--await", "y", "--timeout", "5"]).expect(6);
    let close = loop {
        let close = tap.line_of("close");
        if close.get("error").is_some() {
            break close;
        }
    };
    let error = close["error"].as_str().unwrap_or_default();
    assert!(error.contains("the handshake with the client failed: the peer does not speak TLS"), "{close}");
    // A server that is not trusted is told as a client would tell it.
    let target = ["tap", "tcp:127.0.0.1:0", &target, "--ca", "client.crt"];
    let (doubting, port) = listening(&place, &target);
    place.run(&["request", &format!("tcp:{port}"), "x"]).expect(6);
    let error = doubting.line_of("close")["error"].clone();
    let error = error.as_str().unwrap_or_default();
    assert!(error.contains("name one of them in tls.trustedConnections or tls.ca"), "{error}");
    assert!(error.contains("`ipc doctor`"), "{error}");
}

#[test]
fn the_doctor_reads_certificates_and_says_what_is_wrong() {
    let place = place();
    let findings = |args: &[&str], code: i32| {
        let ended = place.run(&common::args(&["doctor"], args)).expect(code);
        ended
            .lines()
            .into_iter()
            .map(|line| (line["level"].clone(), line["about"].clone(), line["text"].to_string()))
            .collect::<Vec<_>>()
    };
    let has = |all: &[(serde_json::Value, serde_json::Value, String)], level: &str, about: &str, text: &str| {
        let found = all.iter().any(|(l, a, t)| l == level && a == about && t.contains(text));
        assert!(found, "no {level} about {about} with {text:?} in {all:#?}");
    };
    let (_good, port) = listening(&place, &SERVER);
    let address = format!("tls:localhost:{port}");
    let good = findings(&[&address, "--ca", "ca.crt"], 0);
    has(&good, "good", "certificate", "CN=localhost issued by CN=interop test CA, valid from");
    has(&good, "good", "certificate", "for localhost, 127.0.0.1, ::1");
    has(&good, "good", "tls", "TLS 1.3");
    has(&good, "good", "answer", "stays connected");
    // What was said already, and what a client that trusts it need not do, is left out.
    assert!(!good.iter().any(|(_, about, _)| about == "address" || about == "chain"), "{good:#?}");
    let untrusted = findings(&[&address], 1);
    has(&untrusted, "problem", "answer", "UnknownIssuer");
    has(&untrusted, "note", "chain", "none of its issuer");
    let by_number = findings(&[&address.replace("localhost", "127.0.0.1"), "--ca", "ca.crt"], 0);
    assert!(!by_number.iter().any(|(_, about, _)| about == "host"), "{by_number:#?}");
    let wrong_name = findings(&[&address, "--ca", "ca.crt", "--server-name", "elsewhere.example"], 1);
    has(&wrong_name, "warning", "name", "does not carry the name elsewhere.example");

    let in_clear = findings(&[&address.replace("tls:", "tcp:"), "--probe"], 1);
    has(&in_clear, "problem", "tls", "that port is encrypted");
    let guarded = findings(&[&address.replace("tls:", "tcp:"), "--probe", "--preset", "v14-guarded"], 1);
    has(&guarded, "problem", "tls", "that port is encrypted");
    let (_plain, port) = listening(&place, &["listen", "tcp:127.0.0.1:0"]);
    has(&findings(&[&format!("tcp:localhost:{port}"), "--probe"], 0), "note", "version", "node-ipc 9 to 12");
    let (_strict, strict) = listening(&place, &["listen", "tcp:127.0.0.1:0", "--preset", "v14-fast"]);
    has(&findings(&[&format!("tcp:localhost:{strict}"), "--probe"], 0), "note", "version", "as node-ipc 14 does");
    let clear = findings(&[&format!("tls:localhost:{port}"), "--ca", "ca.crt"], 1);
    has(&clear, "problem", "tls", "there is no handshake");
    has(&findings(&[&format!("tcp:127.0.0.1:{}", common::free_port())], 1), "problem", "port", "nobody listens");
}

#[test]
fn events_go_over_udp_and_through_a_tap() {
    let place = Place::new();
    let (listener, port) = listening(&place, &["listen", "udp:127.0.0.1:0", "--echo"]);
    let target = format!("udp:127.0.0.1:{port}");
    let answer = place.run(&["send", &target, "x", "[1]", "--await", "x"]).expect(0);
    assert_eq!(answer.lines()[0]["data"], json!([1]));
    let line = listener.line();
    assert_eq!((&line["type"], &line["data"]), (&json!("x"), &json!([1])));
    assert!(line["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{line}");

    let (tap, port) = listening(&place, &["tap", "udp:127.0.0.1:0", &target]);
    place.run(&["send", &format!("udp:127.0.0.1:{port}"), "y", "2", "--await", "y"]).expect(0);
    let lines = [tap.line(), tap.line(), tap.line()];
    assert_eq!(lines.each_ref().map(|line| line["kind"].clone()), ["open", "event", "event"]);
    assert_eq!((&lines[1]["from"], &lines[2]["from"]), (&json!("client"), &json!("server")));

    // A datagram passes as it is, whatever it is.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let server = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let target = format!("udp:{}", server.local_addr().expect("bound"));
    let (tap, port) = listening(&place, &["tap", "udp:127.0.0.1:0", &target]);
    let bytes = b"\xff\x00 no \x0c event";
    socket.send_to(bytes, ("127.0.0.1", port)).expect("sent");
    let mut got = [0; 100];
    let (length, from) = server.recv_from(&mut got).expect("received");
    assert_eq!(&got[..length], bytes);
    server.send_to(b"back", from).expect("sent");
    assert_eq!(socket.recv(&mut got).expect("received"), 4);
    assert_eq!([tap.line_of("malformed")["bytes"].clone(), tap.line_of("unfinished")["bytes"].clone()], [6, 6]);
}

#[test]
fn the_doctor_is_no_client_that_speaks_no_tls() {
    let place = place();
    let (listener, port) = listening(&place, &SERVER);
    place.run(&["doctor", &format!("tls:127.0.0.1:{port}"), "--ca", "ca.crt"]).expect(0);
    listener.interrupt();
    let said = listener.end().expect(0).stderr;
    assert!(!said.contains("was not let in"), "{said}");
}

#[test]
fn an_answer_that_does_not_come_over_udp_may_be_for_want_of_a_peer() {
    let place = Place::new();
    let nobody = format!("udp:127.0.0.1:{}", common::free_port());
    let ended = place.run(&["send", &nobody, "x", "--await", "y", "--timeout", "0.1"]).expect(4);
    ended.says(&["none came within 0.1 s", "does a peer receive there, which over UDP nobody tells"]);
    assert!(!ended.stderr.contains("ipc sub"), "there is none over UDP: {ended:?}");
}

#[test]
fn what_has_no_meaning_over_udp_is_refused() {
    let place = Place::new();
    for command in ["sub", "bench"] {
        place.run(&[command, "udp:127.0.0.1:9"]).expect(2).says(&["over UDP there are no connections", "ipc listen"]);
    }
    place.run(&["tap", "udp:127.0.0.1:0", "tcp:9"]).expect(2).says(&["datagrams and streams"]);
    place.run(&["doctor", "udp:127.0.0.1:9"]).expect(0);
}

const SPEAKS_TLS: &str = "the peer speaks TLS, and the option tls is not set here";

#[test]
fn who_speaks_in_clear_to_a_port_of_tls_is_told_that_the_events_are_lost() {
    let place = place();
    let (_listener, port) = listening(&place, &common::args(&SERVER, &["--echo"]));
    let address = format!("tcp:localhost:{port}");
    for args in [
        &["send", &address, "x", "1"][..],
        &["send", &address, "x", "1", "--await", "x"],
        &["send", &address, "x", "1", "--preset", "v14-guarded"],
        &["send", &address, "x", "1", "-o", "slowConsumer=dropOldest", "-o", "sync=true"],
        &["request", &address, "x"],
        &["bench", &address, "-c", "2"],
    ] {
        let began = Instant::now();
        place.run(args).expect(6).says(&["the connection broke", SPEAKS_TLS, "write tls: instead of tcp:"]);
        assert!(began.elapsed() < Duration::from_secs(4), "{args:?} took {:?}", began.elapsed());
    }
    let lines = "{\"type\":\"x\"}\n".repeat(1000);
    place.run_with(&["send", &address], &lines).expect(6).says(&[SPEAKS_TLS]);
    place.run_with(&["send", &address, "--await", "x"], &lines).expect(6).says(&[SPEAKS_TLS]);
}

#[test]
fn who_speaks_tls_to_a_port_in_clear_is_told_to_write_tcp() {
    let place = place();
    let speaker = |says: &'static [u8]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            std::io::Write::write_all(&mut stream, says).expect("written");
            // Until it leaves.
            drop(std::io::copy(&mut stream, &mut std::io::sink()));
        });
        (format!("tls:localhost:{port}"), serving)
    };
    for (says, told) in [(&b"{\"type\":\"x\"}\x0c"[..], "does not speak TLS"), (b"", "was not complete after 300 ms")] {
        let (address, serving) = speaker(says);
        let send = ["send", &address, "x", "--ca", "ca.crt", "-o", "tls.handshakeTimeout=300"];
        place.run(&send).expect(3).says(&[told, "write tcp: instead of tls: if that server speaks no TLS"]);
        serving.join().expect("served");
    }
}

#[test]
fn a_port_in_clear_gets_its_events_whatever_it_says_meanwhile() {
    let place = Place::new();
    let (listener, port) = listening(&place, &["listen", "tcp:127.0.0.1:0", "--echo"]);
    let address = format!("tcp:localhost:{port}");
    place.run(&["send", &address, "x", "[1]"]).expect(0);
    assert_eq!(listener.line()["data"], json!([1]));
    let lines: String = (0..500).map(|n| format!("{{\"type\":\"n\",\"data\":{n}}}\n")).collect();
    place.run_with(&["send", &address], &lines).expect(0);
    for n in 0..500 {
        assert_eq!(listener.line()["data"], n);
    }
    let limited = place.run(&["send", &address, "x", "\"long enough\"", "-o", "maxMessageSize=20"]).expect(1);
    limited.says(&["cannot send the event x", "maxMessageSize"]);
}

#[test]
fn a_server_over_tcp_that_closes_without_a_word_may_be_one_of_tls() {
    let place = place();
    let (_listener, port) = listening(&place, &common::args(&SERVER, &["-o", "tls.handshakeTimeout=100"]));
    let address = format!("tcp:localhost:{port}");
    let hint = format!("nothing came from {address}; if that port is of TLS, use tls:localhost:{port}");
    place.run(&["sub", &address]).expect(0).says(&[&hint]);
    place.run(&["record", "news.ndjson", "--from", &address]).expect(0).says(&[&hint]);
    // Who has said something, or is no port, does not.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = format!("tcp:{}", listener.local_addr().expect("bound"));
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        std::io::Write::write_all(&mut stream, b"{\"type\":\"x\"}\x0c").expect("written");
    });
    let ended = place.run(&["sub", &address]).expect(0);
    assert!(!ended.stderr.contains("of TLS"), "{ended:?}");
    serving.join().expect("served");
}

#[test]
fn the_doctor_says_how_to_find_out_whether_a_port_is_of_tls_and_what_the_matter_is_with_one_that_is_not() {
    let place = place();
    let (_listener, port) = listening(&place, &SERVER);
    let looked = place.run(&["doctor", &format!("tcp:localhost:{port}")]).expect(0);
    let version = looked.lines().into_iter().find(|line| line["about"] == "version").expect("a note");
    assert!(version["text"].as_str().is_some_and(|text| text.contains("whether that port is of TLS")), "{version}");
    assert!(version["help"].as_str().is_some_and(|help| help.contains("--probe tells")), "{version}");

    let (_clear, port) = listening(&place, &["listen", "tcp:127.0.0.1:0"]);
    let looked = place.run(&["doctor", &format!("tls:localhost:{port}"), "--ca", "ca.crt"]).expect(1);
    let answer = looked.lines().into_iter().find(|line| line["about"] == "answer").expect("a problem");
    let help = answer["help"].as_str().expect("help");
    assert!(!help.contains("certificates above") && help.contains("use tcp:"), "{answer}");
}

#[test]
fn a_server_of_node_that_speaks_tls_is_found_out_though_it_sends_no_alert() {
    let place = place();
    if !common::has("node") {
        return;
    }
    let script = "const { readFileSync: read } = require('fs');
        const server = require('tls').createServer({ key: read('server.key'), cert: read('server.crt') });
        server.on('tlsClientError', () => {});
        server.listen(0, '127.0.0.1', () => console.error('listening at tls:127.0.0.1:' + server.address().port));";
    let mut command = std::process::Command::new("node");
    command.args(["-e", script]).current_dir(place.path());
    let server = Program::start(command);
    let port = port_in(&server.said_on_stderr(|line| line.starts_with("listening at")));
    let looked = place.run(&["doctor", &format!("tcp:127.0.0.1:{port}"), "--probe"]).expect(1);
    assert!(looked.stdout.contains("that port is encrypted"), "{looked:?}");
}

#[test]
fn a_datagram_that_cannot_be_sent_is_told_with_its_target() {
    let place = Place::new();
    place.run(&["send", "udp:127.0.0.1:0", "x"]).expect(1).says(&["cannot send the event x to udp4:127.0.0.1:0:"]);
    std::fs::write(place.of("large"), format!("\"{}\"", "x".repeat(70_000))).expect("written");
    let large = place.run(&["send", "udp:127.0.0.1:9", "x", "@large"]).expect(1);
    large.says(&["cannot send the event x to udp4:127.0.0.1:9: the event takes", "a datagram holds 65507"]);
    // What the system refuses is known after it was taken.
    let refused =
        ["1 datagram lost: cannot send to 255.255.255.255:9: ", "nothing is sent to broadcast addresses", "help:"];
    let broadcast = "udp:255.255.255.255:9";
    place.run(&["send", broadcast, "x"]).expect(3).says(&refused);
    place.run(&["send", broadcast, "x", "--await", "y"]).expect(3).says(&refused);
    place.run(&["request", broadcast, "x"]).expect(3).says(&refused);
    let ended = place.run_with(&["send", broadcast], "{\"type\":\"a\"}\n{\"type\":\"b\"}\n").expect(3);
    ended.says(&["2 datagrams lost: "]);
}

#[test]
fn what_cannot_be_listened_on_from_this_machine_is_told() {
    let place = Place::new();
    // Of a range for documentation, which no machine has.
    for address in ["tcp:192.0.2.1:8000", "udp:192.0.2.1:8000"] {
        place.run(&["listen", address]).expect(3).says(&["cannot listen at", "no address of this machine", "0.0.0.0"]);
    }
}

#[test]
fn the_name_that_is_meant_may_be_spelt_in_the_environment_as_its_flag_is() {
    let place = place();
    let (_listener, port) = listening(&place, &SERVER);
    let mut command = place.command(&["doctor", &format!("tls:localhost:{port}"), "--ca", "ca.crt"]);
    command.env("IPC_TLS_SERVER_NAME", "elsewhere.example");
    let ended = Program::start(command).end().expect(1);
    assert!(ended.stdout.contains("does not carry the name elsewhere.example"), "{ended:?}");
}
