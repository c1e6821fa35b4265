//! Reading text: what ovs-ofctl prints is read to what was printed, and what ovs-ofctl reads is read to the same.

#![allow(clippy::print_stdout, reason = "a test tells by printing")]
#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use flowport_openflow::{
    Body, FlowMod, FlowStats, GroupDesc, GroupMod, Message, MeterMod, MultipartReplyBody,
};

fn bodies() -> Vec<(String, Body)> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/messages");
    let mut paths: Vec<_> =
        fs::read_dir(own).expect("vectors").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: &Path| Message::decode(&fs::read(path).expect("a vector")).expect("a message").body;
    paths
        .iter()
        .map(|path| (path.file_name().expect("a file").to_string_lossy().into_owned(), read(path)))
        .collect()
}

/// Reads the text of every vector and checks that it prints as before; gives how many are equal in all that the text does
/// not say too (the width of Geneve options, the lengths of outputs).
fn round_trip<T>(items: Vec<(String, T)>) -> usize
where
    T: std::str::FromStr<Err = flowport_openflow::ParseTextError> + ToString + PartialEq + std::fmt::Debug,
{
    assert!(!items.is_empty());
    let (mut wrong, mut equal) = (Vec::new(), 0);
    for (file, item) in &items {
        let text = item.to_string();
        match text.parse::<T>() {
            Err(error) => wrong.push(format!("{file}: {text}\n  {error}")),
            Ok(read) if read.to_string() != text => {
                wrong.push(format!("{file}: {text}\n  is read as {}", read.to_string()));
            }
            Ok(read) => equal += usize::from(read == *item),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), items.len(), wrong.join("\n"));
    println!("{equal} of {} are equal", items.len());
    equal
}

#[test]
fn flow_mods_are_read_as_printed() {
    let flows = bodies().into_iter().filter_map(|(file, body)| match body {
        // What stands in no notation: unknown actions, and what ofp-print refuses.
        Body::FlowMod(flow) if !flow.to_string().contains("nicira(") => Some((file, flow)),
        _ => None,
    });
    assert!(round_trip::<FlowMod>(flows.collect()) > 300);
}

#[test]
fn dumps_are_read_as_printed() {
    let (mut flows, mut groups) = (Vec::new(), Vec::new());
    for (file, body) in bodies() {
        let Body::MultipartReply(reply) = body else { continue };
        match reply.body {
            MultipartReplyBody::Flow(all) => flows.extend(all.into_iter().map(|flow| (file.clone(), flow))),
            MultipartReplyBody::GroupDesc(all) => {
                groups.extend(all.into_iter().map(|group| (file.clone(), group)));
            }
            _ => {}
        }
    }
    assert!(round_trip::<FlowStats>(flows) > 300);
    assert!(round_trip::<GroupDesc>(groups) > 0);
}

#[test]
fn group_mods_and_meter_mods_are_read_as_printed() {
    let (mut groups, mut meters) = (Vec::new(), Vec::new());
    for (file, body) in bodies() {
        match body {
            Body::GroupMod(group) => groups.push((file, group)),
            Body::MeterMod(meter) => meters.push((file, meter)),
            _ => {}
        }
    }
    assert!(round_trip::<GroupMod>(groups) > 0);
    assert!(round_trip::<MeterMod>(meters) > 0);
}

