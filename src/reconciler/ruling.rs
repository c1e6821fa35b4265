//! The database's lock: who does not have it changes nothing, neither rows nor links nor flow entries.
//!
//! It goes with the connection, and can be stolen. Another Flowport may have it then, so that when it is ours again
//! everything is looked at anew, and what that one changed counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::model::{Attachment, EndpointId};
use crate::state::Scope;

use super::{Event, Reconciler};

/// What was there when the lock was lost.
#[derive(Debug)]
pub(super) struct Lost {
    /// The ports in the database.
    ports: BTreeMap<EndpointId, Arc<Attachment>>,
    /// Endpoints of the transaction that was under way, of which it is not known whether it was made.
    ours: BTreeSet<EndpointId>,
    /// Whether it was told that another one has it.
    told: bool,
    /// Whether it is ours again, and only not yet known what was changed.
    catching_up: bool,
}

impl Reconciler {
    /// Whether what is planned may be carried out.
    pub(super) fn rules(&self) -> bool {
        *self.ruling.borrow()
    }

    /// Looks whether the lock is ours. Comes before whatever else has arrived is looked at: what that tells may be the
    /// work of another.
    pub(super) fn look_at_lock(&mut self) {
        if self.lock.is_held() {
            if let Some(lost) = self.lost.as_mut().filter(|lost| !lost.catching_up) {
                lost.catching_up = true;
                let (database, outbox) = (self.shells.database.clone(), self.outbox.clone());
                tokio::spawn(async move {
                    let seen = database.seen_all().await.is_ok();
                    let _ = outbox.send(Event::CaughtUp(seen)).await;
                });
            }
            return;
        }
        let lost = self.lost.get_or_insert_with(|| Lost {
            ports: self.observed.ports.iter().map(|(of, row)| (*of, Arc::clone(&row.attachment))).collect(),
            ours: std::mem::take(&mut self.rows_under_way),
            told: false,
            catching_up: false,
        });
        lost.catching_up = false;
        self.ruling.send_replace(false);
        if self.lock.is_contended() && !lost.told {
            lost.told = true;
            let why = self.shells.database.locked();
            tracing::warn!("{why}; nothing is changed until it ends");
            self.rows_trouble = Some(why.to_string());
        }
    }

    /// The lock was won again, and all is seen that was changed meanwhile, unless it was lost once more.
    pub(super) fn take_caught_up(&mut self, seen: bool, now: Instant) {
        if !seen || !self.lock.is_held() {
            if let Some(lost) = &mut self.lost {
                lost.catching_up = false;
            }
            return;
        }
        let Some(lost) = self.lost.take_if(|lost| lost.catching_up) else { return };
        self.observe_rows();
        self.adopt_changed(&lost);
        self.rows_trouble = None;
        self.ruling.send_replace(true);
        self.rows.wake(&());
        self.reread(now);
        if lost.told {
            tracing::info!("no other Flowport rules any more: going on");
        }
    }

    /// The ports that another one made or changed meanwhile are desired as they are, as they would be after a start. What it
    /// took away it left a mark of.
    fn adopt_changed(&mut self, lost: &Lost) {
        if matches!(self.desired.scope, Scope::Only(_)) {
            return;
        }
        let is_other = |endpoint: &EndpointId, attachment: &Arc<Attachment>| {
            attachment.host_link == endpoint.host_link()
                && !lost.ours.contains(endpoint)
                && lost.ports.get(endpoint) != Some(attachment)
                && self.desired.attachments.get(endpoint) != Some(attachment)
                && !self.is_waited_for(endpoint)
        };
        let ports = self.observed.ports.iter().filter(|(endpoint, row)| is_other(endpoint, &row.attachment));
        let ports: Vec<_> = ports.map(|(of, row)| (*of, Arc::clone(&row.attachment))).collect();
        for (endpoint, attachment) in ports {
            tracing::info!(%endpoint, container = %attachment.container, "a port that another Flowport changed is adopted");
            self.adopt(endpoint, attachment);
        }
    }

    /// Whether a caller waits for what becomes of the endpoint.
    pub(super) fn is_waited_for(&self, endpoint: &EndpointId) -> bool {
        self.waiting.iter().any(|waiting| waiting.before.contains_key(endpoint))
    }
}
