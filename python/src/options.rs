//! Keyword arguments, which are the options of the command: there is one table of them, the command's own.
//!
//! `max_memory_pages=3` is `--max-memory-pages=3`. What may be repeated is a list, or a dictionary of what stands before and behind the `=`.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Args, Command};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString, PyTuple};
use wasm2onnx::command::{ModelOptions, ModuleOptions, WasiOptions};

/// What `compile` takes.
#[derive(clap::Args)]
pub struct CompileFlags {
    #[command(flatten)]
    pub module: ModuleOptions,
    #[command(flatten)]
    pub model: ModelOptions,
}

/// What `Module` takes to compile a module.
#[derive(clap::Args)]
pub struct ModuleFlags {
    #[command(flatten)]
    pub module: ModuleOptions,
    /// The exported function that is called if none is named; without it, all are compiled.
    #[arg(long)]
    pub invoke: Option<String>,
}

/// What an instance is given.
#[derive(clap::Args)]
pub struct InstanceFlags {
    #[command(flatten)]
    pub wasi: WasiOptions,
    /// Maximum number of steps.
    #[arg(long)]
    pub max_steps: Option<u64>,
}

/// Names that differ from the command's: a word of Python's own, and lists of more than one.
const RENAMED: [(&str, &str); 2] = [("import", "imports"), ("dir", "dirs")];

/// Returns the options that a function takes.
fn command(function: &str) -> Command {
    let command = Command::new("options").no_binary_name(true).disable_help_flag(true);
    match function {
        "compile" => CompileFlags::augment_args(command),
        "Module" => ModuleFlags::augment_args(command),
        _ => InstanceFlags::augment_args(command),
    }
}

/// Returns the name of an option in Python.
fn name_of(arg: &Arg) -> Option<String> {
    let long = arg.get_long()?;
    let renamed = RENAMED.iter().find(|(flag, _)| *flag == long).map(|(_, name)| (*name).to_owned());
    Some(renamed.unwrap_or_else(|| long.replace('-', "_")))
}

/// Returns the names of the options that a function takes.
pub fn names(function: &str) -> Vec<String> {
    command(function).get_arguments().filter_map(name_of).collect()
}

/// Reads the options of a function.
///
/// # Errors
///
/// `TypeError` if there is no such option, or its value is of a type that it cannot have; `ValueError` if the value is wrong.
pub fn parse<T: Args>(function: &str, options: &Bound<'_, PyDict>) -> PyResult<T> {
    let mut command = command(function);
    let mut flags = Vec::new();
    for (name, value) in options {
        let name: String = name.extract()?;
        let arg = command.get_arguments().find(|arg| name_of(arg).as_deref() == Some(&name));
        let Some(arg) = arg else {
            let known = names(function).join(", ");
            return Err(PyTypeError::new_err(format!("there is no option `{name}`; known are: {known}")));
        };
        add(arg, &name, &value, &mut flags)?;
    }
    let matches = command.try_get_matches_from_mut(flags).map_err(|error| refused(&command, &error))?;
    T::from_arg_matches(&matches).map_err(|error| refused(&command, &error))
}

/// Adds the flags that say what an option says.
fn add(arg: &Arg, name: &str, value: &Bound<'_, PyAny>, flags: &mut Vec<OsString>) -> PyResult<()> {
    let flag = format!("--{}", arg.get_long().unwrap_or_default());
    let mut push = |text: OsString| {
        let mut both = OsString::from(format!("{flag}="));
        both.push(text);
        flags.push(both);
    };
    if value.is_none() {
        return Ok(());
    }
    match arg.get_action() {
        ArgAction::SetTrue => {
            let value = value.cast::<PyBool>().map_err(|_| wrong_type(name, value, "a bool"))?;
            if value.is_true() {
                flags.push(flag.into());
            }
        }
        ArgAction::Append => {
            // Between the parts of a pair stands what stands there on the command line.
            let between = if name == "dirs" { "::" } else { "=" };
            if let Ok(pairs) = value.cast::<PyDict>() {
                for (left, right) in pairs {
                    let mut text = text(name, &left)?;
                    text.push(between);
                    text.push(self::text(name, &right)?);
                    push(text);
                }
            } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
                for item in value.try_iter()? {
                    push(text(name, &item?)?);
                }
            } else {
                push(text(name, value)?);
            }
        }
        _ => push(text(name, value)?),
    }
    Ok(())
}

/// Returns what a value is on the command line.
fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<OsString> {
    if value.is_instance_of::<PyBool>() {
        return Err(wrong_type(name, value, "a string, a path or a number"));
    }
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyFloat>() {
        return value.str()?.extract();
    }
    // Integers of NumPy are integers, too.
    if let Ok(integer) = value.call_method0("__index__") {
        return integer.str()?.extract();
    }
    let path: PyResult<PathBuf> = value.extract();
    path.map(PathBuf::into_os_string).map_err(|_| wrong_type(name, value, "a string, a path or a number"))
}

fn wrong_type(name: &str, value: &Bound<'_, PyAny>, wanted: &str) -> PyErr {
    let ty = value.get_type().name().map_or_else(|_| "this".into(), |ty| ty.to_string());
    PyTypeError::new_err(format!("{name}: {ty} is not {wanted}"))
}

/// Returns the error for a value that is wrong.
fn refused(command: &Command, error: &clap::Error) -> PyErr {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let flag = context(ContextKind::InvalidArg).unwrap_or_default();
    let flag = flag.split([' ', '=']).next().unwrap_or_default().trim_start_matches('-');
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
    let Some((name, value)) = arg.and_then(name_of).zip(context(ContextKind::InvalidValue)) else {
        return PyValueError::new_err(in_python(&error.to_string()));
    };
    let why = match (error.source(), context(ContextKind::ValidValue)) {
        (Some(why), _) => format!(": {why}"),
        (None, Some(valid)) => format!(": possible are {valid}"),
        (None, None) => String::new(),
    };
    PyValueError::new_err(format!("{name}: `{value}` is not possible{}", in_python(&why)))
}

/// Replaces the names that options have on the command line by those in Python.
pub fn in_python(message: &str) -> String {
    let commands = ["compile", "Module", "Instance"].map(command);
    let mut names: Vec<(String, String)> = commands
        .iter()
        .flat_map(|command| command.get_arguments())
        .filter_map(|arg| Some((format!("--{}", arg.get_long()?), name_of(arg)?)))
        .collect();
    // No name is replaced within a longer one.
    names.sort_by_key(|(flag, _)| std::cmp::Reverse(flag.len()));
    names.iter().fold(message.to_owned(), |message, (flag, name)| message.replace(flag, name))
}
