//! What the language has and this interpreter does not have yet.
//!
//! A scenario that needs one of these is never started: the parser collects all that it lacks, and the runner says so.
//! The names are those of the `needs` column of `scenarios/INDEX.tsv` where it has one.

use core::fmt::{self, Display};

/// A part of the scenario language that corio, or this interpreter of it, lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// `spawn` with an eager start into a group.
    EagerChild,
}

impl Feature {
    /// What a known op needs; `None` for a word that is not in the language.
    pub(crate) fn of_op(_op: &str) -> Option<Self> {
        None
    }

    /// What a known kind of object needs; `None` for a word that is not in the language.
    pub(crate) fn of_object(_kind: &str) -> Option<Self> {
        None
    }
}

impl Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::EagerChild => "eager_child",
        })
    }
}
