//! Bridges as they are wanted.

use std::fmt;

use ipnet::IpNet;

use super::LinkName;

/// The `datapath_type` of a bridge.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum DatapathType {
    /// The kernel's datapath.
    #[default]
    System,
    /// The userspace datapath.
    Netdev,
}

impl fmt::Display for DatapathType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::Netdev => "netdev",
        })
    }
}

/// A bridge that Flowport is to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeSpec {
    /// Its name, which is also the name of its local port.
    pub name: LinkName,
    /// Which datapath forwards.
    pub datapath: DatapathType,
    /// Whether Flowport forwards on it by its own flows; a plain one learns, as Open vSwitch does by itself.
    pub managed: bool,
    /// Addresses of its local port.
    pub addresses: Vec<IpNet>,
    /// A link of this host that becomes a port of it.
    pub uplink: Option<LinkName>,
}
