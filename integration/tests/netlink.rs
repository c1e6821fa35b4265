//! Links, addresses and routes in real namespaces. Needs root and a private network namespace.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod private;

use std::time::Instant;

use flowport::netlink::{
    LinkEvent, LinkEvents, Netlink, NetlinkError, Netns, Route, SpecError, VethError, VethSpec,
};
use flowport::process::ProcessExit;
use private::{DEADLINE, Sandbox, ip, names};
use tokio::time::timeout;

fn spec(sandbox: &Sandbox, host_name: &str) -> VethSpec {
    VethSpec {
        host_name: host_name.into(),
        alias: format!("flowport test {host_name}"),
        sandbox: sandbox.netns(),
        name: "eth1".into(),
        mac: [2, 0, 0, 0, 0, 9],
        mtu: None,
        addresses: vec!["10.9.0.2/24".parse().unwrap()],
        gateways: vec![],
        routes: vec![],
        tx_checksum_offload: true,
    }
}

async fn event(events: &mut LinkEvents, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
    let search = async {
        loop {
            let event = events.next().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(DEADLINE, search).await.expect("the event did not come")
}

#[tokio::test]
async fn a_veth_is_ready_with_all_that_was_asked_for() {
    let sandbox = Sandbox::new("nl-whole");
    let spec = VethSpec {
        mtu: Some(1400),
        addresses: vec![
            "10.9.0.2/24".parse().unwrap(),
            "10.8.0.2/16".parse().unwrap(),
            "fd09::2/64".parse().unwrap(),
        ],
        gateways: vec!["10.9.0.1".parse().unwrap(), "fd09::1".parse().unwrap()],
        routes: vec![
            Route {
                destination: "192.0.2.0/24".parse().unwrap(),
                gateway: Some("10.8.0.9".parse().unwrap()),
            },
            Route { destination: "198.51.100.0/24".parse().unwrap(), gateway: None },
        ],
        ..spec(&sandbox, "whole0")
    };
    Netlink::open().add_veth(&spec).await.unwrap();

    let inside = &sandbox.ip("-details address show dev eth1")[0];
    assert_eq!(inside["address"], "02:00:00:00:00:09");
    assert_eq!(inside["mtu"], 1400);
    assert!(inside["flags"].as_array().unwrap().iter().any(|flag| flag == "LOWER_UP"));
    let addresses = inside["addr_info"].as_array().unwrap();
    for (local, prefix) in [("10.9.0.2", 24), ("10.8.0.2", 16), ("fd09::2", 64)] {
        let found = addresses.iter().find(|address| address["local"] == local).expect(local);
        assert_eq!(found["prefixlen"], prefix);
        assert!(found["tentative"].is_null(), "usable at once: {found}");
    }
    let routes = sandbox.ip("route show");
    let route = |destination: &str| {
        routes
            .as_array()
            .unwrap()
            .iter()
            .find(|route| route["dst"] == destination)
            .expect(destination)
            .clone()
    };
    assert_eq!(route("default")["gateway"], "10.9.0.1");
    assert_eq!(route("192.0.2.0/24")["gateway"], "10.8.0.9");
    assert_eq!(route("198.51.100.0/24")["scope"], "link");
    let default = &sandbox.ip("-6 route show default")[0];
    assert_eq!((&default["gateway"], &default["dev"]), (&"fd09::1".into(), &"eth1".into()));

    let host = &ip("-details link show dev whole0")[0];
    assert_eq!(host["ifalias"], "flowport test whole0");
    assert_eq!(host["mtu"], 1400);
    assert!(host["flags"].as_array().unwrap().iter().any(|flag| flag == "LOWER_UP"));

    let interface = Netlink::open().interface_in(&sandbox.netns(), "eth1").await.unwrap().unwrap();
    assert_eq!((interface.mac, interface.mtu), (Some(spec.mac), 1400));
    assert!(spec.addresses.iter().all(|address| interface.addresses.contains(address)));
    assert_eq!(Netlink::open().interface_in(&sandbox.netns(), "eth9").await.unwrap(), None);
    assert!(Netlink::open().del_link("whole0").await.unwrap());
    assert_eq!(sandbox.names(), ["lo"]);
    assert!(!Netlink::open().del_link("whole0").await.unwrap(), "a second time there is none");
}

#[tokio::test]
async fn the_host_end_never_gets_an_ipv6_link_local_address() {
    let sandbox = Sandbox::new("nl-fe80");
    Netlink::open().add_veth(&spec(&sandbox, "fe80-0")).await.unwrap();
    // The inner end gets one, by the same events that the host end would by.
    let inner = async {
        while sandbox.ip("-6 address show dev eth1 scope link").as_array().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, inner).await.unwrap();
    assert_eq!(ip("-details link show dev fe80-0")[0]["inet6_addr_gen_mode"], "none");
    assert_eq!(ip("address show dev fe80-0")[0]["addr_info"], serde_json::json!([]));
    Netlink::open().del_link("fe80-0").await.unwrap();
}

#[tokio::test]
async fn an_existing_name_inside_is_told_from_one_on_the_host_and_nothing_is_left() {
    let sandbox = Sandbox::new("nl-exists");
    sandbox.ip("link add eth1 type veth peer name far");
    let netlink = Netlink::open();
    let inside = netlink.add_veth(&spec(&sandbox, "exists0")).await.unwrap_err();
    assert!(matches!(inside, VethError::InterfaceExists { name } if name == "eth1"));
    assert!(!names("").contains(&"exists0".to_owned()));

    netlink.add_veth_pair("exists1", "exists2").await.unwrap();
    let other = VethSpec { name: "eth2".into(), ..spec(&sandbox, "exists1") };
    let host = netlink.add_veth(&other).await.unwrap_err();
    assert!(matches!(host, VethError::HostLinkExists { name } if name == "exists1"));
    assert_eq!(sandbox.names().len(), 3, "lo, eth1, far");
    assert_eq!(netlink.link("exists1").await.unwrap().unwrap().alias, None, "the other's link is untouched");
    netlink.del_link("exists1").await.unwrap();
}

#[tokio::test]
async fn a_refused_address_route_or_gateway_leaves_nothing() {
    let sandbox = Sandbox::new("nl-rollback");
    let netlink = Netlink::open();
    let broken_route = Route { destination: "10.9.0.0/24".parse().unwrap(), gateway: None };
    let spec = VethSpec { routes: vec![broken_route], ..spec(&sandbox, "rollback0") };
    let error = netlink.add_veth(&spec).await.unwrap_err();
    assert!(
        matches!(&error, VethError::RouteRefused { destination, .. } if *destination == broken_route.destination),
        "{error}"
    );
    assert_eq!(sandbox.names(), ["lo"]);

    for wrong in ["10.9.0.2/24", "10.9.0.255/24", "ff02::1/64"] {
        let mut bad = spec.clone();
        bad.addresses.push(wrong.parse().unwrap());
        let error = netlink.add_veth(&bad).await.unwrap_err();
        assert!(matches!(error, VethError::Invalid(_)), "{wrong}: {error}");
    }

    let outside = VethSpec { gateways: vec!["10.7.0.1".parse().unwrap()], ..spec.clone() };
    let error = netlink.add_veth(&outside).await.unwrap_err();
    assert!(matches!(error, VethError::Invalid(SpecError::GatewayUnreachable { .. })), "{error}");
    assert_eq!(sandbox.names(), ["lo"]);
    assert!(!names("").iter().any(|name| name.starts_with("rollback")));
}

#[tokio::test]
async fn ipv6_is_switched_on_in_a_sandbox_that_has_it_off() {
    let sandbox = Sandbox::new("nl-ipv6");
    sandbox.run(&[
        "sysctl",
        "-qw",
        "net.ipv6.conf.all.disable_ipv6=1",
        "net.ipv6.conf.default.disable_ipv6=1",
    ]);
    let netlink = Netlink::open();
    let spec = VethSpec { addresses: vec!["fd09::2/64".parse().unwrap()], ..spec(&sandbox, "ipv6-0") };
    netlink.add_veth(&spec).await.unwrap();
    let interface = netlink.interface_in(&sandbox.netns(), "eth1").await.unwrap().unwrap();
    assert!(interface.addresses.contains(&spec.addresses[0]));
    netlink.del_link("ipv6-0").await.unwrap();
}

#[tokio::test]
async fn a_gateway_replaces_the_default_route_that_was_there() {
    let sandbox = Sandbox::new("nl-default");
    sandbox.ip("link add eth0 type veth peer name far");
    sandbox.ip("address add 172.17.0.2/16 dev eth0");
    sandbox.ip("link set eth0 up");
    sandbox.ip("route add default via 172.17.0.1");
    let spec = VethSpec { gateways: vec!["10.9.0.1".parse().unwrap()], ..spec(&sandbox, "default0") };
    Netlink::open().add_veth(&spec).await.unwrap();
    let defaults = sandbox.ip("route show default");
    assert_eq!(defaults.as_array().unwrap().len(), 1);
    assert_eq!(defaults[0]["gateway"], "10.9.0.1");
    Netlink::open().del_link("default0").await.unwrap();
}

#[tokio::test]
async fn a_default_route_is_back_when_a_later_one_is_refused() {
    let sandbox = Sandbox::new("nl-restore");
    sandbox.ip("link add eth0 type veth peer name far");
    sandbox.ip("address add 172.17.0.2/16 dev eth0");
    sandbox.ip("link set eth0 up");
    sandbox.ip("route add default via 172.17.0.1");
    // Valid for us and refused by the kernel: the gateway is an address of another interface there.
    sandbox.ip("address add fd09::1/128 dev eth0 nodad");
    let spec = VethSpec {
        addresses: vec!["10.9.0.2/24".parse().unwrap(), "fd09::2/64".parse().unwrap()],
        gateways: vec!["10.9.0.1".parse().unwrap(), "fd09::1".parse().unwrap()],
        ..spec(&sandbox, "restore0")
    };
    let error = Netlink::open().add_veth(&spec).await.unwrap_err();
    assert!(matches!(error, VethError::GatewayRefused { .. }), "{error}");
    assert_eq!(sandbox.ip("route show default")[0]["gateway"], "172.17.0.1");
    assert_eq!(sandbox.names().len(), 3, "lo, eth0, far");
}

#[tokio::test]
async fn tx_checksum_offload_is_off_inside_when_asked() {
    let sandbox = Sandbox::new("nl-offload");
    for (name, offload, expected) in [("off0", true, "on"), ("off1", false, "off")] {
        let inner = format!("in-{name}");
        let spec = VethSpec {
            name: inner.clone(),
            addresses: vec![],
            tx_checksum_offload: offload,
            ..spec(&sandbox, name)
        };
        Netlink::open().add_veth(&spec).await.unwrap();
        let features = sandbox.run(&["ethtool", "-k", &inner]);
        for feature in ["tx-checksumming", "tx-checksum-ip-generic", "tx-checksum-sctp"] {
            let line = features.lines().find(|line| line.trim().starts_with(feature)).unwrap();
            assert_eq!(line.trim(), format!("{feature}: {expected}"));
        }
    }
    Netlink::open().del_links(&["off0".to_owned(), "off1".to_owned()]).await.unwrap();
}

#[tokio::test]
async fn two_hundred_veths_come_and_go_quickly() {
    const PORTS: usize = 200;
    let sandbox = Sandbox::new("nl-bulk");
    let specs: Vec<VethSpec> = (0..PORTS)
        .map(|nth| VethSpec {
            name: format!("eth{nth}"),
            addresses: vec![format!("10.{}.{}.2/24", 10 + nth / 250, nth % 250).parse().unwrap()],
            tx_checksum_offload: false,
            ..spec(&sandbox, &format!("bulk{nth}"))
        })
        .collect();
    let netlink = Netlink::open();
    let start = Instant::now();
    let results = netlink.add_veths(specs.clone()).await.unwrap();
    let added = start.elapsed();
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(sandbox.names().len(), PORTS + 1);

    let wanted: Vec<String> = specs.iter().map(|spec| spec.host_name.clone()).collect();
    let start = Instant::now();
    let mut deleted = netlink.del_links(&wanted).await.unwrap();
    let gone = start.elapsed();
    deleted.sort();
    let mut expected = wanted.clone();
    expected.sort();
    assert_eq!(deleted, expected);
    assert_eq!(sandbox.names(), ["lo"]);
    assert!(netlink.del_links(&wanted).await.unwrap().is_empty());

    let mut singles = Vec::new();
    let mut single_ends = Vec::new();
    for spec in specs.iter().take(20) {
        let start = Instant::now();
        netlink.add_veth(spec).await.unwrap();
        singles.push(start.elapsed());
        let start = Instant::now();
        netlink.del_link(&spec.host_name).await.unwrap();
        single_ends.push(start.elapsed());
    }
    singles.sort();
    single_ends.sort();
    println!(
        "{PORTS} veths added in {added:?} ({:?} each), deleted in {gone:?}; one by one: add {:?}, delete {:?} (medians)",
        added / 200,
        singles[10],
        single_ends[10]
    );
}

/// The kernel gives a long list in pieces, and links that come and go between these may hide others.
#[tokio::test]
async fn a_list_of_links_lacks_none_while_others_come_and_go() {
    const PORTS: usize = 400;
    let (host, sandbox, other) = (Sandbox::new("nl-host"), Sandbox::new("nl-list"), Sandbox::new("nl-churn"));
    let of = |sandbox: &Sandbox, nth: usize, name: &str| VethSpec {
        name: format!("eth{nth}"),
        addresses: vec![],
        ..spec(sandbox, &format!("{name}{nth}"))
    };
    // Other tests list the links of the namespace that they are in. What one of these two does, the other does not wait for.
    let (netlink, churning) = (Netlink::open_in(host.netns()), Netlink::open_in(host.netns()));
    let staying: Vec<VethSpec> = (0..PORTS).map(|nth| of(&sandbox, nth, "stay")).collect();
    assert!(netlink.add_veths(staying).await.unwrap().iter().all(Result::is_ok));
    let churn = async {
        for nth in (0..40).cycle() {
            let spec = of(&other, nth, "churn");
            churning.add_veth(&spec).await.unwrap();
            churning.del_link(&spec.host_name).await.unwrap();
        }
    };
    let list = async {
        for _ in 0..50 {
            let links = netlink.links().await.unwrap();
            assert_eq!(links.iter().filter(|link| link.name.starts_with("stay")).count(), PORTS);
        }
    };
    tokio::select! {
        () = churn => unreachable!("it goes on"),
        () = list => {}
    }
}

#[tokio::test]
async fn deleting_leaves_other_links_alone() {
    let netlink = Netlink::open();
    let sandbox = Sandbox::new("nl-others");
    for nth in 0..3 {
        netlink.add_veth_pair(&format!("other{nth}a"), &format!("other{nth}b")).await.unwrap();
        let spec = VethSpec {
            name: format!("eth{nth}"),
            addresses: vec![],
            ..spec(&sandbox, &format!("others{nth}"))
        };
        netlink.add_veth(&spec).await.unwrap();
    }
    let ours: Vec<String> = (0..4).map(|nth| format!("others{nth}")).collect();
    assert_eq!(netlink.del_links(&ours).await.unwrap().len(), 3, "the fourth was never there");
    for nth in 0..3 {
        assert_eq!(netlink.link(&format!("other{nth}a")).await.unwrap().unwrap().group, 0);
        netlink.del_link(&format!("other{nth}b")).await.unwrap();
    }
}

#[tokio::test]
async fn the_end_of_a_namespace_takes_the_host_end_along_and_is_reported() {
    let sandbox = Sandbox::new("nl-end");
    let netlink = Netlink::open();
    let mut events = netlink.subscribe().await.unwrap();
    netlink.add_veth(&spec(&sandbox, "end0")).await.unwrap();
    let seen = event(
        &mut events,
        |event| matches!(event, LinkEvent::Seen(link) if link.name == "end0" && link.alias.is_some() && link.up),
    );
    let LinkEvent::Seen(link) = seen.await else { unreachable!() };
    assert_eq!(link.kind.as_deref(), Some("veth"));
    assert!(link.peer.is_some_and(|peer| peer.netns_id.is_some()));
    let start = Instant::now();
    drop(sandbox);
    let gone =
        event(&mut events, |event| matches!(event, LinkEvent::Gone { name, .. } if name == "end0")).await;
    println!("from `ip netns del` (included) to the event: {:?}", start.elapsed());
    assert_eq!(gone, LinkEvent::Gone { index: link.index, name: "end0".into() });
    assert_eq!(netlink.link("end0").await.unwrap(), None);
}

#[tokio::test]
async fn a_process_that_ends_is_noticed_and_its_namespace_was_not_kept() {
    let mut child = tokio::process::Command::new("unshare")
        .args(["--net", "--kill-child", "sh", "-c", "echo ready; exec cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    tokio::io::AsyncReadExt::read_exact(child.stdout.as_mut().unwrap(), &mut ready).await.unwrap();
    let pid = child.id().unwrap();
    let exit = ProcessExit::watch(pid).unwrap().unwrap();
    let sandbox = Netns::of_process(pid);
    assert!(!sandbox.is_own().unwrap());
    let netlink = Netlink::open();
    let mut events = netlink.subscribe().await.unwrap();
    let spec = VethSpec { sandbox: sandbox.clone(), ..spec(&Sandbox { name: "none".into() }, "process0") };
    netlink.add_veth(&spec).await.unwrap();
    let start = Instant::now();
    child.start_kill().unwrap();
    timeout(DEADLINE, exit.ended()).await.unwrap().unwrap();
    let noticed = start.elapsed();
    child.wait().await.unwrap();
    event(&mut events, |event| matches!(event, LinkEvent::Gone { name, .. } if name == "process0")).await;
    println!("killed -> noticed in {noticed:?}; -> link gone in {:?}", start.elapsed());
    let error = netlink.add_veth(&spec).await.unwrap_err();
    assert!(matches!(error, VethError::SandboxGone { .. }), "{error}");
}

#[tokio::test]
async fn sandboxes_that_are_none_are_told_apart() {
    let sandbox = Sandbox::new("nl-none");
    let netlink = Netlink::open();
    let own = VethSpec { sandbox: Netns::of_process(std::process::id()), ..spec(&sandbox, "none0") };
    assert!(matches!(netlink.add_veth(&own).await, Err(VethError::SharesHostNamespace { .. })));
    assert!(own.sandbox.is_own().unwrap());
    let missing = VethSpec { sandbox: Netns::named("nl-never"), ..own.clone() };
    assert!(matches!(netlink.add_veth(&missing).await, Err(VethError::SandboxGone { .. })));
    let file = tempfile::NamedTempFile::new().unwrap();
    let plain = VethSpec { sandbox: Netns::new(file.path()), ..own };
    assert!(matches!(netlink.add_veth(&plain).await, Err(VethError::SandboxGone { .. })));
    assert!(!names("").contains(&"none0".to_owned()));
}

#[tokio::test]
async fn addresses_routes_and_moves_serve_a_lab() {
    let sandbox = Sandbox::new("nl-lab");
    let here = Netlink::open();
    let there = Netlink::open_in(sandbox.netns());
    here.add_veth_pair("lab0", "lab1").await.unwrap();
    let again = here.add_veth_pair("lab0", "lab2").await.unwrap_err();
    assert!(matches!(again, NetlinkError::LinkExists { .. }), "{again}");
    here.move_to_netns("lab1", &sandbox.netns(), "eth0").await.unwrap();
    here.add_addresses("lab0", &["10.77.0.1/24".parse().unwrap()]).await.unwrap();
    here.set_mtu("lab0", 1300).await.unwrap();
    here.set_up("lab0").await.unwrap();
    there.add_addresses("eth0", &["10.77.0.2/24".parse().unwrap()]).await.unwrap();
    there.set_up("eth0").await.unwrap();
    assert_eq!(there.addresses("eth0").await.unwrap()[0], "10.77.0.2/24".parse().unwrap());
    let path = here.route_to("10.77.0.2".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((path.link.name.as_str(), path.mtu), ("lab0", 1300));
    assert_eq!(path.source, Some("10.77.0.1".parse().unwrap()));
    assert_eq!(here.route_to("192.0.2.1".parse().unwrap()).await.unwrap(), None);
    sandbox.run(&["ping", "-c1", "-W5", "10.77.0.1"]);
    let error = here.set_up("lab9").await.unwrap_err();
    assert!(matches!(error, NetlinkError::NoSuchLink { name } if name == "lab9"));
    let all_or_none = ["10.78.0.1/24".parse().unwrap(), "10.77.0.1/24".parse().unwrap()];
    here.add_addresses("lab0", &all_or_none).await.unwrap_err();
    let left: Vec<_> = here.addresses("lab0").await.unwrap();
    assert!(left.contains(&all_or_none[1]) && !left.contains(&all_or_none[0]), "{left:?}");
    here.del_link("lab0").await.unwrap();
}
