//! Circuits made by hand: each is certified, and each is refused after any of a list of single corruptions.
//! And at random: in whatever network is accepted, steps stay inside all that is declared.

mod circuits;
mod evaluate;
mod sound;
mod speed;

use wasm2onnx_runtime::*;

use super::{Broken, prove};
use circuits::*;

/// Returns all circuits, by name.
fn all() -> Vec<(&'static str, Network)> {
    vec![
        ("add loop", add_loop()),
        ("and", and()),
        ("select", select()),
        ("masked store", masked_store()),
        ("shl", shl()),
        ("call", call()),
        ("jump table", jump_table()),
        ("divide", divide()),
        ("indirect", indirect()),
        ("mul", mul()),
        ("signed less", signed_less()),
        ("counted", counted()),
        ("frame", frame()),
        ("fine floors", fine_floors()),
    ]
}

#[test]
fn circuits_are_certified() {
    for (name, network) in all() {
        let summary = prove(&network).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert!(summary.largest_magnitude <= 1 << 53, "{name}");
        assert!(summary.headroom() >= 0.0, "{name}");
        assert_eq!(summary.experts, network.experts.len(), "{name}");
        assert!(!summary.widest.is_empty(), "{name}");
    }
}

/// Applies a corruption and expects a failure that a pattern matches.
macro_rules! refused {
    ($network:expr, $corrupt:expr, $pattern:pat) => {{
        let mut network = $network;
        #[allow(clippy::redundant_closure_call)]
        ($corrupt)(&mut network);
        match prove(&network) {
            Ok(_) => panic!("accepted: {}", stringify!($corrupt)),
            Err(failure) if matches!(*failure.broken, $pattern) => {}
            Err(failure) => panic!("{}: {failure}", stringify!($corrupt)),
        }
    }};
}

#[test]
fn corrupted_add_loop_is_refused() {
    // The wrap is missing, or too late by one.
    refused!(add_loop(), |n: &mut _| weight(n, 3, S1, U0, 0.0), Broken::Field { .. });
    refused!(add_loop(), |n: &mut _| weight(n, 2, N0, ONE, 2f64.powi(-33)), Broken::Ghost { .. });
    refused!(add_loop(), |n: &mut _| weight(n, 2, S1, ONE, -1.0), Broken::Field { .. });
    refused!(add_loop(), |n: &mut _| weight(n, 2, S1, ONE, 0.5), Broken::Weight(_));
    refused!(add_loop(), |n: &mut _| weight(n, 2, S1, S1S, 2097153.0), Broken::Sum { .. });
    refused!(add_loop(), |n: &mut _| weight(n, 2, N0, S1S, 1e-300), Broken::Grid(_));
    refused!(add_loop(), |n: &mut _| weight(n, 4, E, U0, 4.0), Broken::NoExpert(5));
    refused!(add_loop(), |n: &mut _| weight(n, 4, E, ONE, -1.0), Broken::NoExpert(-1));
    refused!(add_loop(), |n: &mut _| weight(n, 4, E, S1S, 1.0), Broken::Next(_));
    refused!(add_loop(), |n: &mut _| ghost(n, 3, 0, Interval::new(0, 0xffff_fffe)), Broken::Ghost { .. });
    refused!(add_loop(), |n: &mut _| drop_ghosts(n, 3), Broken::Field { .. });
    refused!(add_loop(), |n: &mut _| undeclare(n, 3, N0), Broken::Undeclared(_));
    refused!(add_loop(), |n: &mut _| declare(n, 2, S2, 0, 5), Broken::Initial { .. });
    refused!(add_loop(), |n: &mut _| declare(n, 2, S1, 5, 4), Broken::Malformed(_));
    refused!(add_loop(), |n: &mut Network| n.certificate.field_end.clear(), Broken::Malformed(_));
    refused!(add_loop(), |n: &mut Network| n.certificate = Certificate::default(), Broken::Malformed(_));
}

