//! Reads the worlds of WIT that wit-bindgen leaves in a module, and makes functions of tensors of the exports that they have.
//!
//! A world is in a custom section whose name begins with `component-type`. The section is itself a component: it exports one type, a component
//! type whose only export is the world, again as a component type. The validator of components has to accept it, and all types are taken from
//! what the validator knows. So a section can be damaged in any way.

use std::collections::BTreeMap;

use wasm2onnx_runtime::{Dim, ElementType, Name, Spec};
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId, ComponentItem,
    ComponentTypeId, ComponentValType,
};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Parser, Payload, PrimitiveValType, ValidPayload, Validator, WasmFeatures};

use super::canonical::{Function, Type, Valid, enum_type};
use super::{Abi, TensorFunction, text};
use crate::error::{CompileError, ErrorKind};

/// What the names of custom sections with a world begin with.
const SECTION: &str = "component-type";

/// The custom section in such a section that has the version of the format and how strings are encoded.
const ENCODING: &str = "wit-component-encoding";

/// The version of the format.
const VERSION: u8 = 4;

/// The number of the encoding UTF-8.
const UTF8: u8 = 0;

/// The name of a function's result.
const RESULT: &str = "result";

/// Maximum number of a function's tensors: functions of WebAssembly have no more parameters.
const MAX_TENSORS: usize = 1000;

/// Maximum number of types around one another.
const MAX_DEPTH: usize = 100;

/// The functions that worlds export, by the names of a module's exports; or why a function is none of tensors.
pub(crate) type Exports = BTreeMap<String, Result<TensorFunction, String>>;

/// Returns what the worlds in a module export. A module that cannot be read has no worlds as far as this is concerned.
///
/// # Errors
///
/// If a section that should be a world is none.
pub(crate) fn exports(binary: &[u8]) -> Result<Exports, CompileError> {
    let mut exports = Exports::new();
    for payload in Parser::new(0).parse_all(binary).map_while(Result::ok) {
        if let Payload::CustomSection(section) = payload
            && section.name().starts_with(SECTION)
        {
            let offset = section.data_offset();
            add(section.data(), &mut exports).map_err(|message| ErrorKind::World {
                section: section.name().into(),
                message,
                offset,
            })?;
        }
    }
    Ok(exports)
}

/// Adds what a world exports.
fn add(section: &[u8], exports: &mut Exports) -> Result<(), String> {
    if !section.starts_with(b"\0asm") {
        return Err("it has a format that wit-bindgen has left behind, or none".into());
    }
    let (types, exported, encoding) = read(section)?;
    let types = types.as_ref();
    match encoding[..] {
        [VERSION, _] => {}
        [version, ..] => return Err(format!("its format is {version}, not {VERSION}")),
        [] => return Err(format!("it has no section `{ENCODING}`, which says what format it has")),
    }
    let [package] = exported[..] else { return Err("it does not export one type".into()) };
    let ComponentAnyTypeId::Component(package) = package else { return Err(NO_WORLD.into()) };
    let world = world(types, package).ok_or(NO_WORLD)?;
    let mut functions = Vec::new();
    for (name, item) in &types[world].exports {
        match item.ty {
            ComponentEntityType::Func(ty) => functions.push((name.clone(), ty)),
            ComponentEntityType::Instance(interface) => {
                let name = item.full_name(name);
                let members = types[interface].exports.iter();
                functions.extend(members.filter_map(|(member, item): (_, &ComponentItem)| match item.ty {
                    ComponentEntityType::Func(ty) => Some((format!("{name}#{member}"), ty)),
                    _ => None,
                }));
            }
            ComponentEntityType::Type { .. } => {}
            ComponentEntityType::Module(_)
            | ComponentEntityType::Value(_)
            | ComponentEntityType::Component(_) => return Err(NO_WORLD.into()),
        }
    }
    for (name, ty) in functions {
        let function = match encoding[1] {
            UTF8 => function(types, &name, ty),
            _ => Err("strings of its world are not in UTF-8".into()),
        };
        // Several sections may have one world, or worlds that share an interface.
        match exports.get(&name) {
            Some(known) if *known != function => {
                return Err(format!("another world exports `{}` with another type", Name(&name)));
            }
            _ => {
                exports.insert(name, function);
            }
        }
    }
    Ok(())
}

const NO_WORLD: &str = "what it exports is no world";

