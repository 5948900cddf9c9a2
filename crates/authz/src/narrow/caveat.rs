//! What a log of some days cannot tell, as far as the objects of the cluster give a hint of it.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_cluster::{Kind, PodView, Snapshot};
use bartizan_report::Sentence;

use super::{Narrowing, Whom};

/// A shorter window misses what happens once a week.
const WEEK_SECONDS: i64 = 7 * 86_400;

/// Reasons to doubt that what was not seen is not needed, a line each.
pub fn caveats(snapshot: &Snapshot, narrowing: &Narrowing) -> Vec<Sentence> {
    let mut lines = Vec::new();
    if narrowing.window().is_some_and(|window| window.seconds() < WEEK_SECONDS) {
        lines.push(Sentence::new(
            "Caveat: the window is shorter than a week; what happens once a week, at an upgrade or when a certificate is renewed is not in it.",
            "注意：观察窗口不足一周；每周一次、升级时或证书更新时发生的操作可能不在其中。",
        ));
    }
    let losers: BTreeSet<&Whom> = narrowing.judged.iter().filter(|judged| judged.stays.is_none()).map(|judged| &judged.whom).collect();
    for judged in narrowing.judged.iter().filter(|judged| judged.stays.is_none()) {
        if !judged.unobserved.is_empty() && holds_leases(judged) {
            let whom = &judged.whom;
            lines.push(Sentence::new(
                format!("Caveat: {whom} takes part in an election; a replica that becomes leader may need what was not seen."),
                format!("注意：{whom} 参与领导者选举；成为领导者的副本可能需要未观察到的权限。"),
            ));
        }
    }
    let jobs = jobs(snapshot);
    for whom in losers.iter().filter(|whom| whom.kind == "ServiceAccount") {
        let key = (whom.namespace.clone().unwrap_or_default(), whom.name.clone());
        for job in jobs.get(&key).into_iter().flatten() {
            lines.push(Sentence::new(
                format!("Caveat: {whom} is used by {job}, which may not have run in the window."),
                format!("注意：{whom} 由 {job} 使用，它在观察窗口内可能没有运行。"),
            ));
        }
    }
    lines.sort();
    lines.dedup();
    lines
}

fn holds_leases(judged: &super::Judged) -> bool {
    judged.remains.values().flatten().any(|rule| rule.resources.iter().any(|resource| resource == "leases"))
}

/// The jobs of each ServiceAccount, by namespace and name.
fn jobs(snapshot: &Snapshot) -> BTreeMap<(String, String), Vec<String>> {
    let mut jobs: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for object in [Kind::CronJob, Kind::Job].into_iter().flat_map(|kind| snapshot.of_kind(kind)) {
        let namespace = object.namespace().unwrap_or("default").to_owned();
        for pod in PodView::of(object) {
            let job = format!("{} {namespace}/{}", object.kind_name(), object.name());
            jobs.entry((namespace.clone(), pod.service_account().to_owned())).or_default().push(job);
        }
    }
    jobs
}
