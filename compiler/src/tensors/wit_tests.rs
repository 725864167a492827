//! Functions of tensors by WIT: what becomes of each type, what is refused, and how the canonical ABI is followed.

use wasm2onnx_runtime::{Error, Instance, List, Tensor, TrapCode, Value};
use wit_component::{StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

use crate::error::{CompileError, ErrorKind};
use crate::options::Options;

/// Gives places one behind the other, and frees nothing.
const REALLOC: &str = r#"(memory (export "memory") 1) (global $next (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
        (global.set $next (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get $align))))
        (global.get $next)
        (global.set $next (i32.add (global.get $next) (local.get $new))))"#;

/// Reads a package, and finds its only world.
fn world(wit: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    (resolve, world)
}

/// Returns a module with the only world of a package.
fn module(wit: &str, wat: &str) -> Vec<u8> {
    let (resolve, world) = world(wit);
    let mut module = wat::parse_str(wat).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    module
}

/// Returns a package whose world exports one function.
fn package(types: &str, signature: &str) -> String {
    format!("package a:b; world w {{ {types} export f: func{signature}; }}")
}

/// Returns the tensors of a function whose module somebody else has made, and which has the type that they have given it.
fn tensors(types: &str, signature: &str) -> String {
    let (resolve, world) = world(&package(types, signature));
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let options = Options { validation_states: 0, exports: Some(vec!["f".to_owned()]), ..Options::default() };
    let network = crate::compile(&module, &options).unwrap();
    let boundary = network.entries["f"].boundary.as_ref().unwrap();
    format!("{} -> {}", List(&boundary.inputs), List(&boundary.outputs))
}

#[test]
fn types_become_tensors() {
    let point = "record point { x: f32, y: s16 } record line { start: point, end: point, name: string }";
    let others =
        "enum color { red, green, blue } flags perms { read, write } type id = u64; type ids = list<id>;
        enum error { not-found, no-permission }";
    for (types, signature, expected) in [
        ("", "()", " -> "),
        ("", "(a: bool, b: s8, c: u8, d: s16, e: u16)", "a: bool, b: i8, c: u8, d: i16, e: u16 -> "),
        ("", "(a: s32, b: u32, c: s64, d: u64, e: f32)", "a: i32, b: u32, c: i64, d: u64, e: f32 -> "),
        ("", "(a: f64, c: char) -> char", "a: f64, c: u32 -> result: u32"),
        ("", "(my-text: string, l: list<f64>) -> string", "my-text: u8[my-text], l: f64[l] -> result: u8[_]"),
        (
            point,
            "(l: line) -> point",
            "l.start.x: f32, l.start.y: i16, l.end.x: f32, l.end.y: i16, l.name: u8[l.name] -> result.x: f32, result.y: i16",
        ),
        (
            "",
            "(t: tuple<u8, tuple<s8, string>>) -> tuple<f32, u8>",
            "t.0: u8, t.1.0: i8, t.1.1: u8[t.1.1] -> result.0: f32, result.1: u8",
        ),
        (
            others,
            "(c: color, p: perms, i: ids) -> result<_, error>",
            "c: u8, p.read: bool, p.write: bool, i: u64[i] -> result.is-ok: bool, result.err: u8",
        ),
        (
            "",
            "(o: option<option<list<s16>>>) -> result<u8>",
            "o.is-some: bool, o.some.is-some: bool, o.some.some: i16[o.some.some] -> result.is-ok: bool, result.ok: u8",
        ),
        ("", "(r: result) -> result", "r.is-ok: bool -> result.is-ok: bool"),
        (
            "",
            "(r: result<string, f32>) -> option<f64>",
            "r.is-ok: bool, r.ok: u8[r.ok], r.err: f32 -> result.is-some: bool, result.some: f64",
        ),
        (
            "",
            "(r: result<tuple<f32, f64, u8>, tuple<u64, s8, s8, string>>, s: option<result<f32, f64>>)",
            "r.is-ok: bool, r.ok.0: f32, r.ok.1: f64, r.ok.2: u8, r.err.0: u64, r.err.1: i8, r.err.2: i8, r.err.3: u8[r.err.3], \
             s.is-some: bool, s.some.is-ok: bool, s.some.ok: f32, s.some.err: f64 -> ",
        ),
        (
            point,
            "(l: line, m: line, n: line) -> bool",
            "l.start.x: f32, l.start.y: i16, l.end.x: f32, l.end.y: i16, l.name: u8[l.name], m.start.x: f32, m.start.y: i16, \
             m.end.x: f32, m.end.y: i16, m.name: u8[m.name], n.start.x: f32, n.start.y: i16, n.end.x: f32, n.end.y: i16, \
             n.name: u8[n.name] -> result: bool",
        ),
    ] {
        let made = tensors(types, signature);
        // Lists of many tensors are shown in part.
        let (inputs, _) = made.split_once(", …").unwrap_or((&made, ""));
        assert!(expected.starts_with(inputs), "{signature}: {made}");
        assert!(made.contains('…') || made == expected, "{signature}: {made}");
    }
    // Enums and flags of more than a byte.
    let many = |n: usize| (0..n).map(|i| format!("c{i}")).collect::<Vec<_>>().join(", ");
    assert_eq!(tensors(&format!("enum e {{ {} }}", many(256)), "(e: e)"), "e: u8 -> ");
    assert_eq!(tensors(&format!("enum e {{ {} }}", many(257)), "(e: e) -> e"), "e: u16 -> result: u16");
    assert!(
        tensors(&format!("flags e {{ {} }}", many(32)), "(e: e) -> e").starts_with("e.c0: bool, e.c1: bool")
    );
}

