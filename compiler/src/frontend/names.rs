//! Names of instructions and types in the text format, for messages.

use wasmparser::{FuncType, Operator, ValType, for_each_operator};

/// Returns the name of an instruction in the text format, such as `f64.add`.
pub fn operator_name(op: &Operator) -> String {
    macro_rules! visit_name {
        ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
            match op {
                $(Operator::$op { .. } => stringify!($visit),)*
                _ => "visit_unknown",
            }
        };
    }
    let name = for_each_operator!(visit_name);
    let name = name.strip_prefix("visit_").unwrap_or(name);
    const PREFIXES: [&str; 24] = [
        "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2", "local",
        "global", "table", "memory", "ref", "data", "elem", "struct", "array", "i31", "any", "extern",
        "atomic",
    ];
    match name.split_once('_') {
        Some((prefix, rest)) if PREFIXES.contains(&prefix) => match rest.strip_prefix("atomic_") {
            // `i32.atomic.rmw.add` is written with dots throughout; the reader can find the instruction with
            // the first ones.
            Some(rest) => format!("{prefix}.atomic.{}", rest.replacen("rmw_", "rmw.", 1)),
            None => format!("{prefix}.{rest}"),
        },
        _ => name.to_string(),
    }
}

/// Writes a function type as `(i32, i64) -> (i32)`.
pub fn type_name(ty: &FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ValType::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(ty.params()), list(ty.results()))
}
