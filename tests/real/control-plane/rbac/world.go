package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sort"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/union"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/pkg/auth/nodeidentifier"
	rbacregistryvalidation "k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/node"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
	kjson "sigs.k8s.io/json"
)

// world is what the authorizers know: RBAC's objects in the caches that the API server's informers fill, the Node
// authorizer's graph, and bindings in the order of their names.
type world struct {
	roles               cache.Indexer
	roleBindings        cache.Indexer
	clusterRoles        cache.Indexer
	clusterRoleBindings cache.Indexer
	graph               *node.Graph
	sorted              sortedBindings
	resolver            *rbacregistryvalidation.DefaultRuleResolver
	// chain answers from sorted bindings, so that its reasons are the same from run to run.
	chain authorizer.Authorizer
	// served answers from the informers' caches, as the API server does.
	served authorizer.Authorizer
}

// sortedBindings lists bindings by name.
type sortedBindings struct {
	namespaced map[string][]*rbacv1.RoleBinding
	cluster    []*rbacv1.ClusterRoleBinding
}

func (s *sortedBindings) ListRoleBindings(_ context.Context, namespace string) ([]*rbacv1.RoleBinding, error) {
	return s.namespaced[namespace], nil
}

func (s *sortedBindings) ListClusterRoleBindings(context.Context) ([]*rbacv1.ClusterRoleBinding, error) {
	return s.cluster, nil
}

func read[T any](object []byte) (*T, error) {
	out := new(T)
	return out, kjson.UnmarshalCaseSensitivePreserveInts(object, out)
}

func load(objects []json.RawMessage) (*world, error) {
	newIndexer := func() cache.Indexer {
		return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	}
	w := &world{roles: newIndexer(), roleBindings: newIndexer(), clusterRoles: newIndexer(), clusterRoleBindings: newIndexer(), graph: node.NewGraph()}
	for _, object := range objects {
		if err := w.add(object); err != nil {
			return nil, err
		}
	}
	w.aggregate()
	w.sort()
	return w, w.join()
}

func (w *world) add(object []byte) error {
	kind, err := typeOf(object)
	if err != nil {
		return err
	}
	store := func(indexer cache.Indexer, value any, err error) error {
		if err != nil {
			return err
		}
		return indexer.Add(value)
	}
	switch kind.Kind {
	case "Role":
		value, err := read[rbacv1.Role](object)
		return store(w.roles, value, err)
	case "RoleBinding":
		value, err := read[rbacv1.RoleBinding](object)
		return store(w.roleBindings, value, err)
	case "ClusterRole":
		value, err := read[rbacv1.ClusterRole](object)
		return store(w.clusterRoles, value, err)
	case "ClusterRoleBinding":
		value, err := read[rbacv1.ClusterRoleBinding](object)
		return store(w.clusterRoleBindings, value, err)
	default:
		return w.follow(kind.Kind, object)
	}
}

// follow adds an object to the Node authorizer's graph, as its informers' handlers do.
func (w *world) follow(kind string, object []byte) error {
	switch kind {
	case "Pod":
		pod, err := read[corev1.Pod](object)
		if err == nil && pod.Spec.NodeName != "" {
			w.graph.AddPod(pod)
		}
		return err
	case "PersistentVolume":
		volume, err := read[corev1.PersistentVolume](object)
		if err == nil {
			w.graph.AddPV(volume)
		}
		return err
	case "VolumeAttachment":
		attachment, err := read[storagev1.VolumeAttachment](object)
		if err == nil {
			w.graph.AddVolumeAttachment(attachment.Name, attachment.Spec.NodeName)
		}
		return err
	case "ResourceSlice":
		slice, err := read[resourcev1.ResourceSlice](object)
		if err == nil && slice.Spec.NodeName != nil {
			w.graph.AddResourceSlice(slice.Name, *slice.Spec.NodeName)
		}
		return err
	case "PodCertificateRequest":
		request, err := read[certificatesv1.PodCertificateRequest](object)
		if err == nil {
			w.graph.AddPodCertificateRequest(request)
		}
		return err
	case "Namespace", "Node", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim":
		// Neither authorizer reads them.
		return nil
	default:
		return fmt.Errorf("no authorizer reads kind `%s`", kind)
	}
}

