//! Callers that wait until what they asked for has converged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use crate::model::{Attachment, EndpointId, LinkName, Owner};
use crate::plan::{Status, status};
use crate::state::Datapath as Seen;

use crate::refused::Refused;

use super::Reconciler;

/// How long what is refused may take to be undone before its caller is told all the same.
const UNDO_TIME: Duration = Duration::from_secs(5);

/// What is desired of each endpoint, or was.
pub(super) type Before = BTreeMap<EndpointId, Option<Arc<Attachment>>>;

/// One caller.
#[derive(Debug)]
pub(super) struct Waiting {
    /// What it changed, each with what was desired before: the way back.
    pub(super) before: Before,
    /// The same, each with what it desires.
    pub(super) after: Before,
    /// Managed bridges whose flow entries it waits for.
    pub(super) bridges: BTreeSet<LinkName>,
    /// The bridge whose links it waits for.
    pub(super) host_links: Option<LinkName>,
    /// When it is told what is still missing.
    pub(super) deadline: Instant,
    /// Why it is refused; it is answered when everything is as it was before.
    pub(super) refused: Option<Refused>,
    /// True when the caller wants no more of it.
    pub(super) interrupted: Option<watch::Receiver<bool>>,
    /// Where the answer goes.
    pub(super) answer: oneshot::Sender<Result<Outcome, Refused>>,
    /// Where it hears how far it is; a full queue drops news, because newer news follow.
    pub(super) progress: mpsc::Sender<Progress>,
    /// What it has heard last.
    pub(super) told: Option<Progress>,
}

/// What came of an intent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// How many ports were attached, detached or changed.
    pub ports: usize,
}

/// How far an intent has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Ports that have converged.
    pub done: usize,
    /// Ports in all.
    pub of: usize,
}

impl Waiting {
    fn tell(&mut self, done: usize) {
        let progress = Progress { done, of: self.before.len() };
        if self.told.replace(progress) != Some(progress) {
            let _ = self.progress.try_send(progress);
        }
    }
}

impl Waiting {
    /// Whether the caller was interrupted, or is not there any more.
    fn has_left(&self) -> bool {
        self.answer.is_closed() || self.interrupted.as_ref().is_some_and(|interrupted| *interrupted.borrow())
    }
}

enum Verdict {
    Converged,
    Missing(String),
    Failed(String),
}

impl Reconciler {
    /// Answers those whose wish has converged, and turns back those whose wish failed or whose time is up.
    pub(super) fn answer(&mut self, now: Instant) {
        let mut nth = 0;
        while nth < self.waiting.len() {
            if self.waiting[nth].has_left() && self.waiting[nth].refused.is_none() {
                self.turn_back(nth, Refused::interrupted(), now);
            }
            let (verdict, done) = self.verdict(&self.waiting[nth]);
            let waiting = &mut self.waiting[nth];
            waiting.tell(done);
            let late = now >= waiting.deadline;
            match (verdict, waiting.refused.is_some()) {
                (Verdict::Converged, _) => {
                    let waiting = self.waiting.remove(nth);
                    let outcome = Outcome { ports: waiting.before.len() };
                    // A caller who has gone needs no answer.
                    let _ = waiting.answer.send(waiting.refused.map_or(Ok(outcome), Err));
                    continue;
                }
                (Verdict::Failed(why), false) => self.turn_back(nth, Refused::other(why), now),
                (Verdict::Missing(what), false) if late => {
                    self.turn_back(
                        nth,
                        Refused::other(format!("timed out (--timeout gives longer): {what}")),
                        now,
                    );
                }
                (Verdict::Missing(_) | Verdict::Failed(_), true) if late => {
                    let waiting = self.waiting.remove(nth);
                    let _ = waiting
                        .answer
                        .send(Err(waiting.refused.unwrap_or_else(|| Refused::other("timed out"))));
                    continue;
                }
                (Verdict::Missing(_) | Verdict::Failed(_), _) => {}
            }
            nth += 1;
        }
    }

    /// And how many of its ports have converged.
    fn verdict(&self, waiting: &Waiting) -> (Verdict, usize) {
        let mut done = 0;
        let mut first_missing = None;
        for endpoint in waiting.before.keys() {
            match status(&self.desired, &self.observed, *endpoint, self.flows_pending(*endpoint)) {
                Status::Converged => done += 1,
                Status::Failed(why) => {
                    return (Verdict::Failed(self.named(*endpoint, &why.to_string())), done);
                }
                Status::Missing(what) => {
                    first_missing.get_or_insert((*endpoint, what));
                }
            }
        }
        let bridge = waiting.bridges.iter().find(|bridge| self.bridge_flows_pending(bridge));
        let verdict = match (first_missing, bridge) {
            (Some((endpoint, what)), _) => {
                let trouble = self.rows_trouble.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                Verdict::Missing(self.named(endpoint, &what.to_string()) + &trouble)
            }
            (None, Some(bridge)) => {
                let trouble = self.datapaths.get(bridge).and_then(|channel| channel.trouble.as_ref());
                let trouble = trouble.map(|why| format!(" ({why})")).unwrap_or_default();
                Verdict::Missing(format!("the flow entries are not in {bridge} yet{trouble}"))
            }
            (None, None) => match &waiting.host_links {
                Some(bridge) if !self.has_host_links(bridge) => {
                    Verdict::Missing(format!("the links of {bridge} are not set up yet"))
                }
                _ => Verdict::Converged,
            },
        };
        (verdict, done)
    }

