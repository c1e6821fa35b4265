//! From the replica to what is observed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use flowport_ovsdb::{Replica, Uuid};
use flowport_ovsdb_schema::open_vswitch::{Bridge as BridgeRow, Interface, OpenVSwitch, Port};
use ipnet::IpNet;

use crate::model::{EndpointId, LinkName, Mac, TunnelKind, Vlan};
use crate::state::{Bridge, BridgePort, PortKind, PortRow, TunnelPort};

use super::{Database, bridges, marks};

/// The rows that a plan looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Bridges by name.
    pub bridges: BTreeMap<LinkName, Bridge>,
    /// Ports with our marks, by endpoint.
    pub ports: BTreeMap<EndpointId, PortRow>,
    /// Endpoints that were on record and were detached while no daemon ran.
    pub detached: BTreeSet<EndpointId>,
}

/// Reads the rows again and again: marks are parsed anew only where they have changed, so that a change of one port
/// among thousands costs little, and what has not changed is the same in memory.
#[derive(Debug, Default)]
pub struct RowReader {
    last: Option<Arc<Replica>>,
    known: Known,
}

/// Ports with our marks, by their Port and Interface rows.
type Known = HashMap<(Uuid, Uuid), (EndpointId, PortRow)>;

impl RowReader {
    /// What is in the database now.
    pub fn read(&mut self, database: &Database) -> Rows {
        let replica = database.replica();
        match self.last.replace(Arc::clone(&replica)) {
            Some(last) => {
                let ports: HashSet<Uuid> =
                    replica.changes::<Port>(&last).map(|change| change.uuid()).collect();
                let interfaces: HashSet<Uuid> =
                    replica.changes::<Interface>(&last).map(|change| change.uuid()).collect();
                if !ports.is_empty() || !interfaces.is_empty() {
                    let is_other =
                        |(port, interface): &_| ports.contains(port) || interfaces.contains(interface);
                    self.known.retain(|rows, _| !is_other(rows));
                }
            }
            None => self.known.clear(),
        }
        let rows = read(&replica, &mut self.known);
        debug_assert_eq!(rows, self::rows(&replica), "what is kept is what would be read");
        rows
    }
}

pub(super) fn rows(replica: &Replica) -> Rows {
    read(replica, &mut Known::new())
}

fn read(replica: &Replica, known: &mut Known) -> Rows {
    let mut rows = Rows::default();
    for (_, row) in replica.rows::<OpenVSwitch>() {
        rows.detached.extend(marks::all_detached(&row.external_ids));
    }
    for (row, bridge) in replica.rows::<BridgeRow>() {
        // ovs-vswitchd makes no device of a name that is none.
        let Ok(name) = bridge.name.parse::<LinkName>() else { continue };
        let (mut others, mut bonds) = (Vec::new(), BTreeSet::new());
        let made = bridge.external_ids.contains_key(marks::MADE);
        let local = made.then(|| (name.clone(), marks::addresses(&bridge.external_ids)));
        let mut links: BTreeMap<LinkName, Vec<IpNet>> = local.into_iter().collect();
        for (port_row, port) in replica.resolve(&bridge.ports) {
            for (interface_row, interface) in replica.resolve(&port.interfaces) {
                // A port may have gone to another bridge, and the bridge has its name from a row of its own.
                let kept = known.get(&(port_row, interface_row)).filter(|(_, row)| row.bridge == name);
                if let Some((endpoint, row)) = kept {
                    rows.ports.insert(*endpoint, row.clone());
                    continue;
                }
                match endpoint(&name, port, interface, port_row, interface_row) {
                    Some((endpoint, row)) => {
                        known.insert((port_row, interface_row), (endpoint, row.clone()));
                        rows.ports.insert(endpoint, row);
                    }
                    // A container's, whose marks somebody took away: no way to other hosts.
                    None if EndpointId::from_host_link(&interface.name).is_some() => {}
                    None => {
                        let uplink = interface.external_ids.contains_key(marks::UPLINK);
                        let uplink = interface.name.parse().ok().filter(|_| uplink);
                        links.extend(uplink.map(|uplink| (uplink, Vec::new())));
                        let other = bridge_port(port, interface);
                        let is_bond = port.interfaces.len() > 1;
                        bonds.extend(is_bond.then(|| port.name.clone()));
                        others.push(if is_bond {
                            BridgePort { kind: PortKind::Bond, ..other }
                        } else {
                            other
                        });
                    }
                }
            }
        }
        let marked = |mark: &str| bridge.external_ids.get(mark).map(String::as_str);
        let found = Bridge {
            row,
            managed: marked(marks::BRIDGE) == Some(marks::MANAGED),
            secure: bridges::is_secure(bridge),
            made,
            userspace: bridge.datapath_type == "netdev",
            ports: others,
            bonds,
            links,
            policy: marks::policy(&bridge.external_ids),
        };
        rows.bridges.insert(name, found);
    }
    rows
}

fn endpoint(
    bridge: &LinkName,
    port: &Port,
    interface: &Interface,
    port_row: Uuid,
    interface_row: Uuid,
) -> Option<(EndpointId, PortRow)> {
    let networks = marks::networks(port);
    let attachment = marks::attachment(&interface.external_ids, &interface.name, bridge, networks)?;
    let row = PortRow {
        port: port_row,
        interface: interface_row,
        bridge: bridge.clone(),
        ofport: port_no(interface.ofport),
        ofport_request: port_no(interface.ofport_request),
        error: interface.error.clone(),
        recorded: interface.external_ids.contains_key(marks::RECORDED),
        attachment: Arc::new(attachment),
    };
    Some((row.attachment.endpoint(), row))
}

fn bridge_port(port: &Port, interface: &Interface) -> BridgePort {
    let option = |name: &str| interface.options.get(name).map(String::as_str);
    let tunnel = TunnelKind::from_interface_type(&interface.type_).map(|kind| TunnelPort {
        kind,
        remote: option("remote_ip").and_then(|ip| ip.parse().ok()),
        has_key: option("key").or(option("out_key")).is_some(),
    });
    let kind = match interface.type_.as_str() {
        "internal" => PortKind::Host(interface.mac_in_use.as_deref().and_then(|mac| mac.parse::<Mac>().ok())),
        _ if tunnel.is_some() && option("key") == Some("flow") => PortKind::KeyedTunnel,
        _ => PortKind::Uplink,
    };
    let tag = port.tag.map(|tag| Vlan::from_tag(Some(tag)));
    BridgePort {
        name: interface.name.clone(),
        ofport: port_no(interface.ofport),
        ofport_request: port_no(interface.ofport_request),
        tag,
        kind,
        tunnel,
    }
}

/// The port number in 32 bits. The column is absent before ovs-vswitchd has seen the row, -1 when it could not use it,
/// and has reserved numbers in the 16 bits of OpenFlow 1.0 (`OFPP_LOCAL` is 65534).
pub(super) fn port_no(ofport: Option<i64>) -> Option<u32> {
    let ofport = u16::try_from(ofport?).ok().filter(|ofport| *ofport > 0)?;
    Some(if ofport >= 0xff00 { 0xffff_0000 | u32::from(ofport) } else { ofport.into() })
}
