//! Input that comes while the program runs, and output that is shown as it is produced, on all executors:
//! results are the same as with all of the input there from the beginning.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{
    Config, Dense, Error, Executor, Instance, Network, SourceKind, Stepper, TrapCode, Value, Waits,
};

/// A program that reads and prints in many ways: byte by byte, several reads and prints in one block, in
/// calls, in arms.
const PROGRAM: &str = include_str!("files/streams.wat");

const READERS: [&str; 4] = ["echo", "four", "pairs", "arms"];

/// Returns the ways in which a network is run, by name.
fn ways() -> Vec<(&'static str, Config)> {
    let way = |executor, compile_after| Config {
        executor,
        compile_after,
        assert_declared: false,
        ..Config::default()
    };
    vec![
        ("dense", way(Executor::Dense, None)),
        ("interpreter", way(Executor::Sparse, None)),
        ("machine code at once", way(Executor::Sparse, Some(0))),
        ("machine code soon", way(Executor::Sparse, Some(5))),
        ("checked", Config { assert_declared: true, ..way(Executor::Sparse, None) }),
        (
            "checked, not kept",
            Config { keep_streams: false, assert_declared: true, ..way(Executor::Sparse, None) },
        ),
        ("dense, not kept", Config { keep_streams: false, ..way(Executor::Dense, None) }),
        ("machine code at once, not kept", Config { keep_streams: false, ..way(Executor::Sparse, Some(0)) }),
        ("machine code soon, not kept", Config { keep_streams: false, ..way(Executor::Sparse, Some(5)) }),
    ]
}

/// A sink that keeps what is written to it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Input that comes in pieces, and notes how much had been printed each time that it was asked for more.
struct Pieces {
    bytes: Vec<u8>,
    size: usize,
    printed: Shared,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.asked.lock().unwrap().push(self.printed.bytes().len());
        let count = self.size.min(self.bytes.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes.drain(..count);
        Ok(count)
    }
}

struct Streamed {
    outcome: Result<Vec<Value>, Error>,
    printed: Vec<u8>,
    /// How much had been printed each time that input was asked for.
    asked: Vec<usize>,
    steps: u64,
    compiled_steps: u64,
}

fn streamed(network: &Network, config: Config, name: &str, input: &[u8], size: usize) -> Streamed {
    let (printed, asked) = (Shared::default(), Arc::default());
    let pieces = Pieces { bytes: input.to_vec(), size, printed: printed.clone(), asked: Arc::clone(&asked) };
    let config = Config {
        stdin_source: Some(Box::new(pieces)),
        stdout_sink: Some(Box::new(printed.clone())),
        ..config
    };
    let mut instance = Instance::with_config(network, config).unwrap();
    let outcome = instance.invoke(name, &[]);
    assert_eq!(instance.stdout(), printed.bytes());
    let asked = asked.lock().unwrap().clone();
    let (steps, compiled_steps) = (instance.steps(), instance.compiled_steps());
    Streamed { outcome, printed: printed.bytes(), asked, steps, compiled_steps }
}

#[test]
fn pieces_are_as_good_as_the_whole() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    let input: Vec<u8> = (0..11).map(|i| i * 23 + 1).collect();
    for name in READERS {
        for length in 0..input.len() {
            let input = &input[..length];
            let mut whole =
                Instance::with_config(&network, Config { stdin: input.to_vec(), ..Config::default() })
                    .unwrap();
            let expected = whole.invoke(name, &[]);
            for size in [1, 2, 3, 64] {
                for (way, config) in ways() {
                    let found = streamed(&network, config, name, input, size);
                    assert_eq!(found.outcome, expected, "{name}, {length} bytes by {size}, {way}");
                    assert_eq!(found.printed, whole.stdout(), "{name}, {length} bytes by {size}, {way}");
                    assert_eq!(found.steps, whole.steps(), "{name}, {length} bytes by {size}, {way}");
                }
            }
        }
    }
}

/// A stream takes no more memory than a few megabytes, and what a trace does not keep changes nothing.
#[test]
fn streams_of_any_length_take_no_memory() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let input: Vec<u8> = std::iter::repeat_with(|| random.u8(1..)).take(7 << 20).collect();
    let run = |keep_streams| {
        let printed = Shared::default();
        let config = Config {
            stdin_source: Some(Box::new(io::Cursor::new(input.clone()))),
            stdout_sink: Some(Box::new(printed.clone())),
            keep_streams,
            assert_declared: false,
            compile_after: Some(10),
            ..Config::default()
        };
        let mut instance = Instance::with_config(&network, config).unwrap();
        instance.invoke("echo", &[]).unwrap();
        let stdout = instance.stdout();
        (printed.bytes(), stdout, instance.trace_size().bytes, instance.steps())
    };
    // It prints a `>` before each byte and at the end.
    let expected: Vec<u8> = input.iter().flat_map(|byte| [b'>', *byte]).chain([b'>']).collect();
    let (printed, stdout, bytes, steps) = run(true);
    assert!(printed == expected && stdout == expected);
    assert!(bytes >= 21 << 20, "{bytes}");
    let (printed, stdout, bytes, same_steps) = run(false);
    assert!(printed == expected && stdout.len() == expected.len());
    assert!(bytes < 3 << 20, "{bytes}");
    assert_eq!(steps, same_steps);
}

