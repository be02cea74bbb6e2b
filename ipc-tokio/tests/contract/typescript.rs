//! The declaration: as it was last approved, and as the compiler takes it.

use crate::{FromRoom, ToRoom, everything};
use ipc_testkit::node::{TypeScript, or_skip};
use ipc_tokio::contract::typescript::{Declaration, TS};
use ipc_tokio::{Message, Request};
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

#[derive(Request, TS, serde::Serialize, serde::Deserialize)]
#[request("sum", reply = Total)]
#[allow(dead_code, reason = "declared, not asked")]
struct Sum {
    numbers: Vec<f64>,
}

#[derive(TS, serde::Serialize, serde::Deserialize)]
struct Total {
    total: f64,
    of: Vec<Part>,
}

#[derive(TS, serde::Serialize, serde::Deserialize)]
struct Part {
    at: u32,
}

#[derive(Request, TS, serde::Serialize, serde::Deserialize)]
#[request("names.of", reply = Vec<Part>)]
struct Names(Option<Total>);

#[derive(Request, TS, serde::Serialize, serde::Deserialize)]
#[request(reply = String)]
struct Whoami;

fn requests() -> Declaration {
    Declaration::new().request::<Whoami>().request::<Sum>().request::<Names>().request::<Sum>()
}

#[test]
fn requests_are_declared_with_what_they_mention() {
    let text = requests().text().unwrap();
    assert!(
        text.contains(
            "export interface Requests {
    \"names.of\": { params: Names; reply: Array<Part> };
    sum: { params: Sum; reply: Total };
    whoami: { params: Whoami; reply: string };
}
"
        ),
        "{text}"
    );
    for declared in [
        "export type Names = Total | null;",
        "export type Part = { at: number, };",
        "export type Sum = { numbers: Array<number>, };",
        "export type Total = { total: number, of: Array<Part>, };",
        "export type Whoami = null;",
    ] {
        assert!(text.contains(declared), "{declared}\n{text}");
    }
    assert!(!declaration().contains("Requests"));
}

#[test]
fn two_requests_of_one_name_and_a_contract_called_as_the_interface_are_errors() {
    #[derive(Request, TS, serde::Serialize, serde::Deserialize)]
    #[request("sum", reply = String)]
    struct Other;
    let clash = requests().request::<Other>().text().unwrap_err();
    assert_eq!(clash.name, "sum");

    #[derive(ipc_tokio::Contract)]
    #[contract(typescript)]
    #[allow(dead_code, reason = "declared, not said")]
    enum Requests {
        One,
    }
    assert_eq!(requests().contract::<Requests>().text().unwrap_err().name, "Requests");
    Declaration::new().contract::<Requests>().text().unwrap();
}

#[test]
fn the_helper_for_node_is_held_to_the_requests() {
    let Some(typescript) = or_skip("TypeScript", TypeScript::find()) else { return };
    let check = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let helper = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js");
        for name in ["ipc-request.cjs", "ipc-request.d.cts"] {
            std::fs::copy(helper.join(name), folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("calculator.ts"), requests().text().unwrap()).unwrap();
        let file = folder.path().join("program.ts");
        let head = "import { onRequest, request, type Answer, type Ask } from './ipc-request.cjs';\n\
                    import type { Requests } from './calculator';\n\
                    const ask: Ask<Requests> = request;\n\
                    const answer: Answer<Requests> = onRequest;\n\
                    declare const ipc: { of: { calculator: object }; server: object };\n";
        std::fs::write(&file, format!("{head}{text}")).unwrap();
        typescript.check(&file)
    };
    let right = "const one: number = (await ask(ipc.of.calculator, 'sum', { numbers: [1] }, { timeout: 5 })).total;\n\
                 const all: number[] = (await ask(ipc.of.calculator, 'names.of', null)).map((part) => part.at);\n\
                 const me: string = await ask(ipc.of.calculator, 'whoami', null);\n\
                 answer(ipc.server, 'sum', ({ numbers }) => ({ total: numbers.length, of: [] }));\n\
                 answer(ipc.server, 'whoami', async (_nothing, socket) => String(socket));\n\
                 const any: unknown = await request(ipc.of.calculator, 'whatever', [1], {});\n\
                 export { one, all, me, any };\n";
    check(right).unwrap_or_else(|errors| panic!("{errors}"));
    for wrong in [
        "await ask(ipc.of.calculator, 'smu', { numbers: [1] });",
        "await ask(ipc.of.calculator, 'sum', { numbers: ['1'] });",
        "await ask(ipc.of.calculator, 'sum', { numbers: [1] }, { timout: 5 });",
        "const one: string = (await ask(ipc.of.calculator, 'sum', { numbers: [1] })).total;",
        "answer(ipc.server, 'sum', () => ({ total: 'many', of: [] }));",
        "answer(ipc.server, 'sum', ({ nubmers }) => ({ total: nubmers, of: [] }));",
        "answer(ipc.server, 'whoami', async () => 7);",
    ] {
        let errors = check(&format!("{wrong}\nexport {{}};\n")).expect_err(wrong);
        assert!(errors.contains("program.ts(6,"), "{wrong}: {errors}");
    }
}

/// What the page about contracts declares.
mod page {
    use ipc_tokio::contract::typescript::TS;
    use ipc_tokio::{Contract, Request};
    use serde::{Deserialize, Serialize};

    #[derive(Contract)]
    #[contract(typescript)]
    #[allow(dead_code, reason = "declared, not said")]
    pub(super) enum Chat {
        Joined(Person),
        Ping,
    }

    #[derive(TS, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Person {
        full_name: String,
        age: Option<u8>,
    }

    #[derive(Request, TS, Serialize, Deserialize)]
    #[request("sum", reply = f64)]
    #[allow(dead_code, reason = "declared, not asked")]
    pub(super) struct Sum {
        numbers: Vec<f64>,
    }
}

/// The blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    let rest = page.split(&fence).skip(1);
    rest.map(|rest| rest.split_once("```\n").expect("the end of a block").0.to_owned()).collect()
}

#[test]
fn the_programs_of_the_page_compile_but_for_the_lines_that_it_says_are_refused() {
    let Some(typescript) = or_skip("TypeScript", TypeScript::find()) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/contracts.md")).unwrap().replace("\r\n", "\n");
    let [options] = &blocks(&page, "json")[..] else { panic!("one tsconfig.json") };
    let programs = blocks(&page, "ts");
    assert_eq!(programs.len(), 2);

    let folder = tempfile::tempdir_in(typescript.folder()).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("package.json", r#"{"type":"module"}"#);
    write("tsconfig.json", options);
    write("chat.ts", &Declaration::new().contract::<page::Chat>().text().unwrap());
    write("calculator.ts", &Declaration::new().request::<page::Sum>().text().unwrap());
    for name in ["ipc-request.cjs", "ipc-request.d.cts"] {
        std::fs::copy(root.join("js").join(name), folder.path().join(name)).unwrap();
    }
    let mut expected = Vec::new();
    for (program, number) in programs.iter().zip(1..) {
        write(&format!("program{number}.ts"), program);
        for (line, at) in program.lines().zip(1..) {
            if line.ends_with("// refused by the compiler") {
                expected.push(format!("program{number}.ts({at},"));
            }
        }
    }
    assert_eq!(expected.len(), 2);

    let errors = typescript.check_project(folder.path()).expect_err("two errors");
    let found: Vec<_> = errors.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(found.len(), expected.len(), "{errors}");
    for start in &expected {
        assert!(found.iter().any(|line| line.starts_with(start)), "{start}\n{errors}");
    }
}
