//! The codec: one message of a kind, over and over.

#![allow(missing_docs)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowport_openflow::{
    Action, BufferId, Cookie, FlowMod, FlowStats, IpProto, Masked, Match, Message, MultipartReplyBody,
    OxmField, PacketIn, PacketInReason, TableId,
};

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).unwrap_or_default();
    bytes
}

/// 144 bytes: five fields, two actions, and a table to go to.
fn flow_mod() -> Message {
    let matches = Match::builder()
        .in_port(3)
        .ipv4()
        .ip_proto(IpProto::TCP)
        .ipv4_dst(Masked::ipv4_prefix([10, 1, 0, 0].into(), 16))
        .tcp_dst(443)
        .build();
    let set = Action::set_field(OxmField::EthDst([2, 0, 0, 0, 0, 7].into()));
    let flow = FlowMod::add(10, 100, matches.unwrap_or_default()).apply([set, Action::output(7)]).goto(20);
    Message::new(7, flow)
}

/// 128 bytes, of which 86 are the packet.
fn packet_in() -> Message {
    let packet_in = PacketIn {
        buffer_id: BufferId::NO_BUFFER,
        total_len: 86,
        reason: PacketInReason::NO_MATCH,
        table_id: TableId(0),
        cookie: Cookie(0),
        matches: Match::builder().in_port(3).build().unwrap_or_default(),
        data: vec![0x55; 86].into(),
    };
    Message::new(0, packet_in)
}

/// Replies with 10 000 flows of five fields and two actions, as messages.
fn flow_stats() -> Vec<Bytes> {
    let Message { body: flowport_openflow::Body::FlowMod(flow), .. } = flow_mod() else { return vec![] };
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
    let reply = |n| {
        encoded(&Message::new(
            1,
            flowport_openflow::Body::from(MultipartReplyBody::Flow(vec![stats.clone(); n])),
        ))
    };
    (0..25).map(|_| reply(400).into()).collect()
}

fn codec(c: &mut Criterion) {
    for (name, message, len) in [("flow_mod_144", flow_mod(), 144), ("packet_in_128", packet_in(), 128)] {
        let bytes = encoded(&message);
        assert_eq!(bytes.len(), len);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(len as u64));
        let mut out = Vec::with_capacity(1 << 16);
        group.bench_function("encode", |b| {
            b.iter(|| {
                out.clear();
                black_box(&message).encode(&mut out)
            });
        });
        group.bench_function("decode_copying", |b| b.iter(|| Message::decode(black_box(&bytes))));
        let shared = Bytes::from(bytes.clone());
        group.bench_function("decode_shared", |b| b.iter(|| Message::decode_shared(black_box(&shared))));
        group.finish();
    }
    let replies = flow_stats();
    let mut group = c.benchmark_group("flow_stats_10000");
    group.throughput(Throughput::Bytes(replies.iter().map(|reply| reply.len() as u64).sum()));
    group.bench_function("decode", |b| {
        b.iter(|| replies.iter().map(Message::decode_shared).filter(Result::is_ok).count());
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
