//! Names, rights and shares, on pipes that nobody is connected to.

mod overlapped;

use super::*;
use crate::host::build;
use ipc_proto::Platform;

fn address(name: &str) -> LocalAddress {
    let name = format!("ipc-driver-{}-{name}", std::process::id());
    LocalAddress::new(&name, Platform::Windows).expect("a name")
}

fn bind(address: &LocalAddress, config: Config) -> io::Result<(PipeServer, OwnedHandle)> {
    PipeServer::try_bind(address, &build(config).expect("settings"))
}

#[test]
fn every_instance_is_for_its_owner_unless_the_configuration_opens_it() {
    for (readable, writable, everybody) in [
        (false, false, None),
        (true, false, Some("0x120189")),
        (false, true, Some("0x120192")),
        (true, true, Some("0x12019b")),
    ] {
        let config = Config::new("w").readable_all(readable).writable_all(writable);
        let (server, first) = bind(&address("rights"), config).expect("bound");
        let second = server.instance().expect("another");
        for instance in [first, second] {
            let list = sys::access_list(instance.as_handle()).expect("an access list");
            assert!(list.starts_with("D:P"), "{list}");
            let entries: Vec<_> = list.split(['(', ')']).filter(|entry| entry.contains(';')).collect();
            let of = |who: &str| entries.iter().find(|entry| entry.ends_with(who)).map(|entry| entry.split(';').nth(2));
            assert_eq!(of(";SY"), Some(Some("FA")), "{list}");
            assert!(of(";OW").or(of(";S-1-3-4")).is_some(), "{list}");
            assert_eq!(
                of(";WD").map(|rights| rights.map(str::to_lowercase)),
                everybody.map(|it| Some(it.to_owned())),
                "{list}"
            );
            assert_eq!(entries.len(), 2 + usize::from(everybody.is_some()), "{list}");
        }
    }
}

#[test]
fn a_name_has_one_server_in_this_process_and_is_free_when_all_of_it_is_gone() {
    let address = address("claim");
    let upper =
        LocalAddress::new(&address.as_str().to_uppercase().replace("PIPE", "pipe"), Platform::Windows).expect("a name");
    let (server, instance) = bind(&address, Config::new("w")).expect("bound");
    for other in [&address, &upper] {
        let error = bind(other, Config::new("w")).expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("in use"), "{error}");
    }
    let shared = bind(&address, Config::new("w").take_over(true)).expect("told to share it");
    drop(shared);

    let connection = server.claim();
    drop(server);
    // Its connection lives on, with an open instance: a server of this process may take the name again all the same.
    let (again, _instance) = bind(&address, Config::new("w")).expect("the name is still ours");
    drop((again, connection, instance));
}

#[test]
fn what_is_no_pipe_is_not_opened_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").expect("written");
    let error = try_open(&file.display().to_string()).expect_err("no pipe");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    let error = pipe(&LocalAddress::new("/tmp/app.world", Platform::Linux).expect("a path")).expect_err("no pipe");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
    assert_eq!(try_open(address("nobody").as_str()).expect_err("nobody").kind(), io::ErrorKind::NotFound);
}
