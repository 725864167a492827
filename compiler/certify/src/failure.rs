//! What is wrong with a network, and where.

use std::fmt;

use wasm2onnx_runtime::{Domain, ExpertId, FieldName, IdSetId, Interval};

/// Why a network cannot be certified: the first broken rule and its location.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{place}: {broken}")]
pub struct Failure {
    /// Where the rule is broken.
    pub place: Box<Location>,
    /// Which rule, what was proved, and what is declared.
    pub broken: Box<Broken>,
}

impl Failure {
    pub(super) fn new(location: Location, broken: Broken) -> Self {
        Failure { place: location.into(), broken: broken.into() }
    }
}

/// A location in a network.
#[derive(Clone, Debug, PartialEq)]
pub enum Location {
    /// The network as a whole.
    Network,
    /// An equation of an expert.
    Equation {
        /// The expert.
        expert: ExpertId,
        /// The field that the equation makes.
        field: FieldName,
    },
    /// What is declared for an expert, or its map as a whole.
    Expert(ExpertId),
    /// A region of the trace.
    Region(String),
    /// A frozen table.
    Table(String),
    /// A set of ids.
    IdSet(String),
    /// An exported function, global or memory, or standard input or output.
    Export(String),
    /// The expert that instance creation starts with.
    Start,
    /// A first row of the trace, by its key.
    FirstRow(u64),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Network => f.write_str("network"),
            Location::Equation { expert, field } => write!(f, "expert {expert}, equation of {field}"),
            Location::Expert(expert) => write!(f, "expert {expert}"),
            Location::Region(name) => write!(f, "region `{name}`"),
            Location::Table(name) => write!(f, "table `{name}`"),
            Location::IdSet(name) => write!(f, "id set `{name}`"),
            Location::Export(name) => write!(f, "export `{name}`"),
            Location::Start => f.write_str("start"),
            Location::FirstRow(key) => write!(f, "first row with key {key}"),
        }
    }
}

/// Bounds that were proved; `None` means unbounded, or beyond what the checker computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Lower bound.
    pub lo: Option<i128>,
    /// Upper bound.
    pub hi: Option<i128>,
}

impl fmt::Display for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lo, self.hi) {
            (Some(lo), Some(hi)) => write!(f, "{lo}..={hi}"),
            (Some(lo), None) => write!(f, "{lo}.."),
            (None, Some(hi)) => write!(f, "..={hi}"),
            (None, None) => f.write_str("nothing"),
        }
    }
}

/// A declared domain as people write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared(pub Domain);

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Domain::Interval(Interval { lo, hi }) => write!(f, "{lo}..={hi}"),
            Domain::PowerOfTwo { hi } => write!(f, "powers of two up to 2^{hi}"),
            Domain::Ids(set) => write!(f, "ids of set {set}"),
        }
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// The network's structure is broken; nothing else was looked at.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A declaration that means nothing.
    #[error("malformed declaration: {0}")]
    Declaration(String),
    /// A field that the map reads is not declared for the expert.
    #[error("reads {0}, which is not declared")]
    Undeclared(FieldName),
    /// A weight is not an integer below 2^63, as the weights of all equations but those of gates must be.
    #[error("weight {0} is not an integer, which only the weights of gates need not be")]
    Weight(f64),
    /// Weights of a gate span too many binary digits.
    #[error("weight {0} is too fine for a gate")]
    Grid(f64),
    /// Rule 1: a sum may depend on the order of summation.
    #[error("rule 1: the sum of magnitudes is 2^{:.2} in units of the finest weight", magnitude.log2())]
    Sum {
        /// Σ|w|·max|x|
        magnitude: f64,
    },
    /// Rule 1: the sum of one or two terms is too large.
    #[error("rule 1: a sum of powers of two has only the bounds {0}")]
    Range(Proved),
    /// Rule 4: the product of a unit may be rounded.
    #[error("rule 4: the product of unit {unit} may be rounded: ({n}) · ({v})")]
    Product {
        /// Index of the unit.
        unit: u16,
        /// What is declared for its gate.
        n: Declared,
        /// What is declared for its value.
        v: Declared,
    },
    /// A field is not proved to be what the next expert declares.
    #[error("expert {next} declares {declared}, proved is {proved}")]
    Field {
        /// The expert that may follow.
        next: ExpertId,
        /// What is declared there.
        declared: Declared,
        /// What was proved.
        proved: Proved,
    },
    /// A field is not proved to be what the interface of a set declares.
    #[error("the interface of set {set} declares {declared}, proved is {proved}")]
    Interface {
        /// The set of ids that may follow.
        set: IdSetId,
        /// What is declared in its interface.
        declared: Declared,
        /// What was proved.
        proved: Proved,
    },
    /// A ghost is not proved.
    #[error("expert {next} declares {}..={} for ghost {ghost}, proved is {proved}", declared.lo, declared.hi)]
    Ghost {
        /// The expert that may follow.
        next: ExpertId,
        /// The ghost's linear form.
        ghost: String,
        /// What is declared there.
        declared: Interval,
        /// What was proved.
        proved: Proved,
    },
    /// Rule 7: a key may lie outside of all regions, or in one of several.
    #[error("rule 7: the key lies in no single region, proved is {0}")]
    Key(Proved),
    /// Rule 7: a value is not what the region of its key declares.
    #[error("rule 7: region `{region}` declares {declared} for its values, proved is {proved}")]
    Value {
        /// The region.
        region: String,
        /// What is declared of its values.
        declared: Declared,
        /// What was proved.
        proved: Proved,
    },
    /// Rule 7: two rows of a step may have the same key.
    #[error("rule 7: the key may be that of {0}")]
    SameKey(FieldName),
    /// Rule 8: in some case the next id is neither a constant nor an id that is read.
    #[error("rule 8: the next id is neither one constant in each case nor of a set, proved is {0}")]
    Next(Proved),
    /// Rule 8: the next id is not that of an expert.
    #[error("rule 8: the next id is {0}")]
    NoExpert(i128),
    /// There are too many cases to tell apart.
    #[error("too many cases")]
    Cases,
    /// A first state or value is not what is declared.
    #[error("{what} is not in {declared}")]
    Initial {
        /// The state or value, in words.
        what: String,
        /// What is declared.
        declared: Declared,
    },
}
