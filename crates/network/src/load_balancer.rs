//! What a Service asks the load balancers of clouds for: an address of the private network, and ranges of addresses that may come.

use bartizan_cluster::{ObjectView, Value, field};

/// Ranges as annotations: the name from before the field, and that of Azure.
const RANGE_ANNOTATIONS: [&str; 2] = ["service.beta.kubernetes.io/load-balancer-source-ranges", "service.beta.kubernetes.io/azure-allowed-ip-ranges"];

/// The ranges of addresses that may come, where an annotation says so: the place and the text.
pub fn annotated_ranges(service: ObjectView<'_>) -> Option<(Value<'_>, &str)> {
    let annotated = RANGE_ANNOTATIONS.iter().find_map(|key| service.annotations()?.entry(key));
    annotated.and_then(|value| Some((value, value.as_str()?))).filter(|(_, text)| !text.trim().is_empty())
}

/// How the clouds are asked for an address inside: the annotation, and the value that says so; `*` for any.
const INTERNAL: [(&str, &str); 18] = [
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "*"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("networking.gke.io/load-balancer-type", "internal"),
    ("cloud.google.com/load-balancer-type", "internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", "true"),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", "private"),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"),
    ("service.beta.kubernetes.io/alicloud-loadbalancer-address-type", "intranet"),
    ("service.kubernetes.io/qcloud-loadbalancer-internal-subnetid", "*"),
    ("service.beta.kubernetes.io/cce-load-balancer-internal-vpc", "true"),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
    ("oci-network-load-balancer.oraclecloud.com/internal", "true"),
    ("service.beta.kubernetes.io/do-loadbalancer-network", "internal"),
    ("service.beta.kubernetes.io/scw-loadbalancer-private", "true"),
    ("load-balancer.hetzner.cloud/disable-public-network", "true"),
    ("yandex.cloud/load-balancer-type", "internal"),
    ("service.beta.kubernetes.io/nutanix-load-balancer-internal", "true"),
];

/// Whether the load balancer of a Service is asked to be for the private network only.
pub fn is_internal(service: ObjectView<'_>) -> bool {
    let asked = INTERNAL.iter().any(|&(key, wanted)| {
        let value = service.annotation(key).unwrap_or("");
        if wanted == "*" { !matches!(value, "" | "false") } else { value.eq_ignore_ascii_case(wanted) }
    });
    asked || service.spec().is_some_and(|spec| is_internal_by_controller(service, spec) || spec.str(field::LOAD_BALANCER_IP).is_some_and(is_private))
}

/// The AWS Load Balancer Controller takes a Service over by its class or type, and then stays inside unless it is told.
fn is_internal_by_controller(service: ObjectView<'_>, spec: Value<'_>) -> bool {
    let takes_over = spec.str(field::LOAD_BALANCER_CLASS) == Some("service.k8s.aws/nlb")
        || matches!(service.annotation("service.beta.kubernetes.io/aws-load-balancer-type"), Some("external" | "nlb-ip"));
    takes_over && service.annotation("service.beta.kubernetes.io/aws-load-balancer-scheme") != Some("internet-facing")
}

fn is_private(address: &str) -> bool {
    match address.trim().parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Ok(std::net::IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        Err(_) => false,
    }
}
