//! Reads models back into networks.
//!
//! The program is read from the tensors alone; names, declared intervals and debug information are read
//! from the metadata. A file that is damaged, or that `wasm2onnx` did not write, is refused; nothing in it
//! is trusted before it is checked.

use prost::Message;
use wasm2onnx_certify::{Certified, check};
use wasm2onnx_runtime::{MAX_EXACT, Network, validate};

use crate::export::STORED_PAGE;
use crate::model::{self, Declared};
use crate::pack::{self, Matrices};
use crate::prefix;
use crate::proto::{DataType, GraphProto, ModelProto, TensorProto};

/// Keys are below this number, so that they are exact in a float64.
const MAX_KEY: f64 = MAX_EXACT as f64;

/// Why a model could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are not an ONNX model.
    #[error("not an ONNX model: {0}")]
    NotOnnx(String),
    /// An ONNX model that `wasm2onnx` did not write.
    #[error("this ONNX model was not written by wasm2onnx: it has no `wasm2onnx.{0}`")]
    NotOurs(&'static str),
    /// A format that this version does not know.
    #[error("the model has format {found}, but this version of wasm2onnx reads format {known}")]
    Format {
        /// The model's format.
        found: String,
        /// The format that this version reads.
        known: &'static str,
    },
    /// A tensor is missing, or has a wrong type or shape.
    #[error("tensor `{name}` {why}")]
    Tensor {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The tensors are not those that were written.
    #[error("the tensors do not have the checksum that the model names: the model is damaged")]
    Checksum,
    /// The graph or the metadata are not those that were written.
    #[error("the graph or the metadata are not those that were written: the model is damaged")]
    Integrity,
    /// Parts of the file contradict each other.
    #[error("damaged model: {0}")]
    Damaged(String),
    /// The certificate does not prove that the network is exact.
    #[error("the network is not certified: {0}")]
    Certificate(String),
}

/// Reads the network of a model, and proves its certificate again.
///
/// # Errors
///
/// As [`ImportError`] lists them.
pub fn import(bytes: &[u8]) -> Result<Certified, ImportError> {
    let model = parse(bytes)?;
    let graph = model.graph.as_ref().expect("parsed models have one");
    // An entry that is missing is reported as such, and not by the checksum that it makes wrong.
    ["declared", "validated", "debug", "form", "attention", "checksum", model::INTEGRITY]
        .iter()
        .try_for_each(|key| text(&model, key).map(drop))?;
    if text(&model, "checksum")? != model::checksum(&graph.initializer) {
        return Err(ImportError::Checksum);
    }
    if text(&model, model::INTEGRITY)? != model::integrity(graph, &model.metadata_props) {
        return Err(ImportError::Integrity);
    }
    let network = network(&model)?;
    check(network).map_err(|rejected| ImportError::Certificate(rejected.failure.to_string()))
}

/// Reads the network of a model whose tensors may have been changed: neither the checksums nor the
/// certificate are checked, so nothing is known about what it computes. For experiments.
///
/// # Errors
///
/// Those of [`import`], except for [`ImportError::Checksum`], [`ImportError::Integrity`] and
/// [`ImportError::Certificate`].
pub fn import_unproved(bytes: &[u8]) -> Result<Network, ImportError> {
    network(&parse(bytes)?)
}

/// Returns the model with checksums that fit its content, so that reading it gets past them to all other
/// checks. Returns `None` if the bytes are not a model. For fuzzing.
#[doc(hidden)]
pub fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(bytes).ok()?;
    let graph = model.graph.as_ref()?;
    let entries = &mut model.metadata_props;
    let at = |key| entries.iter().position(|entry| entry.key.strip_prefix(model::PREFIX) == Some(key));
    let (checksum, integrity) = (at("checksum")?, at(model::INTEGRITY)?);
    entries[checksum].value = model::checksum(&graph.initializer);
    entries[integrity].value = model::integrity(graph, entries);
    Some(model.encode_to_vec())
}

