//! The function index space of a module: types, imports and names, and which functions something refers to.

use wasmparser::{FuncType, ValType};

use super::program::{Callable, HostCall, Program};
use super::types::{TypeList, Types, value_type};
use crate::ir::Func;

/// An entry of the function index space.
struct Entry {
    /// Index of its type.
    ty: u32,
    callable: Callable,
    /// The function that stands for a function of the host where a function is needed: in a table, as an export, at
    /// instance creation.
    wrapper: Option<Func>,
}

/// The functions of a module, imports first.
#[derive(Default)]
pub struct Functions {
    /// The types of the module; `None` for one that is not a function type.
    pub types: Vec<Option<FuncType>>,
    /// For each type, a number that it shares with all equal types.
    canonical: Vec<u32>,
    entries: Vec<Entry>,
    /// The names that imports are declared with.
    pub import_names: Vec<String>,
    /// The name of each function.
    pub names: Vec<String>,
    /// The number of the first function among those of all modules, for debug information.
    pub first_number: u32,
    /// Indices of the imports that have a wrapper.
    wrapped: Vec<u32>,
}

impl Functions {
    /// Returns an empty index space. Its first function has this number among those of all modules.
    pub fn new(first_number: u32) -> Functions {
        Functions { first_number, ..Functions::default() }
    }

    /// Adds a type. It shares the number `canonical` with all types that are equal to it.
    pub fn add_type(&mut self, ty: Option<FuncType>, canonical: u32) {
        self.types.push(ty);
        self.canonical.push(canonical);
    }

    /// Adds an imported function. All imports come before the other functions.
    pub fn add_import(&mut self, callable: Callable, name: String, ty: u32) {
        self.entries.push(Entry { ty, callable, wrapper: None });
        self.import_names.push(name);
    }

    /// Decides what an import is that was not known when it was added.
    pub fn set_import(&mut self, function: u32, callable: Callable) {
        self.entries[function as usize].callable = callable;
    }

    /// Adds a function of the module.
    pub fn add(&mut self, ty: u32, program: &mut Program) {
        let func = program.declare(self.canonical(ty));
        self.entries.push(Entry { ty, callable: Callable::Func(func), wrapper: None });
    }

    /// Returns the number of functions, imports included.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Returns the number of imported functions.
    pub fn import_count(&self) -> usize {
        self.import_names.len()
    }

    /// Returns the index of a function's type.
    pub fn type_index(&self, function: u32) -> u32 {
        self.entries[function as usize].ty
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
        self.entries[function as usize].callable
    }

    /// Returns the IR's function for a function index that something other than a direct call refers to. A function of
    /// the host gets a wrapper.
    pub fn func(&mut self, function: u32, program: &mut Program) -> Func {
        let canonical = self.canonical(self.type_index(function));
        let entry = &mut self.entries[function as usize];
        match entry.callable {
            Callable::Func(func) => func,
            Callable::Host(_) => *entry.wrapper.get_or_insert_with(|| {
                self.wrapped.push(function);
                program.declare(canonical)
            }),
        }
    }

    /// Returns the functions of the host that have a wrapper, with these wrappers.
    pub fn wrapped(&self) -> Vec<(u32, HostCall, Func)> {
        let wrapper = |function: &u32| {
            let entry = &self.entries[*function as usize];
            let Callable::Host(call) = entry.callable else { unreachable!("only these have one") };
            (*function, call, entry.wrapper.expect("it is in the list"))
        };
        self.wrapped.iter().map(wrapper).collect()
    }

    /// Returns the reference of a function, and makes it if there is none yet.
    pub fn reference(&mut self, function: u32, program: &mut Program) -> u32 {
        let func = self.func(function, program);
        program.reference(func)
    }
}
