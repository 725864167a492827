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
    pub(super) jump_key: u32,
}

impl Assembly {
    /// Returns an empty assembly. Jump tables begin at `jump_key` in the table space.
    pub fn new(jump_key: u32) -> Assembly {
        Assembly { all: Fragment::default(), terminals: Terminals::default(), jump_key }
    }

    /// Returns the number of packets.
    pub fn packets(&self) -> u32 {
        self.all.packets.len() as u32
    }

    /// Appends the fragment of the next function.
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
}

impl Default for Terminals {
    fn default() -> Terminals {
        Terminals { list: vec![Terminal::Unreachable, Terminal::Halt], sites: FxHashMap::default() }
    }
}

impl Terminals {
    /// Returns the terminal expert of a trap.
    pub fn trap(&mut self, code: TrapCode, function: u32, offset: u32) -> ExpertRef {
        let id = *self.sites.entry((code, function, offset)).or_insert_with(|| {
            self.list.push(Terminal::Trap { code, function, offset });
            self.list.len() as u32 - 1
        });
        ExpertRef::Terminal(id)
    }
}
