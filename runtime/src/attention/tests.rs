use super::*;

/// Computes hard attention over all rows and the sink, without any shortcut.
fn definition(query: f64, keys: &[f64]) -> Option<usize> {
    let mut best = (SINK, None);
    for (i, key) in keys.iter().enumerate() {
        let score = score(query, *key);
        if score >= best.0 {
            best = (score, Some(i));
        }
    }
    best.1
}

#[test]
fn all_kernels_follow_the_definition() {
    let mut seed = 1u64;
    let mut random = |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    for len in (0..4 * BLOCK).chain([1000, 4096]) {
        let keys: Vec<f64> = (0..len).map(|_| 1.0 + random(1 + len as u64) as f64).collect();
        for _ in 0..8 {
            let query = random(2 + len as u64) as f64;
            let expected = definition(query, &keys);
            for attention in Attention::available() {
                assert_eq!(
                    attention.winner(query, &keys),
                    expected,
                    "{attention:?}, {len} rows, query {query}"
                );
            }
        }
    }
}

#[test]
fn large_keys_are_told_apart() {
    let key = (1u64 << 53) as f64;
    let keys = [key - 1.0, key, key - 2.0];
    for attention in Attention::available() {
        assert_eq!(
            [key - 1.0, key, key - 2.0].map(|q| attention.winner(q, &keys)),
            [Some(0), Some(1), Some(2)]
        );
        assert_eq!(attention.winner(key - 3.0, &keys), None);
        assert_eq!(attention.winner(f64::NAN, &keys), None);
    }
}
