//! `dangling-ingress-backend`: an Ingress sends to a Service, or a port of one, that is not there.

use bartizan_cluster::{Kind, ObjectView, Value, field};
use bartizan_report::{Check, Severity, Stage};

use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "dangling-ingress-backend",
        severity: Severity::Medium,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("dangling_ingress_backend.md"),
    },
    reads: &[Kind::Service],
    judge: Judge::Object(&[Kind::Ingress], judge),
};

fn judge<'a>(ingress: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    let Some(spec) = ingress.spec() else { return out.not_applicable() };
    let of_paths =
        spec.list(field::RULES).filter_map(|rule| rule.get(field::HTTP)).flat_map(|http| http.list(field::PATHS)).filter_map(|path| path.get(field::BACKEND));
    // The default had no `default` in its name before `networking.k8s.io/v1`.
    let of_rest = [field::DEFAULT_BACKEND, field::BACKEND].into_iter().filter_map(|name| spec.get(name));
    let targets: Vec<Target<'a>> = of_rest.chain(of_paths).filter_map(Target::of).collect();
    if targets.is_empty() {
        return out.not_applicable();
    }
    for target in targets {
        let Some(service) = facts.get(Kind::Service, ingress.namespace(), target.service.as_str().unwrap_or("")).read()? else {
            out.fail(target.service, msg!("service", service = target.service.display(), namespace = ingress.namespace().unwrap_or("")));
            continue;
        };
        if let Some(port) = target.port.filter(|port| !offers(service, *port)) {
            out.fail(port, msg!("port", service = service.name(), port = port.display())).related(service, "the Service");
        }
    }
    out.done()
}

/// Where a path leads.
struct Target<'a> {
    service: Value<'a>,
    port: Option<Value<'a>>,
}

impl<'a> Target<'a> {
    fn of(backend: Value<'a>) -> Option<Self> {
        let target = match backend.get(field::SERVICE) {
            Some(service) => Self {
                service: service.get(field::NAME)?,
                port: service.get(field::PORT).and_then(|port| port.get(field::NAME).or_else(|| port.get(field::NUMBER))),
            },
            None => Self { service: backend.get(field::SERVICE_NAME)?, port: backend.get(field::SERVICE_PORT) },
        };
        // A load balancer of AWS reads an annotation of that name instead of a Service.
        let is_annotation = target.port.is_some_and(|port| port.as_str() == Some("use-annotation"));
        (!is_annotation).then_some(target)
    }
}

/// Whether `service` has the port, by name or number. One that stands for an outside name takes any.
fn offers(service: ObjectView<'_>, port: Value<'_>) -> bool {
    let Some(spec) = service.spec() else { return false };
    if spec.str(field::TYPE) == Some("ExternalName") {
        return true;
    }
    spec.list(field::PORTS).any(|offered| match port.as_str() {
        Some(name) => offered.str(field::NAME) == Some(name),
        None => offered.int(field::PORT) == port.as_i64(),
    })
}
