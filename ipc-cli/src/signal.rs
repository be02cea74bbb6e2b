//! SIGINT and SIGTERM, told to whoever wants to end cleanly. The second one ends the program at once.

use crate::exit::Exit;
use tokio::sync::watch;

/// Tells whether the program has been told to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<Option<Exit>>);

impl Interrupt {
    /// From now on the signals are ours.
    pub(crate) fn listen() -> Self {
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let mut signals = Signals::new();
            let first = signals.next().await;
            sender.send_replace(Some(first));
            let second = signals.next().await;
            std::process::exit(second as i32);
        });
        Self(receiver)
    }

    /// Waits for it, and says which it was.
    pub(crate) async fn told(&self) -> Exit {
        let mut receiver = self.0.clone();
        let told = receiver.wait_for(Option::is_some).await.map(|told| *told);
        match told {
            Ok(Some(exit)) => exit,
            // The task that tells has ended, with the runtime.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
struct Signals(Option<[tokio::signal::unix::Signal; 2]>);

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // If they cannot be had, they do what they do by default.
        let (int, term) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        Self(int.ok().zip(term.ok()).map(|(int, term)| [int, term]))
    }

    async fn next(&mut self) -> Exit {
        match &mut self.0 {
            Some([int, term]) => tokio::select! {
                _ = int.recv() => Exit::Interrupted,
                _ = term.recv() => Exit::Terminated,
            },
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> Exit {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Exit::Interrupted,
            Err(_) => std::future::pending().await,
        }
    }
}
