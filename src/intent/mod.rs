//! What a user can ask for: the same words on the command line, in the lines of `add-ports` and on the daemon's socket.

mod add_port;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use add_port::AddPort;

use crate::model::{
    BridgeSpec, ContainerRef, DatapathType, LinkName, Remote, Rule, Tunnel, TunnelKey, TunnelKind, Vlan,
};

/// A change that somebody wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do", deny_unknown_fields)]
pub enum Intent {
    /// Attach interfaces to containers: all of them, or none.
    AddPorts {
        /// One entry a port.
        ports: Vec<AddPort>,
    },
    /// Detach one interface of a container.
    DelPort {
        /// The bridge that it is on.
        bridge: LinkName,
        /// The interface inside the container.
        interface: LinkName,
        /// The container.
        container: ContainerRef,
    },
    /// Detach every interface of the containers on one bridge.
    DelPorts {
        /// The bridge.
        bridge: LinkName,
        /// The containers; empty means every container of the bridge.
        containers: Vec<ContainerRef>,
    },
    /// Move an interface to another network of its bridge.
    SetVlan {
        /// The bridge that it is on.
        bridge: LinkName,
        /// The interface inside the container.
        interface: LinkName,
        /// The container.
        container: ContainerRef,
        /// The network.
        vlan: Vlan,
    },
    /// Make a bridge.
    AddBr(AddBr),
    /// Remove a bridge that Flowport made.
    DelBr {
        /// The bridge.
        bridge: LinkName,
    },
    /// Let Flowport forward on a bridge that is there already.
    Adopt {
        /// The bridge.
        bridge: LinkName,
    },
    /// Let containers of a network talk to each other, or keep them apart (inter-container communication).
    SetIcc {
        /// The bridge.
        bridge: LinkName,
        /// The network.
        #[serde(default)]
        vlan: Vlan,
        /// Whether they may.
        icc: bool,
    },
    /// Allow connections between containers that are kept apart.
    Allow {
        /// The bridge.
        bridge: LinkName,
        /// Which.
        rule: Rule,
    },
    /// Allow them no more.
    Disallow {
        /// The bridge.
        bridge: LinkName,
        /// Which.
        rule: Rule,
    },
    /// Join a bridge to another host's.
    AddTunnel(AddTunnel),
}

impl Intent {
    /// The command that it is.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddPorts { .. } => "add-ports",
            Self::DelPort { .. } => "del-port",
            Self::DelPorts { .. } => "del-ports",
            Self::SetVlan { .. } => "set-vlan",
            Self::AddBr(_) => "add-br",
            Self::DelBr { .. } => "del-br",
            Self::Adopt { .. } => "adopt",
            Self::SetIcc { .. } => "set-icc",
            Self::Allow { .. } => "allow",
            Self::Disallow { .. } => "disallow",
            Self::AddTunnel(_) => "add-tunnel",
        }
    }

    /// A line for the log: no secret, and no list of thousands of ports.
    pub fn in_short(&self) -> String {
        const MANY: usize = 3;
        let shown = match self {
            Self::AddPorts { ports } if ports.len() > 1 => {
                return format!("add-ports: {} ports", ports.len());
            }
            Self::DelPorts { bridge, containers } if containers.len() > MANY => {
                return format!("del-ports: {bridge}, {} containers", containers.len());
            }
            Self::AddTunnel(tunnel) if tunnel.psk.is_some() => {
                Self::AddTunnel(AddTunnel { psk: Some("...".into()), ..tunnel.clone() })
            }
            other => other.clone(),
        };
        serde_json::to_string(&shown).unwrap_or_default()
    }
}

/// Words of `add-br`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddBr {
    /// The bridge's name.
    pub bridge: LinkName,
    /// Which datapath forwards.
    #[serde(default)]
    pub datapath: DatapathType,
    /// Learn and flood as Open vSwitch does by itself, instead of Flowport's own flows.
    #[serde(default)]
    pub plain: bool,
    /// Addresses of the bridge's local port.
    #[serde(default)]
    pub address: Vec<IpNet>,
    /// A link of this host to plug in.
    #[serde(default)]
    pub uplink: Option<LinkName>,
}

impl From<AddBr> for BridgeSpec {
    fn from(asked: AddBr) -> Self {
        Self {
            name: asked.bridge,
            datapath: asked.datapath,
            managed: !asked.plain,
            addresses: asked.address,
            uplink: asked.uplink,
        }
    }
}

/// Words of `add-tunnel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddTunnel {
    /// The bridge that gets the port.
    pub bridge: LinkName,
    /// The port's name.
    pub name: LinkName,
    /// The encapsulation.
    #[serde(rename = "type")]
    pub kind: TunnelKind,
    /// The other host.
    pub remote: Remote,
    /// The tunnel key.
    #[serde(default)]
    pub key: Option<TunnelKey>,
    /// The pre-shared key of IPsec.
    #[serde(default)]
    pub psk: Option<String>,
}

impl AddTunnel {
    /// The tunnel asked for, with its bridge.
    pub fn into_tunnel(self) -> (LinkName, Tunnel) {
        let Self { bridge, name, kind, remote, key, psk } = self;
        (bridge, Tunnel { name, kind, remote, key, psk })
    }
}

/// An address as the users of `ovs-docker` write it: the prefix length may be left out and is then that of a host.
pub fn parse_address(text: &str) -> Result<IpNet, crate::model::BadWord> {
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        crate::model::BadWord(format!(
            "address {text:?} is no IP address: write it as 10.0.0.2/24 or fd00::2/64"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_no_secret() {
        let line = r#"{"do":"add-tunnel","bridge":"br0","name":"t0","type":"gre","remote":"10.0.0.2","psk":"open sesame"}"#;
        let intent: Intent = serde_json::from_str(line).unwrap();
        let logged = intent.in_short();
        assert!(logged.contains("10.0.0.2") && !logged.contains("sesame"), "{logged}");
    }
}
