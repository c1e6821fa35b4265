//! How soon pings go on after a part of a host with many containers died and came back, and what those lose who should
//! not notice.
//!
//! The time is the longest that one of the watched pairs had no answer, from the part's being back, which is when it
//! accepts connections, or a container's first process began, until all ports, addresses and flow entries were as before.

use std::time::Duration;

use flowport::lab::{HostOptions, LabHost, Netns};
use rustix::process::Signal;

use super::stage::note;
use super::{Aim, BenchError, Figure, Healing, Row};
use crate::container;
use crate::healing::{self, Healed, without_database};
use crate::oracle::{ofctl, vsctl};
use crate::pinger::Pinger;
use crate::town::{OFTEN, PATIENCE, Town};

const SOON: Aim = Aim::Within(Duration::from_secs(1));
/// What stands beside a death of ovsdb-server.
const PEER: &str = "bare bridge";

/// Each row so many rounds.
pub(super) async fn rows(size: Healing) -> Result<(LabHost, Vec<Figure>), BenchError> {
    let Healing { spaces, of_docker, rounds } = size;
    let mut all = All { rounds, figures: Vec::new(), lost: 0, asked: 0 };
    let mut town = with_docker(&["--live-restore"], spaces, of_docker).await;
    let live_restore = async |town: &mut Town| healing::live_restore(town, Signal::KILL).await;
    all.row(&mut town, "dockerd with --live-restore kill -9", live_restore).await;
    town.scene.host.stop().await?;

    let mut town = with_docker(&[], spaces, of_docker).await;
    let one = async |town: &mut Town| healing::containers(town, 1).await;
    all.row(&mut town, "docker restart of one", one).await;
    let every = async |town: &mut Town| healing::containers(town, of_docker).await;
    all.row(&mut town, &format!("docker restart of {of_docker}"), every).await;
    all.row(&mut town, "dockerd kill -9, containers started again", healing::dockerd).await;
    all.row(&mut town, "ovs-vswitchd kill -9", healing::vswitchd).await;
    let theirs = bare(rounds).await?;
    let ours = all.times(&mut town, "ovsdb-server kill -9", healing::ovsdb_server).await;
    all.figures.push(Row::median("ovsdb-server kill -9", ours, theirs, SOON).figure().beside(PEER));
    let flowport = async |town: &mut Town| healing::flowport(town, Signal::KILL).await;
    all.row(&mut town, "flowport kill -9", flowport).await;
    all.row(&mut town, "all at once, containers started again", healing::host).await;
    let work = format!("packets of {} lost by those whom it does not concern", all.asked);
    let lost = Figure::at_most(work, all.lost as f64, 0.0, "");
    all.figures.push(Figure { times: rounds, ..lost });
    Ok((town.scene.host, all.figures))
}

/// What is measured of everything.
struct All {
    rounds: usize,
    figures: Vec<Figure>,
    /// Packets of those who should not notice.
    lost: u64,
    asked: u64,
}

impl All {
    async fn row(&mut self, town: &mut Town, part: &str, fault: impl AsyncFnMut(&mut Town) -> Healed) {
        let times = self.times(town, part, fault).await;
        self.figures.push(Row::median(part, times, Vec::new(), SOON).figure());
    }

    async fn times(
        &mut self,
        town: &mut Town,
        part: &str,
        mut fault: impl AsyncFnMut(&mut Town) -> Healed,
    ) -> Vec<Duration> {
        let mut times = Vec::new();
        for round in 1..=self.rounds {
            note(&format!("{part}, round {round} of {}", self.rounds));
            let healed = fault(town).await;
            times.push(healed.gap);
            self.lost += healed.lost;
            self.asked += healed.lost + healed.answered as u64;
        }
        times
    }
}

async fn with_docker(options: &[&str], spaces: usize, of_docker: usize) -> Town {
    note(&format!("a host with {} containers, {of_docker} of Docker", spaces + of_docker));
    Town::with_docker(options, spaces, of_docker).await
}

/// ovsdb-server dies, on a bridge of two ports with one flow entry, and without Flowport.
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
        let back = without_database(&mut host).await;
        watched[0].answered_after(back, PATIENCE).await;
        times.push(watched[0].longest_gap(back, PATIENCE).await);
    }
    host.stop().await?;
    Ok(times)
}
