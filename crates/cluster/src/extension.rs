//! Which kinds of well-known extensions stand in a namespace: an object of such a kind that names none is put into `default`, as `kubectl
//! apply` does. What no entry knows keeps what is written.

/// A group of the API: all of its kinds are namespaced but these.
type Group = (&'static str, &'static [&'static str]);

/// From the definitions that each project publishes.
const GROUPS: [Group; 16] = [
    ("argoproj.io", &["ClusterAnalysisTemplate", "ClusterWorkflowTemplate"]),
    ("cert-manager.io", &["ClusterIssuer"]),
    (
        "cilium.io",
        &[
            "CiliumBGPAdvertisement",
            "CiliumBGPClusterConfig",
            "CiliumBGPNodeConfig",
            "CiliumBGPNodeConfigOverride",
            "CiliumBGPPeerConfig",
            "CiliumBGPPeeringPolicy",
            "CiliumCIDRGroup",
            "CiliumClusterwideEnvoyConfig",
            "CiliumClusterwideNetworkPolicy",
            "CiliumDatapathPlugin",
            "CiliumEgressGatewayPolicy",
            "CiliumEndpointSlice",
            "CiliumExternalWorkload",
            "CiliumIdentity",
            "CiliumL2AnnouncementPolicy",
            "CiliumLoadBalancerIPPool",
            "CiliumNode",
            "CiliumPodIPPool",
        ],
    ),
    ("external-secrets.io", &["ClusterExternalSecret", "ClusterPushSecret", "ClusterSecretStore"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    ("gateway.networking.x-k8s.io", &["XMesh"]),
    ("k8s.cni.cncf.io", &[]),
    ("k8s.ovn.org", &["AdminPolicyBasedExternalRoute", "ClusterNetworkConnect", "ClusterUserDefinedNetwork", "EgressIP", "RouteAdvertisements"]),
    ("kubevirt.io", &[]),
    ("monitoring.coreos.com", &[]),
    ("networking.istio.io", &[]),
    ("route.openshift.io", &[]),
    ("secrets-store.csi.x-k8s.io", &[]),
    ("security.istio.io", &[]),
    ("source.toolkit.fluxcd.io", &[]),
    ("telemetry.istio.io", &[]),
];

/// Groups most of whose kinds are those of the whole cluster: these are namespaced.
const FEW: [Group; 3] = [
    ("bitnami.com", &["SealedSecret"]),
    ("crd.projectcalico.org", &["NetworkPolicy", "NetworkSet", "StagedKubernetesNetworkPolicy", "StagedNetworkPolicy"]),
    ("projectcalico.org", &["NetworkPolicy", "NetworkSet", "StagedKubernetesNetworkPolicy", "StagedNetworkPolicy"]),
];

/// Whether objects of this kind are known to stand in a namespace.
pub(crate) fn is_namespaced(group: &str, kind: &str) -> bool {
    GROUPS.iter().any(|(name, others)| *name == group && !others.contains(&kind)) || FEW.iter().any(|(name, kinds)| *name == group && kinds.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::is_namespaced;

    #[test]
    fn kinds_of_extensions_stand_in_a_namespace_unless_their_definition_says_otherwise() {
        for (group, kind, is_so) in [
            ("gateway.networking.k8s.io", "HTTPRoute", true),
            ("gateway.networking.k8s.io", "GatewayClass", false),
            ("cilium.io", "CiliumNetworkPolicy", true),
            ("cilium.io", "CiliumClusterwideNetworkPolicy", false),
            ("projectcalico.org", "NetworkPolicy", true),
            ("crd.projectcalico.org", "GlobalNetworkPolicy", false),
            ("example.com", "Gateway", false),
        ] {
            assert_eq!(is_namespaced(group, kind), is_so, "{group} {kind}");
        }
    }
}
