use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value as Json};

use super::{
    AtomicType, BaseType, ColumnSchema, Constraint, DatabaseSchema, Part, RefKind, SchemaError, TableSchema,
    Type,
};

/// The members of one part. Those that we do not know are of a newer server, and left alone.
struct Members<'a> {
    part: Part,
    members: &'a Map<String, Json>,
}

impl<'a> Members<'a> {
    fn of(part: Part, json: &'a Json) -> Result<Self, SchemaError> {
        match json.as_object() {
            Some(members) => Ok(Self { part, members }),
            None => Err(SchemaError::NotAnObject(part)),
        }
    }

    /// A member that need not be there, read by `read`.
    fn optional<T>(
        &self,
        member: &'static str,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, SchemaError> {
        let Some(json) = self.members.get(member) else { return Ok(None) };
        let mismatch = || SchemaError::Mismatch { part: self.part.clone(), member };
        read(json).map(Some).ok_or_else(mismatch)
    }

    fn required<T>(
        &self,
        member: &'static str,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<T, SchemaError> {
        let missing = || SchemaError::Missing { part: self.part.clone(), member };
        self.optional(member, read)?.ok_or_else(missing)
    }
}

impl FromStr for DatabaseSchema {
    type Err = SchemaError;

    /// Reads the text of an `.ovsschema` file, or of the answer to `get_schema`.
    fn from_str(text: &str) -> Result<Self, SchemaError> {
        let json = serde_json::from_str(text).map_err(|error| SchemaError::Json(error.to_string()))?;
        Self::from_json(&json)
    }
}

impl DatabaseSchema {
    /// Reads a `<database-schema>`.
    pub fn from_json(json: &Json) -> Result<Self, SchemaError> {
        let members = Members::of(Part::Database, json)?;
        let name = members.required("name", identifier)?;
        let version = members.optional("version", Json::as_str)?;
        if let Some(version) = version.filter(|version| !is_version(version)) {
            return Err(SchemaError::Version(version.to_owned()));
        }
        let mut tables = BTreeMap::new();
        for (name, table) in members.required("tables", Json::as_object)? {
            check_name(name)?;
            tables.insert(name.clone(), TableSchema::from_json(name, table)?);
        }
        let mut schema = Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            checksum: members.optional("cksum", Json::as_str)?.map(str::to_owned),
            tables,
        };
        // Older than the difference: all rows stay.
        if schema.tables.values().all(|table| !table.is_root) {
            schema.tables.values_mut().for_each(|table| table.is_root = true);
        }
        schema.check_references()?;
        Ok(schema)
    }

    /// Each referred table is there; and since a row that is referred to from outside the root set has to be on
    /// disk, so are strong references to it.
    fn check_references(&mut self) -> Result<(), SchemaError> {
        let roots: BTreeMap<String, bool> =
            self.tables.iter().map(|(name, table)| (name.clone(), table.is_root)).collect();
        for (name, column) in self.tables.values_mut().flat_map(|table| &mut table.columns) {
            let sides =
                [("key", Some(&column.column_type.key)), ("value", column.column_type.value.as_ref())];
            for (side, base) in sides {
                let Some((table, kind)) = base.and_then(BaseType::reference) else { continue };
                match roots.get(table) {
                    Some(false) if kind == RefKind::Strong => column.ephemeral = false,
                    Some(_) => {}
                    None => {
                        let (column, table) = (name.clone(), table.to_owned());
                        return Err(SchemaError::UnknownTable { column, side, table });
                    }
                }
            }
        }
        Ok(())
    }
}

