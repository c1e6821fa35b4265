//! The OpenFlow channel of a managed bridge, and how far its flow entries are from what they should be.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::metrics::Meters;
use crate::model::{EndpointId, LinkName};
use crate::openflow::Datapath;
use crate::pipeline::UndeclaredFlow;
use crate::plan::{Affected, FlowPlan};
use crate::state::{Desired, FlowChanges, Installed, Observed, Touched};

use super::lanes::Lane;

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) datapath: Datapath,
    pub(super) lane: Lane<()>,
    /// Why the last bundle was refused, or the channel lost.
    pub(super) trouble: Option<String>,
    /// What the datapath is to hold, as of the last round; none: it has to be made anew.
    plan: Option<FlowPlan>,
    /// What is not known to be as it should.
    doubt: Doubt,
    /// What the bundle that is under way puts right.
    under_way: Doubt,
    audits: Audits,
    /// Whether somebody waits for it to be looked at.
    awaited: bool,
    /// Whether what is known of it was read after the last change that it applied.
    fresh: bool,
    /// When the bundle that is under way was sent.
    sent: Option<Instant>,
}

/// When it is looked whether somebody else has changed flow entries of ours.
#[derive(Debug)]
struct Audits {
    count_at: Instant,
    read_at: Instant,
}

/// How often the flow entries are counted: those that are missing are back this soon.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// How often they are read, and the groups too: what was changed in place is right again this soon.
const READ_EVERY: Duration = Duration::from_secs(120);

impl Audits {
    fn after(now: Instant) -> Self {
        Self { count_at: now + COUNT_EVERY, read_at: now + READ_EVERY }
    }
}

#[derive(Debug, Default)]
struct Doubt {
    /// All that the datapath holds.
    all: bool,
    /// The flow entries of these endpoints.
    endpoints: BTreeSet<EndpointId>,
    /// What else they have to do with.
    affected: Affected,
}

impl Doubt {
    fn is_empty(&self) -> bool {
        !self.all && self.endpoints.is_empty() && self.affected.is_empty()
    }
}

impl Channel {
    pub(super) fn new(datapath: Datapath, now: Instant) -> Self {
        Self {
            datapath,
            lane: Lane::default(),
            trouble: None,
            plan: None,
            doubt: Doubt { all: true, ..Doubt::default() },
            under_way: Doubt::default(),
            audits: Audits::after(now),
            awaited: false,
            fresh: true,
            sent: None,
        }
    }

    /// What it holds has been read.
    pub(super) fn open(&mut self, now: Instant) {
        self.trouble = None;
        self.lane.end(&());
        self.under_way = Doubt::default();
        self.doubt.all = true;
        self.audits = Audits::after(now);
        self.awaited = false;
        self.fresh = true;
    }

    /// So many flow entries are there; where these are not those that were put there, they are read.
    pub(super) fn counted(&mut self, bridge: &LinkName, flows: u64, installed: &Installed) {
        self.lane.succeed(&());
        let known = installed.flow_count() as u64;
        if flows != known {
            tracing::warn!(%bridge, flows, known, "flow entries were changed by somebody else: putting them right");
            self.lane.begin(());
            self.datapath.read();
        }
    }

    /// Looks whether all is as it was left, when it is time to.
    pub(super) fn audit(&mut self, now: Instant) {
        if now >= self.audits.read_at {
            self.lane.begin(());
            self.datapath.read();
        } else if now >= self.audits.count_at {
            self.audits.count_at = now + COUNT_EVERY;
            self.lane.begin(());
            self.datapath.count();
        }
    }

    /// Whether it is to be read before anything else is done with it.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Has it be read.
    pub(super) fn read(&mut self) {
        self.lane.begin(());
        self.datapath.read();
    }

    /// It is to be looked at now, whatever was planned.
    pub(super) fn look_at(&mut self, now: Instant) {
        self.audits.read_at = now;
        self.awaited = true;
    }

    /// When it is time to look.
    pub(super) fn audit_at(&self) -> Instant {
        self.audits.count_at.min(self.audits.read_at)
    }

    /// What was under way is done.
    pub(super) fn applied(&mut self) {
        self.trouble = None;
        self.lane.succeed(&());
        self.under_way = Doubt::default();
        self.fresh = false;
    }

    /// The datapath has refused what was under way: it may hold something else than is known, and is read again. Returns
    /// whether it held just that, so that the same would be refused once more.
    pub(super) fn refused(&mut self, why: String, now: Instant) -> bool {
        self.trouble = Some(why);
        if self.fresh {
            self.lane.fail((), now);
        } else {
            self.lane.succeed(&());
        }
        self.awaited = true;
        self.doubt_all();
        self.fresh
    }

