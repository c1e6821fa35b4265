//! What `flowport show` tells of the database, counters included.

use std::collections::BTreeMap;

use flowport_openflow::PortNo;
use flowport_ovsdb::{Transaction, Where};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, Port};
use serde::Serialize;

use crate::model::LinkName;

use super::{Database, TransactionFailed, marks};

/// A bridge and its ports.
#[derive(Clone, Debug, Serialize)]
pub struct ShownBridge {
    /// Its name.
    pub name: String,
    /// `managed`, `plain`, or absent when it is not Flowport's concern.
    pub flowport: Option<String>,
    /// `system` or `netdev`.
    pub datapath: String,
    /// VLANs whose containers are kept apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub isolated: Vec<u16>,
    /// What they may all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Its ports, by name.
    pub ports: Vec<ShownPort>,
}

/// A port; what is absent is not known.
#[derive(Clone, Debug, Serialize)]
pub struct ShownPort {
    /// The name of its interface in the database, which is that of the link.
    pub name: String,
    /// The interface's type, empty for an ordinary link.
    #[serde(rename = "type")]
    pub kind: String,
    /// The container as the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The container's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// The interface's name inside the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// VLAN; absent for untagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Further VLANs, tagged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trunks: Vec<u16>,
    /// OpenFlow port number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ofport: Option<i64>,
    /// The other host of a tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Packets that came in from it.
    pub rx_packets: u64,
    /// Packets that went out to it.
    pub tx_packets: u64,
    /// What ovs-vswitchd says is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ShownBridge {
    /// Whether Flowport forwards on it.
    pub fn is_managed(&self) -> bool {
        self.flowport.as_deref() == Some(marks::MANAGED)
    }
}

impl ShownPort {
    /// Its number in the 32 bits of OpenFlow 1.3.
    pub fn port_no(&self) -> Option<PortNo> {
        super::observe::port_no(self.ofport).map(PortNo)
    }
}

impl Database {
    /// Reads bridges and ports with their counters.
    pub async fn show(&self) -> Result<Vec<ShownBridge>, TransactionFailed> {
        let mut transaction = Transaction::new();
        let counters = transaction.select(Where::<Interface>::all());
        let committed = self.commit(transaction).await?;
        let interfaces: BTreeMap<_, _> = committed.rows::<Interface>(counters).into_iter().collect();
        let replica = self.replica();
        let mut bridges: Vec<ShownBridge> = replica
            .rows::<Bridge>()
            .map(|(_, bridge)| {
                let ports = replica.resolve(&bridge.ports).flat_map(|(_, port)| {
                    let own = port.interfaces.iter().filter_map(|row| interfaces.get(&row.uuid()));
                    own.map(|interface| shown(bridge, port, interface)).collect::<Vec<_>>()
                });
                let mut ports: Vec<ShownPort> = ports.collect();
                ports.sort_by(|a, b| {
                    (&a.container, &a.interface, &a.name).cmp(&(&b.container, &b.interface, &b.name))
                });
                ShownBridge {
                    name: bridge.name.clone(),
                    flowport: bridge.external_ids.get(marks::BRIDGE).cloned(),
                    datapath: if bridge.datapath_type.is_empty() { "system" } else { &bridge.datapath_type }
                        .to_owned(),
                    isolated: marks::policy(&bridge.external_ids)
                        .isolated
                        .iter()
                        .map(|vlan| vlan.id())
                        .collect(),
                    rules: marks::policy(&bridge.external_ids)
                        .rules
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    ports,
                }
            })
            .collect();
        bridges.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(bridges)
    }
}

fn shown(bridge: &Bridge, port: &Port, interface: &Interface) -> ShownPort {
    let bridge_name = bridge.name.parse::<LinkName>().ok();
    let (vlan, trunks) = marks::networks(port);
    let tagged = trunks.iter().map(|vlan| vlan.id()).collect();
    let attachment = bridge_name
        .and_then(|name| marks::attachment(&interface.external_ids, &interface.name, &name, (vlan, trunks)));
    let counter =
        |name: &str| interface.statistics.get(name).and_then(|count| u64::try_from(*count).ok()).unwrap_or(0);
    ShownPort {
        name: interface.name.clone(),
        kind: interface.type_.clone(),
        container: attachment.as_ref().map(|of| of.container.to_string()),
        container_id: attachment.as_ref().map(|of| of.owner.to_string()),
        interface: attachment.as_ref().map(|of| of.interface.to_string()),
        addresses: attachment.iter().flat_map(|of| &of.addresses).map(ToString::to_string).collect(),
        // ovs-vswitchd makes an address up for a tunnel, which no packet has.
        mac: attachment.as_ref().map(|of| of.mac.to_string()).or_else(|| {
            interface.mac_in_use.clone().filter(|_| !interface.options.contains_key("remote_ip"))
        }),
        vlan: port.tag.map(|_| vlan.id()),
        trunks: tagged,
        ofport: interface.ofport,
        remote: interface.options.get("remote_ip").cloned(),
        rx_packets: counter("rx_packets"),
        tx_packets: counter("tx_packets"),
        error: interface.error.clone(),
    }
}
