//! The module `spectest`, which the suite's modules import from, and whether they fit it.

use std::collections::BTreeMap;

use wasm2onnx_compiler::{GlobalImport, MemoryImport, Options, Role, TableImport};
use wasm2onnx_runtime::Value;
use wasmparser::{FuncType, Parser, Payload, TypeRef, ValType, WasmFeatures};

/// Its functions, all without results and without effect.
const PRINTS: [(&str, &[ValType]); 7] = [
    ("print", &[]),
    ("print_i32", &[ValType::I32]),
    ("print_i64", &[ValType::I64]),
    ("print_f32", &[ValType::F32]),
    ("print_f64", &[ValType::F64]),
    ("print_i32_f32", &[ValType::I32, ValType::F32]),
    ("print_f64_f64", &[ValType::F64, ValType::F64]),
];

/// How a suite's modules are compiled.
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

/// What a module imports.
pub struct Imports {
    /// The modules that it imports from, `spectest` too.
    pub modules: Vec<String>,
    /// A function of `spectest` that it takes to be of another type: our compiler lets a function that
    /// does nothing be of any.
    pub mistaken: Option<String>,
}

impl Imports {
    /// Reads a module's imports.
    ///
    /// # Errors
    ///
    /// If it is malformed.
    pub fn of(wasm: &[u8]) -> Result<Imports, wasmparser::Error> {
        let mut imports = Imports { modules: Vec::new(), mistaken: None };
        let mut types: Vec<Option<FuncType>> = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group?.into_types() {
                            types.push(match ty.composite_type.inner {
                                wasmparser::CompositeInnerType::Func(ty) => Some(ty),
                                _ => None,
                            });
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        imports.modules.push(import.module.to_owned());
                        let (TypeRef::Func(ty), "spectest") = (import.ty, import.module) else { continue };
                        let print = PRINTS.iter().find(|(name, _)| *name == import.name);
                        let (Some((name, params)), Some(ty)) = (print, types.get(ty as usize)) else {
                            continue;
                        };
                        let fits =
                            ty.as_ref().is_some_and(|ty| ty.params() == *params && ty.results().is_empty());
                        if !fits {
                            imports.mistaken = Some((*name).to_owned());
                        }
                    }
                    break;
                }
                _ => {}
            }
        }
        Ok(imports)
    }
}
