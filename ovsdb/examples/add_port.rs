//! Adds an internal port in one transaction and waits for its OpenFlow port number:
//! `cargo run --features tokio --example add_port BRIDGE PORT [REMOTE]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Ref, Transaction};

flowport_ovsdb::table! {
    /// The columns of a bridge that are wanted here.
    pub struct Bridge: "Open_vSwitch", "Bridge" {
        /// Unique.
        name, NAME, "name": String;
        /// Its ports.
        ports, PORTS, "ports": BTreeSet<Ref<Port>>;
    }
}

flowport_ovsdb::table! {
    /// The columns of a port that are wanted here.
    pub struct Port: "Open_vSwitch", "Port" {
        /// Unique.
        name, NAME, "name": String;
        /// Its interfaces.
        interfaces, INTERFACES, "interfaces": BTreeSet<Ref<Interface>>;
    }
}

flowport_ovsdb::table! {
    /// The columns of an interface that are wanted here.
    pub struct Interface: "Open_vSwitch", "Interface" {
        /// Unique.
        name, NAME, "name": String;
        /// Kind of port.
        kind, KIND, "type": String;
        /// OpenFlow port number, once the switch has it.
        ofport, OFPORT, "ofport": Option<i64>;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(bridge), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: add_port BRIDGE PORT [REMOTE]".into());
    };
    let remote = arguments.next().unwrap_or_else(|| "unix:/run/openvswitch/db.sock".to_owned());
    let monitor = Monitor::of::<Bridge>().and::<Interface>();
    let client = Client::connect(&remote.parse()?, monitor, ConnectOptions::default()).await?;
    let replica = client.replica();
    let (row, _) = replica
        .by(Bridge::NAME, bridge.as_str())
        .next()
        .ok_or_else(|| format!("there is no bridge {bridge}"))?;

    let mut transaction = Transaction::new();
    let kind = "internal".to_owned();
    let interface = transaction.insert(&Interface { name: name.clone(), kind, ..Default::default() });
    let port = transaction.insert(&Port { name, interfaces: [interface].into() });
    transaction.verify(row, [Bridge::NAME.set(bridge)]);
    transaction.mutate(row, [Bridge::PORTS.insert([port])]);
    client.transact(transaction).await?;

    let has_port = |row: &Interface| row.ofport.is_some();
    let deadline = Instant::now() + Duration::from_secs(5);
    let replica = client.wait_for(|replica| replica.get(interface).is_some_and(has_port), deadline).await?;
    println!("ofport {:?}", replica.get(interface).and_then(|row| row.ofport));
    Ok(())
}