/// What a model says about itself, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The short metadata under `wasm2onnx.`: `version`, `form`, `attention`, `signature`, `source_sha256`,
    /// …, by name.
    pub metadata: Vec<(String, String)>,
    /// Its opset.
    pub opset: i64,
    /// Number of nodes of its graph, including those in the bodies of loops.
    pub nodes: usize,
    /// Sizes of its tensors in bytes: of the frozen tables, which programs share, and of all others.
    pub tensors: (usize, usize),
}

/// Reads what a model says about itself. Only the format is checked.
///
/// # Errors
///
/// [`ImportError::NotOnnx`], [`ImportError::NotOurs`], [`ImportError::Format`]
pub fn describe(bytes: &[u8]) -> Result<Description, ImportError> {
    const LONG: [&str; 9] = [
        "entry",
        "regions",
        "traps",
        "certificate",
        "validated",
        "declared",
        "debug",
        "checksum",
        model::INTEGRITY,
    ];
    let model = parse(bytes)?;
    let ours = model.metadata_props.iter().filter_map(|entry| {
        let key = entry.key.strip_prefix(model::PREFIX)?;
        (!LONG.contains(&key)).then(|| (key.to_owned(), entry.value.clone()))
    });
    let graph = model.graph.as_ref().expect("parsed models have one");
    let size = |tables: bool| {
        let wanted = graph.initializer.iter().filter(|tensor| tensor.name.starts_with("tables/") == tables);
        wanted.map(|tensor| tensor.raw_data.len()).sum()
    };
    Ok(Description {
        metadata: ours.collect(),
        opset: model.opset_import.first().map_or(0, |opset| opset.version),
        nodes: nodes(graph),
        tensors: (size(true), size(false)),
    })
}

fn nodes(graph: &GraphProto) -> usize {
    let bodies = graph.node.iter().flat_map(|node| node.attribute.iter().filter_map(|a| a.g.as_ref()));
    graph.node.len() + bodies.map(nodes).sum::<usize>()
}

/// Returns whether bytes look like an ONNX model rather than a WebAssembly module, binary or text.
pub fn is_model(bytes: &[u8]) -> bool {
    parse(bytes).is_ok()
}

fn parse(bytes: &[u8]) -> Result<ModelProto, ImportError> {
    let mut model = ModelProto::decode(bytes).map_err(|error| ImportError::NotOnnx(error.to_string()))?;
    if model.graph.is_none() {
        return Err(ImportError::NotOnnx("it has no graph".into()));
    }
    prefix::remove(&mut model);
    let format = text(&model, "format")?;
    if format != model::FORMAT {
        return Err(ImportError::Format { found: format.to_owned(), known: model::FORMAT });
    }
    Ok(model)
}

fn text<'m>(model: &'m ModelProto, key: &'static str) -> Result<&'m str, ImportError> {
    let found = model.metadata_props.iter().find(|entry| entry.key.strip_prefix(model::PREFIX) == Some(key));
    found.map(|entry| entry.value.as_str()).ok_or(ImportError::NotOurs(key))
}

