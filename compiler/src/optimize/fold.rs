//! Constant folding and algebraic identities of single operations.
//!
//! A rule looks at an operation, at the operations that made its operands, and at bounds of their values; it
//! gives a constant, a value that exists already, or another operation.

use smallvec::smallvec;

use crate::evaluate;
use crate::ir::*;

use BinaryOp::*;
use UnaryOp::*;

/// What made a value, as far as the rules need to know.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Def {
    /// A parameter, a load, ….
    #[default]
    Other,
    /// A constant.
    Const(u32),
    /// A unary operation.
    Unary(UnaryOp, Value),
    /// A binary operation.
    Binary(BinaryOp, Value, Value),
    /// A select.
    Select(Value, Value, Value),
}

/// What becomes of an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Folded {
    /// A constant.
    Const(u32),
    /// A value that exists already.
    Value(Value),
    /// An operation, perhaps another one, to which no rule applies any more.
    Op(Op, Values),
}

/// What is known of a value's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Largest value.
    pub max: u32,
    /// Bits that can be 1.
    pub bits: u32,
}

impl Bound {
    /// Nothing is known.
    pub const ANY: Bound = Bound::up_to(u32::MAX);

    /// Returns the bound of any value up to `max`.
    pub const fn up_to(max: u32) -> Self {
        Bound { max, bits: if max == 0 { 0 } else { u32::MAX >> max.leading_zeros() } }
    }

    /// Returns the bound of just one value.
    pub const fn exactly(value: u32) -> Self {
        Bound { max: value, bits: value }
    }

    /// Returns the bound of any value made of these bits.
    pub const fn of_bits(bits: u32) -> Self {
        Bound { max: bits, bits }
    }

    /// Returns what both say together.
    fn and(self, other: Bound) -> Self {
        let bits = self.bits & other.bits;
        Bound {
            max: self.max.min(other.max).min(bits),
            bits: bits & Bound::up_to(self.max.min(other.max)).bits,
        }
    }
}

/// What the rules may ask about values.
pub trait Known {
    /// Returns what made a value.
    fn def(&self, value: Value) -> Def;
    /// Returns what is known of its bits.
    fn bound(&self, value: Value) -> Bound;
    /// Returns a value for a constant.
    fn constant(&mut self, bits: u32) -> Value;
    /// Returns whether a value is 0 at this point, if that is known.
    fn known(&self, value: Value) -> Option<bool>;
}

/// Result of one rule.
enum Rewrite {
    /// No rule applies.
    Keep,
    Const(u32),
    Value(Value),
    /// Try again with this operation.
    Again(Op, Values),
}

fn again(op: BinaryOp, a: Value, b: Value) -> Rewrite {
    Rewrite::Again(Op::Binary(op), smallvec![a, b])
}

fn again_unary(op: UnaryOp, a: Value) -> Rewrite {
    Rewrite::Again(Op::Unary(op), smallvec![a])
}

/// Applies rules until none applies. Only for operations without side effects.
pub fn fold(cx: &mut impl Known, mut op: Op, mut args: Values) -> Folded {
    // Each rule makes an operation simpler; the limit is against mistakes in them.
    for _ in 0..16 {
        let step = match op {
            Op::Const(bits) => Rewrite::Const(bits as u32),
            Op::Unary(unary) => fold_unary(cx, unary, args[0]),
            Op::Binary(binary) => {
                let (mut a, mut b) = (args[0], args[1]);
                let (first, second) = (constant_of(cx, a), constant_of(cx, b));
                // Constants last; otherwise the older value first, so that equal operations look equal.
                let swap =
                    first.is_some() && second.is_none() || first.is_some() == second.is_some() && a > b;
                if binary.is_commutative() && swap {
                    std::mem::swap(&mut a, &mut b);
                    args = smallvec![a, b];
                }
                fold_binary(cx, binary, a, b)
            }
            Op::Select => fold_select(cx, args[0], args[1], args[2]),
            _ => Rewrite::Keep,
        };
        match step {
            Rewrite::Keep => break,
            Rewrite::Const(bits) => return Folded::Const(bits),
            Rewrite::Value(value) => return Folded::Value(value),
            Rewrite::Again(new_op, new_args) => (op, args) = (new_op, new_args),
        }
    }
    Folded::Op(op, args)
}

fn constant_of(cx: &impl Known, value: Value) -> Option<u32> {
    match cx.def(value) {
        Def::Const(bits) => Some(bits),
        _ => None,
    }
}

