//! Makes programs that fail small.

use wasm2onnx_runtime::{Value, ValueType};

use super::{Call, Expr, Program, Statement};

impl Program {
    /// Returns a smaller program that fails, found with at most `tries` tries.
    pub fn shrunk(&self, tries: usize, fails: impl FnMut(&Program) -> bool) -> Program {
        let mut shrinker = Shrinker { best: self.clone(), tries, fails };
        while shrinker.pass() && shrinker.tries > 0 {}
        shrinker.best
    }
}

struct Shrinker<F> {
    best: Program,
    /// Number of tries that are left.
    tries: usize,
    fails: F,
}

impl<F: FnMut(&Program) -> bool> Shrinker<F> {
    /// Tries everything once. Returns whether the program became smaller.
    fn pass(&mut self) -> bool {
        let tables = self.attempt(|program| std::mem::take(&mut program.tables) > 0);
        let calls = self.calls();
        let statements = self.statements();
        let exprs = self.exprs();
        let results = self.results();
        tables | calls | statements | exprs | results
    }

    /// Edits the best program, and keeps the result if it fails too. `edit` returns false if there is nothing
    /// to do.
    fn attempt(&mut self, edit: impl FnOnce(&mut Program) -> bool) -> bool {
        let mut program = self.best.clone();
        if self.tries == 0 || !edit(&mut program) {
            return false;
        }
        self.tries -= 1;
        // What is no module any more fails in other ways.
        let smaller = program.is_valid() && (self.fails)(&program);
        if smaller {
            self.best = program;
        }
        smaller
    }

    fn calls(&mut self) -> bool {
        let mut changed = false;
        for call in (0..self.best.calls.len()).rev() {
            changed |= self.attempt(|program| {
                program.calls.remove(call);
                !program.calls.is_empty()
            });
        }
        for call in 0..self.best.calls.len() {
            while self.attempt(|program| {
                let Call { function, args, .. } = &mut program.calls[call];
                match &mut args[0] {
                    Value::I32(turns) if *turns > 1 && *function + 1 == program.functions.len() => {
                        *turns /= 2;
                        true
                    }
                    _ => false,
                }
            }) {
                changed = true;
            }
            for arg in 1..self.best.calls[call].args.len() {
                changed |= self.attempt(|program| {
                    let arg = &mut program.calls[call].args[arg];
                    let zero = if arg.ty() == ValueType::I32 { Value::I32(0) } else { Value::I64(0) };
                    std::mem::replace(arg, zero) != zero
                });
            }
        }
        changed
    }

    /// Removes statements, many at a time at first, and replaces branches and loops by the statements in
    /// them.
    fn statements(&mut self) -> bool {
        let mut changed = false;
        let mut list = 0;
        while let Some(length) = with_list(&mut self.best, list, |body| body.len()) {
            let mut size = length.max(1);
            while size > 0 {
                let mut at = 0;
                while self.tries > 0 && at < with_list(&mut self.best, list, |body| body.len()).unwrap_or(0) {
                    let removed = self.attempt(|program| {
                        with_list(program, list, |body| body.drain(at..body.len().min(at + size)).count() > 0)
                            .unwrap_or(false)
                    });
                    let unwrapped =
                        !removed && size == 1 && self.attempt(|program| unwrap(program, list, at));
                    changed |= removed || unwrapped;
                    at += if removed { 0 } else { size };
                }
                size /= 2;
            }
            list += 1;
        }
        changed
    }

    /// Replaces expressions by constants and by their operands.
    fn exprs(&mut self) -> bool {
        let mut changed = false;
        let mut at = 0;
        while self.tries > 0 && with_expr(&mut self.best, at, |_| ()).is_some() {
            let mut choice = 0;
            while let Some(simpler) =
                with_expr(&mut self.best, at, |expr| simpler(expr).into_iter().nth(choice))
                    .expect("the expression is there")
            {
                if self.attempt(|program| with_expr(program, at, |expr| *expr = simpler).is_some()) {
                    changed = true;
                    choice = 0;
                } else {
                    choice += 1;
                }
            }
            at += 1;
        }
        changed
    }

