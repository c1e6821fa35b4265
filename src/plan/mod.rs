//! What is to be done: pure functions of what is desired and what is observed.
//!
//! Three verbs, add, modify and prune, over three kinds of things: [`links()`] of the kernel, [`rows()`] of the
//! `Open_vSwitch` database, [`flows()`] and groups of a managed bridge; and over the [`records()`] of this host.
//! Nothing here waits: what cannot be done yet (a row before its link, a flow before its `ofport`) is not in the plan
//! and comes with a later round.

mod flows;
mod links;
mod records;
mod rows;
mod status;
#[cfg(test)]
mod tests;

pub use flows::flows;
pub use links::links;
pub use records::records;
pub use rows::rows;
pub use status::{Status, status};
