//! The module `spectest`, which the suite's modules import from, and checks of whether their imports fit it.

use std::collections::BTreeMap;

use wasm2onnx_compiler::{GlobalImport, MemoryImport, Options, Preload, Role, TableImport};
use wasm2onnx_runtime::Value;
use wasmparser::{Parser, Payload, TypeRef, ValType, WasmFeatures};

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

/// The module itself, for modules that share what they import from it.
pub fn module() -> Vec<u8> {
    let prints: String = PRINTS
        .iter()
        .map(|(name, params)| {
            let params: String = params.iter().map(|ty| format!(" {ty}")).collect();
            format!("(func (export \"{name}\") (param{params}))")
        })
        .collect();
    let text = format!(
        r#"(module {prints}
            (global (export "global_i32") i32 (i32.const 666)) (global (export "global_i64") i64 (i64.const 666))
            (global (export "global_f32") f32 (f32.const 666.6)) (global (export "global_f64") f64 (f64.const 666.6))
            (memory (export "memory") 1 2) (table (export "table") 10 20 funcref))"#
    );
    wat::parse_str(text).expect("the text is well-formed")
}

/// Returns the options with which a suite's modules are compiled.
pub fn options(features: WasmFeatures) -> Options {
    Options {
        features,
        // The suite grows memories beyond the default.
        max_memory_pages: Some(1024),
        imports: BTreeMap::new(),
        preloads: vec![Preload { name: "spectest".into(), module: module() }],
        ..Options::default()
    }
}

/// Returns the names of what `spectest` exports.
pub fn names() -> Vec<String> {
    let others = ["global_i32", "global_i64", "global_f32", "global_f64", "memory", "table"];
    PRINTS.iter().map(|(name, _)| *name).chain(others).map(str::to_owned).collect()
}

/// Returns these options with everything that a module imports, as the module declares it: if it is still
/// refused, it is invalid.
pub fn all_given(wasm: &[u8], features: WasmFeatures) -> Options {
    let mut options = Options { preloads: Vec::new(), ..options(features) };
    let Ok(Imports { all, .. }) = Imports::of(wasm) else { return options };
    for Import { module, name, ty } in all {
        let name = format!("{module}.{name}");
        match ty {
            TypeRef::Func(_) => {
                options.imports.insert(name, Role::Nop);
            }
            TypeRef::Global(ty) => {
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
            TypeRef::Memory(ty) => {
                let max = ty.maximum.map(|pages| pages as u32);
                let pages = ty.initial as u32;
                options.memories.insert(name, MemoryImport { pages, max, data: Vec::new() });
            }
            TypeRef::Table(ty) => {
                let external = ty.element_type == wasmparser::RefType::EXTERNREF;
                let (entries, max) = (ty.initial as u32, ty.maximum.map(|entries| entries as u32));
                options.tables.insert(name, TableImport { entries, max, external });
            }
            other => panic!("{name} is {other:?}"),
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
    ty: TypeRef,
}

impl Imports {
    /// Reads a module's imports.
    ///
    /// # Errors
    ///
    /// If it is malformed before they end.
    pub fn of(wasm: &[u8]) -> Result<Imports, wasmparser::Error> {
        let mut imports = Imports { all: Vec::new() };
        for payload in Parser::new(0).parse_all(wasm) {
            if let Payload::ImportSection(section) = payload? {
                for import in section.into_imports() {
                    let import = import?;
                    let (module, name) = (import.module.to_owned(), import.name.to_owned());
                    imports.all.push(Import { module, name, ty: import.ty });
                }
                break;
            }
        }
        Ok(imports)
    }

    /// Returns the names of the modules that it imports from, including `spectest`.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|import| import.module.as_str())
    }

    /// Returns something imported that does not exist, if there is anything, as `module.name`. (The compiler refuses only what
    /// can be called, and makes memories and tables that are not given.)
    pub fn unknown(&self, exists: impl Fn(&str, &str) -> bool) -> Option<String> {
        let unknown = self.all.iter().find(|import| !exists(&import.module, &import.name));
        unknown.map(|import| format!("{}.{}", import.module, import.name))
    }
}