fn refusal(types: &str, signature: &str) -> String {
    let wit = package(types, signature);
    let error = crate::compile(&module(&wit, r#"(module (func (export "f")))"#), &Options::default());
    let error: CompileError = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tensors { name, .. } if name == "f"), "{error}");
    error.to_string()
}

#[test]
fn what_has_no_tensors_is_refused_by_name() {
    for (types, signature, message) in [
        (
            "",
            "(a: u8, b: list<string>)",
            "`b` is a list of strings, of which no tensors are made; without WIT",
        ),
        ("", "(b: list<list<u8>>)", "`b` is a list of lists, "),
        ("", "(b: list<bool>)", "`b` is a list of bools, "),
        ("", "(b: list<char>)", "`b` is a list of characters, "),
        ("", "(b: list<option<u8>>)", "`b` is a list of options, "),
        ("", "(b: list<tuple<u8>>)", "`b` is a list of tuples, "),
        ("enum e { a }", "(b: list<e>)", "`b` is a list of enums, "),
        ("record r { a: list<r2> } record r2 { a: u8 }", "(b: r)", "`b.a` is a list of records, "),
        ("variant v { a(u8), b }", "() -> option<v>", "`result.some` is a variant, "),
        ("variant v { a, b }", "(v: v)", "`v` is a variant, "),
        ("resource r;", "(a: borrow<r>)", "`a` is a resource, "),
        ("resource r;", "() -> result<u8, r>", "`result.err` is a resource, "),
        ("", "(a: tuple<u8, future<u8>>)", "`a.1` is a future, "),
        ("", "(a: stream<u8>)", "`a` is a stream, "),
        ("", "(a: list<u8, 4>)", "`a` is a list of fixed length, "),
        ("", "(a: error-context)", "`a` is an error context, "),
        ("", "(a: u8, steps: u8)", "no tensor can be called `steps`: models have inputs or outputs called"),
        ("", "(%result: u8) -> u8", "a parameter is called `result`, as the result is"),
        ("", "(%result: tuple<u8, u8>) -> u8", "a parameter is called `result`, as the result is"),
    ] {
        let error = refusal(types, signature);
        assert!(error.contains(message), "{signature}: {error}");
    }
}

