//! The daemon: keeps ports and flows as they should be, whatever starts, stops or dies.
//!
//! ```text
//!   server ──────(intents)──> Frontend ──┐
//!   containers ──(start, removal)────────┼──> Reconciler, the one owner of the state
//!   links ───────(seen, gone)────────────┘
//! ```
//!
//! Each of these is one task; all end with [`run`]. Stopping leaves ports and flows as they are.

mod containers;
mod links;
pub mod protocol;
mod server;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::docker::Docker;
use crate::frontend::Frontend;
use crate::netlink::Netlink;
use crate::ovsdb::{Address, Database};
use crate::reconciler::{Reconciler, Shells};
use crate::records::{Records, Server as RecordsServer};
use crate::refused::Refused;
use crate::state::Scope;

use server::Listening;

/// How long the parts may take to answer when the daemon starts.
const START_TIME: Duration = Duration::from_secs(30);

/// Where the daemon finds and keeps things.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database of Open vSwitch.
    pub db: Address,
    /// The socket that it listens on.
    pub socket: PathBuf,
    /// The directory of its own database.
    pub state: PathBuf,
}

/// Runs until it is told to stop by SIGTERM or SIGINT.
///
/// # Errors
///
/// It cannot start: another daemon runs, or a part is missing.
pub async fn run(config: Config, ready: impl FnOnce()) -> Result<(), Refused> {
    let [mut interrupt, mut terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    tracing::debug!("starting");
    tokio::select! {
        ended = rule(&config, ready) => ended,
        // At any time: also while it waits for parts that do not answer.
        () = caught(&mut interrupt) => Ok(()),
        () = caught(&mut terminate) => Ok(()),
    }
}

/// Ends by itself only when it cannot start.
async fn rule(config: &Config, ready: impl FnOnce()) -> Result<(), Refused> {
    let begun = Instant::now();
    let database = Database::connect(&config.db, START_TIME).await?;
    // The lock first: whoever has it may take the place of a dead daemon's socket.
    let _lock = database.try_lock().await?;
    // Who comes before it is ready is answered when it is.
    let listening = server::listen(&config.socket)?;
    serve(config, database, &listening, begun, ready).await
}

async fn serve(
    config: &Config,
    database: Database,
    listening: &Listening<'_>,
    begun: Instant,
    ready: impl FnOnce(),
) -> Result<(), Refused> {
    let run_dir = config.socket.parent().map(PathBuf::from).unwrap_or_default();
    let mut records_server = RecordsServer::start(&config.state, &run_dir, begun + START_TIME).await?;
    let records = Records::connect(&records_server, START_TIME).await?;
    let netlink = Netlink::open();
    let link_news = netlink.subscribe().await?;
    let docker = Docker::connect();

    let known = containers::known(&docker, &database, &records).await;
    let shells = Shells {
        database,
        netlink,
        rundir: crate::place::rundir(config.db.as_str()),
        records: Some(records),
    };
    let (reconciler, handle) = Reconciler::start(shells.clone(), Scope::Everything, known).await?;
    let frontend = Frontend::new(shells, docker.clone(), handle.clone());
    tracing::info!("ready on {} after {} ms", config.socket.display(), begun.elapsed().as_millis());
    ready();
    tokio::select! {
        () = reconciler.run() => {}
        () = server::serve(listening, frontend) => {}
        () = containers::watch(docker, handle.clone()) => {}
        () = links::watch(link_news, handle) => {}
        () = records_server.keep() => {}
    }
    Ok(())
}

async fn caught(signal: &mut std::io::Result<Signal>) {
    match signal {
        Ok(signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
    tracing::info!("stopping; ports and flows stay as they are");
}
