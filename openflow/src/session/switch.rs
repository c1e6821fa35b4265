//! The datapath's side of a connection, without the connection: for tests, simulators and load generators.
//!
//! The verbs are those of [`Session`](super::Session): bytes and the time go in, bytes and [`SwitchEvent`]s come out.
//! Greeting, echoes, features, configuration, roles and the masks of asynchronous messages are answered here; bundles are
//! collected here; everything else is handed to the caller, in order, who answers with [`reply`](SwitchSession::reply) or
//! [`refuse`](SwitchSession::refuse).

mod bundle;
mod event;
mod split;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use event::{SwitchError, SwitchEvent};

use super::output::{Output, Piece};
use bytes::Bytes;

use crate::framer::{Framer, split_message};
use crate::message::config::{AsyncConfig, Features, FragmentHandling, Role, RoleConfig, SwitchConfig};
use crate::message::error::{ErrorCode, ErrorMessage};
use crate::message::experimenter::{BundleId, Experimenter};
use crate::message::hello::Hello;
use crate::message::multipart::{MultipartFlags, MultipartRequest, MultipartRequestBody};
use crate::message::{Body, Message, VERSION};
use crate::types::{MaxLen, Xid};
use crate::wire::{EncodeError, Reader};
use bundle::Bundles;

/// What a datapath is to its controller.
#[derive(Clone, Debug)]
pub struct SwitchSessionConfig {
    /// What it says of itself.
    pub features: Features,
    /// How long the greeting may take.
    pub handshake_timeout: Duration,
    /// After so long without a word from the controller it is asked with an echo request; after so long again the
    /// session ends. None: never.
    pub probe_interval: Option<Duration>,
    /// How many bytes the messages of all open bundles may have.
    pub max_bundles: usize,
    /// How many bytes a request in parts may have.
    pub max_request: usize,
}

