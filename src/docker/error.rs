//! What the engine refused, said so that a user can act on it.

use std::error::Error as StdError;
use std::io;
use std::sync::atomic::Ordering;

use bollard::errors::Error as ApiError;

use super::Docker;

/// A request to the Docker Engine failed.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// Nobody listens on the engine's socket.
    #[error("Docker is not running (nothing answers at {host}): start it, or set DOCKER_HOST")]
    NotRunning {
        /// The engine's address.
        host: String,
    },
    /// The socket may not be opened.
    #[error("no permission to talk to Docker at {host}: run as root or join the group docker")]
    PermissionDenied {
        /// The engine's address.
        host: String,
    },
    /// DOCKER_HOST has a form not known here.
    #[error("the Docker address {host} is not usable: write unix:///PATH or tcp://HOST:PORT")]
    Host {
        /// The address.
        host: String,
    },
    /// No container of that name or id.
    #[error("there is no container {name}: `docker ps -a` lists them")]
    NoSuchContainer {
        /// What was asked for.
        name: String,
    },
    /// The beginning of more than one id.
    #[error("more than one container id begins with {name}: write more of it")]
    Ambiguous {
        /// What was asked for.
        name: String,
    },
    /// The engine speaks another version of the API, in which the request is then repeated.
    #[error("the Docker Engine speaks API 1.{minor} only")]
    ApiVersion {
        /// The version it offered, behind "1.".
        minor: usize,
    },
    /// The answer lacks something that every engine sends.
    #[error("the answer of the Docker Engine has no {field}")]
    Incomplete {
        /// The missing field.
        field: &'static str,
    },
    /// The stream of events ended: the engine stopped.
    #[error("the Docker Engine stopped sending events")]
    Disconnected,
    /// Anything else.
    #[error("Docker failed")]
    Engine(#[source] Box<ApiError>),
}

impl Docker {
    /// What an error of a request about container `name` means.
    pub(super) fn about(&self, error: ApiError, name: &str) -> DockerError {
        if let ApiError::DockerResponseServerError { status_code, message } = &error {
            if message.to_ascii_lowercase().contains("multiple ids found") {
                return DockerError::Ambiguous { name: name.to_owned() };
            }
            if *status_code == 404 {
                return DockerError::NoSuchContainer { name: name.to_owned() };
            }
        }
        self.error(error)
    }

    /// What an error of any request means.
    pub(super) fn error(&self, error: ApiError) -> DockerError {
        let host = self.host.to_string();
        if let ApiError::DockerResponseServerError { message, .. } = &error {
            if let Some(minor) = offered_version(message) {
                self.api_minor.store(minor, Ordering::Relaxed);
                return DockerError::ApiVersion { minor };
            }
        }
        if matches!(error, ApiError::SocketNotFoundError(_)) {
            return DockerError::NotRunning { host };
        }
        match io_kind(&error) {
            Some(io::ErrorKind::PermissionDenied) => DockerError::PermissionDenied { host },
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
                DockerError::NotRunning { host }
            }
            _ => DockerError::Engine(Box::new(error)),
        }
    }
}

/// The kind of the I/O error at the root of an error, if there is one.
fn io_kind(error: &ApiError) -> Option<io::ErrorKind> {
    // bollard's transparent variant skips its own layer, so look at the field first.
    let mut next: Option<&(dyn StdError + 'static)> = match error {
        ApiError::HyperLegacyError { err } => Some(err),
        ApiError::IOError { err } => Some(err),
        error => Some(error),
    };
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = cause.source();
    }
    None
}

/// "client version 1.41 is too old. Minimum supported API version is 1.44, ..", and "too new" with
/// "Maximum".
fn offered_version(message: &str) -> Option<usize> {
    let (_, version) = message.split_once("imum supported API version is 1.")?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16, message: &str) -> ApiError {
        ApiError::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn the_version_an_engine_offers_is_read_from_its_refusal() {
        let old = "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade";
        let new = "client version 1.41 is too new. Maximum supported API version is 1.40";
        assert_eq!(offered_version(old), Some(44));
        assert_eq!(offered_version(new), Some(40));
        assert_eq!(offered_version("no such container: web"), None);
    }

    #[test]
    fn answers_about_a_container_become_errors_that_name_it() {
        let docker = Docker::connect_to("unix:///run/docker.sock");
        let missing = docker.about(answered(404, "No such container: web"), "web");
        assert!(matches!(missing, DockerError::NoSuchContainer { name } if name == "web"));
        let ambiguous = answered(500, "Multiple IDs found with provided prefix: 1f");
        assert!(matches!(docker.about(ambiguous, "1f"), DockerError::Ambiguous { name } if name == "1f"));
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_not_running() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("docker.sock");
        let docker = Docker::connect_to(&format!("unix://{}", path.display()));
        assert!(matches!(docker.containers().await, Err(DockerError::NotRunning { .. })), "no socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(matches!(docker.container("web").await, Err(DockerError::NotRunning { .. })), "refused");
    }

    #[tokio::test]
    async fn a_name_that_would_be_another_path_names_no_container() {
        let docker = Docker::connect_to("unix:///nonexistent");
        for name in ["", "..", "a/../../info", "a?all=1", "a b", "web%2f"] {
            let result = docker.container(name).await;
            assert!(matches!(result, Err(DockerError::NoSuchContainer { .. })), "{name:?}: {result:?}");
        }
    }

    #[tokio::test]
    async fn an_address_of_another_kind_is_refused_with_the_right_ones() {
        let error = Docker::connect_to("ssh://host").containers().await.unwrap_err();
        assert!(error.to_string().contains("unix:///PATH"), "{error}");
    }
}
