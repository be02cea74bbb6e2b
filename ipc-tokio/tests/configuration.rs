//! Options from the files and the environment of an operator, and what is said of mistakes.

use ipc_tokio::{Config, Offline, SlowConsumer};
use std::process::Command;
use std::time::Duration;

const FILE: &str = r#"
id = "world"
retry = 1500
maxRetries = false
offline = "buffer"
slowConsumer = "dropOldest"
allowedEvents = ["message", "status"]

[interface]
localAddress = "127.0.0.1"

[tls]
private = "/etc/ipc/key.pem"
public = "/etc/ipc/cert.pem"
"#;

#[test]
fn a_toml_file_is_a_configuration() {
    let config: Config = toml::from_str(FILE).expect("a configuration");
    let expected = Config::new("world")
        .retry(Duration::from_millis(1500))
        .offline(Offline::Buffer)
        .slow_consumer(SlowConsumer::DropOldest)
        .allowed_events(["message", "status"])
        .interface(ipc_tokio::Interface::default().local_address([127, 0, 0, 1].into()))
        .tls(ipc_tokio::TlsOptions::new().private("/etc/ipc/key.pem").public("/etc/ipc/cert.pem"));
    assert_eq!(config, expected);

    // As a table of a larger file.
    #[derive(serde::Deserialize)]
    struct Service {
        ipc: Config,
    }
    let service: Service = toml::from_str("[ipc]\nid = \"world\"\nparser = \"guarded\"").expect("a configuration");
    assert_eq!(service.ipc, Config::v14_guarded().id("world"));
}

#[test]
fn a_mistake_in_a_toml_file_is_named_with_the_nearest_right_option() {
    for (file, expected) in [
        ("maxRetrys = 3", r#"there is no option "maxRetrys"; did you mean "maxRetries"?"#),
        ("[tls]\ncertt = \"c\"", r#"there is no option "tls.certt"; did you mean "tls.cert"?"#),
        (
            "retry = \"soon\"",
            r#"option retry cannot be "soon"; allowed is a number of milliseconds from 0 to 2147483647"#,
        ),
        ("sync = 2026-11-26", "option sync cannot be an object; allowed is true or false"),
    ] {
        let error = toml::from_str::<Config>(file).expect_err("a mistake").to_string();
        assert!(error.contains(expected), "{error}");
    }
    // In a larger file, by its line.
    let file = "id = 'world'\nretry = 100\nmaxRetrys = 3\n";
    let error = toml::from_str::<Config>(file).expect_err("a mistake").to_string();
    assert!(error.contains("line 3, column 1"), "{error}");
    for (file, place) in [
        ("id = 'world'\nretry = 'soon'\n", "line 2, column 9"),
        ("[tls]\nkey = 'k'\ncertt = 'c'\n", "line 3, column 1"),
        ("id = 'world'\n[interface]\nlocalPort = true\nhints = 1\n", "line 3, column 13"),
    ] {
        let error = toml::from_str::<Config>(file).expect_err("a mistake").to_string();
        assert!(error.contains(place), "{error}");
    }
}

/// The environment belongs to a process, so this test is one of its own.
#[test]
fn the_environment_is_a_configuration() {
    if std::env::var_os("IPC_ID").is_some() {
        match ipc_tokio::config_from_env("IPC_") {
            Ok(config) => println!("id {:?}, retry {:?}", config.id, config.retry),
            Err(error) => println!("error: {error}"),
        }
        return;
    }
    let run = |variable: &str, value: &str| {
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args(["the_environment_is_a_configuration", "--exact", "--nocapture"])
            // Of whoever runs the tests, under Wine.
            .env_remove("IPC_ON_WINE")
            .env("IPC_ID", "world")
            .env(variable, value)
            .output()
            .expect("a process");
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(run("IPC_RETRY", "1500").contains(r#"id Some("world"), retry 1.5s"#));
    let said = run("IPC_MAX_RETRYS", "3");
    assert!(said.contains(r#"error: there is no option "IPC_MAX_RETRYS"; did you mean "IPC_MAX_RETRIES"?"#), "{said}");
}
