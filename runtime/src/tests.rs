//! Whole networks, made by hand or at random, on every executor.

use crate::lockstep::{End, compare_step_by_step};
use crate::*;

pub(crate) mod random;

/// Four carried values, three units, four reads, two table reads and two rows.
pub(crate) const PORTS: Ports = Ports { carried: 4, units: 3, reads: 4, lookups: 2, rows: 2 };

/// Writes experts equation by equation.
#[derive(Default)]
pub(crate) struct Writer(Experts);

impl Writer {
    /// Begins with `count` terminal experts, which have no equations.
    pub(crate) fn new(count: usize) -> Self {
        let mut writer = Writer::default();
        for _ in 0..count {
            writer.0.end_expert();
        }
        writer
    }

    /// Appends an expert made of equations in any order.
    pub(crate) fn expert(&mut self, equations: &[(Field, &[(Source, f64)])]) -> ExpertId {
        let mut equations = equations.to_vec();
        equations.sort_by_key(|equation| equation.0);
        for (field, terms) in equations {
            let mut terms = terms.to_vec();
            terms.sort_by_key(|term| term.0);
            for (source, weight) in terms {
                self.0.push_term(source, weight);
            }
            self.0.end_equation(field);
        }
        self.0.end_expert()
    }

    pub(crate) fn finish(self) -> Experts {
        self.0
    }
}

pub(crate) fn word(x: u32) -> Value {
    Value::I32(x as i32)
}

pub(crate) fn entry(expert: ExpertId, params: u16, results: u16) -> Entry {
    let fields = |n| (0..n).map(|i| WordLocation::Field(PORTS.s(1 + i))).collect();
    Entry {
        expert,
        params: vec![ValueType::I32; params.into()],
        results: vec![ValueType::I32; results.into()],
        param_locations: fields(params),
        result_locations: fields(results),
        boundary: None,
    }
}

pub(crate) fn network(experts: Experts, entries: &[(&str, Entry)]) -> Network {
    Network {
        ports: PORTS,
        experts,
        terminals: vec![Terminal::Unreachable, Terminal::Halt],
        entries: entries.iter().map(|(name, entry)| (name.to_string(), entry.clone())).collect(),
        ..Network::default()
    }
}

const ONE: Source = Ports::ONE;

fn p2(k: i32) -> f64 {
    2f64.powi(k)
}

/// add(a, b) = a + b mod 2^32
pub(crate) fn adder() -> Network {
    let p = PORTS;
    let (a, b) = (p.ys(1), p.ys(2));
    let mut w = Writer::new(2);
    let add = w.expert(&[
        (p.s(1), &[(a, 1.0), (b, 1.0)]),
        (p.n(0), &[(a, p2(-32)), (b, p2(-32))]),
        (p.v(0), &[(ONE, 1.0)]),
        (p.e(), &[(ONE, 3.0)]),
    ]);
    w.expert(&[(p.s(1), &[(a, 1.0), (p.yu(0), -p2(32))]), (p.e(), &[(ONE, 1.0)])]);
    network(w.finish(), &[("add", entry(add, 2, 1))])
}

/// sum(n) = n + (n − 1) + … + 1, one packet of two steps that branches to itself.
///
/// The entry makes the gate n for the first round.
pub(crate) fn summing_loop() -> Network {
    let p = PORTS;
    let (n, sum, going) = (p.ys(1), p.ys(2), p.yu(0));
    let mut w = Writer::new(2);
    let body = 3.0;
    let first = w.expert(&[
        (p.s(1), &[(n, 1.0)]),
        (p.n(0), &[(n, 1.0)]),
        (p.v(0), &[(ONE, 1.0)]),
        (p.e(), &[(ONE, body)]),
    ]);
    // u0 is n. u1 will be 1 if n ≥ 1, and 0 in the last round.
    w.expert(&[
        (p.s(1), &[(n, 1.0), (ONE, -1.0)]),
        (p.s(2), &[(sum, 1.0), (going, 1.0)]),
        (p.n(0), &[(n, 1.0), (ONE, -1.0)]),
        (p.v(0), &[(ONE, 1.0)]),
        (p.n(1), &[(n, p2(-32)), (ONE, 1.0 - p2(-32))]),
        (p.v(1), &[(ONE, 1.0)]),
        (p.e(), &[(ONE, body + 1.0)]),
    ]);
    // If u1 = 1, go on.
    w.expert(&[
        (p.s(1), &[(n, 1.0)]),
        (p.s(2), &[(sum, 1.0)]),
        (p.n(0), &[(going, 1.0)]),
        (p.v(0), &[(ONE, 1.0)]),
        (p.e(), &[(ONE, 5.0), (p.yu(1), body - 5.0)]),
    ]);
    // Move the sum to the location of the result.
    w.expert(&[(p.s(1), &[(sum, 1.0)]), (p.e(), &[(ONE, 1.0)])]);
    network(w.finish(), &[("sum", entry(first, 1, 1))])
}

