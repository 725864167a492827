//! From chains of symbols to machine code, by Cranelift.
//!
//! A code region becomes one function. Each chain has a block that other chains jump to, and an entry that
//! loads `z` from memory, if it has the shape that the chain was compiled for. Fields whose values are not
//! known there are Cranelift variables, so that loops keep `z` in registers. A chain ends in
//! comparisons of the next expert with the first experts of its successors, and an exit that puts `z` back.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I8, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockCall, FuncRef, InstBuilder, JumpTableData, MemFlagsData, Signature, UserFuncName,
    Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use cranelift_jit::JITModule;
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module, ModuleError};
use rustc_hash::FxHashMap;
use std::mem::offset_of;

use super::liveness::Liveness;
use super::region::{Chain, longest};
use super::symbolic::{Id, Op, Sym, Trail};
use super::{Lookup, NativeState, live_bit};
use crate::limits::MAX_FRAME;
use crate::network::{FieldKind, Ports};
use crate::tokens::expert_of;
use crate::trace::Cells;
use crate::waits::Waits;

/// The network and the host that code is generated for.
pub(super) struct Target<'a> {
    pub(super) ports: &'a Ports,
    pub(super) vocabulary: u32,
    /// Regions of the trace.
    pub(super) regions: &'a [Cells],
    /// Offset, from the first cell of the trace, of the notes which say what blocks were written.
    pub(super) notes: usize,
    /// The frozen tables. They outlive the code.
    pub(super) lookup: &'a Lookup,
    /// The steps that may have to wait for input.
    pub(super) waits: Option<&'a Waits>,
    /// Whether to multiply and add in one instruction.
    pub(super) fused: bool,
}

/// 2^52: if it is added to an integer from 0 to 2^52 − 1, the integer is in the low bits of the float.
pub(super) const MAGIC: f64 = (1u64 << 52) as f64;

/// Flags of accesses to `z`, the state and the trace: their memory is valid and aligned.
pub(super) const TRUSTED: MemFlagsData = MemFlagsData::trusted();

/// Functions that access the trace for native code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Helpers {
    pub(super) read: FuncId,
    pub(super) append: FuncId,
}

