//! The command `idl`: copies a database, and after each of its arguments writes the copy.

mod draft;
mod events;
pub(crate) mod raw;
mod rows;
mod tables;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use flowport_ovsdb::client::{ConditionError, ConnectionState, TlsIdentity, TlsOptions};
use flowport_ovsdb::monitor::{Conditions, MonitorCondition, MonitoredTable};
use flowport_ovsdb::schema::DatabaseSchema;
use flowport_ovsdb::session::Database;
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Remote, Remotes, Replica, TransactError, Uuid};
use serde_json::Value as Json;
use tokio::task::JoinHandle;

use crate::{Outcome, print};
use draft::{Draft, Drafted};
use raw::Symbols;
use rows::Written;
use tables::{Link1, Link2, Simple, Simple2, Simple3, Simple4, Simple5, Simple6, Singleton};

/// Carries out the arguments of `idl SCHEMA REMOTE`.
pub(crate) async fn run(out: &mut impl Write, schema: &str, remotes: &str, commands: &[&str]) -> Outcome {
    let schema = read_schema(schema)?;
    let remotes: Remotes = remotes.parse().map_err(|error| format!("{error}"))?;
    let (tls, commands) = match commands {
        [key, certificate, authority, commands @ ..] if is_tls(&remotes) => {
            let identity = TlsIdentity { private_key: key.into(), certificate: certificate.into() };
            let options =
                TlsOptions { ca_certificate: authority.into(), identity: Some(identity), verify_name: false };
            (Some(options), commands)
        }
        commands => (None, commands),
    };
    let (tracks, commands) = match commands {
        ["track-notify", commands @ ..] => (true, commands),
        commands => (false, commands),
    };
    let (monitor, commands) = match commands {
        [first, commands @ ..] if first.starts_with('?') => (columns(&schema, &first[1..])?, commands),
        commands => (Monitor::of_schema(&schema), commands),
    };
    let mut program = Program { out, step: 0, conditions: Conditions::new() };
    let (conditions, commands) = match commands {
        [first, commands @ ..] if first.starts_with("condition ") => (program.conditions(first)?, commands),
        commands => (Conditions::new(), commands),
    };
    let monitor = monitor.with_conditions(conditions);
    let options = || ConnectOptions { shuffle: false, tls: tls.clone(), ..ConnectOptions::default() };
    let client = Client::connect(&remotes, monitor, options()).await.map_err(|error| error.to_string())?;
    let servers = match tracks {
        true => Some(Client::connect(&remotes, Monitor::of::<Database>(), options()).await),
        false => None,
    };
    let servers = servers.transpose().map_err(|error| error.to_string())?;
    let nothing = Arc::new(Replica::new(Arc::new(client.replica().monitor().clone())));
    let mut connected =
        Connected { client, servers, view: nothing, seen: 0, fetched: BTreeMap::new(), condition: None };
    let mut symbols = Symbols::default();
    for command in commands {
        connected.carry_out(command, &mut program, &mut symbols).await?;
    }
    connected.next_view(&mut program).await?;
    connected.write_view(&mut program, false)?;
    program.step += 1;
    program.say("done")
}

/// With TLS the first three arguments are the files of our key, of its certificate, and of the authority.
fn is_tls(remotes: &Remotes) -> bool {
    remotes.as_slice().iter().any(|remote| matches!(remote, Remote::Ssl { .. }))
}

/// Whether a server answers there.
pub(crate) async fn answers(remotes: &str) -> Outcome {
    let remotes: Remotes = remotes.parse().map_err(|error| format!("{error}"))?;
    let connected = Client::connect(&remotes, Monitor::of::<Database>(), ConnectOptions::default()).await;
    connected.map(drop).map_err(|error| error.to_string())
}

pub(crate) fn read_schema(path: &str) -> Result<DatabaseSchema, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.parse().map_err(|error| format!("{path}: {error}"))
}

/// `TABLE:COLUMN,COLUMN!?TABLE:...`: only these, and of them not those with a mark, which are read when asked for.
fn columns(schema: &DatabaseSchema, text: &str) -> Result<Monitor, String> {
    let all = Monitor::of_schema(schema);
    let mut tables = Vec::new();
    for table in text.split('?') {
        let (name, columns) = table.split_once(':').ok_or_else(|| format!("no columns in {table}"))?;
        let found = all.tables().iter().find(|table| table.name == name);
        let mut table: MonitoredTable = found.cloned().ok_or_else(|| format!("there is no table {name}"))?;
        table.columns.retain(|column| columns.split(',').any(|wanted| wanted == column.name));
        tables.push(table);
    }
    Ok(Monitor::dynamic(schema.name.clone(), tables))
}

