//! Who is let in: credentials of local peers, the accept filter, and what is told of those who stay outside.
#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Either, Stage, channel, first_of, soon, unblock};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ConnectionError, Refusal, Remote, Server, ServerEvent, same_user_or_root};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Connects and reads to the end, which comes at once for one who is refused.
async fn refused_over_tcp<R: Runtime>(server: &Server<R>) {
    let port = server.local_endpoint().port().expect("a port");
    let read = unblock(move || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.read(&mut [0; 1])
    });
    match soon("the end", read.join()).await {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("it was let in: {other:?}"),
    }
}

#[cfg(unix)]
pub async fn a_local_peer_comes_with_its_user_group_and_process<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let seen = Arc::new(Mutex::new(Vec::new()));
    server.accept_if({
        let seen = Arc::clone(&seen);
        move |remote: &Remote| {
            seen.lock().expect("not poisoned").push(remote.clone());
            same_user_or_root(remote)
        }
    });
    server.start().await.expect("started");
    let client = stage.client();
    soon("connect", client.connect()).await.expect("it is our own process");
    stage.until("the peer", || !server.is_empty()).await;
    let folder = std::fs::metadata(stage.path("")).expect("our folder");
    let seen = seen.lock().expect("not poisoned").clone();
    let [Remote { address: None, credentials: Some(credentials), .. }] = seen.as_slice() else { panic!("{seen:?}") };
    use std::os::unix::fs::MetadataExt;
    assert_eq!(credentials.uid, Some(folder.uid()));
    assert!(credentials.gid.is_some());
    if cfg!(any(target_os = "linux", target_os = "macos")) {
        assert_eq!(credentials.pid, Some(std::process::id()));
    }
    assert_eq!(server.peers()[0].remote(), &seen[0]);
    assert_eq!(server.refused(), 0);
}

pub async fn whoever_the_filter_refuses_never_becomes_a_peer_and_the_reason_is_told_here_only<R: Runtime>(
    stage: Stage<R>,
) {
    let server = stage.server();
    server.accept_if(|remote: &Remote| match remote.address {
        Some(address) if address.ip().is_loopback() => Err(format!("no {} today", address.ip())),
        _ => Ok(()),
    });
    let connected = Arc::new(Mutex::new(Vec::new()));
    server.on_connect({
        let connected = Arc::clone(&connected);
        move |peer| connected.lock().expect("not poisoned").push(peer.id())
    });
    let mut events = server.events();
    server.start().await.expect("started");
    refused_over_tcp(&server).await;
    assert!(matches!(soon("started", events.recv()).await, Some(ServerEvent::Started(_))));
    let Some(ServerEvent::Refused { remote, error }) = soon("refused", events.recv()).await else { panic!() };
    assert!(remote.address.expect("an address").ip().is_loopback());
    assert!(matches!(&error, ConnectionError::Refused(Refusal::Filter(reason)) if &**reason == "no 127.0.0.1 today"));
    assert_eq!(error.to_string(), "the connection was refused: no 127.0.0.1 today");
    assert_eq!(server.refused(), 1);
    assert!(server.is_empty() && connected.lock().expect("not poisoned").is_empty());

    // Another filter holds from now on.
    server.accept_if(|_: &Remote| true);
    let client = stage.client();
    soon("connect", client.connect()).await.expect("connected");
    assert!(matches!(soon("connected", events.recv()).await, Some(ServerEvent::Connected(_))));
}

pub async fn a_filter_that_panics_lets_nobody_in_and_harms_nobody_else<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    let angry = Arc::new(std::sync::atomic::AtomicBool::new(true));
    server.accept_if({
        let angry = Arc::clone(&angry);
        move |_: &Remote| {
            assert!(!angry.load(std::sync::atomic::Ordering::SeqCst), "a panic of the filter, on purpose");
            true
        }
    });
    server.start().await.expect("started");
    refused_over_tcp(&server).await;
    angry.store(false, std::sync::atomic::Ordering::SeqCst);
    let client = stage.client();
    soon("connect", client.connect()).await.expect("the server lives");
    assert_eq!(server.refused(), 1);
}

pub async fn without_credentials_the_own_user_is_not_known<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.accept_if(same_user_or_root);
    let (sender, mut reasons) = channel();
    server.on_refused(move |_, error| sender.tell(error.to_string()));
    server.start().await.expect("started");
    refused_over_tcp(&server).await;
    let reason = soon("refused", reasons.recv()).await.expect("a reason");
    assert!(reason.contains("does not say which user"), "{reason}");
}

pub async fn a_full_server_tells_whom_it_has_no_room_for<R: Runtime>(stage: Stage<R>) {
    let server = stage.server_with(stage.config().max_connections(0).event_queue(1));
    let mut events = server.events();
    server.start().await.expect("started");
    let (first, second) = (refused_over_tcp(&server), refused_over_tcp(&server));
    // The second is not even accepted before there is room in the stream to tell of the first.
    first.await;
    assert!(matches!(soon("started", events.recv()).await, Some(ServerEvent::Started(_))));
    let mut second = std::pin::pin!(second);
    for _ in 0..2 {
        let event = match first_of(soon("refused", events.recv()), &mut second).await {
            Either::First(event) => event,
            Either::Second(()) => soon("refused", events.recv()).await,
        };
        let Some(ServerEvent::Refused { error, .. }) = event else { panic!("{event:?}") };
        assert!(matches!(error, ConnectionError::Refused(Refusal::Full { limit: 0 })), "{error}");
    }
    assert_eq!(server.refused(), 2);
    server.shutdown(Duration::from_secs(1)).await;
}