/// Everything lies in memory, goes in and comes out as it is: the function is given the address of its parameters, and returns it.
#[test]
fn memory_is_laid_out_as_the_abi_says() {
    let types = "enum e { a, b, c } flags p { r, w, x } record point { x: f32, y: u8 }";
    let fields = "e: e, p: p, point: point, c: char, s: string, l: list<s64>, o: option<u16>, r: result<f64, tuple<u8, string>>, b: bool, n: s8";
    let types = format!("{types} record all {{ {fields} }}");
    let wat = format!(r#"(module {REALLOC} (func (export "f") (param i32) (result i32) (local.get 0)))"#);
    let network =
        crate::compile(&module(&package(&types, "(x: all) -> all"), &wat), &Options::default()).unwrap();
    let mut instance = Instance::new(&network).unwrap();
    for (some, ok) in [(true, true), (false, false), (true, false), (false, true)] {
        let inputs = |absent: bool| {
            // What is absent is not looked at, and comes out as 0.
            let held = |is_there: bool, number: u8| if is_there || !absent { number } else { 0 };
            let text = if !ok || !absent { "ß".as_bytes() } else { b"" };
            vec![
                Tensor::scalar(2u8),
                Tensor::scalar(true),
                Tensor::scalar(false),
                Tensor::scalar(true),
                Tensor::scalar(-1.5f32),
                Tensor::scalar(250u8),
                Tensor::scalar(0x10_ffffu32),
                Tensor::list("häßlich".as_bytes()),
                Tensor::list(&[i64::MIN, 7]),
                Tensor::scalar(some),
                Tensor::scalar(u16::from(held(some, 201))),
                Tensor::scalar(ok),
                Tensor::scalar(f64::from(held(ok, 3))),
                Tensor::scalar(held(!ok, 9)),
                Tensor::list(text),
                Tensor::scalar(true),
                Tensor::scalar(-100i8),
            ]
        };
        assert_eq!(instance.call("f", &inputs(false)).unwrap(), inputs(true), "{some} {ok}");
    }
}

/// What a component's host would refuse is an error that names the tensor, as an input and as an output.
#[test]
fn values_that_a_type_does_not_have_are_named() {
    let echo = format!(
        r#"(module {REALLOC} (func (export "c") (param i32) (result i32) (local.get 0))
            (func (export "e") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
            (func (export "r") (param i32) (result i32) (local.get 0))
            (func (export "s") (param i32 i32) (result i32)
                (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (i32.const 8)))"#
    );
    let wit = "package a:b; world w { enum e { x, y, z } export c: func(a: char) -> char; export e: func(a: e) -> e;
        export r: func(a: u32) -> result; export s: func(a: list<u8>) -> string; }";
    let network = crate::compile(&module(wit, &echo), &Options::default()).unwrap();
    let mut instance = Instance::new(&network).unwrap();
    let mut call = |name: &str, tensor: Tensor| instance.call(name, &[tensor]);
    for c in [0u32, 65, 0xd7ff, 0xe000, 0x10_ffff] {
        assert_eq!(call("c", Tensor::scalar(c)), Ok(vec![Tensor::scalar(c)]));
    }
    let mut refuse = |name: &str, tensor: Tensor, what: &str| {
        let message = format!("its type in WIT does not allow what the {what} is");
        assert_eq!(call(name, tensor), Err(Error::Tensors { name: name.into(), message }));
    };
    for c in [0xd800u32, 0xdfff, 0x11_0000, u32::MAX] {
        refuse("c", Tensor::scalar(c), "input `a`");
    }
    refuse("e", Tensor::scalar(3u8), "input `a`");
    refuse("e", Tensor::scalar(255u8), "input `a`");
    refuse("e", Tensor::scalar(2u8), "output `result`");
    refuse("r", Tensor::scalar(2u32), "output `result.is-ok`");
    refuse("s", Tensor::list(b"\xff"), "output `result`");
    assert_eq!(instance.call("s", &[Tensor::list("ß".as_bytes())]), Ok(vec![Tensor::list("ß".as_bytes())]));
    assert_eq!(instance.call("r", &[Tensor::scalar(1u32)]), Ok(vec![Tensor::scalar(false)]));
    assert_eq!(instance.call("e", &[Tensor::scalar(1u8)]), Ok(vec![Tensor::scalar(2u8)]));
}

/// Text is what Rust takes for text.
#[test]
fn text_is_utf8() {
    let wat = format!(r#"(module {REALLOC} (func (export "f") (param i32 i32) (result i32) (local.get 1)))"#);
    let module = module(&package("", "(s: string) -> u32"), &wat);
    let network = crate::compile(&module, &Options::default()).unwrap();
    let mut instance = Instance::new(&network).unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    let edges: Vec<u8> = vec![
        0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
        0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ];
    let (mut valid, mut invalid) = (0, 0);
    for round in 0..4000 {
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..rng.usize(..4) {
            bytes.extend(std::iter::repeat_n(b'x', rng.usize(..10)));
            match round % 2 {
                0 => bytes.extend(rng.char(..).to_string().into_bytes()),
                _ => bytes.extend((0..rng.usize(..5)).map(|_| edges[rng.usize(..edges.len())])),
            }
        }
        if round % 4 == 0 && !bytes.is_empty() {
            let at = rng.usize(..bytes.len());
            bytes[at] = edges[rng.usize(..edges.len())];
        }
        let outcome = instance.call("f", &[Tensor::list(&bytes)]);
        match std::str::from_utf8(&bytes) {
            Ok(_) => assert_eq!(outcome, Ok(vec![Tensor::scalar(bytes.len() as u32)]), "{bytes:x?}"),
            Err(_) => assert!(matches!(outcome, Err(Error::Tensors { .. })), "{bytes:x?}"),
        }
        *if std::str::from_utf8(&bytes).is_ok() { &mut valid } else { &mut invalid } += 1;
    }
    assert!(valid > 1000 && invalid > 1000, "{valid} and {invalid}");
}

/// Places that are not in memory, or whose addresses are not multiples of what they have to be, are traps. The results are given back.
#[test]
fn addresses_are_checked_and_results_are_given_back() {
    let wat = r#"(module (memory (export "memory") 1) (global $back (export "back") (mut i32) (i32.const 0))
        (func (export "f") (param i32 i32 i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1)) (local.get 2))
        (func (export "cabi_post_f") (param i32) (global.set $back (local.get 0))))"#;
    let wit = package("", "(at: u32, count: u32, given: u32) -> list<u32>");
    let network = crate::compile(&module(&wit, wat), &Options::default()).unwrap();
    let mut instance = Instance::new(&network).unwrap();
    let mut call =
        |at: u32, count: u32, given: u32| instance.call("f", &[at, count, given].map(Tensor::scalar));
    assert_eq!(call(8, 2, 8), Ok(vec![Tensor::list(&[8u32, 2])]));
    assert_eq!(call(65_536, 0, 8), Ok(vec![Tensor::list::<u32>(&[])]));
    assert_eq!(call(65_532, 1, 8), Ok(vec![Tensor::list(&[0u32])]));
    for (at, count, given) in [
        (9, 1, 8),
        (65_536, 1, 8),
        (65_540, 0, 8),
        (8, 0x4000_0000, 8),
        (8, u32::MAX, 8),
        (8, 1, 10),
        (8, 1, 65_532),
    ] {
        let outcome = call(at, count, given);
        let is_trap = matches!(&outcome, Err(Error::Trap(trap)) if trap.code == TrapCode::MemoryOutOfBounds);
        assert!(is_trap, "{at} {count} {given}: {outcome:?}");
    }
    assert_eq!(instance.global("back"), Ok(Value::I32(8)));
}

