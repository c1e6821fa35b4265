//! One intent, carried out by the command itself because no daemon runs.

use std::future::ready;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::docker::Docker;
use crate::frontend::Frontend;
use crate::intent::Intent;
use crate::netlink::Netlink;
use crate::ovsdb::{Address, Database};
use crate::reconciler::{Containers, Outcome, Progress, Reconciler, Shells};
use crate::refused::Refused;
use crate::state::Scope;

/// Newer news make older ones worthless.
const PROGRESS_DEPTH: usize = 4;

/// Carries the intent out and waits until it has converged; when interrupted, undoes it first.
///
/// # Errors
///
/// It was refused, or failed and was undone.
pub async fn carry_out(
    db: &Address,
    intent: Intent,
    timeout: Duration,
    on_progress: impl Fn(Progress),
) -> Result<Outcome, Refused> {
    let deadline = Instant::now() + timeout;
    let left = || deadline.saturating_duration_since(Instant::now());
    let database = Database::connect(db, timeout).await?;
    let lock = database.lock(left()).await?;
    let shells = Shells {
        database,
        netlink: Netlink::open(),
        rundir: crate::place::rundir(db.as_str()),
        records: None,
    };
    let (links, none) = (shells.netlink.links(), ready(Containers::default()));
    let scope = Scope::Only(Default::default());
    let (reconciler, handle) = Reconciler::start(shells.clone(), lock, scope, links, none).await?;
    let (interruption, interrupted) = watch::channel(false);
    let frontend = Frontend::new(shells, Docker::connect(), handle.clone()).interruptible(interrupted);
    let (progress, mut news) = mpsc::channel(PROGRESS_DEPTH);

    let carried_out = frontend.carry_out(intent, left(), progress);
    tokio::pin!(carried_out);
    let reconciler = reconciler.run();
    tokio::pin!(reconciler);
    let [mut interrupt, mut terminate, mut hang_up] = [
        handler(SignalKind::interrupt())?,
        handler(SignalKind::terminate())?,
        handler(SignalKind::hangup())?,
    ];
    loop {
        tokio::select! {
            outcome = &mut carried_out => return outcome,
            () = &mut reconciler => return Err(Refused::other("the reconciler ended: this is a defect, please report it")),
            Some(progress) = news.recv() => {
                on_progress(progress);
                continue;
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        // A signal came. What has not been asked yet is not asked any more, what has is undone.
        interruption.send_replace(true);
        handle.wake().await;
    }
}

fn handler(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Refused> {
    signal(kind).map_err(|error| Refused::other(format!("cannot catch signals: {error}")))
}
