//! The lines of source text that instructions come from: a module's DWARF debug information.
//!
//! Only the line number programs are read (DWARF version 5, section 6.2), one behind the other as they stand in
//! `.debug_line`, each once, so that the time is in proportion to the bytes whatever is in them. Addresses count from the
//! beginning of the code section's contents, as "DWARF for WebAssembly" says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

use gimli::{
    AttributeValue, DebugLineOffset, Dwarf, EndianSlice, IncompleteLineProgram, LineProgramHeader,
    LittleEndian, Section,
};
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{LineRow, Lines};
use wasmparser::{Parser, Payload};

use crate::error::{CompileError, ErrorKind};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Maximum length of a path in bytes; a file with a longer one is not known.
const MAX_PATH: usize = 4096;
/// Maximum number of bytes of all paths of a program: many files can share the bytes of one name.
const MAX_PATHS: usize = 1 << 24;

/// The files of all modules.
#[derive(Default)]
pub struct Files {
    pub paths: Vec<String>,
    numbers: FxHashMap<String, u32>,
    bytes: usize,
}

impl Files {
    fn number(&mut self, path: String) -> Option<u32> {
        if let Some(number) = self.numbers.get(&path) {
            return Some(*number);
        }
        self.bytes += path.len();
        if self.bytes > MAX_PATHS {
            return None;
        }
        let number = self.paths.len() as u32;
        self.paths.push(path.clone());
        self.numbers.insert(path, number);
        Some(number)
    }
}

/// Maximum length of the line number programs of a module in bytes; longer ones are not read. A byte of them can take a hundred
/// bytes of memory.
const MAX_LINE_PROGRAMS: usize = 1 << 24;

/// Returns where lines begin in a module in the binary format, ascending by function and offset. The first function that has
/// a body has the number `first`.
///
/// What cannot be read is left out: it is no reason to refuse a module. So is what linkers leave of functions that are not in
/// the module: its addresses are those of no function.
pub fn read(binary: &[u8], first: u32, files: &mut Files) -> Vec<LineRow> {
    let mut sections = BTreeMap::new();
    let mut code = Code { start: 0, bodies: Vec::new(), first };
    for payload in Parser::new(0).parse_all(binary).map_while(Result::ok) {
        match payload {
            Payload::CodeSectionStart { unchecked_range, .. } => code.start = unchecked_range.start,
            Payload::CodeSectionEntry(body) => code.bodies.push(body.range()),
            Payload::CustomSection(section) => _ = sections.insert(section.name(), section.data()),
            _ => {}
        }
    }
    let section = |id: gimli::SectionId| -> Result<_, Infallible> {
        let bytes = sections.get(id.name()).copied().unwrap_or_default();
        let is_too_long = id == gimli::SectionId::DebugLine && bytes.len() > MAX_LINE_PROGRAMS;
        let bytes = if is_too_long { &[] } else { bytes };
        Ok(EndianSlice::new(bytes, LittleEndian))
    };
    let Ok(dwarf) = Dwarf::load(section);
    let mut rows = Vec::new();
    let mut offset = 0;
    while let Ok(program) = dwarf.debug_line.program(DebugLineOffset(offset), 4, None, None) {
        let header = program.header();
        offset += header.unit_length() + usize::from(header.encoding().format.initial_length_size());
        // What comes before an error is right.
        let _ = code.add_rows(&dwarf, program, files, &mut rows);
    }
    in_order(rows)
}

/// Adds to the error for something unsupported in a function the line of source text that it comes from.
pub fn explain(binary: &[u8], error: CompileError) -> CompileError {
    let mut kind = error.into_kind();
    if let ErrorKind::Unsupported { function: Some(_), offset, line, .. } = &mut kind {
        let mut files = Files::default();
        let rows = read(binary, 0, &mut files);
        let lines = Lines { files: files.paths, rows };
        let bodies =
            Parser::new(0).parse_all(binary).map_while(Result::ok).filter_map(|payload| match payload {
                Payload::CodeSectionEntry(body) => Some(body.range()),
                _ => None,
            });
        let function = bodies.zip(0..).find(|(body, _)| body.contains(offset)).map(|(_, function)| function);
        *line = function.and_then(|function| lines.line_of(function, *offset as u32));
    }
    kind.into()
}

