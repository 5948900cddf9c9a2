//! JSON patches (RFC 6902): the order in which they can be applied, and applying them.

use bartizan_report::PatchOperation;
use serde_json::Value;

/// A patch that does not fit the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not in the document")]
pub struct NoSuchPath(String);

/// Orders operations that were proposed one by one, each against the same document, so that they can be applied together:
/// removals from lists come last, from the back; of equal operations one stays.
pub fn ordered(operations: Vec<PatchOperation>) -> Vec<PatchOperation> {
    let mut changes: Vec<PatchOperation> = Vec::new();
    let mut removals: Vec<PatchOperation> = Vec::new();
    for operation in operations {
        let list = if matches!(operation, PatchOperation::Remove { .. }) { &mut removals } else { &mut changes };
        if !list.contains(&operation) {
            list.push(operation);
        }
    }
    removals.sort_by_cached_key(|operation| {
        std::cmp::Reverse(steps(pointer(operation)).map(|step| (step.parse::<usize>().ok(), step.clone())).collect::<Vec<_>>())
    });
    changes.append(&mut removals);
    changes
}

/// Applies a patch.
pub fn apply(document: &mut Value, patch: &[PatchOperation]) -> Result<(), NoSuchPath> {
    for operation in patch {
        let path = pointer(operation);
        let missing = || NoSuchPath(path.to_owned());
        let (parent, last) = path.rsplit_once('/').ok_or_else(missing)?;
        let last = last.replace("~1", "/").replace("~0", "~");
        let target = document.pointer_mut(parent).ok_or_else(missing)?;
        match (target, operation) {
            (Value::Object(map), PatchOperation::Add { value, .. }) => {
                // Two proposals may both want the map that neither found: they are laid over each other.
                match (map.get_mut(&last), value) {
                    (Some(Value::Object(there)), Value::Object(new)) => there.extend(new.clone()),
                    _ => {
                        map.insert(last, value.clone());
                    }
                }
            }
            (Value::Object(map), PatchOperation::Replace { value, .. }) => *map.get_mut(&last).ok_or_else(missing)? = value.clone(),
            (Value::Object(map), PatchOperation::Remove { .. }) => {
                map.remove(&last).ok_or_else(missing)?;
            }
            (Value::Array(list), PatchOperation::Add { value, .. }) => {
                let at = if last == "-" { list.len() } else { last.parse().ok().filter(|&at| at <= list.len()).ok_or_else(missing)? };
                list.insert(at, value.clone());
            }
            (Value::Array(list), PatchOperation::Replace { value, .. }) => {
                let at: usize = last.parse().map_err(|_| missing())?;
                *list.get_mut(at).ok_or_else(missing)? = value.clone();
            }
            (Value::Array(list), PatchOperation::Remove { .. }) => {
                let at: usize = last.parse().ok().filter(|&at| at < list.len()).ok_or_else(missing)?;
                list.remove(at);
            }
            _ => return Err(missing()),
        }
    }
    Ok(())
}

fn pointer(operation: &PatchOperation) -> &str {
    match operation {
        PatchOperation::Add { path, .. } | PatchOperation::Replace { path, .. } | PatchOperation::Remove { path } => path,
    }
}

fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn remove(path: &str) -> PatchOperation {
        PatchOperation::Remove { path: path.to_owned() }
    }

    #[test]
    fn removals_from_one_list_do_not_move_each_other() {
        let mut document = json!({"a": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "b": 1});
        let patch =
            ordered(vec![remove("/a/2"), remove("/a/10"), remove("/a/2"), PatchOperation::Replace { path: "/b".into(), value: json!(2) }, remove("/a/9")]);
        apply(&mut document, &patch).unwrap();
        assert_eq!(document, json!({"a": ["0", "1", "3", "4", "5", "6", "7", "8"], "b": 2}));
    }

    #[test]
    fn a_patch_that_does_not_fit_is_refused() {
        let mut document = json!({"a": []});
        assert!(apply(&mut document, &[remove("/a/0")]).is_err());
        assert!(apply(&mut document, &[remove("/b")]).is_err());
        assert!(apply(&mut document, &[remove("")]).is_err());
    }
}