    fn results(&mut self) -> bool {
        let main = self.best.functions.len() - 1;
        let mut changed = false;
        for result in (0..self.best.functions[main].results.len()).rev() {
            changed |= self.attempt(|program| {
                program.functions[main].results.remove(result);
                true
            });
        }
        changed
    }
}

/// Returns the expressions that may replace an expression.
fn simpler(expr: &Expr) -> Vec<Expr> {
    let ty = expr.ty();
    let constant = |value| Expr::Const(ty, value);
    match expr {
        Expr::Const(_, 0) => Vec::new(),
        Expr::Const(_, 1) => vec![constant(0)],
        Expr::Const(_, value) => {
            let lower = value & value.wrapping_sub(1);
            let mut all = vec![constant(0), constant(1)];
            all.extend((lower != 0 && lower.unsigned_abs() < value.unsigned_abs()).then(|| constant(lower)));
            all
        }
        Expr::Local(..) | Expr::Global(..) => vec![constant(0)],
        _ => {
            let mut all = vec![constant(0)];
            let below = expr.operands().iter().chain(expr.operands().iter().flat_map(Expr::operands));
            all.extend(below.filter(|operand| operand.ty() == ty).cloned());
            all
        }
    }
}

/// Replaces a branch or a loop by the statements in it. Returns whether there were any.
fn unwrap(program: &mut Program, list: usize, at: usize) -> bool {
    with_list(program, list, |body| {
        let inside: Vec<_> = body[at].bodies_mut().iter_mut().flat_map(std::mem::take).collect();
        let any = !inside.is_empty();
        body.splice(at..=at, inside);
        any
    })
    .unwrap_or(false)
}

/// Calls `f` with the list of statements that has this number.
fn with_list<T>(program: &mut Program, list: usize, f: impl FnOnce(&mut Vec<Statement>) -> T) -> Option<T> {
    fn find<'b>(body: &'b mut Vec<Statement>, left: &mut usize) -> Option<&'b mut Vec<Statement>> {
        if *left == 0 {
            return Some(body);
        }
        *left -= 1;
        body.iter_mut().flat_map(Statement::bodies_mut).find_map(|inner| find(inner, left))
    }
    let mut left = list;
    program.functions.iter_mut().find_map(|function| find(&mut function.body, &mut left)).map(f)
}

/// Calls `f` with the expression that has this number. The numbers of turns of loops are not counted, because
/// loops must end.
fn with_expr<T>(program: &mut Program, at: usize, f: impl FnOnce(&mut Expr) -> T) -> Option<T> {
    fn find<'e>(expr: &'e mut Expr, left: &mut usize) -> Option<&'e mut Expr> {
        if *left == 0 {
            return Some(expr);
        }
        *left -= 1;
        expr.operands_mut().iter_mut().find_map(|operand| find(operand, left))
    }
    fn find_in<'e>(body: &'e mut [Statement], left: &mut usize) -> Option<&'e mut Expr> {
        body.iter_mut().find_map(|statement| match statement {
            Statement::Loop(_, _, body) => find_in(body, left),
            Statement::If(condition, arms) => {
                find(condition, left).or_else(|| arms.iter_mut().find_map(|arm| find_in(arm, left)))
            }
            Statement::Switch(index, arms) => {
                find(index, left).or_else(|| arms.iter_mut().find_map(|arm| find_in(arm, left)))
            }
            other => other.exprs_mut().iter_mut().find_map(|expr| find(expr, left)),
        })
    }
    let mut left = at;
    let found = program.functions.iter_mut().find_map(|function| {
        find_in(&mut function.body, &mut left)
            .or_else(|| function.results.iter_mut().find_map(|result| find(result, &mut left)))
    });
    found.map(f)
}
