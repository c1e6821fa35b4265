//! From the death of a container's process to the end of its port and flows.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::attach::containers_file;
use super::stage::{BRIDGE, Stage, note};
use super::watcher::Watcher;
use super::{Aim, BenchError, Row};

const HALF: Duration = Duration::from_millis(50);
const NEARLY_ALL: Duration = Duration::from_millis(200);

/// Kills the process of each container in turn.
pub(super) async fn containers(stage: &mut Stage) -> Result<Vec<Row>, BenchError> {
    let count = stage.containers.len();
    note(&format!("killing {count} containers one by one"));
    stage.start_daemon().await?;
    let file = containers_file(stage)?;
    stage.flowport(&["add-ports", BRIDGE, &file])?;
    stage.expect_ports(count).await?;
    let mut watcher = Watcher::open(stage).await?;
    let mut taken = Vec::new();
    for container in &stage.containers {
        stage.settle().await?;
        let port = watcher.port_of(&container.id).await?;
        let pid = i32::try_from(container.pid).ok().and_then(Pid::from_raw).ok_or("no pid")?;
        let start = Instant::now();
        kill_process(pid, Signal::KILL)?;
        taken.push(watcher.gone(&port).await? - start);
    }
    stage.expect_ports(0).await?;
    stage.expect_flows(BRIDGE, 0).await?;
    let row = |name: &str, quantile, limit| Row {
        work: format!("process killed -> port and flows gone, {name}"),
        ours: taken.clone(),
        theirs: Vec::new(),
        quantile,
        aim: Aim::Within(limit),
    };
    Ok(vec![row("p50", 0.5, HALF), row("p99", 0.99, NEARLY_ALL)])
}
