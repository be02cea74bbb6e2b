//! Pipes of no runtime: bytes both ways, waiting and waking, and what happens to operations whose pipe is dropped.

use super::{address, bind};
use crate::host::build;
use crate::net::pipe::stream::WRITE_AT_MOST;
use crate::net::pipe::*;
use crate::runtime::Timer;
use futures_io::{AsyncRead, AsyncWrite};
use ipc_proto::Config;
use std::fs::File;
use std::future::Future;
use std::io::{IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// What should come soon and has not come by then will not come.
const NEVER: Duration = Duration::from_secs(60);

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let until = Instant::now() + NEVER;
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        assert!(Instant::now() < until, "not woken");
        thread::park_timeout(NEVER);
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + NEVER;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        thread::yield_now();
    }
}

/// A timer with a thread for every wait.
#[derive(Debug, Default)]
struct Clock(Option<Instant>);

impl Timer for Clock {
    fn set(&mut self, deadline: Option<Instant>) {
        self.0 = deadline;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.0 else { return Poll::Pending };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || {
            thread::sleep(left);
            waker.wake();
        });
        Poll::Pending
    }
}

fn blocking(job: Job) {
    thread::spawn(job);
}

/// Both ends of a pipe: the server's and the client's.
fn pair(name: &str) -> (Overlapped, Overlapped) {
    let address = address(name);
    let (_server, instance) = bind(&address, Config::new("w")).expect("bound");
    let connecting = Overlapped::accept(instance).expect("waiting");
    let client = Overlapped::new(try_open(address.as_str()).expect("opened")).expect("a client");
    (block_on(connecting).expect("connected"), client)
}

/// One end, and one that blocks as any file does.
fn pair_with_a_file(name: &str) -> (Overlapped, File) {
    let address = address(name);
    let (_server, instance) = bind(&address, Config::new("w")).expect("bound");
    let connecting = Overlapped::accept(instance).expect("waiting");
    let file = OpenOptions::new().read(true).write(true).open(address.as_str()).expect("opened");
    (block_on(connecting).expect("connected"), file)
}

async fn read(pipe: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *pipe).poll_read(cx, buffer)).await
}

async fn read_exact(pipe: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(pipe, &mut buffer[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}

async fn write_all(pipe: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| Pin::new(&mut *pipe).poll_write(cx, bytes)).await?;
        bytes = &bytes[count..];
    }
    poll_fn(|cx| Pin::new(&mut *pipe).poll_flush(cx)).await
}

async fn close(pipe: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *pipe).poll_close(cx)).await
}

/// Sends back what comes until the end.
async fn echo(mut pipe: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        match read(&mut pipe, &mut buffer).await? {
            0 => return Ok(()),
            count => write_all(&mut pipe, &buffer[..count]).await?,
        }
    }
}

/// Writes until the pipe takes no more: how many bytes it has taken.
fn fill(pipe: &mut Overlapped, cx: &mut Context<'_>, bytes: &[u8]) -> usize {
    let mut taken = 0;
    while let Poll::Ready(count) = Pin::new(&mut *pipe).poll_write(cx, bytes) {
        taken += count.expect("written");
        assert!(taken <= 4 * WRITE_AT_MOST, "no backpressure");
    }
    taken
}

fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|n| ((n / 251) ^ (n * (2 * seed + 1))) as u8).collect()
}

#[test]
fn a_thousand_messages_come_back_one_by_one() {
    let (server, mut client) = pair("messages");
    let echoing = thread::spawn(move || block_on(echo(server)));
    block_on(async {
        for n in 0..1000 {
            let message = format!("message {n}");
            write_all(&mut client, message.as_bytes()).await.expect("written");
            let mut back = vec![0; message.len()];
            read_exact(&mut client, &mut back).await.expect("read");
            assert_eq!(back, message.as_bytes());
        }
    });
    drop(client);
    echoing.join().expect("no panic").expect("an end is no error");
}

