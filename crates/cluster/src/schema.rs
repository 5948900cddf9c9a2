//! The types of known fields: what the API server would refuse because a field has the wrong type.

use crate::field;
use crate::intern::Interner;
use crate::object::Object;

/// A field of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeFault {
    pub(crate) offset: Option<u32>,
    pub(crate) message: String,
}

/// The fields of `object` that have a type which the API server refuses.
pub(crate) fn type_faults(object: &Object, strings: &Interner) -> Vec<TypeFault> {
    let root = object.tree.root(strings);
    let mut faults = Vec::new();
    for name in [field::METADATA, field::SPEC] {
        if let Some(value) = root.get(name)
            && !value.is_map()
        {
            faults.push(TypeFault {
                offset: value.span().map(|span| span.start),
                message: format!("`{}` is a {}, and the API server expects a map", value.path(), value.shape().noun()),
            });
        }
    }
    faults
}
