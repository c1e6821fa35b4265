//! Tunnels between hosts: each encapsulation and kind of key, networks across, and an MTU that fits.
#![allow(clippy::unwrap_used)]

use flowport::lab::{HostOptions, LabHost, Netns, connect};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{ip, output_at, pings, tcp_throughput, vsctl};
use flowport_integration::wire::{BROADCAST, Wire, contains, ipv4};
use flowport_integration::{DEADLINE, UNDERLAY_MTU, UPLINK, container, host, two_hosts, wait_until};

/// A host with its address on the underlay, and the bridge br0 above it.
struct Site {
    host: LabHost,
    flowport: Flowport,
    n: u8,
}

impl Site {
    /// The uplink is in a bridge that holds the host's address, as userspace tunnels need it.
    async fn new(host: LabHost, n: u8) -> Self {
        let flowport = Flowport::on(&host);
        let (underlay, uplink) = (format!("--address={}/24", underlay(n)), format!("--uplink={UPLINK}"));
        flowport.ok(&["add-br", "br-underlay", "--datapath=netdev", &underlay, &uplink]).await;
        flowport.ok(&["add-br", "br0", "--datapath=netdev"]).await;
        Self { host, flowport, n }
    }

    async fn tunnel(&self, name: &str, kind: &str, to: u8, key: Option<&str>) {
        let (kind, remote) = (format!("--type={kind}"), format!("--remote={}", underlay(to)));
        let key = key.map(|key| format!("--key={key}"));
        let args = ["add-tunnel", "br0", name, &kind, &remote];
        let args: Vec<&str> = args.into_iter().chain(key.as_deref()).collect();
        self.flowport.ok(&args).await;
    }

    /// A container with the address 10.0.0.`n` in a network.
    async fn attach(&self, n: u8, vlan: u16) -> Netns {
        let netns = container().await;
        let (name, address) = (format!("netns:{}", netns.name()), format!("--ipaddress=10.0.0.{n}/24"));
        self.flowport.ok(&["add-port", "br0", "eth1", &name, &address, &format!("--vlan={vlan}")]).await;
        netns
    }
}

fn underlay(n: u8) -> String {
    format!("192.0.2.{n}")
}

async fn two_sites() -> (Site, Site) {
    let (first, second) = two_hosts(HostOptions::default(), HostOptions::default()).await;
    tokio::join!(Site::new(first, 1), Site::new(second, 2))
}

async fn mtu(netns: &Netns) -> u64 {
    ip(netns, &["link", "show", "dev", "eth1"]).await[0]["mtu"].as_u64().unwrap()
}

/// Whether an unfragmented packet of this size arrives and its echo comes back.
async fn fits(netns: &Netns, target: &str, size: u64) -> bool {
    let payload = (size - 28).to_string();
    let args = ["-n", "-q", "-M", "do", "-c", "3", "-i", "0.2", "-W", "2", "-s", &payload, target];
    output_at(netns.path(), "ping", &args).await.status.success()
}

/// Containers of the two sites reach each other with packets as large as their MTU, which is the underlay's less the
/// encapsulation of one (40 or so bytes; 4 more when tagged inside).
async fn joined(kind: &str, key: Option<&str>, overhead: u64) {
    let (first, second) = two_sites().await;
    let early = first.attach(1, 0).await;
    assert_eq!(mtu(&early).await, 1500, "no tunnel yet");
    let daemon = first.flowport.daemon().await;
    tokio::join!(first.tunnel("tun0", kind, 2, key), second.tunnel("tun0", kind, 1, key));
    let fitting = u64::from(UNDERLAY_MTU) - overhead;
    wait_until(DEADLINE, "what was attached before follows", async || mtu(&early).await == fitting).await;
    let end = first.flowport.ports("br0").await[0]["name"].as_str().unwrap().to_owned();
    let of_host = ip(first.host.netns(), &["link", "show", "dev", &end]).await;
    assert_eq!(of_host[0]["mtu"], fitting, "the host end, too");

    let late = second.attach(2, 0).await;
    assert_eq!(mtu(&late).await, fitting);
    assert!(pings(&early, "10.0.0.2", 5).await && pings(&late, "10.0.0.1", 5).await);
    assert!(fits(&early, "10.0.0.2", fitting).await, "{fitting} bytes fit");
    assert!(tcp_throughput(&late, &early, "10.0.0.2").await > 1e6);

    // Networks are told apart on the other side.
    let (here, there, other) = tokio::join!(first.attach(5, 5), second.attach(6, 5), second.attach(7, 6));
    assert!(pings(&here, "10.0.0.6", 5).await, "network 5 goes across");
    assert!(!pings(&here, "10.0.0.7", 2).await && !pings(&here, "10.0.0.2", 2).await, "and is none but 5");
    assert!(!pings(&early, "10.0.0.6", 2).await && !pings(&other, "10.0.0.5", 2).await);
    assert_eq!(mtu(&here).await, mtu(&there).await);
    assert!(fits(&here, "10.0.0.6", mtu(&here).await).await, "as large as its MTU");
    assert!(tcp_throughput(&there, &here, "10.0.0.6").await > 1e6);
    let options = vsctl(&first.host, &["get", "interface", "tun0", "options"]).await;
    assert!(options.contains("192.0.2.2"), "{options}");
    drop(daemon);
}

