//! The function index space: types, imports and names, and which functions something refers to.

use rustc_hash::FxHashMap;
use wasmparser::{FuncType, ValType};

use super::types::{TypeList, Types, value_type};
use crate::ir::Func;
use crate::options::Role;

/// What an entry of the function index space is.
#[derive(Clone, Copy)]
pub enum Callable {
    /// A function of the module.
    Func(Func),
    /// An import, whose operations are put in place of the call.
    Import(Role),
}

/// An imported function.
struct Import {
    role: Role,
    name: String,
    /// The function that stands for it where a function is needed: in a table, as an export, at instance
    /// creation.
    wrapper: Option<Func>,
}

/// The functions of a module, imports first.
#[derive(Default)]
pub struct Functions {
    /// The types of the module; `None` for one that is not a function type.
    pub types: Vec<Option<FuncType>>,
    /// For each type, a number that it shares with all equal types.
    canonical: Vec<u32>,
    /// For each function, the index of its type.
    of: Vec<u32>,
    /// The name of each function.
    pub names: Vec<String>,
    imports: Vec<Import>,
    /// Indices of the imports that have a wrapper, in the order of the wrappers' [`Func`]s.
    wrapped: Vec<u32>,
    /// The functions that have a reference, by reference − 1.
    pub references: Vec<Option<Func>>,
    /// The reference of each function that has one, by the function's index.
    reference_of: FxHashMap<u32, u32>,
}

impl Functions {
    /// Adds a type. It shares the number `canonical` with all types that are equal to it.
    pub fn add_type(&mut self, ty: Option<FuncType>, canonical: u32) {
        self.types.push(ty);
        self.canonical.push(canonical);
    }

    /// Adds an imported function. All imports come before the other functions.
    pub fn add_import(&mut self, role: Role, name: String, ty: u32) {
        self.imports.push(Import { role, name, wrapper: None });
        self.of.push(ty);
    }

    /// Adds a function of the module.
    pub fn add(&mut self, ty: u32) {
        self.of.push(ty);
    }

    /// Returns the number of functions, imports included.
    pub fn count(&self) -> usize {
        self.of.len()
    }

    /// Returns the number of imported functions.
    pub fn import_count(&self) -> usize {
        self.imports.len()
    }

    /// Returns the role of an import.
    pub fn role(&self, import: u32) -> Role {
        self.imports[import as usize].role
    }

    /// Returns the names that imports are declared with, in order.
    pub fn import_names(&self) -> impl Iterator<Item = &str> {
        self.imports.iter().map(|import| import.name.as_str())
    }

    /// Returns the index of a function's type.
    pub fn type_index(&self, function: u32) -> u32 {
        self.of[function as usize]
    }

    /// Returns a function's type, or `None` if it is not a function type.
    pub fn type_of(&self, function: u32) -> Option<&FuncType> {
        self.types[self.type_index(function) as usize].as_ref()
    }

    /// Returns the number that a type shares with all equal types.
    pub fn canonical(&self, ty: u32) -> u32 {
        self.canonical[ty as usize]
    }

    /// Returns a function type in the IR's types.
    ///
    /// # Errors
    ///
    /// What is not supported about it.
    pub fn signature(&self, ty: u32) -> Result<Types, String> {
        let Some(ty) = &self.types[ty as usize] else { return Err("a type that is not of functions".into()) };
        let list =
            |types: &[ValType]| types.iter().map(|ty| value_type(*ty)).collect::<Result<TypeList, _>>();
        Ok(Types { params: list(ty.params())?, results: list(ty.results())? })
    }

    /// Returns what a direct call of this function index calls.
    pub fn callable(&self, function: u32) -> Callable {
        match self.imports.get(function as usize) {
            Some(import) => Callable::Import(import.role),
            None => Callable::Func(Func::from_u32(function - self.imports.len() as u32)),
        }
    }

    /// Returns the IR's function for a function index that something other than a direct call refers to. An
    /// import gets a wrapper.
    pub fn func(&mut self, function: u32) -> Func {
        let defined = (self.of.len() - self.imports.len()) as u32;
        match self.imports.get_mut(function as usize) {
            Some(import) => *import.wrapper.get_or_insert_with(|| {
                self.wrapped.push(function);
                Func::from_u32(defined + self.wrapped.len() as u32 - 1)
            }),
            None => Func::from_u32(function - self.imports.len() as u32),
        }
    }

    /// Returns the imports that have a wrapper, in the order of the wrappers.
    pub fn wrapped(&self) -> &[u32] {
        &self.wrapped
    }

    /// Returns the reference of a function, and makes it if there is none yet.
    pub fn reference(&mut self, function: u32) -> u32 {
        if let Some(reference) = self.reference_of.get(&function) {
            return *reference;
        }
        let func = self.func(function);
        self.references.push(Some(func));
        let reference = self.references.len() as u32;
        self.reference_of.insert(function, reference);
        reference
    }
}
