//! Tables with columns of each kind: sets, maps, optional ones, strong and weak references.

use std::collections::{BTreeMap, BTreeSet};

use flowport_ovsdb::{Index, Monitor, Ref};

use crate::{FailMode, Root};

flowport_ovsdb::table! {
    /// A bridge.
    pub(crate) struct Bridge: "Open_vSwitch", "Bridge" {
        /// Unique.
        name, NAME, "name": String;
        /// Strong.
        ports, PORTS, "ports": BTreeSet<Ref<Port>>;
        /// Strong.
        mirrors, MIRRORS, "mirrors": BTreeSet<Ref<Mirror>>;
        /// Optional.
        fail_mode, FAIL_MODE, "fail_mode": Option<FailMode>;
        /// Numbers.
        flood_vlans, FLOOD_VLANS, "flood_vlans": BTreeSet<i64>;
        /// A flag.
        stp_enable, STP_ENABLE, "stp_enable": bool;
        /// A map.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
    }
    unique ["name"]
}

flowport_ovsdb::table! {
    /// A port.
    pub(crate) struct Port: "Open_vSwitch", "Port" {
        /// Unique.
        name, NAME, "name": String;
        /// Strong.
        interfaces, INTERFACES, "interfaces": BTreeSet<Ref<Interface>>;
        /// Optional.
        tag, TAG, "tag": Option<i64>;
        /// A number.
        bond_updelay, BOND_UPDELAY, "bond_updelay": i64;
        /// Strong, optional.
        qos, QOS, "qos": Option<Ref<QoS>>;
    }
    unique ["name"]
}

flowport_ovsdb::table! {
    /// An interface.
    pub(crate) struct Interface: "Open_vSwitch", "Interface" {
        /// Unique.
        name, NAME, "name": String;
        /// A map.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// A map of numbers.
        statistics, STATISTICS, "statistics": BTreeMap<String, i64>;
    }
    unique ["name"]
}

flowport_ovsdb::table! {
    /// A mirror.
    pub(crate) struct Mirror: "Open_vSwitch", "Mirror" {
        /// A name.
        name, NAME, "name": String;
        /// Weak.
        select_src_port, SELECT_SRC_PORT, "select_src_port": BTreeSet<Ref<Port>>;
        /// Weak, optional.
        output_port, OUTPUT_PORT, "output_port": Option<Ref<Port>>;
    }
}

flowport_ovsdb::table! {
    /// A row that stays though nothing refers to it.
    pub(crate) struct QoS: "Open_vSwitch", "QoS" {
        /// A name.
        type_, TYPE, "type": String;
        /// Strong, by number.
        queues, QUEUES, "queues": BTreeMap<i64, Ref<Queue>>;
    }
}

flowport_ovsdb::table! {
    /// A row that stays though nothing refers to it.
    pub(crate) struct Queue: "Open_vSwitch", "Queue" {
        /// Optional.
        dscp, DSCP, "dscp": Option<i64>;
    }
}

/// All tables, and an index of each kind.
pub(crate) fn monitor() -> Monitor {
    Monitor::of::<Root>()
        .and::<Bridge>()
        .and::<Port>()
        .and::<Interface>()
        .and::<Mirror>()
        .and::<QoS>()
        .and::<Queue>()
        .indexed_by(Port::TAG)
        .indexed_by(Port::QOS)
        .indexed_by(ends())
        .indexed_by(Bridge::PORTS.elements())
        .indexed_by(Bridge::FLOOD_VLANS.elements())
        .indexed_by((Bridge::FAIL_MODE, Bridge::STP_ENABLE))
        .indexed_by(Mirror::SELECT_SRC_PORT.elements())
        .indexed_by(QoS::QUEUES.values())
        .indexed_by(Interface::EXTERNAL_IDS.key("a"))
}

/// Ports by the last letter of their name.
pub(crate) fn ends() -> Index<Port, String> {
    Index::by("last letter", |row: &Port| row.name.chars().last().map(String::from))
}
