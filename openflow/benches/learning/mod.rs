//! A learning switch from memory to memory: session and codec together, each packet-in answered with a flow-mod and a
//! packet-out.

#![allow(missing_docs, unreachable_pub)]

use std::time::Instant;

use flowport_openflow::message::config::{Capabilities, Features};
use flowport_openflow::{
    Action, Body, BufferId, Cookie, DatapathId, Event, FlowMod, MacAddr, Match, MaxLen, Message, OxmField,
    PacketIn, PacketInReason, PacketOut, Session, SessionConfig, SwitchSession, SwitchSessionConfig, TableId,
};

/// As many packet-ins as fit into one read of 64 KiB.
pub const BATCH: usize = 512;

fn packet_in(n: u16) -> PacketIn {
    let mut packet = vec![0; 60];
    let [a, b] = n.to_be_bytes();
    packet[..14].copy_from_slice(&[2, 0, 0, 0, b, a, 2, 0, 0, 0, a, b, 8, 0]);
    PacketIn {
        buffer_id: BufferId(n.into()),
        total_len: 60,
        reason: PacketInReason::NO_MATCH,
        table_id: TableId(0),
        cookie: Cookie(0),
        matches: Match::builder().in_port(u32::from(n) % 48).build().unwrap_or_default(),
        data: packet.into(),
    }
}

/// What the datapath sends.
pub fn input() -> Vec<u8> {
    let mut input = Vec::new();
    for n in 0..BATCH as u16 {
        let _ = Message::new(0, packet_in(n)).encode(&mut input);
    }
    input
}

pub fn ready() -> Session {
    let now = Instant::now();
    let features = Features {
        datapath_id: DatapathId(1),
        n_buffers: 0,
        n_tables: 254,
        auxiliary_id: 0,
        capabilities: Capabilities::FLOW_STATS,
        reserved: 0,
    };
    let config = SessionConfig { miss_send_len: None::<MaxLen>, ..SessionConfig::default() };
    let (mut session, mut switch) =
        (Session::new(config, now), SwitchSession::new(SwitchSessionConfig::new(features), now));
    while !session.is_ready() {
        while let Some(bytes) = session.poll_transmit() {
            let _ = switch.handle_input(now, &bytes);
        }
        while let Some(bytes) = switch.poll_transmit() {
            let _ = session.handle_input(now, &bytes);
        }
    }
    while session.poll_event().is_some() {}
    session
}

pub fn learn(session: &mut Session, packet_in: &PacketIn) {
    let Some((dst, rest)) = packet_in.data.split_first_chunk::<6>() else { return };
    let Some((src, _)) = rest.split_first_chunk::<6>() else { return };
    let Some(in_port) = packet_in.in_port() else { return };
    let matches = Match::builder().in_port(in_port).eth_dst(MacAddr(*dst)).eth_src(MacAddr(*src)).build();
    let flow = FlowMod::add(0, 10, matches.unwrap_or_default()).idle_timeout(5).apply([Action::output(7)]);
    let mut out = PacketOut::new(&b""[..], [Action::output(7)]).in_port(in_port);
    out.buffer_id = packet_in.buffer_id;
    let _ = session.send(flow);
    let _ = session.send(out);
}

/// What is sent for each packet-in, kept and changed.
pub struct Templates {
    flow: Body,
    out: Body,
}

impl Templates {
    pub fn new() -> Self {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let matches = Match::builder().in_port(1).eth_dst(mac).eth_src(mac).build().unwrap_or_default();
        let flow = FlowMod::add(0, 10, matches).idle_timeout(5).apply([Action::output(7)]);
        Self { flow: flow.into(), out: PacketOut::new(&b""[..], [Action::output(7)]).into() }
    }

    pub fn learn(&mut self, session: &mut Session, packet_in: &PacketIn) {
        let Some((dst, rest)) = packet_in.data.split_first_chunk::<6>() else { return };
        let Some((src, _)) = rest.split_first_chunk::<6>() else { return };
        let Some(in_port) = packet_in.in_port() else { return };
        if let (Body::FlowMod(flow), Body::PacketOut(out)) = (&mut self.flow, &mut self.out) {
            flow.matches.set(OxmField::InPort(in_port));
            flow.matches.set(OxmField::EthDst(MacAddr(*dst).into()));
            flow.matches.set(OxmField::EthSrc(MacAddr(*src).into()));
            (out.in_port, out.buffer_id) = (in_port, packet_in.buffer_id);
        }
        let _ = session.send_ref(&self.flow);
        let _ = session.send_ref(&self.out);
    }
}

/// One read, and the answers to all that is in it; how many bytes those are.
pub fn round(session: &mut Session, input: &[u8], learn: &mut dyn FnMut(&mut Session, &PacketIn)) -> usize {
    let _ = session.handle_input(Instant::now(), input);
    while let Some(event) = session.poll_event() {
        if let Event::Async(Message { body: Body::PacketIn(packet_in), .. }) = event {
            learn(session, &packet_in);
        }
    }
    let mut sent = 0;
    while let Some(chunk) = session.poll_transmit() {
        sent += chunk.len();
        session.recycle(chunk);
    }
    sent
}
