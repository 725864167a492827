//! Inserts pieces of code between the instructions of a module, for what wasm-smith makes only with operands
//! that nearly always trap, or not at all if it avoids traps: bulk memory, tables, references, calls through
//! tables, tail calls.
//!
//! A piece takes nothing from the stack and leaves nothing there, so that it can stand anywhere. What it
//! reads is added to a checksum in an exported global. Operands are nearly always within bounds; a piece that
//! calls a function nearly always calls a later one.
//!
//! Termination is ensured here too, and not by wasm-smith, whose modules trap when the fuel is used up or a
//! length is greater than it. Here functions then return, with results of 0. The fuel is an exported global,
//! so that a host can refill it between calls.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType,
    HeapType, Instruction, MemArg, MemArgTarget, Module, RefType, ValType,
};
use wasmparser::{ElementItems, FuncType, FunctionBody, Parser, Payload};

/// Name under which the fuel is exported: each function entry and each turn of a loop takes one unit.
pub const FUEL: &str = "the fuel";

/// There is one piece for about this many instructions.
const DISTANCE: u32 = 7;

/// One operand in this many may be out of bounds.
const WILD: u32 = 300;

/// Maximum numbers of bytes that pieces fill or copy: of most pieces, and of the others.
const BYTES: [u32; 2] = [40, 3_000];

/// Inserts pieces into the functions of a module, and a global with this much fuel. The module must import
/// nothing and export all functions.
pub fn insert(wasm: &[u8], seed: u64, fuel: i32) -> Vec<u8> {
    let mut pieces =
        Pieces { shape: Shape::of(wasm), rng: fastrand::Rng::with_seed(seed), fuel, function: 0 };
    let mut module = Module::new();
    pieces.parse_core_module(&mut module, Parser::new(0), wasm).expect("wasm-smith's modules are valid");
    module.finish()
}

/// What pieces need to know of a module.
#[derive(Default)]
struct Shape {
    types: Vec<FuncType>,
    /// Types of functions.
    functions: Vec<u32>,
    tables: Vec<Elements>,
    /// Sizes of segments of elements: 0 if a segment is not passive, since it is dropped at once.
    elements: Vec<Elements>,
    /// Initial size of the memory in bytes, if there is one.
    memory: Option<u32>,
    /// Sizes of segments of data in bytes, if the module says before its code how many there are; 0 if a
    /// segment is not passive.
    data: Vec<u32>,
    globals: u32,
}

/// Type and number of the elements of a table or a segment.
#[derive(Clone, Copy)]
struct Elements {
    external: bool,
    count: u32,
}

impl Shape {
    fn of(wasm: &[u8]) -> Shape {
        let mut shape = Shape::default();
        let mut data_count = false;
        for payload in Parser::new(0).parse_all(wasm) {
            shape.read(payload.expect("a module"), &mut data_count).expect("a module");
        }
        if !data_count {
            shape.data.clear();
        }
        shape
    }

    fn read(&mut self, payload: Payload<'_>, data_count: &mut bool) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.extend(group?.into_types().map(|ty| ty.unwrap_func().clone()));
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::TableSection(section) => {
                for table in section {
                    let ty = table?.ty;
                    let external = ty.element_type == wasmparser::RefType::EXTERNREF;
                    self.tables.push(Elements { external, count: ty.initial as u32 });
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory = Some(memory?.initial as u32 * 65_536);
                }
            }
            Payload::GlobalSection(section) => self.globals = section.count(),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let (external, count) = match element.items {
                        ElementItems::Functions(items) => (false, items.count()),
                        ElementItems::Expressions(ty, items) => {
                            (ty == wasmparser::RefType::EXTERNREF, items.count())
                        }
                    };
                    let passive = matches!(element.kind, wasmparser::ElementKind::Passive);
                    self.elements.push(Elements { external, count: if passive { count } else { 0 } });
                }
            }
            Payload::DataCountSection { .. } => *data_count = true,
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let passive = matches!(data.kind, wasmparser::DataKind::Passive);
                    self.data.push(if passive { data.data.len() as u32 } else { 0 });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the index of the global with the checksum.
    fn checksum(&self) -> u32 {
        self.globals
    }

    /// Returns the index of the global with the fuel.
    fn fuel(&self) -> u32 {
        self.globals + 1
    }
}

