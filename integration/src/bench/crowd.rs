//! As many endpoints as a daemon is to bear: what it holds in memory, and how soon it knows all of them again.
//!
//! The namespaces, links, rows and flow entries are real. The bridge has ovs-vswitchd's dummy datapath: ten thousand
//! sockets to listen to would leave it no time to be asked.

use std::time::{Duration, Instant};

use super::scale::{FLOWS_EACH, MEGABYTES, RESTARTED, expect_old_flows, flow_entries, restart, tenth};
use super::stage::{Stage, note};
use super::{Aim, BenchError, Figure, Row, many};
use crate::oracle;

const BRIDGE: &str = "brcrowd";
/// A part of the same, by another: the flow entries are read, but not planned for.
const DUMP: &str = "ovs-ofctl dump-flows";
/// What ovs-vswitchd does for one port more grows with the ports that there are, so that ten thousand take it minutes.
const DEADLINE: Duration = Duration::from_secs(1200);

/// Attaches so many namespaces, and restarts the daemon so many times.
pub(super) async fn endpoints(
    stage: &mut Stage,
    count: usize,
    rounds: usize,
) -> Result<Vec<Figure>, BenchError> {
    let (namespaces, file) = many::make(stage, count).await?;
    stage.start_daemon().await?;
    let empty = stage.daemon_megabytes()?;
    // `add-br` would wait for a link of the bridge, which the dummy datapath has none of.
    let words = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"];
    stage.host.run("ovs-vsctl", &words).await?;
    stage.flowport(&["adopt", BRIDGE])?;
    let timeout = format!("--timeout={}", DEADLINE.as_secs());
    let attached = stage.flowport(&[&timeout, "add-ports", BRIDGE, &file])?;
    note(&format!("{count} ports on a dummy bridge took {attached:.2?}"));
    stage.expect_ports(count).await?;
    stage.expect_flows(BRIDGE, count).await?;
    let (_, most) = flow_entries(stage, BRIDGE).await?;
    let made = stage.daemon_megabytes()?;

    let (mut restarts, mut dumps, mut flow_mods) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 1..=rounds {
        note(&format!("daemon with {count} ports started again, round {round} of {rounds}"));
        stage.stop_daemon().await?;
        let stopped = Instant::now();
        stage.settle().await?;
        let asked = Instant::now();
        oracle::ofctl(&stage.host, &["dump-flows", BRIDGE]).await;
        dumps.push(asked.elapsed());
        let (taken, sent) = restart(stage, BRIDGE).await?;
        restarts.push(taken);
        flow_mods = flow_mods.max(sent);
        expect_old_flows(stage, BRIDGE, stopped.elapsed()).await?;
    }
    let found = stage.daemon_megabytes()?;
    note(&format!(
        "daemon: {empty:.1} MB with none, {made:.1} MB when it made {count}, {found:.1} MB when it found them"
    ));
    stage.stop_daemon().await?;
    stage.kill_vswitchd().await?;
    drop(namespaces);
    let with = |text: &str| format!("{text}, {count} endpoints (dummy datapath)");
    Ok(vec![
        Figure::at_most(with("flow entries an endpoint, at most"), most as f64, FLOWS_EACH as f64, ""),
        Figure::at_most(
            with("daemon's memory, also after a restart"),
            tenth(made.max(found)),
            MEGABYTES,
            "MB",
        ),
        Row::median(with("daemon started to in sync"), restarts, dumps, Aim::Within(RESTARTED))
            .figure()
            .beside(DUMP),
        Figure::at_most(with("the same, FLOW_MODs sent"), flow_mods, 0.0, ""),
    ])
}
