//! Attaching and detaching on real bridges: what the container sees, what the switch holds, and that nothing is left.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use flowport::lab::{HostOptions, LabHost, Netns};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{
    Traces, docker, flow_entries, host_ip, ip, ip_at, ofctl, output_at, ovsdb_client, pings, vsctl,
};
use flowport_integration::scene::named;
use flowport_integration::{DEADLINE, container, unique, wait_until};
use serde_json::{Value, json};

/// A host with the managed userspace bridge br0.
async fn add_port(flowport: &Flowport, netns: &Netns, options: &[&str]) {
    let name = named(netns);
    flowport.ok(&[&["add-port", "br0", "eth1", &name], options].concat()).await;
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The global addresses of an interface, as `ip` writes them.
fn addresses(link: &Value) -> BTreeSet<String> {
    let global = list(&link["addr_info"]).iter().filter(|address| address["scope"] == "global");
    global
        .map(|address| format!("{}/{}", address["local"].as_str().unwrap_or_default(), address["prefixlen"]))
        .collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// `external_ids` of the Interface row of the port, as the database has them.
async fn external_ids(host: &LabHost, port: &str) -> BTreeMap<String, String> {
    let select = json!(["Open_vSwitch", {"op": "select", "table": "Interface",
        "where": [["name", "==", port]], "columns": ["external_ids"]}]);
    let answer = ovsdb_client(host, "transact", &[&select.to_string()]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let pairs = list(&answer[0]["rows"][0]["external_ids"][1]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

#[tokio::test]
async fn a_namespace_gets_everything_that_was_asked_for() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let netns = container().await;
    let options = [
        "--ipaddress=10.0.0.2/24",
        "--ipaddress=10.9.0.2/16",
        "--ipaddress=192.0.2.2/25",
        "--ipaddress=fd00::2/64",
        "--ipaddress=2001:db8::2/64",
        "--gateway=10.0.0.1",
        "--gateway=fd00::1",
        "--route=198.51.100.0/24@10.9.0.9",
        "--route=203.0.113.0/24",
        "--route=2001:db8:1::/48@2001:db8::9",
        "--macaddress=a2:c3:0d:49:7f:f8",
        "--mtu=1450",
        "--vlan=7",
    ];
    add_port(&flowport, &netns, &options).await;

    let inside = ip(&netns, &["address", "show", "dev", "eth1"]).await;
    let wanted = ["10.0.0.2/24", "10.9.0.2/16", "192.0.2.2/25", "fd00::2/64", "2001:db8::2/64"];
    assert_eq!(addresses(&inside[0]), set(&wanted));
    assert_eq!((&inside[0]["address"], &inside[0]["mtu"]), (&json!("a2:c3:0d:49:7f:f8"), &json!(1450)));
    assert!(list(&inside[0]["flags"]).contains(&json!("LOWER_UP")), "{inside}");
    let tentative = list(&inside[0]["addr_info"]).iter().find(|address| address["tentative"] == true);
    assert!(tentative.is_none_or(|address| address["scope"] == "link"), "usable at once: {tentative:?}");
    let routes = async |family: &str| ip(&netns, &[family, "route"]).await;
    let gateway_to = |routes: &Value, destination: &str| {
        let found = list(routes).iter().find(|route| route["dst"] == destination);
        found.map(|route| route["gateway"].as_str().unwrap_or("on link").to_owned())
    };
    let (v4, v6) = (routes("-4").await, routes("-6").await);
    assert_eq!(gateway_to(&v4, "default").as_deref(), Some("10.0.0.1"));
    assert_eq!(gateway_to(&v4, "198.51.100.0/24").as_deref(), Some("10.9.0.9"));
    assert_eq!(gateway_to(&v4, "203.0.113.0/24").as_deref(), Some("on link"));
    assert_eq!(gateway_to(&v6, "default").as_deref(), Some("fd00::1"));
    assert_eq!(gateway_to(&v6, "2001:db8:1::/48").as_deref(), Some("2001:db8::9"));

    let shown = flowport.ports("br0").await;
    assert_eq!(shown.len(), 1);
    let port = shown[0]["name"].as_str().unwrap();
    assert_eq!(shown[0]["container"], named(&netns));
    assert_eq!((&shown[0]["interface"], &shown[0]["vlan"]), (&json!("eth1"), &json!(7)));
    assert_eq!((&shown[0]["mac"], &shown[0]["addresses"]), (&json!("a2:c3:0d:49:7f:f8"), &json!(wanted)));
    assert_eq!(
        vsctl(&host, &["get", "interface", port, "ofport"]).await.trim(),
        shown[0]["ofport"].to_string()
    );
    assert_eq!(vsctl(&host, &["get", "port", port, "tag"]).await.trim(), "7");
    let ids = external_ids(&host, port).await;
    assert_eq!(ids["container_id"], format!("netns:/run/netns/{}", netns.name()));
    assert_eq!(ids["container_iface"], "eth1");
    let plain = flowport.ok(&["show"]).await;
    assert!(wanted.iter().all(|address| plain.contains(address)), "{plain}");
}

#[tokio::test]
async fn a_docker_container_is_attached_by_name_and_by_id() {
    let (host, flowport) = Flowport::bridged(HostOptions::with_docker(), &[]).await;
    let engine = host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    let (first, second) = tokio::join!(
        engine.run_container("first", "busybox", "none", &["sleep", "600"]),
        engine.run_container("second", "busybox", "none", &["sleep", "600"]),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    let options = ["--ipaddress=10.0.0.1/24", "--ipaddress=fd00::1/64"];
    flowport.ok(&[&["add-port", "br0", "eth1", "first"], &options[..]].concat()).await;
    let options = ["--ipaddress=10.0.0.2/24", "--ipaddress=fd00::2/64", "--gateway=10.0.0.1"];
    flowport.ok(&[&["add-port", "br0", "eth1", &second.id[..12]], &options[..]].concat()).await;

    // The id whichever way it was named, so that one container is not attached twice under two names.
    for port in flowport.ports("br0").await {
        let id = if port["container"] == "first" { &first.id } else { &second.id };
        assert_eq!(external_ids(&host, port["name"].as_str().unwrap()).await["container_id"], *id);
        assert_eq!(port["container_id"], **id);
    }
    let twice = flowport.refused(&["add-port", "br0", "eth1", &first.id, "--ipaddress=10.0.0.9/24"]).await;
    assert!(twice.contains("already attached"), "{twice}");

    let inside = ip_at(&second.netns(), &["address", "show", "dev", "eth1"]).await;
    assert_eq!(addresses(&inside[0]), set(&["10.0.0.2/24", "fd00::2/64"]));
    let default = ip_at(&second.netns(), &["route", "show", "default"]).await;
    assert_eq!(default[0]["gateway"], "10.0.0.1");
    docker(&host, &["exec", "first", "ping", "-c", "1", "-w", "5", "10.0.0.2"]).await;
    docker(&host, &["exec", "first", "ping", "-c", "1", "-w", "5", "fd00::2"]).await;
    flowport.ok(&["del-port", "br0", "eth1", &first.id[..12]]).await;
    flowport.ok(&["del-ports", "br0", "second"]).await;
    assert!(flowport.ports("br0").await.is_empty());
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_process_is_attached_by_its_number() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let mut sleeper = host.command("unshare");
    sleeper.args(["--net", "sleep", "600"]).kill_on_drop(true);
    let sleeper = host.spawn(&mut sleeper).unwrap();
    let pid = sleeper.id().unwrap();
    let netns = PathBuf::from(format!("/proc/{pid}/ns/net"));
    let of_host = std::fs::read_link(format!("/proc/{}/ns/net", std::process::id())).unwrap();
    let host_netns = host.run("readlink", &["/proc/self/ns/net"]).await.unwrap();
    wait_until(DEADLINE, "unshare has unshared", async || {
        let link = std::fs::read_link(&netns).unwrap();
        link != of_host && link.to_str() != Some(host_netns.trim())
    })
    .await;
    let name = format!("pid:{pid}");
    flowport.ok(&["add-port", "br0", "eth1", &name, "--ipaddress=10.0.0.2/24"]).await;
    assert_eq!(
        addresses(&ip_at(&netns, &["address", "show", "dev", "eth1"]).await[0]),
        set(&["10.0.0.2/24"])
    );
    let ports = flowport.ports("br0").await;
    assert_eq!(ports[0]["container"], name);
    assert!(ports[0]["container_id"].as_str().unwrap().starts_with(&format!("{name}@")));
    flowport.ok(&["del-port", "br0", "eth1", &name]).await;
    assert!(list(&ip_at(&netns, &["link"]).await).iter().all(|link| link["ifname"] != "eth1"));
}

#[tokio::test]
async fn the_host_end_says_nothing_of_its_own() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let netns = container().await;
    add_port(&flowport, &netns, &["--ipaddress=10.0.0.2/24", "--ipaddress=fd00::2/64", "--mtu=1400"]).await;
    let port = flowport.ports("br0").await[0]["name"].as_str().unwrap().to_owned();
    // The inner end has its link-local address by the same events that would give the host end one.
    wait_until(DEADLINE, "the inner end has its fe80", async || {
        !list(&ip(&netns, &["-6", "address", "show", "dev", "eth1", "scope", "link", "-tentative"]).await)
            .is_empty()
    })
    .await;
    let end = host_ip(&host, &["address", "show", "dev", &port]).await;
    assert_eq!(end[0]["addr_info"], json!([]));
    assert_eq!(end[0]["mtu"], 1400, "both ends have it");
    assert_eq!(host_ip(&host, &["link", "show", "dev", &port]).await[0]["inet6_addr_gen_mode"], "none");
    let alias = end[0]["ifalias"].as_str().unwrap_or_default();
    assert!(alias.contains(netns.name()), "the alias says whose it is: {alias:?}");
}

#[tokio::test]
async fn the_flows_of_an_endpoint_are_exactly_the_declared_ones() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let (first, second) = (container().await, container().await);
    add_port(&flowport, &first, &["--ipaddress=10.0.0.2/24", "--macaddress=02:00:00:00:00:02", "--vlan=7"])
        .await;
    add_port(&flowport, &second, &["--macaddress=02:00:00:00:00:03"]).await;
    let ports = flowport.ports("br0").await;
    let port_of =
        |netns: &Netns| ports.iter().find(|port| port["container"] == named(netns)).unwrap().clone();
    let cookie_of = async |netns: &Netns| {
        let flows = flowport.flows(&named(netns)).await;
        let cookies: BTreeSet<_> =
            flows.iter().map(|flow| flow["cookie"].as_str().unwrap().to_owned()).collect();
        assert_eq!(cookies.len(), 1, "one endpoint, one cookie: {cookies:?}");
        (cookies.into_iter().next().unwrap(), flows.len())
    };
    let (cookie, count) = cookie_of(&first).await;
    let n = &port_of(&first)["ofport"];
    const LINK_LOCAL: &str = "fe80::ff:fe00:2";
    let mut declared = [
        format!("priority=100,in_port={n},vlan_tci=0x0000/0x1fff actions=write_metadata:{:#x}/0x1ffffffffff,goto_table:1", metered(n, 7)),
        format!("table=1, priority=100,arp,in_port={n},dl_src=02:00:00:00:00:02,arp_spa=10.0.0.2,arp_sha=02:00:00:00:00:02 actions=goto_table:2"),
        format!("table=1, priority=100,ip,in_port={n},dl_src=02:00:00:00:00:02,nw_src=10.0.0.2 actions=goto_table:2"),
        format!("table=1, priority=100,ipv6,in_port={n},dl_src=02:00:00:00:00:02,ipv6_src={LINK_LOCAL} actions=goto_table:2"),
        format!("table=1, priority=106,icmp6,in_port={n},dl_src=02:00:00:00:00:02,ipv6_src={LINK_LOCAL},icmp_type=136,nd_target={LINK_LOCAL} actions=goto_table:2"),
        "table=2, priority=100,arp,metadata=0x7/0xffffffff,arp_tpa=10.0.0.2,arp_op=1 actions=\
            move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:02->eth_src,set_field:2->arp_op,\
            move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],set_field:02:00:00:00:00:02->arp_sha,\
            move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:10.0.0.2->arp_spa,goto_table:7"
            .to_owned(),
        format!("table=2, priority=100,icmp6,metadata=0x7/0xffffffff,icmp_type=135,nd_target={LINK_LOCAL} actions=set_field:02:00:00:00:00:02->eth_dst,goto_table:3"),
        format!("table=4, priority=100,metadata=0x7/0xffffffff,dl_dst=02:00:00:00:00:02 actions=set_field:{:#x}->reg0,goto_table:6", n.as_u64().unwrap()),
    ]
    .map(|flow| format!("cookie={cookie}, {flow}"));
    declared.sort();
    assert_eq!(flow_entries(&host, "br0", &format!("cookie={cookie}/-1")).await, declared);
    assert_eq!(count, declared.len(), "`flows` tells of the same");

    let (cookie, _) = cookie_of(&second).await;
    let n = &port_of(&second)["ofport"];
    let declared = [
        format!("priority=100,in_port={n},vlan_tci=0x0000/0x1fff actions=write_metadata:{:#x}/0x1ffffffffff,goto_table:1", metered(n, 0)),
        format!("table=1, priority=109,in_port={n},dl_src=02:00:00:00:00:03 actions=goto_table:2"),
        format!("table=4, priority=100,metadata=0/0xffffffff,dl_dst=02:00:00:00:00:03 actions=set_field:{:#x}->reg0,goto_table:6", n.as_u64().unwrap()),
    ]
    .map(|flow| format!("cookie={cookie}, {flow}"));
    assert_eq!(flow_entries(&host, "br0", &format!("cookie={cookie}/-1")).await, declared);
    assert_eq!(vsctl(&host, &["get", "bridge", "br0", "fail_mode"]).await.trim(), "secure");
}

#[tokio::test]
async fn the_flows_of_one_do_not_grow_with_the_others() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let mut counts = Vec::new();
    let mut containers = Vec::new();
    for n in 1..=6 {
        let netns = container().await;
        add_port(&flowport, &netns, &[&format!("--ipaddress=10.0.0.{n}/24")]).await;
        containers.push(netns);
        let total = flow_entries(&host, "br0", "").await.len();
        let each = flowport.flows(&named(&containers[0])).await.len();
        counts.push((total, each));
    }
    let each = counts[0].1;
    assert!(counts.iter().all(|(_, first)| *first == each), "{counts:?}");
    assert!(counts.windows(2).all(|pair| pair[1].0 == pair[0].0 + each), "{counts:?}");
    // An address more is two entries more, for it to be answered for, and one for each guard.
    let cookies: BTreeSet<u64> = {
        let mut cookies = BTreeSet::new();
        for netns in &containers {
            let flows = flowport.flows(&named(netns)).await;
            cookies.extend(flows.iter().map(|flow| {
                u64::from_str_radix(flow["cookie"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
            }));
        }
        cookies
    };
    assert_eq!(cookies.len(), containers.len(), "each has its own cookie");
}

#[tokio::test]
async fn detaching_leaves_what_was_before_and_others_alone() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    vsctl(&host, &["add-port", "br0", "other0", "--", "set", "interface", "other0", "type=internal"]).await;
    ofctl(&host, &["add-group", "br0", "group_id=5,type=all,bucket=output:99"]).await;
    ofctl(&host, &["add-flow", "br0", "cookie=0x1234,table=0,priority=7,in_port=99,actions=group:5"]).await;
    ofctl(&host, &["add-flow", "br0", "table=9,priority=7,actions=drop"]).await;
    let neighbour = container().await;
    add_port(&flowport, &neighbour, &["--ipaddress=10.0.0.9/24"]).await;
    let containers = [container().await, container().await, container().await];
    let names = containers.each_ref().map(named);
    let before = Traces::of(&host, "br0").await;
    assert!(before.flows.iter().any(|flow| flow.starts_with("cookie=0x1234,")));

    let attach = async |nth: usize, interface: &str, n: usize| {
        let address = format!("--ipaddress=10.0.{n}.{}/24", nth + 1);
        flowport.ok(&["add-port", "br0", interface, &names[nth], &address, "--vlan=5"]).await;
    };
    for nth in 0..3 {
        attach(nth, "eth1", 1).await;
        attach(nth, "eth2", 2).await;
    }
    assert_eq!(flowport.ports("br0").await.len(), 7);
    assert_ne!(Traces::of(&host, "br0").await.flows, before.flows);

    flowport.ok(&["del-port", "br0", "eth1", &names[0]]).await;
    flowport.ok(&["del-port", "br0", "eth2", &names[0]]).await;
    flowport.ok(&["del-ports", "br0", &names[1]]).await;
    flowport.ok(&["del-ports", "br0", &names[2]]).await;
    assert_eq!(Traces::of(&host, "br0").await, before);
    for netns in &containers {
        assert_eq!(list(&ip(netns, &["link"]).await).len(), 1, "only the loopback is left inside");
    }

    // All at once, by many names and by --all.
    for nth in 0..3 {
        attach(nth, "eth1", 1).await;
    }
    flowport.ok(&["del-ports", "br0", &names[0], &names[1], &names[2]]).await;
    assert_eq!(Traces::of(&host, "br0").await, before);
    for nth in 0..3 {
        attach(nth, "eth1", 1).await;
    }
    flowport.ok(&["del-ports", "br0", "--all"]).await;
    assert!(flowport.ports("br0").await.is_empty());
    let after = Traces::of(&host, "br0").await;
    let foreign = |flows: &[String]| -> Vec<String> {
        flows.iter().filter(|flow| !flow.starts_with("cookie=0xf10f")).cloned().collect()
    };
    assert_eq!(foreign(&after.flows), foreign(&before.flows));
    assert_eq!(foreign(&after.flows).len(), 2);
    assert!(after.groups.iter().any(|group| group.starts_with("group_id=5,")), "{after:?}");
    assert!(after.rows.iter().any(|row| row.contains("other0")), "{after:?}");
    assert!(after.links.iter().all(|link| !link.starts_with("fp")), "{after:?}");
    let line = flowport.refused(&["del-port", "br0", "eth1", &names[0]]).await;
    assert!(line.contains("eth1") && line.contains(&names[0]), "{line}");
}

#[tokio::test]
async fn set_vlan_moves_a_port_and_nothing_else() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let (first, second) = (container().await, container().await);
    add_port(&flowport, &first, &["--ipaddress=10.0.0.1/24"]).await;
    add_port(&flowport, &second, &["--ipaddress=10.0.0.2/24"]).await;
    assert!(pings(&first, "10.0.0.2", 3).await);
    let before = Traces::of(&host, "br0").await;

    flowport.ok(&["set-vlan", "br0", "eth1", &named(&first), "5"]).await;
    // Open vSwitch drops the packets' cached path a moment after it has taken the flow entries.
    wait_until(DEADLINE, "they are in different networks", async || !pings(&first, "10.0.0.2", 1).await)
        .await;
    assert!(!pings(&second, "10.0.0.1", 2).await, "and stay there");
    let shown = flowport.ports("br0").await;
    let of_first = shown.iter().find(|port| port["container"] == named(&first)).unwrap();
    assert_eq!(of_first["vlan"], 5);
    assert_eq!(vsctl(&host, &["get", "port", of_first["name"].as_str().unwrap(), "tag"]).await.trim(), "5");
    flowport.ok(&["set-vlan", "br0", "eth1", &named(&second), "5"]).await;
    assert!(pings(&first, "10.0.0.2", 3).await, "they are together again");

    flowport.ok(&["set-vlan", "br0", "eth1", &named(&first), "0"]).await;
    flowport.ok(&["set-vlan", "br0", "eth1", &named(&second), "0"]).await;
    assert_eq!(Traces::of(&host, "br0").await, before, "0 is untagged, as at first");
    assert!(pings(&second, "10.0.0.1", 3).await);
}

#[tokio::test]
async fn a_hundred_ports_come_from_a_file_and_from_standard_input() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let mut containers = Vec::new();
    for _ in 0..100 {
        containers.push(container().await);
    }
    let before = Traces::of(&host, "br0").await;
    let line = |(n, netns): (usize, &Netns)| {
        let addresses = json!([format!("10.0.0.{}/24", n + 1), format!("fd00::{:x}/64", n + 1)]);
        json!({"container": named(netns), "interface": "eth1", "ipaddress": addresses, "vlan": 3}).to_string()
    };
    let lines: Vec<String> = containers.iter().enumerate().map(line).collect();
    let file = host.directory().join(unique("ports"));
    std::fs::write(&file, lines[..50].join("\n")).unwrap();
    flowport.ok(&["add-ports", "br0", file.to_str().unwrap()]).await;
    flowport.ok_with(&["add-ports", "br0", "-"], &format!("{}\n\n", lines[50..].join("\n"))).await;

    let ports = flowport.ports("br0").await;
    assert_eq!(ports.len(), 100);
    assert!(
        ports
            .iter()
            .all(|port| port["ofport"].as_i64().is_some_and(|n| n > 0) && port.get("error").is_none())
    );
    assert!(pings(&containers[0], "10.0.0.100", 3).await && pings(&containers[77], "fd00::1", 3).await);
    let cookies: BTreeSet<String> =
        flow_entries(&host, "br0", "table=4").await.iter().map(|flow| flow[..26].to_owned()).collect();
    assert!(cookies.len() >= 100, "{}", cookies.len());

    // One bad line, and none of its file is attached.
    let extra = [container().await, container().await];
    let (good, bad) = (line((120, &extra[0])), line((0, &extra[1])));
    std::fs::write(&file, format!("{good}\n{bad}\n")).unwrap();
    let refused = flowport.refused(&["add-ports", "br0", file.to_str().unwrap()]).await;
    assert!(refused.contains("10.0.0.1 is in use"), "{refused}");
    assert_eq!(flowport.ports("br0").await.len(), 100);

    flowport.ok(&["del-ports", "br0", "--all"]).await;
    assert_eq!(Traces::of(&host, "br0").await, before);
    let left = output_at(containers[99].path(), "ip", &["-o", "link"]).await;
    assert_eq!(String::from_utf8_lossy(&left.stdout).lines().count(), 1);
}

/// What is noted of an untagged packet from this port: its network, that it is from an endpoint, and its meter.
fn metered(port: &Value, network: u64) -> u64 {
    network | 1 << 35 | (port.as_u64().unwrap() % 16) << 37
}
