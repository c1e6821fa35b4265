//! This library, and the messages.

use std::hint::black_box;

use bytes::Bytes;
use flowport_openflow::{
    Action, Body, BufferId, Cookie, FlowMod, FlowStats, IpProto, Masked, Match, Message, MultipartReplyBody,
    OxmField, PacketIn, PacketInReason, TableId,
};

pub fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).expect("short");
    bytes
}

pub fn decode(bytes: &Bytes) {
    let _ = black_box(Message::decode_shared(black_box(bytes)));
}

fn flow() -> FlowMod {
    let matches = Match::builder()
        .in_port(3)
        .ipv4()
        .ip_proto(IpProto::TCP)
        .ipv4_dst(Masked::ipv4_prefix([10, 1, 0, 0].into(), 16))
        .tcp_dst(443)
        .build()
        .expect("prerequisites");
    let set = Action::set_field(OxmField::EthDst([2, 0, 0, 0, 0, 7].into()));
    FlowMod::add(10, 100, matches).apply([set, Action::output(7)]).goto(20)
}

/// Five fields, two actions, and a table to go to.
pub fn flow_mod() -> Message {
    Message::new(7, flow())
}

/// A packet of 86 bytes.
pub fn packet_in() -> Message {
    let packet_in = PacketIn {
        buffer_id: BufferId::NO_BUFFER,
        total_len: 86,
        reason: PacketInReason::NO_MATCH,
        table_id: TableId(0),
        cookie: Cookie(0),
        matches: Match::builder().in_port(3).build().expect("no prerequisite"),
        data: vec![0x55; 86].into(),
    };
    Message::new(0, packet_in)
}

/// One message of a reply, with so many entries.
pub fn flow_stats(flows: usize) -> Message {
    let flow = flow();
    let stats = FlowStats {
        table_id: flow.table_id,
        duration_sec: 1,
        duration_nsec: 2,
        priority: 3,
        idle_timeout: 0,
        hard_timeout: 0,
        flags: Default::default(),
        cookie: Cookie(5),
        packet_count: 6,
        byte_count: 7,
        matches: flow.matches,
        instructions: flow.instructions,
    };
    Message::new(1, Body::from(MultipartReplyBody::Flow(vec![stats; flows])))
}
