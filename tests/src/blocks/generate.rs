//! Makes a program from a seed.
//!
//! Each program has its own selection of kinds of operations and constants, and not all of them: a fault that
//! needs many shifts is not found by blocks that have a few operations of every kind (swarm testing, Groce et
//! al. 2012).

use std::ops::{Range, RangeInclusive};

use fastrand::Rng;
use wasm2onnx_runtime::{Value, ValueType};

use super::{Access, Call, Expr, Function, Program, Statement, Type};
use crate::values::{random_bits, random_value};

/// Maximum number of locals that blocks compute with.
const MAX_LOCALS: usize = 40;

/// Numbers of operations of a block, of which one is chosen.
const SIZES: [u32; 16] = [30, 30, 30, 30, 40, 40, 40, 50, 50, 50, 70, 70, 90, 90, 140, 300];

/// Number of turns of a long call: more than it takes to make a packet hot by default.
const LONG: Range<i32> = 1_050..1_300;

/// One program in this many has a long call.
const LONG_EVERY: u64 = 8;

/// Number of direct calls of each small function.
const HELPER_CALLS: usize = 4;

/// One program with a memory in this many has many tables.
const TABLES_EVERY: u8 = 40;

/// Number of tables: about half the number of values of a byte.
const TABLES: Range<u32> = 110..140;

/// Most addresses are in this many bytes at the beginning of memory.
const BYTES: u32 = 256;

/// Kinds of expressions.
#[derive(Clone, Copy, Debug)]
enum Kind {
    ShiftAdd,
    Shift,
    Rotate,
    Multiply,
    MultiplyAdd,
    AddConstant,
    Mask,
    Logic,
    AddSubtract,
    CompareAdd,
    Compare,
    Select,
    Extend,
    Count,
    ShiftVariable,
    Divide,
    Load,
    Global,
    Convert,
    Field,
    Call,
}

const KINDS: [Kind; 21] = [
    Kind::ShiftAdd,
    Kind::Shift,
    Kind::Rotate,
    Kind::Multiply,
    Kind::MultiplyAdd,
    Kind::AddConstant,
    Kind::Mask,
    Kind::Logic,
    Kind::AddSubtract,
    Kind::CompareAdd,
    Kind::Compare,
    Kind::Select,
    Kind::Extend,
    Kind::Count,
    Kind::ShiftVariable,
    Kind::Divide,
    Kind::Load,
    Kind::Global,
    Kind::Convert,
    Kind::Field,
    Kind::Call,
];

/// The kinds that every fourth program is made of: they make large sums of words that live in fields, some of
/// which are wrapped late.
const SUMS: [u8; 7] = [
    Kind::ShiftAdd as u8,
    Kind::Shift as u8,
    Kind::Rotate as u8,
    Kind::Multiply as u8,
    Kind::MultiplyAdd as u8,
    Kind::Logic as u8,
    Kind::CompareAdd as u8,
];

/// What one program is made of.
struct Recipe {
    rng: Rng,
    /// How often each of [`KINDS`] occurs.
    kinds: [u32; KINDS.len()],
    /// Constants that occur again and again.
    constants: Vec<i64>,
    /// The shift amounts, before they are reduced to the width of the type.
    shifts: Range<u32>,
    /// How many of 16 values are words of 64 bits.
    wide: u8,
    /// How many of 16 operands are the result of one of the last statements.
    chained: u8,
    /// How many statements count as the last ones.
    window: usize,
    /// How many of 16 operands are operations themselves.
    nested: u8,
    /// How many of 32 statements are stores, settings of globals, branches and inner loops.
    effects: [u8; 4],
    /// Numbers of locals that the loop may have.
    locals: RangeInclusive<usize>,
    /// Whether some accesses and divisions may trap.
    wild: bool,
    globals: Vec<Type>,
    memory: bool,
}

