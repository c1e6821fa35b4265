//! `show`.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::doctor::{self, DaemonSeen};
use crate::openflow::read_counters;
use crate::ovsdb::{Address, Database, ShownBridge, ShownPort};
use crate::place;
use crate::refused::Refused;

use super::columns::Flexible;
use super::{Failure, Global, columns, output};

#[derive(clap::Args)]
pub(super) struct ShowArgs {
    /// Only this bridge
    bridge: Option<String>,
}

/// How long the daemon may take to tell whether it rules; whether it answers at all is for `doctor` to find out.
const DAEMON_TIME: Duration = Duration::from_secs(1);

pub(super) fn show(global: &Global, args: &ShowArgs) -> Result<(), Failure> {
    let db = global.db()?;
    let (bridges, daemon) = output::runtime()?.block_on(async {
        let daemon = doctor::daemon(&global.socket, global.timeout().min(DAEMON_TIME));
        tokio::join!(read(&db, global.timeout()), daemon)
    });
    let mut bridges = bridges?;
    if let Some(name) = &args.bridge {
        bridges.retain(|bridge| bridge.name == *name);
        if bridges.is_empty() {
            return Err(Refused::no_such_bridge(name).into());
        }
    }
    // A list of bridges has no place for the daemon; `doctor --json` has.
    if global.json {
        return output::print_json(&bridges);
    }
    let limit = columns::limit();
    output::print(&format!("{}{}", table(&bridges, limit), warning(&daemon, limit)));
    Ok(())
}

