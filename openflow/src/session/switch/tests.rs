//! Both sides against each other, on a clock that stands still until it is moved.

use super::*;
use crate::flow_match::Match;
use crate::message::config::Capabilities;
use crate::message::experimenter::{BundleAdd, BundleControl, BundleControlType, BundleFlags};
use crate::message::flow::{FlowMod, FlowStats, FlowStatsRequest};
use crate::message::multipart::{MultipartReplyBody, MultipartRequestBody};
use crate::message::packet::{PacketIn, PacketInReason};
use crate::session::{BundleError, Event, RequestError, Session, SessionConfig};
use crate::types::{BufferId, Cookie, DatapathId, TableId};

struct Pair {
    controller: Session,
    switch: SwitchSession,
    now: Instant,
    /// At most so many bytes at a time.
    chunk: usize,
}

fn features() -> Features {
    Features {
        datapath_id: DatapathId(7),
        n_buffers: 0,
        n_tables: 254,
        auxiliary_id: 0,
        capabilities: Capabilities::FLOW_STATS,
        reserved: 0,
    }
}

impl Pair {
    fn new(chunk: usize) -> Self {
        let now = Instant::now();
        let controller = Session::new(SessionConfig::default(), now);
        let mut this = Self {
            controller,
            switch: SwitchSession::new(SwitchSessionConfig::new(features()), now),
            now,
            chunk,
        };
        this.drive();
        assert_eq!(this.controller.poll_event(), Some(Event::Ready(features())));
        assert_eq!(this.switch.poll_event(), Some(SwitchEvent::Ready));
        this
    }

    /// Carries bytes to and fro until neither has more.
    fn drive(&mut self) {
        loop {
            let (mut idle, chunk) = (true, self.chunk);
            while let Some(bytes) = self.controller.poll_transmit() {
                idle = false;
                bytes.chunks(chunk).for_each(|piece| self.switch.handle_input(self.now, piece).unwrap());
            }
            while let Some(bytes) = self.switch.poll_transmit() {
                idle = false;
                bytes.chunks(chunk).for_each(|piece| self.controller.handle_input(self.now, piece).unwrap());
            }
            if idle {
                return;
            }
        }
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.controller.poll_event()).collect()
    }

    fn requests(&mut self) -> Vec<SwitchEvent> {
        std::iter::from_fn(|| self.switch.poll_event()).collect()
    }
}

fn flow(cookie: u64) -> FlowStats {
    FlowStats {
        table_id: TableId(0),
        duration_sec: 0,
        duration_nsec: 0,
        priority: 1,
        idle_timeout: 0,
        hard_timeout: 0,
        flags: Default::default(),
        cookie: Cookie(cookie),
        packet_count: 0,
        byte_count: 0,
        matches: Match::any(),
        instructions: vec![],
    }
}

fn packet_in(reason: PacketInReason) -> PacketIn {
    PacketIn {
        buffer_id: BufferId::NO_BUFFER,
        total_len: 60,
        reason,
        table_id: TableId(0),
        cookie: Cookie(0),
        matches: Match::builder().in_port(1).build().unwrap(),
        data: vec![0; 60].into(),
    }
}

#[test]
fn requests_are_answered_and_nothing_is_lost_in_between() {
    for chunk in [1, 13, 1 << 16] {
        let mut pair = Pair::new(chunk);
        let dump = MultipartRequestBody::Flow(FlowStatsRequest::all());
        let asked = pair.controller.request(dump, pair.now).unwrap();
        let sent = pair.controller.send(FlowMod::add(0, 1, Match::any())).unwrap();
        let barrier = pair.controller.barrier(pair.now);
        pair.drive();
        let requests = pair.requests();
        let [SwitchEvent::Request(a), SwitchEvent::Request(b), SwitchEvent::Request(c)] = &requests[..]
        else {
            panic!("{requests:?}")
        };
        assert_eq!([a.xid, b.xid, c.xid], [asked, sent, barrier]);
        // More than two messages of flows, and a packet-in among them.
        let flows: Vec<_> = (0..3000).map(flow).collect();
        pair.switch.reply(asked, MultipartReplyBody::Flow(flows.clone())).unwrap();
        assert!(pair.switch.notify(packet_in(PacketInReason::ACTION)).unwrap());
        pair.switch.refuse(b, ErrorCode::new(5, 1));
        pair.switch.reply(barrier, Body::BarrierReply).unwrap();
        pair.drive();
        let events = pair.events();
        let [
            Event::Reply { xid, body },
            Event::Async(packet),
            Event::Failed { xid: failed, error },
            Event::Reply { xid: done, .. },
        ] = &events[..]
        else {
            panic!("{} events", events.len())
        };
        assert_eq!((*xid, *failed, *done), (asked, sent, barrier));
        assert_eq!(*body, MultipartReplyBody::Flow(flows).into());
        assert!(matches!(packet.body, Body::PacketIn(_)));
        let RequestError::Refused(error) = error else { panic!("{error:?}") };
        assert_eq!((error.error, error.data.len()), (ErrorCode::new(5, 1), 56));
    }
}

