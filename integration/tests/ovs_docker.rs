//! Called as `ovs-docker`: the words and exit codes of that tool, and none of its defects.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use flowport::lab::{DockerContainer, HostOptions, LabHost};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{Traces, docker, host_ip, ip_at, output_at, tcp_throughput, vsctl};
use flowport_integration::{container, flowport, host};

const SCRIPT: &str = "/usr/bin/ovs-docker";

/// A host with Docker, the plain bridge br-int, and two containers.
struct Place {
    host: LabHost,
    flowport: Flowport,
    ovs_docker: Flowport,
    web: DockerContainer,
    db: DockerContainer,
}

impl Place {
    async fn start() -> Self {
        let host = host(HostOptions::with_docker()).await;
        let flowport = Flowport::on(&host);
        let ovs_docker = flowport.with_program(&link(&host));
        vsctl(&host, &["add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev"]).await;
        let engine = host.docker().unwrap();
        engine.import_busybox("busybox").await.unwrap();
        let (web, db) = tokio::join!(
            engine.run_container("web", "busybox", "none", &["sleep", "600"]),
            engine.run_container("db", "busybox", "none", &["sleep", "600"]),
        );
        let (web, db) = (web.unwrap(), db.unwrap());
        Self { host, flowport, ovs_docker, web, db }
    }

    async fn code(&self, args: &[&str]) -> Option<i32> {
        self.ovs_docker.output(args).await.status.code()
    }

    async fn ports(&self) -> usize {
        vsctl(&self.host, &["list-ports", "br-int"]).await.lines().count()
    }

    async fn traces(&self) -> Traces {
        Traces::of(&self.host, "br-int").await
    }
}

/// `ovs-docker`, a symbolic link to flowport.
fn link(host: &LabHost) -> PathBuf {
    let link = host.directory().join("ovs-docker");
    std::os::unix::fs::symlink(flowport(), &link).unwrap();
    link
}

