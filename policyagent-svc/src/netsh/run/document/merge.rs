//! Bringing one document into another.
use toml_edit::{ArrayOfTables, Item, Table};

use super::values::{set, text_of};
use super::{Kind, PolicyDocument, RunError, name_of};

/// The key of what Mode Config gives addresses of; pools have no GUIDs.
const POOL: &str = "pool";

impl PolicyDocument {
    /// Takes in the objects of another document. One whose GUID is here already takes the place of that object; one whose
    /// name is another's here is refused.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), RunError> {
        for kind in Kind::ALL {
            for table in other.tables(kind) {
                self.take_in(kind, table)?;
            }
        }
        self.merge_pools(other)
    }

    fn take_in(&mut self, kind: Kind, table: &Table) -> Result<(), RunError> {
        let name = name_of(table).unwrap_or_default().to_owned();
        let guid = text_of(table, "guid");
        let is_same = |own: &Table| {
            let own = text_of(own, "guid");
            own.zip(guid).is_some_and(|(own, guid)| own.eq_ignore_ascii_case(guid))
        };
        let place = self.tables(kind).position(is_same);
        let holder = self.tables(kind).position(|own| name_of(own) == Some(&name));
        if holder.is_some_and(|holder| Some(holder) != place) {
            return Err(RunError::Clash { kind, name });
        }
        let mut table = detached(table);
        if kind == Kind::Policy {
            // Which policy is assigned is the store's to say, not the file's.
            table.remove("assigned");
        }
        let Some(place) = place else {
            table.decor_mut().set_prefix(if self.document.is_empty() { "" } else { "\n" });
            if let Some(list) = self.list_mut(kind) {
                list.push(table);
            }
            return Ok(());
        };
        let own = self.table_mut(kind, place)?;
        let old = name_of(own).unwrap_or_default().to_owned();
        let assigned = own.get("assigned").and_then(Item::as_bool);
        if let Some(assigned) = assigned.filter(|_| kind == Kind::Policy) {
            set(&mut table, "assigned", assigned.into());
        }
        *table.decor_mut() = own.decor().clone();
        table.set_position(own.position());
        *own = table;
        if old != name {
            self.follow(kind, &old, &name);
        }
        Ok(())
    }

    fn merge_pools(&mut self, other: &Self) -> Result<(), RunError> {
        for table in other.list(POOL) {
            let name = name_of(table).unwrap_or_default();
            let own = self.list(POOL).find(|own| name_of(own) == Some(name)).map(plain);
            match own {
                Some(own) if own == plain(table) => {}
                Some(_) => {
                    return Err(RunError::Document(format!(
                        "the pool {name:?} of the file differs from the pool of this name in the store; allowed: rename one \
                         of them"
                    )));
                }
                None => {
                    let mut table = detached(table);
                    table.decor_mut().set_prefix("\n");
                    let list = self.document.entry(POOL).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
                    if let Some(list) = list.as_array_of_tables_mut() {
                        list.push(table);
                    }
                }
            }
        }
        Ok(())
    }

    /// The objects alone, without what people wrote around them, and with no policy assigned.
    pub(crate) fn to_export(&self) -> Result<String, RunError> {
        let mut export = Self::parse(&self.path, "")?;
        export.merge(self)?;
        for place in 0..export.tables(Kind::Policy).count() {
            export.table_mut(Kind::Policy, place)?.remove("assigned");
        }
        Ok(export.text())
    }
}

/// The table without its place in the document that it is from.
fn detached(table: &Table) -> Table {
    let mut table = table.clone();
    detach(&mut table);
    table
}

fn detach(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => detach(table),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(detach),
            Item::Value(_) | Item::None => {}
        }
    }
}

/// What a table says, whatever is written around it.
fn plain(table: &Table) -> String {
    let mut table = table.clone().into_inline_table();
    table.fmt();
    table.to_string()
}