/// Generates a function that calls one of the runtime's functions and clobbers no register, so that calls
/// from cold code do not disturb the hot code around them. Its arguments are the state and as many numbers as
/// given.
pub(super) fn helper(
    module: &mut JITModule,
    context: &mut FunctionBuilderContext,
    name: &str,
    numbers: usize,
) -> Result<FuncId, Box<ModuleError>> {
    let mut signature = module.make_signature();
    signature.params.push(AbiParam::new(I64));
    signature.params.extend((0..numbers).map(|_| AbiParam::new(F64)));
    let callee = module.declare_function(name, Linkage::Import, &signature)?;
    let preserving = Signature { call_conv: CallConv::PreserveAll, ..signature };
    let id = module.declare_anonymous_function(&preserving)?;
    let mut function = module.make_context();
    function.func.signature = preserving;
    function.func.name = UserFuncName::user(0, id.as_u32());
    let mut builder = FunctionBuilder::new(&mut function.func, context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let callee = module.declare_func_in_func(callee, builder.func);
    let arguments = builder.block_params(block).to_vec();
    builder.ins().call(callee, &arguments);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(module.target_config());
    module.define_function(id, &mut function)?;
    Ok(id)
}

/// Generates the function of a code region. Returns `None` if it needs too large a stack frame.
pub(super) fn region(
    module: &mut JITModule,
    context: &mut FunctionBuilderContext,
    target: &Target<'_>,
    helpers: Helpers,
    chains: &[Chain],
    trails: &[Trail],
    liveness: &Liveness,
) -> Result<Option<*const u8>, Box<ModuleError>> {
    let mut function = module.make_context();
    let mut signature = module.make_signature();
    signature.params.extend([AbiParam::new(I64), AbiParam::new(I32)]);
    signature.returns.push(AbiParam::new(I32));
    let id = module.declare_anonymous_function(&signature)?;
    function.func.signature = signature;
    function.func.name = UserFuncName::user(0, id.as_u32());
    let pool = module.declare_anonymous_data(false, false)?;

    let builder = FunctionBuilder::new(&mut function.func, context);
    let mut emitter = Emitter::new(builder, module, target, helpers, pool, (chains, trails, liveness));
    for chain in 0..chains.len() {
        emitter.entry(chain);
        emitter.chain(chain);
    }
    emitter.builder.seal_all_blocks();
    let constants = emitter.constants;
    emitter.builder.finalize(module.target_config());

    let mut data = DataDescription::new();
    data.set_align(8);
    data.define(constants.iter().flat_map(|x| x.to_ne_bytes()).collect());
    module.define_data(pool, &data)?;
    module.define_function(id, &mut function)?;
    module.finalize_definitions()?;
    let layout = function.compiled_code().and_then(|code| code.buffer.frame_layout());
    let fits = layout.is_some_and(|layout| layout.frame_to_fp_offset <= MAX_FRAME);
    Ok(fits.then(|| module.get_finalized_function(id)))
}

pub(super) struct Emitter<'a> {
    pub(super) builder: FunctionBuilder<'a>,
    pub(super) target: &'a Target<'a>,
    chains: &'a [Chain],
    trails: &'a [Trail],
    /// The trail of the chain that is being emitted.
    pub(super) trail: &'a Trail,
    /// For each chain, the block where it begins.
    heads: Vec<Block>,
    /// For each chain, the block where it is entered from outside.
    entries: Vec<Block>,
    /// A variable for each field of `z`.
    fields: Vec<Variable>,
    /// Values of the trail, once they are made.
    values: Vec<Option<Value>>,
    /// Values made since cold code began, as they do not exist outside of it.
    in_cold_code: Option<Vec<Id>>,
    liveness: &'a Liveness,
    /// Address of the [`NativeState`].
    pub(super) state: Value,
    z: Value,
    incoming: Value,
    /// Address of the first cell of the trace.
    pub(super) cells: Value,
    /// Address of the constants in memory.
    pool: Value,
    constants: Vec<f64>,
    constant_index: FxHashMap<u64, usize>,
    /// Number of steps left to run.
    left: Variable,
    tokens: Variable,
    pub(super) read: FuncRef,
    pub(super) append: FuncRef,
}

