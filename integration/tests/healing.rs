//! Fifty containers that talk while one part after the other dies and comes back: no port too many, none too few, the
//! same addresses, and how soon pings go on.
//!
//! The figures are printed (`--nocapture`); what is asserted leaves room for a machine that is busy with other things.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::time::Duration;

use flowport::lab::{DockerOptions, HostOptions};
use flowport_integration::oracle::docker;
use flowport_integration::pinger::{Moment, Pinger};
use flowport_integration::town::{PATIENCE, Town};
use flowport_integration::wait_until;
use rustix::process::Signal;

/// All containers of a row.
const CONTAINERS: usize = 50;
/// How many of them are of Docker, where it matters.
const OF_DOCKER: usize = 10;
/// How soon pings are to go on. One second is the aim; this is for a machine that is busy.
const SOON: Duration = Duration::from_secs(10);

async fn with_docker(options: &[&str]) -> Town {
    let args = options.iter().map(ToString::to_string).collect();
    let options = HostOptions { docker: Some(DockerOptions { args }), ..HostOptions::default() };
    Town::start(options, CONTAINERS - OF_DOCKER, OF_DOCKER).await
}

/// Tells a figure.
fn told(what: &str, took: Duration, pingers: &[Pinger]) {
    let lost: u64 = pingers.iter().map(Pinger::lost).sum();
    let answered: usize = pingers.iter().map(Pinger::answered).sum();
    println!("{what}: pings go on {} ms after; {lost} lost, {answered} answered", took.as_millis());
    assert!(took < SOON, "{what}: {took:?}");
}

fn lost(pingers: &[Pinger]) -> Vec<u64> {
    pingers.iter().map(Pinger::lost).collect()
}

#[tokio::test]
async fn containers_start_again() {
    let town = with_docker(&[]).await;
    let load = town.load();
    Town::talk(&load).await;
    let before = town.state().await;

    let one = [town.pinger_of(0)];
    Town::talk(&one).await;
    docker(&town.scene.host, &["restart", "-t", "0", &town.names[0]]).await;
    told("docker restart", Town::resumed(&one, Moment::now()).await, &one);
    town.is_again(&before).await;

    let every: Vec<Pinger> = (0..town.names.len()).map(|nth| town.pinger_of(nth)).collect();
    Town::talk(&every).await;
    let words: Vec<&str> =
        ["restart", "-t", "0"].into_iter().chain(town.names.iter().map(String::as_str)).collect();
    docker(&town.scene.host, &words).await;
    told("docker restart of all", Town::resumed(&every, Moment::now()).await, &every);
    town.is_again(&before).await;
    println!("and others lost {:?}", lost(&load));
    town.scene.host.stop().await.unwrap();
}

#[tokio::test]
async fn dockerd_dies() {
    let mut town = with_docker(&[]).await;
    let load = town.load();
    let every: Vec<Pinger> = (0..town.names.len()).map(|nth| town.pinger_of(nth)).collect();
    Town::talk(&load).await;
    Town::talk(&every).await;
    let before = town.state().await;
    town.scene.host.docker_mut().unwrap().daemon().kill().await.unwrap();
    town.scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
    // Without --live-restore its containers end with it.
    town.ended().await;
    for nth in 0..town.names.len() {
        town.start_again(nth).await;
    }
    told("dockerd kill -9", Town::resumed(&every, Moment::now()).await, &every);
    town.is_again(&before).await;
    println!("and others lost {:?}", lost(&load));
    town.scene.host.stop().await.unwrap();
}

#[tokio::test]
async fn dockerd_is_restarted_beside_its_containers() {
    let mut town = with_docker(&["--live-restore"]).await;
    let every: Vec<Pinger> = (0..town.names.len()).map(|nth| town.pinger_of(nth)).collect();
    Town::talk(&every).await;
    let (before, seen) = (town.state().await, town.scene.seen().await);
    for with in [Signal::TERM, Signal::KILL] {
        let dockerd = town.scene.host.docker_mut().unwrap();
        if with == Signal::TERM { dockerd.daemon().stop().await } else { dockerd.daemon().kill().await }
            .unwrap();
        dockerd.start_daemon().await.unwrap();
        told("dockerd with --live-restore", Town::resumed(&every, Moment::now()).await, &every);
        town.is_again(&before).await;
    }
    // Containers that went on with their ports are still attended to.
    docker(&town.scene.host, &["restart", "-t", "0", &town.names[0]]).await;
    town.is_again(&before).await;
    assert_eq!(lost(&every[1..]).iter().sum::<u64>(), 0, "{:?}", lost(&every));
    assert_eq!(seen.len(), town.scene.seen().await.len());
    town.scene.host.stop().await.unwrap();
}