#[tokio::test]
async fn the_examples_of_its_usage_text_work_unchanged() {
    let place = Place::start().await;
    let id = &place.web.id[..12];
    let before = place.traces().await;
    let example = "add-port br-int eth1 ID --ipaddress=192.168.1.2/24 --gateway=192.168.1.1 --macaddress=a2:c3:0d:49:7f:f8 --mtu=1450";
    let example = example.replace("ID", id);
    place.ovs_docker.ok(&example.split(' ').collect::<Vec<_>>()).await;

    let netns = place.web.netns();
    let eth1 = &ip_at(&netns, &["address", "show", "dev", "eth1"]).await[0];
    assert_eq!((&eth1["address"], &eth1["mtu"]), (&"a2:c3:0d:49:7f:f8".into(), &1450.into()));
    assert_eq!(eth1["addr_info"][0]["local"], "192.168.1.2");
    assert_eq!(ip_at(&netns, &["route", "show", "default"]).await[0]["gateway"], "192.168.1.1");
    let port = vsctl(&place.host, &["list-ports", "br-int"]).await.trim().to_owned();
    let ids = vsctl(&place.host, &["get", "interface", &port, "external_ids"]).await;
    // ovs-vsctl quotes an id or not, as it begins with a digit or a letter.
    assert!(ids.replace('"', "").contains(&format!("container_id={}", place.web.id)), "{ids}");
    assert!(ids.contains("container_iface=eth1"), "{ids}");

    place.ovs_docker.ok(&["set-vlan", "br-int", "eth1", id, "5"]).await;
    assert_eq!(vsctl(&place.host, &["get", "port", &port, "tag"]).await.trim(), "5");
    place.ovs_docker.ok(&["del-port", "br-int", "eth1", id]).await;
    assert_eq!(place.traces().await, before);

    for interface in ["eth1", "eth2"] {
        // An address without a prefix is a host's.
        let address = format!("--ipaddress=192.168.{}.2", &interface[3..]);
        place.ovs_docker.ok(&["add-port", "br-int", interface, id, &address]).await;
    }
    assert_eq!(place.ports().await, 2);
    assert_eq!(ip_at(&netns, &["address", "show", "dev", "eth2"]).await[0]["addr_info"][0]["prefixlen"], 32);
    place.ovs_docker.ok(&["del-ports", "br-int", id]).await;
    assert_eq!(place.traces().await, before);
    let help = place.ovs_docker.ok(&["--help"]).await;
    assert_eq!(help, place.ovs_docker.ok(&["-h"]).await);
    for command in ["add-port", "del-port", "del-ports", "set-vlan"] {
        assert!(help.contains(&format!("  {command} BRIDGE")), "{help}");
    }
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn the_exit_codes_are_those_of_the_script() {
    let place = Place::start().await;
    let script = place.flowport.with_program(Path::new(SCRIPT));
    let cases: [&[&str]; 19] = [
        &[],
        &["-h"],
        &["--help"],
        &["frobnicate"],
        &["add-port"],
        &["add-port", "br-int", "eth1"],
        &["add-port", "br-int", "eth1", "web", "--frobnicate=1"],
        &["add-port", "br-int", "eth1", "nobody"],
        &["del-port", "br-int", "eth1"],
        &["del-port", "br-int", "eth1", "web"],
        &["del-ports", "br-int"],
        &["del-ports", "br-int", "web"],
        &["set-vlan", "br-int", "eth1", "web"],
        &["set-vlan", "br-int", "eth1", "web", "5"],
        &["add-port", "br-int", "eth1", "web", "--ipaddress=192.168.1.2/24"],
        &["add-port", "br-int", "eth1", "web", "--ipaddress=192.168.1.2/24"],
        &["set-vlan", "br-int", "eth1", "web", "5"],
        &["del-port", "br-int", "eth1", "web"],
        &["del-ports", "br-int", "web"],
    ];
    for args in cases {
        // Each with a container of its own, so that neither finds the other's port.
        let for_script: Vec<&str> =
            args.iter().map(|word| if *word == "web" { "db" } else { word }).collect();
        let theirs = script.output(&for_script).await.status.code();
        assert_eq!(place.code(args).await, theirs, "{args:?}");
    }
    assert_eq!(place.ports().await, 0);
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn a_bridge_that_is_missing_and_cannot_be_made_is_one_line_and_leaves_nothing() {
    // The lab's ovs-vswitchd has no kernel datapath, which is what a bridge without a type is given.
    let place = Place::start().await;
    let before = place.traces().await;
    let line = place.ovs_docker.refused(&["add-port", "br-new", "eth1", "web"]).await;
    assert!(line.contains("br-new") && line.contains("--datapath=netdev"), "{line}");
    assert_eq!(vsctl(&place.host, &["list-br"]).await.trim(), "br-int");
    assert_eq!(place.traces().await, before);
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_outlives_no_run_of_its_container_and_can_be_made_again() {
    // 1: after a restart the script says "Port already attached".
    let place = Place::start().await;
    let add = ["add-port", "br-int", "eth1", "web", "--ipaddress=192.168.1.2/24"];
    place.ovs_docker.ok(&add).await;
    docker(&place.host, &["restart", "-t", "0", "web"]).await;
    place.ovs_docker.ok(&add).await;
    assert_eq!(place.ports().await, 1);
    place.ovs_docker.ok(&["del-port", "br-int", "eth1", "web"]).await;
    assert_eq!(place.ports().await, 0);

    // 2: for a stopped container it returns 0 and leaves a row and a veth.
    docker(&place.host, &["stop", "web"]).await;
    let before = place.traces().await;
    let line = place.ovs_docker.refused(&add).await;
    assert!(line.contains("web") && line.contains("not running"), "{line}");
    assert_eq!(place.traces().await, before);
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn bridge_and_container_are_who_they_are() {
    // 3: the script ignores the bridge, and takes name and id for two containers.
    let place = Place::start().await;
    vsctl(&place.host, &["add-br", "br-two", "--", "set", "bridge", "br-two", "datapath_type=netdev"]).await;
    place.ovs_docker.ok(&["add-port", "br-int", "eth1", "web"]).await;
    assert_eq!(place.code(&["del-port", "br-two", "eth1", "web"]).await, Some(1));
    assert_eq!(place.code(&["set-vlan", "br-two", "eth1", "web", "5"]).await, Some(1));
    assert_eq!(place.code(&["del-ports", "br-two", "web"]).await, Some(0));
    assert_eq!(place.ports().await, 1);
    let line = place.ovs_docker.refused(&["add-port", "br-int", "eth1", &place.web.id[..12]]).await;
    assert!(line.contains("already attached"), "{line}");
    assert_eq!(place.ports().await, 1);
    place.ovs_docker.ok(&["del-port", "br-int", "eth1", &place.web.id]).await;

    // 4: what fails after the port was added stays half-made.
    let before = place.traces().await;
    for bad in [
        "--ipaddress=300.0.0.1/24",
        "--macaddress=xx",
        "--mtu=1",
        "--gateway=10.9.9.9",
        "--macaddress=01:00:5e:00:00:01",
    ] {
        place
            .ovs_docker
            .refused(&["add-port", "br-int", "eth1", "web", "--ipaddress=192.168.1.2/24", bad])
            .await;
        assert_eq!(place.traces().await, before, "{bad}");
    }
    place.ovs_docker.ok(&["add-port", "br-int", "eth1", "web"]).await;
    // 7: a VLAN that is none.
    for vlan in ["4096", "-1", "five", ""] {
        let line = place.ovs_docker.refused(&["set-vlan", "br-int", "eth1", "web", vlan]).await;
        assert!(line.contains("VLAN"), "{line}");
    }
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn two_at_a_time_and_a_default_route_that_is_there_are_no_trouble() {
    let place = Place::start().await;
    // 5: two runs for one container at the same time quarrel over a symbolic link in /var/run/netns.
    let (first, second) = tokio::join!(
        place.ovs_docker.ok(&[
            "add-port",
            "br-int",
            "eth1",
            "web",
            "--ipaddress=192.168.1.2/24",
            "--gateway=192.168.1.1"
        ]),
        place.ovs_docker.ok(&[
            "add-port",
            "br-int",
            "eth2",
            "web",
            "--ipaddress=192.168.2.2/24",
            "--mtu=1400"
        ]),
    );
    assert_eq!((first, second), (String::new(), String::new()));
    assert!(!Path::new("/var/run/netns").join(place.web.pid.to_string()).exists());
    // 6: a second gateway is refused by the kernel where there is one; the host's end keeps its MTU and a fe80.
    let gateway =
        ["add-port", "br-int", "eth3", "web", "--ipaddress=192.168.3.2/24", "--gateway=192.168.3.1"];
    place.ovs_docker.ok(&gateway).await;
    let default = ip_at(&place.web.netns(), &["route", "show", "default"]).await;
    assert_eq!(default[0]["gateway"], "192.168.3.1", "{default}");
    for port in vsctl(&place.host, &["list-ports", "br-int"]).await.lines() {
        let end = &host_ip(&place.host, &["address", "show", "dev", port]).await[0];
        assert_eq!(end["addr_info"], serde_json::json!([]), "{port}");
        let interface = vsctl(&place.host, &["get", "interface", port, "external_ids:container_iface"]).await;
        let inner = &ip_at(&place.web.netns(), &["link", "show", "dev", interface.trim()]).await[0];
        assert_eq!(end["mtu"], inner["mtu"], "both ends of {interface}");
    }
    // 7: neither docker, nor ip, nor uuidgen, nor a shell is called.
    let trace = place.host.directory().join("trace");
    let traced = place.flowport.with_program(Path::new("/usr/bin/strace"));
    if Path::new("/usr/bin/strace").exists() {
        let link = place.host.directory().join("ovs-docker");
        let args = ["-f", "-e", "trace=execve", "-o", trace.to_str().unwrap(), link.to_str().unwrap()];
        let output = traced.output(&[&args[..], &["del-ports", "br-int", "web"]].concat()).await;
        assert!(output.status.success());
        assert_eq!(std::fs::read_to_string(&trace).unwrap().matches("execve(").count(), 1);
        assert_eq!(place.ports().await, 0);
    }
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn tcp_works_on_a_userspace_bridge() {
    // 8, shown with containers that stand in namespaces, where iperf3 is.
    let host = host(HostOptions::default()).await;
    let ovs_docker = Flowport::on(&host).with_program(&link(&host));
    vsctl(&host, &["add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev"]).await;
    let (first, second) = (container().await, container().await);
    for (netns, address) in [(&first, "--ipaddress=192.168.1.1/24"), (&second, "--ipaddress=192.168.1.2/24")]
    {
        ovs_docker.ok(&["add-port", "br-int", "eth1", &format!("netns:{}", netns.name()), address]).await;
    }
    assert!(tcp_throughput(&second, &first, "192.168.1.2").await > 1e6);
}

#[tokio::test]
async fn docker_containers_talk_tcp_on_a_userspace_bridge() {
    let place = Place::start().await;
    place.ovs_docker.ok(&["add-port", "br-int", "eth1", "web", "--ipaddress=192.168.1.2/24"]).await;
    place.ovs_docker.ok(&["add-port", "br-int", "eth1", "db", "--ipaddress=192.168.1.3/24"]).await;
    docker(&place.host, &["exec", "-d", "db", "sh", "-c", "echo answer | nc -l -p 80"]).await;
    flowport_integration::wait_until(flowport_integration::DEADLINE, "nc listens", async || {
        let listening = output_at(&place.db.netns(), "ss", &["-Hltn", "sport = 80"]).await;
        !listening.stdout.is_empty()
    })
    .await;
    let said = docker(&place.host, &["exec", "web", "sh", "-c", "nc -w 5 192.168.1.3 80 < /dev/null"]).await;
    assert_eq!(said.trim(), "answer");
    place.host.stop().await.unwrap();
}
