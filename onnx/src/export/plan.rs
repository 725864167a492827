//! What has to be known before a model of a network is written: where everything lies.

use crate::proto::DataType;
use wasm2onnx_runtime::{
    Boundary, CellWidth, ElementType, Entry, Field, Io, Network, ValueType, WordLocation,
};

use super::arguments::Arguments;
use super::graph::{self, Dim, Graph, Name, Tensor};
use super::{Attention, ExportError, ExportOptions, Form, tensor_batch};
use crate::pack::Slots;

/// Number of cells that are stored together if one of them is not 0.
pub const STORED_PAGE: usize = 64;

/// Maximum number of cells that the resident variant carries: every step copies all of them.
const MAX_RESIDENT_CELLS: u64 = 8192;

/// Largest key of a row that the memory of a batch begins with: its model has a number for each page up to there.
const MAX_BATCH_KEY: u64 = 1 << 28;

/// Opset of `ReduceMax` with axes as an input, the newest operator that every model needs.
const OPSET: i64 = 18;

/// Opset of `Attention`.
const ATTENTION_OPSET: i64 = 23;

/// Opset of `BitCast`.
const FLOAT_OPSET: i64 = 26;

/// How attention over all rows picks one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// By the largest score.
    Hard,
    /// By softmax over the scores, with ONNX's `Attention`.
    Softmax,
}

/// How reads are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// By index: there is a cell for each key.
    Cells,
    /// By attention over all rows.
    Rows(Scores),
}

impl From<Attention> for Reading {
    fn from(attention: Attention) -> Reading {
        match attention {
            Attention::Indexed => Reading::Cells,
            Attention::Dense => Reading::Rows(Scores::Hard),
            Attention::Softmax => Reading::Rows(Scores::Softmax),
        }
    }
}

/// How the loop form keeps its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// All cells are carried.
    Resident,
    /// A window of pages is carried, the others in a sequence.
    Paged,
    /// A window of pages is carried for each of several instances.
    Batched,
    /// All rows that were appended are carried, and read by attention.
    Growing(Scores),
}

/// A network and one of its entries, ready to be written.
pub struct Plan<'n> {
    /// The network.
    pub network: &'n Network,
    /// The function that the model runs.
    pub entry: &'n Entry,
    /// Its name.
    pub name: &'n str,
    /// Order of the numbers.
    pub slots: Slots,
    /// The fields that hold results.
    pub results: Vec<Field>,
    /// Where the words of the arguments go, and the other numbers that a run begins with.
    pub arguments: Arguments,
    /// How reads are made.
    pub reading: Reading,
    /// Number of cells of a direct-mapped trace, whose keys are the indices of its cells. Below the first
    /// region lie a cell for each row port, where rows that are not appended go, and one that is never
    /// written, which queries for nothing read; the last cell is never written either.
    pub cells: u64,
    /// First key of any region.
    pub first: u64,
    /// Whether several instances are asked for.
    several: bool,
    /// Whether there are inputs for what has a default.
    pub has_defaults: bool,
}

