//! The table of instructions agrees with what the compiler does and with what the documentation says.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::instructions::{Becomes, INSTRUCTIONS, Instruction, Kind};
use wasm2onnx_compiler::ir::FloatOp;
use wasm2onnx_compiler::{Options, frontend};
use wasm2onnx_runtime::ValueType;
use wasmparser::{BinaryReader, OperatorsReader, Validator};

/// Number of zero bytes behind an opcode: immediates, and `unreachable` after them.
const PADDING: usize = 20;

/// Whatever instruction a module has, it compiles if the instruction is in the table, and is otherwise
/// refused as unsupported.
#[test]
fn what_is_not_in_the_table_is_refused() {
    let options = Options::default();
    let one_byte = (0..=0xff).map(|opcode| vec![opcode]);
    // The second part of the other opcodes is a LEB128 number.
    let prefixed = [0xfc, 0xfd, 0xfe].into_iter().flat_map(|prefix| {
        (0..0x180u16).map(move |opcode| match opcode {
            0..0x80 => vec![prefix, opcode as u8],
            _ => vec![prefix, opcode as u8 | 0x80, (opcode >> 7) as u8],
        })
    });
    let (mut supported, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for mut code in one_byte.chain(prefixed) {
        code.extend([0; PADDING]);
        let Ok(op) = OperatorsReader::new(BinaryReader::new(&code, 0)).read() else {
            continue;
        };
        // Operands of all types are tried, until some fit. The end of a block may need one more `end`.
        let modules = operands().flat_map(|types| [1, 2].map(|ends| module(&types, &code, ends)));
        let mut validator = Validator::new_with_features(options.features);
        let Some(module) = modules.into_iter().find(|module| {
            validator.reset();
            validator.validate_all(module).is_ok()
        }) else {
            continue;
        };
        match (frontend::parse(&module, &options), Instruction::of(&op)) {
            (Ok(_), Some(instruction)) => drop(supported.insert(instruction.name)),
            (Err(error), None) => {
                assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{op:?}: {error}");
                // The name without the immediates.
                refused.insert(format!("{op:?}").split(' ').next().map(str::to_owned));
            }
            (Ok(_), None) => panic!("{op:?} compiles, but is not in the table"),
            (Err(error), Some(_)) => panic!("{op:?} is in the table, but: {error}"),
        }
    }
    println!("{} instructions compile, {} are refused", supported.len(), refused.len());
    // Four instructions make no module of this kind; all other tests have them.
    let missed: Vec<_> = INSTRUCTIONS
        .iter()
        .map(|instruction| instruction.name)
        .filter(|name| !supported.contains(name))
        .collect();
    assert_eq!(
        missed,
        ["else", "end", "select (result t)", "ref.null"],
        "no module that this test makes has one of them: is its proposal in `Options::default().features`, and does `operands` \
         make operands of its types?"
    );
    assert!(refused.len() >= 20, "only {} were refused", refused.len());
}

/// Returns all lists of up to three constants, by type.
fn operands() -> impl Iterator<Item = Vec<&'static [u8]>> {
    // i32.const 0, i64.const 0, f32.const 0, f64.const 0, ref.null func.
    const CONSTANTS: [&[u8]; 5] =
        [&[0x41, 0], &[0x42, 0], &[0x43, 0, 0, 0, 0], &[0x44, 0, 0, 0, 0, 0, 0, 0, 0], &[0xd0, 0x70]];
    (0..4).flat_map(|count| {
        (0..5usize.pow(count)).map(move |n| (0..count).map(|i| CONSTANTS[n / 5usize.pow(i) % 5]).collect())
    })
}

/// Makes a module with a memory, a table, a global and a function that pushes constants and then has this
/// code.
fn module(constants: &[&[u8]], code: &[u8], ends: usize) -> Vec<u8> {
    // One local of type i32.
    let mut body = vec![1, 1, 0x7f];
    body.extend(constants.concat());
    body.extend(code);
    body.extend(vec![0x0b; ends]);

    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, content: &[u8]| {
        module.extend([id, content.len() as u8]);
        module.extend(content);
    };
    section(1, &[1, 0x60, 0, 0]);
    section(3, &[1, 0]);
    section(4, &[1, 0x70, 0, 1]);
    section(5, &[1, 0, 1]);
    section(6, &[1, 0x7f, 1, 0x41, 0, 0x0b]);
    // Element and data segments for bulk instructions.
    section(9, &[1, 0, 0x41, 0, 0x0b, 1, 0]);
    section(12, &[1]);
    section(10, &[&[1, body.len() as u8], &body[..]].concat());
    section(11, &[1, 0, 0x41, 0, 0x0b, 0]);
    module
}

