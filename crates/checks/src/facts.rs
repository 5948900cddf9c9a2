//! What a judge may know: the snapshot, behind a door that lets through only what the entry declares.

use std::collections::HashMap;
use std::sync::OnceLock;

use bartizan_authz::login::{Inventory, Mechanism};
use bartizan_authz::{Authz, ESCALATION_READS, Escalation, GrantView, Options, Origin, Provision};
use bartizan_cluster::access::User;
use bartizan_cluster::component::ComponentView;
use bartizan_cluster::component_file::{ComponentFiles, Configured};
use bartizan_cluster::embedded::Embedded;
use bartizan_cluster::node_file::NodeFiles;
use bartizan_cluster::snapshot::Provenance;
use bartizan_cluster::{Fact, Kind, KubernetesVersion, Missing, ObjectId, ObjectRef, ObjectView, PodView, Reason, Snapshot, Value, Workload};
use bartizan_network::certificate::{Certificates, gateway_gap};
use bartizan_network::{Cni, Model, Network, PolicyStanding, Standing, is_policy};

use crate::grant::PolicyIndex;
use crate::sink::{Msg, Sink};

/// The kinds that run pods: what an entry means when it declares [`Kind::Pod`].
pub const WORKLOAD_KINDS: [Kind; 8] =
    [Kind::Pod, Kind::Deployment, Kind::ReplicaSet, Kind::StatefulSet, Kind::DaemonSet, Kind::Job, Kind::CronJob, Kind::ReplicationController];

/// The kinds that bind roles to subjects.
const BINDINGS: [Kind; 2] = [Kind::RoleBinding, Kind::ClusterRoleBinding];

/// The kinds of which the authorizers are made.
pub(crate) const POLICY: [Kind; 4] = [Kind::Role, Kind::ClusterRole, Kind::RoleBinding, Kind::ClusterRoleBinding];

/// The kinds of which the network is made.
pub(crate) const NETWORK: [Kind; 8] =
    [Kind::Namespace, Kind::Node, Kind::Pod, Kind::Service, Kind::Endpoints, Kind::EndpointSlice, Kind::Ingress, Kind::NetworkPolicy];
/// What the engine of escalations reads: the policy and what its gates look at.
pub(crate) const ESCALATIONS: [Kind; POLICY.len() + ESCALATION_READS.len()] = joined(&POLICY, ESCALATION_READS);

/// Two lists of kinds as one.
pub(crate) const fn joined<const N: usize>(mut one: &[Kind], mut two: &[Kind]) -> [Kind; N] {
    let mut all = [Kind::Other; N];
    let mut rest: &mut [Kind] = &mut all;
    while let Some((slot, behind)) = rest.split_first_mut() {
        if let Some((kind, others)) = one.split_first() {
            (*slot, one) = (*kind, others);
        } else if let Some((kind, others)) = two.split_first() {
            (*slot, two) = (*kind, others);
        }
        rest = behind;
    }
    all
}

/// Indexes over a snapshot that all judges share.
#[derive(Debug)]
pub struct Ground<'a> {
    pub(crate) snapshot: &'a Snapshot,
    files: ComponentFiles<'a>,
    pub(crate) workloads: Vec<Workload<'a>>,
    by_namespace: HashMap<&'a str, Vec<usize>>,
    /// Objects that a later one of the same name takes the place of.
    overridden: HashMap<ObjectId, ObjectView<'a>>,
    /// Who may do what, and who can become whom; found when a judge asks.
    authz: OnceLock<Authz<'a>>,
    escalations: OnceLock<Vec<Escalation<'a>>>,
    /// What enforces policies, if the user says it.
    cni: Option<Cni>,
    /// How workloads stand in the network, sorted by namespace, kind and name, and how policies do, sorted by number; found when a judge
    /// asks.
    standings: OnceLock<(Vec<Standing<'a>>, Vec<PolicyStanding<'a>>)>,
    certificates: OnceLock<Certificates>,
    grants: OnceLock<PolicyIndex>,
    /// Who can log in; found when a judge asks.
    logins: OnceLock<Inventory>,
}

