//! Ports of Docker containers, one and many, made and taken away.

use std::time::Duration;

use super::stage::{BRIDGE, INTERFACE, Stage, note};
use super::{Aim, BenchError, Row};

const ONE: Aim = Aim::Faster(10.0);
const MANY: Aim = Aim::Faster(30.0);
const MANY_AWAY: Aim = Aim::Faster(20.0);

/// One port by one command.
pub(super) async fn single(stage: &mut Stage, rounds: usize) -> Result<Vec<Row>, BenchError> {
    note(&format!("one port, {rounds} rounds"));
    let (mut alone, mut by_daemon, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        alone.push(one(stage).await?);

        theirs.extend(stage.ovs_docker(&[add(stage, 0)])?);
        stage.expect_ports(1.min(theirs.len())).await?;
        if !theirs.is_empty() {
            stage.expect_address(0).await?;
        }
        stage.ovs_docker(&[del(stage, 0)])?;

        stage.start_daemon().await?;
        by_daemon.push(one(stage).await?);
        stage.stop_daemon().await?;
    }
    Ok(vec![
        Row::median("add-port, no daemon", alone, theirs.clone(), ONE),
        Row::median("add-port, daemon running", by_daemon, theirs, ONE),
    ])
}

async fn one(stage: &Stage) -> Result<Duration, BenchError> {
    let address = format!("--ipaddress={}", Stage::address(0));
    let name = stage.names()[0].to_owned();
    let taken = stage.flowport(&["add-port", BRIDGE, INTERFACE, &name, &address])?;
    stage.expect_ports(1).await?;
    stage.expect_flows(BRIDGE, 1).await?;
    stage.expect_address(0).await?;
    stage.flowport(&["del-port", BRIDGE, INTERFACE, &name])?;
    stage.expect_ports(0).await?;
    stage.expect_flows(BRIDGE, 0).await?;
    stage.settle().await?;
    Ok(taken)
}

/// Ports of all containers: one command of Flowport, and as many of `ovs-docker` as there are containers.
pub(super) async fn bulk(stage: &mut Stage, rounds: usize) -> Result<Vec<Row>, BenchError> {
    let count = stage.containers.len();
    let file = containers_file(stage)?;
    let mut times: [Vec<Duration>; 7] = Default::default();
    let [added, added_by_daemon, deleted, deleted_all, deleted_by_daemon, their_added, their_deleted] =
        &mut times;
    for round in 1..=rounds {
        note(&format!("{count} ports, round {round} of {rounds}"));
        added.push(all(stage, &file).await?);
        deleted.push(away(stage, false).await?);

        let (adds, dels): (Vec<_>, Vec<_>) = (0..count).map(|nth| (add(stage, nth), del(stage, nth))).unzip();
        if let Some(taken) = stage.ovs_docker(&adds)? {
            their_added.push(taken);
            stage.expect_ports(count).await?;
            stage.expect_address(count - 1).await?;
            their_deleted.extend(stage.ovs_docker(&dels)?);
            stage.expect_ports(0).await?;
        }

        all(stage, &file).await?;
        deleted_all.push(away(stage, true).await?);

        stage.start_daemon().await?;
        added_by_daemon.push(all(stage, &file).await?);
        deleted_by_daemon.push(away(stage, false).await?);
        stage.stop_daemon().await?;
    }
    let [added, added_by_daemon, deleted, deleted_all, deleted_by_daemon, their_added, their_deleted] = times;
    Ok(vec![
        Row::median(format!("add-ports of {count}, no daemon"), added, their_added.clone(), MANY),
        Row::median(format!("add-ports of {count}, daemon running"), added_by_daemon, their_added, MANY),
        Row::median(
            format!("del-ports of {count} by name, no daemon"),
            deleted,
            their_deleted.clone(),
            MANY_AWAY,
        ),
        Row::median(
            format!("del-ports --all of {count}, no daemon"),
            deleted_all,
            their_deleted.clone(),
            MANY_AWAY,
        ),
        Row::median(
            format!("del-ports of {count} by name, daemon running"),
            deleted_by_daemon,
            their_deleted,
            MANY_AWAY,
        ),
    ])
}

/// The lines of `add-ports` for all containers.
pub(super) fn containers_file(stage: &Stage) -> Result<String, BenchError> {
    let line = |(nth, name): (usize, &str)| {
        let address = Stage::address(nth);
        format!("{{\"container\":\"{name}\",\"interface\":\"{INTERFACE}\",\"ipaddress\":\"{address}\"}}\n")
    };
    stage.file("containers.jsonl", &stage.names().into_iter().enumerate().map(line).collect::<String>())
}

async fn all(stage: &Stage, file: &str) -> Result<Duration, BenchError> {
    let taken = stage.flowport(&["add-ports", BRIDGE, file])?;
    stage.expect_ports(stage.containers.len()).await?;
    stage.expect_flows(BRIDGE, stage.containers.len()).await?;
    stage.expect_address(stage.containers.len() - 1).await?;
    Ok(taken)
}

async fn away(stage: &Stage, all: bool) -> Result<Duration, BenchError> {
    let names = if all { vec!["--all"] } else { stage.names() };
    let taken = stage.flowport(&[vec!["del-ports", BRIDGE], names].concat())?;
    stage.expect_ports(0).await?;
    stage.expect_flows(BRIDGE, 0).await?;
    stage.settle().await?;
    Ok(taken)
}

/// `ovs-docker add-port` with the same words.
fn add(stage: &Stage, nth: usize) -> Vec<String> {
    let address = format!("--ipaddress={}", Stage::address(nth));
    ["add-port", BRIDGE, INTERFACE, stage.names()[nth], &address].map(str::to_owned).into()
}

fn del(stage: &Stage, nth: usize) -> Vec<String> {
    ["del-ports", BRIDGE, stage.names()[nth]].map(str::to_owned).into()
}