impl SwitchSessionConfig {
    /// 10 s for the greeting, 5 s between probes (which is Open vSwitch's habit), 256 MiB of bundles, 1 MiB of request.
    pub fn new(features: Features) -> Self {
        Self {
            features,
            handshake_timeout: Duration::from_secs(10),
            probe_interval: Some(Duration::from_secs(5)),
            max_bundles: 256 << 20,
            max_request: 1 << 20,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Our hello is out, theirs is awaited until then.
    Hello(Instant),
    Ready,
    Failed,
}

/// A connection with a controller, seen by the datapath.
#[derive(Debug)]
pub struct SwitchSession {
    config: SwitchSessionConfig,
    state: State,
    framer: Framer,
    output: Output,
    events: VecDeque<SwitchEvent>,
    next_xid: u32,
    switch_config: SwitchConfig,
    role: Role,
    /// Of the last election; none before the first.
    generation_id: Option<u64>,
    asynchronous: AsyncConfig,
    bundles: Bundles,
    /// Requests of which parts are still to come.
    parts: Vec<(Xid, MultipartRequest, usize)>,
    last_input: Instant,
    probe: Option<(Xid, Instant)>,
}

impl SwitchSession {
    /// Begins with our hello to be sent.
    pub fn new(config: SwitchSessionConfig, now: Instant) -> Self {
        let mut this = Self {
            state: State::Hello(now + config.handshake_timeout),
            config,
            framer: Framer::new(),
            output: Output::default(),
            events: VecDeque::new(),
            next_xid: 1,
            switch_config: SwitchConfig { flags: FragmentHandling::NORMAL, miss_send_len: MaxLen(128) },
            role: Role::EQUAL,
            generation_id: None,
            // What the specification has before anybody has asked for something else.
            asynchronous: AsyncConfig {
                packet_in_mask: [0x7, 0],
                port_status_mask: [0x7, 0x7],
                flow_removed_mask: [0xf, 0],
            },
            bundles: Bundles::default(),
            parts: Vec::new(),
            last_input: now,
            probe: None,
        };
        let xid = this.xid();
        this.put(xid, &Hello::v13().into());
        this
    }

    /// Whether the greeting is over and the session lives.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// The part that this controller plays.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Takes bytes from the controller, in pieces of any size.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> Result<(), SwitchError> {
        self.check_alive()?;
        self.last_input = now;
        self.probe = None;
        self.framer.feed(bytes);
        let (messages, sound) = self.framer.take_messages();
        let result = self.messages(&messages);
        result.and(sound.map_err(Into::into)).inspect_err(|_| self.state = State::Failed)
    }

    fn messages(&mut self, messages: &Bytes) -> Result<(), SwitchError> {
        let mut rest = &messages[..];
        while let Some((bytes, tail)) = split_message(rest) {
            rest = tail;
            match self.state {
                State::Hello(_) => self.hello(bytes)?,
                _ => self.message(messages, bytes)?,
            }
        }
        Ok(())
    }

    fn hello(&mut self, bytes: &[u8]) -> Result<(), SwitchError> {
        if let [_, 1, _, _, _, _, _, _, body @ ..] = bytes {
            let error: ErrorMessage = Reader::new("ErrorMessage", body).get()?;
            return Err(SwitchError::HelloRefused {
                text: String::from_utf8_lossy(&error.data).into_owned(),
            });
        }
        let message = Message::decode(bytes)?;
        let Body::Hello(hello) = message.body else {
            return Err(SwitchError::NoHello { got: message.body.name() });
        };
        if !hello.supports(VERSION) {
            let text = format!("this datapath speaks OpenFlow 1.3 (version {VERSION:#04x}) only");
            let error = ErrorMessage { error: ErrorCode::INCOMPATIBLE, data: text.into_bytes().into() };
            self.put(message.xid, &Body::Error(error));
            return Err(SwitchError::Version { highest: hello.version });
        }
        self.state = State::Ready;
        self.events.push_back(SwitchEvent::Ready);
        Ok(())
    }

    /// A message that cannot be read is refused, and the session goes on: its length is sound.
    fn message(&mut self, buffer: &Bytes, bytes: &[u8]) -> Result<(), SwitchError> {
        let message = match Message::decode_part(buffer, bytes) {
            Ok(message) => message,
            Err(error) => {
                let [version, _, _, _, a, b, c, d, ..] = *bytes else { return Err(error.into()) };
                let code = if version == VERSION { ErrorCode::BAD_LEN } else { ErrorCode::BAD_VERSION };
                self.refuse_bytes(Xid(u32::from_be_bytes([a, b, c, d])), code, bytes);
                return Ok(());
            }
        };
        let Message { xid, body } = message;
        match body {
            Body::Hello(_) => {}
            Body::EchoRequest(data) => self.put(xid, &Body::EchoReply(data)),
            Body::EchoReply(_) => {}
            Body::FeaturesRequest => self.put(xid, &Body::FeaturesReply(self.config.features.clone())),
            Body::GetConfigRequest => self.put(xid, &Body::GetConfigReply(self.switch_config.clone())),
            Body::SetConfig(config) => self.switch_config = config,
            Body::GetAsyncRequest => self.put(xid, &Body::GetAsyncReply(self.asynchronous.clone())),
            Body::SetAsync(config) => self.asynchronous = config,
            Body::RoleRequest(wanted) => self.role_request(xid, wanted, bytes),
            body if self.role == Role::SECONDARY && changes(&body) => {
                self.refuse_bytes(xid, ErrorCode::IS_SECONDARY, bytes);
            }
            Body::Experimenter(Experimenter::BundleControl(control)) => {
                match self.bundles.control(&control) {
                    Ok(bundle::Done::Reply(reply)) => self.put(xid, &reply.into()),
                    Ok(bundle::Done::Commit(messages)) => {
                        self.events.push_back(SwitchEvent::Commit { xid, id: control.bundle_id, messages });
                    }
                    Err(code) => self.refuse_bytes(xid, code, bytes),
                }
            }
            Body::Experimenter(Experimenter::BundleAdd(add)) => {
                if let Err(code) = self.bundles.add(xid, &add, self.config.max_bundles) {
                    self.refuse_bytes(xid, code, bytes);
                }
            }
            Body::MultipartRequest(request) => self.part(xid, request, bytes),
            body => self.events.push_back(SwitchEvent::Request(Message { xid, body })),
        }
        Ok(())
    }

    /// Puts the parts of a request together.
    fn part(&mut self, xid: Xid, next: MultipartRequest, bytes: &[u8]) {
        let more = next.flags.contains(MultipartFlags::MORE);
        let place = self.parts.iter().position(|(of, ..)| *of == xid);
        let (mut request, mut len) = match place.map(|place| self.parts.swap_remove(place)) {
            None => (next, 0),
            Some((_, mut request, len)) => match (&mut request.body, next.body) {
                (MultipartRequestBody::TableFeatures(all), MultipartRequestBody::TableFeatures(next)) => {
                    all.extend(next);
                    (request, len)
                }
                _ => return self.refuse_bytes(xid, ErrorCode::BAD_TYPE, bytes),
            },
        };
        len += bytes.len();
        if len > self.config.max_request {
            return self.refuse_bytes(xid, ErrorCode::MULTIPART_BUFFER_OVERFLOW, bytes);
        }
        match more {
            true => self.parts.push((xid, request, len)),
            false => {
                request.flags = MultipartFlags::NONE;
                let body = Body::MultipartRequest(request);
                self.events.push_back(SwitchEvent::Request(Message { xid, body }));
            }
        }
    }

    /// Elections count upwards, around zero too: one that is behind the last is stale.
    fn role_request(&mut self, xid: Xid, wanted: RoleConfig, bytes: &[u8]) {
        let election = wanted.role == Role::PRIMARY || wanted.role == Role::SECONDARY;
        let stale = |last: u64| (wanted.generation_id.wrapping_sub(last) as i64) < 0;
        match wanted.role {
            Role::NOCHANGE | Role::EQUAL | Role::PRIMARY | Role::SECONDARY => {}
            _ => return self.refuse_bytes(xid, ErrorCode::BAD_ROLE, bytes),
        }
        if election {
            if self.generation_id.is_some_and(stale) {
                return self.refuse_bytes(xid, ErrorCode::STALE, bytes);
            }
            self.generation_id = Some(wanted.generation_id);
        }
        if wanted.role != Role::NOCHANGE && wanted.role != self.role {
            self.role = wanted.role;
            self.events.push_back(SwitchEvent::RoleChanged(self.role));
        }
        let generation_id = self.generation_id.unwrap_or(u64::MAX);
        self.put(xid, &Body::RoleReply(RoleConfig { role: self.role, generation_id }));
    }

    /// Lets time pass: probes a silent controller, ends a session that is dead.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), SwitchError> {
        self.check_alive()?;
        let dead = match (self.state, self.probe, self.config.probe_interval) {
            (State::Hello(until), ..) if now >= until => {
                Some(SwitchError::HandshakeTimeout(self.config.handshake_timeout))
            }
            (State::Ready, Some((_, until)), _) if now >= until => {
                Some(SwitchError::Silent(now.duration_since(self.last_input)))
            }
            (State::Ready, None, Some(interval)) if now >= self.last_input + interval => {
                let xid = self.xid();
                self.put(xid, &Body::EchoRequest(Default::default()));
                self.probe = Some((xid, now + interval));
                None
            }
            _ => None,
        };
        match dead {
            Some(error) => {
                self.state = State::Failed;
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next to be called; none if there is nothing to wait for.
    pub fn deadline(&self) -> Option<Instant> {
        match (self.state, self.probe) {
            (State::Hello(until), _) | (State::Ready, Some((_, until))) => Some(until),
            (State::Ready, None) => self.config.probe_interval.map(|interval| self.last_input + interval),
            (State::Failed, _) => None,
        }
    }

    /// The next piece of output, of about 64 KiB or less.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match self.output.pop()? {
            Piece::Bytes(bytes) => Some(bytes),
            // A datapath has none to send.
            Piece::Bundle(_) => None,
        }
    }

    /// Takes back what [`poll_transmit`](Self::poll_transmit) gave, once it is written, so that output to come needs no new
    /// memory.
    pub fn recycle(&mut self, written: Vec<u8>) {
        self.output.recycle(written);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SwitchEvent> {
        self.events.pop_front()
    }

    /// Answers a request; a multipart reply in as many messages as it takes.
    pub fn reply(&mut self, xid: Xid, body: impl Into<Body>) -> Result<(), EncodeError> {
        match body.into() {
            Body::MultipartReply(reply) => {
                let parts = split::encode(xid, &reply.body)?;
                parts.into_iter().for_each(|part| self.output.put_bytes(part));
                Ok(())
            }
            body => self.output.put(xid, &body),
        }
    }

    /// Refuses a request, of which the first 64 bytes go back with the reason.
    pub fn refuse(&mut self, request: &Message, code: ErrorCode) {
        let mut bytes = Vec::new();
        // A message that came in can go out.
        if request.encode(&mut bytes).is_ok() {
            self.refuse_bytes(request.xid, code, &bytes);
        }
    }

    /// Says that the messages of [`SwitchEvent::Commit`] are applied.
    pub fn committed(&mut self, xid: Xid, id: BundleId) {
        let reply = self.bundles.committed(id);
        self.put(xid, &reply.into());
    }

    /// Says that no message of [`SwitchEvent::Commit`] is applied, since `message` was refused.
    pub fn commit_failed(&mut self, xid: Xid, id: BundleId, message: &Message, code: ErrorCode) {
        self.refuse(message, code);
        let request = self.bundles.committed(id);
        self.refuse(&Message { xid, body: request.into() }, ErrorCode::BUNDLE_MSG_FAILED);
    }

    /// Sends a packet-in, flow-removed or port-status, if this controller wants such a one: its role and its masks say so.
    /// Anything else is sent in any case. False if it was not wanted.
    pub fn notify(&mut self, body: impl Into<Body>) -> Result<bool, EncodeError> {
        let body = body.into();
        if !self.wants(&body) {
            return Ok(false);
        }
        self.output.put(Xid(0), &body)?;
        Ok(true)
    }

    fn wants(&self, body: &Body) -> bool {
        let (masks, reason) = match body {
            Body::PacketIn(packet) => (self.asynchronous.packet_in_mask, packet.reason.0),
            Body::PortStatus(status) => (self.asynchronous.port_status_mask, status.reason.0),
            Body::FlowRemoved(removed) => (self.asynchronous.flow_removed_mask, removed.reason.0),
            _ => return true,
        };
        let [others, secondary] = masks;
        let mask = if self.role == Role::SECONDARY { secondary } else { others };
        mask.checked_shr(reason.into()).is_some_and(|bits| bits & 1 == 1)
    }

    fn refuse_bytes(&mut self, xid: Xid, code: ErrorCode, request: &[u8]) {
        let data = request.get(..64).unwrap_or(request);
        self.put(xid, &Body::Error(ErrorMessage { error: code, data: data.into() }));
    }

    fn check_alive(&self) -> Result<(), SwitchError> {
        match self.state {
            State::Failed => Err(SwitchError::Ended),
            _ => Ok(()),
        }
    }

    fn xid(&mut self) -> Xid {
        super::take_xids(&mut self.next_xid, 1)
    }

    /// For messages that are never too long: their size is fixed, or that of what came in.
    fn put(&mut self, xid: Xid, body: &Body) {
        if let Err(error) = self.output.put(xid, body) {
            debug_assert!(false, "an answer is too long: {error}");
        }
    }
}

/// Whether a message changes the datapath, which a secondary controller may not.
fn changes(body: &Body) -> bool {
    let bundle = |experimenter: &Experimenter| {
        matches!(experimenter, Experimenter::BundleControl(_) | Experimenter::BundleAdd(_))
    };
    match body {
        Body::PacketOut(_) | Body::FlowMod(_) | Body::GroupMod(_) | Body::PortMod(_) => true,
        Body::TableMod(_) | Body::MeterMod(_) => true,
        Body::Experimenter(experimenter) => bundle(experimenter),
        Body::MultipartRequest(request) => {
            matches!(&request.body, MultipartRequestBody::TableFeatures(tables) if !tables.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
