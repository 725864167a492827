//! The step form side by side with one of our executors: every number of every step is compared.

use wasm2onnx::Slots;

use wasm2onnx_runtime::{
    ExpertId, Field, FieldKind, FieldName, Network, Step, Stepper, Terminal, Value, WordLocation,
};

use super::{Driver, Steps};
use crate::ours;

/// How far two runs agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// Number of maps evaluated and compared.
    pub steps: u64,
    /// Whether both runs have ended. If not, they were stopped after the maximum number of steps.
    pub ended: bool,
    /// The last expert: the terminal one, if the runs have ended.
    pub expert: i64,
}

/// Runs a call on an executor that is still empty and in ONNX Runtime, a step of each at a time, for at most
/// `max_steps` steps. Compares the expert and all numbers after each step, and at the end the traces.
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
        let rows = network.entries[call.0]
            .param_locations
            .iter()
            .any(|location| matches!(location, WordLocation::Row(_)));
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
    /// Runs both to the end, and returns whether they came to it. Arguments that are rows are already
    /// appended in the executor when a run begins; in the model the first step appends them.
    fn run(&mut self, mut but_rows: bool) -> Result<bool, String> {
        let mut from = self.executor.z().0;
        loop {
            let step = Step::next(self.network, &*self.executor, self.steps);
            let expert = step.expert;
            self.compare(&step, from, but_rows)?;
            if self.steps == self.max_steps && !self.network.is_terminal(expert) {
                return Ok(false);
            }
            let stepped = self.executor.step();
            self.run.step();
            if !stepped {
                return Ok(true);
            }
            self.steps += 1;
            (from, but_rows) = (expert, false);
        }
    }

    /// Compares what a step begins with, but for its rows if these are left out. `from` is the expert of the
    /// previous step.
    fn compare(&self, step: &Step<'_>, from: ExpertId, but_rows: bool) -> Result<(), String> {
        let ports = step.network.ports;
        let slots = Slots(ports);
        let numbers = self.run.numbers();
        let location = || format!("before step {}, after expert {}", step.number, from);
        for (field, value) in (0 as Field..).zip(step.z) {
            if but_rows && matches!(ports.kind(field).0, FieldKind::K | FieldKind::X) {
                continue;
            }
            let found = numbers[slots.of(field)];
            // −0 counts as 0, as `!=` has it.
            if found != *value {
                let field = FieldName::new(&ports, field);
                return Err(format!("{}: {field} is {value}, in ONNX Runtime {found}", location()));
            }
        }
        if numbers.len() != step.z.len() {
            return Err(format!("{} numbers instead of {}", numbers.len(), step.z.len()));
        }
        let expert = self.run.expert();
        if expert != i64::from(step.expert) {
            return Err(format!("{}: goes to {}, in ONNX Runtime to {expert}", location(), step.expert));
        }
        if step.network.is_terminal(step.expert) != self.driver.is_terminal(expert) {
            return Err(format!("expert {expert} is terminal for one of them"));
        }
        Ok(())
    }

    fn compare_traces(&self) -> Result<(), String> {
        // The cells below are for rows that are not appended.
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
