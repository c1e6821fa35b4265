/// Declares a table: the struct, its column constants and its [`Table`](crate::Table) implementation.
/// `unique` names the columns of each index of the schema, by which [`Replica::by`](crate::Replica::by) then
/// looks rows up at once.
///
/// ```
/// use std::collections::{BTreeMap, BTreeSet};
/// use flowport_ovsdb::Ref;
///
/// flowport_ovsdb::table! {
///     /// A bridge.
///     pub struct Bridge: "Open_vSwitch", "Bridge" {
///         /// Unique among bridges.
///         name, NAME, "name": String;
///         /// OpenFlow versions.
///         protocols, PROTOCOLS, "protocols": BTreeSet<String>;
///     }
///     unique ["name"]
/// }
///
/// let filter = Bridge::NAME.eq("br0");
/// assert_eq!(filter.conditions().len(), 1);
/// ```
#[macro_export]
macro_rules! table {
    (
        $(#[$meta:meta])*
        $vis:vis struct $table:ident: $database:literal, $name:literal {
            $( $(#[$column_meta:meta])* $field:ident, $constant:ident, $column:literal: $type:ty; )*
        }
        $( unique $( [ $( $unique:literal ),+ ] ),+ )?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $table {
            $( $(#[$column_meta])* $vis $field: $type, )*
        }

        #[allow(dead_code, reason = "a column need not be named to be copied")]
        impl $table {
            $(
                #[doc = concat!("Column `", $column, "`.")]
                $vis const $constant: $crate::Column<Self, $type> = $crate::Column::new($column);
            )*
        }

        impl $crate::Table for $table {
            const DATABASE: &'static str = $database;
            const NAME: &'static str = $name;
            const COLUMNS: &'static [$crate::table::ColumnSpec] = &[
                $( $crate::table::ColumnSpec {
                    name: $column,
                    shape: <$type as $crate::table::ColumnType>::SHAPE,
                }, )*
            ];

            const INDEXES: &'static [&'static [&'static str]] = &[ $( $( &[ $( $unique ),+ ] ),+ )? ];

            fn decode_column(
                &mut self,
                name: &str,
                value: &$crate::Value,
            ) -> Result<(), $crate::table::TypeMismatch> {
                match name {
                    $( $column => self.$field = $crate::table::ColumnType::from_value(value)?, )*
                    _ => {}
                }
                Ok(())
            }

            fn encode(&self) -> impl Iterator<Item = (&'static str, $crate::Value)> {
                let mut columns = ::std::vec::Vec::new();
                $(
                    if self.$field != <$type as ::std::default::Default>::default() {
                        columns.push(($column, $crate::table::ColumnType::to_value(&self.$field)));
                    }
                )*
                columns.into_iter()
            }
        }
    };
}

/// Declares an atom type for a string column with an enumeration. A string outside of it (a newer schema)
/// is kept as `Unknown`.
#[macro_export]
macro_rules! enumeration {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $( $variant:ident = $text:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $( #[doc = concat!("`", $text, "`")] $variant, )*
            /// A string that this version does not know.
            Unknown(::std::boxed::Box<str>),
        }

        impl $name {
            /// The string in the database.
            $vis fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self::Unknown(::std::boxed::Box::default())
            }
        }

        impl ::std::convert::From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $text => Self::$variant, )*
                    _ => Self::Unknown(text.into()),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl $crate::table::AtomType for $name {
            const EXPECTED: &'static str = "a string";

            fn from_atom(atom: &$crate::Atom) -> Option<Self> {
                match atom {
                    $crate::Atom::String(text) => Some(Self::from(&**text)),
                    _ => None,
                }
            }

            fn to_atom(&self) -> $crate::Atom {
                $crate::Atom::from(self.as_str())
            }
        }
    };
}
