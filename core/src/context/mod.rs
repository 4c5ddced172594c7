//! Context variables (PEP 567): values that belong to whatever a task does, and are inherited by what it spawns.
//!
//! Nothing is switched when tasks take turns. Which context is the current one is found out when somebody asks: the one
//! that was entered in this very step, or else the one of the task whose step it is, in a table of the loop's. So a
//! program, or a task, without context variables pays neither time nor memory for them.
//!
//! Without an allocator there are no contexts, only variables that a future around sets ([`ContextVar::scope`]); that
//! future holds the value, and there may be any number of them.

mod bound;
mod var;

#[cfg(not(feature = "alloc"))]
pub(crate) mod frame;
#[cfg(feature = "alloc")]
mod scoped;
#[cfg(feature = "alloc")]
pub(crate) mod table;
#[cfg(feature = "alloc")]
mod token;

pub use bound::Bound;
pub use var::ContextVar;

#[cfg(feature = "alloc")]
pub use scoped::Scoped;
#[cfg(feature = "alloc")]
pub use table::Context;
#[cfg(feature = "alloc")]
pub use token::{ResetError, Token};