/// Returns a region of 50 numbers at key 1, one of 65,536 bytes at key 101 and one of 16 bytes at key
/// 100,000.
fn regions() -> Vec<Region> {
    let values = |hi| Domain::Interval(Interval::new(0, hi));
    vec![
        Region {
            name: "global".into(),
            first: 1,
            count: 50,
            width: CellWidth::Number,
            values: Domain::Interval(Interval::WORD),
        },
        Region {
            name: "memory".into(),
            first: 101,
            count: 65_536,
            width: CellWidth::Byte,
            values: values(255),
        },
        Region {
            name: "output".into(),
            first: 100_000,
            count: 16,
            width: CellWidth::Byte,
            values: values(255),
        },
    ]
}

/// store_load(address, byte): stores a byte at `address`, then reads it and the three bytes that follow.
/// A row of the terminal expert stores the address in the global at key 7.
pub(crate) fn memory() -> Network {
    let p = PORTS;
    let (address, byte) = (p.ys(1), p.ys(2));
    let mut w = Writer::new(2);
    let first = w.expert(&[
        (p.k(0), &[(address, 1.0), (ONE, 101.0)]),
        (p.x(0), &[(byte, 1.0)]),
        (p.q(0), &[(address, 1.0), (ONE, 101.0)]),
        (p.q(1), &[(address, 1.0), (ONE, 102.0)]),
        (p.q(2), &[(address, 1.0), (ONE, 103.0)]),
        (p.q(3), &[(address, 1.0), (ONE, 104.0)]),
        (p.s(3), &[(address, 1.0)]),
        (p.e(), &[(ONE, 3.0)]),
    ]);
    w.expert(&[
        (p.s(1), &[(p.yr(0), 1.0), (p.yr(1), p2(8)), (p.yr(2), p2(16)), (p.yr(3), p2(24))]),
        (p.k(1), &[(ONE, 7.0)]),
        (p.x(1), &[(p.ys(3), 1.0)]),
        (p.e(), &[(ONE, 1.0)]),
    ]);
    let mut network = network(w.finish(), &[("store_load", entry(first, 2, 1))]);
    network.regions = regions();
    network.regions[1].count = 1000;
    network.first_rows = vec![(101, 1.0), (102, 2.0), (104, 4.0), (7, 9.0)];
    network.globals.insert("last".into(), GlobalExport { ty: ValueType::I32, mutable: true, keys: vec![7] });
    network
}

/// table(i, _) = lookup[i], 0 beyond its end.
pub(crate) fn table() -> Network {
    let p = PORTS;
    let mut w = Writer::new(2);
    let first = w.expert(&[(p.t(1), &[(p.ys(1), 1.0)]), (p.e(), &[(ONE, 3.0)])]);
    w.expert(&[(p.s(1), &[(p.yw(1), 1.0)]), (p.e(), &[(ONE, 1.0)])]);
    let mut network = network(w.finish(), &[("table", entry(first, 1, 1))]);
    network.lookup = vec![11.0, 22.0, 33.0];
    network
}

/// goto(e): the next expert is the argument.
fn goto() -> Network {
    let p = PORTS;
    let mut w = Writer::new(3);
    let first = w.expert(&[(p.e(), &[(p.ys(1), 1.0)])]);
    w.expert(&[(p.s(1), &[(ONE, 77.0)]), (p.e(), &[(ONE, 1.0)])]);
    let mut network = network(w.finish(), &[("goto", entry(first, 1, 1))]);
    network.terminals.push(Terminal::Trap { code: TrapCode::IntegerDivideByZero, function: 0, offset: 31 });
    network.function_names = vec!["main".into()];
    network
}

