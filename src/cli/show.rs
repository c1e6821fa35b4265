//! `show`.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::openflow::read_counters;
use crate::ovsdb::{Address, Database, ShownBridge, ShownPort};
use crate::place;
use crate::refused::Refused;

use super::{Failure, Global, output};

#[derive(clap::Args)]
pub(super) struct ShowArgs {
    /// Only this bridge
    bridge: Option<String>,
}

pub(super) fn show(global: &Global, args: &ShowArgs) -> Result<(), Failure> {
    let mut bridges = output::runtime()?.block_on(read(&global.db()?, global.timeout()))?;
    if let Some(name) = &args.bridge {
        bridges.retain(|bridge| bridge.name == *name);
        if bridges.is_empty() {
            return Err(Refused::no_such_bridge(name).into());
        }
    }
    if global.json {
        let text = serde_json::to_string_pretty(&bridges).map_err(|error| Failure(error.to_string()))?;
        output::print(&format!("{text}\n"));
    } else {
        output::print(&table(&bridges));
    }
    Ok(())
}

async fn read(db: &Address, timeout: Duration) -> Result<Vec<ShownBridge>, Failure> {
    let database = Database::connect(db, timeout).await?;
    let mut bridges = database.show().await.map_err(|error| Failure(error.to_string()))?;
    for bridge in bridges.iter_mut().filter(|bridge| bridge.is_managed()) {
        count(bridge, &place::rundir(db.as_str()), timeout).await;
    }
    Ok(bridges)
}

/// The database is told of packets every five seconds, the switch itself knows of them now; if it does not answer, the
/// numbers of the database stay.
async fn count(bridge: &mut ShownBridge, rundir: &Path, timeout: Duration) {
    let Ok(Ok(counters)) = tokio::time::timeout(timeout, read_counters(rundir, &bridge.name)).await else {
        return;
    };
    for port in &mut bridge.ports {
        let counted = counters.iter().find(|counted| port.port_no() == Some(counted.port_no));
        if let Some(counted) = counted {
            (port.rx_packets, port.tx_packets) = (counted.rx_packets, counted.tx_packets);
        }
    }
}

/// A heading a bridge and a line a port, their columns as wide as they need to be.
pub(crate) fn table(bridges: &[ShownBridge]) -> String {
    let mut text = String::new();
    for bridge in bridges {
        let who = bridge.flowport.as_deref().unwrap_or("not Flowport's");
        let _ = writeln!(text, "{} ({who}, {} datapath)", bridge.name, bridge.datapath);
        let mut lines = vec![
            ["CONTAINER", "INTERFACE", "ADDRESS", "MAC", "VLAN", "PORT", "PACKETS IN/OUT"].map(str::to_owned),
        ];
        lines.extend(bridge.ports.iter().flat_map(port_lines));
        text.push_str(&aligned(&lines));
        for port in &bridge.ports {
            if let Some(error) = &port.error {
                let _ = writeln!(text, "  ! {}: {error}", port.name);
            }
        }
    }
    if bridges.is_empty() {
        text.push_str("no bridge: make one with `flowport add-br br0`\n");
    }
    text
}

/// The line of a port; further addresses get lines of their own.
fn port_lines(port: &ShownPort) -> Vec<[String; 7]> {
    let dash = || "-".to_owned();
    let what = match (port.kind.as_str(), &port.remote) {
        ("", _) => dash(),
        (kind, Some(remote)) => format!("{kind} to {remote}"),
        (kind, None) => kind.to_owned(),
    };
    let mut addresses = port.addresses.iter().cloned();
    let mut lines = vec![[
        port.container.as_deref().map_or(what, shortened),
        port.interface.clone().unwrap_or_else(|| port.name.clone()),
        addresses.next().unwrap_or_else(dash),
        port.mac.clone().unwrap_or_else(dash),
        networks(port).unwrap_or_else(dash),
        port.ofport
            .map_or_else(dash, |ofport| if ofport == 65534 { "LOCAL".into() } else { ofport.to_string() }),
        format!("{}/{}", port.rx_packets, port.tx_packets),
    ]];
    lines.extend(addresses.map(|address| {
        let mut line: [String; 7] = Default::default();
        line[2] = address;
        line
    }));
    lines
}

/// The VLANs of a port, with a `t` those that come tagged.
fn networks(port: &ShownPort) -> Option<String> {
    let tagged = port.trunks.iter().map(|vlan| format!("{vlan}t"));
    let all: Vec<String> = port.vlan.map(|vlan| vlan.to_string()).into_iter().chain(tagged).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// A Docker id in the 12 digits that people know it by.
fn shortened(container: &str) -> String {
    let is_id = container.len() == 64 && container.bytes().all(|c| c.is_ascii_hexdigit());
    if is_id { container[..12].to_owned() } else { container.to_owned() }
}

fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines {
        let mut row = String::from(" ");
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(row, " {cell:width$}");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