/// An input that fails for a while.
struct Failing(Vec<Result<&'static [u8], io::ErrorKind>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let bytes = self.0.remove(0)?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[test]
fn what_was_read_is_not_read_again_after_a_failure() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    for keep_streams in [true, false] {
        let pieces = vec![Ok(&b"abc"[..]), Err(io::ErrorKind::WouldBlock), Ok(b"d")];
        let config =
            Config { stdin_source: Some(Box::new(Failing(pieces))), keep_streams, ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        assert!(matches!(instance.invoke("echo", &[]), Err(Error::Stdin { .. })));
        instance.invoke("echo", &[]).unwrap();
        assert_eq!(instance.stdout(), b">a>b>c>>d>");
    }
}

/// Machine code goes on reading while there is input, and leaves only when there is none: steps in the
/// interpreter for each byte would cost far more.
#[test]
fn machine_code_reads_what_is_there() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    let input: Vec<u8> = (0..5000u32).map(|i| (i * i % 251) as u8).collect();
    for name in ["echo", "pairs", "arms"] {
        let mut whole =
            Instance::with_config(&network, Config { stdin: input.clone(), ..Config::default() }).unwrap();
        let expected = whole.invoke(name, &[]);
        for size in [99, 1000, 5000] {
            for (way, config) in ways() {
                let found = streamed(&network, config, name, &input, size);
                assert_eq!(found.outcome, expected, "{name} by {size}, {way}");
                assert_eq!(found.printed, whole.stdout(), "{name} by {size}, {way}");
                assert_eq!(found.asked.len(), input.len().div_ceil(size) + 1, "{name} by {size}, {way}");
                if way.starts_with("machine code") && cfg!(target_arch = "x86_64") {
                    let share = found.compiled_steps as f64 / found.steps as f64;
                    assert!(share > 0.9, "{name} by {size}, {way}: {share}");
                }
            }
        }
    }
}

#[test]
fn what_was_printed_before_is_there_when_input_is_asked_for() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    for (way, config) in ways() {
        // The program prints `>` before it asks for a byte, and then the byte: 1, 3, 5, … bytes when it asks,
        // the last time at the end of the input.
        let input = vec![b'x'; 2000];
        let found = streamed(&network, config, "echo", &input, 1);
        let expected: Vec<usize> = (0..=input.len()).map(|i| 1 + 2 * i).collect();
        assert_eq!(found.asked, expected, "{way}");
    }
    for (way, config) in ways() {
        let found = streamed(&network, config, "four", b"abcdef", 1);
        assert_eq!(found.asked, [1, 2, 3, 4], "{way}");
    }
}

#[test]
fn input_is_asked_for_only_when_it_is_read() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    for (way, config) in ways() {
        let found = streamed(&network, config, "nothing", b"abc", 1);
        assert_eq!((found.asked.len(), found.outcome), (0, Ok(vec![Value::I32(5)])), "{way}");
    }
    for (way, config) in ways() {
        let found = streamed(&network, config, "one", b"abc", 1);
        assert_eq!((found.asked.len(), found.outcome), (1, Ok(vec![Value::I32(97)])), "{way}");
    }
    // Input that is there already is read first.
    for (way, config) in ways() {
        let config = Config { stdin: b"z".to_vec(), ..config };
        let found = streamed(&network, config, "one", b"abc", 1);
        assert_eq!((found.asked.len(), found.outcome), (0, Ok(vec![Value::I32(122)])), "{way}");
    }
}

/// The steps that read the number of bytes are exactly those at which `Waits` says that the program waits.
#[test]
fn no_step_reads_the_length_without_waiting() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    let length = network.io.stdin_end.unwrap();
    let waits = Waits::new(&network).expect("the program reads");
    let ports = &network.ports;
    let mut waited = 0;
    for name in READERS {
        let mut dense = Dense::new(&network).unwrap();
        for (key, value) in &network.first_rows {
            dense.append(*key, *value);
        }
        dense.append(length, 7.0);
        dense.enter(network.entries[name].expert, &[]);
        loop {
            let (e, z) = dense.z();
            if network.is_terminal(e) {
                break;
            }
            let reads = network.experts.equations(e).flat_map(|equation| equation.sources).any(|source| {
                matches!(ports.source_kind(*source), (SourceKind::R, i) if z[usize::from(ports.q(i))] == length as f64)
            });
            assert_eq!(reads, waits.is_at(e, z), "{name}: expert {e}");
            waited += usize::from(reads);
            dense.step();
        }
    }
    assert!(waited > 20, "{waited}");
}

