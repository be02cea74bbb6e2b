//! From the events of a contract to code.
//!
//! Payloads are written and read by an enum of the same shape, `__ContractWire`, for which serde derives everything (`remote`): so
//! attributes of serde on fields mean what serde says. The names are looked at by our own code, once.

use crate::attributes::{docs, serde};
use crate::parse::{Contract, Event};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Fields;

/// The code of `#[derive(Contract)]`.
pub(crate) fn contract(input: TokenStream, default_crate: &str) -> syn::Result<TokenStream> {
    let contract = Contract::parse(input, default_crate)?;
    let wire = wire(&contract);
    let implementation = implementation(&contract);
    let conversions = conversions(&contract);
    let constants = constants(&contract);
    let typescript =
        if contract.typescript { crate::typescript::implementation(&contract)? } else { TokenStream::new() };
    Ok(quote! {
        const _: () = {
            #wire
            #implementation
            #conversions
            #typescript
        };
        #constants
    })
}

/// `text` of a path, for serde's and others' `crate = "…"`.
pub(crate) fn path_text(path: &impl ToTokens) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

fn wire(contract: &Contract) -> TokenStream {
    let Contract { ident, krate, .. } = contract;
    let support = quote!(#krate::contract::support);
    let serde_path = path_text(&quote!(#support::serde));
    let remote = ident.to_string();
    let container = serde(&contract.attributes);
    let variants = contract.events.iter().map(|event| {
        let Event { ident, name, fields, .. } = event;
        let attributes = serde(&event.attributes);
        let fields = without_other_attributes(fields);
        quote! {
            #[serde(rename = #name)]
            #(#attributes)*
            #ident #fields
        }
    });
    quote! {
        #[derive(#support::serde::Serialize, #support::serde::Deserialize)]
        #[serde(remote = #remote, crate = #serde_path)]
        #(#container)*
        #[allow(dead_code, non_camel_case_types, clippy::all, clippy::pedantic)]
        enum __ContractWire {
            #(#variants),*
        }
    }
}

/// Fields with serde's attributes only. Those of named structs keep theirs inside braces.
fn without_other_attributes(fields: &Fields) -> TokenStream {
    let mut fields = fields.clone();
    for field in &mut fields {
        field.attrs.retain(|attribute| attribute.path().is_ident("serde"));
    }
    fields.to_token_stream()
}

fn implementation(contract: &Contract) -> TokenStream {
    let Contract { ident, krate, events, .. } = contract;
    let support = quote!(#krate::contract::support);
    let (idents, names): (Vec<_>, Vec<_>) = events.iter().map(|event| (&event.ident, &event.name)).unzip();
    let numbers = 0u32..;
    quote! {
        #[automatically_derived]
        impl #krate::contract::Contract for #ident {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            fn name(&self) -> &'static str {
                match self {
                    #(Self::#idents { .. } => #names,)*
                }
            }

            fn serialize_data<S: #support::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                __ContractWire::serialize(self, #support::DataOf(serializer))
            }

            fn deserialize_data<'de, D: #support::serde::Deserializer<'de>>(
                name: &str,
                data: D,
            ) -> ::core::result::Result<::core::option::Option<Self>, D::Error> {
                let variant: u32 = match name {
                    #(#names => #numbers,)*
                    _ => return ::core::result::Result::Ok(::core::option::Option::None),
                };
                __ContractWire::deserialize(#support::VariantOf::new(variant, data)).map(::core::option::Option::Some)
            }
        }
    }
}

fn conversions(contract: &Contract) -> TokenStream {
    let Contract { ident, krate, .. } = contract;
    let support = quote!(#krate::contract::support);
    let from = |source: TokenStream| {
        quote! {
            #[automatically_derived]
            impl ::core::convert::TryFrom<&#source> for #ident {
                type Error = #krate::contract::ContractError;

                fn try_from(event: &#source) -> ::core::result::Result<Self, Self::Error> {
                    event.decode()
                }
            }
        }
    };
    let (message, event) = (from(quote!(#support::Message)), from(quote!(#support::Event<'_>)));
    quote!(#message #event)
}

fn constants(contract: &Contract) -> TokenStream {
    let Contract { ident, visibility, krate, .. } = contract;
    let constants = contract.events.iter().filter_map(|event| {
        let constant = event.constant.as_ref()?;
        let name = &event.name;
        let payload = match &event.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let payload = &fields.unnamed[0].ty;
                quote!(#payload)
            }
            Fields::Unnamed(fields) => {
                let payload = fields.unnamed.iter().map(|field| &field.ty);
                quote!((#(#payload),*))
            }
            _ => quote!(#krate::contract::support::Empty),
        };
        let heading = format!("The event {name:?}, for handlers of it alone.");
        let mut documentation: Vec<TokenStream> = vec![quote!(#[doc = #heading])];
        if docs(&event.attributes).next().is_some() {
            documentation.push(quote!(#[doc = ""]));
            documentation.extend(docs(&event.attributes).map(ToTokens::to_token_stream));
        }
        Some(quote! {
            #(#documentation)*
            #visibility const #constant: #krate::contract::EventName<#payload> = #krate::contract::EventName::new(#name);
        })
    });
    let constants: Vec<_> = constants.collect();
    if constants.is_empty() {
        return TokenStream::new();
    }
    quote! {
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #(#constants)*
        }
    }
}

/// A name for a hidden struct, which cannot be that of a type the user's fields mention.
pub(crate) fn hidden(event: &Event) -> syn::Ident {
    format_ident!("__{}Data", event.ident)
}
