//! What a caller gives to a program besides its arguments: standard input, and what a WASI program gets.

use super::arguments::halves;
use super::graph::{Dim, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use crate::proto::DataType;

/// What is given. The nodes that follow find all of it under the same names, whatever the program uses.
pub struct Given {
    /// Arguments, environment, files, standard input and a function's tensors, one behind the other: uint8 [n].
    pub bytes: Name,
    /// Keys of the rows with numbers: int64 [n], one for each number that the program uses.
    pub keys: Name,
    /// These numbers: double [n].
    pub numbers: Name,
}

/// Makes the inputs that the program uses, and what they say. `tensors` are the bytes of a function's tensors, if it takes any: uint8
/// [n].
pub fn new(g: &mut Graph, plan: &Plan, tensors: Option<&str>) -> Given {
    let io = &plan.network.io;
    let none = g.initializer("given/none", Tensor::list::<u8>(&[]));
    // ONNX Runtime does not list inputs that have a default, and in JavaScript it cannot set them. Standard input has none,
    // so that nobody overlooks it.
    let parts = [
        ("argv", io.argv_end, true),
        ("environ", io.environ_end, true),
        ("files", io.files_end, true),
        ("stdin", io.stdin_end, false),
    ];
    let parts = parts.map(|(name, end, default)| {
        if end.is_none() {
            return none.clone();
        }
        let ty = ValueType::tensor(DataType::Uint8, &[Dim::Named(name)]);
        match default {
            true => g.with_default(name, ty, Tensor::list::<u8>(&[]), plan.has_defaults),
            false => g.input(name, ty),
        }
    });
    let words = [("clock", io.clock), ("seed", io.seed)].map(|(name, keys)| {
        if keys == [None; 2] {
            return g.initializer("given/zero", Tensor::scalar(0i64));
        }
        g.with_default(name, ValueType::tensor(DataType::Int64, &[]), Tensor::scalar(0i64), plan.has_defaults)
    });
    let tensors = tensors.map_or(none.clone(), str::to_owned);
    let inputs =
        g.group("inputs", "What the program is given; nothing in place of what it does not use.", |g| {
            let names = ["argv", "environ", "files", "stdin", "tensors", "clock", "seed"];
            let given = parts.iter().chain([&tensors]).chain(&words).zip(names);
            given.map(|(input, name)| g.plain(name, "Identity", &[input])).collect::<Vec<_>>()
        });
    let (parts, words) = inputs.split_at(5);
    let ends = [io.argv_end, io.environ_end, io.files_end, io.stdin_end];
    let keys = ends.into_iter().chain([io.stdin_position, io.tensors]).chain(io.clock).chain(io.seed);
    let used: Vec<(i64, u64)> = (0..).zip(keys).filter_map(|(i, key)| Some((i, key?))).collect();
    let keys: Vec<i64> = used.iter().map(|(_, key)| *key as i64).collect();
    let keys = g.initializer("given/keys", Tensor::list(&keys));
    let used: Vec<i64> = used.iter().map(|(i, _)| *i).collect();
    let used = g.initializer("given/used", Tensor::list(&used));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let [bytes, numbers] =
        g.group("given", "What the program is given: bytes, where each kind ends, numbers.", |g| {
            let all: Vec<&str> = parts.iter().map(Name::as_str).collect();
            let bytes = g.along("bytes", "Concat", 0, &all);
            let lengths: Vec<Name> =
                (0..4).map(|i| g.plain(&format!("length.{i}"), "Shape", &[&parts[i]])).collect();
            let mut ends = vec![lengths[0].clone()];
            for (i, length) in lengths.iter().enumerate().skip(1) {
                ends.push(g.plain(&format!("end.{i}"), "Add", &[&ends[i - 1], length]));
            }
            // Standard input begins where the files end, and tensors where standard input ends.
            ends.push(ends[2].clone());
            ends.push(ends[3].clone());
            for (i, number) in words.iter().enumerate() {
                for (part, word) in ["low", "high"].into_iter().zip(halves(g, &format!("word.{i}"), number)) {
                    ends.push(g.plain(&format!("word.{i}.{part}.list"), "Reshape", &[&word, &single]));
                }
            }
            let numbers: Vec<&str> = ends.iter().map(Name::as_str).collect();
            let numbers = g.along("all", "Concat", 0, &numbers);
            let numbers = g.along("number", "Gather", 0, &[&numbers, &used]);
            [bytes, g.cast("numbers", &numbers, DataType::Double)]
        });
    Given { bytes, keys, numbers }
}
