//! Machine code for hot packets, generated from their weights.
//!
//! The interpreter counts how often each packet is visited. When one is hot, it and its hot
//! neighbours become a *region*, one native function:
//!
//! 1. [`region`] collects the chains of experts, by constants and by where the interpreter was seen
//!    to go, and what is known of `z` where each begins ([`shape`]);
//! 2. [`symbolic`] turns each chain into straight-line code over symbols;
//! 3. [`emit`] and [`access`] translate that into Cranelift's IR, sums and gates in `f64` registers,
//!    reads and rows as loads and stores with a range check.
//!
//! Nothing here knows what a packet computes. The code does in float64 what the definition says, with
//! the network's weights; only its order of summation and its use of fused multiply-add are free, as
//! they are by rule 1 of the certificate.
//!
//! Native code is entered where a packet begins, takes `z` from memory and leaves it there, and counts
//! steps and tokens. It leaves for packets that are not in its region, and when fewer than
//! [`MAX_CHAIN`] steps are left to run: the interpreter does the last ones.

use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, default_libcall_names};
use std::mem::ManuallyDrop;

use crate::code::Code;
use crate::network::{Cell, ExpertId, Network};
use crate::stepper::Slice;
use crate::tokens::TokenEnds;
use crate::trace::{RegionHint, Trace, key_of};
use emit::Target;
use region::{MAX_CHAIN, Program};
use symbolic::is_integral;

mod access;
mod emit;
mod region;
mod shape;
mod symbolic;

/// How often a packet may be compiled. It is compiled again as part of the region of a neighbour that
/// becomes hot later, or if its code does not take `z` as it often is.
const MAX_TIMES: u8 = 4;

/// What native code works on. Its fields are at the offsets that [`emit`] takes from here.
#[derive(Debug)]
#[repr(C)]
struct Context {
    /// `z`. Its fields that are not carried are all 0 on entry.
    z: *mut f64,
    /// The fields of `z` that are not carried, as they are on entry, at the same offsets.
    incoming: *const f64,
    /// The cells of the trace.
    cells: *mut u8,
    /// The trace itself, for accesses that native code does not do itself.
    trace: *mut Trace,
    /// Steps left to run.
    left: i64,
    /// Tokens that ended.
    tokens: i64,
    /// Whether all fields of `z` that are not carried are 0, on exit.
    only_carried: i64,
    /// What [`read`] has read. (Functions that clobber no register cannot return anything.)
    result: f64,
}

/// Signature of native code: the context and the index of the packet to begin with; the next expert.
type Entry = unsafe extern "C" fn(*mut Context, u32) -> u32;

/// Native code of a packet.
#[derive(Clone, Copy, Debug)]
struct Compiled {
    entry: Entry,
    index: u32,
}

/// The compiler and what it has compiled.
pub(crate) struct Jit {
    module: ManuallyDrop<JITModule>,
    builder: FunctionBuilderContext,
    read: FuncId,
    append: FuncId,
    /// Native code by the packet's expert.
    compiled: Box<[Option<Compiled>]>,
    /// The frozen tables, and a 0 for keys beyond their end.
    lookup: Box<[f64]>,
    /// How often each packet was compiled.
    times: Box<[u8]>,
    compile_after: u32,
    /// Number of carried fields.
    carried: usize,
    /// Whether the fields of `z` that are not carried are 0 now.
    only_carried: bool,
    /// Place for fields that are not carried, while native code is entered.
    incoming: Box<[f64]>,
    fused: bool,
}

// Safety: the module is not `Send` or `Sync` only because of its memory provider and its symbol
// resolvers, trait objects that are not required to be. They are Cranelift's own: the memory
// provider owns its mappings, the resolvers are stateless. Nothing is reached through a shared
// reference to `Jit`; native code runs, and the module is used, through an exclusive one.
unsafe impl Send for Jit {}
unsafe impl Sync for Jit {}

impl std::fmt::Debug for Jit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let packets = self.compiled.iter().flatten().count();
        f.debug_struct("Jit")
            .field("packets", &packets)
            .finish_non_exhaustive()
    }
}

impl Drop for Jit {
    fn drop(&mut self) {
        // Safety: the module is not used again, and no native code is running or can be entered:
        // that needs the exclusive reference that is held here.
        unsafe { ManuallyDrop::take(&mut self.module).free_memory() }
    }
}

/// Reads the trace, for native code.
///
/// # Safety
///
/// `context` must be the one that native code was entered with.
unsafe extern "C" fn read(context: *mut Context, query: f64) {
    // Safety: `Jit::run` has put an exclusive borrow of the trace there, which lasts while native
    // code runs; native code holds no reference.
    let trace = unsafe { &*(*context).trace };
    let result = key_of(query).map_or(0.0, |key| trace.read(key));
    // Safety: native code was entered with an exclusive reference to the context.
    unsafe { (*context).result = result };
}

/// Appends a row, for native code.
///
/// # Safety
///
/// As [`read`].
unsafe extern "C" fn append(context: *mut Context, key: f64, value: f64) {
    // Safety: as in `read`.
    let trace = unsafe { &mut *(*context).trace };
    if let Some(key) = key_of(key) {
        trace.append(key, value);
    }
}

