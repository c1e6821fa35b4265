//! All that the database tells of bridges, ports and Open vSwitch itself, at one moment: for looking, not for planning.

use std::collections::{BTreeMap, BTreeSet};

use flowport_openflow::PortNo;
use flowport_ovsdb::{Transaction, Uuid, Where};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Controller, Interface, OpenVSwitch, Port};

use crate::model::{Attachment, LinkName, Mac, Vlan};

use super::{Database, TransactionFailed, marks};

/// What the database holds.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The identity of the database.
    pub id: Option<Uuid>,
    /// The version of Open vSwitch that was started, as its start script wrote it.
    pub ovs_version: Option<String>,
    /// The datapath types that ovs-vswitchd can do; empty while it has not run.
    pub datapath_types: BTreeSet<String>,
    /// `other_config` of Open vSwitch.
    pub other_config: BTreeMap<String, String>,
    /// Bridges, by name.
    pub bridges: Vec<SurveyedBridge>,
}

/// A bridge.
#[derive(Clone, Debug, Default)]
pub struct SurveyedBridge {
    /// Its name.
    pub name: String,
    /// Whether Flowport forwards on it.
    pub managed: bool,
    /// Whether its datapath is the userspace one.
    pub userspace: bool,
    /// `datapath_type`, `system` when it is empty.
    pub datapath: String,
    /// `fail_mode`.
    pub fail_mode: Option<String>,
    /// `protocols`; empty stands for all.
    pub protocols: BTreeSet<String>,
    /// The targets of its controllers.
    pub controllers: Vec<String>,
    /// Whether a spanning tree protocol breaks its loops.
    pub spanning_tree: bool,
    /// Its ports, by name; a bond has one entry for each of its interfaces.
    pub ports: Vec<SurveyedPort>,
}

/// An interface of a port.
#[derive(Clone, Debug, Default)]
pub struct SurveyedPort {
    /// The port's name.
    pub port: String,
    /// The interface's name, which is that of the device.
    pub name: String,
    /// Its type; empty for an ordinary link.
    pub kind: String,
    /// `options`.
    pub options: BTreeMap<String, String>,
    /// `ofport`: absent until ovs-vswitchd has seen the row, -1 when it could not use it.
    pub ofport: Option<i64>,
    /// `error`: what ovs-vswitchd says is wrong.
    pub error: Option<String>,
    /// `mac_in_use`.
    pub mac: Option<Mac>,
    /// The access VLAN.
    pub tag: Option<Vlan>,
    /// Whether a daemon has it on record.
    pub recorded: bool,
    /// What its marks tell, if it is a container's.
    pub attachment: Option<Attachment>,
}

impl SurveyedBridge {
    /// The ports of containers.
    pub fn endpoints(&self) -> impl Iterator<Item = (&SurveyedPort, &Attachment)> {
        self.ports.iter().filter_map(|port| Some((port, port.attachment.as_ref()?)))
    }

    /// Tunnels, patch ports and links of this host: ways to elsewhere.
    pub fn ways_out(&self) -> impl Iterator<Item = &SurveyedPort> {
        self.ports.iter().filter(|port| port.attachment.is_none() && port.kind != "internal")
    }
}

impl SurveyedPort {
    /// Its number in the 32 bits of OpenFlow 1.3.
    pub fn port_no(&self) -> Option<PortNo> {
        super::observe::port_no(self.ofport).map(PortNo)
    }

    /// Whether it is a link of this host, and no device that Open vSwitch makes.
    pub fn is_link(&self) -> bool {
        matches!(self.kind.as_str(), "" | "system")
    }

    /// An entry of `options`.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

impl Database {
    /// Reads everything in one transaction.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn survey(&self) -> Result<Survey, TransactionFailed> {
        let mut transaction = Transaction::new();
        let roots = transaction.select(Where::<OpenVSwitch>::all());
        let bridges = transaction.select(Where::<Bridge>::all());
        let controllers = transaction.select(Where::<Controller>::all());
        let ports = transaction.select(Where::<Port>::all());
        let interfaces = transaction.select(Where::<Interface>::all());
        let committed = self.commit(transaction).await?;
        let (id, root) = committed.rows::<OpenVSwitch>(roots).into_iter().next().unzip();
        let controllers: BTreeMap<Uuid, Controller> = committed.rows(controllers).into_iter().collect();
        let ports: BTreeMap<Uuid, Port> = committed.rows(ports).into_iter().collect();
        let interfaces: BTreeMap<Uuid, Interface> = committed.rows(interfaces).into_iter().collect();
        let bridges = committed.rows::<Bridge>(bridges).into_iter().map(|(_, bridge)| {
            let own = bridge.ports.iter().filter_map(|row| ports.get(&row.uuid()));
            let own = own.flat_map(|port| {
                let of_port = port.interfaces.iter().filter_map(|row| interfaces.get(&row.uuid()));
                of_port.map(|interface| surveyed_port(&bridge.name, port, interface)).collect::<Vec<_>>()
            });
            let targets = bridge.controller.iter().filter_map(|row| controllers.get(&row.uuid()));
            let targets = targets.map(|controller| controller.target.clone()).collect();
            surveyed_bridge(&bridge, targets, own.collect())
        });
        let mut bridges: Vec<SurveyedBridge> = bridges.collect();
        bridges.sort_by(|a, b| a.name.cmp(&b.name));
        let root = root.unwrap_or_default();
        Ok(Survey {
            id,
            ovs_version: root.ovs_version,
            datapath_types: root.datapath_types,
            other_config: root.other_config,
            bridges,
        })
    }
}

fn surveyed_bridge(
    bridge: &Bridge,
    controllers: Vec<String>,
    mut ports: Vec<SurveyedPort>,
) -> SurveyedBridge {
    ports.sort_by(|a, b| (&a.port, &a.name).cmp(&(&b.port, &b.name)));
    let mark = bridge.external_ids.get(marks::BRIDGE);
    SurveyedBridge {
        name: bridge.name.clone(),
        managed: mark.is_some_and(|mark| mark == marks::MANAGED),
        userspace: bridge.datapath_type == "netdev",
        datapath: if bridge.datapath_type.is_empty() { "system" } else { &bridge.datapath_type }.to_owned(),
        fail_mode: bridge.fail_mode.as_ref().map(ToString::to_string),
        protocols: bridge.protocols.iter().map(ToString::to_string).collect(),
        controllers,
        spanning_tree: bridge.stp_enable || bridge.rstp_enable,
        ports,
    }
}

fn surveyed_port(bridge: &str, port: &Port, interface: &Interface) -> SurveyedPort {
    let (vlan, trunks) = marks::networks(port);
    let attachment = bridge.parse::<LinkName>().ok().and_then(|bridge| {
        marks::attachment(&interface.external_ids, &interface.name, &bridge, (vlan, trunks))
    });
    SurveyedPort {
        port: port.name.clone(),
        name: interface.name.clone(),
        kind: interface.type_.clone(),
        options: interface.options.clone(),
        ofport: interface.ofport,
        error: interface.error.clone(),
        mac: interface.mac_in_use.as_deref().and_then(|mac| mac.parse().ok()),
        tag: port.tag.map(|_| vlan),
        recorded: interface.external_ids.contains_key(marks::RECORDED),
        attachment,
    }
}
