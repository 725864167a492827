//! Runs executors side by side and compares every number of every step.

use crate::dense::Dense;
use crate::error::Error;
use crate::exact::{Inexact, check_map, check_z};
use crate::instance::{Wasi, end_of_run, first_rows, prepare, results};
use crate::network::{ExpertId, Field, Network};
use crate::observe::Step;
use crate::sparse::{Sparse, SparseOptions};
use crate::stepper::Stepper;
use crate::tokens::TokenEnds;
use crate::trace::key_of;
use crate::validate::validate;
use crate::value::Value;

/// The result of a comparison that found no difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Number of maps evaluated and compared, those of instance creation included.
    pub steps: u64,
    /// Why the comparison ended.
    pub end: End,
    /// Hash of every number of every step. Two networks whose runs differ at any step have different
    /// digests, unless the hashes collide.
    pub digest: u64,
}

/// Why a comparison ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The run ended, with these results or this error.
    Finished(Result<Vec<Value>, Error>),
    /// As many steps were compared as were allowed.
    StepLimit,
    /// From this step on, executors may differ: it breaks rule 1 or 7 of the certificate.
    Inexact {
        /// The expert of that step.
        expert: ExpertId,
        /// How the rule is broken.
        what: Inexact,
    },
}

/// Why a comparison failed: executors differ, or cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Divergence {
    /// The next experts differ.
    #[error("after step {step} of expert {from}: sparse goes to expert {sparse}, dense to {dense}")]
    Expert {
        /// Steps evaluated.
        step: u64,
        /// The expert whose map was evaluated.
        from: ExpertId,
        /// Next expert of the sparse executor.
        sparse: ExpertId,
        /// Next expert of the dense executor.
        dense: ExpertId,
    },
    /// Two numbers of `z` differ.
    #[error("after step {step} of expert {from}: field {field} is {sparse} sparse, {dense} dense")]
    Field {
        /// Steps evaluated.
        step: u64,
        /// The expert whose map was evaluated.
        from: ExpertId,
        /// The field.
        field: u16,
        /// Its value in the sparse executor.
        sparse: f64,
        /// Its value in the dense executor.
        dense: f64,
    },
    /// Two traces differ.
    #[error("after {step} steps: the trace reads {sparse} sparse, {dense} dense at key {key}")]
    Trace {
        /// Steps evaluated.
        step: u64,
        /// The key.
        key: u64,
        /// Value of its latest row in the sparse executor.
        sparse: f64,
        /// Value of its latest row in the dense executor.
        dense: f64,
    },
    /// Machine code and the interpreter differ.
    #[error("after {step} steps, machine code and interpreter differ: {what}")]
    MachineCode {
        /// Steps evaluated by the interpreter.
        step: u64,
        /// What differs.
        what: String,
    },
    /// The run could not begin: the network is malformed, the entry unknown, the arguments wrong.
    #[error(transparent)]
    Invalid(#[from] Error),
}

/// Runs an entry on a fresh instance with the dense and the sparse executor, one step of each at a
/// time, and compares all of `z`, the rows appended and, at the end, the whole traces.
///
/// Ends at the first step whose numbers are not exact by rule 1 or rule 7 of the certificate; a certified
/// network has no such step. If instance creation fails, so does the run, with the same error.
///
/// # Errors
///
/// The first difference, or why the run could not begin.
pub fn compare_step_by_step(
    network: &Network,
    entry: &str,
    args: &[Value],
    max_steps: u64,
) -> Result<Report, Divergence> {
    let mut pair = Pair {
        network,
        sparse: Sparse::new(network, INTERPRETER)?,
        dense: Dense::new(network)?,
        steps: 0,
        max_steps,
        digest: DIGEST_SEED,
    };
    first_rows(network, &Wasi::default(), &[], &mut pair.sparse)?;
    first_rows(network, &Wasi::default(), &[], &mut pair.dense)?;
    let end = match pair.run_all(entry, args)? {
        Ok(results) => End::Finished(results),
        Err(early) => early,
    };
    pair.compare_traces()?;
    Ok(Report { steps: pair.steps, end, digest: pair.digest })
}

