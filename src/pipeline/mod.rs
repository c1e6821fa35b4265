//! The pipeline of a managed bridge, as data: tables, and the flow entries that each thing contributes to them.
//!
//! | table | does |
//! |---|---|
//! | 0 classify | port of entry (and VLAN tag, or tunnel key) to network, in `metadata`; what is not known is dropped |
//! | 1 guard | from an endpoint: source MAC, ARP sender and IPv4 source must be its own |
//! | 2 respond | ARP for the address of an endpoint is answered here |
//! | 4 forward | network and destination MAC to port |
//! | 5 flood | what is for many, or for nobody known here |
//! | 6 return | out again through the port of entry, tagged as that port needs it |
//!
//! Nothing is learned. Packets from an uplink or tunnel carry `FROM_UPLINK` and never leave by another uplink or
//! tunnel, so that a full mesh of hosts has no loop.

mod bridge;
mod endpoint;
mod flow;
mod network;
mod table;

pub use bridge::{Member, Uplink, UplinkKind, bridge_flows};
pub use endpoint::endpoint_flows;
pub use flow::{Flow, UndeclaredFlow};
pub use network::{Group, Network, network_flows, owns_group};
pub use table::{CLASSIFY, FLOOD, FORWARD, GUARD, RESPOND, RETURN, Table};

/// The bits of `metadata` that hold the network.
const NETWORK_MASK: u64 = 0xffff_ffff;
/// The bit of `metadata` that is set for packets which came from another host.
const FROM_UPLINK: u64 = 1 << 32;
/// All bits of `metadata` that the pipeline uses.
const METADATA_MASK: u64 = NETWORK_MASK | FROM_UPLINK;
