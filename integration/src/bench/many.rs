//! Many namespaces by one command, on a bridge that is empty.

use std::time::Duration;

use flowport::lab::Netns;
use futures_util::future::try_join_all;

use super::stage::{INTERFACE, Stage, note};
use super::{Aim, BenchError, Row};
use crate::lab;

const BRIDGE: &str = "brmany";
const AIM: Aim = Aim::Within(Duration::from_secs(10));
/// Namespaces that are made at once.
const MADE_AT_ONCE: usize = 8;

pub(super) async fn namespaces(stage: &mut Stage, count: usize, rounds: usize) -> Result<Row, BenchError> {
    let (_namespaces, file) = make(stage, count).await?;
    let mut taken = Vec::new();
    for round in 1..=rounds {
        note(&format!("{count} ports, round {round} of {rounds}"));
        stage.flowport(&["add-br", BRIDGE, "--datapath=netdev"])?;
        taken.push(stage.flowport(&["--timeout=120", "add-ports", BRIDGE, &file])?);
        stage.expect_ports(count).await?;
        stage.expect_flows(BRIDGE, count).await?;
        let away = stage.flowport(&["--timeout=120", "del-ports", BRIDGE, "--all"])?;
        let settled = stage.settle().await?;
        stage.expect_ports(0).await?;
        stage.expect_flows(BRIDGE, 0).await?;
        let bridge_away = stage.flowport(&["--timeout=120", "del-br", BRIDGE])?;
        note(&format!(
            "del-ports --all took {away:.2?}, ovs-vswitchd {settled:.2?} more, del-br {bridge_away:.2?}"
        ));
    }
    Ok(Row::median(
        format!("add-ports of {count} netns:, empty bridge, flows applied"),
        taken,
        Vec::new(),
        AIM,
    ))
}

/// So many namespaces, and the lines of `add-ports` for them.
pub(super) async fn make(stage: &Stage, count: usize) -> Result<(Vec<Netns>, String), BenchError> {
    note(&format!("making {count} namespaces"));
    let (lab, mut namespaces) = (lab(), Vec::with_capacity(count));
    let names: Vec<String> = (0..count).map(|nth| format!("n{nth}")).collect();
    for some in names.chunks(MADE_AT_ONCE) {
        namespaces.extend(try_join_all(some.iter().map(|name| Netns::create(&lab, name))).await?);
    }
    let line = |(nth, name): (usize, &String)| {
        let address = Stage::address(nth);
        format!(
            "{{\"container\":\"netns:{name}\",\"interface\":\"{INTERFACE}\",\"ipaddress\":\"{address}\"}}\n"
        )
    };
    let lines = names.iter().enumerate().map(line).collect::<String>();
    Ok((namespaces, stage.file("namespaces.jsonl", &lines)?))
}
