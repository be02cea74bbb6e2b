//! Without the feature `tls`: what was meant to be encrypted never goes in clear.

use crate::world::{config, endpoint, settings};
use ipc_driver::fake::Fake;
use ipc_driver::{Client, ConnectError, ServeError, Server, TlsOptions};

#[test]
fn a_configuration_that_asks_for_tls_is_refused_and_the_feature_named() {
    let settings = settings(config().tls(TlsOptions::new()));
    let client = Client::with_runtime(Fake::new(1), settings.clone(), endpoint());
    let Err(error @ ConnectError::Unsupported { .. }) = client else { panic!("{client:?}") };
    assert!(error.to_string().starts_with("TLS without the feature `tls` is not supported"), "{error}");
    let server = Server::with_runtime(Fake::new(1), settings, endpoint());
    let Err(error @ ServeError::Unsupported { .. }) = server else { panic!("{server:?}") };
    assert!(error.to_string().starts_with("TLS without the feature `tls` is not supported"), "{error}");
}
