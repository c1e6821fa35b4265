use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Event, MemberError, Request, Session, SessionError};
use crate::monitor::{Conditions, Monitor, MonitorCondition, Updates};
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
    /// Columns of the copy that `last_transaction` stands for.
    copied: Arc<Monitor>,
    /// As asked for; `monitor` lacks what the server lacks.
    wanted: Arc<Monitor>,
    method: Method,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not asked for yet, or canceled by the server: its schema is read first.
    AwaitsSchema,
    /// All is known to ask for it but what the server says of its copy.
    AwaitsServer,
    /// The server makes the dump.
    Requested,
    /// Updates follow.
    Established,
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
    pub(super) fn new(wanted: Arc<Monitor>, copied: Arc<Monitor>, last_transaction: Option<Uuid>) -> Self {
        let (method, stage) = (Method::MonitorCondSince, Stage::AwaitsSchema);
        let conditions = wanted.conditions().clone();
        let wanted = match conditions.is_empty() {
            true => wanted,
            false => Arc::new(Arc::unwrap_or_clone(wanted).with_conditions(Conditions::new())),
        };
        Self { monitor: wanted.clone(), conditions, last_transaction, copied, wanted, method, stage }
    }

    /// What the server monitors.
    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// A condition is in force, and is to be when the monitor is asked for again.
    pub(super) fn condition_changed(&mut self, table: &str, condition: &MonitorCondition) {
        self.conditions.insert(table.to_owned().into(), condition.clone());
    }

    /// Whether the server can be told which rows: it could not before Open vSwitch 2.6.
    pub(super) fn has_conditions(&self) -> bool {
        self.method != Method::Monitor
    }

    pub(super) fn is_established(&self) -> bool {
        self.stage == Stage::Established
    }

    pub(super) fn awaits_server(&self) -> bool {
        self.stage == Stage::AwaitsServer
    }

    pub(super) fn awaits_dump(&self) -> bool {
        self.stage == Stage::Requested
    }

    /// Reads the updates of a notification; only `update3` names the transaction.
    pub(super) fn updated(
        &self,
        transaction: Option<Uuid>,
        updates: &RawValue,
    ) -> Result<Option<Event>, SessionError> {
        if !self.is_established() {
            return Ok(None);
        }
        let malformed = |source| SessionError::Malformed { what: "update", source };
        let updates = Updates::parse(&self.monitor, updates).map_err(malformed)?;
        Ok(Some(Event::Updated { updates, transaction: transaction.and_then(known) }))
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
        self.monitoring.stage = Stage::Requested;
        self.request(method.name(), &params, Request::Monitor).map(drop)
    }

    /// The server converted the database and dropped the monitor. Rows were migrated without updates: all is
    /// asked for anew.
    pub(super) fn monitor_canceled(&mut self) -> Result<(), SessionError> {
        // While the schema is awaited, the one that comes is the new one.
        let asked_already = self.in_flight.values().any(|request| matches!(request, Request::Schema));
        self.monitoring.stage = Stage::AwaitsSchema;
        self.monitoring.last_transaction = None;
        if asked_already { Ok(()) } else { self.request_schema() }
    }

    /// The server's idea of a column's cardinality says how its updates are read.
    pub(super) fn request_schema(&mut self) -> Result<(), SessionError> {
        let database = self.database.clone();
        self.request("get_schema", &[&*database], Request::Schema).map(drop)
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
        monitoring.stage = Stage::Established;
        let monitor = monitoring.monitor.clone();
        self.events.push_back(Event::Monitored { monitor, updates, resumed, transaction });
        self.events.append(&mut self.held);
        self.request_condition_changes()
    }

    /// An older server, or one that will not.
    fn monitor_failed(&mut self, error: ServerError) -> Result<(), SessionError> {
        let older = if error.error == "unknown method" { self.monitoring.method.older() } else { None };
        match older {
            Some(older) => {
                self.monitoring.method = older;
                self.request_monitor()
            }
            None => Err(self.refused(error)),
        }
    }

    pub(super) fn schema_answered(
        &mut self,
        outcome: Result<Option<&RawValue>, ServerError>,
    ) -> Result<(), SessionError> {
        let schema = match outcome {
            Ok(schema) => schema.unwrap_or(RawValue::NULL),
            Err(error) => return Err(self.refused(error)),
        };
        let malformed = |source| SessionError::Malformed { what: "schema", source };
        let monitoring = &mut self.monitoring;
        monitoring.monitor = match monitoring.wanted.within(schema).map_err(malformed)? {
            Some(narrowed) => Arc::new(narrowed),
            None => monitoring.wanted.clone(),
        };
        if monitoring.monitor != monitoring.copied {
            // A resume would miss what the copy does not hold.
            monitoring.last_transaction = None;
        }
        monitoring.stage = Stage::AwaitsServer;
        if self.server.is_awaited() { Ok(()) } else { self.request_monitor() }
    }

    fn refused(&self, error: ServerError) -> SessionError {
        let database = self.database.to_string();
        match error.error.as_str() {
            "unknown database" => SessionError::NoSuchDatabase(database),
            "database not available" => MemberError::NotJoined.into(),
            _ => SessionError::MonitorRefused { database, error },
        }
    }
}