impl Program {
    /// Returns the program of a seed.
    pub fn random(seed: u64) -> Program {
        let mut recipe = Recipe::new(Rng::with_seed(seed));
        let mut functions: Vec<Function> = Vec::new();
        for _ in 0..recipe.rng.u8(..3) {
            let function = Body::new(&mut recipe, &functions).helper();
            functions.push(function);
        }
        let function = Body::new(&mut recipe, &functions).main();
        functions.push(function);

        let Recipe { rng, globals, memory, .. } = &mut recipe;
        let mut calls = Vec::new();
        let (main, helpers) = functions.split_last().expect("it was just put there");
        for (i, helper) in helpers.iter().enumerate() {
            for _ in 0..HELPER_CALLS {
                let args = helper.params().map(|ty| random_value(rng, ty)).collect();
                calls.push(Call { function: i, args, long: false });
            }
        }
        let long = seed.is_multiple_of(LONG_EVERY).then(|| rng.i32(LONG));
        for (turns, long) in [(rng.i32(1..4), false), (rng.i32(20..60), false)]
            .into_iter()
            .chain(long.map(|turns| (turns, true)))
        {
            let turns = Value::I32(turns);
            let args = main.params().map(|ty| random_value(rng, ty)).collect::<Vec<_>>();
            calls.push(Call { function: helpers.len(), args: [&[turns], &args[1..]].concat(), long });
        }
        let bytes = rng.usize(..80);
        let tables = if *memory && rng.u8(..TABLES_EVERY) == 0 { rng.u32(TABLES) } else { 0 };
        Program {
            calls,
            globals: globals.iter().map(|ty| (*ty, ty.value(random_bits(rng) as i64))).collect(),
            memory: memory.then(|| std::iter::repeat_with(|| rng.u8(..)).take(bytes).collect()),
            tables,
            functions,
        }
    }
}

impl Function {
    fn params(&self) -> impl Iterator<Item = ValueType> {
        self.locals[..self.params].iter().map(|ty| match ty {
            Type::I32 => ValueType::I32,
            Type::I64 => ValueType::I64,
        })
    }
}

impl Type {
    fn width(self) -> u32 {
        match self {
            Type::I32 => 32,
            Type::I64 => 64,
        }
    }

    /// Returns the bits as a constant of this type.
    fn value(self, bits: i64) -> i64 {
        match self {
            Type::I32 => bits as i32 as i64,
            Type::I64 => bits,
        }
    }
}

impl Recipe {
    fn new(mut rng: Rng) -> Recipe {
        let mut kinds = [0; KINDS.len()];
        while kinds.iter().sum::<u32>() < 6 {
            kinds.fill_with(|| [0, 0, 0, 1, 2, 6][rng.usize(..6)]);
        }
        let sums = rng.u8(..4) == 0;
        if sums {
            kinds = KINDS.map(|kind| u32::from(SUMS.contains(&(kind as u8))));
        }
        let first = rng.u32(..60);
        let shifts = match rng.u8(..4) {
            // A value that is shifted this far is large before it is wrapped.
            _ if sums => 22..32,
            0..2 => 0..64,
            2 => 20..32,
            _ => first..first + rng.u32(2..12),
        };
        let small = sums || rng.bool();
        let constant = |_| if small { SMALL[rng.usize(..SMALL.len())] } else { any_constant(&mut rng) };
        let constants = (0..4).map(constant).collect();
        let globals =
            (0..rng.u8(..4)).map(|_| if rng.bool() { Type::I32 } else { Type::I64 }).collect::<Vec<_>>();
        let often = |rng: &mut Rng, most| if rng.bool() { rng.u8(..most) } else { 0 };
        Recipe {
            kinds,
            constants,
            shifts,
            wide: if sums { 0 } else { [0, 0, 2, 8, 14][rng.usize(..5)] },
            locals: if sums { 30..=MAX_LOCALS } else { 2..=MAX_LOCALS },
            chained: if sums { 0 } else { rng.u8(..16) },
            window: rng.usize(1..8),
            nested: if sums { 0 } else { rng.u8(..10) },
            effects: [often(&mut rng, 10), often(&mut rng, 4), often(&mut rng, 4), often(&mut rng, 2)],
            wild: rng.u8(..8) == 0,
            memory: rng.u8(..4) > 0,
            globals,
            rng,
        }
    }

    fn ty(&mut self) -> Type {
        if self.rng.u8(..16) < self.wide { Type::I64 } else { Type::I32 }
    }

    fn kind(&mut self) -> Kind {
        let mut left = self.rng.u32(..self.kinds.iter().sum::<u32>());
        let mut kinds = KINDS.into_iter().zip(self.kinds);
        kinds
            .find(|(_, weight)| {
                let found = left < *weight;
                left = left.saturating_sub(*weight);
                found
            })
            .expect("the number is below the sum")
            .0
    }