#[test]
fn no_more_than_the_limit_is_printed() {
    for limit in [0, 1, 5] {
        let options = Options { stdout_bytes: limit, ..Options::default() };
        let network = compile(PROGRAM.as_bytes(), &options).unwrap();
        for (way, config) in ways() {
            let found = streamed(&network, config, "echo", b"abcdefg", 3);
            assert_eq!(found.outcome, Err(Error::OutputLimit(limit)), "{way}");
            assert_eq!(found.printed, b">a>b>"[..limit as usize], "{way}");
        }
        // A run that prints no more bytes than allowed is not stopped.
        for (way, config) in ways() {
            let found = streamed(&network, config, "echo", &b"abc"[..limit as usize / 2], 3);
            assert_eq!(found.outcome.is_ok(), limit % 2 == 1, "{way}");
        }
    }
    assert_eq!(TrapCode::OutputLimit as u8, 14);
    assert_eq!(TrapCode::from_code(14), Some(TrapCode::OutputLimit));
    assert_eq!(TrapCode::from_code(15), None);
}

#[test]
fn failures_of_the_host_end_a_run() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no such luck"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    for (way, config) in ways() {
        let config = Config { stdin_source: Some(Box::new(Broken)), ..config };
        let error = Instance::with_config(&network, config).unwrap().invoke("echo", &[]).unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{way}: {error}");
    }
    for (way, config) in ways() {
        let config = Config { stdout_sink: Some(Box::new(Broken)), ..config };
        let error = Instance::with_config(&network, config).unwrap().invoke("echo", &[]).unwrap_err();
        assert!(matches!(error, Error::Output { kind: io::ErrorKind::BrokenPipe, .. }), "{way}: {error}");
    }
    // There is more input than room for it.
    let options = Options { stdin_bytes: 3, ..Options::default() };
    let network = compile(PROGRAM.as_bytes(), &options).unwrap();
    for (way, config) in ways() {
        for size in [1, 2, 64] {
            let Config { executor, compile_after, assert_declared, .. } = config;
            let config = || Config { executor, compile_after, assert_declared, ..Config::default() };
            let found = streamed(&network, config(), "echo", b"abc", size);
            assert_eq!(found.printed, b">a>b>c>", "{way}");
            let found = streamed(&network, config(), "echo", b"abcd", size);
            assert_eq!(
                found.outcome,
                Err(Error::InputTooLong { input: "standard input is", capacity: 3 }),
                "{way}"
            );
        }
    }
}

/// A limit of steps may stop a run anywhere: what is then shown is what the trace says, a prefix of all that
/// is printed.
#[test]
fn what_a_limit_stops_has_printed_nothing_by_halves() {
    let network = compile(PROGRAM.as_bytes(), &Options::default()).unwrap();
    for name in READERS {
        let run = |config: Config, max_steps| {
            let printed = Shared::default();
            let config = Config {
                max_steps,
                stdin: b"abcdefg".to_vec(),
                stdout_sink: Some(Box::new(printed.clone())),
                ..config
            };
            let mut instance = Instance::with_config(&network, config).unwrap();
            let outcome = instance.invoke(name, &[]);
            assert_eq!(printed.bytes(), instance.stdout(), "{name}, {max_steps:?}");
            (instance.steps(), printed.bytes(), outcome)
        };
        let (steps, all, _) = run(Config::default(), None);
        for max_steps in 0..steps {
            // Without a sink, nothing is appended before its step.
            let config =
                Config { max_steps: Some(max_steps), stdin: b"abcdefg".to_vec(), ..Config::default() };
            let mut instance = Instance::with_config(&network, config).unwrap();
            let stopped = instance.invoke(name, &[]);
            assert!(
                matches!(stopped, Err(Error::StepLimit { limit, .. }) if limit == max_steps),
                "{stopped:?}"
            );
            let expected = instance.stdout();
            assert!(all.starts_with(&expected), "{name}, {max_steps}: {expected:?}");
            for (way, config) in ways() {
                let (_, printed, outcome) = run(config, Some(max_steps));
                assert_eq!(outcome, stopped, "{name}, {way}");
                assert_eq!(printed, expected, "{name}, {max_steps}, {way}");
            }
        }
    }
}
