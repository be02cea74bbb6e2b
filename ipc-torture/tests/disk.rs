//! Places where no socket can be: a full disk, one that is read-only, a folder that is missing, is none, or is closed. The error names the path
//! and the reason, and nothing is left behind.

#![cfg(target_os = "linux")]

use ipc_torture::child::{Child, Plan};
use ipc_torture::needs;
use ipc_torture::place::{Over, Place};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

/// A server that is started by command, in a mount namespace of its own where `folder` is a tmpfs with these options.
fn on_tmpfs(plan: Plan, folder: &Path, options: &str) -> Child {
    let script = format!("mount -t tmpfs -o {options} none \"$0\" && exec \"$@\"");
    let folder = folder.display().to_string();
    plan.option("start", false).under(["unshare", "-m", "sh", "-c", &script, &folder]).start()
}

/// What is in `folder` as the child sees it.
fn left_behind(child: &Child, folder: &Path) -> usize {
    let seen = format!("/proc/{}/root{}", child.pid(), folder.display());
    fs::read_dir(seen).expect("the folder as it sees it").count()
}

fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn a_full_disk_and_a_read_only_one_are_errors_with_path_and_reason() {
    if !needs::root_and(&["unshare", "mount", "sh"], "a full disk and a read-only one") {
        return;
    }
    let probe = "mount -t tmpfs -o size=4k none /tmp";
    if !needs::works(std::process::Command::new("unshare").args(["-m", "sh", "-c", probe])) {
        needs::not_here("a full disk and a read-only one: root may not mount here");
        return;
    }
    let place = Place::new(PROGRAM);
    let folder = place.path("disk");
    fs::create_dir(&folder).expect("a folder");
    let socket = format!("unix:{}/world", folder.display());
    let path = folder.display().to_string();

    // The folder itself takes the only inode.
    let mut full = on_tmpfs(place.server_at(Over::Unix, &socket), &folder, "nr_inodes=1");
    assert_says(&full.refusal(), &[&path, "No space left on device"]);
    assert_eq!(left_behind(&full, &folder), 0);
    let mut read_only = on_tmpfs(place.server_at(Over::Unix, &socket), &folder, "ro");
    assert_says(&read_only.refusal(), &[&path, "Read-only file system"]);
    assert_eq!(left_behind(&read_only, &folder), 0);

    // A socketRoot that would have to be made first.
    let root = folder.join("root");
    let in_root = format!("unix:{}/app.world", root.display());
    let config = json!({"socketRoot": format!("{}/", root.display())});
    for (options, reason) in [("nr_inodes=1", "No space left on device"), ("ro", "Read-only file system")] {
        for secure in [false, true] {
            let plan = place.server_at(Over::Unix, &in_root).config(config.clone());
            let mut server = on_tmpfs(plan.config(json!({"secureSocketRoot": secure})), &folder, options);
            assert_says(&server.refusal(), &["socketRoot", &root.display().to_string(), reason]);
            assert_eq!(left_behind(&server, &folder), 0);
        }
    }
    // There is room for the socket: the same child would have started.
    let mut roomy = on_tmpfs(place.server_at(Over::Unix, &socket), &folder, "nr_inodes=2");
    roomy.ask(json!({"cmd": "start"}));
    assert_eq!(left_behind(&roomy, &folder), 1);
    roomy.ask(json!({"cmd": "shutdown"}));
    assert_eq!(left_behind(&roomy, &folder), 0);
}

#[test]
fn a_folder_that_is_missing_or_none_is_an_error_with_path_and_reason() {
    let place = Place::new(PROGRAM);
    fs::write(place.path("file"), "precious").expect("written");
    for (folder, reason) in [("missing", "No such file or directory"), ("file", "Not a directory")] {
        let path = place.path(folder).join("world");
        let plan = place.server_at(Over::Unix, &format!("unix:{}", path.display())).option("start", false);
        assert_says(&plan.start().refusal(), &[&path.display().to_string(), reason]);
    }
    assert!(!place.path("missing").exists(), "only a socketRoot is made");
    assert_eq!(fs::read(place.path("file")).expect("read"), b"precious");
}

#[test]
fn a_folder_that_somebody_keeps_locked_delays_a_start_and_does_not_prevent_it() {
    let place = Place::new(PROGRAM);
    let folder = fs::File::open(place.path("")).expect("the folder");
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    let began = Instant::now();
    let mut server = place.server(Over::Unix).start();
    assert!(began.elapsed() > Duration::from_millis(100), "it has waited for others to be done: {:?}", began.elapsed());
    server.ask(json!({"cmd": "shutdown"}));
    assert!(!place.path("world").exists());
    // The lock is that of the folder itself: there is no file of its own that could be left behind.
    let left: Vec<_> = fs::read_dir(place.path("")).expect("read").filter_map(Result::ok).collect();
    let others = left.iter().filter(|entry| entry.path().extension().is_none());
    assert_eq!(others.count(), 0, "{left:?}");
}

#[test]
fn a_folder_without_permission_is_an_error_with_path_and_reason() {
    if !needs::root_and(&["setpriv"], "a folder of another user") {
        return;
    }
    let place = Place::new(PROGRAM);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).expect("open to all");
    let program = place.path("program");
    fs::copy(PROGRAM, &program).expect("a program that others may run");
    for (folder, mode) in [("hidden", 0o700), ("shown", 0o755)] {
        fs::create_dir(place.path(folder)).expect("a folder");
        fs::set_permissions(place.path(folder), fs::Permissions::from_mode(mode)).expect("set");
        let path = place.path(folder).join("world");
        let plan = place.server_at(Over::Unix, &format!("unix:{}", path.display())).option("start", false);
        let stranger = plan.program(&program).under(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        assert_says(&stranger.start().refusal(), &[&path.display().to_string(), "Permission denied"]);
        assert_eq!(fs::read_dir(place.path(folder)).expect("read").count(), 0);
    }
}
