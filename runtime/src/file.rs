//! Networks as bytes, for programs that carry them: [`Network::to_bytes`], [`Network::from_bytes`], [`include_network!`](crate::include_network).
//!
//! The format is for one version of this package: a build script writes what the program that it belongs to reads. Integers are
//! written in seven bits a byte (LEB128), lists after their lengths. Certificates are not written, but for what regions, tables and sets of ids
//! are declared to be: whoever writes has a [certified](crate#what-is-exact-and-why) network.

use std::collections::BTreeMap;

use crate::certificate::{Certificate, Domain, IdSet, Interval};
use crate::error::Error;
use crate::network::*;
use crate::place::{LineRow, Lines, PacketDebug};
use crate::tensors::{Boundary, Dim, ElementType, Spec};
use crate::validate::validate;

/// What the bytes begin with: a name and the version of the package.
const MAGIC: &str = concat!("wasm2onnx network ", env!("CARGO_PKG_VERSION"), "\n");

impl Network {
    /// Returns the network as bytes, without its certificate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.as_bytes().to_vec();
        self.write(&mut bytes);
        bytes
    }

    /// Reads what [`Network::to_bytes`] has written.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it was written by another version, or is damaged, or the network breaks a structural rule.
    pub fn from_bytes(bytes: &[u8]) -> Result<Network, Error> {
        let rest = bytes.strip_prefix(MAGIC.as_bytes());
        let rest =
            rest.ok_or_else(|| Error::Malformed("these bytes are of another version of wasm2onnx".into()))?;
        let mut reader = Reader(rest);
        let network = Network::read(&mut reader).filter(|_| reader.0.is_empty());
        let network =
            network.ok_or_else(|| Error::Malformed("the bytes of the network are damaged".into()))?;
        validate(&network)?;
        Ok(network)
    }
}

/// What is still to be read.
struct Reader<'b>(&'b [u8]);

/// What can be written and read.
trait Wire: Sized {
    fn write(&self, bytes: &mut Vec<u8>);
    fn read(reader: &mut Reader) -> Option<Self>;
}

impl Wire for u64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        let mut rest = *self;
        while rest > 127 {
            bytes.push(rest as u8 | 128);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    fn read(reader: &mut Reader) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = reader.0.split_first()?;
            reader.0 = rest;
            number |= u64::from(byte & 127) << shift;
            if *byte < 128 {
                return Some(number);
            }
        }
        None
    }
}

macro_rules! integers {
    ($($ty:ty),*) => { $(
        impl Wire for $ty {
            fn write(&self, bytes: &mut Vec<u8>) {
                (*self as u64).write(bytes);
            }
            fn read(reader: &mut Reader) -> Option<Self> {
                u64::read(reader)?.try_into().ok()
            }
        }
    )* };
}

integers!(u8, u16, u32, usize);

impl Wire for i64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        // Small numbers of either sign are short.
        (((*self << 1) ^ (*self >> 63)) as u64).write(bytes);
    }
    fn read(reader: &mut Reader) -> Option<i64> {
        let zigzag = u64::read(reader)?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }
}

impl Wire for bool {
    fn write(&self, bytes: &mut Vec<u8>) {
        u8::from(*self).write(bytes);
    }
    fn read(reader: &mut Reader) -> Option<bool> {
        match u8::read(reader)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Integers of at most 2^53, which nearly all numbers are, are shorter than others.
impl Wire for f64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        let integer = *self as i64;
        let is_integer = integer as f64 == *self && integer.unsigned_abs() <= 1 << 53;
        is_integer.write(bytes);
        match is_integer {
            true => integer.write(bytes),
            false => bytes.extend_from_slice(&self.to_le_bytes()),
        }
    }
    fn read(reader: &mut Reader) -> Option<f64> {
        if bool::read(reader)? {
            return Some(i64::read(reader)? as f64);
        }
        let (bytes, rest) = reader.0.split_first_chunk()?;
        reader.0 = rest;
        Some(f64::from_le_bytes(*bytes))
    }
}

impl Wire for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.len().write(bytes);
        bytes.extend_from_slice(self.as_bytes());
    }
    fn read(reader: &mut Reader) -> Option<String> {
        let length = usize::read(reader)?;
        let (text, rest) = reader.0.split_at_checked(length)?;
        reader.0 = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.len().write(bytes);
        self.iter().for_each(|item| item.write(bytes));
    }
    fn read(reader: &mut Reader) -> Option<Vec<T>> {
        let length = usize::read(reader)?;
        // Each item has a byte at least, so no list is longer than what is there.
        if length > reader.0.len() {
            return None;
        }
        (0..length).map(|_| T::read(reader)).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.is_some().write(bytes);
        self.iter().for_each(|item| item.write(bytes));
    }
    fn read(reader: &mut Reader) -> Option<Option<T>> {
        match bool::read(reader)? {
            true => Some(Some(T::read(reader)?)),
            false => Some(None),
        }
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.iter().for_each(|item| item.write(bytes));
    }
    fn read(reader: &mut Reader) -> Option<[T; N]> {
        let items: Option<Vec<T>> = (0..N).map(|_| T::read(reader)).collect();
        items?.try_into().ok()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
    }
    fn read(reader: &mut Reader) -> Option<(A, B)> {
        Some((A::read(reader)?, B::read(reader)?))
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.len().write(bytes);
        for (key, value) in self {
            key.write(bytes);
            value.write(bytes);
        }
    }
    fn read(reader: &mut Reader) -> Option<Self> {
        Some(Vec::<(String, T)>::read(reader)?.into_iter().collect())
    }
}

