//! What should be attached, by endpoint and by container.

use std::collections::btree_map::Iter;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use crate::model::{Attachment, EndpointId, Owner};

use super::Tracked;

/// The attachments that are known. Those of one container are found without a look at all others: thousands start at once.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    all: Tracked<EndpointId, Arc<Attachment>>,
    of_owner: BTreeMap<Owner, BTreeSet<EndpointId>>,
}

impl Attachments {
    /// As [`BTreeMap::insert`].
    pub fn insert(&mut self, endpoint: EndpointId, attachment: Arc<Attachment>) -> Option<Arc<Attachment>> {
        let owner = attachment.owner.clone();
        let before = self.all.insert(endpoint, attachment);
        if let Some(before) = before.as_ref().filter(|before| before.owner != owner) {
            self.forget(endpoint, &before.owner);
        }
        self.of_owner.entry(owner).or_default().insert(endpoint);
        before
    }

    /// Inserts it unless there is one.
    pub fn insert_new(&mut self, endpoint: EndpointId, attachment: &Arc<Attachment>) {
        if !self.all.contains_key(&endpoint) {
            self.insert(endpoint, Arc::clone(attachment));
        }
    }

    /// As [`BTreeMap::remove`].
    pub fn remove(&mut self, endpoint: &EndpointId) -> Option<Arc<Attachment>> {
        let removed = self.all.remove(endpoint)?;
        self.forget(*endpoint, &removed.owner);
        Some(removed)
    }

    /// Keeps those for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&EndpointId, &Attachment) -> bool) {
        let unwanted = self.all.iter().filter(|(endpoint, attachment)| !keep(endpoint, attachment));
        let unwanted: Vec<EndpointId> = unwanted.map(|(endpoint, _)| *endpoint).collect();
        unwanted.iter().for_each(|endpoint| drop(self.remove(endpoint)));
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.retain(|_, _| false);
    }

    /// Those of one container.
    pub fn of(&self, owner: &Owner) -> impl Iterator<Item = (&EndpointId, &Arc<Attachment>)> {
        let endpoints = self.of_owner.get(owner).into_iter().flatten();
        endpoints.filter_map(|endpoint| self.all.get_key_value(endpoint))
    }

    /// The containers that have any.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.of_owner.keys()
    }

    /// The endpoints whose attachments have changed since this was last asked.
    pub fn take_changed(&mut self) -> BTreeSet<EndpointId> {
        self.all.take_changed()
    }

    fn forget(&mut self, endpoint: EndpointId, owner: &Owner) {
        if let Some(endpoints) = self.of_owner.get_mut(owner) {
            endpoints.remove(&endpoint);
            if endpoints.is_empty() {
                self.of_owner.remove(owner);
            }
        }
    }
}

impl Deref for Attachments {
    type Target = BTreeMap<EndpointId, Arc<Attachment>>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl PartialEq for Attachments {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl From<BTreeMap<EndpointId, Arc<Attachment>>> for Attachments {
    fn from(all: BTreeMap<EndpointId, Arc<Attachment>>) -> Self {
        let mut attachments = Self::default();
        all.into_iter().for_each(|(endpoint, attachment)| drop(attachments.insert(endpoint, attachment)));
        attachments
    }
}

impl<'a> IntoIterator for &'a Attachments {
    type Item = (&'a EndpointId, &'a Arc<Attachment>);
    type IntoIter = Iter<'a, EndpointId, Arc<Attachment>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vlan;

    fn attachment(container: &str, interface: &str) -> Arc<Attachment> {
        Arc::new(Attachment {
            owner: Owner::from(container),
            container: container.parse().unwrap(),
            bridge: "br0".parse().unwrap(),
            interface: interface.parse().unwrap(),
            host_link: String::new(),
            addresses: vec![],
            gateways: vec![],
            routes: vec![],
            mac: "02:00:00:00:00:01".parse().unwrap(),
            mtu: None,
            vlan: Vlan::default(),
            trunks: vec![],
        })
    }

    #[test]
    fn those_of_a_container_are_those_that_are_there() {
        let all = [attachment("a", "eth1"), attachment("a", "eth2"), attachment("b", "eth1")];
        let mut attachments = Attachments::default();
        for attachment in &all {
            assert_eq!(attachments.insert(attachment.endpoint(), Arc::clone(attachment)), None);
        }
        let of = |attachments: &Attachments, nth: usize| {
            attachments.of(&all[nth].owner).map(|(of, _)| *of).collect::<BTreeSet<_>>()
        };
        assert_eq!(of(&attachments, 0), BTreeSet::from([all[0].endpoint(), all[1].endpoint()]));
        assert_eq!(attachments.owners().count(), 2);
        assert_eq!(attachments.take_changed().len(), 3);

        attachments.remove(&all[0].endpoint());
        assert_eq!(of(&attachments, 0), BTreeSet::from([all[1].endpoint()]));
        attachments.insert_new(all[1].endpoint(), &all[1]);
        attachments.retain(|endpoint, _| *endpoint != all[1].endpoint());
        assert_eq!(of(&attachments, 0), BTreeSet::new());
        assert_eq!((attachments.owners().count(), attachments.len()), (1, 1));
        assert_eq!(attachments.take_changed(), BTreeSet::from([all[0].endpoint(), all[1].endpoint()]));
        attachments.clear();
        assert!(attachments.is_empty() && attachments.owners().next().is_none());
    }
}
