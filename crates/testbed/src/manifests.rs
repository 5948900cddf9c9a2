//! Manifests of a directory, for tests that hand whole applications to a server.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::oracles::YamlOracle;

/// Every `.yaml` file below `directory`, sorted.
pub fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let reading = |directory: &Path| format!("reading `{}`", directory.display());
    let (mut files, mut pending) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).map_err(Error::io(reading(&directory)))? {
            let path = entry.map_err(Error::io(reading(&directory)))?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Every object below `directory`, in the order of the files, as Kubernetes reads it.
pub fn manifests(directory: &Path) -> Result<Vec<Value>> {
    let files = yaml_files(directory)?;
    let read = |file: &PathBuf| std::fs::read(file).map_err(Error::io(format!("reading `{}`", file.display())));
    let texts = files.iter().map(read).collect::<Result<Vec<Vec<u8>>>>()?;
    let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let streams = YamlOracle::locate()?.documents(&slices)?;
    Ok(streams.into_iter().flat_map(|stream| stream.documents).filter(|object| !object.is_null()).collect())
}
