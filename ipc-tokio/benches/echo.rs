//! What an echo costs in allocations once it runs: server and client on one thread, over a Unix socket or TCP.
//!
//! ```text
//! cargo bench -p ipc-tokio --bench echo
//! ```
//!
//! Every round sends a burst of events and waits for their echoes. The allocator counts; the program fails if, after
//! warming up, an echoed small event costs an allocation.

#![allow(unsafe_code, reason = "a counting allocator cannot be written without it")]
#![allow(clippy::print_stdout, reason = "a program, not a library")]

use ipc_tokio::{Client, Config, Endpoint, Peer, Server};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches no memory it hands out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those of `System.alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `memory` came from `System` with this layout.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: usize = 200;
const ROUNDS: usize = 2_000;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let unix = format!("unix:{}/", folder.path().display());
    let mut clean = true;
    println!("{:<6} {:>6} {:>6} {:>14} {:>12}", "over", "bytes", "burst", "ns per echo", "allocations");
    for over in ["unix", "tcp"] {
        for (size, burst) in [(64, 1), (64, 64), (1_024, 16), (65_536, 1)] {
            let place = if over == "tcp" { "tcp:127.0.0.1:0".to_owned() } else { format!("{unix}{size}-{burst}") };
            let (nanoseconds, allocations) = runtime.block_on(measure(&place, size, burst)).expect("an echo");
            println!("{over:<6} {size:>6} {burst:>6} {nanoseconds:>14.0} {allocations:>12.4}");
            // A large one passes through buffers that are too large to keep for an idle connection.
            clean &= allocations < 0.01 || size > 1_024;
        }
    }
    if clean {
        ExitCode::SUCCESS
    } else {
        println!("a small event that is echoed must not allocate");
        ExitCode::FAILURE
    }
}

/// Nanoseconds and allocations for each echoed event, both ends together.
async fn measure(place: &str, size: usize, burst: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let settings = ipc_tokio::build(Config::new("echo"))?;
    let server = Server::at(settings.clone(), place.parse::<Endpoint>()?)?;
    server.on_event("message", Peer::emit_event);
    server.start().await?;

    let client = Client::at(settings, server.local_endpoint())?;
    let echoed = Arc::new((AtomicUsize::new(0), tokio::sync::Notify::new()));
    let counter = Arc::clone(&echoed);
    client.on_event("message", move |_| {
        if counter.0.fetch_add(1, Ordering::Relaxed) % burst == burst - 1 {
            counter.1.notify_one();
        }
    });
    client.connect().await?;

    let payload = "x".repeat(size - 2);
    let before = Rc::new(Cell::new((Instant::now(), 0)));
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            before.set((Instant::now(), ALLOCATIONS.load(Ordering::Relaxed)));
        }
        for _ in 0..burst {
            client.emit("message", &payload)?;
        }
        echoed.1.notified().await;
    }
    let (start, allocations) = before.get();
    let events = (ROUNDS * burst) as f64;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    Ok((start.elapsed().as_nanos() as f64 / events, allocations as f64 / events))
}
