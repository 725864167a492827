//! The subcommands.

pub mod compile;
pub mod dump;
pub mod inspect;
#[cfg(feature = "command")]
pub mod run;
