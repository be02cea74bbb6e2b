//! A listening socket that goes from one server to another, here within one process. Between processes, and with one of them
//! killed, the adapters test it.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Either, Stage, block_on, channel, first_of, soon, unblock};
use ipc_driver::runtime::{Ambient, Runtime};
use ipc_driver::{Client, HandOverError, Platform, ServeError, Server, ServerEvent, build};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that tells who it is.
fn answering<R: Runtime>(server: &Server<R>) {
    server.on("who", |peer, _: u64| peer.emit("pid", &std::process::id()));
}

/// Asks a server who it is, over a connection of its own.
async fn ask<R: Runtime>(client: Client<R>) -> u32 {
    let (sender, mut answer) = channel();
    client.on("pid", move |pid: u32| sender.send(pid));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("who", &0).expect("emitted");
    let pid = answer.next("an answer").await;
    soon("close", client.close()).await.expect("sent");
    pid
}

pub async fn an_offer_that_is_withdrawn_is_not_taken<R: Ambient>(stage: Stage<R>) {
    let server = stage.server();
    answering(&server);
    server.start().await.expect("started");
    let control = stage.path("control");
    let claiming = async {
        stage.until("an offer", || control.exists()).await;
        Server::<R>::take_over(&control, stage.config()).await.expect("claimed")
    };
    let Either::Second(taker) = first_of(server.hand_over(&control), claiming).await else {
        panic!("handed over before the other has started")
    };
    stage.until("a condition", || !control.exists()).await;
    let error = taker.start().await.expect_err("the other serves on");
    assert!(matches!(&error, ServeError::TakeOver { .. }), "{error}");
    assert!(error.to_string().contains("withdrawn"), "{error}");
    assert!(matches!(taker.start().await, Err(ServeError::Used { .. })));
    drop(taker);
    assert_eq!(ask(stage.client()).await, std::process::id(), "it does");
    assert!(stage.socket().exists());

    // Stopping it withdraws the offer as well.
    let offering = stage.spawn({
        let (server, control) = (server.clone(), control.clone());
        async move { server.hand_over(control).await }
    });
    stage.until("a condition", || control.exists()).await;
    server.stop();
    let error = soon("withdrawn", offering.join()).await.expect_err("stopped");
    assert!(matches!(error, HandOverError::Stopped), "{error}");
    assert!(!control.exists() && !stage.socket().exists());
    assert!(matches!(server.hand_over(&control).await, Err(HandOverError::NotListening)));
}

pub async fn a_server_is_relieved_within_one_process_too_and_its_peers_stay<R: Ambient>(stage: Stage<R>) {
    let old = stage.server();
    answering(&old);
    old.start().await.expect("started");
    let inode = std::fs::metadata(stage.socket()).expect("there").ino();
    let mut events = old.events();
    let (sender, mut answers) = channel();
    let guest = stage.client();
    guest.on("pid", move |pid: u32| sender.send(pid));
    guest.connect().await.expect("connected");

    let control = stage.path("control");
    let offering = stage.spawn({
        let (old, control) = (old.clone(), control.clone());
        async move { old.hand_over(control).await }
    });
    stage.until("a condition", || control.exists()).await;
    let new = Server::<R>::take_over(&control, stage.config()).await.expect("claimed");
    assert_eq!(new.local_endpoint(), old.local_endpoint());
    assert!(old.is_listening() && !new.is_listening());
    new.start().await.expect("taken");
    soon("hand over", offering.join()).await.expect("handed over");
    assert!(!old.is_listening() && new.is_listening());
    assert!(!control.exists());

    guest.emit("who", &1).expect("emitted");
    assert_eq!(soon("answer", answers.recv()).await, Some(std::process::id()));
    assert_eq!((old.len(), new.len()), (1, 0));
    let newcomer = stage.client();
    newcomer.connect().await.expect("connected");
    stage.until("a condition", || new.len() == 1).await;
    assert_eq!(old.len(), 1);
    drop(old);
    loop {
        if let ServerEvent::Stopped = soon("stopped", events.recv()).await.expect("an event") {
            break;
        }
    }
    assert_eq!(std::fs::metadata(stage.socket()).expect("still there").ino(), inode);
    new.shutdown(PATIENCE).await;
    assert!(!stage.socket().exists());
}

