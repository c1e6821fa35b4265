//! What happens to containers, as it happens.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::errors::Error as ApiError;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt};

use super::{Docker, DockerError};

/// The events asked for; the engine sends no others.
const ACTIONS: [&str; 4] = ["start", "die", "destroy", "rename"];

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its first process runs; it has a pid and a network namespace.
    Started {
        /// The container's id.
        id: String,
    },
    /// Its first process has ended, for whatever reason.
    Died {
        /// The container's id.
        id: String,
    },
    /// It was removed.
    Destroyed {
        /// The container's id.
        id: String,
    },
    /// It has a new name.
    Renamed {
        /// The container's id.
        id: String,
        /// The new name.
        name: String,
    },
}

impl Event {
    /// Docker's word for what happened.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Started { .. } => "start",
            Self::Died { .. } => "die",
            Self::Destroyed { .. } => "destroy",
            Self::Renamed { .. } => "rename",
        }
    }
}

/// The stream of [`Event`]s. When the engine goes away it yields an error and then ends; call
/// [`Docker::events`] again, and [`Docker::ids`] for what was missed.
pub struct Events {
    docker: Docker,
    messages: Option<Messages>,
}

type Messages = Pin<Box<dyn Stream<Item = Result<EventMessage, ApiError>> + Send>>;

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("docker", &self.docker).finish_non_exhaustive()
    }
}

impl Docker {
    /// Starts listening: what happens from this call on is reported.
    pub async fn events(&self) -> Result<Events, DockerError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.with_client(async |client| {
            // The stream connects when it is first read, the engine then looks back until `since`.
            // Asking something first tells whether the engine is there.
            client.ping().await.map_err(|error| self.error(error))?;
            let since = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
            let filters = HashMap::from([("type", vec!["container"]), ("event", ACTIONS.to_vec())]);
            let options = EventsOptionsBuilder::new().since(&since).filters(&filters).build();
            Ok(Events { docker: self.clone(), messages: Some(Box::pin(client.events(Some(options)))) })
        })
        .await
    }
}

impl Events {
    fn event(message: EventMessage) -> Option<Event> {
        let actor = message.actor?;
        let id = actor.id?;
        match message.action?.as_str() {
            "start" => Some(Event::Started { id }),
            "die" => Some(Event::Died { id }),
            "destroy" => Some(Event::Destroyed { id }),
            "rename" => {
                let name = actor.attributes?.remove("name")?;
                Some(Event::Renamed { id, name: name.trim_start_matches('/').to_owned() })
            }
            _ => None,
        }
    }
}

impl Stream for Events {
    type Item = Result<Event, DockerError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(messages) = self.messages.as_mut() else { return Poll::Ready(None) };
            let message = std::task::ready!(messages.poll_next_unpin(cx));
            let error = match message {
                Some(Ok(message)) => match Self::event(message) {
                    Some(event) => return Poll::Ready(Some(Ok(event))),
                    None => continue,
                },
                Some(Err(error)) => self.docker.error(error),
                None => DockerError::Disconnected,
            };
            self.messages = None;
            return Poll::Ready(Some(Err(error)));
        }
    }
}