#[test]
fn what_a_module_lacks_is_named() {
    let compile = |signature: &str, wat: &str| {
        crate::compile(&module(&package("", signature), wat), &Options::default()).unwrap_err().to_string()
    };
    for (signature, wat, message) in [
        ("()", "(module)", "there is no exported function `f`"),
        (
            "(a: u64)",
            r#"(module (func (export "f") (param i32)))"#,
            "by its world of WIT its type would be (i64) -> (), but",
        ),
        (
            "(a: string)",
            r#"(module (memory (export "memory") 1) (func (export "f") (param i32 i32)))"#,
            "exports no `cabi_realloc` of the type (i32, i32, i32, i32) -> (i32)",
        ),
        ("() -> string", r#"(module (func (export "f") (result i32) (i32.const 0)))"#, "has no memory"),
        (
            "() -> u8",
            r#"(module (func (export "f") (result i32) (i32.const 0)) (func (export "cabi_post_f")))"#,
            "the type of `cabi_post_f` has to be (i32) -> (), but it is () -> ()",
        ),
    ] {
        let error = compile(signature, wat);
        assert!(error.contains(message), "{signature}: {error}");
    }
}

/// A signature comes first; without WIT there are numbers and addresses; and exports that are no functions of the world are as ever.
#[test]
fn worlds_are_used_only_where_they_are_meant() {
    let wit = "package a:b@1.2.3; interface i { add: func(a: u32, b: u32) -> u32; }
        interface odd { lists: func(l: list<string>); }
        world w { export i; export odd; }";
    let wat = format!(
        r#"(module {REALLOC} (func (export "a:b/i@1.2.3#add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
            (func (export "a:b/odd@1.2.3#lists") (param i32 i32)) (func (export "other") (result i32) (i32.const 5)))"#
    );
    let module = module(wit, &wat);
    let numbers = [Value::I32(2), Value::I32(3)];
    let add = "a:b/i@1.2.3#add";
    let only = |name: &str| Options { exports: Some(vec![name.into()]), ..Options::default() };
    let functions = crate::wit_functions(&module, &Options::default()).unwrap();
    assert_eq!(functions.keys().collect::<Vec<_>>(), [add, "a:b/odd@1.2.3#lists"]);
    let network = crate::compile(&module, &only(add)).unwrap();
    let outputs = Instance::new(&network).unwrap().call(add, &[Tensor::scalar(2u32), Tensor::scalar(3u32)]);
    assert_eq!(outputs, Ok(vec![Tensor::scalar(5u32)]));
    let network = crate::compile(&module, &only("other")).unwrap();
    assert_eq!(Instance::new(&network).unwrap().invoke("other", &[]), Ok(vec![Value::I32(5)]));
    let refused = crate::compile(&module, &Options::default()).unwrap_err().to_string();
    assert!(refused.contains("`l` is a list of strings"), "{refused}");
    let network = crate::compile(&module, &Options { wit: false, ..Options::default() }).unwrap();
    assert_eq!(Instance::new(&network).unwrap().invoke(add, &numbers), Ok(vec![Value::I32(5)]));
    let tensors = vec!["other() -> i32".parse().unwrap()];
    let network = crate::compile(&module, &Options { tensors, ..Options::default() }).unwrap();
    assert_eq!(Instance::new(&network).unwrap().invoke(add, &numbers), Ok(vec![Value::I32(5)]));
    assert_eq!(Instance::new(&network).unwrap().call("other", &[]), Ok(vec![Tensor::scalar(5i32)]));
}

