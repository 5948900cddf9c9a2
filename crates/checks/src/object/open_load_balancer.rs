//! `open-load-balancer`: a load balancer answers every address of the internet.

use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "open-load-balancer",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("open_load_balancer.md"),
    },
    reads: &[],
    judge: Judge::Object(&[Kind::Service], judge),
};

fn judge<'a>(service: ObjectView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(spec) = service.spec().filter(|spec| spec.str(field::TYPE) == Some("LoadBalancer")) else { return out.not_applicable() };
    if is_internal(service, spec) || is_guarded_elsewhere(service) {
        return out.not_applicable();
    }
    let ranges: Vec<Value<'a>> = spec.list(field::LOAD_BALANCER_SOURCE_RANGES).collect();
    for range in ranges.iter().filter(|range| range.as_str().is_some_and(is_everything)) {
        out.fail(*range, msg!("everything", range = range.display()));
    }
    // The field is asked first; the annotations count where it is empty.
    if ranges.is_empty() {
        let annotated = RANGE_ANNOTATIONS.iter().find_map(|key| service.annotations()?.entry(key));
        let written = annotated.and_then(|value| Some((value, value.as_str()?))).filter(|(_, text)| !text.trim().is_empty());
        if let Some((value, text)) = written {
            for range in text.split(',').map(str::trim).filter(|range| is_everything(range)) {
                out.fail(value, msg!("everything", range = range));
            }
        } else {
            out.fail(spec.spot(&[field::LOAD_BALANCER_SOURCE_RANGES]), msg!("unlimited"));
        }
    }
    out.done()
}

/// Ranges as annotations: the name from before the field, and that of Azure.
const RANGE_ANNOTATIONS: [&str; 2] = ["service.beta.kubernetes.io/load-balancer-source-ranges", "service.beta.kubernetes.io/azure-allowed-ip-ranges"];

/// A range that leaves nobody out, in either family of addresses.
fn is_everything(range: &str) -> bool {
    range.trim().rsplit_once('/').is_some_and(|(_, length)| length.bytes().all(|digit| digit == b'0') && !length.is_empty())
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

fn is_internal(service: ObjectView<'_>, spec: Value<'_>) -> bool {
    let asked = INTERNAL.iter().any(|&(key, wanted)| {
        let value = service.annotation(key).unwrap_or("");
        if wanted == "*" { !matches!(value, "" | "false") } else { value.eq_ignore_ascii_case(wanted) }
    });
    asked || is_internal_by_controller(service, spec) || spec.str(field::LOAD_BALANCER_IP).is_some_and(is_private)
}

/// The AWS Load Balancer Controller takes a Service over by its class or type, and then stays inside unless it is told.
fn is_internal_by_controller(service: ObjectView<'_>, spec: Value<'_>) -> bool {
    let takes_over = spec.str(field::LOAD_BALANCER_CLASS) == Some("service.k8s.aws/nlb")
        || matches!(service.annotation("service.beta.kubernetes.io/aws-load-balancer-type"), Some("external" | "nlb-ip"));
    takes_over && service.annotation("service.beta.kubernetes.io/aws-load-balancer-scheme") != Some("internet-facing")
}

/// Whether somebody else's list decides who may connect, which is not to be seen here.
fn is_guarded_elsewhere(service: ObjectView<'_>) -> bool {
    let lists = [
        "service.beta.kubernetes.io/aws-load-balancer-security-groups",
        "service.beta.kubernetes.io/azure-allowed-service-tags",
        "service.beta.kubernetes.io/do-loadbalancer-allow-rules",
    ];
    lists.iter().any(|key| service.annotation(key).is_some_and(|value| !value.trim().is_empty()))
}

fn is_private(address: &str) -> bool {
    match address.trim().parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Ok(std::net::IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        Err(_) => false,
    }
}