impl Jit {
    /// A compiler for a network; `None` if the host is not supported, or the network's numbers need
    /// not be integers.
    pub(crate) fn new(network: &Network, compile_after: u32) -> Option<Self> {
        if !is_integral(network) {
            return None;
        }
        let module = module()?;
        let builder = FunctionBuilderContext::new();
        let fields = network.ports.fields();
        let mut jit = Jit {
            read: FuncId::from_u32(0),
            append: FuncId::from_u32(0),
            compiled: vec![None; network.experts.len()].into(),
            lookup: network.lookup.iter().copied().chain([0.0]).collect(),
            times: vec![0; network.experts.len()].into(),
            compile_after,
            carried: network.ports.carried.into(),
            only_carried: false,
            incoming: vec![0.0; fields].into(),
            fused: has_fused_multiply_add(),
            builder,
            module: ManuallyDrop::new(module),
        };
        let mut helper = |name, numbers| {
            let helper = emit::helper(&mut jit.module, &mut jit.builder, name, numbers);
            debug_assert!(helper.is_ok(), "{helper:?}");
            helper.ok()
        };
        jit.read = helper("read", 1)?;
        jit.append = helper("append", 2)?;
        Some(jit)
    }

    /// After how many visits a packet is to be compiled.
    pub(crate) fn compile_after(&self) -> u32 {
        self.compile_after
    }

    /// Notes that the interpreter has made `z`, and whether it has made carried fields only.
    pub(crate) fn interpreted(&mut self, only_carried: bool) {
        self.only_carried = only_carried;
    }

    /// Runs native code from `expert` on, for at most `budget` steps, and leaves the next expert
    /// there. `None` if there is none for the expert, or it does not take `z` as it is.
    pub(crate) fn run(
        &mut self,
        expert: &mut ExpertId,
        z: &mut [f64],
        trace: &mut Trace,
        budget: u64,
    ) -> Option<Slice> {
        let compiled = self.compiled[*expert as usize]?;
        let budget = i64::try_from(budget).unwrap_or(i64::MAX);
        if budget < MAX_CHAIN as i64 {
            return None;
        }
        let was_only_carried = self.only_carried;
        if !was_only_carried {
            self.incoming[self.carried..].copy_from_slice(&z[self.carried..]);
            z[self.carried..].fill(0.0);
        }
        let z_pointer = z.as_mut_ptr();
        let mut context = Context {
            z: z_pointer,
            incoming: if was_only_carried {
                z_pointer
            } else {
                self.incoming.as_ptr()
            },
            cells: trace.base(),
            trace,
            left: budget,
            tokens: 0,
            only_carried: 1,
            result: 0.0,
        };
        // Safety: the code was generated for this network and this signature, and `index` is one of
        // its packets. All pointers are valid while it runs: `z` and `incoming` have all fields,
        // `cells` is the mapping of the trace that the code was generated for, and nothing else uses
        // any of them, as they come from exclusive references.
        let next = unsafe { (compiled.entry)(&mut context, compiled.index) };
        if context.left == budget {
            if !was_only_carried {
                z[self.carried..].copy_from_slice(&self.incoming[self.carried..]);
            }
            return None;
        }
        *expert = next;
        self.only_carried = context.only_carried != 0;
        Some(Slice {
            steps: (budget - context.left) as u64,
            tokens: context.tokens as u64,
            ended: false,
        })
    }

    /// Compiles the region of the hot packet at `expert`, where `z` is now as given.
    pub(crate) fn compile(
        &mut self,
        network: &Network,
        ends: &TokenEnds,
        code: &[Option<Box<Code>>],
        trace: &mut Trace,
        expert: ExpertId,
        z: &[f64],
    ) {
        if self.times[expert as usize] >= MAX_TIMES {
            return;
        }
        // Bytes are combined to words by loads that are little-endian.
        let is_byte = |hint: RegionHint| {
            let region = trace.regions().get(usize::from(hint));
            cfg!(target_endian = "little") && region.is_some_and(|r| r.cell == Cell::Byte)
        };
        let program = Program {
            network,
            ends,
            code,
            is_byte: &is_byte,
            may_compile: &|e| self.times[e as usize] < MAX_TIMES,
            warm: self.compile_after / 8,
        };
        let chains = program.region(expert, z);
        let trails = chains
            .iter()
            .map(|chain| program.trail(chain))
            .collect::<Vec<_>>();
        let target = Target {
            ports: &network.ports,
            vocabulary: network.experts.len() as u32,
            regions: trace.regions(),
            lookup: &self.lookup,
            fused: self.fused,
        };
        let helpers = (self.read, self.append);
        let entry = emit::region(
            &mut self.module,
            &mut self.builder,
            &target,
            helpers,
            &chains,
            &trails,
        );
        debug_assert!(entry.is_ok(), "{entry:?}");
        // What cannot be compiled is left to the interpreter.
        if let Ok(entry) = entry {
            // Safety: the pointer is that of a function which was generated with this signature.
            let entry = unsafe { std::mem::transmute::<*const u8, Entry>(entry) };
            for (index, chain) in chains.iter().enumerate() {
                let packet = chain.experts[0] as usize;
                self.compiled[packet] = Some(Compiled {
                    entry,
                    index: index as u32,
                });
                self.times[packet] += 1;
            }
        }
    }
}

/// Whether the host multiplies and adds in one instruction.
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

/// A module for the host, that knows [`read`] and [`append`].
fn module() -> Option<JITModule> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        (
            "enable_verifier",
            if cfg!(debug_assertions) {
                "true"
            } else {
                "false"
            },
        ),
        ("unwind_info", "false"),
        ("enable_probestack", "false"),
    ] {
        flags.set(name, value).ok()?;
    }
    let isa = cranelift_native::builder()
        .ok()?
        .finish(settings::Flags::new(flags))
        .ok()?;
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    builder.symbol("read", read as *const u8);
    builder.symbol("append", append as *const u8);
    Some(JITModule::new(builder))
}

#[cfg(test)]
mod tests;
