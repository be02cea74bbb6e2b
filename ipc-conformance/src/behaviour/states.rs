//! The state of a client, as a user interface shows it.

use super::{Stage, soon};
use ipc_driver::runtime::Runtime;
use ipc_driver::{ConnectionState, EndReason};
use std::time::Duration;

/// Idle, connecting, waiting, connected, cut and back, closing, ended.
pub async fn a_client_shows_what_it_is_doing_from_its_start_to_its_end<R: Runtime>(stage: Stage<R>) {
    let client = stage.client();
    let mut states = client.states();
    assert!(matches!(soon("a state", states.recv()).await, Some(ConnectionState::Idle)));
    client.start();
    // Nobody listens yet.
    let waiting = |state: &ConnectionState| matches!(state, ConnectionState::Waiting { attempt, .. } if *attempt > 2);
    let state = soon("a second failure", states.wait_for(waiting)).await.expect("it goes on");
    let ConnectionState::Waiting { retry_in, last_error, .. } = state else { unreachable!() };
    assert!(retry_in <= Duration::from_millis(20) && last_error.is_some());
    let server = stage.server();
    server.start().await.expect("started");
    soon("a connection", states.wait_for(ConnectionState::is_connected)).await.expect("connected");
    assert!(client.state().is_connected());
    stage.until("the peer", || server.len() == 1).await;
    server.peers()[0].abort();
    let away = |state: &ConnectionState| !state.is_connected();
    soon("the loss", states.wait_for(away)).await.expect("it goes on");
    soon("the return", states.wait_for(ConnectionState::is_connected)).await.expect("connected");
    soon("close", client.close()).await.expect("sent");
    let mut last = None;
    while let Some(state) = soon("the end", states.recv()).await {
        assert!(!state.is_connected() && last.is_none());
        last = Some(state).filter(ConnectionState::is_ended);
    }
    assert!(matches!(last, Some(ConnectionState::Ended { reason: EndReason::Closed, .. })), "{last:?}");
}

/// Many who watch and one who does not look: everybody sees the end, and the client is held up by none.
pub async fn one_who_looks_rarely_sees_the_latest_state_and_holds_up_nobody<R: Runtime>(stage: Stage<R>) {
    let client = stage.client_with(stage.client_config().max_retries(3).retry(Duration::from_millis(1)));
    let mut rarely = client.states();
    let watching: Vec<_> = (0..20)
        .map(|_| {
            let mut states = client.states();
            stage.spawn(async move {
                let mut attempts = Vec::new();
                while let Some(state) = states.recv().await {
                    match state {
                        ConnectionState::Connecting { attempt } => attempts.push(attempt),
                        ConnectionState::Ended { reason, last_error } => {
                            assert!(reason == EndReason::GaveUp && last_error.is_some());
                        }
                        _ => {}
                    }
                }
                attempts
            })
        })
        .collect();
    soon("the end", client.connect()).await.expect_err("nobody listens");
    for watcher in watching {
        let attempts = soon("a watcher", watcher.join()).await;
        assert!(attempts.windows(2).all(|pair| pair[0] < pair[1]) && attempts.iter().all(|attempt| *attempt <= 4));
    }
    let state = soon("the latest", rarely.recv()).await;
    assert!(matches!(state, Some(ConnectionState::Ended { reason: EndReason::GaveUp, .. })), "{state:?}");
    assert!(soon("nothing", rarely.recv()).await.is_none());
}
