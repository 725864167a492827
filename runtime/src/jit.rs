//! Machine code for hot packets, generated from their weights.
//!
//! The interpreter counts how often each packet is visited. When a packet is hot, it and its hot
//! neighbours become a *code region*, which is one native function. (A region without "code" is one of the
//! trace.)
//!
//! 1. [`region`] collects chains of experts that lead to one another, by a constant or because the
//!    interpreter was seen to go there, and finds what is known of `z` at the beginning of each
//!    chain ([`shape`]).
//! 2. [`symbolic`] turns each chain into straight-line code over symbols.
//! 3. [`liveness`] finds the fields of `z` that the code region changes and needs.
//! 4. [`emit`] and [`access`] translate the chains into Cranelift's IR, sums and gates in `f64` registers,
//!    reads and rows as loads and stores with a range check.
//!
//! Nothing here knows what a packet computes. The code does in float64 what the definition says, with the
//! network's weights; it is free only in the order of summation within an equation and in its use of fused
//! multiply-add, as rule 1 of the certificate allows. [`symbolic`] says why each number is the map's, and
//! [`access`] says why each access is in range.
//!
//! # Integers for floats
//!
//! A number is converted to an integer only in the following cases, each with a check in the code itself: an
//! index of a region or of the tables (compared with its size), a byte to store (compared with 256), and the
//! next expert where native code is left (saturated and clamped to the vocabulary, as in the definition). A
//! byte or word that was loaded becomes a float, which is exact below 2^53.
//!
//! # Entering and leaving
//!
//! Native code is entered where a packet begins, if `z` has the shape that the code was compiled for. It
//! loads `z` from memory and stores it back there, and counts steps and tokens. It is left for packets that
//! are not in the code region, when fewer steps are left to run than its longest chain has (the interpreter
//! does the last ones), and before a step that has to wait for input, or may have to.
//!
//! # What a network from a file can do
//!
//! It can only be slow. The number of fields and terms that code is generated for is
//! [limited](crate::limits). That also limits the recursion of [`emit`], which goes from a value to the
//! values that it is made of and is as deep as one chain. A function whose stack frame is larger than
//! [`MAX_FRAME`](crate::limits::MAX_FRAME) is thrown away, and each page of a frame is probed before it is
//! used. When the space for code is used up, the interpreter does the rest.

use cranelift_codegen::CodegenError;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::{ModuleError, default_libcall_names};
use std::mem::ManuallyDrop;

use crate::decoded::Decoded;
use crate::exact::MAX_EXACT;
use crate::network::{CellWidth, ExpertId, Field, Network};
use crate::stepper::Slice;
use crate::tokens::TokenEnds;
use crate::trace::{RegionHint, Trace, key_of};
use crate::waits::Waits;
use emit::{Helpers, Target};
use liveness::Liveness;
use region::{Chain, Program, longest};
use shape::Known;
use symbolic::{Trail, is_integral};

mod access;
mod emit;
mod liveness;
mod region;
mod shape;
mod symbolic;

/// Maximum number of times that a packet is compiled. It is compiled again as part of the code region of a
/// neighbour that becomes hot later, or if its code often does not accept `z`.
const MAX_TIMES: u8 = 4;

/// A packet next to a hot one counts as hot if it has 1/`WARM` of the visits that make a packet hot.
const WARM: u32 = 8;

/// Address space for native code and its constants, in bytes. When it is used up, nothing more is
/// compiled.
const CODE_SPACE: usize = 64 << 20;

/// The state that native code works on. [`emit`] uses the offsets of its fields.
#[derive(Debug)]
#[repr(C)]
struct NativeState {
    /// `z`.
    z: *mut f64,
    /// The values on entry of the fields of `z` that are not carried, at the same offsets as in `z`. In `z`
    /// itself, these fields are 0 while native code runs.
    incoming: *const f64,
    /// The cells of the trace.
    cells: *mut u8,
    /// The trace, for accesses that native code leaves to the runtime.
    trace: *mut Trace,
    /// Number of steps left to run.
    left: i64,
    /// Number of tokens that ended.
    tokens: i64,
    /// Bits ([`live_bit`]) of the carried fields whose values are in `z`; the others are 0, whatever `z`
    /// holds.
    live: u64,
    /// Whether all fields of `z` that are not carried are 0, on exit.
    only_carried: i64,
    /// The value that [`read`] has read. (Functions that clobber no register cannot return anything.)
    result: f64,
}

