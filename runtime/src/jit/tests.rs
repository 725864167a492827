use crate::tests::random::{Random, args, tame_network};
use crate::*;

/// Runs with the interpreter alone and with machine code, in slices, for `steps` steps, and compares
/// everything after each. Returns how many steps machine code did.
fn compare(
    network: &Network,
    expert: ExpertId,
    fields: &[(Field, f64)],
    steps: u64,
    after: u32,
    slice: u64,
) -> u64 {
    let executor = |compile_after| {
        let options = SparseOptions {
            assert_declared: false,
            compile_after,
        };
        let mut sparse = Sparse::new(network, options).unwrap();
        network
            .first_rows
            .iter()
            .for_each(|(key, value)| sparse.append(*key, *value));
        sparse.enter(expert, fields);
        sparse
    };
    let (mut interpreter, mut compiled) = (executor(None), executor(Some(after)));
    let ends = TokenEnds::new(network);
    let mut left = steps;
    while left > 0 {
        let slice = slice.min(left);
        let expected = interpreter.run(slice, &ends);
        assert_eq!(compiled.run(slice, &ends), expected);
        assert_eq!(compiled.z(), interpreter.z());
        let rows = |sparse: &Sparse<'_>| {
            let mut rows = Vec::new();
            sparse.for_each_row(&mut |key, value| rows.push((key, value)));
            rows
        };
        assert_eq!(rows(&compiled), rows(&interpreter));
        left -= slice;
        if expected.ended {
            break;
        }
    }
    compiled.compiled_steps()
}

#[test]
fn machine_code_agrees_on_tame_networks() {
    let mut steps = 0;
    let mut all = 0;
    for seed in 0..600 {
        let mut random = Random(seed);
        let network = tame_network(&mut random);
        let args = args(&mut random);
        let exact = lockstep::compare_step_by_step(&network, "f", &args, 1000)
            .unwrap()
            .steps;
        let entry = &network.entries["f"];
        let fields: Vec<_> = entry
            .param_places
            .iter()
            .zip(&args)
            .map(|(place, arg)| match place {
                Place::Field(field) => (*field, f64::from(arg.words()[0])),
                Place::Row(_) => unreachable!("the network was made with places in fields"),
            })
            .collect();
        all += exact;
        for (after, slice) in [(1, 64), (3, 70), (8, 1000)] {
            steps += compare(&network, entry.expert, &fields, exact, after, slice);
        }
    }
    eprintln!("{steps} of {all}");
    assert!(steps > 10_000, "machine code did only {steps} steps");
}