    fn constant(&mut self, ty: Type) -> Expr {
        let constant = if self.rng.bool() { self.rng.choice(&self.constants).copied() } else { None };
        Expr::Const(ty, ty.value(constant.unwrap_or_else(|| any_constant(&mut self.rng))))
    }

    /// Makes a constant shift amount, mostly less than the width.
    fn amount(&mut self, ty: Type) -> Expr {
        let amount = self.rng.u32(self.shifts.clone());
        let beyond = self.rng.u8(..32) == 0;
        Expr::Const(ty, (if beyond { amount } else { amount % ty.width() }).into())
    }
}

/// Small odd numbers: rounding loses these first.
const SMALL: [i64; 7] = [1, 3, 5, 7, 11, 31, 255];

/// Returns a number at which the behaviour of a word, a byte or a sum changes.
fn any_constant(rng: &mut Rng) -> i64 {
    let power = 1i64 << rng.u32(..64);
    match rng.u8(..10) {
        0 => SMALL[rng.usize(..SMALL.len())],
        1 => [661_287_129, 1_664_525, 1_013_904_223, 1_000_003][rng.usize(..4)],
        2..4 => power.wrapping_add(rng.i64(-2..=3)),
        4 => power.wrapping_neg().wrapping_add(rng.i64(-3..=2)),
        5 => power.wrapping_sub(1),
        6 => !power.wrapping_sub(1),
        // A run of bits.
        7 => power.wrapping_sub(1) << rng.u32(..64),
        8 => [0xff, 0xff00, 0xffff, 0xff_0000, 0x7f7f_7f7f, 0xff00_ff00, 0x5555_5555][rng.usize(..7)],
        _ => random_bits(rng) as i64,
    }
}

fn apply<const N: usize>(ty: Type, name: impl Into<String>, operands: [Expr; N]) -> Expr {
    Expr::Apply(ty, name.into(), operands.into())
}

/// Makes an operation whose result has the type of its operands.
fn same<const N: usize>(ty: Type, name: &str, operands: [Expr; N]) -> Expr {
    apply(ty, format!("{ty}.{name}"), operands)
}

/// A function that is being made.
struct Body<'r> {
    recipe: &'r mut Recipe,
    earlier: &'r [Function],
    locals: Vec<Type>,
    /// Locals that statements may set, by type.
    settable: [Vec<u32>; 2],
    /// The locals that were set last.
    recent: Vec<u32>,
    /// Number of operations still to be made.
    left: u32,
}

impl<'r> Body<'r> {
    fn new(recipe: &'r mut Recipe, earlier: &'r [Function]) -> Self {
        Body {
            recipe,
            earlier,
            locals: Vec::new(),
            settable: Default::default(),
            recent: Vec::new(),
            left: 0,
        }
    }

    fn rng(&mut self) -> &mut Rng {
        &mut self.recipe.rng
    }

    /// Adds a local. Statements may set it if it is `settable`; counters of turns are not.
    fn local(&mut self, ty: Type, settable: bool) -> u32 {
        let local = self.locals.len() as u32;
        self.locals.push(ty);
        if settable {
            self.settable[ty as usize].push(local);
        }
        local
    }

    /// Makes a small function, sometimes with a loop.
    fn helper(mut self) -> Function {
        let params = self.rng().usize(1..4);
        for _ in 0..params + self.rng().usize(1..4) {
            let ty = self.recipe.ty();
            self.local(ty, true);
        }
        self.left = [4, 8, 14, 30][self.rng().usize(..4)];
        let mut body = self.block(1);
        if self.rng().u8(..4) == 0 {
            let counter = self.local(Type::I32, false);
            let turns = Expr::Const(Type::I32, self.rng().i64(1..4));
            body = vec![Statement::Loop(counter, turns, body)];
        }
        let ty = self.recipe.ty();
        let results = vec![self.operand(ty, 0)];
        Function { params, locals: self.locals, body, results }
    }