#[tokio::test]
async fn vswitchd_dies() {
    let mut town = Town::start(HostOptions::default(), CONTAINERS, 0).await;
    let load = town.load();
    Town::talk(&load).await;
    let (before, seen, foreign) = (town.state().await, town.scene.seen().await, town.foreign_flows().await);
    for _ in 0..2 {
        town.scene.host.ovs_mut().vswitchd().kill().await.unwrap();
        town.scene.host.ovs_mut().start_vswitchd().await.unwrap();
        told("ovs-vswitchd kill -9", Town::resumed(&load, Moment::now()).await, &load);
        // Those of others are lost with it.
        town.place_foreign_flows().await;
        town.is_again(&before).await;
        flowport_integration::scene::same(&seen, &town.scene.seen().await);
        flowport_integration::scene::same(&foreign, &town.foreign_flows().await);
    }
}

#[tokio::test]
async fn ovsdb_server_dies() {
    let mut town = Town::start(HostOptions::default(), CONTAINERS, 0).await;
    let load = town.load();
    Town::talk(&load).await;
    let (before, seen) = (town.state().await, town.scene.seen().await);
    for _ in 0..2 {
        town.scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
        town.scene.host.ovs_mut().start_ovsdb().await.unwrap();
        told("ovsdb-server kill -9", Town::resumed(&load, Moment::now()).await, &load);
        town.is_again(&before).await;
        flowport_integration::scene::same(&seen, &town.scene.seen().await);
    }
}

#[tokio::test]
async fn flowport_dies_and_no_packet_is_lost() {
    let mut town = Town::start(HostOptions::default(), CONTAINERS, 0).await;
    let load = town.load();
    Town::talk(&load).await;
    let (before, seen) = (town.state().await, town.scene.seen().await);
    for with in [Signal::KILL, Signal::TERM, Signal::KILL] {
        town.scene.end_daemon(with).await;
        let dead = Moment::now();
        Town::resumed(&load, dead).await;
        town.scene.start_daemon().await;
        // Answered when it is ready.
        town.scene.run("del-port br0 eth9 netns:nosuch").await.refused(&["nosuch"]);
        told("flowport kill -9", Town::resumed(&load, Moment::now()).await, &load);
        town.is_again(&before).await;
        flowport_integration::scene::same(&seen, &town.scene.seen().await);
    }
    assert_eq!(
        lost(&load),
        vec![0; load.len()],
        "of {:?}",
        load.iter().map(Pinger::answered).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn the_host_starts_again() {
    let mut town = with_docker(&[]).await;
    let before = town.state().await;
    let spaces = town.spaces.len();
    town.crash().await;
    town.boot().await;
    town.scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
    for nth in 0..town.names.len() {
        town.start_again(nth).await;
    }
    let back = std::time::Instant::now();
    for name in &town.names {
        wait_until(PATIENCE, "pings go on", async || {
            let words = ["exec", name, "ping", "-c1", "-W1", "10.0.1.1"];
            town.scene.host.run("docker", &words).await.is_ok()
        })
        .await;
    }
    println!(
        "host starts again: all pinged {} ms after the last container's start",
        back.elapsed().as_millis()
    );
    // Namespaces without a process end with the host, and their ports with them.
    wait_until(PATIENCE, "theirs alone are left", async || {
        town.scene.whole().await && town.scene.ports().await.len() == OF_DOCKER
    })
    .await;
    wait_until(PATIENCE, "their records too", async || town.scene.records().await.len() == OF_DOCKER).await;
    let after = town.state().await;
    for (name, inside) in &after.inside {
        assert_eq!(before.inside[name], *inside, "{name}");
    }
    assert!(after.things.is_subset(&before.things), "{:#?}", after.things.difference(&before.things));
    assert_eq!(before.entries.len() - after.entries.len(), spaces);
    assert!(after.entries.iter().all(|(endpoint, entries)| before.entries[endpoint] == *entries));
    town.scene.host.stop().await.unwrap();
}
