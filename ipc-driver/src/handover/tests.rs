//! The conversation, step by step, over sockets of one process.

use super::wire::{Facts, GREETING, READY, WITHDRAWN, YOURS};
use super::{Offer, Outcome, claim, offer};
use crate::net::{FileId, Listening, Ownership, SocketFile, receive_fd, send_fd};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn facts(path: &str) -> Facts {
    let id = FileId { path: PathBuf::from(path), device: 1 << 40, inode: u64::MAX };
    Facts { endpoint: format!("unix:{path}"), file: Some((id, true)) }
}

/// A server's socket that is offered on a thread.
struct Offered {
    folder: tempfile::TempDir,
    file: SocketFile,
    cancel: Option<UnixStream>,
    thread: Option<std::thread::JoinHandle<io::Result<Outcome>>>,
}

impl Offered {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let file = SocketFile::of(&path).unwrap();
        let (cancel, cancelled) = UnixStream::pair().unwrap();
        let ownership: Ownership = file.ownership();
        let facts = Facts { endpoint: format!("unix:{}", path.display()), file: Some((file.id().clone(), true)) };
        let control = folder.path().join("control");
        let what = Offer { socket: OwnedFd::from(listener), facts, ownership: Some(ownership), taken: Arc::default() };
        let thread = std::thread::spawn({
            let control = control.clone();
            move || offer(&control, &what, &cancelled)
        });
        let offered = Self { folder, file, cancel: Some(cancel), thread: Some(thread) };
        offered.until(|| UnixStream::connect(&control).is_ok());
        offered
    }

    fn until(&self, condition: impl Fn() -> bool) {
        let deadline = soon();
        while !condition() {
            assert!(Instant::now() < deadline, "too late");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    fn end(&mut self) -> Outcome {
        self.cancel = None;
        self.thread.take().unwrap().join().unwrap().unwrap()
    }
}

/// A taker that says what it likes.
fn taker(control: &Path) -> UnixStream {
    let stream = UnixStream::connect(control).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn facts_arrive_as_they_were_sent_however_long_their_path_may_be() {
    for facts in
        [facts("/tmp/app.world"), facts(&"p".repeat(4000)), Facts { endpoint: "tcp:127.0.0.1:8000".into(), file: None }]
    {
        let (mut one, other) = UnixStream::pair().unwrap();
        one.write_all(&facts.encode().unwrap()).unwrap();
        assert_eq!(Facts::receive(&other, soon()).unwrap(), facts);
    }
    assert!(facts(&"p".repeat(5000)).encode().is_err());
}

#[test]
fn facts_that_make_no_sense_are_refused_and_never_waited_for_without_end() {
    for bytes in
        [b"\xff\xffx".as_slice(), b"\x01\x10", b"\x01\x00\xff", b"\x02\x00", b"\x01\x00x\x01\x00y\x00\x00", b""]
    {
        let (mut one, other) = UnixStream::pair().unwrap();
        one.write_all(bytes).unwrap();
        drop(one);
        Facts::receive(&other, soon()).unwrap_err();
    }
    let (_silent, other) = UnixStream::pair().unwrap();
    let error = Facts::receive(&other, Instant::now()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_descriptor_arrives_with_its_byte_and_closes_when_a_program_is_started() {
    let (one, other) = UnixStream::pair().unwrap();
    let (mut sent, mut kept) = UnixStream::pair().unwrap();
    send_fd(&one, b'x', sent.as_fd()).unwrap();
    sent.write_all(b"!").unwrap();
    drop(sent);
    let (byte, fd) = receive_fd(&other).unwrap();
    assert_eq!(byte, Some(b'x'));
    let fd = fd.unwrap();
    assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    let mut through = UnixStream::from(fd);
    through.write_all(b"?").unwrap();
    drop(through);
    let mut read = String::new();
    kept.read_to_string(&mut read).unwrap();
    assert_eq!(read, "!?");

    drop(one);
    let (byte, fd) = receive_fd(&other).unwrap();
    assert!(byte.is_none() && fd.is_none());
}

#[test]
fn takers_that_break_the_rules_get_nothing_and_the_offer_stands() {
    let mut offered = Offered::new();
    let mut rude = taker(&offered.control());
    rude.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut heard = Vec::new();
    // What was not read of it makes the end a reset.
    let _reset = rude.read_to_end(&mut heard);
    assert_eq!(heard, [WITHDRAWN]);

    let mut impatient = taker(&offered.control());
    impatient.write_all(GREETING).unwrap();
    let (_, fd) = receive_fd(&impatient).unwrap();
    assert!(fd.is_some());
    impatient.write_all(b"now").unwrap();
    let mut heard = Vec::new();
    let _reset = impatient.read_to_end(&mut heard);
    assert_eq!(heard.last(), Some(&WITHDRAWN));
    assert!(offered.file.ownership().is_ours());

    let (claimed, listening) = claim(&offered.control()).unwrap();
    assert!(claimed.owns_file && matches!(listening, Listening::Unix { file: Some(_), .. }));
    claimed.confirm().unwrap();
    assert!(matches!(offered.end(), Outcome::Taken(_)));
    assert!(!offered.file.ownership().is_ours());
    assert!(!offered.control().exists());
}

#[test]
fn a_file_that_is_being_removed_is_not_given_away() {
    let mut offered = Offered::new();
    let (claimed, _listening) = claim(&offered.control()).unwrap();
    // The server stops just now.
    let id = offered.file.id().clone();
    let file = std::mem::replace(&mut offered.file, SocketFile::known(id, false));
    drop(file);
    let error = claimed.confirm().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(offered.end(), Outcome::Withdrawn);
}

#[test]
fn a_taker_that_dies_at_the_last_moment_leaves_the_file_to_us() {
    let mut offered = Offered::new();
    let mut dying = taker(&offered.control());
    dying.write_all(GREETING).unwrap();
    assert!(receive_fd(&dying).unwrap().1.is_some());
    Facts::receive(&dying, soon()).unwrap();
    // Ready, and deaf: the answer cannot be written.
    dying.shutdown(std::net::Shutdown::Read).unwrap();
    dying.write_all(&[READY]).unwrap();
    drop(dying);
    let control = offered.control();
    // Who comes just then may find the control socket closed; the next finds everything as it was.
    let deadline = soon();
    let (claimed, _listening) = loop {
        match claim(&control) {
            Ok(claimed) => break claimed,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert!(claimed.owns_file && offered.file.ownership().is_ours());
    drop(claimed);
    assert_eq!(offered.end(), Outcome::Withdrawn);
    let path = offered.folder.path().join("socket");
    assert!(path.exists());
    drop(offered.file);
    assert!(!path.exists());
}

#[test]
fn an_old_process_that_ends_without_a_word_is_dead_and_one_that_says_no_is_not() {
    for (answer, taken) in [(&[YOURS][..], true), (&[], true), (&[WITHDRAWN], false), (b"?", false)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let control = UnixListener::bind(&path).unwrap();
        let served = UnixListener::bind(folder.path().join("socket")).unwrap();
        let old = std::thread::spawn(move || {
            let (mut stream, _) = control.accept().unwrap();
            stream.read_exact(&mut [0; GREETING.len()]).unwrap();
            send_fd(&stream, super::wire::SOCKET, served.as_fd()).unwrap();
            stream.write_all(&facts("/x").encode().unwrap()).unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(answer).unwrap();
        });
        let (claimed, _listening) = claim(&path).unwrap();
        assert_eq!(claimed.confirm().is_ok(), taken, "{answer:?}");
        old.join().unwrap();
    }
}

/// An old process up to the end of its facts, and a claim of its socket.
fn halfway() -> (UnixStream, super::Claim, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let control = UnixListener::bind(&path).unwrap();
    let served = UnixListener::bind(folder.path().join("socket")).unwrap();
    let old = std::thread::spawn(move || {
        let (mut stream, _) = control.accept().unwrap();
        stream.read_exact(&mut [0; GREETING.len()]).unwrap();
        send_fd(&stream, super::wire::SOCKET, served.as_fd()).unwrap();
        stream.write_all(&facts("/x").encode().unwrap()).unwrap();
        stream
    });
    let (claimed, _listening) = claim(&path).unwrap();
    (old.join().unwrap(), claimed, folder)
}

#[test]
fn an_old_process_that_hangs_keeps_its_socket_and_cannot_give_it_away_later() {
    let (mut old, claimed, _folder) = halfway();
    let error = claimed.confirm_within(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("hangs"), "{error}");
    // It wakes up, finds that the other was ready, and is not heard any more: so it serves on.
    let mut ready = [0];
    old.read_exact(&mut ready).unwrap();
    assert_eq!(ready, [READY]);
    assert_eq!(old.write_all(&[YOURS]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[cfg(target_os = "linux")]
#[test]
fn a_control_socket_that_nobody_accepts_at_is_told_as_a_process_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let control = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    control.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    control.listen(0).unwrap();
    let _full = UnixStream::connect(&path).unwrap();
    let error = claim::connect(&path, Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.to_string().contains("did not answer within 5 s: it hangs"), "{error}");
}

#[test]
fn what_an_old_process_said_before_it_was_given_up_counts() {
    for (answer, expected) in [(YOURS, None), (WITHDRAWN, Some(io::ErrorKind::ConnectionAborted))] {
        let (mut old, claimed, _folder) = halfway();
        old.write_all(&[answer]).unwrap();
        let confirmed = claimed.confirm_within(Duration::ZERO);
        assert_eq!(confirmed.err().map(|error| error.kind()), expected);
    }
}

#[test]
fn of_two_offers_of_one_socket_one_is_taken() {
    // A port: there is no file whose removal could be given away but once.
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken: Arc<std::sync::atomic::AtomicBool> = Arc::default();
    let offers: Vec<_> = ["one", "other"]
        .into_iter()
        .map(|name| {
            let what = Offer {
                socket: listener.as_fd().try_clone_to_owned().unwrap(),
                facts: Facts { endpoint: "tcp:127.0.0.1:1".into(), file: None },
                ownership: None,
                taken: Arc::clone(&taken),
            };
            let (cancel, cancelled) = UnixStream::pair().unwrap();
            let control = folder.path().join(name);
            let at = control.clone();
            let thread = std::thread::spawn(move || offer(&at, &what, &cancelled).unwrap());
            let deadline = soon();
            let claimed = loop {
                match claim(&control) {
                    Ok((claimed, _)) => break claimed,
                    Err(error) => assert!(Instant::now() < deadline, "{error}"),
                }
            };
            (cancel, thread, claimed)
        })
        .collect();
    let mut outcomes = Vec::new();
    for (_cancel, thread, claimed) in offers {
        let confirmed = claimed.confirm();
        outcomes.push((confirmed.is_ok(), matches!(thread.join().unwrap(), Outcome::Taken(_))));
    }
    assert_eq!(outcomes, [(true, true), (false, false)]);
}