/// Returns what is known of the bits of an operation's result.
pub fn bound_of(cx: &impl Known, op: &Op, args: &[Value]) -> Bound {
    let bound = |i: usize| cx.bound(args[i]);
    let max = |i: usize| cx.bound(args[i]).max;
    let amount = || constant_of(cx, args[1]);
    match op {
        Op::Const(bits) => Bound::exactly(*bits as u32),
        Op::Unary(Eqz) => Bound::up_to(1),
        Op::Unary(Clz | Ctz | Popcnt) => Bound::up_to(32),
        Op::Binary(op) if op.is_comparison() => Bound::up_to(1),
        Op::Binary(op) => match op {
            Carry => Bound::up_to(1),
            And => bound(0).and(bound(1)),
            Or | Xor => Bound::of_bits(bound(0).bits | bound(1).bits),
            Add => match max(0).checked_add(max(1)) {
                // Without carries this is `or`.
                Some(max) if bound(0).bits & bound(1).bits == 0 => {
                    Bound { max, bits: bound(0).bits | bound(1).bits }
                }
                Some(max) => Bound::up_to(max),
                None => Bound::ANY,
            },
            Mul => max(0).checked_mul(max(1)).map_or(Bound::ANY, Bound::up_to),
            MulHi => Bound::up_to(((max(0) as u64 * max(1) as u64) >> 32) as u32),
            ShrU => match amount() {
                Some(n) => Bound { max: max(0) >> (n % 32), bits: bound(0).bits >> (n % 32) },
                None => Bound::up_to(max(0)),
            },
            Shl => match amount() {
                Some(n) if max(0).leading_zeros() >= n % 32 => {
                    Bound { max: max(0) << (n % 32), bits: bound(0).bits << (n % 32) }
                }
                Some(n) => Bound::of_bits(bound(0).bits << (n % 32)),
                None => Bound::ANY,
            },
            DivU => Bound::up_to(max(0) / amount().unwrap_or(1).max(1)),
            RemU => Bound::up_to(amount().map_or(max(0), |n| max(0).min(n.wrapping_sub(1)))),
            _ => Bound::ANY,
        },
        Op::Select => Bound { max: max(1).max(max(2)), bits: bound(1).bits | bound(2).bits },
        Op::Load { bytes: 1, signed: false, .. } => Bound::up_to(0xff),
        Op::Load { bytes: 2, signed: false, .. } => Bound::up_to(0xffff),
        _ => Bound::ANY,
    }
}

fn fold_unary(cx: &mut impl Known, op: UnaryOp, a: Value) -> Rewrite {
    let def = cx.def(a);
    if let Def::Const(bits) = def {
        return Rewrite::Const(evaluate::unary(op, Type::I32, bits as u64) as u32);
    }
    match (op, def) {
        (Eqz, Def::Unary(Eqz, x)) if cx.bound(x).max <= 1 => Rewrite::Value(x),
        (Eqz, Def::Unary(Eqz, x)) => {
            let zero = cx.constant(0);
            again(Ne, x, zero)
        }
        (Eqz, Def::Unary(Popcnt, x)) => again_unary(Eqz, x),
        (Eqz, Def::Binary(op, x, y)) => match (op, constant_of(cx, y)) {
            (Eq, _) => again(Ne, x, y),
            (Ne, _) => again(Eq, x, y),
            (LtU, _) => again(GeU, x, y),
            (GeU, _) => again(LtU, x, y),
            (LtS, _) => again(GeS, x, y),
            (GeS, _) => again(LtS, x, y),
            (Sub | Xor, _) => again(Eq, x, y),
            (Add, Some(c)) => {
                let c = cx.constant(c.wrapping_neg());
                again(Eq, x, c)
            }
            (Rotl, _) => again_unary(Eqz, x),
            _ => Rewrite::Keep,
        },
        (Eqz, _) => match cx.known(a) {
            Some(zero) => Rewrite::Const(zero as u32),
            None => Rewrite::Keep,
        },
        (Extend8S, _) if cx.bound(a).max <= 0x7f => Rewrite::Value(a),
        (Extend16S, _) if cx.bound(a).max <= 0x7fff => Rewrite::Value(a),
        (Extend8S, Def::Binary(And, x, y)) if constant_of(cx, y).is_some_and(|c| c & 0xff == 0xff) => {
            again_unary(op, x)
        }
        (Extend16S, Def::Binary(And, x, y)) if constant_of(cx, y).is_some_and(|c| c & 0xffff == 0xffff) => {
            again_unary(op, x)
        }
        (Extend8S | Extend16S, Def::Unary(Extend8S, _)) | (Extend16S, Def::Unary(Extend16S, _)) => {
            Rewrite::Value(a)
        }
        _ => Rewrite::Keep,
    }
}

