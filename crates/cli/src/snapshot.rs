//! `bartizan snapshot`

use anyhow::Result;
use bartizan_cluster::node_file::NodeFiles;
use bartizan_gather::saved;
use bartizan_report::{Language, Outcome, Stage};

use crate::args::{Global, TakeSnapshot};
use crate::output::{self, Terminal};
use crate::source;

pub(crate) fn run(take: &TakeSnapshot, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    // A snapshot is taken for every check there is: nobody knows which ones will be asked of it.
    let everything = bartizan_checks::Selection { stage: Some(Stage::Auditor), ..Default::default() };
    let entries = bartizan_checks::run::entries(&everything, take.sources.kubernetes_version.unwrap_or_default());
    let gathered = source::gather(&take.sources, &[], &[], &bartizan_checks::wanted_kinds(&entries), global, terminal)?;
    output::write_file(&take.output_file, |out| Ok(saved::write(&gathered.snapshot, env!("CARGO_PKG_VERSION"), out)?))?;
    let (objects, file) = (gathered.snapshot.len(), take.output_file.display());
    terminal.note(&match terminal.language {
        Language::English => format!("{objects} objects in `{file}`; scan them with `bartizan scan {file}`"),
        Language::Chinese => format!("`{file}` 中保存了 {objects} 个对象；用 `bartizan scan {file}` 扫描"),
    });
    let reading = source::reading(&gathered, &take.sources, &NodeFiles::default());
    let report = bartizan_checks::compose(&gathered.snapshot, bartizan_checks::Judgement::default(), &everything, &reading);
    Ok(if report.coverage.is_incomplete() { Outcome::Incomplete } else { Outcome::Clean })
}
