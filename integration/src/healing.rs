//! What can die on a host with many containers that talk, and what that costs them. The tests of healing say how much it
//! may cost, and `make bench-healing` prints how much it does.
//!
//! Each kills one part, has it back, and waits until all is as it was: ports, links, records, flow entries, addresses
//! and MACs, and all that others have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what tests are made of"
)]

use std::iter::repeat_n;
use std::time::Duration;

use flowport::lab::LabHost;
use flowport::place::management_socket;
use futures_util::future::join_all;
use rustix::process::Signal;

use crate::oracle::{docker, vsctl};
use crate::pinger::{Moment, Pinger};
use crate::scene::{accepts, same};
use crate::town::{PATIENCE, State, Town};
use crate::wait_until;

/// ovs-vswitchd 3.1 waits for one second after it has lost its database, and for two if it had it for less than one
/// (`lib/reconnect.c`): a server that dies is one that has run.
const HAS_RUN: Duration = Duration::from_secs(2);
/// So many answers, 50 a second, are two seconds of talk without Flowport.
const TWO_SECONDS_OF_TALK: usize = 100;

/// What it cost.
#[derive(Clone, Debug)]
pub struct Healed {
    /// The longest time without an answer that a pair had from the part's being back until all was as before.
    pub gap: Duration,
    /// That pair.
    pub slowest: String,
    /// Requests without answer, of pairs that should not notice.
    pub lost: u64,
    /// Requests of them that were answered.
    pub answered: usize,
}

/// Who is watched, and what there was before.
struct Watch {
    before: State,
    /// Whom the fault cuts off.
    touched: Vec<Pinger>,
    /// Who should not notice.
    beside: Vec<Pinger>,
}

impl Watch {
    async fn begin(town: &Town, touched: Vec<Pinger>, beside: Vec<Pinger>) -> Self {
        Town::talk(&touched).await;
        Town::talk(&beside).await;
        assert_eq!(town.scene.ports().await.len(), town.spaces.len() + town.names.len());
        Self { before: town.state().await, touched, beside }
    }

    /// After all is as before. Each of the touched may have been back at a moment of its own.
    async fn end(self, backs: &[Moment]) -> Healed {
        let last = *backs.last().expect("something is back");
        let missing = (self.touched.len() + self.beside.len()).saturating_sub(backs.len());
        let backs = backs.iter().copied().chain(repeat_n(last, missing));
        let pairs = self.touched.iter().chain(&self.beside).zip(backs);
        let gaps =
            pairs.map(async |(pinger, back)| (pinger.longest_gap(back, PATIENCE).await, &pinger.between));
        let (gap, slowest) = join_all(gaps).await.into_iter().max().expect("somebody is watched");
        Healed {
            gap,
            slowest: slowest.clone(),
            lost: self.beside.iter().map(Pinger::lost).sum(),
            answered: self.beside.iter().map(Pinger::answered).sum(),
        }
    }
}

/// The first Docker containers are restarted.
pub async fn containers(town: &Town, count: usize) -> Healed {
    let watch = Watch::begin(town, (0..count).map(|nth| town.pinger_of(nth)).collect(), town.load()).await;
    let names = town.names[..count].iter().map(String::as_str);
    docker(&town.scene.host, &["restart", "-t", "0"].into_iter().chain(names).collect::<Vec<_>>()).await;
    let began = join_all((0..count).map(|nth| town.began(nth))).await;
    town.is_again(&watch.before).await;
    watch.end(&began).await
}

/// dockerd dies; without --live-restore its containers end with it, and are started again.
pub async fn dockerd(town: &mut Town) -> Healed {
    let watch = Watch::begin(town, of_docker(town), town.load()).await;
    town.introduce(&watch.before).await;
    let engine = town.scene.host.docker_mut().unwrap();
    engine.daemon().kill().await.unwrap();
    engine.start_daemon().await.unwrap();
    town.ended().await;
    let began = start_all(town).await;
    town.is_again(&watch.before).await;
    watch.end(&began).await
}