#[test]
fn corrupted_tables_are_refused() {
    refused!(and(), |n: &mut Network| n.lookup[7] = 256.0, Broken::Initial { .. });
    refused!(and(), |n: &mut Network| n.lookup[7] = 0.5, Broken::Declaration(_));
    refused!(and(), |n: &mut _| weight(n, 3, T0, ONE, 65536.0), Broken::Field { .. });
    refused!(and(), |n: &mut _| weight(n, 2, N0, S1S, 2f64.powi(-9)), Broken::Ghost { .. });
    refused!(and(), |n: &mut _| weight(n, 4, S1, Y.w1, 512.0), Broken::Field { .. });
    refused!(shl(), |n: &mut Network| n.lookup[3] = 7.0, Broken::Initial { .. });
    refused!(shl(), |n: &mut Network| n.lookup[3] = 0.0, Broken::Initial { .. });
    // Without the domain the product may be rounded.
    let interval = Domain::Interval(Interval::new(0, 1 << 31));
    refused!(shl(), |n: &mut Network| n.tables[0].domain = interval, Broken::Field { .. });
    refused!(shl(), |n: &mut _| domain(n, 5, V0, interval), Broken::Product { .. });
    // A constant beyond 2^53 that is no power of two.
    for constant in [2f64.powi(53) + 2.0, -(2f64.powi(60) + 2f64.powi(8))] {
        let change = |n: &mut Network| {
            declare(n, 3, V0, -(1 << 62), 1 << 62);
            weight(n, 2, V0, ONE, constant);
        };
        refused!(add_loop(), change, Broken::Range(_));
    }
    // Three terms with one beyond 2^53.
    refused!(shl(), |n: &mut _| weight(n, 6, S1, ONE, 1.0), Broken::Sum { .. });
    refused!(shl(), |n: &mut _| weight(n, 6, S1, U0, -(2f64.powi(33))), Broken::Range(_));
    refused!(shl(), |n: &mut _| weight(n, 5, N0, U0, 2f64.powi(-33)), Broken::Ghost { .. });
    refused!(jump_table(), |n: &mut Network| n.lookup[2] = 1.0, Broken::Initial { .. });
    refused!(jump_table(), |n: &mut _| weight(n, 2, N0, ONE, -4.0), Broken::Ghost { .. });
    refused!(jump_table(), |n: &mut _| weight(n, 3, T0, ONE, 1.0), Broken::Field { .. });
    refused!(jump_table(), |n: &mut _| declare(n, 4, T0, 0, 4), Broken::Next(_));
    refused!(
        jump_table(),
        |n: &mut Network| n.certificate.id_sets[0].interface.clear(),
        Broken::Initial { .. }
    );
    refused!(jump_table(), |n: &mut _| weight(n, 4, S1, S1S, 2.0), Broken::Interface { .. });
}

#[test]
fn corrupted_select_and_divide_are_refused() {
    refused!(select(), |n: &mut _| weight(n, 2, N0, ONE, 2.0), Broken::Field { .. });
    refused!(select(), |n: &mut _| drop_ghosts(n, 3), Broken::Field { .. });
    refused!(select(), |n: &mut _| weight(n, 2, V0, Y.s4, -2.0), Broken::Field { .. });
    refused!(select(), |n: &mut _| drop_equation(n, 2, S1), Broken::Ghost { .. });
    refused!(divide(), |n: &mut _| weight(n, 2, N0, S1S, 1.0 / 9.0), Broken::Sum { .. });
    refused!(divide(), |n: &mut _| weight(n, 2, N0, S1S, (1.0f64 / 7.0).next_up()), Broken::Sum { .. });
    refused!(divide(), |n: &mut _| weight(n, 2, N0, ONE, 1.0 / 7.0), Broken::Sum { .. });
    let next_up = |n: &mut Network| {
        let w = (1.0f64 / 7.0).next_up();
        weight(n, 2, N0, ONE, 0.5 * w);
        weight(n, 2, N0, S1S, w);
    };
    refused!(divide(), next_up, Broken::Sum { .. });
    refused!(divide(), |n: &mut _| ghost(n, 3, 0, Interval::new(0, 5)), Broken::Ghost { .. });
    refused!(divide(), |n: &mut _| declare(n, 3, N0, 0, 613_566_755), Broken::Field { .. });
    refused!(divide(), |n: &mut _| weight(n, 3, S1, U0, -6.0), Broken::Field { .. });
}

