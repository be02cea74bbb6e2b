//! A local socket: its path, its file, its directory, and who listens.

use super::{Findings, guess, network};
use crate::Context;
use crate::address::Target;
use crate::exit::Outcome;
use crate::sockets::{self, Owner, State, group, user};
use ipc_tokio::{Config, Endpoint, LocalAddress, Platform};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

pub(super) async fn examine(
    findings: &mut Findings<'_>,
    context: &Context,
    target: &Target,
    address: &LocalAddress,
    said: &str,
    probe: bool,
) -> Outcome {
    if address.is_abstract() {
        findings
            .warning(
                "access",
                "an abstract name has no owner and no mode: every process of this network namespace may connect, or take it",
                "let the server look who connects (Server::accept_if), or use a path",
            )
            .await?;
        if network::answers(findings, target, false).await? {
            guess::behaviour(findings, target, None, probe).await?;
        }
        return Ok(());
    }
    let path = Path::new(address.as_str());
    length(findings, address).await?;
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return missing(findings, context, target, path, said, &error).await,
    };
    directory(findings, path).await?;
    if !metadata.file_type().is_socket() {
        let what = match metadata.file_type() {
            kind if kind.is_dir() => "a directory",
            kind if kind.is_symlink() => "a symbolic link",
            _ => "a file",
        };
        if metadata.is_symlink() && fs::metadata(path).is_ok_and(|target| target.file_type().is_socket()) {
            let help = "clients follow it; a server does not start there, as it would have to replace it";
            findings.warning("file", "it is a symbolic link to a socket", help).await?;
        } else {
            let help = "no server can listen there: move it away, or choose another id or path";
            return findings.problem("file", format!("there is {what}, and no socket"), help).await;
        }
    }
    mode(findings, &metadata).await?;
    let (looked, seen) = (path.to_owned(), metadata);
    let also_seen = seen.clone();
    let found = tokio::task::spawn_blocking(move || sockets::at(&looked, &also_seen)).await;
    let Ok(found) = found else { return Ok(()) };
    let process = process(&found.owner);
    match found.state {
        State::Live => {
            findings.good("listener", format!("somebody listens{process}")).await?;
            guess::process(findings, &found.owner).await?;
            if !stands_still(findings, &found.owner).await? && network::answers(findings, target, false).await? {
                guess::behaviour(findings, target, None, probe).await?;
            }
        }
        State::Stale => {
            let help = format!(
                "start the server again: servers of node-ipc replace such a file; or remove it: rm {}",
                path.display()
            );
            findings.problem("listener", "nobody listens: a server that is gone left this file", help).await?;
        }
        State::Busy => {
            let help = "the server does not accept connections: is it stopped, or its event loop blocked?";
            findings.problem("listener", format!("somebody listens{process} and has no room for us"), help).await?;
        }
        State::Denied => {
            let text = "we may not connect, and so cannot see whether a server is alive there";
            findings.problem("listener", text, who_may(&seen)).await?;
        }
        State::Unknown(error) => {
            let help = "look at the file and its directory: `ls -ld`";
            findings.problem("listener", format!("the system says: {error}"), help).await?;
        }
    }
    Ok(())
}

async fn length(findings: &mut Findings<'_>, address: &LocalAddress) -> Outcome {
    // Longer ones were refused where the address was read.
    let (length, limit) = (address.as_str().len(), Platform::current().local_address_limit());
    let text = format!("the path has {length} of {limit} bytes");
    if length + 10 > limit {
        let help = "a path that is a little longer is refused here, and cut in silence by node-ipc; choose a shorter socketRoot";
        return findings.warning("length", text, help).await;
    }
    findings.good("length", text).await
}

async fn missing(
    findings: &mut Findings<'_>,
    context: &Context,
    target: &Target,
    path: &Path,
    said: &str,
    error: &std::io::Error,
) -> Outcome {
    if error.kind() == ErrorKind::PermissionDenied {
        let help = "a directory on the way to it is closed to us: `namei -l PATH` shows which";
        return findings.problem("file", format!("it cannot be looked at: {error}"), help).await;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let root = Path::new(target.settings.socket_root().trim_end_matches('/'));
        let private = target.settings.config().socket_root.is_none() && folder == root;
        let help = match elsewhere(context, path, said) {
            Some(other) => there_is_one_at(&other),
            // The one that node-ipc 14 has by default.
            None if private => String::from(
                "start the server, with the same preset and as the same user: it makes the directory itself",
            ),
            None => String::from("make it, or set socketRoot to one that is there; the server must use the same"),
        };
        return findings.problem("directory", format!("there is no directory {}", folder.display()), help).await;
    }
    let help = match elsewhere(context, path, said) {
        Some(other) => there_is_one_at(&other),
        None => format!(
            "is the server started, with this id, appspace and socketRoot? `ipc ls {}` shows what is there",
            folder.display()
        ),
    };
    findings.problem("file", "there is no socket at this path", help).await
}

