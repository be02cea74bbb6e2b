//! The tutorial, step by step, as a reader types it, and programs of other pages: they are the files beside this one, which the
//! pages show word for word, and they say what the pages say that one sees. `ipc-testkit` compares pages and files.
#![cfg(unix)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs, not a library")]

mod dependencies;
mod program;

use ipc_testkit::node::{NodeIpc, Version, or_skip};
use program::{Folder, Program, ROLE};
use std::path::Path;

/// The programs of the page. Each is a whole `main`, in a module of its own.
macro_rules! programs {
    ($($name:ident)*) => {
        $(mod $name {
            include!(concat!(stringify!($name), ".rs"));

            pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
                main()
            }
        })*

        /// Not a test but one of the programs, where the variable is set that names it.
        #[test]
        fn role() -> Result<(), Box<dyn std::error::Error>> {
            match std::env::var(ROLE).as_deref() {
                $(Ok(stringify!($name)) => $name::run(),)*
                Ok(other) => panic!("no program is called {other}"),
                Err(_) => Ok(()),
            }
        }
    };
}

programs! { server client secure_server secure_client calculator ask daemon }

/// The versions that the page names.
fn node_ipc(step: &str) -> Vec<NodeIpc> {
    [Version::V9_2_1, Version::V14_0_0]
        .into_iter()
        .filter_map(|version| or_skip(&format!("{step} with node-ipc {version}"), NodeIpc::find(version)))
        .collect()
}

#[test]
fn step_1_two_rust_programs_talk() {
    let folder = Folder::new();
    let server = Program::rust("server", &folder);
    server.says("listening at unix:");
    assert!(folder.path("app.world").exists(), "the socket lies in the folder");
    let client = Program::rust("client", &folder);
    client.says("message says \"hello world!\"");
    client.ends_well();
    server.says("got \"hello\" from peer #0");
    server.interrupt();
    server.says("connections were still open, 0 of them cut");
    server.ends_well();
    assert!(!folder.path("app.world").exists(), "the socket is gone");
}

#[test]
fn step_1_a_client_waits_for_its_server() {
    let folder = Folder::new();
    let client = Program::rust("client", &folder);
    let server = Program::rust("server", &folder);
    client.says("message says \"hello world!\"");
    client.ends_well();
    drop(server);
}

#[test]
fn step_2_a_node_client_asks_the_rust_server() {
    for node in node_ipc("step 2 of the tutorial") {
        let folder = Folder::with_node_ipc(&node);
        let server = Program::rust("server", &folder);
        server.says("listening at");
        let client = Program::node("hello.cjs", &node, &folder);
        client.says("hello from Node world!");
        client.ends_well();
        server.says("got \"hello from Node\" from peer #0");
    }
}

/// The programs for Node in the README, with the folder of the programs in Rust as their root.
#[test]
fn the_node_programs_of_the_readme_talk_to_those_in_rust() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let block = |with: &str| {
        let mut blocks = readme.split("```js\n").skip(1).filter_map(|rest| rest.split("```").next());
        let block = blocks.find(|block| block.contains("require") && block.contains(with)).expect(with);
        let (before, after) = block.split_once("\n\n").expect("a line between");
        format!("{before}\nipc.config.socketRoot = './';\n{after}")
    };
    for node in node_ipc("the programs of the README") {
        let folder = Folder::with_node_ipc(&node);
        std::fs::write(folder.path("client.cjs"), block("ipc.connectTo")).expect("written");
        std::fs::write(folder.path("server.cjs"), block("ipc.serve")).expect("written");
        let server = Program::rust("server", &folder);
        server.says("listening at");
        let client = Program::node("client.cjs", &node, &folder);
        client.says("hello world!");
        client.ends_well();
        drop(server);
        let server = Program::node("server.cjs", &node, &folder);
        let client = Program::rust("client", &folder);
        client.says("message says \"hello world!\"");
        client.ends_well();
        drop(server);
    }
}

#[test]
fn step_2_the_rust_client_asks_a_node_server() {
    for node in node_ipc("step 2 of the tutorial") {
        let folder = Folder::with_node_ipc(&node);
        let server = Program::node("world.cjs", &node, &folder);
        server.says("listening");
        let client = Program::rust("client", &folder);
        client.says("message says \"hello world, from Node!\"");
        client.ends_well();
        server.says("got hello");
    }
}

