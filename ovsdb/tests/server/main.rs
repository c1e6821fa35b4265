//! The client against a real `ovsdb-server`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;

mod cluster;
mod conditions;
mod connect;
mod lock;
mod random;
mod reconnect;
mod schema;
mod storm;
mod transact;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Ref, Transaction};
use support::Server;

flowport_ovsdb::table! {
    /// The root of `Open_vSwitch`.
    pub(crate) struct Root: "Open_vSwitch", "Open_vSwitch" {
        /// Bridges.
        bridges, BRIDGES, "bridges": BTreeSet<Ref<Bridge>>;
        /// Asked for.
        next_cfg, NEXT_CFG, "next_cfg": i64;
        /// For others.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
    }
}

flowport_ovsdb::table! {
    /// A bridge.
    pub(crate) struct Bridge: "Open_vSwitch", "Bridge" {
        /// Unique.
        name, NAME, "name": String;
        /// Its ports.
        ports, PORTS, "ports": BTreeSet<Ref<Port>>;
        /// No controller.
        fail_mode, FAIL_MODE, "fail_mode": Option<FailMode>;
        /// A number.
        flood_vlans, FLOOD_VLANS, "flood_vlans": BTreeSet<i64>;
        /// For others.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
    }
}

flowport_ovsdb::table! {
    /// A port.
    pub(crate) struct Port: "Open_vSwitch", "Port" {
        /// Unique.
        name, NAME, "name": String;
        /// Its interfaces.
        interfaces, INTERFACES, "interfaces": BTreeSet<Ref<Interface>>;
        /// VLAN.
        tag, TAG, "tag": Option<i64>;
    }
}

flowport_ovsdb::table! {
    /// An interface.
    pub(crate) struct Interface: "Open_vSwitch", "Interface" {
        /// Unique.
        name, NAME, "name": String;
        /// For others.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
        /// Counters.
        statistics, STATISTICS, "statistics": BTreeMap<String, i64>;
    }
}

flowport_ovsdb::enumeration! {
    /// What a bridge does without a controller.
    pub(crate) enum FailMode {
        Standalone = "standalone",
    }
}

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovsdb-schema/schemas/vswitch.ovsschema")
}

fn server() -> Server {
    Server::start(&[&schema()])
}

fn monitor() -> Monitor {
    Monitor::of::<Root>().and::<Bridge>().and::<Port>().and::<Interface>()
}

async fn connect(server: &Server) -> Client {
    Client::connect(&server.remotes(), monitor(), ConnectOptions::default()).await.expect("a connection")
}

/// A deadline that only a failing test reaches.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout_at(soon().into(), work).await.expect("in time")
}

/// The root row with one bridge, which has one port with one interface of the same name.
fn root_with_bridge(name: &str) -> (Transaction, Ref<Bridge>) {
    let mut transaction = Transaction::new();
    let interface = transaction.insert(&Interface { name: name.into(), ..Default::default() });
    let port =
        transaction.insert(&Port { name: name.into(), interfaces: [interface].into(), ..Default::default() });
    let bridge =
        transaction.insert(&Bridge { name: name.into(), ports: [port].into(), ..Default::default() });
    transaction.insert(&Root { bridges: [bridge].into(), ..Default::default() });
    (transaction, bridge)
}

async fn add_bridge(client: &Client, name: &str) -> Ref<Bridge> {
    let (transaction, bridge) = root_with_bridge(name);
    client.transact(transaction).await.expect("a bridge");
    bridge
}

fn add_port(bridge: Ref<Bridge>, name: &str) -> Transaction {
    let mut transaction = Transaction::new();
    let interface = transaction.insert(&Interface { name: name.into(), ..Default::default() });
    let port =
        transaction.insert(&Port { name: name.into(), interfaces: [interface].into(), ..Default::default() });
    transaction.mutate(bridge, [Bridge::PORTS.insert([port])]);
    transaction
}