/// The output, and what goes on with it.
struct Program<'a, W> {
    out: &'a mut W,
    step: usize,
    /// Those last asked for.
    conditions: Conditions,
}

impl<W: Write> Program<'_, W> {
    /// Writes a line of this step, which goes on.
    fn line(&mut self, text: &str) -> Outcome {
        print(self.out, &format!("{:03}: {text}", self.step))
    }

    /// Writes the line of this step, and ends it.
    fn say(&mut self, text: &str) -> Outcome {
        self.line(text)?;
        self.step += 1;
        Ok(())
    }

    /// `condition TABLE CONDITION;...`, and whether they are others than before.
    fn conditions(&mut self, command: &str) -> Result<Conditions, String> {
        let mut changed = Conditions::new();
        for one in command.trim_start_matches("condition ").split(';') {
            let (table, condition) = one.split_once(' ').ok_or_else(|| format!("no condition in {one}"))?;
            let condition = condition_of(condition)?;
            if self.conditions.table(table).unwrap_or(&MonitorCondition::All) == &condition {
                self.line(&format!("{table}: conditions unchanged"))?;
            } else {
                self.line(&format!("{table}: change conditions"))?;
                changed = changed.with(table.to_owned(), condition.clone());
                self.conditions = std::mem::take(&mut self.conditions).with(table.to_owned(), condition);
            }
        }
        self.step += 1;
        Ok(changed)
    }
}

fn condition_of(text: &str) -> Result<MonitorCondition, String> {
    let malformed = |error: serde_json::Error| format!("{text}: {error}");
    let json: Json = serde_json::from_str(text).map_err(malformed)?;
    match json.as_array().map(Vec::as_slice) {
        Some([] | [Json::Bool(false)]) => Ok(MonitorCondition::Nothing),
        Some([Json::Bool(true)]) => Ok(MonitorCondition::All),
        _ => serde_json::from_value(json).map(MonitorCondition::Any).map_err(malformed),
    }
}

/// The client, and the view of the database that commands are about: it stands still between two that wait.
struct Connected {
    client: Client,
    /// What servers tell of themselves, where changes are tracked: of that too.
    servers: Option<Client>,
    view: Arc<Replica>,
    /// Serial number of the view before the last command; 0 where the next wait is to be none.
    seen: u64,
    /// Columns that are not copied, of the rows for which they were read.
    fetched: BTreeMap<Uuid, Vec<(String, Simple)>>,
    condition: Option<JoinHandle<Result<(), ConditionError>>>,
}

impl Connected {
    async fn carry_out<W: Write>(
        &mut self,
        command: &str,
        program: &mut Program<'_, W>,
        symbols: &mut Symbols,
    ) -> Outcome {
        let (terse, command) = command.strip_prefix('?').map_or((false, command), |command| (true, command));
        let command = if let Some(command) = command.strip_prefix('+') {
            command
        } else if let Some(command) = command.strip_prefix('^') {
            self.condition_acknowledged().await?;
            command
        } else {
            self.next_view(program).await?;
            self.write_view(program, terse)?;
            program.step += 1;
            command
        };
        self.seen = self.view.serial();
        if command == "reconnect" {
            program.say("reconnect")?;
            return self.reconnect().await;
        }
        if command.starts_with("condition ") {
            let conditions = program.conditions(command)?;
            return self.change_conditions(conditions).await;
        }
        if command.starts_with('[') {
            let reply = symbols.transact(&self.client, command).await?;
            return program.say(&reply);
        }
        self.commit(command, program).await
    }

    /// Waits until there is another view than the last command had.
    async fn next_view<W: Write>(&mut self, program: &mut Program<'_, W>) -> Outcome {
        let mut replicas = self.client.subscribe();
        replicas.mark_changed();
        let seen = self.seen;
        let view =
            replicas.wait_for(|replica| replica.serial() != seen).await.map_err(|error| error.to_string())?;
        self.show_events(&view, program)?;
        self.view = view.clone();
        Ok(())
    }

    /// The changes from the last view to this one. The suite wants to be told after a reconnect as if all were new.
    fn show_events<W: Write>(&self, view: &Replica, program: &mut Program<'_, W>) -> Outcome {
        let Some(servers) = &self.servers else { return Ok(()) };
        let nothing = || Replica::new(Arc::new(view.monitor().clone()));
        let lines = match view.began_again() && view.serial() != self.view.serial() {
            true => events::lines(view, &nothing()),
            false => events::lines(view, &self.view),
        };
        for line in lines {
            program.line(&line)?;
        }
        if view.began_again() {
            for (uuid, _) in servers.replica().rows::<Database>() {
                program.line(&format!("event:create, row={{}}, uuid={uuid}, updates=None"))?;
            }
        }
        Ok(())
    }

