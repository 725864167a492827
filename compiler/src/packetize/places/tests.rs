//! Places against their definition: what is alive at one point has different places.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::*;
use crate::options::Options;
use crate::packetize::Term;
use crate::{frontend, legalize, optimize, packetize};
use fastrand::Rng;

/// Writes statements on `locals` locals, nested at most `depth` deep.
fn statements(out: &mut String, random: &mut Rng, locals: usize, depth: usize) {
    for _ in 0..2 + random.usize(..5) {
        let [a, b, c] = [0; 3].map(|_| random.usize(..locals));
        let _ = match random.usize(..if depth == 0 { 3 } else { 7 }) {
            0 | 1 => write!(out, "(local.set {a} (i32.add (local.get {b}) (local.get {c})))"),
            2 => write!(out, "(local.set {a} (call $g (local.get {b}) (local.get {c})))"),
            3 => {
                let _ = write!(out, "(loop $l{depth} (i32.store (local.get {b}) (local.get {c}))");
                statements(out, random, locals, depth - 1);
                write!(out, "(br_if $l{depth} (i32.lt_u (local.get {a}) (local.get {b}))))")
            }
            4 => {
                let _ = write!(out, "(if (local.get {a}) (then (i32.store (local.get {b}) (local.get {c}))");
                statements(out, random, locals, depth - 1);
                out.push_str(") (else ");
                statements(out, random, locals, depth - 1);
                write!(out, "))")
            }
            5 => {
                let _ = write!(out, "(block (block (block (br_table 0 1 2 (local.get {a})))");
                statements(out, random, locals, depth - 1);
                let _ = write!(out, "(br 1))");
                statements(out, random, locals, depth - 1);
                write!(out, ")")
            }
            _ => write!(out, "(if (local.get {a}) (then (return (local.get {b}))))"),
        };
    }
}

/// Returns functions that call, loop and branch, as packets.
fn random_packets(random: &mut Rng) -> Vec<Packets> {
    let locals = [3, 12, 60][random.usize(..3)];
    let mut wat = format!(
        "(module (memory 1) (func $g (param i32 i32) (result i32)
           (if (result i32) (local.get 0)
             (then (i32.add (local.get 1) (call $g (local.get 1) (local.get 0)))) (else (local.get 1))))
         (func (export \"f\") (param i32 i32 i32) (result i32) (local {}) ",
        "i32 ".repeat(locals)
    );
    statements(&mut wat, random, locals, 3);
    for i in 0..locals {
        let _ = write!(wat, "(i32.store offset={} (i32.const 0) (local.get {i}))", 4 * i);
    }
    wat.push_str("(local.get 1)))");
    let mut module = frontend::parse(wat.as_bytes(), &Options::default()).expect("it is valid");
    legalize::run(&mut module);
    optimize::run(&mut module);
    module.functions.values().map(|function| packetize::run(function, None, 20)).collect()
}

fn behind(packet: &packetize::Packet) -> Vec<usize> {
    let landing = if let Term::Call { next, .. } = packet.term { Some(next) } else { None };
    packet.term.targets().map(|target| target.packet).chain(landing).map(|i| i as usize).collect()
}

/// Returns what each packet needs from the packets before, found in rounds until nothing changes.
fn alive(packets: &Packets) -> Vec<BTreeSet<Value>> {
    let list = &packets.packets;
    let mut alive = vec![BTreeSet::new(); list.len()];
    loop {
        let before: usize = alive.iter().map(BTreeSet::len).sum();
        for (i, packet) in list.iter().enumerate().rev() {
            let mut needed: BTreeSet<Value> =
                behind(packet).into_iter().flat_map(|i| alive[i].clone()).collect();
            needed.extend(packet.insts.iter().flat_map(|inst| &inst.args));
            needed.extend(packet.term.targets().flat_map(|target| &target.args));
            match &packet.term {
                Term::Branch { cond: value, .. } | Term::Switch { index: value, .. } => {
                    needed.insert(*value);
                }
                Term::Call { args, .. } | Term::TailCall { args, .. } | Term::Return(args) => {
                    needed.extend(args)
                }
                Term::Jump(_) | Term::Trap(_) => {}
            }
            let made =
                packet.params.iter().copied().chain(packet.insts.iter().filter_map(|inst| inst.result));
            for value in made {
                needed.remove(&value);
            }
            needed.retain(|value| !packets.constants.contains_key(value));
            alive[i] = needed;
        }
        if alive.iter().map(BTreeSet::len).sum::<usize>() == before {
            return alive;
        }
    }
}

fn check(packets: &Packets, fields: u16) {
    let places = run(packets, fields, 2);
    let alive = alive(packets);
    let list = &packets.packets;
    for (i, packet) in list.iter().enumerate() {
        let mut taken: BTreeMap<Place, Value> = BTreeMap::new();
        let mut take = |place: Place, value: Value| {
            let holder = *taken.entry(place).or_insert(value);
            assert_eq!(holder, value, "both in {place:?} behind packet {i}");
        };
        for next in behind(packet) {
            for &value in &alive[next] {
                let place = places.of[&value];
                take(place, value);
                if list[next].entry == EntryKind::Landing {
                    assert!(matches!(place, Place::Slot(_)), "{value} lives across a call");
                }
                match place {
                    Place::Field(field) => assert!((FIRST_FIELD..fields).contains(&field)),
                    Place::Slot(slot) => assert!((2..places.slots).contains(&slot)),
                }
            }
        }
        for param in packet.term.targets().flat_map(|target| &list[target.packet as usize].params) {
            let value = *places.handed_over.get(param).unwrap_or(param);
            take(places.of[&value], value);
        }
        let in_slots =
            places.live_slots.iter().filter(|(_, spans)| spans.contains(i as u32)).map(|(value, _)| *value);
        let live: BTreeSet<Value> = in_slots.chain(places.live_fields[i].iter().copied()).collect();
        assert_eq!(live, alive[i], "packet {i}");
    }
}

#[test]
fn random_functions() {
    let mut random = Rng::with_seed(1);
    for _ in 0..150 {
        for packets in random_packets(&mut random) {
            for fields in [2, 6, 36] {
                check(&packets, fields);
            }
        }
    }
}

/// Checks that the first slot that is free at all points is taken, by its definition.
#[test]
fn slots() {
    let mut random = Rng::with_seed(2);
    for _ in 0..200 {
        let count = 1 + random.usize(..300);
        let mut slots = Slots::new(count);
        let mut taken: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); count];
        for _ in 0..60 {
            let points: Vec<u32> =
                (0..1 + random.usize(..20)).map(|_| random.usize(..count) as u32).collect();
            let free = |slot: &u32| points.iter().all(|point| !taken[*point as usize].contains(slot));
            let expected = (0..).find(free).expect("one is free");
            assert_eq!(slots.take(&points), expected);
            for point in points {
                taken[point as usize].insert(expected);
            }
        }
    }
}