#[test]
fn step_3_tls_with_certificates_of_both_sides() {
    let folder = Folder::new();
    folder.certify();
    let server = Program::rust("secure_server", &folder);
    server.says("listening at tcp:localhost:");
    let client = Program::rust("secure_client", &folder);
    client.says("message says \"hello world!\"");
    client.ends_well();
    server.says("got \"hello\" over V1_3 from 127.0.0.1:");

    for node in node_ipc("step 3 of the tutorial") {
        folder.add_node_ipc(&node);
        let client = Program::node("secure.cjs", &node, &folder);
        client.says("hello from Node world!");
        client.ends_well();
    }

    // What the page has the reader try: a client that does not know the server.
    folder.replace("client.json", "[\"server.pub\"]", "[\"client.pub\"]");
    let careful = Program::rust("secure_client", &folder);
    careful.says("the peer's certificate is refused");
    careful.ends_badly();
    server.says(
        ": the peer refused the TLS handshake: it refuses our certificate; its log says why (alert CertificateUnknown)",
    );
    server.interrupt();

    // And a server that does not know the client, which is connected each time, so that `maxRetries` does not end it.
    folder.replace("client.json", "[\"client.pub\"]", "[\"server.pub\"]");
    folder.replace("server.json", "[\"client.pub\"]", "[\"server.pub\"]");
    // The refusal may be there before the first `emit`, which ends the program then, as the page says; here it is to wait.
    folder.replace("client.json", "\"maxRetries\": 3,", "\"maxRetries\": 3, \"offline\": \"buffer\",");
    server.ends_well();
    let server = Program::rust("secure_server", &folder);
    server.says("listening at tcp:localhost:");
    let stranger = Program::rust("secure_client", &folder);
    for _ in 0..5 {
        stranger.says("the connection broke: the peer refused the TLS handshake: ");
        server.says(": the peer's certificate is refused: ");
    }
}

#[test]
fn step_4_requests() {
    let folder = Folder::new();
    let server = Program::rust("calculator", &folder);
    server.says("listening at");
    let client = Program::rust("ask", &folder);
    client.says("6 / 4 = 1.5");
    client.says("1 / 0: by zero (ERR_DIVISION)");
    client.ends_well();
    for node in node_ipc("step 4 of the tutorial") {
        folder.add_node_ipc(&node);
        let client = Program::node("ask.cjs", &node, &folder);
        client.says("6 / 4 = 1.5");
        client.says("1 / 0: ERR_DIVISION");
        client.ends_well();
    }
}

#[test]
fn the_service_of_the_page_about_operations_ends_clean_when_it_is_terminated() {
    let folder = Folder::new();
    let service = Program::rust("daemon", &folder);
    service.says("listening at unix:./app.world");
    let client = Program::rust("client", &folder);
    client.says("message says \"hello world!\"");
    client.ends_well();
    service.terminate();
    service.says("0 were cut, 0 events lost");
    service.ends_well();
}

/// As systemd does it: the socket is number 3, and the environment says so. Clients may come before the program does.
#[test]
fn the_service_of_the_page_about_operations_takes_the_socket_of_systemd() {
    let folder = Folder::new();
    let listener = std::os::unix::net::UnixListener::bind(folder.path("app.world")).expect("a socket");
    let client = Program::rust("client", &folder);
    let service = Program::activated("daemon", &folder, listener.into());
    service.says("listening at unix:/");
    client.says("message says \"hello world!\"");
    client.ends_well();
    service.terminate();
    service.ends_well();
    assert!(folder.path("app.world").exists(), "the file is systemd's");
}

#[test]
fn every_adapter_describes_its_handles_alike() {
    let handles = |adapter| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(adapter).join("src/handles");
    let mut compared = 0;
    for entry in std::fs::read_dir(handles("ipc-tokio")).expect("the folder").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a table");
        for adapter in ["ipc-smol", "ipc-async-std"] {
            let other = handles(adapter).join(entry.file_name());
            let same = std::fs::read_to_string(&other).is_ok_and(|other| other == text);
            assert!(same, "{} is not that of ipc-tokio", other.display());
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
}

#[test]
fn what_a_page_shows_is_all_that_it_compiles() {
    // Lines that begin with `# ` are compiled and hidden from the book, but not from a reader of the file.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages: Vec<_> =
        std::fs::read_dir(root.join("docs")).expect("pages").flatten().map(|it| it.path()).collect();
    pages.push(root.join("README.md"));
    let mut blocks = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|it| it == "md")) {
        let text = std::fs::read_to_string(page).expect("a page");
        let mut is_rust = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("```") {
                is_rust = line.starts_with("```rust");
                blocks += usize::from(is_rust);
            }
            let hidden = is_rust && (line == "#" || line.starts_with("# "));
            assert!(!hidden, "{}:{}: {line}", page.display(), number + 1);
        }
    }
    assert!(blocks > 30, "{blocks}");
}