/// Validates a component; returns its types, those that it exports, and the encoding of its strings.
fn read(component: &[u8]) -> Result<(Types, Vec<ComponentAnyTypeId>, Vec<u8>), String> {
    let shown =
        |error: wasmparser::Error| format!("{} (at offset 0x{:x} of it)", error.message(), error.offset());
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let (mut indices, mut encoding, mut depth) = (Vec::new(), Vec::new(), 0);
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(shown)?;
        match &payload {
            Payload::CustomSection(section) if depth == 0 && section.name() == ENCODING => {
                encoding = section.data().to_vec();
                if encoding.len() != 2 {
                    return Err(format!("its section `{ENCODING}` does not have two bytes"));
                }
            }
            Payload::ComponentExportSection(reader) if depth == 0 => {
                for export in reader.clone() {
                    let export = export.map_err(shown)?;
                    match export.kind {
                        wasmparser::ComponentExternalKind::Type => indices.push(export.index),
                        _ => return Err("it exports something that is no type".into()),
                    }
                }
            }
            _ => {}
        }
        match validator.payload(&payload).map_err(shown)? {
            ValidPayload::Parser(_) => depth += 1,
            ValidPayload::End(types) if depth == 0 => {
                let all = types.as_ref();
                let exported = indices.iter().map(|index| all.component_any_type_at(*index)).collect();
                return Ok((types, exported, encoding));
            }
            ValidPayload::End(_) => depth -= 1,
            ValidPayload::Ok | ValidPayload::Func(..) => {}
        }
    }
    Err("it ends too early".into())
}

/// Returns the world that is the only export of a component type.
fn world(types: TypesRef, package: ComponentTypeId) -> Option<ComponentTypeId> {
    let mut exports = types[package].exports.values();
    match (exports.next()?.ty, exports.next()) {
        (ComponentEntityType::Component(world), None) => Some(world),
        _ => None,
    }
}

/// Makes a function of tensors.
fn function(types: TypesRef, name: &str, ty: ComponentFuncTypeId) -> Result<TensorFunction, String> {
    let ty = &types[ty];
    if ty.async_ {
        return Err("it is asynchronous".into());
    }
    let mut inputs = Ports { types, is_input: true, specs: Vec::new(), depth: 0 };
    let params = ty.params.iter().map(|(param, ty)| inputs.value(param.to_string(), *ty));
    let params = Type::Record(params.collect::<Result<_, _>>()?);
    let mut outputs = Ports { types, is_input: false, specs: Vec::new(), depth: 0 };
    let result = ty.result.map(|ty| outputs.value(RESULT.into(), ty)).transpose()?;
    if result.is_some() && ty.params.iter().any(|(param, _)| param.as_str() == RESULT) {
        return Err(format!("a parameter is called `{RESULT}`, as the result is"));
    }
    let function = Function { params, result };
    let boundary = wasm2onnx_runtime::Boundary { inputs: inputs.specs, outputs: outputs.specs };
    let function = TensorFunction { name: name.into(), boundary, abi: Abi::Canonical(function) };
    text::check(&function)?;
    Ok(function)
}

/// Makes tensors of values.
struct Ports<'t> {
    types: TypesRef<'t>,
    is_input: bool,
    specs: Vec<Spec>,
    depth: usize,
}

