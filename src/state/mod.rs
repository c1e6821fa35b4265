//! The vocabulary of reconciling: what is desired, what is observed, and the effects between them.
//!
//! [`plan`](crate::plan) decides by it, the shells carry effects out and observe; neither knows the other.

mod attachments;
mod desired;
mod effect;
mod installed;
mod observed;
mod touched;
mod tracked;

pub use attachments::Attachments;
pub use desired::{Desired, Scope};
pub use effect::{FlowChanges, HostLinkEffect, LinkEffect, RecordEffect, RowEffect};
pub use installed::{Datapath, Installed, Lookup, Meters, Place};
pub use observed::{Bridge, BridgePort, HostLink, Link, Observed, PortKind, PortRow, TunnelPort};
pub use touched::Touched;
pub use tracked::Tracked;