/// The code section of a module.
struct Code {
    /// Where its contents begin in the module: address 0.
    start: u64,
    /// The places of function bodies in the module, ascending.
    bodies: Vec<Range<u64>>,
    /// The number of the function that the first of them is of.
    first: u32,
}

impl Code {
    /// Adds the rows of a line number program, and where each sequence of them ends.
    fn add_rows<'a>(
        &self,
        dwarf: &Dwarf<Slice<'a>>,
        program: IncompleteLineProgram<Slice<'a>>,
        files: &mut Files,
        list: &mut Vec<LineRow>,
    ) -> gimli::Result<()> {
        let mut numbers: FxHashMap<u64, Option<u32>> = FxHashMap::default();
        let mut rows = program.rows();
        let mut is_new = true;
        let mut left_out = false;
        while let Some((header, row)) = rows.next_row()? {
            if is_new {
                // No function is at address 0: the number of functions is.
                left_out = row.address() == 0;
            }
            is_new = row.end_sequence();
            let offset = self.start.saturating_add(row.address());
            // The end of a sequence is the end of its last function.
            let is_in = |body: &Range<u64>| body.contains(&offset) || (is_new && body.end == offset);
            let next = self.bodies.partition_point(|body| body.start <= offset - u64::from(is_new));
            let Some(index) = next.checked_sub(1).filter(|index| !left_out && is_in(&self.bodies[*index]))
            else {
                continue;
            };
            let line = row.line().filter(|_| !is_new).and_then(|line| u32::try_from(line.get()).ok());
            let file = line.and_then(|_| {
                let number = || files.number(path(dwarf, header, row.file_index())?);
                *numbers.entry(row.file_index()).or_insert_with(number)
            });
            list.push(LineRow {
                function: self.first + index as u32,
                offset: offset as u32,
                file: file.unwrap_or(0),
                line: file.and(line).unwrap_or(0),
            });
        }
        Ok(())
    }
}

/// Returns the path of a file as the debug information has it. In a file of the directory that the compiler ran in, it is
/// relative: where that was says nothing to others.
fn path(dwarf: &Dwarf<Slice>, header: &LineProgramHeader<Slice>, file: u64) -> Option<String> {
    let file = header.file(file)?;
    // Of a long text, only as much is looked at as a path may have: many files can refer to one text.
    let short = |text: Slice| {
        let text = &text.slice()[..text.slice().len().min(MAX_PATH + 1)];
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        String::from_utf8_lossy(&text[..end]).into_owned()
    };
    let behind = |section: &Slice, offset: usize| {
        Some(short(Slice::new(section.slice().get(offset..)?, LittleEndian)))
    };
    let text = |value| match value {
        AttributeValue::String(text) => Some(short(text)),
        AttributeValue::DebugStrRef(offset) => behind(dwarf.debug_str.reader(), offset.0),
        AttributeValue::DebugLineStrRef(offset) => behind(dwarf.debug_line_str.reader(), offset.0),
        _ => None,
    };
    let name = text(file.path_name())?;
    let directory = match file.directory_index() {
        0 => None,
        _ => file.directory(header).and_then(text),
    };
    let is_absolute = name.starts_with('/') || name.starts_with('\\') || name.get(1..2) == Some(":");
    let path = match directory.filter(|directory| !is_absolute && !directory.is_empty()) {
        Some(directory) => format!("{}/{name}", directory.trim_end_matches('/')),
        None => name,
    };
    (path.len() <= MAX_PATH).then_some(path)
}

/// Sorts rows by function and offset, and keeps one row for each place where another line begins.
fn in_order(mut rows: Vec<LineRow>) -> Vec<LineRow> {
    // Where a sequence ends and another one begins, the one that begins counts; so does the last of several rows.
    rows.sort_by_key(|row| (row.function, row.offset, row.line != 0));
    let mut kept: Vec<LineRow> = Vec::new();
    for row in rows {
        if kept.last().is_some_and(|last| (last.function, last.offset) == (row.function, row.offset)) {
            kept.pop();
        }
        let same =
            |last: &LineRow| (last.function, last.file, last.line) == (row.function, row.file, row.line);
        if !kept.last().is_some_and(same) {
            kept.push(row);
        }
    }
    kept
}