impl TableSchema {
    /// Reads the `<table-schema>` of the table called `name`.
    pub fn from_json(name: &str, json: &Json) -> Result<Self, SchemaError> {
        let part = Part::Table(name.to_owned());
        let members = Members::of(part.clone(), json)?;
        let columns_json = members.required("columns", Json::as_object)?;
        let max_rows = match members.optional("maxRows", Json::as_i64)? {
            None => None,
            Some(rows) => match u64::try_from(rows) {
                Ok(rows) if rows > 0 => Some(rows),
                _ => return Err(SchemaError::MaxRows(part)),
            },
        };
        if columns_json.is_empty() {
            return Err(SchemaError::NoColumns(part));
        }
        let mut columns = BTreeMap::new();
        for (name, column) in columns_json {
            check_name(name)?;
            columns.insert(name.clone(), ColumnSchema::from_json(name, column)?);
        }
        let indexes = members.optional("indexes", Json::as_array)?.into_iter().flatten();
        let indexes = indexes.map(|json| index(&part, json, &columns)).collect::<Result<_, _>>()?;
        Ok(Self {
            mutable: members.optional("mutable", Json::as_bool)?.unwrap_or(true),
            max_rows,
            is_root: members.optional("isRoot", Json::as_bool)?.unwrap_or(false),
            indexes,
            columns,
        })
    }
}

fn index(
    part: &Part,
    json: &Json,
    columns: &BTreeMap<String, ColumnSchema>,
) -> Result<Vec<String>, SchemaError> {
    let malformed = || SchemaError::Index(part.clone());
    let mut index = Vec::new();
    for name in json.as_array().ok_or_else(malformed)? {
        let name = name.as_str().ok_or_else(malformed)?;
        let column = columns.get(name).ok_or_else(malformed)?;
        if column.ephemeral {
            return Err(SchemaError::EphemeralIndex { column: name.to_owned() });
        }
        if index.iter().any(|other| other == name) {
            return Err(malformed());
        }
        index.push(name.to_owned());
    }
    if index.is_empty() {
        return Err(SchemaError::EmptyIndex(part.clone()));
    }
    Ok(index)
}

impl ColumnSchema {
    /// Reads the `<column-schema>` of the column called `name`.
    pub fn from_json(name: &str, json: &Json) -> Result<Self, SchemaError> {
        let members = Members::of(Part::Column(name.to_owned()), json)?;
        let column_type = Type::from_json(members.required("type", Some)?)?;
        let bases = [Some(&column_type.key), column_type.value.as_ref()];
        // A weak reference changes when its row goes.
        let weak =
            bases.into_iter().flatten().any(|base| matches!(base.reference(), Some((_, RefKind::Weak))));
        Ok(Self {
            ephemeral: members.optional("ephemeral", Json::as_bool)?.unwrap_or(false),
            mutable: weak || members.optional("mutable", Json::as_bool)?.unwrap_or(true),
            column_type,
        })
    }
}

impl Type {
    /// Reads a `<type>`.
    pub fn from_json(json: &Json) -> Result<Self, SchemaError> {
        if json.is_string() {
            return BaseType::from_json(json).map(Self::one);
        }
        let members = Members::of(Part::Type, json)?;
        let base = |json: &'_ Json| (json.is_string() || json.is_object()).then(|| json.clone());
        let key = BaseType::from_json(&members.required("key", base)?)?;
        let value = members.optional("value", base)?;
        let value = value.map(|value| BaseType::from_json(&value)).transpose()?;
        let min = match members.optional("min", Json::as_i64)? {
            None => 1,
            Some(min) => u32::try_from(min).map_err(|_| SchemaError::Count)?,
        };
        let max = match members.optional("max", Some)? {
            None => Some(1),
            Some(Json::String(unlimited)) if unlimited == "unlimited" => None,
            Some(max) => {
                let mismatch = || SchemaError::Mismatch { part: Part::Type, member: "max" };
                let max = max.as_i64().ok_or_else(mismatch)?;
                Some(u32::try_from(max).map_err(|_| SchemaError::Count)?)
            }
        };
        if min > 1 || max.is_some_and(|max| max < min.max(1)) {
            return Err(SchemaError::Cardinality);
        }
        Ok(Self { key, value, min, max })
    }
}

