use super::*;
use crate::message::Message;

fn refused(bytes: &[u8]) -> DecodeError {
    Message::decode(bytes).unwrap_err()
}

#[test]
fn errors_name_structure_offset_and_reason() {
    assert_eq!(refused(&[4, 14, 0, 7, 0, 0, 0, 1]).to_string(), "Message at byte 0: impossible length 7");
    assert_eq!(
        refused(&[4, 21, 0, 8, 0, 0, 0]).to_string(),
        "Message at byte 0: truncated, 8 bytes due and 7 left"
    );
    assert_eq!(refused(&[4, 21, 0, 8, 0, 0, 0, 1, 9]).to_string(), "Message at byte 8: 1 bytes too many");
    assert_eq!(refused(&[4, 21, 0, 9, 0, 0, 0, 1, 9]).to_string(), "Message at byte 8: 1 bytes too many");
    assert_eq!(
        refused(&[1, 21, 0, 8, 0, 0, 0, 1]).to_string(),
        "Message at byte 0: OpenFlow version 0x01 is not 0x04 (1.3)"
    );
    let role = [4, 24, 0, 24, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(refused(&role).to_string(), "RoleConfig at byte 12: padding is not zero");
}

#[test]
fn inner_lengths_cannot_reach_outside() {
    // A packet-out whose actions claim more bytes than there are.
    let mut packet_out = vec![4, 13, 0, 24, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, 0, 8];
    packet_out.extend([0; 6]);
    let error = refused(&packet_out);
    assert_eq!((error.structure(), error.offset()), ("PacketOut", 24));
    assert_eq!(error.reason(), Reason::Truncated { need: 8, have: 0 });
    // An action inside them that is longer than they are.
    packet_out[3] = 32;
    packet_out.extend([0, 0, 0, 16, 0, 0, 0, 1]);
    let error = refused(&packet_out);
    assert_eq!((error.structure(), error.offset()), ("Action", 28));
    // And one that is shorter than its header.
    packet_out[27] = 3;
    assert_eq!(refused(&packet_out).reason(), Reason::Length(3));
}

#[test]
fn a_message_that_is_too_long_is_not_encoded() {
    let message = Message::new(1, crate::message::Body::EchoRequest(vec![0; 65_528].into()));
    let mut out = vec![7];
    assert_eq!(message.encode(&mut out), Err(EncodeError { len: 65_536 }));
    assert_eq!(out, [7]);
    let message = Message::new(1, crate::message::Body::EchoRequest(vec![0; 65_527].into()));
    assert_eq!(message.encode(&mut out), Ok(()));
    assert_eq!(out.len(), 1 + 65_535);
}

#[test]
fn actions_inside_actions_do_not_exhaust_the_stack() {
    // A packet-out with one clone inside another, 4000 deep.
    let mut actions = Vec::new();
    for depth in (1..=4000_u16).rev() {
        let len = (16 * (4001 - depth)).to_be_bytes();
        actions.splice(0..0, [0xff, 0xff, len[0], len[1], 0, 0, 0x23, 0x20, 0, 42, 0, 0, 0, 0, 0, 0]);
    }
    let len = (actions.len() as u16).to_be_bytes();
    let mut bytes =
        vec![4, 13, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, len[0], len[1]];
    bytes.extend([0; 6]);
    bytes.extend(actions);
    let len = bytes.len();
    put_len(&mut bytes, 2, len);
    let message = Message::decode(&bytes).unwrap();
    let mut again = Vec::new();
    message.encode(&mut again).unwrap();
    assert!(again == bytes);
}
