//! Where the program writes: data to stdout, everything else to stderr.
//!
//! A thread of its own writes to stdout, so that a reader who takes his time stops who has something to say and nobody else: not the
//! one who waits for SIGINT.

mod line;
mod traffic;

pub(crate) use line::Line;
pub(crate) use traffic::{Side, Traffic, What, Who};

use crate::escape::printable;
use crate::exit::{Exit, Failure, Outcome};
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Lines on their way to stdout.
const QUEUE: usize = 256;

/// How long stdout may take to accept what is left when the program has been told to end.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

/// How stdout is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Json,
    Text,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Stdout and stderr. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Output {
    lines: mpsc::Sender<Piece>,
    /// Why nothing can be written any more.
    failed: Arc<Mutex<Option<io::Error>>>,
    gone: Arc<tokio::sync::Notify>,
    pub(crate) format: Format,
    pub(crate) style: Palette,
    style_of_stderr: Palette,
    quiet: bool,
}

enum Piece {
    Text(String),
    Flush(oneshot::Sender<()>),
}

impl Output {
    pub(crate) fn new(format: Option<Format>, color: Color, quiet: bool) -> Self {
        let format = format.unwrap_or(if io::stdout().is_terminal() { Format::Text } else { Format::Json });
        let (lines, receiver) = mpsc::channel(QUEUE);
        let failed = Arc::new(Mutex::new(None));
        let reason = Arc::clone(&failed);
        std::thread::spawn(move || write_lines(receiver, &reason));
        let gone = Arc::new(tokio::sync::Notify::new());
        Self {
            lines,
            failed,
            gone,
            format,
            style: Palette::new(color, &io::stdout()),
            style_of_stderr: Palette::new(color, &io::stderr()),
            quiet,
        }
    }

    /// Whether people read stdout.
    pub(crate) fn is_text(&self) -> bool {
        self.format == Format::Text
    }

    /// Writes a line to stdout, without its line break. Waits while the reader does not read. Whether it has been written is
    /// for [`finish`](Self::finish) to say.
    pub(crate) async fn line(&self, line: impl Into<String>) -> Outcome {
        let mut line = line.into();
        line.push('\n');
        self.text(line).await
    }

    /// Writes text to stdout.
    pub(crate) async fn text(&self, text: String) -> Outcome {
        self.lines.send(Piece::Text(text)).await.map_err(|_| self.why())
    }

    /// Everything was written, or why not.
    pub(crate) async fn finish(&self) -> Outcome {
        let (done, written) = oneshot::channel();
        // One that was not taken comes back, and is not kept: its end would be waited for below.
        drop(self.lines.send(Piece::Flush(done)).await);
        tokio::select! {
            biased;
            written = written => written.map_err(|_| self.why()),
            // One that was taken at the very moment at which the writer ended lies there for ever.
            () = self.lines.closed() => Err(self.why()),
        }
    }

    /// As [`finish`](Self::finish), but a reader who does not read is not waited for.
    pub(crate) async fn finish_soon(&self) {
        let _late_or_failed = tokio::time::timeout(LAST_WORDS, self.finish()).await;
    }

    /// Waits until nobody reads stdout any more, which for a pipe is noticed also while nothing is written.
    pub(crate) async fn nobody_reads(&self) -> Failure {
        #[cfg(unix)]
        watch_pipe(&self.gone);
        tokio::select! {
            () = self.gone.notified() => Failure::nobody_reads(),
            () = self.lines.closed() => self.why(),
        }
    }

    fn why(&self) -> Failure {
        let error = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        match error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Failure::new(Exit::Failed, "cannot write to stdout", error)
                    .help("make room on the disk that stdout goes to, or let it go elsewhere")
            }
            _ => Failure::nobody_reads(),
        }
    }

    /// Says something on stderr that is no data, unless `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            self.style_of_stderr.note(&text.to_string());
        }
    }

    /// Says on stderr that something is not as it should be.
    pub(crate) fn warn(&self, text: impl Display) {
        self.style_of_stderr.warning(&text.to_string());
    }

    /// Whether to draw on stderr.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }
}

fn write_lines(mut lines: mpsc::Receiver<Piece>, failed: &Mutex<Option<io::Error>>) {
    let mut stdout = BufWriter::with_capacity(64 * 1024, io::stdout());
    while let Some(piece) = lines.blocking_recv() {
        let mut outcome = Ok(());
        let mut waiting = None;
        match piece {
            Piece::Text(text) => outcome = stdout.write_all(text.as_bytes()),
            Piece::Flush(done) => waiting = Some(done),
        }
        if waiting.is_some() || lines.is_empty() {
            outcome = outcome.and_then(|()| stdout.flush());
        }
        if let Err(error) = outcome {
            // Before whoever waits hears that it is over, and asks why.
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            drop(waiting);
            // What the buffer holds cannot be written, and must not be tried again.
            let _lost = stdout.into_parts();
            return;
        }
        if let Some(done) = waiting {
            let _nobody_waits = done.send(());
        }
    }
}

/// Notices that the reading end of a pipe has been closed.
#[cfg(unix)]
fn watch_pipe(gone: &Arc<tokio::sync::Notify>) {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::{FileType, fstat};
    let stdout = io::stdout();
    if !fstat(&stdout).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo) {
        return;
    }
    let gone = Arc::clone(gone);
    std::thread::spawn(move || {
        // Without asking for anything, what is told is the end of the other side.
        let mut stdout = [PollFd::new(&stdout, PollFlags::empty())];
        while matches!(poll(&mut stdout, None), Err(rustix::io::Errno::INTR)) {}
        gone.notify_one();
    });
}

/// Styles, which are empty where nothing is coloured.
#[derive(Clone, Copy, Default)]
pub(crate) struct Palette {
    pub(crate) dim: Style,
    pub(crate) name: Style,
    pub(crate) outward: Style,
    pub(crate) inward: Style,
    pub(crate) good: Style,
    pub(crate) bad: Style,
    pub(crate) warning: Style,
    pub(crate) bold: Style,
}

impl Palette {
    fn new(color: Color, stream: &impl anstream::stream::RawStream) -> Self {
        let on = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
        };
        if !on {
            return Self::default();
        }
        let of = |color: AnsiColor| color.on_default();
        Self {
            dim: Style::new().dimmed(),
            name: of(AnsiColor::Cyan),
            outward: of(AnsiColor::Green),
            inward: of(AnsiColor::Blue),
            good: of(AnsiColor::Green),
            bad: of(AnsiColor::Red).bold(),
            warning: of(AnsiColor::Yellow),
            bold: Style::new().bold(),
        }
    }

    pub(crate) fn note(&self, text: &str) {
        say(&paint(self.dim, &printable(text)));
    }

    fn warning(&self, text: &str) {
        say(&format!("{} {}", paint(self.warning, "warning:"), printable(text)));
    }
}

/// So many of something, whose plural has an `s`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A line on stderr. That nobody reads it is no reason to stop.
pub(crate) fn say(line: &str) {
    let _nobody_reads = writeln!(io::stderr().lock(), "{line}");
}
