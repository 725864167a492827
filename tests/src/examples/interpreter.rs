use fastrand::Rng;

use super::{Answer, Call};

const VARIABLES: usize = 64;

/// An instruction: its code, and whether a word follows.
type Op = (i32, bool);

const PUSH: Op = (1, true);
const DUP: Op = (2, false);
const DROP: Op = (3, false);
const SWAP: Op = (4, false);
const OVER: Op = (5, false);
const ADD: Op = (6, false);
const SUB: Op = (7, false);
const MUL: Op = (8, false);
const DIV: Op = (9, false);
const REM: Op = (10, false);
const AND: Op = (11, false);
const OR: Op = (12, false);
const XOR: Op = (13, false);
const SHL: Op = (14, false);
const SHR: Op = (15, false);
const LESS: Op = (16, false);
const EQUAL: Op = (17, false);
const NOT: Op = (18, false);
const JUMP: Op = (19, true);
const JUMP_IF_ZERO: Op = (20, true);
const LOAD: Op = (21, true);
const STORE: Op = (22, true);
const CALL: Op = (23, true);
const RETURN: Op = (24, false);
const PRINT: Op = (25, false);
const EMIT: Op = (26, false);
const HALT: Op = (0, false);

/// Makes a program with a counted loop around random statements and a subroutine, which prints its variables
/// at the end.
pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let mut program = Program { rng, words: Vec::new() };
    program.op(JUMP, 0);
    // A subroutine that makes one number of another.
    let subroutine = program.here();
    program.op(SWAP, 0);
    program.op(DUP, 0);
    for _ in 0..2 {
        program.expression(1);
        program.binary();
    }
    program.binary();
    program.op(SWAP, 0);
    program.op(RETURN, 0);
    program.words[1] = program.here();

    let counter = 7;
    // About 50 instructions per operation and about 100 operations per round.
    let rounds = (instructions / 5_000).clamp(1, i32::MAX as u64) as i32;
    program.op(PUSH, rounds);
    program.op(STORE, counter);
    let start = program.here();
    for _ in 0..program.rng.usize(5..10) {
        program.statement(subroutine);
    }
    program.op(LOAD, counter);
    program.op(PUSH, 1);
    program.op(SUB, 0);
    program.op(DUP, 0);
    program.op(STORE, counter);
    program.op(NOT, 0);
    program.op(JUMP_IF_ZERO, start);

    for variable in 0..4 {
        program.op(LOAD, variable);
        program.op(PRINT, 0);
    }
    program.op(PUSH, i32::from(b'!'));
    program.op(EMIT, 0);
    program.op(HALT, 0);

    let words: Vec<_> = program.words.iter().map(i32::to_string).collect();
    Call::start(format!("# {rounds} rounds\n{}\n", words.join(" ")))
}

struct Program<'r> {
    rng: &'r mut Rng,
    words: Vec<i32>,
}

