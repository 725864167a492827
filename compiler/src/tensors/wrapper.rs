//! The module that makes a function of tensors out of an export.
//!
//! It imports what it uses of the program from [`PROGRAM`] and of the host from [`HOST`], and exports one function,
//! named like the program's, whose parameters and results are those of the [`Boundary`].

use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, InstructionSink, MemArg, MemArgTarget, MemoryType, Module, NameMap,
    NameSection, TypeSection, ValType,
};
use wasm2onnx_runtime::{Boundary, Dim, ElementType, Spec, ValueType};

use super::{Abi, Arg, MAX_BYTES, Signed, TensorFunction};

/// The module from which what belongs to the program is imported. No module on the command line can have this name.
pub(crate) const PROGRAM: &str = "\0program";
/// The module from which what belongs to the host is imported.
pub(crate) const HOST: &str = "\0host";

/// The name of the program's memory in [`PROGRAM`].
pub(crate) const MEMORY: &str = "\0memory";

/// Where arrays get their place from: exports of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocator {
    /// `malloc` and `free`.
    Malloc { frees: bool },
    /// `cabi_realloc`.
    Realloc,
    /// Pages at the end of the memory.
    Grow,
}

/// The address on the stack.
const AT: MemArg = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(0), ordering: None };

/// Size of a page in bytes.
const PAGE: i32 = 1 << 16;

/// Indices of what is imported, and of functions and globals of the module.
#[derive(Default)]
pub(super) struct Imports {
    pub input: u32,
    pub results: u32,
    pub tensors: u32,
    pub length: u32,
    limit: u32,
    arena_begin: u32,
    arena_end: u32,
    pub export: u32,
    pub post_return: Option<u32>,
    pub out_of_bounds: u32,
    output_limit: u32,
    pub report: u32,
    pub malloc: u32,
    free: u32,
    #[cfg_attr(not(feature = "wit"), expect(dead_code, reason = "only WIT has text"))]
    pub is_text: u32,
}

