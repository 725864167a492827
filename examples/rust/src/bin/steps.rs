//! Drives a model in step form and prints its trace: for each step the expert, where it came from in the
//! WebAssembly module, what it appended to the trace and what it read.
//!
//! `steps MODEL.onnx [ARGS...]`, with a model from `wasm2onnx compile --form step`; integers only

use anyhow::{Context, bail, ensure};
use ort::session::{IoBinding, Session};
use ort::value::Tensor;
use prost::Message;
use serde_json::Value as Json;
use wasm2onnx::proto::ModelProto;
use wasm2onnx_examples::load;
use wasm2onnx_runtime::{ExpertId, Network};

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().context("steps MODEL.onnx [ARGS...]")?;
    let mut session = load(&path)?;
    let bytes = std::fs::read(&path)?;
    let mut driver = Driver::new(&mut session, wasm2onnx::import(&bytes)?.into_network())?;
    let args: Vec<String> = args.collect();
    let entry = driver.entry.clone();
    ensure!(list(&entry["args"]).len() == args.len(), "it takes {} arguments", list(&entry["args"]).len());

    // A call begins with these numbers and its arguments, as words, low word first. If there are very many
    // arguments, some of them are rows that no step appends.
    let mut numbers = initial_numbers(&bytes)?;
    let mut rows = Vec::new();
    for (parameter, text) in list(&entry["args"]).iter().zip(&args) {
        let value: i64 = text.parse().with_context(|| format!("`{text}` is no integer"))?;
        for (i, location) in list(&parameter[1]).iter().enumerate() {
            let word = f64::from((value >> (32 * i)) as u32);
            match location.get("key") {
                Some(key) => rows.push((index(key)?, word)),
                None => numbers[index(location)?] = word,
            }
        }
    }
    // Instance creation, if there is anything to do, begins with all numbers 0; then comes the call.
    let mut end = 1;
    if let Some(start) = driver.network.start {
        let nothing = vec![0.0; driver.count];
        end = driver.run(start, &nothing)?;
    }
    if end == 1 {
        let cells = driver.trace.extract_tensor_mut().1;
        rows.into_iter().for_each(|(key, word)| cells[key] = word);
        end = driver.run(index(&entry["expert"])? as ExpertId, &numbers)?;
    }
    if end != 1 {
        bail!("{:?} after {} steps", driver.network.terminals[end as usize], driver.steps);
    }
    for result in list(&entry["results"]) {
        let mut value = 0;
        let locations = list(&result[1]);
        for (i, location) in locations.iter().enumerate() {
            let word = match location.get("key") {
                Some(key) => driver.trace.extract_tensor().1[index(key)?],
                None => driver.buffers[driver.turn].1.extract_tensor().1[index(location)?],
            };
            value |= (word as i64) << (32 * i);
        }
        println!("{}", if locations.len() == 1 { i64::from(value as i32) } else { value });
    }
    Ok(())
}

/// A model with the buffers that are bound to it. The trace has a single buffer for input and output: each
/// step writes a few cells and leaves the rest as it is. Expert and numbers have two buffers, which take
/// turns, since a step may write its output before it has read all of its input.
struct Driver<'s> {
    session: &'s mut Session,
    /// The model read back: debug information, and the rows that memory begins with.
    network: Network,
    entry: Json,
    /// How many numbers a step hands to the next.
    count: usize,
    trace: Tensor<f64>,
    buffers: [(Tensor<i64>, Tensor<f64>); 2],
    bindings: [IoBinding; 2],
    /// Index of the buffers that hold what the next step begins with.
    turn: usize,
    steps: u64,
}

