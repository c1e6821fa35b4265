//! Attachments that are to outlive this process.

use std::sync::Arc;

use crate::model::EndpointId;
use crate::state::{Desired, Observed, RecordEffect};

/// The change of the endpoint's record that this round can begin; none when no records are kept.
pub fn record(desired: &Desired, observed: &Observed, endpoint: EndpointId) -> Option<RecordEffect> {
    let recorded = observed.records.as_ref()?.get(&endpoint);
    match desired.attachments.get(&endpoint) {
        wanted if wanted == recorded => None,
        Some(wanted) => Some(RecordEffect::Put(Arc::clone(wanted))),
        None => Some(RecordEffect::Del(endpoint)),
    }
}
