//! A bridge with thousands of ports: how long it takes to fill, to take one more, and to be known again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flowport::lab::Netns;
use flowport::model::EndpointId;
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Ref, Transaction, Uuid, Where};
use flowport_ovsdb_schema::open_vswitch::{Bridge, Interface, Port};
use futures_util::future::try_join_all;

use super::stage::{BRIDGE as SMALL, INTERFACE, Stage, note};
use super::{Aim, BenchError, Figure, Row, many};
use crate::oracle;

const BRIDGE: &str = "brscale";
/// What a bridge that is filled may take altogether.
pub(super) const DEADLINE: Duration = Duration::from_secs(240);
const FILLED: Duration = Duration::from_secs(20);
pub(super) const RESTARTED: Duration = Duration::from_secs(2);
pub(super) const FLOWS_EACH: usize = 8;
pub(super) const MEGABYTES: f64 = 150.0;

/// Fills a bridge with so many namespaces, of which so many ping each other, and then does everything so many times.
pub(super) async fn bridge(
    stage: &mut Stage,
    count: usize,
    sample: usize,
    rounds: usize,
) -> Result<Vec<Figure>, BenchError> {
    let (namespaces, file) = many::make(stage, count).await?;
    let sample: Vec<usize> = (0..sample).map(|nth| nth * (count - 1) / (sample - 1).max(1)).collect();
    stage.start_daemon().await?;
    let of_one = flows_of_one(stage).await?;
    let empty = stage.daemon_megabytes()?;

    note(&format!("{count} ports on one bridge"));
    let start = Instant::now();
    stage.flowport(&["add-br", BRIDGE, "--datapath=netdev"])?;
    let attached = stage.flowport(&["--timeout=240", "add-ports", BRIDGE, &file])?;
    let lost = ping_all(&namespaces, &sample, start + DEADLINE).await?;
    let filled = start.elapsed();
    note(&format!(
        "add-ports took {attached:.2?}, pings from then on {:.2?}; tried again: {lost}",
        filled - attached
    ));
    stage.expect_ports(count).await?;
    expect_ipv6(&namespaces[sample[0]]).await?;

    let (total, most) = flow_entries(stage, BRIDGE).await?;
    note(&format!(
        "{total} flow entries on the bridge, {of_one} for an endpoint that is alone on its bridge"
    ));
    let filled_by_it = stage.daemon_megabytes()?;

    let (mut ours, mut theirs, mut bare, mut restarts) = (vec![], vec![], vec![], vec![]);
    let mut flow_mods = 0.0_f64;
    for round in 1..=rounds {
        note(&format!("one port more, round {round} of {rounds}"));
        stage.stop_daemon().await?;
        let stopped = Instant::now();
        stage.settle().await?;
        bare.push(transaction(stage).await?);
        stage.settle().await?;
        if let Some(taken) = stage.ovs_docker(&[words("add-port", stage, true)])? {
            theirs.push(taken);
            stage.expect_ports(count + 1).await?;
            stage.ovs_docker(&[words("del-port", stage, false)])?;
        }
        stage.settle().await?;

        let (taken, sent) = restart(stage, BRIDGE).await?;
        restarts.push(taken);
        flow_mods = flow_mods.max(sent);
        expect_old_flows(stage, BRIDGE, stopped.elapsed()).await?;

        ours.push(stage.flowport(&strs(&words("add-port", stage, true)))?);
        stage.expect_ports(count + 1).await?;
        stage.expect_flows(BRIDGE, count + 1).await?;
        stage.flowport(&strs(&words("del-port", stage, false)))?;
        stage.expect_flows(BRIDGE, count).await?;
        stage.settle().await?;
    }
    // One that found the ports there holds more than the one that made them, and the larger counts.
    let found = stage.daemon_megabytes()?;
    note(&format!(
        "daemon: {empty:.1} MB with none, {filled_by_it:.1} MB when it made {count}, {found:.1} MB when it found them"
    ));
    let full = filled_by_it.max(found);
    stage.stop_daemon().await?;
    // It would look after each of the ports that go, and not end in time.
    stage.kill_vswitchd().await?;
    drop(namespaces);
    let by_scale = |text: &str| format!("{text}, {count} ports there");
    Ok(vec![
        Row::median(
            format!(
                "{count} netns ports on a new bridge, IPv6 on, until {} of them ping each other",
                sample.len()
            ),
            vec![filled],
            Vec::new(),
            Aim::Within(FILLED),
        )
        .figure(),
        Row::median(by_scale("add-port, daemon running"), ours.clone(), theirs, Aim::Faster(10.0))
            .figure()
            .beside("ovs-docker"),
        Row::median(by_scale("the same"), ours, bare, Aim::Faster(0.5)).figure().beside("bare transaction"),
        Figure::at_most(by_scale("flow entries an endpoint, at most"), most as f64, FLOWS_EACH as f64, ""),
        Figure::at_most(by_scale("daemon's memory, also after a restart"), tenth(full), MEGABYTES, "MB"),
        Row::median(by_scale("daemon started to in sync"), restarts, Vec::new(), Aim::Within(RESTARTED))
            .figure(),
        Figure::at_most(by_scale("the same, FLOW_MODs sent"), flow_mods, 0.0, ""),
    ])
}

