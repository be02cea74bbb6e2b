//! `#[derive(Request)]`: the parameters of a request, its name, and what its reply is.

use crate::attributes::{krate, misplaced};
use crate::names::{self, Case, Named};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, LitStr, Path, Token, Type};

/// `#[request(…)]`.
#[derive(Default)]
pub(crate) struct Attributes {
    name: Option<LitStr>,
    pub(crate) reply: Option<Type>,
    pub(crate) krate: Option<Path>,
}

/// The code of `#[derive(Request)]`.
pub(crate) fn request(input: TokenStream, default_crate: &str) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    if matches!(input.data, Data::Union(_)) {
        return Err(syn::Error::new(input.ident.span(), "a request is a struct or an enum, which is its parameters"));
    }
    if !input.generics.params.is_empty() {
        let text = "a request has no type parameters or lifetimes: whoever answers it must know what to read";
        return Err(syn::Error::new_spanned(&input.generics, text));
    }
    let attributes = attributes(&input)?;
    misplaced_inside(&input.data)?;
    let Some(reply) = attributes.reply else {
        let text = "say what the reply is: #[request(reply = Type)]";
        return Err(syn::Error::new(input.ident.span(), text));
    };
    let (name, span) = match attributes.name {
        Some(name) => (name.value(), name.span()),
        None => (Case::Camel.apply(&input.ident.unraw().to_string()), input.ident.span()),
    };
    names::check(&name, Named::Request, span)?;
    let krate = match attributes.krate {
        Some(krate) => krate,
        None => syn::parse_str(&format!("::{default_crate}"))?,
    };
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #krate::contract::Request for #ident {
            const NAME: &'static str = #name;
            type Reply = #reply;
        }
    })
}

pub(crate) fn attributes(input: &DeriveInput) -> syn::Result<Attributes> {
    let mut found = Attributes::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("request")) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                if input.peek(LitStr) {
                    let name: LitStr = input.parse()?;
                    if found.name.is_some() {
                        let text = "a request has one name: leave one of the two out";
                        return Err(syn::Error::new(name.span(), text));
                    }
                    found.name = Some(name);
                } else {
                    let wrong = |span| {
                        let text = "expected the name of the request as a string, `reply = Type` or `crate = \"…\"`";
                        syn::Error::new(span, text)
                    };
                    let key = input.call(Ident::parse_any).map_err(|error| wrong(error.span()))?;
                    let word = key.to_string();
                    if !matches!(word.as_str(), "reply" | "crate") || !input.peek(Token![=]) {
                        return Err(wrong(key.span()));
                    }
                    input.parse::<Token![=]>()?;
                    let again = if word == "reply" { found.reply.is_some() } else { found.krate.is_some() };
                    if again {
                        return Err(syn::Error::new(key.span(), "this is said twice: leave one of the two out"));
                    }
                    if word == "reply" {
                        found.reply = Some(input.parse()?);
                    } else {
                        found.krate = Some(krate(&input.parse()?)?);
                    }
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// Refuses `#[request(…)]` where it would have no effect.
fn misplaced_inside(data: &Data) -> syn::Result<()> {
    let check = |attributes: &[Attribute]| misplaced(attributes, "request", "put it on the struct or enum itself");
    let check_all = |fields: &Fields| fields.iter().try_for_each(|field| check(&field.attrs));
    match data {
        Data::Struct(data) => check_all(&data.fields),
        Data::Enum(data) => data.variants.iter().try_for_each(|variant| {
            check(&variant.attrs)?;
            check_all(&variant.fields)
        }),
        Data::Union(_) => Ok(()),
    }
}
