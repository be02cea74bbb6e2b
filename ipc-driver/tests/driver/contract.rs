//! Contracts: who hears which event, and that none is lost.

use crate::udp::{arrived, serve_udp, socket, tell, whereabouts};
use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{
    ConnectionError, Contract, ContractError, DataError, Empty, Failure, Request, RequestError, ServerEvent,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Contract, Debug, PartialEq)]
enum Chat {
    Message { from: String, text: String },
    Joined(String),
    Ping,
    Moved(i32, i32),
}

#[derive(Clone, Contract, Debug, PartialEq)]
enum News {
    Headline(String),
}

#[derive(Deserialize, Request, Serialize)]
#[request("sum", reply = i64)]
struct Sum {
    numbers: Vec<i64>,
}

impl Sum {
    fn of(numbers: &[i64]) -> Self {
        Self { numbers: numbers.into() }
    }

    fn answer(self) -> Result<i64, Failure> {
        if self.numbers.is_empty() {
            return Err(Failure::new("ERR_EMPTY", "nothing to add"));
        }
        Ok(self.numbers.iter().sum())
    }
}

fn all() -> Vec<Chat> {
    vec![
        Chat::Ping,
        Chat::Joined("ann".into()),
        Chat::Message { from: "ann".into(), text: "hi".into() },
        Chat::Moved(1, -2),
    ]
}

#[test]
fn a_contract_is_heard_in_the_order_in_which_it_was_said_in_both_directions() {
    let runtime = Fake::new(1);
    let server = serve(&runtime, config());
    server.on_typed(|peer, event: Chat| peer.emit_typed(&event));
    let client = connect(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    client.on_typed(move |event: Chat| to.push(event));
    let emitter = client.emitter();
    for event in all() {
        client.emit_typed(&event).unwrap();
        runtime.block_on(emitter.send_typed(&event)).unwrap();
    }
    runtime.run();
    let twice: Vec<_> = all().into_iter().flat_map(|event| [event.clone(), event]).collect();
    assert_eq!(log.take(), twice);
    for event in all() {
        assert_eq!(server.broadcast_typed(&event).unwrap().queued, 1);
    }
    runtime.run();
    assert_eq!(log.take(), all());
}

#[test]
fn what_a_contract_does_not_have_goes_to_another_and_to_the_stream() {
    let runtime = Fake::new(2);
    let server = serve(&runtime, config());
    let (chat, news) = (Log::default(), Log::default());
    let (to_chat, to_news) = (chat.clone(), news.clone());
    server.on_typed(move |_, event: Chat| to_chat.push(event));
    server.on_typed(move |_, event: News| to_news.push(event));
    let client = connect(&runtime, config());
    let mut events = server.events();
    client.emit_typed(&Chat::Ping).unwrap();
    client.emit_typed(&News::Headline("rain".into())).unwrap();
    client.emit("weather", "rain").unwrap();
    runtime.run();
    assert_eq!(chat.take(), [Chat::Ping]);
    assert_eq!(news.take(), [News::Headline("rain".into())]);
    let Some(ServerEvent::Message(_, message)) = runtime.block_on(events.recv()) else { panic!("the one nobody took") };
    assert_eq!(message.name(), "weather");
    assert!(matches!(Chat::try_from(&message), Err(ContractError::UnknownEvent { .. })));
}

#[test]
fn a_stream_is_read_as_a_contract_without_handlers() {
    let runtime = Fake::new(3);
    let server = serve(&runtime, config());
    let client = connect(&runtime, config());
    let mut events = server.events();
    for event in all() {
        client.emit_typed(&event).unwrap();
    }
    runtime.run();
    for expected in all() {
        let Some(ServerEvent::Message(_, message)) = runtime.block_on(events.recv()) else { panic!("{expected:?}") };
        assert_eq!(message.decode::<Chat>().unwrap(), expected);
    }
}

#[test]
fn a_payload_that_does_not_fit_and_an_error_of_the_handler_go_to_on_error() {
    let runtime = Fake::new(4);
    let server = serve(&runtime, config());
    let heard = Log::default();
    let to = heard.clone();
    server.on_typed(move |_, event: Chat| {
        to.push(event.clone());
        if event == Chat::Ping { Err("no pings here") } else { Ok(()) }
    });
    let errors = Log::default();
    let to = errors.clone();
    server.on_error(move |_, error| {
        let ConnectionError::Handler { source, .. } = error else { panic!("{error}") };
        to.push((source.is::<DataError>(), error.to_string()));
    });
    let client = connect(&runtime, config());
    client.emit("joined", &7).unwrap();
    client.signal("ping").unwrap();
    client.emit("joined", "bob").unwrap();
    runtime.run();
    assert_eq!(heard.take(), [Chat::Ping, Chat::Joined("bob".into())]);
    let errors = errors.take();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].0 && errors[0].1.contains("\"joined\""), "{errors:?}");
    assert!(!errors[1].0 && errors[1].1.contains("no pings here"), "{errors:?}");
}

