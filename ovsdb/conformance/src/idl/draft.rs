//! One transaction out of words as `verify 0 b, set 0 b 1`.

use std::collections::{BTreeMap, BTreeSet};

use flowport_ovsdb::{Committed, Operation, Ref, Replica, Table, Transaction, Uuid, Where};

use super::tables::{Link1, Simple, Simple2, Simple3, Simple4, Simple5};

/// What the words ask for.
#[derive(Default)]
pub(crate) struct Draft {
    /// Table `simple` as it will be, for words about rows that words before have made.
    rows: BTreeMap<Uuid, Simple>,
    inserted: BTreeSet<Uuid>,
    /// First of all: the values that were read are still there.
    verified: Vec<Operation>,
    changes: Vec<Operation>,
    /// The rows of which a column that is not copied is read.
    fetched: Vec<(Uuid, String)>,
    /// The row whose number is counted up, and read then.
    incremented: Option<Uuid>,
    notified: bool,
}

/// What becomes of a draft.
pub(crate) enum Drafted {
    /// It is to be sent.
    Ready(Draft),
    /// It is not, and the program says so.
    Aborted,
    /// Nor does it say more.
    Destroyed,
}

impl Draft {
    /// Reads the words, about the rows in `replica`.
    pub(crate) fn read(text: &str, replica: &Replica) -> Result<Drafted, String> {
        let rows = replica.rows::<Simple>().map(|(uuid, row)| (uuid, row.clone())).collect();
        let mut draft = Self { rows, ..Self::default() };
        for command in text.split(',') {
            let mut words: Vec<&str> = command.split_whitespace().collect();
            if words.first() == Some(&"notifytest") {
                words.remove(0);
                draft.notified = true;
            }
            match words[..] {
                ["abort"] => return Ok(Drafted::Aborted),
                ["destroy"] => return Ok(Drafted::Destroyed),
                ["set", row, column, value] => draft.set(row, column, value)?,
                ["insert", number] => draft.insert(Uuid::new_v4(), number)?,
                ["insert_uuid", uuid, number] => draft.insert(parsed(uuid)?, number)?,
                ["delete", row] => draft.delete(row)?,
                ["verify", row, column] => draft.verify(row, column, replica)?,
                ["fetch", row, column] => draft.fetched.push((draft.find(row)?, column.to_owned())),
                ["increment", row] => {
                    let row = draft.find(row)?;
                    draft.changes.push(Operation::mutate(row, [Simple::I.increment(1)]));
                    draft.incremented = Some(row);
                }
                [name] => draft.scripted(name, replica)?,
                _ => return Err(format!("unknown command {command}")),
            }
        }
        Ok(Drafted::Ready(draft))
    }

    /// Whether events are to be told.
    pub(crate) fn is_notified(&self) -> bool {
        self.notified
    }

    /// The operations: what is verified, what is changed and inserted, what is read.
    pub(crate) fn transaction(&self) -> Transaction {
        let mut transaction = Transaction::new();
        let inserted = self.inserted.iter().filter_map(|uuid| Some(self.rows.get(uuid)?.to_insert(*uuid)));
        let read = self.fetched.iter().map(|(row, _)| *row).chain(self.incremented);
        let read = read.map(Operation::select::<Simple>);
        let all =
            self.verified.iter().cloned().chain(self.changes.iter().cloned()).chain(inserted).chain(read);
        for operation in all {
            transaction.push(operation);
        }
        transaction
    }

    /// The rows that were read, with the names of the columns for which they were.
    pub(crate) fn fetched(&self, committed: &Committed) -> Vec<(Uuid, String, Simple)> {
        let selects = self.fetched.len() + usize::from(self.incremented.is_some());
        let first = committed.replies().len() - selects;
        let read = self.fetched.iter().enumerate();
        read.filter_map(|(index, (uuid, column))| {
            let (_, row) = committed.rows::<Simple>(first + index).into_iter().next()?;
            Some((*uuid, column.clone(), row))
        })
        .collect()
    }