#[test]
fn the_documentation_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/instructions.md");
    let text = documentation();
    if std::env::var_os("UPDATE").is_some_and(|x| x == "1") {
        std::fs::write(&path, &text).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/instructions.md is not the table any more; run with UPDATE=1 and look at the difference"
    );
}

fn documentation() -> String {
    let mut text = String::from(
        "# Supported instructions\n\n\
         This list is made from the table in [`compiler/src/instructions.rs`](../compiler/src/instructions.rs) by \
         `UPDATE=1 cargo test -p wasm2onnx-compiler --test instructions`. Instructions that are not in it are refused; the \
         error names the instruction, its function and its byte offset.\n\n\
         A token is the run of one packet: a basic block, several of them, or a part of one. All instructions of a packet \
         are computed together; the last column says what an instruction adds to its packet if nothing is known about its \
         operands. With constant operands it is often less, down to nothing. A *unit* is a product ⌊relu(gate)⌋ · value; \
         \"a gate\" here stands for a unit whose value is 1. Library routines have packets of their own, which are linked once \
         into every module that uses them.\n",
    );
    let mut kind = None;
    for instruction in INSTRUCTIONS {
        if kind != Some(instruction.kind) {
            kind = Some(instruction.kind);
            write!(text, "\n## {}\n\n", title(instruction.kind)).expect("strings can be written");
            text.push_str("| instruction | type | becomes | computed as |\n| --- | --- | --- | --- |\n");
        }
        writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            instruction.name,
            signature(instruction),
            becomes(instruction),
            instruction.how
        )
        .expect("strings can be written");
    }
    text
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Control => "Control",
        Kind::Parametric => "Parametric",
        Kind::Variable => "Variables",
        Kind::Reference => "References",
        Kind::Table => "Tables",
        Kind::Memory => "Memory",
        Kind::Integer => "Integers",
        Kind::Float => "Floats",
    }
}

/// Returns the types of an instruction, if they are always the same.
fn signature(instruction: &Instruction) -> String {
    if instruction.params.is_empty() && instruction.results.is_empty() {
        return String::new();
    }
    let list = |types: &[ValueType]| types.iter().map(ValueType::to_string).collect::<Vec<_>>().join(" ");
    format!("{} → {}", list(instruction.params), list(instruction.results)).trim().to_owned()
}

fn becomes(instruction: &Instruction) -> String {
    match instruction.becomes {
        Becomes::Own | Becomes::Reinterpret => String::new(),
        Becomes::Const => "a constant".to_owned(),
        Becomes::Unary(op) => format!("{op:?}"),
        Becomes::Binary(op) => format!("{op:?}"),
        Becomes::Swapped(op) => format!("{op:?} of the exchanged operands"),
        Becomes::Division(op) => format!("checks, {op:?}"),
        Becomes::Sign(op) => format!("{op:?} of the bits"),
        Becomes::Float(FloatOp::FromInt { .. }) => "conversion".to_owned(),
        Becomes::Float(FloatOp::ToInt { .. }) => "truncation".to_owned(),
        Becomes::Float(op) => format!("float {op:?}"),
        Becomes::FloatDifference => "Neg of the second operand's bits, float Add".to_owned(),
        Becomes::FloatCompare(compare) => format!("float {compare:?}"),
        Becomes::FloatExtremum { greatest } => (if greatest { "float Max" } else { "float Min" }).to_owned(),
        Becomes::Truncation { .. } => "checks, truncation".to_owned(),
        Becomes::Load { bytes, signed: true } => {
            format!("a check, a load of {} with sign", bytes_text(bytes))
        }
        Becomes::Load { bytes, signed: false } => {
            format!("a check, a load of {}", bytes_text(bytes))
        }
        Becomes::Store { bytes } => format!("a check, a store of {}", bytes_text(bytes)),
    }
}

fn bytes_text(bytes: u8) -> String {
    format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" })
}
