//! Containers of the Docker Engine, by its API.

mod error;
mod event;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bollard::ClientVersion;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};

pub use self::error::DockerError;
pub use self::event::{Event, Events};

const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
const API_MAJOR: usize = 1;
/// The API of Docker 20.10, which every engine up to 28 speaks. An engine that refuses it names one
/// that it takes. (Asking first would cost a round trip, and `/version` forks in some engines.)
const API_MINOR: usize = 41;
/// Seconds until a request that the engine does not answer is given up.
const TIMEOUT: u64 = 30;

/// A Docker Engine. Holds no connection: each request makes its own, so a restart of the engine needs
/// no care.
#[derive(Clone, Debug)]
pub struct Docker {
    host: Arc<str>,
    api_minor: Arc<AtomicUsize>,
}

/// A container of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The name, without the slash that the API puts before it.
    pub name: String,
    /// The pid of its first process while it runs.
    pub pid: Option<u32>,
    /// Whether it runs; a paused one does.
    pub running: bool,
    /// `HostConfig.NetworkMode`: `none`, `bridge`, `host`, `container:ID` or a network's name.
    pub network_mode: String,
}

/// What the engine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its version, as `20.10.24`.
    pub version: String,
    /// Whether containers go on running when it stops (`live-restore`).
    pub live_restore: bool,
}

impl Docker {
    /// The engine at DOCKER_HOST (`unix://PATH`, `tcp://HOST:PORT`), or else at `/var/run/docker.sock`.
    /// Does not connect yet.
    #[must_use]
    pub fn connect() -> Self {
        let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        Self::connect_to(host.as_deref().unwrap_or(DEFAULT_HOST))
    }

    /// The engine at `host`, spelled as DOCKER_HOST is. Does not connect yet.
    #[must_use]
    pub fn connect_to(host: &str) -> Self {
        Self { host: host.into(), api_minor: Arc::new(AtomicUsize::new(API_MINOR)) }
    }

    /// The container of that name, id, or beginning of an id.
    pub async fn container(&self, name_or_id: &str) -> Result<Container, DockerError> {
        // What no name or id can hold would change the request's path.
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let wanted = name_or_id.strip_prefix('/').unwrap_or(name_or_id);
        let dots = wanted.chars().all(|c| c == '.');
        if wanted.is_empty() || dots || !wanted.chars().all(valid) {
            return Err(DockerError::NoSuchContainer { name: name_or_id.to_owned() });
        }
        self.with_client(async |client| {
            let answer = client.inspect_container(wanted, None::<InspectContainerOptions>).await;
            Container::inspected(answer.map_err(|error| self.about(error, wanted))?)
        })
        .await
    }

    /// The ids of all containers, stopped ones included: one request, however many there are.
    pub async fn ids(&self) -> Result<BTreeSet<String>, DockerError> {
        let listed = self
            .with_client(async |client| {
                let options = ListContainersOptionsBuilder::new().all(true).build();
                client.list_containers(Some(options)).await.map_err(|error| self.error(error))
            })
            .await?;
        Ok(listed.into_iter().filter_map(|summary| summary.id).collect())
    }

    /// What the engine says of itself.
    pub async fn info(&self) -> Result<EngineInfo, DockerError> {
        let info =
            self.with_client(async |client| client.info().await.map_err(|error| self.error(error))).await?;
        Ok(EngineInfo {
            version: info.server_version.unwrap_or_default(),
            live_restore: info.live_restore_enabled.unwrap_or(false),
        })
    }

    /// Runs `request`, once more when the engine wants another version of the API.
    async fn with_client<T>(
        &self,
        request: impl AsyncFn(bollard::Docker) -> Result<T, DockerError>,
    ) -> Result<T, DockerError> {
        match request(self.client()?).await {
            Err(DockerError::ApiVersion { .. }) => request(self.client()?).await,
            result => result,
        }
    }

    fn client(&self) -> Result<bollard::Docker, DockerError> {
        let version =
            ClientVersion { major_version: API_MAJOR, minor_version: self.api_minor.load(Ordering::Relaxed) };
        let host = &*self.host;
        let client = if host.starts_with("unix://") {
            bollard::Docker::connect_with_unix(host, TIMEOUT, &version)
        } else if host.starts_with("tcp://") || host.starts_with("http://") {
            bollard::Docker::connect_with_http(host, TIMEOUT, &version)
        } else {
            return Err(DockerError::Host { host: host.to_owned() });
        };
        client.map_err(|error| self.error(error))
    }
}

impl Container {
    fn inspected(response: ContainerInspectResponse) -> Result<Self, DockerError> {
        let id = response.id.ok_or(DockerError::Incomplete { field: "Id" })?;
        let name = response.name.ok_or(DockerError::Incomplete { field: "Name" })?;
        let state = response.state.ok_or(DockerError::Incomplete { field: "State" })?;
        let running = state.running.unwrap_or(false);
        let pid = state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| running && *pid > 0);
        let network_mode = response.host_config.and_then(|config| config.network_mode).unwrap_or_default();
        Ok(Self { id, name: name.trim_start_matches('/').to_owned(), pid, running, network_mode })
    }
}
