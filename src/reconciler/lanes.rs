//! What is under way: an effect is not begun twice, and one that failed is not repeated at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::EndpointId;

/// How long a failed effect rests; doubled with each failure in a row.
const FIRST_REST: Duration = Duration::from_millis(100);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// The effects of one kind that are under way, or rest after a failure, by what they change.
#[derive(Debug)]
pub(super) struct Lane<K> {
    entries: BTreeMap<K, Entry>,
}

impl<K> Default for Lane<K> {
    fn default() -> Self {
        Self { entries: BTreeMap::new() }
    }
}

#[derive(Debug, Default)]
struct Entry {
    busy: bool,
    failures: u32,
    rests_until: Option<Instant>,
}

impl<K: Ord + Clone> Lane<K> {
    /// Whether an effect on `key` may begin now.
    pub(super) fn is_free(&self, key: &K, now: Instant) -> bool {
        self.entries
            .get(key)
            .is_none_or(|entry| !entry.busy && entry.rests_until.is_none_or(|until| until <= now))
    }

    /// Whether an effect on `key` is under way.
    pub(super) fn is_busy(&self, key: &K) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.busy)
    }

    /// How many effects are under way.
    pub(super) fn busy(&self) -> usize {
        self.entries.values().filter(|entry| entry.busy).count()
    }

    pub(super) fn begin(&mut self, key: K) {
        self.entries.entry(key).or_default().busy = true;
    }

    pub(super) fn succeed(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// It is over, and says nothing of whether those before it that failed will.
    pub(super) fn end(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.busy = false;
        }
    }

    /// It succeeded, and rests all the same: whoever undoes it again and again does not keep us busy.
    pub(super) fn pause(&mut self, key: K, now: Instant) {
        self.entries.insert(key, Entry { rests_until: Some(now + FIRST_REST), ..Entry::default() });
    }

    pub(super) fn fail(&mut self, key: K, now: Instant) {
        let entry = self.entries.entry(key).or_default();
        entry.busy = false;
        let rest = FIRST_REST.saturating_mul(1 << entry.failures.min(10)).min(LONGEST_REST);
        entry.failures += 1;
        entry.rests_until = Some(now + rest);
    }

    /// Forgets the failures of `key`, because what it meets is new.
    pub(super) fn wake(&mut self, key: &K) {
        if self.entries.get(key).is_some_and(|entry| !entry.busy) {
            self.entries.remove(key);
        }
    }

    /// When the first rest ends that lasts beyond `now`: a rest that is over asks for nothing, because its effect was
    /// free to begin by now, and nobody may want it any more.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let rests = self.entries.values().filter(|entry| !entry.busy).filter_map(|entry| entry.rests_until);
        rests.filter(|until| *until > now).min()
    }
}

/// The lane of the kernel's links.
pub(super) type Links = Lane<EndpointId>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_rests_longer_each_time_and_a_success_forgets() {
        let mut lane = Lane::default();
        let start = Instant::now();
        lane.begin(1);
        assert!(lane.is_busy(&1) && !lane.is_free(&1, start));
        lane.fail(1, start);
        assert!(!lane.is_free(&1, start) && lane.is_free(&1, start + FIRST_REST));
        lane.begin(1);
        lane.fail(1, start);
        assert_eq!(lane.deadline(start), Some(start + 2 * FIRST_REST));
        assert_eq!(
            lane.deadline(start + 2 * FIRST_REST),
            None,
            "a rest that is over wakes nobody again and again"
        );
        for _ in 0..40 {
            lane.fail(1, start);
        }
        assert_eq!(lane.deadline(start), Some(start + LONGEST_REST));
        lane.begin(1);
        lane.succeed(&1);
        assert!(lane.is_free(&1, start) && lane.deadline(start).is_none());
    }
}
