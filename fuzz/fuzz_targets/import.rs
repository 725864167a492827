//! Fuzzes reading of models, whose checksums are made right again after each change. The outcome is either an
//! error, or a network that is proved and runs alike on all executors. Most changes are not of bytes but of a
//! model's contents: of its network, which is then written again, of an element of a tensor, or of the
//! message or text of a metadata entry.

#![no_main]

use std::io::{Read, Write};

use arbitrary::Unstructured;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use fastrand::Rng;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use prost::Message;
use wasm2onnx::import::sealed;
use wasm2onnx::proto::{DataType, ModelProto, TensorProto};
use wasm2onnx::{
    Attention, ExportOptions, Form, ImportError, describe, export_unproved, import, import_unproved,
};
use wasm2onnx_fuzz::change::{change, settle};
use wasm2onnx_fuzz::gates::Gates;
use wasm2onnx_fuzz::judge;

/// Maximum number of proofs that are tried for one changed network.
const CHECKS: u32 = 6;

/// Maximum length of an error's message.
const LONGEST: usize = 10_000;

static GATES: Gates<7> = Gates::new([
    "inputs",
    "a model with metadata of ours",
    "past the checksums",
    "a network that is well-formed",
    "proved",
    "proved, and runs",
    "not proved, and runs as far as it is exact",
]);