/// Creates an instance of a network for each executor.
fn instances(network: &Network) -> Vec<Instance<'_>> {
    let config = |executor| Config { executor, ..Config::default() };
    let executors = [Executor::Sparse, Executor::Dense];
    executors.map(|e| Instance::with_config(network, config(e)).unwrap()).into()
}

/// Calls a function on each executor, checks that they agree, also step by step, and returns the result.
fn invoke(network: &Network, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
    let report = compare_step_by_step(network, name, args, 1 << 20).unwrap();
    let End::Finished(expected) = report.end else { panic!("{report:?}") };
    for mut instance in instances(network) {
        assert_eq!(instance.invoke(name, args), expected);
        assert_eq!(instance.steps(), report.steps);
    }
    expected
}

#[test]
fn addition_wraps() {
    for (a, b) in [(1, 2), (u32::MAX, 1), (u32::MAX, u32::MAX), (1 << 31, 1 << 31), (0, 0)] {
        assert_eq!(invoke(&adder(), "add", &[word(a), word(b)]), Ok(vec![word(a.wrapping_add(b))]));
    }
}

#[test]
fn a_loop_sums() {
    for n in [0, 1, 2, 100] {
        assert_eq!(invoke(&summing_loop(), "sum", &[word(n)]), Ok(vec![word(n * (n + 1) / 2)]), "{n}");
    }
}

#[test]
fn tokens_are_counted_from_weights() {
    let network = summing_loop();
    for mut instance in instances(&network) {
        instance.invoke("sum", &[word(10)]).unwrap();
        // The entry ends a token, as it jumps to a packet that others lead to as well; each of 11 rounds ends
        // in a branch; the last step ends the run.
        assert_eq!((instance.steps(), instance.tokens()), (1 + 2 * 11 + 1, 1 + 11 + 1));
    }
}

#[test]
fn stores_are_seen_by_loads() {
    // First rows 1, 2, 0, 4 at addresses 0 … 3; the store overwrites and misses read 0.
    let network = memory();
    let load = |address, byte| invoke(&network, "store_load", &[word(address), word(byte)]);
    assert_eq!(load(0, 1), Ok(vec![word(0x0400_0201)]));
    assert_eq!(load(1, 0xff), Ok(vec![word(0x0004_00ff)]));
    assert_eq!(load(999, 5), Ok(vec![word(5)]));
}

#[test]
fn state_persists_and_terminal_rows_are_appended() {
    let network = memory();
    for mut instance in instances(&network) {
        assert_eq!(instance.global("last"), Ok(word(9)));
        instance.invoke("store_load", &[word(2), word(3)]).unwrap();
        assert_eq!(instance.global("last"), Ok(word(2)));
        assert_eq!(instance.invoke("store_load", &[word(0), word(1)]), Ok(vec![word(0x0403_0201)]));
        instance.set_global("last", word(u32::MAX)).unwrap();
        assert_eq!(instance.global("last"), Ok(word(u32::MAX)));
    }
}

#[test]
fn tables_are_read_in_range() {
    let network = table();
    for (i, w) in [(0, 11), (2, 33), (3, 0), (u32::MAX, 0)] {
        assert_eq!(invoke(&network, "table", &[word(i)]), Ok(vec![word(w)]));
    }
}

#[test]
fn experts_beyond_the_vocabulary_are_clamped() {
    let network = goto();
    assert_eq!(invoke(&network, "goto", &[word(4)]), Ok(vec![word(77)]));
    assert_eq!(invoke(&network, "goto", &[word(4_000_000_000)]), Ok(vec![word(77)]));
    assert_eq!(invoke(&network, "goto", &[word(1)]), Ok(vec![word(0)]));
    assert_eq!(invoke(&network, "goto", &[word(0)]), Err(Error::UnreachableState));
}

