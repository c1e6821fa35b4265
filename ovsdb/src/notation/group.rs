use std::collections::HashMap;

use super::{Atom, Committed, Mutation, Mutator, Operation, Reply, Transaction, Value};

/// Several transactions to be sent as one, and how its results are theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    merged: Transaction,
    /// For each member, where in `merged` each of its operations is.
    members: Vec<Vec<usize>>,
}

impl Group {
    /// One after the other; but what is put into the same set of the same rows is put there by one operation,
    /// because the server's work for it grows with the size of the set.
    pub(crate) fn of<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Self {
        let mut merging = Merging::default();
        let mut members = Vec::new();
        for transaction in transactions {
            let places = transaction.operations().iter().map(|operation| merging.place(operation)).collect();
            members.push(places);
        }
        Self { merged: merging.finish(), members }
    }

    /// Whether a transaction may share its fate: it neither waits nor undoes.
    pub(crate) fn admits(transaction: &Transaction) -> bool {
        transaction.operations().iter().all(|operation| match operation {
            Operation::Wait { timeout, .. } => *timeout == Some(0),
            operation => *operation != Operation::Abort,
        })
    }

    pub(crate) fn merged(&self) -> &Transaction {
        &self.merged
    }

    /// The results of the member at this index out of those of all.
    pub(crate) fn split(&self, committed: &Committed, member: usize) -> Committed {
        let places = self.members.get(member).map_or(&[][..], Vec::as_slice);
        let reply = |place: &usize| committed.replies().get(*place).cloned().unwrap_or(Reply::Done);
        Committed::from_replies(places.iter().map(reply).collect())
    }
}

/// A transaction in the making.
#[derive(Debug, Default)]
struct Merging<'a> {
    merged: Transaction,
    /// Operations that put elements into a set and that more may be added to, by table, column and rows: nothing
    /// that was placed after them minds.
    open: HashMap<String, Open<'a>>,
    /// Elements to be put there too.
    added: HashMap<usize, Vec<Atom>>,
}

#[derive(Debug)]
struct Open<'a> {
    place: usize,
    table: &'a str,
    column: &'a str,
}

impl<'a> Merging<'a> {
    fn place(&mut self, operation: &'a Operation) -> usize {
        let Some(Insertion { table, mutation, target }) = set_insertion(operation) else {
            self.close(operation);
            return self.merged.push(operation.clone());
        };
        if let Some(open) = self.open.get(&target) {
            self.added.entry(open.place).or_default().extend_from_slice(mutation.value.atoms());
            return open.place;
        }
        self.close(operation);
        let place = self.merged.push(operation.clone());
        self.open.insert(target, Open { place, table, column: &mutation.column });
        place
    }

    /// What the operation minds is not added to any more.
    fn close(&mut self, operation: &Operation) {
        if !always_commutes(operation) {
            self.open.retain(|_, open| commutes(operation, open.table, open.column));
        }
    }

    /// Each set is made once, however many add to it.
    fn finish(mut self) -> Transaction {
        let operations = self.merged.operations_mut();
        for (place, added) in self.added {
            if let Some(Operation::Mutate { mutations, .. }) = operations.get_mut(place) {
                for mutation in mutations {
                    mutation.value = Value::set(mutation.value.atoms().iter().chain(&added).cloned());
                }
            }
        }
        self.merged
    }
}

/// What an operation does that puts elements into a set and does nothing else.
#[derive(Debug)]
struct Insertion<'a> {
    table: &'a str,
    mutation: &'a Mutation,
    /// Names table, column and rows.
    target: String,
}

/// `None` for another operation, and where the set decides on which rows it acts.
fn set_insertion(operation: &Operation) -> Option<Insertion<'_>> {
    let Operation::Mutate { table, mutations, conditions } = operation else { return None };
    let [mutation] = &mutations[..] else { return None };
    let is_insertion = mutation.mutator == Mutator::Insert && mutation.value.pairs().is_empty();
    if !is_insertion || conditions.iter().any(|condition| condition.column == mutation.column) {
        return None;
    }
    let target = serde_json::to_string(&(table, &mutation.column, conditions)).ok()?;
    Some(Insertion { table, mutation, target })
}

