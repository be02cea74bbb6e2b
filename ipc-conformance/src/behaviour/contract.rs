//! What the driver takes for granted of a runtime, asked of it directly: timers, giving way, and the streams it wraps. A behaviour
//! of handles that fails is often explained by one of these.

#![allow(missing_docs, reason = "the name of a behaviour says what it is")]

use super::{Either, Stage, channel, first_of, soon, within};
use futures_io::{AsyncRead, AsyncWrite};
use ipc_driver::runtime::{Address, Listener, Runtime, Timer};
use ipc_driver::{Endpoint, Peer, build};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

pub async fn timers_fire_when_they_are_due_and_never_while_they_are_stopped<R: Runtime>(stage: Stage<R>) {
    let runtime = stage.runtime();
    let begun = runtime.now();
    let mut timer = runtime.timer();
    // Not set, and stopped again: not even one that is due.
    for stopped in [None, Some(begun)] {
        timer.set(stopped);
        timer.set(None);
        let expired = poll_fn(|cx| timer.poll_expired(cx));
        assert!(within(runtime, Duration::from_millis(10), expired).await.is_none(), "it is stopped");
    }
    // Due already.
    timer.set(Some(begun));
    soon("a timer of the past", poll_fn(|cx| timer.poll_expired(cx))).await;
    // Put off, and brought forward.
    let due = begun + Duration::from_millis(50);
    timer.set(Some(begun + Duration::from_secs(3600)));
    let Either::Second(()) = first_of(poll_fn(|cx| timer.poll_expired(cx)), std::future::ready(())).await else {
        panic!("an hour has passed")
    };
    timer.set(Some(due));
    soon("a timer", poll_fn(|cx| timer.poll_expired(cx))).await;
    assert!(runtime.now() >= due, "it fired too early");
    // Many of the same moment, and some that are dropped before.
    let due = runtime.now() + Duration::from_millis(20);
    let mut timers: Vec<_> = (0..200).map(|_| runtime.timer()).collect();
    timers.iter_mut().for_each(|timer| timer.set(Some(due)));
    for timer in &mut timers {
        let _ = first_of(poll_fn(|cx| timer.poll_expired(cx)), std::future::ready(())).await;
    }
    timers.truncate(100);
    for mut timer in timers {
        soon("one of many timers", poll_fn(|cx| timer.poll_expired(cx))).await;
    }
}

pub async fn a_task_that_gives_way_is_run_again_and_others_are_meanwhile<R: Runtime>(stage: Stage<R>) {
    let (sender, mut heard) = channel();
    let busy = {
        let runtime = stage.runtime().clone();
        stage.spawn(async move {
            // It has always more to do, until somebody else was heard.
            let mut turns = 0_u64;
            poll_fn(|cx| {
                turns += 1;
                if heard.try_next().is_some() {
                    return Poll::Ready(());
                }
                runtime.give_way(cx);
                Poll::Pending
            })
            .await;
            turns
        })
    };
    // Others: a timer, and a task.
    soon("a timer beside it", stage.sleep(Duration::from_millis(5))).await;
    let other = stage.spawn(async move { sender.send(()) });
    soon("a task beside it", other.join()).await.expect("heard");
    assert!(soon("the busy one", busy.join()).await > 0);
}

/// Both ends of a connection, as the runtime makes them.
async fn pair<R: Runtime>(stage: &Stage<R>) -> (R::Stream, R::Stream) {
    let settings = build(stage.config()).expect("settings");
    let (address, addresses) = match stage.endpoint() {
        Endpoint::Local(address) => (Address::Local(address.clone()), Vec::new()),
        _ => (Address::Tcp(stage.address()), vec![stage.address()]),
    };
    let runtime = stage.runtime();
    let mut listener = runtime.listen(stage.endpoint(), &addresses, &settings).await.expect("listening");
    assert_eq!(listener.local_endpoint(), *stage.endpoint());
    let connecting = {
        let runtime = runtime.clone();
        stage.spawn(async move { runtime.connect(&address, &settings).await })
    };
    let (accepted, _) = soon("accept", poll_fn(|cx| listener.poll_accept(cx))).await.expect("accepted");
    (soon("connect", connecting.join()).await.expect("connected"), accepted)
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 1 << 16];
    let count = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut bytes)).await?;
    bytes.truncate(count);
    Ok(bytes)
}