/// What is declared of a sum of floors is multiplied by all their divisors, and may be too large then.
#[test]
fn corrupted_fine_floors_are_refused() {
    refused!(fine_floors(), |n: &mut _| ghost(n, 3, 0, Interval::new(-16383, -1)), Broken::Ghost { .. });
    refused!(fine_floors(), |n: &mut _| ghost(n, 3, 0, Interval::new(1, 16383)), Broken::Ghost { .. });
    refused!(fine_floors(), |n: &mut _| ghost(n, 3, 0, Interval::new(1, i64::MAX - 1)), Broken::Ghost { .. });
}

/// Without a limit on what a proof may cost, this one takes more than four minutes.
#[test]
fn a_proof_does_not_take_for_ever() {
    prove(&busy(100)).expect("it is true");
    let start = std::time::Instant::now();
    refused!(busy(30_000), |_: &mut Network| {}, Broken::Ghost { .. });
    assert!(start.elapsed().as_secs() < 30, "it took {:?}", start.elapsed());
}

#[test]
fn corrupted_rows_are_refused() {
    // A key after the last one, an unmasked key, a mask that does not belong to it.
    refused!(masked_store(), |n: &mut _| weight(n, 4, K3, U1, 4.0), Broken::Key(_));
    refused!(masked_store(), |n: &mut _| weight(n, 4, K3, ONE, 1.0), Broken::Key(_));
    refused!(masked_store(), |n: &mut _| weight(n, 4, K3, U1, 2.0), Broken::SameKey(_));
    refused!(masked_store(), |n: &mut _| weight(n, 4, X0, Y.s1, 2.0), Broken::Value { .. });
    refused!(masked_store(), |n: &mut _| drop_ghosts(n, 4), Broken::Key(_));
    refused!(masked_store(), |n: &mut _| ghost(n, 4, 1, Interval::new(-1, 0)), Broken::Key(_));
    refused!(masked_store(), |n: &mut _| weight(n, 3, N1, ONE, 2.0), Broken::Field { .. });
    refused!(masked_store(), |n: &mut _| weight(n, 3, N1, Y.s1, -(2f64.powi(-33))), Broken::Ghost { .. });
    refused!(masked_store(), |n: &mut _| weight(n, 3, N0, ONE, 1.0 + 2f64.powi(-34)), Broken::Ghost { .. });
    refused!(masked_store(), |n: &mut Network| n.regions[1].count -= 1, Broken::Key(_));
    refused!(
        masked_store(),
        |n: &mut Network| n.regions[0].values = Domain::Interval(Interval::new(0, 65537)),
        Broken::Ghost { .. }
    );
    refused!(masked_store(), |n: &mut Network| n.first_rows[0].1 = 65537.0, Broken::Initial { .. });
    refused!(
        masked_store(),
        |n: &mut Network| n.regions[1].values = Domain::Interval(Interval::new(1, 255)),
        Broken::Initial { .. }
    );
    refused!(
        masked_store(),
        |n: &mut Network| n.regions[1].values = Domain::Interval(Interval::new(0, 256)),
        Broken::Malformed(_)
    );
}

#[test]
fn corrupted_arithmetic_is_refused() {
    refused!(mul(), |n: &mut _| weight(n, 4, S1, U1, 65535.0), Broken::Ghost { .. });
    refused!(mul(), |n: &mut _| weight(n, 4, S1, U1, 2097152.0), Broken::Range(_));
    refused!(mul(), |n: &mut _| weight(n, 4, S1, U1, 2097999.0), Broken::Sum { .. });
    refused!(mul(), |n: &mut _| declare(n, 4, V0, 0, 1 << 22), Broken::Product { .. });
    refused!(mul(), |n: &mut _| weight(n, 3, V0, U0, -65535.0), Broken::Field { .. });
    refused!(mul(), |n: &mut _| weight(n, 3, V0, U1, -1.0), Broken::Field { .. });
    refused!(signed_less(), |n: &mut _| weight(n, 2, N1, Y.s2, 2f64.powi(-30)), Broken::Field { .. });
    refused!(signed_less(), |n: &mut _| weight(n, 3, N0, ONE, 2.0), Broken::Field { .. });
    refused!(signed_less(), |n: &mut _| weight(n, 5, E, S1S, -3.0), Broken::Field { .. });
    refused!(signed_less(), |n: &mut _| declare(n, 5, S1, 0, 2), Broken::Next(_));
    refused!(signed_less(), |n: &mut _| declare(n, 6, S1, 1, 1), Broken::Field { .. });
    refused!(signed_less(), |n: &mut _| weight(n, 2, N1, Y.s2, 2f64.powi(-32)), Broken::Ghost { .. });
    refused!(counted(), |n: &mut _| weight(n, 3, N0, ONE, 1.0 + 999.0 / 1024.0), Broken::Ghost { .. });
    refused!(counted(), |n: &mut _| declare(n, 3, S1, 0, 998), Broken::Field { .. });
    refused!(
        counted(),
        |n: &mut _| ghost(n, 4, 0, Interval::new(i64::MIN, 1000 + 1024)),
        Broken::Field { .. }
    );
    refused!(counted(), |n: &mut _| weight(n, 4, E, ONE, 3.0), Broken::Field { .. });
}

