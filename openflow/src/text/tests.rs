use crate::action::{Action, ActionList, Instruction, Subfield};
use crate::flow_match::Match;
use crate::message::error::ErrorCode;
use crate::message::flow::FlowMod;
use crate::oxm::OxmHeader;
use crate::types::{GroupId, MacAddr, PortNo};

#[test]
fn actions() {
    let cases = [
        (Action::output(2), "output:2"),
        (Action::output(PortNo::CONTROLLER), "CONTROLLER:65535"),
        (Action::output(PortNo::IN_PORT), "IN_PORT"),
        (Action::group(GroupId(7)), "group:7"),
        (Action::resubmit_table(9), "resubmit(,9)"),
        (Action::reg_load(Subfield::bits(OxmHeader::REG3, 0, 16), 0), "load:0->NXM_NX_REG3[0..15]"),
        (Action::reg_load(Subfield::bits(OxmHeader::REG3, 5, 1), 1), "load:0x1->NXM_NX_REG3[5]"),
        (
            Action::reg_move(Subfield::whole(OxmHeader::IPV4_SRC), Subfield::whole(OxmHeader::IPV4_DST)),
            "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
        ),
    ];
    for (action, text) in cases {
        assert_eq!(action.to_string(), text);
    }
    assert_eq!(ActionList::default().to_string(), "drop");
    assert_eq!(Instruction::write_metadata(0x12, 0xff).to_string(), "write_metadata:0x12/0xff");
}

#[test]
fn a_flow_mod() {
    let matches = Match::builder().tcp().tcp_dst(80).in_port(1).build().unwrap();
    let flow = FlowMod::add(3, 7, matches).cookie(0xab).goto(4).apply([Action::output(1)]);
    assert_eq!(
        flow.to_string(),
        "ADD table:3 priority=7,tcp,in_port=1,tp_dst=80 cookie:0xab actions=output:1,goto_table:4"
    );
    let flow = FlowMod::delete(0xff, Match::any()).cookie_masked(1, 3);
    assert_eq!(flow.to_string(), "DEL table:255 priority=0 cookie:0x1/0x3 actions=drop");
}

#[test]
fn addresses_and_errors() {
    let mac: MacAddr = "02:0:00:aB:00:01".parse().unwrap();
    assert_eq!(mac.to_string(), "02:00:00:ab:00:01");
    for wrong in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "02:00:00:00:00:+1",
        "02:00:00:00:00:100",
        "g:0:0:0:0:0",
    ] {
        assert!(wrong.parse::<MacAddr>().is_err(), "{wrong}");
    }
    assert_eq!(ErrorCode::new(4, 9).to_string(), "OFPBMC_BAD_PREREQ");
    assert_eq!(ErrorCode::BUNDLE_MSG_FAILED.to_string(), "OFPBFC_MSG_FAILED");
    assert_eq!(ErrorCode::new(4, 999).to_string(), "error type 4 code 999");
}