#[test]
fn four_mebibytes_pass_both_ways_at_once() {
    const BYTES: usize = 4 * 1024 * 1024;
    /// One task that reads and writes.
    fn exchange(mut pipe: Overlapped, seed: usize) -> (Vec<u8>, Overlapped) {
        let bytes = pattern(seed, BYTES);
        let (mut written, mut read, mut buffer) = (0, Vec::new(), vec![0; 100_000]);
        block_on(poll_fn(|cx| {
            while written < BYTES {
                let rest = &bytes[written..];
                let (first, second) = rest.split_at(rest.len().min(1000));
                let slices = [IoSlice::new(first), IoSlice::new(&[]), IoSlice::new(second)];
                match Pin::new(&mut pipe).poll_write_vectored(cx, &slices) {
                    Poll::Ready(count) => written += count.expect("written"),
                    Poll::Pending => break,
                }
            }
            while read.len() < BYTES {
                match Pin::new(&mut pipe).poll_read(cx, &mut buffer) {
                    Poll::Ready(count) => read.extend_from_slice(&buffer[..count.expect("read")]),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if written < BYTES {
                Poll::Pending
            } else {
                Pin::new(&mut pipe).poll_flush(cx).map(|done| done.expect("flushed"))
            }
        }));
        (read, pipe)
    }
    let (server, client) = pair("duplex");
    let serving = thread::spawn(move || exchange(server, 1));
    let (there, _client) = exchange(client, 2);
    let (back, _server) = serving.join().expect("no panic");
    assert!(there == pattern(1, BYTES) && back == pattern(2, BYTES));
}

#[test]
fn many_clients_that_come_at_once_are_all_served() {
    const CLIENTS: usize = 40;
    let address = address("many");
    let settings = build(Config::new("w")).expect("settings");
    let binding = OverlappedListener::bind(&address, &settings, Clock::default, Instant::now, blocking);
    let mut listener = block_on(binding).expect("bound");
    let serving = thread::spawn(move || {
        let accept = |_| {
            let (stream, remote) = block_on(poll_fn(|cx| listener.poll_accept(cx))).expect("accepted");
            assert_eq!(remote.credentials.and_then(|who| who.pid), Some(std::process::id()));
            thread::spawn(move || block_on(echo(stream)).expect("an end is no error"))
        };
        let echoing: Vec<_> = (0..CLIENTS).map(accept).collect();
        echoing.into_iter().for_each(|one| one.join().expect("no panic"));
    });
    let knock = |number| {
        let address = address.clone();
        thread::spawn(move || {
            block_on(async {
                let mut stream = connect(&address, Clock::default(), Instant::now, blocking).await.expect("connected");
                for n in 0..20 {
                    let message = format!("{number} says {n}");
                    write_all(&mut stream, message.as_bytes()).await.expect("written");
                    let mut back = vec![0; message.len()];
                    read_exact(&mut stream, &mut back).await.expect("read");
                    assert_eq!(back, message.as_bytes());
                }
                close(&mut stream).await.expect("closed");
            });
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(knock).collect();
    clients.into_iter().for_each(|one| one.join().expect("no panic"));
    serving.join().expect("no panic");
}

#[test]
fn a_writer_waits_for_a_peer_that_does_not_read() {
    let (mut server, mut client) = pair("deaf");
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let bytes = pattern(3, WRITE_AT_MOST);
    let taken = fill(&mut server, &mut cx, &bytes);
    // What the pipe holds, and one buffer of ours.
    assert!(taken >= WRITE_AT_MOST, "{taken}");
    assert!(Pin::new(&mut server).poll_flush(&mut cx).is_pending());
    assert_eq!(woken.get(), 0);
    let mut read = vec![0; taken];
    block_on(read_exact(&mut client, &mut read)).expect("read");
    assert!(read.chunks(WRITE_AT_MOST).all(|chunk| chunk == bytes));
    until("woken", || woken.get() > 0);
    block_on(write_all(&mut server, b"there is room again")).expect("written");
}

#[test]
fn an_end_comes_after_all_that_was_written() {
    let (mut server, mut client) = pair("end");
    block_on(async {
        let bytes = pattern(4, 50_000);
        write_all(&mut client, &bytes).await.expect("written");
        drop(client);
        let mut read_back = vec![0; bytes.len()];
        read_exact(&mut server, &mut read_back).await.expect("read");
        assert!(read_back == bytes);
        for _ in 0..3 {
            assert_eq!(read(&mut server, &mut read_back).await.expect("the end"), 0);
        }
        let error = write_all(&mut server, b"hello?").await.expect_err("nobody is there");
        assert!(stream::is_gone(&error), "{error:?}");
    });
}

#[test]
fn an_end_wakes_a_reader_and_a_writer() {
    let (mut server, client) = pair("wake-at-end");
    let writes = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&writes));
    fill(&mut server, &mut Context::from_waker(&waker), &[1; 50_000]);
    let reads = Arc::new(Count::default());
    let reader = Waker::from(Arc::clone(&reads));
    let mut cx = Context::from_waker(&reader);
    assert!(Pin::new(&mut server).poll_read(&mut cx, &mut [0; 10]).is_pending());
    drop(client);
    until("woken", || reads.get() > 0 && writes.get() > 0);
    let end = block_on(read(&mut server, &mut [0; 10]));
    assert_eq!(end.expect("the end"), 0);
    let error = block_on(write_all(&mut server, b"hello?")).expect_err("what was written is lost");
    assert!(stream::is_gone(&error), "{error:?}");
}

#[test]
fn what_is_dropped_while_it_reads_and_writes_leaves_nothing() {
    let waker = Waker::from(Arc::new(Count::default()));
    for round in 0..1000 {
        let (mut server, mut client) = pair("dropped");
        let memory = [server.watch(), client.watch()];
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut server).poll_read(&mut cx, &mut [0; 10]).is_pending());
        fill(&mut server, &mut cx, &[1; 60_000]);
        if round % 2 == 0 {
            // In the middle of the system's work for them.
            let reading = thread::spawn(move || block_on(read(&mut client, &mut [0; 100_000])));
            drop(server);
            let _some_or_the_end = reading.join().expect("no panic");
        } else {
            drop(server);
            let (mut rest, mut buffer) = (0, vec![0; 100_000]);
            loop {
                match block_on(read(&mut client, &mut buffer)).expect("read") {
                    0 => break,
                    count => rest += count,
                }
            }
            assert!(rest <= 2 * WRITE_AT_MOST, "{rest}");
            drop(client);
        }
        until("memory is left", || !memory.iter().any(|is_left| is_left()));
    }
    // No waker was kept either.
    drop(waker);
}

#[test]
fn what_is_dropped_ends_also_while_somebody_else_has_the_pipe() {
    let (mut server, _client) = pair("shared");
    let is_left = server.watch();
    let other = server.as_handle().try_clone_to_owned().expect("a handle");
    let waker = Waker::from(Arc::new(Count::default()));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut server).poll_read(&mut cx, &mut [0; 10]).is_pending());
    fill(&mut server, &mut cx, &[1; 60_000]);
    drop(server);
    until("memory is left", || !is_left());
    drop(other);
}

