//! How soon pings go on after a part of a host with many containers died and came back.
//!
//! The time runs from the part's being back, which is when it accepts connections, or a container's first process began, to
//! an answer for the last of the pairs that are watched.

use std::time::Duration;

use flowport::lab::{DockerOptions, HostOptions, LabHost, Netns};
use rustix::process::Signal;

use super::stage::note;
use super::{Aim, BenchError, Figure, Healing, Row};
use crate::oracle::{docker, ofctl, vsctl};
use crate::pinger::{Moment, Pinger};
use crate::scene::accepts;
use crate::town::{OFTEN, PATIENCE, State, Town};
use crate::{container, wait_until};

const SOON: Aim = Aim::Within(Duration::from_secs(1));
/// What stands beside a death of ovsdb-server.
const PEER: &str = "bare bridge";
/// ovs-vswitchd 3.1 waits for one second after it has lost its database, and for two if it had it for less than one
/// (`lib/reconnect.c`): a server that dies is one that has run.
const HAS_RUN: Duration = Duration::from_secs(2);
/// So many answers more show that packets go on.
const SOME: usize = 25;

/// Each row so many rounds.
pub(super) async fn rows(size: Healing) -> Result<(LabHost, Vec<Figure>), BenchError> {
    let Healing { spaces, of_docker, rounds } = size;
    let mut figures = Vec::new();
    let mut town = with_docker(&["--live-restore"], spaces, of_docker).await;
    figures.push(row("dockerd with --live-restore kill -9", live_restore(&mut town, rounds).await?));
    town.scene.host.stop().await?;

    let mut town = with_docker(&[], spaces, of_docker).await;
    figures.push(row("docker restart of one", containers(&town, 1, rounds).await));
    figures.push(row(format!("docker restart of {of_docker}"), containers(&town, of_docker, rounds).await));
    figures.push(row("dockerd kill -9, containers started again", dockerd(&mut town, rounds).await?));
    figures.push(row("ovs-vswitchd kill -9", vswitchd(&mut town, rounds).await?));
    let theirs = bare(rounds).await?;
    let ours = ovsdb_server(&mut town, rounds).await?;
    figures.push(Row::median("ovsdb-server kill -9", ours, theirs, SOON).figure().beside(PEER));
    let (times, lost, sent) = flowport(&mut town, rounds).await?;
    figures.push(row("flowport kill -9", times));
    let work = format!("packets of {sent} lost while flowport is dead or starts");
    figures.push(Figure { times: rounds, ..Figure::at_most(work, lost as f64, 0.0, "") });
    figures.push(row("all at once, containers started again", host(&mut town, spaces, rounds).await?));
    Ok((town.scene.host, figures))
}

fn row(part: impl Into<String>, times: Vec<Duration>) -> Figure {
    Row::median(part, times, Vec::new(), SOON).figure()
}

async fn with_docker(options: &[&str], spaces: usize, of_docker: usize) -> Town {
    note(&format!("a host with {} containers, {of_docker} of Docker", spaces + of_docker));
    let args = options.iter().map(ToString::to_string).collect();
    let options = HostOptions { docker: Some(DockerOptions { args }), ..HostOptions::default() };
    Town::start(options, spaces, of_docker).await
}

fn every(town: &Town) -> Vec<Pinger> {
    (0..town.names.len()).map(|nth| town.pinger_of(nth)).collect()
}

/// The longest time from a container's beginning to an answer from it.
async fn answered(watched: &[Pinger], began: Vec<Moment>) -> Duration {
    let mut longest = Duration::ZERO;
    for (pinger, began) in watched.iter().zip(began) {
        longest = longest.max(pinger.answered_after(began, PATIENCE).await);
    }
    longest
}

async fn containers(town: &Town, count: usize, rounds: usize) -> Vec<Duration> {
    let load = town.load();
    Town::talk(&load).await;
    let before = town.state().await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("docker restart of {count}, round {round} of {rounds}"));
        let watched: Vec<Pinger> = (0..count).map(|nth| town.pinger_of(nth)).collect();
        Town::talk(&watched).await;
        let names = town.names[..count].iter().map(String::as_str);
        docker(&town.scene.host, &["restart", "-t", "0"].into_iter().chain(names).collect::<Vec<_>>()).await;
        let mut began = Vec::new();
        for nth in 0..count {
            began.push(town.began(nth).await);
        }
        times.push(answered(&watched, began).await);
        town.is_again(&before).await;
    }
    times
}

async fn dockerd(town: &mut Town, rounds: usize) -> Result<Vec<Duration>, BenchError> {
    let load = town.load();
    Town::talk(&load).await;
    let before = town.state().await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("dockerd kill -9, round {round} of {rounds}"));
        let watched = every(town);
        Town::talk(&watched).await;
        let engine = town.scene.host.docker_mut().ok_or("no Docker")?;
        engine.daemon().kill().await?;
        engine.start_daemon().await?;
        town.ended().await;
        let mut began = Vec::new();
        for nth in 0..town.names.len() {
            began.push(town.start_again(nth).await);
        }
        times.push(answered(&watched, began).await);
        town.is_again(&before).await;
    }
    Ok(times)
}

async fn live_restore(town: &mut Town, rounds: usize) -> Result<Vec<Duration>, BenchError> {
    let watched = every(town);
    Town::talk(&watched).await;
    let before = town.state().await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("dockerd with --live-restore, round {round} of {rounds}"));
        let engine = town.scene.host.docker_mut().ok_or("no Docker")?;
        engine.daemon().kill().await?;
        engine.start_daemon().await?;
        times.push(Town::resumed(&watched, Moment::now()).await);
        town.is_again(&before).await;
    }
    Ok(times)
}

