//! Prints the bridges and their ports: `cargo run --features tokio --example list_bridges [REMOTE]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Instant;

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Ref};

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
        /// VLAN, for an access port.
        tag, TAG, "tag": Option<i64>;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let remote = std::env::args().nth(1).unwrap_or_else(|| "unix:/run/openvswitch/db.sock".to_owned());
    let start = Instant::now();
    let monitor = Monitor::of::<Bridge>().and::<Port>();
    let client = Client::connect(&remote.parse()?, monitor, ConnectOptions::default()).await?;
    let took = start.elapsed();

    let replica = client.replica();
    for (_, bridge) in replica.rows::<Bridge>() {
        println!("{}", bridge.name);
        for (_, port) in replica.resolve(&bridge.ports) {
            match port.tag {
                Some(tag) => println!("    {} vlan {tag}", port.name),
                None => println!("    {}", port.name),
            }
        }
    }
    eprintln!("copied {} ports in {took:?}", replica.count::<Port>());
    Ok(())
}
