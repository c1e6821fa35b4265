//! Fifty containers that talk while one part after the other dies and comes back: no port too many, none too few, the
//! same addresses, MACs and flow entries, nothing of others touched, pings that go on soon, and no packet lost that need
//! not be. What happens is in [`flowport_integration::healing`], which `make bench-healing` measures, too.
//!
//! The figures are printed (`--nocapture`).
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::time::Duration;

use flowport::lab::HostOptions;
use flowport_integration::healing::{self, Healed};
use flowport_integration::town::Town;
use rustix::process::Signal;
use tokio::sync::Semaphore;

/// All containers of a row.
const CONTAINERS: usize = 50;
/// How many of them are of Docker, where it matters.
const OF_DOCKER: usize = 10;
/// The longest that a pair may be without an answer once the part is back. The limit is 1 s, against which
/// `make bench-healing` measures an optimised program on a quiet machine. ovs-vswitchd alone takes all of that second to
/// look for a database that was away, and here a debug build shares few cores with others: so there is room for twice as
/// much, and not for a second look by ovs-vswitchd or for more than two questions of a kernel, which are a second apart.
const AT_MOST: Duration = Duration::from_secs(3);

/// Few hosts at a time: what others start is in the figures.
static TURN: Semaphore = Semaphore::const_new(2);

async fn with_docker(options: &[&str]) -> Town {
    Town::with_docker(options, CONTAINERS - OF_DOCKER, OF_DOCKER).await
}

async fn without_docker() -> Town {
    Town::start(HostOptions::default(), CONTAINERS, 0).await
}

#[track_caller]
fn expect(what: &str, healed: Healed) {
    println!("{what}: {healed:?}");
    assert!(healed.gap <= AT_MOST, "{what}: pings stood still for {:?}", healed.gap);
    assert_eq!(healed.lost, 0, "{what}: lost by those who should not notice, beside {}", healed.answered);
}

#[tokio::test]
async fn containers_start_again() {
    let _turn = TURN.acquire().await.unwrap();
    let town = with_docker(&[]).await;
    expect("docker restart", healing::containers(&town, 1).await);
    expect("docker restart of all", healing::containers(&town, OF_DOCKER).await);
    town.scene.host.stop().await.unwrap();
}

#[tokio::test]
async fn dockerd_dies() {
    let _turn = TURN.acquire().await.unwrap();
    let mut town = with_docker(&[]).await;
    expect("dockerd kill -9", healing::dockerd(&mut town).await);
    town.scene.host.stop().await.unwrap();
}

#[tokio::test]
async fn dockerd_is_restarted_beside_its_containers() {
    let _turn = TURN.acquire().await.unwrap();
    let mut town = with_docker(&["--live-restore"]).await;
    for with in [Signal::TERM, Signal::KILL] {
        expect("dockerd with --live-restore", healing::live_restore(&mut town, with).await);
    }
    // Containers that went on with their ports are still attended to.
    expect("docker restart after it", healing::containers(&town, 1).await);
    town.scene.host.stop().await.unwrap();
}

#[tokio::test]
async fn vswitchd_dies() {
    let _turn = TURN.acquire().await.unwrap();
    let mut town = without_docker().await;
    for _ in 0..2 {
        expect("ovs-vswitchd kill -9", healing::vswitchd(&mut town).await);
    }
}

#[tokio::test]
async fn ovsdb_server_dies() {
    let _turn = TURN.acquire().await.unwrap();
    let mut town = without_docker().await;
    for _ in 0..2 {
        expect("ovsdb-server kill -9", healing::ovsdb_server(&mut town).await);
    }
}

#[tokio::test]
async fn flowport_dies_and_no_packet_is_lost() {
    let _turn = TURN.acquire().await.unwrap();
    let mut town = without_docker().await;
    for with in [Signal::KILL, Signal::TERM] {
        expect("flowport dies", healing::flowport(&mut town, with).await);
    }
}

#[tokio::test]
async fn the_host_starts_again() {
    let _turn = TURN.acquire().await.unwrap();
    let mut town = with_docker(&[]).await;
    expect("the host starts again", healing::host(&mut town).await);
    town.scene.host.stop().await.unwrap();
}