// aggregate fills cluster roles that have an aggregation rule, round after round until nothing changes: a slow and obvious
// fixpoint. Roles with a uid were filled by the real controller.
func (w *world) aggregate() {
	all := make([]*rbacv1.ClusterRole, 0)
	for _, stored := range w.clusterRoles.List() {
		all = append(all, stored.(*rbacv1.ClusterRole))
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, role := range all {
		if role.AggregationRule != nil && role.UID == "" {
			role.Rules = nil
		}
	}
	for changed := true; changed; {
		changed = false
		for _, role := range all {
			if role.AggregationRule == nil || role.UID != "" {
				continue
			}
			rules := gathered(role, all)
			changed = changed || len(rules) != len(role.Rules)
			role.Rules = rules
		}
	}
}

func gathered(role *rbacv1.ClusterRole, all []*rbacv1.ClusterRole) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			// The controller gives up on the whole role, and keeps what it has.
			return role.Rules
		}
		for _, source := range all {
			if source.Name == role.Name || !selector.Matches(labels.Set(source.Labels)) {
				continue
			}
			for _, rule := range source.Rules {
				if !holds(rules, rule) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules
}

func holds(rules []rbacv1.PolicyRule, wanted rbacv1.PolicyRule) bool {
	for _, rule := range rules {
		if reflect.DeepEqual(rule, wanted) {
			return true
		}
	}
	return false
}

func (w *world) sort() {
	w.sorted.namespaced = map[string][]*rbacv1.RoleBinding{}
	for _, stored := range w.roleBindings.List() {
		binding := stored.(*rbacv1.RoleBinding)
		w.sorted.namespaced[binding.Namespace] = append(w.sorted.namespaced[binding.Namespace], binding)
	}
	for _, bindings := range w.sorted.namespaced {
		sort.Slice(bindings, func(i, j int) bool { return bindings[i].Name < bindings[j].Name })
	}
	for _, stored := range w.clusterRoleBindings.List() {
		w.sorted.cluster = append(w.sorted.cluster, stored.(*rbacv1.ClusterRoleBinding))
	}
	sort.Slice(w.sorted.cluster, func(i, j int) bool { return w.sorted.cluster[i].Name < w.sorted.cluster[j].Name })
}

// join makes the chains, in the order and under the names of --authorization-mode=Node,RBAC.
func (w *world) join() error {
	roles := &rbac.RoleGetter{Lister: rbaclisters.NewRoleLister(w.roles)}
	clusterRoles := &rbac.ClusterRoleGetter{Lister: rbaclisters.NewClusterRoleLister(w.clusterRoles)}
	w.resolver = rbacregistryvalidation.NewDefaultRuleResolver(roles, &w.sorted, clusterRoles, &w.sorted)
	var err error
	if w.chain, err = w.chainWith(rbac.New(roles, &w.sorted, clusterRoles, &w.sorted)); err != nil {
		return err
	}
	w.served, err = w.chainWith(rbac.New(
		roles,
		&rbac.RoleBindingLister{Lister: rbaclisters.NewRoleBindingLister(w.roleBindings)},
		clusterRoles,
		&rbac.ClusterRoleBindingLister{Lister: rbaclisters.NewClusterRoleBindingLister(w.clusterRoleBindings)},
	))
	return err
}

func (w *world) chainWith(last authorizer.Authorizer) (authorizer.Authorizer, error) {
	return union.New(
		union.NamedAuthorizer{AuthorizerName: "kubernetes.io/system-privileged-group", Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)},
		union.NamedAuthorizer{AuthorizerName: "node", Authorizer: node.NewAuthorizer(w.graph, nodeidentifier.NewDefaultNodeIdentifier(), bootstrappolicy.NodeRules())},
		union.NamedAuthorizer{AuthorizerName: "rbac", Authorizer: last},
	)
}
