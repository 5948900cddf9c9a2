//! `external-ip`: a Service takes over addresses that nobody assigned to it.

use bartizan_cluster::{Kind, ObjectView, field};
use bartizan_report::{Check, Safety, Severity, Stage};

use crate::sink::remove;
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check { id: "external-ip", severity: Severity::High, stage: Stage::Default, since: "0.1.0", aliases: &[], page: include_str!("external_ip.md") },
    reads: &[],
    judge: Judge::Object(&[Kind::Service], judge),
};

fn judge<'a>(service: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if let Some(addresses) = service.spec().and_then(|spec| spec.get(field::EXTERNAL_IPS)).filter(|addresses| !addresses.is_empty()) {
        let spot = addresses.into();
        let patch = remove(&spot);
        let list = addresses.items().map(|address| format!("`{}`", address.display())).collect::<Vec<_>>().join(", ");
        out.fail(spot, msg!("claimed", addresses = list)).fix(Safety::Unsafe, [patch]);
    }
    out.done()
}
