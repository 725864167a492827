//! Drivers of the step form that know nothing but the file. One makes each step a run of its own; the other
//! binds buffers, a single one for the trace's input and output.

use std::collections::BTreeMap;

use ort::memory::Allocator;
use ort::session::{IoBinding, Session};
use ort::value::{DynValue, Tensor};
use serde_json::Value as Json;
use wasm2onnx_runtime::Value;

use super::{Level, session, tensor};
use crate::onnx_file::File;

/// A model in the step form.
pub struct StepModel {
    session: Session,
    driver: Driver,
}

/// What a driver reads from a model's file.
pub struct Driver {
    initial: Initial,
    entry: Json,
    regions: Json,
    /// Number of terminal experts.
    terminals: i64,
    /// Number of cells of an indexed trace; `None` if the trace consists of rows.
    cells: Option<usize>,
}

/// The initializers `initial.…`.
struct Initial {
    expert: i64,
    entry: i64,
    numbers: Vec<f64>,
    trace: Vec<f64>,
}

/// A run of the step form.
pub trait Steps {
    /// Returns the expert of the next step.
    fn expert(&self) -> i64;
    /// Returns the numbers of the next step.
    fn numbers(&self) -> Vec<f64>;
    /// Makes a step.
    fn step(&mut self);
    /// Continues with another expert and other numbers, as a caller does when instance creation is done.
    fn set(&mut self, expert: i64, numbers: &[f64]);
    /// Appends rows to the trace.
    fn append(&mut self, rows: &[(u64, f64)]);
    /// Returns the whole trace: cells, or keys and values of rows alternately.
    fn trace(&self) -> Vec<f64>;
}

impl StepModel {
    /// Loads a model.
    ///
    /// # Panics
    ///
    /// If ONNX Runtime refuses it, or something that a driver needs is missing.
    pub fn load(model: &[u8], level: Level) -> StepModel {
        let file = File::read(model);
        let one = |name: &str| file.integers(name)[0];
        let initial = Initial {
            expert: one("initial.expert"),
            entry: one("initial.entry"),
            numbers: file.doubles("initial.numbers"),
            trace: file.doubles("initial.trace"),
        };
        let session = session(model, level).unwrap_or_else(|error| panic!("{level:?}: {error}"));
        let past = session.inputs().iter().find(|input| input.name() == "past.trace").expect("a trace");
        let shape = past.dtype().tensor_shape().expect("it is a tensor");
        let cells = (shape.len() == 2).then(|| shape[1] as usize);
        let traps = file.json("traps").as_object().expect("traps by expert").len() as i64;
        let driver = Driver {
            initial,
            entry: file.json("entry"),
            regions: file.json("regions"),
            // `unreachable` and `halt` come first.
            terminals: traps + 2,
            cells,
        };
        StepModel { session, driver }
    }

    /// Begins a run, each step of which is a run of the model.
    ///
    /// # Panics
    ///
    /// If ONNX Runtime fails.
    pub fn plain(&mut self, stdin: &[u8]) -> (Plain<'_>, &Driver) {
        let trace = self.driver.first_trace(stdin);
        let trace = tensor(&self.driver.trace_shape(trace.len()), trace).expect("a tensor");
        let (expert, numbers) = self.driver.first_numbers();
        (Plain { session: &mut self.session, expert, numbers, trace }, &self.driver)
    }

    /// Begins a run with bound buffers: one for the trace, and two, used alternately, for the rest.
    ///
    /// # Panics
    ///
    /// If the trace is not indexed, or ONNX Runtime fails.
    pub fn bound(&mut self, stdin: &[u8]) -> (Bound<'_>, &Driver) {
        assert!(self.driver.cells.is_some(), "a trace that grows has no buffer of its own");
        let first = self.driver.first_trace(stdin);
        let (expert, numbers) = self.driver.first_numbers();
        let width = numbers.len() as i64;
        let allocator = Allocator::default();
        let mut trace = Tensor::<f64>::new(&allocator, [1, first.len() as i64]).expect("a tensor");
        trace.extract_tensor_mut().1.copy_from_slice(&first);
        let mut sides = [(); 2].map(|()| {
            let expert = Tensor::<i64>::new(&allocator, [1i64]).expect("a tensor");
            (expert, Tensor::<f64>::new(&allocator, [1, width]).expect("a tensor"))
        });
        let bindings = [0, 1].map(|from| {
            let mut binding = self.session.create_binding().expect("a binding");
            let bound = (|| {
                binding.bind_input("expert", &sides[from].0)?;
                binding.bind_input("numbers", &sides[from].1)?;
                binding.bind_input("past.trace", &trace)?;
                binding.bind_output("next_expert", &mut sides[1 - from].0)?;
                binding.bind_output("next_numbers", &mut sides[1 - from].1)?;
                binding.bind_output("present.trace", &mut trace)
            })();
            bound.unwrap_or_else(|error| panic!("{error}"));
            binding
        });
        let mut run = Bound { session: &mut self.session, bindings, sides, trace, side: 0 };
        run.set(expert, &numbers);
        (run, &self.driver)
    }
}

