//! `rovs-openflow`. It has no decoder of flow-mods, and leaves the instructions of flow-stats to a second call.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use rovs_openflow::{ActionList, Flow, FlowStatsEntry, Header, InstructionList, Match, PacketIn, Version};

pub fn flow_mod() -> Flow {
    let matches =
        Match::new().in_port(3).eth_type(0x0800).ip_proto(6).ipv4_dst([10, 1, 0, 0].into(), 16).tcp_dst(443);
    let actions = ActionList::new().set_eth_dst([2, 0, 0, 0, 0, 7]).output(7_u32);
    let instructions = InstructionList::new().apply_actions(actions).goto_table(20);
    Flow::add().table(10).priority(100).match_fields(matches).instructions(instructions)
}

pub fn encode(flow: &Flow) -> BytesMut {
    flow.to_message(Version::Of13, 7).encode()
}

pub fn packet_in(bytes: &Bytes) {
    let mut bytes = black_box(bytes).clone();
    let header = Header::decode(&mut bytes).expect("a header");
    black_box((header.xid, PacketIn::parse(bytes).expect("a packet-in")));
}

/// How many entries there are.
pub fn flow_stats(bytes: &[u8]) -> usize {
    let mut rest = &black_box(bytes)[16..];
    let mut flows = 0;
    while !rest.is_empty() {
        let (entry, len) = FlowStatsEntry::decode(rest).expect("an entry");
        black_box((entry.decoded_instructions().expect("instructions"), entry));
        (flows, rest) = (flows + 1, &rest[len..]);
    }
    flows
}
