//! Prints ports as they come, change and go: `cargo run --features tokio --example watch_ports [REMOTE]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::error::Error;

use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::{Client, ConnectOptions, Monitor};

flowport_ovsdb::table! {
    /// The columns of an interface that are wanted here.
    pub struct Interface: "Open_vSwitch", "Interface" {
        /// Unique.
        name, NAME, "name": String;
        /// OpenFlow port number, once the switch has it.
        ofport, OFPORT, "ofport": Option<i64>;
        /// Why it has none.
        error, ERROR, "error": Option<String>;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let remote = std::env::args().nth(1).unwrap_or_else(|| "unix:/run/openvswitch/db.sock".to_owned());
    let client =
        Client::connect(&remote.parse()?, Monitor::of::<Interface>(), ConnectOptions::default()).await?;
    let mut changes = client.changes();
    while let Some(transaction) = changes.next().await {
        for change in transaction.rows::<Interface>() {
            match change {
                RowChange::Insert { new, .. } => println!("{} added", new.name),
                RowChange::Modify { new, .. } => match &new.error {
                    Some(error) => println!("{}: {error}", new.name),
                    None => println!("{} has ofport {:?}", new.name, new.ofport),
                },
                RowChange::Delete { old, .. } => println!("{} removed", old.name),
            }
        }
    }
    Ok(())
}
