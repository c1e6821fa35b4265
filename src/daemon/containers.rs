//! Which containers run: asked when the daemon and Docker start, then told by Docker's events.
//!
//! That a container's process ended is told by the kernel, faster than by Docker; see [`crate::process`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use crate::docker::{Docker, DockerError, Event};
use crate::frontend::sandbox_of;
use crate::metrics::{Meters, Peer};
use crate::model::{Owner, Sandbox};
use crate::ovsdb::Database;
use crate::reconciler::{Containers, Handle};
use crate::records::Records;

/// How long Docker is left alone when it does not answer. Asking for a socket of this host costs next to nothing, and
/// containers that start with it wait for their ports.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How long a container is left alone of which Docker or the kernel would not tell whether it runs.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long Docker may take to answer when the daemon starts. One that systemd starts by its socket takes the question
/// and answers it when it runs, which it does after us.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How many containers are looked up at once.
const LOOKUPS_AT_ONCE: usize = 16;

/// What is known of the containers with attachments, by record or mark.
pub(super) async fn known(docker: &Docker, database: &Database, records: &Records) -> Containers {
    let recorded = records.attachments().into_values().map(|attachment| attachment.owner.clone());
    let marked = database.rows().ports.into_values().map(|row| row.attachment.owner.clone());
    let owners: BTreeSet<Owner> = recorded.chain(marked).collect();
    let docker_answers = owners.iter().any(Owner::is_docker)
        && tokio::time::timeout(ANSWER_TIME, docker.ids()).await.is_ok_and(|ids| ids.is_ok());
    let (asked, unknown): (Vec<_>, Vec<_>) =
        owners.into_iter().partition(|owner| docker_answers || !owner.is_docker());
    let lookups = asked.into_iter().map(|owner| look_up(docker, owner));
    let found: Vec<Found> = stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).collect().await;
    let mut known = Containers { unknown: unknown.into_iter().collect(), ..Containers::default() };
    for Found { what, .. } in found {
        match what {
            What::Runs(sandbox) => known.running.push(sandbox),
            What::Ended => {}
            What::Unknown(owner) => drop(known.unknown.insert(owner)),
        }
    }
    known
}

struct Found {
    /// The whole id and the owner, where the marks of another tool hold a name or a part of the id.
    named: Option<(String, Owner)>,
    what: What,
}

enum What {
    Runs(Sandbox),
    Ended,
    Unknown(Owner),
}

async fn look_up(docker: &Docker, owner: Owner) -> Found {
    let (mut pid, mut named) = (None, None);
    if owner.is_docker() {
        match docker.container(owner.as_str()).await {
            Ok(container) => {
                pid = container.pid.filter(|_| container.running);
                named = (container.id != owner.as_str()).then(|| (container.id, owner.clone()));
            }
            Err(DockerError::NoSuchContainer { .. }) => {}
            Err(_) => return Found { named, what: What::Unknown(owner) },
        }
    }
    let what = match sandbox_of(&owner, pid) {
        Ok(Some(sandbox)) => What::Runs(sandbox),
        Ok(None) => What::Ended,
        Err(error) => {
            tracing::warn!("cannot tell whether a container runs: {error}");
            What::Unknown(owner)
        }
    };
    Found { named, what }
}

/// Tells the reconciler of containers that start or are removed, as long as the daemon runs.
pub(super) async fn watch(docker: Docker, reconciler: Handle, meters: Meters) {
    let mut answered = true;
    loop {
        match follow(&docker, &reconciler, &meters).await {
            Ok(()) => tracing::info!("Docker ended; waiting for it to come back"),
            Err(error) if answered => {
                tracing::info!("{error}; containers of Docker are attended to when it answers");
            }
            Err(_) => {}
        }
        answered = false;
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

/// Follows Docker's events until it ends. What happened before the first event is asked for.
async fn follow(docker: &Docker, reconciler: &Handle, meters: &Meters) -> Result<(), DockerError> {
    let mut events = docker.events().await?;
    let known = docker.ids().await?;
    let mut presumed = reconciler.presumed();
    let mut look_ups = LookUps::default();
    for owner in reconciler.owners().await.into_iter().filter(Owner::is_docker) {
        if known.contains(owner.as_str()) || owner.as_str().len() != FULL_ID {
            look_ups.left.insert(owner);
        } else {
            reconciler.removed(owner).await;
        }
    }
    look_ups.make(docker, reconciler).await;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = tokio::time::sleep(LOOK_AGAIN_AFTER), if !look_ups.left.is_empty() => {
                look_ups.make(docker, reconciler).await;
                continue;
            }
            Ok(()) = presumed.changed() => {
                look_ups.left.extend(presumed.borrow_and_update().iter().cloned());
                look_ups.make(docker, reconciler).await;
                continue;
            }
        };
        let Some(event) = event else { return Ok(()) };
        let event = event.inspect_err(|_| meters.lost(&Peer::DOCKER))?;
        meters.docker_event(event.action());
        match event {
            Event::Started { id } => {
                look_ups.left.extend(look_ups.owners_of(&id));
                look_ups.make(docker, reconciler).await;
            }
            Event::Destroyed { id } => {
                for owner in look_ups.owners_of(&id) {
                    look_ups.left.remove(&owner);
                    reconciler.removed(owner).await;
                }
                look_ups.named.remove(&id);
            }
            Event::Died { .. } | Event::Renamed { .. } => {}
        }
    }
}

/// How many digits the id of a Docker container has; other tools' marks may hold less, or a name.
const FULL_ID: usize = 64;

/// What is to be looked up, and what is known of names from before.
#[derive(Default)]
struct LookUps {
    left: BTreeSet<Owner>,
    /// By whole id: the owners that other tools' marks call otherwise.
    named: BTreeMap<String, BTreeSet<Owner>>,
}

impl LookUps {
    /// All owners that are this container.
    fn owners_of(&self, id: &str) -> Vec<Owner> {
        let named = self.named.get(id).into_iter().flatten().cloned();
        [Owner::from(id)].into_iter().chain(named).collect()
    }

    /// Tells of those that run; what Docker or the kernel would not say is left for the next time.
    async fn make(&mut self, docker: &Docker, reconciler: &Handle) {
        let lookups = std::mem::take(&mut self.left).into_iter().map(|owner| look_up(docker, owner));
        let mut found = stream::iter(lookups).buffered(LOOKUPS_AT_ONCE);
        while let Some(Found { named, what }) = found.next().await {
            if let Some((id, owner)) = named {
                self.named.entry(id).or_default().insert(owner);
            }
            match what {
                What::Runs(sandbox) => reconciler.started(sandbox).await,
                What::Ended => {}
                What::Unknown(owner) => drop(self.left.insert(owner)),
            }
        }
    }
}