fn network(model: &ModelProto) -> Result<Network, ImportError> {
    let damaged = |what: &str| {
        let what = what.to_owned();
        move |why: String| ImportError::Damaged(format!("{what}: {why}"))
    };
    let declared: Declared =
        model::from_text(text(model, "declared")?).map_err(damaged("the declared intervals"))?;
    let mut network = declared.restore().map_err(damaged("the declared intervals"))?;
    model::restore_validated(text(model, "validated")?, &mut network).map_err(damaged("the comparison"))?;
    model::restore_debug(text(model, "debug")?, &mut network).map_err(damaged("the debug information"))?;

    let tensors = Tensors(&model.graph.as_ref().expect("parsed models have one").initializer);
    let matrices = Matrices {
        next: tensors.integers("weights/next")?,
        counts: tensors.small("weights/counts")?,
        sources: tensors.small("weights/sources")?,
        slots: tensors.small("weights/slots")?,
        weights: tensors.small("weights/indices")?,
        values: tensors.numbers("weights/values")?,
    };
    network.experts =
        matrices.unpack(network.ports, network.terminals.len()).map_err(damaged("the weights"))?;
    network.lookup = pack::rows(&tensors.factors()?).map_err(damaged("the tables' factors"))?;
    network.lookup.append(&mut tensors.numbers("tables/bytes")?);
    network.lookup.append(&mut tensors.numbers("tables/numbers")?);
    if network.lookup.pop() != Some(0.0) {
        return Err(ImportError::Damaged("the tables do not end with 0".into()));
    }
    network.first_rows = tensors.first_rows(text(model, "form")?, text(model, "attention")?)?;
    let (start, entry) = match text(model, "form")? {
        "step" => {
            let first = tensors.last_number("initial.expert")?;
            // Instance creation, if there is any, comes first.
            let entry = tensors.last_number("initial.entry")?;
            ((first != entry).then_some(first), entry)
        }
        _ => {
            let start = tensors.last_number("initial/creation")?;
            // An instance creation that begins at `halt` has nothing to do.
            ((start != 1.0).then_some(start), tensors.last_number("initial/call")?)
        }
    };
    let id = |x: f64| {
        let id = x as u32;
        (f64::from(id) == x)
            .then_some(id)
            .ok_or_else(|| ImportError::Damaged(format!("{x} is not an expert")))
    };
    network.start = start.map(id).transpose()?;
    let entry = id(entry)?;
    network.entries.values_mut().for_each(|e| e.expert = entry);
    validate(&network).map_err(|error| ImportError::Damaged(error.to_string()))?;
    Ok(network)
}

/// The tensors of a graph, by name.
struct Tensors<'m>(&'m [TensorProto]);

impl<'m> Tensors<'m> {
    /// Finds a tensor whose shape and size agree, and returns its type and the bytes of its elements.
    fn find(&self, name: &'static str) -> Result<(DataType, &'m [u8]), ImportError> {
        let error = |why: &str| ImportError::Tensor { name, why: why.to_owned() };
        let tensor = self.0.iter().find(|tensor| tensor.name == name).ok_or_else(|| error("is missing"))?;
        if !tensor.external_data.is_empty() {
            return Err(error("is in another file"));
        }
        let ty = DataType::try_from(tensor.data_type).map_err(|_| error("has an unknown type"))?;
        let count =
            tensor.dims.iter().try_fold(1u64, |count, dim| count.checked_mul(u64::try_from(*dim).ok()?));
        let bytes = count.and_then(|count| count.checked_mul(size(ty)?));
        if bytes != Some(tensor.raw_data.len() as u64) {
            return Err(error("does not have as many elements as its type and shape say"));
        }
        Ok((ty, &tensor.raw_data))
    }

    /// Reads elements of any integer type.
    fn integers(&self, name: &'static str) -> Result<Vec<i64>, ImportError> {
        let (ty, bytes) = self.find(name)?;
        integers(ty, bytes)
            .ok_or_else(|| ImportError::Tensor { name, why: "does not have an integer type".into() })
    }

    /// Reads elements of any integer type that all fit into a smaller one.
    fn small<T: TryFrom<i64>>(&self, name: &'static str) -> Result<Vec<T>, ImportError> {
        let numbers: Result<_, _> = self.integers(name)?.into_iter().map(T::try_from).collect();
        numbers.map_err(|_| ImportError::Damaged(format!("{name} has an element that is out of range")))
    }

    /// Reads the tables' factors, which are integers or single floats.
    fn factors(&self) -> Result<Vec<f64>, ImportError> {
        match self.find("tables/factors")? {
            (DataType::Float, bytes) => {
                Ok(elements(bytes, f32::from_le_bytes).into_iter().map(f64::from).collect())
            }
            _ => self.numbers("tables/factors"),
        }
    }

