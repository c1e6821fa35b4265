//! The controller's side of a connection, without the connection.
//!
//! The caller owns socket and clock. After [`Session::new`] and after every call that takes `&mut self`:
//! send what [`poll_transmit`](Session::poll_transmit) gives until it gives nothing, take what
//! [`poll_event`](Session::poll_event) gives until it gives nothing, and call
//! [`handle_timeout`](Session::handle_timeout) at [`deadline`](Session::deadline). Bytes that arrive go to
//! [`handle_input`](Session::handle_input). A [`SessionError`] ends the session: send what is left to transmit (it may
//! tell the peer why) and close the connection.

mod bundle;
mod event;
mod output;
mod requests;
pub mod switch;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use event::{BundleError, Event, RequestError, SessionError};

use bytes::Bytes;

use crate::framer::{Framer, split_message};
use crate::message::config::{AsyncConfig, Features, FragmentHandling, Role, RoleConfig, SwitchConfig};
use crate::message::error::{ErrorCode, ErrorMessage};
use crate::message::experimenter::{BundleControl, BundleId, Experimenter};
use crate::message::hello::Hello;
use crate::message::{self, Body, Message, VERSION};
use crate::types::{MaxLen, Xid};
use crate::wire::{EncodeError, Reader};
use bundle::Bundles;
use output::{Output, Piece};
use requests::Requests;

/// What a caller may want to change about a session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// How long hello and features may take.
    pub handshake_timeout: Duration,
    /// After so long without a word from the datapath it is asked with an echo request; after so long again the
    /// session ends.
    pub probe_interval: Duration,
    /// How long a request may wait for its (whole) reply.
    pub request_timeout: Duration,
    /// How many bytes a multipart reply may have in all.
    pub max_reply: usize,
    /// Sent to the datapath as its configuration when the handshake is over. Open vSwitch sends no asynchronous message
    /// at all (packet-in, port-status, flow-removed) over a management socket before it has been given one that is not
    /// 0. None leaves the datapath as it is.
    pub miss_send_len: Option<MaxLen>,
}

impl Default for SessionConfig {
    /// 10 s for the handshake, 5 s between probes (which is Open vSwitch's habit), 60 s for a reply, which may be
    /// 256 MiB (about a million flow entries). Asynchronous messages are wanted, packets whole.
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            probe_interval: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            max_reply: 256 << 20,
            miss_send_len: Some(MaxLen::NO_BUFFER),
        }
    }
}

/// How far the session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Our hello is out, theirs is awaited until then.
    Hello(Instant),
    /// The versions agree; the features are awaited until then.
    Features(Xid, Instant),
    Ready,
    Failed,
}

/// A connection with a datapath, seen by its controller.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    state: State,
    framer: Framer,
    /// What cannot wait: handshake, probes and their answers.
    urgent: Vec<u8>,
    /// What the caller sends, in its order; held back until the handshake is over.
    output: Output,
    events: VecDeque<Event>,
    next_xid: u32,
    requests: Requests,
    bundles: Bundles,
    /// As the datapath has said last.
    role: Role,
    last_input: Instant,
    probe: Option<(Xid, Instant)>,
}

