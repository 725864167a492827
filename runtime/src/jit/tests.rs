//! Compares machine code with the interpreter, on whole networks. The phases have their own tests.

use super::shape::Known;
use super::{NativePacket, NativeState};
use crate::lockstep::{End, compare_machine_code, compare_step_by_step};
use crate::tests::random::{args, pick, random_network, tame_network};
use crate::tests::{PORTS, Writer, entry, memory, network, summing_loop, table, word};
use crate::*;
use fastrand::Rng;

/// Compares with packets compiled early and late, in short and long slices. Returns the number of steps that
/// machine code evaluated.
fn compare(network: &Network, name: &str, args: &[Value], steps: u64) -> u64 {
    let compare = |(after, slice)| match compare_machine_code(network, name, args, steps, after, slice) {
        Ok(compiled) => compiled,
        Err(divergence) => {
            panic!("compiled after {after} visits, slices of {slice}: {divergence}")
        }
    };
    [(0, 64), (0, 1000), (1, 64), (3, 70), (8, 1000)].into_iter().map(compare).sum()
}

#[test]
fn machine_code_agrees_on_random_networks() {
    let (mut compiled, mut all) = (0, 0);
    for seed in 0..250 {
        let mut random = Rng::with_seed(seed);
        let network = tame_network(&mut random);
        let args = args(&mut random);
        let exact = compare_step_by_step(&network, "f", &args, 1000).unwrap().steps;
        compiled += compare(&network, "f", &args, exact);
        all += 5 * exact;
    }
    assert!(compiled > all / 4, "machine code did only {compiled} steps of {all}");
}

#[test]
fn a_loop_runs_as_machine_code() {
    let network = summing_loop();
    let args = [word(5000)];
    let steps = compare_step_by_step(&network, "sum", &args, u64::MAX).unwrap().steps;
    assert!(compare(&network, "sum", &args, steps) > steps);
}

