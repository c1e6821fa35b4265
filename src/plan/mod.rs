//! What is to be done: pure functions of what is desired and what is observed.
//!
//! Three verbs, add, modify and prune, over three kinds of things: [`links`] of the kernel, [`rows`] of the
//! `Open_vSwitch` database, [`flows`] and groups of a managed bridge; and over the [`records`] of this host. Nothing here waits: what cannot be done yet (a row
//! before its link, a flow before its `ofport`) is not in the plan and comes with a later round.

mod desired;
mod flows;
mod installed;
mod links;
mod observed;
mod records;
mod rows;
mod status;

pub use desired::{Desired, Scope};
pub use flows::{FlowChanges, flows};
pub use installed::{Datapath, Installed};
pub use links::{LinkEffect, links};
pub use observed::{Bridge, BridgePort, Link, Observed, PortKind, PortRow, TunnelPort};
pub use records::{RecordEffect, records};
pub use rows::{RowEffect, rows};
pub use status::{Status, status};
