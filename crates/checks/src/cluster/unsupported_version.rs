//! `unsupported-version`: nobody mends faults in this version of Kubernetes any more.

use bartizan_cluster::{KubernetesVersion, Missing, Reason};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "unsupported-version",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("unsupported_version.md"),
    },
    reads: &[],
    judge: Judge::Cluster(judge),
};

/// The minor versions of 1.x, with the day (year, month, day) on which the project stopped or will stop mending them.
const ENDS: [(u16, (i64, i64, i64)); 19] = [
    (19, (2021, 10, 28)),
    (20, (2022, 2, 28)),
    (21, (2022, 6, 28)),
    (22, (2022, 12, 8)),
    (23, (2023, 2, 28)),
    (24, (2023, 7, 28)),
    (25, (2023, 10, 28)),
    (26, (2024, 2, 28)),
    (27, (2024, 7, 16)),
    (28, (2024, 10, 22)),
    (29, (2025, 2, 28)),
    (30, (2025, 7, 15)),
    (31, (2025, 11, 11)),
    (32, (2026, 2, 28)),
    (33, (2026, 6, 28)),
    (34, (2026, 10, 27)),
    (35, (2027, 2, 28)),
    (36, (2027, 6, 28)),
    (37, (2027, 10, 28)),
];

fn judge<'a>(facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // Manifests have no version of their own: the one that they are judged for is an assumption.
    if facts.from_files() {
        return out.not_applicable();
    }
    let version = facts.version();
    match end_of(version) {
        End::LongAgo => {
            out.fail_cluster(msg!("ancient", version = version));
        }
        End::On(day) if facts.now_seconds() >= seconds(day) => {
            let (year, month, date) = day;
            out.fail_cluster(msg!("ended", version = version, day = format!("{year}-{month:02}-{date:02}")));
        }
        End::On(_) => {}
        End::Unknown => return Err(Missing { fact: "release-calendar".to_owned(), scope: "cluster".to_owned(), reason: Reason::NotInSource }),
    }
    out.done()
}

/// When a version ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    LongAgo,
    On((i64, i64, i64)),
    Unknown,
}

fn end_of(version: KubernetesVersion) -> End {
    let minor = version.minor_number();
    match ENDS.iter().find(|&&(known, _)| known == minor) {
        Some(&(_, day)) => End::On(day),
        None if ENDS.first().is_some_and(|&(oldest, _)| minor < oldest) => End::LongAgo,
        None => End::Unknown,
    }
}

/// The first second after the day has begun, since 1970: days of the proleptic Gregorian calendar, counted from March so
/// that the leap day is the last of its year.
fn seconds((year, month, day): (i64, i64, i64)) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let days_in_year = (153 * from_march + 2) / 5 + day - 1;
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_in_year - 719_468;
    days * 86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_calendars_do() {
        for day in ["1970-01-01", "2000-02-29", "2024-02-28", "2024-03-01", "2026-10-27", "2027-12-31"] {
            let instant: jiff::Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
            let numbers: Vec<i64> = day.split('-').map(|part| part.parse().unwrap()).collect();
            assert_eq!(seconds((numbers[0], numbers[1], numbers[2])), instant.as_second(), "{day}");
        }
    }

    #[test]
    fn the_table_has_no_gap_and_ends_with_the_newest_version() {
        for pair in ENDS.windows(2) {
            assert_eq!(pair[0].0 + 1, pair[1].0);
            assert!(seconds(pair[0].1) < seconds(pair[1].1));
        }
        assert_eq!(ENDS.last().map(|end| end.0), Some(KubernetesVersion::NEWEST.minor_number()));
        assert_eq!(end_of(KubernetesVersion::minor(9)), End::LongAgo);
        assert_eq!(end_of(KubernetesVersion::minor(90)), End::Unknown);
    }
}
