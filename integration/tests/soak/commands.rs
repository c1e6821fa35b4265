//! What is asked for: commands, in the middle of which parts may die, and what they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowport::model::Owner;
use flowport_integration::scene::named;
use flowport_integration::{container, unique};

use crate::wishes::{Bridges, Home, Port, SECOND, SECOND_ADDRESS, Second, TUNNEL, rule};
use crate::{MOST, NETWORKS, PATIENCE, Part, Soak};

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Done,
    Refused,
    /// Whoever carried it out died meanwhile.
    Unsure,
}

/// How often a command came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: usize,
    /// What no part that is dead explains, but what was asked for.
    pub(crate) senseless: usize,
    pub(crate) refused: usize,
    pub(crate) unsure: usize,
}

impl Tally {
    /// How often it could be expected to be done.
    pub(crate) fn sensible(self) -> usize {
        self.done + self.refused + self.unsure
    }
}

impl Soak {
    pub(crate) async fn new_home(&mut self) {
        if self.homes.len() >= MOST {
            return;
        }
        if self.is_up(Part::Dockerd) && self.dice.once_in(3) {
            let name = unique("d");
            let engine = self.town.scene.host.docker().unwrap();
            let ran = engine.run_container(&name, "busybox", "none", &["sleep", "86400"]).await.unwrap();
            let owner = Owner::from(ran.id.as_str());
            self.homes.push(Home { word: name, owner, space: None, runs: true, ports: BTreeMap::new() });
        } else {
            let space = container().await;
            let (word, owner) = (named(&space), Owner::netns(space.path()));
            self.homes.push(Home { word, owner, space: Some(space), runs: true, ports: BTreeMap::new() });
        }
        self.count("container");
    }

    /// A container that a command can look up.
    fn some_home(&mut self, with_ports: bool) -> Option<usize> {
        let dockerd = self.is_up(Part::Dockerd);
        let fits = |home: &Home| {
            home.runs && (home.space.is_some() || dockerd) && (!with_ports || !home.ports.is_empty())
        };
        let fitting: Vec<usize> = (0..self.homes.len()).filter(|nth| fits(&self.homes[*nth])).collect();
        self.dice.one_of(&fitting)
    }

    pub(crate) async fn attach(&mut self) {
        if self.homes.len() < 5 || self.dice.once_in(2) {
            self.new_home().await;
        }
        let Some(nth) = self.some_home(false) else { return };
        let interface = ["eth1", "eth2"][self.dice.roll(2)];
        if self.homes[nth].ports.get(interface).is_some_and(|port| port.unsure) {
            return;
        }
        let port = self.some_new_port();
        let mut words = format!(
            "add-port br0 {interface} {} --ipaddress={}/16 --vlan={}",
            self.homes[nth].word, port.address, port.vlan
        );
        if self.dice.once_in(3) {
            words += &format!(" --ipaddress=fd00::{:x}/64", self.next_address);
        }
        if !port.trunks.is_empty() {
            let trunks: Vec<String> = port.trunks.iter().map(u16::to_string).collect();
            words += &format!(" --trunk={}", trunks.join(","));
        }
        let had = self.homes[nth].ports.contains_key(interface);
        let came = self.command(&words, had.then_some("already")).await;
        assert!(!(had && came == Came::Done), "attached twice: {words}");
        if !had && came != Came::Refused {
            let port = Port { unsure: came == Came::Unsure, ..port };
            self.homes[nth].ports.insert(interface.to_owned(), port);
        }
    }

    fn some_new_port(&mut self) -> Port {
        let number = self.next_address;
        self.next_address += 1;
        let address = format!("10.0.{}.{}", number / 250, number % 250 + 1);
        let vlan = NETWORKS[self.dice.roll(NETWORKS.len())];
        let trunks = if vlan == 0 && self.dice.once_in(3) { vec![10, 30, 31] } else { Vec::new() };
        Port { address, vlan, trunks, unsure: false }
    }

    fn some_port(&mut self) -> Option<(usize, String)> {
        let nth = self.some_home(true)?;
        let sure: Vec<String> = self.homes[nth]
            .ports
            .iter()
            .filter(|(_, port)| !port.unsure)
            .map(|(name, _)| name.clone())
            .collect();
        Some((nth, self.dice.one_of(&sure)?))
    }

    pub(crate) async fn detach(&mut self) {
        let Some((nth, interface)) = self.some_port() else { return };
        let words = format!("del-port br0 {interface} {}", self.homes[nth].word);
        match self.command(&words, None).await {
            Came::Done => drop(self.homes[nth].ports.remove(&interface)),
            Came::Refused => {}
            Came::Unsure => self.homes[nth].ports.get_mut(&interface).unwrap().unsure = true,
        }
    }

