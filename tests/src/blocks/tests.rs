//! Tests of the programs themselves: their text, and how they are made small.

use super::Program;

#[test]
fn programs_are_modules_and_differ() {
    let mut texts: Vec<_> = (0..300).map(|seed| Program::random(seed).to_string()).collect();
    for (seed, text) in texts.iter().enumerate() {
        let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        wasmparser::validate(&wasm).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    for what in [
        "rotl",
        "extend8_s",
        "i64.mul",
        "select",
        "store16",
        "load16_s",
        "(call",
        "(if",
        "br_table",
        "offset=655",
        "div_s",
    ] {
        let with = texts.iter().filter(|text| text.contains(what)).count();
        assert!(with >= 3, "{what} in {with} programs");
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 300);
}

#[test]
fn what_makes_a_program_fail_is_what_is_left_of_it() {
    let program = (0..).map(Program::random).find(|program| program.to_string().contains("popcnt"));
    let mut tries = 0;
    let small = program.expect("some have it").shrunk(10_000, |program| {
        tries += 1;
        program.to_string().contains("popcnt")
    });
    assert!(tries < 10_000, "it does not come to an end");
    let text = small.to_string();
    let instructions =
        text.matches('(').count() - text.matches("(local ").count() - text.matches("(param").count();
    assert!(text.contains("popcnt") && instructions < 40, "{text}");
}

#[test]
fn no_more_programs_are_tried_than_allowed() {
    let mut tries = 0;
    Program::random(1).shrunk(50, |_| {
        tries += 1;
        false
    });
    assert_eq!(tries, 50);
}
