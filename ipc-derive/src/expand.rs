//! From the events of a contract to code.
//!
//! Payloads are written and read by an enum of the same shape, `__ContractWire`, for which serde derives everything (`remote`): so
//! attributes of serde on fields mean what serde says. The names are looked at by our own code, once. For a handler of one event
//! alone, named fields are those of a struct.

use crate::attributes::{docs, serde};
use crate::parse::{Contract, Event};
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Fields, Meta, Token, parse_quote};

/// The code of `#[derive(Contract)]`.
pub(crate) fn contract(input: TokenStream, default_crate: &str) -> syn::Result<TokenStream> {
    let contract = Contract::parse(input, default_crate)?;
    let wire = wire(&contract);
    let implementation = implementation(&contract);
    let conversions = conversions(&contract);
    let constants = constants(&contract)?;
    let typescript =
        if contract.typescript { crate::typescript::implementation(&contract)? } else { TokenStream::new() };
    Ok(quote! {
        const _: () = {
            #wire
            #implementation
            #conversions
            #typescript
            #constants
        };
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

                // Not `Self::Error`, which may be a variant.
                fn try_from(event: &#source) -> ::core::result::Result<Self, #krate::contract::ContractError> {
                    event.decode()
                }
            }
        }
    };
    let (message, event) = (from(quote!(#support::Message)), from(quote!(#support::Event<'_>)));
    quote!(#message #event)
}

pub(crate) fn constants(contract: &Contract) -> syn::Result<TokenStream> {
    let Contract { ident, visibility, krate, .. } = contract;
    let (mut structs, mut constants) = (Vec::new(), Vec::new());
    for event in &contract.events {
        let Some(constant) = &event.constant else { continue };
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
            Fields::Named(_) => {
                structs.push(struct_of_fields(contract, event)?);
                hidden(event, "Fields").to_token_stream()
            }
            Fields::Unit => quote!(#krate::contract::support::Empty),
        };
        let heading = format!("The event {name:?}, for handlers of it alone.");
        let mut documentation: Vec<TokenStream> = vec![quote!(#[doc = #heading])];
        if let Some(first) = event.fields.iter().find_map(|field| field.ident.as_ref()) {
            let fields = format!("They are given a struct of its fields: `event.{first}`.");
            documentation.push(quote!(#[doc = ""] #[doc = #fields]));
        }
        if docs(&event.attributes).next().is_some() {
            documentation.push(quote!(#[doc = ""]));
            documentation.extend(docs(&event.attributes).map(ToTokens::to_token_stream));
        }
        constants.push(quote! {
            #(#documentation)*
            #visibility const #constant: #krate::contract::EventName<#payload> = #krate::contract::EventName::new(#name);
        });
    }
    if constants.is_empty() {
        return Ok(TokenStream::new());
    }
    Ok(quote! {
        #(#structs)*
        #[automatically_derived]
        #[allow(dead_code)]
        impl #ident {
            #(#constants)*
        }
    })
}

/// What a handler of an event with named fields is given. It is as visible as the enum, whose fields are too.
fn struct_of_fields(contract: &Contract, event: &Event) -> syn::Result<TokenStream> {
    let Contract { visibility, krate, .. } = contract;
    let support = quote!(#krate::contract::support);
    let serde_path = path_text(&quote!(#support::serde));
    let hidden = hidden(event, "Fields");
    let attributes = of_all_fields(contract, event)?;
    let mut fields = event.fields.clone();
    for field in &mut fields {
        field.attrs.retain(|attribute| ["serde", "doc"].iter().any(|known| attribute.path().is_ident(known)));
        field.vis = visibility.clone();
    }
    let about = format!("The fields of `{}::{}`.", contract.ident, event.ident);
    Ok(quote! {
        #[doc = #about]
        #[derive(#support::serde::Deserialize)]
        #[serde(crate = #serde_path, expecting = "an object")]
        #(#attributes)*
        #[allow(dead_code, missing_docs, missing_debug_implementations, non_camel_case_types, unreachable_pub)]
        #[allow(clippy::all, clippy::pedantic)]
        #visibility struct #hidden #fields
    })
}

/// What serde is told of all fields of an event, as attributes of a struct: a variant's own rule comes before that of the enum.
fn of_all_fields(contract: &Contract, event: &Event) -> syn::Result<Vec<Attribute>> {
    let mut attributes: Vec<Attribute> = serde(&event.attributes).cloned().collect();
    let renamed = !attributes.is_empty();
    for attribute in serde(&contract.attributes) {
        for mut rule in attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)? {
            let (Meta::Path(path)
            | Meta::List(syn::MetaList { path, .. })
            | Meta::NameValue(syn::MetaNameValue { path, .. })) = &mut rule;
            if path.is_ident("rename_all_fields") {
                if renamed {
                    continue;
                }
                *path = parse_quote!(rename_all);
            }
            attributes.push(parse_quote!(#[serde(#rule)]));
        }
    }
    Ok(attributes)
}

/// A name for a hidden struct, which cannot be that of a type the user's fields mention.
pub(crate) fn hidden(event: &Event, what: &str) -> syn::Ident {
    format_ident!("__{}{what}", event.ident)
}
