//! Context variables (PEP 567): values that belong to whatever a task does, and are inherited by what it spawns.
//!
//! Nothing is switched when tasks take turns. Which context is the current one is found out when somebody asks: the one
//! that was entered in this very step, or else the one of the task whose step it is, in a table of the loop's. So a
//! program, or a task, without context variables pays neither time nor memory for them.

mod scoped;
pub(crate) mod table;
mod var;

pub use scoped::Scoped;
pub use table::Context;
pub use var::{ContextVar, ResetError, Token};
