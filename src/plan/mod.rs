//! What is to be done: pure functions of what is desired and what is observed.
//!
//! Three verbs, add, modify and prune, over three kinds of things: the [`link()`] of an endpoint in the kernel, its
//! [`rows()`] in the `Open_vSwitch` database, the [`flows()`] and groups of a managed bridge; and over its [`record()`].
//! Each is planned for one endpoint at a time, so that a round costs what has been touched; a [`FlowPlan`] does the same
//! for the flow entries of a bridge, and [`flows()`] is what it must come to. Bridges are few: the [`bridge_row()`]
//! and the [`host_links()`] of each are planned in every round.
//! Nothing here waits: what cannot be done yet (a row before its link, a flow before its port has a number) is not in
//! the plan and comes with a later round.

mod claims;
mod flows;
mod host_links;
mod links;
mod numbers;
mod policy;
mod records;
mod rows;
mod status;
#[cfg(test)]
mod tests;

pub use flows::{Affected, FlowPlan, flows};
pub use host_links::{has_host_links, host_links};
pub use links::link;
pub use numbers::PortNumbers;
pub use records::record;
pub use rows::{bridge_row, rows};
pub use status::{Failed, Missing, Status, status};
