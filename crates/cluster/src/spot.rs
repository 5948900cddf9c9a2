//! A spot: a field of an object, there or not. What a finding points at.

use crate::intern::Symbol;
use crate::path::FieldPath;
use crate::tree::Value;

/// A field of an object: the nearest value that is there, and the steps from it that are not.
#[derive(Debug, Clone)]
pub struct Spot<'a> {
    nearest: Value<'a>,
    absent: Vec<Symbol>,
}

impl<'a> Spot<'a> {
    /// The value itself, or the nearest one above the absent field.
    pub fn nearest(&self) -> Value<'a> {
        self.nearest
    }

    /// Whether the field is there.
    pub fn is_present(&self) -> bool {
        self.absent.is_empty()
    }

    /// The path of the field, absent steps included.
    pub fn path(&self) -> FieldPath {
        let mut path = self.nearest.path();
        for &step in &self.absent {
            path.push_key(self.nearest.strings_table().text(step));
        }
        path
    }

    /// The JSON pointer of the nearest value that is there, and the names of the steps from it that are not.
    pub fn pointer_and_absent(&self) -> (String, Vec<String>) {
        let absent = self.absent.iter().map(|&step| self.nearest.strings_table().text(step).to_owned()).collect();
        (self.nearest.path().pointer().to_owned(), absent)
    }
}

impl<'a> From<Value<'a>> for Spot<'a> {
    fn from(value: Value<'a>) -> Self {
        Spot { nearest: value, absent: Vec::new() }
    }
}

impl<'a> Value<'a> {
    /// The spot of the field `names`, one inside the other, whether it is there or not. A written `null` is there.
    pub fn spot(self, names: &[Symbol]) -> Spot<'a> {
        let mut nearest = self;
        for (depth, &name) in names.iter().enumerate() {
            match nearest.get_written(name) {
                Some(child) => nearest = child,
                None => return Spot { nearest, absent: names.get(depth..).unwrap_or_default().to_vec() },
            }
        }
        Spot { nearest, absent: Vec::new() }
    }
}
