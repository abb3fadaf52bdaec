// Syncs Argo CD Applications with Argo CD's own code, but for its controller, its Redis and its repo server.
//
// gitops-engine compares, applies by waves, waits for health and prunes; health comes from Argo CD's Lua scripts, what
// is out of sync from its normalizers and the server's dry run, and AppProjects say what is permitted.
//
// Reads one request a line from standard input: {"application": …, "project": …, "manifests": […]}. Answers with one
// line each: what became of every object, its health, and what is out of sync afterwards.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	synccommon "github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
)

const pause = 100 * time.Millisecond // between two steps of a sync

const namespace = "argocd" // of Argo CD itself

const server = "https://kubernetes.default.svc"

type request struct {
	Application v1alpha1.Application         `json:"application"`
	Project     v1alpha1.AppProject          `json:"project"`
	Manifests   []*unstructured.Unstructured `json:"manifests"`
}

// object is what became of one object of an Application.
type object struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Status    string `json:"status"` // Synced, SyncFailed, Pruned, PruneSkipped
	Message   string `json:"message"`
	Health    string `json:"health,omitempty"` // empty: Argo CD has no opinion, and takes it for healthy
	OutOfSync string `json:"outOfSync,omitempty"`

	Live *unstructured.Unstructured `json:"live,omitempty"`
}

type answer struct {
	Error   string   `json:"error,omitempty"`
	Objects []object `json:"objects"`
}

// argocd is what all syncs share.
type argocd struct {
	cache    cache.ClusterCache
	config   *rest.Config
	kubectl  kube.Kubectl
	tracking argo.ResourceTracking
	dryRun   diff.ServerSideDryRunner
	settings *settings.SettingsManager
	timeout  time.Duration
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the cluster to sync into")
	timeout := flag.Duration("timeout", time.Minute, "what a sync may take until all that it waits for is healthy")
	flag.Parse()
	a, err := start(*kubeconfig, *timeout)
	check(err)

	output := json.NewEncoder(os.Stdout)
	check(output.Encode(answer{})) // it is ready
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		asked := request{}
		check(json.Unmarshal(lines.Bytes(), &asked))
		check(output.Encode(a.answer(&asked)))
	}
	check(lines.Err())
}

func start(kubeconfig string, timeout time.Duration) (*argocd, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 500, 1000
	config.WarningHandler = rest.NoWarnings{} // of kinds that are only listed
	a := &argocd{
		config:   config,
		kubectl:  &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}},
		tracking: argo.NewResourceTracking(),
		timeout:  timeout,
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	a.settings = settings.NewSettingsManager(context.Background(), client, namespace)
	a.cache = cache.NewClusterCache(config,
		cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(un *unstructured.Unstructured, _ bool) (any, bool) {
			name := a.owner(un)
			return name, name != "" // the manifest is kept of what an Application tracks
		}),
	)
	if err := a.cache.EnsureSynced(); err != nil {
		return nil, err
	}
	applier, _, err := kube.ManageServerSideDiffDryRuns(config, a.cache.GetOpenAPISchema(), tracing.NopTracer{}, logr.Discard(), nil)
	if err != nil {
		return nil, err
	}
	a.dryRun = diff.NewK8sServerSideDryRunner(applier)
	return a, nil
}

// healthOf returns the health checks that Argo CD has, with those of its ConfigMap argocd-cm where there is one.
func (a *argocd) healthOf() health.HealthOverride {
	overrides, err := a.settings.GetResourceOverrides()
	if err != nil {
		overrides = nil
	}
	return lua.ResourceHealthOverrides(overrides)
}

// owner returns the Application that an object belongs to.
func (a *argocd) owner(un *unstructured.Unstructured) string {
	return a.tracking.GetAppName(un, common.LabelKeyAppInstance, v1alpha1.TrackingMethodAnnotation, "")
}

