//! What a reconciler takes for desired when it starts: the ports that are there, of containers that still are.

use std::sync::Arc;

use super::{Reconciler, strangers};

impl Reconciler {
    /// The ports that carry our marks are desired until somebody says otherwise. Where marks and records differ, a
    /// command changed the port while no daemon ran, and the marks are the newer; where it took the port away, it left
    /// a mark of that. A port that says it is on record and is not was detached, or refused, by a daemon that died before
    /// its rows were gone.
    pub(super) fn adopt_marked(&mut self) {
        let Self { desired, observed, .. } = self;
        desired.attachments.retain(|endpoint, _| !observed.detached.contains(endpoint));
        // Records that are all gone were not taken off one by one.
        let records = observed.records.as_ref().filter(|records| !records.is_empty());
        for (endpoint, row) in &observed.ports {
            if row.recorded && records.is_some_and(|records| !records.contains_key(endpoint)) {
                tracing::info!(%endpoint, "a port that was detached when the daemon died is taken away");
                continue;
            }
            // Marks of another tool tell less than our record of it.
            if row.attachment.host_link == endpoint.host_link() {
                desired.attachments.insert(*endpoint, row.attachment.clone());
            } else {
                desired.attachments.insert_new(*endpoint, &row.attachment);
            }
        }
    }

    /// The end of a namespace or process is the end of its attachments, also when nobody looked. A namespace that ended
    /// took its link along; what is mounted in its place is another one.
    pub(super) fn forget_ended(&mut self) {
        let Self { desired, observed, .. } = self;
        if observed.records.is_none() {
            return;
        }
        desired.attachments.retain(|endpoint, attachment| {
            let owner = &attachment.owner;
            let same = owner.netns_path().is_none() || observed.links.contains_key(endpoint);
            owner.is_docker() || (observed.running.contains_key(owner) && same)
        });
    }

    /// Rows of other tools do not tell by what a managed bridge knows an endpoint; its interface does.
    pub(super) async fn learn_interfaces(&mut self) {
        let strangers = self.desired.attachments.iter().filter(|(of, row)| row.host_link != of.host_link());
        for (endpoint, attachment) in strangers.map(|(of, row)| (*of, Arc::clone(row))).collect::<Vec<_>>() {
            let Some(sandbox) = self.observed.running.get(&attachment.owner) else { continue };
            match strangers::read(&sandbox.netns, &attachment).await {
                Ok(given) => given.into_iter().for_each(|given| self.learn(endpoint, given)),
                Err(error) => tracing::warn!(%endpoint, "the MAC of an adopted port is not known: {error}"),
            }
        }
    }
}
