//! The subcommands.

pub mod compile;
pub mod dump;
pub mod inspect;
pub mod run;