    /// Reads elements of any integer type, or finite doubles.
    fn numbers(&self, name: &'static str) -> Result<Vec<f64>, ImportError> {
        let (ty, bytes) = self.find(name)?;
        let error = |why: &str| ImportError::Tensor { name, why: why.to_owned() };
        let numbers: Vec<f64> = match (ty, integers(ty, bytes)) {
            (_, Some(integers)) => integers.into_iter().map(|x| x as f64).collect(),
            (DataType::Double, None) => elements(bytes, f64::from_le_bytes),
            _ => return Err(error("holds neither doubles nor integers")),
        };
        if numbers.iter().any(|x| !x.is_finite()) {
            return Err(error("has an element that is not finite"));
        }
        Ok(numbers)
    }

    fn last_number(&self, name: &'static str) -> Result<f64, ImportError> {
        let numbers = self.numbers(name)?;
        numbers.last().copied().ok_or_else(|| ImportError::Tensor { name, why: "is empty".into() })
    }

    /// Reads the first rows, which models of different forms store in different tensors.
    fn first_rows(&self, form: &str, attention: &str) -> Result<Vec<(u64, f64)>, ImportError> {
        let key = |x: f64| {
            let key = x as u64;
            let exact = key as f64 == x && x < MAX_KEY;
            exact.then_some(key).ok_or_else(|| ImportError::Damaged(format!("{x} is not a key")))
        };
        let mut rows = match (form, attention) {
            (_, "dense" | "softmax") => {
                let rows = self.numbers("initial.trace")?;
                rows.chunks_exact(2).map(|row| Ok((key(row[0])?, row[1]))).collect::<Result<_, _>>()?
            }
            ("step", _) => {
                let cells = self.numbers("initial.trace")?;
                (0..).zip(cells).filter(|(_, value)| *value != 0.0).collect()
            }
            _ => {
                let (keys, values) = (self.numbers("trace/keys")?, self.numbers("trace/values")?);
                let (pages, bytes) = (self.numbers("trace/pages")?, self.numbers("trace/bytes")?);
                if keys.len() != values.len() || bytes.len() != pages.len() * STORED_PAGE {
                    return Err(ImportError::Damaged("first rows and their values differ in number".into()));
                }
                let mut rows: Vec<(u64, f64)> = Vec::new();
                for (x, value) in keys.into_iter().zip(values) {
                    rows.push((key(x)?, value));
                }
                for (page, bytes) in pages.into_iter().zip(bytes.chunks_exact(STORED_PAGE)) {
                    let first = key(page * STORED_PAGE as f64)?;
                    rows.extend((first..).zip(bytes.iter().copied()).filter(|(_, byte)| *byte != 0.0));
                }
                rows
            }
        };
        rows.sort_by_key(|(key, _)| *key);
        Ok(rows)
    }
}

/// Returns the size of an element in bytes.
fn size(ty: DataType) -> Option<u64> {
    Some(match ty {
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Uint16 | DataType::Int16 => 2,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Int64 | DataType::Uint64 | DataType::Double => 8,
        DataType::Undefined => return None,
    })
}

fn integers(ty: DataType, bytes: &[u8]) -> Option<Vec<i64>> {
    fn wide<const N: usize, T: Into<i64>>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<i64> {
        elements(bytes, read).into_iter().map(Into::into).collect()
    }
    Some(match ty {
        DataType::Uint8 => wide(bytes, u8::from_le_bytes),
        DataType::Int8 => wide(bytes, i8::from_le_bytes),
        DataType::Uint16 => wide(bytes, u16::from_le_bytes),
        DataType::Int16 => wide(bytes, i16::from_le_bytes),
        DataType::Uint32 => wide(bytes, u32::from_le_bytes),
        DataType::Int32 => wide(bytes, i32::from_le_bytes),
        DataType::Int64 => wide(bytes, i64::from_le_bytes),
        DataType::Undefined | DataType::Bool | DataType::Float | DataType::Double | DataType::Uint64 => {
            return None;
        }
    })
}

fn elements<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    let element = |chunk: &[u8]| read(chunk.try_into().expect("chunks are of this size"));
    bytes.chunks_exact(N).map(element).collect()
}
