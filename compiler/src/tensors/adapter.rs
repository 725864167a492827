//! The part of a [`wrapper`](super::wrapper) that depends on the canonical ABI: what the host of a component does around a call.
//!
//! Values go into and come out of a [`Place`]: local variables, which become the parameters, or memory. What is not there, as what an option
//! holds if there is nothing, is neither looked at nor given a place, and is 0 or empty as an output.

use wasm_encoder::{BlockType, InstructionSink, MemArg, MemArgTarget, ValType};
use wasm2onnx_runtime::{Boundary, ElementType, ValueType};

use super::MAX_BYTES;
use super::canonical::{Function, Type, Valid, flags_type, offsets};
use super::wrapper::{Imports, Locals, copy_result, encoded, trap_if};

/// Where a value is.
#[derive(Clone, Copy)]
enum Place<'p> {
    /// These local variables, or the first of them. Each has room for numbers of other types, too.
    Locals(&'p [(u32, ValType)]),
    /// This many bytes behind the address in a local variable.
    Memory { base: u32, offset: u32 },
}

impl<'p> Place<'p> {
    /// Returns the place of a part that begins so many local variables, or so many bytes, behind this one.
    fn behind(self, locals: usize, bytes: u32) -> Place<'p> {
        match self {
            Place::Locals(all) => Place::Locals(&all[locals..]),
            Place::Memory { base, offset } => Place::Memory { base, offset: offset + bytes },
        }
    }
}

/// The local variables of an input.
struct Input {
    /// A number, or the number of a list's elements: a parameter.
    param: u32,
    /// The number of a list's bytes, and where they begin among those of all inputs.
    bytes: u32,
    from: u32,
}

/// The local variables of an output.
struct Output {
    /// A number, or the number of a list's elements.
    result: u32,
    /// A list's address, and its number of bytes.
    address: u32,
    bytes: u32,
}

pub(super) struct Adapter<'a> {
    code: InstructionSink<'a>,
    index: &'a Imports,
    locals: &'a mut Locals,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
}