fn fold_binary(cx: &mut impl Known, op: BinaryOp, a: Value, b: Value) -> Rewrite {
    let (first, second) = (constant_of(cx, a), constant_of(cx, b));
    if let (Some(x), Some(y)) = (first, second) {
        return Rewrite::Const(evaluate::binary(op, Type::I32, x as u64, y as u64) as u32);
    }
    if a == b {
        match op {
            Sub | Xor | Ne | LtU | LtS => return Rewrite::Const(0),
            Eq | GeU | GeS => return Rewrite::Const(1),
            And | Or => return Rewrite::Value(a),
            _ => {}
        }
    }
    if op.is_comparison() {
        return compare(cx, op, a, b, first, second);
    }
    let step = match second {
        Some(c) => with_constant(cx, op, a, b, c),
        None => Rewrite::Keep,
    };
    if !matches!(step, Rewrite::Keep) {
        return step;
    }
    match (op, cx.def(a), cx.def(b)) {
        (Add, _, Def::Binary(Sub, zero, y)) if constant_of(cx, zero) == Some(0) => again(Sub, a, y),
        (Or | Xor, ..) if cx.bound(a).bits & cx.bound(b).bits == 0 => again(Add, a, b),
        // a - a / c * c, which is how compilers write a remainder.
        (Sub, _, Def::Binary(Mul, quotient, y)) => match (cx.def(quotient), constant_of(cx, y)) {
            (Def::Binary(DivU, x, divisor), Some(c)) if x == a && constant_of(cx, divisor) == Some(c) => {
                again(RemU, a, divisor)
            }
            _ => Rewrite::Keep,
        },
        (Sub, Def::Binary(Add, x, y), _) if y == b => Rewrite::Value(x),
        (Sub, Def::Binary(Add, x, y), _) if x == b => Rewrite::Value(y),
        // The bits that a left shift moves out, as `legalize` makes them for unknown amounts.
        (Sub, Def::Binary(Rotl, x, n), Def::Binary(Shl, y, m)) if x == y && n == m => {
            match constant_of(cx, n) {
                Some(n) if n % 32 == 0 => Rewrite::Const(0),
                Some(n) => {
                    let n = cx.constant(32 - n % 32);
                    again(ShrU, x, n)
                }
                None => Rewrite::Keep,
            }
        }
        (Sub, Def::Binary(Rotl, x, n), Def::Binary(ShrU, y, m)) if x == y => {
            match (constant_of(cx, n), constant_of(cx, m)) {
                (Some(n), Some(m)) if n % 32 == 0 && m % 32 == 0 => Rewrite::Const(0),
                (Some(n), Some(m)) if (n + m) % 32 == 0 => again(Shl, x, cx.constant(n)),
                _ => Rewrite::Keep,
            }
        }
        (Shl | ShrU | ShrS | Rotl, Def::Const(0), _) => Rewrite::Const(0),
        (Shl | ShrU | ShrS | Rotl, _, Def::Binary(And, n, mask))
            if constant_of(cx, mask).is_some_and(|mask| mask & 31 == 31) =>
        {
            again(op, a, n)
        }
        (ShrS, ..) if cx.bound(a).max < 1 << 31 => again(ShrU, a, b),
        (Carry, ..) if cx.bound(a).max.checked_add(cx.bound(b).max).is_some() => Rewrite::Const(0),
        (MulHi, ..) if (cx.bound(a).max as u64 * cx.bound(b).max as u64) >> 32 == 0 => Rewrite::Const(0),
        _ => Rewrite::Keep,
    }
}

