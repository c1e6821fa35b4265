//! `show`.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::openflow::read_counters;
use crate::ovsdb::{Address, Database, ShownBridge, ShownPort};
use crate::place;
use crate::refused::Refused;

use super::{Failure, Global, columns, output};

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
        return output::print_json(&bridges);
    }
    output::print(&table(&bridges, columns::limit()));
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
    let counters: HashMap<_, _> = counters.iter().map(|counted| (counted.port_no, counted)).collect();
    for port in &mut bridge.ports {
        if let Some(counted) = port.port_no().and_then(|number| counters.get(&number)) {
            (port.rx_packets, port.tx_packets) = (counted.rx_packets, counted.tx_packets);
        }
    }
}

/// The columns that are made narrower where lines do not fit.
const CONTAINER: usize = 0;
const INTERFACE: usize = 1;
const ADDRESS: usize = 2;

/// A heading a bridge and a line a port, in lines of at most `limit` characters.
fn table(bridges: &[ShownBridge], limit: Option<usize>) -> String {
    let mut text = String::new();
    for bridge in bridges {
        let who = bridge.flowport.as_deref().unwrap_or("not Flowport's");
        let _ = writeln!(text, "{} ({who}, {} datapath)", bridge.name, bridge.datapath);
        for vlan in &bridge.isolated {
            let _ = writeln!(text, "  containers of VLAN {vlan} are kept apart");
        }
        for rule in &bridge.rules {
            let _ = writeln!(text, "  allowed: {rule}");
        }
        let mut lines = vec![
            ["CONTAINER", "INTERFACE", "ADDRESS", "MAC", "VLAN", "PORT", "PACKETS IN/OUT"].map(str::to_owned),
        ];
        lines.extend(bridge.ports.iter().flat_map(port_lines));
        text.push_str(&columns::aligned(&lines, &[CONTAINER, ADDRESS, INTERFACE], limit));
        for port in &bridge.ports {
            if let Some(error) = &port.error {
                text.push_str(&columns::folded(&format!("  ! {}: {error}", port.name), 4, limit));
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
        ("", _) => "link".to_owned(),
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
        format!("{}/{}", columns::count(port.rx_packets), columns::count(port.tx_packets)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn port(container: &str, addresses: &[&str]) -> ShownPort {
        ShownPort {
            name: "fp8898ba50e70c".into(),
            kind: String::new(),
            container: Some(container.into()),
            container_id: None,
            interface: Some("eth1".into()),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            mac: Some("02:42:0a:00:00:01".into()),
            vlan: Some(4095),
            trunks: vec![],
            ofport: Some(65_000),
            remote: None,
            rx_packets: 12_345_678_901,
            tx_packets: 999_999,
            error: Some(
                "could not open network device fp8898ba50e70c (No such device), and so on and on".into(),
            ),
        }
    }

    #[test]
    fn it_fits_in_eighty_columns_and_nothing_is_lost() {
        let (name, ipv6) = (
            "a-container-with-a-very-long-name.of-a-project_1",
            "2001:db8:1234:5678:9abc:def0:1234:5678/128",
        );
        let bridge = ShownBridge {
            name: "br0".into(),
            flowport: Some("managed".into()),
            datapath: "netdev".into(),
            isolated: vec![],
            rules: vec![],
            ports: vec![
                port(name, &["100.100.100.100/24", ipv6]),
                port("b", &[ipv6]),
                port("c", &["10.0.0.3/24"]),
            ],
        };
        let text = table(std::slice::from_ref(&bridge), Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for word in [name, "100.100.100.100/24", ipv6, "02:42:0a:00:00:01", "4095", "65000", "12G/999999"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        let wide = table(&[bridge], None);
        assert!(
            wide.lines().filter(|line| line.contains("eth1")).count() == 3
                && wide.contains(&format!("{name} eth1"))
        );
    }
}