impl BaseType {
    /// Reads a `<base-type>`, or an `<atomic-type>`, which is one too.
    pub fn from_json(json: &Json) -> Result<Self, SchemaError> {
        if let Some(name) = json.as_str() {
            return name.parse().map(Self::new);
        }
        let members = Members::of(Part::Type, json)?;
        let atomic: AtomicType = members.required("type", Json::as_str)?.parse()?;
        let constraint = match members.optional("enum", Some)? {
            Some(values) => {
                let values_type = Type { min: 1, ..Type::set(Self::new(atomic)) };
                Constraint::Enumeration(
                    values_type.value_from_json(values).map_err(SchemaError::Enumeration)?,
                )
            }
            None => constraint(atomic, &members)?,
        };
        Ok(Self { atomic, constraint })
    }
}

impl FromStr for AtomicType {
    type Err = SchemaError;

    fn from_str(name: &str) -> Result<Self, SchemaError> {
        let found = Self::ALL.into_iter().find(|atomic| atomic.name() == name);
        found.ok_or_else(|| SchemaError::AtomicType(name.to_owned()))
    }
}

/// The constraint that is not an enumeration. Members of other atomic types are left alone.
fn constraint(atomic: AtomicType, members: &Members<'_>) -> Result<Constraint, SchemaError> {
    match atomic {
        AtomicType::Integer => {
            let (min, max) = (
                members.optional("minInteger", Json::as_i64)?,
                members.optional("maxInteger", Json::as_i64)?,
            );
            match min.zip(max) {
                Some((min, max)) if min > max => {
                    Err(SchemaError::EmptyRange { min: "minInteger", max: "maxInteger" })
                }
                _ if min.is_none() && max.is_none() => Ok(Constraint::None),
                _ => Ok(Constraint::Integer { min, max }),
            }
        }
        AtomicType::Real => {
            let (min, max) =
                (members.optional("minReal", Json::as_f64)?, members.optional("maxReal", Json::as_f64)?);
            match min.zip(max) {
                Some((min, max)) if min > max => {
                    Err(SchemaError::EmptyRange { min: "minReal", max: "maxReal" })
                }
                _ if min.is_none() && max.is_none() => Ok(Constraint::None),
                _ => Ok(Constraint::Real { min, max }),
            }
        }
        AtomicType::String => {
            let min = length(members, "minLength")?.unwrap_or(0);
            let max = length(members, "maxLength")?;
            match max {
                Some(max) if min > max => Err(SchemaError::EmptyRange { min: "minLength", max: "maxLength" }),
                None if min == 0 => Ok(Constraint::None),
                _ => Ok(Constraint::Length { min, max }),
            }
        }
        AtomicType::Uuid => {
            let Some(table) = members.optional("refTable", identifier)? else { return Ok(Constraint::None) };
            let kind = |json: &Json| match json.as_str() {
                Some("strong") => Some(RefKind::Strong),
                Some("weak") => Some(RefKind::Weak),
                _ => None,
            };
            let kind = members.optional("refType", kind)?.unwrap_or(RefKind::Strong);
            Ok(Constraint::Reference { table: table.to_owned(), kind })
        }
        AtomicType::Boolean => Ok(Constraint::None),
    }
}

fn length(members: &Members<'_>, member: &'static str) -> Result<Option<u32>, SchemaError> {
    let length = members.optional(member, Json::as_i64)?;
    length.map(|length| u32::try_from(length).map_err(|_| SchemaError::Length { member })).transpose()
}

/// A JSON string that is an `<id>`.
fn identifier(json: &Json) -> Option<&str> {
    json.as_str().filter(|name| is_identifier(name))
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

fn check_name(name: &str) -> Result<(), SchemaError> {
    match name {
        name if name.starts_with('_') => Err(SchemaError::ReservedName(name.to_owned())),
        name if !is_identifier(name) => Err(SchemaError::Name(name.to_owned())),
        _ => Ok(()),
    }
}

fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(number)
}