#[test]
fn a_task_that_is_dropped_while_it_waits_is_let_go() {
    let (mut server, client) = pair("let-go");
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut server).poll_read(&mut cx, &mut [0; 10]).is_pending());
    fill(&mut server, &mut cx, &[1; 60_000]);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 3);
    drop(server);
    // At once, whatever the system says of it and when.
    assert_eq!((Arc::strong_count(&count), count.get()), (1, 0));
    drop(client);
}

#[test]
fn the_task_that_asked_last_is_woken() {
    let (mut server, mut client) = pair("last");
    let [first, last] = [(); 2].map(|()| Arc::new(Count::default()));
    for count in [&first, &last] {
        let waker = Waker::from(Arc::clone(count));
        assert!(Pin::new(&mut server).poll_read(&mut Context::from_waker(&waker), &mut [0; 10]).is_pending());
    }
    assert_eq!(Arc::strong_count(&first), 1);
    // From another thread, after it has gone to another.
    let writing = thread::spawn(move || {
        block_on(write_all(&mut client, b"hello")).expect("written");
        client
    });
    until("woken", || last.get() > 0);
    assert_eq!(first.get(), 0);
    let reading = thread::spawn(move || {
        let mut buffer = [0; 10];
        (block_on(read(&mut server, &mut buffer)).expect("read"), buffer)
    });
    let (count, buffer) = reading.join().expect("no panic");
    assert_eq!(&buffer[..count], b"hello");
    drop(writing.join().expect("no panic"));
}