impl<'a> Emitter<'a> {
    fn new(
        mut builder: FunctionBuilder<'a>,
        module: &mut JITModule,
        target: &'a Target<'a>,
        helpers: Helpers,
        pool: DataId,
        (chains, trails, liveness): (&'a [Chain], &'a [Trail], &'a Liveness),
    ) -> Self {
        let first = builder.create_block();
        builder.append_block_params_for_function_params(first);
        builder.switch_to_block(first);
        builder.seal_block(first);
        let (state, index) = (builder.block_params(first)[0], builder.block_params(first)[1]);
        let mut load = |ty, offset: usize| builder.ins().load(ty, TRUSTED, state, offset as i32);
        let z = load(I64, offset_of!(NativeState, z));
        let incoming = load(I64, offset_of!(NativeState, incoming));
        let cells = load(I64, offset_of!(NativeState, cells));
        let left_now = load(I64, offset_of!(NativeState, left));
        let tokens_now = load(I64, offset_of!(NativeState, tokens));
        let pool = module.declare_data_in_func(pool, builder.func);
        let pool = builder.ins().symbol_value(I64, pool);
        let (left, tokens) = (builder.declare_var(I64), builder.declare_var(I64));
        builder.def_var(left, left_now);
        builder.def_var(tokens, tokens_now);

        let heads = chains.iter().map(|_| builder.create_block()).collect();
        let entries: Vec<_> = chains.iter().map(|_| builder.create_block()).collect();
        let mut call = |block: &Block| BlockCall::new(*block, [], &mut builder.func.dfg.value_lists);
        let table: Vec<_> = entries.iter().map(&mut call).collect();
        let table = builder.create_jump_table(JumpTableData::new(table[0], &table));
        builder.ins().br_table(index, table);

        Emitter {
            target,
            chains,
            trails,
            trail: &trails[0],
            heads,
            entries,
            fields: (0..target.ports.fields()).map(|_| builder.declare_var(F64)).collect(),
            values: Vec::new(),
            in_cold_code: None,
            liveness,
            state,
            z,
            incoming,
            cells,
            pool,
            constants: Vec::new(),
            constant_index: FxHashMap::default(),
            left,
            tokens,
            read: module.declare_func_in_func(helpers.read, builder.func),
            append: module.declare_func_in_func(helpers.append, builder.func),
            builder,
        }
    }

    /// Emits the entry of a chain from outside, which loads `z` from memory. It was checked before that `z`
    /// has the shape of the chain.
    fn entry(&mut self, chain: usize) {
        self.go_on(self.entries[chain]);
        let mut fields = Vec::new();
        self.liveness.needed_first(chain, &self.chains[chain], |field| fields.push(usize::from(field)));
        for field in fields {
            let value = self.load_field(field);
            self.builder.def_var(self.fields[field], value);
        }
        self.builder.ins().jump(self.heads[chain], []);
    }

    /// Loads a field of `z` as it is on entry.
    fn load_field(&mut self, field: usize) -> Value {
        let base = if self.is_carried(field) { self.z } else { self.incoming };
        self.builder.ins().load(F64, TRUSTED, base, (field * size_of::<f64>()) as i32)
    }

    fn is_carried(&self, field: usize) -> bool {
        self.target.ports.kind(field as u16).0 == FieldKind::S
    }

    fn chain(&mut self, chain: usize) {
        self.trail = &self.trails[chain];
        self.values = vec![None; self.trail.ops.len()];
        // The head is not sealed yet: loops lead back here, so it will have more predecessors.
        self.builder.switch_to_block(self.heads[chain]);
        // All fields are read before any of them changes.
        for (id, op) in self.trail.ops.iter().enumerate() {
            if matches!(op, Op::Field(_)) && self.trail.used[id] {
                self.id(id as Id);
            }
        }
        for effects in &self.trail.effects {
            self.appends(effects);
            self.reads(effects);
        }
        self.end(chain);
    }

    /// Emits the end of a chain, which goes on to a successor or leaves.
    fn end(&mut self, chain: usize) {
        let Chain { experts, tokens, successors, .. } = &self.chains[chain];
        let left = self.builder.use_var(self.left);
        let left = self.builder.ins().iadd_imm_s(left, -(experts.len() as i64));
        let total = self.builder.use_var(self.tokens);
        let total = self.builder.ins().iadd_imm_s(total, *tokens as i64);
        let next = self.trail.next;
        let vocabulary = self.target.vocabulary as usize;
        let successors: Vec<_> = match next.as_constant() {
            None => successors.clone(),
            Some(next) => {
                successors.iter().copied().filter(|(_, e)| *e == expert_of(next, vocabulary)).collect()
            }
        };
        if !successors.is_empty() {
            self.define_fields(&successors);
            self.builder.def_var(self.left, left);
            self.builder.def_var(self.tokens, total);
        }

        // More than one block leads to the exit, so the values that it needs are made before.
        let next_value = next.base.map(|_| self.value(next));
        let may_wait = successors.iter().any(|(to, _)| self.chains[*to].may_wait);
        let must_leave = may_wait.then(|| self.has_to_wait());
        let exit = self.cold_block();
        if !successors.is_empty() {
            let on = self.builder.create_block();
            let enough =
                self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, left, longest(self.chains));
            self.builder.ins().brif(enough, on, [], exit, []);
            self.go_on(on);
        }
        match next_value {
            None => match successors.first() {
                Some((chain, _)) => self.go_to(*chain, must_leave, exit),
                None => {
                    self.builder.ins().jump(exit, []);
                }
            },
            Some(next) => {
                for (chain, expert) in successors {
                    let expert = self.constant(expert.into());
                    let is_next = self.builder.ins().fcmp(FloatCC::Equal, next, expert);
                    let (there, other) = (self.builder.create_block(), self.builder.create_block());
                    self.builder.ins().brif(is_next, there, [], other, []);
                    self.go_on(there);
                    self.go_to(chain, must_leave, exit);
                    self.go_on(other);
                }
                self.builder.ins().jump(exit, []);
            }
        }
        self.go_on(exit);
        self.begin_cold_code();
        self.exit(left, total);
        self.end_cold_code();
    }