/// Several sections with the same world are one; with other types they contradict each other.
#[test]
fn worlds_are_put_together() {
    let add = |module: &mut Vec<u8>, signature: &str| {
        let (resolve, world) = world(&package("", signature));
        embed_component_metadata(module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    };
    let mut module = wat::parse_str(r#"(module (func (export "f") (param i32)))"#).unwrap();
    add(&mut module, "(a: u32)");
    add(&mut module, "(a: u32)");
    assert!(crate::wit_functions(&module, &Options::default()).unwrap()["f"].is_ok());
    add(&mut module, "(a: u16)");
    let error = crate::wit_functions(&module, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("another world exports `f` with another type"), "{error}");
    let (resolve, world) = world(&package("", "()"));
    let mut module = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF16, false).unwrap();
    let error = crate::compile(&module, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("strings of its world are not in UTF-8"), "{error}");
}

/// Whatever is in a section, there is a result or an error.
#[test]
fn damaged_sections_are_errors() {
    let wit = "package a:b; interface i { record r { a: u8, b: string } f: func(r: r) -> option<r>; }
        world w { enum e { x, y } export i; export g: func(e: e, l: list<u8>) -> result<e>; }";
    let mut whole = wat::parse_str("(module)").unwrap();
    let empty = whole.len();
    let (resolve, world) = world(wit);
    embed_component_metadata(&mut whole, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let data = whole.windows(4).rposition(|part| part == b"\0asm").unwrap();
    assert!(data > empty);
    let section = |data: &[u8]| {
        let mut module = wasm_encoder::Module::new();
        module.section(&wasm_encoder::CustomSection { name: "component-type".into(), data: data.into() });
        module.finish()
    };
    let (mut fine, mut refused) = (0, 0);
    let mut look = |data: &[u8]| match crate::wit_functions(&section(data), &Options::default()) {
        Ok(_) => fine += 1,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::World { .. }), "{error}");
            refused += 1;
        }
    };
    let data = &whole[data..];
    look(data);
    for end in 0..data.len() {
        look(&data[..end]);
    }
    for at in 0..data.len() {
        for change in [1, 2, 4, 0x10, 0x40, 0x80, 0xff] {
            let mut changed = data.to_vec();
            changed[at] ^= change;
            look(&changed);
        }
    }
    assert!(fine > 100 && refused > 1000, "{fine} and {refused}");
}

/// Types that are made of one another many times over are refused before they are many tensors.
#[test]
fn types_are_not_unfolded_without_bound() {
    let mut types = "type t0 = tuple<u8, u8>;".to_owned();
    for i in 1..8 {
        types += &format!(" type t{i} = tuple<t{0}, t{0}, t{0}>;", i - 1);
    }
    let error = refusal(&types, "(a: t7)");
    assert!(error.contains("it would have more than 1000 inputs"), "{error}");
}
