use crate::action::{Action, ActionList};
use crate::flow_match::Match;
use crate::message::flow::{FlowMod, FlowModCommand};
use crate::message::group::{GroupDesc, GroupMod};
use crate::message::meter::MeterMod;
use crate::types::{PortNo, TableId};

/// Text that is printed as it was read.
#[test]
fn what_is_printed_is_read() {
    for text in [
        "arp,in_port=1,arp_spa=10.0.0.1,arp_op=1",
        "tcp,nw_src=10.0.0.0/8,tp_dst=80",
        "udp6,ipv6_src=fe80::/10,tp_src=0x100/0xff00",
        "icmp6,icmp_type=135,nd_target=fe80::1",
        "ct_state=+trk-new,ct_zone=7,ip,dl_vlan=3,dl_vlan_pcp=5",
        "reg0=0x1/0xff,tun_id=0x7,tun_metadata0=0x12/0xff,metadata=0x5",
        "in_port=LOCAL,dl_src=01:00:00:00:00:00/01:00:00:00:00:00",
        "vlan_tci=0x0000/0x1fff",
        "vlan_tci=0x1000/0x1000",
        "tcp,tcp_flags=+syn-ack",
    ] {
        let matches: Match = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let again: Match = matches.to_string().parse().unwrap();
        assert_eq!(again, matches, "{text}");
        assert_eq!(matches.to_string().parse::<Match>().unwrap(), matches);
    }
    for text in [
        "drop",
        "output:2,CONTROLLER:128,LOCAL,NORMAL,IN_PORT",
        "resubmit(,9),resubmit:3,resubmit(1,2,ct)",
        "set_field:0x1->reg0,set_field:02:00:00:00:00:01->eth_dst,set_field:0x1/0x3->reg1",
        "move:NXM_NX_REG0[0..15]->NXM_NX_REG1[16..31],load:0x5->NXM_NX_REG0[],push:NXM_NX_REG2[],pop:NXM_NX_REG2[0]",
        "ct(commit,table=3,zone=NXM_NX_REG0[0..15],nat(src=10.0.0.1-10.0.0.9:100-200,persistent),exec(set_field:0x1->ct_mark))",
        "ct(nat(dst=[fe80::1]-[fe80::9]:80)),clone(output:1,clone(output:2))",
        "learn(table=1,hard_timeout=60,cookie=0x5,eth_type=0x800,nw_proto=6,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],load:0x3->NXM_NX_REG0[0..3],output:NXM_NX_REG7[])",
        "multipath(symmetric_l3l4+udp,50,hrw,12,0,NXM_NX_REG0[0..15])",
        "bundle(eth_src,0,hrw,ofport,members:4,8),bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG0[],members:4,LOCAL)",
        "controller(reason=no_match,max_len=100,id=3),controller(userdata=01.02.ff,pause,meter_id=7)",
        "sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4,sampling_port=5,egress)",
        "encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),encap(ethernet),decap(),decap(packet_type(ns=1,type=0x800)),dec_nsh_ttl",
        "check_pkt_larger(1500)->NXM_NX_REG0[3],conjunction(7,2/3),note:01.02.03.04.05.06,fin_timeout(idle_timeout=3)",
        "output(port=1,max_len=100),delete_field:tun_metadata0,dec_ttl,dec_ttl(1,2),push_vlan:0x8100,pop_vlan,exit",
    ] {
        let actions: ActionList = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(actions.to_string(), text);
    }
}

#[test]
fn flows_are_read_as_printed_and_as_given_to_ovs_ofctl() {
    for text in [
        "ADD table:3 priority=7,tcp,in_port=1,tp_dst=80 cookie:0xab idle:5 hard:6 send_flow_rem actions=meter:1,output:1,write_metadata:0x1/0x3,goto_table:4",
        "DEL table:255 priority=0 cookie:0x1/0x3 out_port:2 actions=drop",
        "MOD_STRICT actions=write_actions(group:5,set_queue:1)",
    ] {
        assert_eq!(text.parse::<FlowMod>().unwrap().to_string(), text);
    }
    let flow: FlowMod =
        "table=1,priority=5,ip,nw_dst=10.0.0.1,actions=mod_dl_src:02:00:00:00:00:01,3".parse().unwrap();
    assert_eq!((flow.table_id, flow.priority, flow.command), (TableId(1), 5, FlowModCommand::ADD));
    assert_eq!(
        flow.to_string(),
        "ADD table:1 priority=5,ip,nw_dst=10.0.0.1 actions=set_field:02:00:00:00:00:01->eth_src,output:3"
    );
    let flow: FlowMod = "delete cookie=0x5/-1".parse().unwrap();
    assert_eq!((flow.table_id, flow.cookie_mask.0), (TableId::ALL, u64::MAX));
}

#[test]
fn groups_and_meters() {
    let text = "ADD group_id=1,type=select,bucket=weight:7,watch_port:2,actions=output:1,output:2,bucket=actions=output:3";
    assert_eq!(text.parse::<GroupMod>().unwrap().to_string(), text);
    let text = "group_id=9,type=ff,bucket=watch_group:4,actions=drop";
    assert_eq!(text.parse::<GroupDesc>().unwrap().to_string(), text);
    let text = "ADD meter=5 kbps burst stats bands=\ntype=drop rate=1000 burst_size=100\ntype=dscp_remark rate=5 burst_size=1 prec_level=2";
    assert_eq!(text.parse::<MeterMod>().unwrap().to_string(), text);
    let given: MeterMod = "meter=5,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100,type=dscp_remark,rate=5,burst_size=1,prec_level=2".parse().unwrap();
    assert_eq!(given.to_string(), text);
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = |text: &str| text.parse::<FlowMod>().unwrap_err().to_string();
    assert!(error("in_port=x actions=1").contains("\"in_port=x\""), "{}", error("in_port=x actions=1"));
    assert!(error("tp_dst=80").contains("needs ip_proto of TCP"), "{}", error("tp_dst=80"));
    assert!(error("nonsense=1").contains("no field has this name"), "{}", error("nonsense=1"));
    assert!(error("actions=fly:1").contains("no action has this name"), "{}", error("actions=fly:1"));
    assert!(error("actions=load:0x10->NXM_NX_REG0[0..3]").contains("load:0x1->"));
    assert!("clone(".repeat(5000).parse::<Action>().unwrap_err().to_string().contains("too deep"));
    assert_eq!("3".parse::<Action>().unwrap(), Action::output(PortNo(3)));
}
