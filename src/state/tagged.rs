//! Enums whose JSON is an object with a tag beside the fields, `{"t":"again","seq":7}`.
//!
//! serde writes them, but they are read here: its derived readers buffer the object, and each variant is compiled for
//! lists and several kinds of source. That took 250 KiB of the program, for data read once at start and once per
//! command. For the same reason `from_slice` reads text everywhere: each kind of source adds a compiled reader.

use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The fields of one object, taken one by one. Fields that nobody takes are from a newer program.
pub struct Fields {
    is: String,
    rest: Map<String, Value>,
}

impl Fields {
    /// Reads the object whose variant is named by the field `tag`.
    ///
    /// # Errors
    /// It is not an object, or its tag is not text.
    pub fn read<'de, D: Deserializer<'de>>(from: D, tag: &'static str) -> Result<Self, D::Error> {
        let mut rest = Map::deserialize(from)?;
        match rest.remove(tag) {
            Some(Value::String(is)) => Ok(Self { is, rest }),
            Some(_) => Err(D::Error::custom(format_args!("`{tag}` is no text"))),
            None => Err(D::Error::missing_field(tag)),
        }
    }

    /// The name of the variant.
    pub fn is(&self) -> &str {
        &self.is
    }

    /// Takes the field `name`. A missing field counts as `null`.
    ///
    /// # Errors
    /// The field is not a `T`.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> serde_json::Result<T> {
        serde_json::from_value(self.rest.remove(name).unwrap_or_default())
    }

    /// The same for a field that may be missing.
    ///
    /// # Errors
    /// The field is there, but is not a `T`.
    pub fn take_or_default<T: DeserializeOwned + Default>(&mut self, name: &str) -> serde_json::Result<T> {
        self.rest.remove(name).map_or_else(|| Ok(T::default()), serde_json::from_value)
    }

    /// Takes all other fields as one value.
    ///
    /// # Errors
    /// They are not a `T`.
    pub fn take_rest<T: DeserializeOwned>(&mut self) -> serde_json::Result<T> {
        serde_json::from_value(Value::Object(std::mem::take(&mut self.rest)))
    }
}

/// Defines an enum that is read and written as an object with a tag. Each variant follows its name in JSON.
macro_rules! tagged {
    (
        $(#[doc = $doc:literal])*
        #[derive($($trait:ident),*)]
        #[serde(tag = $tag:literal)]
        pub enum $name:ident {
            $(
                $(#[doc = $meaning:literal])*
                $is:literal => $variant:ident $(($inner:ty))? $({
                    $(
                        $(#[doc = $field_doc:literal])*
                        $(#[serde($default:ident $(, skip_serializing_if = $unless:literal)?)])?
                        $field:ident: $type:ty
                    ),* $(,)?
                })?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive($($trait),*)]
        #[serde(tag = $tag)]
        pub enum $name {
            $(
                $(#[doc = $meaning])*
                #[serde(rename = $is)]
                $variant $(($inner))? $({
                    $(
                        $(#[doc = $field_doc])*
                        $($(#[serde(skip_serializing_if = $unless)])?)?
                        $field: $type
                    ),*
                })?
            ),*
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                fn read(mut fields: $crate::state::tagged::Fields) -> serde_json::Result<Option<$name>> {
                    Ok(Some(match fields.is() {
                        $(
                            $is => $name::$variant
                                $(($crate::state::tagged::Fields::take_rest::<$inner>(&mut fields)?))?
                                $({ $($field: tagged!(@take fields, $field $(, $default)?)),* })?,
                        )*
                        _ => return Ok(None),
                    }))
                }
                let fields = $crate::state::tagged::Fields::read(from, $tag)?;
                read(fields)
                    .map_err(serde::de::Error::custom)?
                    .ok_or_else(|| serde::de::Error::custom("of a kind that this program does not know"))
            }
        }
    };
    (@take $fields:ident, $field:ident) => {
        $fields.take(stringify!($field))?
    };
    (@take $fields:ident, $field:ident, default) => {
        $fields.take_or_default(stringify!($field))?
    };
}
pub(crate) use tagged;
