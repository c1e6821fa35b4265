//! The daemon: keeps ports and flows as they should be, whatever starts, stops or dies.
//!
//! ```text
//!   server ──────(intents)──> Frontend ──┐
//!   containers ──(start, removal)────────┼──> Reconciler, the one owner of the state
//!   links ───────(seen, gone)────────────┤
//!   notify, metrics ──(how far?)─────────┘
//! ```
//!
//! Each of these is one task; all end with [`run`]. Stopping leaves ports and flows as they are.

mod containers;
mod links;
pub mod metrics;
mod notify;
pub mod protocol;
mod server;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::docker::Docker;
use crate::frontend::Frontend;
use crate::metrics::{Meters, Peer};
use crate::netlink::{Netlink, NetlinkError};
use crate::ovsdb::{Address, Database, Lock};
use crate::reconciler::{Reconciler, Shells};
use crate::records::{Records, Server as RecordsServer};
use crate::refused::Refused;
use crate::state::Scope;

use notify::ServiceManager;
use server::Listening;

/// How long the parts may take to answer when the daemon starts.
const START_TIME: Duration = Duration::from_secs(30);

/// How long another daemon may have the lock of daemons before this one ends: a server that hung may take a moment to see
/// that the connection on which it was ours has ended.
const GIVE_WAY_AFTER: Duration = Duration::from_secs(5);

/// Where the daemon finds and keeps things.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database of Open vSwitch.
    pub db: Address,
    /// The socket that it listens on.
    pub socket: PathBuf,
    /// The directory of its own database.
    pub state: PathBuf,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<metrics::Address>,
}

/// Runs until it is told to stop by SIGTERM or SIGINT; SIGHUP has it read everything again. The service manager is kept
/// informed if there is one.
///
/// # Errors
///
/// It cannot start: another daemon runs, or a part is missing. Or another daemon took its place while it had no connection to
/// the database.
pub async fn run(config: Config, ready: impl FnOnce()) -> Result<(), Refused> {
    let Signals { mut interrupt, mut terminate, mut hang_up } = Signals::catch();
    let manager = ServiceManager::from_environment();
    tracing::debug!("starting");
    raise_file_limit();
    let ended = tokio::select! {
        ended = rule(&config, ready, (&mut hang_up, &manager)) => ended,
        // At any time: also while it waits for parts that do not answer.
        _ = caught(&mut interrupt) => Ok(()),
        _ = caught(&mut terminate) => Ok(()),
    };
    if ended.is_ok() {
        manager.stopping();
        tracing::info!("stopping; ports and flows stay as they are");
    }
    ended
}

/// As many files as are allowed: each container's process is watched by one, and a shell gives a thousand.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}

/// Ends by itself only when it cannot start, or another daemon has taken its place.
async fn rule(
    config: &Config,
    ready: impl FnOnce(),
    informed: (&mut io::Result<Signal>, &ServiceManager),
) -> Result<(), Refused> {
    let begun = Instant::now();
    let database = Database::connect(&config.db, START_TIME).await?;
    // The lock first: whoever has it may take the place of a dead daemon's sockets.
    let mut sole = database.daemon_lock(START_TIME).await?;
    let scrapers = metrics::Listener::bind(config.metrics.as_ref()).await?;
    // Who comes before it is ready is answered when it is.
    let listening = server::listen(&config.socket)?;
    // A command that is at work is waited for.
    let lock = database.lock(START_TIME).await?;
    let replaced = database.locked();
    tokio::select! {
        ended = serve(config, (database, lock), &listening, (begun, ready), informed, scrapers) => ended,
        () = gave_way(&mut sole) => Err(replaced),
    }
}

/// Ends when another daemon has had the lock for a while.
async fn gave_way(sole: &mut Lock) {
    loop {
        if !sole.is_contended() {
            sole.changed().await;
            continue;
        }
        tokio::select! {
            () = sole.changed() => {}
            () = tokio::time::sleep(GIVE_WAY_AFTER) => return,
        }
    }
}

async fn serve(
    config: &Config,
    (database, lock): (Database, Lock),
    listening: &Listening<'_>,
    (begun, ready): (Instant, impl FnOnce()),
    (hang_up, manager): (&mut io::Result<Signal>, &ServiceManager),
    scrapers: metrics::Listener,
) -> Result<(), Refused> {
    let netlink = Netlink::open();
    let link_news = netlink.subscribe().await?;
    // The kernel takes a while to list thousands. A command that had the lock may have made some until now.
    let lister = netlink.clone();
    let links = tokio::spawn(async move { lister.links().await });
    let run_dir = config.socket.parent().map(PathBuf::from).unwrap_or_default();
    let mut records_server = RecordsServer::start(&config.state, &run_dir, begun + START_TIME).await?;
    let records = Records::connect(&records_server, START_TIME).await?;
    let docker = Docker::connect();
    let meters = Meters::default();
    let losses = [(database.connection(), Peer::OPEN_VSWITCH), (records.connection(), Peer::RECORDS)]
        .map(|(connection, peer)| metrics::watch(connection, peer, meters.clone()));
    let losses = futures_util::future::join_all(losses);

    let (open_vswitch, recorded) = (database.clone(), records.clone());
    let known = containers::known(&docker, &open_vswitch, &recorded);
    let links = async { links.await.unwrap_or(Err(NetlinkError::ShutDown)) };
    let shells = Shells {
        database,
        netlink,
        rundir: crate::place::rundir(config.db.as_str()),
        records: Some(records),
    };
    let (reconciler, handle) =
        Reconciler::start(shells.clone(), lock, Scope::Everything, links, known).await?;
    let frontend = Frontend::new(shells, docker.clone(), handle.clone());
    tracing::info!("ready on {} after {} ms", config.socket.display(), begun.elapsed().as_millis());
    ready();
    tokio::select! {
        () = reconciler.metered(meters.clone()).run() => {}
        () = server::serve(listening, frontend, handle.clone(), meters.clone()) => {}
        () = containers::watch(docker, handle.clone(), meters.clone()) => {}
        () = metrics::serve(scrapers, meters.clone(), handle.clone()) => {}
        _ = losses => {}
        () = links::watch(link_news, handle.clone()) => {}
        () = manager.keep_informed(handle, hang_up) => {}
        () = records_server.keep() => {}
    }
    Ok(())
}

/// Those that a daemon is told things by.
struct Signals {
    interrupt: io::Result<Signal>,
    terminate: io::Result<Signal>,
    hang_up: io::Result<Signal>,
}

impl Signals {
    /// From now on they do not end the process.
    fn catch() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()),
            terminate: signal(SignalKind::terminate()),
            hang_up: signal(SignalKind::hangup()),
        }
    }
}

async fn caught(signal: &mut io::Result<Signal>) -> Option<()> {
    match signal {
        Ok(signal) => signal.recv().await,
        Err(_) => std::future::pending().await,
    }
}