impl Driver {
    /// Returns whether a run ends at an expert.
    pub fn is_terminal(&self, expert: i64) -> bool {
        expert < self.terminals
    }

    /// Returns whether there is something to run before the entry. Then a run begins with numbers that are
    /// all 0, and continues with [`Driver::call`] when it has reached expert 1.
    pub fn has_creation(&self) -> bool {
        self.initial.expert != self.initial.entry
    }

    /// Returns the expert and the numbers that a call begins with, and the rows of arguments that its first
    /// step does not append.
    ///
    /// # Panics
    ///
    /// If there are not as many arguments as the metadata says, or they have other types.
    pub fn call(&self, args: &[Value]) -> (i64, Vec<f64>, Vec<(u64, f64)>) {
        let mut numbers = self.initial.numbers.clone();
        let mut rows = Vec::new();
        let parameters = self.entry["args"].as_array().expect("a list of arguments");
        assert_eq!(parameters.len(), args.len());
        for (parameter, arg) in parameters.iter().zip(args) {
            assert_eq!(parameter[0], arg.ty().to_string());
            let locations = parameter[1].as_array().expect("a field for each word");
            assert_eq!(locations.len(), arg.ty().words());
            for (location, word) in locations.iter().zip(arg.words()) {
                match location.get("key") {
                    Some(key) => rows.push((index(key) as u64, word.into())),
                    None => numbers[index(location)] = word.into(),
                }
            }
        }
        (self.initial.entry, numbers, rows)
    }

    /// Returns the results of a run that has reached expert 1.
    ///
    /// # Panics
    ///
    /// If what stands for a word of a result is not a word.
    pub fn results(&self, run: &dyn Steps) -> Vec<Value> {
        let (numbers, trace) = (run.numbers(), run.trace());
        let word = |location: &Json| {
            let number = match location.get("key") {
                Some(key) => self.read(&trace, index(key) as u64),
                None => numbers[index(location)],
            };
            assert_eq!(f64::from(number as u32), number, "a word of a result");
            number as u32
        };
        let result = |result: &Json| {
            let mut words = result[1].as_array().expect("a place for each word").iter().map(word);
            let words = [words.next().expect("a word"), words.next().unwrap_or(0)];
            let types = super::VALUE_TYPES.into_iter();
            let ty = types.clone().find(|ty| result[0] == ty.to_string()).expect("a type");
            Value::from_words(ty, words)
        };
        self.entry["results"].as_array().expect("a list of results").iter().map(result).collect()
    }

    /// Returns what a trace holds at keys from `first` on: the value of each key's latest row, if it is not
    /// 0.
    pub fn rows(&self, trace: &[f64], first: u64) -> BTreeMap<u64, f64> {
        match self.cells {
            Some(_) => {
                let cells = (0..).zip(trace.iter().copied()).skip(first as usize);
                cells.filter(|(_, value)| *value != 0.0).collect()
            }
            None => {
                let rows = trace.as_chunks::<2>().0.iter().map(|[key, value]| (*key as u64, *value));
                let mut rows: BTreeMap<_, _> = rows.filter(|(key, _)| *key >= first).collect();
                rows.retain(|_, value| *value != 0.0);
                rows
            }
        }
    }

    /// Returns what a trace holds at a key: the value of the latest row.
    fn read(&self, trace: &[f64], key: u64) -> f64 {
        match self.cells {
            Some(_) => trace[key as usize],
            None => {
                let rows = trace.as_chunks::<2>().0;
                rows.iter().rev().find(|row| row[0] == key as f64).map_or(0.0, |row| row[1])
            }
        }
    }

