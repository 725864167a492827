//! Models as bytes, with both checksums made right again: an error, or a network that is proved and runs alike on
//! all executors. Half of the changes are made to a tensor or a metadata entry of the decoded model.

#![no_main]

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use prost::Message;
use wasm2onnx::import;
use wasm2onnx::proto::ModelProto;
use wasm2onnx_fuzz::judge;

fuzz_target!(|bytes: &[u8]| {
    let _ = import(bytes);
    if let Some(sealed) = wasm2onnx::import::sealed(bytes)
        && let Ok(network) = import(&sealed)
    {
        judge(&network, [7, 0]);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed.is_multiple_of(4) {
        return fuzzer_mutate(data, size, max_size);
    }
    let Some(mut model) = ModelProto::decode(&data[..size]).ok().filter(|model| model.graph.is_some()) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let which = seed as usize / 4;
    let graph = model.graph.as_mut().expect("checked");
    let (tensors, entries) = (graph.initializer.len(), model.metadata_props.len());
    let Some(which) = which.checked_rem(tensors + entries) else {
        return fuzzer_mutate(data, size, max_size);
    };
    let change = |bytes: &mut Vec<u8>, more: usize| {
        let size = bytes.len();
        bytes.resize(size + more, 0);
        let size = fuzzer_mutate(bytes, size, size + more);
        bytes.truncate(size);
    };
    if which < tensors {
        // Mostly as many elements as before, or the size alone is what is noticed.
        change(&mut graph.initializer[which].raw_data, 0);
    } else if let Some(changed) = {
        let entry = &model.metadata_props[which - tensors];
        expanded(&entry.value).map(|mut message| {
            change(&mut message, 16);
            compressed(&message)
        })
    } {
        model.metadata_props[which - tensors].value = changed;
    } else {
        return fuzzer_mutate(data, size, max_size);
    }
    let bytes = model.encode_to_vec();
    if bytes.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
});

/// The message behind the text of a metadata entry, if it is one.
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