/// Returns the bit of a carried field in [`NativeState::live`]. Returns 0 for fields beyond the first 64,
/// whose values always are in `z`.
fn live_bit(field: usize) -> u64 {
    1u64.checked_shl(field as u32).unwrap_or(0)
}

/// Returns the fields whose bits are set.
fn fields_of(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let field = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(field)
    })
}

/// Signature of native code: takes the state and the index of the packet to begin with, and returns the next
/// expert.
type Entry = unsafe extern "C" fn(*mut NativeState, u32) -> u32;

/// Native code of a packet, and what it assumes of `z`.
#[derive(Debug)]
struct NativePacket {
    entry: Entry,
    index: u32,
    /// Number of steps that must be left to run.
    steps: i64,
    /// Bits of the carried fields that must be 0.
    zero: u64,
    /// Bits of the carried fields that it takes from `z`.
    taken: u64,
    /// What else it assumes of fields.
    checks: Box<[(Field, Known)]>,
    /// Whether all checks hold if the fields that are not carried are 0.
    for_only_carried: bool,
    /// Whether its first step may have to wait for input.
    may_wait: bool,
}

impl NativePacket {
    fn new(
        (entry, index, steps): (Entry, usize, i64),
        chain: &Chain,
        needed: &[bool],
        carried: usize,
    ) -> Self {
        let mut packet = NativePacket {
            entry,
            index: index as u32,
            steps,
            zero: 0,
            taken: 0,
            checks: Box::new([]),
            for_only_carried: true,
            may_wait: chain.may_wait,
        };
        let mut checks = Vec::new();
        let is_carried = |field: Field| usize::from(field) < carried;
        let mut take = |field: Field| {
            if is_carried(field) {
                packet.taken |= live_bit(field.into());
            }
        };
        for (field, known) in (0..).zip(chain.shape.known()) {
            if needed[usize::from(field)] {
                take(field);
            }
            match known {
                _ if !chain.relevant[usize::from(field)] => {}
                Known::Constant(0.0) if is_carried(field) && live_bit(field.into()) != 0 => {
                    packet.zero |= live_bit(field.into());
                }
                Known::Distance(first, _) if first == field => {}
                Known::Constant(value) => {
                    take(field);
                    checks.push((field, known));
                    packet.for_only_carried &= !is_carried(field) && value == 0.0;
                }
                Known::Distance(first, distance) => {
                    take(field);
                    take(first);
                    checks.push((field, known));
                    packet.for_only_carried &= !is_carried(field) && !is_carried(first) && distance == 0.0;
                }
            }
        }
        packet.checks = checks.into();
        packet
    }

    /// Returns whether all checks hold for `z`.
    fn accepts(&self, z: &[f64]) -> bool {
        self.checks.iter().all(|&(field, known)| {
            let value = z[usize::from(field)];
            match known {
                Known::Constant(expected) => value == expected,
                Known::Distance(first, distance) => {
                    let first = z[usize::from(first)];
                    // The difference of integers up to 2^53 was not rounded if the result is at most 2^52.
                    // Beyond 2^53, sums with a distance may be rounded.
                    let is_small = value.abs() <= MAX_EXACT && first.abs() <= MAX_EXACT;
                    value - first == distance && (distance == 0.0 || is_small)
                }
            }
        })
    }
}

/// The hot packets of a network and their native code.
pub(crate) struct Jit {
    /// The compiler, from the first hot packet on.
    compiler: Option<Compiler>,
    packets: Vec<NativePacket>,
    /// For each expert, the index in `packets` of the packet that begins with it, [`NONE`] if there is none.
    packet_of: Box<[u32]>,
    /// For each expert, the history of the packet that begins with it.
    history: Box<[History]>,
    /// Number of visits after which a packet is compiled; `None` if nothing can be compiled.
    compile_after: Option<u32>,
    /// Number of carried fields.
    carried: usize,
    /// Whether the fields of `z` that are not carried are 0 now.
    only_carried: bool,
    /// Storage for [`NativeState::incoming`].
    incoming: Box<[f64]>,
}