    /// Returns the trace that a run with this standard input begins with.
    fn first_trace(&self, stdin: &[u8]) -> Vec<f64> {
        let mut trace = self.initial.trace.clone();
        if let Some(cells) = self.cells {
            trace.resize(cells, 0.0);
        }
        let mut append = |key: usize, value: f64| match self.cells {
            Some(_) => trace[key] = value,
            None => trace.extend([key as f64, value]),
        };
        if let Some(length) = self.entry["stdin"].get("length") {
            let regions = self.regions.as_array().expect("a list of regions");
            let region = regions.iter().find(|region| region["name"] == self.entry["stdin"]["region"]);
            let first = index(&region.expect("its region")["first"]);
            (first..).zip(stdin).for_each(|(key, byte)| append(key, f64::from(*byte)));
            append(index(length), stdin.len() as f64);
        }
        trace
    }

    fn trace_shape(&self, elements: usize) -> Vec<i64> {
        match self.cells {
            Some(_) => vec![1, elements as i64],
            None => vec![1, elements as i64 / 2, 2],
        }
    }

    /// Returns the expert and numbers that a run begins with, unless it is given others.
    fn first_numbers(&self) -> (i64, Vec<f64>) {
        match self.has_creation() {
            true => (self.initial.expert, vec![0.0; self.initial.numbers.len()]),
            false => (self.initial.expert, self.initial.numbers.clone()),
        }
    }
}

fn index(number: &Json) -> usize {
    number.as_u64().expect("an index") as usize
}

/// A run, each step of which is a run of the model.
pub struct Plain<'m> {
    session: &'m mut Session,
    expert: i64,
    numbers: Vec<f64>,
    trace: DynValue,
}

impl Steps for Plain<'_> {
    fn expert(&self) -> i64 {
        self.expert
    }

    fn numbers(&self) -> Vec<f64> {
        self.numbers.clone()
    }

    fn step(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        let expert = tensor(&[1], vec![self.expert]).expect("a tensor");
        let numbers = tensor(&[1, numbers.len() as i64], numbers).expect("a tensor");
        let inputs = ort::inputs!["expert" => expert, "numbers" => numbers, "past.trace" => &self.trace];
        let mut outputs = self.session.run(inputs).unwrap_or_else(|error| panic!("{error}"));
        let next = outputs["next_expert"].try_extract_tensor::<i64>().expect("next_expert is int64");
        self.expert = next.1[0];
        let next = outputs["next_numbers"].try_extract_tensor::<f64>().expect("next_numbers is double");
        self.numbers = next.1.to_vec();
        self.trace = outputs.remove("present.trace").expect("an output");
    }

    fn set(&mut self, expert: i64, numbers: &[f64]) {
        self.expert = expert;
        self.numbers = numbers.to_vec();
    }

    fn append(&mut self, rows: &[(u64, f64)]) {
        let (shape, trace) = self.trace.try_extract_tensor::<f64>().expect("the trace is double");
        let (mut shape, mut trace) = (shape.to_vec(), trace.to_vec());
        if shape.len() == 2 {
            rows.iter().for_each(|(key, value)| trace[*key as usize] = *value);
        } else {
            trace.extend(rows.iter().flat_map(|(key, value)| [*key as f64, *value]));
            shape[1] += rows.len() as i64;
        }
        self.trace = tensor(&shape, trace).expect("a tensor");
    }

    fn trace(&self) -> Vec<f64> {
        self.trace.try_extract_tensor::<f64>().expect("the trace is double").1.to_vec()
    }
}

/// A run with bound buffers.
pub struct Bound<'m> {
    session: &'m mut Session,
    /// A binding from the first side to the second, and one back.
    bindings: [IoBinding; 2],
    /// Experts and numbers.
    sides: [(Tensor<i64>, Tensor<f64>); 2],
    /// Input and output of every step.
    trace: Tensor<f64>,
    /// The side that the next step begins with.
    side: usize,
}

impl Steps for Bound<'_> {
    fn expert(&self) -> i64 {
        self.sides[self.side].0.extract_tensor().1[0]
    }

    fn numbers(&self) -> Vec<f64> {
        self.sides[self.side].1.extract_tensor().1.to_vec()
    }

    fn step(&mut self) {
        self.session.run_binding(&self.bindings[self.side]).unwrap_or_else(|error| panic!("{error}"));
        self.side = 1 - self.side;
    }

    fn set(&mut self, expert: i64, numbers: &[f64]) {
        let side = &mut self.sides[self.side];
        side.0.extract_tensor_mut().1[0] = expert;
        side.1.extract_tensor_mut().1.copy_from_slice(numbers);
    }

    fn append(&mut self, rows: &[(u64, f64)]) {
        let cells = self.trace.extract_tensor_mut().1;
        rows.iter().for_each(|(key, value)| cells[*key as usize] = *value);
    }

    fn trace(&self) -> Vec<f64> {
        self.trace.extract_tensor().1.to_vec()
    }
}
