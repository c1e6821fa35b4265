use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Event, Request, Session, SessionError};
use crate::monitor::{Conditions, Monitor, Updates};
use crate::notation::ServerError;

/// Our name for the one monitor of the connection.
pub(super) const MONITOR_ID: &str = "replica";

/// The monitor of a connection, from the first request to the updates.
#[derive(Debug)]
pub(super) struct Monitoring {
    /// Without conditions: they change, and the copy's columns do not.
    monitor: Arc<Monitor>,
    /// As the monitor is asked for.
    conditions: Conditions,
    last_transaction: Option<Uuid>,
    method: Method,
    /// Why the server refused the monitor as first asked for, while and after its schema is looked at.
    refused: Option<ServerError>,
    established: bool,
}

/// Newest first; an older server gets the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Open vSwitch 2.12.
    MonitorCondSince,
    /// Open vSwitch 2.6.
    MonitorCond,
    /// RFC 7047.
    Monitor,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::MonitorCondSince => "monitor_cond_since",
            Self::MonitorCond => "monitor_cond",
            Self::Monitor => "monitor",
        }
    }

    fn older(self) -> Option<Self> {
        match self {
            Self::MonitorCondSince => Some(Self::MonitorCond),
            Self::MonitorCond => Some(Self::Monitor),
            Self::Monitor => None,
        }
    }
}

impl Monitoring {
    pub(super) fn new(monitor: Arc<Monitor>, last_transaction: Option<Uuid>) -> Self {
        let method = Method::MonitorCondSince;
        let conditions = monitor.conditions().clone();
        let monitor = match conditions.is_empty() {
            true => monitor,
            false => Arc::new(Arc::unwrap_or_clone(monitor).with_conditions(Conditions::new())),
        };
        Self { monitor, conditions, last_transaction, method, refused: None, established: false }
    }

    /// What the server monitors.
    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Whether the server can be told which rows: it could not before Open vSwitch 2.6.
    pub(super) fn has_conditions(&self) -> bool {
        self.method != Method::Monitor
    }

    pub(super) fn is_established(&self) -> bool {
        self.established
    }

    /// `update` and `update2`: `[id, updates]`; `update3`: `[id, transaction, updates]`.
    pub(super) fn updated(&self, method: &str, params: &RawValue) -> Result<Option<Event>, SessionError> {
        let malformed = |source| SessionError::Malformed { what: "update", source };
        let (transaction, updates) = if method == "update3" {
            let (_, transaction, updates): (IgnoredAny, Uuid, &RawValue) =
                serde_json::from_str(params.get()).map_err(malformed)?;
            (known(transaction), updates)
        } else {
            let (_, updates): (IgnoredAny, &RawValue) =
                serde_json::from_str(params.get()).map_err(malformed)?;
            (None, updates)
        };
        if !self.established {
            return Ok(None);
        }
        let updates = Updates::parse(&self.monitor, updates).map_err(malformed)?;
        Ok(Some(Event::Updated { updates, transaction }))
    }
}

/// Standalone databases give the nil UUID for every transaction.
fn known(transaction: Uuid) -> Option<Uuid> {
    (!transaction.is_nil()).then_some(transaction)
}

impl Session {
    pub(super) fn request_monitor(&mut self) -> Result<(), SessionError> {
        let method = self.monitoring.method;
        let none = Conditions::new();
        let conditions = if self.monitoring.has_conditions() { &self.monitoring.conditions } else { &none };
        let requests = self.monitoring.monitor.requests(conditions);
        let params = if method == Method::MonitorCondSince {
            let last = self.monitoring.last_transaction.unwrap_or(Uuid::nil());
            json!([&*self.database, MONITOR_ID, requests, last.to_string()])
        } else {
            json!([&*self.database, MONITOR_ID, requests])
        };
        self.request(method.name(), &params, Request::Monitor).map(drop)
    }

    pub(super) fn monitor_answered(
        &mut self,
        outcome: Result<Option<&RawValue>, ServerError>,
    ) -> Result<(), SessionError> {
        let result = match outcome {
            Ok(result) => result.unwrap_or(RawValue::NULL),
            Err(error) => return self.monitor_failed(error),
        };
        let malformed = |source| SessionError::Malformed { what: "answer to monitor", source };
        let monitoring = &mut self.monitoring;
        let (resumed, transaction, updates) = if monitoring.method == Method::MonitorCondSince {
            let (found, transaction, updates): (bool, Uuid, &RawValue) =
                serde_json::from_str(result.get()).map_err(malformed)?;
            (found, known(transaction), updates)
        } else {
            (false, None, result)
        };
        let updates = Updates::parse(&monitoring.monitor, updates).map_err(malformed)?;
        monitoring.established = true;
        let monitor = monitoring.monitor.clone();
        self.events.push_back(Event::Monitored { monitor, updates, resumed, transaction });
        self.request_condition_changes()
    }

    /// An older server, an unknown database, or a table or column that this server does not have. Its schema
    /// is asked for only now, so that the usual connection does without.
    fn monitor_failed(&mut self, error: ServerError) -> Result<(), SessionError> {
        let database = self.database.to_string();
        if error.error == "unknown database" {
            return Err(SessionError::NoSuchDatabase(database));
        }
        if error.error == "unknown method" {
            let Some(older) = self.monitoring.method.older() else {
                return Err(SessionError::MonitorRefused { database, error });
            };
            self.monitoring.method = older;
            return self.request_monitor();
        }
        if self.monitoring.refused.is_some() {
            return Err(SessionError::MonitorRefused { database, error });
        }
        self.monitoring.refused = Some(error);
        self.request("get_schema", &[&*database], Request::Schema).map(drop)
    }

    pub(super) fn schema_answered(
        &mut self,
        outcome: Result<Option<&RawValue>, ServerError>,
    ) -> Result<(), SessionError> {
        let schema = match outcome {
            Ok(schema) => schema.unwrap_or(RawValue::NULL),
            Err(error) => {
                return Err(SessionError::MonitorRefused { database: self.database.to_string(), error });
            }
        };
        let malformed = |source| SessionError::Malformed { what: "schema", source };
        match self.monitoring.monitor.within(schema).map_err(malformed)? {
            Some(narrowed) => {
                // A resume would miss what the narrower monitor of before did not hold.
                self.monitoring.last_transaction = None;
                self.monitoring.monitor = Arc::new(narrowed);
                self.request_monitor()
            }
            None => {
                let empty = ServerError { error: String::new(), details: String::new() };
                let error = self.monitoring.refused.take().unwrap_or(empty);
                Err(SessionError::MonitorRefused { database: self.database.to_string(), error })
            }
        }
    }
}