    /// Once, however often it is tried in vain.
    pub(super) fn tell_trouble(&self, bridge: &LinkName, why: &str) {
        if self.trouble.as_deref() != Some(why) {
            tracing::warn!(%bridge, why, "OpenFlow channel lost");
        }
    }

    /// What was under way is answered by nobody.
    pub(super) fn close(&mut self, why: String) {
        self.trouble = Some(why);
        self.lane.succeed(&());
        self.doubt_all();
    }

    /// Nothing is under way any more, and nothing is known.
    fn doubt_all(&mut self) {
        self.under_way = Doubt::default();
        self.doubt.all = true;
    }

    pub(super) fn touch(&mut self, bridge: &LinkName, touched: &Touched) {
        if touched.everything || touched.bridges.contains(bridge) {
            self.plan = None;
            self.doubt.all = true;
        }
        self.doubt.endpoints.extend(&touched.endpoints);
    }

    /// Whether something was observed or desired since the flow entries were last planned.
    pub(super) fn is_dirty(&self) -> bool {
        !self.doubt.is_empty()
    }

    /// Whether not all flow entries are known to be as they should.
    pub(super) fn is_pending(&self) -> bool {
        self.awaited || self.is_dirty() || !self.under_way.is_empty()
    }

    /// Whether the flow entries of the endpoint are not known to be as they should.
    pub(super) fn is_pending_for(&self, endpoint: EndpointId) -> bool {
        [&self.doubt, &self.under_way].iter().any(|doubt| doubt.all || doubt.endpoints.contains(&endpoint))
    }

    /// How long ago the bundle that has been answered was sent, if one was.
    pub(super) fn took(&mut self) -> Option<Duration> {
        self.sent.take().map(|sent| sent.elapsed())
    }

    /// Has the datapath make the changes, if any; all else is as it should be.
    pub(super) fn begin(&mut self, changes: FlowChanges, now: Instant, meters: &Meters) {
        let doubt = std::mem::take(&mut self.doubt);
        if changes.is_empty() {
            return;
        }
        self.under_way = doubt;
        self.lane.begin(());
        self.sent = Some(now);
        meters.bundle_begun(&changes);
        self.datapath.apply(changes);
    }

    /// The changes that are left to make.
    pub(super) fn plan(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        bridge: &LinkName,
        installed: &Installed,
    ) -> Result<FlowChanges, UndeclaredFlow> {
        let affected = match &mut self.plan {
            Some(plan) => plan.update(desired, observed, bridge, &self.doubt.endpoints)?,
            None => None,
        };
        let scope = &desired.scope;
        if let Some((plan, affected)) = self.plan.as_ref().zip(affected).filter(|_| !self.doubt.all) {
            self.doubt.affected.extend(affected);
            if let Some(changes) =
                plan.difference_of(&self.doubt.endpoints, &self.doubt.affected, scope, installed)?
            {
                return Ok(changes);
            }
        }
        // Too much is other, or two want the same flow entry.
        self.plan = FlowPlan::new(desired, observed, bridge);
        self.plan.as_ref().map_or(Ok(FlowChanges::default()), |plan| plan.difference(scope, installed))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::sync::mpsc;

    use super::*;
    use crate::model::Owner;
    use crate::openflow::ReadScope;

    #[tokio::test]
    async fn what_was_refused_and_is_wanted_no_more_is_not_waited_for() {
        let (reports, _reported) = mpsc::channel(1);
        let (bridge, now) = ("br0".parse().unwrap(), Instant::now());
        let datapath = Datapath::open(Path::new("/nonexistent"), &bridge, ReadScope::own(), reports);
        let (mut channel, meters) = (Channel::new(datapath, now), Meters::default());
        let endpoint = EndpointId::of(&Owner::from("c1"), &"eth1".parse().unwrap());
        channel.begin(FlowChanges::default(), now, &meters);
        channel.touch(&bridge, &Touched { endpoints: BTreeSet::from([endpoint]), ..Touched::default() });
        let changes = FlowChanges { deleted_endpoints: BTreeSet::from([endpoint]), ..FlowChanges::default() };
        channel.begin(changes, now, &meters);
        assert!(channel.is_pending_for(endpoint) && channel.is_pending());
        assert!(channel.refused("the table is full".into(), now), "it was known what it holds");
        assert!(channel.is_pending_for(endpoint) && channel.is_awaited(), "nothing is known");
        // It is desired no more, and nothing of it is there.
        channel.open(now);
        channel.begin(FlowChanges::default(), now, &meters);
        assert!(!channel.is_pending_for(endpoint) && !channel.is_pending());
    }
}