#[test]
fn a_handler_of_one_variant_hears_that_one_with_its_payload() {
    let runtime = Fake::new(5);
    let server = serve(&runtime, config());
    let log = Log::default();
    let (joined, ping, moved, message) = (log.clone(), log.clone(), log.clone(), log.clone());
    server.on_variant(Chat::JOINED, move |_, who| joined.push(format!("{who} joined")));
    server.on_variant(Chat::PING, move |_, Empty| ping.push("ping".to_owned()));
    server.on_variant(Chat::MOVED, move |_, (x, y)| moved.push(format!("to {x}, {y}")));
    server.on_variant(Chat::MESSAGE, move |_, said| message.push(format!("{}: {}", said.from, said.text)));
    let client = connect(&runtime, config());
    for event in all() {
        client.emit_typed(&event).unwrap();
    }
    runtime.run();
    assert_eq!(log.take(), ["ping", "ann joined", "ann: hi", "to 1, -2"]);
    let to = log.clone();
    client.on_variant(Chat::JOINED, move |who| to.push(who));
    server.broadcast_typed(&Chat::Joined("eve".into())).unwrap();
    assert_eq!(server.all().emit_typed(&Chat::Joined("mia".into())).unwrap().queued, 1);
    assert_eq!(server.group("room").emit_typed(&Chat::Joined("nobody".into())).unwrap().queued, 0);
    assert_eq!(runtime.block_on(server.all().send_typed(&Chat::Joined("leo".into()))).unwrap().queued, 1);
    runtime.run();
    assert_eq!(log.take(), ["eve", "mia", "leo"]);
}

#[test]
fn every_registration_of_a_contract_can_be_taken_out() {
    let runtime = Fake::new(6);
    let server = serve(&runtime, config());
    let log = Log::default();
    let to = log.clone();
    let ids = server.on_typed(move |_, event: Chat| to.push(event));
    assert_eq!(ids.len(), Chat::NAMES.len());
    // The third name is `ping`.
    assert!(server.off(ids[2]));
    let client = connect(&runtime, config());
    for event in all() {
        client.emit_typed(&event).unwrap();
    }
    runtime.run();
    assert_eq!(log.take(), all()[1..]);
    assert!(ids.into_iter().filter(|id| server.off(*id)).count() == 3);
}

#[test]
fn contracts_are_spoken_over_udp_as_well() {
    let runtime = Fake::new(7);
    let server = serve_udp(&runtime, config());
    server.on_typed(|peer, event: Chat| peer.emit_typed(&event));
    let log = Log::default();
    let to = log.clone();
    server.on_variant(Chat::JOINED, move |_, who| to.push(who));
    let mut peer = socket(&runtime);
    tell(&runtime, &mut peer, frame("joined", "ann"));
    assert_eq!(arrived(&runtime, &mut peer), [frame("joined", "ann")]);
    assert_eq!(log.take(), ["ann"]);
    assert_eq!(server.broadcast_typed(&Chat::Moved(1, 2)).unwrap().queued, 1);
    assert_eq!(server.peer(whereabouts(&peer)).broadcast_typed(&Chat::Moved(3, 4)).unwrap().queued, 1);
    assert_eq!(
        arrived(&runtime, &mut peer),
        ["{\"type\":\"moved\",\"data\":[1,2]}\u{c}", "{\"type\":\"moved\",\"data\":[3,4]}\u{c}"]
    );
}

#[test]
fn a_question_of_a_contract_is_answered_whichever_side_asks() {
    let runtime = Fake::new(8);
    let server = serve(&runtime, config());
    let peers = every_peer(&server);
    let answering = server.on_request_typed(|_, question: Sum| question.answer());
    let client = connect(&runtime, config());
    client.on_request_typed(Sum::answer);
    let peer = peers.take().remove(0);
    runtime.block_on(async {
        assert_eq!(client.request_typed(&Sum::of(&[1, 2])).await.unwrap(), 3);
        assert_eq!(client.emitter().request_typed(&Sum::of(&[4])).await.unwrap(), 4);
        assert_eq!(peer.request_typed(&Sum::of(&[5, -6])).await.unwrap(), -1);
        let untyped = client.request::<i64>("sum", &serde_json::json!({ "numbers": [7, 8] }));
        assert_eq!(untyped.await.unwrap(), 15, "on the wire it is a request like any other");

        let failed = client.request_typed(&Sum::of(&[])).await.unwrap_err();
        assert!(matches!(&failed, RequestError::Remote { failure, .. } if failure.code() == "ERR_EMPTY"), "{failed}");
        assert!(server.off(answering));
        let failed = client.request_typed(&Sum::of(&[1])).await.unwrap_err();
        let unanswered = |failure: &Failure| failure.code() == Failure::NO_HANDLER;
        assert!(matches!(&failed, RequestError::Remote { failure, .. } if unanswered(failure)), "{failed}");
    });
}
