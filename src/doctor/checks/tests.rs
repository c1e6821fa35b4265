#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use flowport_ovsdb::Uuid;
use ipnet::IpNet;

use super::*;
use crate::docker::EngineInfo;
use crate::doctor::{Container, DaemonSeen, EngineSeen, Forwarding, Inside, OvsSeen, Process, VswitchdSeen};
use crate::model::{Attachment, EndpointId, Owner};
use crate::netlink::{Link, LinkAddress, Path, Peer, TableRoute};
use crate::ovsdb::{Survey, SurveyedBridge, SurveyedPort};

/// A host on which nothing is wrong: a managed userspace bridge br0 with the host as its gateway, and a and b on it.
fn healthy() -> Facts {
    let mut facts = Facts {
        daemon: DaemonSeen::Answers { outdated: false, passive: false },
        docker: EngineSeen::Answers(EngineInfo { version: "20.10.24".into(), live_restore: true }),
        forwarding: Forwarding { ipv4: true, ipv6: true },
        links: vec![
            Link { index: 1, name: "lo".into(), mtu: 65_536, up: true, ..Link::default() },
            Link { index: 2, name: "br0".into(), mtu: 1500, up: true, ..Link::default() },
            Link { index: 3, name: "eth0".into(), mtu: 1500, up: true, ..Link::default() },
        ],
        addresses: vec![address(1, "127.0.0.1/8"), address(2, "10.0.0.254/24"), address(3, "192.0.2.1/24")],
        routes: vec![route("0.0.0.0/0", 3), route("10.0.0.0/24", 2), route("192.0.2.0/24", 3)],
        ..Facts::default()
    };
    let bridge = SurveyedBridge {
        name: "br0".into(),
        managed: true,
        userspace: true,
        datapath: "netdev".into(),
        fail_mode: Some("secure".into()),
        ports: vec![internal("br0")],
        ..SurveyedBridge::default()
    };
    let survey = Survey {
        ovs_version: Some("3.1.0".into()),
        datapath_types: ["netdev".to_owned(), "system".to_owned()].into(),
        bridges: vec![bridge],
        ..Survey::default()
    };
    let process = Process { handlers: 1, open_files: 50, most_open_files: Some(1024) };
    facts.ovs = OvsSeen {
        database: Ok(survey),
        vswitchd: Ok(VswitchdSeen { version: "3.1.0".into(), process: Some(process) }),
        kernel_module: true,
    };
    attach(&mut facts, attachment("a", "10.0.0.1/24"));
    attach(&mut facts, attachment("b", "10.0.0.2/24"));
    facts
}

fn address(link: u32, address: &str) -> LinkAddress {
    LinkAddress { link, address: address.parse().unwrap() }
}

fn route(destination: &str, link: u32) -> TableRoute {
    TableRoute { destination: destination.parse().unwrap(), link, gateway: None }
}

fn internal(name: &str) -> SurveyedPort {
    port(name, "internal", &[])
}

fn port(name: &str, kind: &str, options: &[(&str, &str)]) -> SurveyedPort {
    SurveyedPort {
        port: name.into(),
        name: name.into(),
        kind: kind.into(),
        options: options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ofport: Some(9),
        ..SurveyedPort::default()
    }
}

fn attachment(name: &str, address: &str) -> Attachment {
    let (owner, interface) = (Owner::netns(format!("/run/netns/{name}").as_ref()), "eth1".parse().unwrap());
    let endpoint = EndpointId::of(&owner, &interface);
    let addresses: Vec<IpNet> = vec![address.parse().unwrap()];
    Attachment {
        container: format!("netns:{name}").parse().unwrap(),
        bridge: "br0".parse().unwrap(),
        host_link: endpoint.host_link(),
        gateways: vec!["10.0.0.254".parse().unwrap()],
        routes: vec![],
        trunks: vec![],
        mac: Attachment::default_mac(endpoint, &addresses),
        mtu: None,
        vlan: Default::default(),
        addresses,
        owner,
        interface,
    }
}

