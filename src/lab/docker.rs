//! The Docker Engine of a lab host: `dockerd` with its own `containerd`, all its state in the lab's memory.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures_util::TryStreamExt;
use tokio::net::UnixStream;
use tokio::process::Command;

use super::{Daemon, Lab, LabError, Netns, ovs, requirements};

/// Seconds that the engine may take to answer one request.
const REQUEST_TIMEOUT: u64 = 30;

/// How `dockerd` is started.
#[derive(Debug, Clone, Default)]
pub struct DockerOptions {
    /// More arguments, as `--live-restore`; they win over the lab's own.
    pub args: Vec<String>,
}

/// A container that was started by [`DockerEngine::run_container`].
#[derive(Debug, Clone)]
pub struct DockerContainer {
    /// The full id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The process id of its first process, as the lab counts.
    pub pid: u32,
}

impl DockerContainer {
    /// Its network namespace, while it runs.
    #[must_use]
    pub fn netns(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.pid))
    }
}

/// A running `dockerd`. The engines of one lab may have the same engine id: old ones keep it in `/etc/docker`.
#[derive(Debug)]
pub struct DockerEngine {
    client: Docker,
    socket: PathBuf,
    directory: PathBuf,
    netns: Arc<Netns>,
    daemon: Daemon,
}

impl DockerEngine {
    pub(super) async fn start(
        lab: &Lab,
        netns: &Arc<Netns>,
        directory: &Path,
        options: &DockerOptions,
    ) -> Result<Self, LabError> {
        if !lab.has_cgroup() {
            return Err(LabError::NoCgroup);
        }
        let socket = directory.join("docker.sock");
        let config = directory.join("daemon.json");
        // The machine's /etc/docker/daemon.json is not for us.
        fs::write(&config, "{}")
            .map_err(|error| LabError::io(format!("write {}", config.display()), error))?;
        let in_directory = |option: &str, name: &str| format!("{option}={}", directory.join(name).display());
        let mut daemon = Daemon::new(netns, "dockerd", directory.join("dockerd.log"))
            .arg(in_directory("--config-file", "daemon.json"))
            .arg(in_directory("--data-root", "data"))
            .arg(in_directory("--exec-root", "exec"))
            .arg(in_directory("--pidfile", "dockerd.pid"))
            .arg(format!("--host=unix://{}", socket.display()))
            .arg(format!("--cgroup-parent=/{}", netns.name()))
            .args(&["--exec-opt=native.cgroupdriver=cgroupfs", "--storage-driver=overlay2"])
            .args(&["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--userland-proxy=false"])
            .args(&["--bridge=none", "--shutdown-timeout=1"])
            .args(&options.args.iter().map(String::as_str).collect::<Vec<_>>());
        daemon.spawn()?;
        daemon.until_ready(async || UnixStream::connect(&socket).await.is_ok()).await?;
        let client =
            Docker::connect_with_unix(&socket.to_string_lossy(), REQUEST_TIMEOUT, API_DEFAULT_VERSION)
                .map_err(|error| failed("make a client", error))?;
        daemon.until_ready(async || client.ping().await.is_ok()).await?;
        // dockerd may be older than the client's newest protocol.
        let client = client.negotiate_version().await.map_err(|error| failed("agree on a version", error))?;
        Ok(Self { client, socket, directory: directory.to_owned(), netns: Arc::clone(netns), daemon })
    }

    /// `unix:///...`, as in `DOCKER_HOST`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// A client of this engine.
    #[must_use]
    pub fn client(&self) -> &Docker {
        &self.client
    }

    /// The `dockerd`; to be started again by [`Self::start_daemon`].
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Starts `dockerd` on its state as it is, and waits until it answers.
    ///
    /// # Errors
    /// It is not ready within 20 s.
    pub async fn start_daemon(&mut self) -> Result<(), LabError> {
        self.daemon.spawn()?;
        let client = &self.client;
        self.daemon.until_ready(async || client.ping().await.is_ok()).await
    }

