//! Runs models in the scripts of `tests/python`, which are implementations that share nothing with ours.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value as Json, json};
use wasm2onnx_runtime::{Value, ValueType};

use crate::onnx_runtime::{Batch, Ended, python};

/// A run of a model.
pub struct Run {
    /// The model's file.
    pub model: PathBuf,
    /// Types of its results.
    pub results: Vec<ValueType>,
    /// The arguments of each instance.
    pub rows: Vec<Vec<Value>>,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Maximum number of steps.
    pub max_steps: u64,
}

/// What a script gave for a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How its instances ended.
    pub batch: Batch,
    /// How many numbers the script compared with the declarations in the model.
    pub checked: u64,
}

/// Returns what a script gives for each of these runs.
///
/// # Panics
///
/// If the script fails, or finds something broken.
pub fn answers(script: &str, runs: &[Run]) -> Vec<Answer> {
    let lines = lines(script, runs);
    runs.iter().zip(&lines).map(|(run, line)| answer(run, line)).collect()
}

/// Returns what a script prints for each of these runs, including what is broken.
///
/// # Panics
///
/// If the script fails.
pub fn lines(script: &str, runs: &[Run]) -> Vec<Json> {
    let told: Vec<Json> = runs.iter().map(told).collect();
    let output = output(script, Json::from(told).to_string().as_bytes());
    let lines: Vec<Json> =
        output.lines().map(|line| serde_json::from_str(line).expect("it prints JSON")).collect();
    assert_eq!(lines.len(), runs.len(), "{script} answers each run");
    lines
}

/// Runs a script and returns what it prints.
fn output(script: &str, stdin: &[u8]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let mut child = python()
        .arg(path)
        // One thread is enough, since as many tests run at once as there are cores.
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("WASM2ONNX_PYTHON cannot be started: {error}"));
    child.stdin.take().expect("it is piped").write_all(stdin).expect("the script reads");
    let output = child.wait_with_output().expect("the script ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{script} answered\n{}{errors}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Returns a run as the scripts read it. Values are given as bits.
fn told(run: &Run) -> Json {
    let bits = |value: &Value| {
        let [low, high] = value.words();
        u64::from(low) | u64::from(high) << 32
    };
    let rows: Vec<Vec<u64>> = run.rows.iter().map(|row| row.iter().map(bits).collect()).collect();
    let stdin: String = run.stdin.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "model": run.model, "rows": rows, "stdin": stdin, "max_steps": run.max_steps })
}

/// Reads a script's line about a run.
///
/// # Panics
///
/// If it is not such a line.
pub fn answer(run: &Run, line: &Json) -> Answer {
    let number = |value: &Json| value.as_u64().unwrap_or_else(|| panic!("{line}"));
    let value = |(ty, bits): (&ValueType, &Json)| {
        let bits = number(bits);
        Value::from_words(*ty, [bits as u32, (bits >> 32) as u32])
    };
    let ended = |row: &Json| {
        let bits = row["results"].as_array().unwrap_or_else(|| panic!("{line}"));
        assert_eq!(bits.len(), run.results.len(), "{line}");
        Ended {
            results: run.results.iter().zip(bits).map(value).collect(),
            trap: row["trap"].as_i64().unwrap_or_else(|| panic!("{line}")),
            steps: number(&row["steps"]),
        }
    };
    let rows = line["rows"].as_array().unwrap_or_else(|| panic!("{line}"));
    let hex = line["stdout"].as_str().unwrap_or_else(|| panic!("{line}")).as_bytes();
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let stdout: Option<Vec<u8>> = hex.chunks(2).map(byte).collect();
    Answer {
        batch: Batch {
            rows: rows.iter().map(ended).collect(),
            stdout: stdout.unwrap_or_else(|| panic!("{line}")),
        },
        checked: line["checked"].as_u64().unwrap_or(0),
    }
}
