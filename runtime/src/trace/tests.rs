use super::*;
use crate::certificate::{Domain, Interval};

fn region(first: u64, count: u64, width: CellWidth) -> Region {
    Region { name: String::new(), first, count, width, values: Domain::Interval(Interval::WORD) }
}

fn trace() -> Trace {
    Trace::new(&[region(1, 3, CellWidth::Number), region(10, 1 << 32, CellWidth::Byte)]).unwrap()
}

#[test]
fn latest_row_wins_and_misses_read_0() {
    let mut trace = trace();
    assert_eq!(trace.read(2), 0.0);
    trace.append(2, 7.0);
    trace.append(3, -1e15);
    trace.append(2, 8.0);
    assert_eq!([1, 2, 3, 4].map(|key| trace.read(key)), [0.0, 8.0, -1e15, 0.0]);
}

#[test]
fn rows_in_no_region_are_not_appended() {
    let mut trace = trace();
    for key in [0, 4, 9, 10 + (1 << 32), u64::MAX] {
        trace.append(key, 1.0);
        assert_eq!(trace.read(key), 0.0);
    }
}

#[test]
fn a_large_region_can_be_used_at_both_ends() {
    let mut trace = trace();
    trace.append(10, 255.0);
    trace.append(9 + (1 << 32), 1.0);
    assert_eq!([10, 11, 9 + (1 << 32)].map(|key| trace.read(key)), [255.0, 0.0, 1.0]);
}

/// What is forgotten are pages of zeros, and nothing else is.
#[test]
fn whole_pages_are_forgotten() {
    for (first, count, width) in
        [(10, 1 << 25, CellWidth::Byte), (11, 400_000, CellWidth::Byte), (12, 50_000, CellWidth::Number)]
    {
        let mut trace = Trace::new(&[region(1, 3, CellWidth::Number), region(first, count, width)]).unwrap();
        let keys = first..first + count.min(400_000);
        keys.clone().for_each(|key| trace.append(key, 7.0));
        let cells = (PAGES / cell_bytes(width)) as u64;
        for forgotten in
            [first..first, first + 5..first + 6, first + 3..first + 3 * cells, first + cells..first + count]
        {
            let before: Vec<f64> = keys.clone().map(|key| trace.read(key)).collect();
            trace.forget(forgotten.clone());
            for (key, before) in keys.clone().zip(before) {
                let now = trace.read(key);
                assert!(now == before || (now == 0.0 && forgotten.contains(&key)), "{key}, {forgotten:?}");
            }
            let left = forgotten.filter(|key| keys.contains(key) && trace.read(*key) != 0.0).count() as u64;
            assert!(left <= 2 * cells, "{left}");
        }
        // Rows that are appended afterwards are there.
        trace.append(first + cells, 9.0);
        assert_eq!(trace.read(first + cells), 9.0);
    }
}

#[test]
fn latest_rows_are_listed() {
    let regions = [region(1, 3, CellWidth::Number), region(10, 5, CellWidth::Byte)];
    let mut trace = Trace::new(&regions).unwrap();
    for (key, value) in [(12, 7.0), (2, -1.0), (10, 1.0), (10, 0.0), (3, 5.0)] {
        trace.append(key, value);
    }
    let mut rows = Vec::new();
    trace.for_each(&mut |key, value| rows.push((key, value)));
    assert_eq!(rows, [(2, -1.0), (3, 5.0), (12, 7.0)]);
    assert_eq!(trace.size(), TraceSize { rows: 3, bytes: 17 });
}

#[test]
fn hints_do_not_change_what_is_read() {
    let mut trace = trace();
    // The hint may come from another trace.
    let mut hint = Some(77);
    for (key, region) in [(2, 0), (12, 1), (3, 0), (3, 0), (9, 0), (13, 1)] {
        trace.append_hinted(key, 5.0, &mut hint);
        assert_eq!(trace.read_hinted(key, &mut hint), if key == 9 { 0.0 } else { 5.0 });
        assert_eq!(hint, Some(region));
    }
}

#[test]
fn bytes_saturate() {
    let mut trace = trace();
    for (value, cell) in [(256.0, 255.0), (-1.0, 0.0), (3.9, 3.0), (f64::NAN, 0.0), (f64::INFINITY, 255.0)] {
        trace.append(10, value);
        assert_eq!(trace.read(10), cell);
    }
}

#[test]
fn keys_are_exact_integers() {
    assert_eq!([0.0, -0.0, 5.0, 9007199254740992.0].map(key_of), [Some(0), Some(0), Some(5), Some(1 << 53)]);
    for x in [-1.0, 0.5, -0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(key_of(x), None);
    }
}
