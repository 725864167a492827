//! The table of supported instructions, and everything that follows from it.
//!
//! An instruction that is in the table compiles, as its entry's [`Becomes`] says; anything else is refused.
//! The frontend, the list in `docs/instructions.md` and the test of every single instruction
//! (`tests/tests/instructions.rs`) read it, and have no list of their own.
//!
//! `docs/adding.md` says how to add an instruction. Entries that are too long for their columns may stick out.

use wasm2onnx_runtime::ValueType;
use wasmparser::{MemArg, Operator};

pub use crate::float::compare::Compare;
use crate::ir::{BinaryOp, FloatOp, Type, UnaryOp};

/// A supported instruction: an entry of the table.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    /// Section of the table.
    pub kind: Kind,
    /// Name in the text format.
    pub name: &'static str,
    /// Types of its operands; empty if they depend on the context, as for all control, parametric
    /// and variable instructions.
    pub params: &'static [ValueType],
    /// Types of its results, likewise.
    pub results: &'static [ValueType],
    /// What the frontend makes of it.
    pub becomes: Becomes,
    /// What it adds to its packet if nothing is known about its operands. For people.
    pub how: &'static str,
}

/// A section of the table; the sections are those of the WebAssembly specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Structure, jumps and calls.
    Control,
    /// Instructions on operands of any type.
    Parametric,
    /// Locals and globals.
    Variable,
    /// References.
    Reference,
    /// Tables.
    Table,
    /// Linear memory.
    Memory,
    /// Instructions on integers, and conversions to them.
    Integer,
    /// Instructions on floats, and conversions to them.
    Float,
}

/// What the frontend makes of an instruction. The types of operations are those of the entry's
/// operands (for loads of the result, for stores of the last operand), floats as their bits.
#[derive(Clone, Copy, Debug)]
pub enum Becomes {
    /// Several things, an effect, or nothing: written out in `frontend/body.rs`.
    Own,
    /// The constant that is its immediate.
    Const,
    /// An operation on one operand.
    Unary(UnaryOp),
    /// An operation on two operands.
    Binary(BinaryOp),
    /// An operation on the operands in exchanged order: a > b is b < a.
    Swapped(BinaryOp),
    /// A division, behind the checks for the traps that WebAssembly has.
    Division(BinaryOp),
    /// Its operand, whose bits stay the same.
    Reinterpret,
    /// Operations on the sign of floats.
    Sign(SignOp),
    /// Float arithmetic.
    Float(FloatOp),
    /// A difference of floats: the sum with the sign of the second operand flipped.
    FloatDifference,
    /// A comparison of floats.
    FloatCompare(Compare),
    /// The lesser or the greater of two floats.
    FloatExtremum {
        /// Whether it is the greater one.
        greatest: bool,
    },
    /// The integer part of a float, behind the checks for the traps that WebAssembly has.
    Truncation {
        /// Whether the integer has a sign.
        signed: bool,
    },
    /// A read of memory behind a check of its bounds.
    Load {
        /// Number of bytes.
        bytes: u8,
        /// Whether the sign is extended.
        signed: bool,
    },
    /// A write to memory behind a check of its bounds.
    Store {
        /// Number of bytes.
        bytes: u8,
    },
}

/// Operations on the sign of floats, including NaNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOp {
    /// Flips the sign.
    Neg,
    /// Clears the sign.
    Abs,
    /// Takes the sign of the second operand.
    Copysign,
}

impl Instruction {
    /// Returns the entry of an operator, or `None` if it is not supported.
    pub fn of(op: &Operator) -> Option<&'static Instruction> {
        index(op).map(|index| &INSTRUCTIONS[index])
    }
}

use Becomes::*;
use BinaryOp::*;
use SignOp::*;
use UnaryOp::*;

// How things are computed: texts that several entries share, and texts that are too long for an entry's line.
const NOTHING: &str = "nothing";
const CONSTANT: &str = "a constant";
const CHOICE: &str = "a gate chooses the next packet's id (or selects, if both ways are short)";
const BRANCH_TABLE: &str = "the next packet's id is read from a table, or chosen by gates if there are few";
const CALL: &str = "rows for values that live across the call and for the return; the next packet's id (or the callee's code in place)";
const INDIRECT_CALL: &str = "reads of the entry's type and function, two checks, then a call";
const TAIL_CALL: &str =
    "the next packet's id; a jump if the function calls itself (or the callee's code in place)";
