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
pub trait Request: Serialize + DeserializeOwned {
    /// The name of the request.
    const NAME: &'static str;
    /// What the one who asked gets.
    type Reply: Serialize + DeserializeOwned;
}
