//! Listening sockets from elsewhere, before a server has them: whose their file is.

use ipc_driver::{Config, Endpoint, Listening, build};
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("world")
    }
}

fn bound(path: &Path) -> Listening {
    Listening::from(UnixListener::bind(path).unwrap())
}

#[test]
fn the_file_of_a_socket_from_elsewhere_is_removed_if_that_was_asked_for() {
    let place = Place::new();
    let path = place.socket();
    drop(bound(&path));
    assert!(path.exists(), "it was not");
    fs::remove_file(&path).unwrap();

    // By a descriptor too, and asked for twice.
    let descriptor = UnixListener::bind(&path).unwrap().into();
    let listening = Listening::from_fd(descriptor).unwrap().owning_file().unwrap().owning_file().unwrap();
    let another = listening.duplicate().unwrap();
    UnixStream::connect(&path).unwrap();
    drop(listening);
    assert!(!path.exists());
    drop(another);
}

#[test]
fn a_file_that_is_gone_or_no_socket_cannot_be_asked_for_and_is_left_alone() {
    let place = Place::new();
    let path = place.socket();
    let listening = bound(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(listening.owning_file().unwrap_err().kind(), ErrorKind::NotFound);

    let listening = bound(&path);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a text").unwrap();
    listening.owning_file().unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a text");
}

#[test]
fn a_file_that_was_asked_for_and_then_replaced_is_left_alone() {
    let place = Place::new();
    let path = place.socket();
    let listening = bound(&path).owning_file().unwrap();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(listening);
    assert!(path.exists(), "it belongs to somebody else by now");
    UnixStream::connect(&path).unwrap();
    drop(other);
}

#[test]
fn where_there_is_no_file_to_ask_for_nothing_changes() {
    let tcp = Listening::from(TcpListener::bind("127.0.0.1:0").unwrap()).owning_file().unwrap();
    assert!(matches!(tcp, Listening::Tcp(_)));

    let place = Place::new();
    let settings = build(Config::new("world")).unwrap();
    let endpoint = Endpoint::at_path(&settings, place.socket().to_str().unwrap()).unwrap();
    let (own, _) = Listening::bind(&endpoint, &settings).unwrap();
    let own = own.owning_file().unwrap();
    assert!(place.socket().exists());
    drop(own);
    assert!(!place.socket().exists());
}
