//! From the tokens of an enum to the events of a contract. Everything that can be refused is refused here.

use crate::attributes::{ContractAttributes, EventAttributes, each_of_serde, misplaced, serde};
use crate::names::{self, Case, Named};
use proc_macro2::TokenStream;
use std::collections::HashMap;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Ident, Path, Type, Variant, Visibility};

/// A contract as it was written.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) attributes: Vec<Attribute>,
    /// Where the traits are.
    pub(crate) krate: Path,
    pub(crate) typescript: bool,
    pub(crate) events: Vec<Event>,
}

/// One of its variants.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) fields: Fields,
    /// What its `EventName` is called, if it has one.
    pub(crate) constant: Option<Ident>,
}

impl Contract {
    pub(crate) fn parse(input: TokenStream, default_crate: &str) -> syn::Result<Self> {
        let input: DeriveInput = syn::parse2(input)?;
        let Data::Enum(data) = input.data else {
            let text = "a contract is an enum, with a variant for each event";
            return Err(syn::Error::new(input.ident.span(), text));
        };
        if !input.generics.params.is_empty() {
            let text = "a contract has no parameters: its events are the same for everybody, and own what they carry";
            return Err(syn::Error::new(input.generics.span(), text));
        }
        if data.variants.is_empty() {
            return Err(syn::Error::new(input.ident.span(), "a contract has at least one event: give it a variant"));
        }
        let attributes = ContractAttributes::parse(&input.attrs)?;
        misplaced(&input.attrs, "event", "it names one event, so put it on a variant")?;
        check_serde_of_enum(&input.attrs)?;
        let case = attributes.case.unwrap_or(Case::Camel);
        let krate = match attributes.krate {
            Some(krate) => krate,
            None => syn::parse_str(&format!("::{default_crate}"))?,
        };
        let events = collect(data.variants.into_iter().map(|variant| Event::parse(variant, case)))?;
        check_together(&events)?;
        Ok(Self {
            ident: input.ident,
            visibility: input.vis,
            attributes: input.attrs,
            krate,
            typescript: attributes.typescript,
            events,
        })
    }
}

impl Event {
    pub(crate) fn parse(variant: Variant, case: Case) -> syn::Result<Self> {
        if let Some((_, value)) = &variant.discriminant {
            return Err(syn::Error::new(value.span(), "an event has a name, no number: leave the number out"));
        }
        if matches!(&variant.fields, Fields::Unnamed(fields) if fields.unnamed.is_empty()) {
            let text = "an event without a payload is written without parentheses";
            return Err(syn::Error::new(variant.fields.span(), text));
        }
        let attributes = EventAttributes::parse(&variant.attrs)?;
        misplaced(&variant.attrs, "contract", "put it on the enum; a variant has `#[event(…)]`")?;
        variant.fields.iter().try_for_each(check_field)?;
        check_serde_of_variant(&variant.attrs)?;
        let plain = variant.ident.unraw().to_string();
        let (name, span) = match &attributes.name {
            Some(name) => (name.value(), name.span()),
            None => (case.apply(&plain), variant.ident.span()),
        };
        names::check(&name, Named::Event { reserved: attributes.reserved }, span)?;
        let typed = match &variant.fields {
            Fields::Unit | Fields::Named(_) => true,
            // With an attribute of serde the payload is not what the type itself would write.
            Fields::Unnamed(fields) => !fields.unnamed.iter().any(|field| serde(&field.attrs).next().is_some()),
        };
        let constant = typed.then(|| Ident::new(&Case::ScreamingSnake.apply(&plain), variant.ident.span()));
        Ok(Self { ident: variant.ident, name, attributes: variant.attrs, fields: variant.fields, constant })
    }
}

fn check_field(field: &Field) -> syn::Result<()> {
    misplaced(&field.attrs, "event", "it names an event, so put it on the variant")?;
    misplaced(&field.attrs, "contract", "put it on the enum; a field has the attributes of serde")?;
    // With an attribute of serde it may come from elsewhere.
    if matches!(field.ty, Type::Reference(_)) && serde(&field.attrs).next().is_none() {
        let text = "an event owns what it carries, as it outlives the bytes it is read from: `String` in place of `&str`, \
                    `Vec<T>` in place of `&[T]`";
        return Err(syn::Error::new_spanned(&field.ty, text));
    }
    Ok(())
}

/// What one event alone cannot get wrong.
fn check_together(events: &[Event]) -> syn::Result<()> {
    let mut names: HashMap<&str, &Ident> = HashMap::new();
    let mut constants: HashMap<String, &Ident> = HashMap::new();
    let mut errors = Errors::default();
    for event in events {
        if let Some(first) = names.insert(&event.name, &event.ident) {
            let text = format!(
                "`{first}` and `{}` are both named {:?} on the wire: choose another with #[event(\"…\")]",
                event.ident, event.name
            );
            errors.push(syn::Error::new(event.ident.span(), text));
        }
        let Some(constant) = &event.constant else { continue };
        if let Some(first) = constants.insert(constant.to_string(), &event.ident) {
            let text = format!("`{first}` and `{}` would both have the constant `{constant}`: rename one", event.ident);
            errors.push(syn::Error::new(event.ident.span(), text));
        }
        if let Some(variant) = events.iter().find(|other| other.ident == *constant) {
            let text = format!(
                "the variant `{0}` hides the constant `{constant}` of `{1}`: give it a name in PascalCase, with a \
                 lowercase letter, and #[event({2:?})]",
                variant.ident, event.ident, variant.name
            );
            errors.push(syn::Error::new(variant.ident.span(), text));
        }
    }
    errors.into_result()
}

fn check_serde_of_enum(attributes: &[Attribute]) -> syn::Result<()> {
    each_of_serde(attributes, |meta| {
        if meta.path.is_ident("rename_all_fields") || meta.path.is_ident("deny_unknown_fields") {
            return Ok(());
        }
        Err(meta.error(if meta.path.is_ident("rename_all") {
            "a contract names its events by `#[contract(rename_all = \"…\")]`"
        } else {
            "this attribute of serde has no meaning for a contract, whose events are named by the envelope: \
             `rename_all_fields` and `deny_unknown_fields` have"
        }))
    })
}

fn check_serde_of_variant(attributes: &[Attribute]) -> syn::Result<()> {
    each_of_serde(attributes, |meta| {
        if meta.path.is_ident("rename_all") {
            return Ok(());
        }
        Err(meta.error(if meta.path.is_ident("rename") {
            "an event is named by `#[event(\"…\")]`"
        } else if meta.path.is_ident("other") {
            "events that the contract does not have go to other handlers and to the stream: none is needed for them"
        } else {
            "this attribute of serde has no meaning for an event: `rename_all`, for its fields, has; others belong on \
             the fields"
        }))
    })
}

/// All that is wrong, not only the first of it.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn into_result(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn collect<T>(results: impl Iterator<Item = syn::Result<T>>) -> syn::Result<Vec<T>> {
    let mut errors = Errors::default();
    let mut collected = Vec::new();
    for result in results {
        match result {
            Ok(value) => collected.push(value),
            Err(error) => errors.push(error),
        }
    }
    errors.into_result().map(|()| collected)
}
