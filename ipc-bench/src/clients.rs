//! The client's side: a server in a process of its own, and what it costs us to ask it.

use crate::options::{Options, Outcome};
use crate::process;
use crate::subject::{Server, Subject};
use futures_channel::mpsc;
use ipc_driver::runtime::Runtime;
use ipc_driver::{Client, ClientEvent, Config, Endpoint, Event};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How an answer reaches the task that asked.
#[derive(Clone, Copy)]
enum Way {
    /// A handler hands it on by a channel.
    Handler,
    /// The stream of events.
    Stream,
    /// Nobody waits: the handler asks again by itself.
    Inline,
}

pub(crate) fn main(args: Vec<String>) -> Outcome {
    let options = Options::parse(args, &["--quick"])?;
    let asked = if options.quick { 5_000 } else { 50_000 };
    let server = Server::start(Subject::Tokio, "echo", 1)?;
    let (first, last) = process::processors()?;
    process::bind(None, &[first, last])?;
    println!("Per question of 64 bytes: time until the answer, and processor time of this process, in µs.\n");
    println!("| client | handler | stream | asked again in the handler | 1,000 clients in turn, processor time |");
    println!("|---|---:|---:|---:|---:|");
    row("ipc-tokio, current thread", asked, server.path(), &|work| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work(ipc_tokio::Tokio::from(runtime.handle().clone())))
    })?;
    row("ipc-tokio, two threads", asked, server.path(), &|work| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let handle = ipc_tokio::Tokio::from(runtime.handle().clone());
        runtime.block_on(work(handle))
    })?;
    row("ipc-smol, one thread", asked, server.path(), &|work| {
        let executor = Arc::new(smol::Executor::new());
        smol::block_on(executor.run(work(ipc_smol::Smol::from(&executor))))
    })?;
    row("ipc-smol, two threads", asked, server.path(), &|work| {
        let executor = Arc::new(smol::Executor::new());
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        let shared = Arc::clone(&executor);
        let helper = thread::spawn(move || smol::block_on(shared.run(stopped.recv())));
        let outcome = smol::block_on(executor.run(work(ipc_smol::Smol::from(&executor))));
        drop(stop);
        let _ended = helper.join();
        outcome
    })?;
    row("ipc-async-std", asked, server.path(), &|work| async_std::task::block_on(work(ipc_async_std::AsyncStd)))
}

/// Times: from the first question to the last answer, and of this process.
type Times = Outcome<(Duration, Duration)>;

/// Runs work on a runtime made for it.
type Run<'a, R> = &'a dyn for<'w> Fn(Work<'w, R>) -> Times;

type Work<'a, R> = &'a dyn Fn(R) -> std::pin::Pin<Box<dyn Future<Output = Times> + 'a>>;

fn row<R: Runtime>(name: &str, asked: usize, path: &Path, run: Run<'_, R>) -> Outcome {
    print!("| {name} |");
    for way in [Way::Handler, Way::Stream, Way::Inline] {
        let (wall, processor) = run(&|runtime| Box::pin(measured(ask(runtime, path, way, asked))))?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / asked as f64;
        print!(" {:.1} / {:.1} |", each(wall), each(processor));
    }
    let clients = 1000;
    let (_, processor) = run(&|runtime| Box::pin(measured(crowd(runtime, path, clients, asked))))?;
    println!(" {:.2} |", processor.as_secs_f64() * 1e6 / asked as f64);
    Ok(())
}

/// The time and the processor time of what comes after the clients have connected.
async fn measured(work: impl Future<Output = Outcome<(Instant, Duration)>>) -> Outcome<(Duration, Duration)> {
    let (start, before) = work.await?;
    Ok((start.elapsed(), process::processor_time(std::process::id())?.saturating_sub(before)))
}

fn begin() -> Outcome<(Instant, Duration)> {
    Ok((Instant::now(), process::processor_time(std::process::id())?))
}

async fn connect<R: Runtime>(runtime: R, path: &Path) -> Outcome<Client<R>> {
    let settings = ipc_driver::build(Config::new("asker"))?;
    let endpoint = Endpoint::at_path(&settings, &path.display().to_string())?;
    let client = Client::with_runtime(runtime, settings, endpoint)?;
    client.connect().await?;
    Ok(client)
}

const QUESTION: &str = "The quick brown fox jumps over the lazy dog 0123456789. The quic";

async fn ask<R: Runtime>(runtime: R, path: &Path, way: Way, asked: usize) -> Outcome<(Instant, Duration)> {
    let client = connect(runtime, path).await?;
    let (to, mut answers) = mpsc::unbounded();
    match way {
        Way::Handler => {
            client.on_event("message", move |_: &Event<'_>| to.unbounded_send(()));
            let started = begin()?;
            for _ in 0..asked {
                client.emit("message", QUESTION)?;
                next(&mut answers).await.ok_or("no answer")?;
            }
            Ok(started)
        }
        Way::Stream => {
            let mut events = client.events();
            let started = begin()?;
            for _ in 0..asked {
                client.emit("message", QUESTION)?;
                while !matches!(events.recv().await.ok_or("no answer")?, ClientEvent::Message(_)) {}
            }
            Ok(started)
        }
        Way::Inline => {
            again(&client, asked, to);
            let started = begin()?;
            client.emit("message", QUESTION)?;
            next(&mut answers).await.ok_or("no answer")?;
            Ok(started)
        }
    }
}

/// Asks again at each answer, and says when that has been done often enough.
fn again<R: Runtime>(client: &Client<R>, asked: usize, done: mpsc::UnboundedSender<()>) {
    let emitter = client.emitter();
    let answered = std::sync::atomic::AtomicUsize::new(0);
    client.on_event("message", move |_: &Event<'_>| {
        if answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 < asked {
            emitter.emit("message", QUESTION)
        } else {
            // Nobody waits for it any more when the run has ended.
            let _unheard = done.unbounded_send(());
            Ok(())
        }
    });
}

async fn crowd<R: Runtime>(runtime: R, path: &Path, count: usize, asked: usize) -> Outcome<(Instant, Duration)> {
    let (done, mut answers) = mpsc::unbounded();
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let client = connect(runtime.clone(), path).await?;
        again(&client, asked.div_ceil(count), done.clone());
        clients.push(client);
    }
    let started = begin()?;
    for client in &clients {
        client.emit("message", QUESTION)?;
    }
    for _ in 0..count {
        next(&mut answers).await.ok_or("no answer")?;
    }
    Ok(started)
}

async fn next(answers: &mut mpsc::UnboundedReceiver<()>) -> Option<()> {
    use std::pin::Pin;
    std::future::poll_fn(|cx| smol::stream::Stream::poll_next(Pin::new(&mut *answers), cx)).await
}