#[test]
fn corrupted_frames_are_refused() {
    refused!(frame(), |n: &mut _| declare(n, 5, S1, 10, 99), Broken::Field { .. });
    refused!(frame(), |n: &mut _| declare(n, 5, S2, 0, 7), Broken::Field { .. });
    refused!(frame(), |n: &mut _| declare(n, 2, S0, 0, 99), Broken::Key(_));
    refused!(frame(), |n: &mut _| weight(n, 2, K0, ONE, 9.0), Broken::Key(_));
    refused!(frame(), |n: &mut _| weight(n, 2, K0, ONE, 11.0), Broken::SameKey(_));
    refused!(frame(), |n: &mut _| weight(n, 2, X0, S1S, 2.0), Broken::Value { .. });
    refused!(frame(), |n: &mut _| weight(n, 2, X1, ONE, -7.0), Broken::Value { .. });
}

#[test]
fn corrupted_calls_are_refused() {
    // A return expert that is not in the set; a frame pointer as a return expert.
    refused!(call(), |n: &mut _| weight(n, 3, X0, ONE, 5.0), Broken::Value { .. });
    refused!(call(), |n: &mut _| weight(n, 3, X0, Y.s0, 1.0), Broken::Value { .. });
    refused!(call(), |n: &mut _| weight(n, 3, K0, U2, 2.0), Broken::Key(_));
    refused!(call(), |n: &mut _| weight(n, 5, E, ONE, 1.0), Broken::Next(_));
    refused!(call(), |n: &mut _| weight(n, 5, E, Y.r0, 2.0), Broken::Next(_));
    refused!(call(), |n: &mut _| declare(n, 5, Q0, 0, 1 << 20), Broken::Next(_));
    refused!(call(), |n: &mut _| declare(n, 6, S1, 0, 7), Broken::Initial { .. });
    refused!(
        call(),
        |n: &mut Network| n.certificate.id_sets[0].interface[1].1 = Domain::Ids(0),
        Broken::Interface { .. } | Broken::Initial { .. }
    );
    refused!(
        call(),
        |n: &mut Network| n.regions[1].values = Domain::Interval(Interval::new(0, 5)),
        Broken::Value { .. }
    );
    refused!(call(), |n: &mut Network| n.certificate.id_sets[0].ids.push(7), Broken::Malformed(_));
    refused!(call(), |n: &mut _| weight(n, 4, Q0, ONE, 1.0), Broken::Field { .. });
    refused!(indirect(), |n: &mut _| drop_ghosts(n, 3), Broken::Next(_));
    refused!(indirect(), |n: &mut _| weight(n, 3, E, U1, 3.0), Broken::Field { .. });
    refused!(indirect(), |n: &mut _| weight(n, 2, V0, ONE, 1.0), Broken::Field { .. });
    refused!(indirect(), |n: &mut _| weight(n, 2, N1, ONE, 2.0), Broken::Field { .. } | Broken::Ghost { .. });
}

#[test]
fn failures_name_their_place() {
    let mut network = add_loop();
    weight(&mut network, 3, S1, U0, 0.0);
    let failure = prove(&network).expect_err("a sum that is not wrapped");
    assert_eq!(
        failure.to_string(),
        "expert 3, equation of s1: expert 4 declares 0..=4294967295, proved is 1..=4294967296"
    );
}