/// Returns the module. `post_return` says whether the program has the export that the function's results are given back to.
pub(crate) fn module(function: &TensorFunction, allocator: Allocator, post_return: bool) -> Vec<u8> {
    let boundary = &function.boundary;
    let Boundary { inputs, outputs } = boundary;
    let (mut types, mut imports, mut globals) =
        (TypeSection::new(), ImportSection::new(), GlobalSection::new());
    let mut index = Imports::default();
    let memory =
        MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
    let mut memories = 0;
    let mut add_memory = |imports: &mut ImportSection, module, name| {
        imports.import(module, name, EntityType::Memory(memory));
        memories += 1;
        memories - 1
    };
    if function.needs_memory() {
        add_memory(&mut imports, PROGRAM, MEMORY);
    }
    let mut global_count = 0;
    let mut add_global = |imports: &mut ImportSection, name, mutable| {
        imports.import(
            HOST,
            name,
            EntityType::Global(GlobalType { val_type: ValType::I32, mutable, shared: false }),
        );
        global_count += 1;
        global_count - 1
    };
    if boundary.takes_bytes() {
        index.input = add_memory(&mut imports, HOST, "input");
        index.tensors = add_global(&mut imports, "tensors", true);
    }
    if boundary.gives_bytes() {
        index.results = add_memory(&mut imports, HOST, "results");
        index.length = add_global(&mut imports, "results.length", true);
        index.limit = add_global(&mut imports, "results.limit", false);
    }
    (index.arena_begin, index.arena_end) = (global_count, global_count + 1);
    let mut functions = 0;
    let mut add_function =
        |types: &mut TypeSection, module, name, params: &[ValType], results: &[ValType]| {
            types.ty().function(params.iter().copied(), results.iter().copied());
            imports.import(module, name, EntityType::Function(functions));
            functions += 1;
            functions - 1
        };
    use ValType::I32;
    let list = |types: Vec<ValueType>| types.into_iter().map(encoded).collect::<Vec<_>>();
    let (export, post_name) = (function.export_type(), function.post_return());
    let (params, results) = (list(export.params), list(export.results));
    index.export = add_function(&mut types, PROGRAM, &function.name, &params, &results);
    if let Some(name) = post_name.as_ref().filter(|_| post_return) {
        index.post_return = Some(add_function(&mut types, PROGRAM, name, &results, &[]));
    }
    index.out_of_bounds = add_function(&mut types, HOST, "out_of_bounds", &[], &[]);
    index.output_limit = add_function(&mut types, HOST, "output_limit", &[], &[]);
    index.report = add_function(&mut types, HOST, "report", &[I32], &[]);
    match allocator {
        _ if !function.needs_places() => {}
        Allocator::Malloc { frees } => {
            index.malloc = add_function(&mut types, PROGRAM, "malloc", &[I32], &[I32]);
            if frees {
                index.free = add_function(&mut types, PROGRAM, "free", &[I32], &[]);
            }
        }
        Allocator::Realloc => {
            index.malloc = add_function(&mut types, PROGRAM, "cabi_realloc", &[I32; 4], &[I32]);
        }
        Allocator::Grow => {
            let ty = GlobalType { val_type: I32, mutable: true, shared: false };
            // Where the pages begin and end that the last call made for arrays.
            globals.global(ty, &ConstExpr::i32_const(0)).global(ty, &ConstExpr::i32_const(0));
        }
    }
    let (own_params, own_results) = (list(boundary.params()), list(boundary.results()));
    types.ty().function(own_params.iter().copied(), own_results);

    let mut locals = Locals { first: own_params.len() as u32, types: Vec::new() };
    let mut code = Vec::new();
    let (mut declared, mut exports, mut codes) =
        (FunctionSection::new(), ExportSection::new(), CodeSection::new());
    let mut body = |locals: Locals, code: Vec<u8>| {
        let mut body = Function::new_with_locals_types(locals.types);
        body.raw(code);
        declared.function(functions);
        codes.function(&body);
    };
    match &function.abi {
        Abi::Signature(signed) => {
            let plan = Plan::new(signed, boundary, &mut locals, &results);
            let (code_so_far, index) = (InstructionSink::new(&mut code), &index);
            let mut b = Emit { code: code_so_far, index, signed, boundary, plan: &plan, allocator };
            b.sizes(inputs);
            b.allocate();
            b.copy_in(inputs);
            b.call();
            b.copy_out(outputs);
            b.give(outputs);
            b.free();
            b.code.end();
            body(locals, code);
        }
        #[cfg(feature = "wit")]
        Abi::Canonical(canonical) => {
            index.is_text = functions + 1;
            let sink = InstructionSink::new(&mut code);
            super::adapter::Adapter::new(sink, &index, &mut locals, boundary).emit(canonical, boundary);
            body(locals, code);
            if canonical.has_text() {
                let (params, results) = super::utf8::signature();
                types.ty().function(params, results);
                declared.function(functions + 1);
                codes.function(&super::utf8::function());
            }
        }
    }
    exports.export(&function.name, ExportKind::Func, functions);
    let mut names = NameMap::new();
    names.append(functions, &function.name);
    if declared.len() > 1 {
        names.append(functions + 1, "is_text");
    }
    let mut name_section = NameSection::new();
    name_section.functions(&names);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&declared);
    if !globals.is_empty() {
        module.section(&globals);
    }
    module.section(&exports).section(&codes).section(&name_section);
    module.finish()
}

/// Returns a type as it is written.
pub(super) fn encoded(ty: ValueType) -> ValType {
    match ty {
        ValueType::I64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        _ => ValType::I32,
    }
}

/// Traps if the word on the stack is not 0: calls a function that does.
pub(super) fn trap_if(code: &mut InstructionSink, trap: u32) {
    code.if_(wasm_encoder::BlockType::Empty).call(trap).unreachable().end();
}

/// Copies an output to where the host finds it: behind `at`, which then is where the next one begins. All are local variables.
pub(super) fn copy_result(code: &mut InstructionSink, index: &Imports, at: u32, address: u32, bytes: u32) {
    code.local_get(bytes).global_get(index.limit).local_get(at).i32_sub().i32_gt_u();
    trap_if(code, index.output_limit);
    code.local_get(at).local_get(address).local_get(bytes).memory_copy(index.results, 0);
    code.local_get(at).local_get(bytes).i32_add().local_set(at);
}

