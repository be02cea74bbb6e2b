//! SIGINT and SIGTERM, told to whoever wants to end cleanly. The second one ends the program at once.

use crate::exit::Exit;
use tokio::sync::watch;

/// Tells whether the program has been told to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<Option<Exit>>);

impl Interrupt {
    /// From now on the signals are ours: as soon as this returns, whenever its task first runs.
    pub(crate) fn listen() -> Self {
        let (sender, receiver) = watch::channel(None);
        let mut signals = Signals::new();
        tokio::spawn(async move {
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

#[cfg(windows)]
struct Signals(Option<tokio::signal::windows::CtrlC>);

#[cfg(windows)]
impl Signals {
    fn new() -> Self {
        Self(tokio::signal::windows::ctrl_c().ok())
    }

    async fn next(&mut self) -> Exit {
        if let Some(interrupt) = &mut self.0 {
            let _pressed = interrupt.recv().await;
            return Exit::Interrupted;
        }
        std::future::pending().await
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn are_caught() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").expect("a process has a status");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("it tells what is caught");
        let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
        // SIGINT is 2, SIGTERM 15; the mask begins at 1.
        caught >> 1 & 1 == 1 && caught >> 14 & 1 == 1
    }

    /// A signal between the first line shown and the first run of a task ended the program as if nobody had asked for it:
    /// no exit code, and the socket file left behind.
    #[test]
    fn signals_are_caught_before_anything_else_is_done() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        assert!(!are_caught());
        runtime.block_on(async {
            let _interrupt = Interrupt::listen();
            assert!(are_caught());
        });
    }
}