#[test]
fn a_waker_that_panics_is_the_only_one_that_suffers() {
    struct Panics(AtomicBool);
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
            panic!("a test panics here, on purpose");
        }
    }
    let (mut server, mut client) = pair("panics");
    let panics = Arc::new(Panics(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&panics));
    assert!(Pin::new(&mut server).poll_read(&mut Context::from_waker(&waker), &mut [0; 10]).is_pending());
    block_on(write_all(&mut client, b"hello")).expect("written");
    until("woken", || panics.0.load(Ordering::SeqCst));
    let mut buffer = [0; 5];
    block_on(read_exact(&mut server, &mut buffer)).expect("read");
    assert_eq!(&buffer, b"hello");
    let echoing = thread::spawn(move || block_on(echo(server)));
    block_on(async {
        write_all(&mut client, b"again").await.expect("written");
        read_exact(&mut client, &mut buffer).await.expect("read");
    });
    assert_eq!(&buffer, b"again");
    drop(client);
    echoing.join().expect("no panic").expect("an end is no error");
}

#[test]
fn an_instance_that_waits_and_is_dropped_is_gone() {
    let address = address("given-up");
    let waker = Waker::from(Arc::new(Count::default()));
    for _ in 0..100 {
        let (server, instance) = bind(&address, Config::new("w")).expect("bound");
        let mut connecting = Overlapped::accept(instance).expect("waiting");
        assert!(Pin::new(&mut connecting).poll(&mut Context::from_waker(&waker)).is_pending());
        let is_left = connecting.watch();
        drop(connecting);
        assert_eq!(try_open(address.as_str()).expect_err("nobody").kind(), io::ErrorKind::NotFound);
        until("memory is left", || !is_left());
        drop(server);
    }
}

#[test]
fn a_client_that_came_and_went_before_anybody_looked_is_heard() {
    let address = address("hasty");
    let (server, first) = bind(&address, Config::new("w")).expect("bound");
    let open = || OpenOptions::new().read(true).write(true).open(address.as_str()).expect("opened");

    // Here, before anybody waits.
    let mut client = open();
    client.write_all(b"early").expect("written");
    let mut pipe = block_on(Overlapped::accept(first).expect("waiting")).expect("connected");
    let mut buffer = [0; 5];
    block_on(read_exact(&mut pipe, &mut buffer)).expect("read");
    assert_eq!(&buffer, b"early");

    // Gone, before anybody waits.
    let second = server.instance().expect("another");
    let mut client = open();
    client.write_all(b"hasty").expect("written");
    drop(client);
    let mut pipe = block_on(Overlapped::accept(second).expect("waiting")).expect("connected");
    block_on(read_exact(&mut pipe, &mut buffer)).expect("read");
    assert_eq!(&buffer, b"hasty");
    assert_eq!(block_on(read(&mut pipe, &mut buffer)).expect("the end"), 0);
}

#[test]
fn a_program_that_blocks_talks_to_it_as_to_a_file() {
    let (server, mut file) = pair_with_a_file("file");
    let echoing = thread::spawn(move || block_on(echo(server)));
    for n in 0..100 {
        let message = format!("message {n}");
        // No end, although it reads like one.
        file.write_all(b"").expect("written");
        let _zero = file.write(b"").expect("written");
        file.write_all(message.as_bytes()).expect("written");
        let mut back = vec![0; message.len()];
        file.read_exact(&mut back).expect("read");
        assert_eq!(back, message.as_bytes());
    }
    drop(file);
    echoing.join().expect("no panic").expect("an end is no error");
}

