//! Text: what this crate prints for flow-mods, group-mods and dumps is what ovs-ofctl prints for the same bytes.

#![allow(clippy::print_stdout, reason = "a test tells by printing")]
#![allow(clippy::expect_used)]

#[path = "common/messages.rs"]
mod messages;

use std::fs;
use std::path::Path;
use std::process::Command;

use flowport_openflow::action::nicira::CopyField;
use flowport_openflow::*;
use messages::{XID, of_a_datapath, of_extensions, one_of_each};

/// What ovs-ofctl prints for a stream of messages, each line without leading blanks.
fn ofp_parse(messages: &[&[u8]]) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::io::Write::write_all(&mut file, &messages.concat()).expect("room for it");
    let output = Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow13", "--no-names", "ofp-parse"])
        .arg(file.path())
        .output()
        .expect("ovs-ofctl: install the package openvswitch-common");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Our vectors whose file names contain `kind`.
fn vectors(kind: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/messages");
    let mut paths: Vec<_> =
        fs::read_dir(dir).expect("vectors").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().expect("a file").to_string_lossy().into_owned();
    paths.retain(|path| name(path).contains(kind));
    assert!(!paths.is_empty(), "no vector of {kind}");
    paths.into_iter().map(|path| (name(&path), fs::read(path).expect("a vector"))).collect()
}

/// Whether a line has something that this crate keeps as bytes and so cannot print as ovs-ofctl does.
fn is_opaque(ours: &str) -> bool {
    ["unknown(", "nicira(", "experimenter(", "->unknown"].iter().any(|word| ours.contains(word))
}

/// Compares line by line; `opaque` of the lines are known to be incomparable.
fn compare(ours: &[String], theirs: &[String], opaque: usize) {
    assert_eq!(ours.len(), theirs.len(), "{theirs:#?}");
    let (mut wrong, mut skipped) = (Vec::new(), 0);
    for (ours, theirs) in ours.iter().zip(theirs) {
        match is_opaque(ours) {
            true => {
                println!("opaque: {ours}\n    is: {theirs}");
                skipped += 1;
            }
            false if ours != theirs => wrong.push(format!("ours:   {ours}\ntheirs: {theirs}")),
            false => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), ours.len(), wrong.join("\n"));
    assert!(skipped == opaque, "{skipped} of {} lines have unknown parts; {opaque} are expected", ours.len());
}

/// Without the header's name and xid.
fn without_header(line: &str) -> String {
    line.split_once("):").map_or(line, |(_, rest)| rest.trim_start()).to_owned()
}

#[test]
fn flow_mods_print_as_ovs_ofctl_prints_them() {
    let vectors = vectors("flow_mod");
    let ours: Vec<_> = vectors
        .iter()
        .map(|(_, bytes)| match Message::decode(bytes).expect("a message").body {
            Body::FlowMod(flow_mod) => flow_mod.to_string(),
            body => panic!("{body:?}"),
        })
        .collect();
    let bytes: Vec<_> = vectors.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    let theirs = ofp_parse(&bytes);
    // A message that ovs-ofctl cannot decode gets its line too, and then a hexadecimal dump.
    let theirs: Vec<_> =
        theirs.iter().filter(|line| line.starts_with("OFPT_")).map(|line| without_header(line)).collect();
    compare(&ours, &theirs, 1);
}

/// No vector has one: ovs-ofctl writes its own `move` for 1.3.
#[test]
fn copy_field_prints_as_ovs_ofctl_prints_it() {
    let copy = CopyField {
        n_bits: 16,
        src_offset: 3,
        dst_offset: 5,
        src: OxmHeader::reg(1).expect("a register"),
        dst: OxmHeader::METADATA,
    };
    let flow = FlowMod::add(1, 2, Match::any())
        .apply([Action::Experimenter(ExperimenterAction::CopyField(copy)), Action::output(1)]);
    let mut bytes = Vec::new();
    Message::new(1, flow.clone()).encode(&mut bytes).expect("short");
    assert_eq!(without_header(&ofp_parse(&[&bytes]).concat()), flow.to_string());
}

#[test]
fn group_mods_print_as_ovs_ofctl_prints_them() {
    let vectors = vectors("group_mod");
    let (ours, theirs): (Vec<_>, Vec<_>) = vectors
        .iter()
        .map(|(_, bytes)| match Message::decode(bytes).expect("a message").body {
            Body::GroupMod(group_mod) => (group_mod.to_string(), ofp_parse(&[bytes]).concat()),
            body => panic!("{body:?}"),
        })
        .map(|(ours, theirs)| (ours, without_header(&theirs)))
        .unzip();
    compare(&ours, &theirs, 0);
}

#[test]
fn dumps_print_as_ovs_ofctl_prints_them() {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (_, bytes) in vectors("multipart_reply.flow.").iter().chain(&vectors("multipart_reply.group_desc")) {
        let Body::MultipartReply(reply) = Message::decode(bytes).expect("a message").body else {
            panic!("no reply")
        };
        match reply.body {
            MultipartReplyBody::Flow(flows) => ours.extend(flows.iter().map(ToString::to_string)),
            MultipartReplyBody::GroupDesc(groups) => ours.extend(groups.iter().map(ToString::to_string)),
            body => panic!("{body:?}"),
        }
        theirs.extend(ofp_parse(&[bytes]).into_iter().filter(|line| !line.starts_with("OFPST_")));
    }
    compare(&ours, &theirs, 0);
}

#[test]
fn ovs_ofctl_reads_one_of_each_message() {
    let all = [one_of_each(), of_a_datapath(), of_extensions()];
    for body in all.concat() {
        let mut bytes = Vec::new();
        Message::new(XID, body.clone()).encode(&mut bytes).expect("short");
        assert_eq!(Message::decode(&bytes), Ok(Message::new(XID, body.clone())));
        let text = ofp_parse(&[&bytes]).join("\n");
        assert!(text.starts_with(['O', 'N']) && text.contains("(xid=0x1234)"), "{}: {text}", body.name());
        assert!(!text.contains("***"), "{}: {text}", body.name());
    }
}