    /// The number that was counted up.
    pub(crate) fn incremented(&self, committed: &Committed) -> Option<i64> {
        self.incremented?;
        let last = committed.replies().len().checked_sub(1)?;
        committed.rows::<Simple>(last).into_iter().next().map(|(_, row)| row.i)
    }

    fn set(&mut self, number: &str, column: &str, value: &str) -> Result<(), String> {
        let uuid = self.find(number)?;
        let Some(row) = self.rows.get_mut(&uuid) else { return Ok(()) };
        let assignment = match column {
            "b" => {
                row.b = value == "1";
                Simple::B.set(row.b)
            }
            "s" => {
                row.s = value.to_owned();
                Simple::S.set(value)
            }
            "u" => {
                row.u = parsed(value)?;
                Simple::U.set(row.u)
            }
            "r" => {
                row.r = parsed(value)?;
                Simple::R.set(row.r)
            }
            _ => return Err(format!("\"set\" of unknown column {column}")),
        };
        if !self.inserted.contains(&uuid) {
            self.changes.push(Operation::update(uuid, [assignment]));
        }
        Ok(())
    }

    fn insert(&mut self, uuid: Uuid, number: &str) -> Result<(), String> {
        self.rows.insert(uuid, Simple { i: parsed(number)?, ..Simple::default() });
        self.inserted.insert(uuid);
        Ok(())
    }

    fn delete(&mut self, number: &str) -> Result<(), String> {
        let uuid = self.find(number)?;
        self.rows.remove(&uuid);
        if !self.inserted.remove(&uuid) {
            self.changes.push(Operation::delete::<Simple>(uuid));
        }
        Ok(())
    }

    fn verify(&mut self, number: &str, column: &str, replica: &Replica) -> Result<(), String> {
        let uuid = self.find(number)?;
        let Some(row) = replica.row::<Simple>(uuid) else { return Ok(()) };
        let expected = match column {
            "i" => Simple::I.set(row.i),
            "b" => Simple::B.set(row.b),
            "s" => Simple::S.set(row.s.clone()),
            "u" => Simple::U.set(row.u),
            "r" => Simple::R.set(row.r),
            _ => return Err(format!("\"verify\" of unknown column {column}")),
        };
        self.verified.push(Operation::verify(uuid, [expected]));
        Ok(())
    }

    fn find(&self, number: &str) -> Result<Uuid, String> {
        let number: i64 = parsed(number)?;
        let found = self.rows.iter().find(|(_, row)| row.i == number);
        found.map(|(uuid, _)| *uuid).ok_or_else(|| format!("there is no row i={number}"))
    }

