//! A large and ordinary cluster: what a company's platform looks like after some years, for measuring.

use serde_json::{Value, json};

use super::{RBAC, RBAC_V1};
use crate::random::Random;

const VERB_SETS: [&[&str]; 4] = [&["get", "list", "watch"], &["get"], &["create", "update", "patch", "delete"], &["*"]];
const API_GROUPS: [&str; 5] = ["", "apps", "batch", "networking.k8s.io", "example.com"];
const RESOURCES: [&str; 12] =
    ["pods", "pods/exec", "pods/log", "secrets", "configmaps", "services", "deployments", "deployments/scale", "jobs", "ingresses", "widgets", "events"];

/// Every twentieth of the roles and every tenth of the bindings are of the whole cluster.
const ROLES: usize = 5_000;
const BINDINGS: usize = 20_000;
const ACCOUNTS: usize = 10_000;
const NAMESPACES: usize = 500;
/// Bindings of the ServiceAccount with many.
const CROWD: usize = 5_000;

/// 20,000 bindings, 5,000 roles and 10,000 service accounts in 500 namespaces, and questions of those who live there.
#[derive(Debug)]
pub struct Estate {
    objects: Vec<Value>,
}

impl Estate {
    /// The estate of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::of(seed);
        let mut objects = Vec::with_capacity(NAMESPACES + ROLES + BINDINGS + ACCOUNTS);
        objects.extend((0..NAMESPACES).map(|number| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(number)}})));
        objects.extend((0..ACCOUNTS).map(|number| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": format!("app-{number}"), "namespace": namespace(number % NAMESPACES)}})
        }));
        objects.extend((0..ROLES).map(|number| role(number, &mut random)));
        objects.extend((0..BINDINGS).map(|number| binding(number, &mut random)));
        Self { objects }
    }

    /// One ServiceAccount that 5,000 bindings name, half of them in its namespace, each with a role of its own.
    pub fn crowd(seed: u64) -> Self {
        let mut random = Random::of(seed ^ 0xc40d);
        let mut objects = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(0)}})];
        for number in 0..CROWD {
            // Of the whole cluster, so that a binding of either kind can refer to it.
            let mut role = role(20 * number, &mut random);
            if random.percent(60) {
                role["rules"][0]["resourceNames"] = json!([format!("app-{}", random.below(ACCOUNTS))]);
            }
            let mut metadata = json!({"name": format!("binding-{number}")});
            if number.is_multiple_of(2) {
                metadata["namespace"] = json!(namespace(0));
            }
            objects.push(json!({
                "apiVersion": RBAC_V1, "kind": if number.is_multiple_of(2) { "RoleBinding" } else { "ClusterRoleBinding" }, "metadata": metadata,
                "subjects": [{"kind": "ServiceAccount", "name": "app-0", "namespace": namespace(0)}],
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role["metadata"]["name"]},
            }));
            objects.push(role);
        }
        Self { objects }
    }

    /// Questions of that ServiceAccount.
    pub fn questions_of_crowd(&self, seed: u64, count: usize) -> Vec<Value> {
        let mut random = Random::of(seed ^ 0xc40d_0000_0000_0000);
        let account = format!("system:serviceaccount:{}:app-0", namespace(0));
        (0..count)
            .map(|_| {
                let mut spec = question(&mut random);
                spec["user"] = json!(account);
                // Verbs and groups that few of its rules have; a rule of stars would answer everything at once.
                spec["resourceAttributes"]["group"] = json!(random.one_of(&["", "apps", "batch", "other.example.com"]));
                spec["resourceAttributes"]["namespace"] = json!(namespace(random.below(2)));
                spec
            })
            .collect()
    }

    /// The objects, namespaces first.
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// Specs of access reviews: service accounts at work in their namespace, people of teams, and a few in the wrong place.
    pub fn questions(&self, seed: u64, count: usize) -> Vec<Value> {
        let mut random = Random::of(seed ^ 0x5eed_0000_0000_0000);
        (0..count).map(|_| question(&mut random)).collect()
    }
}

fn namespace(number: usize) -> String {
    format!("team-{number}")
}

fn is_of_cluster(role: usize) -> bool {
    role.is_multiple_of(20)
}