/// Reads a number in memory.
pub(super) fn load(code: &mut InstructionSink, element: ElementType, at: MemArg) {
    match element {
        ElementType::Bool | ElementType::U8 => code.i32_load8_u(at),
        ElementType::I8 => code.i32_load8_s(at),
        ElementType::U16 => code.i32_load16_u(at),
        ElementType::I16 => code.i32_load16_s(at),
        ElementType::I32 | ElementType::U32 => code.i32_load(at),
        ElementType::I64 | ElementType::U64 => code.i64_load(at),
        ElementType::F32 => code.f32_load(at),
        ElementType::F64 => code.f64_load(at),
    };
}

/// Local variables.
pub(super) struct Locals {
    first: u32,
    types: Vec<ValType>,
}

impl Locals {
    pub(super) fn new_local(&mut self, ty: ValType) -> u32 {
        self.types.push(ty);
        self.first + self.types.len() as u32 - 1
    }
}

/// What is in which local variable.
struct Plan {
    /// The arrays, in the order of the export's parameters.
    arrays: Vec<Array>,
    /// For each input, the first parameter that it is: a scalar, or the size of its first dimension with a name.
    params: Vec<u32>,
    /// The export's results.
    results: Vec<u32>,
    /// Up to where inputs have been copied, or outputs.
    at: u32,
    /// A number of bytes.
    size: u32,
    /// Where in the pages at the end of the memory the next array begins.
    next: u32,
}

/// An array in memory while the function runs.
struct Array {
    /// Index of the input or of the output.
    port: Result<usize, usize>,
    /// What was allocated.
    allocated: u32,
    /// Its address.
    address: u32,
    /// Its number of bytes.
    bytes: u32,
}

impl Plan {
    fn new(signed: &Signed, boundary: &Boundary, locals: &mut Locals, results: &[ValType]) -> Plan {
        let mut array = |port| {
            let mut word = || locals.new_local(ValType::I32);
            Array { port, allocated: word(), address: word(), bytes: word() }
        };
        let arrays = signed.args.iter().filter_map(|arg| match arg {
            Arg::Scalar(_) => None,
            Arg::In(input) => Some(array(Ok(*input))),
            Arg::Out { output, .. } => Some(array(Err(*output))),
        });
        let arrays = arrays.collect();
        let mut next = 0;
        let params = boundary.inputs.iter().map(|input| {
            let first = next;
            next += if input.is_scalar() { 1 } else { input.named().count() as u32 };
            first
        });
        Plan {
            arrays,
            params: params.collect(),
            results: results.iter().map(|ty| locals.new_local(*ty)).collect(),
            at: locals.new_local(ValType::I32),
            size: locals.new_local(ValType::I64),
            next: locals.new_local(ValType::I32),
        }
    }

    fn array(&self, port: Result<usize, usize>) -> &Array {
        self.arrays.iter().find(|array| array.port == port).expect("it is an array")
    }
}

struct Emit<'a> {
    code: InstructionSink<'a>,
    index: &'a Imports,
    signed: &'a Signed,
    boundary: &'a Boundary,
    plan: &'a Plan,
    allocator: Allocator,
}

