//! An instance with its clients and its server, on the runtime of the calling thread.

use crate::world::*;
use ipc_driver::fake::Fake;
use ipc_driver::{ClientEvent, ConnectError, Ipc, UdpEvent};

#[test]
fn an_instance_is_found_in_the_runtime_that_runs_and_nowhere_else() {
    let ipc = Ipc::<Fake>::new(config());
    assert!(matches!(ipc.connect_to("world"), Err(ConnectError::Runtime(_))));
    let runtime = Fake::new(1);
    runtime.block_on(async {
        let server = ipc.serve().unwrap();
        server.start().await.unwrap();
        let client = ipc.connect_to("world").unwrap();
        client.connect().await.unwrap();
        assert_eq!(ipc.connect_to("world").unwrap().endpoint(), client.endpoint());
        assert!(ipc.of("world").is_some_and(|client| client.is_connected()));
        assert!(ipc.disconnect("world"));
        client.destroyed().await;
        assert!(ipc.of("world").is_none());
    });
}

#[test]
fn a_server_that_is_replaced_may_ask_its_instance_what_it_likes() {
    let runtime = Fake::new(2);
    let ipc = Ipc::<Fake>::new(config());
    let seen = Log::default();
    runtime.block_on(async {
        let server = ipc.serve().unwrap();
        let (instance, to) = (ipc.clone(), seen.clone());
        server.on_lifecycle(move |_| to.push(instance.config().id));
        server.start().await.unwrap();
        drop(server);
        ipc.serve_net(None, None).unwrap();
    });
    assert_eq!(seen.len(), 2);
}

#[test]
fn an_instance_serves_and_connects_at_a_path() {
    let runtime = Fake::new(5);
    let ipc = Ipc::with_runtime(runtime.clone(), config());
    runtime.block_on(async {
        let server = ipc.serve_path("/tmp/elsewhere").unwrap();
        server.start().await.unwrap();
        let client = ipc.connect_to_path("a name of our own", "/tmp/elsewhere").unwrap();
        client.connect().await.unwrap();
        assert_eq!(client.endpoint(), &server.local_endpoint());
        assert_ne!(ipc.connect_to("world").unwrap().endpoint(), client.endpoint());
        assert!(ipc.of("a name of our own").is_some_and(|client| client.is_connected()));
        runtime.sleep(MILLISECOND).await;
        assert!(ipc.server().is_some_and(|server| server.len() == 1));
    });
}

#[test]
fn the_udp_server_of_an_instance_stands_beside_the_other_and_there_is_one() {
    let runtime = Fake::new(6);
    let ipc = Ipc::with_runtime(runtime.clone(), config());
    let stopped = Log::default();
    runtime.block_on(async {
        ipc.serve().unwrap().start().await.unwrap();
        let four = ipc.serve_udp4(None, Some(8001)).unwrap();
        let to = stopped.clone();
        four.on_lifecycle(move |event| {
            if matches!(event, UdpEvent::Stopped) {
                to.push(());
            }
        });
        four.start().await.unwrap();
        assert_eq!(ipc.udp_server().unwrap().local_endpoint(), four.local_endpoint());
        drop(four);
        let six = ipc.serve_udp6(None, Some(8001)).unwrap();
        six.start().await.unwrap();
        assert!(six.local_address().is_some_and(|address| address.is_ipv6()));
        assert_eq!(ipc.udp_server().unwrap().local_endpoint(), six.local_endpoint());
        assert!(ipc.server().is_some_and(|server| server.is_listening()));
    });
    runtime.run();
    assert_eq!(stopped.len(), 1, "the one that was replaced has stopped");
}

#[test]
fn stop_retrying_of_the_instance_reaches_its_clients() {
    let runtime = Fake::new(3);
    let ipc = Ipc::<Fake>::new(config());
    runtime.block_on(async {
        let client = ipc.connect_to("nobody").unwrap();
        client.start();
        runtime.sleep(SECOND * 3).await;
        assert!(!client.is_destroyed());
        ipc.configure(|config| config.stop_retrying = true.into());
        client.destroyed().await;
        assert!(!ipc.connect_to("nobody").unwrap().is_destroyed(), "one that has ended is replaced");
    });
}

#[test]
fn retry_of_the_instance_reaches_its_clients_from_their_next_wait_on() {
    let runtime = Fake::new(4);
    let ipc = Ipc::<Fake>::new(config().retry(MILLISECOND * 400));
    let waits = Log::default();
    runtime.block_on(async {
        let client = ipc.connect_to("nobody").unwrap();
        let to = waits.clone();
        client.on_lifecycle(move |event| {
            if let ClientEvent::Disconnected { retry_in, .. } = event {
                to.push(*retry_in);
            }
        });
        client.start();
        runtime.sleep(MILLISECOND * 100).await;
        ipc.configure(|config| config.retry = MILLISECOND * 50);
        runtime.sleep(MILLISECOND * 310).await;
        assert_eq!(waits.len(), 2, "the wait under way keeps its length");
        runtime.sleep(MILLISECOND * 50).await;
    });
    assert_eq!(waits.take(), [400, 50, 50].map(|ms| Some(MILLISECOND * ms)));
}