/// Simplifies `a op c` for a constant c and an a that is not constant. `b` is the value of c.
fn with_constant(cx: &mut impl Known, op: BinaryOp, a: Value, b: Value, c: u32) -> Rewrite {
    let def = cx.def(a);
    // The constant operand of the operation that made `a`, if that is the same operation: the two can be one.
    let inner = match def {
        Def::Binary(inner, x, y) if inner == op => constant_of(cx, y).map(|c| (x, c)),
        _ => None,
    };
    let Bound { max, bits } = cx.bound(a);
    let mut combined = |x, c| {
        let c = cx.constant(c);
        again(op, x, c)
    };
    match (op, c, inner) {
        (Add | Or | Xor | Shl | ShrU | ShrS | Rotl, 0, _) => Rewrite::Value(a),
        (Sub, c, _) => {
            let c = cx.constant(c.wrapping_neg());
            again(Add, a, c)
        }
        (Add, c, Some((x, d))) => combined(x, c.wrapping_add(d)),
        (Mul | MulHi | Carry | And, 0, _) | (MulHi, 1, _) => Rewrite::Const(0),
        (Mul, 1, _) => Rewrite::Value(a),
        (Mul, c, Some((x, d))) => combined(x, c.wrapping_mul(d)),
        (Mul | MulHi, c, _) if c.is_power_of_two() => {
            let shift = c.trailing_zeros();
            let amount = cx.constant(if op == Mul { shift } else { 32 - shift });
            again(if op == Mul { Shl } else { ShrU }, a, amount)
        }
        (Mul, u32::MAX, _) => {
            let zero = cx.constant(0);
            again(Sub, zero, a)
        }
        (And, c, Some((x, d))) => combined(x, c & d),
        (And, c, _) if bits & !c == 0 => Rewrite::Value(a),
        (And, c, _) if bits & c == 0 => Rewrite::Const(0),
        // A mask of bits that are 0 anyway is written in one way.
        (And, c, _) if bits & c != c && max != u32::MAX => combined(a, bits & c),
        (Or | Xor, c, _) if bits & c == 0 => again(Add, a, b),
        (Or, u32::MAX, _) => Rewrite::Const(u32::MAX),
        (Or, c, Some((x, d))) => combined(x, c | d),
        (Xor, c, Some((x, d))) => combined(x, c ^ d),
        (Xor, 1, _) if max <= 1 => again_unary(Eqz, a),
        (Shl | ShrU | ShrS | Rotl, c, _) if c >= 32 => combined(a, c % 32),
        (Shl | ShrU, c, Some((x, d))) if d < 32 => {
            if c + d >= 32 {
                Rewrite::Const(0)
            } else {
                combined(x, c + d)
            }
        }
        (ShrS, c, Some((x, d))) if d < 32 => combined(x, (c + d).min(31)),
        (Rotl, c, Some((x, d))) if d < 32 => combined(x, (c + d) % 32),
        (ShrU, c, _) if max >> c == 0 => Rewrite::Const(0),
        (ShrS | ShrU | Shl, c, _) => shift_back(cx, op, def, c),
        (DivU, 1, _) => Rewrite::Value(a),
        (RemU, 1, _) => Rewrite::Const(0),
        (DivU, c, _) if max < c => Rewrite::Const(0),
        (RemU, c, _) if max < c => Rewrite::Value(a),
        (DivU, c, _) if c.is_power_of_two() => {
            let amount = cx.constant(c.trailing_zeros());
            again(ShrU, a, amount)
        }
        (RemU, c, _) if c.is_power_of_two() => {
            let mask = cx.constant(c - 1);
            again(And, a, mask)
        }
        _ => {
            debug_assert_eq!(constant_of(cx, b), Some(c));
            Rewrite::Keep
        }
    }
}

/// Simplifies a shift by c of a shift by the same amount in the other direction.
fn shift_back(cx: &mut impl Known, op: BinaryOp, def: Def, c: u32) -> Rewrite {
    let Def::Binary(inner, x, y) = def else { return Rewrite::Keep };
    if constant_of(cx, y) != Some(c) {
        return Rewrite::Keep;
    }
    match (op, inner) {
        (ShrU, Shl) => {
            let mask = cx.constant(u32::MAX >> c);
            again(And, x, mask)
        }
        (Shl, ShrU | ShrS) => {
            let mask = cx.constant(u32::MAX << c);
            again(And, x, mask)
        }
        (ShrS, Shl) if c == 24 => again_unary(Extend8S, x),
        (ShrS, Shl) if c == 16 => again_unary(Extend16S, x),
        _ => Rewrite::Keep,
    }
}

