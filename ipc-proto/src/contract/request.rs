//! What a request is in a contract: a name, parameters, and a reply.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The parameters of a request, which know its name and what is answered. `#[derive(Request)]` of an adapter (feature `derive`) or
/// of `ipc-derive` implements it; by hand:
///
/// ```
/// use ipc_proto::contract::Request;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Sum {
///     numbers: Vec<f64>,
/// }
///
/// impl Request for Sum {
///     const NAME: &'static str = "sum";
///     type Reply = f64;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the parameters of a request",
    label = "a type that derives `Request` is needed here",
    note = "such a type has `#[derive(Serialize, Deserialize, Request)]` and `#[request(reply = Type)]`, with `Request` from the crate that you use (`ipc_tokio::Request`)",
    note = "the derive is behind the feature `derive` of that crate: `ipc-tokio = {{ features = [\"derive\"], … }}` in Cargo.toml"
)]
pub trait Request: Serialize + DeserializeOwned {
    /// The name of the request.
    const NAME: &'static str;
    /// What the one who asked gets.
    type Reply: Serialize + DeserializeOwned;
}
