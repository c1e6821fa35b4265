//! Attachments that are to outlive this process.

use std::sync::Arc;

use crate::state::{Desired, Observed, RecordEffect};

/// The changes of records that this round can begin; none when no records are kept.
pub fn records(desired: &Desired, observed: &Observed) -> Vec<RecordEffect> {
    let Some(recorded) = &observed.records else { return Vec::new() };
    let puts = desired.attachments.iter().filter(|(endpoint, wanted)| recorded.get(endpoint) != Some(wanted));
    let dels = recorded.keys().filter(|endpoint| !desired.attachments.contains_key(endpoint));
    puts.map(|(_, wanted)| RecordEffect::Put(Arc::clone(wanted)))
        .chain(dels.copied().map(RecordEffect::Del))
        .collect()
}
