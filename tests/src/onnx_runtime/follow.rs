//! The step form beside one of our executors: every number of every step compared.

use wasm2onnx::Slots;
use wasm2onnx_runtime::{Field, FieldKind, Network, Stepper, Terminal, Value, WordLocation};

use super::{Driver, Steps};
use crate::ours;

/// How far two runs agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// Maps evaluated and compared.
    pub steps: u64,
    /// Whether both have ended. If not, the steps that were allowed are done.
    pub ended: bool,
    /// The last expert: the terminal one, if they have ended.
    pub expert: i64,
}

/// Runs a call on an executor that is still empty and in ONNX Runtime, a step of each at a time, for
/// at most so many steps: compares the expert and all numbers after each, and at the end the traces.
/// Standard input must be among the network's first rows (see [`ours::with_stdin`]).
///
/// # Errors
///
/// The first difference.
pub fn follow(
    network: &Network,
    call: (&str, &[Value]),
    executor: &mut dyn Stepper,
    (run, driver): (&mut dyn Steps, &Driver),
    max_steps: u64,
) -> Result<Followed, String> {
    let mut pair = Pair { network, executor, run, driver, steps: 0, max_steps };
    ours::first_rows(network, pair.executor);
    let mut ended = true;
    if driver.has_creation() != network.start.is_some() {
        return Err("the model does not say alike what instance creation does".into());
    }
    if let Some(start) = network.start {
        pair.executor.enter(start, &[]);
        ended = pair.run(false)?;
    }
    let halted =
        network.start.is_none() || network.terminals.get(pair.run.expert() as usize) == Some(&Terminal::Halt);
    if ended && halted {
        let (expert, numbers, rows) = driver.call(call.1);
        pair.run.set(expert, &numbers);
        pair.run.append(&rows);
        ours::enter(network, call.0, call.1, pair.executor);
        let rows =
            network.entries[call.0].param_locations.iter().any(|place| matches!(place, WordLocation::Row(_)));
        ended = pair.run(rows)?;
    }
    if ended {
        pair.compare_traces()?;
    }
    Ok(Followed { steps: pair.steps, ended, expert: pair.run.expert() })
}

struct Pair<'p> {
    network: &'p Network,
    executor: &'p mut dyn Stepper,
    run: &'p mut dyn Steps,
    driver: &'p Driver,
    steps: u64,
    max_steps: u64,
}

impl Pair<'_> {
    /// Runs both to the end, and says whether they came to it. Arguments that are rows are already
    /// appended in the executor when a run begins, and in the model the first step appends them.
    fn run(&mut self, rows: bool) -> Result<bool, String> {
        let from = self.executor.z().0;
        self.compare(from, rows)?;
        loop {
            let (from, _) = self.executor.z();
            if self.network.is_terminal(from) != self.driver.is_terminal(self.run.expert()) {
                return Err(format!("expert {from} is terminal for one of them"));
            }
            if self.steps == self.max_steps && !self.network.is_terminal(from) {
                return Ok(false);
            }
            let stepped = self.executor.step();
            self.run.step();
            if !stepped {
                return Ok(true);
            }
            self.steps += 1;
            self.compare(from, false)?;
        }
    }

    /// Compares what the next step begins with, but for the rows if they are told not to be alike.
    fn compare(&self, from: u32, but_rows: bool) -> Result<(), String> {
        let ports = self.network.ports;
        let slots = Slots(ports);
        let (expert, z) = self.executor.z();
        let numbers = self.run.numbers();
        let place = || format!("after step {} of expert {from}", self.steps);
        for (field, value) in (0 as Field..).zip(z) {
            if but_rows && matches!(ports.kind(field).0, FieldKind::K | FieldKind::X) {
                continue;
            }
            let found = numbers[slots.of(field)];
            // −0 counts as 0, as `!=` has it.
            if found != *value {
                let (kind, port) = ports.kind(field);
                return Err(format!("{}: {kind:?} {port} is {value}, in ONNX Runtime {found}", place()));
            }
        }
        if numbers.len() != z.len() {
            return Err(format!("{} numbers instead of {}", numbers.len(), z.len()));
        }
        if self.run.expert() != i64::from(expert) {
            return Err(format!("{}: goes to {expert}, in ONNX Runtime to {}", place(), self.run.expert()));
        }
        Ok(())
    }

    fn compare_traces(&self) -> Result<(), String> {
        // Below are cells for rows that are not appended.
        let first = self.network.regions.first().map_or(u64::MAX, |region| region.first);
        let found = self.driver.rows(&self.run.trace(), first);
        let mut rows = std::collections::BTreeMap::new();
        self.executor.for_each_row(&mut |key, value| {
            rows.insert(key, value);
        });
        if rows == found {
            return Ok(());
        }
        let keys = rows.keys().chain(found.keys());
        let key = keys.copied().find(|key| rows.get(key) != found.get(key)).expect("they differ");
        Err(format!("at the end key {key} reads {:?}, in ONNX Runtime {:?}", rows.get(&key), found.get(&key)))
    }
}
