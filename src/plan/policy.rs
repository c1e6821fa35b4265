//! Whom the rules of a bridge are about, kept from round to round.

use std::collections::BTreeSet;

use crate::model::{Attachment, EndpointId, Policy, Rule, Traffic};

/// The rules of a bridge, each with the endpoints that it is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rules(Vec<Parties>);

#[derive(Clone, Debug, PartialEq)]
struct Parties {
    rule: Rule,
    /// Those who may begin; nobody when all may.
    from: BTreeSet<EndpointId>,
    to: BTreeSet<EndpointId>,
}

/// Who may begin connections with whom, and of what; none: everybody.
pub(super) type Pair = (Option<EndpointId>, EndpointId, Traffic);

impl Rules {
    pub(super) fn new(policy: &Policy) -> Self {
        let parties =
            |rule: &Rule| Parties { rule: rule.clone(), from: BTreeSet::new(), to: BTreeSet::new() };
        Self(policy.rules.iter().map(parties).collect())
    }

    pub(super) fn join(&mut self, attachment: &Attachment) {
        for Parties { rule, from, to } in &mut self.0 {
            if rule.from.is_some() && rule.is_from(attachment) {
                from.insert(attachment.endpoint());
            }
            if rule.is_to(attachment) {
                to.insert(attachment.endpoint());
            }
        }
    }

    pub(super) fn leave(&mut self, attachment: &Attachment) {
        for Parties { from, to, .. } in &mut self.0 {
            from.remove(&attachment.endpoint());
            to.remove(&attachment.endpoint());
        }
    }

    /// All pairs.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.0.iter().flat_map(|parties| parties.to.iter().flat_map(|to| parties.to(*to)))
    }

    /// The pairs that this endpoint is one of.
    pub(super) fn pairs_of(&self, endpoint: EndpointId) -> impl Iterator<Item = Pair> {
        self.0.iter().flat_map(move |parties| {
            let as_to = parties.to.get(&endpoint).into_iter().flat_map(|to| parties.to(*to));
            let is_from = parties.from.contains(&endpoint);
            let others = parties.to.iter().filter(move |to| is_from && **to != endpoint);
            as_to.chain(others.map(move |to| (Some(endpoint), *to, parties.rule.traffic)))
        })
    }
}

impl Parties {
    fn to(&self, to: EndpointId) -> impl Iterator<Item = Pair> {
        let everybody = self.rule.from.is_none().then_some(None);
        let named = self.from.iter().filter(move |from| **from != to).map(|from| Some(*from));
        everybody.into_iter().chain(named).map(move |from| (from, to, self.rule.traffic))
    }
}
