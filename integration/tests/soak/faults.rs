//! What dies, ends or is taken away, and comes back.

use std::collections::BTreeSet;

use flowport_integration::oracle::ofctl;
use flowport_integration::wait_until;
use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, Part, Soak};

impl Soak {
    /// The end of a container.
    pub(crate) async fn end_home(&mut self) {
        let ends: Vec<usize> = (0..self.homes.len())
            .filter(|nth| self.homes[*nth].space.is_some() || self.is_up(Part::Dockerd))
            .collect();
        let Some(nth) = self.dice.one_of(&ends) else { return };
        self.count("end of a container");
        if self.homes[nth].space.is_some() {
            drop(self.homes.swap_remove(nth));
        } else if self.dice.once_in(2) {
            let home = self.homes.swap_remove(nth);
            self.town.scene.host.docker().unwrap().remove_container(&home.word).await.unwrap();
        } else if self.homes[nth].runs {
            self.town.scene.tool("docker", &format!("kill {}", self.homes[nth].word)).await;
            self.homes[nth].runs = false;
        }
    }

    /// Docker containers start again.
    pub(crate) async fn restart_home(&mut self) {
        if !self.is_up(Part::Dockerd) {
            return;
        }
        let of_docker: Vec<usize> =
            (0..self.homes.len()).filter(|nth| self.homes[*nth].space.is_none()).collect();
        let Some(nth) = self.dice.one_of(&of_docker) else { return };
        self.count("container restart");
        self.town.scene.tool("docker", &format!("restart -t 0 {}", self.homes[nth].word)).await;
        self.homes[nth].runs = true;
    }

    /// Somebody takes away what is ours. Only what runs can notice.
    pub(crate) async fn sabotage(&mut self) {
        self.look().await;
        self.count("sabotage");
        let ours: Vec<String> = self.town.scene.host_ends().await.into_iter().collect();
        let Some(link) = self.dice.one_of(&ours) else { return };
        let how = self.dice.roll(5);
        println!("  sabotage {how} of {link}");
        match how {
            0 => drop(self.town.scene.tool("ip", &format!("link delete {link}")).await),
            1 => drop(self.town.scene.tool("ovs-vsctl", &format!("del-port {link}")).await),
            2 => drop(
                ofctl(
                    &self.town.scene.host,
                    &["del-flows", "br0", "cookie=0xf10f000000000000/0xffff000000000000"],
                )
                .await,
            ),
            3 => {
                let cookie = format!("cookie=0xf10f{}/-1", link.trim_start_matches("fp"));
                drop(ofctl(&self.town.scene.host, &["del-flows", "br0", &cookie]).await);
            }
            _ => {
                drop(
                    self.town.scene.tool("ovs-vsctl", &format!("clear interface {link} external_ids")).await,
                );
            }
        }
        self.look().await;
    }

    /// Some parts die; returns which.
    pub(crate) async fn kill_some(&mut self) -> BTreeSet<Part> {
        let mut killed = BTreeSet::new();
        let all = [Part::Vswitchd, Part::OvsdbServer, Part::Flowport, Part::Records, Part::Dockerd];
        let mut parts: BTreeSet<Part> =
            (0..=self.dice.roll(3)).map(|_| all[self.dice.roll(all.len())]).collect();
        parts.retain(|part| self.is_up(*part));
        for part in parts {
            self.count(&format!("death of {part:?}"));
            let host = &mut self.town.scene.host;
            match part {
                Part::Vswitchd => host.ovs_mut().vswitchd().kill().await.unwrap(),
                Part::OvsdbServer => host.ovs_mut().ovsdb_server().kill().await.unwrap(),
                Part::Dockerd => host.docker_mut().unwrap().daemon().kill().await.unwrap(),
                Part::Flowport => {
                    // One that lives long shows whether it grows.
                    if !self.dice.once_in(4) {
                        continue;
                    }
                    let with = if self.dice.once_in(3) { Signal::TERM } else { Signal::KILL };
                    if self.has_given_up() {
                        self.town.scene.daemon = None;
                    } else {
                        self.town.scene.end_daemon(with).await;
                    }
                    self.first = None;
                }
                Part::Records => {
                    let file = host.directory().join("flowport/local.pid");
                    if let Ok(pid) = std::fs::read_to_string(file) {
                        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
                            let _ = kill_process(pid, Signal::KILL);
                        }
                    }
                    // It is the daemon that starts it again.
                    killed.insert(part);
                    continue;
                }
            }
            killed.insert(part);
            self.dead.insert(part);
        }
        killed
    }

    /// Starts what is dead.
    pub(crate) async fn raise(&mut self) {
        let dead = std::mem::take(&mut self.dead);
        if dead.contains(&Part::OvsdbServer) {
            self.town.scene.host.ovs_mut().start_ovsdb().await.unwrap();
        }
        if dead.contains(&Part::Flowport) && self.dice.once_in(2) {
            self.town.scene.start_daemon().await;
        }
        if dead.contains(&Part::Vswitchd) {
            self.town.scene.host.ovs_mut().start_vswitchd().await.unwrap();
            self.town.place_foreign_flows().await;
        }
        if dead.contains(&Part::Dockerd) {
            self.town.scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
            // Its containers ended with it.
            for home in self.homes.iter_mut().filter(|home| home.space.is_none()) {
                let engine = self.town.scene.host.docker().unwrap();
                wait_until(PATIENCE, "Docker has ended it", async || {
                    engine.container_pid(&home.word).await.is_ok_and(|pid| pid == 0)
                })
                .await;
                home.runs = false;
            }
        }
        if self.has_given_up() {
            self.count("daemon that gave up while it started");
            self.town.scene.daemon = None;
            self.first = None;
        }
        if self.town.scene.daemon.is_none() {
            self.town.scene.start_daemon().await;
        }
    }

    /// Whether the daemon could not start because a part died meanwhile: a service manager starts it again.
    pub(crate) fn has_given_up(&mut self) -> bool {
        let ended = self.town.scene.daemon.as_mut().and_then(|daemon| daemon.try_wait().unwrap());
        assert!(ended.is_none_or(|status| status.code() == Some(1)), "the daemon ended: {ended:?}");
        ended.is_some()
    }
}