/// Structures are their fields, one after the other.
macro_rules! structures {
    ($($ty:ident { $($field:ident),* })*) => { $(
        impl Wire for $ty {
            fn write(&self, bytes: &mut Vec<u8>) {
                let $ty { $($field),* } = self;
                $($field.write(bytes);)*
            }
            fn read(reader: &mut Reader) -> Option<Self> {
                Some($ty { $($field: Wire::read(reader)?),* })
            }
        }
    )* };
}

structures! {
    Network {
        ports, experts, terminals, lookup, tables, regions, first_rows, start, entries, globals, memories, io, growth_limit,
        certificate, function_names, packets, lines, validated
    }
    Ports { carried, units, reads, lookups, rows }
    Experts { expert_end, fields, equation_end, sources, weights }
    Region { name, first, count, width, values }
    Table { name, first, count, domain }
    Entry { expert, params, results, param_locations, result_locations, boundary }
    Boundary { inputs, outputs }
    Spec { name, element, shape }
    GlobalExport { ty, mutable, keys }
    MemoryExport { region, pages }
    Io {
        input, argv_end, environ_end, files_end, stdin_end, stdin_position, stdout, stderr, clock, seed, terminals, exit_code,
        tensors, results, error
    }
    GrowthLimit { pages, refused }
    Validated { packets, proved, states, without }
    Interval { lo, hi }
    IdSet { name, ids, interface }
    PacketDebug { expert, function, offset }
    Lines { files, rows }
    LineRow { function, offset, file, line }
}

/// Of a certificate, only the sets of ids, which regions and tables refer to.
impl Wire for Certificate {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.id_sets.write(bytes);
    }
    fn read(reader: &mut Reader) -> Option<Self> {
        Some(Certificate { id_sets: Wire::read(reader)?, ..Certificate::default() })
    }
}

/// Enumerations are the number of the variant and what is in it.
macro_rules! enumerations {
    ($($ty:ident { $($number:literal => $variant:ident $({ $($field:ident),* })? $(($inner:ident))?),* $(,)? })*) => { $(
        impl Wire for $ty {
            fn write(&self, bytes: &mut Vec<u8>) {
                match self {
                    $($ty::$variant $({ $($field),* })? $(($inner))? => {
                        bytes.push($number);
                        $($($field.write(bytes);)*)?
                        $($inner.write(bytes);)?
                    })*
                }
            }
            fn read(reader: &mut Reader) -> Option<Self> {
                match u8::read(reader)? {
                    $($number => Some($ty::$variant $({ $($field: Wire::read(reader)?),* })? $(({
                        let $inner = Wire::read(reader)?;
                        $inner
                    }))?),)*
                    _ => None,
                }
            }
        }
    )* };
}

enumerations! {
    CellWidth { 0 => Byte, 1 => Number }
    Terminal { 0 => Unreachable, 1 => Halt, 2 => Trap { code, function, offset } }
    ValueType { 0 => I32, 1 => I64, 2 => F32, 3 => F64, 4 => FuncRef, 5 => ExternRef }
    WordLocation { 0 => Field(field), 1 => Row(key) }
    MemoryPages { 0 => Constant(pages), 1 => Row(key) }
    Domain { 0 => Interval(interval), 1 => PowerOfTwo { hi }, 2 => Ids(set) }
    Dim { 0 => Fixed(size), 1 => Named(name), 2 => Counted }
}

impl Wire for TrapCode {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(*self as u8);
    }
    fn read(reader: &mut Reader) -> Option<Self> {
        TrapCode::from_code(u8::read(reader)?)
    }
}

impl Wire for ElementType {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.name().to_owned().write(bytes);
    }
    fn read(reader: &mut Reader) -> Option<Self> {
        ElementType::from_name(&String::read(reader)?)
    }
}

/// Includes a network that a build script made with `wasm2onnx::build`, as a module that has the name of the network. It has a structure
/// that is called like it, in camel case, with `new()` and a method for each exported function.
///
/// # Examples
///
/// ```ignore
/// wasm2onnx_runtime::include_network!("prog");
///
/// fn main() -> Result<(), wasm2onnx_runtime::Error> {
///     println!("{}", prog::Prog::new()?.add(2, 3)?);
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! include_network {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::random;

    #[test]
    fn what_is_written_is_read() {
        for number in [0.0, -1.0, 9007199254740992.0, -9007199254740993.0, 0.1, 1e300, 4294967296.0] {
            let mut bytes = Vec::new();
            number.write(&mut bytes);
            assert_eq!(f64::read(&mut Reader(&bytes)), Some(number));
        }
        let mut random_numbers = fastrand::Rng::with_seed(1);
        for _ in 0..20 {
            let mut network = random::random_network(&mut random_numbers);
            let bytes = network.to_bytes();
            network.certificate =
                Certificate { id_sets: network.certificate.id_sets, ..Certificate::default() };
            assert_eq!(Network::from_bytes(&bytes).unwrap(), network);
            for length in 0..bytes.len().min(2_000) {
                assert!(Network::from_bytes(&bytes[..length]).is_err(), "{length}");
            }
            let mut damaged = bytes.clone();
            for _ in 0..200 {
                let at = random_numbers.usize(..bytes.len());
                damaged[at] = random_numbers.u8(..);
                // Whatever comes of it, it does not panic, and takes no more memory than its length allows.
                let _ = Network::from_bytes(&damaged);
                damaged[at] = bytes[at];
            }
        }
    }
}
