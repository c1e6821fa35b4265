//! Requests that wait for their replies.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::event::{Event, RequestError};
use crate::message::multipart::{MultipartFlags, MultipartReply, MultipartReplyBody};
use crate::message::{Body, Message};
use crate::types::Xid;

#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: HashMap<Xid, Waiting>,
    /// In the order of their deadlines, all timeouts being the same; those that were answered stay until their turn.
    deadlines: VecDeque<(Instant, Xid)>,
}

#[derive(Debug, Default)]
struct Waiting {
    parts: Option<MultipartReplyBody>,
    len: usize,
    /// Nobody is told of the reply any more.
    ignored: bool,
}

impl Requests {
    pub(super) fn sent(&mut self, xid: Xid, deadline: Instant) {
        self.waiting.insert(xid, Waiting::default());
        self.deadlines.push_back((deadline, xid));
    }

    /// A reply to `xid` will come, and is of no interest.
    pub(super) fn ignore(&mut self, xid: Xid) {
        self.waiting.insert(xid, Waiting { ignored: true, ..Waiting::default() });
    }

    pub(super) fn forget(&mut self, xid: Xid) {
        self.waiting.remove(&xid);
        self.prune();
    }

    /// The first one's: [`prune`](Self::prune) keeps one that still waits in front.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    fn prune(&mut self) {
        while self.deadlines.front().is_some_and(|(_, xid)| !self.waits(*xid)) {
            self.deadlines.pop_front();
        }
    }

    fn waits(&self, xid: Xid) -> bool {
        self.waiting.get(&xid).is_some_and(|waiting| !waiting.ignored)
    }

    /// The requests whose time is up by `now`.
    pub(super) fn expire(&mut self, now: Instant) -> impl Iterator<Item = Xid> + use<> {
        let mut late = Vec::new();
        while let Some((_, xid)) = self.deadlines.pop_front_if_due(now) {
            if self.waits(xid) {
                self.waiting.remove(&xid);
                late.push(xid);
            }
        }
        late.into_iter()
    }

    /// What a message with this xid means: a reply, a part of one, or something that nobody asked for.
    pub(super) fn reply(&mut self, xid: Xid, body: Body, len: usize, max_reply: usize) -> Option<Event> {
        let event = self.event(xid, body, len, max_reply);
        self.prune();
        event
    }

    fn event(&mut self, xid: Xid, body: Body, len: usize, max_reply: usize) -> Option<Event> {
        if !is_reply(&body) {
            return Some(Event::Async(Message { xid, body }));
        }
        let Some(waiting) = self.waiting.get_mut(&xid) else {
            return Some(Event::Async(Message { xid, body }));
        };
        let (body, more) = match body {
            Body::MultipartReply(MultipartReply { flags, body }) => {
                (Ok(body), flags.contains(MultipartFlags::MORE))
            }
            body => (Err(body), false),
        };
        if waiting.ignored {
            if !more {
                self.waiting.remove(&xid);
            }
            return None;
        }
        let error = match body {
            Err(body) => {
                self.waiting.remove(&xid);
                return Some(Event::Reply { xid, body });
            }
            Ok(part) => waiting.add(part, len, max_reply).err(),
        };
        match (error, more) {
            (Some(error), more) => {
                self.waiting.remove(&xid);
                if more {
                    self.ignore(xid);
                }
                Some(Event::Failed { xid, error })
            }
            (None, true) => None,
            (None, false) => {
                let body = self.waiting.remove(&xid)?.parts?;
                Some(Event::Reply { xid, body: MultipartReply::from(body).into() })
            }
        }
    }
}

impl Waiting {
    fn add(&mut self, part: MultipartReplyBody, len: usize, max_reply: usize) -> Result<(), RequestError> {
        self.len = self.len.saturating_add(len);
        if self.len > max_reply {
            return Err(RequestError::TooLong(max_reply));
        }
        match &mut self.parts {
            None => self.parts = Some(part),
            Some(parts) => {
                if !parts.append(part) {
                    return Err(RequestError::Mixed);
                }
            }
        }
        Ok(())
    }
}

/// Types that a datapath sends only when asked. An experimenter's may be either.
fn is_reply(body: &Body) -> bool {
    !matches!(body, Body::PacketIn(_) | Body::FlowRemoved(_) | Body::PortStatus(_))
}

trait Deadlines {
    fn pop_front_if_due(&mut self, now: Instant) -> Option<(Instant, Xid)>;
}

impl Deadlines for VecDeque<(Instant, Xid)> {
    fn pop_front_if_due(&mut self, now: Instant) -> Option<(Instant, Xid)> {
        match self.front() {
            Some((deadline, _)) if *deadline <= now => self.pop_front(),
            _ => None,
        }
    }
}
