//! The lab's hosts: Open vSwitch, the wire, Docker, and what fault tests do to them.

use std::time::Instant;

use flowport::lab::HostOptions;
use flowport_integration::oracle::{docker, host_ip, ip, pings, tcp_throughput, vsctl};
use flowport_integration::{DEADLINE, UPLINK, container, host, two_hosts, wait_until};

#[tokio::test]
async fn two_hosts_have_an_open_vswitch_each_and_ping_over_the_wire() {
    let start = Instant::now();
    let (first, second) = two_hosts(HostOptions::default(), HostOptions::default()).await;
    println!("two hosts with Open vSwitch: {:?}; {:?}", start.elapsed(), first.started_in());
    for (host, address) in [(&first, "192.0.2.1/24"), (&second, "192.0.2.2/24")] {
        // The uplink in a userspace bridge that holds the host's address, as tunnels need it.
        let bridge = format!("br-{}", host.name());
        vsctl(host, &["add-br", &bridge, "--", "set", "bridge", &bridge, "datapath_type=netdev"]).await;
        vsctl(host, &["add-port", &bridge, UPLINK]).await;
        assert_eq!(vsctl(host, &["list-br"]).await.trim(), bridge, "it sees its own bridge only");
        host.run("ip", &["address", "add", address, "dev", &bridge]).await.unwrap();
        host.run("ip", &["link", "set", &bridge, "up"]).await.unwrap();
    }
    assert!(pings(first.netns(), "192.0.2.2", 5).await);
    assert_eq!(host_ip(&second, &["link", "show", UPLINK]).await[0]["mtu"], 1500);
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn daemons_can_be_stopped_killed_and_started_again() {
    let mut host = host(HostOptions::default()).await;
    vsctl(&host, &["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"]).await;
    let before = host.ovs_mut().vswitchd().pid();

    host.ovs_mut().restart_vswitchd().await.unwrap();
    assert_ne!(host.ovs_mut().vswitchd().pid(), before);

    host.ovs_mut().vswitchd().kill().await.unwrap();
    assert!(!host.ovs_mut().vswitchd().is_running());
    host.ovs_mut().start_vswitchd().await.unwrap();
    assert_eq!(vsctl(&host, &["list-br"]).await.trim(), "br0");

    host.ovs_mut().ovsdb_server().kill().await.unwrap();
    assert!(host.run("ovs-vsctl", &["--timeout=1", "list-br"]).await.is_err());
    host.ovs_mut().start_ovsdb().await.unwrap();
    assert_eq!(vsctl(&host, &["list-br"]).await.trim(), "br0", "the database is the same");
}

#[tokio::test]
async fn containers_run_on_the_hosts_own_engine() {
    let start = Instant::now();
    let mut host = host(HostOptions::with_docker()).await;
    println!("host with Docker: {:?}; {:?}", start.elapsed(), host.started_in());
    let engine = host.docker().unwrap();
    let start = Instant::now();
    engine.import_busybox("busybox:lab").await.unwrap();
    let imported = start.elapsed();
    let container = engine.run_container("web", "busybox:lab", "none", &["sleep", "600"]).await.unwrap();
    println!("busybox imported: {imported:?}; container run: {:?}", start.elapsed() - imported);
    assert!(container.netns().exists());
    assert_eq!(docker(&host, &["exec", "web", "echo", "alive"]).await.trim(), "alive");

    let engine = host.docker_mut().unwrap();
    engine.daemon().kill().await.unwrap();
    assert!(engine.client().ping().await.is_err());
    engine.start_daemon().await.unwrap();
    // Without --live-restore a container ends with its engine.
    assert_eq!(engine.container_pid("web").await.unwrap(), 0);
    engine.start_container("web").await.unwrap();
    assert_ne!(engine.container_pid("web").await.unwrap(), 0);
    engine.remove_container("web").await.unwrap();
    assert!(engine.container_pid("web").await.is_err());
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_runs_in_its_hosts_network_only() {
    let (first, second) = two_hosts(HostOptions::default(), HostOptions::default()).await;
    let inside = first.run("readlink", &["/proc/self/ns/net"]).await.unwrap();
    assert_ne!(inside, second.run("readlink", &["/proc/self/ns/net"]).await.unwrap());
    assert_ne!(inside.trim(), std::fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap());
    assert!(first.run("false", &[]).await.is_err());
}

#[tokio::test]
async fn a_dropped_host_takes_its_processes_and_its_namespace_along() {
    let mut host = host(HostOptions::default()).await;
    let pid = host.ovs_mut().vswitchd().pid().unwrap();
    let netns = host.netns().path().to_owned();
    drop(host);
    assert!(!netns.exists());
    let process = format!("/proc/{pid}");
    wait_until(DEADLINE, "ovs-vswitchd is gone", async || !std::path::Path::new(&process).exists()).await;
}

#[tokio::test]
async fn two_hosts_with_docker_start_at_the_same_time() {
    let start = Instant::now();
    let (first, second) = two_hosts(HostOptions::with_docker(), HostOptions::with_docker()).await;
    println!("two hosts with Docker: {:?}", start.elapsed());
    let engine = first.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    engine.run_container("box", "busybox", "none", &["sleep", "600"]).await.unwrap();
    assert_eq!(docker(&first, &["ps", "--format={{.Names}}"]).await.trim(), "box");
    assert_eq!(docker(&second, &["ps", "--format={{.Names}}"]).await, "", "each has its own engine");
}

#[tokio::test]
async fn the_wire_carries_tcp() {
    let (first, second) = two_hosts(HostOptions::default(), HostOptions::default()).await;
    first.run("ip", &["address", "add", "192.0.2.1/24", "dev", UPLINK]).await.unwrap();
    second.run("ip", &["address", "add", "192.0.2.2/24", "dev", UPLINK]).await.unwrap();
    assert!(tcp_throughput(second.netns(), first.netns(), "192.0.2.2").await > 1e6);
}

#[tokio::test]
async fn a_container_namespace_has_its_loopback_and_goes_when_dropped() {
    let netns = container().await;
    assert!(pings(&netns, "127.0.0.1", 1).await);
    assert_eq!(ip(&netns, &["link"]).await.as_array().unwrap().len(), 1);
    let path = netns.path().to_owned();
    drop(netns);
    assert!(!path.exists());
}