pub async fn a_vectored_write_takes_more_than_its_first_slice<R: Runtime>(stage: Stage<R>) {
    let (mut one, mut two) = pair(&stage).await;
    let slices = [IoSlice::new(b"one "), IoSlice::new(b"two "), IoSlice::new(b"three")];
    let written = poll_fn(|cx| Pin::new(&mut one).poll_write_vectored(cx, &slices));
    let written = soon("write", written).await.expect("written");
    assert_eq!(written, 13, "a stream without vectored writes costs a system call for each message");
    soon("flush", poll_fn(|cx| Pin::new(&mut one).poll_flush(cx))).await.expect("flushed");
    let mut heard = Vec::new();
    while heard.len() < written {
        heard.extend(soon("read", read(&mut two)).await.expect("read"));
    }
    assert_eq!(heard, b"one two three");
}

/// A pipe of Windows has no such end.
#[cfg(unix)]
pub async fn closing_a_stream_ends_one_direction_only<R: Runtime>(stage: Stage<R>) {
    let (mut one, mut two) = pair(&stage).await;
    for round in 0..2 {
        // Closing twice is closing.
        soon("close", poll_fn(|cx| Pin::new(&mut one).poll_close(cx))).await.expect("closed");
        assert_eq!(soon("the end", read(&mut two)).await.expect("an end, no error"), b"", "round {round}");
    }
    let written = poll_fn(|cx| Pin::new(&mut two).poll_write(cx, b"late"));
    assert_eq!(soon("write", written).await.expect("written"), 4);
    assert_eq!(soon("read", read(&mut one)).await.expect("read"), b"late");
    soon("close", poll_fn(|cx| Pin::new(&mut two).poll_close(cx))).await.expect("closed");
    assert_eq!(soon("the end", read(&mut one)).await.expect("an end, no error"), b"");
    // With both directions over, there is nothing left to close.
    soon("close", poll_fn(|cx| Pin::new(&mut one).poll_close(cx))).await.expect("closed");
}

/// The two directions of a stream are waited for by one task, and either wakes it.
pub async fn a_stream_is_waited_for_in_both_directions_at_once<R: Runtime>(stage: Stage<R>) {
    const MUCH: usize = 8 << 20;
    let (mut one, mut two) = pair(&stage).await;
    // Both write much more than a socket holds, and read what comes: whoever forgot one waker stands still.
    let talk =
        |stream: &mut R::Stream, cx: &mut std::task::Context<'_>, done: &mut (usize, usize), scratch: &mut [u8]| {
            let mut busy = true;
            while std::mem::take(&mut busy) {
                if done.0 < MUCH {
                    let length = (MUCH - done.0).min(1 << 16);
                    if let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(cx, &[7; 1 << 16][..length]) {
                        done.0 += count.expect("written");
                        busy = true;
                    }
                }
                if done.1 < MUCH {
                    if let Poll::Ready(count) = Pin::new(&mut *stream).poll_read(cx, scratch) {
                        let count = count.expect("read");
                        assert!(count > 0, "the stream has ended");
                        done.1 += count;
                        busy = true;
                    }
                }
            }
            if *done == (MUCH, MUCH) { Poll::Ready(()) } else { Poll::Pending }
        };
    let other = stage.spawn(async move {
        let (mut done, mut scratch) = ((0, 0), vec![0; 1 << 16]);
        poll_fn(|cx| talk(&mut two, cx, &mut done, &mut scratch)).await;
        two
    });
    let (mut done, mut scratch) = ((0, 0), vec![0; 1 << 16]);
    soon("one side", poll_fn(|cx| talk(&mut one, cx, &mut done, &mut scratch))).await;
    let _two = soon("the other side", other.join()).await;
}

pub async fn a_handler_that_panics_ends_its_own_connection_only<R: Runtime>(stage: Stage<R>) {
    let server = stage.server();
    server.on_event("message", Peer::emit_event);
    server.on("boom", |_, n: u32| assert_eq!(n, 0, "a panic of a handler, on purpose"));
    server.start().await.expect("started");
    let calm = stage.client();
    let (sender, mut back) = channel();
    calm.on("message", move |n: u32| sender.send(n));
    soon("connect", calm.connect()).await.expect("connected");
    let client = stage.client_with(stage.client_config().stop_retrying(true));
    soon("connect", client.connect()).await.expect("connected");
    client.emit("boom", &1).expect("emitted");
    soon("the end of the connection", client.destroyed()).await;
    calm.emit("message", &7).expect("emitted");
    assert_eq!(back.next("the echo").await, 7);
    let newcomer = stage.connected().await;
    newcomer.emit("boom", &0).expect("emitted");
    stage.until("two of them", || server.len() == 2).await;
}
