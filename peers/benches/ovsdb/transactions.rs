//! Ports added: one after the other, and by many callers at once.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Ref, Transaction};
use flowport_ovsdb_schema::open_vswitch::{Bridge, OpenVSwitch};

use crate::bare::{Bare, add_bridge, add_port, port};
use crate::process::on_cpu;
use crate::support::Server;
use crate::table::Table;
use crate::{Size, median, monitor, server};

/// Requests of the pipelined writer that are on their way.
const WINDOW: usize = 32;
const CALLERS: usize = 1000;

pub(crate) fn measure(size: Size, table: &mut Table) {
    let rounds = |measure: &dyn Fn(&Server, Ref<Bridge>) -> Rate| {
        let server = server();
        let bridge = add_bridge(&server);
        measure(&server, bridge)
    };
    let single = size.single;
    let mut rates: [Vec<Rate>; 9] = Default::default();
    for _ in 0..size.rounds {
        let ways: [&dyn Fn(&Server, Ref<Bridge>) -> Rate; 9] = [
            &|server, bridge| one_by_one(server, bridge, single, monitor()),
            &|server, bridge| one_by_one(server, bridge, single, nothing()),
            &|server, bridge| bare(server, bridge, single, 1, false),
            &|server, bridge| bare(server, bridge, single, 1, true),
            &|server, bridge| bare(server, bridge, single, WINDOW, false),
            &|server, bridge| grouped(server, bridge, size.grouped, monitor()),
            &|server, bridge| grouped(server, bridge, size.grouped, nothing()),
            &|server, bridge| bare_groups(server, bridge, size.grouped, false),
            &|server, bridge| bare_groups(server, bridge, size.grouped, true),
        ];
        for (rates, way) in rates.iter_mut().zip(ways) {
            rates.push(rounds(way));
        }
    }
    let [replica, alone, sequential, watched, pipelined, group, group_alone, groups, monitored] =
        rates.map(|rates| Rate::median(&rates));
    table.row(
        "single ports, one after the other",
        alone.text(),
        format!("bare socket: {}; {WINDOW} at once {}", sequential.text(), pipelined.text()),
        "1.1x of bare",
        Some(alone.ports * 1.1 >= pipelined.ports),
    );
    table.row(
        "- with a replica of four tables",
        replica.text(),
        format!("bare socket with a monitor of them: {}", watched.text()),
        "1.1x of bare",
        Some(replica.ports * 1.1 >= watched.ports),
    );
    table.row(
        format!("{CALLERS} callers at once, group commit"),
        group_alone.text(),
        format!("bare socket, {CALLERS} in one: {}", groups.text()),
        "20000/s",
        Some(group_alone.ports >= 20_000.0),
    );
    table.row(
        "- with a replica of four tables",
        group.text(),
        format!("bare socket with a monitor of them: {}", monitored.text()),
        "20000/s",
        Some(group.ports >= 20_000.0),
    );
}

/// How fast ports were added.
struct Rate {
    /// A second.
    ports: f64,
    /// CPU of the client, microseconds a port.
    cpu: f64,
}

impl Rate {
    /// So many ports by what `work` does.
    fn of(count: usize, work: impl FnOnce()) -> Self {
        let (start, before) = (Instant::now(), on_cpu());
        work();
        let count = count as f64;
        Self { ports: count / start.elapsed().as_secs_f64(), cpu: (on_cpu() - before) * 1e6 / count }
    }

    fn median(rates: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| median(rates.iter().map(of));
        Self { ports: median(|rate| rate.ports), cpu: median(|rate| rate.cpu) }
    }

    fn text(&self) -> String {
        format!("{:.0}/s, {:.0} us CPU each", self.ports, self.cpu)
    }
}

fn nothing() -> Monitor {
    Monitor::of_only::<OpenVSwitch>(&[OpenVSwitch::NEXT_CFG.any()])
}

fn one_by_one(server: &Server, bridge: Ref<Bridge>, ports: usize, monitor: Monitor) -> Rate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client =
        runtime.block_on(Client::connect(&server.remotes(), monitor, ConnectOptions::default())).unwrap();
    Rate::of(ports, || {
        runtime.block_on(async {
            for index in 0..ports {
                client.transact(add_port(bridge, &format!("p{index}"))).await.unwrap();
            }
        });
    })
}

fn bare(server: &Server, bridge: Ref<Bridge>, ports: usize, window: usize, monitored: bool) -> Rate {
    let mut bare = Bare::connect(server);
    if monitored {
        bare.monitor();
    }
    let mut requests: VecDeque<String> =
        (0..ports).map(|index| bare.request(&add_port(bridge, &format!("p{index}")))).collect();
    Rate::of(ports, || {
        let first: String = requests.drain(..window).collect();
        bare.send(&first);
        for request in requests {
            bare.receive(1);
            bare.send(&request);
        }
        bare.receive(window);
    })
}

fn grouped(server: &Server, bridge: Ref<Bridge>, each: usize, monitor: Monitor) -> Rate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client =
        runtime.block_on(Client::connect(&server.remotes(), monitor, ConnectOptions::default())).unwrap();
    let all = async {
        let call = |caller: usize| {
            let client = client.clone();
            tokio::spawn(async move {
                for turn in 0..each {
                    let transaction = add_port(bridge, &format!("p{caller}-{turn}"));
                    client.transact_grouped(transaction).await.unwrap();
                }
            })
        };
        for caller in (0..CALLERS).map(call).collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    };
    Rate::of(CALLERS * each, || runtime.block_on(all))
}

fn bare_groups(server: &Server, bridge: Ref<Bridge>, groups: usize, monitored: bool) -> Rate {
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
    Rate::of(CALLERS * groups, || {
        for request in requests {
            bare.send(&request);
            bare.receive(1);
        }
    })
}