fn there_is_one_at(other: &Path) -> String {
    format!(
        "there is one at {}: node-ipc 9 to 12 and 14 look in different places; use that path on both sides, or --preset",
        other.display()
    )
}

/// Where another version of node-ipc would have put the socket of this id, if it is there.
fn elsewhere(context: &Context, path: &Path, said: &str) -> Option<PathBuf> {
    let id = said.strip_prefix("unix:").unwrap_or(said);
    if id.contains('/') {
        return None;
    }
    let appspace = context.options.config(false).ok()?.appspace;
    [Config::v9(), Config::v14_fast()].into_iter().find_map(|config| {
        let settings = ipc_tokio::build(config.appspace(appspace.clone())).ok()?;
        let Ok(Endpoint::Local(address)) = Endpoint::local(&settings, Some(id)) else { return None };
        let other = PathBuf::from(address.as_str());
        (other != path && fs::symlink_metadata(&other).is_ok_and(|it| it.file_type().is_socket())).then_some(other)
    })
}

async fn directory(findings: &mut Findings<'_>, path: &Path) -> Outcome {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(metadata) = fs::metadata(folder) else { return Ok(()) };
    let mode = metadata.mode() & 0o7777;
    let text = format!("{} is {}, mode {mode:04o}", folder.display(), owners(metadata.uid(), metadata.gid()));
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        let help = "everybody may replace the socket there by one of theirs: chmod o-w, or another socketRoot";
        return findings.warning("directory", text, help).await;
    }
    if mode & 0o002 != 0 {
        let text = format!("{text}: everybody may make sockets there, and nobody may remove those of others");
        let help = "who is first has the name; a private socketRoot (node-ipc 14's default) keeps others out";
        return findings.note("directory", text, Some(help)).await;
    }
    findings.good("directory", text).await
}

async fn mode(findings: &mut Findings<'_>, metadata: &fs::Metadata) -> Outcome {
    let mode = metadata.mode() & 0o777;
    let text = format!("a socket of {}, mode {mode:04o}", owners(metadata.uid(), metadata.gid()));
    match mode {
        // Linux asks for the right to write, others for less.
        mode if mode & 0o002 != 0 => {
            let help =
                "meant so? Else use socketMode with socketGroup, or an accept filter; node-ipc's writableAll opens it";
            findings.warning("mode", format!("{text}: every user of this machine may connect"), help).await
        }
        mode if mode & 0o020 != 0 => {
            findings.good("mode", format!("{text}: the owner and the group may connect")).await
        }
        mode if mode & 0o200 != 0 => {
            findings.good("mode", format!("{text}: only the owner (and root) may connect")).await
        }
        _ => {
            let help = "give its owner the right to write: chmod u+w, or set socketMode";
            findings.warning("mode", format!("{text}: only root may connect"), help).await
        }
    }
}

/// Who may connect to a socket, for one who may not.
pub(super) fn who_may(metadata: &fs::Metadata) -> String {
    let (mode, owner) = (metadata.mode(), user(metadata.uid()).unwrap_or_else(|| format!("uid {}", metadata.uid())));
    let group = group(metadata.gid()).unwrap_or_else(|| format!("gid {}", metadata.gid()));
    let who = match mode {
        mode if mode & 0o020 != 0 => format!("the user {owner}, the group {group} and root"),
        mode if mode & 0o200 != 0 && metadata.uid() != 0 => format!("the user {owner} and root"),
        _ => String::from("root"),
    };
    format!(
        "only {who} may connect: do it as one who may, or set socketMode or socketGroup at the server (writableAll in node-ipc)"
    )
}

fn owners(uid: u32, gid: u32) -> String {
    let user = user(uid).unwrap_or_else(|| format!("uid {uid}"));
    let group = group(gid).unwrap_or_else(|| format!("gid {gid}"));
    format!("{user}:{group}")
}

/// Whether the process that listens is stopped, which is told.
pub(super) async fn stands_still(findings: &mut Findings<'_>, owner: &Owner) -> Outcome<bool> {
    let Some(pid) = owner.pid.filter(|&pid| sockets::is_stopped(pid)) else { return Ok(false) };
    let text = format!("process {pid} is stopped, by a signal or a debugger: connections wait, and nobody reads");
    findings.problem("process", text, format!("let it go on: kill -CONT {pid}")).await?;
    Ok(true)
}

pub(super) fn process(owner: &Owner) -> String {
    match (owner.pid, &owner.command) {
        (Some(pid), Some(command)) => format!(": process {pid} ({command})"),
        (Some(pid), None) => format!(": process {pid}"),
        _ => String::new(),
    }
}
