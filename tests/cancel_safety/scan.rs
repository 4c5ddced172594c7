//! The public asynchronous operations of a crate, found in its source.
//!
//! An operation is a `pub` function, or a function of a `pub` trait, that is `async`, or in whose return type there is a
//! future: `impl Future`, or a type of the crate that implements `Future`. (`unreachable_pub` is on, so what is `pub` can
//! be reached.) A handle, whose type is a future and something else before, is one operation, wherever it is returned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::parse::{Parse, ParseStream};
use syn::visit::{self, Visit};

/// Operations by path (`Mutex::lock`, `sleep`, `Task`) with what their documentation says under "Cancel safety", if
/// anything.
pub(crate) type Operations = BTreeMap<String, Option<String>>;

/// Everything in a `src` folder that can be awaited. Types in `handles` are operations themselves.
pub(crate) fn operations(src: &Path, handles: &[&str]) -> Operations {
    let files: Vec<syn::File> = sources(src)
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect();
    let mut futures = Futures::default();
    files.iter().for_each(|file| futures.visit_file(file));
    let handled: BTreeSet<_> = handles.iter().map(ToString::to_string).collect();
    assert!(handled.is_subset(&futures.0), "a handle is no future: {handled:?}");
    let types = futures.0.difference(&handled).cloned().collect();
    let mut found = Found { types, handles: handled, within: Vec::new(), operations: Operations::new() };
    files.iter().for_each(|file| found.visit_file(file));
    found.operations
}

/// The files of a folder, without those that are tests and nothing else.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// What is in a macro's parentheses, if that is items, of a module or of an `impl`.
struct Items(Vec<syn::Item>, Vec<syn::ImplItem>);

impl Parse for Items {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let fork = input.fork();
        let mut of_impl = Vec::new();
        while !fork.is_empty() {
            match fork.parse() {
                Ok(syn::ImplItem::Verbatim(_)) | Err(_) => break,
                Ok(item) => of_impl.push(item),
            }
        }
        if fork.is_empty() {
            input.parse::<proc_macro2::TokenStream>()?;
            return Ok(Self(Vec::new(), of_impl));
        }
        let mut items = Vec::new();
        while !input.is_empty() {
            items.push(input.parse()?);
        }
        Ok(Self(items, Vec::new()))
    }
}

/// Goes through what is in a macro. One that is not items (a definition, an expression, a projection) may define no
/// asynchronous function.
fn in_macro<'a, V: for<'b> Visit<'b>>(of: &'a syn::Macro, visitor: &mut V) {
    match syn::parse2::<Items>(of.tokens.clone()) {
        Ok(Items(items, of_impl)) => {
            items.iter().for_each(|item| visitor.visit_item(item));
            of_impl.iter().for_each(|item| visitor.visit_impl_item(item));
        }
        Err(_) => {
            let text = of.tokens.to_string();
            assert!(!text.contains("async fn"), "an asynchronous function in a macro is not seen: {text}");
        }
    }
}

/// The names of the types that implement `Future`.
#[derive(Default)]
struct Futures(BTreeSet<String>);

impl<'ast> Visit<'ast> for Futures {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of_future = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        if of_future.is_some_and(|last| last.ident == "Future") {
            self.0.extend(name(&item.self_ty));
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        in_macro(&item.mac, self);
    }
}

/// The last name of a path: of a type what it is called.
fn name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

struct Found {
    types: BTreeSet<String>,
    handles: BTreeSet<String>,
    /// The type or trait that is gone through, and what it is called.
    within: Vec<Option<String>>,
    operations: Operations,
}

impl Found {
    fn function(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature) {
        if signature.asyncness.is_none() && !self.returns_future(&signature.output) {
            return;
        }
        let name = match self.within.last() {
            Some(Some(within)) => format!("{within}::{}", signature.ident),
            _ => signature.ident.to_string(),
        };
        let section = cancel_safety(attributes);
        assert!(self.operations.insert(name.clone(), section).is_none(), "there are two of the name `{name}`");
    }

    fn returns_future(&self, output: &syn::ReturnType) -> bool {
        let own = self.within.last().cloned().flatten();
        let mut any = AnyFuture { types: &self.types, own: own.as_deref(), found: false };
        any.visit_return_type(output);
        any.found
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_public(&item.vis) {
            self.function(&item.attrs, &item.sig);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let name = item.ident.to_string();
        if is_public(&item.vis) && self.handles.contains(&name) {
            self.operations.insert(name, cancel_safety(&item.attrs));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.trait_.is_none() {
            self.within.push(name(&item.self_ty));
            visit::visit_item_impl(self, item);
            self.within.pop();
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if is_public(&item.vis) {
            self.function(&item.attrs, &item.sig);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        // What is not in the documentation is not for users.
        if is_public(&item.vis) && !is_hidden(&item.attrs) {
            self.within.push(Some(item.ident.to_string()));
            visit::visit_item_trait(self, item);
            self.within.pop();
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.attrs, &item.sig);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg") && is_test(attribute)) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        in_macro(&item.mac, self);
    }

    fn visit_impl_item_macro(&mut self, item: &'ast syn::ImplItemMacro) {
        in_macro(&item.mac, self);
    }
}

fn is_test(attribute: &syn::Attribute) -> bool {
    attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
}

fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc") && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "hidden")
    })
}

/// Looks for a future in a type.
struct AnyFuture<'a> {
    types: &'a BTreeSet<String>,
    own: Option<&'a str>,
    found: bool,
}

impl<'ast> Visit<'ast> for AnyFuture<'_> {
    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        if let Some(last) = path.path.segments.last() {
            let name = last.ident.to_string();
            let name = if name == "Self" { self.own.unwrap_or_default() } else { &name };
            self.found |= self.types.contains(name);
        }
        visit::visit_type_path(self, path);
    }

    fn visit_type_impl_trait(&mut self, of: &'ast syn::TypeImplTrait) {
        self.found |= of.bounds.iter().any(|bound| match bound {
            syn::TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|last| last.ident == "Future" || last.ident == "IntoFuture")
            }
            _ => false,
        });
        visit::visit_type_impl_trait(self, of);
    }
}

/// The section of that name, in one line; none if there is none.
fn cancel_safety(attributes: &[syn::Attribute]) -> Option<String> {
    let mut section: Option<String> = None;
    for attribute in attributes {
        let syn::Meta::NameValue(pair) = &attribute.meta else { continue };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { continue };
        if !pair.path.is_ident("doc") {
            continue;
        }
        for line in text.value().lines().map(str::trim) {
            match &mut section {
                None if line == "# Cancel safety" => section = Some(String::new()),
                Some(_) if line.starts_with("# ") => return section,
                Some(section) if !line.is_empty() => {
                    if !section.is_empty() {
                        section.push(' ');
                    }
                    section.push_str(line);
                }
                _ => {}
            }
        }
    }
    section
}