struct Pieces {
    shape: Shape,
    rng: fastrand::Rng,
    fuel: i32,
    /// Index of the current function.
    function: u32,
}

impl Reencode for Pieces {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        reencode::utils::parse_global_section(self, globals, section)?;
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(1));
        globals.global(ty, &ConstExpr::i32_const(self.fuel));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        reencode::utils::parse_export_section(self, exports, section)?;
        exports.export("the checksum", ExportKind::Global, self.shape.checksum());
        exports.export(FUEL, ExportKind::Global, self.shape.fuel());
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        let mut locals = self.signature(self.function).params().to_vec();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            locals.extend((0..count).map(|_| ty));
        }
        let mut function = self.new_function_with_parsed_locals(&body)?;
        self.burn(&mut function);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            if self.rng.u32(..DISTANCE) == 0 {
                Piece { pieces: self, locals: &locals, function: &mut function }.write();
            }
            let instruction = self.parse_instruction(&mut reader)?;
            function.instruction(&instruction);
            if matches!(instruction, Instruction::Loop(_)) {
                self.burn(&mut function);
            }
        }
        code.function(&function);
        self.function += 1;
        Ok(())
    }
}

impl Pieces {
    fn signature(&self, function: u32) -> &FuncType {
        &self.shape.types[self.shape.functions[function as usize] as usize]
    }

    /// Writes code that takes a unit of fuel, or returns if none is left.
    fn burn(&self, function: &mut Function) {
        let fuel = self.shape.fuel();
        function.instructions().global_get(fuel).i32_eqz().if_(BlockType::Empty);
        for ty in self.signature(self.function).results() {
            function.instruction(&match ty {
                wasmparser::ValType::I32 => Instruction::I32Const(0),
                wasmparser::ValType::I64 => Instruction::I64Const(0),
                wasmparser::ValType::F32 => Instruction::F32Const(0.0.into()),
                wasmparser::ValType::F64 => Instruction::F64Const(0.0.into()),
                wasmparser::ValType::Ref(wasmparser::RefType::EXTERNREF) => {
                    Instruction::RefNull(HeapType::EXTERN)
                }
                _ => Instruction::RefNull(HeapType::FUNC),
            });
        }
        function.instructions().return_().end();
        function.instructions().global_get(fuel).i32_const(1).i32_sub().global_set(fuel);
    }

    /// Chooses one of the numbers below `count` that satisfy a condition.
    fn any(&mut self, count: usize, is: impl Fn(&Shape, usize) -> bool) -> Option<u32> {
        let all: Vec<_> = (0..count).filter(|i| is(&self.shape, *i)).collect();
        self.rng.choice(all).map(|i| i as u32)
    }

    /// Chooses a table of this type that is not empty.
    fn table(&mut self, external: bool) -> Option<u32> {
        self.any(self.shape.tables.len(), |shape, i| {
            shape.tables[i].external == external && shape.tables[i].count > 0
        })
    }

    /// Chooses a function to call: a later one, or sometimes any.
    fn callee(&mut self, is: impl Fn(&FuncType) -> bool) -> Option<u32> {
        let first = if self.rng.u8(..16) == 0 { 0 } else { self.function as usize + 1 };
        self.any(self.shape.functions.len(), |shape, i| {
            i >= first && is(&shape.types[shape.functions[i] as usize])
        })
    }
}

/// A piece that is being written.
struct Piece<'p> {
    pieces: &'p mut Pieces,
    locals: &'p [wasmparser::ValType],
    function: &'p mut Function,
}

/// Returns a bound for an index and a length: the sum of two numbers below it is at most `size`.
fn half(size: u32) -> u32 {
    1 << (size / 2 + 1).ilog2()
}

