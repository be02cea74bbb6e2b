//! `#[derive(Request)]`: the parameters of a request, its name, and what its reply is.

use crate::names::{self, Case, Named};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Data, DeriveInput, Ident, LitStr, Path, Token, Type};

/// `#[request(…)]`.
#[derive(Default)]
struct Attributes {
    name: Option<LitStr>,
    reply: Option<Type>,
    krate: Option<Path>,
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

fn attributes(input: &DeriveInput) -> syn::Result<Attributes> {
    let mut found = Attributes::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("request")) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                if input.peek(LitStr) {
                    found.name = Some(input.parse()?);
                } else {
                    let key = input.call(Ident::parse_any)?;
                    input.parse::<Token![=]>()?;
                    match key.to_string().as_str() {
                        "reply" => found.reply = Some(input.parse()?),
                        "crate" => found.krate = Some(input.parse::<LitStr>()?.parse()?),
                        _ => {
                            let text =
                                "expected the name of the request as a string, `reply = Type` or `crate = \"…\"`";
                            return Err(syn::Error::new(key.span(), text));
                        }
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