const INDIRECT_TAIL_CALL: &str = "reads of the entry's type and function, two checks, then a tail call";
const MEMORY_SIZE: &str = "a read of the trace; a constant if the memory cannot grow";
const SELECT: &str = "one unit per word";
const REFERENCE: &str = "a constant: the number of the function's reference";
const TABLE_GET: &str = "a gate for the bounds, a read of the trace";
const TABLE_SET: &str = "a gate for the bounds, a row";
const SIZE: &str = "a read of the trace; a constant if nothing makes the table grow";
const COPY: &str = "gates for the bounds; reads and rows for 16 cells per token, in a routine unless the length is a small constant";
const FILL: &str =
    "a gate for the bounds; rows for 16 cells per token, in a routine unless the length is a small constant";
const DROP_SEGMENT: &str = "a row for the segment's length";
const LOAD: &str = "a gate for the bounds, a read of the trace for each byte";
const STORE: &str = "a gate for the bounds, a row for each byte";
const EQUAL: &str = "one or two gates";
const ORDER: &str = "one gate";
const WIDE_COMPARE: &str = "comparisons of both words";
const COUNT: &str = "a table read for each byte";
const LEADING: &str = "a table read and a unit for each byte";
const WIDE_COUNT: &str = "counts of both words";
const WIDE_LEADING: &str = "counts of both words, and a select";
const SUM: &str = "a linear form; one unit where it must be wrapped";
const WIDE_SUM: &str = "sums of words, and a carry";
const PRODUCT: &str = "two units, for the halves of a factor; by a constant, a linear form";
const WIDE_PRODUCT: &str = "products of words, one of them with its high word";
const DIVISION: &str = "a check, and a call of a library routine; by a constant, one unit and the signs";
const WIDE_DIVISION: &str =
    "a check, and a call of a library routine; by a constant below 2^16, divisions of words by it";
const BYTES: &str = "a table read for each byte; by a constant, bit fields";
const WIDE_BYTES: &str = "the same operation on both words";
const WIDE_SHIFT: &str = "shifts of both words, and selects; by a constant, bit fields";
const LOW: &str = "nothing: the low word is already there";
const SIGN: &str = "one unit, for the sign";
const MASK: &str = "the sign is a bit field";
const FLOAT: &str = "a call of a library routine";
const FLOAT_COMPARE: &str = "comparisons of magnitudes and signs, and selects";
const FLOAT_SELECT: &str = "a comparison, and selects";
const FLOAT_CHECKED: &str = "two checks of the magnitude, and a shift by a variable";
const FLOAT_WIDE_CHECKED: &str = "two checks of the magnitude, and a call of a library routine";

const fn from_int(signed: bool, to: Type) -> FloatOp {
    FloatOp::FromInt { signed, to }
}

const fn to_int(signed: bool, to: Type) -> FloatOp {
    FloatOp::ToInt { signed, to }
}

/// Makes the table, and the function from an operator to its entry, out of entries
/// `Operator "name" [operands] [results] what it becomes, how it is computed;`.
macro_rules! instructions {
    ($($kind:ident {$(
        $op:ident $({ $memarg:ident })? $name:literal [$($param:ident)*] [$($result:ident)*]
        $becomes:expr, $how:expr;
    )*})*) => {
        /// All supported instructions.
        pub const INSTRUCTIONS: &[Instruction] = &[$($(Instruction {
            kind: Kind::$kind,
            name: $name,
            params: &[$(ValueType::$param),*],
            results: &[$(ValueType::$result),*],
            becomes: $becomes,
            how: $how,
        },)*)*];

        /// Returns the index of an operator's entry in the table.
        fn index(op: &Operator) -> Option<usize> {
            enum Row { $($($op,)*)* }
            Some(match op {
                $($(Operator::$op { .. } => Row::$op,)*)*
                _ => return None,
            } as usize)
        }

        /// Returns the offset and alignment of a load or store of the table.
        pub(crate) fn memarg<'a>(op: &'a Operator) -> Option<&'a MemArg> {
            match op {
                $($($(Operator::$op { $memarg } => Some($memarg),)?)*)*
                _ => None,
            }
        }
    };
}

