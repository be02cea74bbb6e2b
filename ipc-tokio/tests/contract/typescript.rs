//! The declaration: as it was last approved, and as the compiler takes it.

use crate::{FromRoom, ToRoom, everything};
use ipc_testkit::node::{TypeScript, or_skip};
use ipc_tokio::Message;
use ipc_tokio::contract::typescript::Declaration;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")
}

fn declaration() -> String {
    Declaration::new().contract::<ToRoom>().contract::<FromRoom>().text().unwrap()
}

#[test]
fn the_declaration_is_the_one_in_the_repository() {
    let file = folder().join("room.ts");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, declaration()).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(declaration() == expected, "UPDATE_EXPECTED=1 writes {}:\n{}", file.display(), declaration());
}

/// A folder with the declaration and a program that uses it.
fn program(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("room.ts"), declaration()).unwrap();
    let file = folder.path().join("program.ts");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

#[test]
fn the_compiler_takes_right_uses_and_refuses_wrong_ones() {
    let Some(typescript) = or_skip("TypeScript", TypeScript::find()) else { return };
    // `@ts-expect-error` in it is an error where the next line is right.
    typescript.check(&folder().join("uses.ts")).unwrap_or_else(|errors| panic!("{errors}"));

    // And that it refuses at all, on its own account.
    let (_folder, file) = program(
        "import type { FromRoom, NodeClient, ToRoom } from './room';\n\
         declare const room: NodeClient<FromRoom, ToRoom>;\n\
         room.emit('join', 7);\n\
         room.emit('jion', 'ann');\n\
         room.on('said', (said) => said.txet);\n",
    );
    let errors = typescript.check(&file).expect_err("three errors");
    assert_eq!(errors.lines().filter(|line| line.contains("program.ts(")).count(), 3, "{errors}");
    for line in ["program.ts(3,", "program.ts(4,", "program.ts(5,"] {
        assert!(errors.contains(line), "{errors}");
    }
}

#[test]
fn what_rust_sends_has_the_types_that_the_declaration_says() {
    let Some(typescript) = or_skip("TypeScript", TypeScript::find()) else { return };
    let sent = |text: &mut String, interface: &str, message: &Message| {
        let (name, data) = (message.name_json(), message.data_json().unwrap());
        writeln!(text, "[{data}] satisfies [{interface}[{name}]];").unwrap();
    };
    let mut text = "import type { FromRoom, ToRoom } from './room';\n".to_owned();
    for event in everything() {
        sent(&mut text, "FromRoom", &Message::encode(&event).unwrap());
    }
    for event in [
        ToRoom::Join("ann".into()),
        ToRoom::Say { text: "hi".into(), reply_to: None },
        ToRoom::Say { text: "hi".into(), reply_to: Some(3) },
        ToRoom::Move(1.5, 2.0),
        ToRoom::Leave,
    ] {
        sent(&mut text, "ToRoom", &Message::encode(&event).unwrap());
    }
    let (_folder, file) = program(&text);
    typescript.check(&file).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    // A payload of another shape is found out.
    let (_folder, file) = program(&text.replace("\"number\":", "\"nunber\":"));
    assert!(typescript.check(&file).is_err());
}
