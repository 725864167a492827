//! Where the parts of a network came from in the program that it was made from: functions, offsets, lines of source text. For
//! people; no run depends on it.

use std::fmt;

use crate::network::{ExpertId, Network};
use crate::show::Name;

/// Where a packet came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketDebug {
    /// Its first expert. The packet ends before the first expert of the next packet.
    pub expert: ExpertId,
    /// Index of the wasm function, `u32::MAX` for library routines.
    pub function: u32,
    /// Offset of its first instruction in the module, in bytes.
    pub offset: u32,
}

/// The lines of source text that instructions were made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Paths of files.
    pub files: Vec<String>,
    /// Where lines begin, ascending by function and offset.
    pub rows: Vec<LineRow>,
}

/// Where the instructions of a line begin. They end before the next row of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Index of the wasm function.
    pub function: u32,
    /// Offset of the first instruction in the module, in bytes.
    pub offset: u32,
    /// Index of the file in [`Lines::files`]; without meaning if `line` is 0.
    pub file: u32,
    /// Number of the line, from 1; 0 if these instructions come from no line.
    pub line: u32,
}

impl Lines {
    /// Returns the line that an instruction comes from, if it is known.
    pub fn line_of(&self, function: u32, offset: u32) -> Option<SourceLine> {
        let next = self.rows.partition_point(|row| (row.function, row.offset) <= (function, offset));
        let row = self.rows.get(next.checked_sub(1)?)?;
        let known = row.function == function && row.line != 0;
        known.then(|| SourceLine { file: self.files[row.file as usize].clone(), line: row.line })
    }
}

impl Network {
    /// Returns where an instruction is in the program that the network was made from.
    pub fn place(&self, function: u32, offset: u32) -> Place {
        let name = self.function_names.get(function as usize).filter(|name| !name.is_empty());
        Place { function, offset, function_name: name.cloned(), line: self.lines.line_of(function, offset) }
    }
    /// Returns the index of the packet that an expert belongs to; `None` for terminal experts.
    pub fn packet_of(&self, expert: ExpertId) -> Option<usize> {
        self.packets.partition_point(|packet| packet.expert <= expert).checked_sub(1)
    }
    /// Returns where the packet of an expert begins in the program that the network was made from.
    pub fn place_of(&self, expert: ExpertId) -> Place {
        let packet = self.packet_of(expert).map(|packet| self.packets[packet]);
        packet.map_or(Place::UNKNOWN, |packet| self.place(packet.function, packet.offset))
    }
}

/// An instruction of the program that a network was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the wasm function; `u32::MAX` in a library routine.
    pub function: u32,
    /// Offset of the instruction in the wasm module, in bytes.
    pub offset: u32,
    /// Name of the function, if it has one.
    pub function_name: Option<String>,
    /// The line of source text that the instruction was made from, if the module has debug information that says so.
    pub line: Option<SourceLine>,
}

impl Place {
    /// A place of which nothing is known.
    pub const UNKNOWN: Place = Place { function: u32::MAX, offset: 0, function_name: None, line: None };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.function_name, self.function) {
            (Some(name), _) => write!(f, "in function `{}`", Name(name))?,
            (None, u32::MAX) => return f.write_str("in a routine of the library"),
            (None, index) => write!(f, "in function {index}")?,
        }
        write!(f, ", at offset {:#x}", self.offset)?;
        self.line.as_ref().map_or(Ok(()), |line| write!(f, ", {line}"))
    }
}

/// A line of source text. Displays as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// Path of the file as the debug information has it; a relative one is from the directory that the compiler of the source
    /// ran in.
    pub file: String,
    /// Number of the line, from 1.
    pub line: u32,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Name(&self.file), self.line)
    }
}