    /// Makes the main function: a loop around a block, which sums up some of the values that it computes.
    fn main(mut self) -> Function {
        let turns = Expr::Local(Type::I32, self.local(Type::I32, false));
        let params = [self.local(Type::I32, true), self.local(Type::I64, true)];
        let counter = self.local(Type::I32, false);
        let sum = if self.rng().u8(..4) == 0 { Type::I64 } else { Type::I32 };
        let sum = (sum, self.local(sum, false));
        let locals = self.recipe.rng.usize(self.recipe.locals.clone());
        for _ in 0..locals {
            let ty = self.recipe.ty();
            self.local(ty, true);
        }
        let mut body = self.first_values(params);
        let mut turn = self.turn_values(counter);
        let size = self.rng().usize(..SIZES.len());
        self.left = SIZES[size];
        turn.extend(self.block(0));
        turn.extend(self.sums(sum));
        body.push(Statement::Loop(counter, turns, turn));
        body.extend(self.last_values());
        let mut results = vec![Expr::Local(sum.0, sum.1)];
        for _ in 0..self.rng().usize(..4) {
            let ty = self.recipe.ty();
            results.push(self.any_local(ty));
        }
        Function { params: 3, locals: self.locals, body, results }
    }

    /// Assigns the parameters to some locals.
    fn first_values(&mut self, params: [u32; 2]) -> Vec<Statement> {
        let all = self.settable.clone();
        let mut body = Vec::new();
        for (ty, (param, locals)) in [Type::I32, Type::I64].into_iter().zip(params.into_iter().zip(all)) {
            for local in locals.into_iter().filter(|local| !params.contains(local)) {
                if self.rng().u8(..3) == 0 {
                    let factor = self.recipe.constant(ty);
                    body.push(Statement::Set(local, same(ty, "mul", [Expr::Local(ty, param), factor])));
                }
            }
        }
        body
    }

    /// Sets one or two locals to values that differ from turn to turn.
    fn turn_values(&mut self, counter: u32) -> Vec<Statement> {
        let (i32s, i64s) = (self.settable[0].clone(), self.settable[1].clone());
        let mixed = |ty, x| {
            let (factor, offset) = (Expr::Const(ty, 1_664_525), Expr::Const(ty, 1_013_904_223));
            same(ty, "add", [same(ty, "mul", [x, factor]), offset])
        };
        let i = Expr::Local(Type::I32, counter);
        let mut body = Vec::new();
        if let Some(local) = self.rng().choice(i32s) {
            body.push(Statement::Set(local, mixed(Type::I32, i.clone())));
        }
        if self.recipe.wide > 0
            && let Some(local) = self.rng().choice(i64s)
        {
            let i = apply(Type::I64, "i64.extend_i32_u", [i]);
            let factor = Expr::Const(Type::I64, 6_364_136_223_846_793_005);
            body.push(Statement::Set(local, mixed(Type::I64, same(Type::I64, "mul", [i, factor]))));
        }
        body
    }

    /// Adds some locals to the sum.
    fn sums(&mut self, (ty, sum): (Type, u32)) -> Vec<Statement> {
        let way = self.rng().u8(..3);
        let locals = self.settable.concat();
        let share = self.rng().u8(1..9);
        let mut body = Vec::new();
        for local in locals {
            if self.rng().u8(..8) >= share {
                continue;
            }
            let value = self.converted(ty, Expr::Local(self.locals[local as usize], local));
            let old = Expr::Local(ty, sum);
            let (five, prime) = (Expr::Const(ty, 5), Expr::Const(ty, 31));
            let new = match way {
                0 => same(ty, "xor", [same(ty, "rotl", [old, five]), value]),
                _ => same(ty, "add", [same(ty, "mul", [old, prime]), value]),
            };
            body.push(Statement::Set(sum, new));
        }
        body
    }

    /// Stores all locals, in some programs.
    fn last_values(&mut self) -> Vec<Statement> {
        let mut body = Vec::new();
        if !self.recipe.memory || self.rng().u8(..3) > 0 {
            return body;
        }
        for local in self.settable.concat() {
            let ty = self.locals[local as usize];
            let access = Access { name: format!("{ty}.store"), offset: 1024 + 8 * local };
            let operands = [Expr::Const(Type::I32, 0), Expr::Local(ty, local)];
            body.push(Statement::Store(access, operands.into()));
        }
        body
    }

    fn converted(&mut self, ty: Type, x: Expr) -> Expr {
        match (ty, x.ty()) {
            (Type::I32, Type::I64) => apply(ty, "i32.wrap_i64", [x]),
            (Type::I64, Type::I32) => {
                apply(ty, if self.rng().bool() { "i64.extend_i32_u" } else { "i64.extend_i32_s" }, [x])
            }
            _ => x,
        }
    }

    /// Makes statements until the operations are used up.
    fn block(&mut self, depth: u32) -> Vec<Statement> {
        let mut body = Vec::new();
        while self.left > 0 {
            body.push(self.statement(depth));
        }
        body
    }

