//! Our own peer: the line protocol on top of our own handles, on the runtime that the options name.
//!
//! `world` holds what the peer has, `commands` carries out commands, `events` tells what happens; this file starts and
//! ends the process. What lines look like and which are due is the business of [`protocol`](crate::protocol).

mod commands;
mod datagrams;
mod events;
mod tls;
mod world;

use crate::js::Js;
use crate::protocol::{Arg, Command, Dispatcher};
use crate::protocol::{Call, Clock, ConnectTo, ConnectToNet, Options, Reply, Role, Serve, ServeNet, Transport};
use ipc_async_std::AsyncStd;
use ipc_driver::runtime::{Runtime, Timer};
use ipc_smol::Smol;
use ipc_tokio::Tokio;
use smol::channel::Sender;
use std::future::poll_fn;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::World;

/// Runs the peer whose options are the JSON text `argument`; ends the process.
///
/// # Errors
///
/// What is wrong with the argument, or why there is no runtime.
pub fn run(argument: &str) -> Result<std::convert::Infallible, String> {
    let clock = Clock::start();
    let options = Options::parse(argument).map_err(|misfit| misfit.0.message.to_text())?;
    if let Some(cwd) = &options.cwd {
        std::env::set_current_dir(cwd).map_err(|error| format!("cwd {cwd}: {error}"))?;
    }
    #[cfg(unix)]
    if let Some(mask) = options.umask {
        // The number has 16 bits on some systems; a mask has nine.
        rustix::process::umask(rustix::fs::Mode::from_bits_truncate((mask & 0o777) as rustix::fs::RawMode));
    }
    // A panic in a task would only end that task: a peer that has panicked must be seen to die.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(70);
    }));
    match options.runtime.as_str() {
        "tokio" => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
            runtime.block_on(live(Tokio::from(runtime.handle().clone()), options, clock))
        }
        "smol" => {
            let executor = Arc::new(smol::Executor::new());
            let live = live(Smol::from(&executor), options, clock);
            smol::block_on(executor.run(live))
        }
        "async-std" => async_std::task::block_on(live(AsyncStd, options, clock)),
        other => Err(format!("runtime {other:?} is unknown; this peer runs on \"tokio\", \"smol\" or \"async-std\"")),
    }
}

async fn live<R: Runtime>(runtime: R, options: Options, clock: Clock) -> ! {
    let lifetime = options.max_lifetime;
    let world = World::new(runtime, options, clock);
    let (lines, incoming) = smol::channel::unbounded();
    std::thread::spawn(move || read_commands(&lines));
    let watched = world.clone();
    std::thread::spawn(move || {
        std::thread::sleep(lifetime);
        watched.tell(Dispatcher::lifetime_over);
        std::process::exit(71);
    });
    set_up(&world);
    loop {
        let Ok(line) = incoming.recv().await else { std::process::exit(0) };
        match Call::read(&line) {
            Ok(None) => {}
            Ok(Some(call)) => {
                if matches!(call.command, Ok(Command::Now)) {
                    catch_up(world.runtime()).await;
                }
                let reply = world.perform(&call);
                world.tell(|dispatcher, now| dispatcher.result(&call, &reply, now));
            }
            Err(error) => world.tell(|dispatcher, now| dispatcher.bad_line(&error, now)),
        }
    }
}

/// Lets every task that has something to read run before we go on.
async fn catch_up(runtime: &impl Runtime) {
    let mut timer = runtime.timer();
    for _ in 0..3 {
        timer.set(Some(Instant::now() + Duration::from_millis(1)));
        poll_fn(|cx| timer.poll_expired(cx)).await;
    }
}

/// Reads stdin on a thread of its own; its end ends the process at once, whatever is going on.
fn read_commands(lines: &Sender<Vec<u8>>) {
    for line in io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { break };
        if lines.send_blocking(line).is_err() {
            break;
        }
    }
    let _ = io::stdout().flush();
    std::process::exit(0);
}

/// Does what the options `role`, `transport` and `autostart` ask for.
fn set_up(world: &World<impl Runtime>) {
    let options = world.options();
    let mut unsupported = Vec::new();
    if options.capture_log {
        unsupported.push(Js::text("captureLog"));
    }
    let unsupported = (!unsupported.is_empty()).then(|| ("unsupported", Js::from(unsupported)));
    let net = options.transport != Transport::Unix;
    let arg = |value: Option<Js>| value.map(Arg::Value);
    let host = options.host.as_deref().map(Js::text);
    let port = options.port.map(|port| Js::Number(f64::from(port)));
    match options.role {
        None => world.ready(unsupported),
        Some(Role::Client) => {
            let id = Some(Js::String(options.id.clone()));
            let command = if net {
                let args = [arg(id), arg(host), arg(port), Some(Arg::Callback)];
                Command::ConnectToNet(ConnectToNet(args.into_iter().flatten().collect()))
            } else {
                let path = options.path.as_deref().map(Js::text);
                let args = [arg(id), arg(path), Some(Arg::Callback)];
                Command::ConnectTo(ConnectTo(args.into_iter().flatten().collect()))
            };
            match world.carry_out(0, &command) {
                Reply::Threw(error) => world.ready([("error", world.describe(&error.into()))]),
                Reply::Unsupported => world.ready([("error", Js::text("unsupported"))]),
                _ => world.ready(unsupported),
            }
        }
        Some(Role::Server) => {
            let udp = match options.transport {
                Transport::Udp4 => Some(Js::text("udp4")),
                Transport::Udp6 => Some(Js::text("udp6")),
                _ => None,
            };
            let command = if net {
                let args = [arg(host), arg(port), arg(udp), Some(Arg::Callback)];
                Command::ServeNet(ServeNet(args.into_iter().flatten().collect()))
            } else {
                let path = options.path.as_deref().map(Js::text);
                Command::Serve(Serve([arg(path), Some(Arg::Callback)].into_iter().flatten().collect()))
            };
            let mut reply = world.carry_out(0, &command);
            let failed = |reply: &Reply| matches!(reply, Reply::Threw(_) | Reply::Unsupported);
            if !failed(&reply) && options.autostart {
                // The ready line follows the event `start`.
                world.ready_on_start();
                reply = world.carry_out(0, &Command::Start);
            }
            if failed(&reply) {
                world.tell(|dispatcher, now| dispatcher.setup_error(&reply, now));
                world.ready([("failed", Js::Bool(true))]);
            } else if !options.autostart {
                world.ready(unsupported);
            }
        }
    }
}