    /// Makes the image `tag` (as `busybox:latest`) of this machine's static busybox with all its applets in
    /// `/bin`. No registry is asked.
    ///
    /// # Errors
    /// There is no busybox; the engine refuses the image.
    pub async fn import_busybox(&self, tag: &str) -> Result<(), LabError> {
        let busybox = requirements::find_program("busybox")
            .ok_or_else(|| LabError::io("find busybox (package busybox-static)", rustix::io::Errno::NOENT))?;
        let (root, tar) = (self.directory.join("busybox"), self.directory.join("busybox.tar"));
        if !root.exists() {
            let applets = ovs::run(&self.netns, Command::new(&busybox).arg("--list")).await?;
            fill_root(&root, &busybox, &applets)
                .map_err(|error| LabError::io(format!("fill {}", root.display()), error))?;
        }
        ovs::run(
            &self.netns,
            Command::new(&busybox).args(["tar", "-c", "-f"]).arg(&tar).arg("-C").arg(&root).arg("."),
        )
        .await?;
        let archive =
            fs::read(&tar).map_err(|error| LabError::io(format!("read {}", tar.display()), error))?;
        let (repository, tag) = tag.split_once(':').unwrap_or((tag, "latest"));
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(tag).build();
        self.client
            .create_image(Some(options), Some(body_full(archive.into())), None)
            .try_collect::<Vec<_>>()
            .await
            .map_err(|error| failed("import the busybox image", error))?;
        Ok(())
    }

    /// Creates and starts a container. `network` as in `docker run --network`: `none`, `host`, `container:ID`.
    /// `docker stop` ends it at once.
    ///
    /// # Errors
    /// The engine's refusal: no such image, name taken.
    pub async fn run_container(
        &self,
        name: &str,
        image: &str,
        network: &str,
        command: &[&str],
    ) -> Result<DockerContainer, LabError> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            // A shell or sleep as process 1 ignores SIGTERM, and every stop would take ten seconds.
            stop_signal: Some("SIGKILL".to_owned()),
            host_config: Some(HostConfig { network_mode: Some(network.to_owned()), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let created = self.client.create_container(Some(options), body).await;
        let id = created.map_err(|error| failed(format!("create container {name}"), error))?.id;
        self.start_container(name).await?;
        Ok(DockerContainer { id, name: name.to_owned(), pid: self.container_pid(name).await? })
    }

    /// Starts a container that has been created or stopped.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn start_container(&self, name: &str) -> Result<(), LabError> {
        let started = self.client.start_container(name, None).await;
        started.map_err(|error| failed(format!("start container {name}"), error))
    }

    /// The process id of a container's first process; 0 when it does not run.
    ///
    /// # Errors
    /// No such container.
    pub async fn container_pid(&self, name: &str) -> Result<u32, LabError> {
        let found = self.client.inspect_container(name, None).await;
        let found = found.map_err(|error| failed(format!("inspect container {name}"), error))?;
        Ok(found
            .state
            .and_then(|state| state.pid)
            .and_then(|pid| u32::try_from(pid).ok())
            .unwrap_or_default())
    }

    /// Kills and removes a container, as `docker rm -f`.
    ///
    /// # Errors
    /// No such container.
    pub async fn remove_container(&self, name: &str) -> Result<(), LabError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        let removed = self.client.remove_container(name, Some(options)).await;
        removed.map_err(|error| failed(format!("remove container {name}"), error))
    }

    /// Removes every container and ends `dockerd`.
    ///
    /// # Errors
    /// A container or `dockerd` does not go.
    pub async fn stop(&mut self) -> Result<(), LabError> {
        if self.daemon.is_running() {
            let all =
                ListContainersOptionsBuilder::default().all(true).filters(&HashMap::<&str, Vec<&str>>::new());
            let containers = self.client.list_containers(Some(all.build())).await;
            for container in containers.map_err(|error| failed("list containers", error))? {
                self.remove_container(&container.id.unwrap_or_default()).await?;
            }
        }
        self.daemon.stop().await
    }
}

/// A root file system with only busybox in it.
fn fill_root(root: &Path, busybox: &Path, applets: &str) -> std::io::Result<()> {
    let bin = root.join("bin");
    for directory in ["bin", "etc", "proc", "sys", "dev", "tmp", "root"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy(busybox, bin.join("busybox"))?;
    applets
        .lines()
        .filter(|applet| *applet != "busybox")
        .try_for_each(|applet| symlink("busybox", bin.join(applet)))
}

fn failed(what: impl Into<String>, error: bollard::errors::Error) -> LabError {
    LabError::Docker { what: what.into(), source: Box::new(error) }
}
