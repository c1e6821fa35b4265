use super::{Committed, Mutation, Mutator, Operation, Reply, Transaction, Value};

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
        let mut group = Self::default();
        for transaction in transactions {
            let places = transaction.operations().iter().map(|operation| group.place(operation)).collect();
            group.members.push(places);
        }
        group
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

    fn place(&mut self, operation: &Operation) -> usize {
        if let Some(place) = self.merge(operation) {
            return place;
        }
        self.merged.push(operation.clone())
    }

    fn merge(&mut self, operation: &Operation) -> Option<usize> {
        let (table, insertion) = set_insertion(operation)?;
        let Operation::Mutate { conditions: wanted, .. } = operation else { return None };
        for (place, earlier) in self.merged.operations_mut().iter_mut().enumerate().rev() {
            match earlier {
                Operation::Mutate { table: other, conditions, mutations }
                    if other == table && conditions == wanted =>
                {
                    if let [mutation] = &mut mutations[..] {
                        if mutation.mutator == Mutator::Insert && mutation.column == insertion.column {
                            let atoms = mutation.value.atoms().iter().chain(insertion.value.atoms());
                            mutation.value = Value::set(atoms.cloned());
                            return Some(place);
                        }
                    }
                    return None;
                }
                earlier if !commutes(earlier, table, &insertion.column) => return None,
                _ => {}
            }
        }
        None
    }
}

/// The table and the mutation, where all that the operation does is to put elements into a set.
fn set_insertion(operation: &Operation) -> Option<(&str, &Mutation)> {
    match operation {
        Operation::Mutate { table, mutations, .. } => match &mutations[..] {
            [mutation] if mutation.mutator == Mutator::Insert && mutation.value.pairs().is_empty() => {
                Some((table, mutation))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether it makes no difference if elements are put into this column before or after the operation.
fn commutes(operation: &Operation, table: &str, column: &str) -> bool {
    match operation {
        Operation::Insert { .. }
        | Operation::Comment(_)
        | Operation::Assert { .. }
        | Operation::Commit { .. } => true,
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
    fn never_past_what_it_would_change() {
        let first = transaction(&[add("a", 1), delete("a")]);
        let second = transaction(&[add("a", 2)]);
        assert_eq!(Group::of([&first, &second]).members, [vec![0, 1], vec![2]]);
    }
}