/// Flows as people write them, in all notations that ovs-ofctl has for the same thing.
const WRITTEN: &[&str] = &[
    "table=0,priority=100,in_port=1,arp,arp_spa=10.0.0.1,actions=resubmit(,1),output:2",
    "in_port=LOCAL,dl_type=0x0800,nw_proto=6,tp_dst=443,actions=drop",
    "ip,nw_src=10.1.2.3/255.255.0.0,nw_tos=184,actions=mod_nw_ttl:5,NORMAL",
    "icmp,icmp_type=8,icmp_code=0,nw_ttl=64,actions=in_port",
    "icmp6,icmp_type=136,nd_target=fe80::1,nd_tll=02:00:00:00:00:01,actions=flood",
    "tcp6,ipv6_dst=2001:db8::/32,tcp_flags=+syn-ack,actions=local",
    "sctp,tp_src=5,actions=all",
    "dl_vlan=7,dl_vlan_pcp=2,actions=strip_vlan,output:3",
    "vlan_tci=0x1000/0x1000,actions=pop_vlan,push_vlan:0x88a8,set_field:4103->vlan_vid,1",
    "dl_vlan=0xffff,actions=controller:128",
    "dl_src=02:00:00:00:00:01,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=mod_dl_dst:02:00:00:00:00:09,2",
    "cookie=0x123,idle_timeout=5,hard_timeout=6,send_flow_rem,actions=group:7",
    "ct_state=-trk,ip,actions=ct(table=1,zone=5,nat)",
    "ct_state=+trk+est,ct_mark=0x1/0xf,ct_label=0x2,tcp,actions=ct(commit,zone=NXM_NX_REG0[0..15],nat(src=10.0.0.1-10.0.0.9:1000-2000,hash),exec(load:0x1->NXM_NX_CT_MARK[0..3]))",
    "udp,udp_src=53,actions=learn(table=2,idle_timeout=60,eth_type=0x800,nw_proto=17,NXM_OF_IP_SRC[]=NXM_OF_IP_DST[],udp_dst=53,load:0x7->NXM_NX_REG0[0..7],output:NXM_OF_IN_PORT[])",
    "tun_id=0x5/0xff,tun_src=192.0.2.1,tun_dst=192.0.2.0/24,actions=set_field:9->tun_id",
    "reg0=5,reg1=0x1/0xff,metadata=0x1/0x3,actions=write_metadata:0x5/0xff,goto_table:3",
    "mpls,mpls_label=5,mpls_tc=3,mpls_bos=1,actions=dec_mpls_ttl,pop_mpls:0x800",
    "actions=multipath(symmetric_l4,1024,hrw,16,0,NXM_NX_REG0[0..15])",
    "actions=bundle(symmetric_l4,60,hrw,ofport,slaves:2,3)",
    "actions=clone(set_field:0x5->reg0,output:1),check_pkt_larger(1500)->reg0[1]",
    "actions=controller(reason=no_match,max_len=123,id=44),controller(userdata=01.02,pause)",
    "conj_id=5,ip,actions=conjunction(1,2/3)",
    "nw_frag=later,tcp,actions=fin_timeout(idle_timeout=5,hard_timeout=9)",
    "pkt_mark=0x5,actset_output=3,actions=meter:3,write_actions(set_queue:1,output:1)",
    "tun_metadata0=0x1234/0xffff,actions=move:tun_metadata0[0..7]->reg0[0..7]",
    "actions=output:reg0[0..15],output(port=2,max_len=100),note:00.11.22.33.44.55.66,exit",
    "rarp,arp_op=3,arp_sha=02:00:00:00:00:01,actions=set_field:02:00:00:00:00:02->arp_tha,1",
    "ipv6,ipv6_label=0x12345,nw_ecn=1,actions=dec_ttl(1,2)",
    "packet_type=(1,0x894f),nsh_mdtype=1,nsh_spi=0x1234,actions=decap(),goto_table:2",
    "actions=encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,encap(ethernet),output:4",
    "actions=sample(probability=100,collector_set_id=1,obs_domain_id=2,obs_point_id=3,sampling_port=1,ingress)",
];

#[test]
fn what_ovs_ofctl_reads_is_read_to_the_same() {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::io::Write::write_all(&mut file, WRITTEN.join("\n").as_bytes()).expect("room for it");
    let output = Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow13", "--no-names", "parse-flows"])
        .arg(file.path())
        .output()
        .expect("ovs-ofctl: install the package openvswitch-common");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let theirs: Vec<_> = text.lines().filter_map(|line| Some(line.split_once("): ")?.1)).collect();
    assert_eq!(theirs.len(), WRITTEN.len(), "{text}");
    let mut wrong = Vec::new();
    for (written, theirs) in WRITTEN.iter().zip(theirs) {
        match written.parse::<FlowMod>() {
            Ok(flow) if flow.to_string() == theirs => {}
            Ok(flow) => wrong.push(format!("text:   {written}\nours:   {flow}\ntheirs: {theirs}")),
            Err(error) => wrong.push(format!("text:   {written}\nours:   {error}\ntheirs: {theirs}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), WRITTEN.len(), wrong.join("\n"));
}
