//! What stands in for the code of a derive that has found a mistake: implementations that never run, so that one mistake is one
//! error, and not another at each place where the type is used.

use crate::attributes::ContractAttributes;
use crate::expand;
use crate::names::Case;
use crate::parse::{Contract, Event};

use proc_macro2::TokenStream;
use quote::quote;
use std::collections::HashSet;
use syn::{Data, DataEnum, DeriveInput, Ident, Path, Variant};

/// `derived`, or what is wrong beside what stands in for it.
pub(crate) fn or_stub(derived: syn::Result<TokenStream>, stub: impl FnOnce() -> Option<TokenStream>) -> TokenStream {
    derived.unwrap_or_else(|error| {
        let (error, stub) = (error.into_compile_error(), stub());
        quote!(#error #stub)
    })
}

/// In place of what `#[derive(Contract)]` writes. `None` if it is not known for what.
pub(crate) fn contract(input: TokenStream, default_crate: &str) -> Option<TokenStream> {
    let input: DeriveInput = syn::parse2(input).ok()?;
    let attributes = ContractAttributes::parse(&input.attrs).unwrap_or_default();
    let krate = krate(attributes.krate, default_crate)?;
    let support = quote!(#krate::contract::support);
    let ident = &input.ident;
    let (impl_generics, type_generics, bounds) = input.generics.split_for_impl();
    let typescript = attributes.typescript.then(|| {
        let typescript = quote!(#krate::contract::typescript);
        quote! {
            impl #impl_generics #typescript::TypeScript for #ident #type_generics #bounds {
                const NAME: &'static str = "";
                const DOCS: &'static str = "";
                fn describe(_: &mut #typescript::Described<'_>) {}
            }
        }
    });
    let constants = match input.data {
        Data::Enum(data) if input.generics.params.is_empty() => {
            let events = events(data, attributes.case.unwrap_or(Case::Camel));
            let (ident, visibility) = (input.ident.clone(), input.vis);
            // What is said to serde of the whole enum may be the mistake.
            let known =
                Contract { ident, visibility, attributes: Vec::new(), krate: krate.clone(), typescript: false, events };
            expand::constants(&known).ok()
        }
        _ => None,
    };
    let conversions = [quote!(#support::Message), quote!(#support::Event<'_>)].map(|source| {
        quote! {
            impl #impl_generics ::core::convert::TryFrom<&#source> for #ident #type_generics #bounds {
                type Error = #krate::contract::ContractError;

                fn try_from(_: &#source) -> ::core::result::Result<Self, #krate::contract::ContractError> {
                    ::core::unreachable!()
                }
            }
        }
    });
    Some(quote! {
        const _: () = {
            impl #impl_generics #krate::contract::Contract for #ident #type_generics #bounds {
                const NAMES: &'static [&'static str] = &[];

                fn name(&self) -> &'static str {
                    ""
                }

                fn serialize_data<S: #support::serde::Serializer>(
                    &self,
                    _: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    ::core::unreachable!()
                }

                fn deserialize_data<'de, D: #support::serde::Deserializer<'de>>(
                    _: &str,
                    _: D,
                ) -> ::core::result::Result<::core::option::Option<Self>, D::Error> {
                    ::core::unreachable!()
                }
            }
            #(#conversions)*
            #typescript
            #constants
        };
    })
}

/// The events about which enough is right for a constant.
fn events(data: DataEnum, case: Case) -> Vec<Event> {
    let mut taken: HashSet<Ident> = data.variants.iter().map(|variant| variant.ident.clone()).collect();
    data.variants.into_iter().filter_map(|variant| event(variant, case, &mut taken)).collect()
}

fn event(variant: Variant, case: Case, taken: &mut HashSet<Ident>) -> Option<Event> {
    let bare = Variant { attrs: Vec::new(), discriminant: None, ..variant.clone() };
    let event = Event::parse(variant, case).or_else(|_| Event::parse(bare, case)).ok()?;
    taken.insert(event.constant.clone()?).then_some(event)
}

/// In place of what `#[derive(Request)]` writes. `None` if it is not known for what, or what the reply would be.
pub(crate) fn request(input: TokenStream, default_crate: &str) -> Option<TokenStream> {
    let input: DeriveInput = syn::parse2(input).ok()?;
    let attributes = crate::request::attributes(&input).ok()?;
    let (reply, krate) = (attributes.reply?, krate(attributes.krate, default_crate)?);
    let ident = &input.ident;
    // With parameters, whether serde can read and write it depends on them.
    input.generics.params.is_empty().then(|| {
        quote! {
            impl #krate::contract::Request for #ident {
                const NAME: &'static str = "";
                type Reply = #reply;
            }
        }
    })
}

fn krate(named: Option<Path>, default_crate: &str) -> Option<Path> {
    named.or_else(|| syn::parse_str(&format!("::{default_crate}")).ok())
}
