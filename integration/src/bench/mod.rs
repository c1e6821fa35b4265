//! What it takes to attach and detach containers, beside `ovs-docker` on the same bridge, in rounds that take turns.
//!
//! A managed userspace bridge of a lab host, with containers of the host's own Docker Engine. Each side is a process,
//! timed from exec to exit, and what it made is looked at before the next one begins: a port that Open vSwitch has
//! numbered, and the address inside. Flowport's ports have flows on top of that.

mod attach;
mod crowd;
mod healing;
mod kill;
mod machine;
mod many;
mod report;
mod scale;
mod stage;
mod switch;
mod watcher;

use std::error::Error;

pub use report::{Aim, Figure, Report, Row};

use stage::Stage;

/// Why a measurement did not come to be.
pub type BenchError = Box<dyn Error + Send + Sync>;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Docker containers; all of them are attached, detached and killed.
    pub containers: usize,
    /// Rounds of a single port.
    pub single_rounds: usize,
    /// Rounds of all containers.
    pub bulk_rounds: usize,
    /// Network namespaces attached by one command.
    pub namespaces: usize,
    /// Rounds of all namespaces.
    pub namespace_rounds: usize,
}

impl Size {
    /// What the aims are about; some minutes.
    pub const FULL: Self =
        Self { containers: 50, single_rounds: 15, bulk_rounds: 5, namespaces: 1000, namespace_rounds: 3 };
    /// To see that everything that is measured still runs.
    pub const QUICK: Self =
        Self { containers: 3, single_rounds: 1, bulk_rounds: 1, namespaces: 20, namespace_rounds: 1 };
}

/// Measures everything, within a lab. Progress goes to standard error.
///
/// # Errors
///
/// Something could not be started, or did not do what it was to be timed at.
pub async fn run(size: Size) -> Result<Report, BenchError> {
    let mut stage = Stage::set(size.containers).await?;
    let machine = machine::describe(&stage.host).await?;
    let mut rows = attach::single(&mut stage, size.single_rounds).await?;
    rows.extend(attach::bulk(&mut stage, size.bulk_rounds).await?);
    rows.push(many::namespaces(&mut stage, size.namespaces, size.namespace_rounds).await?);
    rows.extend(kill::containers(&mut stage).await?);
    stage.strike().await?;
    Ok(Report { machine, peer: "ovs-docker", figures: rows.iter().map(Row::figure).collect() })
}

/// How much is measured of parts that die.
#[derive(Clone, Copy, Debug)]
pub struct Healing {
    /// Network namespaces.
    pub spaces: usize,
    /// Containers of Docker.
    pub of_docker: usize,
    /// Rounds of each part.
    pub rounds: usize,
}

impl Healing {
    /// What the aims are about; some minutes.
    pub const FULL: Self = Self { spaces: 40, of_docker: 10, rounds: 3 };
    /// To see that everything that is measured still runs.
    pub const QUICK: Self = Self { spaces: 4, of_docker: 2, rounds: 1 };
}

/// Measures how soon pings go on after each part died, within a lab. Progress goes to standard error.
///
/// # Errors
///
/// As [`run`].
pub async fn run_healing(size: Healing) -> Result<Report, BenchError> {
    let (host, figures) = healing::rows(size).await?;
    let machine = machine::describe(&host).await?;
    host.stop().await?;
    Ok(Report { machine, peer: "beside", figures })
}

/// How much is measured with thousands of ports and flow entries.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Network namespaces on one bridge.
    pub namespaces: usize,
    /// How many of them ping each other.
    pub sample: usize,
    /// Rounds of one more port, and of the daemon's restart.
    pub rounds: usize,
    /// Network namespaces on a bridge that forwards nothing.
    pub crowd: usize,
    /// Flow entries of one bundle.
    pub flows: usize,
    /// Rounds of them.
    pub flow_rounds: usize,
}

impl Scale {
    /// What the aims are about; some minutes.
    pub const FULL: Self =
        Self { namespaces: 2000, sample: 10, rounds: 5, crowd: 10_000, flows: 100_000, flow_rounds: 5 };
    /// To see that everything that is measured still runs.
    pub const QUICK: Self =
        Self { namespaces: 20, sample: 3, rounds: 1, crowd: 30, flows: 1000, flow_rounds: 1 };
}

/// Measures what grows with the number of ports and flow entries, within a lab. Progress goes to standard error.
///
/// # Errors
///
/// As [`run`].
pub async fn run_scale(scale: Scale) -> Result<Report, BenchError> {
    let Scale { namespaces, sample, rounds, crowd: _, flows, flow_rounds } = scale;
    let mut stage = Stage::set(2).await?;
    let machine = machine::describe(&stage.host).await?;
    let mut figures = switch::flows(&stage, flows, flow_rounds).await?;
    figures.extend(scale::bridge(&mut stage, namespaces, sample, rounds).await?);
    stage.strike().await?;
    Ok(Report { machine, peer: "beside", figures })
}

/// Measures a daemon with as many endpoints as it is to bear: minutes.
///
/// # Errors
///
/// As [`run`].
pub async fn run_crowd(scale: Scale) -> Result<Report, BenchError> {
    // The host that is measured has no Docker to tell of.
    let other = Stage::set(0).await?;
    let machine = machine::describe(&other.host).await?;
    other.strike().await?;
    let mut stage = Stage::without_packets().await;
    let figures = crowd::endpoints(&mut stage, scale.crowd, scale.rounds).await?;
    stage.strike().await?;
    Ok(Report { machine, peer: "beside", figures })
}

/// Of [`run_scale`] what is about flow entries: a quarter of a minute.
///
/// # Errors
///
/// As [`run`].
pub async fn run_flows(scale: Scale) -> Result<Report, BenchError> {
    let stage = Stage::set(0).await?;
    let machine = machine::describe(&stage.host).await?;
    let figures = switch::flows(&stage, scale.flows, scale.flow_rounds).await?;
    stage.strike().await?;
    Ok(Report { machine, peer: "beside", figures })
}
