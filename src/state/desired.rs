//! What should be.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Attachment, EndpointId};

use super::{Observed, Tracked};

/// What should be attached, and over which endpoints this plan rules.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Every attachment that is known.
    pub attachments: Tracked<EndpointId, Arc<Attachment>>,
    /// The endpoints that may be added, changed and pruned.
    pub scope: Scope,
}

/// Which endpoints a plan may touch.
#[derive(Clone, Debug, Default)]
pub enum Scope {
    /// All that are marked as ours: the daemon's.
    #[default]
    Everything,
    /// Some: those of one command.
    Only(BTreeSet<EndpointId>),
}

impl Scope {
    /// Whether the endpoint may be touched.
    pub fn holds(&self, endpoint: EndpointId) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(endpoints) => endpoints.contains(&endpoint),
        }
    }
}

impl Desired {
    /// The attachment of an endpoint that should have a port now, and may be touched: its container runs.
    pub fn wanted(&self, endpoint: EndpointId, observed: &Observed) -> Option<&Arc<Attachment>> {
        let attachment = self.attachments.get(&endpoint).filter(|_| self.scope.holds(endpoint))?;
        observed.running.contains_key(&attachment.owner).then_some(attachment)
    }

    /// Whether the endpoint should have a port now.
    pub fn wants(&self, endpoint: EndpointId, observed: &Observed) -> bool {
        self.attachments
            .get(&endpoint)
            .is_some_and(|attachment| observed.running.contains_key(&attachment.owner))
    }

    /// Whether a port that is there should go.
    pub fn unwanted(&self, endpoint: EndpointId, observed: &Observed) -> bool {
        self.scope.holds(endpoint) && !self.wants(endpoint, observed)
    }
}
