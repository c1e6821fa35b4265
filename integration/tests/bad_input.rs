//! Whatever cannot be done: exit code 1, one line that names the thing and says what to do, and nothing half-made.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use flowport::lab::HostOptions;
use flowport_integration::scene::{By, Scene, inside, named, same, signal};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::Signal;
use tokio::process::Command;

/// Each of these, by the command itself and through a daemon.
macro_rules! both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn by_itself() {
                super::cases::$name(super::By::Itself).await;
            }

            #[tokio::test]
            async fn by_the_daemon() {
                super::cases::$name(super::By::Daemon).await;
            }
        }
    )*};
}

both! {
    names addresses bridges_and_tunnels attached_twice many_ports docker
    no_vswitchd no_database a_bridge_deleted_under_us vswitchd_hangs
    no_permission
}

mod cases {
    use super::*;

    pub(super) async fn names(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        let c = named(&c);
        let long = "a234567890123456";
        for (command, words) in [
            ("add-port br0 eth1 netns:nosuch", &["nosuch", "`ip netns`"][..]),
            ("add-port br0 eth1 netns:/run/netns/no/such", &["/run/netns/no/such", "`ip netns`"]),
            ("add-port br0 eth1 netns:/etc/passwd", &["/etc/passwd", "`ip netns`"]),
            ("add-port br0 eth1 netns:a/b", &["a/b", "netns:NAME"]),
            ("add-port br0 eth1 pid:4000000", &["4000000", "`ps`"]),
            ("add-port br0 eth1 pid:0", &["pid:0", "pid:N"]),
            ("add-port br0 eth1 web", &["Docker is not running", "start it"]),
            ("add-port br0 eth1 a:b", &["a:b", "netns:NAME"]),
            ("add-port nosuch eth1 C", &["nosuch", "`flowport add-br nosuch`"]),
            ("add-port br0 LONG C", &[long, "15"]),
            ("add-port LONG eth1 C", &[long, "15"]),
            ("add-port br0 a/b C", &["a/b"]),
            ("add-port br0 lo C", &["lo", "eth1"]),
            ("del-port br0 eth1 C", &["eth1", "C", "br0", "`flowport show`"]),
            ("del-port nosuch eth1 C", &["nosuch", "`flowport add-br nosuch`"]),
            ("del-port br0 eth1 netns:nosuch", &["netns:nosuch", "`flowport show`"]),
            ("del-ports br0 C", &["C", "`flowport show`"]),
            ("del-ports nosuch C", &["nosuch"]),
            ("set-vlan br0 eth1 C 5", &["eth1", "C", "`flowport show`"]),
            ("set-vlan br0 eth1 netns:nosuch 5", &["nosuch"]),
            ("set-vlan nosuch eth1 C 5", &["nosuch", "`flowport add-br nosuch`"]),
            ("add-ports br0 /no/such/file", &["/no/such/file"]),
            ("add-ports br0 -", &["no line"]),
            ("del-br nosuch", &["nosuch"]),
            ("adopt nosuch", &["nosuch", "`flowport add-br nosuch`"]),
        ] {
            let filled = |text: &str| text.replace("LONG", long).replace('C', &c);
            let words: Vec<String> =
                words.iter().map(|word| if *word == "C" { c.clone() } else { (*word).to_owned() }).collect();
            scene.refused(&filled(command), &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
        scene.refused("add-port br0 eth1 netns:/proc/self/ns/net", &["/proc/self/ns/net"]).await;
        for wrong in [
            "add-port br0 eth1",
            "nosuch",
            "add-port br0 eth1 web --color=red",
            "show --timeout=soon",
            "del-ports br0",
        ] {
            let said = scene.run(wrong).await;
            assert_eq!(said.code, Some(2), "{wrong}: {said:?}");
        }
    }

    pub(super) async fn addresses(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        let (first, second) = (container().await, container().await);
        let add = format!("add-port br0 eth1 {}", named(&first));
        scene
            .done(&format!(
                "{add} --ipaddress=10.0.0.1/24 --ipaddress=fd00::1/64 --macaddress=02:00:00:00:00:01"
            ))
            .await;
        let add = format!("add-port br0 eth1 {}", named(&second));
        let holder = named(&first);
        let of_bridge = scene.tool("ovs-vsctl", "--bare --columns=mac_in_use list interface br0").await;
        let of_bridge = format!("--macaddress={}", of_bridge.trim());
        for (options, words) in [
            ("--ipaddress=10.0.0.256/24", &["10.0.0.256/24", "10.0.0.2/24"][..]),
            ("--ipaddress=10.0.0.2/33", &["10.0.0.2/33"]),
            ("--ipaddress=10.0.0.0/24", &["10.0.0.0/24"]),
            ("--ipaddress=10.0.0.255/24", &["10.0.0.255/24"]),
            ("--ipaddress=127.0.0.1/8", &["127.0.0.1"]),
            ("--ipaddress=224.0.0.5/24", &["224.0.0.5"]),
            ("--ipaddress=ff02::1/64", &["ff02::1"]),
            ("--ipaddress=hello", &["hello"]),
            ("--ipaddress=10.0.0.2/24 --ipaddress=10.0.0.2/16", &["10.0.0.2", "once"]),
            ("--ipaddress=10.0.0.1/24", &["10.0.0.1", &holder, "br0", "another"]),
            ("--ipaddress=10.0.0.1/8", &["10.0.0.1", &holder]),
            ("--ipaddress=fd00::1/64", &["fd00::1", &holder]),
            ("--ipaddress=10.0.0.2/24 --macaddress=02:00:00:00:00:01", &["02:00:00:00:00:01", &holder]),
            (&of_bridge, &["port br0", "another"]),
            ("--macaddress=02:00:00:00:00", &["02:00:00:00:00", "six hex pairs"]),
            ("--macaddress=01:00:5e:00:00:01", &["01:00:5e:00:00:01", "unicast"]),
            ("--macaddress=00:00:00:00:00:00", &["00:00:00:00:00:00"]),
            ("--vlan=4096", &["4096", "4095"]),
            ("--vlan=-1", &["-1", "4095"]),
            ("--vlan=blue", &["blue", "4095"]),
            ("--mtu=67", &["67"]),
            ("--mtu=70000", &["70000"]),
            ("--mtu=big", &["big"]),
            ("--mtu=1000 --ipaddress=fd00::2/64", &["1000", "1280"]),
            ("--gateway=10.0.0.254", &["10.0.0.254", "--ipaddress"]),
            ("--ipaddress=10.0.0.2/24 --gateway=10.0.1.254", &["10.0.1.254"]),
            ("--ipaddress=10.0.0.2/24 --gateway=10.0.0.2", &["10.0.0.2", "own address"]),
            ("--ipaddress=10.0.0.2/24 --gateway=10.0.0.8 --gateway=10.0.0.9", &["10.0.0.9"]),
            ("--ipaddress=10.0.0.2/24 --gateway=gate", &["gate"]),
            ("--ipaddress=10.0.0.2/24 --route=10.1.0.0", &["10.1.0.0"]),
            ("--ipaddress=10.0.0.2/24 --route=10.1.0.0/16@10.9.0.1", &["10.9.0.1"]),
            ("--ipaddress=10.0.0.2/24 --route=fd00::/64", &["fd00::/64"]),
        ] {
            scene.refused(&format!("{add} {options}"), words).await;
        }
        // The same address is another's in another network; moving it into the first would make two.
        scene.done(&format!("{add} --ipaddress=10.0.0.1/24 --vlan=7")).await;
        scene.refused(&format!("set-vlan br0 eth1 {} 0", named(&second)), &["10.0.0.1", &holder]).await;
        scene.refused(&format!("set-vlan br0 eth1 {} 4096", named(&second)), &["4096"]).await;
        assert!(inside(&second).await.contains("eth1"));
    }

    pub(super) async fn bridges_and_tunnels(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        scene.tool("ip", "link add dum0 type veth").await;
        scene.tool("ip", "link add dum1 type veth").await;
        scene.tool("ip", "address add 192.0.2.9/24 dev dum1").await;
        scene.tool("ip", "link set dum1 up").await;
        scene.tool("ip", "link set lo up").await;
        scene.tool("ovs-vsctl", "add-br theirs -- set bridge theirs datapath_type=netdev").await;
        scene.done("add-tunnel br0 vx0 --type=vxlan --remote=192.0.2.1").await;
        let c = container().await;
        scene.done(&format!("add-port br0 eth1 {}", named(&c))).await;
        for (command, words) in [
            ("add-br br0", &["br0", "exists", "adopt"][..]),
            ("add-br theirs", &["theirs", "`flowport adopt theirs`"]),
            ("add-br dum0 --datapath=netdev", &["dum0", "another name"]),
            ("add-br a234567890123456 --datapath=netdev", &["a234567890123456", "15"]),
            ("add-br br1 --datapath=system", &["br1", "--datapath=netdev"]),
            ("add-br br1 --datapath=netdev --uplink=nosuch", &["nosuch", "`ip link`"]),
            ("add-br br1 --datapath=netdev --uplink=dum1", &["dum1", "192.0.2.9", "--address"]),
            ("add-br br1 --datapath=netdev --address=10.0.0.300/24", &["10.0.0.300"]),
            ("del-br theirs", &["theirs", "ovs-vsctl del-br theirs"]),
            ("del-br br0", &["br0", "`flowport del-ports br0 --all`"]),
            ("add-tunnel nosuch vx1 --type=vxlan --remote=192.0.2.1", &["nosuch"]),
            ("add-tunnel br0 vx0 --type=vxlan --remote=192.0.2.1", &["vx0", "another name"]),
            ("add-tunnel br0 vx1 --type=vxlan --remote=host2", &["host2"]),
            ("add-tunnel br0 vx1 --type=vxlan --remote=0.0.0.0", &["0.0.0.0"]),
            ("add-tunnel br0 vx1 --type=vxlan --remote=192.0.2.9", &["192.0.2.9", "this host"]),
            ("add-tunnel br0 vx1 --type=vxlan --remote=flow", &["--remote=IP"]),
            ("add-tunnel br0 vx1 --type=vxlan --remote=192.0.2.3 --key=red", &["red"]),
            ("add-tunnel br0 vx1 --type=vxlan --remote=192.0.2.1", &["vx1"]),
        ] {
            scene.refused(command, words).await;
        }
    }

    pub(super) async fn attached_twice(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        c.output(Command::new("ip").args(["link", "add", "eth7", "type", "veth"])).await.unwrap();
        let (c_name, before) = (named(&c), inside(&c).await);
        scene.refused(&format!("add-port br0 eth7 {c_name}"), &["eth7", &c_name, "another name"]).await;
        // A route that the kernel refuses, when everything else is there.
        let no_way =
            format!("add-port br0 eth1 {c_name} --ipaddress=10.0.0.1/24 --route=127.0.0.0/8@10.0.0.9");
        let said = scene.run(&no_way).await;
        if said.code != Some(0) {
            said.refused(&["127.0.0.0/8", &c_name]);
        } else {
            scene.done(&format!("del-port br0 eth1 {c_name}")).await;
        }
        assert_eq!(inside(&c).await, before);
        scene.done(&format!("add-port br0 eth1 {c_name} --ipaddress=10.0.0.1/24")).await;
        let again = ["eth1", &c_name, "already attached to br0", "`flowport del-port br0 eth1"];
        scene.refused(&format!("add-port br0 eth1 {c_name}"), &again).await;
        scene.refused(&format!("add-port br0 eth1 netns:{}", c.path().display()), &again).await;
        scene.done("add-br br1 --datapath=netdev").await;
        scene.refused(&format!("add-port br1 eth1 {c_name}"), &again).await;
        scene.refused(&format!("del-port br1 eth1 {c_name}"), &["eth1", &c_name, "br1"]).await;
        assert!(scene.whole().await);
    }

    /// Twenty lines, of which the thirteenth is bad in one way after the other: none is attached.
    pub(super) async fn many_ports(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        let mut containers = Vec::new();
        for _ in 0..20 {
            containers.push(container().await);
        }
        containers[12]
            .output(Command::new("ip").args(["link", "add", "eth7", "type", "veth"]))
            .await
            .unwrap();
        let line = |nth: usize, interface: &str, more: &str| {
            format!(
                r#"{{"container":"{}","interface":"{interface}","ipaddress":"10.0.0.{}/24"{more}}}"#,
                named(&containers[nth]),
                nth + 1
            )
        };
        let good: Vec<String> = (0..20).map(|nth| line(nth, "eth1", "")).collect();
        let the_13th = named(&containers[12]);
        for (bad, words) in [
            (line(12, "eth7", ""), &["eth7", the_13th.as_str()][..]),
            (line(12, "eth1", r#","bridge":"nosuch""#), &["nosuch"]),
            (line(12, "eth1", r#","color":"red""#), &["line 13", "color"]),
            (line(12, "eth1", r#","vlan":4096"#), &["line 13", "4096"]),
            (line(12, "eth1", r#","gateway":"10.9.0.1""#), &["10.9.0.1"]),
            (line(12, "eth1", "").replace("10.0.0.13", "10.0.0.2"), &["10.0.0.2", &named(&containers[1])]),
            (good[1].clone(), &["eth1", &named(&containers[1]), "twice"]),
            (good[12].replace(&the_13th, "netns:nosuch"), &["nosuch"]),
            (good[12].replace(&the_13th, "web"), &["Docker is not running"]),
            ("{".to_owned(), &["line 13"]),
        ] {
            let mut lines = good.clone();
            lines[12] = bad;
            let before = scene.seen().await;
            let said = scene.add_ports(&lines).await;
            said.refused(words);
            same(&before, &scene.seen().await);
            for container in &containers {
                assert!(!inside(container).await.contains("eth1"), "{said:?}");
            }
        }
        assert_eq!(scene.add_ports(&good).await.code, Some(0));
        assert!(scene.whole().await && scene.ports().await.len() == 20);
    }

    pub(super) async fn docker(by: By) {
        let mut scene = Scene::start(HostOptions::with_docker(), by).await;
        let engine = scene.host.docker().unwrap();
        engine.import_busybox("busybox").await.unwrap();
        engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
        engine.run_container("hosted", "busybox", "host", &["sleep", "600"]).await.unwrap();
        scene.tool("docker", "create --name stopped --net none busybox sleep 600").await;
        for command in ["add-port br0 eth1 C", "set-vlan br0 eth1 C 5"] {
            let with = |name: &str| command.replace('C', name);
            scene.refused(&with("nosuch"), &["nosuch", "`docker ps -a`"]).await;
            scene.refused(&with("stopped"), &["stopped", "`docker start stopped`"]).await;
            scene.refused(&with("hosted"), &["hosted", "--net=none"]).await;
        }
        scene.refused("add-port br0 lo web", &["lo"]).await;
        scene.done("add-port br0 eth1 web --ipaddress=10.0.0.1/24").await;
        let id = scene.tool("docker", "inspect -f {{.Id}} web").await;
        scene.refused(&format!("add-port br0 eth1 {}", &id[..12]), &["eth1", "already attached"]).await;
        scene.refused("del-port br0 eth1 nosuch", &["nosuch", "`flowport show`"]).await;
        scene.done("del-port br0 eth1 web").await;
        // One that hangs is not waited for longer than the caller wants.
        let asked = std::time::Instant::now();
        scene.host.docker_mut().unwrap().daemon().signal(Signal::STOP).unwrap();
        scene.refused("add-port br0 eth1 web --timeout=1", &["Docker", "--timeout"]).await;
        assert!(asked.elapsed() < DEADLINE, "{:?}", asked.elapsed());
        scene.host.docker_mut().unwrap().daemon().signal(Signal::CONT).unwrap();
        scene.done("add-port br0 eth1 web --ipaddress=10.0.0.1/24").await;
        scene.done("del-port br0 eth1 web").await;
        // An engine that ended takes its containers along, or not; either way it cannot be asked.
        scene.host.docker_mut().unwrap().daemon().kill().await.unwrap();
        scene.refused("add-port br0 eth1 web", &["Docker is not running", "DOCKER_HOST"]).await;
        scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
    }

    pub(super) async fn no_vswitchd(by: By) {
        let mut scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        let (before, links) = (scene.seen().await, inside(&c).await);
        scene.host.ovs_mut().vswitchd().kill().await.unwrap();
        for command in [
            format!("add-port br0 eth1 {} --timeout=2", named(&c)),
            "add-br br1 --datapath=netdev --timeout=1".to_owned(),
            "add-tunnel br0 vx0 --type=vxlan --remote=192.0.2.1 --timeout=1".to_owned(),
        ] {
            let said = scene.run(&command).await;
            said.refused(&["ovs-vswitchd", "openvswitch-switch"]);
        }
        assert_eq!(inside(&c).await, links);
        scene.host.ovs_mut().start_vswitchd().await.unwrap();
        if by == By::Itself {
            // A daemon puts the bridge's own flow entries back; here the next command does.
            scene.done(&format!("add-port br0 eth1 {}", named(&c))).await;
            scene.done(&format!("del-port br0 eth1 {}", named(&c))).await;
        }
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
    }

    pub(super) async fn no_database(by: By) {
        let mut scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        let (before, links) = (scene.seen().await, inside(&c).await);
        scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
        for command in [
            format!("add-port br0 eth1 {} --timeout=1", named(&c)),
            format!("del-port br0 eth1 {} --timeout=1", named(&c)),
            "add-br br1 --datapath=netdev --timeout=1".to_owned(),
            "del-br br0 --timeout=1".to_owned(),
            "add-tunnel br0 vx0 --type=vxlan --remote=192.0.2.1 --timeout=1".to_owned(),
        ] {
            let said = scene.run(&command).await;
            match command.starts_with("del-port") {
                true => said.refused(&[]),
                false => said.refused(&["ovsdb-server"]),
            }
        }
        if by == By::Itself {
            let said = scene.run("show").await;
            said.refused(&["ovsdb-server", "openvswitch-switch"]);
        }
        assert_eq!(inside(&c).await, links);
        scene.host.ovs_mut().start_ovsdb().await.unwrap();
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
        let add = format!("add-port br0 eth1 {}", named(&c));
        scene.done(&add).await;
    }

    pub(super) async fn a_bridge_deleted_under_us(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        let name = named(&c);
        scene.done(&format!("add-port br0 eth1 {name} --ipaddress=10.0.0.1/24")).await;
        scene.tool("ovs-vsctl", "del-br br0").await;
        for command in [
            "add-port br0 eth2 C",
            "set-vlan br0 eth9 C 4",
            "add-tunnel br0 vx0 --type=vxlan --remote=192.0.2.1",
            "del-br br0",
            "adopt br0",
        ] {
            let said = scene.run(&command.replace('C', &name)).await;
            said.refused(&["bridge br0 does not exist", "`flowport add-br br0`"]);
            assert!(!inside(&c).await.contains("eth2"));
        }
        // It comes back; what was attached can be had again, whatever was left of it.
        scene.done("add-br br0 --datapath=netdev").await;
        if by == By::Itself {
            scene.done(&format!("add-port br0 eth1 {name} --ipaddress=10.0.0.1/24")).await;
        }
        wait_until(DEADLINE, "it is whole", async || scene.whole().await && scene.ports().await.len() == 1)
            .await;
        scene.done(&format!("del-port br0 eth1 {name}")).await;
        assert!(scene.host_ends().await.is_empty() && !inside(&c).await.contains("eth1"));
        assert!(scene.endpoints_with_flows("br0").await.is_empty() && scene.records().await.is_empty());
    }

    /// Between the link and the port number: the row is there, and is taken back.
    pub(super) async fn vswitchd_hangs(by: By) {
        let mut scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        let (before, links) = (scene.seen().await, inside(&c).await);
        scene.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
        let said = scene.run(&format!("add-port br0 eth1 {} --timeout=1", named(&c))).await;
        said.refused(&["eth1", &named(&c), "ovs-vswitchd", "openvswitch-switch"]);
        assert_eq!(inside(&c).await, links);
        assert!(scene.ports().await.is_empty() && scene.host_ends().await.is_empty());
        let said = scene.run("add-br br1 --datapath=netdev --timeout=1").await;
        said.refused(&["br1", "ovs-vswitchd"]);
        scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
    }

    pub(super) async fn no_permission(by: By) {
        let scene = Scene::start(HostOptions::default(), by).await;
        let c = container().await;
        let c = named(&c);
        let before = scene.seen().await;
        for words in [
            vec!["add-port", "br0", "eth1", &c],
            vec!["del-port", "br0", "eth1", &c],
            vec!["add-br", "br1", "--datapath=netdev"],
            vec!["show"],
            vec!["flows"],
        ] {
            let exe = flowport_integration::flowport().display().to_string();
            let as_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", &exe];
            let command = scene.host.command("setpriv");
            let mut command = scene.configured(command, as_nobody.into_iter().chain(words.iter().copied()));
            let said: flowport_integration::scene::Said =
                scene.host.output(&mut command).await.unwrap().into();
            said.refused(&["ermission", "root"]);
        }
        same(&before, &scene.seen().await);
    }
}

/// A command that is in the middle: its row is there, and ovs-vswitchd, which is stopped, does not take it up.
async fn in_the_middle(scene: &mut Scene, words: &str) -> tokio::process::Child {
    scene.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
    let command = scene.spawn(words);
    wait_until(DEADLINE, "the row is there", async || !scene.ports().await.is_empty()).await;
    command
}

#[tokio::test]
async fn a_command_that_is_interrupted_undoes_what_it_did() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let c = container().await;
    let (before, links) = (scene.seen().await, inside(&c).await);
    for with in [Signal::INT, Signal::TERM, Signal::HUP] {
        let command =
            in_the_middle(&mut scene, &format!("add-port br0 eth1 {} --timeout=60", named(&c))).await;
        signal(&command, with);
        let said: flowport_integration::scene::Said = command.wait_with_output().await.unwrap().into();
        said.refused(&["interrupted", "undone"]);
        assert_eq!(inside(&c).await, links);
        scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
    }
}

#[tokio::test]
async fn a_bridge_whose_making_is_interrupted_is_taken_back() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let before = scene.seen().await;
    for words in [
        "add-br br1 --datapath=netdev --timeout=60",
        "add-tunnel br0 vx0 --type=vxlan --remote=192.0.2.1 --timeout=60",
    ] {
        scene.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
        let rows = scene.rows().await;
        let command = scene.spawn(words);
        wait_until(DEADLINE, "the row is there", async || scene.rows().await != rows).await;
        signal(&command, Signal::INT);
        let said: flowport_integration::scene::Said = command.wait_with_output().await.unwrap().into();
        said.refused(&["interrupted", "undone"]);
        scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
    }
}

#[tokio::test]
async fn a_database_that_is_restarted_in_the_middle_keeps_nothing() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let c = container().await;
    let (before, links) = (scene.seen().await, inside(&c).await);
    let command = in_the_middle(&mut scene, &format!("add-port br0 eth1 {} --timeout=2", named(&c))).await;
    scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
    scene.host.ovs_mut().start_ovsdb().await.unwrap();
    let said: flowport_integration::scene::Said = command.wait_with_output().await.unwrap().into();
    said.refused(&["eth1", &named(&c)]);
    assert_eq!(inside(&c).await, links);
    scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
    wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
}

/// Killed after ever more time, the same command again finishes the work, and taking it back leaves nothing.
#[tokio::test]
async fn a_killed_command_leaves_nothing_that_the_same_command_does_not_take_up() {
    let scene = Scene::start(HostOptions::default(), By::Itself).await;
    let containers = [container().await, container().await, container().await];
    let lines: Vec<String> =
        containers.iter().map(|c| format!(r#"{{"container":"{}","interface":"eth1"}}"#, named(c))).collect();
    let file = scene.host.directory().join("ports");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let add = format!("add-ports br0 {}", file.display());
    let before = scene.seen().await;
    let mut unfinished = 0;
    for nth in 0..30 {
        let mut command = scene.spawn(&add);
        let ended = tokio::time::timeout(std::time::Duration::from_millis(5 * nth), command.wait()).await;
        unfinished += usize::from(ended.is_err());
        let _ = command.kill().await;
        let again = scene.run(&add).await;
        match again.code {
            Some(0) => {}
            // It had come so far that its ports stood.
            _ => {
                again.refused(&["already attached"]);
                scene.done("del-ports br0 --all").await;
                scene.done(&add).await;
            }
        }
        assert!(
            scene.whole().await && scene.ports().await.len() == 3,
            "round {nth}: {:#?}",
            scene.seen().await
        );
        scene.done("del-ports br0 --all").await;
        same(&before, &scene.seen().await);
        for container in &containers {
            assert!(!inside(container).await.contains("eth1"));
        }
    }
    assert!(unfinished > 0);
}

/// The same, with a daemon that starts instead.
#[tokio::test]
async fn a_killed_command_leaves_nothing_that_a_daemon_does_not_take_up() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let containers = [container().await, container().await, container().await];
    let add = format!("add-port br0 eth1 {}", named(&containers[0]));
    let before = scene.seen().await;
    for nth in 0..12 {
        let mut command = scene.spawn(&add);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(8 * nth), command.wait()).await;
        let _ = command.kill().await;
        scene.start_daemon().await;
        // Its answer comes after the first round of its own.
        scene.run("del-port br0 eth9 netns:nosuch").await.refused(&[]);
        wait_until(DEADLINE, "it is whole", async || scene.whole().await).await;
        if !scene.ports().await.is_empty() {
            scene.done("del-ports br0 --all").await;
        }
        scene.end_daemon(Signal::TERM).await;
        same(&before, &scene.seen().await);
        assert!(!inside(&containers[0]).await.contains("eth1"), "round {nth}");
    }
}

#[tokio::test]
async fn a_killed_bridge_maker_leaves_a_bridge_that_can_be_removed() {
    let scene = Scene::start(HostOptions::default(), By::Itself).await;
    let before = scene.seen().await;
    for nth in 0..10 {
        let mut command = scene.spawn("add-br br1 --datapath=netdev --address=10.9.0.1/24");
        let _ = tokio::time::timeout(std::time::Duration::from_millis(6 * nth), command.wait()).await;
        let _ = command.kill().await;
        let said = scene.run("del-br br1").await;
        assert!(said.code == Some(0) || said.err.contains("does not exist"), "{said:?}");
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
    }
}
