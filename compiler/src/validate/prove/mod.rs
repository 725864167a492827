//! Proof that a packet of the network does what its packet of the IR does, in every state.
//!
//! Both sides are evaluated symbolically from the same entry: each number of `z` and `y` and each word of the
//! program is a polynomial with integer coefficients over atoms, in a normal form ([`terms`]). Numbers of the
//! network are exact (the certificate says that no sum rounds), so the network's side is the definition of a
//! step ([`steps`]) and nothing else. The program's side is what the IR says of each instruction
//! ([`program`]) and operation ([`words`]). Nothing that circuits or schedules say is used; what counts of a
//! table is its entries, all of them ([`world`]).
//!
//! A packet is proved case by case. Where the program decides something (a check, an arm), one case has one
//! answer as a fact, and another case has the other; within a case all decisions are known, so that masks,
//! next ids and selected arms are plain numbers. What [`super::check`] compares in a state is compared in
//! each case: equal polynomials are equal numbers in every state of the case.
//!
//! What is not shown is not thereby wrong: it is tested. Nothing in this module ever makes an error.

mod atoms;
mod bytes;
mod memory;
mod packet;
mod poly;
mod program;
mod quotients;
mod ranges;
mod steps;
mod terms;
#[cfg(test)]
mod tests;
mod words;
mod world;

pub use packet::Prover;
pub use world::World;
