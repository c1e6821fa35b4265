//! What should be.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Attachment, EndpointId, Sandbox};

use super::{Attachments, Observed};

/// What should be attached, and over which endpoints this plan rules.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Every attachment that is known.
    pub attachments: Attachments,
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
        self.running(endpoint, observed)
            .map(|(attachment, _)| attachment)
            .filter(|_| self.scope.holds(endpoint))
    }

    /// The attachment of an endpoint that should have a port now, whoever may touch it, and where its container runs.
    pub fn running<'d, 'o>(
        &'d self,
        endpoint: EndpointId,
        observed: &'o Observed,
    ) -> Option<(&'d Arc<Attachment>, &'o Sandbox)> {
        let attachment = self.attachments.get(&endpoint)?;
        Some((attachment, observed.running.get(&attachment.owner)?))
    }

    /// Whether the endpoint should have a port now.
    pub fn wants(&self, endpoint: EndpointId, observed: &Observed) -> bool {
        self.running(endpoint, observed).is_some()
    }

    /// Whether a port that is there should go.
    pub fn unwanted(&self, endpoint: EndpointId, observed: &Observed) -> bool {
        self.scope.holds(endpoint) && !self.wants(endpoint, observed)
    }
}