    /// The words that stand for a whole transaction.
    fn scripted(&mut self, name: &str, replica: &Replica) -> Result<(), String> {
        let simple2 = |name: &str| named(replica, name, |row: &Simple2| &row.name);
        let simple3 = |name: &str| named(replica, name, |row: &Simple3| &row.name);
        let changes = match name {
            "linktest" => {
                let (first, second) = (Ref::from(Uuid::new_v4()), Ref::from(Uuid::new_v4()));
                let one = Link1 { i: 1, k: first, ka: [first].into(), l2: None };
                let two = Link1 { i: 2, k: first, ka: [first, second].into(), l2: None };
                vec![one.to_insert(first), two.to_insert(second)]
            }
            "getattrtest" => {
                let itself = Ref::from(Uuid::new_v4());
                vec![Link1 { i: 2, k: itself, ..Link1::default() }.to_insert(itself)]
            }
            "partialmapinsertelement" => {
                let row = simple2("myString1")?;
                let (smap, imap) =
                    (Simple2::SMAP.put([("key1", "myList1")]), Simple2::IMAP.put([(3, "myids2")]));
                let rename = Operation::update(row.clone(), [Simple2::NAME.set("String2")]);
                vec![Operation::mutate(row, [smap, imap]), rename]
            }
            "partialmapinsertmultipleelements" => {
                let pairs = [("key2", "myList2"), ("key3", "myList3"), ("key4", "myList4")];
                vec![Operation::mutate(simple2("String2")?, [Simple2::SMAP.put(pairs)])]
            }
            "partialmapdelelements" => {
                let pairs = Simple2::SMAP.remove_pairs([("key1", "myList1"), ("key2", "wrongvalue")]);
                let keys = Simple2::SMAP.remove(["key3", "key4"]);
                vec![Operation::mutate(simple2("String2")?, [pairs, keys])]
            }
            "partialmapmutatenew" => {
                let uuid = Uuid::new_v4();
                let smap = [("key1".to_owned(), "newList1".to_owned())].into();
                let new = Simple2 { name: "String2New".to_owned(), smap, ..Simple2::default() };
                let more = Simple2::SMAP.put([("key2", "newList2")]);
                vec![new.to_insert(uuid), Operation::mutate(uuid, [more])]
            }
            "partialrenamesetadd" => {
                let row = simple3("mySet1")?;
                let add = Simple3::USET.insert([uuid("001e43d2-dd3f-4616-ab6a-83a490bb0991")?]);
                let rename = Operation::update(row.clone(), [Simple3::NAME.set("String2")]);
                vec![Operation::mutate(row, [add]), rename]
            }
            "partialduplicateadd" => {
                let element = uuid("0026b3ba-571b-4729-8227-d860a5210ab8")?;
                let twice = [Simple3::USET.insert([element]), Simple3::USET.insert([element])];
                vec![Operation::mutate(simple3("String2")?, twice)]
            }
            "partialsetdel" => {
                let remove = Simple3::USET.remove([uuid("001e43d2-dd3f-4616-ab6a-83a490bb0991")?]);
                vec![Operation::mutate(simple3("String2")?, [remove])]
            }
            "partialsetref" => {
                let new = Ref::from(Uuid::new_v4());
                let row = Simple4 { name: "test".to_owned() };
                let refer = Operation::mutate(simple3("String2")?, [Simple3::UREF.insert([new])]);
                vec![row.to_insert(new), refer]
            }
            "partialsetoverrideops" => {
                let row = simple3("String2")?;
                let kept = uuid("0026b3ba-571b-4729-8227-d860a5210ab8")?;
                let add = Simple3::USET.insert([uuid("579e978d-776c-4f19-a225-268e5890e670")?]);
                let partial = Operation::mutate(row.clone(), [add, Simple3::USET.remove([kept])]);
                vec![partial, Operation::update(row, [Simple3::USET.set([kept])])]
            }
            "partialsetadddelete" => {
                let first = uuid("b6272353-af9c-40b7-90fe-32a43e6518a1")?;
                let second = uuid("1d6a71a2-dffb-426e-b2fa-b727091f9901")?;
                let add = Simple3::USET.insert([first, second]);
                let remove = Simple3::USET.remove([uuid("0026b3ba-571b-4729-8227-d860a5210ab8")?]);
                vec![Operation::mutate(simple3("String2")?, [add, remove])]
            }
            "partialsetmutatenew" => {
                let (fourth, third) = (Uuid::new_v4(), Uuid::new_v4());
                let new4 = Simple4 { name: "new_row41".to_owned() };
                let new3 = Simple3 { name: "String3".to_owned(), ..Simple3::default() };
                let add = Operation::mutate(third, [Simple3::USET.insert([fourth])]);
                vec![new4.to_insert(fourth), new3.to_insert(third), add]
            }
            "partialmapmutateirefmap" => {
                let (target, _) =
                    replica.find(|row: &Simple3| row.name == "myString1").ok_or("no such row")?;
                let row = named(replica, "myString2", |row: &Simple5| &row.name)?;
                vec![Operation::mutate(row, [Simple5::IREFMAP.put([(1, target)])])]
            }
            _ => return Err(format!("unknown command {name}")),
        };
        self.changes.extend(changes);
        Ok(())
    }
}

fn named<T: Table>(
    replica: &Replica,
    name: &str,
    name_of: impl Fn(&T) -> &String,
) -> Result<Where<T>, String> {
    let found = replica.find(|row: &T| name_of(row) == name);
    found.map(|(uuid, _)| Where::row(uuid)).ok_or_else(|| format!("there is no row {name} in {}", T::NAME))
}

fn uuid(text: &str) -> Result<Uuid, String> {
    parsed(text)
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not what it should be"))
}
