//! Containers that are kept apart, and what they are allowed, on a managed userspace bridge.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use flowport::lab::{HostOptions, Netns, in_netns};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{output_at, pings, vsctl};
use flowport_integration::scene::named;

async fn attached(flowport: &Flowport, n: u8) -> Netns {
    let addresses = [format!("10.0.0.{n}/24"), format!("fd00::{n}/64")];
    let [ipv4, ipv6] = addresses.map(|address| format!("--ipaddress={address}"));
    flowport.attached(&[&ipv4, &ipv6]).await
}

/// Whether `from` gets a word from `to` (10.0.0.`n`) on this port, by TCP.
async fn connects(from: &Netns, to: &Netns, n: u8, port: u16) -> bool {
    // The server is there when it says so; both end by themselves.
    let serve = format!("echo hello | timeout 8 busybox nc -l -p {port}");
    let ask = format!("for i in $(seq 8); do busybox nc -w 1 10.0.0.{n} {port} </dev/null && exit; done");
    let (serve, ask) = (["-c", &serve], ["-c", &ask]);
    let (_, said) = tokio::join!(output_at(to.path(), "sh", &serve), output_at(from.path(), "sh", &ask));
    String::from_utf8_lossy(&said.stdout).contains("hello")
}

/// A UDP socket in a container.
fn udp(netns: &Netns, address: &str, port: u16) -> UdpSocket {
    let address = (address.parse::<IpAddr>().unwrap(), port);
    let socket = in_netns(netns.path(), || UdpSocket::bind(address)).unwrap().unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket
}

/// Whether a datagram of this many bytes gets from the one to the other, and one as large back.
fn echoes(client: &UdpSocket, server: &UdpSocket, size: usize) -> bool {
    let (sent, mut heard) = (vec![7; size], vec![0; 65_536]);
    // Whoever was not known yet may lose the first.
    (0..4).any(|_| {
        client.send_to(&sent, server.local_addr().unwrap()).unwrap();
        let Ok((there, from)) = server.recv_from(&mut heard) else { return false };
        server.send_to(&sent, from).unwrap();
        there == size && client.recv(&mut heard).is_ok_and(|back| back == size)
    })
}

#[tokio::test]
async fn datagrams_in_fragments_go_as_whole_ones_do() {
    let (_host, flowport) = Flowport::bridged(HostOptions::default(), &[]).await;
    let [web, db, late] =
        [attached(&flowport, 1).await, attached(&flowport, 2).await, attached(&flowport, 3).await];
    flowport.ok(&["set-icc", "br0", "off"]).await;
    flowport.ok(&["allow", "br0", &named(&web), &named(&db), "udp/5000"]).await;
    let net = |version: u8, n: u8| if version == 4 { format!("10.0.0.{n}") } else { format!("fd00::{n}") };
    for version in [4, 6] {
        let [from_web, from_late] = [(&web, 1), (&late, 3)].map(|(netns, n)| udp(netns, &net(version, n), 0));
        let [server, other] = [5000, 5001].map(|port| udp(&db, &net(version, 2), port));
        for size in [100, 3000, 9000] {
            assert!(echoes(&from_web, &server, size), "{size} bytes by IPv{version}");
            assert!(!echoes(&from_web, &other, size), "{size} bytes by IPv{version} to another port");
            assert!(!echoes(&from_late, &server, size), "{size} bytes by IPv{version} from another");
        }
        assert!(!echoes(&server, &from_late, 3000), "it does not begin by itself");
    }
    // The same when all may.
    flowport.ok(&["allow", "br0", "any", &named(&db), "udp/5000"]).await;
    flowport.ok(&["allow", "br0", "any", &named(&db), "icmp"]).await;
    for version in [4, 6] {
        let [from_web, from_late] = [(&web, 1), (&late, 3)].map(|(netns, n)| udp(netns, &net(version, n), 0));
        let [server, other] = [5000, 5001].map(|port| udp(&db, &net(version, 2), port));
        for size in [100, 3000] {
            assert!(echoes(&from_late, &server, size), "{size} bytes by IPv{version}");
            assert!(!echoes(&from_late, &other, size), "{size} bytes by IPv{version} to another port");
        }
        assert!(echoes(&from_web, &server, 3000), "IPv{version}");
        for size in ["64", "3000"] {
            let ping = ["-n", "-q", "-i", "0.2", "-W", "1", "-c", "2", "-s", size, &net(version, 2)];
            assert!(output_at(late.path(), "ping", &ping).await.status.success(), "{ping:?}");
        }
    }
    // What was begun while it was allowed does not go on.
    let (client, server) = (udp(&late, "10.0.0.3", 0), udp(&db, "10.0.0.2", 5000));
    assert!(echoes(&client, &server, 100));
    flowport.ok(&["disallow", "br0", "any", &named(&db), "udp/5000"]).await;
    assert!(!echoes(&client, &server, 100));
    server.send_to(b"still there?", client.local_addr().unwrap()).unwrap();
    assert!(client.recv(&mut [0; 100]).is_err(), "nor the other way");
}

#[tokio::test]
async fn containers_are_kept_apart_but_for_what_is_allowed() {
    let (host, flowport) = Flowport::bridged(HostOptions::default(), &["--address=10.0.0.254/24"]).await;
    let (web, db) = (attached(&flowport, 1).await, attached(&flowport, 2).await);
    assert!(pings(&web, "10.0.0.2", 2).await);
    flowport.ok(&["set-icc", "br0", "off"]).await;
    assert!(!pings(&web, "10.0.0.2", 1).await && !pings(&db, "10.0.0.1", 1).await);
    assert!(pings(&web, "10.0.0.254", 2).await, "this host is no container");
    // One that comes later is apart too.
    let late = attached(&flowport, 3).await;
    assert!(!pings(&late, "10.0.0.1", 1).await);

    flowport.ok(&["allow", "br0", &named(&web), &named(&db), "tcp/5432"]).await;
    assert!(connects(&web, &db, 2, 5432).await, "what is allowed");
    assert!(!pings(&web, "10.0.0.2", 1).await, "nothing else is");
    flowport.ok(&["allow", "br0", "any", &named(&db), "icmp"]).await;
    assert!(pings(&web, "10.0.0.2", 2).await && pings(&late, "10.0.0.2", 2).await);
    assert!(!pings(&db, "10.0.0.1", 1).await, "it does not begin by itself");
    let shown = flowport.ok(&["show", "br0"]).await;
    for line in ["VLAN 0 are kept apart", &format!("{} {} tcp/5432", named(&web), named(&db)), " icmp"] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }

    flowport.ok(&["disallow", "br0", "any", &named(&db), "icmp"]).await;
    assert!(!pings(&web, "10.0.0.2", 1).await);
    let refused = flowport.refused(&["disallow", "br0", "any", &named(&db), "icmp"]).await;
    assert!(refused.contains("no rule"), "{refused}");
    flowport.ok(&["set-icc", "br0", "on"]).await;
    assert!(pings(&db, "10.0.0.1", 2).await, "as before");

    vsctl(&host, &["add-br", "plain", "--", "set", "bridge", "plain", "datapath_type=netdev"]).await;
    let refused = flowport.refused(&["set-icc", "plain", "off"]).await;
    assert!(refused.contains("adopt"), "{refused}");
    let refused = flowport.refused(&["allow", "br0", "any", "db", "sctp"]).await;
    assert!(refused.contains("sctp") && refused.contains("tcp/PORT"), "{refused}");
}
