//! Models read back: the network is the one that was written, and a damaged file is refused or gives a
//! network that every executor can run without harm.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fastrand::Rng;
use wasm2onnx::import::import_unproved;
use wasm2onnx::{ExportError, ExportOptions, Form, ImportError, export_unproved, import};
use wasm2onnx_runtime::{Config, Error, Instance, Network, validate};
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::onnx_runtime::ATTENTIONS;
use wasm2onnx_tests::onnx_runtime::model;
use wasm2onnx_tests::{programs, rng};

const FORMS: [Form; 2] = [Form::Loop, Form::Step];
/// Number of damaged files of each kind.
const MUTATIONS: usize = 2_000;

/// Maximum number of bytes of address space that reading a small damaged file may take. Compressed metadata
/// may expand to a quarter of it.
const MAX_GROWTH: u64 = 1 << 30;

/// Maximum number of steps of a network from a damaged file.
const MAX_STEPS: u64 = 200;

/// Returns the part of a network that a model holds: of its exports only the function that the model runs.
fn one_entry(network: &Network) -> Network {
    let mut network = Network { globals: BTreeMap::new(), memories: BTreeMap::new(), ..network.clone() };
    network.entries.retain(|name, _| name == "run");
    // A row whose value is 0 reads like no row.
    network.first_rows.retain(|(_, value)| *value != 0.0);
    network
}