pub(super) fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// The flow entries of a container that is alone on its bridge.
async fn flows_of_one(stage: &Stage) -> Result<usize, BenchError> {
    let address = format!("--ipaddress={}", Stage::address(0));
    let name = stage.names().pop().ok_or("no container")?.to_owned();
    stage.flowport(&["add-port", SMALL, INTERFACE, &name, &address])?;
    let most = flow_entries(stage, SMALL).await?.1;
    stage.flowport(&["del-port", SMALL, INTERFACE, &name])?;
    Ok(most)
}

/// The flow entries of a bridge, and the most that one endpoint has.
pub(super) async fn flow_entries(stage: &Stage, bridge: &str) -> Result<(usize, usize), BenchError> {
    let text = oracle::ofctl(&stage.host, &["dump-flows", bridge]).await;
    let mut of_endpoints: BTreeMap<EndpointId, usize> = BTreeMap::new();
    let mut total = 0;
    for rest in text.split("cookie=0x").skip(1) {
        total += 1;
        let cookie = u64::from_str_radix(rest.split(',').next().unwrap_or_default(), 16)?;
        if let Some(endpoint) = EndpointId::from_cookie(cookie) {
            *of_endpoints.entry(endpoint).or_default() += 1;
        }
    }
    Ok((total, of_endpoints.values().copied().max().unwrap_or_default()))
}

/// Every one of the sample pings every other until it has an answer; how many pings had none.
async fn ping_all(namespaces: &[Netns], sample: &[usize], deadline: Instant) -> Result<usize, BenchError> {
    let pairs = sample.iter().flat_map(|from| sample.iter().map(move |to| (*from, *to)));
    let pings = pairs.filter(|(from, to)| from != to).map(async |(from, to)| {
        let address = Stage::address(to);
        let address = address.split('/').next().unwrap_or_default();
        let mut lost = 0;
        while !oracle::output_at(namespaces[from].path(), "ping", &["-n", "-c1", "-W1", address])
            .await
            .status
            .success()
        {
            lost += 1;
            if Instant::now() > deadline {
                return Err(format!("n{from} does not reach {address}"));
            }
        }
        Ok(lost)
    });
    Ok(try_join_all(pings).await?.into_iter().sum())
}

