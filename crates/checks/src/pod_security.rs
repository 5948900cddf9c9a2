//! The Pod Security Standards: one check for each control, exact for every version of the policy.

mod added_capability;
mod apparmor_override;
mod capabilities_kept;
mod host_ipc;
mod host_network;
mod host_path;
mod host_pid;
mod host_port;
mod host_probe;
mod privilege_escalation;
mod privileged;
mod proc_mount;
mod proc_mount_restricted;
mod root_allowed;
mod root_user;
mod seccomp_unconfined;
mod seccomp_unset;
mod selinux_override;
mod standard;
mod unsafe_sysctl;
mod volume_type;
mod windows_host_process;

use bartizan_cluster::PodView;
use bartizan_report::{PatchOperation, Safety};

use crate::sink::{Msg, Sink};
use crate::{Entry, Facts, Judged};

pub use standard::{Breach, Level, RULES, Rule, allows, violations};

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &added_capability::ENTRY,
    &apparmor_override::ENTRY,
    &capabilities_kept::ENTRY,
    &host_ipc::ENTRY,
    &host_network::ENTRY,
    &host_path::ENTRY,
    &host_pid::ENTRY,
    &host_port::ENTRY,
    &host_probe::ENTRY,
    &privilege_escalation::ENTRY,
    &privileged::ENTRY,
    &proc_mount::ENTRY,
    &proc_mount_restricted::ENTRY,
    &root_allowed::ENTRY,
    &root_user::ENTRY,
    &seccomp_unconfined::ENTRY,
    &seccomp_unset::ENTRY,
    &selinux_override::ENTRY,
    &unsafe_sysctl::ENTRY,
    &volume_type::ENTRY,
    &windows_host_process::ENTRY,
];

/// Reports every breach of `rule` in `pod`, in the words and with the change that `describe` has for it. Whether a workload
/// can live with the change only its owner knows, so none is called safe.
fn report<'a>(rule: &Rule, pod: PodView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>, describe: impl Fn(&Breach<'a>) -> (Msg, Option<PatchOperation>)) -> Judged {
    let version = facts.version();
    if !rule.concerns(pod, version) {
        return out.not_applicable();
    }
    for breach in rule.breaches(pod, version) {
        let (message, fix) = describe(&breach);
        let raised = out.fail(breach.spot, message);
        if let Some(container) = breach.container {
            raised.container(container);
        }
        if let Some(operation) = fix {
            raised.fix(Safety::Unsafe, [operation]);
        }
    }
    out.done()
}
