//! Containers that are kept apart, and what they are allowed, on a managed userspace bridge.
#![allow(clippy::unwrap_used)]

use flowport::lab::{HostOptions, Netns};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{output_at, pings, vsctl};
use flowport_integration::{container, host};

async fn attached(flowport: &Flowport, n: u8) -> Netns {
    let netns = container().await;
    let (name, address) = (named(&netns), format!("--ipaddress=10.0.0.{n}/24"));
    flowport.ok(&["add-port", "br0", "eth1", &name, &address]).await;
    netns
}

fn named(netns: &Netns) -> String {
    format!("netns:{}", netns.name())
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

#[tokio::test]
async fn containers_are_kept_apart_but_for_what_is_allowed() {
    let host = host(HostOptions::default()).await;
    let flowport = Flowport::on(&host);
    flowport.ok(&["add-br", "br0", "--datapath=netdev", "--address=10.0.0.254/24"]).await;
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