    async fn reconnect(&mut self) -> Outcome {
        let mut state = self.client.state();
        state.mark_unchanged();
        self.client.reconnect().await;
        state.changed().await.map_err(|error| error.to_string())?;
        let connected = state.wait_for(|state| *state == ConnectionState::Connected).await;
        connected.map(drop).map_err(|error| error.to_string())
    }

    /// Asks for conditions and goes on; they are in force when the server says so.
    async fn change_conditions(&mut self, conditions: Conditions) -> Outcome {
        if conditions.tables().next().is_some() {
            let client = self.client.clone();
            self.condition = Some(tokio::spawn(async move { client.set_conditions(conditions).await }));
            // They are to be on their way before the next command is.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn condition_acknowledged(&mut self) -> Outcome {
        match self.condition.take() {
            None => Ok(()),
            Some(answer) => match answer.await {
                Ok(outcome) => outcome.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    async fn commit<W: Write>(&mut self, words: &str, program: &mut Program<'_, W>) -> Outcome {
        let draft = match Draft::read(words, &self.view)? {
            Drafted::Ready(draft) => draft,
            Drafted::Aborted => return program.say("commit, status=aborted"),
            Drafted::Destroyed => return program.say("destroy"),
        };
        let transaction = draft.transaction();
        if transaction.operations().is_empty() {
            return program.say("commit, status=unchanged");
        }
        let before = self.view.clone();
        let outcome = self.client.transact(transaction).await;
        self.view = self.client.replica();
        let mut line = format!("commit, status={}", status(outcome.as_ref().err()));
        match &outcome {
            Ok(committed) => {
                if let Some(number) = draft.incremented(committed) {
                    line += &format!(", increment={number}");
                }
                for (uuid, column, row) in draft.fetched(committed) {
                    self.fetched.entry(uuid).or_default().push((column, row));
                    // What is written changed although the copy did not.
                    self.seen = 0;
                }
            }
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                self.seen = if line.ends_with("=error") { 0 } else { self.seen };
            }
        }
        if draft.is_notified() {
            line += &format!(", events={}", events::brief(&self.view, &before).join(", "));
        }
        program.say(&line)
    }

    fn write_view<W: Write>(&self, program: &mut Program<'_, W>, terse: bool) -> Outcome {
        let mut count = 0;
        count += self.write_table::<Simple, W>(program, terse)?;
        count += self.write_table::<Simple2, W>(program, terse)?;
        count += self.write_table::<Simple3, W>(program, terse)?;
        count += self.write_table::<Simple4, W>(program, terse)?;
        count += self.write_table::<Simple5, W>(program, terse)?;
        count += self.write_table::<Simple6, W>(program, terse)?;
        count += self.write_table::<Link1, W>(program, terse)?;
        count += self.write_table::<Link2, W>(program, terse)?;
        count += self.write_table::<Singleton, W>(program, terse)?;
        if count == 0 { program.line("empty") } else { Ok(()) }
    }

    fn write_table<T: Written, W: Write>(
        &self,
        program: &mut Program<'_, W>,
        terse: bool,
    ) -> Result<usize, String> {
        let copied = self.view.monitor().tables().iter().find(|table| table.name == T::NAME);
        let is_copied =
            |name: &str| copied.is_some_and(|table| table.columns.iter().any(|column| column.name == name));
        let hidden: Vec<String> =
            T::COLUMNS.iter().map(|column| column.name.to_owned()).filter(|name| !is_copied(name)).collect();
        for (uuid, row) in self.view.rows::<T>() {
            if terse {
                program.line(&format!("table {}", T::NAME))?;
                continue;
            }
            let mut line = row.line(&self.view, &hidden);
            for (column, row) in self.fetched.get(&uuid).into_iter().flatten() {
                let cells = row.cells(&self.view).into_iter().filter(|(name, _)| *name == column);
                line = format!("{line} {}", rows::joined(cells));
            }
            program.line(&format!("table {}: {line} uuid={uuid}", T::NAME))?;
        }
        Ok(self.view.count::<T>())
    }
}

/// The word for the outcome of a transaction.
fn status(error: Option<&TransactError>) -> &'static str {
    match error {
        None => "success",
        Some(TransactError::Conflict(_)) => "try again",
        Some(TransactError::NotOwner(_)) => "not locked",
        Some(_) => "error",
    }
}