impl Ports<'_> {
    /// Makes the tensors of a value with this name.
    fn value(&mut self, name: String, ty: ComponentValType) -> Result<Type, String> {
        let ty = match ty {
            ComponentValType::Primitive(ty) => return self.primitive(name, ty),
            ComponentValType::Type(ty) => self.types.get(ty).expect("it is of the validator's"),
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!(
                "`{}` is of a type of more than {MAX_DEPTH} types around one another",
                Name(&name)
            ));
        }
        let part = |field: &str| format!("{name}.{field}");
        let made = match ty {
            ComponentDefinedType::Primitive(ty) => self.primitive(name, *ty)?,
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(field, ty)| self.value(part(field), *ty));
                Type::Record(fields.collect::<Result<_, _>>()?)
            }
            ComponentDefinedType::Tuple(tuple) => {
                let fields = (0..).zip(&tuple.types).map(|(i, ty)| self.value(part(&i.to_string()), *ty));
                Type::Record(fields.collect::<Result<_, _>>()?)
            }
            ComponentDefinedType::Flags(flags) if flags.len() <= 32 => {
                let flags = flags.iter().map(|flag| self.scalar(part(flag), ElementType::Bool));
                Type::Flags(flags.collect::<Result<_, _>>()?)
            }
            ComponentDefinedType::Enum(cases) => {
                let (element, valid) = (enum_type(cases.len()), Valid::Below(cases.len() as u32));
                Type::Number { element, valid, tensor: self.scalar(name, element)? }
            }
            ComponentDefinedType::Option { ty, .. } => {
                let flag = self.scalar(part("is-some"), ElementType::Bool)?;
                let some = self.value(part("some"), *ty)?;
                Type::Choice { flag, flagged: 1, cases: [None, Some(Box::new(some))] }
            }
            ComponentDefinedType::Result { ok, err, .. } => {
                let flag = self.scalar(part("is-ok"), ElementType::Bool)?;
                let mut case = |case: &str, ty: &Option<ComponentValType>| {
                    ty.map(|ty| self.value(part(case), ty).map(Box::new)).transpose()
                };
                Type::Choice { flag, flagged: 0, cases: [case("ok", ok)?, case("err", err)?] }
            }
            ComponentDefinedType::List { element, .. } => match self.list_element(*element) {
                Some(element) => self.list(name, element, false)?,
                None => return Err(refused(&name, &format!("a list of {}", self.plural(*element)))),
            },
            other => return Err(refused(&name, kind(other).0)),
        };
        self.depth -= 1;
        Ok(made)
    }

    fn primitive(&mut self, name: String, ty: PrimitiveValType) -> Result<Type, String> {
        let (element, valid) = match ty {
            PrimitiveValType::String => return self.list(name, ElementType::U8, true),
            PrimitiveValType::Char => (ElementType::U32, Valid::Characters),
            ty => match number(ty) {
                Some(element) => (element, Valid::All),
                None => return Err(refused(&name, "an error context")),
            },
        };
        Ok(Type::Number { element, valid, tensor: self.scalar(name, element)? })
    }

    fn scalar(&mut self, name: String, element: ElementType) -> Result<usize, String> {
        self.spec(Spec { name, element, shape: Vec::new() })
    }

    fn list(&mut self, name: String, element: ElementType, is_text: bool) -> Result<Type, String> {
        let dim = if self.is_input { Dim::Named(name.clone()) } else { Dim::Counted };
        let tensor = self.spec(Spec { name, element, shape: vec![dim] })?;
        Ok(Type::List { element, is_text, tensor })
    }

    /// Adds a tensor, and returns its number.
    fn spec(&mut self, spec: Spec) -> Result<usize, String> {
        if self.specs.len() == MAX_TENSORS {
            let what = if self.is_input { "inputs" } else { "outputs" };
            return Err(format!("it would have more than {MAX_TENSORS} {what}"));
        }
        self.specs.push(spec);
        Ok(self.specs.len() - 1)
    }

    /// Returns the type of a tensor's elements for a list of values of this type, if there is one.
    fn list_element(&self, ty: ComponentValType) -> Option<ElementType> {
        let ty = match ty {
            ComponentValType::Primitive(ty) => ty,
            ComponentValType::Type(ty) => match self.types[ty] {
                ComponentDefinedType::Primitive(ty) => ty,
                _ => return None,
            },
        };
        // Not every byte is a bool.
        number(ty).filter(|element| *element != ElementType::Bool)
    }

    /// Returns what several values of this type are called in a message.
    fn plural(&self, ty: ComponentValType) -> &'static str {
        let ty = match ty {
            ComponentValType::Primitive(ty) => ty,
            ComponentValType::Type(ty) => match &self.types[ty] {
                ComponentDefinedType::Primitive(ty) => *ty,
                other => return kind(other).1,
            },
        };
        match ty {
            PrimitiveValType::Bool => "bools",
            PrimitiveValType::Char => "characters",
            PrimitiveValType::String => "strings",
            _ => "error contexts",
        }
    }
}

fn refused(name: &str, what: &str) -> String {
    format!("`{}` is {what}, of which no tensors are made", Name(name))
}

/// Returns the type of elements that a number of WIT has.
fn number(ty: PrimitiveValType) -> Option<ElementType> {
    Some(match ty {
        PrimitiveValType::Bool => ElementType::Bool,
        PrimitiveValType::S8 => ElementType::I8,
        PrimitiveValType::U8 => ElementType::U8,
        PrimitiveValType::S16 => ElementType::I16,
        PrimitiveValType::U16 => ElementType::U16,
        PrimitiveValType::S32 => ElementType::I32,
        PrimitiveValType::U32 => ElementType::U32,
        PrimitiveValType::S64 => ElementType::I64,
        PrimitiveValType::U64 => ElementType::U64,
        PrimitiveValType::F32 => ElementType::F32,
        PrimitiveValType::F64 => ElementType::F64,
        PrimitiveValType::Char | PrimitiveValType::String | PrimitiveValType::ErrorContext => return None,
    })
}

/// Returns what a value of a type, and what several are called in a message.
fn kind(ty: &ComponentDefinedType) -> (&'static str, &'static str) {
    match ty {
        ComponentDefinedType::Primitive(_) => ("a number", "numbers"),
        ComponentDefinedType::Record(_) => ("a record", "records"),
        ComponentDefinedType::Variant(_) => ("a variant", "variants"),
        ComponentDefinedType::List { .. } => ("a list", "lists"),
        ComponentDefinedType::Map { .. } => ("a map", "maps"),
        ComponentDefinedType::FixedLengthList { .. } => ("a list of fixed length", "lists of fixed length"),
        ComponentDefinedType::Tuple(_) => ("a tuple", "tuples"),
        ComponentDefinedType::Flags(_) => ("a set of more than 32 flags", "flags"),
        ComponentDefinedType::Enum(_) => ("an enum", "enums"),
        ComponentDefinedType::Option { .. } => ("an option", "options"),
        ComponentDefinedType::Result { .. } => ("a result", "results"),
        ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => ("a resource", "resources"),
        ComponentDefinedType::Future { .. } => ("a future", "futures"),
        ComponentDefinedType::Stream { .. } => ("a stream", "streams"),
    }
}