impl Piece<'_> {
    fn write(&mut self) {
        let external = self.pieces.rng.bool();
        // Writes nothing if the module does not have what the piece needs.
        let _ = match self.pieces.rng.u8(..24) {
            0..2 => self.memory_fill(),
            2..4 => self.memory_copy(),
            4 => self.memory_init(),
            5 => self.load(),
            6 => self.store(),
            7..9 => self.table_set(external),
            9 => self.table_fill(external),
            10..13 => self.table_copy(external),
            13..15 => self.table_init(external),
            15 => self.table_grow(),
            16 => self.table_size(),
            17..19 => self.table_entries(external),
            19 => self.choose(external),
            20 => self.drop_segment(),
            21 => self.call_indirect(),
            22 => self.tail_call(),
            _ => self.indirect_tail_call(),
        };
    }

    fn put(&mut self, instruction: Instruction<'_>) -> &mut Self {
        self.function.instruction(&instruction);
        self
    }

    /// Writes code for a number that is nearly always below `count`, a power of two.
    fn below(&mut self, count: u32) {
        let rng = &mut self.pieces.rng;
        let wild = rng.u32(..WILD) == 0;
        if rng.bool() && !wild {
            let number = rng.u32(..count);
            self.put(Instruction::I32Const(number as i32));
            return;
        }
        self.integer();
        if !wild {
            self.put(Instruction::I32Const(count as i32 - 1)).put(Instruction::I32And);
        }
    }

    /// Writes code for any number.
    fn integer(&mut self) {
        match self.local(wasmparser::ValType::I32) {
            Some(local) => self.put(Instruction::LocalGet(local)),
            None => self.put(Instruction::GlobalGet(self.pieces.shape.checksum())),
        };
    }

    /// Chooses a local of this type.
    fn local(&mut self, ty: wasmparser::ValType) -> Option<u32> {
        let all = (0..self.locals.len()).filter(|i| self.locals[*i] == ty).collect::<Vec<_>>();
        self.pieces.rng.choice(all).map(|i| i as u32)
    }

    /// Writes code for an index of an entry of a table that is not empty from the start.
    fn entry(&mut self, table: u32) {
        let count = self.pieces.shape.tables[table as usize].count;
        self.below(1 << count.ilog2());
    }

    /// Writes code for a reference.
    fn reference(&mut self, external: bool) {
        let ty = if external { RefType::EXTERNREF } else { RefType::FUNCREF };
        let local = if external { wasmparser::RefType::EXTERNREF } else { wasmparser::RefType::FUNCREF };
        match self.pieces.rng.u8(..6) {
            0 => {
                self.put(Instruction::RefNull(ty.heap_type));
            }
            1..3 if !external => {
                let function = self.pieces.rng.u32(..self.pieces.shape.functions.len() as u32);
                self.put(Instruction::RefFunc(function));
            }
            1..5 => match self.local(wasmparser::ValType::Ref(local)) {
                Some(local) => {
                    self.put(Instruction::LocalGet(local));
                }
                None => {
                    self.put(Instruction::RefNull(ty.heap_type));
                }
            },
            _ => match self.pieces.table(external) {
                Some(table) => {
                    self.entry(table);
                    self.put(Instruction::TableGet(table));
                }
                None => {
                    self.put(Instruction::RefNull(ty.heap_type));
                }
            },
        }
    }

    /// Writes code for values of these types.
    fn values(&mut self, types: &[wasmparser::ValType]) {
        use wasmparser::ValType as Ty;
        for ty in types {
            let constant = self.pieces.rng.u64(..) >> self.pieces.rng.u32(..64);
            match (self.local(*ty), ty) {
                (_, Ty::Ref(ty)) => self.reference(*ty == wasmparser::RefType::EXTERNREF),
                (Some(local), _) if self.pieces.rng.bool() => drop(self.put(Instruction::LocalGet(local))),
                (_, Ty::I32) => drop(self.put(Instruction::I32Const(constant as i32))),
                (_, Ty::I64) => drop(self.put(Instruction::I64Const(constant as i64))),
                (_, Ty::F32) => drop(self.put(Instruction::F32Const((constant as f32).into()))),
                (_, Ty::F64) => drop(self.put(Instruction::F64Const((constant as f64).into()))),
                (_, Ty::V128) => unreachable!("vectors are off"),
            }
        }
    }

    /// Writes code that adds an i32 to the checksum.
    fn sum(&mut self) {
        let checksum = self.pieces.shape.checksum();
        self.put(Instruction::GlobalGet(checksum))
            .put(Instruction::I32Const(31))
            .put(Instruction::I32Mul)
            .put(Instruction::I32Add)
            .put(Instruction::GlobalSet(checksum));
    }

    /// Writes code that adds the results of a call to the checksum, or drops them.
    fn sum_all(&mut self, types: &[wasmparser::ValType]) {
        use wasmparser::ValType as Ty;
        for ty in types.iter().rev() {
            match ty {
                Ty::I32 => {}
                Ty::I64 => drop(self.put(Instruction::I32WrapI64)),
                Ty::F32 => drop(self.put(Instruction::I32ReinterpretF32)),
                Ty::F64 => drop(self.put(Instruction::I64ReinterpretF64).put(Instruction::I32WrapI64)),
                Ty::Ref(_) => drop(self.put(Instruction::RefIsNull)),
                Ty::V128 => unreachable!("vectors are off"),
            }
            self.sum();
        }
    }

    /// Writes code for a length in bytes that fits behind [`Piece::address`].
    fn length(&mut self) {
        let long = self.pieces.rng.u8(..16) == 0;
        let most = BYTES[usize::from(long)];
        self.below(1 << most.ilog2());
    }

    /// Writes code for an address, mostly near the beginning of memory, so that accesses of pieces overlap.
    fn address(&mut self) -> Option<()> {
        let bytes = self.pieces.shape.memory.filter(|bytes| *bytes > 0)?;
        let near = self.pieces.rng.u8(..8) > 0;
        self.below(if near { 64 } else { 1 << (bytes - BYTES[1]).ilog2() });
        Some(())
    }

    fn offset(&mut self) -> MemArg {
        let offset = self.pieces.rng.u64(..64);
        MemArg { offset, align: 0, target: MemArgTarget::Memory(0), ordering: None }
    }

    fn load(&mut self) -> Option<()> {
        self.address()?;
        let place = self.offset();
        self.put(Instruction::I32Load(place));
        self.sum();
        Some(())
    }

    fn store(&mut self) -> Option<()> {
        self.address()?;
        self.values(&[wasmparser::ValType::I64]);
        let place = self.offset();
        self.put(Instruction::I64Store(place));
        Some(())
    }

    fn memory_fill(&mut self) -> Option<()> {
        self.address()?;
        self.integer();
        self.length();
        self.put(Instruction::MemoryFill(0));
        Some(())
    }

    fn memory_copy(&mut self) -> Option<()> {
        self.address()?;
        self.address()?;
        self.length();
        self.put(Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 });
        Some(())
    }

    fn memory_init(&mut self) -> Option<()> {
        let data_index = self.pieces.any(self.pieces.shape.data.len(), |_, _| true)?;
        self.address()?;
        let half = half(self.pieces.shape.data[data_index as usize]);
        self.below(half);
        self.below(half);
        self.put(Instruction::MemoryInit { mem: 0, data_index });
        Some(())
    }

    /// Adds to the checksum which of a table's initial entries are null.
    fn table_entries(&mut self, external: bool) -> Option<()> {
        let table = self.pieces.table(external)?;
        for entry in 0..self.pieces.shape.tables[table as usize].count {
            self.put(Instruction::I32Const(entry as i32));
            self.put(Instruction::TableGet(table)).put(Instruction::RefIsNull);
            self.sum();
        }
        Some(())
    }

    fn table_set(&mut self, external: bool) -> Option<()> {
        let table = self.pieces.table(external)?;
        self.entry(table);
        self.reference(external);
        self.put(Instruction::TableSet(table));
        Some(())
    }

    fn table_fill(&mut self, external: bool) -> Option<()> {
        let table = self.pieces.table(external)?;
        let half = half(self.pieces.shape.tables[table as usize].count);
        self.below(half);
        self.reference(external);
        self.below(half);
        self.put(Instruction::TableFill(table));
        Some(())
    }

    fn table_copy(&mut self, external: bool) -> Option<()> {
        let (dst_table, src_table) = (self.pieces.table(external)?, self.pieces.table(external)?);
        let count = |table: u32| self.pieces.shape.tables[table as usize].count;
        let half = half(count(dst_table).min(count(src_table)));
        (0..3).for_each(|_| self.below(half));
        self.put(Instruction::TableCopy { src_table, dst_table });
        Some(())
    }

    fn table_init(&mut self, external: bool) -> Option<()> {
        let table = self.pieces.table(external)?;
        let elem_index = self
            .pieces
            .any(self.pieces.shape.elements.len(), |shape, i| shape.elements[i].external == external)?;
        let shape = &self.pieces.shape;
        let half = half(shape.tables[table as usize].count.min(shape.elements[elem_index as usize].count));
        (0..3).for_each(|_| self.below(half));
        self.put(Instruction::TableInit { elem_index, table });
        Some(())
    }

    fn table_grow(&mut self) -> Option<()> {
        let table = self.pieces.any(self.pieces.shape.tables.len(), |_, _| true)?;
        self.reference(self.pieces.shape.tables[table as usize].external);
        self.below(4);
        self.put(Instruction::TableGrow(table));
        self.sum();
        Some(())
    }

    fn table_size(&mut self) -> Option<()> {
        let table = self.pieces.any(self.pieces.shape.tables.len(), |_, _| true)?;
        self.put(Instruction::TableSize(table));
        self.sum();
        Some(())
    }

    /// Adds to the checksum whether one of two references is null.
    fn choose(&mut self, external: bool) -> Option<()> {
        let ty = if external { RefType::EXTERNREF } else { RefType::FUNCREF };
        self.reference(external);
        self.reference(external);
        self.below(2);
        self.put(Instruction::TypedSelect(ValType::Ref(ty))).put(Instruction::RefIsNull);
        self.sum();
        Some(())
    }

    /// Seldom drops a segment, since pieces can use it afterwards only without effect.
    fn drop_segment(&mut self) -> Option<()> {
        let shape = &self.pieces.shape;
        let (elements, data) = (shape.elements.len(), shape.data.len());
        match self.pieces.rng.u8(..8) {
            0 => {
                let segment = self.pieces.any(elements, |_, _| true)?;
                self.put(Instruction::ElemDrop(segment));
            }
            1 => {
                let segment = self.pieces.any(data, |_, _| true)?;
                self.put(Instruction::DataDrop(segment));
            }
            _ => {}
        }
        Some(())
    }

    /// Chooses a table, a function and an entry of the table, into which the function is nearly always put at
    /// once.
    fn known_entry(&mut self, is: impl Fn(&FuncType) -> bool) -> Option<(u32, u32, u32)> {
        let (table, function) = (self.pieces.table(false)?, self.pieces.callee(is)?);
        let entry = self.pieces.rng.u32(..self.pieces.shape.tables[table as usize].count);
        if self.pieces.rng.u8(..16) > 0 {
            self.put(Instruction::I32Const(entry as i32))
                .put(Instruction::RefFunc(function))
                .put(Instruction::TableSet(table));
        }
        Some((table, function, entry))
    }

    fn call_indirect(&mut self) -> Option<()> {
        let (table_index, function, entry) = self.known_entry(|_| true)?;
        let ty = self.pieces.signature(function).clone();
        self.values(ty.params());
        let type_index = self.pieces.shape.functions[function as usize];
        self.put(Instruction::I32Const(entry as i32))
            .put(Instruction::CallIndirect { type_index, table_index });
        self.sum_all(ty.results());
        Some(())
    }

    /// Begins a block that is seldom executed. It is for code that leaves the function, so that the code
    /// behind it is not reached.
    fn seldom(&mut self) {
        self.integer();
        self.put(Instruction::I32Const(7)).put(Instruction::I32And).put(Instruction::I32Eqz);
        self.put(Instruction::If(BlockType::Empty));
    }

    fn tail_call(&mut self) -> Option<()> {
        let results = self.pieces.signature(self.pieces.function).results().to_vec();
        let function = self.pieces.callee(|ty| ty.results() == results)?;
        let params = self.pieces.signature(function).params().to_vec();
        self.seldom();
        self.values(&params);
        self.put(Instruction::ReturnCall(function)).put(Instruction::End);
        Some(())
    }

    fn indirect_tail_call(&mut self) -> Option<()> {
        let results = self.pieces.signature(self.pieces.function).results().to_vec();
        let (table_index, function, entry) = self.known_entry(|ty| ty.results() == results)?;
        let params = self.pieces.signature(function).params().to_vec();
        let type_index = self.pieces.shape.functions[function as usize];
        self.seldom();
        self.values(&params);
        self.put(Instruction::I32Const(entry as i32))
            .put(Instruction::ReturnCallIndirect { type_index, table_index })
            .put(Instruction::End);
        Some(())
    }
}
