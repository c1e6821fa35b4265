//! How rows are written.

use std::fmt::Display;

use flowport_ovsdb::{Ref, Replica, Table, Uuid};

use super::tables::{Link1, Link2, Simple, Simple2, Simple3, Simple4, Simple5, Simple6, Singleton};

/// Columns and their values as they are written.
pub(crate) type Cells = Vec<(&'static str, String)>;

/// A table that is written.
pub(crate) trait Written: Table {
    /// All columns, in the order in which they are written. What refers to a row that is not in the replica is left out.
    fn cells(&self, replica: &Replica) -> Cells;

    /// The line of a row, but for its UUID.
    fn line(&self, replica: &Replica, hidden: &[String]) -> String {
        joined(
            self.cells(replica).into_iter().filter(|(name, _)| !hidden.iter().any(|hidden| hidden == name)),
        )
    }
}

/// What is left of the texts when there are no commas and quotes in them.
pub(crate) fn joined(cells: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
    cells.join(" ").replace(',', "")
}

fn list(elements: impl IntoIterator<Item = impl Display>) -> String {
    let elements: Vec<String> = elements.into_iter().map(|element| element.to_string()).collect();
    format!("[{}]", elements.join(" "))
}

fn pairs<K: Display, V: Display>(pairs: impl IntoIterator<Item = (K, V)>) -> String {
    list(pairs.into_iter().map(|(key, value)| format!("({key} {value})")))
}

fn resolved<'a, T: Table>(
    replica: &'a Replica,
    references: impl IntoIterator<Item = &'a Ref<T>>,
) -> Vec<Uuid> {
    replica.resolve(references).map(|(uuid, _)| uuid).collect()
}

impl Written for Simple {
    fn cells(&self, _: &Replica) -> Cells {
        vec![
            ("i", self.i.to_string()),
            ("r", self.r.to_string()),
            ("b", self.b.to_string()),
            ("s", self.s.clone()),
            ("u", self.u.to_string()),
            ("ia", list(&self.ia)),
            ("ra", list(self.ra.iter().map(|real| real.0))),
            ("ba", list(self.ba)),
            ("sa", list(&self.sa)),
            ("ua", list(&self.ua)),
        ]
    }
}

impl Written for Simple2 {
    fn cells(&self, _: &Replica) -> Cells {
        vec![("name", self.name.clone()), ("smap", pairs(&self.smap)), ("imap", pairs(&self.imap))]
    }
}

impl Written for Simple3 {
    fn cells(&self, replica: &Replica) -> Cells {
        let uref = list(resolved(replica, &self.uref));
        vec![("name", self.name.clone()), ("uset", list(&self.uset)), ("uref", uref)]
    }
}

impl Written for Simple4 {
    fn cells(&self, _: &Replica) -> Cells {
        vec![("name", self.name.clone())]
    }
}

impl Written for Simple5 {
    fn cells(&self, replica: &Replica) -> Cells {
        let irefmap = self.irefmap.iter().filter(|(_, reference)| replica.get(**reference).is_some());
        vec![("name", self.name.clone()), ("irefmap", pairs(irefmap))]
    }
}

impl Written for Simple6 {
    fn cells(&self, replica: &Replica) -> Cells {
        vec![("name", self.name.clone()), ("weak_ref", list(resolved(replica, &self.weak_ref)))]
    }
}

impl Written for Singleton {
    fn cells(&self, _: &Replica) -> Cells {
        vec![("name", self.name.clone())]
    }
}

impl Written for Link1 {
    fn cells(&self, replica: &Replica) -> Cells {
        vec![("i", self.i.to_string()), ("l2", list(resolved(replica, &self.l2)))]
    }

    /// References as the numbers of their rows.
    fn line(&self, replica: &Replica, _: &[String]) -> String {
        let number = |reference: &Ref<Self>| replica.get(*reference).map(|row| row.i.to_string());
        let k = number(&self.k).unwrap_or_default();
        let mut ka: Vec<String> = self.ka.iter().filter_map(number).collect();
        ka.sort();
        let l2 = self.l2.and_then(|l2| replica.get(l2)).map_or_else(String::new, |row| row.i.to_string());
        format!("i={} k={k} ka=[{}] l2={l2}", self.i, ka.join(" "))
    }
}

impl Written for Link2 {
    fn cells(&self, replica: &Replica) -> Cells {
        vec![("i", self.i.to_string()), ("l1", list(resolved(replica, &self.l1)))]
    }

    fn line(&self, replica: &Replica, _: &[String]) -> String {
        let l1 = self.l1.and_then(|l1| replica.get(l1)).map_or_else(String::new, |row| row.i.to_string());
        format!("i={} l1={l1}", self.i)
    }
}