impl Session {
    /// Begins with our hello to be sent.
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let mut this = Self {
            state: State::Hello(now + config.handshake_timeout),
            config,
            framer: Framer::new(),
            urgent: Vec::new(),
            output: Output::default(),
            events: VecDeque::new(),
            next_xid: 1,
            requests: Requests::default(),
            bundles: Bundles::default(),
            role: Role::EQUAL,
            last_input: now,
            probe: None,
        };
        this.send_urgent(Hello::v13().into());
        this
    }

    /// Whether the handshake is over and the session lives.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Takes bytes from the datapath, in pieces of any size. The payloads of messages, such as the packets of packet-ins,
    /// are parts of one copy of `bytes`, which lives as long as any of them.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), SessionError> {
        self.check_alive()?;
        self.last_input = now;
        self.probe = None;
        self.framer.feed(bytes);
        let (messages, sound) = self.framer.take_messages();
        let result = self.messages(now, &messages);
        result.and(sound.map_err(Into::into)).inspect_err(|_| self.state = State::Failed)
    }

    fn messages(&mut self, now: Instant, messages: &Bytes) -> Result<(), SessionError> {
        let mut rest = &messages[..];
        while let Some((bytes, tail)) = split_message(rest) {
            rest = tail;
            if let State::Hello(_) = self.state {
                self.hello(now, bytes)?;
                continue;
            }
            let message = Message::decode_part(messages, bytes)?;
            match message.body {
                // By far the most frequent.
                Body::PacketIn(_) => self.events.push_back(Event::Async(message)),
                _ => self.message(now, message, bytes.len())?,
            }
        }
        Ok(())
    }

    /// The first message: a hello, or an error in whatever version the datapath speaks.
    fn hello(&mut self, now: Instant, bytes: &[u8]) -> Result<(), SessionError> {
        if let [_, 1, _, _, _, _, _, _, body @ ..] = bytes {
            let error: ErrorMessage = Reader::new("ErrorMessage", body).get()?;
            return Err(SessionError::HelloRefused {
                text: String::from_utf8_lossy(&error.data).into_owned(),
            });
        }
        let message = Message::decode(bytes)?;
        let Body::Hello(hello) = message.body else {
            return Err(SessionError::NoHello { got: message.body.name() });
        };
        if !hello.supports(VERSION) {
            let text = format!("this controller speaks OpenFlow 1.3 (version {VERSION:#04x}) only");
            let refusal = ErrorMessage { error: ErrorCode::INCOMPATIBLE, data: text.into_bytes().into() };
            // With the datapath's own version, lest it throw the message away unread.
            let start = self.urgent.len();
            self.put_urgent(message.xid, &Body::Error(refusal));
            if let Some(version) = self.urgent.get_mut(start) {
                *version = hello.version.min(VERSION);
            }
            return Err(SessionError::Version { highest: hello.version });
        }
        let xid = self.send_urgent(Body::FeaturesRequest);
        self.state = State::Features(xid, now + self.config.handshake_timeout);
        Ok(())
    }

    fn message(&mut self, now: Instant, message: Message, len: usize) -> Result<(), SessionError> {
        let Message { xid, body } = message;
        match body {
            Body::EchoRequest(data) => self.put_urgent(xid, &Body::EchoReply(data)),
            Body::FeaturesReply(features) if matches!(self.state, State::Features(asked, _) if asked == xid) =>
            {
                self.ready(now, features);
            }
            Body::Error(error) => match self.state {
                State::Features(asked, _) if asked == xid => return Err(SessionError::Refused(error)),
                _ => self.refused(xid, error),
            },
            Body::Experimenter(Experimenter::BundleControl(control)) if self.bundles.awaits(xid) => {
                self.bundle_control(xid, &control);
            }
            body => {
                match &body {
                    Body::RoleReply(given) => self.role = given.role,
                    Body::Experimenter(Experimenter::RoleStatus(status)) => self.role = status.role,
                    _ => {}
                }
                let events = self.requests.reply(xid, body, len, self.config.max_reply);
                self.events.extend(events);
            }
        }
        Ok(())
    }

    fn ready(&mut self, now: Instant, features: Features) {
        self.state = State::Ready;
        self.last_input = now;
        if let Some(miss_send_len) = self.config.miss_send_len {
            self.send_urgent(Body::SetConfig(SwitchConfig {
                flags: FragmentHandling::NORMAL,
                miss_send_len,
            }));
        }
        self.events.push_back(Event::Ready(features));
    }

    fn refused(&mut self, xid: Xid, error: ErrorMessage) {
        if let Some(step) = self.bundles.refused(xid, &error) {
            self.bundle_step(step);
            return;
        }
        self.requests.forget(xid);
        self.events.push_back(Event::Failed { xid, error: RequestError::Refused(error) });
    }

    fn bundle_control(&mut self, xid: Xid, control: &BundleControl) {
        if let Some(step) = self.bundles.replied(xid, control.ty) {
            self.bundle_step(step);
        }
    }

    fn bundle_step(&mut self, step: bundle::Step) {
        match step {
            bundle::Step::Nothing => {}
            bundle::Step::Send(control, then) => {
                let xid = self.xid();
                self.bundles.sent(control.bundle_id, xid, then);
                if let Err(error) = self.put(xid, &control.into()) {
                    debug_assert!(false, "a bundle control is too long: {error}");
                }
            }
            bundle::Step::Done(event) => self.events.push_back(*event),
        }
    }

    /// Lets time pass: probes a silent datapath, gives up on late replies, ends a session that is dead.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        self.check_alive()?;
        match self.state {
            State::Hello(until) | State::Features(_, until) if now >= until => {
                self.state = State::Failed;
                return Err(SessionError::HandshakeTimeout(self.config.handshake_timeout));
            }
            State::Ready => self.probe(now)?,
            _ => {}
        }
        let late = self.requests.expire(now);
        self.events.extend(late.map(|xid| Event::Failed { xid, error: RequestError::TimedOut }));
        self.events.extend(self.bundles.expire(now));
        Ok(())
    }

    fn probe(&mut self, now: Instant) -> Result<(), SessionError> {
        match self.probe {
            Some((_, until)) if now >= until => {
                self.state = State::Failed;
                Err(SessionError::Silent(now.duration_since(self.last_input)))
            }
            None if now >= self.last_input + self.config.probe_interval => {
                let xid = self.send_urgent(Body::EchoRequest(Default::default()));
                self.requests.ignore(xid);
                self.probe = Some((xid, now + self.config.probe_interval));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next to be called; none once the session has ended.
    pub fn deadline(&self) -> Option<Instant> {
        let own = match (self.state, self.probe) {
            (State::Hello(until) | State::Features(_, until), _) => until,
            (State::Ready, Some((_, until))) => until,
            (State::Ready, None) => self.last_input + self.config.probe_interval,
            (State::Failed, _) => return None,
        };
        [self.requests.deadline(), self.bundles.deadline(), Some(own)].into_iter().flatten().min()
    }

    /// The next piece of output, of about 64 KiB or less; what is urgent first. Bundles are encoded here, a piece at a time.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if !self.urgent.is_empty() {
            return Some(std::mem::take(&mut self.urgent));
        }
        if self.state != State::Ready {
            return None;
        }
        loop {
            let id = match self.output.pop()? {
                Piece::Bytes(bytes) => return Some(bytes),
                Piece::Bundle(id) => id,
            };
            let mut bytes = self.output.empty();
            if self.bundles.encode(id, &mut bytes) {
                self.output.put_back(id);
            }
            if !bytes.is_empty() {
                return Some(bytes);
            }
            self.output.recycle(bytes);
        }
    }

    /// Takes back what [`poll_transmit`](Self::poll_transmit) gave, once it is written, so that output to come needs no new
    /// memory.
    pub fn recycle(&mut self, written: Vec<u8>) {
        self.output.recycle(written);
    }

    /// The next event.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a message that has no reply, such as a flow-mod or a packet-out. If the datapath refuses it,
    /// [`Event::Failed`] has the xid that is returned.
    pub fn send(&mut self, body: impl Into<Body>) -> Result<Xid, EncodeError> {
        let xid = self.xid();
        self.put(xid, &body.into())?;
        Ok(xid)
    }

    /// The same with a message that the caller keeps, to change it and send it again: nothing is allocated but the output.
    pub fn send_ref(&mut self, body: &Body) -> Result<Xid, EncodeError> {
        let xid = self.xid();
        self.put(xid, body)?;
        Ok(xid)
    }

    /// Sends a request. Exactly one event will have the xid that is returned: [`Event::Reply`] with the whole reply,
    /// or [`Event::Failed`].
    pub fn request(&mut self, body: impl Into<Body>, now: Instant) -> Result<Xid, EncodeError> {
        let xid = self.xid();
        self.put(xid, &body.into())?;
        self.requests.sent(xid, now + self.config.request_timeout);
        Ok(xid)
    }

    /// Asks the datapath to finish everything before; its [`Event::Reply`] says that it has.
    pub fn barrier(&mut self, now: Instant) -> Xid {
        // Eight bytes are never too many.
        self.request(Body::BarrierRequest, now).unwrap_or_default()
    }

    /// Asks for a role. `generation_id` orders the elections among controllers: one that is behind the last is refused with
    /// [`ErrorCode::STALE`]. The role that was given is in the [`Event::Reply`], and in [`role`](Self::role) from then on.
    pub fn request_role(&mut self, now: Instant, role: Role, generation_id: u64) -> Xid {
        // A fixed length is never too long.
        self.request(Body::RoleRequest(RoleConfig { role, generation_id }), now).unwrap_or_default()
    }

    /// The role that the datapath has said last; before that, equal.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Says which asynchronous messages the datapath is to send.
    pub fn set_async(&mut self, config: AsyncConfig) -> Xid {
        self.send(Body::SetAsync(config)).unwrap_or_default()
    }

    /// Applies flow-mods and group-mods all or not at all, in their order: one atomic, ordered bundle (ONF extension
    /// 230). [`Event::BundleCommitted`] is the proof that they are applied; [`Event::BundleFailed`] says that none is,
    /// which was refused and why.
    ///
    /// The messages are taken and encoded as [`poll_transmit`](Self::poll_transmit) hands them out: the datapath works on
    /// the first while the others are made, and there is never more than a piece of them in memory.
    pub fn bundle<M>(&mut self, now: Instant, messages: M) -> BundleId
    where
        M: IntoIterator<Item = Body, IntoIter: ExactSizeIterator + Send + 'static>,
    {
        let deadline = now + self.config.request_timeout;
        let id = self.bundles.open(deadline, &mut self.next_xid, messages.into_iter());
        self.output.put_bundle(id);
        id
    }

    fn check_alive(&self) -> Result<(), SessionError> {
        match self.state {
            State::Failed => Err(SessionError::Ended),
            _ => Ok(()),
        }
    }

    fn xid(&mut self) -> Xid {
        take_xids(&mut self.next_xid, 1)
    }

    fn put(&mut self, xid: Xid, body: &Body) -> Result<(), EncodeError> {
        self.output.put(xid, body)
    }

    fn send_urgent(&mut self, body: Body) -> Xid {
        let xid = self.xid();
        self.put_urgent(xid, &body);
        xid
    }

    /// What is urgent is never longer than what came in.
    fn put_urgent(&mut self, xid: Xid, body: &Body) {
        if let Err(error) = message::encode(xid, body, &mut self.urgent) {
            debug_assert!(false, "an urgent message is too long: {error}");
        }
    }
}

/// `count` numbers in a row, never 0.
fn take_xids(next: &mut u32, count: u32) -> Xid {
    if next.checked_add(count).is_none() {
        *next = 1;
    }
    let first = *next;
    *next = next.saturating_add(count);
    Xid(first)
}

#[cfg(test)]
mod tests;