fn without_gateway(name: &str, address: &str) -> Attachment {
    Attachment { gateways: vec![], ..attachment(name, address) }
}

/// This host and a container of IPv6 on br0, which it routes for.
fn ipv6(facts: &mut Facts) {
    facts.addresses.extend([address(2, "fd00::fe/64"), address(2, "fe80::fe/64"), address(3, "fe80::3/64")]);
    facts.routes.extend([route("fd00::/64", 2), route("fe80::/64", 2), route("fe80::/64", 3)]);
    let six = Attachment { gateways: vec!["fd00::fe".parse().unwrap()], ..attachment("six", "fd00::6/64") };
    attach(facts, six);
}

fn net(address: &str) -> IpNet {
    address.parse().unwrap()
}

/// With its link, its interface inside, its row and its flow entry.
fn attach(facts: &mut Facts, attachment: Attachment) {
    let index = u32::try_from(facts.links.len()).unwrap() + 1;
    facts.links.push(Link {
        index,
        name: attachment.host_link.clone(),
        alias: Some(format!("flowport: eth1 of {}", attachment.container)),
        mtu: 1500,
        up: true,
        kind: Some("veth".into()),
        ..Link::default()
    });
    facts.containers.insert(attachment.owner.clone(), Container::Runs);
    let inside = Inside {
        exists: true,
        mac: Some(attachment.mac),
        mtu: 1500,
        addresses: attachment.addresses.clone(),
        tx_checksum_offload: Some(false),
    };
    facts.inside.insert(attachment.endpoint(), inside);
    let flow = format!(
        "cookie={:#x},table=0,priority=100,in_port={index},actions=goto_table:1",
        attachment.endpoint().cookie()
    );
    facts.classify.entry("br0".into()).or_default().push(flow.parse().unwrap());
    let row = port(&attachment.host_link, "", &[]);
    bridge(facts).ports.push(SurveyedPort { attachment: Some(attachment), ..row });
}

fn survey(facts: &mut Facts) -> &mut Survey {
    facts.ovs.database.as_mut().unwrap()
}

fn bridge(facts: &mut Facts) -> &mut SurveyedBridge {
    &mut survey(facts).bridges[0]
}

fn first(facts: &mut Facts) -> &mut SurveyedPort {
    bridge(facts).ports.iter_mut().find(|port| port.attachment.is_some()).unwrap()
}

fn first_inside(facts: &mut Facts) -> &mut Inside {
    let endpoint = first(facts).attachment.as_ref().unwrap().endpoint();
    facts.inside.get_mut(&endpoint).unwrap()
}

fn vswitchd(facts: &mut Facts) -> &mut VswitchdSeen {
    facts.ovs.vswitchd.as_mut().unwrap()
}

fn tunnel(facts: &mut Facts, name: &str, remote: &str, way: Option<(&str, u32)>) {
    bridge(facts).ports.push(port(name, "vxlan", &[("remote_ip", remote), ("key", "7")]));
    let remote: IpAddr = remote.parse().unwrap();
    let path = way.map(|(link, mtu)| Path {
        link: facts.link(link).unwrap().clone(),
        mtu,
        source: Some("192.0.2.1".parse().unwrap()),
        gateway: None,
    });
    facts.paths.insert(remote, path);
}

/// A userspace bridge with the address of the underlay and the link eth0.
fn underlay(facts: &mut Facts) {
    facts.links.push(Link { index: 90, name: "br-u".into(), mtu: 1500, up: true, ..Link::default() });
    let under = SurveyedBridge {
        name: "br-u".into(),
        userspace: true,
        datapath: "netdev".into(),
        ports: vec![internal("br-u"), port("eth0", "", &[])],
        ..SurveyedBridge::default()
    };
    survey(facts).bridges.push(under);
}

