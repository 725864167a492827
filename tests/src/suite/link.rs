//! Imported functions that need no linking: those that return constants, or their own arguments.
//!
//! A module of the suite may import functions from an earlier one only to have several different functions.
//! Such a function does not depend on the instance that it comes from, so a copy in the importing module does
//! the same. All other imports from modules of the script would have to be linked at run time.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, ImportSection, Module};
use wasmparser::{ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload, TypeRef};

use super::script::{Command, Line};

/// Copies constant functions into the modules of a script that import them, unless these modules also import
/// something else from other modules of the script.
pub fn copy_constants(script: &mut [Line]) {
    let mut registered: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut named: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut current = None;
    for Line { command, .. } in script {
        match command {
            Command::Module { name, wasm } => {
                if let Some(linked) = with_copies(wasm, &registered) {
                    *wasm = linked;
                }
                if let Some(name) = name {
                    named.insert(name.clone(), wasm.clone());
                }
                current = Some(wasm.clone());
            }
            Command::Register { name, module } => {
                let module = module.as_ref().map_or(current.as_ref(), |module| named.get(module));
                registered.extend(module.map(|wasm| (name.clone(), wasm.clone())));
            }
            _ => {}
        }
    }
}

/// Returns the module with copies of the functions that it imports from registered modules. Returns `None` if
/// it imports nothing from them, or something else.
fn with_copies(wasm: &[u8], registered: &BTreeMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let mut copies = Copies { types: Vec::new(), bodies: Vec::new() };
    let importing = Parts::of(wasm)?;
    for (module, name, ty) in &importing.imports {
        match (registered.get(module), ty) {
            (Some(exporter), TypeRef::Func(ty)) => {
                copies.bodies.push(constant(exporter, name, importing.types.get(*ty as usize)?)?);
                copies.types.push((module.clone(), name.clone(), *ty));
            }
            // Functions that are still imported come first.
            (None, TypeRef::Func(_)) if !copies.types.is_empty() => return None,
            (None, _) => {}
            (Some(_), _) => return None,
        }
    }
    if copies.types.is_empty() || importing.bodies.is_empty() {
        return None;
    }
    let mut module = Module::new();
    copies.parse_core_module(&mut module, Parser::new(0), wasm).ok()?;
    Some(module.finish())
}

/// Returns the body of an exported function that only returns constants or arguments; `None` if it does more.
fn constant(wasm: &[u8], name: &str, ty: &FuncType) -> Option<Vec<u8>> {
    let exporter = Parts::of(wasm)?;
    let function = *exporter.functions.get(name)?;
    let imported = exporter.imports.iter().filter(|(.., ty)| matches!(ty, TypeRef::Func(_))).count();
    let defined = (function as usize).checked_sub(imported)?;
    let body = exporter.bodies.get(defined)?;
    let operators = body.get_operators_reader().ok()?.into_iter();
    let constant = |operator: Operator<'_>| {
        use Operator as O;
        matches!(
            operator,
            O::I32Const { .. }
                | O::I64Const { .. }
                | O::F32Const { .. }
                | O::F64Const { .. }
                | O::LocalGet { .. }
                | O::End
        )
    };
    let only = operators.into_iter().all(|operator| operator.is_ok_and(constant));
    let same = exporter.types.get(*exporter.function_types.get(defined)? as usize)? == ty;
    (only && same).then(|| body.as_bytes().to_vec())
}

/// The parts of a module that matter here.
#[derive(Default)]
struct Parts<'w> {
    types: Vec<FuncType>,
    imports: Vec<(String, String, TypeRef)>,
    function_types: Vec<u32>,
    functions: BTreeMap<String, u32>,
    bodies: Vec<FunctionBody<'w>>,
}

impl<'w> Parts<'w> {
    /// Reads a module. Returns `None` if it is malformed.
    fn of(wasm: &'w [u8]) -> Option<Parts<'w>> {
        let mut parts = Parts::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.ok()? {
                Payload::TypeSection(section) => {
                    for group in section {
                        parts.types.extend(group.ok()?.into_types().map(|ty| ty.unwrap_func().clone()));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        parts.imports.push((import.module.to_owned(), import.name.to_owned(), import.ty));
                    }
                }
                Payload::FunctionSection(section) => {
                    parts.function_types = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if export.kind == ExternalKind::Func {
                            parts.functions.insert(export.name.to_owned(), export.index);
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => parts.bodies.push(body),
                _ => {}
            }
        }
        Some(parts)
    }
}

/// Functions to define in place of imported ones, so that all indices stay the same.
struct Copies {
    /// For each function its import: module, name, type.
    types: Vec<(String, String, u32)>,
    bodies: Vec<Vec<u8>>,
}

impl Reencode for Copies {
    type Error = Infallible;

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        for import in section.into_imports() {
            let import = import?;
            let copied = |(module, name, _): &(String, String, u32)| {
                (module.as_str(), name.as_str()) == (import.module, import.name)
            };
            if !self.types.iter().any(copied) {
                imports.import(import.module, import.name, self.entity_type(import.ty)?);
            }
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        for (.., ty) in &self.types {
            functions.function(*ty);
        }
        reencode::utils::parse_function_section(self, functions, section)
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        for body in &self.bodies {
            code.raw(body);
        }
        reencode::utils::parse_code_section(self, code, section)
    }
}