async fn expect_ipv6(netns: &Netns) -> Result<(), BenchError> {
    let output =
        oracle::output_at(netns.path(), "ip", &["-6", "-o", "address", "show", "dev", INTERFACE]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("scope link") { Ok(()) } else { Err(format!("{INTERFACE} has no IPv6: {text}").into()) }
}

/// From the start of the daemon until it says that all is as it should be; the messages of the bundles that it sent.
pub(super) async fn restart(stage: &mut Stage, bridge: &str) -> Result<(Duration, f64), BenchError> {
    let start = Instant::now();
    stage.spawn_daemon()?;
    loop {
        let text = stage.metrics().await;
        let in_sync = format!("flowport_bridge_in_sync{{bridge=\"{bridge}\"}} 1");
        if text.lines().any(|line| line == "flowport_in_sync 1") && text.contains(&in_sync) {
            let taken = start.elapsed();
            let sum = text.lines().find_map(|line| line.strip_prefix("flowport_bundle_messages_sum "));
            return Ok((taken, sum.ok_or("no count of messages")?.parse()?));
        }
        if start.elapsed() > DEADLINE {
            return Err("the daemon is not in sync".into());
        }
        // Each answer costs the daemon a look at all endpoints.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Checks that every flow entry is older than this.
pub(super) async fn expect_old_flows(stage: &Stage, bridge: &str, age: Duration) -> Result<(), BenchError> {
    let text = oracle::ofctl(&stage.host, &["dump-flows", bridge]).await;
    let ages = text.split("duration=").skip(1).filter_map(|rest| rest.split('s').next()?.parse::<f64>().ok());
    match ages.fold(f64::INFINITY, f64::min) {
        youngest if youngest >= age.as_secs_f64() => Ok(()),
        youngest => {
            Err(format!("a flow entry is {youngest} s old, but the daemon was stopped {age:?} ago").into())
        }
    }
}

/// A port for a link that is ready, by a transaction on a connection that is open, until ovs-vswitchd has numbered it.
async fn transaction(stage: &Stage) -> Result<Duration, BenchError> {
    const LINK: &str = "bare0";
    let monitor = Monitor::of_only::<Bridge>(&[Bridge::NAME.any()])
        .and_only::<Interface>(&[Interface::NAME.any(), Interface::OFPORT.any()]);
    let database = Client::connect(&stage.host.db().parse()?, monitor, ConnectOptions::default()).await?;
    stage.host.run("ip", &["link", "add", LINK, "type", "veth", "peer", "name", "bare1"]).await?;
    for link in [LINK, "bare1"] {
        stage.host.run("ip", &["link", "set", link, "up"]).await?;
    }
    let bridge: Option<Uuid> =
        database.replica().find::<Bridge>(|bridge| bridge.name == BRIDGE).map(|(row, _)| row);
    let bridge = bridge.ok_or("no bridge")?;

    let start = Instant::now();
    let mut transaction = Transaction::new();
    let interface = transaction.insert(&Interface { name: LINK.to_owned(), ..Interface::default() });
    let port =
        Port { name: LINK.to_owned(), interfaces: [interface].into_iter().collect(), ..Port::default() };
    let port: Ref<Port> = transaction.insert(&port);
    transaction.mutate(Where::<Bridge>::row(bridge), [Bridge::PORTS.insert([port])]);
    database.transact(transaction).await?;
    let numbered =
        |interface: &Interface| interface.name == LINK && interface.ofport.is_some_and(|no| no > 0);
    database.wait_for(|replica| replica.find::<Interface>(numbered).is_some(), start + DEADLINE).await?;
    let taken = start.elapsed();

    oracle::vsctl(&stage.host, &["del-port", BRIDGE, LINK]).await;
    stage.host.run("ip", &["link", "del", LINK]).await?;
    Ok(taken)
}

/// The words of both programs for one more port.
fn words(command: &str, stage: &Stage, with_address: bool) -> Vec<String> {
    let mut words = vec![command, BRIDGE, INTERFACE, stage.names()[0]];
    let address = format!("--ipaddress={}", Stage::address(OTHER));
    if with_address {
        words.push(&address);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// An address that no namespace has.
const OTHER: usize = 60 * 250;

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