/// dockerd with --live-restore dies or is stopped, and its containers go on.
pub async fn live_restore(town: &mut Town, with: Signal) -> Healed {
    let beside = of_docker(town).into_iter().chain(town.load()).collect();
    let watch = Watch::begin(town, Vec::new(), beside).await;
    let seen = town.scene.seen().await;
    let engine = town.scene.host.docker_mut().unwrap();
    match with {
        Signal::KILL => engine.daemon().kill().await.unwrap(),
        _ => engine.daemon().stop().await.unwrap(),
    }
    engine.start_daemon().await.unwrap();
    let back = Moment::now();
    town.is_again(&watch.before).await;
    same(&seen, &town.scene.seen().await);
    watch.end(&[back]).await
}

/// ovs-vswitchd dies, and all flow entries with it, those of others too.
pub async fn vswitchd(town: &mut Town) -> Healed {
    let watch = Watch::begin(town, everybody(town), Vec::new()).await;
    town.introduce_to_host(&watch.before).await;
    let seen = town.scene.seen().await;
    let ovs = town.scene.host.ovs_mut();
    let management = management_socket(ovs.rundir(), "br0");
    ovs.vswitchd().kill().await.unwrap();
    let (started, back) = tokio::join!(ovs.start_vswitchd(), accepts(&management));
    started.unwrap();
    town.place_foreign_flows().await;
    town.is_again(&watch.before).await;
    same(&seen, &town.scene.seen().await);
    watch.end(&[back]).await
}

/// ovsdb-server dies.
pub async fn ovsdb_server(town: &mut Town) -> Healed {
    let watch = Watch::begin(town, everybody(town), Vec::new()).await;
    let seen = town.scene.seen().await;
    let back = without_database(&mut town.scene.host).await;
    town.is_again(&watch.before).await;
    same(&seen, &town.scene.seen().await);
    watch.end(&[back]).await
}

/// ovsdb-server dies and comes back, after it has run for a while; returns when it was back.
pub async fn without_database(host: &mut LabHost) -> Moment {
    let now = Moment::now();
    wait_until(PATIENCE, "ovsdb-server has run", async || now.elapsed() > HAS_RUN).await;
    // ovs-vswitchd counts from connecting to the last thing that it heard.
    vsctl(host, &["set", "open_vswitch", ".", &format!("external_ids:healing={now:?}")]).await;
    host.ovs_mut().ovsdb_server().kill().await.unwrap();
    host.ovs_mut().start_ovsdb().await.unwrap();
    Moment::now()
}

/// Flowport dies or is stopped, nobody forwards but the datapath for two seconds, and it starts again.
pub async fn flowport(town: &mut Town, with: Signal) -> Healed {
    let watch = Watch::begin(town, Vec::new(), everybody(town)).await;
    let seen = town.scene.seen().await;
    town.scene.end_daemon(with).await;
    town.forget_neighbours().await;
    join_all(watch.beside.iter().map(|pinger| pinger.hears_more(TWO_SECONDS_OF_TALK, PATIENCE))).await;
    assert!(town.are_neighbours().await, "neighbours find each other without Flowport");
    town.scene.start_daemon().await;
    let back = Moment::now();
    // Answered when it is ready.
    town.scene.run("del-port br0 eth9 netns:nosuch").await.refused(&["nosuch"]);
    town.is_again(&watch.before).await;
    same(&seen, &town.scene.seen().await);
    watch.end(&[back]).await
}

/// The host dies and starts again. Namespaces end with it; new ones ping the Docker containers, which start as soon as
/// Docker does.
pub async fn host(town: &mut Town) -> Healed {
    let before = town.state().await;
    let gone = town.crash().await;
    town.boot().await;
    town.grow(gone.len()).await;
    town.introduce(&before).await;
    let watched = of_docker(town);
    town.scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
    let began = start_all(town).await;
    let new: Vec<String> = town.spaces.iter().map(|space| space.name().to_owned()).collect();
    town.comes_to(&before, &gone, &new).await;
    assert_eq!(town.scene.ports().await.len(), town.spaces.len() + town.names.len());
    Watch { before, touched: watched, beside: Vec::new() }.end(&began).await
}

async fn start_all(town: &Town) -> Vec<Moment> {
    let mut began = Vec::new();
    for nth in 0..town.names.len() {
        began.push(town.start_again(nth).await);
    }
    began
}

fn of_docker(town: &Town) -> Vec<Pinger> {
    (0..town.names.len()).map(|nth| town.pinger_of(nth)).collect()
}

fn everybody(town: &Town) -> Vec<Pinger> {
    town.load().into_iter().chain(of_docker(town)).collect()
}
