//! The module `spectest`, which the suite's modules import from, and checks of whether their imports fit it.

use std::collections::BTreeMap;

use wasm2onnx_compiler::{GlobalImport, MemoryImport, Options, Role, TableImport};
use wasm2onnx_runtime::Value;
use wasmparser::{CompositeInnerType, FuncType, Parser, Payload, TypeRef, ValType, WasmFeatures};

/// Its functions, which have no results and no effect.
const PRINTS: [(&str, &[ValType]); 7] = [
    ("print", &[]),
    ("print_i32", &[ValType::I32]),
    ("print_i64", &[ValType::I64]),
    ("print_f32", &[ValType::F32]),
    ("print_f64", &[ValType::F64]),
    ("print_i32_f32", &[ValType::I32, ValType::F32]),
    ("print_f64_f64", &[ValType::F64, ValType::F64]),
];

/// Returns the options with which a suite's modules are compiled.
pub fn options(features: WasmFeatures) -> Options {
    let global = |name: &str, value| (format!("spectest.{name}"), GlobalImport { value, mutable: false });
    Options {
        features,
        // The suite grows memories beyond the default.
        max_memory_pages: Some(1024),
        imports: PRINTS.map(|(name, _)| (format!("spectest.{name}"), Role::Nop)).into(),
        globals: [
            global("global_i32", Value::I32(666)),
            global("global_i64", Value::I64(666)),
            global("global_f32", Value::F32(666.6f32.to_bits())),
            global("global_f64", Value::F64(666.6f64.to_bits())),
        ]
        .into(),
        memories: BTreeMap::from([(
            "spectest.memory".to_owned(),
            MemoryImport { pages: 1, max: Some(2), data: Vec::new() },
        )]),
        tables: BTreeMap::from([(
            "spectest.table".to_owned(),
            TableImport { entries: 10, max: Some(20), external: false },
        )]),
        ..Options::default()
    }
}

/// Returns these options with everything that a module imports, as the module declares it: if it is still
/// refused, it is invalid.
pub fn all_given(wasm: &[u8], features: WasmFeatures) -> Options {
    let mut options = options(features);
    let Ok(Imports { all, .. }) = Imports::of(wasm) else { return options };
    for Import { module, name, ty } in all {
        let name = format!("{module}.{name}");
        match ty {
            ImportType::Func(_) => {
                options.imports.insert(name, Role::Nop);
            }
            ImportType::Other(TypeRef::Global(ty)) => {
                let zero = match ty.content_type {
                    ValType::I32 => Value::I32(0),
                    ValType::I64 => Value::I64(0),
                    ValType::F32 => Value::F32(0),
                    ValType::F64 => Value::F64(0),
                    ValType::FUNCREF => Value::FuncRef(None),
                    ValType::EXTERNREF => Value::ExternRef(None),
                    other => panic!("{name} is of type {other}"),
                };
                options.globals.insert(name, GlobalImport { value: zero, mutable: ty.mutable });
            }
            ImportType::Other(TypeRef::Memory(ty)) => {
                let max = ty.maximum.map(|pages| pages as u32);
                let pages = ty.initial as u32;
                options.memories.insert(name, MemoryImport { pages, max, data: Vec::new() });
            }
            ImportType::Other(TypeRef::Table(ty)) => {
                let external = ty.element_type == wasmparser::RefType::EXTERNREF;
                let (entries, max) = (ty.initial as u32, ty.maximum.map(|entries| entries as u32));
                options.tables.insert(name, TableImport { entries, max, external });
            }
            ImportType::Other(other) => panic!("{name} is {other:?}"),
        }
    }
    options
}

/// What a module imports.
pub struct Imports {
    all: Vec<Import>,
}

struct Import {
    module: String,
    name: String,
    ty: ImportType,
}

enum ImportType {
    Func(Option<FuncType>),
    Other(TypeRef),
}

impl Imports {
    /// Reads a module's imports.
    ///
    /// # Errors
    ///
    /// If it is malformed before they end.
    pub fn of(wasm: &[u8]) -> Result<Imports, wasmparser::Error> {
        let mut imports = Imports { all: Vec::new() };
        let mut types = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        types.extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let ty = match import.ty {
                            TypeRef::Func(ty) => ImportType::Func(types.get(ty as usize).cloned().flatten()),
                            other => ImportType::Other(other),
                        };
                        let (module, name) = (import.module.to_owned(), import.name.to_owned());
                        imports.all.push(Import { module, name, ty });
                    }
                    break;
                }
                _ => {}
            }
        }
        Ok(imports)
    }

    /// Returns the names of the modules that it imports from, including `spectest`.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|import| import.module.as_str())
    }

    /// Returns a function of `spectest` that is imported with a wrong type, if there is one: our compiler
    /// accepts any type for a function that does nothing.
    pub fn mistaken(&self) -> Option<&str> {
        let mistaken = |import: &&Import| {
            let print = PRINTS.iter().find(|(name, _)| *name == import.name);
            let (Some((_, params)), ImportType::Func(ty)) = (print, &import.ty) else { return false };
            import.module == "spectest"
                && ty.as_ref().is_none_or(|ty| ty.params() != *params || !ty.results().is_empty())
        };
        self.all.iter().find(mistaken).map(|import| import.name.as_str())
    }
}