impl<'a> Ground<'a> {
    /// Prepares a snapshot for judgement, and with it the files of nodes and the configurations in its ConfigMaps.
    pub fn with(snapshot: &'a Snapshot, files: &'a NodeFiles, embedded: &'a [Embedded]) -> Self {
        let files = ComponentFiles { snapshot, files, embedded };
        let workloads = snapshot.workloads();
        let mut by_namespace: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, workload) in workloads.iter().enumerate() {
            if let Some(variant) = workload.variants.first() {
                by_namespace.entry(variant.pod.namespace()).or_default().push(at);
            }
        }
        let overridden = snapshot.duplicates().map(|(earlier, later)| (earlier.id(), later)).collect();
        Self {
            snapshot,
            files,
            workloads,
            by_namespace,
            overridden,
            authz: OnceLock::new(),
            escalations: OnceLock::new(),
            cni: None,
            standings: OnceLock::new(),
            certificates: OnceLock::new(),
            grants: OnceLock::new(),
            logins: OnceLock::new(),
        }
    }

    /// What enforces policies for the traffic of pods, where the user says it.
    pub(crate) fn enforced_by(self, cni: Option<Cni>) -> Self {
        Self { cni, ..self }
    }

    /// What is taken for granted about who may do what, if anybody asked that.
    pub(crate) fn assumptions(&self) -> Vec<String> {
        self.authz.get().map(|authz| authz.assumptions().to_vec()).unwrap_or_default()
    }
}

/// The facts that one judge may read.
#[derive(Debug)]
pub struct Facts<'a> {
    ground: &'a Ground<'a>,
    check: &'static str,
    declared: &'static [Kind],
}

impl<'a> Facts<'a> {
    pub(crate) fn new(ground: &'a Ground<'a>, check: &'static str, declared: &'static [Kind]) -> Self {
        Self { ground, check, declared }
    }

    // INVARIANT: a judge reads nothing that its entry does not declare; every test of the catalogue runs with this assertion.
    fn declared(&self, kind: Kind) {
        debug_assert!(self.declared.contains(&kind), "check `{}` reads {kind:?} without declaring it", self.check);
    }

    /// The Kubernetes version to judge by.
    pub fn version(&self) -> KubernetesVersion {
        self.ground.snapshot.version()
    }

    /// The moment at which the facts were true, in seconds since 1970.
    pub fn now_seconds(&self) -> i64 {
        self.ground.snapshot.circumstances().observed_at.as_second()
    }

    /// Whether the facts were read from manifests.
    pub fn from_files(&self) -> bool {
        self.ground.snapshot.circumstances().provenance == Provenance::Files
    }

    /// The object of `kind` called `name`.
    pub fn get(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Fact<ObjectView<'a>> {
        self.declared(kind);
        self.ground.snapshot.fact(kind, namespace, name)
    }

