//! Bundles on their way: open, all messages and close go out without waiting for answers; commit only when the close has
//! been answered without a refusal before it, since a datapath would commit what is left of a bundle after one.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use super::event::{BundleError, Event};
use super::output::CHUNK;
use super::take_xids;
use crate::message::error::ErrorMessage;
use crate::message::experimenter::{BundleAdd, BundleControl, BundleControlType, BundleFlags, BundleId};
use crate::message::{self, Body};
use crate::types::Xid;

/// All or nothing, in the order given.
const FLAGS: BundleFlags = BundleFlags(BundleFlags::ATOMIC.0 | BundleFlags::ORDERED.0);

#[derive(Debug, Default)]
pub(super) struct Bundles {
    last_id: u32,
    open: HashMap<BundleId, Bundle>,
    /// Those whose time was up in the middle, of which nothing is to stay in the datapath; and the xid to say so.
    abandoned: HashMap<BundleId, Xid>,
}

#[derive(Debug)]
struct Bundle {
    /// Of the open request; those of the messages follow, then that of the close request.
    first: Xid,
    count: u32,
    /// What of it has not been encoded.
    unsent: Option<Unsent>,
    /// Of the commit or discard request, once it is sent.
    last: Option<Xid>,
    stage: Stage,
    /// Why it will not be committed, and which message is to blame.
    trouble: Option<(Option<usize>, BundleError)>,
    deadline: Instant,
}

struct Unsent {
    messages: Box<dyn Iterator<Item = Body> + Send>,
    /// How many requests have been encoded, the first to open the bundle.
    encoded: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Messages go out, or the answer to the close request is awaited.
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
    /// The xid of the close request, or of a discard request in its place.
    fn end(&self) -> Xid {
        Xid(self.first.0 + self.count + 1)
    }

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
    /// Takes a bundle, of which [`encode`](Self::encode) makes the bytes.
    pub(super) fn open(
        &mut self,
        deadline: Instant,
        next_xid: &mut u32,
        messages: impl ExactSizeIterator<Item = Body> + Send + 'static,
    ) -> BundleId {
        self.last_id = self.last_id.wrapping_add(1);
        let id = BundleId(self.last_id);
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX).min(u32::MAX - 2);
        let bundle = Bundle {
            first: take_xids(next_xid, count + 2),
            count,
            unsent: Some(Unsent { messages: Box::new(messages.take(count as usize)), encoded: 0 }),
            last: None,
            stage: Stage::Closing,
            trouble: None,
            deadline,
        };
        self.open.insert(id, bundle);
        id
    }

    /// Appends the next piece of a bundle; whether more is to come. What has had trouble is not sent to its end.
    pub(super) fn encode(&mut self, id: BundleId, out: &mut Vec<u8>) -> bool {
        if let Some(xid) = self.abandoned.remove(&id) {
            put_control(id, BundleControlType::DISCARD_REQUEST, xid, out);
        }
        let Some(bundle) = self.open.get_mut(&id) else { return false };
        let Some(mut unsent) = bundle.unsent.take() else { return false };
        let result = match bundle.trouble {
            None => unsent.encode(id, bundle.first, out),
            Some(_) => Ok(Some(BundleControlType::DISCARD_REQUEST)),
        };
        let end = result.unwrap_or_else(|trouble| {
            bundle.trouble.get_or_insert(trouble);
            Some(BundleControlType::DISCARD_REQUEST)
        });
        let Some(end) = end else {
            bundle.unsent = Some(unsent);
            return true;
        };
        let xid = bundle.end();
        if end == BundleControlType::DISCARD_REQUEST {
            (bundle.last, bundle.stage) = (Some(xid), Stage::Discarding);
        }
        put_control(id, end, xid, out);
        false
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
        bundle.trouble.get_or_insert_with(|| (index, BundleError::Refused(error.clone())));
        Some(match (part, bundle.stage) {
            (Part::Close, Stage::Closing) => self.closed(id),
            (Part::Last, _) => self.failed(id),
            _ => Step::Nothing,
        })
    }

    fn closed(&self, id: BundleId) -> Step {
        let troubled = self.open.get(&id).is_some_and(|bundle| bundle.trouble.is_some());
        let (ty, stage) = match troubled {
            true => (BundleControlType::DISCARD_REQUEST, Stage::Discarding),
            false => (BundleControlType::COMMIT_REQUEST, Stage::Committing),
        };
        Step::Send(control(id, ty), stage)
    }

    fn failed(&mut self, id: BundleId) -> Step {
        match self.open.remove(&id).and_then(|bundle| bundle.trouble) {
            Some((index, error)) => Step::Done(Box::new(Event::BundleFailed { id, index, error })),
            None => Step::Nothing,
        }
    }

    /// The bundles whose time is up by `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Event> {
        let late: Vec<_> = self.open.iter().filter(|(_, b)| b.deadline <= now).map(|(id, _)| *id).collect();
        let late = late.into_iter().filter_map(|id| self.open.remove(&id).map(|bundle| (id, bundle)));
        late.map(|(id, bundle)| {
            if bundle.unsent.as_ref().is_some_and(|unsent| unsent.encoded > 0) {
                self.abandoned.insert(id, bundle.end());
            }
            let (index, error) = bundle.trouble.unwrap_or((None, BundleError::TimedOut));
            Event::BundleFailed { id, index, error }
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

impl Unsent {
    /// Appends what is next, about a piece; the request that is left to be made when that was all of it.
    fn encode(
        &mut self,
        id: BundleId,
        first: Xid,
        out: &mut Vec<u8>,
    ) -> Result<Option<BundleControlType>, (Option<usize>, BundleError)> {
        if self.encoded == 0 {
            put_control(id, BundleControlType::OPEN_REQUEST, first, out);
            self.encoded = 1;
        }
        while out.len() < CHUNK {
            let Some(body) = self.messages.next() else { return Ok(Some(BundleControlType::CLOSE_REQUEST)) };
            let (index, xid) = (self.encoded as usize - 1, Xid(first.0 + self.encoded));
            BundleAdd::encode_around(id, FLAGS, xid, &body, out)
                .map_err(|error| (Some(index), BundleError::TooLong(error)))?;
            self.encoded += 1;
        }
        Ok(None)
    }
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent").field("encoded", &self.encoded).finish_non_exhaustive()
    }
}

fn control(bundle_id: BundleId, ty: BundleControlType) -> BundleControl {
    BundleControl { bundle_id, ty, flags: FLAGS, properties: Default::default() }
}

/// A fixed length is never too long.
fn put_control(id: BundleId, ty: BundleControlType, xid: Xid, out: &mut Vec<u8>) {
    if let Err(error) = message::encode(xid, &control(id, ty).into(), out) {
        debug_assert!(false, "a bundle control is too long: {error}");
    }
}
