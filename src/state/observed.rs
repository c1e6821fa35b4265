//! What is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use flowport_ovsdb::Uuid;
use ipnet::IpNet;

use crate::model::{
    Attachment, DEFAULT_MTU, EndpointId, LinkName, Mac, Owner, Policy, Sandbox, TunnelKind, Vlan,
};

use super::{Datapath, Tracked};

/// What IPv6 needs (RFC 8200 section 5): no container's interface is made smaller by itself.
const LEAST_MTU: u32 = 1280;

/// What the database, the kernel, Docker and the datapaths were last seen to hold.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Bridges by name.
    pub bridges: Tracked<LinkName, Bridge>,
    /// The rows of our endpoints' ports.
    pub ports: Tracked<EndpointId, PortRow>,
    /// Endpoints that were on record and were detached while no daemon ran.
    pub detached: BTreeSet<EndpointId>,
    /// The host ends of our endpoints' veths.
    pub links: Tracked<EndpointId, Link>,
    /// The links of this host that bridges need.
    pub host_links: BTreeMap<LinkName, HostLink>,
    /// Containers that run.
    pub running: Tracked<Owner, Sandbox>,
    /// The MTU of the way to each remote of a tunnel, in bytes.
    pub underlay: Tracked<IpAddr, u32>,
    /// The attachments on record, if records are kept.
    pub records: Option<Tracked<EndpointId, Arc<Attachment>>>,
    /// The datapaths of managed bridges.
    pub datapaths: BTreeMap<LinkName, Datapath>,
}

impl Observed {
    /// Whether the endpoint's port row must wait for its flow entries to go, or to be read.
    ///
    /// A switch that is taking ports away hears of nothing else meanwhile; and a port number whose flow entries are left
    /// may be given to another port.
    pub(crate) fn flows_first(&self, endpoint: EndpointId, row: &PortRow) -> bool {
        match self.datapaths.get(&row.bridge) {
            // A port that never had a number has none; a switch that hangs must not keep it from being undone.
            Some(Datapath::Opening) => row.ofport.is_some(),
            Some(Datapath::Read(installed)) => installed.has_flows_of(endpoint),
            Some(Datapath::Away) | None => false,
        }
    }

    /// The MTU that the attachment's interface is to have, in bytes: the user's, or what fits every tunnel of its bridge.
    pub fn mtu_for(&self, attachment: &Attachment) -> u32 {
        // A network with a tag carries it inside the tunnel, beyond the overhead of the encapsulation.
        let is_untagged = attachment.networks().all(|vlan| vlan == Vlan::UNTAGGED);
        let tag = if is_untagged { 0 } else { 4 };
        let bridge = self.bridges.get(&attachment.bridge);
        let tunnels =
            bridge.into_iter().flat_map(|bridge| &bridge.ports).filter_map(|port| port.tunnel.as_ref());
        let fits = tunnels.filter_map(|tunnel| {
            let underlay = self.underlay.get(&tunnel.remote?)?;
            let overhead = tunnel.kind.overhead(tunnel.remote?.is_ipv6(), tunnel.has_key);
            Some(underlay.saturating_sub(overhead + tag))
        });
        attachment
            .mtu
            .unwrap_or_else(|| fits.min().map_or(DEFAULT_MTU, |mtu| mtu.clamp(LEAST_MTU, DEFAULT_MTU)))
    }
}

/// A row of table `Bridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its row.
    pub row: Uuid,
    /// Whether Flowport forwards on it.
    pub managed: bool,
    /// Whether it lets nobody but Flowport forward, and speaks OpenFlow 1.3.
    pub secure: bool,
    /// Whether Flowport made it.
    pub made: bool,
    /// Whether its datapath is the userspace one (`datapath_type=netdev`).
    pub userspace: bool,
    /// Its ports that are no endpoint's.
    pub ports: Vec<BridgePort>,
    /// The names of its ports that are bonds: several links that are one.
    pub bonds: BTreeSet<String>,
    /// The links of this host that Flowport set up for it, its local port and its uplink, each with the addresses that it
    /// is to have.
    pub links: BTreeMap<LinkName, Vec<IpNet>>,
    /// Who may talk to whom on it.
    pub policy: Policy,
}

/// A port that is no endpoint's: the bridge's own, an uplink, a tunnel, or another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgePort {
    /// The name of its Interface row.
    pub name: String,
    /// Its OpenFlow port number.
    pub ofport: Option<u32>,
    /// The number that it asks for.
    pub ofport_request: Option<u32>,
    /// The access VLAN (`tag`), if it has one.
    pub tag: Option<Vlan>,
    /// What is behind it.
    pub kind: PortKind,
    /// What it wraps packets in, if it is a tunnel.
    pub tunnel: Option<TunnelPort>,
}

/// A tunnel port, as far as the MTU of containers depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelPort {
    /// The encapsulation.
    pub kind: TunnelKind,
    /// The other host; absent when the flow entries name it.
    pub remote: Option<IpAddr>,
    /// Whether a key is sent.
    pub has_key: bool,
}

/// What is behind a port that is no endpoint's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// This host, by a device of Open vSwitch (`internal`), the bridge's local port among them.
    Host(Option<Mac>),
    /// Other hosts: a physical link, a patch port, or a tunnel with one key.
    Uplink,
    /// Other hosts: a tunnel whose key is the network.
    KeyedTunnel,
    /// A link of a bond. Which of its links takes a packet only Open vSwitch's own forwarding (`NORMAL`) can tell; what
    /// flow entries send by all of them comes back by the others, so that none is used.
    Bond,
}

/// The Port and Interface rows of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRow {
    /// The row of table `Port`.
    pub port: Uuid,
    /// The row of table `Interface`.
    pub interface: Uuid,
    /// The bridge whose `ports` hold it.
    pub bridge: LinkName,
    /// Its OpenFlow port number, once ovs-vswitchd gave it one.
    pub ofport: Option<u32>,
    /// The number that it asks for.
    pub ofport_request: Option<u32>,
    /// The `error` column of the Interface row.
    pub error: Option<String>,
    /// Whether its marks say that a daemon has it on record.
    pub recorded: bool,
    /// The attachment that its marks tell of.
    pub attachment: Arc<Attachment>,
}

impl PortRow {
    /// The port number that it has, or is going to have unless another port comes first.
    pub fn port_no(&self) -> Option<u32> {
        self.ofport.or(self.ofport_request.filter(|_| self.error.is_none()))
    }
}

/// The host end of a veth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its MTU in bytes, which is also that of the end inside.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it was found without a port: what a crash left half-made, not to be trusted.
    pub leftover: bool,
}

/// A link of this host that is a port of a bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostLink {
    /// Whether it is administratively up.
    pub up: bool,
    /// Its addresses, link-local ones included.
    pub addresses: BTreeSet<IpNet>,
}