impl<'n> Plan<'n> {
    /// # Errors
    ///
    /// [`ExportError::UnknownExport`], [`ExportError::Layout`], [`ExportError::Batch`]
    pub fn new(network: &'n Network, options: &ExportOptions) -> Result<Plan<'n>, ExportError> {
        let (name, entry) =
            network.entries.get_key_value(&options.entry).ok_or_else(|| ExportError::UnknownExport {
                name: options.entry.clone(),
                available: network.entries.keys().cloned().collect(),
            })?;
        let results: Vec<Field> = entry
            .result_locations
            .iter()
            .filter_map(|location| match location {
                WordLocation::Field(field) => Some(*field),
                WordLocation::Row(_) => None,
            })
            .collect();
        let rows = u64::from(network.ports.rows);
        let first = network.regions.first().map_or(rows + 1, |region| region.first);
        if first <= rows {
            return Err(ExportError::Layout { first, rows });
        }
        let end = network.regions.last().map_or(first, |region| region.first + region.count);
        let plan = Plan {
            network,
            entry,
            name,
            slots: Slots(network.ports),
            results,
            arguments: Arguments::of(network, entry),
            reading: options.attention.into(),
            cells: end + 1,
            first,
            several: options.batch,
            has_defaults: !options.without_defaults,
        };
        let obstacle = entry.boundary.as_ref().and_then(tensor_batch::obstacle);
        let why = match () {
            () if !options.batch => return Ok(plan),
            () if options.form != Form::Loop => "in loop form",
            () if options.attention != Attention::Indexed => "with indexed attention",
            () if network.first_rows.last().is_some_and(|(key, _)| *key > MAX_BATCH_KEY) => {
                "of functions whose memory begins with nothing but zeros beyond the first 256 MB"
            }
            () if plan.has_others_than_tensors() => {
                "of functions that use no standard input, output, files or other things of WASI"
            }
            () => match obstacle {
                Some(why) => why,
                None => return Ok(plan),
            },
        };
        Err(ExportError::Batch { name: name.to_owned(), why })
    }

    /// Returns how the loop form keeps its trace.
    pub fn keeping(&self) -> Keeping {
        match self.reading {
            Reading::Rows(scores) => Keeping::Growing(scores),
            Reading::Cells
                if self.several && (self.entry.boundary.is_some() || self.cells > MAX_RESIDENT_CELLS) =>
            {
                Keeping::Batched
            }
            // A program that reads or prints bytes has a large trace.
            Reading::Cells if self.has_streams() || self.cells > MAX_RESIDENT_CELLS => Keeping::Paged,
            Reading::Cells => Keeping::Resident,
        }
    }

    /// Returns whether the program is given anything besides its arguments, or prints.
    fn has_streams(&self) -> bool {
        self.network.io != Io::default()
    }

    /// Returns whether the program is given anything besides its arguments and tensors, or gives anything else.
    fn has_others_than_tensors(&self) -> bool {
        let Io { input, tensors, results, error, .. } = self.network.io;
        self.network.io != Io { input, tensors, results, error, ..Io::default() }
    }

    /// Returns the number of instances that run side by side in the loop form.
    pub fn batch(&self) -> Dim {
        match self.keeping() {
            Keeping::Paged => Dim::Fixed(1),
            Keeping::Growing(_) if self.has_streams() => Dim::Fixed(1),
            Keeping::Growing(_) | Keeping::Resident | Keeping::Batched => Dim::Named("batch"),
        }
    }

    /// Returns the number of cells that exist whatever the input: all but those of the input, the last region.
    pub fn first_cells(&self) -> u64 {
        match self.network.io.input {
            Some(region) => self.network.regions[region].first,
            None => self.cells,
        }
    }

    /// Returns the lowest opset that has all operators.
    pub fn opset(&self) -> i64 {
        let float = |ty: &ValueType| matches!(ty, ValueType::F32 | ValueType::F64);
        let floats = self.entry.params.iter().chain(&self.entry.results).any(float);
        match self.reading {
            _ if floats || self.has_float_tensors() => FLOAT_OPSET,
            Reading::Rows(Scores::Softmax) => ATTENTION_OPSET,
            Reading::Rows(Scores::Hard) | Reading::Cells => OPSET,
        }
    }

    fn has_float_tensors(&self) -> bool {
        let mut tensors = self.entry.boundary.iter().flat_map(Boundary::all);
        tensors.any(|spec| matches!(spec.element, ElementType::F32 | ElementType::F64))
    }

    /// Makes the number of fields of `z`, that of the expert among them.
    pub fn count(&self, g: &mut Graph) -> Name {
        g.initializer("shape/numbers", Tensor::list(&[self.slots.count() as i64 + 1]))
    }

    /// Makes the sizes of the parts that a step uses separately: `s`, `n`, `v`, `x`, and all indices.
    pub fn part_sizes(&self, g: &mut Graph) -> Name {
        let [s, n, v, x, q, k, t] = self.slots.sizes().map(|size| size as i64);
        g.initializer("shape/fields", Tensor::list(&[s, n, v, x, q + k + t + 1]))
    }

    /// Makes the sizes of the parts of the indices: `q`, `k`, `t`, `e`.
    pub fn id_sizes(&self, g: &mut Graph) -> Name {
        let [.., q, k, t] = self.slots.sizes().map(|size| size as i64);
        g.initializer("shape/indices", Tensor::list(&[q, k, t, 1]))
    }

    /// Makes the sizes of all parts: `s`, `n`, `v`, `x`, `q`, `k`, `t`, `e`.
    pub fn all_sizes(&self, g: &mut Graph) -> Name {
        let sizes: Vec<i64> = self.slots.sizes().iter().map(|size| *size as i64).chain([1]).collect();
        g.initializer("shape/fields", Tensor::list(&sizes))
    }

    /// Returns the type of all numbers and the expert.
    pub fn numbers_type(&self) -> graph::ValueType {
        graph::ValueType::tensor(DataType::Double, &[Dim::Named("batch"), Dim::Named("numbers")])
    }

    /// Returns the smallest value of each query, key and lookup, see [`Plan::cells`]. A table's entry −1 is
    /// its last, which is 0.
    pub fn floor(&self) -> Vec<f64> {
        let [.., q, k, t] = self.slots.sizes();
        let sink = (self.first - 1) as f64;
        let mut floor = vec![sink; q];
        floor.extend((0..k).map(|port| port as f64));
        floor.extend(std::iter::repeat_n(-1.0, t));
        floor
    }

    /// Returns the largest value of each query, key and lookup, for a trace whose last cell is the given one.
    pub fn top(&self, last_cell: u64) -> Vec<f64> {
        let [.., q, k, t] = self.slots.sizes();
        let mut top = vec![last_cell as f64; q + k];
        top.extend(std::iter::repeat_n(self.network.lookup.len() as f64, t));
        top
    }

    /// Returns a row with one number for each query and key, one for each lookup, and one for the expert.
    pub fn per_id<T: Clone>(&self, of_key: T, of_lookup: T, of_expert: T) -> Vec<T> {
        let [.., q, k, t] = self.slots.sizes();
        let mut row = vec![of_key; q + k];
        row.extend(std::iter::repeat_n(of_lookup, t));
        row.push(of_expert);
        row
    }

    /// Returns the largest id of an expert; the smallest is 0.
    pub fn last_expert(&self) -> f64 {
        self.network.experts.len() as f64 - 1.0
    }

    /// Returns the first rows as a model stores them: pages of bytes with at least one that is not 0, and all
    /// other rows by key and value.
    pub fn first_rows(&self) -> FirstRows {
        let mut rows = FirstRows { pages: vec![0], bytes: vec![0; STORED_PAGE], ..FirstRows::default() };
        for (key, value) in &self.network.first_rows {
            let region = self.network.region_of(*key).expect("validated: first rows are in regions");
            let byte = *value as u8;
            if self.network.regions[region].width == CellWidth::Number || f64::from(byte) != *value {
                rows.keys.push(*key as i64);
                rows.values.push(*value);
                continue;
            }
            let (page, cell) = ((*key / STORED_PAGE as u64) as i64, (*key % STORED_PAGE as u64) as usize);
            if rows.pages.last() != Some(&page) {
                rows.pages.push(page);
                rows.bytes.resize(rows.bytes.len() + STORED_PAGE, 0);
            }
            let at = rows.bytes.len() - STORED_PAGE + cell;
            rows.bytes[at] = byte;
        }
        rows
    }
}

/// The rows that a trace begins with.
#[derive(Clone, Debug, Default)]
pub struct FirstRows {
    /// Indices of pages, ascending.
    pub pages: Vec<i64>,
    /// Their cells.
    pub bytes: Vec<u8>,
    /// Keys of other rows.
    pub keys: Vec<i64>,
    /// Their values.
    pub values: Vec<f64>,
}