impl Emit<'_> {
    /// Traps if the word on the stack is not 0.
    fn trap_if(&mut self, trap: u32) {
        trap_if(&mut self.code, trap);
    }

    /// Returns the parameters with the sizes that have this name.
    fn params_named(&self, name: &str) -> Vec<u32> {
        let mut params = Vec::new();
        for (input, first) in self.boundary.inputs.iter().zip(&self.plan.params) {
            let same = (*first..).zip(input.named()).filter(|(_, other)| *other == name);
            params.extend(same.map(|(param, _)| param));
        }
        params
    }

    /// Puts the product of the sizes and of a factor into the local `size`. Traps if it is larger than an array can be.
    fn product<'d>(&mut self, factor: u64, shape: impl Iterator<Item = &'d Dim> + Clone) {
        let fixed = shape.clone().map(|dim| match dim {
            Dim::Fixed(size) => u64::from(*size),
            _ => 1,
        });
        let size = self.plan.size;
        self.code.i64_const(fixed.fold(factor, u64::saturating_mul) as i64).local_set(size);
        for dim in shape {
            let Dim::Named(name) = dim else { continue };
            let param = self.params_named(name)[0];
            self.code.local_get(size).local_get(param).i64_extend_i32_u().i64_mul().local_tee(size);
            self.code.i64_const(MAX_BYTES as i64).i64_gt_u();
            self.trap_if(self.index.out_of_bounds);
        }
    }

    /// Computes the sizes of all arrays. Traps if dimensions of one name differ.
    fn sizes(&mut self, inputs: &[Spec]) {
        let mut names: Vec<&str> = Vec::new();
        for name in inputs.iter().flat_map(Spec::named) {
            if names.contains(&name) {
                continue;
            }
            names.push(name);
            let params = self.params_named(name);
            for other in &params[1..] {
                self.code.local_get(params[0]).local_get(*other).i32_ne();
                self.trap_if(self.index.out_of_bounds);
            }
        }
        for array in &self.plan.arrays {
            let (element, shape) = match array.port {
                Ok(input) => (inputs[input].element, inputs[input].shape.clone()),
                Err(output) => (
                    self.boundary.outputs[output].element,
                    self.signed.capacity(&self.boundary.outputs, output),
                ),
            };
            self.product(element.bytes() as u64, shape.iter());
            self.code.local_get(self.plan.size).i32_wrap_i64().local_set(array.bytes);
        }
    }

    /// Gives each array a place, whose address is a multiple of 8.
    fn allocate(&mut self) {
        if self.plan.arrays.is_empty() {
            return;
        }
        let Plan { arrays, size, next, .. } = self.plan;
        let Imports { malloc, out_of_bounds, arena_begin, arena_end, .. } = *self.index;
        if self.allocator == Allocator::Grow {
            // No array is at address 0, not even an empty one.
            self.code.i64_const(8).local_set(*size);
            for array in arrays {
                self.code.local_get(*size).local_get(array.bytes).i64_extend_i32_u().i64_add();
                self.code.i64_const(7).i64_add().i64_const(-8).i64_and().local_set(*size);
            }
            // What is missing, in whole pages.
            self.room();
            self.code.i64_gt_u().if_(wasm_encoder::BlockType::Empty);
            // Behind pages that are not the last ones, all of them are new.
            self.code.memory_size(0).i32_const(16).i32_shl().global_get(arena_end).i32_ne();
            self.code.global_get(arena_end).i32_eqz().i32_or();
            self.code.if_(wasm_encoder::BlockType::Empty);
            self.code.memory_size(0).i32_const(16).i32_shl().local_tee(*next).global_set(arena_begin);
            self.code.local_get(*next).global_set(arena_end).end();
            self.room();
            self.code.i64_sub().i64_const(i64::from(PAGE) - 1).i64_add().i64_const(16).i64_shr_u();
            self.code.i32_wrap_i64().memory_grow(0).i32_const(-1).i32_eq();
            self.trap_if(out_of_bounds);
            self.code.memory_size(0).i32_const(16).i32_shl().global_set(arena_end).end();
            self.code.global_get(arena_begin).local_set(*next);
        }
        for array in arrays {
            match self.allocator {
                Allocator::Malloc { .. } => {
                    // Room for any alignment; nothing needs an address, too.
                    self.code.local_get(array.bytes).i32_const(8).i32_add().call(malloc);
                    self.code.local_tee(array.allocated).i32_eqz();
                    self.trap_if(out_of_bounds);
                    self.code.local_get(array.allocated).i32_const(7).i32_add().i32_const(-8).i32_and();
                    self.code.local_set(array.address);
                }
                Allocator::Realloc => {
                    self.code.i32_const(0).i32_const(0).i32_const(8);
                    self.code.local_get(array.bytes).i32_const(8).i32_add().call(malloc);
                    self.code.local_tee(array.address).i32_eqz();
                    self.trap_if(out_of_bounds);
                }
                Allocator::Grow => {
                    self.code.local_get(*next).local_tee(array.address).local_get(array.bytes).i32_add();
                    self.code.i32_const(7).i32_add().i32_const(-8).i32_and().local_set(*next);
                }
            }
        }
    }

    /// Puts two numbers on the stack: how many bytes the arrays take, and how many the pages have that were made for arrays.
    fn room(&mut self) {
        let Imports { arena_begin, arena_end, .. } = *self.index;
        self.code.local_get(self.plan.size);
        self.code.global_get(arena_end).global_get(arena_begin).i32_sub().i64_extend_i32_u();
    }

    /// Copies the inputs into memory.
    fn copy_in(&mut self, inputs: &[Spec]) {
        if !self.boundary.takes_bytes() {
            return;
        }
        let at = self.plan.at;
        self.code.global_get(self.index.tensors).local_set(at);
        for (i, _) in inputs.iter().enumerate().filter(|(_, input)| !input.is_scalar()) {
            let array = self.plan.array(Ok(i));
            self.code
                .local_get(array.address)
                .local_get(at)
                .local_get(array.bytes)
                .memory_copy(0, self.index.input);
            self.code.local_get(at).local_get(array.bytes).i32_add().local_set(at);
        }
    }

    /// Calls the export.
    fn call(&mut self) {
        for arg in &self.signed.args {
            match arg {
                Arg::Scalar(input) => {
                    self.code.local_get(self.plan.params[*input]);
                }
                Arg::In(input) => {
                    self.code.local_get(self.plan.array(Ok(*input)).address);
                    let named = self.boundary.inputs[*input].named().count() as u32;
                    let first = self.plan.params[*input];
                    for param in first..first + named {
                        self.code.local_get(param);
                    }
                }
                Arg::Out { output, capacity, .. } => {
                    let array = self.plan.array(Err(*output));
                    self.code.local_get(array.address);
                    if *capacity {
                        let bytes = self.boundary.outputs[*output].element.bytes();
                        self.code.local_get(array.bytes).i32_const(bytes.ilog2() as i32).i32_shr_u();
                    }
                }
            }
        }
        self.code.call(self.index.export);
        for result in self.plan.results.iter().rev() {
            self.code.local_set(*result);
        }
    }

    /// Copies the outputs to where the host finds them.
    fn copy_out(&mut self, outputs: &[Spec]) {
        let Imports { out_of_bounds, report, length, .. } = *self.index;
        if self.signed.counts {
            let count = self.plan.results[0];
            self.code.local_get(count).i32_const(0).i32_lt_s().if_(wasm_encoder::BlockType::Empty);
            self.code.local_get(count).call(report).unreachable().end();
        }
        if !self.boundary.gives_bytes() {
            return;
        }
        let (at, size) = (self.plan.at, self.plan.size);
        self.code.i32_const(0).local_set(at);
        for (i, output) in outputs.iter().enumerate().filter(|(_, output)| !output.is_scalar()) {
            let array = self.plan.array(Err(i));
            if output.is_counted() {
                let (count, shift) = (self.plan.results[0], output.element.bytes().ilog2() as i32);
                // The number of elements has to fit, and to be a multiple of the other sizes.
                self.code.local_get(count).local_get(array.bytes).i32_const(shift).i32_shr_u().i32_gt_u();
                self.trap_if(out_of_bounds);
                self.code.local_get(count).i32_const(shift).i32_shl().local_set(array.bytes);
                self.product(1, output.shape.iter());
                self.code.local_get(count).if_(wasm_encoder::BlockType::Empty);
                self.code.local_get(size).i64_eqz();
                self.trap_if(out_of_bounds);
                self.code.local_get(count).local_get(size).i32_wrap_i64().i32_rem_u();
                self.trap_if(out_of_bounds);
                self.code.end();
            }
            copy_result(&mut self.code, self.index, at, array.address, array.bytes);
        }
        self.code.local_get(at).global_set(length);
    }

    /// Frees the arrays. The results are on the stack already.
    fn free(&mut self) {
        if let Allocator::Malloc { frees: true } = self.allocator {
            for array in &self.plan.arrays {
                self.code.local_get(array.allocated).call(self.index.free);
            }
        }
    }

    /// Leaves the results.
    fn give(&mut self, outputs: &[Spec]) {
        let mut returned = self.plan.results.iter();
        for (i, output) in outputs.iter().enumerate() {
            if output.is_counted() {
                self.code.local_get(self.plan.results[0]);
            } else if output.is_scalar() {
                match self.plan.arrays.iter().find(|array| array.port == Err(i)) {
                    Some(array) => {
                        self.code.local_get(array.address);
                        load(&mut self.code, output.element, AT);
                    }
                    None => {
                        self.code.local_get(*returned.next().expect("it is a result"));
                    }
                }
            }
        }
    }
}