#[test]
fn a_bundle_is_committed_or_not_at_all() {
    let mut pair = Pair::new(100);
    let mods = || (0..5).map(|n| Body::from(FlowMod::add(0, n, Match::any())));
    for fails in [false, true] {
        let id = pair.controller.bundle(pair.now, mods());
        pair.drive();
        let mut requests = pair.requests();
        let Some(SwitchEvent::Commit { xid, id: of, messages }) = requests.pop() else {
            panic!("{requests:?}")
        };
        assert_eq!((of, requests.len()), (id, 0));
        assert_eq!(
            messages.iter().map(|message| message.body.clone()).collect::<Vec<_>>(),
            mods().collect::<Vec<_>>()
        );
        match fails {
            false => pair.switch.committed(xid, id),
            true => pair.switch.commit_failed(xid, id, &messages[3], ErrorCode::new(5, 3)),
        }
        pair.drive();
        match &pair.events()[..] {
            [Event::BundleCommitted { id: done }] if !fails => assert_eq!(*done, id),
            [Event::BundleFailed { id: done, index: Some(3), error: BundleError::Refused(error) }]
                if fails =>
            {
                assert_eq!((*done, error.error), (id, ErrorCode::new(5, 3)));
            }
            events => panic!("{events:?}"),
        }
    }
}

#[test]
fn a_bundle_with_a_wrong_message_is_discarded() {
    let mut pair = Pair::new(1 << 16);
    let id =
        pair.controller.bundle(pair.now, [FlowMod::add(0, 1, Match::any()).into(), Body::BarrierRequest]);
    pair.drive();
    assert_eq!(pair.requests(), []);
    match &pair.events()[..] {
        [Event::BundleFailed { id: done, index: Some(1), error: BundleError::Refused(error) }] => {
            assert_eq!((*done, error.error), (id, ErrorCode::BUNDLE_MSG_UNSUP));
        }
        events => panic!("{events:?}"),
    }
}

#[test]
fn roles_are_elected_and_a_stale_election_is_refused() {
    let mut pair = Pair::new(1 << 16);
    let xid = pair.controller.request_role(pair.now, Role::PRIMARY, 5);
    pair.drive();
    let reply = Body::RoleReply(RoleConfig { role: Role::PRIMARY, generation_id: 5 });
    assert_eq!(pair.events(), [Event::Reply { xid, body: reply }]);
    assert_eq!((pair.switch.role(), pair.controller.role()), (Role::PRIMARY, Role::PRIMARY));
    let stale = pair.controller.request_role(pair.now, Role::PRIMARY, 4);
    pair.drive();
    match &pair.events()[..] {
        [Event::Failed { xid, error: RequestError::Refused(error) }] => {
            assert_eq!((*xid, error.error), (stale, ErrorCode::STALE));
        }
        events => panic!("{events:?}"),
    }
    // A secondary controller changes nothing, and hears of ports alone.
    pair.controller.request_role(pair.now, Role::SECONDARY, 6);
    let refused = pair.controller.send(FlowMod::add(0, 1, Match::any())).unwrap();
    pair.drive();
    assert_eq!(
        pair.requests(),
        [SwitchEvent::RoleChanged(Role::PRIMARY), SwitchEvent::RoleChanged(Role::SECONDARY)]
    );
    match &pair.events()[..] {
        [Event::Reply { .. }, Event::Failed { xid, error: RequestError::Refused(error) }] => {
            assert_eq!((*xid, error.error), (refused, ErrorCode::IS_SECONDARY));
        }
        events => panic!("{events:?}"),
    }
    assert!(!pair.switch.notify(packet_in(PacketInReason::ACTION)).unwrap());
}