    /// Goes on to a chain, or leaves if its first step may have to wait and `must_leave` holds.
    fn go_to(&mut self, chain: usize, must_leave: Option<Value>, exit: Block) {
        match must_leave.filter(|_| self.chains[chain].may_wait) {
            Some(must_leave) => self.builder.ins().brif(must_leave, exit, [], self.heads[chain], []),
            None => self.builder.ins().jump(self.heads[chain], []),
        };
    }

    /// Emits the check, at the end of a chain, whether a next step that may have to wait has to wait, or
    /// whether only the interpreter can tell: [`Waits::has_to_wait`] for integers. Rows that are still in `z`
    /// count; if the key of such a row is computed, it is compared with the keys of the two rows.
    fn has_to_wait(&mut self) -> Value {
        let yes = self.builder.ins().iconst(I8, 1);
        let Some((position_key, length_key)) = self.target.waits.map(Waits::keys) else { return yes };
        let (mut position, mut unknown) = (None, None);
        for port in 0..self.target.ports.rows {
            let [key, value] = [self.target.ports.k(port), self.target.ports.x(port)]
                .map(|field| self.trail.out[usize::from(field)]);
            match key.as_constant() {
                Some(key) if key == length_key as f64 => return yes,
                Some(key) if key == position_key as f64 => position = Some(self.value(value)),
                Some(_) => {}
                None => {
                    let key = self.value(key);
                    for known in [position_key, length_key] {
                        let known = self.constant(known as f64);
                        let is = self.builder.ins().fcmp(FloatCC::Equal, key, known);
                        unknown = Some(unknown.map_or(is, |or| self.builder.ins().bor(or, is)));
                    }
                }
            }
        }
        let Some(position) = position.or_else(|| self.number_at(position_key)) else { return yes };
        let Some(length) = self.number_at(length_key) else { return yes };
        let zero = self.constant(0.0);
        let negative = self.builder.ins().fcmp(FloatCC::LessThan, position, zero);
        let all_read = self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, position, length);
        let leaves = self.builder.ins().bor(negative, all_read);
        unknown.map_or(leaves, |unknown| self.builder.ins().bor(unknown, leaves))
    }

    /// Sets the variables of the fields that successors need.
    fn define_fields(&mut self, successors: &[(usize, u32)]) {
        let mut wanted = vec![false; self.fields.len()];
        for &(to, _) in successors {
            self.liveness.needed_first(to, &self.chains[to], |field| wanted[usize::from(field)] = true);
        }
        // All values are made before any variable changes.
        let fields: Vec<_> = (0..wanted.len()).filter(|field| wanted[*field]).collect();
        let values: Vec<_> = fields.iter().map(|field| self.value(self.trail.out[*field])).collect();
        for (field, value) in fields.into_iter().zip(values) {
            self.builder.def_var(self.fields[field], value);
        }
    }

    /// Puts `z` back and returns the next expert.
    fn exit(&mut self, left: Value, tokens: Value) {
        let mut only_carried = true;
        let mut live = 0;
        let mut unchanged = 0;
        for (field, out) in self.trail.out.iter().enumerate() {
            let carried = self.is_carried(field);
            let bit = if carried { live_bit(field) } else { 0 };
            let store = if carried && !self.liveness.changed[field] {
                unchanged |= bit;
                false
            } else if *out == Sym::ZERO {
                // Fields that are not carried are 0 in memory while native code runs; carried fields need not
                // be stored if `live` says that they are 0.
                carried && bit == 0
            } else {
                live |= bit;
                true
            };
            if store {
                only_carried &= carried;
                let value = self.value(*out);
                self.builder.ins().store(TRUSTED, value, self.z, (field * size_of::<f64>()) as i32);
            }
        }
        let was_live =
            self.builder.ins().load(I64, TRUSTED, self.state, offset_of!(NativeState, live) as i32);
        let still_live = self.builder.ins().band_imm_u(was_live, unchanged as i64);
        let live = self.builder.ins().bor_imm_u(still_live, live as i64);
        let only_carried = self.builder.ins().iconst(I64, i64::from(only_carried));
        for (value, offset) in [
            (left, offset_of!(NativeState, left)),
            (tokens, offset_of!(NativeState, tokens)),
            (live, offset_of!(NativeState, live)),
            (only_carried, offset_of!(NativeState, only_carried)),
        ] {
            self.builder.ins().store(TRUSTED, value, self.state, offset as i32);
        }
        let vocabulary = self.target.vocabulary;
        let next = match self.trail.next.as_constant() {
            Some(next) => self.builder.ins().iconst(I32, i64::from(expert_of(next, vocabulary as usize))),
            None => {
                // As in `expert_of`: truncated, saturated, 0 for NaN.
                let next = self.value(self.trail.next);
                let next = self.builder.ins().fcvt_to_uint_sat(I32, next);
                let last = self.builder.ins().iconst(I32, i64::from(vocabulary - 1));
                self.builder.ins().umin(next, last)
            }
        };
        self.builder.ins().return_(&[next]);
    }

    /// Goes on in a block that gets no more predecessors.
    pub(super) fn go_on(&mut self, block: Block) {
        self.builder.switch_to_block(block);
        self.builder.seal_block(block);
    }

    /// Begins cold code. Values made from here on cannot be used after [`Emitter::end_cold_code`]: they are
    /// made in a block that does not dominate the code that follows.
    pub(super) fn begin_cold_code(&mut self) {
        self.in_cold_code = Some(Vec::new());
    }

    pub(super) fn end_cold_code(&mut self) {
        for id in self.in_cold_code.take().into_iter().flatten() {
            self.values[id as usize] = None;
        }
    }

    pub(super) fn cold_block(&mut self) -> Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        block
    }

    /// Loads a constant from memory, which is cheaper than making it from an immediate.
    pub(super) fn constant(&mut self, x: f64) -> Value {
        if x.to_bits() == 0 {
            return self.builder.ins().f64const(0.0);
        }
        let index = *self.constant_index.entry(x.to_bits()).or_insert_with(|| {
            self.constants.push(x);
            self.constants.len() - 1
        });
        let flags = TRUSTED.with_readonly().with_can_move();
        self.builder.ins().load(F64, flags, self.pool, (index * size_of::<f64>()) as i32)
    }

    pub(super) fn bits(&mut self, x: Value) -> Value {
        self.builder.ins().bitcast(I64, MemFlagsData::new(), x)
    }

    /// Returns the value of a symbol.
    pub(super) fn value(&mut self, sym: Sym) -> Value {
        let Some(base) = sym.base else {
            return self.constant(sym.offset);
        };
        if sym.offset == 0.0 {
            return self.id(base);
        }
        self.with_offset(base, sym.offset)
    }

    /// Returns a value plus a constant. A sum of one term includes the constant: its product is exact, as it
    /// is a term of an equation (rule 1) or a unit (rule 4), so the result is rounded once, as if the
    /// constant were added afterwards.
    pub(super) fn with_offset(&mut self, id: Id, offset: f64) -> Value {
        match &self.trail.ops[id as usize] {
            Op::Sum(terms, 0.0) if terms.len() == 1 => self.sum(terms, offset),
            _ => {
                let (value, offset) = (self.id(id), self.constant(offset));
                self.builder.ins().fadd(value, offset)
            }
        }
    }

    /// Returns a value of the trail, and makes it first if necessary.
    pub(super) fn id(&mut self, id: Id) -> Value {
        if let Some(value) = self.values[id as usize] {
            return value;
        }
        let value = match &self.trail.ops[id as usize] {
            Op::Field(field) => self.builder.use_var(self.fields[usize::from(*field)]),
            Op::Read(..) | Op::Word(..) => unreachable!("reads are made in the order of the steps"),
            Op::Lookup(query) => self.look_up(*query),
            Op::Product(n, v) => {
                let (n, v) = (self.id(*n), self.id(*v));
                self.builder.ins().fmul(n, v)
            }
            Op::Sum(terms, constant) => self.sum(terms, *constant),
            Op::Equation(terms) => self.equation(terms),
            Op::Gate { of, floor, relu } => {
                let mut gate = self.value(*of);
                if *relu {
                    // Written in this way, it is one instruction, and 0 for NaN.
                    let zero = self.constant(0.0);
                    let positive = self.builder.ins().fcmp(FloatCC::LessThan, zero, gate);
                    gate = self.builder.ins().select(positive, gate, zero);
                }
                if *floor { self.builder.ins().floor(gate) } else { gate }
            }
        };
        self.set(id, value);
        value
    }

    /// Notes a value of the trail that was made.
    pub(super) fn set(&mut self, id: Id, value: Value) {
        self.values[id as usize] = Some(value);
        if let Some(ids) = &mut self.in_cold_code {
            ids.push(id);
        }
    }

    /// Adds up an equation as the interpreter does: term by term, with each product and each sum rounded.
    fn equation(&mut self, terms: &[(Sym, f64)]) -> Value {
        let mut sum = self.constant(0.0);
        for &(y, weight) in terms {
            let (y, weight) = (self.value(y), self.constant(weight));
            let product = self.builder.ins().fmul(y, weight);
            sum = self.builder.ins().fadd(sum, product);
        }
        sum
    }

    /// Adds up a sum: pairs of terms first, then pairs of their sums and so on, for a short critical path.
    /// The terms come in the order in which their values are made; if their number is odd, the last one is
    /// added to the sum of the others.
    fn sum(&mut self, terms: &[(Id, f64)], constant: f64) -> Value {
        let mut first = (constant != 0.0).then(|| self.constant(constant));
        let (pairs, last) = terms.split_at(terms.len() & !1);
        let mut sums: Vec<Value> = Vec::new();
        for pair in pairs.chunks(2) {
            let mut sum = first.take();
            for (id, weight) in pair {
                sum = Some(self.add_term(sum, *id, *weight));
            }
            sums.extend(sum);
        }
        while sums.len() > 1 {
            sums = sums
                .chunks(2)
                .map(|pair| match *pair {
                    [a, b] => self.builder.ins().fadd(a, b),
                    _ => pair[0],
                })
                .collect();
        }
        let sum = sums.pop().or(first);
        match last {
            [(id, weight)] => self.add_term(sum, *id, *weight),
            _ => sum.unwrap_or_else(|| self.constant(0.0)),
        }
    }

    /// Adds a term to a sum, if there is one already.
    fn add_term(&mut self, sum: Option<Value>, id: Id, weight: f64) -> Value {
        let value = self.id(id);
        match sum {
            None if weight == 1.0 => value,
            // The product is added to 0, so that −0 does not appear.
            None => {
                let zero = self.constant(0.0);
                self.multiply_add(value, weight, zero)
            }
            Some(sum) => self.multiply_add(value, weight, sum),
        }
    }

    pub(super) fn multiply_add(&mut self, value: Value, weight: f64, sum: Value) -> Value {
        if weight == 1.0 {
            return self.builder.ins().fadd(sum, value);
        }
        if weight == -1.0 {
            return self.builder.ins().fsub(sum, value);
        }
        let weight = self.constant(weight);
        if self.target.fused {
            return self.builder.ins().fma(value, weight, sum);
        }
        let product = self.builder.ins().fmul(value, weight);
        self.builder.ins().fadd(sum, product)
    }
}
