//! Without the feature `metrics`: whoever calls `record_metrics` is told of the feature by the compiler.
//!
//! The methods are there, and cannot be called: nothing has the trait that they ask for.

use crate::client::Client;
use crate::runtime::Runtime;
use crate::server::Server;
use crate::udp::UdpServer;

/// What no handle is without the feature.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`record_metrics` needs the cargo feature `metrics`",
    label = "the feature `metrics` is off",
    note = "add `\"metrics\"` to the features of the ipc crate in Cargo.toml, as `ipc-tokio = {{ …, features = [\"metrics\"] }}`"
)]
pub trait PublishesMetrics {}

impl<R: Runtime> Server<R> {
    #[doc(hidden)]
    pub fn record_metrics(&self)
    where
        Self: PublishesMetrics,
    {
    }
}

impl<R: Runtime> Client<R> {
    #[doc(hidden)]
    pub fn record_metrics(&self)
    where
        Self: PublishesMetrics,
    {
    }
}

impl<R: Runtime> UdpServer<R> {
    #[doc(hidden)]
    pub fn record_metrics(&self)
    where
        Self: PublishesMetrics,
    {
    }
}