#[test]
fn traps_are_named_and_leave_the_instance_usable() {
    let network = goto();
    for mut instance in instances(&network) {
        let error = instance.invoke("goto", &[word(2)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "wasm trap: integer divide by zero (in function `main`, at offset 0x1f)"
        );
        assert_eq!(instance.invoke("goto", &[word(4)]), Ok(vec![word(77)]));
    }
}

#[test]
fn the_step_limit_counts_maps() {
    let network = summing_loop();
    let steps = 1 + 2 * 11 + 1;
    for executor in [Executor::Sparse, Executor::Dense] {
        let run = |max| {
            let config = Config { executor, max_steps: Some(max), ..Config::default() };
            let mut instance = Instance::with_config(&network, config).unwrap();
            (instance.invoke("sum", &[word(10)]), instance.steps())
        };
        assert_eq!(run(steps), (Ok(vec![word(55)]), steps));
        let stopped = |limit| (Err(Error::StepLimit { limit, place: Place::UNKNOWN }), limit);
        assert_eq!(run(steps - 1), stopped(steps - 1));
        assert_eq!(run(0), stopped(0));
    }
    let limit = |place| Error::StepLimit { limit: 7, place }.to_string();
    assert_eq!(limit(Place::UNKNOWN), "step limit of 7 reached");
    let line = Some(SourceLine { file: "src/sum.c".into(), line: 12 });
    let place = Place { function: 3, offset: 31, function_name: Some("sum".into()), line };
    assert_eq!(limit(place), "step limit of 7 reached (in function `sum`, at offset 0x1f, src/sum.c:12)");
}

#[test]
fn a_run_can_be_interrupted() {
    let network = summing_loop();
    for executor in [Executor::Sparse, Executor::Dense] {
        // The third time that it is asked, it says so, and never again.
        let mut asked = 0;
        let interrupt: Interrupt = Box::new(move || {
            asked += 1;
            asked == 3
        });
        let config = Config { executor, interrupt: Some(interrupt), ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        assert_eq!(instance.invoke("sum", &[word(u32::MAX)]), Err(Error::Interrupted));
        assert!(instance.steps() > 0);
        assert_eq!(instance.invoke("sum", &[word(10)]), Ok(vec![word(55)]));
    }
}

#[test]
fn wrong_calls_say_what_was_expected() {
    let network = adder();
    let mut instance = Instance::new(&network).unwrap();
    let message = |result: Result<_, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(instance.invoke("add", &[Value::I64(1)])),
        "function `add` takes (i32, i32), not (i64)"
    );
    assert_eq!(
        message(instance.invoke("sub", &[])),
        "there is no exported function `sub`; exported are: add"
    );
    assert_eq!(
        message(instance.global("g").map(|_| Vec::new())),
        "there is no exported global `g`; exported are: none"
    );
}

#[test]
fn memory_is_accessible_within_its_size() {
    let mut network = memory();
    network.regions = regions();
    network.memories.insert("mem".into(), MemoryExport { region: 1, pages: MemoryPages::Row(3) });
    network.first_rows.push((3, 1.0));
    let network = network;
    for mut instance in instances(&network) {
        let mut memory = instance.memory("mem").unwrap();
        assert_eq!(memory.pages(), 1);
        let mut bytes = [0; 4];
        memory.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 0, 4]);
        memory.write(65_533, &[7, 8, 9]).unwrap();
        memory.read(65_532, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 7, 8, 9]);
        let error = memory.write(65_533, &bytes).unwrap_err();
        assert_eq!(error, Error::MemoryAccess { address: 65_533, len: 4, size: 65_536 });
        assert!(memory.read(u64::MAX, &mut bytes).is_err());
    }
}