func (a *argocd) answer(asked *request) answer {
	name := asked.Application.Name
	for _, un := range asked.Manifests {
		err := a.tracking.SetAppInstance(un, common.LabelKeyAppInstance, name, un.GetNamespace(), v1alpha1.TrackingMethodAnnotation, "")
		if err != nil {
			return answer{Error: err.Error()}
		}
	}
	results, err := a.sync(asked)
	told := answer{}
	if err != nil {
		told.Error = err.Error()
	}
	for _, result := range results {
		key := result.ResourceKey
		if namespaced, err := a.cache.IsNamespaced(key.GroupKind()); err == nil && !namespaced {
			key.Namespace = "" // it has the Application's otherwise
		}
		told.Objects = append(told.Objects, object{
			Group: key.Group, Kind: key.Kind, Namespace: key.Namespace, Name: key.Name,
			Status: string(result.Status), Message: result.Message,
		})
	}
	if err := a.compare(asked, &told); err != nil && told.Error == "" {
		told.Error = err.Error()
	}
	return told
}

// sync goes on until the operation is completed. Each step looks at the cluster anew, as the controller does.
func (a *argocd) sync(asked *request) ([]synccommon.ResourceSyncResult, error) {
	phase, message := synccommon.OperationRunning, ""
	var results []synccommon.ResourceSyncResult
	namespace, started := asked.Application.Spec.Destination.Namespace, time.Now()
	mine := func(r *cache.Resource) bool { return r.Info == asked.Application.Name && len(r.OwnerRefs) == 0 }
	for time.Since(started) < a.timeout {
		live, err := a.cache.GetManagedLiveObjs(asked.Manifests, mine)
		if err != nil {
			return results, err
		}
		reconciled := sync.Reconcile(asked.Manifests, live, namespace, a.cache)
		if err := a.respect(asked, &reconciled); err != nil {
			return results, err
		}
		options := append(a.options(asked), sync.WithInitialState(phase, message, results, metav1.NewTime(started)))
		step, cleanup, err := sync.NewSyncContext(
			"revision", reconciled, a.config, a.config, a.kubectl, namespace, a.cache.GetOpenAPISchema(), options...)
		if err != nil {
			return results, err
		}
		step.Sync()
		phase, message, results = step.GetState()
		cleanup()
		if phase.Successful() {
			return results, nil
		}
		if phase.Completed() {
			return results, fmt.Errorf("%s: %s", phase, message)
		}
		time.Sleep(pause)
	}
	return results, fmt.Errorf("after %s still %s: %s", a.timeout, phase, message)
}

// respect leaves ignored fields of objects that are there as they are, where the Application says
// RespectIgnoreDifferences=true. The controller merges lists of built-in kinds by their keys; here they are taken whole.
func (a *argocd) respect(asked *request, reconciled *sync.ReconciliationResult) error {
	if !asked.Application.Spec.SyncPolicy.SyncOptions.HasOption("RespectIgnoreDifferences=true") {
		return nil
	}
	config, err := a.diffConfig(asked)
	if err != nil {
		return err
	}
	without, err := argodiff.Normalize(reconciled.Live, reconciled.Target, config)
	if err != nil {
		return err
	}
	for i, live := range reconciled.Live {
		if live == nil || without.Targets[i] == nil {
			continue
		}
		if reconciled.Target[i], err = withIgnored(without.Targets[i], without.Lives[i], live); err != nil {
			return err
		}
	}
	return nil
}

// withIgnored returns a manifest with what normalizing took out of the live object.
func withIgnored(target, normalized, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	var documents [3][]byte
	for i, un := range []*unstructured.Unstructured{target, normalized, live} {
		document, err := un.MarshalJSON()
		if err != nil {
			return nil, err
		}
		documents[i] = document
	}
	ignored, err := jsonpatch.CreateMergePatch(documents[1], documents[2])
	if err != nil {
		return nil, err
	}
	merged, err := jsonpatch.MergePatch(documents[0], ignored)
	if err != nil {
		return nil, err
	}
	result := &unstructured.Unstructured{}
	return result, result.UnmarshalJSON(merged)
}

