//! The pipeline of a managed bridge, as data: tables, and the flow entries that each thing contributes to them.
//!
//! | table | does |
//! |---|---|
//! | 0 classify | port of entry (and VLAN tag, or tunnel key) to network, in `metadata`; what is not known is dropped |
//! | 1 guard | from an endpoint: source MAC, ARP sender, IP source and neighbour advertisements must be its own |
//! | 2 respond | ARP for the address of an endpoint is answered here; neighbour solicitations go to the one they ask for; other questions are held to a rate |
//! | 3 policy | from an endpoint that is kept apart: what it may send to another all the same |
//! | 4 forward | network and destination MAC to port |
//! | 5 flood | what is for many, or for nobody known here |
//! | 6 output | to an endpoint, unless it is kept apart from the sender |
//! | 7 return | out again through the port of entry, tagged as that port needs it |
//!
//! Nothing is learned. What came by a tunnel goes to ports of this host only, and what came by a link to other hosts
//! does not go into a tunnel, so that a full mesh of tunnels has no loop.

mod bridge;
mod endpoint;
mod flow;
mod network;
mod policy;
mod questions;
mod table;
#[cfg(test)]
mod tests;

pub use bridge::{Member, Uplink, UplinkKind, bridge_flows};
pub use endpoint::endpoint_flows;
pub use flow::{Flow, UndeclaredFlow};
pub use network::{Group, Network, Receiver, network_flows, owns_group};
pub use policy::{Party, rule_flows};
pub use questions::{has_room_for_meters, meters, owns_meter};
pub use table::{CLASSIFY, FLOOD, FORWARD, GUARD, OUTPUT, POLICY, RESPOND, RETURN, Table};

/// The bits of `metadata` that hold the network.
pub const NETWORK_MASK: u64 = 0xffff_ffff;
/// The bit of `metadata` that is set for packets which came by a tunnel.
const FROM_TUNNEL: u64 = 1 << 32;
/// The bit of `metadata` that is set for packets which came by another way from other hosts.
const FROM_LINK: u64 = 1 << 33;
/// The bit of `metadata` that is set for those who ask for an address that no endpoint here is known to have.
pub const QUESTION: u64 = 1 << 34;
/// The bit of `metadata` that is set for what an endpoint of this bridge sends.
const FROM_ENDPOINT: u64 = 1 << 35;
/// The bit of `metadata` that is set for what no other endpoint may have.
pub const ISOLATED: u64 = 1 << 36;
/// The bits of `metadata` that tell the network, where a packet is from, and what it is.
const METADATA_MASK: u64 = NETWORK_MASK | FROM_TUNNEL | FROM_LINK | QUESTION | FROM_ENDPOINT | ISOLATED;
/// All bits of `metadata` that the pipeline uses.
const ALL_METADATA: u64 = METADATA_MASK | questions::METER_MASK;
