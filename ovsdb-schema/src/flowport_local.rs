//! Tables of database `Flowport_Local`, schema version 1.1.0.
//!
//! Generated from `schemas/flowport-local.ovsschema`. Do not edit.

use std::collections::{BTreeMap, BTreeSet};

flowport_ovsdb::table! {
    /// Table `Attachment`. Unique: `endpoint`. Unique: `container_id`, `interface`.
    pub struct Attachment: "Flowport_Local", "Attachment" {
        /// `addresses`.
        addresses, ADDRESSES, "addresses": BTreeSet<String>;
        /// `bridge`.
        bridge, BRIDGE, "bridge": String;
        /// `container`.
        container, CONTAINER, "container": String;
        /// `container_id`.
        container_id, CONTAINER_ID, "container_id": String;
        /// `endpoint`: set once, at insert.
        endpoint, ENDPOINT, "endpoint": String;
        /// `external_ids`.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// `gateways`.
        gateways, GATEWAYS, "gateways": BTreeSet<String>;
        /// `host_link`.
        host_link, HOST_LINK, "host_link": String;
        /// `interface`.
        interface, INTERFACE, "interface": String;
        /// `mac`.
        mac, MAC, "mac": String;
        /// `mtu`: 68 to 65535.
        mtu, MTU, "mtu": Option<i64>;
        /// `routes`.
        routes, ROUTES, "routes": BTreeSet<String>;
        /// `trunks`: 1 to 4095.
        trunks, TRUNKS, "trunks": BTreeSet<i64>;
        /// `vlan`: 0 to 4095.
        vlan, VLAN, "vlan": i64;
    }
    unique ["endpoint"], ["container_id", "interface"]
}