/// Cranelift, and the things that all native code refers to.
struct Compiler {
    module: ManuallyDrop<JITModule>,
    builder: FunctionBuilderContext,
    helpers: Helpers,
    lookup: Lookup,
    fused: bool,
}

/// The result of compiling a code region.
enum Compiled {
    Function(Entry),
    /// The code region is too large: the interpreter runs it.
    TooLarge,
    /// There is no room for any more code: the interpreter does the rest.
    NoSpace,
}

/// An index for no packet. No packet has this index: each has code, which takes part of [`CODE_SPACE`].
const NONE: u32 = u32::MAX;

/// The history of a packet.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    /// Number of visits of the interpreter until the packet was compiled.
    visits: u32,
    /// Number of times that the packet was compiled.
    compiled: u8,
    /// Number of times that its code did not accept `z`.
    refused: u32,
}

// Safety: the only reasons why the module is not `Send` or `Sync` are its memory provider and its symbol
// resolvers, trait objects that are not required to be so. They are Cranelift's own: the memory
// provider owns its mappings, and the resolvers are stateless. Nothing is accessed through a shared
// reference to `Compiler`: the module is used through an exclusive one.
unsafe impl Send for Compiler {}
unsafe impl Sync for Compiler {}

impl std::fmt::Debug for Jit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jit").field("packets", &self.packets).finish_non_exhaustive()
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // Safety: the module is not used again. No native code is running, and none can be entered:
        // `Jit`, which is dropped as a whole, has the only pointers to it.
        unsafe { ManuallyDrop::take(&mut self.module).free_memory() }
    }
}

/// Reads the trace, for native code.
///
/// # Safety
///
/// `state` must be the one that native code was entered with.
unsafe extern "C" fn read(state: *mut NativeState, query: f64) {
    // Safety: `Jit::run` has stored an exclusive borrow of the trace in the state, which lasts while native
    // code runs; native code holds no reference.
    let trace = unsafe { &*(*state).trace };
    let result = key_of(query).map_or(0.0, |key| trace.read(key));
    // Safety: native code was entered with an exclusive reference to the state.
    unsafe { (*state).result = result };
}

/// Appends a row, for native code.
///
/// # Safety
///
/// As [`read`].
unsafe extern "C" fn append(state: *mut NativeState, key: f64, value: f64) {
    // Safety: as in `read`.
    let trace = unsafe { &mut *(*state).trace };
    if let Some(key) = key_of(key) {
        trace.append(key, value);
    }
}

/// The entries of the frozen tables for native code, followed by a 0 for keys beyond their end.
#[derive(Debug)]
enum Lookup {
    /// Used if all entries are exact in 32 bits, as bytes, powers of two and most ids are: at half the size,
    /// twice as many entries fit in the processor's caches.
    Single(Box<[f32]>),
    Double(Box<[f64]>),
}

impl Lookup {
    fn new(entries: &[f64]) -> Self {
        let entries = entries.iter().copied().chain([0.0]);
        if entries.clone().all(|x| f64::from(x as f32) == x) {
            Lookup::Single(entries.map(|x| x as f32).collect())
        } else {
            Lookup::Double(entries.collect())
        }
    }
}

impl Compiler {
    /// Creates a compiler for a network. Returns `None` if the host is not supported, or if the network may
    /// compute numbers that are not integers.
    fn new(network: &Network) -> Option<Self> {
        if !is_integral(network) {
            return None;
        }
        let mut module = module()?;
        let mut builder = FunctionBuilderContext::new();
        let mut helper = |name, numbers| {
            let helper = emit::helper(&mut module, &mut builder, name, numbers);
            debug_assert!(helper.is_ok(), "{helper:?}");
            helper.ok()
        };
        let helpers = Helpers { read: helper("read", 1)?, append: helper("append", 2)? };
        Some(Compiler {
            module: ManuallyDrop::new(module),
            builder,
            helpers,
            lookup: Lookup::new(&network.lookup),
            fused: has_fused_multiply_add(),
        })
    }