#[test]
fn results_do_not_depend_on_machine_code() {
    let network = summing_loop();
    for compile_after in [None, Some(0), Some(1), Some(2), Some(100)] {
        let config = Config { compile_after, assert_declared: false, ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        for n in [0, 1, 70, 1000, 65_535] {
            let sum = n * (n + 1) / 2;
            assert_eq!(instance.invoke("sum", &[word(n)]), Ok(vec![word(sum)]));
        }
    }
}

#[test]
fn the_step_limit_is_exact_in_machine_code() {
    let network = summing_loop();
    let steps = 1 + 2 * 1001 + 1;
    for limit in (0..200).map(|i| i * 7).chain([steps - 1, steps, steps + 1]) {
        let config = Config {
            compile_after: Some(2),
            assert_declared: false,
            max_steps: Some(limit),
            ..Config::default()
        };
        let mut instance = Instance::with_config(&network, config).unwrap();
        let result = instance.invoke("sum", &[word(1000)]);
        if limit < steps {
            assert_eq!(
                (result, instance.steps()),
                (Err(Error::StepLimit { limit, place: Place::UNKNOWN }), limit)
            );
        } else {
            assert_eq!((result, instance.steps()), (Ok(vec![word(500_500)]), steps));
        }
    }
}

#[test]
fn keys_and_queries_out_of_range_are_left_to_the_runtime() {
    // The first calls make packets hot with keys in range; other keys follow.
    let (memory, table) = (memory(), table());
    let mut instances = [Some(3), None].map(|compile_after| {
        let new = |network| {
            let config = Config { compile_after, assert_declared: false, ..Config::default() };
            Instance::with_config(network, config).unwrap()
        };
        (new(&memory), new(&table))
    });
    let addresses = [0, 1, 5, 9, 13, 17, 21, 997, 998, 999, 1000, 5000, u32::MAX, 2, 996];
    for (i, address) in addresses.into_iter().cycle().take(60).enumerate() {
        for byte in [i as u32, 255, 256, 70_000] {
            let [a, b] = instances.each_mut().map(|(memory, table)| {
                let loaded = memory.invoke("store_load", &[word(address), word(byte)]);
                (loaded, memory.global("last"), table.invoke("table", &[word(address)]))
            });
            assert_eq!(a, b, "address {address}, byte {byte}");
        }
    }
}

#[test]
fn damaged_networks_do_no_harm() {
    for seed in 0..120 {
        let mut random = Rng::with_seed(seed);
        let mut network = if seed % 3 == 0 { random_network(&mut random) } else { tame_network(&mut random) };
        for _ in 0..8 {
            let term = random.u64(..network.experts.weights.len() as u64) as usize;
            network.experts.weights[term] =
                pick(&mut random, &[1e300, -1e300, 1e18, -7.0, 9_007_199_254_740_993.0, 1e17]);
        }
        let config = Config {
            compile_after: Some(1),
            assert_declared: false,
            max_steps: Some(1000),
            ..Config::default()
        };
        let mut instance = Instance::with_config(&network, config).unwrap();
        let _ = instance.invoke("f", &args(&mut random));
    }
}

#[test]
fn at_threshold_0_all_is_machine_code() {
    let network = summing_loop();
    let config = |max_steps| Config {
        compile_after: Some(0),
        assert_declared: false,
        max_steps: Some(max_steps),
        ..Config::default()
    };
    let (args, steps) = ([word(1000)], 1 + 2 * 1001 + 1);
    let compiled = compare_machine_code(&network, "sum", &args, steps, 0, 1 << 20).unwrap();
    // Machine code evaluates all but the last step, for which no budget is left.
    assert!(compiled >= steps - 2, "{compiled} of {steps}");
    let mut instance = Instance::with_config(&network, config(steps)).unwrap();
    assert_eq!(instance.invoke("sum", &args), Ok(vec![word(500_500)]));
}

/// Returns [`memory`] with `count` other regions before its own, and its global after all of them.
fn behind_regions(count: usize) -> Network {
    const GLOBAL: u64 = 200_000;
    let mut network = memory();
    let global = Region { count: 9, ..network.regions.remove(0) };
    let others = (0..count as u64).map(|i| Region { first: 10 + i, count: 1, ..global.clone() });
    let mut regions: Vec<_> = std::iter::once(global.clone()).chain(others).collect();
    let shift = 10 + count as u64;
    network.regions.iter_mut().for_each(|region| region.first += shift);
    regions.append(&mut network.regions);
    regions.push(Region { first: GLOBAL, ..global });
    network.regions = regions;
    // The keys are constants in its equations.
    for (weight, source) in network.experts.weights.iter_mut().zip(&network.experts.sources) {
        if *source == Ports::ONE && *weight > 100.0 {
            *weight += shift as f64;
        } else if *source == Ports::ONE && *weight == 7.0 {
            *weight += GLOBAL as f64;
        }
    }
    for (key, _) in &mut network.first_rows {
        *key += if *key == 7 { GLOBAL } else { shift };
    }
    network.globals.get_mut("last").unwrap().keys = vec![GLOBAL + 7];
    network
}

#[test]
fn every_region_has_an_index_of_its_own() {
    for others in [0, 250, 251, 252, 253, 254, 255, 256, 257, 508, 509, 510, 511, 512, 513, 700] {
        let network = behind_regions(others);
        assert_eq!(network.regions.len(), others + 4);
        for address in [0, 3, 900, 997, 999] {
            let args = [word(address), word(0x55)];
            let report = compare_step_by_step(&network, "store_load", &args, 100).unwrap();
            let end = End::Finished(Instance::new(&memory()).unwrap().invoke("store_load", &args));
            assert_eq!(report.end, end, "{others} other regions");
        }
        for compile_after in [0, 1, 2] {
            let config =
                |compile_after| Config { compile_after, assert_declared: false, ..Config::default() };
            let mut compiled = Instance::with_config(&network, config(Some(compile_after))).unwrap();
            let mut interpreted = Instance::with_config(&network, config(None)).unwrap();
            for address in (0..8).chain([996, 997, 998, 999, 1000, 1001, 5000, u32::MAX]).cycle().take(64) {
                let args = [word(address), word(address % 256)];
                let [a, b] = [&mut compiled, &mut interpreted].map(|i| i.invoke("store_load", &args));
                assert_eq!(a, b, "{others} other regions, address {address}");
                assert_eq!(compiled.global("last"), interpreted.global("last"));
            }
            assert_eq!(compiled.trace_size(), interpreted.trace_size());
        }
    }
}

#[test]
fn regions_may_lie_anywhere() {
    // First keys that cannot be added to 2^52 exactly, and others close to them.
    let first = |exponent: u32, more: u64| (1u64 << exponent) + more;
    for first in [first(51, 0), first(51, 1), first(52, 0), first(52, 3), first(53, 0) - (1 << 33)] {
        let mut network = memory();
        network.regions.truncate(2);
        network.regions[1].first = first;
        for (weight, source) in network.experts.weights.iter_mut().zip(&network.experts.sources) {
            if *source == Ports::ONE && *weight > 100.0 {
                *weight += (first - 101) as f64;
            }
        }
        network.first_rows.iter_mut().filter(|(key, _)| *key > 100).for_each(|(key, _)| *key += first - 101);
        for address in [0, 1, 2, 3, 500, 996, 999] {
            let args = [word(address), word(7)];
            let steps = compare_step_by_step(&network, "store_load", &args, 100).unwrap().steps;
            compare(&network, "store_load", &args, steps);
        }
        let config = Config { compile_after: Some(2), assert_declared: false, ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        let mut expected = Instance::new(&memory()).map(|_| [0u8; 1000]).unwrap();
        expected[..4].copy_from_slice(&[1, 2, 0, 4]);
        for i in 0..400u32 {
            let address = i * 7 % 990;
            expected[address as usize] = i as u8;
            let word_at = |at: usize| u32::from_le_bytes(expected[at..at + 4].try_into().unwrap());
            let args = [word(address), word(i % 256)];
            assert_eq!(instance.invoke("store_load", &args), Ok(vec![word(word_at(address as usize))]));
        }
    }
}

#[test]
fn distances_that_were_rounded_are_not_taken() {
    unsafe extern "C" fn nothing(_: *mut NativeState, _: u32) -> u32 {
        0
    }
    let accepts = |distance: f64, z: [f64; 2]| {
        let checks = Box::new([(1, Known::Distance(0, distance))]);
        let packet = NativePacket {
            entry: nothing,
            index: 0,
            steps: 1,
            zero: 0,
            taken: 0,
            checks,
            for_only_carried: false,
            may_wait: false,
        };
        packet.accepts(&z)
    };
    let large = (1u64 << 60) as f64;
    assert!(accepts(1.0, [7.0, 8.0]) && accepts(0.0, [large, large]));
    assert!(!accepts(1.0, [7.0, 7.0]) && !accepts(0.0, [large, 7.0]));
    // These sums are equal because they are rounded.
    assert!(!accepts(1.0, [large, large]) && !accepts(128.0, [large, large]));
}

#[test]
fn what_is_too_large_is_left_to_the_interpreter() {
    // A network with up to the maximum number of fields, all of them live.
    let wide = |carried: u16, steps: u16| {
        let ports = Ports { carried, units: 1, reads: 1, lookups: 1, rows: 1 };
        let mut experts = Experts::default();
        experts.end_expert();
        experts.end_expert();
        for step in 0..steps {
            for field in 1..carried {
                let next = 1 + (field - 1 + 1 + step) % (carried - 1);
                experts.push_term(ports.ys(field.min(next)), 1.0);
                if field != next {
                    experts.push_term(ports.ys(field.max(next)), 1.0);
                }
                experts.end_equation(ports.s(field));
            }
            experts.push_term(Ports::ONE, f64::from(3 + step));
            experts.end_equation(ports.e());
            experts.end_expert();
        }
        experts.push_term(Ports::ONE, 1.0);
        experts.end_equation(ports.e());
        experts.end_expert();
        let entry = Entry {
            expert: 2,
            params: vec![ValueType::I32],
            results: vec![ValueType::I32],
            param_locations: vec![WordLocation::Field(ports.s(1))],
            result_locations: vec![WordLocation::Field(ports.s(carried - 1))],
            boundary: None,
        };
        Network {
            ports,
            experts,
            terminals: vec![Terminal::Unreachable, Terminal::Halt],
            entries: [("f".to_owned(), entry)].into(),
            ..Network::default()
        }
    };
    for (carried, steps) in [(40, 20), (500, 30), (510, 30), (2_000, 20), (30_000, 3)] {
        let network = wide(carried, steps);
        let [interpreted, first, second] = [None, Some(0), Some(1)].map(|compile_after| {
            let config = Config { compile_after, assert_declared: false, ..Config::default() };
            let mut instance = Instance::with_config(&network, config).unwrap();
            let results = [1, 2, 3].map(|arg| instance.invoke("f", &[word(arg)]));
            (results, instance.steps(), instance.tokens())
        });
        assert_eq!(interpreted, first, "{carried} fields");
        assert_eq!(interpreted, second, "{carried} fields");
    }
}

#[test]
fn fractions_are_left_to_the_interpreter() {
    let mut network = summing_loop();
    network.lookup = vec![0.5];
    assert_eq!(compare(&network, "sum", &[word(1000)], 2000), 0);
}

#[test]
fn packets_may_be_long() {
    // s1 counts the 150 steps of a round; then there is a branch on s2, the number of rounds that are left.
    let p = PORTS;
    let mut writer = Writer::new(2);
    let head = 2;
    for i in 0..150 {
        writer.expert(&[
            (p.s(1), &[(p.ys(1), 1.0), (Ports::ONE, 1.0)]),
            (p.s(2), &[(p.ys(2), 1.0)]),
            (p.e(), &[(Ports::ONE, (head + i + 1).into())]),
        ]);
    }
    writer.expert(&[
        (p.s(1), &[(p.ys(1), 1.0)]),
        (p.s(2), &[(p.ys(2), 1.0), (Ports::ONE, -1.0)]),
        (p.n(0), &[(p.ys(2), 1.0), (Ports::ONE, -1.0)]),
        (p.v(0), &[(Ports::ONE, 1.0)]),
        (p.n(1), &[(p.ys(2), -1.0), (Ports::ONE, 2.0)]),
        (p.v(1), &[(Ports::ONE, 1.0)]),
        (p.e(), &[(Ports::ONE, (head + 151).into())]),
    ]);
    writer.expert(&[
        (p.s(1), &[(p.ys(1), 1.0)]),
        (p.s(2), &[(p.ys(2), 1.0)]),
        (p.e(), &[(Ports::ONE, head.into()), (p.yu(1), -1.0)]),
    ]);
    let network = network(writer.finish(), &[("count", entry(head, 2, 1))]);
    let (args, steps) = ([word(0), word(300)], 300 * 152);
    let report = compare_step_by_step(&network, "count", &args, 1 << 20).unwrap();
    assert_eq!((report.steps, report.end), (steps, End::Finished(Ok(vec![word(300 * 150)]))));
    assert!(compare(&network, "count", &args, steps) > steps);
}

#[test]
fn rows_of_large_regions_are_found_again() {
    let mut network = memory();
    network.regions.truncate(2);
    network.regions[1].count = 1 << 27;
    let network = network;
    let sizes = [Some(2), None].map(|compile_after| {
        let config = Config { compile_after, assert_declared: false, ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        for i in 0..64 {
            instance.invoke("store_load", &[word(i << 21 | 0xf_fffe), word(1)]).unwrap();
        }
        instance.trace_size()
    });
    assert_eq!(sizes[0], sizes[1]);
    // A byte for each call, three first rows in memory and the last address.
    assert_eq!(sizes[0].rows, 64 + 3 + 1);
}

#[test]
fn what_a_packet_drops_is_0_in_the_next() {
    // There are more targets than are remembered, so that some become code regions of their own.
    let p = PORTS;
    let mut writer = Writer::new(2);
    let dispatch = writer.expert(&[(p.e(), &[(p.ys(1), 1.0), (Ports::ONE, 3.0)])]);
    for target in 0..10 {
        writer.expert(&[
            (p.s(1), &[(p.ys(3), 1.0), (Ports::ONE, 100.0 + f64::from(target))]),
            (p.e(), &[(Ports::ONE, 1.0)]),
        ]);
    }
    let network = network(writer.finish(), &[("dispatch", entry(dispatch, 3, 1))]);
    let config = Config { compile_after: Some(2), assert_declared: false, ..Config::default() };
    let mut instance = Instance::with_config(&network, config).unwrap();
    for i in 0..100 {
        let target = i % 10;
        let result = instance.invoke("dispatch", &[word(target), word(1), word(5)]);
        assert_eq!(result, Ok(vec![word(100 + target)]));
    }
}

#[test]
fn tables_may_hold_any_integer() {
    for last in [33.0, 16_777_217.0] {
        let mut network = table();
        network.lookup = vec![11.0, 2_147_483_648.0, last];
        let config = Config { compile_after: Some(2), assert_declared: false, ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        for i in (0..40).chain([u32::MAX]) {
            let entry = network.lookup.get(i as usize % 5).copied().unwrap_or(0.0);
            assert_eq!(instance.invoke("table", &[word(i % 5)]), Ok(vec![word(entry as u32)]));
        }
    }
}