/// Runs an entry on a fresh instance with the sparse executor's interpreter and with its machine code,
/// `slice` steps at a time, and compares all of `z`, the steps, the tokens and the traces after each
/// slice.
///
/// `steps` bounds the run, and also the run of instance creation before it; for a network that is not
/// certified it must be at most the [`Report::steps`] that are known to be exact. `compile_after`
/// visits make a packet hot. Machine code needs slices of at least 64 steps. Returns the number of steps that
/// machine code evaluated; 0 without the feature `jit`.
///
/// # Errors
///
/// The first difference, or why the run could not begin.
pub fn compare_machine_code(
    network: &Network,
    entry: &str,
    args: &[Value],
    steps: u64,
    compile_after: u32,
    slice: u64,
) -> Result<u64, Divergence> {
    validate(network)?;
    let ends = TokenEnds::new(network);
    let executor = |compile_after| -> Result<_, Error> {
        let mut sparse = Sparse::new(network, SparseOptions { compile_after, ..INTERPRETER })?;
        first_rows(network, &Wasi::default(), &[], &mut sparse)?;
        if let Some(start) = network.start {
            sparse.enter(start, &[]);
            if !sparse.run(steps, &ends).ended {
                return Err(Error::StepLimit { limit: steps, place: network.place_of(sparse.z().0) });
            }
            end_of_run(network, sparse.z().0, &sparse)?;
        }
        let (entry, fields) = prepare(network, entry, args, &mut sparse)?;
        sparse.enter(entry.expert, &fields);
        Ok(sparse)
    };
    let (mut interpreter, mut compiled) = (executor(None)?, executor(Some(compile_after))?);
    let mut done = 0;
    let mut ended = false;
    while done < steps && !ended {
        let slice = slice.clamp(1, steps - done);
        let (expected, found) = (interpreter.run(slice, &ends), compiled.run(slice, &ends));
        done += expected.steps;
        ended = expected.ended;
        let differ = |what: String| Err(Divergence::MachineCode { step: done, what });
        if found != expected {
            return differ(format!("{found:?}, not {expected:?}"));
        }
        if compiled.z().0 != interpreter.z().0 {
            return differ(format!("next expert {}, not {}", compiled.z().0, interpreter.z().0));
        }
        for (field, (found, expected)) in compiled.z().1.iter().zip(interpreter.z().1).enumerate() {
            if found != expected {
                return differ(format!("field {field} is {found}, not {expected}"));
            }
        }
        let (mut rows, mut others) = (Vec::new(), Vec::new());
        compiled.for_each_row(&mut |key, value| rows.push((key, value)));
        interpreter.for_each_row(&mut |key, value| others.push((key, value)));
        if let Some((found, expected)) = rows.iter().zip(&others).find(|(a, b)| a != b) {
            return differ(format!("row {found:?}, not {expected:?}"));
        }
        if rows.len() != others.len() {
            return differ(format!("{} rows, not {}", rows.len(), others.len()));
        }
    }
    Ok(compiled.compiled_steps())
}

/// Options for the interpreter alone. What is declared is not asserted, as it need not hold.
const INTERPRETER: SparseOptions = SparseOptions { assert_declared: false, compile_after: None };

/// The digest of an empty run: the offset basis of the hash.
const DIGEST_SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// The result of a run, or why its comparison ended early.
type Outcome<T> = Result<Result<T, Error>, End>;

struct Pair<'n> {
    network: &'n Network,
    sparse: Sparse<'n>,
    dense: Dense<'n>,
    steps: u64,
    max_steps: u64,
    digest: u64,
}

