//! Every message that can be built, dissected by tshark without complaint.

#![allow(clippy::print_stderr, reason = "it tells by printing")]
#![allow(clippy::expect_used)]

#[path = "common/messages.rs"]
mod messages;

use std::process::Command;

use flowport_openflow::{Body, Message};

/// A capture of one TCP connection to port 6653 in which each message is a segment, of link type raw IP.
fn pcap(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut out = [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65535, 101].map(u32::to_be_bytes).concat();
    let mut sequence = 1_u32;
    for segment in segments {
        let len = 40 + segment.len();
        for word in [1, 0, len as u32, len as u32] {
            out.extend_from_slice(&u32::to_be_bytes(word));
        }
        // IPv4 without options, then TCP without options: ACK and PSH.
        let [a, b] = (len as u16).to_be_bytes();
        out.extend_from_slice(&[0x45, 0, a, b, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        out.extend_from_slice(&[0x9c, 0x40, 0x19, 0xfd]);
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&[0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        out.extend_from_slice(segment);
        sequence += segment.len() as u32;
    }
    out
}

fn encoded(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    Message::new(messages::XID, body.clone()).encode(&mut bytes).expect("short");
    bytes
}

#[test]
fn tshark_dissects_every_message_without_complaint() {
    let bodies = [messages::one_of_each(), messages::of_a_datapath(), messages::of_extensions()].concat();
    let segments: Vec<_> = bodies.iter().map(encoded).collect();
    let mut file = tempfile::NamedTempFile::with_suffix(".pcap").expect("a temporary file");
    std::io::Write::write_all(&mut file, &pcap(&segments)).expect("room for it");
    let output = match Command::new("tshark")
        .args(["-V", "-O", "openflow_v4", "-d", "tcp.port==6653,openflow", "-r"])
        .arg(file.path())
        .output()
    {
        Ok(output) => output,
        Err(error) => {
            // It is a large thing to ask of everybody who runs the tests.
            eprintln!("skipped: tshark: {error}: install the package tshark");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let frames: Vec<_> = text.split("Frame ").skip(1).collect();
    assert_eq!(frames.len(), bodies.len());
    // tshark 4.0 reads past the end of experimenters' replies, those of Open vSwitch itself too.
    let undissected =
        |body: &Body| matches!(body, Body::MultipartReply(reply) if reply.body.name() == "Experimenter");
    let complaints = ["Malformed", "Expert Info (Error", "[Packet size limited", "exceeds"];
    let wrong: Vec<_> = frames
        .iter()
        .zip(&bodies)
        .filter(|(_, body)| !undissected(body))
        .filter(|(frame, _)| {
            !frame.contains("OpenFlow 1.3") || complaints.iter().any(|word| frame.contains(word))
        })
        .map(|(frame, body)| format!("{}: {frame}", body.name()))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), bodies.len(), wrong.join("\n"));
}
