//! A simulated host: a network namespace with an Open vSwitch and, if asked, a Docker Engine of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::{DockerEngine, DockerOptions, Lab, LabError, LabOvs, Netns, ovs};

/// What a host is made with.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// A Docker Engine too.
    pub docker: Option<DockerOptions>,
    /// What its bridges forward packets with.
    pub datapath: LabDatapath,
}

/// What forwards the packets of a lab host's bridges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LabDatapath {
    /// ovs-vswitchd itself: bridges of type `netdev` only.
    #[default]
    Userspace,
    /// That, or the kernel's module where there is one.
    Kernel,
    /// Nothing: bridges of any type have ports, flow entries and `ofproto/trace`, but packets go nowhere. So a bridge can
    /// have more ports than ovs-vswitchd could listen to.
    Dummy,
}

impl HostOptions {
    /// A host with a Docker Engine.
    #[must_use]
    pub fn with_docker() -> Self {
        Self { docker: Some(DockerOptions::default()), ..Self::default() }
    }
}

/// How long the parts of a host took to be ready. They start at the same time.
#[derive(Debug, Clone, Copy)]
pub struct StartTimes {
    /// The network namespace.
    pub netns: Duration,
    /// Open vSwitch, ready for transactions and bridges.
    pub ovs: Duration,
    /// The Docker Engine, answering.
    pub docker: Option<Duration>,
}

/// A simulated host. Dropped, its daemons are killed and its namespace's name goes; containers of its Docker Engine
/// last until [`LabHost::stop`] or the end of the lab.
#[derive(Debug)]
pub struct LabHost {
    netns: Arc<Netns>,
    ovs: LabOvs,
    docker: Option<DockerEngine>,
    directory: PathBuf,
    started_in: StartTimes,
}

impl LabHost {
    /// Makes the host `name` (unique in the lab: its namespace is `/run/netns/NAME`) and waits until all of
    /// it is ready. Hosts may be started concurrently.
    ///
    /// # Errors
    /// The part that could not be started, with the end of its log.
    pub async fn start(lab: &Lab, name: &str, options: HostOptions) -> Result<Self, LabError> {
        let start = Instant::now();
        let netns = Arc::new(Netns::create(lab, name).await?);
        let netns_time = start.elapsed();
        let directory = lab.directory().join("hosts").join(name);
        // Of an earlier host of this name.
        let _ = fs::remove_dir_all(&directory);
        let (ovs_directory, docker_directory) = (directory.join("ovs"), directory.join("docker"));
        for path in [&ovs_directory, &docker_directory] {
            fs::create_dir_all(path)
                .map_err(|error| LabError::io(format!("make {}", path.display()), error))?;
        }
        let ovs = async {
            let ovs = LabOvs::start(Arc::clone(&netns), ovs_directory, options.datapath).await?;
            Ok::<_, LabError>((ovs, start.elapsed()))
        };
        let docker = async {
            let Some(options) = options.docker else { return Ok::<_, LabError>((None, None)) };
            let engine = DockerEngine::start(lab, &netns, &docker_directory, &options).await?;
            Ok((Some(engine), Some(start.elapsed())))
        };
        let ((ovs, ovs_time), (docker, docker_time)) = tokio::try_join!(ovs, docker)?;
        let started_in = StartTimes { netns: netns_time, ovs: ovs_time, docker: docker_time };
        Ok(Self { netns, ovs, docker, directory, started_in })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.netns.name()
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Its files, in memory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Address of its OVSDB, in OVS notation: `unix:...`.
    #[must_use]
    pub fn db(&self) -> String {
        self.ovs.db()
    }

    /// Its Open vSwitch.
    #[must_use]
    pub fn ovs(&self) -> &LabOvs {
        &self.ovs
    }

    /// Its Open vSwitch, to stop and start the daemons.
    pub fn ovs_mut(&mut self) -> &mut LabOvs {
        &mut self.ovs
    }

    /// Its Docker Engine, if it was asked for.
    #[must_use]
    pub fn docker(&self) -> Option<&DockerEngine> {
        self.docker.as_ref()
    }

    /// Its Docker Engine, to stop and start it.
    pub fn docker_mut(&mut self) -> Option<&mut DockerEngine> {
        self.docker.as_mut()
    }

    /// How long it took to start.
    #[must_use]
    pub fn started_in(&self) -> StartTimes {
        self.started_in
    }

    /// A command with this host's `OVS_RUNDIR` and `DOCKER_HOST`, for [`Self::spawn`], [`Self::output`] or [`Self::run`].
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR"] {
            command.env(name, self.ovs.rundir());
        }
        if let Some(docker) = &self.docker {
            command.env("DOCKER_HOST", docker.address());
        }
        command
    }

    /// Starts a command in the host's namespace.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, LabError> {
        self.netns.spawn(command)
    }

    /// Runs a command in the host's namespace to its end and collects what it prints.
    ///
    /// # Errors
    /// The program cannot be started; its own failure is in the output's status.
    pub async fn output(&self, command: &mut Command) -> Result<Output, LabError> {
        self.netns.output(command).await
    }

    /// Runs a program on the host and returns its standard output.
    ///
    /// # Errors
    /// The program cannot be started or fails.
    pub async fn run(&self, program: &str, args: &[&str]) -> Result<String, LabError> {
        ovs::run(&self.netns, self.command(program).args(args)).await
    }

    /// Ends containers and daemons one by one, in good order.
    ///
    /// # Errors
    /// One does not end.
    pub async fn stop(mut self) -> Result<(), LabError> {
        if let Some(docker) = &mut self.docker {
            docker.stop().await?;
        }
        self.ovs.stop().await
    }
}