fn compare(
    cx: &mut impl Known,
    op: BinaryOp,
    a: Value,
    b: Value,
    first: Option<u32>,
    second: Option<u32>,
) -> Rewrite {
    let (max_a, max_b) = (cx.bound(a).max, cx.bound(b).max);
    match (op, first, second) {
        (Eq, _, Some(0)) => again_unary(Eqz, a),
        (Eq, _, Some(1)) | (Ne, _, Some(0)) if max_a <= 1 => Rewrite::Value(a),
        (Ne, _, Some(1)) if max_a <= 1 => again_unary(Eqz, a),
        (Eq, _, Some(c)) if c > max_a => Rewrite::Const(0),
        (Ne, _, Some(c)) if c > max_a => Rewrite::Const(1),
        (Ne, _, Some(0)) => match cx.known(a) {
            Some(zero) => Rewrite::Const(!zero as u32),
            None => match cx.def(a) {
                Def::Binary(Sub | Xor, x, y) => again(Ne, x, y),
                _ => Rewrite::Keep,
            },
        },
        (Eq | Ne, _, Some(c)) => match cx.def(a) {
            Def::Binary(Add, x, y) if constant_of(cx, y).is_some() => {
                let d = constant_of(cx, y).expect("just checked");
                let c = cx.constant(c.wrapping_sub(d));
                again(op, x, c)
            }
            Def::Binary(Xor, x, y) if constant_of(cx, y).is_some() => {
                let d = constant_of(cx, y).expect("just checked");
                let c = cx.constant(c ^ d);
                again(op, x, c)
            }
            _ => Rewrite::Keep,
        },
        (LtU, _, Some(1)) => again_unary(Eqz, a),
        (GeU, _, Some(1)) | (LtU, Some(0), _) => {
            let (value, zero) = (if op == GeU { a } else { b }, cx.constant(0));
            again(Ne, value, zero)
        }
        (GeU, Some(0), _) => again_unary(Eqz, b),
        // Constants last.
        (LtU, Some(c), _) if c < max_b => {
            let c = cx.constant(c + 1);
            again(GeU, b, c)
        }
        (GeU, Some(c), _) if c < max_b => {
            let c = cx.constant(c + 1);
            again(LtU, b, c)
        }
        (LtS | GeS, Some(c), _) if c != i32::MAX as u32 => {
            let c = cx.constant(c.wrapping_add(1));
            again(if op == LtS { GeS } else { LtS }, b, c)
        }
        (LtU, _, Some(c)) if max_a < c => Rewrite::Const(1),
        (GeU, _, Some(c)) if max_a < c => Rewrite::Const(0),
        (LtU, Some(c), _) if max_b <= c => Rewrite::Const(0),
        (GeU, Some(c), _) if max_b <= c => Rewrite::Const(1),
        (LtU, _, Some(0)) => Rewrite::Const(0),
        (GeU, _, Some(0)) => Rewrite::Const(1),
        // Without sign bits, the unsigned comparison is the same, and cheaper.
        (LtS, ..) if max_a.max(max_b) < 1 << 31 => again(LtU, a, b),
        (GeS, ..) if max_a.max(max_b) < 1 << 31 => again(GeU, a, b),
        _ => Rewrite::Keep,
    }
}

fn fold_select(cx: &mut impl Known, cond: Value, a: Value, b: Value) -> Rewrite {
    let select = |cond, a, b| Rewrite::Again(Op::Select, smallvec![cond, a, b]);
    if a == b {
        return Rewrite::Value(a);
    }
    if let Some(c) = constant_of(cx, cond) {
        return Rewrite::Value(if c != 0 { a } else { b });
    }
    if let Some(zero) = cx.known(cond) {
        return Rewrite::Value(if zero { b } else { a });
    }
    match cx.def(cond) {
        Def::Unary(Eqz, x) => return select(x, b, a),
        Def::Binary(Ne, x, y) if constant_of(cx, y) == Some(0) => return select(x, a, b),
        _ => {}
    }
    let boolean = cx.bound(cond).max <= 1;
    match (constant_of(cx, a), constant_of(cx, b)) {
        (Some(1), Some(0)) if boolean => return Rewrite::Value(cond),
        (Some(1), Some(0)) => {
            let zero = cx.constant(0);
            return again(Ne, cond, zero);
        }
        (Some(0), Some(1)) => return again_unary(Eqz, cond),
        _ => {}
    }
    // The condition decides inner selects too.
    if let Def::Select(inner, x, _) = cx.def(a)
        && inner == cond
    {
        return select(cond, x, b);
    }
    if let Def::Select(inner, _, y) = cx.def(b)
        && inner == cond
    {
        return select(cond, a, y);
    }
    if b == cond {
        // Where `b` is selected, the condition is 0.
        let zero = cx.constant(0);
        return select(cond, a, zero);
    }
    if a == cond && boolean {
        let one = cx.constant(1);
        return select(cond, one, b);
    }
    Rewrite::Keep
}