instructions! {
    Control {
        Unreachable            "unreachable"          []         []     Own,                               "the packet ends in a trap";
        Nop                    "nop"                  []         []     Own,                               NOTHING;
        Block                  "block"                []         []     Own,                               NOTHING;
        Loop                   "loop"                 []         []     Own,                               "a packet begins";
        If                     "if"                   []         []     Own,                               CHOICE;
        Else                   "else"                 []         []     Own,                               NOTHING;
        End                    "end"                  []         []     Own,                               NOTHING;
        Br                     "br"                   []         []     Own,                               "the next packet's id; the parameters' new values";
        BrIf                   "br_if"                []         []     Own,                               CHOICE;
        BrTable                "br_table"             []         []     Own,                               BRANCH_TABLE;
        Return                 "return"               []         []     Own,                               "the next packet's id is read from the trace";
        Call                   "call"                 []         []     Own,                               CALL;
        CallIndirect           "call_indirect"        []         []     Own,                               INDIRECT_CALL;
        ReturnCall             "return_call"          []         []     Own,                               TAIL_CALL;
        ReturnCallIndirect     "return_call_indirect" []         []     Own,                               INDIRECT_TAIL_CALL;
    }
    Parametric {
        Drop                   "drop"                 []         []     Own,                               NOTHING;
        Select                 "select"               []         []     Own,                               SELECT;
        TypedSelect            "select (result t)"    []         []     Own,                               SELECT;
    }
    Variable {
        LocalGet               "local.get"            []         []     Own,                               NOTHING;
        LocalSet               "local.set"            []         []     Own,                               NOTHING;
        LocalTee               "local.tee"            []         []     Own,                               NOTHING;
        GlobalGet              "global.get"           []         []     Own,                               "a read of the trace for each word";
        GlobalSet              "global.set"           []         []     Own,                               "a row for each word";
    }
    Reference {
        RefNull                "ref.null"             []         []     Own,                               CONSTANT;
        RefIsNull              "ref.is_null"          []         [I32]  Own,                               EQUAL;
        RefFunc                "ref.func"             []         [FuncRef] Own,                               REFERENCE;
    }
    Table {
        TableGet               "table.get"            [I32]      []     Own,                               TABLE_GET;
        TableSet               "table.set"            []         []     Own,                               TABLE_SET;
        TableSize              "table.size"           []         [I32]  Own,                               SIZE;
        TableGrow              "table.grow"           []         [I32]  Own,                               "a comparison, selects and a row; then as table.fill";
        TableFill              "table.fill"           []         []     Own,                               FILL;
        TableCopy              "table.copy"           [I32 I32 I32] []     Own,                               COPY;
        TableInit              "table.init"           [I32 I32 I32] []     Own,                               COPY;
        ElemDrop               "elem.drop"            []         []     Own,                               DROP_SEGMENT;
    }
    Memory {
        MemorySize             "memory.size"          []         [I32]  Own,                               MEMORY_SIZE;
        MemoryGrow             "memory.grow"          [I32]      [I32]  Own,                               "a comparison, a select and a row";
        MemoryFill             "memory.fill"          [I32 I32 I32] []     Own,                               FILL;
        MemoryCopy             "memory.copy"          [I32 I32 I32] []     Own,                               COPY;
        MemoryInit             "memory.init"          [I32 I32 I32] []     Own,                               COPY;
        DataDrop               "data.drop"            []         []     Own,                               DROP_SEGMENT;
        I32Load { memarg }     "i32.load"             [I32]      [I32]  Load { bytes: 4, signed: false },  LOAD;
        I64Load { memarg }     "i64.load"             [I32]      [I64]  Load { bytes: 8, signed: false },  LOAD;
        F32Load { memarg }     "f32.load"             [I32]      [F32]  Load { bytes: 4, signed: false },  LOAD;
        F64Load { memarg }     "f64.load"             [I32]      [F64]  Load { bytes: 8, signed: false },  LOAD;
        I32Load8S { memarg }   "i32.load8_s"          [I32]      [I32]  Load { bytes: 1, signed: true },   LOAD;
        I32Load8U { memarg }   "i32.load8_u"          [I32]      [I32]  Load { bytes: 1, signed: false },  LOAD;
        I32Load16S { memarg }  "i32.load16_s"         [I32]      [I32]  Load { bytes: 2, signed: true },   LOAD;
        I32Load16U { memarg }  "i32.load16_u"         [I32]      [I32]  Load { bytes: 2, signed: false },  LOAD;
        I64Load8S { memarg }   "i64.load8_s"          [I32]      [I64]  Load { bytes: 1, signed: true },   LOAD;
        I64Load8U { memarg }   "i64.load8_u"          [I32]      [I64]  Load { bytes: 1, signed: false },  LOAD;
        I64Load16S { memarg }  "i64.load16_s"         [I32]      [I64]  Load { bytes: 2, signed: true },   LOAD;
        I64Load16U { memarg }  "i64.load16_u"         [I32]      [I64]  Load { bytes: 2, signed: false },  LOAD;
        I64Load32S { memarg }  "i64.load32_s"         [I32]      [I64]  Load { bytes: 4, signed: true },   LOAD;
        I64Load32U { memarg }  "i64.load32_u"         [I32]      [I64]  Load { bytes: 4, signed: false },  LOAD;
        I32Store { memarg }    "i32.store"            [I32 I32]  []     Store { bytes: 4 },                STORE;
        I64Store { memarg }    "i64.store"            [I32 I64]  []     Store { bytes: 8 },                STORE;
        F32Store { memarg }    "f32.store"            [I32 F32]  []     Store { bytes: 4 },                STORE;
        F64Store { memarg }    "f64.store"            [I32 F64]  []     Store { bytes: 8 },                STORE;
        I32Store8 { memarg }   "i32.store8"           [I32 I32]  []     Store { bytes: 1 },                STORE;
        I32Store16 { memarg }  "i32.store16"          [I32 I32]  []     Store { bytes: 2 },                STORE;
        I64Store8 { memarg }   "i64.store8"           [I32 I64]  []     Store { bytes: 1 },                STORE;
        I64Store16 { memarg }  "i64.store16"          [I32 I64]  []     Store { bytes: 2 },                STORE;
        I64Store32 { memarg }  "i64.store32"          [I32 I64]  []     Store { bytes: 4 },                STORE;
    }
    Integer {
        I32Const               "i32.const"            []         [I32]  Const,                             CONSTANT;
        I32Eqz                 "i32.eqz"              [I32]      [I32]  Unary(Eqz),                        EQUAL;
        I32Eq                  "i32.eq"               [I32 I32]  [I32]  Binary(Eq),                        EQUAL;
        I32Ne                  "i32.ne"               [I32 I32]  [I32]  Binary(Ne),                        EQUAL;
        I32LtS                 "i32.lt_s"             [I32 I32]  [I32]  Binary(LtS),                       ORDER;
        I32LtU                 "i32.lt_u"             [I32 I32]  [I32]  Binary(LtU),                       ORDER;
        I32GtS                 "i32.gt_s"             [I32 I32]  [I32]  Swapped(LtS),                      ORDER;
        I32GtU                 "i32.gt_u"             [I32 I32]  [I32]  Swapped(LtU),                      ORDER;
        I32LeS                 "i32.le_s"             [I32 I32]  [I32]  Swapped(GeS),                      ORDER;
        I32LeU                 "i32.le_u"             [I32 I32]  [I32]  Swapped(GeU),                      ORDER;
        I32GeS                 "i32.ge_s"             [I32 I32]  [I32]  Binary(GeS),                       ORDER;
        I32GeU                 "i32.ge_u"             [I32 I32]  [I32]  Binary(GeU),                       ORDER;
        I32Clz                 "i32.clz"              [I32]      [I32]  Unary(Clz),                        LEADING;
        I32Ctz                 "i32.ctz"              [I32]      [I32]  Unary(Ctz),                        LEADING;
        I32Popcnt              "i32.popcnt"           [I32]      [I32]  Unary(Popcnt),                     COUNT;
        I32Add                 "i32.add"              [I32 I32]  [I32]  Binary(Add),                       SUM;
        I32Sub                 "i32.sub"              [I32 I32]  [I32]  Binary(Sub),                       SUM;
        I32Mul                 "i32.mul"              [I32 I32]  [I32]  Binary(Mul),                       PRODUCT;
        I32DivS                "i32.div_s"            [I32 I32]  [I32]  Division(DivS),                    DIVISION;
        I32DivU                "i32.div_u"            [I32 I32]  [I32]  Division(DivU),                    DIVISION;
        I32RemS                "i32.rem_s"            [I32 I32]  [I32]  Division(RemS),                    DIVISION;
        I32RemU                "i32.rem_u"            [I32 I32]  [I32]  Division(RemU),                    DIVISION;
        I32And                 "i32.and"              [I32 I32]  [I32]  Binary(And),                       BYTES;
        I32Or                  "i32.or"               [I32 I32]  [I32]  Binary(Or),                        BYTES;
        I32Xor                 "i32.xor"              [I32 I32]  [I32]  Binary(Xor),                       BYTES;
        I32Shl                 "i32.shl"              [I32 I32]  [I32]  Binary(Shl),                       BYTES;
        I32ShrS                "i32.shr_s"            [I32 I32]  [I32]  Binary(ShrS),                      BYTES;
        I32ShrU                "i32.shr_u"            [I32 I32]  [I32]  Binary(ShrU),                      BYTES;
        I32Rotl                "i32.rotl"             [I32 I32]  [I32]  Binary(Rotl),                      BYTES;
        I32Rotr                "i32.rotr"             [I32 I32]  [I32]  Binary(Rotr),                      BYTES;
        I32WrapI64             "i32.wrap_i64"         [I64]      [I32]  Unary(Wrap),                       LOW;
        I32TruncF32S           "i32.trunc_f32_s"      [F32]      [I32]  Truncation { signed: true },       FLOAT_CHECKED;
        I32TruncF32U           "i32.trunc_f32_u"      [F32]      [I32]  Truncation { signed: false },      FLOAT_CHECKED;
        I32TruncF64S           "i32.trunc_f64_s"      [F64]      [I32]  Truncation { signed: true },       FLOAT_CHECKED;
        I32TruncF64U           "i32.trunc_f64_u"      [F64]      [I32]  Truncation { signed: false },      FLOAT_CHECKED;
        I32TruncSatF32S        "i32.trunc_sat_f32_s"  [F32]      [I32]  Float(to_int(true, Type::I32)),    FLOAT;
        I32TruncSatF32U        "i32.trunc_sat_f32_u"  [F32]      [I32]  Float(to_int(false, Type::I32)),   FLOAT;
        I32TruncSatF64S        "i32.trunc_sat_f64_s"  [F64]      [I32]  Float(to_int(true, Type::I32)),    FLOAT;
        I32TruncSatF64U        "i32.trunc_sat_f64_u"  [F64]      [I32]  Float(to_int(false, Type::I32)),   FLOAT;
        I32ReinterpretF32      "i32.reinterpret_f32"  [F32]      [I32]  Reinterpret,                       NOTHING;
        I32Extend8S            "i32.extend8_s"        [I32]      [I32]  Unary(Extend8S),                   SIGN;
        I32Extend16S           "i32.extend16_s"       [I32]      [I32]  Unary(Extend16S),                  SIGN;
        I64Const               "i64.const"            []         [I64]  Const,                             CONSTANT;
        I64Eqz                 "i64.eqz"              [I64]      [I32]  Unary(Eqz),                        WIDE_COMPARE;
        I64Eq                  "i64.eq"               [I64 I64]  [I32]  Binary(Eq),                        WIDE_COMPARE;
        I64Ne                  "i64.ne"               [I64 I64]  [I32]  Binary(Ne),                        WIDE_COMPARE;
        I64LtS                 "i64.lt_s"             [I64 I64]  [I32]  Binary(LtS),                       WIDE_COMPARE;
        I64LtU                 "i64.lt_u"             [I64 I64]  [I32]  Binary(LtU),                       WIDE_COMPARE;
        I64GtS                 "i64.gt_s"             [I64 I64]  [I32]  Swapped(LtS),                      WIDE_COMPARE;
        I64GtU                 "i64.gt_u"             [I64 I64]  [I32]  Swapped(LtU),                      WIDE_COMPARE;
        I64LeS                 "i64.le_s"             [I64 I64]  [I32]  Swapped(GeS),                      WIDE_COMPARE;
        I64LeU                 "i64.le_u"             [I64 I64]  [I32]  Swapped(GeU),                      WIDE_COMPARE;
        I64GeS                 "i64.ge_s"             [I64 I64]  [I32]  Binary(GeS),                       WIDE_COMPARE;
        I64GeU                 "i64.ge_u"             [I64 I64]  [I32]  Binary(GeU),                       WIDE_COMPARE;
        I64Clz                 "i64.clz"              [I64]      [I64]  Unary(Clz),                        WIDE_LEADING;
        I64Ctz                 "i64.ctz"              [I64]      [I64]  Unary(Ctz),                        WIDE_LEADING;
        I64Popcnt              "i64.popcnt"           [I64]      [I64]  Unary(Popcnt),                     WIDE_COUNT;
        I64Add                 "i64.add"              [I64 I64]  [I64]  Binary(Add),                       WIDE_SUM;
        I64Sub                 "i64.sub"              [I64 I64]  [I64]  Binary(Sub),                       WIDE_SUM;
        I64Mul                 "i64.mul"              [I64 I64]  [I64]  Binary(Mul),                       WIDE_PRODUCT;
        I64DivS                "i64.div_s"            [I64 I64]  [I64]  Division(DivS),                    WIDE_DIVISION;
        I64DivU                "i64.div_u"            [I64 I64]  [I64]  Division(DivU),                    WIDE_DIVISION;
        I64RemS                "i64.rem_s"            [I64 I64]  [I64]  Division(RemS),                    WIDE_DIVISION;
        I64RemU                "i64.rem_u"            [I64 I64]  [I64]  Division(RemU),                    WIDE_DIVISION;
        I64And                 "i64.and"              [I64 I64]  [I64]  Binary(And),                       WIDE_BYTES;
        I64Or                  "i64.or"               [I64 I64]  [I64]  Binary(Or),                        WIDE_BYTES;
        I64Xor                 "i64.xor"              [I64 I64]  [I64]  Binary(Xor),                       WIDE_BYTES;
        I64Shl                 "i64.shl"              [I64 I64]  [I64]  Binary(Shl),                       WIDE_SHIFT;
        I64ShrS                "i64.shr_s"            [I64 I64]  [I64]  Binary(ShrS),                      WIDE_SHIFT;
        I64ShrU                "i64.shr_u"            [I64 I64]  [I64]  Binary(ShrU),                      WIDE_SHIFT;
        I64Rotl                "i64.rotl"             [I64 I64]  [I64]  Binary(Rotl),                      WIDE_SHIFT;
        I64Rotr                "i64.rotr"             [I64 I64]  [I64]  Binary(Rotr),                      WIDE_SHIFT;
        I64ExtendI32S          "i64.extend_i32_s"     [I32]      [I64]  Unary(ExtendS),                    SIGN;
        I64ExtendI32U          "i64.extend_i32_u"     [I32]      [I64]  Unary(ExtendU),                    NOTHING;
        I64TruncF32S           "i64.trunc_f32_s"      [F32]      [I64]  Truncation { signed: true },       FLOAT_WIDE_CHECKED;
        I64TruncF32U           "i64.trunc_f32_u"      [F32]      [I64]  Truncation { signed: false },      FLOAT_WIDE_CHECKED;
        I64TruncF64S           "i64.trunc_f64_s"      [F64]      [I64]  Truncation { signed: true },       FLOAT_WIDE_CHECKED;
        I64TruncF64U           "i64.trunc_f64_u"      [F64]      [I64]  Truncation { signed: false },      FLOAT_WIDE_CHECKED;
        I64TruncSatF32S        "i64.trunc_sat_f32_s"  [F32]      [I64]  Float(to_int(true, Type::I64)),    FLOAT;
        I64TruncSatF32U        "i64.trunc_sat_f32_u"  [F32]      [I64]  Float(to_int(false, Type::I64)),   FLOAT;
        I64TruncSatF64S        "i64.trunc_sat_f64_s"  [F64]      [I64]  Float(to_int(true, Type::I64)),    FLOAT;
        I64TruncSatF64U        "i64.trunc_sat_f64_u"  [F64]      [I64]  Float(to_int(false, Type::I64)),   FLOAT;
        I64ReinterpretF64      "i64.reinterpret_f64"  [F64]      [I64]  Reinterpret,                       NOTHING;
        I64Extend8S            "i64.extend8_s"        [I64]      [I64]  Unary(Extend8S),                   SIGN;
        I64Extend16S           "i64.extend16_s"       [I64]      [I64]  Unary(Extend16S),                  SIGN;
        I64Extend32S           "i64.extend32_s"       [I64]      [I64]  Unary(Extend32S),                  SIGN;
    }
    Float {
        F32Const               "f32.const"            []         [F32]  Const,                             CONSTANT;
        F32Eq                  "f32.eq"               [F32 F32]  [I32]  FloatCompare(Compare::Eq),         FLOAT_COMPARE;
        F32Ne                  "f32.ne"               [F32 F32]  [I32]  FloatCompare(Compare::Ne),         FLOAT_COMPARE;
        F32Lt                  "f32.lt"               [F32 F32]  [I32]  FloatCompare(Compare::Lt),         FLOAT_COMPARE;
        F32Gt                  "f32.gt"               [F32 F32]  [I32]  FloatCompare(Compare::Gt),         FLOAT_COMPARE;
        F32Le                  "f32.le"               [F32 F32]  [I32]  FloatCompare(Compare::Le),         FLOAT_COMPARE;
        F32Ge                  "f32.ge"               [F32 F32]  [I32]  FloatCompare(Compare::Ge),         FLOAT_COMPARE;
        F32Abs                 "f32.abs"              [F32]      [F32]  Sign(Abs),                         MASK;
        F32Neg                 "f32.neg"              [F32]      [F32]  Sign(Neg),                         MASK;
        F32Ceil                "f32.ceil"             [F32]      [F32]  Float(FloatOp::Ceil),              FLOAT;
        F32Floor               "f32.floor"            [F32]      [F32]  Float(FloatOp::Floor),             FLOAT;
        F32Trunc               "f32.trunc"            [F32]      [F32]  Float(FloatOp::Trunc),             FLOAT;
        F32Nearest             "f32.nearest"          [F32]      [F32]  Float(FloatOp::Nearest),           FLOAT;
        F32Sqrt                "f32.sqrt"             [F32]      [F32]  Float(FloatOp::Sqrt),              FLOAT;
        F32Add                 "f32.add"              [F32 F32]  [F32]  Float(FloatOp::Add),               FLOAT;
        F32Sub                 "f32.sub"              [F32 F32]  [F32]  FloatDifference,                   FLOAT;
        F32Mul                 "f32.mul"              [F32 F32]  [F32]  Float(FloatOp::Mul),               FLOAT;
        F32Div                 "f32.div"              [F32 F32]  [F32]  Float(FloatOp::Div),               FLOAT;
        F32Min                 "f32.min"              [F32 F32]  [F32]  FloatExtremum { greatest: false }, FLOAT_SELECT;
        F32Max                 "f32.max"              [F32 F32]  [F32]  FloatExtremum { greatest: true },  FLOAT_SELECT;
        F32Copysign            "f32.copysign"         [F32 F32]  [F32]  Sign(Copysign),                    MASK;
        F32ConvertI32S         "f32.convert_i32_s"    [I32]      [F32]  Float(from_int(true, Type::I32)),  FLOAT;
        F32ConvertI32U         "f32.convert_i32_u"    [I32]      [F32]  Float(from_int(false, Type::I32)), FLOAT;
        F32ConvertI64S         "f32.convert_i64_s"    [I64]      [F32]  Float(from_int(true, Type::I32)),  FLOAT;
        F32ConvertI64U         "f32.convert_i64_u"    [I64]      [F32]  Float(from_int(false, Type::I32)), FLOAT;
        F32DemoteF64           "f32.demote_f64"       [F64]      [F32]  Float(FloatOp::Demote),            FLOAT;
        F32ReinterpretI32      "f32.reinterpret_i32"  [I32]      [F32]  Reinterpret,                       NOTHING;
        F64Const               "f64.const"            []         [F64]  Const,                             CONSTANT;
        F64Eq                  "f64.eq"               [F64 F64]  [I32]  FloatCompare(Compare::Eq),         FLOAT_COMPARE;
        F64Ne                  "f64.ne"               [F64 F64]  [I32]  FloatCompare(Compare::Ne),         FLOAT_COMPARE;
        F64Lt                  "f64.lt"               [F64 F64]  [I32]  FloatCompare(Compare::Lt),         FLOAT_COMPARE;
        F64Gt                  "f64.gt"               [F64 F64]  [I32]  FloatCompare(Compare::Gt),         FLOAT_COMPARE;
        F64Le                  "f64.le"               [F64 F64]  [I32]  FloatCompare(Compare::Le),         FLOAT_COMPARE;
        F64Ge                  "f64.ge"               [F64 F64]  [I32]  FloatCompare(Compare::Ge),         FLOAT_COMPARE;
        F64Abs                 "f64.abs"              [F64]      [F64]  Sign(Abs),                         MASK;
        F64Neg                 "f64.neg"              [F64]      [F64]  Sign(Neg),                         MASK;
        F64Ceil                "f64.ceil"             [F64]      [F64]  Float(FloatOp::Ceil),              FLOAT;
        F64Floor               "f64.floor"            [F64]      [F64]  Float(FloatOp::Floor),             FLOAT;
        F64Trunc               "f64.trunc"            [F64]      [F64]  Float(FloatOp::Trunc),             FLOAT;
        F64Nearest             "f64.nearest"          [F64]      [F64]  Float(FloatOp::Nearest),           FLOAT;
        F64Sqrt                "f64.sqrt"             [F64]      [F64]  Float(FloatOp::Sqrt),              FLOAT;
        F64Add                 "f64.add"              [F64 F64]  [F64]  Float(FloatOp::Add),               FLOAT;
        F64Sub                 "f64.sub"              [F64 F64]  [F64]  FloatDifference,                   FLOAT;
        F64Mul                 "f64.mul"              [F64 F64]  [F64]  Float(FloatOp::Mul),               FLOAT;
        F64Div                 "f64.div"              [F64 F64]  [F64]  Float(FloatOp::Div),               FLOAT;
        F64Min                 "f64.min"              [F64 F64]  [F64]  FloatExtremum { greatest: false }, FLOAT_SELECT;
        F64Max                 "f64.max"              [F64 F64]  [F64]  FloatExtremum { greatest: true },  FLOAT_SELECT;
        F64Copysign            "f64.copysign"         [F64 F64]  [F64]  Sign(Copysign),                    MASK;
        F64ConvertI32S         "f64.convert_i32_s"    [I32]      [F64]  Float(from_int(true, Type::I64)),  FLOAT;
        F64ConvertI32U         "f64.convert_i32_u"    [I32]      [F64]  Float(from_int(false, Type::I64)), FLOAT;
        F64ConvertI64S         "f64.convert_i64_s"    [I64]      [F64]  Float(from_int(true, Type::I64)),  FLOAT;
        F64ConvertI64U         "f64.convert_i64_u"    [I64]      [F64]  Float(from_int(false, Type::I64)), FLOAT;
        F64PromoteF32          "f64.promote_f32"      [F32]      [F64]  Float(FloatOp::Promote),           FLOAT;
        F64ReinterpretI64      "f64.reinterpret_i64"  [I64]      [F64]  Reinterpret,                       NOTHING;
    }
}
