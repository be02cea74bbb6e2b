//! `ipc ls`: the sockets of a directory.

use crate::Context;
use crate::exit::Outcome;
use clap::Args;
use std::path::PathBuf;

/// List the sockets of a directory: live or stale, whose, and who may connect.
///
/// Without ROOT, the socket root of the options; if none is set, both that of node-ipc 9 (/tmp/) and that of node-ipc 14 (a private directory).
/// `live` means that somebody listens, `stale` that the file is what a dead server left, `busy` that the server has no room, `denied`
/// that you may not connect, and so cannot find out whether anybody listens. On Linux nobody is disturbed; elsewhere a server sees a connection come and go.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ipc ls                                       where node-ipc puts sockets
  ipc ls /run/user/1000
  ipc ls --stale --format json | jq -r .path   what dead servers left
  ipc ls --preset v14-fast")]
pub(crate) struct Ls {
    /// The directory
    root: Option<PathBuf>,
    /// Only sockets on which somebody listens
    #[arg(long, conflicts_with = "stale")]
    live: bool,
    /// Only sockets that dead servers left
    #[arg(long)]
    stale: bool,
}

#[cfg(not(unix))]
impl Ls {
    pub(crate) async fn run(self, _context: Context) -> Outcome {
        let Self { root: _, live: _, stale: _ } = self;
        Err(crate::exit::Failure::usage("named pipes of Windows are not listed by this version")
            .help(r"in PowerShell: Get-ChildItem \\.\pipe\"))
    }
}

#[cfg(unix)]
impl Ls {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        use crate::exit::{Exit, Failure};
        let roots = match &self.root {
            Some(root) => vec![root.clone()],
            None => roots(&context)?,
        };
        let asked_for = self.root.is_some();
        let appspace = context.options.config(false)?.appspace;
        let mut rows = Vec::new();
        for root in &roots {
            let looked = root.clone();
            let found = tokio::task::spawn_blocking(move || crate::sockets::in_directory(&looked)).await;
            let found = found.map_err(|error| Failure::new(Exit::Failed, "looking for sockets", error))?;
            match found {
                Ok(found) => rows.extend(found),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && !asked_for => {}
                Err(error) => {
                    return Err(Failure::new(Exit::Failed, format!("cannot list {}", root.display()), error)
                        .help("give the directory of sockets: `ipc ls /tmp`"));
                }
            }
        }
        rows.retain(|row| {
            let stale = row.state == crate::sockets::State::Stale;
            (!self.stale || stale) && (!self.live || !stale)
        });
        show(&context, &rows, &appspace).await?;
        if rows.is_empty() {
            let kind = match (self.live, self.stale) {
                (true, _) => "live sockets",
                (_, true) => "stale sockets",
                _ => "sockets",
            };
            let looked: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
            context.output.note(format!("no {kind} in {}", looked.join(" and ")));
        }
        Ok(())
    }
}

#[cfg(unix)]
fn roots(context: &Context) -> Outcome<Vec<PathBuf>> {
    use ipc_tokio::Config;
    let config = context.options.config(false)?;
    if context.options.has_preset() || context.options.has("socketRoot") || context.options.has("parser") {
        let settings = ipc_tokio::build(config).map_err(|error| crate::exit::Failure::usage(error.to_string()))?;
        return Ok(vec![PathBuf::from(settings.socket_root())]);
    }
    let mut roots: Vec<PathBuf> = Vec::new();
    for config in [Config::v9(), Config::v14_fast()] {
        if let Ok(settings) = ipc_tokio::build(config) {
            roots.push(PathBuf::from(settings.socket_root()));
        }
    }
    Ok(roots)
}

/// Whether the process that listens is stopped: then the system takes connections for it, and nobody reads.
#[cfg(unix)]
fn stopped(row: &crate::sockets::Found) -> bool {
    row.owner.pid.is_some_and(crate::sockets::is_stopped)
}

#[cfg(unix)]
async fn show(context: &Context, rows: &[crate::sockets::Found], appspace: &str) -> Outcome {
    use crate::escape::printable;
    use crate::output::{Line, paint};
    use crate::sockets::{State, group, user};
    let output = &context.output;
    let id = |row: &crate::sockets::Found| {
        let name = row.path.file_name()?.to_str()?.to_owned();
        name.strip_prefix(appspace).filter(|id| !id.is_empty()).map(str::to_owned)
    };
    if output.is_text() && !rows.is_empty() {
        let head = format!("{:<7} {:<4} {:<17} {:<20} {}", "STATE", "MODE", "OWNER", "PROCESS", "PATH");
        output.line(paint(output.style.bold, &head)).await?;
    }
    for row in rows {
        let path = row.path.to_string_lossy();
        let (user, group) = (user(row.uid), group(row.gid));
        if !output.is_text() {
            let line = Line::new()
                .text("kind", "socket")
                .text("path", &path)
                .optional_text("id", id(row).as_deref())
                .text("state", row.state.name())
                .plain("uid", row.uid)
                .optional_text("user", user.as_deref())
                .plain("gid", row.gid)
                .optional_text("group", group.as_deref())
                .text("mode", &format!("{:04o}", row.mode))
                .optional("pid", row.owner.pid)
                .optional_text("command", row.owner.command.as_deref())
                .optional("stopped", stopped(row).then_some(true));
            let line = match &row.state {
                State::Unknown(error) => line.text("error", error),
                _ => line,
            };
            output.line(line.finish()).await?;
            continue;
        }
        let style = match row.state {
            State::Live => output.style.good,
            State::Stale => output.style.dim,
            _ => output.style.warning,
        };
        let state = paint(style, &format!("{:<7}", row.state.name()));
        let user = user.unwrap_or_else(|| row.uid.to_string());
        let group = group.unwrap_or_else(|| row.gid.to_string());
        let process = match (&row.owner.pid, &row.owner.command) {
            (Some(pid), Some(command)) => format!("{pid} ({})", printable(command)),
            (Some(pid), None) => pid.to_string(),
            _ => String::new(),
        };
        let process = if stopped(row) { format!("{process}, stopped") } else { process };
        let why = if let State::Unknown(error) = &row.state { format!("  {error}") } else { String::new() };
        let owner = format!("{user}:{group}");
        let line = format!("{state} {:04o} {owner:<17} {process:<20} {}{why}", row.mode, printable(&path));
        output.line(line).await?;
    }
    Ok(())
}