    pub(crate) async fn move_port(&mut self) {
        let Some((nth, interface)) = self.some_port() else { return };
        let vlan = NETWORKS[self.dice.roll(NETWORKS.len())];
        let words = format!("set-vlan br0 {interface} {} {vlan}", self.homes[nth].word);
        let came = self.command(&words, None).await;
        let port = self.homes[nth].ports.get_mut(&interface).unwrap();
        match came {
            Came::Done => port.move_to(vlan),
            Came::Refused => {}
            Came::Unsure => port.unsure = true,
        }
    }

    /// Who may talk to whom is changed, or a tunnel or a bridge comes or goes.
    pub(crate) async fn change_bridges(&mut self) {
        // What the last change came to is to be seen first.
        if self.maybe.is_some() {
            return;
        }
        let mut changed = self.bridges.clone();
        let Some(words) = self.some_change(&mut changed) else { return };
        match self.command(&words, None).await {
            Came::Done => self.bridges = changed,
            Came::Refused => {}
            Came::Unsure => self.maybe = Some(changed),
        }
    }

    /// A command, and what the bridges are to be after it.
    fn some_change(&mut self, bridges: &mut Bridges) -> Option<String> {
        match self.dice.roll(6) {
            0 => {
                let vlan = NETWORKS[self.dice.roll(NETWORKS.len())];
                let icc = if bridges.apart.remove(&vlan) { "on" } else { "off" };
                if icc == "off" {
                    bridges.apart.insert(vlan);
                }
                Some(format!("set-icc br0 {icc} --vlan={vlan}"))
            }
            1..=2 => {
                let words: Vec<String> = self.homes.iter().map(|home| home.word.clone()).collect();
                let to = self.dice.one_of(&words)?;
                let from = if self.dice.once_in(3) { "any".to_owned() } else { self.dice.one_of(&words)? };
                let traffic = ["any", "icmp", "tcp/80"][self.dice.roll(3)];
                bridges.rules.insert(rule(&from, &to, traffic));
                Some(format!("allow br0 {from} {to} {traffic}"))
            }
            3 => {
                let rules: Vec<String> = bridges.rules.iter().cloned().collect();
                let gone = self.dice.one_of(&rules)?;
                bridges.rules.remove(&gone);
                Some(format!("disallow br0 {gone}"))
            }
            4 => {
                let is_there = bridges.second == Second::There;
                bridges.second = if is_there { Second::Absent } else { Second::There };
                Some(match is_there {
                    true => format!("del-br {SECOND}"),
                    false => format!("add-br {SECOND} --datapath=netdev --address={SECOND_ADDRESS}/24"),
                })
            }
            _ if bridges.tunnel => None,
            _ => {
                bridges.tunnel = true;
                Some(format!("add-tunnel br0 {TUNNEL} --type=vxlan --remote=192.0.2.9 --key=7"))
            }
        }
    }

    /// A tunnel goes by a tool of Open vSwitch.
    pub(crate) async fn remove_tunnel(&mut self) {
        if self.bridges.tunnel && self.maybe.is_none() && self.is_up(Part::OvsdbServer) {
            self.count("tunnel removed");
            self.town.scene.tool("ovs-vsctl", &format!("--no-wait del-port br0 {TUNNEL}")).await;
            self.bridges.tunnel = false;
        }
    }

    /// Runs a command, in the middle of which parts may die. What makes no sense may be refused with this word, and
    /// everything else only if a part that it needs is dead.
    async fn command(&mut self, words: &str, senseless: Option<&str>) -> Came {
        let dead = self.needs_dead_part();
        // A database that is away is waited for.
        let timeout = if self.is_up(Part::OvsdbServer) { 20 } else { 1 };
        let command = self.town.scene.spawn(&format!("{words} --timeout={timeout}"));
        let mut killed = BTreeSet::new();
        if self.dice.once_in(5) {
            let within = Duration::from_millis(self.dice.roll(200) as u64);
            // When in the command it is, is chance.
            tokio::time::sleep(within).await;
            killed = self.kill_some().await;
            if self.dice.once_in(2) {
                self.raise().await;
            }
        }
        let Ok(output) = tokio::time::timeout(PATIENCE, command.wait_with_output()).await else {
            panic!("{words}: does not end");
        };
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let what = words.split(' ').next().unwrap();
        println!("  {words}: {}", if output.status.success() { "done" } else { &said });
        let tally = self.tallies.entry(what.to_owned()).or_default();
        if output.status.success() {
            tally.done += 1;
            return Came::Done;
        }
        if senseless.is_some_and(|word| said.contains(word)) {
            tally.senseless += 1;
            return Came::Refused;
        }
        // Without a daemon nobody is left to undo what a command could not.
        if killed.contains(&Part::Flowport) {
            tally.unsure += 1;
            return Came::Unsure;
        }
        tally.refused += 1;
        let excused = dead || !killed.is_empty() || self.has_given_up();
        assert!(excused, "refused, and no part was dead: {words}: {said}");
        Came::Refused
    }

    /// Without these nothing can be done.
    fn needs_dead_part(&self) -> bool {
        !self.is_up(Part::OvsdbServer) || !self.is_up(Part::Vswitchd)
    }
}