/// A line behind the bridges: what they show may be nobody's to keep.
fn warning(daemon: &DaemonSeen, limit: Option<usize>) -> String {
    match daemon {
        DaemonSeen::Answers { passive: true, .. } => columns::folded(
            "! the daemon changes nothing, without the lock of the database: see `flowport doctor`",
            2,
            limit,
        ),
        _ => String::new(),
    }
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

const HEADINGS: [&str; 7] = ["CONTAINER", "INTERFACE", "ADDRESS", "MAC", "VLAN", "PORT", "PACKETS IN/OUT"];

/// The columns that are made narrower where lines do not fit in 80 characters: VLAN to one with its comma, `4095t,`.
const FLEXIBLE: [Flexible; 4] = [
    Flexible { column: 4, least: 6 },
    Flexible { column: 0, least: 10 },
    Flexible { column: 2, least: 10 },
    Flexible { column: 1, least: 10 },
];

/// A heading a bridge and a line a port, in lines of at most `limit` characters.
fn table(bridges: &[ShownBridge], limit: Option<usize>) -> String {
    let mut text = String::new();
    for bridge in bridges {
        let who = bridge.flowport.as_deref().unwrap_or("not Flowport's");
        let heading = format!("{} ({who}, {} datapath)", bridge.name, bridge.datapath);
        text.push_str(&columns::folded(&heading, 2, limit));
        for vlan in &bridge.isolated {
            let _ = writeln!(text, "  containers of VLAN {vlan} are kept apart");
        }
        for rule in &bridge.rules {
            text.push_str(&columns::folded(&format!("  allowed: {rule}"), 4, limit));
        }
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(bridge.ports.iter().map(row));
        text.push_str(&columns::aligned(&rows, &FLEXIBLE, limit));
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

/// The cells of a port, its addresses below each other.
fn row(port: &ShownPort) -> [String; 7] {
    let dash = || "-".to_owned();
    let what = match (port.kind.as_str(), &port.remote) {
        ("", _) => "link".to_owned(),
        (kind, Some(remote)) => format!("{kind} to {remote}"),
        (kind, None) => kind.to_owned(),
    };
    let addresses = if port.addresses.is_empty() { dash() } else { port.addresses.join("\n") };
    [
        port.container.as_deref().map_or(what, shortened),
        port.interface.clone().unwrap_or_else(|| port.name.clone()),
        addresses,
        port.mac.clone().unwrap_or_else(dash),
        networks(port).unwrap_or_else(dash),
        port.ofport
            .map_or_else(dash, |ofport| if ofport == 65534 { "LOCAL".into() } else { ofport.to_string() }),
        format!("{}/{}", columns::count(port.rx_packets), columns::count(port.tx_packets)),
    ]
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

    const NAME: &str = "a-container-with-a-very-long-name.of-a-project_1";
    const IPV6: &str = "2001:db8:1234:5678:9abc:def0:1234:5678/128";

    fn bridge(ports: Vec<ShownPort>) -> ShownBridge {
        ShownBridge {
            name: "br0".into(),
            flowport: Some("managed".into()),
            datapath: "netdev".into(),
            isolated: vec![],
            rules: vec![],
            ports,
        }
    }

    /// As it is at 80 columns, each line of which fits.
    fn at_eighty(bridge: &ShownBridge) -> String {
        let text = table(std::slice::from_ref(bridge), Some(80));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line:?} in\n{text}");
        }
        text
    }

    /// Without what lines are broken by.
    fn unbroken(text: &str) -> String {
        text.split_whitespace().collect()
    }

    #[test]
    fn it_fits_in_eighty_columns_and_nothing_is_lost() {
        let ports =
            vec![port(NAME, &["100.100.100.100/24", IPV6]), port("b", &[IPV6]), port("c", &["10.0.0.3/24"])];
        let bridge = bridge(ports);
        let text = at_eighty(&bridge);
        for word in [NAME, "100.100.100.100/24", IPV6, "02:42:0a:00:00:01", "4095", "65000", "12G/999999"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        let wide = table(&[bridge], None);
        assert!(
            wide.lines().filter(|line| line.contains("eth1")).count() == 3
                && wide.contains(&format!("{NAME} eth1"))
        );
    }

    #[test]
    fn many_trunks_go_below_each_other() {
        let trunks: Vec<u16> = (4000..4020).collect();
        let trunk = |vlan: &u16| format!("{vlan}t");
        let mut long = port(NAME, &["100.100.100.100/24", IPV6, IPV6]);
        long.interface = Some("fifteen-letters".into());
        long.trunks.clone_from(&trunks);
        let few = ShownPort { vlan: None, trunks: vec![10, 20], ..port("b", &["10.0.0.2/24"]) };
        let bridge = bridge(vec![long, few, port("c", &[])]);
        let text = at_eighty(&bridge);
        for word in trunks.iter().map(trunk).chain(["10t,".into(), "20t".into(), "4095,".into()]) {
            assert!(text.contains(&word), "{word} is not in {text}");
        }
        let wide = table(&[bridge], None);
        let list = trunks.iter().map(trunk).collect::<Vec<_>>().join(",");
        assert!(wide.contains(&format!(" 4095,{list} ")) && wide.contains(" 10t,20t "), "{wide}");
    }

    #[test]
    fn two_trunks_stay_on_one_line_where_there_is_room() {
        let few = ShownPort { vlan: None, trunks: vec![10, 20], ..port("b", &["10.0.0.2/24"]) };
        assert!(at_eighty(&bridge(vec![few])).contains(" 10t,20t "));
    }

    #[test]
    fn rules_errors_and_names_are_folded_too() {
        let path = format!("netns:/run/{}/ns", "very-long/".repeat(12));
        let rules: Vec<String> = (0..40)
            .flat_map(|nth| [format!("{NAME}_{nth} {NAME} tcp/{nth}"), format!("{path} {NAME} udp/{nth}")])
            .collect();
        let tunnel = ShownPort {
            kind: "vxlan".into(),
            container: None,
            interface: None,
            mac: None,
            vlan: None,
            remote: Some(IPV6.trim_end_matches("/128").into()),
            error: Some("x".repeat(200)),
            ..port("", &[])
        };
        let bridge = ShownBridge {
            isolated: vec![0, 4095],
            rules: rules.clone(),
            flowport: Some("y".repeat(100)),
            ..bridge(vec![port(&path, &[IPV6]), tunnel])
        };
        let text = at_eighty(&bridge);
        let whole = unbroken(&text);
        for rule in &rules {
            assert!(whole.contains(&unbroken(&format!("allowed: {rule}"))), "{rule} is not in {text}");
        }
        for word in [&path, &"x".repeat(200), &"y".repeat(100), &format!("vxlan to {}", &IPV6[..38])] {
            assert!(whole.contains(&unbroken(word)), "{word} is not in {text}");
        }
    }

    #[test]
    fn a_daemon_that_changes_nothing_is_told_of() {
        let answers = |passive| DaemonSeen::Answers { outdated: false, passive };
        let text = warning(&answers(true), Some(80));
        assert!(
            text.starts_with("! the daemon changes nothing") && text.lines().all(|line| line.len() <= 80)
        );
        assert_eq!(warning(&answers(false), Some(80)), "");
        assert_eq!(warning(&DaemonSeen::Absent, Some(80)), "");
    }
}
