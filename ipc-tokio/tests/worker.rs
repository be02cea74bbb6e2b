//! The example `worker`: a program that gives its listening socket to a child, as its standard input. It starts itself once more,
//! so this test program has one test.

#![cfg(unix)]

#[path = "../examples/worker.rs"]
#[allow(dead_code, reason = "its `main`")]
mod worker;

#[test]
fn a_worker_serves_on_the_listening_socket_that_its_parent_gave_it_as_standard_input() -> worker::unix::Result<()> {
    worker::unix::main()
}