#[test]
fn what_calls_off_all_that_happens_on_a_pipe_does_not_end_its_reading() {
    let (mut server, mut client) = pair("called-off");
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    for n in 1..=100 {
        assert!(Pin::new(&mut server).poll_read(&mut cx, &mut [0; 10]).is_pending());
        sys::cancel(server.as_handle());
        until("woken", || woken.get() >= n);
    }
    block_on(write_all(&mut client, b"hello")).expect("written");
    let mut buffer = [0; 5];
    block_on(read_exact(&mut server, &mut buffer)).expect("read");
    assert_eq!(&buffer, b"hello");
}

#[test]
fn a_flush_that_has_ended_disturbs_no_reader() {
    let [(mut first, _peer), (mut second, mut peer)] = ["flushed", "after"].map(pair);
    let counts = [(); 2].map(|()| Arc::new(Count::default()));
    for (pipe, count) in [(&mut first, &counts[0]), (&mut second, &counts[1])] {
        let waker = Waker::from(Arc::clone(count));
        assert!(Pin::new(pipe).poll_read(&mut Context::from_waker(&waker), &mut [0; 10]).is_pending());
    }
    let (flush, job) = flush::Flush::new(first.as_handle()).expect("a flush");
    job();
    drop(flush);
    // What has happened so far has come out of the port when this has.
    block_on(write_all(&mut peer, b"hello")).expect("written");
    until("woken", || counts[1].get() > 0);
    assert_eq!(counts[0].get(), 0);
}

#[test]
fn a_stream_that_closes_reads_what_its_peer_says_to_its_last_words() {
    /// The time has come when somebody says so.
    struct Told(Arc<AtomicBool>);
    impl Timer for Told {
        fn set(&mut self, _deadline: Option<Instant>) {}
        fn poll_expired(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
            if self.0.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }
    }
    let (mut server, client) = pair("last-words");
    let silence = Arc::new(AtomicBool::new(false));
    let mut client = PipeStream::new(client, Told(Arc::clone(&silence)), blocking, None);
    let serving = thread::spawn(move || {
        block_on(async {
            let mut buffer = [0; 10];
            read_exact(&mut server, &mut buffer).await.expect("read");
            write_all(&mut server, b"goodbye").await.expect("written");
            read(&mut server, &mut buffer).await
        })
    });
    let (mut heard, mut buffer) = (Vec::new(), [0; 3]);
    block_on(async {
        write_all(&mut client, b"last words").await.expect("written");
        poll_fn(|cx| {
            // Reading waits all the time, also while the flush comes to its end.
            while let Poll::Ready(count) = Pin::new(&mut client).poll_read(cx, &mut buffer) {
                let count = count.expect("read");
                assert!(count > 0, "an end, after {heard:?}");
                heard.extend_from_slice(&buffer[..count]);
            }
            silence.store(heard == b"goodbye", Ordering::SeqCst);
            Pin::new(&mut client).poll_close(cx)
        })
        .await
        .expect("closed");
        assert_eq!(read(&mut client, &mut buffer).await.expect("the end"), 0);
    });
    drop(client);
    assert_eq!(serving.join().expect("no panic").expect("the end"), 0);
}

#[test]
fn an_adapter_may_give_its_futures_to_other_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (address, settings) = (address("nobody-at-all"), build(Config::new("w")).expect("settings"));
    let error = block_on(is_send(connect(&address, Clock::default(), Instant::now, blocking))).expect_err("nobody");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let binding = OverlappedListener::bind(&address, &settings, Clock::default, Instant::now, blocking);
    drop(is_send(block_on(is_send(binding)).expect("bound")));
}

#[test]
fn pipes_of_others_and_pipes_that_block_are_refused() {
    let (server, file) = pair_with_a_file("refused");
    let error = Overlapped::new(file.into()).expect_err("it blocks");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    let again = server.as_handle().try_clone_to_owned().expect("a handle");
    let error = Overlapped::new(again).expect_err("it has a port");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
}
