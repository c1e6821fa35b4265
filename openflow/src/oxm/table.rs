//! The table macro of the match fields.

/// Groups of rows: `class experimenter { number => Variant builder_method CONSTANT (type, exact|plain|maskable, text kind)
/// "ovs name" [class number "name"] of the form that Open vSwitch uses in sub-fields }`. A plain field is an exact one
/// whose value is a bare number.
macro_rules! oxm_fields {
    ($(#[$m:meta])* pub enum $name:ident { $($class:literal $vendor:literal {
        $($(#[$fm:meta])* $num:literal => $var:ident $method:ident $konst:ident ($t:ty, $mask:ident, $kind:ident) $ovs:literal [$sclass:literal $snum:literal $sname:literal]),* $(,)?
    })* }) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($($(#[$fm])* $var(oxm_fields!(@type $t, $mask)),)*)*
            /// An option of a Geneve tunnel (`NXM_NX_TUN_METADATA0` to `63`).
            TunMetadata(Box<TunMetadata>),
            /// A field that this crate does not know, or in a form that it cannot have: what was received.
            Unknown(Box<OxmUnknown>),
        }
        impl $name {
            /// Class, experimenter and number.
            pub fn id(&self) -> OxmId {
                match self {
                    $($(Self::$var(_) => OxmId { class: $class, experimenter: $vendor, field: $num },)*)*
                    Self::TunMetadata(option) => OxmId { class: 1, experimenter: 0, field: option.number() },
                    Self::Unknown(unknown) => unknown.id(),
                }
            }
            /// The field's name in the specification's spelling, as the builder's methods have it.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(Self::$var(_) => stringify!($method),)*)*
                    Self::TunMetadata(option) => option.name(),
                    Self::Unknown(_) => "unknown",
                }
            }
            /// The field's name in Open vSwitch's spelling.
            pub fn ovs_name(&self) -> &'static str {
                match self {
                    $($(Self::$var(_) => $ovs,)*)*
                    Self::TunMetadata(option) => option.name(),
                    Self::Unknown(_) => "unknown",
                }
            }
            /// Mask applied to the value, a mask of all bits dropped; none if the mask has no bit.
            pub fn canonical(self) -> Option<Self> {
                Some(match self {
                    $($(Self::$var(value) => Self::$var(oxm_fields!(@canonical value $mask)),)*)*
                    Self::TunMetadata(option) => Self::TunMetadata(Box::new(option.canonical())),
                    unknown => unknown,
                })
            }
            /// Writes the value and mask as `set_field` does in ovs-ofctl notation.
            pub(crate) fn fmt_value(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $($(Self::$var(value) => $crate::text::value::$kind(f, oxm_fields!(@masked value $mask)),)*)*
                    Self::TunMetadata(option) => option.fmt_value(f),
                    Self::Unknown(unknown) => write!(f, "{:?}", unknown.body()),
                }
            }
            /// The field whose whole value these bytes are, by the header of a sub-field.
            pub(crate) fn from_header(header: OxmHeader, value: &[u8]) -> Option<Self> {
                let mut body = $crate::wire::Reader::new("OxmField", value);
                let id = (header.class, header.experimenter, header.field);
                match id {
                    $($(($class, $vendor, $num) => return oxm_fields!(@from_value $var $t, body, $mask),)*)*
                    _ => {}
                }
                match id {
                    $($(
                        #[allow(unreachable_patterns)]
                        ($sclass, oxm_fields!(@vendor $sclass $vendor), $snum) => {
                            oxm_fields!(@from_value $var $t, body, $mask)
                        }
                    )*)*
                    _ => {
                        let index = header.field.checked_sub(tun_metadata::FIRST).filter(|_| header.class == 1)?;
                        TunMetadata::new(index, value).map(|option| Self::TunMetadata(Box::new(option)))
                    }
                }
            }
            /// Reads a value and mask in ovs-ofctl's notation; none if no field has this name.
            pub(crate) fn from_text(name: &str, text: &str) -> Option<Result<Self, $crate::text::ParseTextError>> {
                use $crate::text::parse::value;
                Some(match name {
                    $($($ovs | stringify!($method) => oxm_fields!(@from_text $var $t, value::$kind(text), $mask, text),)*)*
                    _ => return None,
                })
            }
            /// The wire form.
            pub(crate) fn wire_bytes(&self) -> super::FieldBytes {
                match self {
                    $($(Self::$var(value) => {
                        super::field_bytes::<$t>($class, $num, $vendor, oxm_fields!(@masked value $mask))
                    })*)*
                    Self::TunMetadata(option) => super::FieldBytes::from_vec(super::encoded(|out| option.encode(out))),
                    Self::Unknown(unknown) => super::FieldBytes::from_vec(super::encoded(|out| unknown.encode(out))),
                }
            }
            /// The field with its value; `Unknown` if the table has no such field, or not in this form.
            pub(crate) fn from_raw(raw: &super::RawField<'_>) -> Self {
                // By class, then by number, so that both become jump tables.
                match (raw.class, raw.experimenter) {
                    $(($class, $vendor) => match raw.field {
                        $($num => oxm_fields!(@from_raw $var $t, raw $mask),)*
                        _ => {}
                    },)*
                    _ => {}
                }
                match TunMetadata::decode(raw) {
                    Some(option) => Self::TunMetadata(Box::new(option)),
                    None => raw.unknown(),
                }
            }
        }
        impl super::RawField<'_> {
            /// Whether the field is in canonical form; one that the table does not have always is.
            #[inline(never)]
            pub(super) fn is_canonical(&self) -> bool {
                if !self.masked {
                    return true;
                }
                match (self.class, self.experimenter) {
                    $(($class, $vendor) => match self.field {
                        $($num => oxm_fields!(@is_raw_canonical $t, self $mask),)*
                        _ => {}
                    },)*
                    _ => {}
                }
                TunMetadata::decode(self).is_none_or(|option| option.is_canonical())
            }
        }
        impl $crate::wire::Wire for $name {
            const TYPICAL_SIZE: usize = 8;
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) { out.extend_from_slice(&self.wire_bytes()); }
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> {
                super::RawField::decode(r).map(|raw| Self::from_raw(&raw))
            }
        }
        impl OxmHeader {
            $($(
                #[doc = concat!("`", $sname, "`")]
                pub const $konst: Self = Self { class: $sclass, field: $snum, size: <$t as $crate::wire::Fixed>::SIZE, experimenter: oxm_fields!(@vendor $sclass $vendor) };
            )*)*
            /// The field that Open vSwitch calls so, in sub-fields or in matches.
            pub(crate) fn named(name: &str) -> Option<Self> {
                Some(match name {
                    $($(
                        #[allow(unreachable_patterns)]
                        $sname | $ovs | stringify!($method) => Self::$konst,
                    )*)*
                    _ => return None,
                })
            }
            /// The name that Open vSwitch prints for the field in matches.
            pub fn ovs_name(self) -> Option<&'static str> {
                match (self.class, self.experimenter, self.field) {
                    $($(
                        ($sclass, oxm_fields!(@vendor $sclass $vendor), $snum) => Some($ovs),
                    )*)*
                    #[allow(unreachable_patterns)]
                    id => match id {
                        $($(($class, $vendor, $num) => Some($ovs),)*)*
                        _ => TunMetadata::new(self.field.checked_sub(tun_metadata::FIRST)?, &[][..]).map(|option| option.name()),
                    },
                }
            }
            /// The name that Open vSwitch prints for the field in sub-fields.
            pub fn name(self) -> Option<&'static str> {
                match (self.class, self.experimenter, self.field) {
                    $($(
                        ($sclass, oxm_fields!(@vendor $sclass $vendor), $snum) => Some($sname),
                    )*)*
                    #[allow(unreachable_patterns)]
                    id => match id { $($(($class, $vendor, $num) => Some($sname),)*)* _ => TunMetadata::header_name(self) },
                }
            }
        }
        impl OxmId {
            $($(
                $(#[$fm])*
                pub const $konst: Self = Self { class: $class, experimenter: $vendor, field: $num };
            )*)*
            /// The field's name in the specification's spelling, if it is a known one.
            pub fn name(self) -> Option<&'static str> {
                match (self.class, self.experimenter, self.field) {
                    $($(($class, $vendor, $num) => Some(stringify!($method)),)*)*
                    _ => None,
                }
            }
        }
        impl $crate::flow_match::MatchBuilder {
            $($(
                $(#[$fm])*
                #[inline]
                pub fn $method(self, value: oxm_fields!(@argument $t, $mask)) -> Self {
                    self.field($name::$var(value.into()))
                }
            )*)*
        }
    };
    (@from_value $var:ident $t:ty, $b:ident, $mask:ident) => {{
        let value: $t = $b.get().ok()?;
        $b.finish().ok()?;
        Some(Self::$var(oxm_fields!(@exact value, $mask)))
    }};
    (@from_text $var:ident $t:ty, $e:expr, maskable, $text:ident) => { $e.map(Self::$var) };
    (@from_text $var:ident $t:ty, $e:expr, $mask:ident, $text:ident) => {
        match $e {
            Ok($crate::oxm::Masked { value, mask: None }) => Ok(Self::$var(value)),
            Ok(_) => Err($crate::text::ParseTextError {
                item: $text.to_owned(),
                problem: $crate::text::Problem::Expected("a value without a mask"),
            }),
            Err(error) => Err(error),
        }
    };
    (@vendor 0xffff $vendor:literal) => { $vendor };
    (@vendor $class:literal $vendor:literal) => { 0 };
    (@argument $t:ty, plain) => { $t };
    (@argument $t:ty, exact) => { impl Into<$t> };
    (@argument $t:ty, maskable) => { impl Into<$crate::oxm::Masked<$t>> };
    (@type $t:ty, exact) => { $t };
    (@type $t:ty, plain) => { $t };
    (@type $t:ty, maskable) => { $crate::oxm::Masked<$t> };
    (@masked $v:ident exact) => { $crate::oxm::Masked { value: *$v, mask: None } };
    (@masked $v:ident plain) => { $crate::oxm::Masked { value: *$v, mask: None } };
    (@masked $v:ident maskable) => { *$v };
    (@canonical $v:ident exact) => { $v };
    (@canonical $v:ident plain) => { $v };
    (@canonical $v:ident maskable) => { $v.canonical()? };
    (@exact $e:expr, exact) => { $e };
    (@exact $e:expr, plain) => { $e };
    (@exact $e:expr, maskable) => { $crate::oxm::Masked { value: $e, mask: None } };
    (@from_raw $var:ident $t:ty, $raw:ident maskable) => {
        if let Some(field) = $crate::oxm::Masked::<$t>::from_raw($raw) {
            return Self::$var(field);
        }
    };
    (@is_raw_canonical $t:ty, $raw:ident maskable) => {
        if let Some(field) = $crate::oxm::Masked::<$t>::from_raw($raw) {
            return field.is_canonical();
        }
    };
    (@is_raw_canonical $t:ty, $raw:ident $mask:ident) => { return true };
    (@from_raw $var:ident $t:ty, $raw:ident $mask:ident) => {
        if let (false, Some(value)) = ($raw.masked, <$t as $crate::wire::Fixed>::from_wire($raw.value)) {
            return Self::$var(value);
        }
    };
}

pub(crate) use oxm_fields;
