//! Certificates and what else proves who somebody is.

use bartizan_report::Severity;

use super::{CERTIFICATES, CHANGE, SECRETS};
use crate::escalation::primitive::{Effect, Gain, Gate, Need, On, Primitive, Untold, Way, said};
use crate::feature::{CLUSTER_TRUST_BUNDLE, POD_CERTIFICATE};
use crate::restriction::{CERTIFICATE_SUBJECT, CLIENT_SIGNER, KUBELET_CLIENT_SIGNER};

const REQUESTS: &[On] = &[On::Resource(CERTIFICATES, "certificatesigningrequests")];
const APPROVAL: &[On] = &[On::Resource(CERTIFICATES, "certificatesigningrequests/approval")];
const STATUS: &[On] = &[On::Resource(CERTIFICATES, "certificatesigningrequests/status")];
const SIGNERS: &[On] = &[On::Resource(CERTIFICATES, "signers")];
const BUNDLES: &[On] = &[On::Resource(CERTIFICATES, "clustertrustbundles")];
const POD_CERTIFICATES: &[On] = &[On::Resource(CERTIFICATES, "podcertificaterequests/status")];

const CLIENTS: &[&str] = &[CLIENT_SIGNER, "kubernetes.io/*"];
const KUBELETS: &[&str] = &[KUBELET_CLIENT_SIGNER, "kubernetes.io/*"];

pub(super) static ALL: &[Primitive] = &[
    // The answer to the approval shows the certificate as soon as there is one, so that no right to read is needed.
    Primitive {
        id: "approve-client-certificate",
        title: said("has certificates issued for any user and group", "可为任意用户和用户组签发证书"),
        remedy: said(
            "separate asking for certificates from approving them, and limit `approve` to other signers",
            "把申请证书与批准证书分开，并把 `approve` 限定为其他签名者",
        ),
        severity: Severity::Critical,
        effect: Effect::Escalation,
        technique: "T1649",
        ways: &[
            Way::to(
                Gain::CertifiedUsers,
                &[
                    Need::create(REQUESTS).other().cluster(),
                    Need::may(CHANGE, APPROVAL).other().cluster(),
                    Need::may(&["approve"], SIGNERS).called(CLIENTS).cluster(),
                ],
            ),
            Way::to(
                Gain::Everything,
                &[
                    Need::create(REQUESTS).other().cluster(),
                    Need::may(CHANGE, APPROVAL).other().cluster(),
                    Need::may(&["approve"], SIGNERS).called(CLIENTS).cluster(),
                ],
            )
            .gated(&[Gate::Without(CERTIFICATE_SUBJECT)]),
        ],
    },
    Primitive {
        id: "sign-client-certificate",
        title: said("signs certificates for any user and group", "可为任意用户和用户组签名证书"),
        remedy: said("grant `sign` for signers of one's own only", "仅授予对自有签名者的 `sign`"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1649",
        ways: &[Way::to(Gain::CertifiedUsers, &[Need::may(CHANGE, STATUS).other().cluster(), Need::may(&["sign"], SIGNERS).called(CLIENTS).cluster()])
            .gated(&[Gate::Untold(Untold::AuthorityKey)])],
    },
    Primitive {
        id: "approve-node-certificate",
        title: said("has certificates issued for kubelets", "可为 kubelet 签发证书"),
        remedy: said("leave the approval of kubelets' certificates to the controller manager", "kubelet 证书的批准仅由控制器管理器完成"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1649",
        ways: &[Way::to(
            Gain::Kubelets,
            &[
                Need::create(REQUESTS).other().cluster(),
                Need::may(CHANGE, APPROVAL).other().cluster(),
                Need::may(&["approve"], SIGNERS).called(KUBELETS).cluster(),
            ],
        )],
    },
    // The controller manager approves by itself what holders of these subresources ask for.
    Primitive {
        id: "join-node",
        title: said("has its own request for a kubelet's certificate approved", "其 kubelet 证书申请会被自动批准"),
        remedy: said("bind the role of joining nodes to bootstrap tokens only, and for the time of joining", "仅在节点加入期间把节点加入角色绑定给引导令牌"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1649",
        ways: &[Way::to(
            Gain::Kubelets,
            &[
                Need::create(REQUESTS).other().cluster(),
                Need::may(&["get", "list", "watch"], REQUESTS).other().cluster(),
                Need::nameless(&["create"], &[On::Resource(CERTIFICATES, "certificatesigningrequests/nodeclient")]).cluster(),
            ],
        )],
    },
    Primitive {
        id: "bootstrap-token",
        title: said("makes tokens with which nodes join", "可创建节点加入用的引导令牌"),
        remedy: said("take `create` on `secrets` in `kube-system` away", "移除在 `kube-system` 中对 `secrets` 的 `create`"),
        severity: Severity::High,
        effect: Effect::Escalation,
        technique: "T1136",
        ways: &[Way::to(Gain::Kubelets, &[Need::create(SECRETS).other().within("kube-system")]).gated(&[Gate::Flag("enable-bootstrap-token-auth")])],
    },
    Primitive {
        id: "trust-bundle",
        title: said("puts certificate authorities of its own among those that pods trust", "可把自己的证书颁发机构加入 Pod 的信任列表"),
        remedy: said("grant `attest` for signers of one's own only", "仅授予对自有签名者的 `attest`"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1553.004",
        ways: &[
            // A bundle that names no signer asks for no `attest`.
            Way::to(Gain::Trust, &[Need::create(BUNDLES).other().cluster()])
                .gated(&[Gate::Feature(CLUSTER_TRUST_BUNDLE), Gate::Untold(Untold::Reliance)])
                .since(27),
            Way::to(Gain::Trust, &[Need::may(CHANGE, BUNDLES).other().cluster()])
                .gated(&[Gate::Feature(CLUSTER_TRUST_BUNDLE), Gate::Untold(Untold::Reliance)])
                .since(27),
        ],
    },
    Primitive {
        id: "sign-pod-certificate",
        title: said("issues certificates that pods show", "可签发 Pod 出示的证书"),
        remedy: said("grant `sign` for signers of one's own only", "仅授予对自有签名者的 `sign`"),
        severity: Severity::Medium,
        effect: Effect::Interference,
        technique: "T1649",
        ways: &[Way::to(Gain::Trust, &[Need::may(CHANGE, POD_CERTIFICATES).other(), Need::may(&["sign"], SIGNERS).numbered(2).cluster()])
            .gated(&[Gate::Feature(POD_CERTIFICATE), Gate::Untold(Untold::AuthorityKey)])
            .since(34)],
    },
];