fn role(number: usize, random: &mut Random) -> Value {
    let rules: Vec<Value> = (0..=random.below(5))
        .map(|_| {
            let mut rule =
                json!({"apiGroups": random.some_of(&API_GROUPS, 1, 2), "resources": random.some_of(&RESOURCES, 1, 4), "verbs": random.one_of(&VERB_SETS)});
            if random.percent(10) {
                rule["resourceNames"] = json!([format!("app-{}", random.below(ACCOUNTS))]);
            }
            rule
        })
        .collect();
    let mut metadata = json!({"name": format!("role-{number}")});
    if !is_of_cluster(number) {
        metadata["namespace"] = json!(namespace(number % NAMESPACES));
    }
    let kind = if is_of_cluster(number) { "ClusterRole" } else { "Role" };
    json!({"apiVersion": RBAC_V1, "kind": kind, "metadata": metadata, "rules": rules})
}

fn binding(number: usize, random: &mut Random) -> Value {
    let own = number % NAMESPACES;
    let subjects: Vec<Value> = (0..=random.below(3))
        .map(|_| match random.below(10) {
            0 => json!({"kind": "User", "apiGroup": RBAC, "name": format!("user-{}@example.com", random.below(3_000))}),
            1..=3 => json!({"kind": "Group", "apiGroup": RBAC, "name": format!("oidc:group-{}", random.below(800))}),
            _ => json!({"kind": "ServiceAccount", "name": format!("app-{}", own + NAMESPACES * random.below(ACCOUNTS / NAMESPACES)), "namespace": namespace(own)}),
        })
        .collect();
    let is_cluster = number.is_multiple_of(10);
    // A role of the same namespace, or one of the cluster.
    let in_cluster = is_cluster || random.percent(40);
    let role = if in_cluster { 20 * random.below(ROLES / 20) } else { own + NAMESPACES * random.below(ROLES / NAMESPACES) };
    let kind = if is_of_cluster(role) { "ClusterRole" } else { "Role" };
    let mut metadata = json!({"name": format!("binding-{number}")});
    if !is_cluster {
        metadata["namespace"] = json!(namespace(own));
    }
    let binding = if is_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
    json!({
        "apiVersion": RBAC_V1, "kind": binding, "metadata": metadata, "subjects": subjects,
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": format!("role-{role}")},
    })
}

fn question(random: &mut Random) -> Value {
    let number = random.below(ACCOUNTS);
    let own = namespace(number % NAMESPACES);
    let (user, groups) = if random.percent(70) {
        let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{own}"), "system:authenticated".to_owned()];
        (format!("system:serviceaccount:{own}:app-{number}"), groups)
    } else {
        let groups = vec![format!("oidc:group-{}", random.below(800)), format!("oidc:group-{}", random.below(800)), "system:authenticated".to_owned()];
        (format!("user-{}@example.com", random.below(3_000)), groups)
    };
    let place = if random.percent(80) { own } else { namespace(random.below(NAMESPACES)) };
    let (resource, subresource) = random.one_of(&RESOURCES).split_once('/').unwrap_or((random.one_of(&["pods", "secrets", "configmaps", "deployments"]), ""));
    let mut attributes = json!({
        "namespace": place, "verb": random.one_of(&["get", "list", "watch", "create", "update", "patch", "delete"]),
        "group": random.one_of(&API_GROUPS), "resource": resource,
    });
    if !subresource.is_empty() {
        attributes["subresource"] = json!(subresource);
    }
    if random.percent(50) {
        attributes["name"] = json!(format!("app-{}", random.below(ACCOUNTS)));
    }
    json!({"user": user, "groups": groups, "resourceAttributes": attributes})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estate_is_as_large_as_it_says() {
        let estate = Estate::draw(1);
        let count = |kinds: &[&str]| estate.objects().iter().filter(|object| kinds.contains(&object["kind"].as_str().unwrap())).count();
        assert_eq!(count(&["RoleBinding", "ClusterRoleBinding"]), 20_000);
        assert_eq!(count(&["Role", "ClusterRole"]), 5_000);
        assert_eq!(count(&["ServiceAccount"]), 10_000);
        assert_eq!(estate.questions(1, 10).len(), 10);
    }
}