/// Whether elements may be put into any column before or after the operation.
fn always_commutes(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Insert { .. }
            | Operation::Comment(_)
            | Operation::Assert { .. }
            | Operation::Commit { .. }
    )
}

/// Whether it makes no difference if elements are put into this column before or after the operation.
fn commutes(operation: &Operation, table: &str, column: &str) -> bool {
    match operation {
        Operation::Abort => false,
        Operation::Wait { table: other, conditions, columns, timeout: Some(0), .. } => {
            other != table
                || (columns.iter().all(|name| name != column)
                    && conditions.iter().all(|condition| condition.column != column))
        }
        Operation::Mutate { table: other, conditions, mutations } => {
            other != table
                || (mutations.iter().all(|other| other.column != column || other.mutator == Mutator::Insert)
                    && conditions.iter().all(|condition| condition.column != column))
        }
        Operation::Wait { table: other, .. }
        | Operation::Select { table: other, .. }
        | Operation::Update { table: other, .. }
        | Operation::Delete { table: other, .. } => other != table,
        Operation::Insert { .. }
        | Operation::Comment(_)
        | Operation::Assert { .. }
        | Operation::Commit { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::{Atom, Condition, Function};

    fn at(name: &str) -> Vec<Condition> {
        vec![Condition { column: "name".into(), function: Function::Eq, value: name.into() }]
    }

    fn add(bridge: &str, port: i64) -> Operation {
        let value = Value::set([Atom::from(port)]);
        let mutation = Mutation { column: "ports".into(), mutator: Mutator::Insert, value };
        Operation::Mutate { table: "Bridge".into(), conditions: at(bridge), mutations: vec![mutation] }
    }

    fn insert() -> Operation {
        Operation::Insert { table: "Port".into(), uuid: None, uuid_name: None, row: Default::default() }
    }

    fn delete(bridge: &str) -> Operation {
        Operation::Delete { table: "Bridge".into(), conditions: at(bridge) }
    }

    fn transaction(operations: &[Operation]) -> Transaction {
        operations.iter().cloned().fold(Transaction::new(), Transaction::with)
    }

    #[test]
    fn one_mutation_a_set() {
        let first = transaction(&[insert(), add("a", 1)]);
        let second = transaction(&[insert(), add("b", 2), add("a", 3)]);
        let group = Group::of([&first, &second]);
        assert_eq!(group.members, [vec![0, 1], vec![2, 3, 1]]);
        let both = Value::set([Atom::from(1), Atom::from(3)]);
        assert!(matches!(&group.merged().operations()[1],
            Operation::Mutate { mutations, .. } if mutations[0].value == both));

        let replies = (0..4).map(Reply::Count).collect();
        let committed = Committed::from_replies(replies);
        let second = group.split(&committed, 1);
        assert_eq!(second.replies(), [Reply::Count(2), Reply::Count(3), Reply::Count(1)]);
    }

    #[test]
    fn not_where_the_set_decides_on_its_rows() {
        let mut only_empty = add("a", 1);
        if let Operation::Mutate { conditions, .. } = &mut only_empty {
            let value = Value::Set(Box::default());
            *conditions = vec![Condition { column: "ports".into(), function: Function::Eq, value }];
        }
        let group = Group::of([&transaction(&[only_empty.clone()]), &transaction(&[only_empty])]);
        assert_eq!(group.members, [vec![0], vec![1]]);
    }

    #[test]
    fn never_past_what_it_would_change() {
        let first = transaction(&[add("a", 1), delete("a")]);
        let second = transaction(&[add("a", 2), add("a", 3)]);
        assert_eq!(Group::of([&first, &second]).members, [vec![0, 1], vec![2, 2]]);
    }
}
