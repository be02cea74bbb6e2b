//! The derives of the ipc crates. Take them from an adapter (`ipc_tokio::Contract`, feature `derive`), where the trait of the same
//! name stands beside them and examples run.
//!
//! Each derive is here once for every crate that re-exports it, because the code it writes names the traits through the one
//! crate that the user depends on. `#[contract(crate = "…")]` names another.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod attributes;
mod expand;
mod names;
mod parse;
mod request;
mod stub;
#[cfg(test)]
mod tests;
mod typescript;

use proc_macro::TokenStream;

fn contract(input: TokenStream, default_crate: &str) -> TokenStream {
    let input = proc_macro2::TokenStream::from(input);
    stub::or_stub(expand::contract(input.clone(), default_crate), || stub::contract(input, default_crate)).into()
}

fn request(input: TokenStream, default_crate: &str) -> TokenStream {
    let input = proc_macro2::TokenStream::from(input);
    stub::or_stub(request::request(input.clone(), default_crate), || stub::request(input, default_crate)).into()
}

/// Makes an enum a contract: each variant is an event. For users of `ipc-proto` alone; an adapter has its own, with the documentation.
#[proc_macro_derive(Contract, attributes(contract, event, serde, ts))]
pub fn contract_for_proto(input: TokenStream) -> TokenStream {
    contract(input, "ipc_proto")
}

/// Makes a struct the request that it is the parameters of. For users of `ipc-proto` alone.
#[proc_macro_derive(Request, attributes(request))]
pub fn request_for_proto(input: TokenStream) -> TokenStream {
    request(input, "ipc_proto")
}

/// Writes the derives of one crate, with the documentation that its users see.
macro_rules! derives_of {
    ($krate:literal: $contract:ident by $contract_fn:ident, $request:ident by $request_fn:ident) => {
        /// Makes an enum a contract, with a variant for each event: implements the trait `Contract` of the same name, reading from a
        /// received `Message` or `Event` by `TryFrom`, and an `EventName` for each variant.
        ///
        /// | variant | on the wire, as `data` | its `EventName` |
        /// |---|---|---|
        /// | `Ping` | `{}`, which is what node-ipc sends for nothing | `PING: EventName<Empty>` |
        /// | `Joined(String)` | the value itself | `JOINED: EventName<String>` |
        /// | `Moved(i32, i32)` | an array | `MOVED: EventName<(i32, i32)>` |
        /// | `Said { from: String, text: String }` | an object | `SAID`, whose handler is given a struct of these fields |
        ///
        /// The struct of named fields has no name that could be written; a variant `Said(Said)` with a struct of your own is the same on
        /// the wire. A tuple variant whose fields have attributes of serde has no `EventName`.
        ///
        /// The name of an event is the variant's in `camelCase`, unless one of these says otherwise:
        ///
        /// - `#[event("name")]` on a variant. node-ipc's own names (`error`, `connect` and so on), which a Node program cannot tell
        ///   from its lifecycle, want `#[event("error", reserved)]`.
        /// - `#[contract(rename_all = "…")]` on the enum: `camelCase`, `snake_case`, `kebab-case`, `PascalCase`,
        ///   `SCREAMING_SNAKE_CASE`, `SCREAMING-KEBAB-CASE`, `lowercase`, `UPPERCASE`.
        /// - `#[contract(crate = "…")]` on the enum: where the traits are, if the crate goes by another name.
        /// - `#[contract(typescript)]` on the enum: `TypeScript` as well (feature `typescript`). Attributes `#[ts(…)]` on fields are
        ///   those of the crate `ts-rs`.
        ///
        /// Fields take all attributes of serde; variants take `rename_all`; the enum takes `rename_all_fields` and
        /// `deny_unknown_fields`. The enum need not derive `Serialize` or `Deserialize`, and may.
        #[proc_macro_derive($contract, attributes(contract, event, serde, ts))]
        pub fn $contract_fn(input: TokenStream) -> TokenStream {
            contract(input, $krate)
        }

        /// Makes a struct or enum the parameters of a request, and says what the reply is: implements the trait `Request`.
        ///
        /// `#[request(reply = Total)]` is the least to say; `#[request("sum", reply = Total)]` names it, otherwise its name is
        /// the type's in `camelCase`. `crate = "…"` says where the traits are, if the crate goes by another name.
        #[proc_macro_derive($request, attributes(request))]
        pub fn $request_fn(input: TokenStream) -> TokenStream {
            request(input, $krate)
        }
    };
}

derives_of!("ipc_driver": ContractOfDriver by contract_of_driver, RequestOfDriver by request_of_driver);
derives_of!("ipc_tokio": ContractOfTokio by contract_of_tokio, RequestOfTokio by request_of_tokio);
derives_of!("ipc_smol": ContractOfSmol by contract_of_smol, RequestOfSmol by request_of_smol);
derives_of!("ipc_async_std": ContractOfAsyncStd by contract_of_async_std, RequestOfAsyncStd by request_of_async_std);
