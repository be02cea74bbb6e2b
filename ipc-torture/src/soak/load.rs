//! The clients of a soak, all in one process: `ipc-torture load '<json options>'`.
//!
//! Each actor has a thread of its own and does one thing until it is told to stop. What an answer is not what it should be, or does not
//! come, is a failure of the whole soak.

use super::actors::{self, World};
use crate::adapters::{Adapter, Job};
use ipc_driver::runtime::Runtime;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

#[derive(Deserialize)]
struct Options {
    adapter: String,
    /// As the subject `all` shows them.
    endpoints: String,
    /// The certificate to trust.
    ca: PathBuf,
}

/// Runs the clients of these options until standard input ends.
///
/// # Errors
///
/// What is wrong with the options, or what a client did not get.
pub fn run(options: &str) -> Result<(), Box<dyn std::error::Error>> {
    let options: Options = serde_json::from_str(options)?;
    Adapter::named(&options.adapter)?.run(Load(options))?
}

struct Load(Options);

impl Job for Load {
    type Output = Result<(), Box<dyn std::error::Error>>;

    fn run<R: Runtime>(self, runtime: R) -> Self::Output {
        let Self(Options { endpoints, ca, .. }) = self;
        let world = Arc::new(World::new(runtime, &endpoints, ca));
        let running: Vec<_> = actors::all()
            .into_iter()
            .zip(1..)
            .map(|((name, act), seed)| {
                let world = Arc::clone(&world);
                thread::Builder::new().name(name.to_owned()).spawn(move || {
                    if let Err(error) = act(&world, seed) {
                        world.fail(format!("{name} ({seed}): {error}"));
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        say(&json!({"ready": true}))?;
        for line in io::stdin().lock().lines() {
            let command: Value = serde_json::from_str(&line?)?;
            let answer = json!({
                "ev": "result", "n": command["n"], "ok": true,
                "value": {"done": world.done.load(Ordering::Relaxed), "failure": world.failure()},
            });
            say(&answer)?;
        }
        world.stop.store(true, Ordering::SeqCst);
        for one in running {
            one.join().map_err(|_| "a client panicked")?;
        }
        world.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }
}

fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