#[test]
fn byte_programs_read_and_print() {
    let mut network = memory();
    network.regions = regions();
    network.io = Io { input: Some(1), stdin_end: Some(1), stdout: Some((2, 2)), ..Io::default() };
    network.first_rows = vec![(2, 3.0), (100_000, 104.0), (100_001, 105.0)];
    let network = network;
    for executor in [Executor::Sparse, Executor::Dense] {
        let config = Config { executor, stdin: b"abc".to_vec(), ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        assert_eq!(instance.stdout(), b"hi\0");
        assert_eq!(
            instance.invoke("store_load", &[word(3), word(0)]).unwrap(),
            [word(0)],
            "nothing follows the input"
        );
        assert_eq!(
            instance.invoke("store_load", &[word(0), word(b'x'.into())]).unwrap(),
            [word(u32::from_le_bytes(*b"xbc\0"))]
        );
    }
    let config = Config { stdin: vec![0; 70_000], ..Config::default() };
    let error = Instance::with_config(&network, config).err().unwrap();
    assert_eq!(error, Error::InputTooLong { input: "standard input is", capacity: 65_536 });
}

#[test]
fn creation_runs_the_start_expert() {
    let mut network = summing_loop();
    network.start = Some(2);
    for instance in instances(&network) {
        assert_eq!(instance.steps(), 4);
    }
    let mut network = goto();
    let start = network.experts.expert_end.len() as ExpertId;
    network.experts.push_term(ONE, 2.0);
    network.experts.end_equation(PORTS.e());
    network.experts.end_expert();
    network.start = Some(start);
    let trap = Instance::new(&network).err().unwrap();
    assert!(matches!(trap, Error::Trap(Trap { code: TrapCode::IntegerDivideByZero, .. })));
}

#[test]
#[should_panic(expected = "expert 2: field 1 ((S, 1)) is 5, declared Interval(Interval { lo: 0, hi: 4 })")]
fn what_is_declared_is_asserted() {
    let mut network = adder();
    let certificate = &mut network.certificate;
    certificate.end_expert();
    certificate.end_expert();
    certificate.fields.push(PORTS.s(1), Domain::Interval(Interval::new(0, 4)));
    certificate.end_expert();
    certificate.end_expert();
    let config = Config { assert_declared: true, ..Config::default() };
    let mut instance = Instance::with_config(&network, config).unwrap();
    assert_eq!(instance.invoke("add", &[word(4), word(5)]), Ok(vec![word(9)]));
    let _ = instance.invoke("add", &[word(5), word(5)]);
}

#[test]
#[should_panic(expected = "expert 2: ghost [(1, 1), (2, -1)] is -1, declared Interval { lo: 0")]
fn declared_ghosts_are_asserted() {
    let mut network = adder();
    let certificate = &mut network.certificate;
    certificate.end_expert();
    certificate.end_expert();
    certificate.push_ghost([(PORTS.s(1), 1), (PORTS.s(2), -1)], Interval::new(0, i64::MAX));
    certificate.end_expert();
    certificate.end_expert();
    let config = Config { assert_declared: true, ..Config::default() };
    let mut instance = Instance::with_config(&network, config).unwrap();
    assert_eq!(instance.invoke("add", &[word(5), word(5)]), Ok(vec![word(10)]));
    let _ = instance.invoke("add", &[word(5), word(6)]);
}

#[test]
fn what_passes_a_limit_is_refused_by_its_name() {
    let message = |network: &Network| match Instance::new(network).err() {
        Some(Error::Malformed(message)) => message,
        other => panic!("{other:?}"),
    };
    let mut network = adder();
    let region = Region { count: 1, ..regions()[0].clone() };
    network.regions = (1..=65_536).map(|first| Region { first, ..region.clone() }).collect();
    assert_eq!(message(&network), "65536 regions are more than the limit of 65535");
    network.regions.pop();
    assert!(validate(&network).is_ok());
    let network = Network { ports: Ports { carried: 65_535, ..PORTS }, ..adder() };
    let fields = 65_535 + 6 + 4 + 2 + 4 + 1;
    assert_eq!(message(&network), format!("{fields} fields are more than the limit of 65535"));
    // The number of bytes printed is in a row, which may be a first row and say anything.
    let mut network = adder();
    network.regions = vec![Region { count: 1 << 32, ..regions()[2].clone() }];
    network.io.stdout = Some((0, network.regions[0].first));
    assert_eq!(message(&network), "input or output is too large");
}

/// The cells of bytes cannot hold other values. Random changes of networks have found executors that differ
/// because of this (`fuzz`, target `run`).
#[test]
fn what_a_run_begins_with_fits_its_cells() {
    let changed = |change: &dyn Fn(&mut Network)| {
        let mut network = memory();
        change(&mut network);
        match validate(&network) {
            Ok(()) => String::new(),
            Err(Error::Malformed(message)) => message,
            Err(error) => panic!("{error}"),
        }
    };
    // Key 50 has a cell for a number, 101 one for a byte.
    for (value, fits) in
        [(0.0, true), (255.0, true), (256.0, false), (-1.0, false), (0.5, false), (1e18, false)]
    {
        let message = changed(&|network| network.first_rows.push((101, value)));
        assert_eq!(message.is_empty(), fits, "{value}: {message}");
        assert_eq!(changed(&|network| network.first_rows.push((50, value))), "");
    }
    for values in [
        Domain::Interval(Interval::new(0, 256)),
        Domain::Interval(Interval::new(-1, 255)),
        Domain::PowerOfTwo { hi: 8 },
        Domain::Ids(0),
    ] {
        let sets = vec![IdSet::default()];
        let message = changed(&|network| {
            network.certificate.id_sets = sets.clone();
            network.regions[1].values = values;
        });
        assert_eq!(message, "region `memory` has cells of bytes, and values that are none", "{values:?}");
    }
    let entry = |locations: fn(&mut Entry) -> &mut Vec<WordLocation>, key| {
        changed(&|network| {
            network.entries.values_mut().for_each(|entry| locations(entry)[0] = WordLocation::Row(key));
        })
    };
    let message = "key 101 of entry `store_load` is in region `memory`, whose cells are bytes";
    assert_eq!(entry(|entry| &mut entry.param_locations, 101), message);
    assert_eq!(entry(|entry| &mut entry.param_locations, 50), "");
    assert_eq!(entry(|entry| &mut entry.result_locations, 101), "");
    let global = |key| {
        let global = GlobalExport { ty: ValueType::I32, mutable: true, keys: vec![key] };
        changed(&|network| drop(network.globals.insert("g".into(), global.clone())))
    };
    assert_eq!(global(101), "key 101 of global `g` is in region `memory`, whose cells are bytes");
    assert_eq!(global(50), "");
    let length = |key| changed(&|network| (network.io.input, network.io.stdin_end) = (Some(1), Some(key)));
    assert_eq!(length(101), "key 101 of input or output is in region `memory`, whose cells are bytes");
    assert_eq!(length(50), "");
}

/// A network that is printed may come from a file, and be damaged.
#[test]
fn networks_of_any_kind_have_a_text() {
    let text = adder().to_string();
    assert!(text.contains("export add(i32, i32) -> (i32) at expert 2: (s1, s2) -> (s1)"), "{text}");
    assert!(text.contains("    expert 2\n        s1 <- s1 + s2\n"), "{text}");
    assert!(text.contains("        n0 <- 2^-32·s1 + 2^-32·s2\n"), "{text}");
    let mut network = memory();
    network.tables = vec![Table { name: "t".into(), first: 0, count: 0, domain: Domain::Ids(7) }];
    network.regions[0].count = 0;
    network.regions[0].first = 0;
    network.io.input = Some(99);
    let text = network.to_string();
    assert!(text.contains("table t, 0 keys from 0, ids of set 7"), "{text}");
    assert!(text.contains("input in no region"), "{text}");
}

#[test]
fn everything_can_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<Instance<'_>>();
    check::<Error>();
    check::<Config>();
    check::<lockstep::Divergence>();
}

