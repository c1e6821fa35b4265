use super::*;
use crate::flow_match::Match;
use crate::message::experimenter::BundleControlType;
use crate::message::flow::{FlowMod, FlowStats, FlowStatsRequest};
use crate::message::multipart::{MultipartFlags, MultipartReply, MultipartReplyBody, MultipartRequestBody};
use crate::types::{Cookie, DatapathId, TableId};

/// A session and what the other side sees of it, on a clock that stands still until it is moved.
struct Pair {
    session: Session,
    now: Instant,
    framer: Framer,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        Self { session: Session::new(SessionConfig::default(), now), now, framer: Framer::new() }
    }

    /// One whose handshake is over.
    fn ready() -> Self {
        let mut this = Self::new();
        assert!(matches!(this.sent()[..], [Message { body: Body::Hello(_), .. }]));
        this.say(0, Hello::v13()).unwrap();
        let [Message { xid, body: Body::FeaturesRequest }] = this.sent()[..] else {
            panic!("no features request")
        };
        this.say(xid, features()).unwrap();
        assert!(matches!(this.session.poll_event(), Some(Event::Ready(_))));
        assert!(matches!(this.sent()[..], [Message { body: Body::SetConfig(_), .. }]));
        this
    }

    fn sent(&mut self) -> Vec<Message> {
        while let Some(bytes) = self.session.poll_transmit() {
            self.framer.feed(&bytes);
        }
        let mut messages = Vec::new();
        while let Some(bytes) = self.framer.next_message().unwrap() {
            messages.push(Message::decode(bytes).unwrap());
        }
        messages
    }

    fn say(&mut self, xid: impl Into<Xid>, body: impl Into<Body>) -> Result<(), SessionError> {
        let mut bytes = Vec::new();
        Message::new(xid, body).encode(&mut bytes).unwrap();
        self.session.handle_input(self.now, &bytes)
    }

    fn pass(&mut self, time: Duration) -> Result<(), SessionError> {
        self.now += time;
        self.session.handle_timeout(self.now)
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

fn features() -> Body {
    Body::FeaturesReply(Features {
        datapath_id: DatapathId(1),
        n_buffers: 0,
        n_tables: 254,
        auxiliary_id: 0,
        capabilities: message::config::Capabilities::FLOW_STATS,
        reserved: 0,
    })
}

fn part(cookie: u64, more: bool) -> Body {
    let flow = FlowStats {
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
    };
    let flags = if more { MultipartFlags::MORE } else { MultipartFlags::NONE };
    MultipartReply { flags, body: MultipartReplyBody::Flow(vec![flow]) }.into()
}

fn refusal() -> ErrorMessage {
    ErrorMessage { error: ErrorCode::new(5, 1), data: Default::default() }
}

#[test]
fn nothing_but_the_handshake_goes_out_before_it_is_over() {
    let mut pair = Pair::new();
    let xid = pair.session.send(FlowMod::add(0, 1, Match::any())).unwrap();
    assert!(matches!(pair.sent()[..], [Message { body: Body::Hello(_), .. }]));
    pair.say(0, Hello::v13()).unwrap();
    let [Message { xid: asked, .. }] = pair.sent()[..] else { panic!("no features request") };
    pair.say(asked, features()).unwrap();
    let sent = pair.sent();
    assert!(
        matches!(sent[..], [Message { body: Body::SetConfig(_), .. }, Message { xid: of, body: Body::FlowMod(_) }] if of == xid)
    );
}

#[test]
fn other_versions_are_refused_in_words_and_told_so() {
    for hello in [
        Hello { version: 1, elements: vec![] },
        Hello { version: 6, elements: vec![message::hello::HelloElement::VersionBitmap(vec![1 << 6])] },
    ] {
        let highest = hello.version;
        let mut pair = Pair::new();
        pair.sent();
        let error = pair.say(3, hello).unwrap_err();
        assert_eq!(error, SessionError::Version { highest });
        assert!(error.to_string().contains("protocols=OpenFlow13"), "{error}");
        let bytes = pair.session.poll_transmit().unwrap();
        assert_eq!((bytes[0], bytes[1], &bytes[4..12]), (highest.min(4), 1, &[0, 0, 0, 3, 0, 0, 0, 0][..]));
        assert_eq!(pair.session.deadline(), None);
        assert_eq!(pair.say(0, Hello::v13()), Err(SessionError::Ended));
    }
    // A later version that says nothing of bitmaps speaks the earlier ones too.
    let mut pair = Pair::new();
    pair.say(0, Hello { version: 6, elements: vec![] }).unwrap();
}

#[test]
fn a_refused_hello_gives_its_reason() {
    let mut pair = Pair::new();
    let mut bytes = vec![1, 1, 0, 15, 0, 0, 0, 1, 0, 0, 0, 0];
    bytes.extend(b"no!");
    let error = pair.session.handle_input(pair.now, &bytes).unwrap_err();
    assert_eq!(error, SessionError::HelloRefused { text: "no!".into() });
}

#[test]
fn a_handshake_ends_in_time() {
    let mut pair = Pair::new();
    assert_eq!(pair.session.deadline(), Some(pair.now + Duration::from_secs(10)));
    pair.pass(Duration::from_secs(9)).unwrap();
    assert_eq!(
        pair.pass(Duration::from_secs(1)),
        Err(SessionError::HandshakeTimeout(Duration::from_secs(10)))
    );
}

#[test]
fn echoes_are_answered_and_silence_is_probed() {
    let mut pair = Pair::ready();
    pair.say(77, Body::EchoRequest(b"abc"[..].into())).unwrap();
    assert_eq!(pair.sent(), [Message::new(77, Body::EchoReply(b"abc"[..].into()))]);

    pair.pass(Duration::from_secs(5)).unwrap();
    let [Message { xid, body: Body::EchoRequest(_) }] = pair.sent()[..] else { panic!("no probe") };
    pair.now += Duration::from_secs(4);
    pair.say(xid, Body::EchoReply(Default::default())).unwrap();
    assert_eq!(pair.events(), []);
    assert_eq!(pair.session.deadline(), Some(pair.now + Duration::from_secs(5)));

    pair.pass(Duration::from_secs(5)).unwrap();
    assert_eq!(pair.sent().len(), 1);
    assert_eq!(pair.pass(Duration::from_secs(5)), Err(SessionError::Silent(Duration::from_secs(10))));
}

#[test]
fn parts_become_one_reply_and_what_comes_between_is_not_lost() {
    let mut pair = Pair::ready();
    let request = MultipartRequestBody::Flow(FlowStatsRequest::all());
    let a = pair.session.request(request.clone(), pair.now).unwrap();
    let b = pair.session.request(request, pair.now).unwrap();
    pair.say(b, part(10, true)).unwrap();
    pair.say(a, part(1, true)).unwrap();
    let removed = Body::Unknown { ty: 200, body: Default::default() };
    pair.say(0, removed.clone()).unwrap();
    pair.say(b, part(11, false)).unwrap();
    pair.say(a, part(2, false)).unwrap();
    let cookies = |event: &Event| match event {
        Event::Reply {
            xid,
            body: Body::MultipartReply(MultipartReply { body: MultipartReplyBody::Flow(flows), .. }),
        } => (*xid, flows.iter().map(|flow| flow.cookie.0).collect::<Vec<_>>()),
        other => panic!("{other:?}"),
    };
    let events = pair.events();
    assert_eq!(events[0], Event::Async(Message::new(0, removed)));
    assert_eq!(cookies(&events[1]), (b, vec![10, 11]));
    assert_eq!(cookies(&events[2]), (a, vec![1, 2]));
    assert_eq!(events.len(), 3);
}

#[test]
fn a_reply_without_end_is_cut_off() {
    let mut pair = Pair::ready();
    pair.session.config.max_reply = 200;
    let xid = pair.session.request(MultipartRequestBody::Flow(FlowStatsRequest::all()), pair.now).unwrap();
    for n in 0..10 {
        pair.say(xid, part(n, n < 9)).unwrap();
    }
    assert_eq!(pair.events(), [Event::Failed { xid, error: RequestError::TooLong(200) }]);
}

#[test]
fn a_request_fails_by_error_or_by_time() {
    let mut pair = Pair::ready();
    let a = pair.session.barrier(pair.now);
    pair.say(a, Body::Error(refusal())).unwrap();
    assert_eq!(pair.events(), [Event::Failed { xid: a, error: RequestError::Refused(refusal()) }]);

    let b = pair.session.barrier(pair.now);
    for _ in 0..15 {
        pair.pass(Duration::from_secs(4)).unwrap();
        pair.say(1, Body::EchoRequest(Default::default())).unwrap();
    }
    assert_eq!(pair.events(), [Event::Failed { xid: b, error: RequestError::TimedOut }]);
}

/// The messages of a bundle, checked: open, adds whose xid is that of the message inside, close.
fn bundle_parts(pair: &mut Pair, n: usize) -> (Xid, Vec<Xid>, Xid) {
    let sent = pair.sent();
    assert_eq!(sent.len(), n + 2);
    let control = |message: &Message, wanted| match &message.body {
        Body::Experimenter(Experimenter::BundleControl(control)) => assert_eq!(control.ty, wanted),
        other => panic!("{other:?}"),
    };
    control(&sent[0], BundleControlType::OPEN_REQUEST);
    control(&sent[n + 1], BundleControlType::CLOSE_REQUEST);
    for message in &sent[1..=n] {
        let Body::Experimenter(Experimenter::BundleAdd(add)) = &message.body else { panic!("{message:?}") };
        assert_eq!(add.message().unwrap().xid, message.xid);
    }
    (sent[0].xid, sent[1..=n].iter().map(|message| message.xid).collect(), sent[n + 1].xid)
}

fn answer(id: BundleId, ty: BundleControlType) -> Body {
    BundleControl { bundle_id: id, ty, flags: Default::default(), properties: Default::default() }.into()
}

fn mods(n: u16) -> impl ExactSizeIterator<Item = Body> {
    (0..n).map(|n| FlowMod::add(0, n, Match::any()).into())
}

#[test]
fn a_bundle_is_committed_only_after_its_close_is_answered() {
    let mut pair = Pair::ready();
    let id = pair.session.bundle(pair.now, mods(3));
    let (open, _, close) = bundle_parts(&mut pair, 3);
    pair.say(open, answer(id, BundleControlType::OPEN_REPLY)).unwrap();
    assert_eq!(pair.sent(), []);
    pair.say(close, answer(id, BundleControlType::CLOSE_REPLY)).unwrap();
    let [Message { xid: commit, .. }] = pair.sent()[..] else { panic!("no commit") };
    assert_eq!(pair.events(), []);
    pair.say(commit, answer(id, BundleControlType::COMMIT_REPLY)).unwrap();
    assert_eq!(pair.events(), [Event::BundleCommitted { id }]);
}

#[test]
fn a_refused_message_discards_its_bundle() {
    let mut pair = Pair::ready();
    let id = pair.session.bundle(pair.now, mods(3));
    let (_, adds, close) = bundle_parts(&mut pair, 3);
    pair.say(adds[1], Body::Error(refusal())).unwrap();
    pair.say(adds[2], Body::Error(refusal())).unwrap();
    pair.say(close, answer(id, BundleControlType::CLOSE_REPLY)).unwrap();
    let sent = pair.sent();
    let [Message { xid, body: Body::Experimenter(Experimenter::BundleControl(control)) }] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(control.ty, BundleControlType::DISCARD_REQUEST);
    pair.say(*xid, answer(id, BundleControlType::DISCARD_REPLY)).unwrap();
    assert_eq!(
        pair.events(),
        [Event::BundleFailed { id, index: Some(1), error: BundleError::Refused(refusal()) }]
    );
}

#[test]
fn a_message_refused_on_commit_is_named() {
    let mut pair = Pair::ready();
    let id = pair.session.bundle(pair.now, mods(2));
    let (_, adds, close) = bundle_parts(&mut pair, 2);
    pair.say(close, answer(id, BundleControlType::CLOSE_REPLY)).unwrap();
    let [Message { xid: commit, .. }] = pair.sent()[..] else { panic!("no commit") };
    pair.say(adds[0], Body::Error(refusal())).unwrap();
    assert_eq!(pair.events(), []);
    let failed = ErrorMessage { error: ErrorCode::BUNDLE_MSG_FAILED, data: Default::default() };
    pair.say(commit, Body::Error(failed)).unwrap();
    assert_eq!(
        pair.events(),
        [Event::BundleFailed { id, index: Some(0), error: BundleError::Refused(refusal()) }]
    );
}

#[test]
fn a_bundle_that_is_not_answered_fails_in_time() {
    let mut pair = Pair::ready();
    let id = pair.session.bundle(pair.now, mods(1));
    for _ in 0..15 {
        pair.pass(Duration::from_secs(4)).unwrap();
        pair.say(1, Body::EchoRequest(Default::default())).unwrap();
    }
    assert_eq!(pair.events(), [Event::BundleFailed { id, index: None, error: BundleError::TimedOut }]);
}

#[test]
fn an_echo_is_answered_in_the_middle_of_a_large_bundle() {
    let mut pair = Pair::ready();
    pair.session.bundle(pair.now, (0..100_000).map(|n| FlowMod::add(0, n as u16, Match::any()).into()));
    let first = pair.session.poll_transmit().unwrap();
    assert!(first.len() <= output::CHUNK + 200, "{}", first.len());
    pair.say(9, Body::EchoRequest(b"now"[..].into())).unwrap();
    let next = pair.session.poll_transmit().unwrap();
    assert_eq!(Message::decode(&next).unwrap(), Message::new(9, Body::EchoReply(b"now"[..].into())));
    pair.framer.feed(&first);
    assert_eq!(pair.sent().len(), 100_002);
}

/// A message that is longer than OpenFlow allows.
fn too_long() -> Body {
    FlowMod::add(0, 1, Match::any()).apply((0..5000).map(|_| crate::Action::output(1))).into()
}

fn control_of(message: &Message) -> Option<BundleControlType> {
    match &message.body {
        Body::Experimenter(Experimenter::BundleControl(control)) => Some(control.ty),
        _ => None,
    }
}

#[test]
fn a_message_that_is_too_long_discards_its_bundle_however_much_of_it_is_sent() {
    for before in [0, 2, 5000] {
        let mut pair = Pair::ready();
        let messages: Vec<Body> = mods(before).chain([too_long()]).chain(mods(3)).collect();
        let id = pair.session.bundle(pair.now, messages);
        let after = pair.session.barrier(pair.now);
        let sent = pair.sent();
        let (last, others) = sent.split_last().unwrap();
        assert_eq!(
            (last.xid, &last.body),
            (after, &Body::BarrierRequest),
            "in the order in which they were given"
        );
        let (discard, adds) = others.split_last().unwrap();
        assert_eq!(control_of(&adds[0]), Some(BundleControlType::OPEN_REQUEST));
        assert_eq!(adds.len(), 1 + usize::from(before), "and nothing after it");
        assert_eq!(control_of(discard), Some(BundleControlType::DISCARD_REQUEST));
        assert_eq!(pair.events(), [], "not before it is known that nothing stays");
        pair.say(discard.xid, answer(id, BundleControlType::DISCARD_REPLY)).unwrap();
        let events = pair.events();
        let [Event::BundleFailed { index, error: BundleError::TooLong(_), .. }] = events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(index, Some(usize::from(before)));
    }
}

#[test]
fn what_is_left_of_a_bundle_is_not_sent_after_a_refusal() {
    let mut pair = Pair::ready();
    let id = pair.session.bundle(pair.now, mods(20_000));
    let first = pair.session.poll_transmit().unwrap();
    pair.framer.feed(&first);
    pair.say(pair.session.next_xid - 20_002 + 1, Body::Error(refusal())).unwrap();
    let sent = pair.sent();
    assert!(sent.len() < 2000, "{}", sent.len());
    let discard = sent.last().unwrap();
    assert_eq!(control_of(discard), Some(BundleControlType::DISCARD_REQUEST));
    pair.say(discard.xid, answer(id, BundleControlType::DISCARD_REPLY)).unwrap();
    let error = BundleError::Refused(refusal());
    assert_eq!(pair.events(), [Event::BundleFailed { id, index: Some(0), error }]);
}

#[test]
fn a_bundle_whose_time_is_up_in_the_middle_is_discarded_once() {
    let mut pair = Pair::ready();
    pair.session.config.probe_interval = Duration::from_secs(3600);
    let late = pair.session.bundle(pair.now, mods(20_000));
    let unbegun = pair.session.bundle(pair.now, mods(1));
    let first = pair.session.poll_transmit().unwrap();
    pair.framer.feed(&first);
    pair.pass(Duration::from_secs(60)).unwrap();
    let failed = |id| Event::BundleFailed { id, index: None, error: BundleError::TimedOut };
    let mut events = pair.events();
    events.sort_by_key(|event| !matches!(event, Event::BundleFailed { id, .. } if *id == late));
    assert_eq!(events, [failed(late), failed(unbegun)]);
    let sent = pair.sent();
    let controls: Vec<_> = sent.iter().filter_map(control_of).collect();
    assert_eq!(controls, [BundleControlType::OPEN_REQUEST, BundleControlType::DISCARD_REQUEST]);
}

#[test]
fn garbage_ends_the_session() {
    let mut pair = Pair::ready();
    let error = pair.session.handle_input(pair.now, &[4, 10, 0, 4, 0, 0, 0, 0]).unwrap_err();
    assert!(matches!(error, SessionError::Decode(_)), "{error:?}");
    assert_eq!(pair.pass(Duration::ZERO), Err(SessionError::Ended));
}