#[test]
fn nothing_is_wrong_with_a_healthy_host() {
    assert_eq!(findings(&healthy()), []);
    let mut joined = healthy();
    underlay(&mut joined);
    tunnel(&mut joined, "t1", "192.0.2.2", Some(("br-u", 1550)));
    assert_eq!(findings(&joined), [], "with a tunnel");
    let mut both = healthy();
    ipv6(&mut both);
    attach(&mut both, without_gateway("local", "fe80::1/64"));
    attach(&mut both, without_gateway("example", "2001:db8::1/64"));
    assert_eq!(findings(&both), [], "with IPv6");
    assert_eq!(findings(&Facts::default()), [], "with nothing on it");
}

/// What is changed about a healthy host, the check that finds it and how bad it is, and words of the line.
type Case = (fn(&mut Facts), &'static str, Severity, &'static [&'static str]);

use Severity::{Hint, Problem};

const CASES: &[Case] = &[
    (|f| f.daemon = DaemonSeen::Absent, "daemon", Hint, &["systemctl start flowport"]),
    (
        |f| {
            f.daemon = DaemonSeen::Absent;
            first(f).recorded = true;
        },
        "daemon",
        Problem,
        &["on record", "systemctl start flowport"],
    ),
    (|f| f.daemon = DaemonSeen::Dead { socket: "/s".into() }, "daemon", Problem, &["/s has died"]),
    (|f| f.daemon = DaemonSeen::Silent { socket: "/s".into() }, "daemon", Problem, &["restart"]),
    (|f| f.daemon = DaemonSeen::Denied { socket: "/s".into() }, "daemon", Problem, &["run as root"]),
    (|f| f.daemon = DaemonSeen::Answers { outdated: true, passive: false }, "daemon", Hint, &["replaced"]),
    (
        |f| f.daemon = DaemonSeen::Answers { outdated: false, passive: true },
        "daemon-passive",
        Problem,
        &["changes nothing", "another Flowport", "systemctl stop flowport"],
    ),
    (|f| vswitchd(f).version = "3.0.1".into(), "vswitchd-version", Hint, &["3.0.1", "3.1.0", "restart"]),
    (
        |f| {
            bridge(f).datapath = "system".into();
            vswitchd(f).process.as_mut().unwrap().handlers = 0;
        },
        "vswitchd-handlers",
        Problem,
        &["no handler threads", "restart"],
    ),
    (
        |f| vswitchd(f).process.as_mut().unwrap().open_files = 900,
        "vswitchd-open-files",
        Problem,
        &["900 of at most 1024", "LimitNOFILE"],
    ),
    (
        |f| drop(survey(f).other_config.insert("flow-restore-wait".into(), "true".into())),
        "flow-restore-wait",
        Problem,
        &["ovs-vsctl remove"],
    ),
    (
        |f| {
            f.ovs.kernel_module = false;
            survey(f).datapath_types.remove("system");
            bridge(f).datapath = "system".into();
        },
        "datapath-type",
        Problem,
        &["br0", "modprobe openvswitch"],
    ),
    (|f| f.docker = EngineSeen::Fails("Docker failed".into()), "docker", Hint, &["journalctl -u docker"]),
    (
        |f| {
            f.docker = EngineSeen::Fails("Docker is not running (at x): start it".into());
            first(f).attachment.as_mut().unwrap().owner = Owner::from("c474a0e2830e");
            f.inside.clear();
            f.classify.clear();
        },
        "docker",
        Problem,
        &["Docker is not running (at x): start it"],
    ),
    (
        |f| {
            f.docker = EngineSeen::Answers(EngineInfo { version: "28.0".into(), live_restore: false });
            first(f).attachment.as_mut().unwrap().owner = Owner::from("c474a0e2830e");
            f.inside.clear();
            f.classify.clear();
        },
        "live-restore",
        Hint,
        &["Docker 28.0", "live-restore"],
    ),
    (
        |f| {
            first(f).error = Some("no such device".into());
            f.containers.values_mut().for_each(|container| *container = Container::Unknown);
            let owner = first(f).attachment.clone().unwrap().owner;
            f.containers.insert(owner, Container::Gone);
        },
        "stale-port",
        Problem,
        &["netns:a is gone", "flowport del-port br0 eth1 netns:a"],
    ),
    (
        |f| {
            let owner = first(f).attachment.clone().unwrap().owner;
            f.containers.insert(owner, Container::Stopped);
        },
        "stale-port",
        Problem,
        &["does not run"],
    ),
    (
        |f| {
            let name = first(f).name.clone();
            f.links.retain(|link| link.name != name);
        },
        "port-device",
        Problem,
        &["eth1 of netns:a", "there is no link fp"],
    ),
    (
        |f| {
            let broken = SurveyedPort { error: Some("File exists".into()), ..port("t1", "vxlan", &[]) };
            bridge(f).ports.push(broken);
        },
        "port-device",
        Problem,
        &["port t1 does not work: File exists", "ovs-vsctl del-port br0 t1"],
    ),
    (|f| *first_inside(f) = Inside::default(), "port-inside", Problem, &["not in the container any more"]),
    (
        |f| first_inside(f).mac = "02:00:00:00:00:99".parse().ok(),
        "port-inside",
        Problem,
        &["sends with MAC 02:00:00:00:00:99", "given 02:42:0a:00:00:01"],
    ),
    (
        |f| f.links.iter_mut().find(|link| link.name.starts_with("fp")).unwrap().up = false,
        "port-down",
        Problem,
        &["nothing gets through", "ip link set fp"],
    ),
    (|f| first_inside(f).addresses.clear(), "port-inside", Problem, &["lost its address 10.0.0.1/24"]),
    (
        |f| first_inside(f).addresses.push("10.0.0.9/24".parse().unwrap()),
        "port-inside",
        Problem,
        &["10.0.0.9/24", "not given"],
    ),
    (
        |f| {
            let own = first(f).attachment.as_ref().unwrap().mac.link_local();
            let inside = first_inside(f);
            inside.addresses.extend([IpNet::from(IpAddr::from(own)), net("fd00::9/64")]);
        },
        "port-inside",
        Problem,
        &["the address fd00::9/64", "not given"],
    ),
    (
        |f| first_inside(f).addresses.push("fe80::1234/64".parse().unwrap()),
        "port-inside",
        Problem,
        &["the address fe80::1234/64", "not given"],
    ),
    (
        |f| {
            ipv6(f);
            let c = attachment("c", "fd00::3/64");
            attach(f, c.clone());
            let inside = f.inside.get_mut(&c.endpoint()).unwrap();
            inside.addresses.extend([net("10.0.0.7/24"), net("169.254.9.9/16")]);
        },
        "port-inside",
        Problem,
        &["eth1 of netns:c has the address 10.0.0.7/24", "not given"],
    ),
    (
        |f| {
            let alias = Some("flowport: eth1 of web".to_owned());
            f.links.push(Link { name: "fp800000000001".into(), alias, ..Link::default() });
        },
        "leftover-link",
        Problem,
        &["eth1 of web", "ip link del fp800000000001"],
    ),
    (
        |f| {
            let link = |name| SurveyedPort { port: "bond0".into(), ..port(name, "", &[]) };
            bridge(f).ports.extend([link("eth0"), link("eth0")]);
        },
        "bond",
        Problem,
        &["port bond0 is a bond", "ovs-vsctl del-port br0 bond0"],
    ),
    (|f| bridge(f).fail_mode = None, "fail-mode", Problem, &["ovs-vsctl set-fail-mode br0 secure"]),
    (
        |f| bridge(f).protocols = ["OpenFlow10".to_owned()].into(),
        "protocols",
        Problem,
        &["ovs-vsctl add bridge br0 protocols OpenFlow13"],
    ),
    (
        |f| bridge(f).controllers = vec!["tcp:192.0.2.9:6653".into()],
        "controller",
        Hint,
        &["tcp:192.0.2.9:6653", "ovs-vsctl del-controller br0"],
    ),
    (
        |f| drop(f.classify.get_mut("br0").unwrap().remove(0)),
        "missing-flows",
        Problem,
        &["eth1 of netns:a", "systemctl restart flowport"],
    ),
    (
        |f| {
            let flow = "table=0,priority=200,ip,nw_dst=10.0.0.0/8,actions=drop";
            f.classify.get_mut("br0").unwrap().push(flow.parse().unwrap());
        },
        "foreign-flows",
        Problem,
        &["priority=200,ip,nw_dst=10.0.0.0/8", "ovs-ofctl dump-flows br0"],
    ),
    (|f| f.links[1].up = false, "bridge-down", Problem, &["ip link set br0 up"]),
    (
        |f| f.forwarding.ipv4 = false,
        "ip-forwarding",
        Problem,
        &["10.0.0.254", "sysctl -w net.ipv4.ip_forward=1"],
    ),
    (
        |f| {
            ipv6(f);
            f.forwarding.ipv6 = false;
        },
        "ip-forwarding",
        Problem,
        &["gateway fd00::fe", "sysctl -w net.ipv6.conf.all.forwarding=1"],
    ),
    (
        |f| f.addresses[1] = address(2, "10.0.0.253/24"),
        "gateway",
        Problem,
        &["10.0.0.254 of eth1 of netns:a and eth1 of netns:b is nobody's", "dev br0"],
    ),
    (
        |f| {
            underlay(f);
            tunnel(f, "t1", "192.0.2.2", Some(("br-u", 1500)));
        },
        "mtu",
        Problem,
        &["is 1500, and tunnel t1 over br-u carries 1450", "mtu 1450"],
    ),
    (
        |f| {
            f.links.push(Link { index: 91, name: "eth1".into(), mtu: 1400, up: true, ..Link::default() });
            bridge(f).ports.push(port("eth1", "", &[]));
        },
        "mtu",
        Problem,
        &["link eth1 carries 1400"],
    ),
    (|f| first_inside(f).mtu = 1400, "mtu-mixed", Hint, &["from 1400 to 1500"]),
    (
        |f| first_inside(f).tx_checksum_offload = Some(true),
        "checksum-offload",
        Problem,
        &["eth1 of netns:a", "ethtool -K"],
    ),
    (
        |f| {
            let mut twin = attachment("c", "10.0.0.1/24");
            twin.mac = "02:00:00:00:00:03".parse().unwrap();
            attach(f, twin);
        },
        "address-clash",
        Problem,
        &["eth1 of netns:a and eth1 of netns:c have the same address 10.0.0.1"],
    ),
    (
        |f| f.addresses.push(address(2, "10.0.0.2/24")),
        "address-clash",
        Problem,
        &["eth1 of netns:b and this host have the same address 10.0.0.2"],
    ),
    (
        |f| {
            let mut twin = attachment("c", "10.0.0.3/24");
            twin.mac = "02:42:0a:00:00:01".parse().unwrap();
            attach(f, twin);
        },
        "mac-clash",
        Problem,
        &["have the same MAC 02:42:0a:00:00:01"],
    ),
    (
        |f| f.routes.push(route("10.0.0.0/16", 3)),
        "host-route",
        Problem,
        &["10.0.0.0/24 of eth1 of netns:a and eth1 of netns:b overlaps", "10.0.0.0/16 by eth0"],
    ),
    (
        |f| {
            attach(f, without_gateway("c", "10.9.0.1/24"));
            f.routes.push(route("10.9.0.0/24", 3));
        },
        "host-route",
        Hint,
        &["10.9.0.0/24"],
    ),
    (
        |f| {
            ipv6(f);
            f.routes.extend([route("::/0", 3), route("fd00::/48", 3)]);
        },
        "host-route",
        Problem,
        &["fd00::/64 of eth1 of netns:six overlaps", "fd00::/48 by eth0"],
    ),
    (
        |f| {
            attach(f, without_gateway("c", "fd09::1/64"));
            f.routes.push(route("fd09::/64", 3));
        },
        "host-route",
        Hint,
        &["fd09::/64 of eth1 of netns:c overlaps"],
    ),
    (
        |f| attach(f, without_gateway("c", "173.16.1.2/24")),
        "public-address",
        Problem,
        &["eth1 of netns:c have public addresses of 173.16.1.0/24", "172.16.0.0/12"],
    ),
    (
        |f| attach(f, without_gateway("c", "2a00:1::2/64")),
        "public-address",
        Problem,
        &["eth1 of netns:c have public addresses of 2a00:1::/64", "fd00::/8"],
    ),
    (
        // This host is in the Internet of IPv6, and may have been given more.
        |f| {
            f.addresses.push(address(3, "2a00:2::1/64"));
            attach(f, without_gateway("c", "2a00:1::2/64"));
        },
        "public-address",
        Hint,
        &["2a00:1::/64"],
    ),
    (
        |f| {
            underlay(f);
            tunnel(f, "t1", "192.0.2.1", Some(("lo", 65_536)));
        },
        "tunnel",
        Problem,
        &["t1 leads to 192.0.2.1, which is this host itself"],
    ),
    (|f| tunnel(f, "t1", "198.51.100.1", None), "tunnel", Problem, &["no route there"]),
    (
        |f| {
            underlay(f);
            tunnel(f, "t1", "192.0.2.2", Some(("br-u", 1550)));
            tunnel(f, "t2", "192.0.2.2", Some(("br-u", 1550)));
        },
        "tunnel",
        Problem,
        &["t2 and t1 both lead to 192.0.2.2"],
    ),
    (
        |f| tunnel(f, "t1", "192.0.2.2", Some(("eth0", 1550))),
        "tunnel-underlay",
        Problem,
        &["by eth0, which a userspace datapath cannot", "--uplink=eth0 --address=192.0.2.1/24"],
    ),
    (
        |f| {
            underlay(f);
            survey(f).bridges[1].ports.pop();
            tunnel(f, "t1", "192.0.2.2", Some(("br-u", 1550)));
        },
        "tunnel-underlay",
        Problem,
        &["br-u has this host's address and no link", "ovs-vsctl add-port br-u LINK"],
    ),
    (
        |f| {
            f.links.push(Link {
                index: 80,
                name: "docker0".into(),
                kind: Some("bridge".into()),
                ..Link::default()
            });
            let veth = |index, name: &str, peer| Link {
                index,
                name: name.into(),
                kind: Some("veth".into()),
                peer: Some(Peer { index: peer, netns_id: None }),
                mtu: 1500,
                up: true,
                ..Link::default()
            };
            f.links.push(veth(81, "va", 82));
            f.links.push(Link { master: Some(80), ..veth(82, "vb", 81) });
            bridge(f).ports.push(port("va", "", &[]));
            // The local port itself in the Linux bridge, too.
            f.links[1].master = Some(80);
        },
        "loop",
        Problem,
        &["br0 and va lead into each other by Linux bridge docker0"],
    ),
    (
        |f| {
            for (index, name, peer) in [(81, "va", 82), (82, "vb", 81)] {
                let peer = Some(Peer { index: peer, netns_id: None });
                let kind = Some("veth".into());
                f.links.push(Link {
                    index,
                    name: name.into(),
                    kind,
                    peer,
                    mtu: 1500,
                    up: true,
                    ..Link::default()
                });
                bridge(f).ports.push(port(name, "", &[]));
            }
        },
        "loop",
        Problem,
        &["va and vb", "the cable between them"],
    ),
];

#[test]
fn each_thing_that_is_wrong_is_found_by_its_check_with_a_remedy() {
    for (nth, (change, check, severity, words)) in CASES.iter().enumerate() {
        let mut facts = healthy();
        change(&mut facts);
        let found = findings(&facts);
        let [finding] = &found[..] else { panic!("case {nth}, {check}: {found:#?}") };
        assert_eq!((finding.check, finding.severity), (*check, *severity), "case {nth}: {finding}");
        let line = finding.to_string();
        for word in *words {
            assert!(line.contains(word), "case {nth}: {word:?} is not in {line:?}");
        }
        assert!(!line.contains('\n') && !finding.remedy.is_empty(), "{line}");
    }
}

#[test]
fn every_check_has_a_case() {
    let without = CHECKS.iter().map(|(check, _)| *check).filter(|check| {
        // These two are of a host whose database cannot be read, or without ovs-vswitchd.
        !["database", "vswitchd"].contains(check) && !CASES.iter().any(|(_, of, ..)| of == check)
    });
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn without_open_vswitch_that_is_all_there_is_to_say() {
    let mut facts = healthy();
    let line = "ovsdb-server is not running (no answer on unix:/x): start it with `systemctl start openvswitch-switch`";
    facts.ovs.database = Err(line.into());
    facts.daemon = DaemonSeen::Answers { outdated: false, passive: true };
    facts.ovs.vswitchd = Err("ovs-vswitchd is not running: start it".into());
    let found = findings(&facts);
    let checks: Vec<_> = found.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["database", "vswitchd"]);
    assert_eq!(found[0].to_string(), format!("problem: {line}"));
}

#[test]
fn flow_entries_of_others_that_take_nothing_are_no_problem() {
    for harmless in [
        "table=0,priority=99,actions=NORMAL",
        "table=0,priority=200,in_port=77,actions=drop",
        "table=0,priority=200,dl_vlan=5,in_port=99,actions=drop",
    ] {
        let mut facts = healthy();
        facts.classify.get_mut("br0").unwrap().push(harmless.parse().unwrap());
        assert_eq!(findings(&facts), [], "{harmless}");
    }
}

#[test]
fn a_link_of_another_database_is_not_left_over() {
    let mut facts = healthy();
    let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    survey(&mut facts).id = Some(own);
    for (name, database) in [("fp800000000001", own), ("fp800000000002", other)] {
        let alias = Some(format!("flowport: eth1 of web [{database}]"));
        facts.links.push(Link { name: name.into(), alias, ..Link::default() });
    }
    let found = ports::leftover_links(&facts);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(format!("{found:?}").contains("fp800000000001 (eth1 of web)"), "{found:?}");
}

#[test]
fn a_spanning_tree_cuts_loops() {
    let (change, ..) = CASES.iter().find(|(_, check, ..)| *check == "loop").unwrap();
    let mut facts = healthy();
    change(&mut facts);
    bridge(&mut facts).spanning_tree = true;
    assert_eq!(findings(&facts), []);
}

#[test]
fn a_thousand_of_a_kind_are_one_line() {
    let mut facts = healthy();
    for nth in 3..200 {
        attach(&mut facts, attachment(&format!("c{nth}"), &format!("10.0.0.{nth}/24")));
    }
    facts.inside.values_mut().for_each(|inside| inside.tx_checksum_offload = Some(true));
    let found = findings(&facts);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].what.contains("and 198 more"), "{}", found[0]);
}

#[test]
fn problems_come_before_hints() {
    let mut facts = healthy();
    facts.daemon = DaemonSeen::Absent;
    facts.links[1].up = false;
    let severities: Vec<Severity> = findings(&facts).iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Problem, Hint]);
    let names: BTreeMap<&str, usize> = CHECKS.iter().map(|(name, _)| (*name, 1)).collect();
    assert_eq!(names.len(), CHECKS.len(), "each name once");
}