/// Notes what it sees.
struct Notes<'a>(&'a std::sync::Mutex<Vec<String>>);

impl Observer for Notes<'_> {
    fn step(&mut self, step: &Step<'_>) {
        let rows: Vec<_> = step.rows().collect();
        let reads: Vec<_> = step.reads().filter(|(query, _)| *query != 0.0).map(|(_, value)| value).collect();
        self.0.lock().unwrap().push(format!("{} {}: {rows:?}, {reads:?}", step.number, step.expert));
    }

    fn token(&mut self, tokens: u64) {
        self.0.lock().unwrap().push(format!("token {tokens}"));
    }
}

#[test]
fn observers_see_every_step_and_change_nothing() {
    let network = memory();
    for executor in [Executor::Dense, Executor::Sparse] {
        let notes = std::sync::Mutex::new(Vec::new());
        let config = || Config { executor, compile_after: Some(0), ..Config::default() };
        let mut instance = Instance::with_config(&network, config()).unwrap();
        instance.observe(Box::new(Notes(&notes)));
        let mut unseen = Instance::with_config(&network, config()).unwrap();
        for byte in [7, 9] {
            let args = [word(3), word(byte)];
            assert_eq!(instance.invoke("store_load", &args), unseen.invoke("store_load", &args));
        }
        assert_eq!((instance.steps(), instance.tokens()), (unseen.steps(), unseen.tokens()));
        let notes = notes.lock().unwrap();
        let steps: Vec<_> = notes.iter().filter(|note| !note.starts_with("token")).collect();
        // The last step of each call, which has no map, is seen, too.
        assert_eq!(steps.len() as u64, instance.steps() + 2, "{notes:#?}");
        assert_eq!((notes.len() - steps.len()) as u64, instance.tokens(), "{notes:#?}");
        // The byte is stored and read in the same step.
        assert!(steps.iter().any(|note| note.contains("(104, 9.0)") && note.contains("9.0, ")), "{notes:#?}");
    }
}
