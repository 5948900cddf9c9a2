//! What is read as a need: what configurations name, who comes through which way, and what was observed.

use bartizan_network::{Gap, Model, Network, Observation, Request, Synthesis, flow};

use crate::generate::{made, web_and_db};
use crate::world::{check, namespace, snapshot};

fn observed(text: &str, lines: &str, request: &Request<'_>) -> Synthesis {
    let flows = flow::read(lines);
    assert_eq!(flows.problems, []);
    let observations = [Observation { file: "flows.jsonl", flows: &flows }];
    made(&snapshot(text), &Request { observed: &observations, ..request.clone() })
}

#[test]
fn what_was_observed_is_allowed_with_all_bits_of_its_addresses_and_both_transports() {
    let lines = "{\"from\":\"a/web\",\"to\":\"a/db\",\"port\":53}\n{\"from\":\"a/web\",\"to\":\"a/db\",\"port\":53,\"protocol\":\"UDP\"}\n{\"from\":\"10.1.0.1\",\"to\":\"2001:db8::7\",\"port\":443}\n{\"from\":\"192.0.2.9\",\"to\":\"10.1.0.1\",\"port\":8080}\n";
    let synthesis = observed(&web_and_db(), lines, &Request::default());
    assert!(synthesis.text.contains("cidr: \"2001:db8::7/128\"") && synthesis.text.contains("cidr: \"192.0.2.9/32\""), "{}", synthesis.text);
    let secured = snapshot(&(web_and_db() + &synthesis.text));
    check(
        &Network::resolve(&secured, Model::Kubernetes),
        "
        a/web a/db 53 yes
        a/web a/db UDP 53 yes
        a/db a/web 53 no
        a/web 2001:db8::7 443 yes
        a/web 2001:db8::8 443 no
        192.0.2.9 a/web 8080 yes
        192.0.2.8 a/web 8080 no
        a/idle a/db 53 no
        ",
    );
    assert!(synthesis.gaps.contains(&Gap::Silent("a/Pod/idle".to_owned())));
}

#[test]
fn addresses_of_services_lead_to_their_pods() {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: a}\nspec: {clusterIP: 10.96.0.9, selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}\n";
    let synthesis = observed(&(web_and_db() + service), "{\"from\":\"10.1.0.1\",\"to\":\"10.96.0.9\",\"port\":80}\n", &Request::default());
    let told: Vec<String> = synthesis
        .needs
        .iter()
        .filter(|need| need.to != "kube-system/Pod/cluster-dns")
        .map(|need| format!("{} {} {}", need.from, need.to, need.traffic))
        .collect();
    assert_eq!(told, ["a/Pod/web a/Pod/db TCP 5432"]);
}

#[test]
fn jobs_of_which_nothing_was_observed_are_named() {
    let job = "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly, namespace: a}\nspec: {schedule: '0 1 * * *', jobTemplate: {spec: {template: {metadata: {labels: {app: nightly}}, spec: {containers: [{name: c, image: i}]}}}}}\n";
    let synthesis = observed(&(web_and_db() + job), "{\"from\":\"a/web\",\"to\":\"a/db\",\"port\":53}\n", &Request::default());
    assert!(synthesis.gaps.contains(&Gap::Occasional("a/CronJob/nightly".to_owned())), "{:?}", synthesis.gaps);
}

#[test]
fn an_end_that_is_nothing_of_the_input_is_told() {
    let flows = flow::read("{\"from\":\"a/web\",\"to\":\"b/gone\",\"port\":53}\n");
    let observations = [Observation { file: "f", flows: &flows }];
    let synthesis = made(&snapshot(&web_and_db()), &Request { observed: &observations, ..Request::default() });
    assert!(synthesis.gaps.contains(&Gap::Stranger("a/web -> b/gone TCP 53 (f:1)".to_owned())), "{:?}", synthesis.gaps);
}