    /// Every object of `kind` in `namespace`, everywhere if `None`. Known only where the list was read whole.
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> Fact<Vec<ObjectView<'a>>> {
        self.declared(kind);
        self.ground.snapshot.list(kind, namespace)
    }

    /// Whether some object of `kind` in `namespace` satisfies `test`: true as soon as one does, even in a cut list.
    pub fn any(&self, kind: Kind, namespace: Option<&str>, test: impl FnMut(ObjectView<'a>) -> bool) -> Result<bool, Missing> {
        self.declared(kind);
        let snapshot = self.ground.snapshot;
        if snapshot.of_kind(kind).filter(|view| namespace.is_none() || view.namespace() == namespace).any(test) {
            return Ok(true);
        }
        snapshot.gap(kind, namespace).map_or(Ok(false), Err)
    }

    /// The ServiceAccount of a pod.
    pub fn service_account(&self, pod: PodView<'_>) -> Fact<ObjectView<'a>> {
        self.get(Kind::ServiceAccount, Some(pod.namespace()), pod.service_account())
    }

    /// The authorizers of the cluster; a judge that asks declares [`POLICY`].
    pub(crate) fn authz(&self) -> &'a Authz<'a> {
        for kind in POLICY {
            self.declared(kind);
        }
        self.ground.authz.get_or_init(|| Authz::resolve_beside(self.ground.snapshot, self.ground.files.files, &Options::default()))
    }

    /// The roles and bindings of the input by their objects.
    pub(crate) fn grants(&self) -> &'a PolicyIndex {
        let authz = self.authz();
        self.ground.grants.get_or_init(|| PolicyIndex::of(authz))
    }

    /// Who made a grant.
    pub(crate) fn provision(&self, grant: &GrantView<'_>) -> Provision {
        self.authz().provision(grant)
    }

    /// Ends in *unknown* unless every object of `kind` in `namespace` was read.
    pub(crate) fn complete(&self, kind: Kind, namespace: Option<&str>) -> Result<(), Missing> {
        self.declared(kind);
        self.ground.snapshot.gap(kind, namespace).map_or(Ok(()), Err)
    }

    /// Whether every cluster of this version has the role from its first start; manifests leave it out.
    pub fn is_role_of_every_cluster(&self, namespace: Option<&str>, name: &str) -> bool {
        let role = self.authz().find_role(namespace, name);
        role.is_some_and(|role| matches!(role.origin(), Some(Origin::DefaultPolicy(_))))
    }

    /// Ends in *unknown* unless every role and binding was read.
    pub fn policy_complete(&self) -> Result<(), Missing> {
        POLICY.iter().find_map(|&kind| self.ground.snapshot.gap(kind, None)).map_or(Ok(()), Err)
    }

    /// Whether some binding gives the ServiceAccount `name` more than every account has: true as soon as one does.
    pub fn is_granted(&self, namespace: &str, name: &str) -> Result<bool, Missing> {
        let authz = self.authz();
        let user = User::service_account(namespace, name);
        let groups = user.groups.iter().map(|group| authz.principal(true, group));
        let mut principals = std::iter::once(authz.principal(false, &user.name)).chain(groups).flatten();
        if principals.any(|principal| principal.subjects().any(|subject| !authz.is_for_everybody(subject))) {
            return Ok(true);
        }
        BINDINGS.iter().find_map(|&kind| self.ground.snapshot.gap(kind, None)).map_or(Ok(false), Err)
    }

    /// Every way that is open to the ServiceAccount `name`, by its groups as well.
    pub fn escalations(&self, namespace: &str, name: &str) -> impl Iterator<Item = &'a Escalation<'a>> + use<'a> {
        let authz = self.authz();
        let all = self.ground.escalations.get_or_init(|| authz.escalations().found);
        let user = User::service_account(namespace, name);
        let of = |is_group: bool, name: &str| {
            let key = (is_group, name);
            let start = all.partition_point(|one| (one.subject.is_group, &*one.subject.name) < key);
            let end = all.partition_point(|one| (one.subject.is_group, &*one.subject.name) <= key);
            all.get(start..end).unwrap_or_default()
        };
        let own = of(false, &user.name);
        let groups: Vec<&'a [Escalation<'a>]> = user.groups.iter().map(|group| of(true, group)).collect();
        own.iter().chain(groups.into_iter().flatten())
    }

    fn network(&self) -> &'a (Vec<Standing<'a>>, Vec<PolicyStanding<'a>>) {
        for kind in NETWORK {
            self.declared(kind);
        }
        self.ground.standings.get_or_init(|| {
            let network = Network::resolve_under(self.ground.snapshot, Model::Kubernetes, self.ground.cni);
            (network.standings(), network.policy_standings())
        })
    }

    fn standings(&self) -> &'a [Standing<'a>] {
        &self.network().0
    }

    /// What a policy does by itself; none for one that a later object takes the place of, or that nothing enforces. A judge that asks
    /// declares `facts::NETWORK`.
    pub fn policy_standing(&self, policy: ObjectView<'_>) -> Option<&'a PolicyStanding<'a>> {
        let all = &self.network().1;
        let at = all.binary_search_by_key(&policy.id(), |one| one.object.id()).ok()?;
        all.get(at)
    }

    /// What enforces policies, if the user says it.
    pub(crate) fn named_cni(&self) -> Option<Cni> {
        self.ground.cni
    }

    /// The policies for the traffic of pods, of every kind that the engine of the network knows.
    pub(crate) fn traffic_policies(&self) -> impl Iterator<Item = ObjectView<'a>> {
        for kind in NETWORK {
            self.declared(kind);
        }
        self.ground.snapshot.objects().filter(|object| is_policy(*object))
    }

    /// How a workload stands in the network; a judge that asks declares `facts::NETWORK`.
    pub fn standing(&self, workload: &Workload<'_>) -> Option<&'a Standing<'a>> {
        let owner = &workload.owner.reference;
        let namespace = owner.namespace.as_deref().or_else(|| workload.variants.first().map(|variant| variant.pod.namespace()))?;
        let all = self.standings();
        let at = all.binary_search_by(|one| (one.namespace, one.kind, one.name).cmp(&(namespace, &owner.kind, &owner.name))).ok()?;
        all.get(at)
    }

    /// How the workloads of a namespace stand in the network.
    pub fn standings_of(&self, namespace: &str) -> &'a [Standing<'a>] {
        let all = self.standings();
        let start = all.partition_point(|one| one.namespace < namespace);
        let end = all.partition_point(|one| one.namespace <= namespace);
        all.get(start..end).unwrap_or_default()
    }

    /// Ends in *unknown* unless everything was read that the network is made of.
    pub fn network_complete(&self) -> Result<(), Missing> {
        NETWORK.iter().chain(&WORKLOAD_KINDS).find_map(|&kind| self.ground.snapshot.gap(kind, None)).map_or(Ok(()), Err)
    }

    /// The certificates of the cluster; a judge that asks says itself what of them depends on lists that may be missing.
    pub(crate) fn certificates(&self) -> &'a Certificates {
        self.ground.certificates.get_or_init(|| Certificates::take_among(self.ground.snapshot, &self.ground.workloads))
    }

    /// Why not everything is known that has a say in which certificates Gateways may show.
    pub(crate) fn gateway_gap(&self) -> Option<Missing> {
        gateway_gap(self.ground.snapshot)
    }

    /// The object that a reference names, if it was read.
    pub(crate) fn named(&self, reference: &ObjectRef) -> Option<ObjectView<'a>> {
        self.ground.snapshot.find_reference(reference)
    }

    /// Who can log in, as far as the snapshot shows it; a judge that asks declares what `mechanisms` read.
    pub(crate) fn logins(&self, mechanisms: &[Mechanism]) -> &'a Inventory {
        for kind in mechanisms.iter().flat_map(|mechanism| mechanism.reads()) {
            self.declared(*kind);
        }
        self.ground.logins.get_or_init(|| Inventory::take(self.ground.snapshot, self.ground.files.files, &[]))
    }

    /// Why not every object of the kinds that the judge declares is known, if one of them was asked for and not had.
    pub(crate) fn lost(&self) -> Option<Missing> {
        let gaps = self.declared.iter().filter_map(|&kind| self.ground.snapshot.gap(kind, None));
        let workloads = self.declared.contains(&Kind::Pod).then_some(WORKLOAD_KINDS).into_iter().flatten();
        gaps.chain(workloads.filter_map(|kind| self.ground.snapshot.gap(kind, None)))
            .find(|missing| !matches!(missing.reason, Reason::NotInSource | Reason::NotServed))
    }

    /// The workloads of `namespace` (of all if `None`) that were read; for counting and naming, not for deciding absence.
    pub fn workloads(&self, namespace: Option<&str>) -> Vec<&'a Workload<'a>> {
        self.declared(Kind::Pod);
        match namespace {
            None => self.ground.workloads.iter().collect(),
            Some(namespace) => self.ground.by_namespace.get(namespace).into_iter().flatten().filter_map(|&at| self.ground.workloads.get(at)).collect(),
        }
    }

    /// Whether some pod in `namespace` satisfies `test`: true as soon as one does; missing if one might that was not read.
    pub fn any_pod(&self, namespace: Option<&str>, mut test: impl FnMut(PodView<'a>) -> bool) -> Result<bool, Missing> {
        let found = self.workloads(namespace).iter().any(|workload| workload.variants.iter().any(|variant| test(variant.pod)));
        if found {
            return Ok(true);
        }
        self.pods_complete(namespace).map(|()| false)
    }

    /// Ends in *unknown* unless everything that runs pods in `namespace` was read.
    pub fn pods_complete(&self, namespace: Option<&str>) -> Result<(), Missing> {
        self.declared(Kind::Pod);
        WORKLOAD_KINDS.iter().find_map(|&kind| self.ground.snapshot.gap(kind, namespace)).map_or(Ok(()), Err)
    }

    /// The object that an earlier one of the same name was overridden by.
    pub fn duplicate_of(&self, object: ObjectView<'_>) -> Option<ObjectView<'a>> {
        self.ground.overridden.get(&object.id()).copied()
    }

    /// The configuration of the kind `kind` that the flag `flag` of `component` names, if it names one.
    pub(crate) fn named_by(&self, component: ComponentView<'a>, flag: &str, kind: &str) -> Result<Option<Configured<'a>>, Missing> {
        match self.ground.files.named_by(component, flag, kind) {
            None => Ok(None),
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err((path, unseen))) => Err(unseen.missing(&path)),
        }
    }

    /// Whether `name` is that of a text in a ConfigMap, and of no file.
    pub(crate) fn is_text_of_map(&self, name: &str) -> bool {
        self.ground.files.embedded.iter().flat_map(|map| map.documents.sources()).any(|source| source.name() == name)
    }

    /// Says that the fault is at `spot` of `configured`, among the documents of the input or beside them.
    pub(crate) fn fail_in(&self, configured: Configured<'a>, spot: Value<'a>, message: Msg, out: &mut Sink<'a>) {
        if self.ground.snapshot.holds(configured.view) {
            out.fail(spot, message).object(configured.view);
        } else {
            out.fail_beside(configured, spot, message);
        }
    }

    /// The snapshot itself, for family code that declares what it reads on its own.
    pub(crate) fn snapshot(&self) -> &'a Snapshot {
        self.ground.snapshot
    }
}
