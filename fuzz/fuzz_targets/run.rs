//! Fuzzes the executors with networks whose weights, tables, declared intervals, regions and entries were
//! changed. Only the certificate protects the executors from them: a network that is proved must run exactly
//! and alike on all executors. One that is not proved must run alike for as long as it is exact, and do no
//! harm.

#![no_main]

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use wasm2onnx_fuzz::change::{change, settle};
use wasm2onnx_fuzz::gates::Gates;
use wasm2onnx_fuzz::judge;
use wasm2onnx_fuzz::programs;
use wasm2onnx_runtime::{Network, validate};

/// Maximum number of changes to one network.
const CHANGES: usize = 8;

/// Maximum number of proofs that are tried for one input.
const CHECKS: u32 = 12;

/// The networks to change: small ones, of which hundreds can be proved and run per second.
static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| {
    let networks = programs::all().map(|program| program.network().into_network());
    networks.filter(|network| network.experts.len() <= 400).collect()
});

static GATES: Gates<8> = Gates::new([
    "inputs",
    "a change that is well-formed",
    "a change that is proved",
    "proved after its certificate was widened",
    "proved, and runs",
    "proved, and machine code runs",
    "proved, and runs another way than before",
    "not proved, and runs as far as it is exact",
]);

fuzz_target!(|bytes: &[u8]| {
    GATES.pass(0);
    let mut from = Unstructured::new(bytes);
    let Ok((which, words, how)) = <(u8, [u32; 2], u8)>::arbitrary(&mut from) else { return };
    let original = &NETWORKS[usize::from(which) % NETWORKS.len()];
    let mut network = original.clone();
    let mut checks = CHECKS;
    let [mut well_formed, mut proved, mut widened] = [false; 3];
    for _ in 0..CHANGES {
        if from.is_empty() || checks == 0 {
            break;
        }
        let mut changed = network.clone();
        if change(&mut changed, &mut from).is_err() || changed == network || validate(&changed).is_err() {
            continue;
        }
        well_formed = true;
        // A change that cannot be proved is undone, so that later changes are tried, too.
        let certificate = changed.certificate.clone();
        if settle(&mut changed, &mut checks, how & 1 == 1) {
            widened |= changed.certificate != certificate;
            proved = true;
            network = changed;
        } else if how & 6 == 0 {
            let judged = judge(&changed, words, false);
            if judged.steps > 0 {
                GATES.pass(7);
            }
            return;
        }
    }
    if well_formed {
        GATES.pass(1);
    }
    if !proved {
        return;
    }
    GATES.pass(2);
    if widened {
        GATES.pass(3);
    }
    let judged = judge(&network, words, true);
    if judged.steps > 0 {
        GATES.pass(4);
        // Comparing with the original costs another run, so it is done for one in eight, which counts as
        // eight.
        if judged.digest % 8 == 0 && judge(original, words, true).digest != judged.digest {
            (0..8).for_each(|_| GATES.pass(6));
        }
    }
    if judged.native > 0 {
        GATES.pass(5);
    }
});
