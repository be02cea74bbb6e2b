//! The attributes: which there are, and what is wrong with one that is not.

use crate::names::Case;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
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
                    once(&meta, found.case.is_some())?;
                    found.case = Some(Case::parse(&text(&meta, "rename_all")?)?);
                } else if meta.path.is_ident("crate") {
                    once(&meta, found.krate.is_some())?;
                    found.krate = Some(krate(&text(&meta, "crate")?)?);
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

/// Refuses what is said a second time.
fn once(meta: &ParseNestedMeta<'_>, again: bool) -> syn::Result<()> {
    if again { Err(meta.error("this is said twice: leave one of the two out")) } else { Ok(()) }
}

/// The string after `key =`.
fn text(meta: &ParseNestedMeta<'_>, key: &str) -> syn::Result<LitStr> {
    let expected = format!("expected a string: `{key} = \"…\"`");
    let value = meta.value().map_err(|_| meta.error(&expected))?;
    value.parse().map_err(|error| syn::Error::new(error.span(), expected))
}

/// The path of a crate, in a string.
pub(crate) fn krate(text: &LitStr) -> syn::Result<Path> {
    text.parse()
        .map_err(|_| syn::Error::new(text.span(), "expected the path of a crate, as in `crate = \"ipc_tokio\"`"))
}

/// Refuses these attributes where they would have no effect, and says where they have one.
pub(crate) fn misplaced(attributes: &[Attribute], name: &str, belongs: &str) -> syn::Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident(name)) {
        Some(attribute) => {
            Err(syn::Error::new_spanned(attribute.path(), format!("`#[{name}(…)]` has no effect here: {belongs}")))
        }
        None => Ok(()),
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
            attribute.parse_args_with(|input: ParseStream<'_>| {
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
                        let text = "expected the name of the event as a string, and `reserved` or nothing";
                        let word: Path = input.parse().map_err(|error| syn::Error::new(error.span(), text))?;
                        if !word.is_ident("reserved") {
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
