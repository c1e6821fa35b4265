//! What is fuzzed: each takes any bytes and must not panic.

use std::time::{Duration, Instant};

use flowport_openflow::message::config::{Capabilities, Features};
use flowport_openflow::{
    DatapathId, FlowMod, FlowStatsRequest, Match, Message, MultipartRequestBody, Session, SessionConfig,
    SwitchSession, SwitchSessionConfig,
};

/// Reads a message, and prints it.
pub fn decode(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let _ = format!("{message:?}");
        print(&message);
    }
}

fn print(message: &Message) {
    use flowport_openflow::{Body, MultipartReplyBody};
    let text = match &message.body {
        Body::FlowMod(flow) => {
            let text = flow.to_string();
            // What is printed is read to something, or refused in words.
            let _ = text.parse::<FlowMod>().map_err(|error| error.to_string());
            text
        }
        Body::GroupMod(group) => group.to_string(),
        Body::MeterMod(meter) => meter.to_string(),
        Body::MultipartReply(reply) => match &reply.body {
            MultipartReplyBody::Flow(flows) => flows.iter().map(ToString::to_string).collect(),
            MultipartReplyBody::GroupDesc(groups) => groups.iter().map(ToString::to_string).collect(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let _ = text;
}

/// What can be read is written to the same bytes, and read to the same again; sharing the buffer or not.
pub fn round_trip(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    let mut again = Vec::new();
    assert!(message.encode(&mut again).is_ok());
    assert_eq!(again, bytes);
    assert_eq!(Message::decode(&again).as_ref(), Ok(&message));
    assert_eq!(Message::decode_shared(&again.into()).as_ref(), Ok(&message));
}

/// Feeds both sides of a session with the bytes, cut at places that the bytes say, while time passes.
pub fn session(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut controller = Session::new(SessionConfig::default(), now);
    let features = Features {
        datapath_id: DatapathId(1),
        n_buffers: 0,
        n_tables: 1,
        auxiliary_id: 0,
        capabilities: Capabilities::NONE,
        reserved: 0,
    };
    let mut switch = SwitchSession::new(SwitchSessionConfig::new(features), now);
    // The greeting, so that what follows is looked at.
    for _ in 0..3 {
        while let Some(bytes) = controller.poll_transmit() {
            let _ = switch.handle_input(now, &bytes);
        }
        while let Some(bytes) = switch.poll_transmit() {
            let _ = controller.handle_input(now, &bytes);
        }
    }
    let _ = controller.request(MultipartRequestBody::Flow(FlowStatsRequest::all()), now);
    controller.bundle(now, [FlowMod::add(0, 1, Match::any()).into()]);
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        let (piece, tail) = tail.split_at(usize::from(*first).min(tail.len()));
        rest = tail;
        let _ = controller.handle_input(now, piece);
        let _ = switch.handle_input(now, piece);
        now += Duration::from_millis(u64::from(*first) * 10);
        let _ = controller.handle_timeout(now);
        let _ = switch.handle_timeout(now);
        while controller.poll_event().is_some() || switch.poll_event().is_some() {}
        while controller.poll_transmit().is_some() || switch.poll_transmit().is_some() {}
    }
}