impl Program<'_> {
    fn here(&self) -> i32 {
        self.words.len() as i32
    }

    fn op(&mut self, (code, has_operand): Op, operand: i32) {
        self.words.push(code);
        if has_operand {
            self.words.push(operand);
        }
    }

    /// Assigns the value of an expression to one of the first four variables, on a condition or always.
    fn statement(&mut self, subroutine: i32) {
        let mut skip = None;
        if self.rng.u32(0..3) == 0 {
            self.expression(1);
            self.expression(1);
            let compare = if self.rng.bool() { LESS } else { EQUAL };
            self.op(compare, 0);
            skip = Some(self.here() + 1);
            self.op(JUMP_IF_ZERO, 0);
        }
        self.expression(3);
        if self.rng.u32(0..4) == 0 {
            self.op(CALL, subroutine);
        }
        let variable = self.rng.i32(0..4);
        self.op(STORE, variable);
        if let Some(operand) = skip {
            self.words[operand as usize] = self.here();
        }
    }

    /// Writes operations that push a number.
    fn expression(&mut self, depth: u32) {
        match self.rng.u32(0..if depth == 0 { 5 } else { 12 }) {
            0 => {
                let number = self.rng.i32(..);
                self.op(PUSH, number);
            }
            1 => {
                let number = self.rng.i32(-10..100);
                self.op(PUSH, number);
            }
            2..5 => {
                let variable = self.rng.i32(0..8);
                self.op(LOAD, variable);
            }
            5 => {
                self.expression(depth - 1);
                self.op(NOT, 0);
            }
            6 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                self.op(OVER, 0);
                self.op(SUB, 0);
                self.op(ADD, 0);
            }
            7 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                self.op(DROP, 0);
            }
            _ => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                self.binary();
            }
        }
    }

    /// Writes an operation that makes one number of two.
    fn binary(&mut self) {
        #[rustfmt::skip]
        const OPS: [Op; 20] = [
            ADD, ADD, ADD, ADD, SUB, SUB, SUB, MUL, MUL, DIV, REM,
            AND, OR, XOR, SHL, SHR, LESS, LESS, EQUAL, EQUAL,
        ];
        let op = OPS[self.rng.usize(..OPS.len())];
        if op == DIV || op == REM {
            self.op(PUSH, 1);
            self.op(OR, 0);
        }
        self.op(op, 0);
    }
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let text = call.text().lines().map(|line| line.split('#').next().unwrap_or(""));
    let code: Vec<i32> =
        text.flat_map(str::split_ascii_whitespace).map(|word| word.parse().expect("a word")).collect();
    run(&code).is_some_and(|output| answer.stdout == output)
}

/// Returns what a program prints, or `None` if it is not well formed.
fn run(code: &[i32]) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    let mut stack = Vec::new();
    let mut variables = [0; VARIABLES];
    let mut pc = 0;
    loop {
        let op = *code.get(pc)?;
        let operand = code.get(pc + 1).copied().unwrap_or(0);
        pc += 1;
        let mut next = || {
            pc += 1;
            operand
        };
        match op {
            _ if stack.len() >= 250 => return None,
            0 => return Some(output),
            1 => stack.push(next()),
            2 => stack.push(*stack.last()?),
            3 => drop(stack.pop()?),
            4 => {
                let top = stack.len();
                stack.swap(top.checked_sub(1)?, top.checked_sub(2)?);
            }
            5 => stack.push(*stack.get(stack.len().checked_sub(2)?)?),
            6..=17 => {
                let (b, a): (i32, i32) = (stack.pop()?, stack.pop()?);
                stack.push(match op {
                    6 => a.wrapping_add(b),
                    7 => a.wrapping_sub(b),
                    8 => a.wrapping_mul(b),
                    9 if b == 0 => return None,
                    9 => a.wrapping_div(b),
                    10 if b == 0 => return None,
                    10 => a.wrapping_rem(b),
                    11 => a & b,
                    12 => a | b,
                    13 => a ^ b,
                    14 => a.wrapping_shl(b as u32),
                    15 => a.wrapping_shr(b as u32),
                    16 => i32::from(a < b),
                    _ => i32::from(a == b),
                });
            }
            18 => {
                let a = stack.pop()?;
                stack.push(i32::from(a == 0));
            }
            19 => pc = operand as usize,
            20 if stack.pop()? == 0 => pc = operand as usize,
            20 => pc += 1,
            21 => {
                stack.push(variables[operand as usize % VARIABLES]);
                pc += 1;
            }
            22 => {
                variables[operand as usize % VARIABLES] = stack.pop()?;
                pc += 1;
            }
            23 => {
                stack.push(pc as i32 + 1);
                pc = operand as usize;
            }
            24 => pc = stack.pop()? as usize,
            25 => output.extend(format!("{}\n", stack.pop()?).bytes()),
            26 => output.push(stack.pop()? as u8),
            _ => return None,
        }
    }
}