impl<'s> Driver<'s> {
    fn new(session: &'s mut Session, network: Network) -> anyhow::Result<Self> {
        let entry = session.metadata()?.custom("wasm2onnx.entry").context("wasm2onnx wrote no such model")?;
        let entry: Json = serde_json::from_str(&entry)?;
        let cells = session.inputs().iter().find(|input| input.name() == "past.trace");
        let shape = cells.and_then(|input| input.dtype().tensor_shape());
        let Some(&[_, cells]) = shape.map(|shape| &shape[..]) else {
            bail!("not in step form with a trace of cells: compile with --form step");
        };
        let count = network.ports.fields();
        let memory = session.allocator();
        // A row's key is the index of its cell. The buffer comes uninitialized, so all of it is written.
        let mut trace = Tensor::<f64>::new(memory, [1, cells])?;
        let all = trace.extract_tensor_mut().1;
        all.fill(0.0);
        network.first_rows.iter().for_each(|(key, value)| all[*key as usize] = *value);
        let buffer = || {
            let numbers = Tensor::<f64>::new(memory, [1, count as i64])?;
            anyhow::Ok((Tensor::<i64>::new(memory, [1i64])?, numbers))
        };
        let mut buffers = [buffer()?, buffer()?];
        let mut bind = |from: usize, to: usize| {
            let mut binding = session.create_binding()?;
            binding.bind_input("expert", &buffers[from].0)?;
            binding.bind_input("numbers", &buffers[from].1)?;
            binding.bind_input("past.trace", &trace)?;
            binding.bind_output("next_expert", &mut buffers[to].0)?;
            binding.bind_output("next_numbers", &mut buffers[to].1)?;
            binding.bind_output("present.trace", &mut trace)?;
            anyhow::Ok(binding)
        };
        let bindings = [bind(0, 1)?, bind(1, 0)?];
        Ok(Driver { session, network, entry, count, trace, buffers, bindings, turn: 0, steps: 0 })
    }

    /// Runs from an expert to the end, and returns the terminal expert that it reached.
    fn run(&mut self, first: ExpertId, numbers: &[f64]) -> anyhow::Result<ExpertId> {
        let (expert, z) = &mut self.buffers[self.turn];
        expert.extract_tensor_mut().1[0] = first.into();
        z.extract_tensor_mut().1.copy_from_slice(numbers);
        loop {
            self.session.run_binding(&self.bindings[self.turn])?;
            let expert = self.buffers[self.turn].0.extract_tensor().1[0] as ExpertId;
            self.show(expert)?;
            // The rows of a terminal expert are appended too, so its step is run, but it is not counted.
            if self.network.is_terminal(expert) {
                return Ok(expert);
            }
            self.steps += 1;
            self.turn = 1 - self.turn;
        }
    }

    /// Prints the step that has just been run.
    fn show(&self, expert: ExpertId) -> anyhow::Result<()> {
        let z = self.buffers[self.turn].1.extract_tensor().1;
        let cells = self.trace.extract_tensor().1;
        let ended = self.network.is_terminal(expert);
        let mut line = format!("{:5}  expert {expert:<5} {:24}", self.steps, self.origin(expert));
        for (key, value) in self.part("k", z)?.iter().zip(self.part("x", z)?).filter(|(key, _)| **key != 0.0)
        {
            line += &format!("  [{key}] := {value}");
        }
        // Reads see the rows of their own step, so what was read is still in the trace.
        for query in self.part("q", z)?.iter().filter(|query| **query != 0.0 && !ended) {
            if let Some(value) = cells.get(*query as usize) {
                line += &format!("  [{query}] = {value}");
            }
        }
        println!("{line}");
        Ok(())
    }

    /// Returns the function and the wasm offset of an expert's packet, as text.
    fn origin(&self, expert: ExpertId) -> String {
        let packet = self.network.packet_of(expert).map(|packet| self.network.packets[packet]);
        match packet {
            None => "end".into(),
            Some(packet) => match self.network.function_names.get(packet.function as usize) {
                Some(name) if name.is_empty() => {
                    format!("function {} at {:#x}", packet.function, packet.offset)
                }
                Some(name) => format!("{name} at {:#x}", packet.offset),
                None => "library".into(),
            },
        }
    }

    /// Returns the numbers of one kind.
    fn part<'z>(&self, name: &str, z: &'z [f64]) -> anyhow::Result<&'z [f64]> {
        let mut first = 0;
        for part in list(&self.entry["fields"]) {
            let size = index(&part[1])?;
            if part[0] == name {
                return Ok(&z[first..first + size]);
            }
            first += size;
        }
        bail!("there are no fields `{name}`")
    }
}

/// Reads the numbers that a call begins with from the file, since ONNX Runtime does not show initializers.
fn initial_numbers(model: &[u8]) -> anyhow::Result<Vec<f64>> {
    let graph = ModelProto::decode(model)?.graph.context("the model has no graph")?;
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == "initial.numbers");
    let bytes = &tensor.context("the model is not in step form")?.raw_data;
    Ok(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn index(json: &Json) -> anyhow::Result<usize> {
    json.as_u64().map(|index| index as usize).context("the model's metadata is damaged")
}
