//! `#[contract(typescript)]`: what the payloads are in TypeScript, said by the crate ts-rs.
//!
//! A payload is described by a hidden struct of the same fields. ts-rs reads serde's attributes and *warns* of those that it does
//! not know; here they are refused, since a wrong declaration is worse than none.

use crate::attributes::{docs, docs_text, each_of_serde, serde};
use crate::expand::{hidden, path_text};
use crate::parse::{Contract, Errors, Event};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Field, Fields, Token};

pub(crate) fn implementation(contract: &Contract) -> syn::Result<TokenStream> {
    let Contract { ident, krate, .. } = contract;
    let typescript = quote!(#krate::contract::typescript);
    let ts_path = path_text(&quote!(#typescript::ts_rs));
    let serde_path = path_text(&quote!(#krate::contract::support::serde));
    let rename_all_fields = rename_all_fields(&contract.attributes)?;
    let mut errors = Errors::default();
    let mut described = Vec::new();
    for event in &contract.events {
        let Event { name, fields, .. } = event;
        let docs = docs_text(&event.attributes);
        for field in fields {
            if let Err(error) = check(field) {
                errors.push(error);
            }
        }
        if matches!(fields, Fields::Unit) {
            described.push(quote!(events.signal(#name, #docs);));
            continue;
        }
        let hidden = hidden(event, "Data");
        let fields = described_fields(fields);
        let semicolon = matches!(event.fields, Fields::Unnamed(_)).then(<Token![;]>::default);
        // A variant's own rule comes before that of the enum.
        let of_variant: Vec<_> = serde(&event.attributes).collect();
        let rename = match (&rename_all_fields, of_variant.is_empty(), &event.fields) {
            (Some(rule), true, Fields::Named(_)) => quote!(#[serde(rename_all = #rule)]),
            _ => quote!(#(#of_variant)*),
        };
        described.push(quote! {
            {
                #[derive(#krate::contract::support::serde::Serialize, #typescript::ts_rs::TS)]
                #[serde(crate = #serde_path)]
                #[ts(crate = #ts_path)]
                #rename
                #[allow(dead_code, non_camel_case_types, clippy::all, clippy::pedantic)]
                struct #hidden #fields #semicolon
                events.event::<#hidden>(#name, #docs);
            }
        });
    }
    errors.into_result()?;
    let (name, docs) = (ident.unraw().to_string(), docs_text(&contract.attributes));
    Ok(quote! {
        #[automatically_derived]
        impl #typescript::TypeScript for #ident {
            const NAME: &'static str = #name;
            const DOCS: &'static str = #docs;

            fn describe(events: &mut #typescript::Described<'_>) {
                #(#described)*
            }
        }
    })
}

/// The fields with what serde, ts-rs and readers need.
fn described_fields(fields: &Fields) -> TokenStream {
    let mut fields = fields.clone();
    for field in &mut fields {
        let kept: Vec<Attribute> = docs(&field.attrs)
            .chain(serde(&field.attrs))
            .chain(field.attrs.iter().filter(|attribute| attribute.path().is_ident("ts")))
            .cloned()
            .collect();
        field.attrs = kept;
    }
    quote!(#fields)
}

fn rename_all_fields(attributes: &[Attribute]) -> syn::Result<Option<syn::LitStr>> {
    let mut found = None;
    for attribute in serde(attributes) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename_all_fields") {
                found = Some(meta.value()?.parse()?);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// Refuses what would make the declaration say something else than the wire.
fn check(field: &Field) -> syn::Result<()> {
    let told = tells_the_type(&field.attrs)?;
    let mut has_default = false;
    let mut skipped_if = None;
    each_of_serde(&field.attrs, |meta| {
        let known = ["rename", "default", "skip", "flatten", "alias", "bound"];
        if meta.path.is_ident("default") {
            has_default = true;
        }
        if meta.path.is_ident("skip_serializing_if") {
            skipped_if = Some(meta.error(
                "a field that is left out sometimes is optional in TypeScript: add `#[serde(default)]`, so that it is \
                 optional in Rust as well",
            ));
            return Ok(());
        }
        if meta.path.is_ident("rename") && meta.input.peek(syn::token::Paren) {
            return Err(
                meta.error("TypeScript has one name for a field, by which it is read and written: `rename = \"…\"`")
            );
        }
        if told || known.iter().any(|known| meta.path.is_ident(known)) {
            return Ok(());
        }
        Err(meta.error(
            "what this attribute makes of the field cannot be seen from here: say its type in TypeScript, with \
             `#[ts(type = \"…\")]` or `#[ts(as = \"…\")]`",
        ))
    })?;
    match skipped_if {
        Some(error) if !has_default && !told => Err(error),
        _ => Ok(()),
    }
}

/// Whether `#[ts(…)]` says what the field is.
fn tells_the_type(attributes: &[Attribute]) -> syn::Result<bool> {
    let mut told = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("ts")) {
        attribute.parse_nested_meta(|meta| {
            told |= ["type", "as", "optional"].iter().any(|word| meta.path.is_ident(word));
            if meta.input.peek(Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            }
            Ok(())
        })?;
    }
    Ok(told)
}
