//! Host names with several addresses: which are tried, in which order, and what a failure says.

use crate::world::{MILLISECOND, SECOND, config, settings};
use ipc_driver::fake::{Dial, Fake};
use ipc_driver::{Client, ClientEvent, Config, ConnectError, ConnectionError, Endpoint, Interface, IpFamily, Server};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4));
const OTHER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 6));

fn at(host: impl ToString) -> Endpoint {
    Endpoint::Tcp { host: host.to_string(), port: 8000 }
}

fn serve(runtime: &Fake, address: IpAddr) -> Server<Fake> {
    let server = Server::with_runtime(runtime.clone(), settings(config()), at(address)).unwrap();
    runtime.block_on(server.start()).unwrap();
    server
}

fn client(runtime: &Fake, config: Config) -> Client<Fake> {
    Client::with_runtime(runtime.clone(), settings(config), at("many")).unwrap()
}

/// What the first attempt says.
fn first_error(runtime: &Fake, config: Config) -> Arc<io::Error> {
    let client = client(runtime, config.max_retries(0));
    match runtime.block_on(client.connect()) {
        Err(ConnectError::GaveUp { last: Some(error), .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_that_refuses_is_passed_over_at_once() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V6, V4]);
    let _server = serve(&runtime, V4);
    let client = client(&runtime, config());
    runtime.block_on(client.connect()).unwrap();
    assert!(runtime.elapsed().is_zero());
}

#[test]
fn an_address_that_does_not_answer_delays_the_next_by_a_quarter_of_a_second() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V6, V4]);
    runtime.network().dial(&at(V6), [Dial::Hang]);
    let _server = serve(&runtime, V4);
    let client = client(&runtime, config());
    runtime.block_on(client.connect()).unwrap();
    assert_eq!(runtime.elapsed(), MILLISECOND * 250);
}

#[test]
fn the_first_to_answer_wins_though_it_was_asked_first() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V6, V4]);
    runtime.network().dial(&at(V6), [Dial::After(MILLISECOND * 400)]);
    runtime.network().dial(&at(V4), [Dial::After(SECOND)]);
    let (six, four) = (serve(&runtime, V6), serve(&runtime, V4));
    let client = client(&runtime, config());
    runtime.block_on(client.connect()).unwrap();
    runtime.advance(SECOND * 5);
    assert_eq!(runtime.elapsed(), MILLISECOND * 400 + SECOND * 5);
    assert_eq!((six.len(), four.len()), (1, 0), "the slower attempt is given up");
}

#[test]
fn families_take_turns() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V4, OTHER_V4, V6]);
    runtime.network().dial(&at(V4), [Dial::Hang]);
    runtime.network().dial(&at(OTHER_V4), [Dial::Hang]);
    let _server = serve(&runtime, V6);
    let client = client(&runtime, config());
    runtime.block_on(client.connect()).unwrap();
    assert_eq!(runtime.elapsed(), MILLISECOND * 250);
}

#[test]
fn if_none_answers_the_error_names_each() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V6, V4]);
    runtime.network().dial(&at(V6), [Dial::Fail(io::ErrorKind::HostUnreachable)]);
    let error = first_error(&runtime, config());
    assert_eq!(error.kind(), io::ErrorKind::HostUnreachable);
    let text = error.to_string();
    assert!(text.contains("10.0.0.4:8000") && text.contains("[fd00::6]:8000"), "{text}");
}

#[test]
fn of_very_many_addresses_the_first_are_tried_and_the_error_stays_readable() {
    let runtime = Fake::new(1);
    let many = (0..10_000_u16).map(|number| IpAddr::from([10, 1, (number >> 8) as u8, number as u8]));
    runtime.network().set_name("many", many);
    let told = first_error(&runtime, config()).to_string();
    assert_eq!(told.split("; ").count(), 64, "{told}");
    assert!(told.contains("10.1.0.0:8000") && told.contains("10.1.0.63:8000"), "{told}");
}

#[test]
fn only_the_family_asked_for_is_tried() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V6, V4]);
    let (six, four) = (serve(&runtime, V6), serve(&runtime, V4));
    let by_family = client(&runtime, config().interface(Interface::default().family(IpFamily::V4)));
    runtime.block_on(by_family.connect()).unwrap();
    let by_address = client(&runtime, config().interface(Interface::default().local_address(OTHER_V4)));
    runtime.block_on(by_address.connect()).unwrap();
    runtime.run();
    assert_eq!((six.len(), four.len()), (0, 2));
}

#[test]
fn a_host_without_an_address_of_that_family_is_an_error_that_says_so() {
    let runtime = Fake::new(1);
    runtime.network().set_name("many", [V4]);
    let six = Interface::default().family(IpFamily::V6);
    let error = first_error(&runtime, config().interface(six.clone()));
    assert!(error.to_string().contains("many: it has no IPv6 address"), "{error}");
    // With dns.V4MAPPED it has one.
    let mapped = Ipv4Addr::new(10, 0, 0, 4).to_ipv6_mapped();
    let _server = serve(&runtime, mapped.into());
    let hints = if cfg!(target_os = "linux") { 0x8 } else { 0x800 };
    let client = client(&runtime, config().interface(six.hints(hints)));
    runtime.block_on(client.connect()).unwrap();
}

#[test]
fn a_name_that_nobody_knows_is_a_failed_attempt() {
    let runtime = Fake::new(1);
    let client = client(&runtime, config().max_retries(1));
    let mut events = client.events();
    assert!(runtime.block_on(client.connect()).is_err());
    let mut errors = 0;
    runtime.block_on(async {
        while let Some(event) = events.recv().await {
            if let ClientEvent::Error(ConnectionError::Connect { source, .. }) = event {
                assert!(source.to_string().contains("many"), "{source}");
                errors += 1;
            }
        }
    });
    assert_eq!(errors, 2);
    // Known, but without addresses.
    runtime.network().set_name("many", []);
    assert_eq!(first_error(&runtime, config()).kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_lookup_of_the_users_takes_the_place_of_the_resolver() {
    let runtime = Fake::new(1);
    let _server = serve(&runtime, V4);
    let interface = Interface::default().family(IpFamily::V4).hints(32);
    let client = client(&runtime, config().interface(interface));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    client.set_lookup(move |query| {
        seen.lock().unwrap().push((query.host, query.family, query.hints));
        async move { Ok(vec![SocketAddr::new(V6, query.port), SocketAddr::new(V4, query.port)]) }
    });
    runtime.block_on(client.connect()).unwrap();
    assert_eq!(*asked.lock().unwrap(), [("many".to_owned(), Some(IpFamily::V4), Some(32))]);
}
