//! Minutes of what happens to a host in years: containers come and go, ports are asked for and moved, who may talk to
//! whom is changed, tunnels and bridges come and go, and the parts die, one or several at once, also in the middle of a
//! command. Again and again everything is looked at: what is there must be what was asked for, and what others made must
//! be as it was. What is refused must have had a reason.
//!
//! `make soak` runs it: `SOAK_MINUTES` (10) long, with the dice of `SOAK_SEED`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod commands;
mod dice;
mod faults;
mod look;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowport::lab::HostOptions;
use flowport_integration::town::Town;
use rustix::process::Signal;

use commands::Tally;
use dice::Dice;
use look::OURS;
use wishes::{Bridges, Home};

/// How long everything may take to be as it should.
const PATIENCE: Duration = Duration::from_secs(40);
/// Steps between two looks at everything.
const STEPS: usize = 8;
/// Looks at everything between two restarts of the daemon from nothing.
const LOOKS: usize = 6;
/// No more containers than this.
const MOST: usize = 40;
/// The networks of ports.
const NETWORKS: [u16; 4] = [0, 0, 10, 20];
/// How much more memory, in KiB, the daemon may have at the end of a life than at its first look.
const GROWTH: u64 = 16 * 1024;
/// Of a hundred ports that are asked for or given up sensibly, more than so many are had or gone. The others meet a dead
/// part: ovsdb-server or ovs-vswitchd dies in about one step of ten, and is back some steps later. Seven in ten is usual,
/// and in a run of two minutes, which has about fifty, chance takes off one in ten.
const SUCCEED: usize = 50;

/// Parts that die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Vswitchd,
    OvsdbServer,
    Flowport,
    Records,
    Dockerd,
}

struct Soak {
    town: Town,
    dice: Dice,
    homes: Vec<Home>,
    bridges: Bridges,
    /// What the bridges may be instead: whoever asked for it was told neither yes nor no.
    maybe: Option<Bridges>,
    dead: BTreeSet<Part>,
    next_address: u32,
    foreign: BTreeSet<String>,
    /// The daemon's memory in KiB and its open files, when it was first looked at.
    first: Option<(u64, usize)>,
    done: BTreeMap<String, usize>,
    /// What became of commands.
    tallies: BTreeMap<String, Tally>,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let town = Town::start(HostOptions::with_docker(), 0, 0).await;
        town.scene.host.docker().unwrap().import_busybox("busybox").await.unwrap();
        // A way to the tunnel's far end, whose MTU counts.
        town.scene.tool("ip", "address add 192.0.2.1/24 dev theirs2").await;
        town.scene.tool("ip", "link set theirs2 up").await;
        town.scene.tool("ip", "link set theirs3 up").await;
        let foreign = town.foreign(&OURS).await;
        Self {
            town,
            dice: Dice::new(seed),
            homes: Vec::new(),
            bridges: Bridges::bare(),
            maybe: None,
            dead: BTreeSet::new(),
            next_address: 1,
            foreign,
            first: None,
            done: BTreeMap::new(),
            tallies: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &str) {
        println!("  {what}");
        *self.done.entry(what.to_owned()).or_default() += 1;
    }

    fn is_up(&self, part: Part) -> bool {
        !self.dead.contains(&part)
    }

    /// One thing that happens.
    async fn step(&mut self) {
        match self.dice.roll(23) {
            0..=5 => self.attach().await,
            6..=8 => self.detach().await,
            9 => self.move_port().await,
            10 => self.new_home().await,
            11..=12 => self.end_home().await,
            13 => self.restart_home().await,
            14 => self.sabotage().await,
            15..=17 => self.change_bridges().await,
            18 => self.remove_tunnel().await,
            19..=20 => self.raise().await,
            _ => drop(self.kill_some().await),
        }
    }

    /// Most ports that were asked for were had, and most that were given up went.
    fn account(&self) {
        println!("{:#?}", self.done);
        for (what, tally) in &self.tallies {
            println!("{what}: {tally:?}");
        }
        let [attached, detached] =
            ["add-port", "del-port"].map(|what| self.tallies.get(what).copied().unwrap_or_default());
        assert!(attached.done > 0 && detached.done > 0, "nothing attached or detached");
        let done = attached.done + detached.done;
        let asked = attached.sensible() + detached.sensible();
        assert!(100 * done > SUCCEED * asked, "{done} of {asked} were done");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
#[ignore = "takes minutes: make soak"]
async fn whatever_dies_everything_is_as_it_was_asked_for() {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("SOAK_SEED").unwrap_or(since_1970.subsec_nanos().into());
    let minutes = number("SOAK_MINUTES").unwrap_or(10);
    println!("SOAK_SEED={seed} SOAK_MINUTES={minutes}");
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut soak = Soak::start(seed).await;
    let mut looks = 0;
    while Instant::now() < end {
        for _ in 0..STEPS {
            soak.step().await;
        }
        soak.look().await;
        looks += 1;
        if looks % LOOKS == 0 {
            soak.begin_anew().await;
        }
        let ports: usize = soak.homes.iter().map(|home| home.ports.len()).sum();
        println!("look {looks}: {} containers, {ports} ports are as they were asked for", soak.homes.len());
    }
    println!("{looks} looks");
    soak.account();
    soak.town.scene.end_daemon(Signal::TERM).await;
    soak.town.scene.host.stop().await.unwrap();
}
