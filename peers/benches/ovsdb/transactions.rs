//! Ports added: one after the other, and by many callers at once.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Ref, Transaction};
use flowport_ovsdb_schema::open_vswitch::{Bridge, OpenVSwitch};

use crate::bare::{Bare, add_bridge, add_port, port};
use crate::support::Server;
use crate::table::Table;
use crate::{Size, median, monitor, server};

/// Requests of the pipelined writer that are on their way.
const WINDOW: usize = 32;
const CALLERS: usize = 1000;

pub(crate) fn measure(size: Size, table: &mut Table) {
    let rounds = |measure: &dyn Fn(&Server, Ref<Bridge>) -> f64| {
        let server = server();
        let bridge = add_bridge(&server);
        measure(&server, bridge)
    };
    let single = size.single;
    let mut rates: [Vec<f64>; 8] = Default::default();
    for _ in 0..size.rounds {
        let ways: [&dyn Fn(&Server, Ref<Bridge>) -> f64; 8] = [
            &|server, bridge| one_by_one(server, bridge, single, monitor()),
            &|server, bridge| one_by_one(server, bridge, single, nothing()),
            &|server, bridge| bare(server, bridge, single, 1, false),
            &|server, bridge| bare(server, bridge, single, 1, true),
            &|server, bridge| bare(server, bridge, single, WINDOW, false),
            &|server, bridge| grouped(server, bridge, size.grouped, monitor()),
            &|server, bridge| grouped(server, bridge, size.grouped, nothing()),
            &|server, bridge| bare_groups(server, bridge, size.grouped, false),
        ];
        for (rates, way) in rates.iter_mut().zip(ways) {
            rates.push(rounds(way));
        }
    }
    let monitored = median((0..size.rounds).map(|_| rounds(&|server, bridge| bare_groups(server, bridge, size.grouped, true))));
    let [replica, alone, sequential, watched, pipelined, group, group_alone, groups] = rates.map(median);
    let rate = |rate: f64| format!("{rate:.0}/s");
    table.row(
        "single ports, one after the other",
        rate(alone),
        format!("bare socket: one after the other {}, {WINDOW} at once {}", rate(sequential), rate(pipelined)),
        "1.1x of bare",
        Some(alone * 1.1 >= pipelined),
    );
    table.row(
        "- with a replica of four tables",
        rate(replica),
        format!("bare socket with a monitor of them: {}", rate(watched)),
        "1.1x of bare",
        Some(replica * 1.1 >= watched),
    );
    table.row(
        format!("{CALLERS} callers at once, group commit"),
        rate(group_alone),
        format!("bare socket, {CALLERS} in one: {}", rate(groups)),
        "20000/s",
        Some(group_alone >= 20_000.0),
    );
    table.row(
        "- with a replica of four tables",
        rate(group),
        format!("bare socket with a monitor of them: {}", rate(monitored)),
        "20000/s",
        Some(group >= 20_000.0),
    );
}

fn nothing() -> Monitor {
    Monitor::of_only::<OpenVSwitch>(&[OpenVSwitch::NEXT_CFG.any()])
}

fn rate(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

fn one_by_one(server: &Server, bridge: Ref<Bridge>, ports: usize, monitor: Monitor) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(&server.remotes(), monitor, ConnectOptions::default()).await.unwrap();
        let start = Instant::now();
        for index in 0..ports {
            client.transact(add_port(bridge, &format!("p{index}"))).await.unwrap();
        }
        rate(ports, start)
    })
}

fn bare(server: &Server, bridge: Ref<Bridge>, ports: usize, window: usize, monitored: bool) -> f64 {
    let mut bare = Bare::connect(server);
    if monitored {
        bare.monitor();
    }
    let mut requests: VecDeque<String> =
        (0..ports).map(|index| bare.request(&add_port(bridge, &format!("p{index}")))).collect();
    let start = Instant::now();
    let first: String = requests.drain(..window).collect();
    bare.send(&first);
    for request in requests {
        bare.receive(1);
        bare.send(&request);
    }
    bare.receive(window);
    rate(ports, start)
}

fn grouped(server: &Server, bridge: Ref<Bridge>, each: usize, monitor: Monitor) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(&server.remotes(), monitor, ConnectOptions::default()).await.unwrap();
        let start = Instant::now();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let client = client.clone();
                tokio::spawn(async move {
                    for turn in 0..each {
                        let transaction = add_port(bridge, &format!("p{caller}-{turn}"));
                        client.transact_grouped(transaction).await.unwrap();
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        rate(CALLERS * each, start)
    })
}

fn bare_groups(server: &Server, bridge: Ref<Bridge>, groups: usize, monitored: bool) -> f64 {
    let mut bare = Bare::connect(server);
    if monitored {
        bare.monitor();
    }
    let requests: Vec<String> = (0..groups)
        .map(|group| {
            let mut transaction = Transaction::new();
            let ports: BTreeSet<_> =
                (0..CALLERS).map(|caller| port(&mut transaction, &format!("p{caller}-{group}"))).collect();
            transaction.mutate(bridge, [Bridge::PORTS.insert(ports)]);
            bare.request(&transaction)
        })
        .collect();
    let start = Instant::now();
    for request in requests {
        bare.send(&request);
        bare.receive(1);
    }
    rate(CALLERS * groups, start)
}
