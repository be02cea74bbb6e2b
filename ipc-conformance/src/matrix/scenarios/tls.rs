//! TLS: whom an end believes, and whom it does not.

use serde_json::{Value, json};

use crate::matrix::failure::{Outcome, data, same};
use crate::matrix::scenario::{Scenario, Transport};
use crate::matrix::stage::{Pair, Stage};

const TLS: &[Transport] = &[Transport::Tls];
const MUTUAL: &[Transport] = &[Transport::MutualTls];
const BOTH: &[Transport] = &[Transport::Tls, Transport::MutualTls];

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("tls-talks", BOTH, "who trusts the other's authority talks to it", |stage| {
        let Pair { server: _server, mut client } = stage.echo_pair()?;
        client.emit("hello", &json!("in secret"))?;
        same("the echo", data(&client.event("hello")?), &json!("in secret"))
    }),
    Scenario::new("tls-untrusted-server", TLS, "a server of an authority unknown to the client is refused", |stage| {
        refused(stage, json!({}), json!({"trustedConnections": [stage.place.file("otherca.crt")]}))
    }),
    Scenario::new(
        "tls-expired-server",
        TLS,
        "a server with an expired certificate is refused, if it serves at all",
        |stage| refused(stage, stage.place.identity("expired"), json!({})),
    ),
    Scenario::new("tls-wrong-name", TLS, "a server whose certificate is for another name is refused", |stage| {
        refused(stage, stage.place.identity("wrongname"), json!({}))
    }),
    Scenario::new("tls-unverified", TLS, "a client told to verify nothing accepts any certificate", |stage| {
        let client = json!({"rejectUnauthorized": false, "trustedConnections": [stage.place.file("otherca.crt")]});
        let Pair { server: _server, mut client } =
            stage.pair(json!({"echo": true}), json!({"config": {"tls": client}}))?;
        client.emit("hello", &json!(1))?;
        client.event("hello").map(drop)
    }),
    Scenario::new(
        "tls-client-without-certificate",
        MUTUAL,
        "a server that wants certificates does not hear a client without one",
        |stage| refused(stage, json!({}), json!({"private": null, "public": null})),
    ),
    Scenario::new(
        "tls-client-of-another-authority",
        MUTUAL,
        "a client of an authority unknown to the server is not heard",
        |stage| refused(stage, json!({}), stage.place.identity("otherclient")),
    ),
    Scenario::new("tls-client-in-clear", TLS, "a client in clear is not heard by a server with TLS", |stage| {
        let server = stage.server(json!({}))?;
        let hello = json!({"src": "client", "type": "connect", "do": [{"cmd": "emit", "type": "hello", "data": 1}]});
        let client = stage.client(json!({"config": {"tls": false}, "when": [hello]}))?;
        client.event("disconnect")?;
        server.never(0, "hello")
    }),
    Scenario::new("tls-server-in-clear", TLS, "a client with TLS is not heard by a server in clear", |stage| {
        let server = stage.server(json!({"config": {"tls": false}}))?;
        let hello = json!({"src": "client", "type": "connect", "do": [{"cmd": "emit", "type": "hello", "data": 1}]});
        let _client = stage.client(json!({"when": [hello]}))?;
        server.never(0, "hello")
    }),
    Scenario::new(
        "tls-refused-clients-harm-nobody",
        TLS,
        "while one client refuses the server, another is served",
        |stage| {
            let Pair { server: _server, mut client } = stage.echo_pair()?;
            let stranger = json!({"config": {"tls": {"trustedConnections": [stage.place.file("otherca.crt")]}}});
            stage.client(stranger)?.event("error")?;
            client.emit("still", &json!("here"))?;
            same("the echo", data(&client.event("still")?), &json!("here"))
        },
    ),
];

/// With these members of `tls` more, unless the server will not have them, the client is disconnected, and the server hears nothing
/// that it emits.
fn refused(stage: &Stage<'_>, server: Value, client: Value) -> Outcome {
    // A server may see by itself that nobody would believe it, and not start.
    let Some(server) = stage.server_if_it_will(json!({"config": {"tls": server}}))? else { return Ok(()) };
    let hello = json!({"src": "client", "type": "connect", "do": [{"cmd": "emit", "type": "hello", "data": 1}]});
    let client = stage.client(json!({"config": {"tls": client}, "when": [hello]}))?;
    // Over TLS 1.3 a refused client may see no more than the end.
    client.event("disconnect")?;
    server.never(0, "hello")
}
