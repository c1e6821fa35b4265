//! Flow entries, checked against the declaration of their table when they are built.

use flowport_openflow::{
    Action, BuildMatchError, Cookie, FlowKey, Instruction, MatchBuilder, MeterId, TableId,
};

use super::Table;

/// A flow entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its identity.
    pub key: FlowKey,
    /// Whose it is.
    pub cookie: Cookie,
    /// What it does.
    pub instructions: Vec<Instruction>,
}

/// A flow entry that its table's declaration does not allow, which is a defect of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndeclaredFlow {
    /// The match cannot be.
    #[error("table {table}: {source}")]
    Match {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        source: BuildMatchError,
    },
    /// The match has a field that the table does not declare.
    #[error("table {table} does not match {field}")]
    Field {
        /// The table.
        table: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The entry goes on to a table that its own does not declare.
    #[error("table {table} does not go on to table {to}")]
    GoTo {
        /// The table.
        table: &'static str,
        /// Where it would go.
        to: TableId,
    },
}

impl Flow {
    /// An entry of `table`: first the actions, then the metadata, then the table to go on to.
    pub(super) fn new(
        table: &Table,
        priority: u16,
        cookie: u64,
        matches: MatchBuilder,
        does: Does,
    ) -> Result<Self, UndeclaredFlow> {
        let matches =
            matches.build().map_err(|source| UndeclaredFlow::Match { table: table.name, source })?;
        if let Some(field) = matches.ids().find(|field| !table.matches.contains(field)) {
            let field = field.name().unwrap_or("an unknown field");
            return Err(UndeclaredFlow::Field { table: table.name, field });
        }
        if let Some(to) = does.goes_to.filter(|to| !table.goes_to.contains(&to.0)) {
            return Err(UndeclaredFlow::GoTo { table: table.name, to });
        }
        let key = FlowKey { table_id: table.id, priority, matches };
        Ok(Self { key, cookie: Cookie(cookie), instructions: does.into_instructions() })
    }
}

/// What a flow entry does.
#[derive(Default)]
pub(super) struct Does {
    meter: Option<MeterId>,
    actions: Vec<Action>,
    /// Bits, and which of them are written.
    metadata: Option<(u64, u64)>,
    goes_to: Option<TableId>,
}

impl Does {
    /// Carries these actions out.
    pub(super) fn apply(actions: impl IntoIterator<Item = Action>) -> Self {
        Self { actions: actions.into_iter().collect(), ..Self::default() }
    }

    /// Goes on to this table.
    pub(super) fn goto(table: &Table) -> Self {
        Self::default().then_goto(table)
    }

    /// Notes the network, and whether the packet came from another host.
    pub(super) fn metadata(self, metadata: u64) -> Self {
        Self { metadata: Some((metadata, super::ALL_METADATA)), ..self }
    }

    /// Notes one thing more, beside the network.
    pub(super) fn note(self, bit: u64) -> Self {
        Self { metadata: Some((bit, bit)), ..self }
    }

    /// Drops what is over the rate of the meter, before all else.
    pub(super) fn metered(self, meter: MeterId) -> Self {
        Self { meter: Some(meter), ..self }
    }

    pub(super) fn then_goto(self, table: &Table) -> Self {
        Self { goes_to: Some(table.id), ..self }
    }

    /// In the order in which a datapath carries them out, which is the one in which Open vSwitch reports them.
    fn into_instructions(self) -> Vec<Instruction> {
        let meter = self.meter.map(Instruction::Meter);
        let apply = (!self.actions.is_empty()).then(|| Instruction::apply(self.actions));
        let metadata = self.metadata.map(|(bits, mask)| Instruction::write_metadata(bits, mask));
        let goto = self.goes_to.map(Instruction::goto_table);
        meter.into_iter().chain(apply).chain(metadata).chain(goto).collect()
    }
}
