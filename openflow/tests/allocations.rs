//! On the way of a packet-in in, and a flow-mod and a packet-out out, nothing is allocated: the caller gives
//! written output back.

#![allow(clippy::print_stdout, reason = "it tells by printing")]
#![allow(clippy::expect_used)]

use std::alloc::System;
use std::time::Instant;

use flowport_openflow::{
    Action, Body, BufferId, Cookie, Event, FlowMod, Hello, MacAddr, Match, Message, OxmField, PacketIn,
    PacketInReason, PacketOut, Session, SessionConfig, TableId,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MESSAGES: u32 = 500;

fn packet_ins() -> Vec<u8> {
    let mut bytes = Vec::new();
    for port in 0..MESSAGES {
        let packet_in = PacketIn {
            buffer_id: BufferId::NO_BUFFER,
            total_len: 60,
            reason: PacketInReason::NO_MATCH,
            table_id: TableId(0),
            cookie: Cookie(0),
            matches: Match::builder().in_port(port).build().expect("a port"),
            data: vec![0; 60].into(),
        };
        Message::new(0, packet_in).encode(&mut bytes).expect("short");
    }
    bytes
}

fn ready() -> Session {
    let now = Instant::now();
    let mut session = Session::new(SessionConfig::default(), now);
    let mut hello = Vec::new();
    Message::new(1, Hello::v13()).encode(&mut hello).expect("short");
    session.handle_input(now, &hello).expect("a hello");
    let sent = std::iter::from_fn(|| session.poll_transmit()).collect::<Vec<_>>().concat();
    let xid = sent.last_chunk().map(|xid| u32::from_be_bytes(*xid)).expect("a features request");
    // datapath 1, 254 tables.
    let features =
        [&[4, 6, 0, 32][..], &xid.to_be_bytes(), &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 254], &[0; 11]]
            .concat();
    session.handle_input(now, &features).expect("features");
    assert!(session.is_ready());
    while session.poll_event().is_some() {}
    while session.poll_transmit().is_some() {}
    session
}

#[test]
fn a_learning_switch_allocates_nothing_for_a_packet() {
    let (input, now, mut session) = (packet_ins(), Instant::now(), ready());
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    let matches = Match::builder().in_port(1).eth_dst(mac).build().expect("fields");
    let mut flow = Body::from(FlowMod::add(0, 1, matches).apply([Action::output(1)]));
    let mut out = Body::from(PacketOut::new(vec![], [Action::output(1)]));
    let mut round = || {
        session.handle_input(now, &input).expect("packet-ins");
        let mut count = 0;
        while let Some(Event::Async(Message { body: Body::PacketIn(packet_in), .. })) = session.poll_event() {
            let port = packet_in.in_port().expect("a port");
            if let (Body::FlowMod(flow), Body::PacketOut(out)) = (&mut flow, &mut out) {
                assert!(flow.matches.set(OxmField::InPort(port)));
                assert_eq!(packet_in.data.len(), 60);
                (out.in_port, out.buffer_id) = (port, packet_in.buffer_id);
                out.data = packet_in.data;
            }
            session.send_ref(&flow).expect("short");
            session.send_ref(&out).expect("short");
            count += 1;
        }
        // The buffer of what came in is used again once nobody keeps a part of it.
        if let Body::PacketOut(out) = &mut out {
            out.data = Default::default();
        }
        while let Some(written) = session.poll_transmit() {
            session.recycle(written);
        }
        count
    };
    // The first rounds make the queues and buffers as large as they need to be.
    for _ in 0..3 {
        assert_eq!(round(), MESSAGES);
    }
    let region = Region::new(GLOBAL);
    assert_eq!(round(), MESSAGES);
    let stats = region.change();
    let all = stats.allocations + stats.reallocations;
    println!("{all} allocations for {MESSAGES} packet-ins");
    assert_eq!(all, 0, "{stats:?}");
}
