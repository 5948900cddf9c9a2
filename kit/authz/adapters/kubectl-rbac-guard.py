"""Asks kubectl-rbac-guard the questions of the kit.

    cargo xtask kit authz -- VENV/bin/python kit/authz/adapters/kubectl-rbac-guard.py WORLD QUESTIONS

kubectl-rbac-guard has no command for one question, so its model is asked from within: `RBACSnapshot` of what
`resolve_aggregation` makes of the objects, once for the user and once for each group. It knows no paths and refuses no
review; what it lets through or not is what is reported. Roles that are stored with `rules: null` end it with a TypeError, so
nulls are left out. The permissions of a subject are kept between questions, which only saves time.
"""

import json
import sys

from rbac_guard.collector import resolve_aggregation
from rbac_guard.model import Permission
from rbac_guard.rbac import RBACSnapshot


def permission(attributes):
    resource = attributes.get("resource", "")
    if attributes.get("subresource"):
        resource += "/" + attributes["subresource"]
    return Permission(
        attributes.get("verb", ""), resource, attributes.get("group", ""), attributes.get("namespace") or None, attributes.get("name") or None
    )


def without_nulls(item):
    return {key: value for key, value in item.items() if value is not None}


def main(world, questions):
    with open(world, encoding="utf-8") as file:
        snapshot = RBACSnapshot(resolve_aggregation(map(without_nulls, json.load(file)["items"])))
    known = {}

    def held(subject):
        if subject not in known:
            known[subject] = snapshot.effective_permissions(subject)
        return known[subject]

    with open(questions, encoding="utf-8") as file:
        for line in file:
            spec = json.loads(line)["spec"]
            try:
                attributes = spec.get("resourceAttributes")
                if attributes is None:
                    print('{"error": "it knows no paths"}')
                    continue
                wanted = permission(attributes)
                subjects = [spec.get("user", "")] + list(spec.get("groups") or [])
                allowed = any(grant.matches(wanted) for subject in subjects for grant in held(subject))
                print(json.dumps({"allowed": allowed}))
            except (AttributeError, TypeError) as error:
                print(json.dumps({"error": str(error)}))


main(*sys.argv[1:3])
