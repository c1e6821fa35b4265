//! Prints the OpenFlow messages of a capture: `cargo run --example decode_pcap -- FILE.pcap`.
//!
//! Takes classic pcap files of Ethernet or raw IP over IPv4, and the segments of each TCP direction in the order in which
//! they were captured; what was sent again is left out by its sequence number.

#![allow(clippy::print_stdout, reason = "it tells by printing")]

use std::collections::HashMap;
use std::error::Error;

use flowport_openflow::{Body, Framer, Message, MultipartReplyBody};

const PORTS: [u16; 2] = [6653, 6633];

/// Addresses and ports of one direction, and where the stream is.
type Streams = HashMap<[u8; 12], (u32, Framer)>;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: decode_pcap FILE.pcap")?;
    let file = std::fs::read(path)?;
    let (header, mut rest) = file.split_at_checked(24).ok_or("no pcap file: too short")?;
    let number = match header.first_chunk() {
        Some([0xd4, 0xc3, 0xb2, 0xa1]) => u32::from_le_bytes,
        Some([0xa1, 0xb2, 0xc3, 0xd4]) => u32::from_be_bytes,
        _ => return Err("no pcap file: save it with tcpdump -w or tshark -F pcap".into()),
    };
    let word = |bytes: &[u8], at: usize| bytes.get(at..at + 4)?.try_into().ok().map(number);
    let ip_at = match word(header, 20) {
        Some(1) => 14,
        Some(101) => 0,
        other => return Err(format!("link type {other:?} is not read: capture Ethernet or raw IP").into()),
    };
    let mut streams = Streams::new();
    while let Some(len) = word(rest, 8) {
        let (packet, tail) =
            rest.get(16..).and_then(|rest| rest.split_at_checked(len as usize)).ok_or("cut short")?;
        rest = tail;
        if let Some((key, sequence, segment)) = packet.get(ip_at..).and_then(tcp_segment) {
            print(&mut streams, key, sequence, segment)?;
        }
    }
    Ok(())
}

/// Direction, sequence number and payload of a TCP segment of OpenFlow's over IPv4.
fn tcp_segment(packet: &[u8]) -> Option<([u8; 12], u32, &[u8])> {
    let (first, len) = (*packet.first()?, u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    if first >> 4 != 4 || *packet.get(9)? != 6 {
        return None;
    }
    let tcp = packet.get(usize::from(first & 0xf) * 4..usize::from(len))?;
    let key: [u8; 12] = [packet.get(12..20)?, tcp.get(..4)?].concat().try_into().ok()?;
    let port = |at| PORTS.contains(&u16::from_be_bytes([key[at], key[at + 1]]));
    let sequence = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    let payload = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    ((port(8) || port(10)) && !payload.is_empty()).then_some((key, sequence, payload))
}

fn print(streams: &mut Streams, key: [u8; 12], sequence: u32, segment: &[u8]) -> Result<(), Box<dyn Error>> {
    let (next, framer) = streams.entry(key).or_insert_with(|| (sequence, Framer::new()));
    if sequence != *next {
        return Ok(());
    }
    *next = sequence.wrapping_add(segment.len() as u32);
    framer.feed(segment);
    while let Some(bytes) = framer.next_message()? {
        match Message::decode(bytes) {
            Ok(message) => println!("{} xid={}: {}", message.body.name(), message.xid, text(&message.body)),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// As ovs-ofctl prints it where there is such a notation.
fn text(body: &Body) -> String {
    match body {
        Body::FlowMod(flow) => flow.to_string(),
        Body::GroupMod(group) => group.to_string(),
        Body::MeterMod(meter) => meter.to_string(),
        Body::Error(error) => error.to_string(),
        Body::MultipartReply(reply) => match &reply.body {
            MultipartReplyBody::Flow(flows) => flows.iter().map(|flow| format!("\n  {flow}")).collect(),
            body => format!("{body:?}"),
        },
        body => format!("{body:?}"),
    }
}
