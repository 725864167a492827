//! Asserts at run time what the certificate declares.

use crate::certificate::Domain;
use crate::network::{ExpertId, Network};

/// Returns whether a number is in a domain. Powers of two include 0, which a miss reads.
pub(crate) fn is_in(network: &Network, domain: Domain, x: f64) -> bool {
    if x.fract() != 0.0 {
        return false;
    }
    match domain {
        Domain::Interval(i) => i.lo as f64 <= x && x <= i.hi as f64,
        Domain::PowerOfTwo { hi } => x == 0.0 || (0..=hi).any(|k| x == (k as f64).exp2()),
        Domain::Ids(set) => {
            let ids = &network.certificate.id_sets[set as usize].ids;
            x == 0.0 || x as i64 as f64 == x && ids.binary_search(&(x as ExpertId)).is_ok()
        }
    }
}

/// Asserts the declared intervals and ghosts of an expert. A network without a certificate declares
/// nothing.
///
/// # Panics
///
/// If one fails: the network is not certified, or `certify` is wrong.
pub(crate) fn assert_declared(network: &Network, e: ExpertId, z: &[f64]) {
    let certificate = &network.certificate;
    if certificate.field_end.is_empty() {
        return;
    }
    for (field, domain) in certificate.fields(e) {
        // The domain of `e` itself is a set that `e` is known to be in.
        if let Some(&value) = z.get(usize::from(field)) {
            assert!(
                is_in(network, domain, value),
                "expert {e}: field {field} ({:?}) is {value}, declared {domain:?}",
                network.ports.kind(field),
            );
        }
    }
    for ghost in certificate.ghosts(e) {
        let term = |&(field, weight): &(u16, i64)| i128::from(weight) * z[usize::from(field)] as i128;
        let value: i128 = ghost.terms.iter().map(term).sum();
        let bounded = |bound: i64| bound != i64::MIN && bound != i64::MAX;
        let low = !bounded(ghost.range.lo) || i128::from(ghost.range.lo) <= value;
        let high = !bounded(ghost.range.hi) || value <= i128::from(ghost.range.hi);
        assert!(low && high, "expert {e}: ghost {:?} is {value}, declared {:?}", ghost.terms, ghost.range);
    }
}
