//! The attributes: which there are, and what is wrong with one that is not.

use crate::names::Case;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Path, Token};

/// `#[contract(…)]` on the enum.
#[derive(Debug, Default)]
pub(crate) struct ContractAttributes {
    pub(crate) case: Option<Case>,
    pub(crate) krate: Option<Path>,
    pub(crate) typescript: bool,
}

impl ContractAttributes {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("contract")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename_all") {
                    found.case = Some(Case::parse(&meta.value()?.parse()?)?);
                } else if meta.path.is_ident("crate") {
                    found.krate = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                } else if meta.path.is_ident("typescript") {
                    if cfg!(not(feature = "typescript")) {
                        return Err(
                            meta.error("turn on the feature `typescript` of the crate that this derive is from")
                        );
                    }
                    found.typescript = true;
                } else {
                    return Err(meta.error("expected `rename_all = \"…\"`, `crate = \"…\"` or `typescript`"));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// `#[event(…)]` on a variant.
#[derive(Debug, Default)]
pub(crate) struct EventAttributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) reserved: bool,
}

impl EventAttributes {
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
            if matches!(attribute.meta, syn::Meta::Path(_)) {
                continue;
            }
            attribute.parse_args_with(|input: syn::parse::ParseStream<'_>| {
                while !input.is_empty() {
                    if input.peek(LitStr) {
                        let name: LitStr = input.parse()?;
                        if found.name.is_some() {
                            return Err(syn::Error::new(
                                name.span(),
                                "an event has one name: leave one of the two out",
                            ));
                        }
                        found.name = Some(name);
                    } else {
                        let word: Path = input.parse()?;
                        if !word.is_ident("reserved") {
                            let text = "expected the name of the event as a string, and `reserved` or nothing";
                            return Err(syn::Error::new_spanned(word, text));
                        }
                        found.reserved = true;
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
}

/// Calls `each` for everything inside `#[serde(…)]`; what it does not read is skipped.
pub(crate) fn each_of_serde(
    attributes: &[Attribute],
    mut each: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    for attribute in serde(attributes) {
        attribute.parse_nested_meta(|meta| {
            each(&meta)?;
            if meta.input.peek(Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                let inside;
                syn::parenthesized!(inside in meta.input);
                inside.parse::<proc_macro2::TokenStream>()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The attributes of serde among these.
pub(crate) fn serde(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde"))
}

/// The documentation among these, and whether it is deprecated.
pub(crate) fn docs(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc"))
}

/// The documentation as text.
pub(crate) fn docs_text(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = docs(attributes)
        .filter_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) => match &pair.value {
                syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}