    /// Compiles a code region.
    fn compile(
        &mut self,
        network: &Network,
        trace: &Trace,
        waits: Option<&Waits>,
        chains: &[Chain],
        trails: &[Trail],
        liveness: &Liveness,
    ) -> Compiled {
        let target = Target {
            ports: &network.ports,
            vocabulary: network.experts.len() as u32,
            regions: trace.regions(),
            notes: trace.notes(),
            lookup: &self.lookup,
            waits,
            fused: self.fused,
        };
        let Compiler { module, builder, helpers, .. } = self;
        match emit::region(module, builder, &target, *helpers, chains, trails, liveness) {
            // Safety: the pointer is that of a function which was generated with this signature.
            Ok(Some(entry)) => Compiled::Function(unsafe { std::mem::transmute::<*const u8, Entry>(entry) }),
            Ok(None) => Compiled::TooLarge,
            Err(error) => match *error {
                ModuleError::Compilation(CodegenError::CodeTooLarge | CodegenError::ImplLimitExceeded) => {
                    Compiled::TooLarge
                }
                ModuleError::Compilation(error) => {
                    debug_assert!(false, "{error:?}");
                    Compiled::TooLarge
                }
                _ => Compiled::NoSpace,
            },
        }
    }
}

impl Jit {
    /// Starts with no hot packet.
    pub(crate) fn new(network: &Network, compile_after: u32) -> Option<Self> {
        Some(Jit {
            compiler: None,
            packets: Vec::new(),
            packet_of: vec![NONE; network.experts.len()].into(),
            history: vec![History::default(); network.experts.len()].into(),
            compile_after: Some(compile_after),
            carried: network.ports.carried.into(),
            only_carried: false,
            incoming: vec![0.0; network.ports.fields()].into(),
        })
    }

    /// Counts a visit of the interpreter at a packet. Returns whether the packet is to be compiled now: it
    /// was visited often, or its code often did not accept `z`.
    pub(crate) fn visit(&mut self, expert: ExpertId) -> bool {
        let history = &mut self.history[expert as usize];
        let is_compiled = self.packet_of[expert as usize] != NONE;
        let count = if is_compiled { &mut history.refused } else { &mut history.visits };
        let before = *count;
        *count = count.saturating_add(1);
        Some(before) == self.compile_after && history.compiled < MAX_TIMES
    }

    /// Notes that the interpreter has made `z`, and whether it has made only carried fields.
    pub(crate) fn interpreted(&mut self, only_carried: bool) {
        self.only_carried = only_carried;
    }

    /// Runs native code from `expert` on, for at most `budget` steps, and sets `expert` to the next expert.
    /// Returns `None` if there is no native code for the expert, or it does not accept `z` as it is.
    pub(crate) fn run(
        &mut self,
        expert: &mut ExpertId,
        z: &mut [f64],
        trace: &mut Trace,
        budget: u64,
    ) -> Option<Slice> {
        let budget = i64::try_from(budget).unwrap_or(i64::MAX);
        let mut state = NativeState {
            z: std::ptr::null_mut(),
            incoming: std::ptr::null(),
            cells: trace.base(),
            trace,
            left: budget,
            tokens: 0,
            live: u64::MAX,
            only_carried: i64::from(self.only_carried),
            result: 0.0,
        };
        while let Some(packet) = self.packets.get(self.packet_of[*expert as usize] as usize)
            && state.left >= packet.steps
            // The caller knows that the first step need not wait.
            && (!packet.may_wait || state.left == budget)
        {
            if fields_of(state.live & packet.zero).any(|field| z[field] != 0.0) {
                break;
            }
            for field in fields_of(packet.taken & !state.live) {
                z[field] = 0.0;
            }
            state.live |= packet.taken;
            let only_carried = state.only_carried != 0;
            if !(only_carried && packet.for_only_carried || packet.accepts(z)) {
                break;
            }
            if !only_carried {
                self.incoming[self.carried..].copy_from_slice(&z[self.carried..]);
                z[self.carried..].fill(0.0);
            }
            state.z = z.as_mut_ptr();
            state.incoming = if only_carried { state.z } else { self.incoming.as_ptr() };
            // Safety: the code was generated for this network and this signature, and `index` is one
            // of its packets. All pointers are valid while it runs: `z` and `incoming` have all
            // fields, `cells` is the mapping of the trace that the code was generated for, and nothing
            // else uses any of them, as they come from exclusive references.
            *expert = unsafe { (packet.entry)(&mut state, packet.index) };
        }
        for field in fields_of(!state.live).take_while(|field| *field < self.carried) {
            z[field] = 0.0;
        }
        self.only_carried = state.only_carried != 0;
        let steps = (budget - state.left) as u64;
        (steps > 0).then_some(Slice { steps, tokens: state.tokens as u64, ended: false })
    }