impl<'a> Adapter<'a> {
    pub(super) fn new(
        code: InstructionSink<'a>,
        index: &'a Imports,
        locals: &'a mut Locals,
        boundary: &Boundary,
    ) -> Adapter<'a> {
        let mut word = |needed: bool| if needed { locals.new_local(ValType::I32) } else { 0 };
        let inputs = (0..).zip(&boundary.inputs).map(|(param, input)| {
            let is_list = !input.is_scalar();
            Input { param, bytes: word(is_list), from: word(is_list) }
        });
        let inputs = inputs.collect();
        let outputs = boundary.outputs.iter().map(|output| {
            let is_list = !output.is_scalar();
            let ty = if is_list { ValueType::I32 } else { output.element.value_type() };
            let mut local = |needed, ty| if needed { locals.new_local(ty) } else { 0 };
            Output {
                result: local(true, encoded(ty)),
                address: local(is_list, ValType::I32),
                bytes: local(is_list, ValType::I32),
            }
        });
        let outputs = outputs.collect();
        Adapter { code, index, locals, inputs, outputs }
    }

    /// Writes the whole body of the wrapper.
    pub(super) fn emit(mut self, function: &Function, boundary: &Boundary) {
        self.sizes(boundary);
        self.call(function);
        let results = self.results(function);
        self.copy_out(boundary);
        if let Some(post_return) = self.index.post_return {
            for (local, _) in &results {
                self.code.local_get(*local);
            }
            self.code.call(post_return);
        }
        for output in &self.outputs {
            self.code.local_get(output.result);
        }
        self.code.end();
    }

    /// Computes how many bytes each list among the inputs has, and where they are.
    fn sizes(&mut self, boundary: &Boundary) {
        let mut before: Option<&Input> = None;
        for (input, spec) in self.inputs.iter().zip(&boundary.inputs).filter(|(_, spec)| !spec.is_scalar()) {
            let shift = spec.element.bytes().ilog2() as i32;
            self.code.local_get(input.param).i32_const((MAX_BYTES >> shift) as i32).i32_gt_u();
            trap_if(&mut self.code, self.index.out_of_bounds);
            self.code.local_get(input.param).i32_const(shift).i32_shl().local_set(input.bytes);
            match before {
                None => self.code.global_get(self.index.tensors),
                Some(before) => self.code.local_get(before.from).local_get(before.bytes).i32_add(),
            };
            self.code.local_set(input.from);
            before = Some(input);
        }
    }

    /// Calls the export with the inputs.
    fn call(&mut self, function: &Function) {
        let params = &function.params;
        if function.takes_address() {
            let base = self.locals.new_local(ValType::I32);
            self.code.i32_const(params.size() as i32);
            self.allocate(params.alignment(), base);
            self.check_bounds(base, params.size());
            self.lower(params, Place::Memory { base, offset: 0 });
            self.code.local_get(base);
        } else {
            let all: Vec<_> = params.flat().into_iter().map(|ty| self.new_local(ty)).collect();
            self.lower(params, Place::Locals(&all));
            for (local, _) in all {
                self.code.local_get(local);
            }
        }
        self.code.call(self.index.export);
    }

    /// Takes the outputs from the results of the export, and returns where these are.
    fn results(&mut self, function: &Function) -> Vec<(u32, ValType)> {
        let results: Vec<_> =
            function.export_type().results.into_iter().map(|ty| self.new_local(ty)).collect();
        if let Some((local, _)) = results.first() {
            self.code.local_set(*local);
        }
        let Some(result) = &function.result else { return results };
        if function.gives_address() {
            let base = results[0].0;
            self.check_alignment(base, result.alignment());
            self.check_bounds(base, result.size());
            self.lift(result, Place::Memory { base, offset: 0 });
        } else {
            self.lift(result, Place::Locals(&results));
        }
        results
    }

    /// Copies the lists among the outputs to where the host finds them.
    fn copy_out(&mut self, boundary: &Boundary) {
        if !boundary.gives_bytes() {
            return;
        }
        let at = self.locals.new_local(ValType::I32);
        for (output, _) in self.outputs.iter().zip(&boundary.outputs).filter(|(_, spec)| !spec.is_scalar()) {
            copy_result(&mut self.code, self.index, at, output.address, output.bytes);
        }
        self.code.local_get(at).global_set(self.index.length);
    }

    fn new_local(&mut self, ty: ValueType) -> (u32, ValType) {
        let ty = encoded(ty);
        (self.locals.new_local(ty), ty)
    }

    /// Puts the address of a new place into a local variable. The number of its bytes is on the stack.
    fn allocate(&mut self, alignment: u32, address: u32) {
        self.code.local_set(address);
        self.code.i32_const(0).i32_const(0).i32_const(alignment as i32).local_get(address);
        self.code.call(self.index.malloc).local_set(address);
        self.check_alignment(address, alignment);
    }

    /// Traps if an address is not a multiple of a power of two.
    fn check_alignment(&mut self, address: u32, alignment: u32) {
        if alignment > 1 {
            self.code.local_get(address).i32_const(alignment as i32 - 1).i32_and();
            trap_if(&mut self.code, self.index.out_of_bounds);
        }
    }

    /// Traps if not all of these bytes are in memory.
    fn check_bounds(&mut self, address: u32, bytes: u32) {
        self.code.local_get(address).i64_extend_i32_u().i64_const(bytes.into()).i64_add();
        self.code.memory_size(0).i64_extend_i32_u().i64_const(16).i64_shl().i64_gt_u();
        trap_if(&mut self.code, self.index.out_of_bounds);
    }

    /// Reports a tensor as one that is not valid if the word on the stack is not 0. Tensors count from 1 on, inputs first.
    fn refuse_if(&mut self, tensor: usize) {
        self.code
            .if_(BlockType::Empty)
            .i32_const(tensor as i32 + 1)
            .call(self.index.report)
            .unreachable()
            .end();
    }

    /// Puts inputs into a place.
    fn lower(&mut self, ty: &Type, place: Place) {
        match ty {
            Type::Number { element, valid, tensor } => {
                let param = self.inputs[*tensor].param;
                self.check(*valid, param, *tensor);
                self.put(*element, place, |code| {
                    code.local_get(param);
                });
            }
            Type::List { element, is_text, tensor } => {
                let Input { param, bytes, from } = self.inputs[*tensor];
                let address = self.locals.new_local(ValType::I32);
                self.code.local_get(bytes);
                self.allocate(element.bytes() as u32, address);
                self.code
                    .local_get(address)
                    .local_get(from)
                    .local_get(bytes)
                    .memory_copy(0, self.index.input);
                if *is_text {
                    self.check_text(address, bytes, *tensor);
                }
                for (i, local) in [(0, address), (1, param)] {
                    self.put(ElementType::U32, place.behind(i, 4 * i as u32), |code| {
                        code.local_get(local);
                    });
                }
            }
            Type::Record(fields) => {
                let mut locals = 0;
                for (offset, field) in offsets(fields) {
                    self.lower(field, place.behind(locals, offset));
                    locals += field.flat().len();
                }
            }
            Type::Flags(flags) => {
                let params: Vec<u32> = flags.iter().map(|flag| self.inputs[*flag].param).collect();
                self.put(flags_type(flags.len()), place, |code| {
                    code.i32_const(0);
                    for (i, param) in (0..).zip(params) {
                        code.local_get(param).i32_const(i).i32_shl().i32_or();
                    }
                });
            }
            Type::Choice { flag, flagged, cases } => {
                let (param, number_of_false) = (self.inputs[*flag].param, 1 - *flagged as i32);
                self.put(ElementType::U8, place, |code| {
                    code.local_get(param).i32_const(number_of_false).i32_xor();
                });
                let inner = place.behind(1, ty.payload_offset());
                self.code.local_get(param).i32_const(number_of_false).i32_xor();
                self.either(cases, |adapter, case| adapter.lower(case, inner));
            }
        }
    }

    /// Takes outputs from a place.
    fn lift(&mut self, ty: &Type, place: Place) {
        match ty {
            Type::Number { element, valid, tensor } => {
                let result = self.outputs[*tensor].result;
                self.get(*element, place);
                self.code.local_set(result);
                let tensor = self.inputs.len() + tensor;
                self.check(*valid, result, tensor);
            }
            Type::List { element, is_text, tensor } => {
                let Output { result, address, bytes } = self.outputs[*tensor];
                for (i, local) in [(0, address), (1, result)] {
                    self.get(ElementType::U32, place.behind(i, 4 * i as u32));
                    self.code.local_set(local);
                }
                self.check_alignment(address, element.bytes() as u32);
                let shift = element.bytes().ilog2() as i32;
                self.code.local_get(result).i32_const((MAX_BYTES >> shift) as i32).i32_gt_u();
                trap_if(&mut self.code, self.index.out_of_bounds);
                self.code.local_get(result).i32_const(shift).i32_shl().local_set(bytes);
                if *is_text {
                    let tensor = self.inputs.len() + tensor;
                    self.check_text(address, bytes, tensor);
                }
            }
            Type::Record(fields) => {
                let mut locals = 0;
                for (offset, field) in offsets(fields) {
                    self.lift(field, place.behind(locals, offset));
                    locals += field.flat().len();
                }
            }
            Type::Flags(flags) => {
                for (i, flag) in (0..).zip(flags) {
                    self.get(flags_type(flags.len()), place);
                    self.code.i32_const(i).i32_shr_u().i32_const(1).i32_and();
                    self.code.local_set(self.outputs[*flag].result);
                }
            }
            Type::Choice { flag, flagged, cases } => {
                let number = self.locals.new_local(ValType::I32);
                self.get(ElementType::U8, place);
                self.code.local_tee(number).i32_const(1).i32_gt_u();
                self.refuse_if(self.inputs.len() + flag);
                self.code.local_get(number).i32_const(1 - *flagged as i32).i32_xor();
                self.code.local_set(self.outputs[*flag].result);
                let inner = place.behind(1, ty.payload_offset());
                self.code.local_get(number);
                self.either(cases, |adapter, case| adapter.lift(case, inner));
            }
        }
    }

    /// Does something for the case whose number is on the stack, if it holds something.
    fn either(&mut self, cases: &[Option<Box<Type>>; 2], mut part: impl FnMut(&mut Self, &Type)) {
        self.code.if_(BlockType::Empty);
        if let Some(case) = &cases[1] {
            part(self, case);
        }
        self.code.else_();
        if let Some(case) = &cases[0] {
            part(self, case);
        }
        self.code.end();
    }

    /// Reports a number that its type does not have.
    fn check(&mut self, valid: Valid, local: u32, tensor: usize) {
        match valid {
            Valid::All => return,
            Valid::Below(count) => self.code.local_get(local).i32_const(count as i32).i32_ge_u(),
            // From 0xd800 to 0xdfff there are surrogates, which are no characters.
            Valid::Characters => {
                self.code.local_get(local).i32_const(0x10_ffff).i32_gt_u();
                self.code.local_get(local).i32_const(!0x7ff).i32_and().i32_const(0xd800).i32_eq().i32_or()
            }
        };
        self.refuse_if(tensor);
    }

    /// Reports bytes that are no text.
    fn check_text(&mut self, address: u32, bytes: u32, tensor: usize) {
        self.code.local_get(address).local_get(bytes).call(self.index.is_text).i32_eqz();
        self.refuse_if(tensor);
    }

    /// Puts a number into a place.
    fn put(&mut self, element: ElementType, place: Place, value: impl FnOnce(&mut InstructionSink)) {
        let code = &mut self.code;
        match place {
            Place::Locals(all) => {
                let (local, room) = all[0];
                value(code);
                widen(code, encoded(element.value_type()), room);
                code.local_set(local);
            }
            Place::Memory { base, offset } => {
                code.local_get(base);
                value(code);
                match element.bytes() {
                    1 => code.i32_store8(at(offset)),
                    2 => code.i32_store16(at(offset)),
                    _ => match element.value_type() {
                        ValueType::I64 => code.i64_store(at(offset)),
                        ValueType::F32 => code.f32_store(at(offset)),
                        ValueType::F64 => code.f64_store(at(offset)),
                        _ => code.i32_store(at(offset)),
                    },
                };
            }
        }
    }

    /// Puts the number in a place on the stack.
    fn get(&mut self, element: ElementType, place: Place) {
        match place {
            // A single result has no other types to make room for.
            Place::Locals(all) => {
                self.code.local_get(all[0].0);
            }
            Place::Memory { base, offset } => {
                self.code.local_get(base);
                super::wrapper::load(&mut self.code, element, at(offset));
            }
        }
    }
}

fn at(offset: u32) -> MemArg {
    MemArg { offset: offset.into(), align: 0, target: MemArgTarget::Memory(0), ordering: None }
}

/// Makes a number on the stack one of a type that has room for it.
fn widen(code: &mut InstructionSink, ty: ValType, room: ValType) {
    match (ty, room) {
        (ValType::F32, ValType::I32) => code.i32_reinterpret_f32(),
        (ValType::F32, ValType::I64) => code.i32_reinterpret_f32().i64_extend_i32_u(),
        (ValType::F64, ValType::I64) => code.i64_reinterpret_f64(),
        (ValType::I32, ValType::I64) => code.i64_extend_i32_u(),
        _ => code,
    };
}
