//! Waivers name checks of the catalogue.

use std::collections::BTreeSet;

use bartizan_report::OWN_CHECKS;
use bartizan_report::waiver::foreign::imported_checks;

#[test]
fn every_import_names_a_check() {
    let missing: BTreeSet<&str> = imported_checks().filter(|id| bartizan_checks::all().all(|entry| entry.check.id != *id)).collect();
    assert!(missing.is_empty(), "not in the catalogue: {missing:?}");
}

#[test]
fn the_checks_about_waivers_share_no_id_with_the_catalogue() {
    for own in OWN_CHECKS {
        assert!(bartizan_checks::find(own.id).is_none(), "{} stands in the catalogue too", own.id);
    }
}