    /// Makes a block of some of the operations that are left.
    fn part(&mut self, depth: u32) -> Vec<Statement> {
        let part = 1 + self.rng().u32(..30).min(self.left);
        let rest = self.left.saturating_sub(part);
        self.left = part;
        let body = self.block(depth);
        self.left = rest;
        body
    }

    fn statement(&mut self, depth: u32) -> Statement {
        let mut choice = self.rng().u8(..32);
        let [stores, globals, branches, loops] = self.recipe.effects;
        let mut is = |share: u8| {
            let is = choice < share;
            choice = choice.saturating_sub(share);
            is
        };
        if is(stores) && self.recipe.memory {
            return self.store();
        }
        if is(globals) && !self.recipe.globals.is_empty() {
            let global = self.recipe.rng.usize(..self.recipe.globals.len());
            let ty = self.recipe.globals[global];
            return Statement::SetGlobal(global as u32, self.expr(ty, 0));
        }
        if is(branches) && depth < 2 {
            if self.rng().u8(..4) == 0 {
                return self.switch(depth);
            }
            let condition = self.condition(0);
            let then = self.part(depth + 1);
            let other = if self.rng().bool() { self.part(depth + 1) } else { Vec::new() };
            return Statement::If(condition, [then, other]);
        }
        if is(loops) && depth == 0 {
            let counter = self.local(Type::I32, false);
            let turns = self.rng().i64(1..5);
            return Statement::Loop(counter, Expr::Const(Type::I32, turns), self.part(depth + 1));
        }
        let locals = self.settable.concat();
        let local = self.rng().choice(locals).expect("there are locals");
        let value = self.expr(self.locals[local as usize], 0);
        self.recent.push(local);
        Statement::Set(local, value)
    }

    /// Makes a switch by an index that is mostly small, and sometimes beyond the arms.
    fn switch(&mut self, depth: u32) -> Statement {
        let arms = self.rng().usize(1..9);
        let mut index = self.operand(Type::I32, depth);
        let mask = [1, 3, 7, 15][self.rng().usize(..4)];
        if self.rng().u8(..8) > 0 {
            index = same(Type::I32, "and", [index, Expr::Const(Type::I32, mask)]);
        }
        if self.rng().u8(..4) == 0 {
            let first = Expr::Const(Type::I32, self.rng().i64(0..8));
            index = same(Type::I32, "sub", [index, first]);
        }
        let arms = (0..arms).map(|_| if self.left == 0 { Vec::new() } else { self.part(depth + 1) });
        Statement::Switch(index, arms.collect())
    }

    fn any_local(&mut self, ty: Type) -> Expr {
        if self.rng().u8(..16) < self.recipe.chained {
            let last = self.recent.len().saturating_sub(self.recipe.window);
            let recent: Vec<_> =
                self.recent[last..].iter().filter(|l| self.locals[**l as usize] == ty).collect();
            if let Some(local) = self.recipe.rng.choice(recent) {
                return Expr::Local(ty, *local);
            }
        }
        match self.recipe.rng.choice(&self.settable[ty as usize]) {
            Some(local) => Expr::Local(ty, *local),
            None => self.recipe.constant(ty),
        }
    }

    /// Makes an operand: a local, an expression, or seldom a constant.
    fn operand(&mut self, ty: Type, depth: u32) -> Expr {
        let choice = self.rng().u8(..16);
        if choice < self.recipe.nested && depth < 4 {
            return self.expr(ty, depth + 1);
        }
        if choice == 15 { self.recipe.constant(ty) } else { self.any_local(ty) }
    }

    fn condition(&mut self, depth: u32) -> Expr {
        let ty = self.recipe.ty();
        let name = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
            [self.rng().usize(..10)];
        let x = self.operand(ty, depth);
        match self.rng().u8(..8) {
            0 => apply(Type::I32, format!("{ty}.eqz"), [x]),
            1..4 => {
                let y = self.recipe.constant(ty);
                apply(Type::I32, format!("{ty}.{name}"), [x, y])
            }
            _ => {
                let y = self.operand(ty, depth);
                apply(Type::I32, format!("{ty}.{name}"), [x, y])
            }
        }
    }