fuzz_target!(|bytes: &[u8]| {
    GATES.pass(0);
    let short = |error: &ImportError| assert!(error.to_string().len() < LONGEST, "a long message");
    let _ = import(bytes).inspect_err(short);
    let _ = describe(bytes).inspect_err(short);
    let Some(sealed) = sealed(bytes) else { return };
    GATES.pass(1);
    match import(&sealed) {
        Ok(network) => {
            [2, 3, 4].into_iter().for_each(|gate| GATES.pass(gate));
            if judge(&network, [7, 0], true).steps > 0 {
                GATES.pass(5);
            }
        }
        Err(error) => {
            short(&error);
            // These errors are found before the checksums: something is missing, or is of another format.
            if !matches!(
                error,
                ImportError::NotOnnx(_) | ImportError::NotOurs(_) | ImportError::Format { .. }
            ) {
                GATES.pass(2);
            }
            // Experiments may run networks that are not proved, and this must do no harm.
            if let ImportError::Certificate(_) = error {
                GATES.pass(3);
                let network = import_unproved(&sealed).expect("all but the certificate is well");
                if bytes.len() % 4 == 0 && judge(&network, [7, 0], false).steps > 0 {
                    GATES.pass(6);
                }
            }
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut rng = Rng::with_seed(seed.into());
    let changed = match rng.u8(..16) {
        0 => None,
        1..7 => another_network(&data[..size], &mut rng),
        _ => another_model(&data[..size], &mut rng),
    };
    match changed {
        Some(bytes) if bytes.len() <= max_size => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

/// Makes a model of a changed network, mostly of one that can be proved.
fn another_network(model: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut network = import_unproved(model).ok()?;
    let mut choices = [0; 256];
    rng.fill(&mut choices);
    let mut from = Unstructured::new(&choices);
    let mut checks = if rng.u8(..8) == 0 { 0 } else { CHECKS };
    for _ in 0..rng.u8(1..4) {
        let mut changed = network.clone();
        change(&mut changed, &mut from).ok()?;
        if checks == 0 || settle(&mut changed, &mut checks, rng.bool()) {
            network = changed;
        }
    }
    let described = describe(model).ok()?.metadata;
    let is = |key: &str, value: &str| described.iter().any(|(k, v)| k == key && v == value);
    let options = ExportOptions {
        entry: network.entries.keys().next()?.clone(),
        form: if is("form", "step") { Form::Step } else { Form::Loop },
        attention: match (is("attention", "dense"), is("attention", "softmax")) {
            (true, _) => Attention::Dense,
            (_, true) => Attention::Softmax,
            _ => Attention::Indexed,
        },
        ..ExportOptions::default()
    };
    export_unproved(&network, &options).ok()
}

/// Makes a model with a changed element, type or shape of a tensor, or a changed metadata entry.
fn another_model(model: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(model).ok()?;
    let graph = model.graph.as_mut()?;
    if rng.bool() {
        let tensors = &mut graph.initializer;
        if tensors.is_empty() {
            return None;
        }
        let at = rng.usize(..tensors.len());
        match rng.u8(..16) {
            // The number of elements mostly stays the same, or only the wrong size would be noticed.
            0 => mutate(&mut tensors[at].raw_data, 0),
            1 => mutate(&mut tensors[at].raw_data, 8),
            2 => tensors[at].data_type = rng.i32(0..14),
            3 => {
                let dim = rng.i64(-1..300);
                tensors[at].dims.push(dim);
            }
            4 => {
                let other = rng.usize(..tensors.len());
                tensors[at].raw_data = tensors[other].raw_data.clone();
            }
            _ => (0..rng.u8(1..4)).for_each(|_| element(&mut tensors[at], rng)),
        }
    } else {
        let entries = &mut model.metadata_props;
        if entries.is_empty() {
            return None;
        }
        let at = rng.usize(..entries.len());
        match expanded(&entries[at].value) {
            Some(mut message) => {
                mutate(&mut message, 16);
                entries[at].value = compressed(&message);
            }
            None => {
                let mut text = std::mem::take(&mut entries[at].value).into_bytes();
                mutate(&mut text, 16);
                entries[at].value = String::from_utf8_lossy(&text).into_owned();
            }
        }
    }
    Some(model.encode_to_vec())
}

/// Lets libFuzzer change bytes, with room for `more` additional ones.
fn mutate(bytes: &mut Vec<u8>, more: usize) {
    let size = bytes.len();
    if size + more == 0 {
        return;
    }
    bytes.resize(size + more, 0);
    let size = fuzzer_mutate(bytes, size, size + more);
    bytes.truncate(size);
}

/// Changes an element of a tensor a little, to the value of another element, or to anything.
fn element(tensor: &mut TensorProto, rng: &mut Rng) {
    let Ok(ty) = DataType::try_from(tensor.data_type) else { return };
    let width = match ty {
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Uint16 | DataType::Int16 => 2,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        _ => 8,
    };
    let count = tensor.raw_data.len() / width;
    if count == 0 {
        return;
    }
    let (at, other) = (rng.usize(..count) * width, rng.usize(..count) * width);
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(&tensor.raw_data[at..][..width]);
    let number = u64::from_le_bytes(bytes);
    let changed = match (rng.u8(..6), ty) {
        (0, _) => {
            bytes[..width].copy_from_slice(&tensor.raw_data[other..][..width]);
            u64::from_le_bytes(bytes)
        }
        (1, DataType::Double) => (-f64::from_bits(number)).to_bits(),
        (2, DataType::Double) => (f64::from_bits(number) * f64::from(rng.i32(-4..5)).exp2()).to_bits(),
        (3, DataType::Double) => f64::from(rng.i32(..)).to_bits(),
        (4 | 5, DataType::Double) => (f64::from_bits(number) + f64::from(rng.i8(..))).to_bits(),
        (1, _) => number.wrapping_neg(),
        (2, _) => rng.u64(..),
        _ => number.wrapping_add(rng.i64(-3..4) as u64),
    };
    tensor.raw_data[at..][..width].copy_from_slice(&changed.to_le_bytes()[..width]);
}

/// Decodes and decompresses the message in a metadata entry. Returns `None` if the entry is not such a
/// message.
fn expanded(text: &str) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    ZlibDecoder::new(&BASE64.decode(text).ok()?[..]).take(1 << 24).read_to_end(&mut message).ok()?;
    Some(message)
}

fn compressed(message: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message).expect("vectors can be written");
    BASE64.encode(encoder.finish().expect("vectors can be written"))
}