#[test]
fn only_wanted_messages_are_sent() {
    let mut pair = Pair::new(1 << 16);
    let none = AsyncConfig { packet_in_mask: [0b10, 0], port_status_mask: [0, 0], flow_removed_mask: [0, 0] };
    pair.controller.set_async(none.clone());
    let asked = pair.controller.request(Body::GetAsyncRequest, pair.now).unwrap();
    pair.drive();
    assert_eq!(pair.events(), [Event::Reply { xid: asked, body: Body::GetAsyncReply(none) }]);
    assert!(pair.switch.notify(packet_in(PacketInReason::ACTION)).unwrap());
    assert!(!pair.switch.notify(packet_in(PacketInReason::NO_MATCH)).unwrap());
}

#[test]
fn both_sides_probe_and_live_for_an_hour() {
    let mut pair = Pair::new(1 << 16);
    let end = pair.now + Duration::from_secs(3600);
    while pair.now < end {
        pair.now = [pair.controller.deadline(), pair.switch.deadline()].into_iter().flatten().min().unwrap();
        pair.controller.handle_timeout(pair.now).unwrap();
        pair.switch.handle_timeout(pair.now).unwrap();
        pair.drive();
        assert_eq!((pair.events(), pair.requests()), (vec![], vec![]));
    }
    // Then the wire is cut.
    pair.now += Duration::from_secs(5);
    pair.switch.handle_timeout(pair.now).unwrap();
    pair.now += Duration::from_secs(5);
    assert_eq!(pair.switch.handle_timeout(pair.now), Err(SwitchError::Silent(Duration::from_secs(10))));
    assert_eq!(pair.switch.deadline(), None);
}

#[test]
fn a_message_that_cannot_be_read_is_refused_and_the_session_goes_on() {
    let mut pair = Pair::new(1 << 16);
    pair.switch.handle_input(pair.now, &[4, 14, 0, 12, 0, 0, 0, 9, 1, 2, 3, 4]).unwrap();
    pair.drive();
    match &pair.events()[..] {
        [Event::Failed { xid: Xid(9), error: RequestError::Refused(error) }] => {
            assert_eq!(error.error, ErrorCode::BAD_LEN);
        }
        events => panic!("{events:?}"),
    }
    assert!(pair.switch.is_ready());
}

#[test]
fn bundles_are_bounded_and_keep_their_rules() {
    let mut bundles = Bundles::default();
    let message = Message::new(3, FlowMod::add(0, 1, Match::any()));
    let add = |flags| BundleAdd::new(BundleId(1), flags, &message).unwrap();
    assert_eq!(bundles.add(Xid(4), &add(BundleFlags::ATOMIC), 1000), Err(ErrorCode::BUNDLE_MSG_BAD_XID));
    assert_eq!(bundles.add(Xid(3), &add(BundleFlags::ATOMIC), 10), Err(ErrorCode::BUNDLE_MSG_TOO_MANY));
    assert_eq!(bundles.add(Xid(3), &add(BundleFlags::ATOMIC), 1000), Ok(()));
    assert_eq!(bundles.add(Xid(3), &add(BundleFlags::ORDERED), 1000), Err(ErrorCode::BUNDLE_BAD_FLAGS));
    let control = |ty| BundleControl {
        bundle_id: BundleId(1),
        ty,
        flags: BundleFlags::ATOMIC,
        properties: Default::default(),
    };
    assert_eq!(
        bundles.control(&control(BundleControlType::OPEN_REQUEST)).err(),
        Some(ErrorCode::BUNDLE_EXIST)
    );
    assert!(bundles.control(&control(BundleControlType::CLOSE_REQUEST)).is_ok());
    assert_eq!(bundles.add(Xid(3), &add(BundleFlags::ATOMIC), 1000), Err(ErrorCode::BUNDLE_CLOSED));
    assert!(
        matches!(bundles.control(&control(BundleControlType::COMMIT_REQUEST)), Ok(bundle::Done::Commit(messages)) if messages.len() == 1)
    );
    assert_eq!(
        bundles.control(&control(BundleControlType::DISCARD_REQUEST)).err(),
        Some(ErrorCode::BUNDLE_BAD_ID)
    );
}