    /// Compiles the code region of the hot packet that begins with `expert`; `z` is the current one. The code
    /// is left before steps that have to wait.
    #[allow(
        clippy::too_many_arguments,
        reason = "the executor lends its parts one by one, as this is one of them"
    )]
    pub(crate) fn compile(
        &mut self,
        network: &Network,
        ends: &TokenEnds,
        decoded: &[Option<Box<Decoded>>],
        trace: &Trace,
        expert: ExpertId,
        z: &[f64],
        waits: Option<&Waits>,
    ) {
        if self.compiler.is_none() {
            self.compiler = Compiler::new(network);
        }
        let (Some(compiler), Some(compile_after)) = (&mut self.compiler, self.compile_after) else {
            self.compile_after = None;
            return;
        };
        // Loads of words combine bytes in little-endian order.
        let is_byte = |hint: RegionHint| {
            let region = hint.and_then(|hint| trace.regions().get(usize::from(hint)));
            cfg!(target_endian = "little") && region.is_some_and(|r| r.width == CellWidth::Byte)
        };
        let program = Program {
            network,
            ends,
            decoded,
            is_byte: &is_byte,
            waits,
            is_warm: &|e| {
                let History { compiled, visits, .. } = self.history[e as usize];
                compiled < MAX_TIMES && visits >= compile_after / WARM
            },
        };
        let Some((chains, trails, liveness)) = program.region(expert, z).and_then(|chains| {
            let mut trails: Vec<_> = chains.iter().map(|chain| program.trail(chain)).collect();
            let liveness = Liveness::new(&chains, &mut trails, self.carried)?;
            Some((chains, trails, liveness))
        }) else {
            self.history[expert as usize].compiled = MAX_TIMES;
            return;
        };
        let entry = match compiler.compile(network, trace, waits, &chains, &trails, &liveness) {
            Compiled::Function(entry) => entry,
            Compiled::TooLarge => {
                self.history[expert as usize].compiled = MAX_TIMES;
                return;
            }
            Compiled::NoSpace => {
                self.compile_after = None;
                return;
            }
        };
        let steps = longest(&chains);
        for (index, chain) in chains.iter().enumerate() {
            let expert = chain.experts[0] as usize;
            self.packet_of[expert] = self.packets.len() as u32;
            let native = (entry, index, steps);
            self.packets.push(NativePacket::new(native, chain, &liveness.needed[index], self.carried));
            let history = &mut self.history[expert];
            (history.compiled, history.refused) = (history.compiled + 1, 0);
        }
    }
}

/// Returns whether the host multiplies and adds in one instruction.
fn has_fused_multiply_add() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}

/// Creates a module for the host that knows [`read`] and [`append`]. Returns `None` if the host is not
/// supported.
fn module() -> Option<JITModule> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ("unwind_info", "false"),
        // Code with a frame of more than a page touches each of its pages, so that a stack without room for
        // the frame overflows into the guard page, as in all other code, and not beyond it.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
    ] {
        flags.set(name, value).ok()?;
    }
    let isa = cranelift_native::builder().ok()?.finish(settings::Flags::new(flags)).ok()?;
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    // Code reaches its constants and helpers by 32-bit distances, so they must all be close together.
    builder.memory_provider(Box::new(ArenaMemoryProvider::new_with_size(CODE_SPACE).ok()?));
    builder.symbol("read", read as *const u8);
    builder.symbol("append", append as *const u8);
    Some(JITModule::new(builder))
}

#[cfg(test)]
mod tests;