impl Pair<'_> {
    /// Runs instance creation, then the entry.
    fn run_all(&mut self, entry: &str, args: &[Value]) -> Result<Outcome<Vec<Value>>, Divergence> {
        if let Some(start) = self.network.start {
            match self.run(start, &[])? {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Ok(Ok(Err(error))),
                Err(early) => return Ok(Err(early)),
            }
        }
        let (found, fields) = prepare(self.network, entry, args, &mut self.sparse)?;
        prepare(self.network, entry, args, &mut self.dense)?;
        let ended = self.run(found.expert, &fields)?;
        Ok(ended.map(|end| end.and_then(|()| results(found, &self.sparse))))
    }

    /// Runs both from an expert to the end.
    fn run(&mut self, expert: ExpertId, fields: &[(Field, f64)]) -> Result<Outcome<()>, Divergence> {
        self.sparse.enter(expert, fields);
        self.dense.enter(expert, fields);
        loop {
            let (expert, z) = self.sparse.z();
            let z = z.to_vec();
            self.digest = digest(self.digest, expert, &z);
            if let Err(what) = self.check(expert, &z) {
                return Ok(Err(End::Inexact { expert, what }));
            }
            if self.steps == self.max_steps && !self.network.is_terminal(expert) {
                return Ok(Err(End::StepLimit));
            }
            let stepped = self.sparse.step();
            self.dense.step();
            self.compare_rows(&z)?;
            if !stepped {
                return Ok(Ok(end_of_run(self.network, expert, &self.sparse)));
            }
            self.steps += 1;
            self.compare_z(expert)?;
        }
    }

    /// Checks that the next step is exact.
    fn check(&self, expert: ExpertId, z: &[f64]) -> Result<(), Inexact> {
        check_z(self.network, z)?;
        if self.network.is_terminal(expert) {
            return Ok(());
        }
        check_map(self.network, expert, &Step::next(self.network, &self.sparse, self.steps).y())
    }

    fn compare_z(&self, from: ExpertId) -> Result<(), Divergence> {
        let step = self.steps;
        let ((sparse, sparse_z), (dense, dense_z)) = (self.sparse.z(), self.dense.z());
        for (field, (&sparse, &dense)) in sparse_z.iter().zip(dense_z).enumerate() {
            // −0 counts as 0, as it does for `!=`. A NaN must be a NaN in both.
            if sparse != dense && !(sparse.is_nan() && dense.is_nan()) {
                return Err(Divergence::Field { step, from, field: field as Field, sparse, dense });
            }
        }
        if sparse != dense {
            return Err(Divergence::Expert { step, from, sparse, dense });
        }
        Ok(())
    }

    /// Compares what the traces read at the keys of a step's rows.
    fn compare_rows(&self, z: &[f64]) -> Result<(), Divergence> {
        let ports = &self.network.ports;
        let keys = (0..ports.rows).filter_map(|row| key_of(z[usize::from(ports.k(row))]));
        keys.into_iter().try_for_each(|key| self.compare_key(key))
    }

    fn compare_key(&self, key: u64) -> Result<(), Divergence> {
        let (sparse, dense) = (self.sparse.read(key), self.dense.read(key));
        if sparse != dense {
            return Err(Divergence::Trace { step: self.steps, key, sparse, dense });
        }
        Ok(())
    }

    fn compare_traces(&self) -> Result<(), Divergence> {
        let mut rows = Vec::new();
        self.sparse.for_each_row(&mut |key, value| rows.push((key, value)));
        let mut others = Vec::new();
        self.dense.for_each_row(&mut |key, value| others.push((key, value)));
        if rows == others {
            return Ok(());
        }
        rows.into_iter().chain(others).try_for_each(|(key, _)| self.compare_key(key))
    }
}

/// Mixes the numbers of a step into a digest.
fn digest(digest: u64, expert: ExpertId, z: &[f64]) -> u64 {
    let mix = |digest: u64, word: u64| (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    // Adding 0 turns −0 into 0.
    z.iter().fold(mix(digest, expert.into()), |digest, x| mix(digest, (x + 0.0).to_bits()))
}

#[cfg(test)]
mod tests;