pub async fn a_server_is_relieved_on_a_given_runtime_by_a_thread_that_knows_none<R: Runtime>(stage: Stage<R>) {
    let old = stage.server();
    old.start().await.expect("started");
    let control = stage.path("control");
    let offering = stage.spawn({
        let (old, control) = (old.clone(), control.clone());
        async move { old.hand_over(control).await }
    });
    stage.until("an offer", || control.exists()).await;
    let claiming = unblock({
        let (runtime, control) = (stage.runtime().clone(), control.clone());
        let settings = build(stage.config().max_connections(1)).expect("settings");
        move || block_on(Server::take_over_with(runtime, settings, control))
    });
    let new = soon("claimed", claiming.join()).await.expect("claimed");
    assert_eq!(new.local_endpoint(), old.local_endpoint(), "where is the other's to say");
    assert!(old.is_listening() && !new.is_listening());
    answering(&new);
    new.start().await.expect("taken");
    soon("hand over", offering.join()).await.expect("handed over");
    assert!(!old.is_listening() && new.is_listening() && !control.exists());
    drop(old);

    assert_eq!(ask(stage.client()).await, std::process::id());
    // How it serves is its own settings' to say.
    stage.until("the end of that", || new.is_empty()).await;
    let (first, second) = (stage.client(), stage.client_with(stage.client_config().max_retries(0)));
    first.connect().await.expect("connected");
    stage.until("a peer", || new.len() == 1).await;
    second.start();
    soon("sent away", second.destroyed()).await;
    assert_eq!((new.len(), new.counters().refused.full), (1, 1));
    new.shutdown(PATIENCE).await;
    assert!(!stage.socket().exists(), "the file has come with the socket");
}

pub async fn where_nobody_offers_a_socket_the_error_says_so<R: Ambient>(stage: Stage<R>) {
    let error = Server::<R>::take_over(stage.path("control"), stage.config()).await.expect_err("nobody is there");
    let ServeError::TakeOver { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);

    // Somebody listens there who has never heard of this.
    for answer in ["", "S", "What?", "Yes"] {
        let path = stage.path(&format!("stranger{answer}"));
        let stranger = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        let talking = std::thread::spawn(move || {
            use std::io::Write;
            let (mut stream, _) = stranger.accept().expect("accepted");
            stream.write_all(answer.as_bytes()).expect("written");
        });
        let error = Server::<R>::take_over(path, stage.config()).await.expect_err("that is no offer");
        assert!(matches!(error, ServeError::TakeOver { .. }), "{error}");
        talking.join().expect("done");
    }
}

pub async fn a_server_that_was_shut_down_has_withdrawn_its_offer<R: Ambient>(stage: Stage<R>) {
    for _ in 0..20 {
        let server = stage.server();
        server.start().await.expect("started");
        let control = stage.path("control");
        let offered = stage.until("an offer", || control.exists());
        if let Either::First(outcome) = first_of(server.hand_over(&control), offered).await {
            panic!("nobody takes it: {outcome:?}");
        }
        server.shutdown(PATIENCE).await;
        assert!(!control.exists(), "a program may end here");
    }
}

pub async fn a_control_path_that_is_too_long_is_refused_with_the_limit<R: Ambient>(stage: Stage<R>) {
    let server = stage.server();
    server.start().await.expect("started");
    let control = stage.path(&"x".repeat(200));
    let limit = Platform::current().local_address_limit().to_string();
    let offered = server.hand_over(&control).await.expect_err("too long").to_string();
    let taken = Server::<R>::take_over(&control, stage.config()).await.expect_err("too long").to_string();
    assert!(offered.contains(&limit) && taken.contains(&limit), "{offered}; {taken}");
}
