//! Scenarios of the conformance suite, run on corio.
//!
//! A scenario is a small program in JSON, described in `README.md`. CPython's own asyncio runs it through `oracle.py`;
//! its traces are recorded beside the scenarios. This crate runs the same program on corio, through its public API alone,
//! in virtual time, and the two traces must be equal, byte for byte; or in real time, and the order must be equal.
//!
//! ```text
//!   JSON ─ parse ─► typed ops ─ run ─► corio::Runner<SimReactor> ─► trace ─ check ─► equal | different
//!             └───► a mistake: an op that is not in the language
//! ```
//!
//! A feature that corio gains is added here as one file of `ops/`, or one arm in it.
//!
//! The interpreter itself needs an allocator and no more: [`run_on`] takes any reactor. With the feature `std` come the
//! host's [`Backend`]s and the comparison.

#![cfg_attr(not(feature = "std"), no_std)]

#[macro_use]
extern crate alloc;

#[cfg(feature = "std")]
mod backend;
#[cfg(feature = "std")]
mod check;
mod handle;
mod objects;
mod ops;
mod parse;
mod run;
mod value;
mod world;

#[cfg(feature = "std")]
pub use backend::{Backend, run};
#[cfg(feature = "std")]
pub use check::{Report, Verdict, check, diff, scenario_files};
pub use parse::Mistake;
pub use run::run_on;