// options are what the Application's sync policy says, as the controller passes it on (controller/sync.go).
func (a *argocd) options(asked *request) []sync.SyncOpt {
	policy := asked.Application.Spec.SyncPolicy
	cluster := &v1alpha1.Cluster{Server: server}
	return []sync.SyncOpt{
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(a.healthOf()),
		sync.WithPrune(policy.Automated.Prune),
		sync.WithManifestValidation(true),
		sync.WithServerSideApply(policy.SyncOptions.HasOption(synccommon.SyncOptionServerSideApply)),
		sync.WithServerSideApplyManager(common.ArgoCDSSAManager),
		sync.WithPermissionValidator(func(un *unstructured.Unstructured, res *metav1.APIResource) error {
			gvk := un.GroupVersionKind()
			if !asked.Project.IsGroupKindPermitted(gvk.GroupKind(), res.Namespaced) {
				return fmt.Errorf("%s is not permitted in project %s", gvk.GroupKind(), asked.Project.Name)
			}
			if !res.Namespaced {
				return nil
			}
			permitted, err := asked.Project.IsDestinationPermitted(cluster, un.GetNamespace(), nil)
			if err == nil && !permitted {
				err = fmt.Errorf("namespace %s is not permitted in project %s", un.GetNamespace(), asked.Project.Name)
			}
			return err
		}),
	}
}

// compare notes the health of every object, and how it differs from its manifest for Argo CD.
func (a *argocd) compare(asked *request, told *answer) error {
	if err := a.refresh(); err != nil {
		return err
	}
	live, err := a.cache.GetManagedLiveObjs(asked.Manifests, func(*cache.Resource) bool { return false })
	if err != nil {
		return err
	}
	var lives, targets []*unstructured.Unstructured
	for _, target := range asked.Manifests {
		if found := live[kube.GetResourceKey(target)]; found != nil {
			lives, targets = append(lives, found), append(targets, target)
		}
	}
	compared, err := a.stateDiffs(asked, lives, targets)
	if err != nil {
		return err
	}
	byKey := map[kube.ResourceKey]*object{}
	for i := range told.Objects {
		each := &told.Objects[i]
		byKey[kube.NewResourceKey(each.Group, each.Kind, each.Namespace, each.Name)] = each
	}
	for i, un := range lives {
		each, known := byKey[kube.GetResourceKey(un)]
		if !known {
			return fmt.Errorf("%s was not part of the sync", kube.GetResourceKey(un))
		}
		each.Live = un
		status, err := health.GetResourceHealth(un, a.healthOf())
		if err != nil {
			return err
		}
		if status != nil {
			each.Health = string(status.Status)
		}
		if compared.Diffs[i].Modified {
			each.OutOfSync = string(compared.Diffs[i].PredictedLive)
		}
	}
	return nil
}

func (a *argocd) stateDiffs(asked *request, lives, targets []*unstructured.Unstructured) (*diff.DiffResultList, error) {
	config, err := a.diffConfig(asked)
	if err != nil {
		return nil, err
	}
	return argodiff.StateDiffs(lives, targets, config)
}

func (a *argocd) diffConfig(asked *request) (argodiff.DiffConfig, error) {
	return argodiff.NewDiffConfigBuilder().
		WithDiffSettings(asked.Application.Spec.IgnoreDifferences, nil, false, normalizers.IgnoreNormalizerOpts{}).
		WithTracking(common.LabelKeyAppInstance, string(v1alpha1.TrackingMethodAnnotation)).
		WithNoCache().
		WithManager(common.ArgoCDSSAManager).
		WithGVKParser(a.cache.GetGVKParser()).
		WithServerSideDiff(true).
		WithServerSideDryRunner(a.dryRun).
		Build()
}

// refresh reads the cluster anew: a watch may be behind what was applied a moment ago.
func (a *argocd) refresh() error {
	a.cache.Invalidate()
	return a.cache.EnsureSynced()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
