//! The fragments of all functions together, before ids and port numbers are known.

use super::fragment::{ExpertRef, Fragment};
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::{IdSetId, Terminal, TrapCode};

/// Id set of return experts.
pub const RETURNS: IdSetId = 0;
/// Id set of functions in tables.
pub const FUNCTIONS: IdSetId = 1;
/// Id set of the first jump table; the others follow.
pub const JUMP_TABLES: IdSetId = 2;

/// All functions so far.
#[derive(Debug)]
pub struct Assembly {
    /// Their packets, one after the other.
    pub all: Fragment,
    /// Terminal experts.
    pub terminals: Terminals,
    /// Key of the next jump table's first entry.
    jump_key: u32,
}

/// What comes before the fragment of a function.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Number of packets.
    pub packets: u32,
    /// Number of jump tables.
    pub jump_tables: u32,
    /// Key of its first jump table's first entry.
    pub jump_key: u32,
}

impl Assembly {
    /// Returns an empty assembly. Jump tables begin at `jump_key` in the table space; `function_offsets` says
    /// where each function's body begins in the module.
    pub fn new(jump_key: u32, function_offsets: Vec<(u32, u32)>) -> Assembly {
        Assembly { all: Fragment::default(), terminals: Terminals::new(function_offsets), jump_key }
    }

    /// Returns what comes before the next fragment.
    pub fn before(&self) -> Before {
        Before {
            packets: self.all.packets.len() as u32,
            jump_tables: self.all.jump_tables.len() as u32,
            jump_key: self.jump_key,
        }
    }

    /// Appends the fragment that was made for what is now [before](Assembly::before) it.
    pub fn append(&mut self, fragment: Fragment) {
        self.jump_key += fragment.jump_tables.iter().map(|table| table.len() as u32).sum::<u32>();
        self.all.append(fragment);
    }
}

/// Terminal experts, which come before all others.
#[derive(Debug)]
pub struct Terminals {
    /// All of them, by id.
    pub list: Vec<Terminal>,
    /// Ids of traps by code, function and offset.
    sites: FxHashMap<(TrapCode, u32, u32), u32>,
    function_offsets: Vec<(u32, u32)>,
}

impl Terminals {
    fn new(function_offsets: Vec<(u32, u32)>) -> Terminals {
        Terminals {
            list: vec![Terminal::Unreachable, Terminal::Halt],
            sites: FxHashMap::default(),
            function_offsets,
        }
    }

    /// Returns the terminal expert of a trap at an offset of the module. An inlined instruction is in the
    /// function that its offset is in; instructions of library routines are in no function, and count as part
    /// of the one that they were made for.
    pub fn trap(&mut self, code: TrapCode, function: u32, offset: u32) -> ExpertRef {
        let body = self.function_offsets.partition_point(|(start, _)| *start <= offset).checked_sub(1);
        let function = body.map_or(function, |i| self.function_offsets[i].1);
        let id = *self.sites.entry((code, function, offset)).or_insert_with(|| {
            self.list.push(Terminal::Trap { code, function, offset });
            self.list.len() as u32 - 1
        });
        ExpertRef::Terminal(id)
    }
}
