//! Somebody who may write to the directory of a socket: links, swapped directories, and files that come while a server starts. Nothing that is
//! no socket of ours is removed, followed or changed.

#![cfg(target_os = "linux")]

use ipc_tokio::{Config, ServeError, Server};
use ipc_torture::child::Plan;
use ipc_torture::place::{Over, Place};
use ipc_torture::raw::Raw;
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipc-torture");

fn at(place: &Place, name: &str) -> Plan {
    place.server_at(Over::Unix, &format!("unix:{}", place.path(name).display()))
}

fn is_link_to(path: &Path, target: &Path) -> bool {
    fs::read_link(path).is_ok_and(|found| found == target)
}

#[test]
fn a_symbolic_link_at_the_path_is_neither_followed_nor_removed() {
    let place = Place::new(PROGRAM);
    let (file, nowhere) = (place.path("precious"), place.path("nowhere"));
    fs::write(&file, "precious").expect("written");
    let before = fs::metadata(&file).expect("its data");
    let mut other = at(&place, "other").start();
    for (name, target) in [("to_a_file", &file), ("to_nothing", &nowhere), ("to_a_socket", &place.path("other"))] {
        let path = place.path(name);
        symlink(target, &path).expect("a link");
        for take_over in [false, true] {
            let plan = at(&place, name).config(json!({"takeOver": take_over})).option("start", false);
            let error = plan.start().refusal();
            assert!(error.contains("is no socket") && error.contains(name), "{error}");
            assert!(is_link_to(&path, target), "{name}");
        }
        // Without `unlink` nothing is looked at, and `bind` itself does not follow.
        let plan = at(&place, name).config(json!({"unlink": false})).option("start", false);
        let error = plan.start().refusal();
        assert!(error.contains("in use"), "{error}");
        assert!(is_link_to(&path, target), "{name}");
    }
    assert!(!nowhere.exists());
    let after = fs::metadata(&file).expect("its data");
    assert_eq!((before.ino(), before.mode(), before.len()), (after.ino(), after.mode(), after.len()));
    Raw::connect(&other.endpoint).expect("connected").round_trip().expect("the other server lives");
    assert_eq!(other.count("connected"), 1);
}

#[test]
fn a_file_in_a_directory_that_was_swapped_is_left_alone_when_the_server_stops() {
    let place = Place::new(PROGRAM);
    let (directory, away) = (place.path("directory"), place.path("away"));
    fs::create_dir(&directory).expect("made");
    let mut server = at(&place, "directory/world").start();
    fs::rename(&directory, &away).expect("moved");
    fs::create_dir(&directory).expect("made");
    fs::write(directory.join("world"), "precious").expect("written");
    server.ask(json!({"cmd": "shutdown"}));
    assert_eq!(fs::read(directory.join("world")).expect("still there"), b"precious");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_comes_and_goes_while_servers_start_is_never_removed_or_changed() {
    let place = Place::new(PROGRAM);
    let (path, precious) = (place.path("world"), place.path("precious"));
    fs::write(&precious, "precious").expect("written");
    let before = fs::metadata(&precious).expect("its data");
    let over = Arc::new(AtomicBool::new(false));
    let attacker = std::thread::spawn({
        let (path, precious, over) = (path.clone(), precious.clone(), Arc::clone(&over));
        move || {
            let (mut placed, mut lost) = (0, 0);
            while !over.load(Ordering::SeqCst) {
                // Never over what is there already: that is a server's, or none.
                let mine = if placed % 2 == 0 {
                    fs::File::create_new(&path).is_ok()
                } else {
                    symlink(&precious, &path).is_ok()
                };
                if !mine {
                    continue;
                }
                placed += 1;
                std::thread::sleep(Duration::from_micros(50));
                // Whatever servers did meanwhile, it must still be there.
                lost += i32::from(fs::remove_file(&path).is_err());
            }
            (placed, lost)
        }
    });
    let (mut started, mut refused) = (0, 0);
    while started < 200 || refused < 200 {
        let server = Server::at_path(&path.display().to_string(), Config::new("world")).expect("a server");
        match server.start().await {
            Ok(()) => {
                started += 1;
                server.shutdown(Duration::from_secs(5)).await;
            }
            Err(ServeError::Listen { source, .. }) => {
                let known = [ErrorKind::AddrInUse, ErrorKind::AlreadyExists, ErrorKind::NotFound];
                assert!(known.contains(&source.kind()), "{source:?}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    over.store(true, Ordering::SeqCst);
    let (placed, lost) = attacker.join().expect("the attacker ends");
    println!("{started} starts, {refused} refused, {placed} files and links came and went");
    assert_eq!(lost, 0, "a server has removed what was no socket of its own");
    let after = fs::metadata(&precious).expect("its data");
    assert_eq!((before.ino(), before.mode(), before.len()), (after.ino(), after.mode(), after.len()));
}
