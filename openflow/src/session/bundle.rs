//! Bundles on their way: open, all messages and close go out at once; commit only when the close has been answered
//! without a refusal before it, since a datapath would commit what is left of a bundle after one.

use std::collections::HashMap;
use std::time::Instant;

use super::event::{BundleError, Event};
use super::output::Output;
use super::take_xids;
use crate::message::error::ErrorMessage;
use crate::message::experimenter::{BundleAdd, BundleControl, BundleControlType, BundleFlags, BundleId};
use crate::message::{Body, Message};
use crate::types::Xid;
use crate::wire::EncodeError;

/// All or nothing, in the order given.
const FLAGS: BundleFlags = BundleFlags(BundleFlags::ATOMIC.0 | BundleFlags::ORDERED.0);

#[derive(Debug, Default)]
pub(super) struct Bundles {
    last_id: u32,
    open: HashMap<BundleId, Bundle>,
}

#[derive(Debug)]
struct Bundle {
    /// Of the open request; those of the messages follow, then that of the close request.
    first: Xid,
    count: u32,
    /// Of the commit or discard request, once it is sent.
    last: Option<Xid>,
    stage: Stage,
    refusal: Option<(Option<usize>, ErrorMessage)>,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// The answer to the close request is awaited.
    Closing,
    /// The answer to the commit request is awaited.
    Committing,
    /// The answer to the discard request is awaited.
    Discarding,
}

/// What is to be done next about a bundle.
#[derive(Debug)]
pub(super) enum Step {
    Nothing,
    Send(BundleControl, Stage),
    Done(Box<Event>),
}

/// Which request of a bundle an xid belongs to.
enum Part {
    Open,
    Add(usize),
    Close,
    Last,
}

impl Bundle {
    fn part(&self, xid: Xid) -> Option<Part> {
        if self.last == Some(xid) {
            return Some(Part::Last);
        }
        match xid.0.checked_sub(self.first.0)? {
            0 => Some(Part::Open),
            n if n <= self.count => Some(Part::Add(n as usize - 1)),
            n if n == self.count + 1 => Some(Part::Close),
            _ => None,
        }
    }
}

impl Bundles {
    /// Encodes open request, messages and close request, or says why it cannot be.
    pub(super) fn open(
        &mut self,
        deadline: Instant,
        next_xid: &mut u32,
        messages: impl IntoIterator<Item = Body>,
    ) -> (BundleId, Result<Output, Event>) {
        self.last_id = self.last_id.wrapping_add(1);
        let id = BundleId(self.last_id);
        let messages: Vec<_> = messages.into_iter().collect();
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX - 2).min(u32::MAX - 2);
        let first = take_xids(next_xid, count + 2);
        let result = encode(id, first, messages).map_err(|(index, error)| Event::BundleFailed {
            id,
            index,
            error: BundleError::TooLong(error),
        });
        if result.is_ok() {
            let bundle = Bundle { first, count, last: None, stage: Stage::Closing, refusal: None, deadline };
            self.open.insert(id, bundle);
        }
        (id, result)
    }

    /// Whether `xid` is of a request of some bundle.
    pub(super) fn awaits(&self, xid: Xid) -> bool {
        self.find(xid).is_some()
    }

    /// Notes the request that [`Step::Send`] asked for.
    pub(super) fn sent(&mut self, id: BundleId, xid: Xid, stage: Stage) {
        if let Some(bundle) = self.open.get_mut(&id) {
            (bundle.last, bundle.stage) = (Some(xid), stage);
        }
    }

    /// The datapath did as it was asked.
    pub(super) fn replied(&mut self, xid: Xid, ty: BundleControlType) -> Option<Step> {
        let (id, _) = self.find(xid)?;
        let stage = self.open.get(&id)?.stage;
        Some(match (stage, ty) {
            (Stage::Closing, BundleControlType::CLOSE_REPLY) => self.closed(id),
            (Stage::Committing, BundleControlType::COMMIT_REPLY) => {
                self.open.remove(&id);
                Step::Done(Box::new(Event::BundleCommitted { id }))
            }
            (Stage::Discarding, BundleControlType::DISCARD_REPLY) => self.failed(id),
            _ => Step::Nothing,
        })
    }

    /// The datapath refused one of a bundle's requests; none if it was not of a bundle.
    pub(super) fn refused(&mut self, xid: Xid, error: &ErrorMessage) -> Option<Step> {
        let (id, part) = self.find(xid)?;
        let bundle = self.open.get_mut(&id)?;
        let index = match part {
            Part::Add(index) => Some(index),
            Part::Open | Part::Close | Part::Last => None,
        };
        // The first refusal is the cause, and the others follow from it.
        bundle.refusal.get_or_insert_with(|| (index, error.clone()));
        Some(match (part, bundle.stage) {
            (Part::Close, Stage::Closing) => self.closed(id),
            (Part::Last, _) => self.failed(id),
            _ => Step::Nothing,
        })
    }

    fn closed(&self, id: BundleId) -> Step {
        let refused = self.open.get(&id).is_some_and(|bundle| bundle.refusal.is_some());
        let (ty, stage) = match refused {
            true => (BundleControlType::DISCARD_REQUEST, Stage::Discarding),
            false => (BundleControlType::COMMIT_REQUEST, Stage::Committing),
        };
        Step::Send(control(id, ty), stage)
    }

    fn failed(&mut self, id: BundleId) -> Step {
        match self.open.remove(&id).and_then(|bundle| bundle.refusal) {
            Some((index, error)) => {
                Step::Done(Box::new(Event::BundleFailed { id, index, error: BundleError::Refused(error) }))
            }
            None => Step::Nothing,
        }
    }

    /// The bundles whose time is up by `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Event> {
        let late: Vec<_> = self.open.iter().filter(|(_, b)| b.deadline <= now).map(|(id, _)| *id).collect();
        late.into_iter()
            .filter_map(|id| self.open.remove(&id).map(|bundle| (id, bundle)))
            .map(|(id, bundle)| match bundle.refusal {
                Some((index, error)) => Event::BundleFailed { id, index, error: BundleError::Refused(error) },
                None => Event::BundleFailed { id, index: None, error: BundleError::TimedOut },
            })
            .collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.values().map(|bundle| bundle.deadline).min()
    }

    /// Few bundles are ever open at once.
    fn find(&self, xid: Xid) -> Option<(BundleId, Part)> {
        self.open.iter().find_map(|(id, bundle)| Some((*id, bundle.part(xid)?)))
    }
}

fn control(bundle_id: BundleId, ty: BundleControlType) -> BundleControl {
    BundleControl { bundle_id, ty, flags: FLAGS, properties: Default::default() }
}

fn encode(id: BundleId, first: Xid, messages: Vec<Body>) -> Result<Output, (Option<usize>, EncodeError)> {
    let mut output = Output::default();
    let whole = |error| (None, error);
    output.put(first, &control(id, BundleControlType::OPEN_REQUEST).into()).map_err(whole)?;
    let mut xid = first;
    for (index, body) in messages.into_iter().enumerate() {
        xid = Xid(xid.0 + 1);
        let this = |error| (Some(index), error);
        let add = BundleAdd::new(id, FLAGS, &Message { xid, body }).map_err(this)?;
        output.put(xid, &add.into()).map_err(this)?;
    }
    let close = control(id, BundleControlType::CLOSE_REQUEST);
    output.put(Xid(xid.0 + 1), &close.into()).map_err(whole)?;
    Ok(output)
}
