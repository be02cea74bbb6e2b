//! Handles that are made where no Tokio runtime is.

use ipc_tokio::{Client, Config, ConnectError, Server};

#[test]
fn without_a_runtime_the_error_says_so() {
    let error = Server::new(Config::new("world")).expect_err("no runtime");
    assert!(error.to_string().contains("within a Tokio runtime"), "{error}");
    let error = Client::new("world", Config::new("world")).expect_err("no runtime");
    assert!(matches!(error, ConnectError::Runtime(_)));
}
