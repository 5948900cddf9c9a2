//! Requests for certificates: whom nobody may ask to become.

use bartizan_cluster::access::PRIVILEGED_GROUP;
use bartizan_cluster::pem;
use bartizan_cluster::secret::CertificateRequest;

use super::{Admission, Operation, Submission, text};

/// The signer whose certificates the API server takes for any user.
pub const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
/// The signer of the certificates by which kubelets log in.
pub const KUBELET_CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signer of the certificates that kubelets show.
pub const KUBELET_SERVING_SIGNER: &str = "kubernetes.io/kubelet-serving";

/// What `CertificateSubjectRestriction` says: to the signer of clients, nobody sends a request for the group `system:masters`.
pub(super) fn subject(submission: &Submission<'_>) -> Admission {
    if submission.operation != Operation::Create || !submission.target.is("certificates.k8s.io", "certificatesigningrequests") {
        return Admission::Admitted;
    }
    if text(submission.object, "/spec/signerName") != CLIENT_SIGNER {
        return Admission::Admitted;
    }
    match requested(submission) {
        None => Admission::Refused("failed to parse CSR".to_owned()),
        Some(request) if request.organizations.iter().any(|group| group == PRIVILEGED_GROUP) => {
            Admission::Refused(format!("use of {CLIENT_SIGNER} signer with {PRIVILEGED_GROUP} group is not allowed"))
        }
        Some(_) => Admission::Admitted,
    }
}

/// What `NodeRestriction` says to a kubelet: it asks in its own name only. Whatever else a request may hold, the signers look at.
pub(super) fn of_kubelet(submission: &Submission<'_>, node: &str) -> Admission {
    let signer = text(submission.object, "/spec/signerName");
    if submission.operation != Operation::Create || !matches!(signer, KUBELET_CLIENT_SIGNER | KUBELET_SERVING_SIGNER) {
        return Admission::Admitted;
    }
    let own = format!("system:node:{node}");
    match requested(submission) {
        None => Admission::Refused("unable to parse csr".to_owned()),
        Some(request) if request.common_name == own => Admission::Admitted,
        Some(_) => Admission::Refused(format!("can only create a node CSR with CN={own}")),
    }
}

/// The certificate request in an object: the PEM text that stands there in Base64, which has to begin with it.
fn requested(submission: &Submission<'_>) -> Option<CertificateRequest> {
    let text = pem::from_base64(text(submission.object, "/spec/request"))?;
    let facts = pem::read(&text);
    let first = facts.requests.into_iter().next()?;
    let others = facts.certificates.iter().map(|block| block.line).chain(facts.keys.iter().map(|block| block.line));
    others.chain(facts.faults.iter().map(|fault| fault.line)).all(|line| line > first.line).then_some(first.value)
}