/// Two namespaces with a database, a cache of three replicas and a web server, which is configured as given.
fn configured(variables: &str, more: &str) -> String {
    let labelled = |kind: &str, name: &str, spec: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: a}}\nspec: {{{spec}selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: i, ports: [{{name: main, containerPort: 5432}}]}}]}}}}}}\n"
        )
    };
    let service = |name: &str, app: &str, rest: &str| {
        format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a}}\nspec: {{selector: {{app: {app}}}, {rest}}}\n")
    };
    namespace("a", "")
        + &namespace("b", "")
        + &labelled("Deployment", "db", "")
        + &labelled("StatefulSet", "cache", "serviceName: cache, replicas: 3, ")
        + &service("db", "db", "ports: [{name: pg, port: 80, targetPort: main}]")
        + &service("db-both", "db", "ports: [{name: pg, port: 80, targetPort: main}, {name: stats, port: 81, targetPort: 9000, protocol: UDP}]")
        + &service("cache", "cache", "clusterIP: None, ports: [{name: main, port: 7000, targetPort: main}]")
        + &service("gone", "nobody", "ports: [{port: 80}]")
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: alias, namespace: b}\nspec: {type: ExternalName, externalName: db.a.svc.cluster.local}\n"
        + "---\napiVersion: v1\nkind: Service\nmetadata: {name: far, namespace: b}\nspec: {type: ExternalName, externalName: far.example.net}\n"
        + &format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: b}}\nspec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c, image: i, {variables}}}]}}}}}}\n"
        )
        + more
}

fn found(text: &str, request: &Request<'_>) -> (Vec<String>, Vec<Gap>) {
    let snapshot = snapshot(text);
    assert_eq!(snapshot.problems(), []);
    let synthesis = made(&snapshot, request);
    let needs = synthesis.needs.iter().filter(|need| need.to != "kube-system/Pod/cluster-dns" && need.from != need.to);
    let gaps = synthesis.gaps.iter().filter(|gap| !matches!(gap, Gap::Silent(_) | Gap::AnyHost { .. })).cloned();
    (needs.map(|need| format!("{} {} {}", need.from, need.to, need.traffic)).collect(), gaps.collect())
}

#[test]
fn what_variables_and_arguments_name_is_needed_where_it_leads() {
    let (web, db, cache) = ("b/Deployment/web", "a/Deployment/db", "a/StatefulSet/cache");
    for (variables, target) in [
        ("env: [{name: X, value: 'http://db.a'}]", format!("{db} TCP 5432")),
        ("env: [{name: X, value: 'db.a.svc:80'}]", format!("{db} TCP 5432")),
        ("env: [{name: DB_HOST, value: db.a.svc.cluster.local}, {name: DB_PORT, value: '80'}]", format!("{db} TCP 5432")),
        ("env: [{name: DB_HOST, value: db-both.a}]", format!("{db} TCP 5432,UDP 9000")),
        ("env: [{name: X, value: 'udp://db-both.a:81'}]", format!("{db} UDP 9000")),
        ("env: [{name: H, value: db.a}, {name: X, value: 'tcp://$(H):80/$(NOBODY)'}]", format!("{db} TCP 5432")),
        ("env: [{name: X, value: 'alias:80'}, {name: Z, value: 'http://alias.b.svc'}]", format!("{db} TCP 5432")),
        ("args: ['--db-host', 'db.a']", format!("{db} TCP 5432")),
        ("command: [sh, -c, 'until nc -z db.a.svc 80; do sleep 1; done']", format!("{db} TCP 5432")),
        // Without translation a port means itself.
        ("env: [{name: X, value: 'redis://cache.a.svc:6379'}]", format!("{cache} TCP 6379")),
        ("env: [{name: CACHE_ADDR, value: cache.a.svc}]", format!("{cache} TCP 5432")),
        ("env: [{name: X, value: 'cache-0.cache.a.svc.cluster.local:5432'}]", format!("{cache} TCP 5432")),
        ("env: [{name: X, value: 'https://far'}]", "far.example.net TCP 443".to_owned()),
        ("env: [{name: X, value: 'https://[2001:db8::7]/x'}]", "2001:db8::7/128 TCP 443".to_owned()),
    ] {
        let (needs, gaps) = found(&configured(variables, ""), &Request::default());
        assert_eq!(needs, [format!("{web} {target}")], "{variables}: {gaps:?}");
        assert!(gaps.is_empty(), "{variables}: {gaps:?}");
    }
    for variables in [
        "env: [{name: DB_USER, value: db}]",
        "env: [{name: X, value: 'db:99'}]",
        "env: [{name: LISTEN_ADDR, value: '0.0.0.0:80'}]",
        "args: ['localhost:80', '127.0.0.1:80']",
    ] {
        assert_eq!(found(&configured(variables, ""), &Request::default()), (Vec::new(), Vec::new()), "{variables}");
    }
}