#[tokio::test]
async fn vxlan_joins_two_hosts() {
    joined("vxlan", Some("42"), 50).await;
}

#[tokio::test]
async fn vxlan_with_the_network_as_its_key() {
    joined("vxlan", Some("flow"), 50).await;
}

#[tokio::test]
async fn vxlan_without_a_key() {
    joined("vxlan", None, 50).await;
}

#[tokio::test]
async fn gre_joins_two_hosts() {
    joined("gre", None, 38).await;
}

#[tokio::test]
async fn gre_with_a_key() {
    joined("gre", Some("42"), 42).await;
}

#[tokio::test]
async fn gre_with_the_network_as_its_key() {
    joined("gre", Some("flow"), 42).await;
}

#[tokio::test]
async fn geneve_joins_two_hosts() {
    joined("geneve", Some("42"), 50).await;
}

#[tokio::test]
async fn geneve_with_the_network_as_its_key() {
    joined("geneve", Some("flow"), 50).await;
}

#[tokio::test]
async fn the_mtu_follows_a_tunnel_without_the_daemon_too() {
    let (first, _second) = two_sites().await;
    let netns = first.attach(1, 0).await;
    first.tunnel("tun0", "vxlan", 2, Some("flow")).await;
    assert_eq!(mtu(&netns).await, 1450, "when the command is done");
}

#[tokio::test]
async fn the_mtu_follows_that_of_the_way_to_the_far_end() {
    let (first, _second) = two_sites().await;
    let mut daemon = first.flowport.daemon().await;
    let netns = first.attach(1, 0).await;
    first.tunnel("tun0", "vxlan", 2, Some("flow")).await;
    assert_eq!(mtu(&netns).await, 1450);
    for way in [1400, u64::from(UNDERLAY_MTU)] {
        let request = format!("mtu_request={way}");
        vsctl(&first.host, &["set", "interface", "br-underlay", &request]).await;
        wait_until(DEADLINE, "containers follow", async || mtu(&netns).await == way - 50).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_full_mesh_of_three_hosts_has_no_loop() {
    let hosts = tokio::join!(
        host(HostOptions::default()),
        host(HostOptions::default()),
        host(HostOptions::default())
    );
    let hub = host(HostOptions::default()).await;
    let mut sites = Vec::new();
    // A switch in the middle, which learns.
    vsctl(&hub, &["add-br", "hub", "--", "set", "bridge", "hub", "datapath_type=netdev"]).await;
    for (n, host) in [(1, hosts.0), (2, hosts.1), (3, hosts.2)] {
        let port = format!("port{n}");
        connect(&host, UPLINK, &hub, &port, UNDERLAY_MTU).await.unwrap();
        vsctl(&hub, &["add-port", "hub", &port]).await;
        sites.push(Site::new(host, n).await);
    }
    for site in &sites {
        for to in (1..=3).filter(|to| *to != site.n) {
            site.tunnel(&format!("tun{to}"), "vxlan", to, Some("flow")).await;
        }
    }
    let (first, second, third) =
        (sites[0].attach(1, 5).await, sites[1].attach(2, 5).await, sites[2].attach(3, 5).await);
    for (from, to) in
        [(&first, "10.0.0.2"), (&first, "10.0.0.3"), (&second, "10.0.0.3"), (&third, "10.0.0.1")]
    {
        wait_until(DEADLINE, "the mesh carries", async || pings(from, to, 1).await).await;
    }
    // A broadcast arrives once at each, and not at all where it was sent.
    let sender = Wire::open(first.path(), "eth1");
    let wires = [&first, &second, &third].map(|netns| Wire::open(netns.path(), "eth1"));
    let shout = |text: &str| ipv4((BROADCAST, sender.mac()), [10, 0, 0, 1].into(), [255; 4].into(), text);
    sender.send(&shout("a shout"));
    assert!(pings(&first, "10.0.0.2", 3).await && pings(&first, "10.0.0.3", 3).await, "no storm");
    sender.send(&shout("the end"));
    for wire in &wires {
        let heard = wire.receive_until("the end", |frame| contains(frame, "the end")).await;
        assert_eq!(heard.iter().filter(|frame| contains(frame, "a shout")).count(), 1);
    }
}