async fn vswitchd(town: &mut Town, rounds: usize) -> Result<Vec<Duration>, BenchError> {
    let load = town.load();
    Town::talk(&load).await;
    let before = town.state().await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("ovs-vswitchd kill -9, round {round} of {rounds}"));
        let ovs = town.scene.host.ovs_mut();
        let management = flowport::place::management_socket(ovs.rundir(), "br0");
        ovs.vswitchd().kill().await?;
        let (started, back) = tokio::join!(ovs.start_vswitchd(), accepts(&management));
        started?;
        times.push(Town::resumed(&load, back).await);
        town.place_foreign_flows().await;
        town.is_again(&before).await;
    }
    Ok(times)
}

async fn ovsdb_server(town: &mut Town, rounds: usize) -> Result<Vec<Duration>, BenchError> {
    let load = town.load();
    Town::talk(&load).await;
    let before = town.state().await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("ovsdb-server kill -9, round {round} of {rounds}"));
        times.push(without_database(&mut town.scene.host, &load).await?);
        town.is_again(&before).await;
    }
    Ok(times)
}

/// ovsdb-server dies and comes back, after it has run for a while.
async fn without_database(host: &mut LabHost, watched: &[Pinger]) -> Result<Duration, BenchError> {
    let now = Moment::now();
    wait_until(PATIENCE, "ovsdb-server has run", async || now.elapsed() > HAS_RUN).await;
    // ovs-vswitchd counts from connecting to the last thing that it heard.
    vsctl(host, &["set", "open_vswitch", ".", &format!("external_ids:bench={}", watched[0].answered())])
        .await;
    host.ovs_mut().ovsdb_server().kill().await?;
    host.ovs_mut().start_ovsdb().await?;
    Ok(Town::resumed(watched, Moment::now()).await)
}

/// The same on a bridge of two ports with one flow entry, and without Flowport.
async fn bare(rounds: usize) -> Result<Vec<Duration>, BenchError> {
    const BRIDGE: &str = "bare0";
    let mut host = crate::host(HostOptions::default()).await;
    let ends: [Netns; 2] = [container().await, container().await];
    vsctl(
        &host,
        &["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure"],
    )
    .await;
    for (nth, end) in (1..).zip(&ends) {
        let (link, address) = (format!("port{nth}"), format!("10.9.0.{nth}/24"));
        let name = end.name();
        for words in [
            vec!["link", "add", &link, "type", "veth", "peer", "name", "eth1", "netns", name],
            vec!["link", "set", &link, "up"],
            vec!["-n", name, "address", "add", &address, "dev", "eth1"],
            vec!["-n", name, "link", "set", "eth1", "up"],
        ] {
            host.run("ip", &words).await?;
        }
        vsctl(&host, &["add-port", BRIDGE, &link]).await;
    }
    ofctl(&host, &["add-flow", BRIDGE, "actions=normal"]).await;
    let watched = [Pinger::start(ends[0].path(), "10.9.0.2", OFTEN)];
    Town::talk(&watched).await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("ovsdb-server of a bare bridge kill -9, round {round} of {rounds}"));
        times.push(without_database(&mut host, &watched).await?);
    }
    host.stop().await?;
    Ok(times)
}

/// And how many packets were lost, of how many.
async fn flowport(town: &mut Town, rounds: usize) -> Result<(Vec<Duration>, u64, usize), BenchError> {
    let load = town.load();
    Town::talk(&load).await;
    let before: State = town.state().await;
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("flowport kill -9, round {round} of {rounds}"));
        town.scene.end_daemon(Signal::KILL).await;
        for pinger in &load {
            let until = pinger.answered() + SOME;
            wait_until(PATIENCE, &pinger.between, async || pinger.answered() >= until).await;
        }
        town.scene.start_daemon().await;
        times.push(Town::resumed(&load, Moment::now()).await);
        town.is_again(&before).await;
    }
    let lost = load.iter().map(Pinger::lost).sum();
    Ok((times, lost, load.iter().map(Pinger::answered).sum()))
}

/// New namespaces ping the Docker containers, which start as soon as Docker does.
async fn host(town: &mut Town, spaces: usize, rounds: usize) -> Result<Vec<Duration>, BenchError> {
    let mut times = Vec::new();
    for round in 1..=rounds {
        note(&format!("the host dies, round {round} of {rounds}"));
        let before = town.state().await;
        town.crash().await;
        town.boot().await;
        town.grow(spaces).await;
        town.introduce(&before).await;
        let watched = every(town);
        town.scene.host.docker_mut().ok_or("no Docker")?.start_daemon().await?;
        let mut began = Vec::new();
        for nth in 0..town.names.len() {
            began.push(town.start_again(nth).await);
        }
        times.push(answered(&watched, began).await);
        // The ports of the namespaces that ended with the host go with them.
        let there =
            async || town.scene.whole().await && town.scene.ports().await.len() == spaces + town.names.len();
        wait_until(PATIENCE, "no port is stale and none missing", there).await;
        let after = town.state().await;
        for name in &town.names {
            assert_eq!(before.inside.get(name), after.inside.get(name), "{name}");
        }
        assert_eq!(before.entries.len(), after.entries.len(), "endpoints with flow entries");
    }
    Ok(times)
}
