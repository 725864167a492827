//! Fields of `z` and elements of `y` before it is known how many ports of each kind a network has.

use std::fmt::{self, Display, Formatter};
use wasm2onnx_runtime::{Field, FieldKind, FieldName, Ports, Source, SourceKind, SourceName};

const KIND_SHIFT: u16 = 10;
const PORT: u16 = (1 << KIND_SHIFT) - 1;

/// A field: its kind and the number of its port. Their order is that of the fields that they become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortField(u16);

impl PortField {
    /// The field whose equation makes the next id.
    pub const EXPERT: PortField = PortField((FieldKind::E as u16) << KIND_SHIFT);

    /// Returns the field of a port of a kind.
    pub fn new(kind: FieldKind, port: u16) -> PortField {
        PortField((kind as u16) << KIND_SHIFT | port)
    }

    /// Returns the code that stands for the field in a container of the runtime, until [`PortField::of_code`]
    /// and [`PortField::resolve`].
    pub fn code(self) -> u16 {
        self.0
    }

    /// Returns the field of a code: the inverse of [`PortField::code`].
    pub fn of_code(code: u16) -> PortField {
        PortField(code)
    }

    /// Raises the number of ports of its kind to include it.
    pub fn count_in(self, ports: &mut Ports) {
        let most = match self.0 >> KIND_SHIFT {
            0 => &mut ports.carried,
            1 | 2 => &mut ports.units,
            3 => &mut ports.reads,
            4 => &mut ports.lookups,
            _ => &mut ports.rows,
        };
        *most = (*most).max((self.0 & PORT) + 1);
    }

    /// Returns the field in a network with these numbers of ports.
    pub fn resolve(self, ports: &Ports) -> Field {
        let make = [Ports::s, Ports::n, Ports::v, Ports::q, Ports::t, Ports::k, Ports::x];
        make[(self.0 >> KIND_SHIFT) as usize](ports, self.0 & PORT)
    }
}

/// An element of `y`: its kind and the number of its port. Their order is that of the sources that they become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSource(u16);

impl PortSource {
    /// The constant 1.
    pub const ONE: PortSource = PortSource((SourceKind::One as u16) << KIND_SHIFT);

    /// Returns the element of a port of a kind.
    pub fn new(kind: SourceKind, port: u16) -> PortSource {
        PortSource((kind as u16) << KIND_SHIFT | port)
    }

    /// Returns the code that stands for the element in a container of the runtime, until
    /// [`PortSource::of_code`] and [`PortSource::resolve`].
    pub fn code(self) -> u16 {
        self.0
    }

    /// Returns the element of a code: the inverse of [`PortSource::code`].
    pub fn of_code(code: u16) -> PortSource {
        PortSource(code)
    }

    /// Returns the source in a network with these numbers of ports.
    pub fn resolve(self, ports: &Ports) -> Source {
        let port = self.0 & PORT;
        match self.0 >> KIND_SHIFT {
            0 => Ports::ONE,
            1 => ports.yr(port),
            2 => ports.yw(port),
            3 => ports.yu(port),
            _ => ports.ys(port),
        }
    }
}

impl Display for PortField {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        use FieldKind::*;
        FieldName([S, N, V, Q, T, K, X, E][(self.0 >> KIND_SHIFT) as usize], self.0 & PORT).fmt(f)
    }
}

impl Display for PortSource {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        use SourceKind::*;
        SourceName([One, R, W, U, S][(self.0 >> KIND_SHIFT) as usize], self.0 & PORT).fmt(f)
    }
}
