//! Where something stands: an object, a file, a line.

use bartizan_cluster::{Location, ObjectRef, ObjectView, Snapshot, Spot, Value};
use serde::Serialize;

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Default)]
pub struct Place {
    /// The object, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// The file or source, where it is no object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The configuration, where it is one: its kind, by the name of its file or source.
    #[serde(skip)]
    pub configuration: Option<ObjectRef>,
    /// The field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The line and column, where there is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Place {
    /// A line of a file.
    pub fn line(file: &str, line: u32) -> Self {
        let location = Location { file: file.to_owned(), line, column: 1 };
        Self { file: Some(file.to_owned()), location: Some(location), ..Self::default() }
    }

    /// A file as a whole.
    pub fn file(file: &str) -> Self {
        Self { file: Some(file.to_owned()), ..Self::default() }
    }

    /// What stands there, for people and machines: the object, or the configuration by the name of its file.
    pub fn subject(&self) -> Option<&ObjectRef> {
        self.object.as_ref().or(self.configuration.as_ref())
    }

    /// A field of an object or a configuration.
    pub fn of<'a>(snapshot: &Snapshot, view: ObjectView<'a>, spot: impl Into<Spot<'a>>) -> Self {
        let spot = spot.into();
        let is_object = !view.name().is_empty();
        let file = || snapshot.source_of(view).map(|source| source.name().to_owned());
        Self {
            object: is_object.then(|| view.reference()),
            file: if is_object { None } else { file() },
            configuration: if is_object { None } else { file().map(|name| ObjectRef { name, ..view.reference() }) },
            path: spot.path().as_str().to_owned(),
            location: snapshot.location(view, &spot),
        }
    }

    /// An object or a configuration as a whole.
    pub fn whole(snapshot: &Snapshot, view: ObjectView<'_>) -> Self {
        Self::of(snapshot, view, view.root())
    }

    /// The field `names` of `value`, there or not.
    pub fn field(snapshot: &Snapshot, view: ObjectView<'_>, value: Value<'_>, name: &str) -> Self {
        // A credential that was taken out is still where it stood.
        if let Some((_, found)) = value.entries().find(|(key, _)| *key == name) {
            return Self::of(snapshot, view, found);
        }
        let mut place = Self::of(snapshot, view, value);
        if !place.path.is_empty() {
            place.path.push('.');
        }
        place.path.push_str(name);
        place
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let object = self.object.as_ref().map(ToString::to_string);
        let location = self.location.as_ref().map(ToString::to_string);
        // A text within another one has the lines of that one, and a name of its own.
        let file = self.file.clone().filter(|file| self.location.as_ref().is_none_or(|location| location.file != *file));
        let parts = [location, file, object, Some(self.path.clone()).filter(|path| !path.is_empty())];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        out.write_str(&parts.join("  "))
    }
}
