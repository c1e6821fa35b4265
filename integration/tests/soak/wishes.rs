//! What is asked for: containers with their ports, and bridges with what they are to have.

use std::collections::{BTreeMap, BTreeSet};

use flowport::lab::Netns;
use flowport::model::{ContainerRef, EndpointId, Owner};
use flowport_integration::oracle::ip_at;
use flowport_integration::scene::Scene;
use serde_json::Value;

/// A bridge that comes and goes.
pub(crate) const SECOND: &str = "br1";
/// What the host has there.
pub(crate) const SECOND_ADDRESS: &str = "10.9.0.254";
/// A tunnel that comes and goes.
pub(crate) const TUNNEL: &str = "tun0";

/// A container, and the ports that it is to have.
pub(crate) struct Home {
    /// As commands name it.
    pub(crate) word: String,
    pub(crate) owner: Owner,
    pub(crate) space: Option<Netns>,
    pub(crate) runs: bool,
    pub(crate) ports: BTreeMap<String, Port>,
}

#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) address: String,
    pub(crate) vlan: u16,
    pub(crate) trunks: Vec<u16>,
    /// Whoever asked was told neither yes nor no.
    pub(crate) unsure: bool,
}

impl Port {
    /// A network that comes without a tag does not come with one.
    pub(crate) fn move_to(&mut self, vlan: u16) {
        self.vlan = vlan;
        self.trunks.retain(|tagged| *tagged != vlan);
    }
}

impl Home {
    pub(crate) fn endpoint(&self, interface: &str) -> EndpointId {
        EndpointId::of(&self.owner, &interface.parse().unwrap())
    }
}

/// A bridge with a row, a link, and an address on it; or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    There,
    Absent,
    Half,
}

/// What bridges are to have beside containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bridges {
    /// Networks whose containers are kept apart.
    pub(crate) apart: BTreeSet<u16>,
    /// Who may nevertheless, as [`rule`] writes it.
    pub(crate) rules: BTreeSet<String>,
    pub(crate) tunnel: bool,
    /// The other bridge, where the host has an address.
    pub(crate) second: Second,
}

impl Bridges {
    /// None of it.
    pub(crate) fn bare() -> Self {
        Self { apart: BTreeSet::new(), rules: BTreeSet::new(), tunnel: false, second: Second::Absent }
    }

    /// What is there.
    pub(crate) async fn observed(scene: &Scene) -> Self {
        let names = scene.tool("ovs-vsctl", "--no-wait --columns=name -f csv --no-headings list port").await;
        let names: BTreeSet<&str> = names.lines().map(|name| name.trim_matches('"')).collect();
        let marks = scene.tool("ovs-vsctl", "--no-wait -f json --columns=external_ids list bridge br0").await;
        let marks: Value = serde_json::from_str(&marks).unwrap();
        let pairs = marks["data"][0][0][1].as_array().unwrap();
        let keys: Vec<&str> = pairs.iter().map(|pair| pair[0].as_str().unwrap()).collect();
        let apart = keys.iter().filter_map(|key| key.strip_prefix("flowport-isolated-")?.parse().ok());
        let rules = keys.iter().filter_map(|key| key.strip_prefix("flowport-allow "));
        Self {
            apart: apart.collect(),
            rules: rules.map(str::to_owned).collect(),
            tunnel: names.contains(TUNNEL),
            second: match (names.contains(SECOND), has_link(scene).await) {
                (true, Some(true)) => Second::There,
                (false, None) => Second::Absent,
                _ => Second::Half,
            },
        }
    }

    /// Whether one may ping the other, of the same network.
    pub(crate) fn let_ping(&self, vlan: u16, from: &str, to: &str) -> bool {
        let lets = |from: &str| ["any", "icmp"].iter().any(|what| self.rules.contains(&rule(from, to, what)));
        !self.apart.contains(&vlan) || lets(from) || lets("any")
    }
}

/// A rule as it is kept with the bridge.
pub(crate) fn rule(from: &str, to: &str, traffic: &str) -> String {
    let kept = |word: &str| match word {
        "any" => word.to_owned(),
        _ => word.parse::<ContainerRef>().unwrap().to_string(),
    };
    format!("{} {} {traffic}", kept(from), kept(to))
}

/// Whether the link of the other bridge, if there is one, is up and has its address.
async fn has_link(scene: &Scene) -> Option<bool> {
    let links = ip_at(scene.host.netns().path(), &["address"]).await;
    let link = links.as_array().unwrap().iter().find(|link| link["ifname"] == SECOND)?;
    let up = link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
    let addresses = link["addr_info"].as_array().cloned().unwrap_or_default();
    Some(up && addresses.iter().any(|address| address["local"] == SECOND_ADDRESS))
}
