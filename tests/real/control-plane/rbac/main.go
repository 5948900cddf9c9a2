// Command rbac answers authorization questions with the authorizers of the pinned Kubernetes release, in process: the
// privileged group, the Node authorizer and RBAC, joined as the API server joins them for --authorization-mode=Node,RBAC.
// Reviews are decoded, converted and validated by the API server's own packages. It never sees a line of our engine.
//
// It reads one JSON line after the other and writes one for each:
//
//	{"world": [objects]}                     replaces all objects; -> {"objects": n}
//	{"spec": SubjectAccessReviewSpec}        -> {"allowed": bool, "reason": "…"} or {"error": "…"}
//	{"spec": …, "every": true}               also "reasons": whatever binding and subject allows it, sorted
//	{"grant": {"user", "groups", "namespace", "rules" | "roleRef"}}
//	                                         the escalation check of a role's rules or of a binding's role, without the verbs
//	                                         escalate and bind; -> {"allowed": bool, "reason": "…"}
//
// An allow names the binding that comes first by name, cluster role bindings before role bindings; the API server itself
// takes whichever its cache hands out first. Objects are the four kinds of RBAC, and those that the Node authorizer follows.
// Aggregated cluster roles are filled as the controller manager fills them, unless they were stored already (have a uid).
//
// With the arguments "bench WORLD QUESTIONS" it times the authorizers instead; see bench.go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"bartizan.test/control-plane/lines"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	authorizationapi "k8s.io/kubernetes/pkg/apis/authorization"
	authorizationconversion "k8s.io/kubernetes/pkg/apis/authorization/v1"
	authorizationvalidation "k8s.io/kubernetes/pkg/apis/authorization/validation"
	authorizationutil "k8s.io/kubernetes/pkg/registry/authorization/util"
	rbacregistryvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
	kjson "sigs.k8s.io/json"
)

// line is one line of input: exactly one of its three questions.
type line struct {
	World []json.RawMessage `json:"world"`
	Spec  json.RawMessage   `json:"spec"`
	Every bool              `json:"every"`
	Grant *grant            `json:"grant"`
}

// grant is a role that a user writes, or a role that a user binds.
type grant struct {
	User      string              `json:"user"`
	Groups    []string            `json:"groups"`
	Namespace string              `json:"namespace"`
	Rules     []rbacv1.PolicyRule `json:"rules"`
	RoleRef   *rbacv1.RoleRef     `json:"roleRef"`
}

type loaded struct {
	Objects int `json:"objects"`
}

type answer struct {
	Allowed         bool     `json:"allowed"`
	Reason          string   `json:"reason"`
	EvaluationError string   `json:"evaluationError,omitempty"`
	Reasons         []string `json:"reasons,omitempty"`
}

type failure struct {
	Error string `json:"error"`
}

// review decodes and validates a spec as the API server does for a SubjectAccessReview.
func review(spec []byte) (authorizer.AttributesRecord, error) {
	var external authorizationv1.SubjectAccessReviewSpec
	if err := kjson.UnmarshalCaseSensitivePreserveInts(spec, &external); err != nil {
		return authorizer.AttributesRecord{}, err
	}
	var internal authorizationapi.SubjectAccessReview
	if err := authorizationconversion.Convert_v1_SubjectAccessReviewSpec_To_authorization_SubjectAccessReviewSpec(&external, &internal.Spec, nil); err != nil {
		return authorizer.AttributesRecord{}, err
	}
	if errs := authorizationvalidation.ValidateSubjectAccessReview(&internal); len(errs) > 0 {
		return authorizer.AttributesRecord{}, errs.ToAggregate()
	}
	return authorizationutil.AuthorizationAttributesFrom(internal.Spec), nil
}

func (w *world) answer(attributes authorizer.AttributesRecord, every bool) answer {
	decision, reason, err := w.chain.Authorize(context.Background(), attributes)
	out := answer{Allowed: decision == authorizer.DecisionAllow, Reason: reason}
	out.EvaluationError = authorizationutil.BuildEvaluationError(err, attributes)
	if every {
		out.Reasons = w.everyReason(attributes)
	}
	return out
}

// everyReason is the reason of each subject through which some rule of RBAC allows the request.
func (w *world) everyReason(attributes authorizer.AttributesRecord) []string {
	found := map[string]bool{}
	w.resolver.VisitRulesFor(context.Background(), attributes.GetUser(), attributes.GetNamespace(), func(source fmt.Stringer, rule *rbacv1.PolicyRule, _ error) bool {
		if rule != nil && rbac.RuleAllows(attributes, rule) {
			found["RBAC: allowed by "+source.String()] = true
		}
		return true
	})
	reasons := make([]string, 0, len(found))
	for reason := range found {
		reasons = append(reasons, reason)
	}
	sort.Strings(reasons)
	return reasons
}

// mayGrant is the check that the API server makes before a role or a binding is written.
func (w *world) mayGrant(g *grant) any {
	ctx := genericapirequest.WithUser(context.Background(), &user.DefaultInfo{Name: g.User, Groups: g.Groups})
	if g.Namespace != "" {
		ctx = genericapirequest.WithNamespace(ctx, g.Namespace)
	}
	rules := g.Rules
	if g.RoleRef != nil {
		var err error
		if rules, err = w.resolver.GetRoleReferenceRules(ctx, *g.RoleRef, g.Namespace); err != nil {
			return answer{Allowed: false, Reason: err.Error()}
		}
	}
	if err := rbacregistryvalidation.ConfirmNoEscalation(ctx, w.resolver, rules); err != nil {
		return answer{Allowed: false, Reason: err.Error()}
	}
	return answer{Allowed: true}
}

// teller answers lines against the world that was loaded last.
type teller struct {
	world *world
}

func (t *teller) tell(text []byte) (out any) {
	defer func() {
		if trouble := recover(); trouble != nil {
			out = failure{Error: fmt.Sprintf("panic: %v", trouble)}
		}
	}()
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return failure{Error: err.Error()}
	}
	switch {
	case l.World != nil:
		loadedWorld, err := load(l.World)
		if err != nil {
			return failure{Error: err.Error()}
		}
		t.world = loadedWorld
		return loaded{Objects: len(l.World)}
	case l.Grant != nil:
		return t.world.mayGrant(l.Grant)
	case l.Spec != nil:
		attributes, err := review(l.Spec)
		if err != nil {
			return failure{Error: err.Error()}
		}
		return t.world.answer(attributes, l.Every)
	default:
		return failure{Error: "neither `world` nor `spec` nor `grant`"}
	}
}

func run(in io.Reader, out io.Writer) error {
	empty, err := load(nil)
	if err != nil {
		return err
	}
	t := teller{world: empty}
	return lines.Answer(in, out, t.tell)
}

func main() {
	var err error
	switch arguments := os.Args[1:]; {
	case len(arguments) == 0:
		err = run(os.Stdin, os.Stdout)
	case len(arguments) == 3 && arguments[0] == "bench":
		err = bench(arguments[1], arguments[2], os.Stdout)
	default:
		err = errors.New("usage: rbac [bench WORLD QUESTIONS]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// typeOf is the kind of an object, which decides how the rest of it is read.
func typeOf(object []byte) (metav1.TypeMeta, error) {
	var kind metav1.TypeMeta
	err := json.Unmarshal(object, &kind)
	return kind, err
}