#[test]
fn what_is_named_and_not_there_is_told() {
    let web = || "b/Deployment/web".to_owned();
    let missing = |service: &str, reason| Gap::NoService { workload: web(), service: service.to_owned(), reason };
    for (variables, gap) in [
        ("env: [{name: X, value: 'db.c.svc:80'}]", missing("db.c.svc", "is not in the input")),
        ("env: [{name: X, value: 'db.a.svc:99'}]", missing("db.a.svc", "has no such port")),
        ("env: [{name: X, value: 'gone.a.svc:80'}]", missing("gone.a.svc", "has no endpoints in the input")),
        ("env: [{name: X_HOST, value: far}]", Gap::NoPort { workload: web(), host: "far.example.net".to_owned() }),
        ("env: [{name: X, value: 'https://kubernetes.default.svc'}]", Gap::ApiServer(web())),
    ] {
        assert_eq!(found(&configured(variables, ""), &Request::default()), (Vec::new(), vec![gap]), "{variables}");
    }
}

#[test]
fn mounted_files_and_whole_maps_are_read_with_their_lines() {
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: b}\ndata:\n  unused: |\n    url: http://cache.a.svc\n  app.yaml: |\n    # http://cache.a.svc\n    database:\n      url: postgres://u:p@db.a.svc:80/x\n";
    let mounted = configured("tty: false", map).replace(
        "containers: [{name: c, image: i, tty: false}]",
        "volumes: [{name: v, projected: {sources: [{configMap: {name: web, items: [{key: app.yaml, path: x}]}}]}}], containers: [{name: c, image: i}]",
    );
    let synthesis = made(&snapshot(&mounted), &Request::default());
    assert!(synthesis.text.contains("# ConfigMap web app.yaml, line 3: db.a.svc (world.yaml:"), "{}", synthesis.text);
    assert!(!synthesis.text.contains("cache.a.svc"), "neither comments nor entries that are not mounted count");
    let whole = configured("envFrom: [{prefix: P_, configMapRef: {name: web}}]", map);
    assert_eq!(found(&whole, &Request::default()).0.len(), 2);
}

#[test]
fn replicas_of_a_stateful_set_find_each_other() {
    let synthesis = made(&snapshot(&configured("tty: false", "")), &Request::default());
    let own: Vec<String> = synthesis
        .needs
        .iter()
        .filter(|need| need.from == need.to && need.from.starts_with("a/"))
        .map(|need| format!("{} {}", need.from, need.traffic))
        .collect();
    assert_eq!(own, ["a/StatefulSet/cache TCP 5432"]);
}

#[test]
fn routes_come_from_the_pods_that_serve_them_or_from_any() {
    let route = "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: in, namespace: a}\nspec: {ingressClassName: own, rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: db, port: {number: 80}}}}]}}]}\n";
    let text = configured("tty: false", route);
    let (needs, gaps) = found(&text, &Request::default());
    assert_eq!((needs, gaps), (vec!["any pod a/Deployment/db TCP 5432".to_owned()], vec![Gap::Controller(vec!["Ingress a/in".to_owned()])]));
    let (needs, gaps) = found(&text, &Request { controllers: vec!["b/Deployment/web".to_owned()], ..Request::default() });
    assert_eq!((needs, gaps), (vec!["b/Deployment/web a/Deployment/db TCP 5432".to_owned()], vec![]));
    let known = text.replace("image: i, tty: false", "image: 'registry.example.com:5000/library/traefik:v3@sha256:0', args: ['--ingressclass=own']");
    assert_eq!(found(&known, &Request::default()).0, ["b/Deployment/web a/Deployment/db TCP 5432"]);
}

#[test]
fn webhooks_are_called_by_the_api_server() {
    let hook = "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: hook}\nwebhooks: [{name: a.b.c, clientConfig: {service: {name: db, namespace: a, port: 80}}, sideEffects: None, admissionReviewVersions: [v1]}]\n";
    let text = configured("tty: false", hook);
    let (needs, gaps) = found(&text, &Request::default());
    assert_eq!(needs, ["0.0.0.0/0, ::/0 a/Deployment/db TCP 5432"]);
    assert!(matches!(gaps.as_slice(), [Gap::Caller { .. }]), "{gaps:?}");
    let known = found(&text, &Request { api_server: vec!["192.0.2.0/28".parse().unwrap()], ..Request::default() });
    assert_eq!(known, (vec!["192.0.2.0/28 a/Deployment/db TCP 5432".to_owned()], vec![]));
}