#[test]
fn what_was_written_is_read() {
    let mut count = 0;
    for program in programs::all() {
        let network = program.network();
        for form in FORMS {
            for attention in ATTENTIONS {
                let what = format!("{}, {form:?}, {attention:?}", program.name);
                let bytes = model(&network, "run", form, attention);
                let read = import(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(one_entry(&read) == one_entry(&network), "{what}: {}", difference(&read, &network));
                for args in &program.calls {
                    let run = |network: &Network| {
                        let config = Config { stdin: program.stdin.clone(), ..Config::default() };
                        let mut instance = Instance::with_config(network, config)?;
                        let results = instance.invoke("run", args);
                        Ok::<_, Error>((results, instance.steps(), instance.stdout()))
                    };
                    assert_eq!(run(&read), run(&network), "{what}");
                }
                // What is written again is the same file, except for the hash of the module.
                assert!(model(&read, "run", form, attention) == bytes, "{what}: not the same file again");
                count += 1;
            }
        }
    }
    println!("{count} models read back");
}

/// Names the parts in which two networks differ.
fn difference(one: &Network, other: &Network) -> String {
    let (one, other) = (one_entry(one), one_entry(other));
    let parts = [
        ("ports", one.ports == other.ports),
        ("experts", one.experts == other.experts),
        ("terminals", one.terminals == other.terminals),
        ("tables", one.lookup == other.lookup && one.tables == other.tables),
        ("regions", one.regions == other.regions),
        ("first rows", one.first_rows == other.first_rows),
        ("start", one.start == other.start),
        ("entries", one.entries == other.entries),
        ("streams", one.io == other.io),
        ("certificate", one.certificate == other.certificate),
        ("debug", one.function_names == other.function_names && one.packets == other.packets),
    ];
    parts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// Writes small models of each form.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut samples = Vec::new();
    for name in ["interpreter", "start", "echo", "wide"] {
        let network = programs::all().find(|program| program.name == name).expect("one of them").network();
        for form in FORMS {
            for attention in ATTENTIONS {
                let model = model(&network, "run", form, attention);
                samples.push((format!("{name}, {form:?}, {attention:?}"), model));
            }
        }
    }
    samples
}

#[test]
fn other_files_are_refused() {
    for (name, bytes) in samples() {
        let refused = |bytes: &[u8]| import(bytes).expect_err("a damaged file");
        assert!(matches!(refused(b"\0asm\x01\0\0\0"), ImportError::NotOnnx(_)));
        assert!(matches!(refused(b""), ImportError::NotOnnx(_)));
        assert!(matches!(refused(b"(module)"), ImportError::NotOnnx(_)));
        // The graph or the metadata is changed.
        let mut file = File::read(&bytes);
        file.graph_mut().node[0].op_type.push('x');
        assert_eq!(refused(&file.write()), ImportError::Integrity, "{name}");
        let mut file = File::read(&bytes);
        set(&mut file, "signature", "f()".to_owned());
        assert_eq!(refused(&file.write()), ImportError::Integrity, "{name}");
        // The model is somebody else's.
        let mut file = File::read(&bytes);
        file.0.metadata_props.clear();
        assert!(matches!(refused(&file.write()), ImportError::NotOurs(_)), "{name}");
        for key in ["format", "declared", "debug", "checksum", "form"] {
            let mut file = File::read(&bytes);
            file.0.metadata_props.retain(|entry| entry.key != format!("wasm2onnx.{key}"));
            assert!(matches!(refused(&file.write()), ImportError::NotOurs(_)), "{name} without {key}");
        }
        // The model is of another version.
        let mut file = File::read(&bytes);
        set(&mut file, "format", "999".to_owned());
        assert!(matches!(refused(&file.write()), ImportError::Format { .. }), "{name}");
        // The file is cut off.
        for i in 0..64 {
            let cut = bytes.len() * i / 64;
            let _: ImportError = refused(&bytes[..cut]);
        }
        assert!(import(&bytes[..bytes.len() - 1]).is_err(), "{name}");
        // A tensor is missing, has another type or shape, or has another element.
        let tensors = File::read(&bytes).graph().initializer.len();
        for i in 0..tensors {
            let mut file = File::read(&bytes);
            let tensor = file.graph_mut().initializer.remove(i);
            assert_eq!(refused(&file.write()), ImportError::Checksum, "{name} without {}", tensor.name);
            for change in 0..3 {
                let mut file = File::read(&bytes);
                let tensor = &mut file.graph_mut().initializer[i];
                match change {
                    0 => tensor.data_type = if tensor.data_type == 1 { 6 } else { 1 },
                    1 => tensor.dims.push(2),
                    _ if tensor.raw_data.is_empty() => continue,
                    _ => tensor.raw_data[0] ^= 1,
                }
                let name = format!("{name}, {}, change {change}", tensor.name);
                assert_eq!(refused(&file.write()), ImportError::Checksum, "{name}");
                // Without the checksum, too, nothing worse than an error happens.
                survives(&file.write(), &mut Outcomes::default());
            }
        }
    }
}

/// The tensors of the network must be there, with the right types, shapes and elements.
#[test]
fn tensors_are_checked_one_by_one() {
    let mut refused = 0;
    for (name, bytes) in samples() {
        for tensor in [
            "weights/next",
            "weights/counts",
            "weights/sources",
            "weights/slots",
            "weights/indices",
            "weights/values",
            "tables/bytes",
            "tables/numbers",
        ] {
            let changed = |change: &dyn Fn(&mut wasm2onnx::proto::TensorProto)| {
                let mut file = File::read(&bytes);
                let tensors = &mut file.graph_mut().initializer;
                change(tensors.iter_mut().find(|other| other.name == tensor).expect("it is there"));
                import_unproved(&file.write())
            };
            let mut file = File::read(&bytes);
            file.graph_mut().initializer.retain(|other| other.name != tensor);
            let is_of_tensor = |result: Result<Network, ImportError>| matches!(result, Err(ImportError::Tensor { name, .. }) if name == tensor);
            assert!(is_of_tensor(import_unproved(&file.write())), "{name} without {tensor}");
            assert!(is_of_tensor(changed(&|tensor| tensor.data_type = 1)), "{name}, {tensor}: floats");
            assert!(is_of_tensor(changed(&|tensor| tensor.data_type = 77)), "{name}, {tensor}: no type");
            assert!(is_of_tensor(changed(&|tensor| tensor.dims = vec![-1])), "{name}, {tensor}: a dimension");
            assert!(
                is_of_tensor(changed(&|tensor| tensor.dims = vec![i64::MAX, 9])),
                "{name}, {tensor}: size"
            );
            assert!(is_of_tensor(changed(&|tensor| tensor.dims[0] += 1)), "{name}, {tensor}: shape");
            refused += 6;
        }
        // The tables' factors are nine numbers a row, integers or single floats, all of them finite.
        const FLOAT: i32 = 1;
        let row = |x: f32| x.to_le_bytes().repeat(9);
        let [infinite, large] = [row(f32::INFINITY), row(8589934592.0)];
        for (data_type, dims, raw_data) in [
            (11, vec![-1], vec![0; 72]),
            (7, vec![1, 9], vec![0; 36]),
            (FLOAT, vec![1, 8], vec![0; 32]),
            (FLOAT, vec![65_537, 9], vec![0; 65_537 * 36]),
            (FLOAT, vec![1, 9], infinite),
            (FLOAT, vec![1, 9], large),
        ] {
            let change = |tensor: &mut wasm2onnx::proto::TensorProto| {
                (tensor.data_type, tensor.dims, tensor.raw_data) =
                    (data_type, dims.clone(), raw_data.clone());
            };
            let mut file = File::read(&bytes);
            let tensors = &mut file.graph_mut().initializer;
            change(tensors.iter_mut().find(|other| other.name == "tables/factors").expect("it is there"));
            assert!(import_unproved(&file.write()).is_err(), "{name}: factors that are none are accepted");
            refused += 1;
        }
        // Indices are out of range.
        for tensor in
            ["weights/next", "weights/counts", "weights/sources", "weights/slots", "weights/indices"]
        {
            let mut file = File::read(&bytes);
            let tensor =
                file.graph_mut().initializer.iter_mut().find(|other| other.name == tensor).expect("there");
            let elements = tensor.dims[0] as usize;
            tensor.data_type = 7;
            tensor.raw_data = vec![i64::MAX.to_le_bytes(); elements].concat();
            let result = import_unproved(&file.write());
            assert!(
                matches!(result, Err(ImportError::Damaged(_))),
                "{name}: indices out of range are accepted"
            );
            refused += 1;
        }
    }
    println!("{refused} changes refused");
}

/// Numbers of damaged files by outcome.
#[derive(Debug, Default)]
struct Outcomes {
    refused: usize,
    accepted: usize,
    run: usize,
}

/// Reads a damaged file without checking its checksum and certificate. The outcome must be an error, or a
/// network that is valid and can be run for a while.
fn survives(bytes: &[u8], outcomes: &mut Outcomes) {
    let _ = import(bytes);
    let Ok(network) = import_unproved(bytes) else {
        outcomes.refused += 1;
        return;
    };
    outcomes.accepted += 1;
    validate(&network).expect("what is read is valid");
    // A network that takes all memory to begin with is left out.
    let cells: u64 = network.regions.iter().map(|region| region.count).sum();
    let Some(entry) = network.entries.values().next().filter(|_| cells < 1 << 24) else {
        return;
    };
    let args: Vec<_> =
        entry.params.iter().map(|ty| wasm2onnx_runtime::Value::from_words(*ty, [7, 9])).collect();
    let name = network.entries.keys().next().expect("there is one").clone();
    let config = Config { max_steps: Some(MAX_STEPS), assert_declared: false, ..Config::default() };
    if let Ok(mut instance) = Instance::with_config(&network, config) {
        // The call may end in any way.
        let _ = instance.invoke(&name, &args);
        outcomes.run += 1;
    }
}

/// Damages a file.
type Mutate = fn(&[u8], &mut Rng) -> Vec<u8>;

#[test]
fn mutated_files_do_no_harm() {
    let before = address_space();
    let mut rng = rng(7);
    let samples = samples();
    let kinds: [(&str, Mutate); 3] =
        [("bytes", bytes_changed), ("tensors", tensors_changed), ("declarations", declarations_changed)];
    for (kind, mutate) in kinds {
        let mut outcomes = Outcomes::default();
        for i in 0..MUTATIONS {
            let (_, bytes) = &samples[i % samples.len()];
            survives(&mutate(bytes, &mut rng), &mut outcomes);
        }
        println!("{kind}: {outcomes:?}");
        assert!(outcomes.refused >= MUTATIONS / 20, "{kind}: the changes are too mild");
    }
    if let (Some(before), Some(after)) = (before, address_space()) {
        println!("{} MiB of address space more", (after - before) >> 20);
        assert!(after - before < MAX_GROWTH, "{} MiB more", (after - before) >> 20);
    }
}

/// Returns the peak size of this process's address space in bytes; only Linux tells it.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Changes, moves or removes some bytes of a file.
fn bytes_changed(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..bytes.len());
        match rng.u8(..8) {
            0 => bytes.truncate(at.max(1)),
            1 => drop(bytes.drain(at..(at + rng.usize(1..64)).min(bytes.len()))),
            2 => bytes.insert(at, rng.u8(..)),
            3 => bytes[at] ^= 1 << rng.u8(..8),
            _ => bytes[at] = rng.u8(..),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Changes some elements, shapes, types or names of tensors in a file.
fn tensors_changed(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut file = File::read(bytes);
    let tensors = &mut file.graph_mut().initializer;
    for _ in 0..rng.usize(1..=3) {
        let i = rng.usize(..tensors.len());
        let other = tensors[rng.usize(..tensors.len())].clone();
        let tensor = &mut tensors[i];
        match rng.u8(..12) {
            0 => tensor.data_type = rng.i32(-1..20),
            1 => tensor.dims = vec![rng.i64(..)],
            2 => tensor.raw_data = other.raw_data,
            3 => *tensor = wasm2onnx::proto::TensorProto { name: tensor.name.clone(), ..other },
            4 => tensor.name.clone_from(&other.name),
            5 => {
                tensors.remove(i);
                continue;
            }
            _ if tensor.raw_data.is_empty() => continue,
            6 => {
                tensor.raw_data.truncate(tensor.raw_data.len() / 2);
                tensor.dims.iter_mut().take(1).for_each(|dim| *dim /= 2);
            }
            _ => {
                for _ in 0..rng.usize(1..=4) {
                    let at = rng.usize(..tensor.raw_data.len());
                    tensor.raw_data[at] = rng.u8(..);
                }
            }
        }
    }
    file.write()
}

/// Changes bytes of the declared intervals, before they are compressed, or of the debug information in a
/// file.
fn declarations_changed(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut file = File::read(bytes);
    let key = if rng.u8(..4) == 0 { "debug" } else { "declared" };
    let text = file.metadata(key).expect("it is there").to_owned();
    if key == "debug" {
        let text = bytes_changed(text.as_bytes(), rng);
        set(&mut file, key, String::from_utf8_lossy(&text).into_owned());
        return file.write();
    }
    set(&mut file, key, compressed(&bytes_changed(&expanded(&text), rng)));
    file.write()
}

/// Decodes and decompresses the message in a metadata entry.
fn expanded(text: &str) -> Vec<u8> {
    let packed = BASE64.decode(text).expect("base 64");
    let mut message = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut message).expect("compressed");
    message
}

fn compressed(message: &[u8]) -> String {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(message).expect("vectors can be written");
    BASE64.encode(encoder.finish().expect("vectors can be written"))
}

/// Sets a metadata entry.
fn set(file: &mut File, key: &str, value: String) {
    let entries = &mut file.0.metadata_props;
    let entry =
        entries.iter_mut().find(|entry| entry.key == format!("wasm2onnx.{key}")).expect("it is there");
    entry.value = value;
}

/// Numbers of ports that fit in 16 bits each, but whose sum does not, are refused.
#[test]
fn too_many_ports_are_refused() {
    for (name, bytes) in samples() {
        let mut file = File::read(&bytes);
        let message = expanded(file.metadata("declared").expect("it is there"));
        // They are what the message begins with: a tag, a length, five numbers.
        let [0x0a, length, rest @ ..] = &message[..] else { panic!("{name}: no ports") };
        let many = [&[0x0a, 15][..], &[0xff, 0xff, 3].repeat(5), &rest[usize::from(*length)..]].concat();
        set(&mut file, "declared", compressed(&many));
        let refused = import_unproved(&file.write());
        assert!(matches!(&refused, Err(ImportError::Damaged(why)) if why.contains("fields")), "{refused:?}");
    }
}

/// Metadata that expands to too many bytes is refused.
#[test]
fn compressed_metadata_is_bounded() {
    let (_, bytes) = samples().swap_remove(0);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&zeros).expect("vectors can be written");
    }
    let mut file = File::read(&bytes);
    set(&mut file, "declared", BASE64.encode(encoder.finish().expect("vectors can be written")));
    let refused = import_unproved(&file.write());
    assert!(matches!(&refused, Err(ImportError::Damaged(why)) if why.contains("expands")), "{refused:?}");
}

#[test]
fn networks_that_break_a_rule_are_not_written() {
    let (_, bytes) = samples().swap_remove(0);
    let network = import(&bytes).expect("it was written");
    let entry = network.entries.keys().next().expect("it has one").clone();
    let written = |network: &Network, entry: &str| {
        export_unproved(network, &ExportOptions { entry: entry.to_owned(), ..ExportOptions::default() })
    };
    assert!(written(&network, &entry).is_ok());
    assert!(matches!(written(&network, "nobody"), Err(ExportError::UnknownExport { .. })));
    // A first row is in no region.
    let mut broken = network.clone().into_network();
    broken.first_rows.push((1, 1.0));
    assert!(matches!(written(&broken, &entry), Err(ExportError::Malformed(_))));
    assert!(matches!(written(&Network::default(), &entry), Err(ExportError::Malformed(_))));
}