    fn named(&self, endpoint: EndpointId, what: &str) -> String {
        match self.desired.attachments.get(&endpoint) {
            Some(attachment) => format!("{} of {}: {what}", attachment.interface, attachment.container),
            None => what.to_owned(),
        }
    }

    pub(super) fn flows_pending(&self, endpoint: EndpointId) -> bool {
        let attached =
            self.desired.attachments.get(&endpoint).filter(|_| self.desired.wants(endpoint, &self.observed));
        match attached {
            Some(attachment) => match self.datapaths.get(&attachment.bridge) {
                Some(channel) => channel.is_pending_for(endpoint) || !self.is_read(&attachment.bridge),
                None => self.bridge_flows_pending(&attachment.bridge),
            },
            // Its port row goes after them, so that where the row is gone they can only be leftovers.
            None => self.observed.datapaths.values().any(
                |datapath| matches!(datapath, Seen::Read(installed) if installed.has_flows_of(endpoint)),
            ),
        }
    }

    /// Whether a managed bridge is not yet known to forward as it should.
    fn bridge_flows_pending(&self, bridge: &LinkName) -> bool {
        match self.datapaths.get(bridge) {
            Some(channel) => channel.is_dirty() || channel.lane.is_busy(&()) || !self.is_read(bridge),
            None => self.observed.bridges.get(bridge).is_some_and(|bridge| bridge.managed),
        }
    }

    pub(super) fn is_read(&self, bridge: &LinkName) -> bool {
        matches!(self.observed.datapaths.get(bridge), Some(Seen::Read(_)))
    }

    /// Refuses every caller who waits for one of these endpoints.
    pub(super) fn refuse(&mut self, endpoints: &BTreeSet<EndpointId>, why: &Refused) {
        let now = Instant::now();
        for nth in 0..self.waiting.len() {
            let waiting = &self.waiting[nth];
            if waiting.refused.is_none() && waiting.before.keys().any(|endpoint| endpoints.contains(endpoint))
            {
                self.turn_back(nth, why.clone(), now);
            }
        }
    }

    /// Refuses every caller who waits for this bridge alone.
    pub(super) fn refuse_bridge(&mut self, bridge: &LinkName, why: &Refused) {
        let now = Instant::now();
        for nth in 0..self.waiting.len() {
            let waiting = &self.waiting[nth];
            if waiting.refused.is_none() && waiting.bridges.contains(bridge) {
                self.turn_back(nth, why.clone(), now);
            }
        }
    }

    /// Refuses every caller who waits for this link of a bridge.
    pub(super) fn refuse_host_link(&mut self, link: &LinkName, why: &Refused) {
        let now = Instant::now();
        for nth in 0..self.waiting.len() {
            let waiting = &self.waiting[nth];
            let bridge = waiting.host_links.as_ref().and_then(|bridge| self.observed.bridges.get(bridge));
            if waiting.refused.is_none() && bridge.is_some_and(|bridge| bridge.links.contains_key(link)) {
                self.turn_back(nth, why.clone(), now);
            }
        }
    }

    /// Desires again what was desired before the caller came; the plan then undoes what was made.
    pub(super) fn turn_back(&mut self, nth: usize, why: Refused, now: Instant) {
        let waiting = &mut self.waiting[nth];
        for (endpoint, before) in &waiting.before {
            // What others have changed since is theirs.
            if self.desired.attachments.get(endpoint) != waiting.after.get(endpoint).and_then(Option::as_ref)
            {
                continue;
            }
            match before {
                Some(attachment) => self.desired.attachments.insert(*endpoint, Arc::clone(attachment)),
                None => self.desired.attachments.remove(endpoint),
            };
        }
        waiting.refused = Some(why);
        waiting.bridges.clear();
        waiting.host_links = None;
        waiting.deadline = now + UNDO_TIME;
        self.wake();
    }

    /// A container has ended: whoever waits for its ports, but changed nothing of them, waits no more.
    pub(super) fn wait_no_more(&mut self, endpoints: &BTreeSet<EndpointId>) {
        for Waiting { before, after, .. } in &mut self.waiting {
            before.retain(|endpoint, was| !endpoints.contains(endpoint) || after.get(endpoint) != Some(was));
        }
    }

    /// A container is no more: its attachments are nobody's, and nobody who is turned back brings them back.
    pub(super) fn forget(&mut self, owner: &Owner) {
        let of_it: Vec<EndpointId> = self.desired.attachments.of(owner).map(|(of, _)| *of).collect();
        of_it.iter().for_each(|endpoint| drop(self.desired.attachments.remove(endpoint)));
        let ways_back = self.waiting.iter_mut().flat_map(|waiting| waiting.before.values_mut());
        for before in ways_back {
            before.take_if(|attachment| attachment.owner == *owner);
        }
    }

    /// Has another round follow this one.
    fn wake(&self) {
        // A full inbox brings the next round by itself.
        let _ = self.outbox.try_send(super::Event::Wake);
    }
}