    fn one_of<const N: usize>(&mut self, names: [&'static str; N]) -> &'static str {
        names[self.rng().usize(..N)]
    }

    fn expr(&mut self, ty: Type, depth: u32) -> Expr {
        self.left = self.left.saturating_sub(1);
        match self.recipe.kind() {
            Kind::ShiftAdd => {
                let name = self.one_of(["add", "sub", "or", "xor"]);
                let (x, k, c) = (self.operand(ty, depth), self.recipe.amount(ty), self.recipe.constant(ty));
                same(ty, name, [same(ty, "shl", [x, k]), c])
            }
            Kind::Shift => {
                let name = self.one_of(["shl", "shr_u", "shr_s"]);
                let (x, k) = (self.operand(ty, depth), self.recipe.amount(ty));
                same(ty, name, [x, k])
            }
            Kind::Rotate => {
                let name = self.one_of(["rotl", "rotr"]);
                let (x, k) = (self.operand(ty, depth), self.recipe.amount(ty));
                let rotated = same(ty, name, [x, k]);
                if self.rng().bool() { same(ty, "add", [rotated, self.recipe.constant(ty)]) } else { rotated }
            }
            Kind::Multiply => {
                let x = self.operand(ty, depth);
                let y =
                    if self.rng().u8(..4) == 0 { self.operand(ty, depth) } else { self.recipe.constant(ty) };
                same(ty, "mul", [x, y])
            }
            Kind::MultiplyAdd => {
                let name = self.one_of(["add", "sub"]);
                let (x, y, c) = (self.operand(ty, depth), self.operand(ty, depth), self.recipe.constant(ty));
                same(ty, name, [x, same(ty, "mul", [y, c])])
            }
            Kind::AddConstant => {
                let (x, c) = (self.operand(ty, depth), self.recipe.constant(ty));
                match self.rng().u8(..4) {
                    0 => same(ty, "sub", [c, x]),
                    1 => same(ty, "sub", [x, c]),
                    _ => same(ty, "add", [x, c]),
                }
            }
            Kind::Mask => {
                let name = self.one_of(["and", "and", "or", "xor"]);
                let (x, c) = (self.operand(ty, depth), self.recipe.constant(ty));
                same(ty, name, [x, c])
            }
            Kind::Logic => {
                let name = self.one_of(["and", "or", "xor", "xor"]);
                let (x, y) = (self.operand(ty, depth), self.operand(ty, depth));
                same(ty, name, [x, y])
            }
            Kind::AddSubtract => {
                let name = self.one_of(["add", "sub"]);
                let (x, y) = (self.operand(ty, depth), self.operand(ty, depth));
                same(ty, name, [x, y])
            }
            Kind::CompareAdd => {
                let name = self.one_of(["add", "sub"]);
                let (x, bit) = (self.operand(ty, depth), self.condition(depth));
                let bit = self.converted(ty, bit);
                same(ty, name, [x, bit])
            }
            Kind::Compare => {
                let bit = self.condition(depth);
                self.converted(ty, bit)
            }
            Kind::Select => {
                let (x, y) = (self.operand(ty, depth), self.operand(ty, depth));
                apply(ty, "select", [x, y, self.condition(depth)])
            }
            Kind::Extend => {
                let x = self.operand(ty, depth);
                let name = match ty {
                    Type::I32 => self.one_of(["extend8_s", "extend16_s"]),
                    Type::I64 => self.one_of(["extend8_s", "extend16_s", "extend32_s"]),
                };
                same(ty, name, [x])
            }
            Kind::Count => {
                let x = self.operand(ty, depth);
                let name = self.one_of(["clz", "ctz", "popcnt"]);
                same(ty, name, [x])
            }
            Kind::ShiftVariable => {
                let name = self.one_of(["shl", "shr_u", "shr_s", "rotl", "rotr"]);
                let (x, y) = (self.operand(ty, depth), self.operand(ty, depth));
                same(ty, name, [x, y])
            }
            Kind::Divide => self.division(ty, depth),
            Kind::Load if self.recipe.memory => {
                let name = match ty {
                    Type::I32 => self.one_of(["load", "load8_u", "load8_s", "load16_u", "load16_s"]),
                    Type::I64 => self.one_of([
                        "load", "load8_u", "load8_s", "load16_u", "load16_s", "load32_u", "load32_s",
                    ]),
                };
                let (address, offset) = self.address(depth);
                Expr::Load(ty, Access { name: format!("{ty}.{name}"), offset }, Box::new(address))
            }
            Kind::Global if !self.recipe.globals.is_empty() => {
                let global = self.recipe.rng.usize(..self.recipe.globals.len());
                let x = Expr::Global(self.recipe.globals[global], global as u32);
                let x = self.converted(ty, x);
                let y = self.operand(ty, depth);
                same(ty, "add", [x, y])
            }
            Kind::Convert => {
                let other = if ty == Type::I32 { Type::I64 } else { Type::I32 };
                let x = self.operand(other, depth);
                match ty {
                    Type::I64 if self.rng().bool() => {
                        let low = self.operand(other, depth);
                        let high = same(ty, "shl", [apply(ty, "i64.extend_i32_u", [x]), Expr::Const(ty, 32)]);
                        same(ty, "or", [high, apply(ty, "i64.extend_i32_u", [low])])
                    }
                    Type::I32 if self.rng().bool() => {
                        let k = self.recipe.amount(other);
                        apply(ty, "i32.wrap_i64", [same(other, "shr_u", [x, k])])
                    }
                    _ => self.converted(ty, x),
                }
            }
            Kind::Field => {
                let (x, a, b) = (self.operand(ty, depth), self.recipe.amount(ty), self.recipe.amount(ty));
                let name = self.one_of(["shr_u", "shr_s", "rotl"]);
                let mask = Expr::Const(ty, (1i64 << self.rng().u32(1..ty.width())).wrapping_sub(1));
                same(ty, "shl", [same(ty, "and", [same(ty, name, [x, a]), mask]), b])
            }
            Kind::Call if !self.earlier.is_empty() => {
                let function = self.recipe.rng.usize(..self.earlier.len());
                let callee = &self.earlier[function];
                let args = callee.locals[..callee.params].iter().map(|ty| self.operand(*ty, depth)).collect();
                let call = Expr::Call(callee.results[0].ty(), function as u32, args);
                self.converted(ty, call)
            }
            Kind::Load | Kind::Global | Kind::Call => {
                let (x, y) = (self.operand(ty, depth), self.operand(ty, depth));
                same(ty, "add", [x, y])
            }
        }
    }

    /// Makes a division. The divisor is arbitrary only if the program may trap.
    fn division(&mut self, ty: Type, depth: u32) -> Expr {
        let name = self.one_of(["div_u", "rem_u", "div_s", "rem_s"]);
        let x = self.operand(ty, depth);
        let wild = self.recipe.wild && self.rng().u8(..4) == 0;
        let y = match self.rng().u8(..2) {
            0 => {
                let mut y = self.recipe.constant(ty);
                if let Expr::Const(_, y) = &mut y
                    && (*y == 0 || *y == -1)
                    && !wild
                {
                    *y = 10;
                }
                y
            }
            _ if wild => self.operand(ty, depth),
            _ => {
                let (y, one) = (self.operand(ty, depth), Expr::Const(ty, 1));
                // The divisor is neither 0 nor −1.
                same(ty, "and", [same(ty, "or", [y, one]), Expr::Const(ty, i64::MAX >> (66 - ty.width()))])
            }
        };
        same(ty, name, [x, y])
    }

    /// Makes an address and its offset, near those of other accesses.
    fn address(&mut self, depth: u32) -> (Expr, u32) {
        let ty = Type::I32;
        if self.recipe.wild && self.rng().u8(..24) == 0 {
            // Near the end of memory, and beyond it.
            let (x, mask) = (self.operand(ty, depth), Expr::Const(ty, 31));
            return (same(ty, "and", [x, mask]), 65_536 - self.rng().u32(24..40));
        }
        let offset = self.rng().u32(..16);
        let address = match self.rng().u8(..4) {
            0 => Expr::Const(ty, self.rng().i64(0..24)),
            _ => {
                let mask = [7, 12, 31, 0xf8, i64::from(BYTES) - 1][self.rng().usize(..5)];
                let x = self.operand(ty, depth);
                same(ty, "and", [x, Expr::Const(ty, mask)])
            }
        };
        (address, offset)
    }

    fn store(&mut self) -> Statement {
        let ty = self.recipe.ty();
        let name = match ty {
            Type::I32 => self.one_of(["store", "store8", "store16"]),
            Type::I64 => self.one_of(["store", "store8", "store16", "store32"]),
        };
        let (address, offset) = self.address(1);
        let value = self.operand(ty, 0);
        self.left = self.left.saturating_sub(1);
        Statement::Store(Access { name: format!("{ty}.{name}"), offset }, [address, value].into())
    }
}
